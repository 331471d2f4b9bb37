//! Activities that are watched, and fail as the document's text says.
//!
//! The run log counts bodies independently of the database: one line before each run of a body and
//! one after it, `begin|completed|failed PID ATTEMPT EXECUTION/UNIT/HASH`, each appended by one
//! write. A body without a second line was in flight when its process died.
//!
//! A line `fault: UNIT KIND COUNT` in a document makes that unit fail, always in the same way,
//! whatever was killed in between: `retryable` and `permanent` while the document's attempt is at
//! most COUNT, `flaky` while the activity's attempt is. `slow` makes it take COUNT milliseconds.

use std::{
    env,
    fs::{File, OpenOptions},
    io::Write,
    sync::{Arc, LazyLock},
    time::Duration,
};

use knowledge_domain::workflow::{
    Activities, ActivityCall, ActivityContext, ActivityError, BoxFuture, UnitReport, WorkflowStage,
};

use super::{FailurePoint, hit};
use crate::engine::Job;

static RUN_LOG: LazyLock<Option<File>> = LazyLock::new(|| {
    let path = env::var("KNOWLEDGE_RUN_LOG").ok()?;
    match OpenOptions::new().create(true).append(true).open(&path) {
        Ok(file) => Some(file),
        Err(error) => {
            tracing::error!("the run log {path} cannot be opened: {error}");
            std::process::exit(1);
        }
    }
});

static IN_TEXT: LazyLock<bool> =
    LazyLock::new(|| env::var("KNOWLEDGE_FAULTS").is_ok_and(|value| value == "text"));

/// The activities of a job, watched.
pub(crate) fn watched(
    job: &Job,
    text: &str,
    activities: Arc<dyn Activities>,
) -> Arc<dyn Activities> {
    let faults = if *IN_TEXT { faults(text) } else { Vec::new() };
    Arc::new(Watched {
        activities,
        faults,
        document_attempt: job.run.attempt,
    })
}

struct Watched {
    activities: Arc<dyn Activities>,
    faults: Vec<Fault>,
    document_attempt: u32,
}

/// What a line of a document says of one of its units.
struct Fault {
    unit: String,
    kind: Kind,
    count: u32,
}

#[derive(Clone, Copy, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
enum Kind {
    Retryable,
    Permanent,
    Flaky,
    Slow,
}

fn faults(text: &str) -> Vec<Fault> {
    let said = |line: &str| {
        let mut words = line.strip_prefix("fault: ")?.split_whitespace();
        Some(Fault {
            unit: words.next()?.to_owned(),
            kind: words.next()?.parse().ok()?,
            count: words.next()?.parse().ok()?,
        })
    };
    text.lines().filter_map(said).collect()
}

impl Watched {
    async fn fail(
        &self,
        context: &ActivityContext,
        call: &ActivityCall,
    ) -> Result<(), ActivityError> {
        for fault in self.faults.iter().filter(|fault| fault.unit == call.name) {
            match fault.kind {
                Kind::Retryable if self.document_attempt <= fault.count => {
                    return Err(ActivityError::retryable("said to fail for now"));
                }
                Kind::Permanent if self.document_attempt <= fault.count => {
                    return Err(ActivityError::permanent("said to fail for good"));
                }
                Kind::Flaky if context.attempt <= fault.count => {
                    return Err(ActivityError::retryable("said to be flaky"));
                }
                Kind::Slow => {
                    tokio::time::sleep(Duration::from_millis(fault.count.into())).await;
                }
                Kind::Retryable | Kind::Permanent | Kind::Flaky => {}
            }
        }
        Ok(())
    }

    fn log(&self, what: &str, context: &ActivityContext) {
        let Some(mut log) = RUN_LOG.as_ref() else {
            return;
        };
        let line = format!(
            "{what} {} {} {}\n",
            std::process::id(),
            self.document_attempt,
            context.idempotency_key
        );
        if let Err(error) = log.write_all(line.as_bytes()) {
            tracing::error!("the run log cannot be written: {error}");
            std::process::exit(1);
        }
    }
}

impl Activities for Watched {
    fn run<'a>(
        &'a self,
        context: &'a ActivityContext,
        call: &'a ActivityCall,
    ) -> BoxFuture<'a, Result<Vec<u8>, ActivityError>> {
        Box::pin(async move {
            hit(FailurePoint::ActivityBeforeBody);
            self.log("begin", context);
            let result = match self.fail(context, call).await {
                Ok(()) => self.activities.run(context, call).await,
                Err(error) => Err(error),
            };
            let what = if result.is_ok() {
                "completed"
            } else {
                "failed"
            };
            self.log(what, context);
            hit(FailurePoint::ActivityAfterBody);
            result
        })
    }

    fn report(&self, output: &[u8]) -> UnitReport {
        self.activities.report(output)
    }

    fn keeps_time(&self) -> bool {
        self.activities.keeps_time()
    }

    fn only_computes(&self, stage: WorkflowStage) -> bool {
        self.activities.only_computes(stage)
    }
}
