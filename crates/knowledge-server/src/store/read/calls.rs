//! Calls of models as they are shown: what they cost, and which may be paid for twice.

use chrono::{DateTime, Utc};
use knowledge_domain::ids::{BatchId, ExecutionId};
use knowledge_extraction::{ExtractionSummary, MissingUnit, Rejections};
use knowledge_tables::{
    batch_document,
    llm_call::{Column, Entity},
    token_account, workflow_execution,
};
use sea_orm::{
    ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef,
    sea_query::{Expr, ExprTrait},
};

use super::{Reads, parse};
use crate::store::StoreError;

/// Documents whose outcomes are read at a time.
const PAGE: u64 = 500;

/// What model calls cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallTotals {
    /// Tokens that calls took.
    pub tokens: u64,
    /// Tokens of these that were counted, because their provider did not report them.
    pub counted: u64,
    /// What they cost, in millionths of a US dollar, where the model has a price.
    pub cost_micro_usd: u64,
}

/// What a batch may spend, and has spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// The most tokens that it may use.
    pub budget: Option<u64>,
    /// What it has used, of failed units too.
    pub totals: CallTotals,
}

/// A call that may be paid for twice: it was sent again after an attempt of which nobody saw the
/// end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncertainCall {
    /// SHA-256 of the question, in hex.
    pub key: String,
    /// Who was asked.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The workflow.
    pub execution_id: Option<ExecutionId>,
    /// The unit: `mentions/3`.
    pub unit: Option<String>,
    /// Times that it was about to be sent.
    pub attempts: u32,
    /// Times of these of which nobody saw the outcome.
    pub unknown_outcomes: u32,
    /// When it was first recorded.
    pub created_at: DateTime<Utc>,
}

/// What was mended, dropped and left out of a batch's completed documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Proposals that were mended or dropped.
    pub rejections: Rejections,
    /// Units that graphs are without, with the documents' names.
    pub missing: Vec<(String, MissingUnit)>,
}

impl Reads {
    /// What a batch may spend, and has spent.
    pub async fn account(&self, batch: BatchId) -> Result<Account, StoreError> {
        use token_account::{Column, Entity};
        let row = Entity::find()
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .filter(Column::BatchId.eq(batch.uuid()))
            .one(self.connection())
            .await?;
        let Some(row) = row else {
            return Ok(Account::default());
        };
        Ok(Account {
            budget: row
                .budget
                .map(|budget| parse::long_count("token budget", budget))
                .transpose()?,
            totals: CallTotals {
                tokens: parse::long_count("token count", row.used)?,
                counted: parse::long_count("token count", row.counted)?,
                cost_micro_usd: parse::long_count("cost", row.cost_micro_usd)?,
            },
        })
    }

    /// What the organisation's calls have cost.
    pub async fn call_totals(&self) -> Result<CallTotals, StoreError> {
        let sum = |column: Column| Expr::col(column).sum().cast_as("bigint");
        let tokens = sum(Column::PromptTokens).add(sum(Column::CompletionTokens));
        let row: Option<(Option<i64>, Option<i64>, Option<i64>)> = Entity::find()
            .select_only()
            .column_as(tokens, "tokens")
            .column_as(sum(Column::CountedTokens), "counted")
            .column_as(sum(Column::CostMicroUsd), "cost")
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .into_tuple()
            .one(self.connection())
            .await?;
        let (tokens, counted, cost) = row.unwrap_or_default();
        Ok(CallTotals {
            tokens: parse::long_count("token count", tokens.unwrap_or_default())?,
            counted: parse::long_count("token count", counted.unwrap_or_default())?,
            cost_micro_usd: parse::long_count("cost", cost.unwrap_or_default())?,
        })
    }

    /// The batch's calls that may be paid for twice, the first one first.
    pub async fn uncertain_calls(&self, batch: BatchId) -> Result<Vec<UncertainCall>, StoreError> {
        let rows = Entity::find()
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .filter(Column::BatchId.eq(batch.uuid()))
            .filter(Column::UnknownOutcomes.gt(0))
            .filter(Column::Attempts.gt(1))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .all(self.connection())
            .await?;
        rows.into_iter()
            .map(|row| {
                Ok(UncertainCall {
                    key: row.key,
                    provider: row.provider,
                    model: row.model,
                    execution_id: row.execution_id.map(ExecutionId::from_uuid),
                    unit: row.unit.as_deref().map(unit_name),
                    attempts: parse::count("attempt", row.attempts)?,
                    unknown_outcomes: parse::count("outcome", row.unknown_outcomes)?,
                    created_at: row.created_at,
                })
            })
            .collect()
    }

    /// What was mended, dropped and left out of a batch's completed documents.
    pub async fn findings(&self, batch: BatchId) -> Result<Findings, StoreError> {
        use batch_document::{Column, Entity};
        let mut findings = Findings::default();
        let mut after = -1;
        loop {
            let page: Vec<(i32, String, Option<serde_json::Value>)> = Entity::find()
                .select_only()
                .columns([Column::Position, Column::Name])
                .column_as(
                    Expr::col((
                        workflow_execution::Entity,
                        workflow_execution::Column::Output,
                    )),
                    "output",
                )
                .join(JoinType::InnerJoin, executions())
                .filter(Column::OrganizationId.eq(self.organization.uuid()))
                .filter(Column::BatchId.eq(batch.uuid()))
                .filter(Column::Position.gt(after))
                .order_by_asc(Column::Position)
                .limit(PAGE)
                .into_tuple()
                .all(self.connection())
                .await?;
            let Some((last, ..)) = page.last() else {
                return Ok(findings);
            };
            after = *last;
            for (_, name, output) in page {
                findings.add(&name, output);
            }
        }
    }
}

impl Findings {
    /// A document that has not completed, or whose output was pruned, has nothing to say.
    fn add(&mut self, name: &str, output: Option<serde_json::Value>) {
        let summary: Option<ExtractionSummary> =
            output.and_then(|output| serde_json::from_value(output).ok());
        if let Some(summary) = summary {
            self.rejections += summary.rejections;
            let missing = summary.missing.into_iter();
            self.missing
                .extend(missing.map(|unit| (name.to_owned(), unit)));
        }
    }
}

/// The unit's name without the execution and the hash of its input.
fn unit_name(unit: &str) -> String {
    let mut parts: Vec<&str> = unit.split('/').collect();
    if parts.len() > 2 {
        parts.remove(0);
        parts.pop();
    }
    parts.join("/")
}

fn executions() -> RelationDef {
    batch_document::Entity::belongs_to(workflow_execution::Entity)
        .from(batch_document::Column::ExecutionId)
        .to(workflow_execution::Column::Id)
        .into()
}
