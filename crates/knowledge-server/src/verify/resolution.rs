//! Resolution: forms add up to their entities, agree with the clusters, and decisions are kept.

use knowledge_domain::{
    batch::BatchStage, document::DocumentStatus, workflow::WorkflowExecutionStatus,
};
use knowledge_resolution::{BITS, MEMBER, Settings, TREES, VERSION};
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
        table: "organization",
        says: "its trees have not as many forms as its model has vectors",
        broken: || {
            use organization::{Column, Entity};
            let column = |column: Column| Expr::col((Entity, column));
            let placed = || Expr::expr(members_of_trees());
            let wanted = || Expr::expr(vectors_of_model()).mul(number(TREES));
            let lacking = placed().lt(wanted()).and(Expr::not_exists(a_full_leaf()));
            ids(Entity)
                // What another release has resolved has its places when it is next resolved.
                .and_where(column(Column::ResolutionVersion).eq(VERSION))
                .and_where(placed().gt(wanted()).or(lacking))
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

/// The leaves of an organisation's model.
fn leaves_of_model() -> SelectStatement {
    use resolution_leaf::Column;
    let of_organization =
        leaf(Column::OrganizationId).eq(of_organization(organization::Column::Id));
    let of_model =
        leaf(Column::Model).eq(self::of_organization(organization::Column::EmbeddingModel));
    Query::select()
        .from(resolution_leaf::Entity)
        .and_where(of_organization)
        .and_where(of_model)
        .take()
}

fn members_of_trees() -> SelectStatement {
    let none = Expr::value(0);
    leaves_of_model()
        .expr(Func::coalesce([bytes_of_members().sum(), none]).div(number(MEMBER)))
        .take()
}

/// Of more forms of one address not all are kept.
fn a_full_leaf() -> SelectStatement {
    let most = MEMBER * Settings::default().max_block;
    leaves_of_model()
        .expr(Expr::value(1))
        .and_where(leaf(resolution_leaf::Column::Depth).eq(BITS.cast_signed()))
        .and_where(bytes_of_members().gt(number(most)))
        .take()
}

fn bytes_of_members() -> Expr {
    let members = leaf(resolution_leaf::Column::Members);
    Expr::expr(Func::cust(Alias::new("length")).arg(members))
}

fn vectors_of_model() -> SelectStatement {
    use embedding::{Column, Entity};
    let column = |column: Column| Expr::col((Entity, column));
    number_of(Entity)
        .and_where(column(Column::OrganizationId).eq(of_organization(organization::Column::Id)))
        .and_where(column(Column::Model).eq(of_organization(organization::Column::EmbeddingModel)))
        .and_where(column(Column::OwnerType).eq("form"))
        .and_where(column(Column::Dimensions).gt(0))
        .take()
}

fn number(number: usize) -> Expr {
    Expr::value(number as u64)
}

fn of_organization(column: organization::Column) -> Expr {
    Expr::col((organization::Entity, column))
}

fn leaf(column: resolution_leaf::Column) -> Expr {
    Expr::col((resolution_leaf::Entity, column))
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
