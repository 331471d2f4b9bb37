//! The resolution of a batch: units of the ledger, and between them the calls that they want.

use std::time::Duration;

use knowledge_domain::{ids::ExecutionId, workflow::Suspension};
use knowledge_extraction::llm::CallError;
use knowledge_resolution::{PROBES, Vector, centre};

use super::Runner;
use crate::{
    llm::{Gateway, Session},
    store::{
        Meaning, Wanted,
        ledger::{Lease, LedgerError, Resolved, Resolving, Told},
    },
};

/// Failures of the provider after which resolution goes on without it. Five in a row open the
/// breaker, which lets one probe through every half a minute.
const FAILURES: u32 = 8;

/// Why a batch goes without, whose model is not the organisation's any more.
const OVERTAKEN: &str = "another batch compares by another model; give all servers of a database the same \
     KNOWLEDGE_EMBEDDING_MODEL";

/// How long a workflow that waits for a command waits at most before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// How many texts an endpoint is asked about that does not take more.
const FEWER: [usize; 8] = [100, 50, 25, 12, 6, 3, 2, 1];

/// How often it is looked whether another batch has the vectors that this one wants. One of this
/// process tells, unless it is cancelled.
const TURN: Duration = Duration::from_secs(1);

/// What came of asking for vectors.
enum Asked {
    /// Vectors.
    Told(Told),
    Suspended(Suspension),
    /// The provider failed, and may not the next time.
    Failed(String),
    /// There will be no vectors.
    Never(String),
}

/// What is known of an endpoint while a batch is resolved.
struct Endpoint {
    /// How many texts it took at once.
    most: usize,
    /// What its model says of all texts, once it was asked.
    centre: Option<Vec<f32>>,
}

impl Runner {
    /// Resolves the batch and completes it.
    ///
    /// # Cancel safety
    /// Dropped at any point, the batch can be resumed from what is committed.
    pub(super) async fn resolve(&self, lease: Lease) -> Result<(), LedgerError> {
        let ledger = &self.shared.ledger;
        let models = self.shared.models.get();
        let model = models.and_then(Gateway::embedding_model);
        let mut resolving = Resolving::new(model.map(str::to_owned));
        let mut failures = 0;
        let mut endpoint = Endpoint {
            most: usize::MAX,
            centre: None,
        };
        loop {
            // Before the look, so that no turn ends unnoticed between it and the wait.
            let turn = self.shared.turns.notified();
            tokio::pin!(turn);
            turn.as_mut().enable();
            let resolved = self.stored(|| ledger.resolve(lease, resolving.clone()));
            let (next, execution, wanted) = match resolved.await? {
                Resolved::Completed => return Ok(()),
                Resolved::Meanings(next, execution, wanted) => (next, execution, wanted),
                Resolved::Waiting(next) => {
                    resolving = next;
                    let goes_on = tokio::select! {
                        () = turn => true,
                        goes_on = self.pause(TURN) => goes_on,
                    };
                    if !goes_on {
                        return Ok(());
                    }
                    continue;
                }
                Resolved::Overtaken(next) => {
                    self.go_without(lease, OVERTAKEN).await?;
                    resolving = next.without_meanings();
                    continue;
                }
            };
            resolving = next;
            let (Some(gateway), Some(model)) = (models, resolving.model()) else {
                resolving = resolving.without_meanings();
                continue;
            };
            match self
                .ask(gateway, model, execution, wanted, &mut endpoint)
                .await?
            {
                Asked::Told(told) => {
                    failures = 0;
                    self.stored(|| ledger.keep_meanings(lease, model, &told))
                        .await?;
                    self.shared.turns.notify_waiters();
                }
                Asked::Suspended(suspension) => {
                    self.stored(|| ledger.suspend_resolution(lease, &suspension))
                        .await?;
                    self.shared.turns.notify_waiters();
                    if !self.outlast(&suspension).await {
                        return Ok(());
                    }
                }
                Asked::Failed(message) if failures + 1 < FAILURES => {
                    tracing::warn!(batch = %self.batch, "no vectors: {message}");
                    tokio::time::sleep(Duration::from_millis(100 << failures)).await;
                    failures += 1;
                }
                Asked::Failed(message) | Asked::Never(message) => {
                    self.go_without(lease, &message).await?;
                    resolving = resolving.without_meanings();
                }
            }
        }
    }

    /// Notes why meanings are not compared.
    async fn go_without(&self, lease: Lease, why: &str) -> Result<(), LedgerError> {
        let message = format!("meanings were not compared: {why}");
        tracing::warn!(batch = %self.batch, "{message}");
        let ledger = &self.shared.ledger;
        self.stored(|| ledger.note_resolution(lease, &message))
            .await?;
        self.shared.turns.notify_waiters();
        Ok(())
    }

    /// Waits until a suspension may be over; whether this process is to go on.
    async fn outlast(&self, suspension: &Suspension) -> bool {
        let wait = suspension.until.map(|until| {
            let wait = until - self.shared.ledger.clock().now();
            wait.to_std().unwrap_or_default()
        });
        tokio::select! {
            () = self.run.nudged() => true,
            goes_on = self.pause(wait.unwrap_or(LOOK_AGAIN)) => goes_on,
        }
    }

    /// Waits for so long; whether this process is to go on.
    async fn pause(&self, wait: Duration) -> bool {
        let draining = self.shared.registry.draining();
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = draining.cancelled() => false,
        }
    }

    /// Asks what the first of some forms mean: as many as the endpoint takes at once, in one call,
    /// so that all that was answered is kept before more is asked. The probes are asked about first.
    async fn ask(
        &self,
        gateway: &Gateway,
        model: &str,
        execution: ExecutionId,
        wanted: Vec<Wanted>,
        endpoint: &mut Endpoint,
    ) -> Result<Asked, LedgerError> {
        let budget = self.settings().await?.config.token_budget;
        let session = Session::new(gateway.clone(), self.organization)
            .of_workflow(self.batch, execution, budget);
        // What a unit pays it is told once more when it has to ask again, so it needs a name.
        let unit = wanted.first().map(|it| it.form.to_string());
        let unit = format!("resolve/embed/{}", unit.unwrap_or_default());
        let asked = async {
            let tokens = probe(&session, (model, &unit), endpoint).await?;
            let texts: Vec<String> = wanted.iter().map(|it| it.text.clone()).collect();
            let (said, more) =
                vectors(&session, (model, &unit), &texts, &mut endpoint.most).await?;
            Ok((said, tokens + more))
        };
        let (said, tokens) = match asked.await {
            Ok(answered) => answered,
            Err(error) => return Ok(came_to(error)),
        };
        let Some(centre) = &endpoint.centre else {
            let message = "the model has no direction for texts";
            return Ok(Asked::Never(message.to_owned()));
        };
        let texts = wanted.iter().take(said.len()).map(|it| it.text.clone());
        let question = session.key_of_vectors(model, texts.collect());
        let meanings = wanted.into_iter().zip(said).map(|(wanted, said)| Meaning {
            form: wanted.form,
            vector: Vector::new(model, said, centre),
            text: wanted.text,
        });
        Ok(Asked::Told(Told {
            meanings: meanings.collect(),
            tokens,
            question,
        }))
    }
}

/// Learns what a model says of all texts, where that is not known yet; the tokens that it took.
async fn probe(
    session: &Session,
    (model, unit): (&str, &str),
    endpoint: &mut Endpoint,
) -> Result<u64, CallError> {
    if endpoint.centre.is_some() {
        return Ok(0);
    }
    let probes = PROBES.map(str::to_owned);
    let (mut known, mut tokens) = (Vec::with_capacity(probes.len()), 0);
    while let Some(rest @ [_, ..]) = probes.get(known.len()..) {
        let (said, more) = vectors(session, (model, unit), rest, &mut endpoint.most).await?;
        known.extend(said);
        tokens += more;
    }
    endpoint.centre = centre(&known);
    Ok(tokens)
}

/// Vectors of the first texts and the tokens that they took; fewer at once where the endpoint
/// refuses.
async fn vectors(
    session: &Session,
    (model, unit): (&str, &str),
    texts: &[String],
    most: &mut usize,
) -> Result<(Vec<Vec<f32>>, u64), CallError> {
    loop {
        let first = &texts[..texts.len().min(*most)];
        match session.vectors(model, unit, first.to_vec()).await {
            Ok((vectors, usage)) => return Ok((vectors, usage.total())),
            Err(CallError::Rejected { .. } | CallError::ContextOverflow) if first.len() > 1 => {
                *most = fewer(first.len());
            }
            Err(error) => return Err(error),
        }
    }
}

/// How many texts an endpoint is asked about that refused so many. Always one of the same few
/// numbers, so that whoever asks again after a crash asks the same questions.
fn fewer(refused: usize) -> usize {
    let mut fewer = FEWER.into_iter();
    fewer.find(|most| *most < refused).unwrap_or(1)
}

/// What follows a call that gave no answer.
fn came_to(error: CallError) -> Asked {
    match error {
        CallError::Suspended(suspension) => Asked::Suspended(suspension),
        CallError::Store { .. }
        | CallError::Unavailable { .. }
        | CallError::RateLimited { .. }
        | CallError::NotKept
        | CallError::Cancelled => Asked::Failed(error.to_string()),
        error => Asked::Never(error.to_string()),
    }
}
