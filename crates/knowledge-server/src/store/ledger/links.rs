//! What resolution writes: clusters, members, sameAs links and history, gathered and written in
//! bulk.
//!
//! A cluster that keeps its face costs what joins it; one that gets another face is written anew.

use std::collections::{HashMap, HashSet};

use knowledge_domain::ids::{ClusterId, EntityId, OrganizationId};
use knowledge_resolution::Cluster;
use knowledge_tables::{
    cluster_member, entity, entity_cluster, mention_record, merge_history, same_as_link,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{LedgerError, change::BatchChange};
use crate::store::convert;

/// Rows that one statement writes or names at most; SQLite binds at most 32,766 values.
const ROWS_PER_STATEMENT: usize = 1_000;

/// Why exact names link: the database's and the wire's word for it.
const EXACT_NAME: &str = "exact_name";

/// An entity and the entity that faces its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Faced {
    member: EntityId,
    face: EntityId,
}

/// What a resolution changes.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Clusters that are opened or change, with their earlier version.
    clusters: Vec<(Cluster, i64)>,
    /// Entities that join a cluster, with its key.
    joined: Vec<(EntityId, String)>,
    /// Entities whose sameAs link is of an earlier face.
    refaced: Vec<EntityId>,
    /// Entities that another faces from now on.
    pub(super) merges: Vec<Faced>,
    /// Links that are written.
    pub(super) same_as: Vec<Faced>,
}

impl Links {
    /// Adds a cluster, `clustered` being the entities that were in one before and `faces` the
    /// faces of all entities until now.
    pub(super) fn attach(
        &mut self,
        cluster: &Cluster,
        before: Option<&entity_cluster::Model>,
        clustered: &HashSet<Uuid>,
        faces: &HashMap<Uuid, Uuid>,
    ) {
        let face = cluster.canonical;
        let joined = |id: &EntityId| !clustered.contains(&id.uuid());
        if !cluster.members.iter().any(joined) {
            return;
        }
        let refaced = before.is_some_and(|row| row.canonical_entity_id != face.uuid());
        for member in cluster.members.iter().copied() {
            if joined(&member) {
                self.joined.push((member, cluster.key.clone()));
            } else if refaced {
                self.refaced.push(member);
            } else {
                continue;
            }
            let link = Faced { member, face };
            if member != face {
                self.same_as.push(link);
            }
            if faces.get(&member.uuid()) != Some(&face.uuid()) {
                self.merges.push(link);
            }
        }
        let version = before.map_or(0, |row| row.version);
        self.clusters.push((cluster.clone(), version));
    }

    /// Writes everything.
    pub(super) async fn write(&self, change: &BatchChange) -> Result<(), LedgerError> {
        self.write_clusters(change).await?;
        self.write_members(change).await?;
        self.write_faces(change).await?;
        self.delete_old_links(change).await?;
        self.write_links(change).await?;
        self.write_history(change).await
    }

    async fn write_clusters(&self, change: &BatchChange) -> Result<(), LedgerError> {
        use entity_cluster::Column;
        let rows = self
            .clusters
            .iter()
            .map(|(cluster, version)| cluster_row(change, cluster, *version))
            .collect::<Result<Vec<_>, LedgerError>>()?;
        let changed = [
            Column::CanonicalEntityId,
            Column::MemberCount,
            Column::SharedTypes,
            Column::Version,
            Column::UpdatedAt,
        ];
        let overwrite = OnConflict::column(Column::Id)
            .update_columns(changed)
            .to_owned();
        insert(change, rows, Some(overwrite)).await
    }

    async fn write_members(&self, change: &BatchChange) -> Result<(), LedgerError> {
        let rows = self.joined.iter().map(|(entity, key)| {
            let cluster = ClusterId::derive(organization(change), key);
            cluster_member::ActiveModel {
                id: Set(change.entropy().uuid_v7()),
                organization_id: Set(change.row.organization_id),
                cluster_id: Set(cluster.uuid()),
                entity_id: Set(entity.uuid()),
                created_at: Set(change.at),
                updated_at: Set(change.at),
            }
        });
        insert(change, rows.collect(), None).await
    }

    /// Points entities and their mentions at their new faces.
    async fn write_faces(&self, change: &BatchChange) -> Result<(), LedgerError> {
        let mut by_face: HashMap<EntityId, Vec<Uuid>> = HashMap::new();
        for faced in &self.merges {
            let members = by_face.entry(faced.face).or_default();
            members.push(faced.member.uuid());
        }
        for (face, members) in by_face {
            for members in members.chunks(ROWS_PER_STATEMENT) {
                point_at(change, face, members).await?;
            }
        }
        Ok(())
    }

    async fn delete_old_links(&self, change: &BatchChange) -> Result<(), LedgerError> {
        for members in self.refaced.chunks(ROWS_PER_STATEMENT) {
            same_as_link::Entity::delete_many()
                .filter(same_as_link::Column::MemberId.is_in(uuids(members)))
                .exec(change.tx.as_ref())
                .await?;
        }
        Ok(())
    }

    async fn write_links(&self, change: &BatchChange) -> Result<(), LedgerError> {
        let rows = self.same_as.iter().map(|faced| same_as_link::ActiveModel {
            id: Set(change.entropy().uuid_v7()),
            organization_id: Set(change.row.organization_id),
            canonical_id: Set(faced.face.uuid()),
            member_id: Set(faced.member.uuid()),
            confidence: Set(1.0),
            reason: Set(EXACT_NAME.to_owned()),
            created_at: Set(change.at),
            updated_at: Set(change.at),
        });
        insert(change, rows.collect(), None).await
    }

    async fn write_history(&self, change: &BatchChange) -> Result<(), LedgerError> {
        let rows = self.merges.iter().map(|faced| merge_history::ActiveModel {
            id: Set(change.entropy().uuid_v7()),
            organization_id: Set(change.row.organization_id),
            source_entity_id: Set(faced.member.uuid()),
            target_entity_id: Set(faced.face.uuid()),
            reason: Set(EXACT_NAME.to_owned()),
            confidence: Set(1.0),
            merged_by: Set(change.batch_id().to_string()),
            merged_at: Set(change.at),
            created_at: Set(change.at),
            updated_at: Set(change.at),
        });
        insert(change, rows.collect(), None).await
    }
}

fn organization(change: &BatchChange) -> OrganizationId {
    OrganizationId::from_uuid(change.row.organization_id)
}

fn uuids(entities: &[EntityId]) -> impl Iterator<Item = Uuid> {
    entities.iter().map(|entity| entity.uuid())
}

fn cluster_row(
    change: &BatchChange,
    cluster: &Cluster,
    version: i64,
) -> Result<entity_cluster::ActiveModel, LedgerError> {
    Ok(entity_cluster::ActiveModel {
        id: Set(ClusterId::derive(organization(change), &cluster.key).uuid()),
        organization_id: Set(change.row.organization_id),
        cluster_key: Set(cluster.key.clone()),
        canonical_entity_id: Set(cluster.canonical.uuid()),
        member_count: Set(convert::count(cluster.members.len())),
        cohesion: Set(1.0),
        shared_types: Set(convert::to_json(&cluster.shared_types)?),
        version: Set(version + 1),
        created_at: Set(change.at),
        updated_at: Set(change.at),
    })
}

async fn point_at(
    change: &BatchChange,
    face: EntityId,
    members: &[Uuid],
) -> Result<(), LedgerError> {
    entity::Entity::update_many()
        .col_expr(entity::Column::CanonicalId, Expr::value(face.uuid()))
        .filter(entity::Column::Id.is_in(members.iter().copied()))
        .exec(change.tx.as_ref())
        .await?;
    mention_record::Entity::update_many()
        .col_expr(
            mention_record::Column::ResolvedEntityId,
            Expr::value(face.uuid()),
        )
        .filter(mention_record::Column::EntityId.is_in(members.iter().copied()))
        .exec(change.tx.as_ref())
        .await?;
    Ok(())
}

async fn insert<A>(
    change: &BatchChange,
    rows: Vec<A>,
    on_conflict: Option<OnConflict>,
) -> Result<(), LedgerError>
where
    A: ActiveModelTrait + Send + Sync,
{
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let mut insert = <A::Entity as EntityTrait>::insert_many(rows.to_vec());
        if let Some(on_conflict) = &on_conflict {
            insert = insert.on_conflict(on_conflict.clone());
        }
        insert.exec_without_returning(change.tx.as_ref()).await?;
    }
    Ok(())
}
