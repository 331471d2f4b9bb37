//! Reads: what one organisation may see, as typed models, a page or a set of keys at a time.
//!
//! Owns the queries behind GraphQL, the progress streams and the exports. Writes nothing. Every
//! query goes through [`Reads`], which carries the organisation, so none can forget the scope.

mod batches;
mod calls;
mod census;
mod documents;
mod entities;
mod events;
mod evidence;
mod executions;
mod health;
mod ontologies;
mod packed;
mod page;
mod pages;
mod parity;
mod parse;
#[cfg(test)]
mod plans;
mod questions;
mod relations;
mod resolution;
mod same_as;
mod source;

use std::sync::Arc;

use knowledge_domain::ids::OrganizationId;
use source::Source;

pub use batches::{BatchHead, BatchView};
pub use calls::{Account, CallTotals, Findings, UncertainCall};
pub use census::Census;
pub use documents::DocumentView;
pub use entities::{EntityFilter, EntityMember, EntityView};
pub use evidence::EvidenceView;
pub use executions::{ActivityView, ExecutionView, WorkflowHead};
pub use health::NotReady;
pub use ontologies::OntologyView;
pub use page::{Page, PageRequest};
pub use parity::{ParityCheckView, ParityCounts};
pub use questions::QuestionView;
pub use relations::{RelationKey, RelationMember, RelationPlace, RelationView, fold_relations};
pub use resolution::{LinkView, MergeView, ResolutionView};
pub use same_as::SameAsView;

pub(crate) use entities::fold_entities;

use super::{Store, StoreError};

/// Keys of one `IN` list; both databases take more, and a longer list plans worse.
const KEYS_A_STATEMENT: usize = 500;

/// The read side of the store for one organisation; cheap to clone.
#[derive(Debug, Clone)]
pub struct Reads {
    store: Store,
    source: Source,
    organization: OrganizationId,
}

impl Store {
    /// What this organisation may read.
    #[must_use]
    pub fn reads(&self, organization: OrganizationId) -> Reads {
        let wall = self.wall.as_ref();
        let walled = wall.and_then(|wall| wall.connections(organization));
        Reads {
            store: self.clone(),
            source: Source::Pool(walled.unwrap_or_else(|| self.read().clone())),
            organization,
        }
    }

    /// The same, of one state of the database, whatever is written meanwhile. It holds a connection
    /// for as long as it lives.
    pub async fn reads_of_now(&self, organization: OrganizationId) -> Result<Reads, StoreError> {
        let snapshot = self.snapshot().await?;
        if let Some(wall) = &self.wall {
            wall.enclose(&snapshot, organization).await?;
        }
        Ok(Reads {
            source: Source::Snapshot(Arc::new(snapshot)),
            ..self.reads(organization)
        })
    }
}

impl Reads {
    /// The organisation that every query is scoped by.
    #[must_use]
    pub fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn connection(&self) -> &Source {
        &self.source
    }
}

#[cfg(test)]
impl Store {
    /// Calls back for every statement that reads from now on.
    pub(crate) fn on_read(&mut self, called: impl Fn() + Send + Sync + 'static) {
        // Which knows of the others nothing.
        self.wall = None;
        self.read.set_metric_callback(move |_| called());
    }
}

#[cfg(test)]
mod tests {
    use knowledge_domain::batch::BatchStage;
    use knowledge_tables::{api_key, batch_execution, organization};
    use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait};

    use super::*;
    use crate::fixture::Fixture;

    async fn counted(reads: &Reads) -> (u64, u64) {
        let batches = batch_execution::Entity::find().count(reads.connection());
        let organizations = organization::Entity::find().count(reads.connection());
        (batches.await.unwrap(), organizations.await.unwrap())
    }

    #[tokio::test]
    async fn queries_without_a_condition_find_nothing_of_others() {
        let fixture = Fixture::new().await;
        if fixture.store.backend() == DbBackend::Sqlite {
            return;
        }
        fixture.batch(1, BatchStage::Completed).await;
        let (own, foreign) = (fixture.organization, fixture.foreign_organization().await);
        assert_eq!(counted(&fixture.store.reads(own)).await, (1, 1));
        assert_eq!(counted(&fixture.store.reads(foreign)).await, (0, 1));
        let of_now = async |organization| fixture.store.reads_of_now(organization).await.unwrap();
        assert_eq!(counted(&of_now(own).await).await, (1, 1));
        assert_eq!(counted(&of_now(foreign).await).await, (0, 1));
        // Who does not read for an organisation sees them all.
        let all = batch_execution::Entity::find().count(fixture.store.read());
        assert_eq!(all.await.unwrap(), 1);
        let organizations = organization::Entity::find().count(fixture.store.read());
        assert_eq!(organizations.await.unwrap(), 2);

        let reads = fixture.store.reads(own);
        assert!(
            api_key::Entity::find()
                .count(reads.connection())
                .await
                .is_err()
        );
        let written = reads.connection();
        let written = written.execute_unprepared("DELETE FROM batch_execution");
        assert!(written.await.is_err());
    }

    #[tokio::test]
    async fn who_reads_goes_on_whoever_reads_besides() {
        let fixture = Fixture::new().await;
        fixture.batch(1, BatchStage::Completed).await;
        let reads = fixture.store.reads(fixture.organization);
        for number in 0..20 {
            let other = OrganizationId::from_uuid(uuid::Uuid::from_u128(number));
            let _ = counted(&fixture.store.reads(other)).await;
        }
        assert_eq!(counted(&reads).await.0, 1);
        assert_eq!(
            counted(&fixture.store.reads(fixture.organization)).await.0,
            1
        );
    }
}
