//! Calls of models: answers are kept, and what may be paid for twice is told.

use chrono::{DateTime, Utc};
use knowledge_domain::ids::{BatchId, OrganizationId};
use knowledge_tables::llm_call::{Column, Entity};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait},
};
use serde::Serialize;

use super::rule::{DatabaseRule, ids};
use crate::store::{Store, StoreError};

pub(super) const RULES: &[DatabaseRule] = &[DatabaseRule {
    code: "calls/answer",
    table: "llm_call",
    says: "it is completed, and its answer is lost",
    broken: || {
        ids(Entity)
            .and_where(Expr::col((Entity, Column::Status)).eq("completed"))
            .and_where(Expr::col((Entity, Column::Response)).is_null())
            .take()
    },
}];

/// A call that may be paid for twice: it was sent again after an attempt of which nobody saw the
/// end. No promise is broken by it: a provider cannot be asked whether it was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UncertainCall {
    /// SHA-256 of the question, in hex.
    pub key: String,
    /// The tenant.
    pub organization: OrganizationId,
    /// The batch that it was made for.
    pub batch: Option<BatchId>,
    /// Who was asked.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Times that it was about to be sent.
    pub attempts: i32,
    /// Times of these of which nobody saw the outcome.
    pub unknown_outcomes: i32,
    /// When it was first recorded.
    pub created_at: DateTime<Utc>,
}

impl std::fmt::Display for UncertainCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = self
            .batch
            .map_or_else(|| "no batch".to_owned(), |batch| batch.to_string());
        write!(
            f,
            "call {} of {} for {of} may be paid for twice: sent {} times, the outcome of {} is unknown",
            &self.key.get(..12).unwrap_or(&self.key),
            self.model,
            self.attempts,
            self.unknown_outcomes
        )
    }
}

/// Every call that may be paid for twice, the first one first.
pub(super) async fn uncertain(store: &Store) -> Result<Vec<UncertainCall>, StoreError> {
    let rows = Entity::find()
        .filter(Column::UnknownOutcomes.gt(0))
        .filter(Column::Attempts.gt(1))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(store.read())
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| UncertainCall {
            key: row.key,
            organization: OrganizationId::from_uuid(row.organization_id),
            batch: row.batch_id.map(BatchId::from_uuid),
            provider: row.provider,
            model: row.model,
            attempts: row.attempts,
            unknown_outcomes: row.unknown_outcomes,
            created_at: row.created_at,
        })
        .collect())
}
