//! Batches: configuration, states, transitions and events.

mod config;
mod diagram;
mod event;
mod pace;
mod progress;
mod state;

pub use config::{
    BatchConfig, BatchOptions, ExtractionStrategy, Extractor, FailurePolicy, MAX_CONCURRENCY,
    PinnedModel,
};
pub use diagram::state_diagram;
pub use event::{Aggregate, BatchEvent, BatchEventKind, DocumentsByStage, StageReport};
pub use pace::{Pace, Remaining, Rest};
pub use progress::batch_progress;
pub use state::{
    BatchFailure, BatchStage, BatchState, BatchTotals, BatchTrigger, InvalidTransition, Transition,
};
