//! Rows of several tables that are written with the row that guards them.
//!
//! PostgreSQL gets one statement: the update of that row, and for each table an insert that does
//! nothing where the update has found no row. A round trip to it takes as long as some ten rows;
//! what has many rows, and what may refer to these, comes after in statements of its own.
//! SQLite's connection is a thread, and it and whoever asks wake each other for every question: the
//! update is one, and the inserts of all tables that have few rows are one. So are those of a graph,
//! whose tables have more.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityName,
    EntityTrait, Iterable, RuntimeErr, Statement,
    sea_query::{
        Alias, CommonTableExpression, DynIden, Expr, ExprTrait, InsertStatement, IntoIden,
        OnConflict, Query, SqliteQueryBuilder, SubQueryStatement, TableRef, UpdateStatement, Value,
        ValueTuple, WithClause, WithQuery,
    },
};

use super::portions::portions;

/// Rows of a table that are written together with others at most: of more a round trip is little.
const MOST_ROWS: usize = 32;

/// The same of SQLite, which keeps the statements that it has prepared in the memory of the process.
const MOST_ROWS_SQLITE: usize = 16;

/// What statements call the guarding row.
const GUARD: &str = "guard";

/// What statements call the rows that they insert.
const GIVEN: &str = "given";

/// Rows of a graph's table that SQLite is given together with those of its other tables at most.
const MOST_ROWS_OF_A_GRAPH: usize = 64;

/// A statement for each combination of sizes of three tables is kept, so that sizes are few.
const LEAST_ROWS_OF_A_GRAPH: usize = 16;

/// Rows to insert, table by table.
pub(super) struct Together {
    tables: Vec<Table>,
    /// Rows of a table that SQLite is given together with those of others at most.
    most_rows: usize,
    /// To so many rows those of a table are filled up at least.
    least_rows: usize,
}

impl Default for Together {
    fn default() -> Self {
        Self {
            tables: Vec::new(),
            most_rows: MOST_ROWS_SQLITE,
            least_rows: 1,
        }
    }
}

/// Rows of one table, with a value for each column.
struct Table {
    name: TableRef,
    columns: Vec<DynIden>,
    rows: Vec<Vec<Value>>,
    conflict: Option<OnConflict>,
}

impl Together {
    /// For the rows of a graph.
    pub(super) fn of_graph() -> Self {
        Self {
            most_rows: MOST_ROWS_OF_A_GRAPH,
            least_rows: LEAST_ROWS_OF_A_GRAPH,
            ..Self::default()
        }
    }

    /// Adds rows, of a table whose first column is never null.
    ///
    /// # Errors
    /// [`DbErr::AttrNotSet`] when a row lacks a column.
    pub(super) fn insert<A: ActiveModelTrait>(
        &mut self,
        rows: Vec<A>,
        conflict: Option<OnConflict>,
    ) -> Result<(), DbErr> {
        if rows.is_empty() {
            return Ok(());
        }
        let columns = || <A::Entity as EntityTrait>::Column::iter();
        let value = |row: &mut A, column| {
            let value = row.take(column).into_value();
            value.ok_or_else(|| DbErr::AttrNotSet(format!("{column:?}")))
        };
        let values = |mut row: A| {
            let values = columns().map(|column| value(&mut row, column));
            values.collect()
        };
        self.tables.push(Table {
            name: A::Entity::default().table_ref(),
            columns: columns().map(IntoIden::into_iden).collect(),
            rows: rows.into_iter().map(values).collect::<Result<_, _>>()?,
            conflict,
        });
        Ok(())
    }

    /// Updates the guarding row, and inserts all rows if there was one; whether there was.
    /// PostgreSQL evaluates `told` with it.
    pub(super) async fn write_guarded(
        self,
        tx: &DatabaseTransaction,
        mut update: UpdateStatement,
        told: Option<Expr>,
    ) -> Result<bool, DbErr> {
        if tx.get_database_backend() == DbBackend::Sqlite {
            let found = tx.execute(&update).await?.rows_affected() == 1;
            if found {
                self.write(tx).await?;
            }
            return Ok(found);
        }
        update.returning(Query::returning().expr(Expr::cust("1")));
        let mut parts = WithClause::new();
        parts.cte(part(GUARD, update));
        let mut rest = Self::default();
        for (number, table) in self.tables.into_iter().enumerate() {
            // What comes after a table may refer to its rows.
            if table.rows.len() > MOST_ROWS || !rest.tables.is_empty() {
                rest.tables.push(table);
            } else {
                let insert = table.padded(1, Some(is_found()))?;
                parts.cte(part(&format!("table_{number}"), insert));
            }
        }
        let mut found = Query::select();
        found
            .expr(told.unwrap_or_else(|| Expr::cust("1")))
            .from(GUARD);
        let mut query = WithQuery::new();
        query.with_clause(parts).query(found);
        let found = tx.execute(&query).await?.rows_affected() == 1;
        if found {
            rest.write(tx).await?;
        }
        Ok(found)
    }

    /// Inserts all rows.
    pub(super) async fn write(self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let joins = tx.get_database_backend() == DbBackend::Sqlite;
        let mut joined = Joined::default();
        for table in self.tables {
            if joins && table.rows.len() <= self.most_rows {
                joined.add(&table.padded(self.least_rows, None)?);
                continue;
            }
            // A table may refer to the rows of one before it.
            std::mem::take(&mut joined).write(tx).await?;
            for insert in table.portions() {
                tx.execute(&insert?).await?;
            }
        }
        joined.write(tx).await
    }
}

/// Statements that SQLite runs one after the other, asked once.
#[derive(Default)]
struct Joined {
    text: String,
    values: Vec<Value>,
}

impl Joined {
    fn add(&mut self, insert: &InsertStatement) {
        let (text, values) = insert.build(SqliteQueryBuilder);
        self.text.push_str(&text);
        self.text.push(';');
        self.values.extend(values);
    }

    async fn write(self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        if self.text.is_empty() {
            return Ok(());
        }
        let all = Statement::from_sql_and_values(DbBackend::Sqlite, self.text, self.values);
        tx.execute_raw(all).await?;
        Ok(())
    }
}

/// Whether the guarding row was found.
fn is_found() -> Expr {
    let mut guard = Query::select();
    guard.expr(Expr::cust("1")).from(GUARD);
    Expr::exists(guard)
}

fn part(name: &str, statement: impl Into<SubQueryStatement>) -> CommonTableExpression {
    let mut part = CommonTableExpression::new();
    part.table_name(Alias::new(name)).query(statement);
    part
}

impl Table {
    fn empty_insert(&self) -> InsertStatement {
        let mut insert = Query::insert();
        insert
            .into_table(self.name.clone())
            .columns(self.columns.iter().cloned());
        if let Some(conflict) = &self.conflict {
            insert.on_conflict(conflict.clone());
        }
        insert
    }

    fn portions(mut self) -> impl Iterator<Item = Result<InsertStatement, DbErr>> {
        let sizes: Vec<usize> = portions(&self.rows).map(<[_]>::len).collect();
        let mut rows = std::mem::take(&mut self.rows).into_iter();
        sizes.into_iter().map(move |size| {
            let mut insert = self.empty_insert();
            for row in rows.by_ref().take(size) {
                let values = row.into_iter().map(Expr::val);
                insert.values(values).map_err(|error| unequal(&error))?;
            }
            Ok(insert)
        })
    }

    /// The insert of all rows, where `wanted` if that is asked; filled up with nulls that are left
    /// out, to `least` rows and more: so there are few sizes of each table, and some dozens of
    /// statements for all of them together.
    fn padded(self, least: usize, wanted: Option<Expr>) -> Result<InsertStatement, DbErr> {
        let mut insert = self.empty_insert();
        let nulls: Vec<Value> = self.rows[0].iter().map(Value::as_null).collect();
        let size = self.rows.len().next_power_of_two().max(least);
        let mut given: Vec<ValueTuple> = self.rows.into_iter().map(ValueTuple::Many).collect();
        given.resize(size, ValueTuple::Many(nulls));
        let column = |number| Expr::col((GIVEN, Alias::new(format!("column{number}"))));
        let mut select = Query::select();
        select
            .exprs((1..=self.columns.len()).map(column))
            .from_values(given, GIVEN)
            .and_where(column(1).is_not_null());
        if let Some(wanted) = wanted {
            select.and_where(wanted);
        }
        insert
            .select_from(select)
            .map_err(|error| unequal(&error))?;
        Ok(insert)
    }
}

/// Rows have as many values as there are columns.
fn unequal(error: &sea_orm::sea_query::error::Error) -> DbErr {
    DbErr::Query(RuntimeErr::Internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use knowledge_tables::{ontology, organization};
    use sea_orm::{
        ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, QueryTrait,
        sea_query::PostgresQueryBuilder,
    };
    use uuid::Uuid;

    use super::*;
    use crate::fixture::{Fixture, at};

    fn rows(count: usize, name: &str) -> Vec<organization::ActiveModel> {
        let row = |number: usize| organization::Model {
            id: Uuid::from_u128(1_000 + number as u128),
            name: name.to_owned(),
            slug: format!("slug-{number}"),
            resolution_version: 0,
            embedding_model: number.is_multiple_of(2).then(|| name.to_owned()),
            embedding_gaps: false,
            embedding_execution_id: None,
            embedding_forms: None,
            created_at: at(),
            updated_at: at(),
        };
        let rows = (0..count).map(row);
        rows.map(|row| row.into_active_model().reset_all())
            .collect()
    }

    fn guard(id: Uuid) -> UpdateStatement {
        organization::Entity::update_many()
            .col_expr(organization::Column::Name, Expr::value("guard"))
            .filter(organization::Column::Id.eq(id))
            .into_query()
    }

    fn together(rows: Vec<organization::ActiveModel>) -> Together {
        let overwrite = OnConflict::column(organization::Column::Id)
            .update_columns([
                organization::Column::Name,
                organization::Column::EmbeddingModel,
            ])
            .to_owned();
        let mut together = Together::default();
        together.insert(rows, Some(overwrite)).unwrap();
        together
    }

    #[tokio::test]
    async fn rows_are_written_with_their_guard_or_not_at_all() {
        for count in [
            0,
            1,
            3,
            MOST_ROWS_SQLITE,
            MOST_ROWS_SQLITE + 1,
            MOST_ROWS,
            MOST_ROWS + 1,
            200,
        ] {
            let fixture = Fixture::new().await;
            let stored = async || {
                let query = organization::Entity::find();
                let others = organization::Column::Id.ne(fixture.organization.uuid());
                let query = query.filter(others).order_by_asc(organization::Column::Id);
                query.all(fixture.store.read()).await.unwrap()
            };
            for (id, found) in [
                (Uuid::from_u128(7), false),
                (fixture.organization.uuid(), true),
                (fixture.organization.uuid(), true),
                (Uuid::from_u128(7), false),
            ] {
                let before = stored().await;
                let given = rows(count, &format!("after {}", before.len()));
                let tx = fixture.store.begin().await.unwrap();
                let told = Some(Expr::cust("1"));
                let written = together(given.clone())
                    .write_guarded(&tx, guard(id), told)
                    .await;
                assert_eq!(written.unwrap(), found, "{count} rows");
                tx.commit().await.unwrap();
                let after: Vec<_> = stored().await;
                if found {
                    let after = after.into_iter();
                    let after: Vec<_> =
                        after.map(|it| it.into_active_model().reset_all()).collect();
                    assert_eq!(after, given, "{count} rows");
                } else {
                    assert_eq!(after, before, "{count} rows");
                }
            }
        }
    }

    #[tokio::test]
    async fn rows_may_refer_to_rows_of_tables_before() {
        for (parents, children, of_graph) in [
            (3, 3, false),
            (MOST_ROWS + 1, 1, false),
            (1, MOST_ROWS + 1, false),
            (MOST_ROWS_OF_A_GRAPH, 1, true),
            (MOST_ROWS_OF_A_GRAPH + 1, MOST_ROWS_OF_A_GRAPH, true),
            (1, MOST_ROWS_OF_A_GRAPH + 1, true),
        ] {
            let fixture = Fixture::new().await;
            let child = |number: usize| ontology::Model {
                id: Uuid::from_u128(5_000 + number as u128),
                organization_id: Uuid::from_u128(1_000 + (number % parents) as u128),
                name: "Works".to_owned(),
                namespace: "urn:works".to_owned(),
                format: "turtle".to_owned(),
                content_hash: format!("hash-{number}"),
                content: String::new(),
                class_count: 0,
                property_count: 0,
                created_at: at(),
                updated_at: at(),
            };
            let children: Vec<_> = (0..children)
                .map(|number| child(number).into_active_model().reset_all())
                .collect();
            let mut rows = together(rows(parents, "parent"));
            rows.insert(children.clone(), None).unwrap();
            let tx = fixture.store.begin().await.unwrap();
            if of_graph {
                let tables = rows.tables;
                let rows = Together {
                    tables,
                    ..Together::of_graph()
                };
                rows.write(&tx).await.unwrap();
            } else {
                let guard = guard(fixture.organization.uuid());
                assert!(rows.write_guarded(&tx, guard, None).await.unwrap());
            }
            tx.commit().await.unwrap();
            let stored = ontology::Entity::find().all(fixture.store.read()).await;
            assert_eq!(stored.unwrap().len(), children.len());
        }
    }

    #[test]
    fn statements_have_few_sizes() {
        let text = |count: usize| {
            let table = together(rows(count, "any")).tables.pop().unwrap();
            table
                .padded(1, Some(is_found()))
                .unwrap()
                .build(PostgresQueryBuilder)
                .0
        };
        assert_eq!(text(5), text(8));
        assert_eq!(text(17), text(32));
        assert_ne!(text(8), text(9));
    }

    #[test]
    fn a_row_that_lacks_a_column_is_refused() {
        let mut two = rows(2, "any");
        two[1].name = sea_orm::ActiveValue::NotSet;
        let refused = Together::default().insert(two, None);
        assert!(matches!(refused, Err(DbErr::AttrNotSet(_))));
    }
}
