//! What a batch's documents are doing, and how long they will take.

use async_graphql::SimpleObject;
use knowledge_domain::batch;

use super::scalar::int;

/// What the unsettled documents of a batch are doing.
#[derive(Clone, SimpleObject)]
pub(crate) struct DocumentsByStage {
    /// They wait for their turn, or for another attempt.
    waiting: i32,
    /// They are cut into chunks, or about to be.
    chunk: i32,
    /// Mentions are found in them.
    mentions: i32,
    /// Their entities are typed.
    entities: i32,
    /// Their relations are found.
    relations: i32,
    /// Their graphs are put together.
    assemble: i32,
}

/// How long the documents of a batch still take, in seconds; the bounds close as evidence grows.
#[derive(Clone, SimpleObject)]
pub(crate) struct Remaining {
    /// It takes hardly less.
    low: f64,
    /// The best guess.
    likely: f64,
    /// It takes hardly more, unless something stalls.
    high: f64,
}

impl From<batch::DocumentsByStage> for DocumentsByStage {
    fn from(counts: batch::DocumentsByStage) -> Self {
        Self {
            waiting: int(counts.waiting),
            chunk: int(counts.chunk),
            mentions: int(counts.mentions),
            entities: int(counts.entities),
            relations: int(counts.relations),
            assemble: int(counts.assemble),
        }
    }
}

impl From<batch::Remaining> for Remaining {
    fn from(remaining: batch::Remaining) -> Self {
        Self {
            low: remaining.low,
            likely: remaining.likely,
            high: remaining.high,
        }
    }
}
