//! The record of model calls: what was answered, what is on its way, what it cost.
//!
//! A call is recorded before it is sent (its intent) and settled when its outcome is known, with
//! the tokens that its batch has paid for. What many calls record at once shares a transaction. A
//! completed call is the cache: nothing asks the same again.

mod account;
mod breakers;
mod gather;
mod intent;
mod writer;

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use knowledge_domain::{
    Clock, Entropy,
    ids::{BatchId, ExecutionId, OrganizationId},
};
use knowledge_tables::llm_call::{Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, prelude::Uuid};

use self::writer::{Operation, Writer};
pub(super) use self::{account::paid_for_vectors, intent::kept_elsewhere};
pub use self::{
    breakers::KeptBreaker,
    intent::{CallIntent, Intended, Settled, Settlement},
    writer::HandedIn,
};
use super::{Store, StoreError};

/// What `llm_call.kind` says of calls for vectors.
pub const VECTORS: &str = "embedding";

/// Names a question of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallKey {
    /// The tenant.
    pub organization: OrganizationId,
    /// SHA-256 of everything that decides the answer, in hex.
    pub hash: String,
}

/// What a question was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAnswer {
    /// The answer.
    pub text: String,
    /// Whether it ended at its limit of tokens.
    pub truncated: bool,
    /// Tokens of the question, over all attempts.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// The workflow that paid for it.
    pub execution: Option<ExecutionId>,
    /// The unit that paid for it.
    pub unit: Option<String>,
}

/// What is known of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Its answer.
    Answer(RecordedAnswer),
    /// It was too long for the model a moment ago.
    TooLong,
}

/// The recorded failure of a question that is longer than the model's context.
pub const TOO_LONG: &str = "the question is longer than the model's context";

/// How long that counts: somebody may have given the model a longer context since.
const TOO_LONG_FOR: TimeDelta = TimeDelta::hours(1);

/// What every write needs.
struct Environment {
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Names this process as the sender of calls.
    owner: String,
    /// After so long a call of another process on a shared database has ended, one way or another.
    patience: Duration,
}

/// Reads and writes the record; cheap to clone.
#[derive(Clone)]
pub struct CallLog {
    env: Arc<Environment>,
    writer: Writer,
}

impl CallLog {
    /// A record in `store`, of calls that take at most `patience`. Its writer ends with the current
    /// runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        patience: Duration,
    ) -> Self {
        let env = Arc::new(Environment {
            owner: format!("{}:{}", std::process::id(), entropy.uuid_v7()),
            store,
            clock,
            entropy,
            patience,
        });
        let writer = Writer::start(Arc::clone(&env));
        Self { env, writer }
    }

    /// The answer to a question, once there is one, or that it is too long to be asked.
    pub async fn answer(&self, key: &CallKey) -> Result<Option<Recorded>, StoreError> {
        let row = Entity::find()
            .filter(Column::OrganizationId.eq(key.organization.uuid()))
            .filter(Column::Key.eq(&key.hash))
            .one(self.env.store.read())
            .await?;
        Ok(row.and_then(|row| self.recorded(row)))
    }

    fn recorded(&self, row: Model) -> Option<Recorded> {
        if row.status == intent::COMPLETED {
            return Some(Recorded::Answer(answered(row)));
        }
        let is_recent = row.updated_at > self.env.clock.now() - TOO_LONG_FOR;
        let is_too_long = row.status == intent::FAILED && row.error.as_deref() == Some(TOO_LONG);
        (is_too_long && is_recent).then_some(Recorded::TooLong)
    }

    /// Records that a call is about to be sent, if its batch can pay for it.
    pub async fn intend(&self, intent: CallIntent) -> Result<Intended, StoreError> {
        self.writer.intend(intent).await
    }

    /// Hands in what a call came to. An intent that is handed in later is durable after it.
    #[must_use]
    pub fn settle(&self, settlement: Settlement) -> HandedIn {
        self.writer
            .hand_in(|done| Operation::Settle { settlement, done })
    }

    /// Records, without waiting for it, that nobody will see what a call came to.
    pub fn abandon(&self, key: CallKey, batch: Option<BatchId>) {
        self.writer.abandon(key, batch);
    }

    /// Forgets an answer that nothing could be made of.
    pub async fn forget(&self, key: CallKey) -> Result<(), StoreError> {
        self.writer
            .submit(|done| Operation::Forget { key, done })
            .await
    }
}

fn answered(row: Model) -> RecordedAnswer {
    let tokens = |count: i64| u64::try_from(count).unwrap_or_default();
    RecordedAnswer {
        text: row.response.unwrap_or_default(),
        truncated: row.truncated,
        prompt_tokens: tokens(row.prompt_tokens),
        completion_tokens: tokens(row.completion_tokens),
        execution: row.execution_id.map(ExecutionId::from_uuid),
        unit: row.unit,
    }
}

impl Environment {
    fn new_id(&self) -> Uuid {
        self.entropy.uuid_v7()
    }
}
