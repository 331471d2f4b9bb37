//! Resolution: forms add up to their entities, agree with the clusters, and decisions are kept.

use knowledge_domain::{
    batch::BatchStage, document::DocumentStatus, workflow::WorkflowExecutionStatus,
};
use knowledge_resolution::VERSION;
use knowledge_tables::{
    batch_document, batch_execution, cluster_member, embedding, entity, entity_cluster,
    organization, resolution_decision, resolution_form, resolution_leaf, resolution_question,
    workflow_execution,
};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, JoinType, Query, SelectStatement};

use super::rule::{DatabaseRule, any, ids, miscounted, number_of};

pub(super) const RULES: &[DatabaseRule] = &[
    DatabaseRule {
        code: "resolution/entity-count",
        table: "resolution_form",
        says: "row says {said}, entities say {found}",
        broken: || {
            let entities = number_of(entity::Entity).and_where(is_of_form()).take();
            let column = resolution_form::Column::EntityCount;
            miscounted(resolution_form::Entity, column, &entities)
        },
    },
    DatabaseRule {
        code: "resolution/face",
        table: "resolution_form",
        says: "the entity that would face it is not of it",
        broken: || {
            let face = any(entity::Entity)
                .and_where(is_of_form())
                .and_where(form(resolution_form::Column::FaceId).eq(of_entity(entity::Column::Id)))
                .take();
            ids(resolution_form::Entity)
                .and_where(Expr::not_exists(face))
                .take()
        },
    },
    DatabaseRule {
        code: "resolution/canonical",
        table: "resolution_form",
        says: "it does not point at the entity that faces its cluster",
        broken: || {
            let cluster = any(entity_cluster::Entity)
                .and_where(
                    of_cluster(entity_cluster::Column::Id)
                        .eq(form(resolution_form::Column::ClusterId)),
                )
                .and_where(
                    of_cluster(entity_cluster::Column::CanonicalEntityId)
                        .eq(form(resolution_form::Column::CanonicalId)),
                )
                .take();
            ids(resolution_form::Entity)
                .and_where(form(resolution_form::Column::ClusterId).is_not_null())
                .and_where(Expr::not_exists(cluster))
                .take()
        },
    },
    DatabaseRule {
        code: "resolution/cluster",
        table: "entity",
        says: "it is not in the cluster of its form",
        broken: || {
            let placed = Query::select()
                .expr(Expr::value(1))
                .from(cluster_member::Entity)
                .inner_join(
                    resolution_form::Entity,
                    form(resolution_form::Column::ClusterId)
                        .eq(of_member(cluster_member::Column::ClusterId)),
                )
                .and_where(
                    of_member(cluster_member::Column::EntityId).eq(of_entity(entity::Column::Id)),
                )
                .and_where(is_of_form())
                .take();
            ids(entity::Entity)
                .and_where(of_entity(entity::Column::Clustered).eq(true))
                .and_where(Expr::not_exists(placed))
                .take()
        },
    },
    DatabaseRule {
        code: "resolution/unplaced",
        table: "entity",
        says: "its batch is completed, but it was not resolved",
        broken: || {
            let completed = Query::select()
                .expr(Expr::value(1))
                .from(batch_document::Entity)
                .join(
                    JoinType::InnerJoin,
                    batch_execution::Entity,
                    of_batch(batch_execution::Column::Id)
                        .eq(of_document(batch_document::Column::BatchId)),
                )
                .and_where(
                    of_document(batch_document::Column::ExtractionId)
                        .eq(of_entity(entity::Column::ExtractionId)),
                )
                .and_where(
                    of_document(batch_document::Column::Status)
                        .eq(DocumentStatus::Completed.to_string()),
                )
                .and_where(
                    of_batch(batch_execution::Column::State).eq(BatchStage::Completed.to_string()),
                )
                .and_where(of_batch(batch_execution::Column::EnableEntityResolution).eq(true))
                .take();
            ids(entity::Entity)
                .and_where(of_entity(entity::Column::Clustered).eq(false))
                .and_where(Expr::exists(completed))
                .take()
        },
    },
    DatabaseRule {
        code: "resolution/decision",
        table: "resolution_decision",
        says: "a person took its forms apart, but they are one",
        broken: || {
            use resolution_decision::{Column, Entity};
            let column = |column: Column| Expr::col((Entity, column));
            let ends = (column(Column::LeftFormId), column(Column::RightFormId));
            ids(Entity)
                .and_where(column(Column::Kind).eq("apart"))
                .and_where(Expr::exists(in_one_cluster(ends)))
                .take()
        },
    },
    DatabaseRule {
        code: "resolution/question",
        table: "resolution_question",
        says: "it asks about forms that are one",
        broken: || {
            use resolution_question::{Column, Entity};
            let column = |column: Column| Expr::col((Entity, column));
            let ends = (column(Column::LeftFormId), column(Column::RightFormId));
            ids(Entity)
                .and_where(Expr::exists(in_one_cluster(ends)))
                .take()
        },
    },
    DatabaseRule {
        code: "resolution/embedding-owner",
        table: "embedding",
        says: "it is of a form that does not exist",
        broken: || {
            use embedding::{Column, Entity};
            let column = |column: Column| Expr::col((Entity, column));
            let owner = any(resolution_form::Entity)
                .and_where(form(resolution_form::Column::Id).eq(column(Column::OwnerId)))
                .and_where(
                    form(resolution_form::Column::OrganizationId)
                        .eq(column(Column::OrganizationId)),
                )
                .take();
            let of_form = column(Column::OwnerType)
                .eq("form")
                .and(Expr::exists(owner));
            ids(Entity).and_where(of_form.not()).take()
        },
    },
    DatabaseRule {
        code: "resolution/embedding-vector",
        table: "embedding",
        says: "it has not as many numbers as it says",
        broken: || {
            use embedding::{Column, Entity};
            let bytes = Func::cust(Alias::new("length")).arg(Expr::col((Entity, Column::Vector)));
            let said = Expr::col((Entity, Column::Dimensions)).mul(4);
            ids(Entity).and_where(Expr::expr(bytes).ne(said)).take()
        },
    },
    DatabaseRule {
        code: "resolution/leaves",
        table: "resolution_leaf",
        says: "its tree has not as many forms as there are vectors",
        broken: || {
            use resolution_leaf::{Column, Entity};
            let first = |column: Column| Expr::col((Entity, column));
            ids(Entity)
                .and_where(first(Column::Start).eq(0))
                .and_where(Expr::exists(resolved_by_these_rules()))
                .and_where(Expr::not_exists(in_its_tree().and_where(is_full()).take()))
                .and_where(Expr::expr(members_of_its_tree()).ne(Expr::expr(vectors_of_its_model())))
                .take()
        },
    },
    DatabaseRule {
        code: "resolution/workflow",
        table: "workflow_execution",
        says: "it runs, but its batch has ended",
        broken: || {
            use workflow_execution::{Column, Entity};
            let ended = [
                BatchStage::Completed,
                BatchStage::Failed,
                BatchStage::Cancelled,
            ];
            let batch = any(batch_execution::Entity)
                .and_where(
                    of_batch(batch_execution::Column::Id).eq(Expr::col((Entity, Column::BatchId))),
                )
                .and_where(
                    of_batch(batch_execution::Column::State)
                        .is_in(ended.iter().map(ToString::to_string)),
                )
                .take();
            ids(Entity)
                .and_where(
                    Expr::col((Entity, Column::Status))
                        .eq(WorkflowExecutionStatus::Running.to_string()),
                )
                .and_where(Expr::exists(batch))
                .take()
        },
    },
];

/// What another release has resolved has its places in trees when it is next resolved.
fn resolved_by_these_rules() -> SelectStatement {
    use organization::{Column, Entity};
    any(Entity)
        .and_where(
            Expr::col((Entity, Column::Id)).eq(leaf(resolution_leaf::Column::OrganizationId)),
        )
        .and_where(Expr::col((Entity, Column::ResolutionVersion)).eq(VERSION))
        .take()
}

/// The leaves of a leaf's tree.
fn in_its_tree() -> SelectStatement {
    use resolution_leaf::{Column, Entity};
    let same = |column: Column| other_leaf(column).eq(leaf(column));
    Query::select()
        .expr(Expr::value(1))
        .from_as(Entity, Alias::new("other"))
        .and_where(same(Column::OrganizationId))
        .and_where(same(Column::Model))
        .and_where(same(Column::Tree))
        .take()
}

/// Of more forms of one address not all are kept.
fn is_full() -> Expr {
    other_leaf(resolution_leaf::Column::Depth).eq(63)
}

fn members_of_its_tree() -> SelectStatement {
    let bytes = other_leaf(resolution_leaf::Column::Members);
    let bytes = Expr::expr(Func::cust(Alias::new("length")).arg(bytes));
    in_its_tree()
        .clear_selects()
        .expr(bytes.sum().div(24))
        .take()
}

fn vectors_of_its_model() -> SelectStatement {
    use embedding::{Column, Entity};
    let column = |column: Column| Expr::col((Entity, column));
    number_of(Entity)
        .and_where(column(Column::OrganizationId).eq(leaf(resolution_leaf::Column::OrganizationId)))
        .and_where(column(Column::Model).eq(leaf(resolution_leaf::Column::Model)))
        .and_where(column(Column::OwnerType).eq("form"))
        .and_where(column(Column::Dimensions).gt(0))
        .take()
}

fn leaf(column: resolution_leaf::Column) -> Expr {
    Expr::col((resolution_leaf::Entity, column))
}

fn other_leaf(column: resolution_leaf::Column) -> Expr {
    Expr::col((Alias::new("other"), column))
}

/// Whether two forms are in one cluster.
fn in_one_cluster((left, right): (Expr, Expr)) -> SelectStatement {
    let side =
        |name: &'static str, column: resolution_form::Column| Expr::col((Alias::new(name), column));
    let same = side("other", resolution_form::Column::ClusterId)
        .eq(side("one", resolution_form::Column::ClusterId));
    Query::select()
        .expr(Expr::value(1))
        .from_as(resolution_form::Entity, Alias::new("one"))
        .join_as(
            JoinType::InnerJoin,
            resolution_form::Entity,
            Alias::new("other"),
            same,
        )
        .and_where(side("one", resolution_form::Column::Id).eq(left))
        .and_where(side("other", resolution_form::Column::Id).eq(right))
        .take()
}

fn is_of_form() -> Expr {
    of_entity(entity::Column::FormId).eq(form(resolution_form::Column::Id))
}

fn form(column: resolution_form::Column) -> Expr {
    Expr::col((resolution_form::Entity, column))
}

fn of_entity(column: entity::Column) -> Expr {
    Expr::col((entity::Entity, column))
}

fn of_cluster(column: entity_cluster::Column) -> Expr {
    Expr::col((entity_cluster::Entity, column))
}

fn of_member(column: cluster_member::Column) -> Expr {
    Expr::col((cluster_member::Entity, column))
}

fn of_batch(column: batch_execution::Column) -> Expr {
    Expr::col((batch_execution::Entity, column))
}

fn of_document(column: batch_document::Column) -> Expr {
    Expr::col((batch_document::Entity, column))
}
