//! The second wall between organisations: PostgreSQL's row-level security.
//!
//! Every query that reads for an organisation names it. On PostgreSQL it is made besides in a session
//! of that organisation, as the database's reader, a role to which the policies of the tables show no
//! row of another: a query that forgot its condition would find nothing there that it must not.
//! SQLite has no roles.

use std::{
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use knowledge_domain::ids::OrganizationId;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqlxPostgresConnector,
    TransactionTrait,
    sqlx::{
        self, ConnectOptions as _, PgPool,
        postgres::{PgConnectOptions, PgPoolOptions},
    },
};

use super::connect::{ACQUIRE_TIMEOUT, SESSION, said};

/// Connections that read for one organisation.
const CONNECTIONS: u32 = 8;

/// Organisations that connections are kept for; another one takes those of the one that was read for
/// the longest time ago.
const ORGANIZATIONS: usize = 4;

/// How long a connection waits for the next read of its organisation.
const IDLE: Duration = Duration::from_mins(1);

/// Times that it is tried to make the reader: servers that start at once are in each other's way.
const ATTEMPTS: usize = 5;

/// The name of the reader, as the policies know it.
const READER: &str = "left(current_database(), 56) || '_reader'";

/// What the reader needs to read of tables that belong to nobody.
const COMMON: &str = "'server', 'circuit_breaker'";

/// Sessions of organisations; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Wall {
    url: PgConnectOptions,
    reader: String,
    sessions: Arc<Mutex<Sessions>>,
}

#[derive(Debug, Default)]
struct Sessions {
    /// The last one is the one that was used last.
    open: Vec<(OrganizationId, DatabaseConnection)>,
    closed: bool,
}

impl Wall {
    /// Builds the wall, where the database's user may; a warning says what to do where it may not.
    pub(super) async fn build(url: &str, connection: &DatabaseConnection) -> Option<Self> {
        let built = match PgConnectOptions::from_str(url) {
            Ok(url) => reader(connection).await.map(|reader| (url, reader)),
            Err(error) => Err(DbErr::Custom(error.to_string())),
        };
        match built {
            Ok((url, reader)) => Some(Self {
                url: url
                    .application_name("knowledge")
                    .disable_statement_logging(),
                reader,
                sessions: Arc::default(),
            }),
            Err(error) => {
                tracing::warn!(
                    "organisations are kept apart by queries alone, without row-level security: {}; \
                     `CREATE ROLE` and `GRANT` of docs/operations.md mend that",
                    said(&error)
                );
                None
            }
        }
    }

    /// Connections that see the rows of this organisation only; none once they are closed.
    pub(super) fn connections(&self, organization: OrganizationId) -> Option<DatabaseConnection> {
        let mut sessions = self.sessions();
        if sessions.closed {
            return None;
        }
        let open = &mut sessions.open;
        let known = open.iter().position(|(of, _)| *of == organization);
        let session = match known {
            Some(position) => open.remove(position),
            None => (organization, self.connect(organization)),
        };
        let connections = session.1.clone();
        open.push(session);
        if open.len() > ORGANIZATIONS {
            // Whoever still reads has them until then.
            open.remove(0);
        }
        Some(connections)
    }

    /// Has a transaction see the rows of this organisation only.
    pub(super) async fn enclose(
        &self,
        tx: &DatabaseTransaction,
        organization: OrganizationId,
    ) -> Result<(), DbErr> {
        let enclosed = self.session("SET LOCAL", organization);
        tx.execute_unprepared(&enclosed).await.map(drop)
    }

    /// Closes every connection.
    pub(super) async fn close(&self) {
        let closed = Sessions {
            closed: true,
            ..Sessions::default()
        };
        let sessions = std::mem::replace(&mut *self.sessions(), closed);
        for (_, connections) in sessions.open {
            // A connection that does not end in good order ends all the same.
            let _ = connections.close().await;
        }
    }

    fn connect(&self, organization: OrganizationId) -> DatabaseConnection {
        let told: Arc<str> = format!("{SESSION}; {}", self.session("SET", organization)).into();
        let pool: PgPool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(IDLE)
            .after_connect(move |connection, _| {
                let told = Arc::clone(&told);
                Box::pin(async move {
                    let told = sqlx::AssertSqlSafe(told);
                    sqlx::raw_sql(told).execute(connection).await.map(drop)
                })
            })
            .connect_lazy_with(self.url.clone());
        SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
    }

    /// What makes a session that of an organisation.
    fn session(&self, set: &str, organization: OrganizationId) -> String {
        let (reader, organization) = (quoted(&self.reader), organization.uuid());
        format!("{set} ROLE {reader}; {set} knowledge.organization = '{organization}'")
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        // Sessions are put in or taken out whole.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The database's reader, which is made where it is not there, and may read what has policies.
async fn reader(connection: &DatabaseConnection) -> Result<String, DbErr> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let state = state(connection).await?;
        if state.is_ready {
            return Ok(state.name);
        }
        match connection.execute_unprepared(&made(&state)).await {
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Ok(_) if attempt == ATTEMPTS => {
                let name = state.name;
                return Err(DbErr::Custom(format!(
                    "the role {name} is not as it should be"
                )));
            }
            // It may be there by now.
            _ => {}
        }
    }
}

struct State {
    name: String,
    exists: bool,
    /// Whether sessions may be its own: a member need not be allowed to.
    is_allowed: bool,
    is_ready: bool,
}

async fn state(connection: &DatabaseConnection) -> Result<State, DbErr> {
    let statement = format!(
        "SELECT reader.name, found.oid IS NOT NULL AS is_there,
            CASE WHEN found.oid IS NULL THEN FALSE ELSE
                has_schema_privilege(found.oid, current_schema(), 'USAGE')
                AND NOT EXISTS (SELECT FROM ({tables}) readable
                    WHERE NOT has_table_privilege(found.oid, readable.oid, 'SELECT'))
            END AS is_ready
         FROM (SELECT {READER} AS name) reader LEFT JOIN pg_roles found ON found.rolname = reader.name",
        tables = readable()
    );
    let row = connection.query_one_raw(sea_orm::Statement::from_string(
        connection.get_database_backend(),
        statement,
    ));
    let row = row
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("no answer".to_owned()))?;
    let name: String = row.try_get("", "name")?;
    let exists = row.try_get("", "is_there")?;
    let is_allowed = exists && may_become(connection, &name).await?;
    Ok(State {
        is_ready: is_allowed && row.try_get("", "is_ready")?,
        name,
        exists,
        is_allowed,
    })
}

/// Whether a session may be made one of this role.
async fn may_become(connection: &DatabaseConnection, role: &str) -> Result<bool, DbErr> {
    let tx = connection.begin().await?;
    let become_it = format!("SET LOCAL ROLE {}", quoted(role));
    let may = tx.execute_unprepared(&become_it).await.is_ok();
    tx.rollback().await?;
    Ok(may)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The tables that the reader may read: those with a policy, but for what proves who calls.
fn readable() -> String {
    format!(
        "SELECT c.oid FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
            AND c.relname <> 'api_key' AND (c.relname IN ({COMMON}) OR EXISTS (SELECT FROM pg_policy p
                WHERE p.polrelid = c.oid AND p.polname = 'of_organization'))"
    )
}

/// The statements that make the reader what it should be.
fn made(state: &State) -> String {
    let create = if state.exists {
        ""
    } else {
        "EXECUTE format('CREATE ROLE %I NOLOGIN', reader);"
    };
    let grant = if state.is_allowed {
        ""
    } else {
        // A superuser may become whoever it likes.
        "IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', reader);
         END IF;"
    };
    format!(
        "DO $$ DECLARE reader text := {READER}; readable regclass; BEGIN
            {create}
            {grant}
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), reader);
            FOR readable IN {tables} LOOP
                EXECUTE format('GRANT SELECT ON %s TO %I', readable, reader);
            END LOOP;
         END $$",
        tables = readable()
    )
}
