//! One unit: its attempts, each within its time-outs.

use std::time::{Duration, Instant};

use knowledge_domain::workflow::{
    ActivityContext, ActivityError, Suspension, WorkflowError, WorkflowStage,
};
use tokio::time::{sleep, timeout};

use super::{
    Execution, journal_error,
    stage::{Unit, paused},
};
use crate::store::ledger::{Advice, Checkpoint, CompletedUnit, FailedUnit, UnitKey};

/// The largest output that a checkpoint holds, in bytes.
const OUTPUT_LIMIT: usize = 64 * 1024 * 1024;

/// What the attempts of a unit came to.
pub(super) enum Attempted {
    /// It has its output.
    Completed {
        /// Its position in the stage.
        index: usize,
        unit: CompletedUnit,
    },
    /// It waits for something outside.
    Suspended {
        key: UnitKey,
        suspension: Suspension,
    },
}

impl Execution {
    /// Runs a unit until it succeeds or its retries are spent. Its first attempt is recorded
    /// already, unless it waits for its time.
    pub(super) async fn attempt(&self, mut unit: Unit) -> Result<Attempted, WorkflowError> {
        let stage = unit.stage;
        loop {
            if let Some(moment) = unit.not_before.take() {
                let wait = moment - self.ledger.clock().now();
                sleep(wait.to_std().unwrap_or_default()).await;
                if self.record_attempt(stage, &mut unit).await? == Advice::Pause {
                    return Ok(Attempted::Suspended {
                        suspension: paused(),
                        key: unit.key,
                    });
                }
            }
            let begun = Instant::now();
            let result = self.body(stage, &unit).await;
            let duration_ms = i32::try_from(begun.elapsed().as_millis()).unwrap_or(i32::MAX);
            match result {
                Ok(output) => {
                    return Ok(self.attempted(unit, output, duration_ms));
                }
                Err(error) => {
                    if let Some(suspension) = error.suspension().cloned() {
                        return Ok(Attempted::Suspended {
                            suspension,
                            key: unit.key,
                        });
                    }
                    self.failed(stage, &mut unit, error, duration_ms).await?;
                }
            }
        }
    }

    fn attempted(&self, unit: Unit, output: Vec<u8>, duration_ms: i32) -> Attempted {
        let report = self.activities.report(&output);
        Attempted::Completed {
            index: unit.index,
            unit: CompletedUnit {
                key: unit.key,
                output: output.into(),
                duration_ms,
                tokens: report.tokens,
                skipped: report.skipped,
            },
        }
    }

    async fn record_attempt(
        &self,
        stage: WorkflowStage,
        unit: &mut Unit,
    ) -> Result<Advice, WorkflowError> {
        let checkpoint = Checkpoint {
            stage,
            entered: None,
            completed: Vec::new(),
            starting: vec![unit.key.clone()],
            under_way: false,
        };
        let advice = self.record(checkpoint).await?;
        unit.attempt += 1;
        Ok(advice)
    }

    async fn body(&self, stage: WorkflowStage, unit: &Unit) -> Result<Vec<u8>, ActivityError> {
        let policy = stage.policy();
        let context = ActivityContext {
            stage,
            idempotency_key: format!(
                "{}/{}/{}",
                self.run.execution, unit.key.name, unit.key.input_hash
            ),
            attempt: unit.attempt,
        };
        let begun = Instant::now();
        let body = self.activities.run(&context, &unit.call);
        if self.activities.keeps_time() {
            let output = body.await?;
            return fits(&unit.key.name, output);
        }
        let result = timeout(policy.hard_timeout, body)
            .await
            .unwrap_or_else(|_| Err(ActivityError::timed_out(stage, policy.hard_timeout)))
            .and_then(|output| fits(&unit.key.name, output));
        if begun.elapsed() > policy.soft_timeout {
            tracing::warn!(
                execution = %self.run.execution,
                activity = unit.key.name,
                elapsed_ms = begun.elapsed().as_millis(),
                "activity took longer than its soft time-out"
            );
        }
        result
    }

    /// Records a failed attempt: the unit has its time for the next, or the stage fails.
    async fn failed(
        &self,
        stage: WorkflowStage,
        unit: &mut Unit,
        error: ActivityError,
        duration_ms: i32,
    ) -> Result<(), WorkflowError> {
        unit.failures += 1;
        let again = error.kind().is_retryable() && unit.failures <= self.retries.max_retries;
        let next_attempt_at = again.then(|| {
            let wait = self.wait(&error, unit.failures);
            self.ledger.clock().now() + wait
        });
        let failed = FailedUnit {
            key: unit.key.clone(),
            error: error.clone(),
            duration_ms,
            next_attempt_at,
        };
        self.settle_ahead().await?;
        self.ledger
            .fail_unit(self.run, failed)
            .await
            .map_err(|error| journal_error(&error))?;
        tracing::debug!(
            execution = %self.run.execution,
            activity = unit.key.name,
            attempt = unit.attempt,
            again,
            "activity failed: {error}"
        );
        unit.not_before = next_attempt_at;
        if again {
            Ok(())
        } else {
            Err(WorkflowError::Activity {
                stage,
                source: error,
            })
        }
    }

    /// The back-off, or what the provider asks for where that is longer.
    fn wait(&self, error: &ActivityError, failures: u32) -> Duration {
        let backoff = self.retries.backoff(failures, self.ledger.entropy().unit());
        match error.kind() {
            knowledge_domain::ErrorKind::RateLimited { after } => backoff.max(after),
            _ => backoff,
        }
    }
}

/// An output, if it fits into a checkpoint.
fn fits(name: &str, output: Vec<u8>) -> Result<Vec<u8>, ActivityError> {
    let size = output.len();
    if size <= OUTPUT_LIMIT {
        return Ok(output);
    }
    Err(ActivityError::permanent(format!(
        "the output of {name} has {size} bytes, more than the {OUTPUT_LIMIT} that a checkpoint holds"
    )))
}
