//! A workflow whose activities do as a test says, behind the seam that the real one uses.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use knowledge_domain::{
    Clock, Entropy,
    graph::{CharSpan, Chunk, Confidence, DocumentGraph, Entity, Mention},
    ids::{BatchId, DocumentId, ExecutionId, OrganizationId},
    workflow::{
        Activities, ActivityCall, ActivityContext, ActivityError, BoxFuture, Durable, RetryPolicy,
        StageCall, SuspendReason, Suspension, WorkflowError, WorkflowStage,
    },
};
use knowledge_server::{
    engine::{Job, Workflow, Workflows, legacy::LegacyExecutor},
    environment::{SystemClock, SystemEntropy},
    orchestrator::{NewDocument, Orchestrator, OrchestratorSettings, StartBatch},
    progress::EventHub,
    store::{
        DatabaseUrl, ExtractionOrigin, FoundGraph, Store,
        ledger::{DocumentOutcome, Ledger},
    },
};
use tokio::sync::{Notify, Semaphore};

/// What an attempt of a unit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Fails, and another attempt may help.
    FailRetryable,
    /// Fails for good.
    FailPermanent,
    /// Never ends; the test is told that it began.
    Hang,
    /// Takes a while, and succeeds.
    Slow,
    /// Succeeds when the test says so.
    Wait,
    /// Waits for something outside; for so many milliseconds, or until it is told.
    Suspend(Option<u32>),
}

/// What attempts do that do not simply succeed: by document name, unit and attempt number from 1.
#[derive(Debug)]
pub struct Script {
    acts: HashMap<(String, String), Vec<Act>>,
    runs: Mutex<BTreeMap<(String, String), u32>>,
    /// Told whenever an attempt hangs.
    pub hanging: Notify,
    go_on: Notify,
    gate: Semaphore,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            acts: HashMap::new(),
            runs: Mutex::default(),
            hanging: Notify::new(),
            go_on: Notify::new(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }
}

impl Script {
    /// A script in which everything succeeds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with the first attempts of a unit as given; later ones succeed.
    #[must_use]
    pub fn with(mut self, document: &str, unit: &str, acts: &[Act]) -> Self {
        self.acts
            .insert((document.to_owned(), unit.to_owned()), acts.to_vec());
        self
    }

    /// The same, in which no document that was started does anything before the gate is opened.
    #[must_use]
    pub fn gated(self) -> Self {
        Self {
            gate: Semaphore::new(0),
            ..self
        }
    }

    /// Lets the documents begin, those that are started later as well.
    pub fn open_gate(&self) {
        self.gate.add_permits(1);
    }

    /// Lets an attempt go on that waits, or the next one that will.
    pub fn go_on(&self) {
        self.go_on.notify_one();
    }

    async fn pass_gate(&self) {
        let passed = self.gate.acquire().await;
        drop(passed.expect("the gate is never closed"));
    }

    /// How often the body of each unit of each document ran.
    ///
    /// # Panics
    /// When a body panicked.
    #[must_use]
    pub fn runs(&self) -> BTreeMap<(String, String), u32> {
        self.runs.lock().expect("no body panicked").clone()
    }

    async fn play(&self, document: &str, unit: &str) -> Result<(), ActivityError> {
        let key = (document.to_owned(), unit.to_owned());
        let run = {
            let mut runs = self.runs.lock().expect("no body panicked");
            let run = runs.entry(key.clone()).or_default();
            *run += 1;
            *run as usize
        };
        let act = self.acts.get(&key).and_then(|acts| acts.get(run - 1));
        match act {
            None => Ok(()),
            Some(Act::FailRetryable) => Err(ActivityError::retryable("scripted to fail once")),
            Some(Act::FailPermanent) => Err(ActivityError::permanent("scripted to fail")),
            Some(Act::Slow) => {
                tokio::time::sleep(Duration::from_millis(60)).await;
                Ok(())
            }
            Some(Act::Wait) => {
                self.go_on.notified().await;
                Ok(())
            }
            Some(Act::Suspend(wait)) => Err(ActivityError::suspended(Suspension {
                reason: SuspendReason::BreakerOpen,
                message: "scripted to wait".to_owned(),
                until: wait.map(|ms| SystemClock.now() + Duration::from_millis(ms.into())),
            })),
            Some(Act::Hang) => {
                self.hanging.notify_one();
                std::future::pending().await
            }
        }
    }
}

/// Units of each stage of the scripted workflow.
pub const UNITS: [(WorkflowStage, u32); 5] = [
    (WorkflowStage::Chunk, 1),
    (WorkflowStage::Mentions, 3),
    (WorkflowStage::Entities, 2),
    (WorkflowStage::Relations, 0),
    (WorkflowStage::Assemble, 1),
];

/// The names of all units, in the order of the stages.
#[must_use]
pub fn unit_names() -> Vec<String> {
    UNITS
        .iter()
        .flat_map(|(stage, units)| (0..*units).map(move |unit| format!("{stage}/{unit}")))
        .collect()
}

struct ScriptedWorkflows {
    script: Arc<Script>,
    ledger: Ledger,
}

struct Scripted {
    script: Arc<Script>,
    ledger: Ledger,
    document: String,
    origin: ExtractionOrigin,
}

impl Workflows for ScriptedWorkflows {
    fn workflow<'a>(
        &'a self,
        job: &'a Job,
    ) -> BoxFuture<'a, Result<Arc<dyn Workflow>, WorkflowError>> {
        Box::pin(async move {
            self.script.pass_gate().await;
            let content = self
                .ledger
                .store()
                .document(job.run.organization, job.run.content)
                .await
                .unwrap();
            let workflow = Scripted {
                script: Arc::clone(&self.script),
                ledger: self.ledger.clone(),
                // The text is longer than the spans of `graph`; its first line is the name.
                document: content.text.lines().next().unwrap_or_default().to_owned(),
                origin: origin(job.run.organization, job.run.content, job.run.execution),
            };
            Ok(Arc::new(workflow) as Arc<dyn Workflow>)
        })
    }
}

impl Workflow for Scripted {
    fn activities(&self) -> Arc<dyn Activities> {
        Arc::new(Self {
            script: Arc::clone(&self.script),
            ledger: self.ledger.clone(),
            document: self.document.clone(),
            origin: self.origin.clone(),
        })
    }

    fn define<'a>(
        &'a self,
        durable: &'a dyn Durable,
    ) -> BoxFuture<'a, Result<DocumentOutcome, WorkflowError>> {
        Box::pin(async move {
            for (stage, units) in UNITS {
                let calls = (0..units)
                    .map(|unit| ActivityCall {
                        name: format!("{stage}/{unit}"),
                        input: self.document.clone().into_bytes(),
                    })
                    .collect();
                let outputs = durable.run_stage(StageCall { stage, calls }).await?;
                for (output, unit) in outputs.iter().zip(0..) {
                    assert_eq!(*output, output_of(stage, unit), "outputs come in order");
                }
            }
            Ok(DocumentOutcome {
                extraction: self.origin.extraction(),
                entities: 2,
                relations: 0,
                missing: 0,
                tokens: 7,
                output: serde_json::json!({}),
                trailing: Vec::new(),
                graph: Some(found_graph(self.origin.clone(), &self.document)),
            })
        })
    }
}

fn output_of(stage: WorkflowStage, unit: u32) -> Vec<u8> {
    format!("\"output of {stage}/{unit}\"").into_bytes()
}

impl Activities for Scripted {
    fn run<'a>(
        &'a self,
        _context: &'a ActivityContext,
        call: &'a ActivityCall,
    ) -> BoxFuture<'a, Result<Vec<u8>, ActivityError>> {
        Box::pin(async move {
            self.script.play(&self.document, &call.name).await?;
            Ok(format!("\"output of {}\"", call.name).into_bytes())
        })
    }
}

/// What a scripted graph is of.
#[must_use]
pub fn origin(
    organization: OrganizationId,
    document: DocumentId,
    execution: ExecutionId,
) -> ExtractionOrigin {
    ExtractionOrigin {
        organization,
        document,
        execution,
        ontology: None,
        fingerprint: "scripted".to_owned(),
        extractor: "scripted 1".to_owned(),
        model: None,
        prompt_version: None,
    }
}

/// A graph of two entities: one that every document has, and one of its own, of this name.
#[must_use]
pub fn found_graph(origin: ExtractionOrigin, name: &str) -> FoundGraph {
    FoundGraph {
        origin,
        graph: Arc::new(graph(name)),
    }
}

fn graph(document: &str) -> DocumentGraph {
    let mention = |start: u32, text: &str| Mention {
        span: CharSpan::new(start, start + 1).unwrap(),
        text: text.to_owned(),
        mention_type: "Thing".to_owned(),
        confidence: Confidence::ONE,
    };
    let entity = |name: &str, mention: u32| Entity {
        name: name.to_owned(),
        types: vec!["Thing".to_owned()],
        above: Vec::new(),
        aliases: Vec::new(),
        attributes: BTreeMap::new(),
        confidence: Confidence::ONE,
        mentions: vec![mention],
    };
    DocumentGraph {
        chunks: vec![Chunk {
            position: 0,
            span: CharSpan::new(0, 2).unwrap(),
        }],
        mentions: vec![mention(0, "S"), mention(1, "O")],
        entities: vec![entity("Shared", 0), entity(document, 1)],
        relations: Vec::new(),
    }
}

/// The parts of a process that runs scripted workflows on a store.
pub struct ScriptedApp {
    /// The commands.
    pub orchestrator: Orchestrator,
    /// The changes.
    pub ledger: Ledger,
    /// The wake-up.
    pub hub: EventHub,
}

impl ScriptedApp {
    /// A process with short waits.
    #[must_use]
    pub fn new(store: Store, script: &Arc<Script>) -> Self {
        let hub = EventHub::default();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let ledger = Ledger::new(store, hub.clone(), clock, entropy);
        let retries = RetryPolicy {
            initial_backoff: Duration::from_millis(20),
            ..RetryPolicy::default()
        };
        let workflows = ScriptedWorkflows {
            script: Arc::clone(script),
            ledger: ledger.clone(),
        };
        let executor = LegacyExecutor::new(ledger.clone(), Arc::new(workflows), retries);
        let settings = OrchestratorSettings {
            rounds: retries,
            ..OrchestratorSettings::default()
        };
        Self {
            orchestrator: Orchestrator::new(ledger.clone(), Arc::new(executor), settings),
            ledger,
            hub,
        }
    }
}

/// A batch of documents whose text begins with their name, in a line of its own.
#[must_use]
pub fn batch_of(names: &[&str]) -> StartBatch {
    StartBatch {
        documents: names
            .iter()
            .map(|name| NewDocument {
                name: (*name).to_owned(),
                text: format!("{name}\nS"),
                source_uri: None,
                metadata: serde_json::json!({}),
            })
            .collect(),
        ..StartBatch::default()
    }
}

/// Starts a batch in a process of its own, as far as the store can tell, which dies while an
/// attempt hangs.
///
/// # Panics
/// When the batch does not start or nothing hangs.
pub async fn die_while_hanging(
    url: DatabaseUrl,
    script: &Arc<Script>,
    command: StartBatch,
) -> BatchId {
    let script = Arc::clone(script);
    let died = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let batch = runtime.block_on(async {
            let app = ScriptedApp::new(Store::open(&url).await.unwrap(), &script);
            let started = app.orchestrator.start(OrganizationId::DEFAULT, command);
            let batch = started.await.unwrap();
            let hangs = script.hanging.notified();
            tokio::time::timeout(Duration::from_mins(4), hangs)
                .await
                .expect("the unit begins");
            batch
        });
        runtime.shutdown_timeout(Duration::from_secs(10));
        batch
    });
    died.await.unwrap()
}
