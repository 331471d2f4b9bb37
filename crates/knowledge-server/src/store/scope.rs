//! Which organisation rows are of.

use knowledge_domain::ids::OrganizationId;
use sea_orm::{
    ColumnTrait,
    sea_query::{Expr, ExprTrait},
};

/// That a row is the organisation's, for a query that names its rows by their ids.
///
/// Said the other way round, so that SQLite looks for no index that begins with the organisation:
/// without statistics it takes such a one for better than the ids when these are more than a few,
/// and goes through all rows of the organisation. PostgreSQL turns it back.
pub(super) fn owned(column: impl ColumnTrait, organization: OrganizationId) -> Expr {
    column.ne(organization.uuid()).not()
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
    use uuid::Uuid;

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
