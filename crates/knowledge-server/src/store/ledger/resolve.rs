//! Resolution of a batch's entities, and with it the end of the run, in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use knowledge_domain::{
    batch::{BatchEventKind, BatchTrigger},
    document::DocumentStatus,
    graph::Confidence,
    ids::{ClusterId, EntityId, OrganizationId},
};
use knowledge_resolution::{Candidate, Cluster, cluster_key, resolve};
use knowledge_tables::{
    batch_document, cluster_member, entity, entity_cluster, mention_record, merge_history,
    organization, same_as_link,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{
    Lease, Ledger, LedgerError,
    change::BatchChange,
    document::of_status,
    writer::{Scope, commit_alone},
};
use crate::store::convert;

/// Ids that one statement names at most; SQLite binds at most 32,766 values.
const IDS_PER_STATEMENT: usize = 1_000;

/// Why exact names link: the database's and the wire's word for it.
const EXACT_NAME: &str = "exact_name";

#[derive(Debug, Default)]
struct Counts {
    merges: u32,
    links: u32,
}

impl Ledger {
    /// Resolves the entities of a batch that is `Resolving`, and completes it.
    ///
    /// Batches of one organisation are resolved one after the other, so none misses what another
    /// writes.
    pub async fn resolve(&self, lease: Lease) -> Result<(), LedgerError> {
        commit_alone(&self.env, Scope::owned(lease), |change| {
            Box::pin(resolve_batch(change))
        })
        .await
    }
}

async fn resolve_batch(change: &mut BatchChange) -> Result<(), LedgerError> {
    organization::Entity::find_by_id(change.row.organization_id)
        .lock_exclusive()
        .one(change.tx.as_ref())
        .await?;
    let extractions = extractions(change).await?;
    let entities = entities_of(change, &extractions).await?;
    let counts = attach(change, &entities).await?;
    link_mentions(change, &extractions).await?;
    let clusters = faces(change, &extractions).await?;
    change.row.entity_count = convert::count(clusters);
    change.record(BatchEventKind::ResolutionCompleted {
        cluster_count: u32::try_from(clusters).unwrap_or(u32::MAX),
        merge_count: counts.merges,
        same_as_count: counts.links,
    });
    let totals = change.totals();
    change.apply(BatchTrigger::Complete { totals })
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
async fn attach(change: &BatchChange, entities: &[entity::Model]) -> Result<Counts, LedgerError> {
    let keys: HashMap<Uuid, String> = entities
        .iter()
        .map(|row| Ok((row.id, key_of(row)?)))
        .collect::<Result<_, LedgerError>>()?;
    let existing = existing_clusters(change, keys.values()).await?;
    let members = members_of(change, existing.values().map(|cluster| cluster.id)).await?;
    let known: HashSet<Uuid> = members.iter().map(|member| member.id).collect();
    let candidates = entities
        .iter()
        .filter(|row| !known.contains(&row.id))
        .chain(&members)
        .map(candidate)
        .collect::<Result<Vec<_>, LedgerError>>()?;
    let mut counts = Counts::default();
    for cluster in resolve(&candidates) {
        let before = existing.get(&cluster.key);
        write_cluster(change, &cluster, before, &known, &mut counts).await?;
    }
    Ok(counts)
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
    keys: impl Iterator<Item = &String>,
) -> Result<HashMap<String, entity_cluster::Model>, LedgerError> {
    let mut keys: Vec<&String> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    let mut clusters = HashMap::new();
    for keys in keys.chunks(IDS_PER_STATEMENT) {
        let rows = entity_cluster::Entity::find()
            .filter(entity_cluster::Column::OrganizationId.eq(change.row.organization_id))
            .filter(entity_cluster::Column::ClusterKey.is_in(keys.iter().copied()))
            .all(change.tx.as_ref())
            .await?;
        clusters.extend(rows.into_iter().map(|row| (row.cluster_key.clone(), row)));
    }
    Ok(clusters)
}

async fn members_of(
    change: &BatchChange,
    clusters: impl Iterator<Item = Uuid>,
) -> Result<Vec<entity::Model>, LedgerError> {
    let clusters: Vec<Uuid> = clusters.collect();
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

async fn write_cluster(
    change: &BatchChange,
    cluster: &Cluster,
    before: Option<&entity_cluster::Model>,
    known: &HashSet<Uuid>,
    counts: &mut Counts,
) -> Result<(), LedgerError> {
    let joined: Vec<EntityId> = cluster
        .members
        .iter()
        .copied()
        .filter(|id| !known.contains(&id.uuid()))
        .collect();
    if joined.is_empty() {
        return Ok(());
    }
    let organization = OrganizationId::from_uuid(change.row.organization_id);
    let id = ClusterId::derive(organization, &cluster.key);
    upsert_cluster(change, id, cluster, before).await?;
    insert_members(change, id, &joined).await?;
    if cluster.members.len() > 1 {
        point_at_face(change, cluster).await?;
        counts.links += write_links(change, cluster).await?;
        counts.merges += write_history(change, cluster, &joined).await?;
    }
    Ok(())
}

async fn upsert_cluster(
    change: &BatchChange,
    id: ClusterId,
    cluster: &Cluster,
    before: Option<&entity_cluster::Model>,
) -> Result<(), LedgerError> {
    use entity_cluster::Column;
    let row = entity_cluster::ActiveModel {
        id: Set(id.uuid()),
        organization_id: Set(change.row.organization_id),
        cluster_key: Set(cluster.key.clone()),
        canonical_entity_id: Set(cluster.canonical.uuid()),
        member_count: Set(convert::count(cluster.members.len())),
        cohesion: Set(1.0),
        shared_types: Set(convert::to_json(&cluster.shared_types)?),
        version: Set(before.map_or(1, |row| row.version + 1)),
        created_at: Set(change.at),
        updated_at: Set(change.at),
    };
    let changed = [
        Column::CanonicalEntityId,
        Column::MemberCount,
        Column::SharedTypes,
        Column::Version,
        Column::UpdatedAt,
    ];
    entity_cluster::Entity::insert(row)
        .on_conflict(
            OnConflict::column(Column::Id)
                .update_columns(changed)
                .to_owned(),
        )
        .exec_without_returning(change.tx.as_ref())
        .await?;
    Ok(())
}

async fn insert_members(
    change: &BatchChange,
    cluster: ClusterId,
    joined: &[EntityId],
) -> Result<(), LedgerError> {
    for entities in joined.chunks(IDS_PER_STATEMENT) {
        let rows = entities.iter().map(|entity| cluster_member::ActiveModel {
            id: Set(change.entropy().uuid_v7()),
            organization_id: Set(change.row.organization_id),
            cluster_id: Set(cluster.uuid()),
            entity_id: Set(entity.uuid()),
            created_at: Set(change.at),
            updated_at: Set(change.at),
        });
        cluster_member::Entity::insert_many(rows)
            .exec_without_returning(change.tx.as_ref())
            .await?;
    }
    Ok(())
}

/// Points every member, and its mentions, at the cluster's face.
async fn point_at_face(change: &BatchChange, cluster: &Cluster) -> Result<(), LedgerError> {
    for members in cluster.members.chunks(IDS_PER_STATEMENT) {
        let ids = || members.iter().map(|member| member.uuid());
        entity::Entity::update_many()
            .col_expr(
                entity::Column::CanonicalId,
                Expr::value(cluster.canonical.uuid()),
            )
            .filter(entity::Column::Id.is_in(ids()))
            .exec(change.tx.as_ref())
            .await?;
        mention_record::Entity::update_many()
            .col_expr(
                mention_record::Column::ResolvedEntityId,
                Expr::value(cluster.canonical.uuid()),
            )
            .filter(mention_record::Column::EntityId.is_in(ids()))
            .exec(change.tx.as_ref())
            .await?;
    }
    Ok(())
}

/// Writes one link from the face to every other member, in place of those of an earlier face.
async fn write_links(change: &BatchChange, cluster: &Cluster) -> Result<u32, LedgerError> {
    use same_as_link::Column;
    for members in cluster.members.chunks(IDS_PER_STATEMENT) {
        same_as_link::Entity::delete_many()
            .filter(Column::MemberId.is_in(members.iter().map(|member| member.uuid())))
            .exec(change.tx.as_ref())
            .await?;
    }
    let others: Vec<EntityId> = cluster
        .members
        .iter()
        .copied()
        .filter(|member| *member != cluster.canonical)
        .collect();
    for members in others.chunks(IDS_PER_STATEMENT) {
        let rows = members.iter().map(|member| same_as_link::ActiveModel {
            id: Set(change.entropy().uuid_v7()),
            organization_id: Set(change.row.organization_id),
            canonical_id: Set(cluster.canonical.uuid()),
            member_id: Set(member.uuid()),
            confidence: Set(1.0),
            reason: Set(EXACT_NAME.to_owned()),
            created_at: Set(change.at),
            updated_at: Set(change.at),
        });
        same_as_link::Entity::insert_many(rows)
            .exec_without_returning(change.tx.as_ref())
            .await?;
    }
    Ok(u32::try_from(others.len()).unwrap_or(u32::MAX))
}

async fn write_history(
    change: &BatchChange,
    cluster: &Cluster,
    joined: &[EntityId],
) -> Result<u32, LedgerError> {
    let merged: Vec<EntityId> = joined
        .iter()
        .copied()
        .filter(|member| *member != cluster.canonical)
        .collect();
    for members in merged.chunks(IDS_PER_STATEMENT) {
        let rows = members.iter().map(|member| merge_history::ActiveModel {
            id: Set(change.entropy().uuid_v7()),
            organization_id: Set(change.row.organization_id),
            source_entity_id: Set(member.uuid()),
            target_entity_id: Set(cluster.canonical.uuid()),
            reason: Set(EXACT_NAME.to_owned()),
            confidence: Set(1.0),
            merged_by: Set(change.batch_id().to_string()),
            merged_at: Set(change.at),
            created_at: Set(change.at),
            updated_at: Set(change.at),
        });
        merge_history::Entity::insert_many(rows)
            .exec_without_returning(change.tx.as_ref())
            .await?;
    }
    Ok(u32::try_from(merged.len()).unwrap_or(u32::MAX))
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
