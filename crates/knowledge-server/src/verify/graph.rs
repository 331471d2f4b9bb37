//! The graph: everything found has its source, and every span lies in its document.

use knowledge_tables::{
    chunk, document, entity, extraction, mention_record, relation, relation_evidence,
};
use sea_orm::{
    Condition,
    sea_query::{
        Alias, Expr, ExprTrait, Func, IntoColumnRef, IntoIden, JoinType, Query, SelectStatement,
    },
};

use super::rule::{DatabaseRule, any, ids, miscounted, number_of};

pub(super) const RULES: &[DatabaseRule] = &[
    DatabaseRule {
        code: "graph/chunk-count",
        table: "extraction",
        says: "row says {said}, chunks say {found}",
        broken: || counted_by(extraction::Column::ChunkCount, chunk::Entity),
    },
    DatabaseRule {
        code: "graph/mention-count",
        table: "extraction",
        says: "row says {said}, mentions say {found}",
        broken: || counted_by(extraction::Column::MentionCount, mention_record::Entity),
    },
    DatabaseRule {
        code: "graph/entity-count",
        table: "extraction",
        says: "row says {said}, entities say {found}",
        broken: || counted_by(extraction::Column::EntityCount, entity::Entity),
    },
    DatabaseRule {
        code: "graph/relation-count",
        table: "extraction",
        says: "row says {said}, relations say {found}",
        broken: || counted_by(extraction::Column::RelationCount, relation::Entity),
    },
    DatabaseRule {
        code: "graph/entity-source",
        table: "entity",
        says: "no mention is its source",
        broken: || {
            let mentions = any(mention_record::Entity).and_where(mentions_it()).take();
            ids(entity::Entity)
                .and_where(Expr::not_exists(mentions))
                .take()
        },
    },
    DatabaseRule {
        code: "graph/entity-mentions",
        table: "entity",
        says: "row says {said}, mentions say {found}",
        broken: || {
            let mentions = number_of(mention_record::Entity)
                .and_where(mentions_it())
                .take();
            miscounted(entity::Entity, entity::Column::MentionCount, &mentions)
        },
    },
    DatabaseRule {
        code: "graph/entity-types",
        table: "entity",
        says: "it has no type",
        broken: || {
            ids(entity::Entity)
                .and_where(Expr::col((entity::Entity, entity::Column::TypeKey)).is_in(["", "||"]))
                .take()
        },
    },
    DatabaseRule {
        code: "graph/relation-source",
        table: "relation",
        says: "no evidence is its source",
        broken: || {
            let evidence = any(relation_evidence::Entity)
                .and_where(refers(
                    (
                        relation_evidence::Entity,
                        relation_evidence::Column::RelationId,
                    ),
                    (relation::Entity, relation::Column::Id),
                ))
                .take();
            ids(relation::Entity)
                .and_where(Expr::not_exists(evidence))
                .take()
        },
    },
    DatabaseRule {
        code: "graph/relation-object",
        table: "relation",
        says: "it must have one object: an entity or a literal",
        broken: || {
            let object = || Expr::col((relation::Entity, relation::Column::ObjectId));
            let literal = || Expr::col((relation::Entity, relation::Column::LiteralValue));
            let both = object().is_not_null().and(literal().is_not_null());
            let neither = object().is_null().and(literal().is_null());
            ids(relation::Entity).and_where(both.or(neither)).take()
        },
    },
    DatabaseRule {
        code: "graph/relation-ends",
        table: "relation",
        says: "its subject or object is of another extraction",
        broken: || {
            let ends = [relation::Column::SubjectId, relation::Column::ObjectId];
            let foreign = ends.into_iter().fold(Condition::any(), |all, end| {
                all.add(differs("relation", end, "entity", "extraction_id"))
            });
            ids(relation::Entity).cond_where(foreign).take()
        },
    },
    DatabaseRule {
        code: "graph/mention-entity",
        table: "mention_record",
        says: "its entity is of another extraction",
        broken: || elsewhere("mention_record", "entity_id", "entity", "extraction_id"),
    },
    DatabaseRule {
        code: "graph/mention-chunk",
        table: "mention_record",
        says: "its chunk is of another extraction",
        broken: || elsewhere("mention_record", "chunk_id", "chunk", "extraction_id"),
    },
    DatabaseRule {
        code: "graph/chunk-document",
        table: "chunk",
        says: "its document is not its extraction's",
        broken: || elsewhere("chunk", "extraction_id", "extraction", "document_id"),
    },
    DatabaseRule {
        code: "graph/mention-document",
        table: "mention_record",
        says: "its document is not its extraction's",
        broken: || {
            elsewhere(
                "mention_record",
                "extraction_id",
                "extraction",
                "document_id",
            )
        },
    },
    DatabaseRule {
        code: "graph/entity-document",
        table: "entity",
        says: "its document is not its extraction's",
        broken: || elsewhere("entity", "extraction_id", "extraction", "document_id"),
    },
    DatabaseRule {
        code: "graph/evidence-document",
        table: "relation_evidence",
        says: "its document is not its relation's",
        broken: || {
            let of_relation = any(relation::Entity)
                .inner_join(
                    extraction::Entity,
                    refers(
                        (extraction::Entity, extraction::Column::Id),
                        (relation::Entity, relation::Column::ExtractionId),
                    ),
                )
                .and_where(refers(
                    (relation::Entity, relation::Column::Id),
                    (
                        relation_evidence::Entity,
                        relation_evidence::Column::RelationId,
                    ),
                ))
                .and_where(
                    Expr::col((extraction::Entity, extraction::Column::DocumentId)).ne(Expr::col(
                        (
                            relation_evidence::Entity,
                            relation_evidence::Column::DocumentId,
                        ),
                    )),
                )
                .take();
            ids(relation_evidence::Entity)
                .and_where(Expr::exists(of_relation))
                .take()
        },
    },
    DatabaseRule {
        code: "graph/chunk-span",
        table: "chunk",
        says: "{said}..{found} is no span of its document",
        broken: || no_span("chunk"),
    },
    DatabaseRule {
        code: "graph/mention-span",
        table: "mention_record",
        says: "{said}..{found} is no span of its document",
        broken: || no_span("mention_record"),
    },
    DatabaseRule {
        code: "graph/evidence-span",
        table: "relation_evidence",
        says: "{said}..{found} is no span of its document",
        broken: || no_span("relation_evidence"),
    },
];

fn refers(from: impl IntoColumnRef, to: impl IntoColumnRef) -> Expr {
    Expr::col(from).equals(to)
}

/// The mention is of the entity.
fn mentions_it() -> Expr {
    refers(
        (mention_record::Entity, mention_record::Column::EntityId),
        (entity::Entity, entity::Column::Id),
    )
}

/// Extractions whose counter differs from their rows in a table.
fn counted_by(counter: extraction::Column, table: impl IntoIden) -> SelectStatement {
    let table = table.into_iden();
    let its_own = refers(
        (table.clone(), Alias::new("extraction_id")),
        (extraction::Entity, extraction::Column::Id),
    );
    let rows = number_of(table).and_where(its_own).take();
    miscounted(extraction::Entity, counter, &rows)
}

/// Rows of `table` that have another `column` than the row of `target` that they refer to.
fn elsewhere(
    table: &'static str,
    reference: &'static str,
    target: &'static str,
    column: &'static str,
) -> SelectStatement {
    ids(table)
        .and_where(differs(table, reference, target, column))
        .take()
}

fn differs(
    table: &'static str,
    reference: impl IntoIden,
    target: &'static str,
    column: &'static str,
) -> Expr {
    let referred = any(target)
        .and_where(refers((target, "id"), (table, reference.into_iden())))
        .and_where(Expr::col((target, column)).ne(Expr::col((table, column))))
        .take();
    Expr::exists(referred)
}

/// Rows whose span is empty, turned around or not within their document.
fn no_span(table: &'static str) -> SelectStatement {
    let column = |name: &'static str| Expr::col((table, name));
    let end_of_document = any(document::Entity)
        .and_where(refers(
            (document::Entity, document::Column::Id),
            (table, "document_id"),
        ))
        .and_where(
            column("end_char").gt(Expr::col((document::Entity, document::Column::CharCount))),
        )
        .take();
    let beyond = column("document_id")
        .in_subquery(exceeded(table))
        .and(Expr::exists(end_of_document));
    let wrong = Condition::any()
        .add(column("start_char").lt(0))
        .add(column("start_char").gte(column("end_char")))
        .add(beyond);
    ids(table)
        .expr_as(column("start_char").cast_as("bigint"), "said")
        .expr_as(column("end_char").cast_as("bigint"), "found")
        .cond_where(wrong)
        .take()
}

/// Documents with a span that ends after them.
///
/// Each document's row is read once: on SQLite its length lies behind its text, which may be
/// megabytes of pages.
fn exceeded(table: &'static str) -> SelectStatement {
    let spans = Query::select()
        .column("document_id")
        .expr_as(Func::max(Expr::col("end_char")), "last")
        .from(table)
        .group_by_col("document_id")
        .take();
    let length = Expr::col((document::Entity, document::Column::CharCount));
    ids(document::Entity)
        .join_subquery(
            JoinType::InnerJoin,
            spans,
            "spans",
            refers(
                ("spans", "document_id"),
                (document::Entity, document::Column::Id),
            ),
        )
        .and_where(Expr::col(("spans", "last")).gt(length))
        .take()
}
