//! The log of a batch, read by sequence.

use knowledge_domain::{
    batch::BatchEvent,
    ids::{BatchDocumentId, BatchId},
};
use knowledge_tables::batch_event::{Column, Entity};
use sea_orm::{ColumnTrait, EntityTrait, JsonValue, QueryFilter, QueryOrder, QuerySelect, Select};

use super::Reads;
use crate::store::StoreError;

impl Reads {
    /// At most `limit` events of a batch after the sequence `after`, in order.
    pub async fn events_after(
        &self,
        batch: BatchId,
        after: u64,
        limit: u64,
    ) -> Result<Vec<BatchEvent>, StoreError> {
        let query = Entity::find().filter(Column::BatchId.eq(batch.uuid()));
        self.log_after(query, after, limit).await
    }

    /// At most `limit` events about a document after the sequence `after`, in order.
    pub async fn document_events_after(
        &self,
        document: BatchDocumentId,
        after: u64,
        limit: u64,
    ) -> Result<Vec<BatchEvent>, StoreError> {
        let query = Entity::find().filter(Column::BatchDocumentId.eq(document.uuid()));
        self.log_after(query, after, limit).await
    }

    async fn log_after(
        &self,
        query: Select<Entity>,
        after: u64,
        limit: u64,
    ) -> Result<Vec<BatchEvent>, StoreError> {
        let payloads: Vec<JsonValue> = query
            .filter(Column::OrganizationId.eq(self.organization.uuid()))
            .filter(Column::Sequence.gt(i64::try_from(after).unwrap_or(i64::MAX)))
            .order_by_asc(Column::Sequence)
            .limit(limit)
            .select_only()
            .column(Column::Payload)
            .into_tuple()
            .all(self.connection())
            .await?;
        readable(payloads)
    }
}

/// The events up to one that cannot be read, which is an error where it is the first.
fn readable(payloads: Vec<JsonValue>) -> Result<Vec<BatchEvent>, StoreError> {
    let mut events = Vec::with_capacity(payloads.len());
    for payload in payloads {
        match serde_json::from_value(payload) {
            Ok(event) => events.push(event),
            Err(_) if events.is_empty() => return Err(StoreError::corrupt("an unknown event")),
            Err(_) => break,
        }
    }
    Ok(events)
}
