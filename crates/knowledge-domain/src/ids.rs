//! Typed ids.
//!
//! Ids of runs (batch, batch document, execution) are `UUIDv7`, taken from [`crate::Entropy`].
//! Ids of graph rows are derived from what they identify, so a repeated write is the same write.
//! Where an id is shown it carries its prefix: `batch_0190a5…`; serde and `Display` agree on it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};
use uuid::{Builder, Uuid};

/// An id that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not an id of the form `{expected}_` and 32 hexadecimal digits")]
pub struct ParseIdError {
    /// What was given, cut to 80 characters.
    pub given: String,
    /// The prefix that was expected, without the underscore.
    pub expected: &'static str,
}

/// A `UUIDv5` over `scope` and the parts, each preceded by its length so that `["ab", "c"]` and
/// `["a", "bc"]` differ.
fn derive(scope: Uuid, parts: &[&str]) -> Uuid {
    let mut name = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&scope, &name)
}

/// A `UUIDv8` that begins as `scope` does, so that all rows of one document lie side by side in
/// every index that is ordered by their ids: a document is written to a page or two of each, not to
/// one for every row, and documents in the order of their ids are written to one page after the
/// other. What follows is of [`derive`], 74 bits that nothing else in the scope shares.
fn derive_beside(scope: Uuid, parts: &[&str]) -> Uuid {
    let mut bytes = derive(scope, parts).into_bytes();
    bytes[..6].copy_from_slice(&scope.as_bytes()[..6]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

fn parse(given: &str, prefix: &'static str) -> Result<Uuid, ParseIdError> {
    given
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|hex| hex.len() == 32)
        .and_then(|hex| Uuid::try_parse(hex).ok())
        .ok_or_else(|| ParseIdError {
            given: given.chars().take(80).collect(),
            expected: prefix,
        })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix that shown ids carry, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Wraps a stored value.
            #[must_use]
            pub const fn from_uuid(value: Uuid) -> Self {
                Self(value)
            }

            /// The bare value, as it is stored.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(given: &str) -> Result<Self, Self::Err> {
                parse(given, $prefix).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let given = String::deserialize(deserializer)?;
                given.parse().map_err(de::Error::custom)
            }
        }
    };
}

id!(/// A tenant.
    OrganizationId, "org");
id!(/// An API key; not its secret.
    ApiKeyId, "key");
id!(/// A registered ontology.
    OntologyId, "onto");
id!(/// One run over a set of documents.
    BatchId, "batch");
id!(/// A document's place in a batch; what the outside calls a document id.
    BatchDocumentId, "bdoc");
id!(/// A document's content, stored once per organisation.
    DocumentId, "doc");
id!(/// One run of a workflow.
    ExecutionId, "exec");
id!(/// What one extractor with one configuration finds in one document.
    ExtractionId, "extr");
id!(/// A chunk of a document.
    ChunkId, "chunk");
id!(/// A mention: immutable evidence.
    MentionId, "ment");
id!(/// An entity of one document, before resolution.
    EntityId, "ent");
id!(/// A relation of one document.
    RelationId, "rel");
id!(/// A stretch of text that a relation rests on.
    EvidenceId, "evid");
id!(/// Entities that mean the same thing.
    ClusterId, "clus");
id!(/// What entities with one name, class and identity have in common.
    FormId, "form");
id!(/// Two forms that may be one, which takes a person to tell.
    QuestionId, "ques");

impl OrganizationId {
    /// The organisation of a server without API keys; the same in every database, so that derived
    /// ids agree between databases.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x6f72_6700_0000_8000_8000_0000_0000_0001));
}

impl OntologyId {
    /// The id of an ontology within an organisation; `content_hash` is its SHA-256 in hex.
    #[must_use]
    pub fn derive(organization: OrganizationId, content_hash: &str) -> Self {
        Self(derive(organization.uuid(), &["ontology", content_hash]))
    }
}

impl DocumentId {
    /// The id of a content within an organisation; `content_hash` is the text's SHA-256 in hex.
    #[must_use]
    pub fn derive(organization: OrganizationId, content_hash: &str) -> Self {
        Self(derive(organization.uuid(), &["document", content_hash]))
    }
}

impl ExtractionId {
    /// The id of what `fingerprint` (extractor, its version, ontology, settings) finds in a document.
    #[must_use]
    pub fn derive(document: DocumentId, fingerprint: &str) -> Self {
        Self(derive_beside(document.uuid(), &["extraction", fingerprint]))
    }
}

impl ChunkId {
    /// The id of the chunk at `position` (from 0) of an extraction.
    #[must_use]
    pub fn derive(extraction: ExtractionId, position: usize) -> Self {
        Self(derive_beside(
            extraction.uuid(),
            &["chunk", &position.to_string()],
        ))
    }
}

impl MentionId {
    /// The id of the mention with this span, in characters of the document.
    #[must_use]
    pub fn derive(extraction: ExtractionId, start_char: u32, end_char: u32) -> Self {
        Self(derive_beside(
            extraction.uuid(),
            &["mention", &start_char.to_string(), &end_char.to_string()],
        ))
    }
}

impl EntityId {
    /// The id of the entity at `position` (from 0) of an extraction's sorted entities.
    #[must_use]
    pub fn derive(extraction: ExtractionId, position: usize) -> Self {
        Self(derive_beside(
            extraction.uuid(),
            &["entity", &position.to_string()],
        ))
    }
}

impl RelationId {
    /// The id of the relation at `position` (from 0) of an extraction's sorted relations.
    #[must_use]
    pub fn derive(extraction: ExtractionId, position: usize) -> Self {
        Self(derive_beside(
            extraction.uuid(),
            &["relation", &position.to_string()],
        ))
    }
}

impl EvidenceId {
    /// The id of the evidence with this span, in characters of the document.
    #[must_use]
    pub fn derive(relation: RelationId, start_char: u32, end_char: u32) -> Self {
        Self(derive_beside(
            relation.uuid(),
            &["evidence", &start_char.to_string(), &end_char.to_string()],
        ))
    }
}

impl ClusterId {
    /// The id of the cluster with this key within an organisation.
    #[must_use]
    pub fn derive(organization: OrganizationId, key: &str) -> Self {
        Self(derive(organization.uuid(), &["cluster", key]))
    }
}

impl FormId {
    /// The id of the form with this key within an organisation.
    #[must_use]
    pub fn derive(organization: OrganizationId, key: &str) -> Self {
        Self(derive(organization.uuid(), &["form", key]))
    }
}

impl QuestionId {
    /// The id of the question about two forms, in whatever order they come.
    #[must_use]
    pub fn derive(one: FormId, other: FormId) -> Self {
        let other_id = one.max(other).uuid().simple().to_string();
        Self(derive(one.min(other).uuid(), &["question", &other_id]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_ids_read_back() {
        let id = DocumentId::derive(OrganizationId::DEFAULT, "abc");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), "doc_".len() + 32);
    }

    #[test]
    fn an_id_of_another_type_is_refused() {
        let id = DocumentId::derive(OrganizationId::DEFAULT, "abc").to_string();
        let error = id.parse::<BatchId>().unwrap_err();
        assert_eq!(error.expected, "batch");
    }

    #[test]
    fn hostile_ids_are_refused_without_panic() {
        for given in ["", "_", "doc_", "doc_é", "doc_zz", &"doc_".repeat(1000)] {
            assert!(given.parse::<DocumentId>().is_err(), "{given}");
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        let scope = OrganizationId::DEFAULT.uuid();
        assert_ne!(derive(scope, &["ab", "c"]), derive(scope, &["a", "bc"]));
    }

    #[test]
    fn derived_ids_are_stable_across_releases() {
        let id = DocumentId::derive(OrganizationId::DEFAULT, "abc");
        insta::assert_snapshot!(id, @"doc_e22f6385a52f53d3af495d3a59ac199a");
        let id = EntityId::derive(ExtractionId::derive(id, "abc"), 7);
        insta::assert_snapshot!(id, @"ent_e22f6385a52f831c891d0d09ae1734c7");
    }

    #[test]
    fn rows_of_a_document_lie_side_by_side() {
        let documents =
            ["one", "other"].map(|hash| DocumentId::derive(OrganizationId::DEFAULT, hash));
        let extractions = documents
            .map(|document| ["one", "other"].map(|print| ExtractionId::derive(document, print)));
        let mut ids: Vec<_> = (0..100)
            .flat_map(|position| {
                let of = move |extraction| EntityId::derive(extraction, position);
                extractions.as_flattened().iter().copied().map(of)
            })
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 400);
        let mut sorted = documents;
        sorted.sort();
        for (place, id) in ids.iter().enumerate() {
            let document = sorted[place / 200];
            assert_eq!(id.uuid().as_bytes()[..6], document.uuid().as_bytes()[..6]);
        }
        let relation = RelationId::derive(extractions[0][0], 0);
        let evidence = EvidenceId::derive(relation, 1, 2);
        let document = documents[0].uuid();
        assert_eq!(evidence.uuid().as_bytes()[..6], document.as_bytes()[..6]);
    }
}
