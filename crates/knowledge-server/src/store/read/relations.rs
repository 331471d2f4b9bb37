//! Relations after resolution: one node for all statements that agree.
//!
//! Statements agree in canonical subject, predicate, and canonical object or literal; literals
//! ignore the case of ASCII letters, which both databases and Rust fold alike.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Range,
};

use knowledge_domain::{
    graph::Confidence,
    ids::{BatchId, EntityId, RelationId},
};
use knowledge_tables::{
    batch_document::{self, Column as Place},
    batch_execution, entity,
    relation::{Column, Entity},
};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, Order, QueryFilter, QuerySelect,
    sea_query::{Alias, DynIden, Expr, ExprTrait, IntoIden, JoinType, Query, SelectStatement},
};
use uuid::Uuid;

use super::{KEYS_A_STATEMENT, Page, PageRequest, Reads};
use crate::store::{
    StoreError,
    fold::folded,
    scope::{no_other, owned},
};

/// What agreeing statements agree in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationKey {
    /// The canonical subject.
    pub subject: EntityId,
    /// The predicate.
    pub predicate: String,
    /// The canonical object, when it is an entity.
    pub object: Option<EntityId>,
    /// The literal in ASCII lower case, when it is a value.
    pub folded_literal: Option<String>,
}

/// A statement of one document, its ends resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationMember {
    /// The id.
    pub id: RelationId,
    /// What it agrees with others in.
    pub key: RelationKey,
    /// The literal as its document has it.
    pub literal: Option<String>,
    /// How sure the extractor is.
    pub confidence: Confidence,
}

/// A relation after resolution.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationView {
    /// The smallest id of its members.
    pub id: RelationId,
    /// The canonical subject.
    pub subject: EntityId,
    /// The predicate.
    pub predicate: String,
    /// The canonical object, when it is an entity.
    pub object: Option<EntityId>,
    /// The literal of the member that gives the id, when it is a value.
    pub literal: Option<String>,
    /// The highest of the members.
    pub confidence: Confidence,
    /// The members, sorted.
    pub members: Vec<RelationId>,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    subject: Uuid,
    predicate: String,
    object: Option<Uuid>,
    literal: Option<String>,
    confidence: f64,
}

/// Documents that are looked at first for a page of relations.
const FIRST_SPAN: u32 = 16;

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
        let documents = self.document_counts(batches).await?;
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
                let end = documents.get(batch).copied().unwrap_or_default();
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

    /// How many documents each batch has.
    async fn document_counts(
        &self,
        batches: &[BatchId],
    ) -> Result<HashMap<BatchId, u32>, StoreError> {
        use batch_execution::Column;
        let rows: Vec<(Uuid, i32)> = batch_execution::Entity::find()
            .filter(owned(Column::OrganizationId, self.organization))
            .filter(Column::Id.is_in(batches.iter().map(|batch| batch.uuid())))
            .select_only()
            .columns([Column::Id, Column::TotalDocuments])
            .into_tuple()
            .all(self.connection())
            .await?;
        let counts = rows.into_iter().map(|(id, count)| {
            let count = u32::try_from(count).unwrap_or_default();
            (BatchId::from_uuid(id), count)
        });
        Ok(counts.collect())
    }

    pub(super) fn relation_query(
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

    /// The relations with these keys, each over all its statements in the organisation.
    pub async fn relations(
        &self,
        keys: &[RelationKey],
    ) -> Result<HashMap<RelationKey, RelationView>, StoreError> {
        let mut found = HashMap::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_A_STATEMENT / 2) {
            let wanted: HashSet<&RelationKey> = keys.iter().collect();
            let subjects: BTreeSet<_> = keys.iter().map(|key| key.subject.uuid()).collect();
            let predicates: BTreeSet<_> = keys.iter().map(|key| key.predicate.as_str()).collect();
            let mut query = self.statements_of(subjects);
            query.and_where(Expr::col((Entity, Column::Predicate)).is_in(predicates));
            let mut members = self.relation_rows(&query).await?;
            members.retain(|member| wanted.contains(&member.key));
            found.extend(fold_relations(members));
        }
        Ok(found)
    }

    /// The relation that a statement belongs to, when the organisation has it.
    pub async fn relation(&self, id: RelationId) -> Result<Option<RelationView>, StoreError> {
        let mut query = self.statements_resolved();
        query.and_where(Expr::col((Entity, Column::Id)).eq(id.uuid()));
        let Some(member) = self.relation_rows(&query).await?.pop() else {
            return Ok(None);
        };
        let mut found = self.relations(std::slice::from_ref(&member.key)).await?;
        Ok(found.remove(&member.key))
    }

    /// The canonical entities that a batch's documents, or the organisation's, state something of,
    /// by id.
    pub async fn subjects(&self, batch: Option<BatchId>) -> Result<Vec<EntityId>, StoreError> {
        let canonical = || Expr::col((subject(), entity::Column::CanonicalId));
        let mut query = Query::select();
        query
            .distinct()
            .expr_as(canonical(), "subject")
            .from(Entity)
            .join_as(
                JoinType::InnerJoin,
                entity::Entity,
                subject(),
                Expr::col((Entity, Column::SubjectId)).equals((subject(), entity::Column::Id)),
            )
            .order_by_expr(canonical(), Order::Asc);
        match batch {
            Some(batch) => query.and_where(
                Expr::col((Entity, Column::ExtractionId)).in_subquery(self.extractions_of(batch)),
            ),
            None => query.and_where(
                Expr::col((Entity, Column::OrganizationId)).eq(self.organization.uuid()),
            ),
        };
        let ids = self.uuids(&query).await?;
        Ok(ids.into_iter().map(EntityId::from_uuid).collect())
    }

    /// What a batch's documents, or the organisation's, state of some canonical entities.
    pub async fn relation_members(
        &self,
        batch: Option<BatchId>,
        subjects: &[EntityId],
    ) -> Result<Vec<RelationMember>, StoreError> {
        let mut members = Vec::new();
        for subjects in subjects.chunks(KEYS_A_STATEMENT) {
            let query = self.statements_in(batch, subjects.iter().map(|id| id.uuid()));
            members.extend(self.relation_rows(&query).await?);
        }
        Ok(members)
    }

    /// Statements with the canonical ids of both ends and the predicate, of whichever
    /// organisation.
    fn resolved() -> SelectStatement {
        let end = |alias: DynIden, column: Column| {
            Expr::col((Entity, column)).equals((alias, entity::Column::Id))
        };
        Query::select()
            .expr_as(
                Expr::col((subject(), entity::Column::CanonicalId)),
                "subject",
            )
            .expr_as(Expr::col((object(), entity::Column::CanonicalId)), "object")
            .column((Entity, Column::Predicate))
            .from(Entity)
            .join_as(
                JoinType::InnerJoin,
                entity::Entity,
                subject(),
                end(subject(), Column::SubjectId),
            )
            .join_as(
                JoinType::LeftJoin,
                entity::Entity,
                object(),
                end(object(), Column::ObjectId),
            )
            .take()
    }

    fn statements_resolved(&self) -> SelectStatement {
        let mut query = Self::resolved();
        query
            .and_where(no_other(
                Expr::col((Entity, Column::OrganizationId)),
                self.organization.uuid(),
            ))
            .column((Entity, Column::Id))
            .expr_as(Expr::col((Entity, Column::LiteralValue)), "literal")
            .column((Entity, Column::Confidence));
        query
    }

    /// Those of some canonical entities.
    fn statements_of(&self, subjects: impl IntoIterator<Item = Uuid>) -> SelectStatement {
        let column = |column: entity::Column| Expr::col((subject(), column));
        let mut query = self.statements_resolved();
        query
            .and_where(column(entity::Column::OrganizationId).eq(self.organization.uuid()))
            .and_where(column(entity::Column::CanonicalId).is_in(subjects));
        query
    }

    /// Those of some canonical entities, limited to a batch when one is given.
    pub(super) fn statements_in(
        &self,
        batch: Option<BatchId>,
        subjects: impl IntoIterator<Item = Uuid>,
    ) -> SelectStatement {
        let mut query = self.statements_of(subjects);
        if let Some(batch) = batch {
            query.and_where(Self::is_of(batch, (Entity, Column::ExtractionId)));
        }
        query
    }

    async fn relation_rows(
        &self,
        query: &SelectStatement,
    ) -> Result<Vec<RelationMember>, StoreError> {
        let rows = Row::find_by_statement(self.store.backend().build(query))
            .all(self.connection())
            .await?;
        Ok(rows.into_iter().map(RelationMember::from).collect())
    }

    fn folded_literal(&self, relation: DynIden) -> Expr {
        let literal = Expr::col((relation, Column::LiteralValue));
        folded(self.store.backend(), literal)
    }
}

fn subject() -> DynIden {
    Alias::new("subject_entity").into_iden()
}

fn object() -> DynIden {
    Alias::new("object_entity").into_iden()
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

impl From<Row> for RelationMember {
    fn from(row: Row) -> Self {
        Self {
            id: RelationId::from_uuid(row.id),
            key: RelationKey {
                subject: EntityId::from_uuid(row.subject),
                predicate: row.predicate,
                object: row.object.map(EntityId::from_uuid),
                folded_literal: row.literal.as_deref().map(str::to_ascii_lowercase),
            },
            literal: row.literal,
            confidence: Confidence::new(row.confidence),
        }
    }
}

/// Folds statements that agree into one relation each.
#[must_use]
pub fn fold_relations(mut members: Vec<RelationMember>) -> HashMap<RelationKey, RelationView> {
    members.sort_by_key(|member| member.id);
    let mut folded: HashMap<RelationKey, RelationView> = HashMap::new();
    for member in members {
        if let Some(relation) = folded.get_mut(&member.key) {
            relation.confidence = relation.confidence.max(member.confidence);
            relation.members.push(member.id);
        } else {
            let relation = RelationView {
                id: member.id,
                subject: member.key.subject,
                predicate: member.key.predicate.clone(),
                object: member.key.object,
                literal: member.literal,
                confidence: member.confidence,
                members: vec![member.id],
            };
            folded.insert(member.key, relation);
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u128, literal: &str, confidence: f64) -> RelationMember {
        RelationMember {
            id: RelationId::from_uuid(Uuid::from_u128(id)),
            key: RelationKey {
                subject: EntityId::from_uuid(Uuid::nil()),
                predicate: "bornIn".to_owned(),
                object: None,
                folded_literal: Some(literal.to_ascii_lowercase()),
            },
            literal: Some(literal.to_owned()),
            confidence: Confidence::new(confidence),
        }
    }

    #[test]
    fn agreeing_statements_become_one_with_the_smallest_id() {
        let members = vec![
            member(7, "MAY 1842", 0.9),
            member(3, "May 1842", 0.6),
            member(5, "1843", 0.5),
        ];
        let mut folded: Vec<_> = fold_relations(members).into_values().collect();
        folded.sort_by_key(|relation| relation.id);
        assert_eq!(folded.len(), 2);
        assert_eq!(folded[0].id.uuid().as_u128(), 3);
        assert_eq!(folded[0].literal.as_deref(), Some("May 1842"));
        assert_eq!(folded[0].confidence, Confidence::new(0.9));
        assert_eq!(folded[0].members.len(), 2);
    }
}
