//! Pages of a batch's relations, in the order in which its documents first state them.

use std::{collections::HashMap, ops::Range};

use knowledge_domain::ids::{BatchId, EntityId};
use knowledge_tables::{
    batch_document::{self, Column as Place},
    entity,
    relation::{Column, Entity},
};
use sea_orm::{
    FromQueryResult, Order,
    sea_query::{Alias, DynIden, Expr, ExprTrait, IntoIden, JoinType, Query, SelectStatement},
};
use uuid::Uuid;

use super::{
    super::{Page, PageRequest, Reads},
    RelationKey, object, subject,
};
use crate::store::{StoreError, scope::no_other};

/// Documents that are looked at first for a page of relations.
const FIRST_SPAN: u32 = 64;

/// Times as many documents are looked at next, where they had too few.
const SPAN_GROWTH: u32 = 4;

/// Where a batch first states a relation: what pages of relations are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationPlace {
    /// The position of the document in the batch.
    pub document: u32,
    /// The position of the statement in the document.
    pub statement: u32,
}

#[derive(FromQueryResult)]
struct KeyRow {
    document: i32,
    statement: i32,
    subject: Uuid,
    predicate: String,
    object: Option<Uuid>,
    literal: Option<String>,
}

impl Reads {
    /// A page of the relations that each batch's documents state, in the order in which they first
    /// do.
    ///
    /// A page costs what is on it, not what the batch has: documents are gone through a few at a
    /// time in their order, more each time, and each statement is left out that an earlier one of
    /// the batch agrees with. Asked for all that follow, PostgreSQL may sort them for each page.
    pub async fn relation_pages(
        &self,
        batches: &[BatchId],
        predicate: Option<&str>,
        page: PageRequest<RelationPlace>,
    ) -> Result<HashMap<BatchId, Page<(RelationPlace, RelationKey)>>, StoreError> {
        let sizes = self.batch_sizes(batches).await?;
        let begin = page.after.map_or(0, |after| after.document);
        let mut spans: HashMap<BatchId, Range<u32>> = batches
            .iter()
            .map(|batch| (*batch, begin..begin.saturating_add(FIRST_SPAN)))
            .collect();
        let mut found: HashMap<BatchId, Vec<KeyRow>> = HashMap::new();
        while !spans.is_empty() {
            let query = |(batch, span): (&BatchId, &Range<u32>)| {
                let query = self.relation_query(*batch, span, predicate, page);
                (*batch, query)
            };
            let queries = spans.iter().map(query).collect();
            for (batch, mut rows) in self.rows_of_each::<KeyRow>(queries).await? {
                rows.sort_unstable_by_key(|row| (row.document, row.statement));
                found.entry(batch).or_default().extend(rows);
            }
            spans.retain(|batch, span| {
                let enough = found.get(batch).map_or(0, Vec::len) as u64 >= page.limit();
                let end = sizes.get(batch).map_or(0, |size| size.documents);
                let next = (span.end - span.start).saturating_mul(SPAN_GROWTH);
                *span = span.end..span.end.saturating_add(next);
                !enough && span.start < end
            });
        }
        let pages = batches.iter().map(|batch| {
            let rows = found.remove(batch).unwrap_or_default();
            let page = page
                .page(rows)
                .map(|row| (RelationPlace::from(&row), row.into()));
            (*batch, page)
        });
        Ok(pages.collect())
    }

    pub(in super::super) fn relation_query(
        &self,
        batch: BatchId,
        documents: &Range<u32>,
        predicate: Option<&str>,
        page: PageRequest<RelationPlace>,
    ) -> SelectStatement {
        let position = || Expr::col((place(), Place::Position));
        let statement = || Expr::col((Entity, Column::Position));
        let mut query = Self::resolved();
        query
            .expr_as(position(), "document")
            .expr_as(statement(), "statement")
            .expr_as(self.folded_literal(Entity.into_iden()), "literal")
            .join_as(
                JoinType::InnerJoin,
                batch_document::Entity,
                place(),
                Expr::col((place(), Place::ExtractionId)).equals((Entity, Column::ExtractionId)),
            )
            .and_where(Expr::col((place(), Place::BatchId)).eq(batch.uuid()))
            .and_where(no_other(
                Expr::col((place(), Place::OrganizationId)),
                self.organization.uuid(),
            ))
            .and_where(position().gte(documents.start))
            .and_where(position().lt(documents.end))
            .and_where(Expr::expr(self.stated_before(batch)).is_not(Expr::Constant(true.into())))
            .order_by_expr(position(), Order::Asc)
            .order_by_expr(statement(), Order::Asc)
            .limit(page.limit());
        if let Some(predicate) = predicate {
            query.and_where(Expr::col((Entity, Column::Predicate)).eq(predicate));
        }
        if let Some(after) = page.after {
            let later = position().gt(after.document);
            query.and_where(later.or(statement().gt(after.statement)));
        }
        query
    }

    /// True, where an earlier statement of the batch agrees with the one of the query around.
    ///
    /// A value and not an `EXISTS`, of which PostgreSQL may make a join with all of the batch; and a
    /// truth, of which it expects that half of the statements have it, and not nearly all.
    fn stated_before(&self, batch: BatchId) -> SelectStatement {
        let [earlier, earlier_subject, earlier_object, earlier_place] = [
            "earlier",
            "earlier_subject",
            "earlier_object",
            "earlier_place",
        ]
        .map(|alias| Alias::new(alias).into_iden());
        let both_null = |column: Column| {
            let mine = Expr::col((Entity, column)).is_null();
            mine.and(Expr::col((earlier.clone(), column)).is_null())
        };
        let canonical = |alias: &DynIden| Expr::col((alias.clone(), entity::Column::CanonicalId));
        let literal = self.folded_literal(earlier.clone());
        let literal = literal.eq(self.folded_literal(Entity.into_iden()));
        let position = || Expr::col((earlier_place.clone(), Place::Position));
        let mine = || Expr::col((place(), Place::Position));
        let statement = Expr::col((earlier.clone(), Column::Position));
        let within = statement.lt(Expr::col((Entity, Column::Position)));
        Query::select()
            .expr(Expr::Constant(true.into()))
            .from_as(entity::Entity, earlier_subject.clone())
            .join_as(
                JoinType::InnerJoin,
                Entity,
                earlier.clone(),
                Expr::col((earlier.clone(), Column::SubjectId))
                    .equals((earlier_subject.clone(), entity::Column::Id)),
            )
            .join_as(
                JoinType::InnerJoin,
                batch_document::Entity,
                earlier_place.clone(),
                Expr::col((earlier_place.clone(), Place::ExtractionId))
                    .equals((earlier.clone(), Column::ExtractionId)),
            )
            .join_as(
                JoinType::LeftJoin,
                entity::Entity,
                earlier_object.clone(),
                Expr::col((earlier_object.clone(), entity::Column::Id))
                    .equals((earlier.clone(), Column::ObjectId)),
            )
            .and_where(
                Expr::col((earlier_subject.clone(), entity::Column::OrganizationId))
                    .eq(self.organization.uuid()),
            )
            .and_where(canonical(&earlier_subject).eq(canonical(&subject())))
            .and_where(
                Expr::col((earlier.clone(), Column::Predicate)).equals((Entity, Column::Predicate)),
            )
            // It begins with the few statements of the subject, and not with all documents of the
            // batch before this one.
            .and_where(no_other(
                Expr::col((earlier_place.clone(), Place::BatchId)),
                batch.uuid(),
            ))
            .and_where(
                canonical(&earlier_object)
                    .eq(canonical(&object()))
                    .or(both_null(Column::ObjectId)),
            )
            .and_where(literal.or(both_null(Column::LiteralValue)))
            .and_where(position().lt(mine()).or(position().eq(mine()).and(within)))
            .limit(1)
            .take()
    }
}

fn place() -> DynIden {
    Alias::new("place").into_iden()
}

impl From<&KeyRow> for RelationPlace {
    fn from(row: &KeyRow) -> Self {
        Self {
            document: row.document.cast_unsigned(),
            statement: row.statement.cast_unsigned(),
        }
    }
}

impl From<KeyRow> for RelationKey {
    fn from(row: KeyRow) -> Self {
        Self {
            subject: EntityId::from_uuid(row.subject),
            predicate: row.predicate,
            object: row.object.map(EntityId::from_uuid),
            folded_literal: row.literal,
        }
    }
}
