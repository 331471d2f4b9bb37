//! Empty databases, one a measurement.

use std::fmt;

use anyhow::{Context, Result};
use sea_orm_migration::sea_orm::{ConnectionTrait, Database, DbErr};
use serde::Serialize;
use tempfile::TempDir;

use super::program::target;
use crate::postgres::Cluster;

/// The name of every database; each is dropped before the next is made.
const NAME: &str = "knowledge_bench";

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Kind {
    #[serde(rename = "SQLite")]
    Sqlite,
    #[serde(rename = "PostgreSQL")]
    Postgres,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// Where databases are made.
pub(super) struct Databases {
    /// Where cargo builds: a temporary folder may lie in memory, where a flush to disk
    /// costs nothing.
    folder: TempDir,
    /// PostgreSQL's URL, where there is one.
    admin: Option<String>,
    /// Stopped when dropped.
    _cluster: Option<Cluster>,
}

impl Databases {
    /// `postgres` is a URL, `provision` or `none`.
    pub(super) fn provide(postgres: &str) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("bench")
            .tempdir_in(target()?)?;
        let (admin, cluster) = match postgres {
            "none" => (None, None),
            "provision" => {
                let cluster = Cluster::start()?;
                (Some(cluster.url()), Some(cluster))
            }
            url => (Some(url.to_owned()), None),
        };
        Ok(Self {
            folder,
            admin,
            _cluster: cluster,
        })
    }

    pub(super) fn kinds(&self) -> Vec<Kind> {
        let postgres = self.admin.is_some().then_some(Kind::Postgres);
        [Kind::Sqlite].into_iter().chain(postgres).collect()
    }

    /// Does something with an empty database, which is removed afterwards.
    pub(super) fn with_fresh<T>(
        &self,
        kind: Kind,
        work: impl FnOnce(&str) -> Result<T>,
    ) -> Result<T> {
        match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir_in(self.folder.path())?;
                work(&format!(
                    "sqlite://{}",
                    folder.path().join("bench.db").display()
                ))
            }
            Kind::Postgres => {
                let admin = self.admin.as_deref().context("no PostgreSQL")?;
                execute(admin, &[drop(), format!("CREATE DATABASE {NAME}")])?;
                let (server, _) = admin
                    .rsplit_once('/')
                    .context("the URL names no database")?;
                let done = work(&format!("{server}/{NAME}"))?;
                execute(admin, &[drop()])?;
                Ok(done)
            }
        }
    }
}

fn drop() -> String {
    format!("DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
}

fn execute(url: &str, statements: &[String]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let connection = Database::connect(url).await?;
        for statement in statements {
            connection.execute_unprepared(statement).await?;
        }
        connection.close().await
    });
    done.map_err(|error: DbErr| anyhow::anyhow!("PostgreSQL refused: {error}"))
}
