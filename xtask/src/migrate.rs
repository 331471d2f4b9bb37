//! The schema of a database: brought forward, back, shown, started anew.

mod new;

use std::{fmt::Display, time::Duration};

use anyhow::{Result, anyhow, bail};
use clap::Subcommand;
use knowledge_migrations::{Migrator, MigratorTrait};
use sea_orm_migration::{
    MigrationStatus,
    sea_orm::{ConnectOptions, Database, DatabaseConnection},
};
use url::{Host, Url};

/// How long a database may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The database's URL, of SQLite or PostgreSQL
    #[arg(
        long,
        value_name = "URL",
        global = true,
        env = "KNOWLEDGE_DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite://knowledge.db"
    )]
    database: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply what is pending, or the next N
    Up { steps: Option<u32> },
    /// Take back the last migration, or the last N
    Down {
        #[arg(default_value_t = 1)]
        steps: u32,
    },
    /// Show which migrations are applied
    Status,
    /// Drop everything and apply all migrations
    Fresh {
        /// Allow it on a PostgreSQL of another machine
        #[arg(long)]
        force: bool,
    },
    /// Write a new migration and register it
    New { name: String },
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Command::New { name } = &arguments.command {
        return new::write(name);
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(change(arguments))
}

async fn change(arguments: &Arguments) -> Result<()> {
    let url = &arguments.database;
    match arguments.command {
        Command::Up { steps } => up(&connect(url, true).await?, steps).await,
        Command::Down { steps } => down(&connect(url, false).await?, steps).await,
        Command::Status => status(&connect(url, false).await?).await,
        Command::Fresh { force } => {
            refuse_elsewhere(url, force)?;
            fresh(&connect(url, true).await?).await
        }
        Command::New { ref name } => new::write(name),
    }
}

async fn up(database: &DatabaseConnection, steps: Option<u32>) -> Result<()> {
    let pending = names(database, MigrationStatus::Pending).await?;
    Migrator::up(database, steps).await.map_err(failed)?;
    let steps = steps.map_or(pending.len(), |steps| steps as usize);
    report("applied", pending.iter().take(steps));
    Ok(())
}

async fn down(database: &DatabaseConnection, steps: u32) -> Result<()> {
    let applied = names(database, MigrationStatus::Applied).await?;
    Migrator::down(database, Some(steps))
        .await
        .map_err(failed)?;
    report("taken back", applied.iter().rev().take(steps as usize));
    Ok(())
}

async fn fresh(database: &DatabaseConnection) -> Result<()> {
    Migrator::fresh(database).await.map_err(failed)?;
    report(
        "applied",
        names(database, MigrationStatus::Applied).await?.iter(),
    );
    Ok(())
}

async fn status(database: &DatabaseConnection) -> Result<()> {
    for migration in Migrator::get_migration_with_status_read_only(database)
        .await
        .map_err(failed)?
    {
        let status = migration.status().to_string().to_lowercase();
        println!("{status:<8} {}", migration.name());
    }
    Ok(())
}

async fn names(database: &DatabaseConnection, status: MigrationStatus) -> Result<Vec<String>> {
    let all = Migrator::get_migration_with_status_read_only(database)
        .await
        .map_err(failed)?;
    let named = all.iter().filter(|migration| migration.status() == status);
    Ok(named.map(|migration| migration.name().to_owned()).collect())
}

fn report<'a>(what: &str, names: impl Iterator<Item = &'a String>) {
    let mut none = true;
    for name in names {
        none = false;
        println!("{what} {name}");
    }
    if none {
        println!("nothing to do");
    }
}

/// Opens the database; a SQLite file that is not there is made where the command may.
async fn connect(url: &str, create: bool) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(with_mode(url, create)?);
    options.max_connections(1).sqlx_logging(false);
    options.connect_timeout(PATIENCE).acquire_timeout(PATIENCE);
    let connection = Database::connect(options).await;
    connection.map_err(|error| anyhow!("the database {} cannot be opened: {error}", masked(url)))
}

/// What a database says of a migration; its text holds its cause already.
fn failed(error: impl Display) -> anyhow::Error {
    anyhow!("the migration failed: {error}")
}

fn with_mode(url: &str, create: bool) -> Result<String> {
    let Some(path) = url.strip_prefix("sqlite://") else {
        let known = ["postgres://", "postgresql://"];
        if known.iter().any(|scheme| url.starts_with(scheme)) {
            return Ok(url.to_owned());
        }
        bail!(
            "`{}` is not a database URL; use sqlite://PATH or postgres://USER@HOST:PORT/NAME",
            masked(url)
        );
    };
    if path.is_empty() || path.contains([':', '?']) {
        bail!("`{url}` names no file; use sqlite://PATH");
    }
    if !create && !std::path::Path::new(path).is_file() {
        bail!("there is no database {path}; `cargo xtask migrate up` makes one");
    }
    Ok(format!("{url}?mode={}", if create { "rwc" } else { "rw" }))
}

/// A slip of the environment must not empty a database that others use.
fn refuse_elsewhere(url: &str, force: bool) -> Result<()> {
    if force || url.starts_with("sqlite://") || is_local(url) {
        return Ok(());
    }
    bail!(
        "{} is on another machine, and `fresh` drops everything in it; repeat with --force if \
         that is meant",
        masked(url)
    )
}

/// Whether every way in which the URL names a host is loopback or a socket.
fn is_local(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let in_query = url
        .query_pairs()
        .filter(|(key, _)| key == "host" || key == "hostaddr")
        .all(|(_, host)| host.starts_with('/') || is_loopback(&host));
    let in_authority = match url.host() {
        None => true,
        Some(Host::Domain(name)) => is_loopback(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
    };
    in_query && in_authority
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host.is_empty() || host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The URL without its password.
fn masked(url: &str) -> String {
    let Some((before, host)) = url.rsplit_once('@') else {
        return url.to_owned();
    };
    let Some((scheme, credentials)) = before.split_once("://") else {
        return format!("***@{host}");
    };
    let user = credentials.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:***@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_stays_on_this_machine() {
        for local in [
            "postgres://me@localhost/k",
            "postgres://me@127.0.0.1:5433/k",
            "postgres://me@[::1]/k",
            "postgres:///k?host=/run/postgresql",
            "sqlite://k.db",
        ] {
            assert!(refuse_elsewhere(local, false).is_ok(), "{local}");
        }
        for elsewhere in [
            "postgres://me@db.example/k",
            "postgres://me@10.0.0.1/k",
            "postgres://me@localhost/k?host=db.example",
            "postgres://me@localhost.example/k",
        ] {
            assert!(refuse_elsewhere(elsewhere, false).is_err(), "{elsewhere}");
            assert!(refuse_elsewhere(elsewhere, true).is_ok(), "{elsewhere}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(masked("postgres://me:s@crt@db/k"), "postgres://me:***@db/k");
    }

    #[tokio::test]
    async fn a_file_is_made_by_up_only() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("k.db").display());
        assert!(connect(&url, false).await.is_err());

        let database = connect(&url, true).await.unwrap();
        up(&database, None).await.unwrap();
        let applied = names(&database, MigrationStatus::Applied).await.unwrap();
        assert_eq!(applied.len(), Migrator::migrations().len());
        down(&database, 1).await.unwrap();
        fresh(&database).await.unwrap();
        assert!(connect(&url, false).await.is_ok());
    }
}
