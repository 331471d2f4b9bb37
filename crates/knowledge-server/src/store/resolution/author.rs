//! Who brings entities together, or apart.

use std::{collections::BTreeSet, fmt};

use knowledge_domain::ids::BatchId;
use uuid::Uuid;

/// Who brings entities together, or apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Author {
    /// Resolution of a batch's entities.
    Batch(BatchId),
    /// A person, of this name, about these forms among each other; of what else changes by it
    /// resolution is the author.
    Person {
        name: String,
        decided: BTreeSet<Uuid>,
    },
}

impl Author {
    /// Whether a person decided that entities of this form are what an entity of the other is.
    pub(super) fn decides(&self, form: Uuid, face: impl FnOnce() -> Option<Uuid>) -> bool {
        let Self::Person { decided, .. } = self else {
            return false;
        };
        decided.contains(&form) && face().is_some_and(|face| decided.contains(&face))
    }

    /// How merge history calls who follows the rules.
    pub(super) fn resolver(&self) -> String {
        match self {
            Self::Batch(_) => self.to_string(),
            Self::Person { .. } => "resolution".to_owned(),
        }
    }

    /// The batch whose entities are resolved, where it is one's.
    pub(super) fn batch(&self) -> Option<BatchId> {
        match self {
            Self::Batch(id) => Some(*id),
            Self::Person { .. } => None,
        }
    }
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(id) => id.fmt(f),
            Self::Person { name, .. } => f.write_str(name),
        }
    }
}
