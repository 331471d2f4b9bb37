//! Has documents run by workers.

use std::time::{Duration, Instant};

use knowledge_domain::{
    ErrorKind,
    workflow::{BoxFuture, WorkflowError, WorkflowMode},
};

use super::{Ended, Ingress, RestateError, Task};
use crate::{
    engine::{Completed, Executor, Job},
    store::ledger::Ledger,
    text::chain,
};

/// Waits while Restate is away, or knows no worker.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// After how long, and how often, it is told that a document has not ended.
const LONG: Duration = Duration::from_mins(10);

/// How often that is told.
const TELL: Duration = Duration::from_secs(30);

/// Submits documents to Restate, and waits for their end.
///
/// While Restate is away it tries again: what workers have finished is in the store.
pub struct RestateExecutor {
    ledger: Ledger,
    ingress: Ingress,
}

impl RestateExecutor {
    /// An executor that submits to this ingress documents which `ledger` has given out.
    #[must_use]
    pub fn new(ledger: Ledger, ingress: Ingress) -> Self {
        Self { ledger, ingress }
    }

    /// Whether a document is still to be run: another server may have cancelled it, or have it by now.
    async fn is_wanted(&self, task: &Task) -> bool {
        // A store that does not say may do so later.
        self.ledger.holds(task.run).await.unwrap_or(true)
    }

    async fn ended(&self, task: &Task) -> Result<Ended, RestateError> {
        let mut patience = Patience::of("documents");
        let mut begun = Instant::now();
        loop {
            let ended = async {
                self.ingress.submit(task).await?;
                self.ingress.attach(task).await
            };
            match ended.await {
                Ok(Some(ended)) => return Ok(ended),
                Ok(None) => patience.reset(),
                Err(error) if error.is_passing() => patience.wait(&error).await,
                Err(error) => return Err(error),
            }
            if !self.is_wanted(task).await {
                return Ok(Ended::Lost);
            }
            if begun.elapsed() > LONG {
                let invocation = task.key();
                tracing::warn!(
                    invocation,
                    "a document runs for long; its invocation in Restate says why"
                );
                begun = Instant::now();
            }
        }
    }
}

impl Executor for RestateExecutor {
    fn mode(&self) -> WorkflowMode {
        WorkflowMode::Engine
    }

    fn run(&self, job: Job) -> BoxFuture<'_, Result<Completed, WorkflowError>> {
        Box::pin(async move {
            match self.ended(&Task::of(&job)).await {
                Ok(Ended::Recorded) => Ok(Completed::Recorded),
                Ok(Ended::Failed(failure)) => Err(failure.into_error()),
                Ok(Ended::Suspended) => Err(WorkflowError::Suspended),
                Ok(Ended::Lost) => Err(WorkflowError::Cancelled),
                Err(error) => Err(WorkflowError::Journal {
                    message: chain(&error),
                    kind: ErrorKind::Permanent,
                }),
            }
        })
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            self.ingress
                .health()
                .await
                .map_err(|error| error.to_string())
        })
    }
}

/// The waits between attempts to reach Restate.
pub(super) struct Patience {
    /// What waits.
    what: &'static str,
    wait: Duration,
    told: Option<Instant>,
}

impl Patience {
    pub(super) fn of(what: &'static str) -> Self {
        Self {
            what,
            wait: FIRST_WAIT,
            told: None,
        }
    }

    /// It was reached: the next wait is short again.
    pub(super) fn reset(&mut self) {
        *self = Self::of(self.what);
    }

    pub(super) async fn wait(&mut self, error: &(dyn std::error::Error + Sync)) {
        if self.told.is_none_or(|told| told.elapsed() > TELL) {
            tracing::warn!("{} wait: {}", self.what, chain(error));
            self.told = Some(Instant::now());
        }
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }
}
