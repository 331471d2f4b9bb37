//! Whether a document comes to the same once more.
//!
//! A document that is complete is run again as a rehearsal: from the same input, with kept answers of
//! models only, without a journal and without anything that others see. Every unit's input and
//! output, the outcome and the graph are compared with what is recorded.

use std::{
    collections::{BTreeSet, HashMap},
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use knowledge_domain::{
    Clock, ErrorKind,
    workflow::{
        Activities, ActivityCall, ActivityContext, BoxFuture, Durable, ParityDifference, StageCall,
        WorkflowError, WorkflowStage,
    },
};
use knowledge_extraction::{is_same_result, sha256_hex};

use super::{Job, Workflows};
use crate::{
    store::{
        Store, StoreError,
        ledger::{DocumentOutcome, UnitKey},
        parity::{Check, CheckKey, Recorded, Subject, Verdict},
    },
    text::chain,
};

/// Differences of one document that are kept: where one thing differs, so does much that follows.
const MOST_DIFFERENCES: usize = 20;

/// Characters of a digest that are shown.
const SHOWN: usize = 12;

/// Why some comparisons say nothing.
const PARTIAL: &str =
    "its graph is without some units, whose answers may have been asked for again since";
const PRUNED: &str = "the outputs of its units were pruned; the graphs are the same";
const EARLIER: &str = "its graph was stored by an earlier workflow, and its units are the same";
const PANICKED: &str = "running it once more panicked, which is a defect of knowledge; please report it with the worker's log";

/// What says who compared.
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Compares documents with what is recorded of them.
pub struct Rehearsals {
    store: Store,
    workflows: Arc<dyn Workflows>,
    clock: Arc<dyn Clock>,
    /// Times that a comparison may be begun and not end; 0 is any number.
    most_attempts: u32,
}

impl Rehearsals {
    /// Compares what these workflows come to, which are made for rehearsals.
    pub fn new(
        store: Store,
        workflows: Arc<dyn Workflows>,
        clock: Arc<dyn Clock>,
        most_attempts: u32,
    ) -> Self {
        Self {
            store,
            workflows,
            clock,
            most_attempts,
        }
    }

    /// Makes a comparison, and records what it came to. Made again, it changes nothing.
    ///
    /// # Errors
    /// When the store does not answer: it can be made again.
    pub async fn compare(&self, key: CheckKey) -> Result<(), Interrupted> {
        let verdict = match self.store.begin_check(key, self.clock.now()).await {
            Ok(Check::Compare(subject)) => self.verdict(*subject).await,
            Ok(Check::Moot(verdict)) => Ok(verdict),
            Ok(Check::Done) => return Ok(()),
            Err(error) => Err(error.into()),
        };
        let verdict = match verdict {
            Err(Interrupted::Store(error)) if !error.kind().is_retryable() => {
                Verdict::Unavailable(chain(&error))
            }
            verdict => verdict?,
        };
        tell(key, &verdict);
        let at = self.clock.now();
        Ok(self.store.record_check(key, verdict, RELEASE, at).await?)
    }

    /// Says that a comparison was left off in good order: it did not end whoever made it.
    pub async fn let_go(&self, key: CheckKey) {
        if let Err(error) = self.store.let_check_go(key, self.clock.now()).await {
            tracing::debug!(execution = %key.execution, "not let go: {}", chain(&error));
        }
    }

    async fn verdict(&self, subject: Subject) -> Result<Verdict, Interrupted> {
        if self.most_attempts > 0 && subject.attempts > self.most_attempts {
            let ended = subject.attempts - 1;
            return Ok(Verdict::Unavailable(format!(
                "it was begun {ended} times, and ended none of them; the logs of the workers say why"
            )));
        }
        let recorded = subject.recorded;
        let job = Job {
            run: subject.run,
            config: Arc::new(subject.config),
            ontology: subject.ontology,
        };
        let rehearsed = rehearse(self.workflows.as_ref(), &job);
        let Ok(rehearsed) = AssertUnwindSafe(rehearsed).catch_unwind().await else {
            return Ok(Verdict::Unavailable(PANICKED.to_owned()));
        };
        let outcome = match rehearsed.ended {
            Ok(outcome) => outcome,
            Err(error) => return of_failure(&recorded, &error),
        };
        let mut differences = of_units(&recorded.units, &rehearsed.units);
        differences.extend(of_outcome(&recorded, &outcome));
        let (of_graph, is_its_own) = match &outcome.graph {
            Some(found) => {
                let stored = recorded.extraction;
                self.store.graph_differences(found, stored).await?
            }
            None => (Vec::new(), true),
        };
        let verdict = if !is_its_own && differences.is_empty() && !of_graph.is_empty() {
            unavailable(EARLIER)
        } else {
            differences.extend(of_graph.into_iter().filter(|_| is_its_own));
            of_differences(differences)
        };
        let pruned = |(key, _): &(UnitKey, Vec<u8>)| recorded.units.get(key) == Some(&None);
        let is_pruned = rehearsed.units.iter().any(pruned);
        Ok(verdict.unless_uncertain(recorded.missing > 0, is_pruned))
    }
}

/// Why a comparison is to be made again.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The workflow was interrupted.
    #[error("the comparison was interrupted: {0}")]
    Workflow(String),
}

impl Verdict {
    /// The same, unless too little is kept to say so.
    fn unless_uncertain(self, is_partial: bool, is_pruned: bool) -> Self {
        match self {
            Self::Different(_) if is_partial => unavailable(PARTIAL),
            Self::Same if is_pruned => unavailable(PRUNED),
            verdict => verdict,
        }
    }
}

fn unavailable(reason: &str) -> Verdict {
    Verdict::Unavailable(reason.to_owned())
}

fn tell(key: CheckKey, verdict: &Verdict) {
    let execution = key.execution;
    match verdict {
        Verdict::Same => tracing::debug!(%execution, "both engines came to the same"),
        Verdict::Different(differences) => {
            let first = differences.first();
            let (what, count) = (first.map(|it| it.what.as_str()), differences.len());
            tracing::warn!(%execution, what, count, "the engines differ");
        }
        Verdict::Unavailable(reason) => tracing::info!(%execution, "not compared: {reason}"),
    }
}

/// What a rehearsal came to.
struct Rehearsed {
    units: Vec<(UnitKey, Vec<u8>)>,
    ended: Result<DocumentOutcome, WorkflowError>,
}

async fn rehearse(workflows: &dyn Workflows, job: &Job) -> Rehearsed {
    let workflow = match workflows.workflow(job).await {
        Ok(workflow) => workflow,
        Err(error) => {
            return Rehearsed {
                units: Vec::new(),
                ended: Err(error),
            };
        }
    };
    let stage = Stage {
        activities: workflow.activities(),
        units: Mutex::default(),
        execution: job.run.execution.to_string(),
    };
    let ended = workflow.define(&stage).await;
    let units = std::mem::take(&mut *stage.units());
    Rehearsed { units, ended }
}

/// Runs stages, and keeps what their units came to for as long as it lives.
struct Stage {
    activities: Arc<dyn Activities>,
    units: Mutex<Vec<(UnitKey, Vec<u8>)>>,
    execution: String,
}

impl Stage {
    fn units(&self) -> MutexGuard<'_, Vec<(UnitKey, Vec<u8>)>> {
        // Units are put in or taken out whole.
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(
        &self,
        stage: WorkflowStage,
        call: ActivityCall,
    ) -> Result<Vec<u8>, WorkflowError> {
        let key = UnitKey::of(&call);
        let context = ActivityContext {
            stage,
            idempotency_key: format!("{}/{}/rehearsal", self.execution, key.name),
            attempt: 1,
        };
        let output = self.activities.run(&context, &call).await;
        let output = output.map_err(|source| WorkflowError::Activity { stage, source })?;
        self.units().push((key, output.clone()));
        Ok(output)
    }
}

impl Durable for Stage {
    fn run_stage(&self, call: StageCall) -> BoxFuture<'_, Result<Vec<Vec<u8>>, WorkflowError>> {
        let stage = call.stage;
        let window = stage.policy().window.max(1);
        let units = call
            .calls
            .into_iter()
            .map(move |call| self.run(stage, call));
        Box::pin(stream::iter(units).buffered(window).try_collect())
    }
}

/// What a rehearsal that failed says. An answer that is not kept, or a worker that is set up otherwise
/// so that no document could succeed, says nothing of the engine; what may go better is to be made
/// again.
fn of_failure(recorded: &Recorded, error: &WorkflowError) -> Result<Verdict, Interrupted> {
    let message = match error {
        WorkflowError::Activity { stage, source } => format!("{stage}: {source}"),
        error => chain(error),
    };
    if error.kind().is_retryable() {
        return Err(Interrupted::Workflow(message));
    }
    let is_result = error.kind() == ErrorKind::Permanent && !error.ends_batch();
    if !is_result || matches!(error, WorkflowError::Journal { .. }) {
        return Ok(Verdict::Unavailable(message));
    }
    let failed = format!("failed: {message}");
    let difference = ParityDifference::new("outcome", told(recorded), failed);
    Ok(Verdict::Different(vec![difference]))
}

fn told(recorded: &Recorded) -> String {
    counted(recorded.entities, recorded.relations, recorded.missing)
}

fn counted(entities: u32, relations: u32, missing: u32) -> String {
    format!("{entities} entities, {relations} relations, {missing} units missing")
}

fn of_outcome(recorded: &Recorded, outcome: &DocumentOutcome) -> Option<ParityDifference> {
    let found = counted(outcome.entities, outcome.relations, outcome.missing);
    let recorded = told(recorded);
    (recorded != found).then(|| ParityDifference::new("outcome", recorded, found))
}

/// In what the units differ, by name and input; what each cost is no difference.
fn of_units(
    recorded: &HashMap<UnitKey, Option<Vec<u8>>>,
    rehearsed: &[(UnitKey, Vec<u8>)],
) -> Vec<ParityDifference> {
    let known: BTreeSet<&str> = recorded.keys().map(|key| key.name.as_str()).collect();
    let found: BTreeSet<&str> = rehearsed.iter().map(|(key, _)| key.name.as_str()).collect();
    let of_unit = |(key, output): &(UnitKey, Vec<u8>)| {
        let name = key.name.as_str();
        match recorded.get(key) {
            Some(None) => None,
            Some(Some(before)) if is_same_result(before, output) => None,
            Some(Some(before)) => {
                let (before, now) = (digest("output", before), digest("output", output));
                Some(ParityDifference::new(name, before, now))
            }
            None if known.contains(name) => {
                let input = format!("input {}", shown(&key.input_hash));
                Some(ParityDifference::new(name, "another input", input))
            }
            None => Some(ParityDifference::new(name, "not run", "run")),
        }
    };
    let differ = rehearsed.iter().filter_map(of_unit);
    let lacking = known.difference(&found);
    let lacking = lacking.map(|name| ParityDifference::new(*name, "run", "not run"));
    differ.chain(lacking).collect()
}

fn digest(what: &str, bytes: &[u8]) -> String {
    format!("{what} {}", shown(&sha256_hex(bytes)))
}

fn shown(hash: &str) -> &str {
    hash.get(..SHOWN).unwrap_or(hash)
}

fn of_differences(mut differences: Vec<ParityDifference>) -> Verdict {
    if differences.is_empty() {
        return Verdict::Same;
    }
    let more = differences.len().saturating_sub(MOST_DIFFERENCES);
    if more > 0 {
        differences.truncate(MOST_DIFFERENCES);
        let more = format!("{more} more");
        differences.push(ParityDifference::new("more", more.clone(), more));
    }
    Verdict::Different(differences)
}

#[cfg(test)]
mod tests {
    use knowledge_domain::{ids::ExtractionId, workflow::ActivityError};
    use uuid::Uuid;

    use super::*;

    fn key(name: &str, input: &str) -> UnitKey {
        UnitKey {
            name: name.to_owned(),
            input_hash: sha256_hex(input.as_bytes()),
        }
    }

    fn recorded(units: &[(&str, &str, Option<&str>)]) -> HashMap<UnitKey, Option<Vec<u8>>> {
        let unit = |(name, input, output): &(&str, &str, Option<&str>)| {
            (
                key(name, input),
                output.map(|output| output.as_bytes().to_vec()),
            )
        };
        units.iter().map(unit).collect()
    }

    fn rehearsed(units: &[(&str, &str, &str)]) -> Vec<(UnitKey, Vec<u8>)> {
        let unit = |(name, input, output): &(&str, &str, &str)| {
            (key(name, input), output.as_bytes().to_vec())
        };
        units.iter().map(unit).collect()
    }

    fn differing(differences: &[ParityDifference]) -> Vec<(&str, &str)> {
        let names = differences.iter();
        names
            .map(|it| {
                (
                    it.what.as_str(),
                    it.legacy.split(' ').next().unwrap_or_default(),
                )
            })
            .collect()
    }

    #[test]
    fn units_are_compared_by_input_and_result() {
        let before = recorded(&[
            ("chunk", "a", Some("{}")),
            (
                "mentions/0",
                "a",
                Some(r#"{"mentions":[1],"tokens_used":7}"#),
            ),
            ("mentions/1", "a", Some(r#"{"mentions":[1]}"#)),
            ("entities/0", "a", Some("{}")),
            ("relations/0", "a", Some("{}")),
            ("relations/1", "a", None),
        ]);
        let now = rehearsed(&[
            ("chunk", "a", "{}"),
            ("mentions/0", "a", r#"{"tokens_used":0, "mentions":[1]}"#),
            ("mentions/1", "a", r#"{"mentions":[2]}"#),
            ("entities/0", "b", "{}"),
            ("relations/1", "a", "{}"),
            ("relations/2", "a", "{}"),
        ]);
        assert_eq!(
            differing(&of_units(&before, &now)),
            [
                ("mentions/1", "output"),
                ("entities/0", "another"),
                ("relations/2", "not"),
                ("relations/0", "run")
            ],
        );
        assert!(of_units(&before, &[]).len() == 6);
    }

    #[test]
    fn what_says_nothing_of_the_engine_is_no_difference() {
        let recorded = Recorded {
            extraction: ExtractionId::from_uuid(Uuid::nil()),
            entities: 1,
            relations: 2,
            missing: 0,
            units: HashMap::new(),
        };
        let failed = |kind| WorkflowError::Activity {
            stage: WorkflowStage::Mentions,
            source: ActivityError::new(kind, "why"),
        };
        let of_failure = |error| of_failure(&recorded, &error);
        let misses = |verdict| matches!(verdict, Ok(Verdict::Unavailable(_)));
        assert!(misses(of_failure(failed(ErrorKind::Cancelled))));
        assert!(misses(of_failure(WorkflowError::Activity {
            stage: WorkflowStage::Mentions,
            source: ActivityError::of_batch("no model"),
        })));
        assert!(of_failure(failed(ErrorKind::Retryable)).is_err());
        assert!(
            of_failure(WorkflowError::Journal {
                message: "away".to_owned(),
                kind: ErrorKind::Retryable,
            })
            .is_err()
        );
        let found = of_failure(failed(ErrorKind::Permanent));
        assert!(matches!(found, Ok(Verdict::Different(_))));
    }

    #[test]
    fn differences_are_bounded() {
        let many = |count| vec![ParityDifference::new("a", "b", "c"); count];
        assert_eq!(of_differences(many(0)), Verdict::Same);
        assert_eq!(of_differences(many(20)), Verdict::Different(many(20)));
        let Verdict::Different(kept) = of_differences(many(45)) else {
            panic!("they differ");
        };
        assert_eq!((kept.len(), kept[20].engine.as_str()), (21, "25 more"));
    }
}
