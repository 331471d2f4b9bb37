//! Waiting for something outside: a workflow that is suspended has neither failed nor ended.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Why a workflow waits.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SuspendReason {
    /// The provider's circuit breaker is open.
    BreakerOpen,
    /// The batch's token budget is spent.
    OverBudget,
    /// The provider asks to wait longer than a call may take.
    RateLimited,
    /// A user asked for it.
    Paused,
}

/// What a workflow waits for. It holds no place in its batch's window and no connection meanwhile,
/// and goes on from its checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suspension {
    /// Why.
    pub reason: SuspendReason,
    /// What it waits for and what to do; never a document's text.
    pub message: String,
    /// When it goes on by itself; only by a command, when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<DateTime<Utc>>,
}

/// What a user tells one workflow.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum WorkflowSignal {
    /// Finish what is in flight, then wait.
    Pause,
    /// Go on.
    Resume,
    /// Drop what is in flight, for good.
    Cancel,
}
