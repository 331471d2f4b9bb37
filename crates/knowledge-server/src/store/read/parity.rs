//! Comparisons with what another engine comes to.

use chrono::{DateTime, Utc};
use knowledge_domain::{
    ids::{BatchDocumentId, BatchId},
    workflow::{ParityDifference, ParityStatus},
};
use knowledge_tables::{
    batch_document,
    parity_check::{Column, Entity, Model},
};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use super::{Page, PageRequest, Reads, parse};
use crate::store::{StoreError, convert};

/// How the comparisons of a batch fare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ParityCounts {
    /// Documents that are still to be compared.
    pub pending: u32,
    /// Documents with which both engines came to the same.
    pub same: u32,
    /// Documents with which they differ.
    pub different: u32,
    /// Documents that could not be compared.
    pub unavailable: u32,
}

/// The comparison of one document.
#[derive(Debug, Clone, PartialEq)]
pub struct ParityCheckView {
    /// The document.
    pub document_id: BatchDocumentId,
    /// Its position in the batch.
    pub position: u32,
    /// How it fares.
    pub status: ParityStatus,
    /// In what they differ.
    pub differences: Vec<ParityDifference>,
    /// Why they could not be compared.
    pub reason: Option<String>,
    /// The release that ran it again.
    pub release: Option<String>,
    /// When it was compared.
    pub compared_at: Option<DateTime<Utc>>,
}

impl Reads {
    /// How the comparisons of a batch fare.
    pub async fn parity(&self, batch: BatchId) -> Result<ParityCounts, StoreError> {
        let rows: Vec<(String, i64)> = Entity::find()
            .select_only()
            .column(Column::Status)
            .column_as(Column::Id.count(), "found")
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .filter(Column::BatchId.eq(batch.uuid()))
            .group_by(Column::Status)
            .into_tuple()
            .all(self.connection())
            .await?;
        let mut counts = ParityCounts::default();
        for (status, found) in rows {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            *match parse::name("comparison's status", &status)? {
                ParityStatus::Pending => &mut counts.pending,
                ParityStatus::Same => &mut counts.same,
                ParityStatus::Different => &mut counts.different,
                ParityStatus::Unavailable => &mut counts.unavailable,
            } = found;
        }
        Ok(counts)
    }

    /// A page of a batch's comparisons, by the positions of their documents.
    pub async fn parity_checks(
        &self,
        batch: BatchId,
        status: Option<ParityStatus>,
        page: PageRequest<u32>,
    ) -> Result<Page<ParityCheckView>, StoreError> {
        let place = Entity::belongs_to(batch_document::Entity)
            .from(Column::BatchDocumentId)
            .to(batch_document::Column::Id)
            .into();
        let mut query = Entity::find()
            .join(JoinType::InnerJoin, place)
            .column_as(batch_document::Column::Position, "position")
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .filter(Column::BatchId.eq(batch.uuid()))
            .order_by_asc(batch_document::Column::Position)
            .limit(page.limit());
        if let Some(status) = status {
            query = query.filter(Column::Status.eq(status.to_string()));
        }
        if let Some(after) = page.after {
            let position = Expr::col((batch_document::Entity, batch_document::Column::Position));
            query = query.filter(position.gt(i64::from(after)));
        }
        let rows: Vec<Row> = query.into_model().all(self.connection()).await?;
        let views = rows.into_iter().map(Row::view);
        Ok(page.page(views.collect::<Result<_, _>>()?))
    }
}

/// A comparison with the position of its document.
#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    check: Model,
    position: i32,
}

impl Row {
    fn view(self) -> Result<ParityCheckView, StoreError> {
        let Self { check, position } = self;
        let differences = check.differences;
        let read = |json| convert::from_json("parity_check.differences", json);
        Ok(ParityCheckView {
            document_id: BatchDocumentId::from_uuid(check.batch_document_id),
            position: parse::count("position", position)?,
            status: parse::name("comparison's status", &check.status)?,
            differences: differences.map(read).transpose()?.unwrap_or_default(),
            reason: check.reason,
            release: check.release,
            compared_at: check.compared_at,
        })
    }
}
