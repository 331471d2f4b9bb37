//! Relations after resolution: one node for all statements that agree.
//!
//! Statements agree in canonical subject, predicate, and canonical object or literal; literals
//! ignore the case of ASCII letters, which both databases and Rust fold alike.

mod pages;

use std::collections::{BTreeSet, HashMap, HashSet};

use knowledge_domain::{
    graph::Confidence,
    ids::{BatchId, EntityId, RelationId},
};
use knowledge_tables::{
    entity,
    relation::{Column, Entity},
};
use sea_orm::{
    Order,
    sea_query::{Alias, DynIden, Expr, ExprTrait, IntoIden, JoinType, Query, SelectStatement},
};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    KEYS_A_STATEMENT, Reads,
    packed::{Kind, Packed, packed},
};
use crate::store::{StoreError, fold::folded, scope::no_other};
pub use pages::RelationPlace;

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

#[derive(Deserialize)]
struct Row {
    id: Uuid,
    subject: Uuid,
    predicate: String,
    object: Option<Uuid>,
    literal: Option<String>,
    confidence: Confidence,
}

impl Packed for Row {
    const ROWS: &'static str = "relation";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Id),
        ("subject", Kind::Id),
        ("predicate", Kind::Plain),
        ("object", Kind::Id),
        ("literal", Kind::Plain),
        ("confidence", Kind::Plain),
    ];
}

impl Reads {
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
            let mut members = self.relation_rows(query).await?;
            members.retain(|member| wanted.contains(&member.key));
            found.extend(fold_relations(members));
        }
        Ok(found)
    }

    /// The relation that a statement belongs to, when the organisation has it.
    pub async fn relation(&self, id: RelationId) -> Result<Option<RelationView>, StoreError> {
        let mut query = self.statements_resolved();
        query.and_where(Expr::col((Entity, Column::Id)).eq(id.uuid()));
        let Some(member) = self.relation_rows(query).await?.pop() else {
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
            members.extend(self.relation_rows(query).await?);
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
        query: SelectStatement,
    ) -> Result<Vec<RelationMember>, StoreError> {
        let rows = packed::<Row>(self.connection(), query).await?;
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
            confidence: row.confidence,
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
