//! One call's way: an intent, then its outcome.

use chrono::{DateTime, TimeDelta, Utc};
use knowledge_domain::ids::{BatchId, ExecutionId};
use knowledge_tables::llm_call::{ActiveModel, Column, Entity};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{CallKey, Environment, account};
use crate::store::{StoreError, convert};

pub(super) const INTENT: &str = "intent";
pub(super) const COMPLETED: &str = "completed";
pub(super) const FAILED: &str = "failed";

/// A call that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallIntent {
    /// The question.
    pub key: CallKey,
    /// `chat` or `embedding`.
    pub kind: &'static str,
    /// Who is asked.
    pub provider: String,
    /// The model that is asked.
    pub model: String,
    /// The prompt and its version.
    pub prompt: String,
    /// The batch that pays.
    pub batch: Option<BatchId>,
    /// The workflow that asks.
    pub execution: Option<ExecutionId>,
    /// The unit that asks.
    pub unit: Option<String>,
    /// Tokens that it may take.
    pub tokens: u64,
    /// The batch's budget, as it was started with.
    pub budget: Option<u64>,
}

/// What an intent came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intended {
    /// It is recorded; the call may be sent.
    Recorded,
    /// The question has been answered meanwhile.
    Answered,
    /// Another process is about to have the answer.
    Elsewhere,
    /// The batch's budget has no room before calls that are on their way are settled.
    Reserved,
    /// The batch's budget has no room.
    OverBudget {
        /// Tokens that the batch has used.
        used: u64,
        /// Tokens that it may use.
        budget: u64,
    },
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// With an answer.
    Answered {
        /// The answer.
        text: String,
        /// Whether it ended at its limit of tokens.
        truncated: bool,
    },
    /// Without one.
    Failed {
        /// Why.
        error: String,
        /// Whether it may be paid for all the same.
        unknown: bool,
    },
}

/// A call's outcome with what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The question.
    pub key: CallKey,
    /// The batch that pays.
    pub batch: Option<BatchId>,
    /// How it ended.
    pub settled: Settled,
    /// Tokens of the question.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// Tokens of these that were counted, because the provider did not report them.
    pub counted_tokens: u64,
    /// What they cost, in millionths of a US dollar.
    pub cost_micro_usd: u64,
}

pub(super) async fn intend(
    env: &Environment,
    tx: &DatabaseTransaction,
    intent: &CallIntent,
) -> Result<Intended, StoreError> {
    let now = env.clock.now();
    // Most questions are new, and nobody counts what they cost.
    if intent.budget.is_none() && insert(env, tx, intent, now).await? {
        return Ok(Intended::Recorded);
    }
    let found: Option<(
        String,
        String,
        Option<sea_orm::prelude::Uuid>,
        DateTime<Utc>,
    )> = of_key(&intent.key)
        .select_only()
        .columns([
            Column::Status,
            Column::Owner,
            Column::ExecutionId,
            Column::UpdatedAt,
        ])
        .lock_exclusive()
        .into_tuple()
        .one(tx)
        .await?;
    let mut lost = 0;
    if let Some((status, owner, execution, since)) = &found {
        if status == COMPLETED {
            return Ok(Intended::Answered);
        }
        // The workflow that asks is run by one process: an earlier intent of its own is lost.
        let own = *execution == intent.execution.map(ExecutionId::uuid) && execution.is_some();
        if status == INTENT && !own && *owner != env.owner && alive(env, tx, *since, now) {
            return Ok(Intended::Elsewhere);
        }
        lost = i32::from(status == INTENT);
    }
    if let Some(refused) = account::refuses(env, tx, intent, now).await? {
        return Ok(refused);
    }
    if found.is_some() {
        begin_again(env, tx, intent, lost, now).await?;
        return Ok(Intended::Recorded);
    }
    // Another process may have been first since this one looked.
    let first = insert(env, tx, intent, now).await?;
    Ok(if first {
        Intended::Recorded
    } else {
        Intended::Elsewhere
    })
}

/// Whether the process that sent a call may still have its answer. On SQLite no other process is.
fn alive(
    env: &Environment,
    tx: &DatabaseTransaction,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> bool {
    use sea_orm::ConnectionTrait;
    tx.get_database_backend() != DbBackend::Sqlite && since > oldest(env, now)
}

/// A call that was sent before has ended.
pub(super) fn oldest(env: &Environment, now: DateTime<Utc>) -> DateTime<Utc> {
    now - TimeDelta::from_std(env.patience).unwrap_or(TimeDelta::zero())
}

/// Records the first attempt; whether it is the first.
async fn insert(
    env: &Environment,
    tx: &DatabaseTransaction,
    intent: &CallIntent,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let row = ActiveModel {
        id: Set(env.new_id()),
        organization_id: Set(intent.key.organization.uuid()),
        key: Set(intent.key.hash.clone()),
        kind: Set(intent.kind.to_owned()),
        provider: Set(intent.provider.clone()),
        model: Set(intent.model.clone()),
        prompt_version: Set(intent.prompt.clone()),
        status: Set(INTENT.to_owned()),
        owner: Set(env.owner.clone()),
        attempts: Set(1),
        unknown_outcomes: Set(0),
        reserved_tokens: Set(convert::long(intent.tokens)),
        response: Set(None),
        truncated: Set(false),
        error: Set(None),
        prompt_tokens: Set(0),
        completion_tokens: Set(0),
        counted_tokens: Set(0),
        cost_micro_usd: Set(0),
        batch_id: Set(intent.batch.map(BatchId::uuid)),
        execution_id: Set(intent.execution.map(ExecutionId::uuid)),
        unit: Set(intent.unit.clone()),
        completed_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let once = OnConflict::columns([Column::OrganizationId, Column::Key])
        .do_nothing()
        .to_owned();
    let inserted = Entity::insert_many([row])
        .on_conflict(once)
        .exec_without_returning(tx)
        .await?;
    Ok(inserted > 0)
}

/// Another attempt; `lost` says how many earlier ones nobody has seen the end of.
async fn begin_again(
    env: &Environment,
    tx: &DatabaseTransaction,
    intent: &CallIntent,
    lost: i32,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(INTENT))
        .col_expr(Column::Owner, Expr::value(env.owner.clone()))
        .col_expr(Column::Provider, Expr::value(intent.provider.clone()))
        .col_expr(Column::Model, Expr::value(intent.model.clone()))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(
            Column::UnknownOutcomes,
            Expr::col(Column::UnknownOutcomes).add(lost),
        )
        .col_expr(
            Column::ReservedTokens,
            Expr::value(convert::long(intent.tokens)),
        )
        .col_expr(
            Column::BatchId,
            Expr::value(intent.batch.map(BatchId::uuid)),
        )
        .col_expr(
            Column::ExecutionId,
            Expr::value(intent.execution.map(ExecutionId::uuid)),
        )
        .col_expr(Column::Unit, Expr::value(intent.unit.clone()))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(this(&intent.key))
        .exec(tx)
        .await?;
    Ok(())
}

/// Records an outcome; what it cost is charged with [`account::Charges`].
pub(super) async fn settle(
    env: &Environment,
    tx: &DatabaseTransaction,
    settlement: &Settlement,
) -> Result<(), StoreError> {
    let now = env.clock.now();
    let (prompt, completion) = (
        convert::long(settlement.prompt_tokens),
        convert::long(settlement.completion_tokens),
    );
    let counted = convert::long(settlement.counted_tokens);
    let cost = convert::long(settlement.cost_micro_usd);
    let mut update = Entity::update_many()
        .col_expr(
            Column::PromptTokens,
            Expr::col(Column::PromptTokens).add(prompt),
        )
        .col_expr(
            Column::CompletionTokens,
            Expr::col(Column::CompletionTokens).add(completion),
        )
        .col_expr(
            Column::CountedTokens,
            Expr::col(Column::CountedTokens).add(counted),
        )
        .col_expr(
            Column::CostMicroUsd,
            Expr::col(Column::CostMicroUsd).add(cost),
        )
        .col_expr(Column::ReservedTokens, Expr::value(0_i64))
        .col_expr(Column::UpdatedAt, Expr::value(now));
    update = match &settlement.settled {
        Settled::Answered { text, truncated } => update
            .col_expr(Column::Status, Expr::value(COMPLETED))
            .col_expr(Column::Response, Expr::value(text.clone()))
            .col_expr(Column::Truncated, Expr::value(*truncated))
            .col_expr(Column::Error, Expr::value(None::<String>))
            .col_expr(Column::CompletedAt, Expr::value(now)),
        Settled::Failed { error, unknown } => update
            .col_expr(Column::Status, Expr::value(FAILED))
            .col_expr(Column::Error, Expr::value(error.clone()))
            .col_expr(
                Column::UnknownOutcomes,
                Expr::col(Column::UnknownOutcomes).add(i32::from(*unknown)),
            ),
    };
    update
        .filter(this(&settlement.key))
        .filter(Column::Status.ne(COMPLETED))
        .exec(tx)
        .await?;
    Ok(())
}

/// An answer that others keep from now on is not kept here as well: one that was asked for vectors is
/// several times as long as they are.
pub(in crate::store) async fn kept_elsewhere(
    tx: &DatabaseTransaction,
    key: &CallKey,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    lose(tx, key, "the answer is kept as vectors", now).await
}

/// An answer that nothing can be made of is asked for again.
pub(super) async fn forget(
    env: &Environment,
    tx: &DatabaseTransaction,
    key: &CallKey,
) -> Result<(), StoreError> {
    let now = env.clock.now();
    lose(tx, key, "nothing could be made of the answer", now).await
}

/// A question without its answer: whoever asks again pays for it.
async fn lose(
    tx: &DatabaseTransaction,
    key: &CallKey,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Status, Expr::value(FAILED))
        .col_expr(Column::Response, Expr::value(None::<String>))
        .col_expr(Column::Error, Expr::value(why))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(this(key))
        .filter(Column::Status.eq(COMPLETED))
        .exec(tx)
        .await?;
    Ok(())
}

fn of_key(key: &CallKey) -> sea_orm::Select<Entity> {
    Entity::find().filter(this(key))
}

pub(super) fn this(key: &CallKey) -> Condition {
    Condition::all()
        .add(Column::OrganizationId.eq(key.organization.uuid()))
        .add(Column::Key.eq(&key.hash))
}
