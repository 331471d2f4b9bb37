//! Comparisons with what another engine comes to: which wait, what to compare with, and what came of
//! them. With a document's outcome the ledger notes that it is to be compared.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use knowledge_domain::{
    batch::BatchConfig,
    ids::{
        BatchDocumentId, BatchId, DocumentId, ExecutionId, ExtractionId, OntologyId, OrganizationId,
    },
    workflow::{ParityDifference, ParityStatus, WorkflowActivityStatus, WorkflowExecutionStatus},
};
use knowledge_tables::{
    batch_document, batch_execution,
    parity_check::{Column, Entity},
    workflow_activity, workflow_execution,
};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    UpdateMany,
    sea_query::{Expr, ExprTrait},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Store, StoreError, convert,
    ledger::{DocumentRun, UnitKey},
};

/// Names a comparison: a workflow as it completed. Completed again, it is compared again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckKey {
    /// The workflow.
    pub execution: ExecutionId,
    /// The token with which it completed.
    pub token: i64,
}

/// A document that is to be run once more, with what it came to.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The document.
    pub run: DocumentRun,
    /// The settings of its batch.
    pub config: BatchConfig,
    /// The ontology of its batch.
    pub ontology: Option<OntologyId>,
    /// What it came to.
    pub recorded: Recorded,
    /// Times that this was begun, this one among them.
    pub attempts: u32,
}

/// What a document came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its graph.
    pub extraction: ExtractionId,
    /// Entities.
    pub entities: u32,
    /// Relations.
    pub relations: u32,
    /// Units that its graph is without.
    pub missing: u32,
    /// The outputs of its units; nothing where they were removed since.
    pub units: HashMap<UnitKey, Option<Vec<u8>>>,
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Both came to the same.
    Same,
    /// They differ in these; never empty.
    Different(Vec<ParityDifference>),
    /// They could not be compared, for this reason.
    Unavailable(String),
}

/// What is to be done about a comparison.
#[derive(Debug, Clone)]
pub enum Check {
    /// The document is to be run once more.
    Compare(Box<Subject>),
    /// It is no longer as it was: this is its verdict.
    Moot(Verdict),
    /// Nothing: it was compared, or is to be compared as it completed since.
    Done,
}

impl Store {
    /// Comparisons that are to be submitted, the oldest first: those that were submitted before `lost`
    /// and not made, and others while fewer than `most` are under way.
    pub async fn checks_to_submit(
        &self,
        lost: DateTime<Utc>,
        most: u64,
    ) -> Result<Vec<CheckKey>, StoreError> {
        let pending = || {
            Entity::find()
                .select_only()
                .columns([Column::ExecutionId, Column::LeaseToken])
                .filter(Column::Status.eq(ParityStatus::Pending.to_string()))
        };
        let under_way: Vec<(Uuid, i64, DateTime<Utc>)> = pending()
            .column(Column::SubmittedAt)
            .filter(Column::SubmittedAt.is_not_null())
            .order_by_asc(Column::SubmittedAt)
            .limit(most)
            .into_tuple()
            .all(self.read())
            .await?;
        let waiting: Vec<(Uuid, i64)> = pending()
            .filter(Column::SubmittedAt.is_null())
            .order_by_asc(Column::CreatedAt)
            .limit(most.saturating_sub(under_way.len() as u64))
            .into_tuple()
            .all(self.read())
            .await?;
        let again = under_way.into_iter().filter(|(_, _, at)| *at < lost);
        let again = again.map(|(execution, token, _)| (execution, token));
        let key = |(execution, token)| CheckKey {
            execution: ExecutionId::from_uuid(execution),
            token,
        };
        Ok(again.chain(waiting).map(key).collect())
    }

    /// Notes that somebody was asked for a comparison.
    pub async fn note_submitted(&self, key: CheckKey, at: DateTime<Utc>) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        pending(key, at)
            .col_expr(Column::SubmittedAt, Expr::value(at))
            .exec(&tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Begins a comparison, and tells what there is to compare.
    pub async fn begin_check(&self, key: CheckKey, at: DateTime<Utc>) -> Result<Check, StoreError> {
        // Counted whatever comes of it, and nobody waits meanwhile.
        if self.count_attempt(key, 1, at).await? == 0 {
            return Ok(Check::Done);
        }
        subject(&self.snapshot().await?, key).await
    }

    /// Says that a comparison was left off in good order: it is not counted as begun.
    pub async fn let_check_go(&self, key: CheckKey, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.count_attempt(key, -1, at).await.map(drop)
    }

    async fn count_attempt(
        &self,
        key: CheckKey,
        number: i32,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let tx = self.begin().await?;
        let counted = pending(key, at)
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(number))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(counted.rows_affected)
    }

    /// Records what a comparison came to, unless the document has completed anew since.
    pub async fn record_check(
        &self,
        key: CheckKey,
        verdict: Verdict,
        release: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (status, differences, reason) = match verdict {
            Verdict::Same => (ParityStatus::Same, None, None),
            Verdict::Different(differences) => {
                let differences = convert::to_json(&differences)?;
                (ParityStatus::Different, Some(differences), None)
            }
            Verdict::Unavailable(reason) => (ParityStatus::Unavailable, None, Some(reason)),
        };
        let tx = self.begin().await?;
        pending(key, at)
            .col_expr(Column::Status, Expr::value(status.to_string()))
            .col_expr(Column::Differences, Expr::value(differences))
            .col_expr(Column::Reason, Expr::value(reason))
            .col_expr(Column::Release, Expr::value(release))
            .col_expr(Column::ComparedAt, Expr::value(at))
            .exec(&tx)
            .await?;
        Ok(tx.commit().await?)
    }
}

/// Changes a comparison that waits.
fn pending(key: CheckKey, at: DateTime<Utc>) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(at))
        .filter(Column::ExecutionId.eq(key.execution.uuid()))
        .filter(Column::LeaseToken.eq(key.token))
        .filter(Column::Status.eq(ParityStatus::Pending.to_string()))
}

async fn subject(tx: &DatabaseTransaction, key: CheckKey) -> Result<Check, StoreError> {
    let id = key.execution.uuid();
    let lost = |what: &str| StoreError::corrupt(format!("{} without {what}", key.execution));
    let check = Entity::find()
        .filter(Column::ExecutionId.eq(id))
        .one(tx)
        .await?
        .ok_or_else(|| lost("comparison"))?;
    let execution = workflow_execution::Entity::find_by_id(id).one(tx).await?;
    let execution = execution.ok_or_else(|| lost("workflow"))?;
    let document = batch_document::Entity::find_by_id(check.batch_document_id)
        .one(tx)
        .await?
        .ok_or_else(|| lost("document"))?;
    let batch = batch_execution::Entity::find_by_id(check.batch_id)
        .one(tx)
        .await?
        .ok_or_else(|| lost("batch"))?;
    let completed = WorkflowExecutionStatus::Completed.to_string();
    let is_as_it_was = execution.lease_token == key.token && execution.status == completed;
    let (true, Some(extraction)) = (is_as_it_was, document.extraction_id) else {
        let reason = "the document was tried again since, and nothing new has completed";
        return Ok(Check::Moot(Verdict::Unavailable(reason.to_owned())));
    };
    let count = |number: i32| u32::try_from(number).unwrap_or_default();
    Ok(Check::Compare(Box::new(Subject {
        attempts: count(check.attempts),
        run: DocumentRun {
            organization: OrganizationId::from_uuid(document.organization_id),
            batch: BatchId::from_uuid(batch.id),
            document: BatchDocumentId::from_uuid(document.id),
            content: DocumentId::from_uuid(document.document_id),
            execution: key.execution,
            token: key.token,
            attempt: count(document.attempt),
            retry_owner: convert::from_text(
                "workflow_execution.retry_owner",
                &execution.retry_owner,
            )?,
            fresh: false,
            worker: None,
        },
        config: convert::from_json("batch_execution.config", batch.config)?,
        ontology: batch.ontology_id.map(OntologyId::from_uuid),
        recorded: Recorded {
            extraction: ExtractionId::from_uuid(extraction),
            entities: count(document.entity_count),
            relations: count(document.relation_count),
            missing: count(document.missing_units),
            units: units(tx, id).await?,
        },
    })))
}

/// What the journal holds of the units that have an output, or had one.
async fn units(
    tx: &DatabaseTransaction,
    execution: Uuid,
) -> Result<HashMap<UnitKey, Option<Vec<u8>>>, StoreError> {
    use workflow_activity::{Column, Entity};
    let ended = [
        WorkflowActivityStatus::Completed,
        WorkflowActivityStatus::Skipped,
    ];
    let rows: Vec<(String, String, Option<Vec<u8>>)> = Entity::find()
        .select_only()
        .columns([Column::ActivityName, Column::InputHash, Column::Output])
        .filter(Column::ExecutionId.eq(execution))
        .filter(Column::Status.is_in(ended.iter().map(ToString::to_string)))
        .into_tuple()
        .all(tx)
        .await?;
    let unit = |(name, input_hash, output)| (UnitKey { name, input_hash }, output);
    Ok(rows.into_iter().map(unit).collect())
}
