//! Workflows: their stages, statuses, and the port that executors stand behind.

mod durable;
mod parity;
mod stage;
mod status;
mod suspension;

pub use durable::{
    Activities, ActivityCall, ActivityContext, ActivityError, BoxFuture, Durable, StageCall,
    UnitReport, WorkflowError,
};
pub use parity::ParityDifference;
pub use stage::{DocumentProgress, PROGRESS_UNITS, RetryPolicy, StagePolicy, WorkflowStage};
pub use status::{
    ParityStatus, RetryOwner, StageStatus, WorkflowActivityStatus, WorkflowExecutionStatus,
    WorkflowMode, WorkflowType,
};
pub use suspension::{SuspendReason, Suspension, WorkflowSignal};
