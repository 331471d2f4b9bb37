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
        Reads {
            store: self.clone(),
            source: Source::Pool(self.read().clone()),
            organization,
        }
    }

    /// The same, of one state of the database, whatever is written meanwhile. It holds a connection
    /// for as long as it lives.
    pub async fn reads_of_now(&self, organization: OrganizationId) -> Result<Reads, StoreError> {
        let snapshot = self.snapshot().await?;
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
        self.read.set_metric_callback(move |_| called());
    }
}
