//! Loads by key, gathered over a request, so that a list costs a statement and not one an item.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use async_graphql::dataloader::Loader;
use knowledge_domain::{
    document::DocumentStatus,
    ids::{BatchDocumentId, BatchId, EntityId, ExecutionId, ExtractionId, OntologyId, RelationId},
};

use crate::store::{
    StoreError,
    read::{
        ActivityView, DocumentView, EntityFilter, EntityView, EvidenceView, ExecutionView,
        OntologyView, Page, PageRequest, Reads, RelationKey, RelationPlace, RelationView,
    },
};

pub(super) struct Loaders {
    reads: Reads,
}

/// A page of a batch's documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DocumentsOf {
    pub(super) batch: BatchId,
    pub(super) status: Option<DocumentStatus>,
    pub(super) page: PageRequest<u32>,
}

/// A page of the entities that a batch's documents talk about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct EntitiesOf {
    pub(super) batch: BatchId,
    pub(super) filter: EntityFilter,
    pub(super) page: PageRequest<EntityId>,
}

/// A page of the relations that a batch's documents state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RelationsOf {
    pub(super) batch: BatchId,
    pub(super) predicate: Option<String>,
    pub(super) page: PageRequest<RelationPlace>,
}

/// The activities of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ActivitiesOf(pub(super) ExecutionId);

/// The mentions of a canonical entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MentionsOf(pub(super) EntityId);

/// The evidence of one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct EvidenceOf(pub(super) RelationId);

/// Where the document of an extraction stands: in the batch if it is there, else anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PlaceOf {
    pub(super) batch: Option<BatchId>,
    pub(super) extraction: ExtractionId,
}

impl Loaders {
    pub(super) fn new(reads: Reads) -> Self {
        Self { reads }
    }
}

type Loaded<K, V> = Result<HashMap<K, V>, Arc<StoreError>>;

impl Loader<DocumentsOf> for Loaders {
    type Value = Arc<Page<DocumentView>>;
    type Error = Arc<StoreError>;

    async fn load(&self, keys: &[DocumentsOf]) -> Loaded<DocumentsOf, Arc<Page<DocumentView>>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((status, page), batches) in batches_by(keys, |key| (key.batch, (key.status, key.page)))
        {
            let pages = self.reads.document_pages(&batches, status, page).await?;
            found.extend(pages.into_iter().map(|(batch, rows)| {
                let key = DocumentsOf {
                    batch,
                    status,
                    page,
                };
                (key, Arc::new(rows))
            }));
        }
        Ok(found)
    }
}

impl Loader<OntologyId> for Loaders {
    type Value = OntologyView;
    type Error = Arc<StoreError>;

    async fn load(&self, keys: &[OntologyId]) -> Loaded<OntologyId, OntologyView> {
        let found = self.reads.ontologies(keys).await?;
        Ok(found.into_iter().map(|view| (view.id, view)).collect())
    }
}

impl Loader<EntitiesOf> for Loaders {
    type Value = Page<EntityId>;
    type Error = Arc<StoreError>;

    async fn load(&self, keys: &[EntitiesOf]) -> Loaded<EntitiesOf, Page<EntityId>> {
        let mut found = HashMap::with_capacity(keys.len());
        let rest = |key: &EntitiesOf| (key.batch, (key.filter.clone(), key.page));
        for ((filter, page), batches) in batches_by(keys, rest) {
            let pages = self.reads.entity_pages(&batches, &filter, page).await?;
            found.extend(pages.into_iter().map(|(batch, rows)| {
                let filter = filter.clone();
                let key = EntitiesOf {
                    batch,
                    filter,
                    page,
                };
                (key, rows)
            }));
        }
        Ok(found)
    }
}

impl Loader<RelationsOf> for Loaders {
    type Value = Page<(RelationPlace, RelationKey)>;
    type Error = Arc<StoreError>;

    async fn load(
        &self,
        keys: &[RelationsOf],
    ) -> Loaded<RelationsOf, Page<(RelationPlace, RelationKey)>> {
        let mut found = HashMap::with_capacity(keys.len());
        let rest = |key: &RelationsOf| (key.batch, (key.predicate.clone(), key.page));
        for ((predicate, page), batches) in batches_by(keys, rest) {
            let reads = &self.reads;
            let pages = reads.relation_pages(&batches, predicate.as_deref(), page);
            found.extend(pages.await?.into_iter().map(|(batch, rows)| {
                let predicate = predicate.clone();
                let key = RelationsOf {
                    batch,
                    predicate,
                    page,
                };
                (key, rows)
            }));
        }
        Ok(found)
    }
}

impl Loader<RelationKey> for Loaders {
    type Value = RelationView;
    type Error = Arc<StoreError>;

    async fn load(&self, keys: &[RelationKey]) -> Loaded<RelationKey, RelationView> {
        Ok(self.reads.relations(keys).await?)
    }
}

impl Loader<ExecutionId> for Loaders {
    type Value = ExecutionView;
    type Error = Arc<StoreError>;

    async fn load(&self, keys: &[ExecutionId]) -> Loaded<ExecutionId, ExecutionView> {
        let executions = self.reads.executions(keys).await?;
        Ok(by_key(executions, |execution| execution.id))
    }
}

impl Loader<BatchDocumentId> for Loaders {
    type Value = DocumentView;
    type Error = Arc<StoreError>;

    async fn load(&self, keys: &[BatchDocumentId]) -> Loaded<BatchDocumentId, DocumentView> {
        let documents = self.reads.documents(keys).await?;
        Ok(by_key(documents, |document| document.id))
    }
}

impl Loader<ActivitiesOf> for Loaders {
    type Value = Vec<ActivityView>;
    type Error = Arc<StoreError>;

    async fn load(&self, keys: &[ActivitiesOf]) -> Loaded<ActivitiesOf, Vec<ActivityView>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut found: HashMap<_, Vec<_>> = HashMap::with_capacity(ids.len());
        for activity in self.reads.activities(&ids).await? {
            found
                .entry(ActivitiesOf(activity.execution_id))
                .or_default()
                .push(activity);
        }
        Ok(found)
    }
}

impl Loader<EntityId> for Loaders {
    type Value = Arc<EntityView>;
    type Error = Arc<StoreError>;

    async fn load(&self, keys: &[EntityId]) -> Loaded<EntityId, Arc<EntityView>> {
        let entities = self.reads.entities(keys).await?;
        Ok(by_key(entities.into_iter().map(Arc::new), |entity| {
            entity.id
        }))
    }
}

impl Loader<MentionsOf> for Loaders {
    type Value = Arc<Vec<EvidenceView>>;
    type Error = Arc<StoreError>;

    async fn load(&self, keys: &[MentionsOf]) -> Loaded<MentionsOf, Arc<Vec<EvidenceView>>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let evidence = self.reads.entity_evidence(None, &ids).await?;
        Ok(rekeyed(evidence, MentionsOf))
    }
}

impl Loader<EvidenceOf> for Loaders {
    type Value = Arc<Vec<EvidenceView>>;
    type Error = Arc<StoreError>;

    async fn load(&self, keys: &[EvidenceOf]) -> Loaded<EvidenceOf, Arc<Vec<EvidenceView>>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let evidence = self.reads.relation_evidence(&ids).await?;
        Ok(rekeyed(evidence, EvidenceOf))
    }
}

impl Loader<PlaceOf> for Loaders {
    type Value = Arc<DocumentView>;
    type Error = Arc<StoreError>;

    async fn load(&self, keys: &[PlaceOf]) -> Loaded<PlaceOf, Arc<DocumentView>> {
        let mut by_batch: HashMap<_, Vec<_>> = HashMap::new();
        for key in keys {
            by_batch.entry(key.batch).or_default().push(key.extraction);
        }
        let mut found = HashMap::with_capacity(keys.len());
        for (batch, extractions) in by_batch {
            let places = self.places(batch, &extractions).await?;
            found.extend(
                places
                    .into_iter()
                    .map(|(extraction, place)| (PlaceOf { batch, extraction }, Arc::new(place))),
            );
        }
        Ok(found)
    }
}

impl Loaders {
    async fn places(
        &self,
        batch: Option<BatchId>,
        extractions: &[ExtractionId],
    ) -> Result<HashMap<ExtractionId, DocumentView>, StoreError> {
        let mut places = self.reads.places(batch, extractions).await?;
        let elsewhere: Vec<_> = extractions
            .iter()
            .copied()
            .filter(|extraction| batch.is_some() && !places.contains_key(extraction))
            .collect();
        if !elsewhere.is_empty() {
            places.extend(self.reads.places(None, &elsewhere).await?);
        }
        Ok(places)
    }
}

/// Batches that are asked for the same page.
fn batches_by<K, P: Eq + Hash>(
    keys: &[K],
    split: impl Fn(&K) -> (BatchId, P),
) -> HashMap<P, Vec<BatchId>> {
    let mut groups: HashMap<P, Vec<BatchId>> = HashMap::new();
    for (batch, page) in keys.iter().map(split) {
        groups.entry(page).or_default().push(batch);
    }
    groups
}

fn by_key<K: Eq + Hash, V>(
    values: impl IntoIterator<Item = V>,
    key: impl Fn(&V) -> K,
) -> HashMap<K, V> {
    values
        .into_iter()
        .map(|value| (key(&value), value))
        .collect()
}

fn rekeyed<I, K: Eq + Hash, V>(values: HashMap<I, V>, key: fn(I) -> K) -> HashMap<K, Arc<V>> {
    values
        .into_iter()
        .map(|(id, value)| (key(id), Arc::new(value)))
        .collect()
}
