//! Resolution of a batch's entities, and with it the end of the run, in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use knowledge_domain::{
    batch::{BatchEventKind, BatchTrigger},
    document::DocumentStatus,
    graph::Confidence,
    ids::EntityId,
};
use knowledge_resolution::{Candidate, cluster_key, resolve};
use knowledge_tables::{
    batch_document, cluster_member, entity, entity_cluster, mention_record, organization, relation,
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, LockType},
};
use uuid::Uuid;

use super::{
    Lease, Ledger, LedgerError,
    change::BatchChange,
    document::of_status,
    links::Links,
    writer::{Scope, commit_alone},
};
use crate::{
    faults::{FailurePoint, hit},
    store::convert,
};

/// Ids that one statement names at most; SQLite binds at most 32,766 values.
const IDS_PER_STATEMENT: usize = 1_000;

impl Ledger {
    /// Resolves the entities of a batch that is `Resolving`, and completes it.
    ///
    /// Batches of one organisation are resolved one after the other, so none misses what another
    /// writes.
    pub async fn resolve(&self, lease: Lease) -> Result<(), LedgerError> {
        commit_alone(&self.env, Scope::owned(lease), |change| {
            Box::pin(resolve_batch(change))
        })
        .await?;
        hit(FailurePoint::ResolutionAfterCommit);
        Ok(())
    }
}

async fn resolve_batch(change: &mut BatchChange) -> Result<(), LedgerError> {
    change.env.store.be_patient(&change.tx).await?;
    // Not the lock that foreign keys to the organisation wait for.
    organization::Entity::find_by_id(change.row.organization_id)
        .lock(LockType::NoKeyUpdate)
        .one(change.tx.as_ref())
        .await?;
    let extractions = extractions(change).await?;
    let entities = entities_of(change, &extractions).await?;
    let links = attach(change, &entities).await?;
    hit(FailurePoint::ResolutionHalfWritten);
    link_mentions(change, &extractions).await?;
    let clusters = faces(change, &extractions).await?;
    let relations = folded_relations(change, &extractions).await?;
    change.refresh();
    change.row.entity_count = convert::count(clusters);
    change.row.relation_count = convert::count(relations);
    change.record(BatchEventKind::ResolutionCompleted {
        cluster_count: u32::try_from(clusters).unwrap_or(u32::MAX),
        merge_count: u32::try_from(links.merges.len()).unwrap_or(u32::MAX),
        same_as_count: u32::try_from(links.same_as.len()).unwrap_or(u32::MAX),
    });
    let totals = change.totals();
    change.apply(BatchTrigger::Complete { totals })?;
    hit(FailurePoint::ResolutionBeforeCommit);
    Ok(())
}

/// The extractions of the batch's completed documents, each once.
async fn extractions(change: &BatchChange) -> Result<Vec<Uuid>, LedgerError> {
    let mut ids: Vec<Uuid> = of_status(change, &[DocumentStatus::Completed])
        .select_only()
        .column(batch_document::Column::ExtractionId)
        .into_tuple::<Option<Uuid>>()
        .all(change.tx.as_ref())
        .await?
        .into_iter()
        .flatten()
        .collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

async fn entities_of(
    change: &BatchChange,
    extractions: &[Uuid],
) -> Result<Vec<entity::Model>, LedgerError> {
    let mut entities = Vec::new();
    for ids in extractions.chunks(IDS_PER_STATEMENT) {
        entities.extend(
            entity::Entity::find()
                .filter(entity::Column::ExtractionId.is_in(ids.iter().copied()))
                .all(change.tx.as_ref())
                .await?,
        );
    }
    Ok(entities)
}

/// Attaches entities to the organisation's clusters, or opens clusters for them.
async fn attach(change: &BatchChange, entities: &[entity::Model]) -> Result<Links, LedgerError> {
    let keys: Vec<String> = entities.iter().map(key_of).collect::<Result<_, _>>()?;
    let existing = existing_clusters(change, keys).await?;
    let clusters: Vec<Uuid> = existing.values().map(|cluster| cluster.id).collect();
    let members = members_of(change, &clusters).await?;
    let clustered: HashSet<Uuid> = members.iter().map(|member| member.id).collect();
    let joining = entities.iter().filter(|row| !clustered.contains(&row.id));
    let faces: HashMap<Uuid, Uuid> = members
        .iter()
        .chain(entities)
        .map(|row| (row.id, row.canonical_id))
        .collect();
    let candidates = joining
        .chain(&members)
        .map(candidate)
        .collect::<Result<Vec<_>, LedgerError>>()?;
    let mut links = Links::default();
    for cluster in resolve(&candidates) {
        links.attach(&cluster, existing.get(&cluster.key), &clustered, &faces);
    }
    links.write(change).await?;
    Ok(links)
}

fn key_of(row: &entity::Model) -> Result<String, LedgerError> {
    let types: Vec<String> = convert::from_json("entity.types", row.types.clone())?;
    Ok(cluster_key(&row.name, &types))
}

fn candidate(row: &entity::Model) -> Result<Candidate, LedgerError> {
    let attributes: BTreeMap<String, String> =
        convert::from_json("entity.attributes", row.attributes.clone())?;
    Ok(Candidate {
        id: EntityId::from_uuid(row.id),
        name: row.name.clone(),
        types: convert::from_json("entity.types", row.types.clone())?,
        attributes: u32::try_from(attributes.len()).unwrap_or(u32::MAX),
        mentions: u32::try_from(row.mention_count).unwrap_or_default(),
        confidence: Confidence::new(row.confidence),
    })
}

async fn existing_clusters(
    change: &BatchChange,
    mut keys: Vec<String>,
) -> Result<HashMap<String, entity_cluster::Model>, LedgerError> {
    keys.sort_unstable();
    keys.dedup();
    let mut clusters = HashMap::new();
    for keys in keys.chunks(IDS_PER_STATEMENT) {
        let rows = entity_cluster::Entity::find()
            .filter(entity_cluster::Column::OrganizationId.eq(change.row.organization_id))
            .filter(entity_cluster::Column::ClusterKey.is_in(keys.iter().cloned()))
            .all(change.tx.as_ref())
            .await?;
        clusters.extend(rows.into_iter().map(|row| (row.cluster_key.clone(), row)));
    }
    Ok(clusters)
}

async fn members_of(
    change: &BatchChange,
    clusters: &[Uuid],
) -> Result<Vec<entity::Model>, LedgerError> {
    let mut members = Vec::new();
    for ids in clusters.chunks(IDS_PER_STATEMENT) {
        let of_clusters = cluster_member::Entity::find()
            .select_only()
            .column(cluster_member::Column::EntityId)
            .filter(cluster_member::Column::ClusterId.is_in(ids.iter().copied()));
        members.extend(
            entity::Entity::find()
                .filter(
                    entity::Column::Id.in_subquery(sea_orm::QueryTrait::into_query(of_clusters)),
                )
                .all(change.tx.as_ref())
                .await?,
        );
    }
    Ok(members)
}

/// Mentions of entities that nothing merged resolve to their own entity.
async fn link_mentions(change: &BatchChange, extractions: &[Uuid]) -> Result<(), LedgerError> {
    use mention_record::Column;
    for ids in extractions.chunks(IDS_PER_STATEMENT) {
        mention_record::Entity::update_many()
            .col_expr(Column::ResolvedEntityId, Expr::col(Column::EntityId))
            .filter(Column::ExtractionId.is_in(ids.iter().copied()))
            .filter(Column::ResolvedEntityId.is_null())
            .exec(change.tx.as_ref())
            .await?;
    }
    Ok(())
}

/// How many entities the batch has after resolution.
async fn faces(change: &BatchChange, extractions: &[Uuid]) -> Result<usize, LedgerError> {
    let mut faces = HashSet::new();
    for ids in extractions.chunks(IDS_PER_STATEMENT) {
        faces.extend(
            entity::Entity::find()
                .select_only()
                .column(entity::Column::CanonicalId)
                .distinct()
                .filter(entity::Column::ExtractionId.is_in(ids.iter().copied()))
                .into_tuple::<Uuid>()
                .all(change.tx.as_ref())
                .await?,
        );
    }
    Ok(faces.len())
}

/// How many relations the batch has when those that say the same of the same entities are one.
async fn folded_relations(
    change: &BatchChange,
    extractions: &[Uuid],
) -> Result<usize, LedgerError> {
    let mut faces = HashMap::new();
    let mut folded = HashSet::new();
    for ids in extractions.chunks(IDS_PER_STATEMENT) {
        let rows: Vec<(Uuid, Uuid)> = entity::Entity::find()
            .select_only()
            .columns([entity::Column::Id, entity::Column::CanonicalId])
            .filter(entity::Column::ExtractionId.is_in(ids.iter().copied()))
            .into_tuple()
            .all(change.tx.as_ref())
            .await?;
        faces.extend(rows);
        let rows = relation::Entity::find()
            .filter(relation::Column::ExtractionId.is_in(ids.iter().copied()))
            .all(change.tx.as_ref())
            .await?;
        let face = |id: Uuid| faces.get(&id).copied().unwrap_or(id);
        folded.extend(rows.into_iter().map(|row| {
            let literal = row.literal_value.map(|value| value.to_ascii_lowercase());
            let object = row.object_id.map(face);
            (face(row.subject_id), row.predicate, object, literal)
        }));
    }
    Ok(folded.len())
}
