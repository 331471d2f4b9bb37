//! The settings of a pipeline and the fingerprint of what it would find.

use knowledge_domain::{ConfigError, Ontology, graph::Confidence};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{chunk::ChunkConfig, extractor::ExtractorIdentity};

/// How a document is extracted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PipelineConfig {
    /// How the text is cut.
    pub chunk: ChunkConfig,
    /// The most mentions that one entity unit types.
    pub mentions_per_batch: u32,
    /// Mentions, entities and relations below are dropped.
    pub confidence_floor: Confidence,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            chunk: ChunkConfig::default(),
            mentions_per_batch: 50,
            confidence_floor: Confidence::new(0.5),
        }
    }
}

impl PipelineConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] for the first setting that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.chunk.validate()?;
        if (1..=50).contains(&self.mentions_per_batch) {
            return Ok(());
        }
        Err(ConfigError {
            path: "mentionsPerBatch",
            value: self.mentions_per_batch.to_string(),
            expected: "between 1 and 50",
        })
    }
}

/// What decides the result of an extraction beside the text, as a SHA-256 in hex.
///
/// Feeds [`knowledge_domain::ids::ExtractionId::derive`]: two extractions with one fingerprint find
/// the same in one document.
#[must_use]
pub fn fingerprint(
    extractor: &ExtractorIdentity,
    ontology: &Ontology,
    config: &PipelineConfig,
) -> String {
    #[derive(Serialize)]
    struct Parts<'a> {
        workflow_version: u32,
        extractor: &'a ExtractorIdentity,
        ontology: &'a Ontology,
        config: &'a PipelineConfig,
    }
    let parts = Parts {
        workflow_version: crate::workflow::WORKFLOW_VERSION,
        extractor,
        ontology,
        config,
    };
    // Plain structs with string keys always serialise.
    let json = serde_json::to_vec(&parts).unwrap_or_default();
    sha256_hex(&json)
}

/// The SHA-256 of some bytes, in hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> ExtractorIdentity {
        ExtractorIdentity {
            name: "test".to_owned(),
            version: "1".to_owned(),
            settings: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn the_fingerprint_depends_on_every_part() {
        let (ontology, config) = (Ontology::core(), PipelineConfig::default());
        let base = fingerprint(&identity(), &ontology, &config);
        assert_eq!(base.len(), 64);
        assert_eq!(base, fingerprint(&identity(), &ontology, &config));
        let mut other = config.clone();
        other.confidence_floor = Confidence::new(0.6);
        assert_ne!(base, fingerprint(&identity(), &ontology, &other));
        let fewer = Ontology::new(ontology.classes()[1..].to_vec(), Vec::new());
        assert_ne!(base, fingerprint(&identity(), &fewer, &config));
        let newer = ExtractorIdentity {
            version: "2".to_owned(),
            ..identity()
        };
        assert_ne!(base, fingerprint(&newer, &ontology, &config));
    }

    #[test]
    fn defaults_read_back_from_an_empty_object() {
        let config: PipelineConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, PipelineConfig::default());
        config.validate().unwrap();
    }

    #[test]
    fn wrong_settings_name_their_path() {
        let config = PipelineConfig {
            mentions_per_batch: 51,
            ..PipelineConfig::default()
        };
        assert_eq!(config.validate().unwrap_err().path, "mentionsPerBatch");
    }
}
