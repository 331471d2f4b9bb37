//! Row-level security on PostgreSQL: the second wall between organisations.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::collections::BTreeSet;

use knowledge_tests::{Backend, TestDatabase, TestServer, block_on, documents::documents, server};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::json;

/// Runs a test on PostgreSQL, where there is one.
fn run(body: impl AsyncFnOnce(TestDatabase)) {
    let Some(db) = TestDatabase::create(Backend::Postgres) else {
        return;
    };
    block_on(body(db));
}

async fn execute(connection: &DatabaseConnection, statements: &str) {
    connection.execute_unprepared(statements).await.unwrap();
}

async fn texts(connection: &DatabaseConnection, query: &str) -> BTreeSet<String> {
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(statement).await.unwrap();
    let text = |row: &sea_orm::QueryResult| row.try_get_by_index(0).unwrap();
    rows.iter().map(text).collect()
}

/// The URL of the database for another user.
fn of_user(db: &TestDatabase, user: &str) -> String {
    let (_, rest) = db.url().split_once('@').unwrap();
    format!("postgres://{user}@{rest}")
}

/// A user of this database alone, who may do what these words say.
async fn user(admin: &DatabaseConnection, may: &str) -> String {
    let name = texts(admin, "SELECT current_database()").await;
    let name = format!("{}_user", name.first().unwrap());
    execute(admin, &format!("CREATE ROLE \"{name}\" LOGIN {may}")).await;
    name
}

async fn drop_user(admin: &DatabaseConnection, name: &str) {
    execute(
        admin,
        &format!("DROP OWNED BY \"{name}\" CASCADE; DROP ROLE \"{name}\""),
    )
    .await;
}

#[test]
fn every_table_of_an_organisation_has_a_policy() {
    run(async |db| {
        db.open().await.close().await.unwrap();
        let connection = db.connect().await;
        let owned = texts(
            &connection,
            "SELECT table_name::text FROM information_schema.columns
             WHERE column_name = 'organization_id' AND table_schema = current_schema()
             UNION SELECT 'organization'",
        );
        let walled = texts(
            &connection,
            "SELECT c.relname::text FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid
             WHERE c.relrowsecurity AND p.polname = 'of_organization'",
        );
        let (owned, walled) = (owned.await, walled.await);
        assert!(owned.len() > 20);
        assert_eq!(owned, walled);
    });
}

#[test]
fn the_reader_sees_what_its_session_names() {
    run(async |db| {
        db.open().await.close().await.unwrap();
        let url = ["--database", db.url()];
        let made = server::run(&[&["organization", "create", "acme"][..], &url].concat());
        assert!(made.status.success());
        let connection = Database::connect(
            sea_orm::ConnectOptions::new(db.url())
                .max_connections(1)
                .to_owned(),
        );
        let connection = connection.await.unwrap();
        let slugs = "SELECT slug FROM organization";
        assert_eq!(texts(&connection, slugs).await.len(), 2);
        let acme = texts(
            &connection,
            "SELECT id::text FROM organization WHERE slug = 'acme'",
        )
        .await;
        let reader = texts(&connection, "SELECT current_database() || '_reader'").await;
        execute(
            &connection,
            &format!("SET ROLE \"{}\"", reader.first().unwrap()),
        )
        .await;
        assert!(
            texts(&connection, slugs).await.is_empty(),
            "no organisation is named"
        );
        let named = format!("SET knowledge.organization = '{}'", acme.first().unwrap());
        execute(&connection, &named).await;
        assert_eq!(
            texts(&connection, slugs).await,
            BTreeSet::from(["acme".to_owned()])
        );
        for refused in [
            "UPDATE organization SET name = 'x'",
            "DELETE FROM organization",
            "SELECT 1 FROM api_key",
        ] {
            assert!(
                connection.execute_unprepared(refused).await.is_err(),
                "{refused}"
            );
        }
        execute(&connection, "RESET knowledge.organization").await;
        assert!(texts(&connection, slugs).await.is_empty());
    });
}

/// A server on this database runs a batch to its end, and shows it.
async fn serves(server: &TestServer) {
    let client = server.client();
    let id = client.start(&documents(3), json!({})).await;
    assert_eq!(client.ended(&id).await["stage"], "COMPLETED");
    let found = client
        .graphql("{ entities { nodes { name } } }", json!({}))
        .await;
    assert!(!found["entities"]["nodes"].as_array().unwrap().is_empty());
}

#[test]
fn a_user_who_owns_the_tables_is_enough() {
    run(async |db| {
        let admin = db.connect().await;
        let name = user(&admin, "CREATEROLE").await;
        execute(
            &admin,
            &format!("GRANT CREATE ON SCHEMA public TO \"{name}\""),
        )
        .await;
        let server = TestServer::start(&of_user(&db, &name));
        serves(&server).await;
        let who = texts(
            &admin,
            "SELECT r.rolname::text FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
             JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = current_database() || '_user'",
        );
        assert_eq!(who.await.len(), 1);
        assert!(
            !server.log().contains("row-level security"),
            "{}",
            server.log()
        );
        assert!(server.terminate().success());
        drop_user(&admin, &name).await;
    });
}

#[test]
fn a_user_who_may_make_no_roles_is_told_so_and_served() {
    run(async |db| {
        let admin = db.connect().await;
        let name = user(&admin, "").await;
        execute(
            &admin,
            &format!("GRANT CREATE ON SCHEMA public TO \"{name}\""),
        )
        .await;
        let url = of_user(&db, &name);
        let server = TestServer::start(&url);
        serves(&server).await;
        let log = server.log();
        assert!(
            log.contains("without row-level security") && log.contains("docs/operations.md"),
            "{log}"
        );
        assert!(server.terminate().success());

        // Somebody who may does as the page says.
        let statements = format!(
            "DO $$ BEGIN EXECUTE format('CREATE ROLE %I NOLOGIN', current_database() || '_reader');
             EXECUTE format('GRANT %I TO %I', current_database() || '_reader', '{name}'); END $$"
        );
        execute(&admin, &statements).await;
        let server = TestServer::start(&url);
        serves(&server).await;
        assert!(
            !server.log().contains("row-level security"),
            "{}",
            server.log()
        );
        assert!(server.terminate().success());
        drop_user(&admin, &name).await;
    });
}

#[test]
fn a_user_who_owns_nothing_may_serve() {
    run(async |db| {
        // Its tables were made by somebody else.
        db.open().await.close().await.unwrap();
        let admin = db.connect().await;
        let name = user(&admin, "").await;
        let granted = format!(
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO \"{name}\";
             DO $$ BEGIN EXECUTE format('GRANT %I TO %I', current_database() || '_reader', '{name}'); END $$"
        );
        execute(&admin, &granted).await;
        let server = TestServer::start(&of_user(&db, &name));
        serves(&server).await;
        assert!(
            !server.log().contains("row-level security"),
            "{}",
            server.log()
        );
        assert!(server.terminate().success());
        drop_user(&admin, &name).await;
    });
}
