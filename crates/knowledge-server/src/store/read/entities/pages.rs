//! Pages of canonical entities: the ids, by which the rest is read.

use std::collections::{HashMap, HashSet};

use knowledge_domain::ids::{BatchId, EntityId};
use knowledge_tables::entity::{Column, Entity};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter,
    QuerySelect,
    sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement},
};
use uuid::Uuid;

use super::super::{Page, PageRequest, Reads};
use crate::store::StoreError;

/// Which entities are wanted; a cluster fits when any of its members does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EntityFilter {
    /// A class that it must have, exactly.
    pub class: Option<String>,
    /// What its name or an alias must contain, ignoring case.
    pub search: Option<String>,
}

#[derive(FromQueryResult)]
struct IdRow {
    canonical_id: Uuid,
}

/// A batch has so much of the stored entities, or it is not large: a tenth.
const PART_OF_A_LARGE_BATCH: i64 = 10;

/// Whose entities a page is of, and how they are gone through.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Within {
    /// The organisation's, in their order.
    Organization,
    /// A batch's, all of them, sorted.
    Batch(BatchId),
    /// A batch's, in the order of the organisation's, each of which is looked up: a page costs what
    /// is on it and what lies between.
    LargeBatch(BatchId),
}

impl Reads {
    /// The ids of the organisation's canonical entities by id.
    ///
    /// Ordered by id, because that is what the index offers and what no later insert shifts.
    pub async fn entity_page(
        &self,
        filter: &EntityFilter,
        page: PageRequest<EntityId>,
    ) -> Result<Page<EntityId>, StoreError> {
        let query = self.entity_query(Within::Organization, filter, page);
        let ids = self.uuids(&query).await?;
        Ok(page.page(ids).map(EntityId::from_uuid))
    }

    /// The same page of those with a member in each batch.
    pub async fn entity_pages(
        &self,
        batches: &[BatchId],
        filter: &EntityFilter,
        page: PageRequest<EntityId>,
    ) -> Result<HashMap<BatchId, Page<EntityId>>, StoreError> {
        let ways = self.ways(batches).await?;
        let queries = batches.iter().zip(ways);
        let queries = queries.map(|(batch, way)| (*batch, self.entity_query(way, filter, page)));
        let mut rows = self.rows_of_each(queries.collect()).await?;
        let pages = batches.iter().map(|batch| {
            let rows: Vec<IdRow> = rows.remove(batch).unwrap_or_default();
            let mut ids: Vec<_> = rows.into_iter().map(|row| row.canonical_id).collect();
            ids.sort_unstable();
            (*batch, page.page(ids).map(EntityId::from_uuid))
        });
        Ok(pages.collect())
    }

    pub(in super::super) fn entity_query(
        &self,
        within: Within,
        filter: &EntityFilter,
        page: PageRequest<EntityId>,
    ) -> SelectStatement {
        let mut query = Entity::find()
            .select_only()
            .column(Column::CanonicalId)
            .group_by(Column::CanonicalId);
        let owner = Column::OrganizationId.eq(self.organization.uuid());
        query = match within {
            Within::Organization => query.filter(owner),
            Within::Batch(batch) => {
                let extractions = self.extractions_of(batch);
                let query = query.filter(Column::ExtractionId.in_subquery(extractions));
                match self.store.backend() {
                    // It weighs the other way too, whose index begins with the organisation.
                    DbBackend::Postgres => query.filter(owner),
                    // The batch's extractions are the organisation's.
                    _ => query,
                }
            }
            Within::LargeBatch(batch) => query
                .filter(owner)
                .filter(Self::is_of(batch, (Entity, Column::ExtractionId))),
        };
        let mut parts = filter.parts();
        if matches!(within, Within::Organization)
            && let Some((column, part)) = parts.next()
        {
            // Every member is gone through already.
            query = query.filter(self.contains(Expr::col((Entity, column)), &part));
        }
        for (column, part) in parts {
            // Once for a cluster, not for each of its members.
            query = query.having(Expr::exists(self.member_containing(column, &part)));
        }
        if let Some(after) = page.after {
            query = query.filter(Column::CanonicalId.gt(after.uuid()));
        }
        let mut statement = sea_orm::QueryTrait::into_query(query);
        statement
            .order_by((Entity, Column::CanonicalId), sea_orm::Order::Asc)
            .limit(page.limit());
        statement
    }

    /// How the entities of each batch are best gone through for a page of them.
    async fn ways(&self, batches: &[BatchId]) -> Result<Vec<Within>, StoreError> {
        let large = match self.store.backend() {
            DbBackend::Sqlite => self.large(batches).await?,
            // It weighs both ways itself.
            _ => HashSet::new(),
        };
        let way = |batch: &BatchId| {
            if large.contains(batch) {
                Within::LargeBatch(*batch)
            } else {
                Within::Batch(*batch)
            }
        };
        Ok(batches.iter().map(way).collect())
    }

    /// Batches that have a tenth of SQLite's entities or more.
    async fn large(&self, batches: &[BatchId]) -> Result<HashSet<BatchId>, StoreError> {
        let last = Query::select()
            .expr(Expr::cust("MAX(rowid)"))
            .from(Entity)
            .take();
        let last = self.connection().query_one(&last).await?;
        let stored: Option<i64> = last
            .map(|row| row.try_get_by_index(0))
            .transpose()?
            .flatten();
        let sizes = self.batch_sizes(batches).await?.into_iter();
        let large = sizes.filter(|(_, size)| {
            size.entities * PART_OF_A_LARGE_BATCH >= stored.unwrap_or_default()
        });
        Ok(large.map(|(id, _)| id).collect())
    }

    /// A member of the same cluster whose column contains the part.
    fn member_containing(&self, column: Column, part: &str) -> SelectStatement {
        let other = Alias::new("other");
        Query::select()
            .expr(Expr::val(1))
            .from_as(Entity, other.clone())
            .and_where(
                Expr::col((other.clone(), Column::OrganizationId)).eq(self.organization.uuid()),
            )
            .and_where(
                Expr::col((other.clone(), Column::CanonicalId))
                    .equals((Entity, Column::CanonicalId)),
            )
            .and_where(self.contains(Expr::col((other, column)), part))
            .take()
    }

    /// That a column contains the part. Not `LIKE`, whose case and metacharacters differ between the
    /// databases.
    fn contains(&self, column: Expr, part: &str) -> Expr {
        let position = match self.store.backend() {
            DbBackend::Postgres => "strpos",
            _ => "instr",
        };
        Expr::expr(Func::cust(position).arg(column).arg(part)).gt(0)
    }
}

impl EntityFilter {
    /// The columns to look into, each with what it must contain; what finds less comes first.
    fn parts(&self) -> impl Iterator<Item = (Column, String)> {
        let class = self
            .class
            .as_ref()
            .map(|class| (Column::TypeKey, format!("|{class}|")));
        let search = self
            .search
            .as_ref()
            .map(|search| (Column::SearchKey, search.to_lowercase()));
        search.into_iter().chain(class)
    }
}
