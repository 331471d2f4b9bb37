//! Whether a transaction was committed whose answer was lost with the connection.
//!
//! Making its changes again would make them twice, and giving them up would lose them; so the rows
//! are asked. The batch's row is locked first: a server that still works on the commit holds that
//! lock until it is done.

use chrono::{DateTime, Utc};
use knowledge_domain::ids::BatchId;
use knowledge_tables::{batch_event, batch_execution};
use sea_orm::{EntityTrait, QuerySelect};
use uuid::Uuid;

use super::{LedgerError, again::patiently, writer::Environment};

/// What a transaction leaves behind if it is committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof {
    pub(super) batch: BatchId,
    /// What the batch's row then says.
    pub(super) version: i64,
    pub(super) updated_at: DateTime<Utc>,
    /// An event that it writes, where it writes one: nothing removes it.
    pub(super) event: Option<Uuid>,
}

impl Proof {
    /// Whether the transaction was committed; waits until the store can say.
    pub(super) async fn is_there(&self, env: &Environment) -> Result<bool, LedgerError> {
        patiently(|| self.look(env)).await
    }

    async fn look(&self, env: &Environment) -> Result<bool, LedgerError> {
        use batch_execution::Column;
        let tx = env.store.begin().await?;
        let row: Option<(i64, DateTime<Utc>)> =
            batch_execution::Entity::find_by_id(self.batch.uuid())
                .select_only()
                .columns([Column::Version, Column::UpdatedAt])
                .lock_exclusive()
                .into_tuple()
                .one(&tx)
                .await?;
        let Some(event) = self.event else {
            return Ok(row == Some((self.version, self.updated_at)));
        };
        let event = batch_event::Entity::find_by_id(event).one(&tx).await?;
        Ok(event.is_some())
    }
}
