//! Clusters: who belongs to one, who faces it, and who points where.

use knowledge_tables::{cluster_member, entity, entity_cluster, mention_record, same_as_link};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, JoinType, Query, SelectStatement};

use super::rule::{DatabaseRule, any, ids, miscounted, number_of};

pub(super) const RULES: &[DatabaseRule] = &[
    DatabaseRule {
        code: "clusters/member-count",
        table: "entity_cluster",
        says: "row says {said}, members say {found}",
        broken: || {
            let members = number_of(cluster_member::Entity)
                .and_where(is_member())
                .take();
            miscounted(
                entity_cluster::Entity,
                entity_cluster::Column::MemberCount,
                &members,
            )
        },
    },
    DatabaseRule {
        code: "clusters/face",
        table: "entity_cluster",
        says: "the entity that faces it is no member of it",
        broken: || {
            let face = any(cluster_member::Entity)
                .and_where(is_member())
                .and_where(
                    Expr::col((cluster_member::Entity, cluster_member::Column::EntityId)).equals((
                        entity_cluster::Entity,
                        entity_cluster::Column::CanonicalEntityId,
                    )),
                )
                .take();
            ids(entity_cluster::Entity)
                .and_where(Expr::not_exists(face))
                .take()
        },
    },
    DatabaseRule {
        code: "clusters/canonical",
        table: "entity",
        says: "it does not point at the entity that faces its cluster",
        broken: || {
            let other_face = Query::select()
                .expr(Expr::value(1))
                .from(cluster_member::Entity)
                .inner_join(entity_cluster::Entity, is_member())
                .and_where(is_the_member())
                .and_where(
                    Expr::col((
                        entity_cluster::Entity,
                        entity_cluster::Column::CanonicalEntityId,
                    ))
                    .ne(canonical()),
                )
                .take();
            ids(entity::Entity)
                .and_where(Expr::exists(other_face))
                .take()
        },
    },
    DatabaseRule {
        code: "clusters/unclustered",
        table: "entity",
        says: "it is in no cluster, but does not face itself",
        broken: || {
            let member = any(cluster_member::Entity)
                .and_where(is_the_member())
                .take();
            ids(entity::Entity)
                .and_where(canonical().ne(Expr::col((entity::Entity, entity::Column::Id))))
                .and_where(Expr::not_exists(member))
                .take()
        },
    },
    DatabaseRule {
        code: "clusters/link",
        table: "same_as_link",
        says: "it does not lead from the face of a cluster to another member of it",
        broken: || {
            ids(same_as_link::Entity)
                .and_where(Expr::not_exists(within_one_cluster()))
                .take()
        },
    },
    DatabaseRule {
        code: "clusters/mention",
        table: "mention_record",
        says: "it is not resolved to the entity that its own points at",
        broken: || {
            use mention_record::{Column, Entity};
            let column = |column: Column| Expr::col((Entity, column));
            let resolved = || column(Column::ResolvedEntityId);
            let elsewhere = any(entity::Entity)
                .and_where(
                    Expr::col((entity::Entity, entity::Column::Id))
                        .equals((Entity, Column::EntityId)),
                )
                .and_where(canonical().ne(resolved()))
                .take();
            let clustered = any(cluster_member::Entity)
                .and_where(
                    Expr::col((cluster_member::Entity, cluster_member::Column::EntityId))
                        .equals((Entity, Column::EntityId)),
                )
                .take();
            let wrong = resolved().is_null().and(Expr::exists(clustered));
            ids(Entity)
                .and_where(Expr::exists(elsewhere).or(wrong))
                .take()
        },
    },
];

/// The member is of the cluster.
fn is_member() -> Expr {
    Expr::col((cluster_member::Entity, cluster_member::Column::ClusterId))
        .equals((entity_cluster::Entity, entity_cluster::Column::Id))
}

/// The member is the entity.
fn is_the_member() -> Expr {
    Expr::col((cluster_member::Entity, cluster_member::Column::EntityId))
        .equals((entity::Entity, entity::Column::Id))
}

fn canonical() -> Expr {
    Expr::col((entity::Entity, entity::Column::CanonicalId))
}

/// The cluster whose face a link starts at and whose other member it leads to.
fn within_one_cluster() -> SelectStatement {
    use same_as_link::{Column, Entity};
    let member =
        |name: &'static str, column: cluster_member::Column| Expr::col((Alias::new(name), column));
    let (face, other) = (Alias::new("face"), Alias::new("other"));
    let one_cluster = member("other", cluster_member::Column::ClusterId)
        .eq(member("face", cluster_member::Column::ClusterId));
    let faced = Expr::col((entity_cluster::Entity, entity_cluster::Column::Id))
        .eq(member("face", cluster_member::Column::ClusterId))
        .and(
            Expr::col((
                entity_cluster::Entity,
                entity_cluster::Column::CanonicalEntityId,
            ))
            .eq(member("face", cluster_member::Column::EntityId)),
        );
    Query::select()
        .expr(Expr::value(1))
        .from_as(cluster_member::Entity, face)
        .join_as(
            JoinType::InnerJoin,
            cluster_member::Entity,
            other,
            one_cluster,
        )
        .inner_join(entity_cluster::Entity, faced)
        .and_where(
            member("face", cluster_member::Column::EntityId).equals((Entity, Column::CanonicalId)),
        )
        .and_where(
            member("other", cluster_member::Column::EntityId).equals((Entity, Column::MemberId)),
        )
        .and_where(
            Expr::col((Entity, Column::CanonicalId)).ne(Expr::col((Entity, Column::MemberId))),
        )
        .take()
}
