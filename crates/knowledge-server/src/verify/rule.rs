//! Invariants that one statement checks: it selects the rows that break them.

use knowledge_domain::ids::{
    BatchDocumentId, BatchId, ChunkId, ClusterId, DocumentId, EntityId, EvidenceId, ExecutionId,
    ExtractionId, MentionId, OntologyId, OrganizationId, RelationId,
};
use sea_orm::{
    ConnectionTrait, QueryResult,
    sea_query::{Alias, Expr, ExprTrait, IntoIden, Query, SelectStatement},
};
use uuid::Uuid;

use super::report::{EXAMPLES, Example, Findings};
use crate::store::StoreError;

/// An invariant; `F` makes the statement that selects what breaks it.
///
/// The statement selects `id`, and where the sentence speaks of them the integers `said` and
/// `found` and the text `name`.
pub(super) struct Rule<F> {
    /// Its stable name.
    pub(super) code: &'static str,
    /// The table whose rows are selected.
    pub(super) table: &'static str,
    /// What is wrong with a row, with `{said}`, `{found}` and `{name}`.
    pub(super) says: &'static str,
    /// Makes the statement.
    pub(super) broken: F,
}

/// An invariant of one batch.
pub(super) type BatchRule = Rule<fn(Uuid) -> SelectStatement>;

/// An invariant of the whole database.
pub(super) type DatabaseRule = Rule<fn() -> SelectStatement>;

/// Runs a statement and notes what it selects, the first rows as examples.
pub(super) async fn note_broken(
    connection: &impl ConnectionTrait,
    findings: &mut Findings,
    (code, table, says): (&str, &str, &str),
    broken: SelectStatement,
) -> Result<(), StoreError> {
    let mut first = broken.clone();
    first.order_by_expr(Expr::col(Alias::new("id")), sea_orm::Order::Asc);
    let rows = connection
        .query_all(first.limit(EXAMPLES as u64))
        .await
        .map_err(StoreError::from)?;
    let count = if rows.len() < EXAMPLES {
        rows.len() as u64
    } else {
        count(connection, &broken).await?
    };
    let examples = rows
        .iter()
        .map(|row| example(row, table, says))
        .collect::<Result<_, StoreError>>()?;
    findings.add_all(code, count, examples);
    Ok(())
}

/// How many rows a statement selects.
pub(super) async fn count(
    connection: &impl ConnectionTrait,
    rows: &SelectStatement,
) -> Result<u64, StoreError> {
    let counted = Query::select()
        .expr_as(Expr::cust("COUNT(*)").cast_as("bigint"), "found")
        .from_subquery(rows.clone(), "selected")
        .take();
    let row = connection.query_one(&counted).await?;
    let found: i64 = row.map_or(Ok(0), |row| row.try_get("", "found"))?;
    Ok(u64::try_from(found).unwrap_or_default())
}

fn example(row: &QueryResult, table: &str, says: &str) -> Result<Example, StoreError> {
    let mut detail = says.to_owned();
    for column in ["said", "found"] {
        let mark = format!("{{{column}}}");
        if detail.contains(&mark) {
            let value: Option<i64> = row.try_get("", column)?;
            let value = value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
            detail = detail.replace(&mark, &value);
        }
    }
    if detail.contains("{name}") {
        let name: String = row.try_get("", "name")?;
        detail = detail.replace("{name}", &name);
    }
    Ok(Example {
        subject: shown(table, row.try_get("", "id")?),
        detail,
    })
}

/// A row's id as it is shown elsewhere; by its table where it is not.
pub(super) fn shown(table: &str, id: Uuid) -> String {
    let prefix = match table {
        "organization" => OrganizationId::PREFIX,
        "ontology" => OntologyId::PREFIX,
        "batch_execution" => BatchId::PREFIX,
        "batch_document" => BatchDocumentId::PREFIX,
        "document" => DocumentId::PREFIX,
        "workflow_execution" => ExecutionId::PREFIX,
        "extraction" => ExtractionId::PREFIX,
        "chunk" => ChunkId::PREFIX,
        "mention_record" => MentionId::PREFIX,
        "entity" => EntityId::PREFIX,
        "relation" => RelationId::PREFIX,
        "relation_evidence" => EvidenceId::PREFIX,
        "entity_cluster" => ClusterId::PREFIX,
        other => other,
    };
    format!("{prefix}_{}", id.simple())
}

/// `SELECT id FROM table`, to be narrowed to what is broken.
pub(super) fn ids(table: impl IntoIden) -> SelectStatement {
    let table = table.into_iden();
    Query::select()
        .expr_as(Expr::col((table.clone(), Alias::new("id"))), "id")
        .from(table)
        .take()
}

/// `SELECT 1 FROM table`, for EXISTS.
pub(super) fn any(table: impl IntoIden) -> SelectStatement {
    Query::select()
        .expr(Expr::value(1))
        .from(table.into_iden())
        .take()
}

/// Rows of `table` whose column `said` differs from the number of `rows` that are theirs.
pub(super) fn miscounted(
    table: impl IntoIden,
    said: impl IntoIden,
    rows: &SelectStatement,
) -> SelectStatement {
    let table = table.into_iden();
    let said = Expr::col((table.clone(), said.into_iden()));
    let found = || Expr::from(rows.clone()).cast_as("bigint");
    ids(table)
        .expr_as(said.clone().cast_as("bigint"), "said")
        .expr_as(found(), "found")
        .and_where(said.ne(found()))
        .take()
}

/// `SELECT COUNT(*) FROM table`, for [`miscounted`].
pub(super) fn number_of(table: impl IntoIden) -> SelectStatement {
    Query::select()
        .expr(Expr::cust("COUNT(*)"))
        .from(table.into_iden())
        .take()
}
