//! Databases that come and go with a test.

use std::{env, fs, thread, time::Duration};

use knowledge_server::store::{DatabaseUrl, Store};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbErr};
use tempfile::TempDir;

/// Where a PostgreSQL cluster answers whose user may create databases.
pub const POSTGRES_URL: &str = "KNOWLEDGE_TEST_POSTGRES_URL";
/// Set to `1` where tests on PostgreSQL must not be left out.
pub const REQUIRE_POSTGRES: &str = "KNOWLEDGE_REQUIRE_POSTGRES";

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// A database in the cluster of [`POSTGRES_URL`].
    Postgres,
}

/// An empty database that is removed when dropped.
#[derive(Debug)]
pub struct TestDatabase {
    backend: Backend,
    url: String,
    admin: Option<Admin>,
    folder: TempDir,
}

/// The way to the cluster that a database was made in.
#[derive(Debug)]
struct Admin {
    url: String,
    name: String,
}

impl TestDatabase {
    /// A fresh database; `None`, after a line that says so, where there is no PostgreSQL and none
    /// is required.
    ///
    /// # Panics
    /// When PostgreSQL is required and not there, or refuses to create a database.
    #[must_use]
    pub fn create(backend: Backend) -> Option<Self> {
        let created = Self::named(backend)?;
        if let Some(admin) = &created.admin {
            admin.execute(&format!("CREATE DATABASE \"{}\"", admin.name));
        }
        Some(created)
    }

    /// A SQLite database in a file that the test has chosen, and removes.
    ///
    /// # Panics
    /// When no temporary folder can be made.
    #[must_use]
    pub fn in_file(url: &str) -> Self {
        Self {
            backend: Backend::Sqlite,
            url: url.to_owned(),
            admin: None,
            folder: temporary_folder(),
        }
    }

    /// A fresh database in the cluster of this URL.
    ///
    /// # Panics
    /// When the cluster refuses to create it.
    #[must_use]
    pub fn in_cluster(cluster: &str) -> Self {
        let folder = temporary_folder();
        let admin = Admin::new(cluster.to_owned(), &folder);
        admin.execute(&format!("CREATE DATABASE \"{}\"", admin.name));
        Self {
            backend: Backend::Postgres,
            url: admin.database_url(),
            admin: Some(admin),
            folder,
        }
    }

    /// A name that no other database has.
    fn named(backend: Backend) -> Option<Self> {
        let folder = temporary_folder();
        let (url, admin) = match backend {
            Backend::Sqlite => {
                let path = folder.path().join("knowledge.db");
                (format!("sqlite://{}", path.display()), None)
            }
            Backend::Postgres => {
                let admin = Admin::new(postgres_url()?, &folder);
                (admin.database_url(), Some(admin))
            }
        };
        Some(Self {
            backend,
            url,
            admin,
            folder,
        })
    }

    /// Another empty database of the same kind.
    ///
    /// # Panics
    /// As [`TestDatabase::create`].
    #[must_use]
    pub fn another(&self) -> Self {
        Self::create(self.backend).expect("this one could be created")
    }

    /// A database with the same content; nothing may be connected to this one.
    ///
    /// # Panics
    /// When it cannot be copied, or something still is connected after a while.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::named(self.backend).expect("this one could be created");
        match (&self.admin, &copy.admin) {
            (Some(template), Some(admin)) => admin.insist(&format!(
                "CREATE DATABASE \"{}\" TEMPLATE \"{}\"",
                admin.name, template.name
            )),
            _ => self.copy_files(&copy),
        }
        copy
    }

    /// The file, and its log where a process that died has left one.
    fn copy_files(&self, copy: &Self) {
        for name in ["knowledge.db", "knowledge.db-wal"] {
            let file = self.folder.path().join(name);
            if file.exists() {
                fs::copy(file, copy.folder.path().join(name)).expect("a file can be copied");
            }
        }
    }

    /// The kind.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The URL that the binary takes with `--database`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A folder that lives as long as the database, for files of the test.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The URL as the store takes it.
    ///
    /// # Panics
    /// Never: the URL was made here.
    #[must_use]
    pub fn database_url(&self) -> DatabaseUrl {
        self.url.parse().expect("the URL is a database URL")
    }

    /// The store on this database, its schema up to date.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn open(&self) -> Store {
        Store::open(&self.database_url())
            .await
            .expect("the store opens")
    }

    /// A bare connection: no schema is created.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn connect(&self) -> DatabaseConnection {
        let url = match self.backend {
            Backend::Sqlite => format!("{}?mode=rwc", self.url),
            Backend::Postgres => self.url.clone(),
        };
        Database::connect(url).await.expect("the database answers")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(admin) = self.admin.take() {
            // Left to the end of the cluster when it fails: this may run while a test panics.
            let _ = admin.try_execute(format!(
                "DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)",
                admin.name
            ));
            // The role that reads it is one of the cluster.
            let _ = admin.try_execute(format!("DROP ROLE IF EXISTS \"{}_reader\"", admin.name));
        }
    }
}

impl Admin {
    fn new(url: String, folder: &TempDir) -> Self {
        let name = folder.path().file_name().unwrap_or_default();
        Self {
            url,
            name: name.to_string_lossy().to_lowercase(),
        }
    }

    /// The admin URL with the database's name in place of its own.
    fn database_url(&self) -> String {
        let (server, _) = self.url.rsplit_once('/').expect("the URL names a database");
        format!("{server}/{}", self.name)
    }

    fn execute(&self, sql: &str) {
        self.try_execute(sql.to_owned())
            .unwrap_or_else(|error| panic!("PostgreSQL refused `{sql}`: {error}"));
    }

    /// As [`Self::execute`], again and again while connections that were closed still end.
    fn insist(&self, sql: &str) {
        for _ in 0..100 {
            if self.try_execute(sql.to_owned()).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        self.execute(sql);
    }

    /// Runs on a thread of its own, so that it works within a runtime and outside of one.
    fn try_execute(&self, sql: String) -> Result<(), DbErr> {
        let url = self.url.clone();
        thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be built")
                .block_on(async {
                    let connection = Database::connect(url).await?;
                    connection.execute_unprepared(&sql).await?;
                    connection.close().await
                })
        })
        .join()
        .expect("the thread does not panic")
    }
}

/// A folder whose name no other test has, within the system's temporary folder.
fn temporary_folder() -> TempDir {
    tempfile::Builder::new()
        .prefix(&format!("knowledge_{}_", std::process::id()))
        .rand_bytes(10)
        .tempdir()
        .expect("a temporary folder can be made")
}

fn postgres_url() -> Option<String> {
    if let Ok(url) = env::var(POSTGRES_URL) {
        return Some(url);
    }
    assert!(
        env::var(REQUIRE_POSTGRES).is_err(),
        "{POSTGRES_URL} is not set, and {REQUIRE_POSTGRES} says that PostgreSQL must be tested"
    );
    eprintln!("SKIPPED on PostgreSQL: {POSTGRES_URL} is not set; `cargo xtask test` provides one");
    None
}
