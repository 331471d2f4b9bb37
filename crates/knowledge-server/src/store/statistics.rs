//! What PostgreSQL knows of its tables when it plans a statement.
//!
//! It looks at a table of itself within a minute or two. A batch may have filled an empty database
//! by then, and what is read of it until then is planned for tables of a few rows.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{Store, StoreError};

/// Tables of which more has changed since they were last looked at than both is known of them and
/// is read in an instant. What PostgreSQL counts may be a second old.
const UNKNOWN: &str = "SELECT relname::text FROM pg_stat_user_tables \
     WHERE schemaname = current_schema() \
     AND n_mod_since_analyze > 1000 AND n_mod_since_analyze > n_live_tup / 2 \
     ORDER BY relname";

impl Store {
    /// Has PostgreSQL look at the tables that it knows little of; the names of these. SQLite plans
    /// without.
    ///
    /// # Cancel safety
    /// A table is looked at wholly or not at all.
    pub(crate) async fn refresh_statistics(&self) -> Result<Vec<String>, StoreError> {
        if self.backend() != DbBackend::Postgres {
            return Ok(Vec::new());
        }
        let unknown = Statement::from_string(DbBackend::Postgres, UNKNOWN);
        let rows = self.write.query_all_raw(unknown).await?;
        let tables: Result<Vec<String>, _> =
            rows.iter().map(|row| row.try_get_by_index(0)).collect();
        let tables = tables?;
        for table in &tables {
            // One that is being looked at or vacuumed is left alone: nobody waits for that.
            let analyze = format!("ANALYZE (SKIP_LOCKED) \"{table}\"");
            self.write.execute_unprepared(&analyze).await?;
        }
        Ok(tables)
    }
}

#[cfg(test)]
mod tests {
    use knowledge_domain::batch::BatchStage;

    use super::*;
    use crate::fixture::Fixture;

    #[tokio::test]
    async fn a_table_that_was_filled_is_looked_at_once() {
        let fixture = Fixture::new().await;
        let batch = fixture.batch(1, BatchStage::Completed).await;
        fixture.document(batch, 0, "Text.").await;
        let many = "INSERT INTO organization (id, created_at, updated_at, name, slug, \
             resolution_version, embedding_gaps) \
             SELECT gen_random_uuid(), now(), now(), 'n', 's' || n, 0, false \
             FROM generate_series(1, 3000) AS n";
        let postgres = fixture.store.backend() == DbBackend::Postgres;
        if postgres {
            fixture.store.write.execute_unprepared(many).await.unwrap();
        }
        // What a session has counted it tells when it has been idle for a moment.
        let mut looked_at = Vec::new();
        for _ in 0..100 {
            looked_at = fixture.store.refresh_statistics().await.unwrap();
            if !postgres || !looked_at.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let expected: &[&str] = if postgres { &["organization"] } else { &[] };
        assert_eq!(looked_at, expected);
        assert!(fixture.store.refresh_statistics().await.unwrap().is_empty());
    }
}
