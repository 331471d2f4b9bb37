//! Statuses of executions and activities, by the names that the database and the wire use.

use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::Display,
            strum::EnumString, strum::EnumIter, strum::IntoStaticStr,
        )]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }
    };
}

named!(/// The status of a workflow execution.
WorkflowExecutionStatus {
    /// Accepted, not begun.
    Pending,
    /// A process works on it.
    Running,
    /// It waits for something outside: a provider, a budget, a signal.
    Suspended,
    /// It has its output.
    Completed,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
});

impl WorkflowExecutionStatus {
    /// Whether nothing more will happen unless somebody retries.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

named!(/// The status of an activity.
WorkflowActivityStatus {
    /// Known, not begun.
    Pending,
    /// An attempt is under way, or was when its process died.
    Running,
    /// Its output is recorded; it is never run again.
    Completed,
    /// Its last attempt failed.
    Failed,
    /// It was not needed.
    Skipped,
});

named!(/// What a stage's progress event says of the stage.
StageStatus {
    /// The document entered the stage.
    Started,
    /// A unit was finished, and more remain.
    InProgress,
    /// The last unit was finished.
    Completed,
    /// A unit failed for good.
    Failed,
});

named!(/// The kind of a workflow.
WorkflowType {
    /// One document.
    Extraction,
    /// One batch.
    BatchExtraction,
});

named!(/// What runs the workflow.
WorkflowMode {
    /// The built-in engine.
    Legacy,
    /// The built-in engine, compared with the external one.
    Shadow,
    /// The external engine.
    Engine,
});

named!(/// How the comparison of a document's workflow with that of another engine fares.
ParityStatus {
    /// It is still to be compared.
    Pending,
    /// Both came to the same.
    Same,
    /// They differ.
    Different,
    /// They could not be compared.
    Unavailable,
});

named!(/// Who tries failed work again; never two for one activity.
RetryOwner {
    /// The engine retries the activity.
    Activity,
    /// The orchestrator retries the document.
    Orchestrator,
});
