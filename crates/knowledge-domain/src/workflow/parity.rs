//! What comparing two engines comes to.

use serde::{Deserialize, Serialize};

/// Something in which another engine came to another result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParityDifference {
    /// What differs: a unit (`mentions/3`), a part of the graph (`entities`), or the `outcome`.
    pub what: String,
    /// What the engine that served came to.
    pub legacy: String,
    /// What the other one came to.
    pub engine: String,
}

impl ParityDifference {
    /// A difference between two results, each said in a few words without a document's text.
    pub fn new(
        what: impl Into<String>,
        legacy: impl Into<String>,
        engine: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            legacy: legacy.into(),
            engine: engine.into(),
        }
    }
}
