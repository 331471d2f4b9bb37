//! Which organisation rows are of.

use knowledge_domain::ids::OrganizationId;
use sea_orm::{
    ColumnTrait,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

/// That a row is the organisation's, for a query that names its rows by their ids.
pub(super) fn owned(column: impl ColumnTrait, organization: OrganizationId) -> Expr {
    no_other(column.into_expr(), organization.uuid())
}

/// That a column has a value, as what is looked at in rows which are found by something else.
///
/// Said so that neither database looks for an index of it. Without statistics they take an
/// organisation or a batch for a few rows: SQLite goes through all of these where ids are more than
/// a few, and PostgreSQL does so for each id.
pub(super) fn no_other(column: Expr, value: Uuid) -> Expr {
    column.ne(value).is_not(Expr::Constant(true.into()))
}

/// What finds the organisation's pairs in which a row is on either side: a condition for each side,
/// since of an alternative SQLite would go through all of the organisation. The index of pairs
/// begins with the organisation and the left side, another one with the right.
pub(super) fn on_either_side<C: ColumnTrait>(
    organization: (C, OrganizationId),
    sides: (C, C),
    is_in: impl Fn(C) -> Expr,
) -> [Expr; 2] {
    let ((column, organization), (left, right)) = (organization, sides);
    [
        column.eq(organization.uuid()).and(is_in(left)),
        owned(column, organization).and(is_in(right)),
    ]
}

#[cfg(test)]
mod tests {
    use knowledge_migrations::{Migrator, MigratorTrait as _};
    use knowledge_tables::entity::{Column, Entity};
    use sea_orm::{
        ConnectOptions, ConnectionTrait, Database, DbBackend, EntityTrait, QueryFilter, QueryTrait,
    };

    use super::*;

    #[tokio::test]
    async fn rows_are_found_by_their_ids_however_many() {
        let options = ConnectOptions::new("sqlite::memory:")
            .max_connections(1)
            .to_owned();
        let connection = Database::connect(options).await.unwrap();
        Migrator::up(&connection, None).await.unwrap();
        let ids = (0..500).map(Uuid::from_u128);
        let mut statement = Entity::find()
            .filter(owned(Column::OrganizationId, OrganizationId::DEFAULT))
            .filter(Column::Id.is_in(ids))
            .build(DbBackend::Sqlite);
        statement.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
        let plan = connection.query_one_raw(statement).await.unwrap().unwrap();
        let step: String = plan.try_get("", "detail").unwrap();
        assert!(step.contains("(id=?)"), "{step}");
    }
}
