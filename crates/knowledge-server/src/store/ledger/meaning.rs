//! Vectors for the resolution of a batch: kept, waited for, or gone without.

use std::sync::Arc;

use knowledge_domain::{
    ids::OrganizationId,
    workflow::{Suspension, WorkflowExecutionStatus},
};
use knowledge_tables::workflow_execution::{Column, Entity};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::{
    Lease, Ledger, LedgerError,
    batch_workflow::{self, Activity},
    change::BatchChange,
    commit::commit_alone,
    right::Scope,
};
use crate::store::{
    calls::{CallKey, kept_elsewhere},
    resolution::{Author, Meaning, Resolution},
};

/// What a model was asked, and what it said.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What it said of some forms.
    pub meanings: Vec<Meaning>,
    /// The tokens that it took.
    pub tokens: u64,
    /// The question, in the record of calls.
    pub question: CallKey,
}

impl Ledger {
    /// Keeps vectors that the batch's workflow asked for. The record of calls keeps them no longer.
    pub async fn keep_meanings(
        &self,
        lease: Lease,
        model: &str,
        told: &Told,
    ) -> Result<(), LedgerError> {
        let (model, told) = (Arc::<str>::from(model), Arc::new(told.clone()));
        commit_alone(&self.env, Scope::owned(lease), move |change| {
            let (model, told) = (Arc::clone(&model), Arc::clone(&told));
            Box::pin(async move { keep(change, &model, &told).await })
        })
        .await
    }

    /// Has the batch's workflow wait for something outside.
    pub async fn suspend_resolution(
        &self,
        lease: Lease,
        suspension: &Suspension,
    ) -> Result<(), LedgerError> {
        let suspension = suspension.clone();
        commit_alone(&self.env, Scope::owned(lease), move |change| {
            let suspension = suspension.clone();
            Box::pin(async move { suspend(change, &suspension).await })
        })
        .await
    }

    /// Notes why the batch's meanings are not compared; others may ask for theirs.
    pub async fn note_resolution(&self, lease: Lease, message: &str) -> Result<(), LedgerError> {
        let message = message.to_owned();
        commit_alone(&self.env, Scope::owned(lease), move |change| {
            let message = message.clone();
            Box::pin(async move {
                let execution = batch_workflow::execution(change).await?;
                go_without(change, execution).await?;
                note(change, execution, Some(message)).await
            })
        })
        .await
    }
}

async fn keep(change: &mut BatchChange, model: &str, told: &Told) -> Result<(), LedgerError> {
    let (tx, env) = (Arc::clone(&change.tx), Arc::clone(&change.env));
    let author = Author::Batch(change.batch_id());
    let organization = OrganizationId::from_uuid(change.row.organization_id);
    let mut resolution =
        Resolution::begin(&tx, organization, env.entropy.as_ref(), change.at, author).await?;
    let execution = batch_workflow::execution(change).await?;
    let forms = resolution.keep_meanings(model, &told.meanings).await?;
    kept_elsewhere(&tx, &told.question, change.at).await?;
    let tokens = i64::try_from(told.tokens).unwrap_or(i64::MAX);
    change.row.tokens_used = change.row.tokens_used.saturating_add(tokens);
    change.row.resolution_tokens = change.row.resolution_tokens.saturating_add(tokens);
    let ids: Vec<Uuid> = told
        .meanings
        .iter()
        .map(|meaning| meaning.form.uuid())
        .collect();
    let done = serde_json::json!({ "forms": forms, "model": model, "tokens": tokens });
    batch_workflow::checkpoint(change, execution, Activity::Embed, &ids, &done).await
}

async fn go_without(change: &BatchChange, execution: Uuid) -> Result<(), LedgerError> {
    let author = Author::Batch(change.batch_id());
    let organization = OrganizationId::from_uuid(change.row.organization_id);
    let entropy = change.env.entropy.as_ref();
    let mut resolution =
        Resolution::begin(&change.tx, organization, entropy, change.at, author).await?;
    Ok(resolution.leave_turn(execution).await?)
}

async fn suspend(change: &mut BatchChange, suspension: &Suspension) -> Result<(), LedgerError> {
    let execution = batch_workflow::execution(change).await?;
    Entity::update_many()
        .col_expr(
            Column::Status,
            Expr::value(WorkflowExecutionStatus::Suspended.to_string()),
        )
        .col_expr(
            Column::SuspendReason,
            Expr::value(Some(suspension.reason.to_string())),
        )
        .col_expr(Column::ResumeAt, Expr::value(suspension.until))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(execution))
        .exec(change.tx.as_ref())
        .await?;
    note(change, execution, Some(suspension.message.clone())).await
}

async fn note(
    change: &BatchChange,
    execution: Uuid,
    message: Option<String>,
) -> Result<(), LedgerError> {
    Entity::update_many()
        .col_expr(Column::Error, Expr::value(message))
        .col_expr(Column::UpdatedAt, Expr::value(change.at))
        .filter(Column::Id.eq(execution))
        .exec(change.tx.as_ref())
        .await?;
    Ok(())
}
