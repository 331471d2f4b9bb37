//! The same page of many batches, in one statement.

use std::collections::HashMap;

use knowledge_domain::ids::BatchId;
use sea_orm::{
    ConnectionTrait, FromQueryResult,
    sea_query::{Asterisk, Expr, Query, SelectStatement, UnionType},
};
use uuid::Uuid;

use super::Reads;
use crate::store::StoreError;

/// Batches of one statement; each is a part of its own in it.
const BATCHES_A_STATEMENT: usize = 50;

/// The column that says whose page a row is of.
const PAGE_OF: &str = "page_of";

impl Reads {
    /// The rows of each query by its batch, in no order.
    pub(super) async fn rows_of_each<R: FromQueryResult>(
        &self,
        queries: Vec<(BatchId, SelectStatement)>,
    ) -> Result<HashMap<BatchId, Vec<R>>, StoreError> {
        let mut found: HashMap<BatchId, Vec<R>> = HashMap::with_capacity(queries.len());
        let mut queries = queries.into_iter();
        while let Some(first) = queries.next() {
            let mut statement = of(first);
            for query in queries.by_ref().take(BATCHES_A_STATEMENT - 1) {
                statement.union(UnionType::All, of(query));
            }
            for row in self.connection().query_all(&statement).await? {
                let batch: Uuid = row.try_get("", PAGE_OF)?;
                let rows = found.entry(BatchId::from_uuid(batch)).or_default();
                rows.push(R::from_query_result(&row, "")?);
            }
        }
        Ok(found)
    }
}

/// The rows of a query with the batch that they are of. SQLite takes no order and no limit in a
/// part of a union, but in a table of a part.
fn of((batch, query): (BatchId, SelectStatement)) -> SelectStatement {
    Query::select()
        .expr_as(Expr::value(batch.uuid()), PAGE_OF)
        .column(Asterisk)
        .from_subquery(query, "page")
        .take()
}
