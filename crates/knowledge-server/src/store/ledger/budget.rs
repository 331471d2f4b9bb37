//! Raising what a batch may spend on model calls.

use knowledge_domain::{
    document::DocumentStatus,
    ids::{BatchId, OrganizationId},
    workflow::{SuspendReason, WorkflowExecutionStatus},
};
use knowledge_tables::{
    batch_document, batch_execution,
    token_account::{ActiveModel, Column, Entity},
    workflow_execution,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Expr, OnConflict},
};

use super::{
    Ledger, LedgerError, change::BatchChange, commit::commit_alone, document::of_status,
    right::Scope,
};
use crate::store::convert;

/// What became of a raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// The batch may spend more.
    Raised,
    /// The batch may spend as much already; its budget, none where there is no limit.
    Enough(Option<u64>),
}

impl Ledger {
    /// Raises a batch's token budget to `tokens`; what waits for it may go on after.
    pub async fn raise_token_budget(
        &self,
        organization: OrganizationId,
        batch: BatchId,
        tokens: u64,
    ) -> Result<Raised, LedgerError> {
        commit_alone(&self.env, Scope::of(organization, batch), move |change| {
            Box::pin(raise(change, tokens))
        })
        .await
    }
}

async fn raise(change: &mut BatchChange, tokens: u64) -> Result<Raised, LedgerError> {
    let current = change.config().token_budget;
    if current.is_none_or(|current| current >= tokens) {
        return Ok(Raised::Enough(current));
    }
    change.set_token_budget(tokens)?;
    batch_execution::Entity::update_many()
        .col_expr(
            batch_execution::Column::Config,
            Expr::value(change.row.config.clone()),
        )
        .filter(batch_execution::Column::Id.eq(change.row.id))
        .exec(change.tx.as_ref())
        .await?;
    let account = ActiveModel {
        id: Set(change.entropy().uuid_v7()),
        organization_id: Set(change.row.organization_id),
        batch_id: Set(change.row.id),
        budget: Set(Some(convert::long(tokens))),
        used: Set(0),
        counted: Set(0),
        cost_micro_usd: Set(0),
        created_at: Set(change.at),
        updated_at: Set(change.at),
    };
    let raised = OnConflict::column(Column::BatchId)
        .update_columns([Column::Budget, Column::UpdatedAt])
        .to_owned();
    Entity::insert(account)
        .on_conflict(raised)
        .exec_without_returning(change.tx.as_ref())
        .await?;
    wake(change).await?;
    Ok(Raised::Raised)
}

/// What waited for the budget is due.
async fn wake(change: &BatchChange) -> Result<(), LedgerError> {
    use workflow_execution::Column;
    let processing = of_status(change, &[DocumentStatus::Processing])
        .select_only()
        .column(batch_document::Column::ExecutionId)
        .into_query();
    workflow_execution::Entity::update_many()
        .col_expr(Column::ResumeAt, Expr::value(change.at))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .filter(Column::Id.in_subquery(processing))
        .filter(Column::Status.eq(WorkflowExecutionStatus::Suspended.to_string()))
        .filter(Column::SuspendReason.eq(SuspendReason::OverBudget.to_string()))
        .exec(change.tx.as_ref())
        .await?;
    Ok(())
}
