//! Checking a request before anything is stored.

use knowledge_domain::{
    batch::{BatchConfig, BatchOptions, Extractor},
    ids::OrganizationId,
    workflow::WorkflowMode,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{NewDocument, OrchestratorSettings, StartBatch, StartBatchError};
use crate::{
    store::ledger::{PreparedBatch, PreparedDocument},
    text::hex,
};

const MAX_DOCUMENTS: usize = 100_000;
const MAX_NAME_CHARS: usize = 1_000;
const MAX_URI_CHARS: usize = 4_000;
const MAX_KEY_CHARS: usize = 200;

/// Checks a request and fills in what it leaves out.
pub(super) fn prepare(
    organization: OrganizationId,
    command: StartBatch,
    mode: WorkflowMode,
    settings: &OrchestratorSettings,
) -> Result<PreparedBatch, StartBatchError> {
    check_documents(&command.documents)?;
    check_key(command.idempotency_key.as_deref())?;
    let options = BatchOptions {
        extractor: Some(
            command
                .options
                .extractor
                .unwrap_or(settings.default_extractor),
        ),
        ..command.options
    };
    let config = BatchConfig::new(&options)?;
    if config.extractor == Extractor::Llm && !settings.has_models {
        return Err(invalid(
            &["config", "extractor"],
            "there is no model to ask; start the server with OPENAI_API_KEY or OPENAI_BASE_URL, or choose OFFLINE",
        ));
    }
    let documents: Vec<PreparedDocument> = command.documents.into_iter().map(document).collect();
    let request_hash = request_hash(&documents, &command.ontology_id, &config);
    Ok(PreparedBatch {
        organization,
        documents,
        ontology_id: command.ontology_id,
        config,
        mode,
        idempotency_key: command.idempotency_key,
        request_hash,
    })
}

fn check_documents(documents: &[NewDocument]) -> Result<(), StartBatchError> {
    if documents.is_empty() {
        return Err(invalid(
            &["documents"],
            "a batch needs at least one document",
        ));
    }
    if documents.len() > MAX_DOCUMENTS {
        return Err(invalid(
            &["documents"],
            format!("a batch holds at most {MAX_DOCUMENTS} documents; start several batches"),
        ));
    }
    for (position, document) in documents.iter().enumerate() {
        check_document(position, document)?;
    }
    Ok(())
}

fn check_document(position: usize, document: &NewDocument) -> Result<(), StartBatchError> {
    let position = position.to_string();
    let chars = document.name.chars().count();
    if document.name.trim().is_empty() || chars > MAX_NAME_CHARS {
        return Err(invalid(
            &["documents", &position, "name"],
            format!("a document's name has between 1 and {MAX_NAME_CHARS} characters"),
        ));
    }
    let uri = document.source_uri.as_deref().unwrap_or_default();
    if uri.chars().count() > MAX_URI_CHARS {
        return Err(invalid(
            &["documents", &position, "sourceUri"],
            format!("a document's sourceUri has at most {MAX_URI_CHARS} characters"),
        ));
    }
    for (field, holds_nul) in [
        ("name", document.name.contains('\0')),
        ("text", document.text.contains('\0')),
        ("sourceUri", uri.contains('\0')),
        ("metadata", json_holds_nul(&document.metadata)),
    ] {
        // PostgreSQL's text cannot hold it, and no document means it.
        if holds_nul {
            return Err(invalid(
                &["documents", &position, field],
                format!("a document's {field} must not contain the character U+0000"),
            ));
        }
    }
    Ok(())
}

fn json_holds_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(items) => items.iter().any(json_holds_nul),
        serde_json::Value::Object(fields) => fields
            .iter()
            .any(|(key, value)| key.contains('\0') || json_holds_nul(value)),
        _ => false,
    }
}

fn check_key(key: Option<&str>) -> Result<(), StartBatchError> {
    let Some(key) = key else { return Ok(()) };
    let chars = key.chars().count();
    if chars == 0 || chars > MAX_KEY_CHARS || key.contains('\0') {
        return Err(invalid(
            &["idempotencyKey"],
            format!("an idempotency key has between 1 and {MAX_KEY_CHARS} characters"),
        ));
    }
    Ok(())
}

fn invalid(path: &[&str], message: impl Into<String>) -> StartBatchError {
    StartBatchError::Invalid {
        path: path.iter().map(|&part| part.to_owned()).collect(),
        message: message.into(),
    }
}

fn document(document: NewDocument) -> PreparedDocument {
    PreparedDocument {
        content_hash: hex(&Sha256::digest(&document.text)),
        name: document.name,
        text: document.text,
        source_uri: document.source_uri,
        metadata: document.metadata,
    }
}

/// SHA-256 of everything that makes two requests the same.
fn request_hash(
    documents: &[PreparedDocument],
    ontology: &impl Serialize,
    config: &BatchConfig,
) -> String {
    let mut hasher = Sha256::new();
    let mut add = |part: &dyn AsRef<[u8]>| {
        let part = part.as_ref();
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    };
    add(&serde_json::json!([ontology, config]).to_string());
    for document in documents {
        add(&document.name);
        add(&document.content_hash);
        add(&document.source_uri.as_deref().unwrap_or_default());
        add(&document.metadata.to_string());
    }
    hex(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(names: &[&str]) -> StartBatch {
        StartBatch {
            documents: names
                .iter()
                .map(|name| NewDocument {
                    name: (*name).to_owned(),
                    text: format!("text of {name}"),
                    source_uri: None,
                    metadata: serde_json::Value::Null,
                })
                .collect(),
            ..StartBatch::default()
        }
    }

    fn prepared(command: StartBatch) -> Result<PreparedBatch, StartBatchError> {
        let settings = OrchestratorSettings::default();
        prepare(
            OrganizationId::DEFAULT,
            command,
            WorkflowMode::Legacy,
            &settings,
        )
    }

    fn refused_at(command: StartBatch) -> Vec<String> {
        match prepared(command).unwrap_err() {
            StartBatchError::Invalid { path, .. } => path,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn bad_requests_say_where() {
        assert_eq!(refused_at(request(&[])), ["documents"]);
        assert_eq!(refused_at(request(&["a", " "])), ["documents", "1", "name"]);
        assert_eq!(refused_at(request(&["a\0"])), ["documents", "0", "name"]);
        let mut command = request(&["a"]);
        command.documents[0].metadata = serde_json::json!({ "k": ["a\0b"] });
        assert_eq!(refused_at(command), ["documents", "0", "metadata"]);
        let mut command = request(&["a"]);
        command.idempotency_key = Some(String::new());
        assert_eq!(refused_at(command), ["idempotencyKey"]);
        let mut command = request(&["a"]);
        command.options.concurrency = Some(65);
        assert_eq!(refused_at(command), ["config", "concurrency"]);
    }

    #[test]
    fn an_empty_text_is_accepted() {
        let mut command = request(&["a"]);
        command.documents[0].text.clear();
        assert!(prepared(command).is_ok());
    }

    #[test]
    fn the_hash_covers_documents_and_settings() {
        let hash = |command| prepared(command).unwrap().request_hash;
        let first = hash(request(&["a", "b"]));
        assert_eq!(hash(request(&["a", "b"])), first);
        assert_ne!(hash(request(&["b", "a"])), first);
        let mut command = request(&["a", "b"]);
        command.options.concurrency = Some(7);
        assert_ne!(hash(command), first);
    }
}
