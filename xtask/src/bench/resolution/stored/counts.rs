//! What a database holds, and what a batch took.

use std::{fmt, fs};

use anyhow::{Context as _, Result};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DbBackend, QueryResult, Statement,
};
use serde::Serialize;

/// What a database holds.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) documents: usize,
    pub(super) entities: usize,
}

/// What it costs.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cost {
    /// Processor time of the binary, from its start to its end: extraction and export are in it.
    pub(super) cpu_seconds: f64,
    /// Rows that PostgreSQL has read in all; nothing where the database does not say.
    pub(super) rows: Option<i64>,
    /// Pages of them.
    pub(super) pages: Option<i64>,
}

/// What one batch took.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Batch {
    pub(super) documents: i64,
    pub(super) entities: i64,
    /// The units of resolution, added up.
    pub(super) resolution_seconds: f64,
    pub(super) units: i64,
    /// Forms that were settled, those that were there already among them.
    pub(super) forms: u64,
    /// Of the whole batch.
    pub(super) cost: Cost,
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} entities resolved in {:.2} s, {} units, {} forms, {:.2} CPU s",
            self.entities, self.resolution_seconds, self.units, self.forms, self.cost.cpu_seconds
        )?;
        match self.cost.rows {
            Some(rows) => write!(f, ", {rows} rows read"),
            None => Ok(()),
        }
    }
}

impl Counts {
    /// Nothing, where the database has no tables yet.
    pub(super) fn of(url: &str) -> Result<Self> {
        if absent(url) {
            return Ok(Self::default());
        }
        with(url, async |connection| {
            let count = async |table: &str| -> Option<usize> {
                let sql = format!("SELECT COUNT(*) AS rows FROM {table}");
                let found = rows(connection, &sql).await.ok()?;
                let count: i64 = found.first()?.try_get("", "rows").ok()?;
                usize::try_from(count).ok()
            };
            Ok(Self {
                documents: count("document").await.unwrap_or_default(),
                entities: count("entity").await.unwrap_or_default(),
            })
        })
    }
}

impl Cost {
    /// Since this process and the database began.
    pub(super) fn of(url: &str) -> Result<Self> {
        let mut cost = Self {
            cpu_seconds: children_seconds(),
            ..Self::default()
        };
        if absent(url) {
            return Ok(cost);
        }
        let read = with(url, async |connection| {
            if connection.get_database_backend() != DbBackend::Postgres {
                return Ok(None);
            }
            let sql = "SELECT tup_returned + tup_fetched AS tuples, blks_hit + blks_read AS pages
                       FROM pg_stat_database WHERE datname = current_database()";
            let found = rows(connection, sql).await?;
            let row = found.first().context("PostgreSQL counts nothing")?;
            Ok(Some((
                row.try_get("", "tuples")?,
                row.try_get("", "pages")?,
            )))
        });
        (cost.rows, cost.pages) = read?.unzip();
        Ok(cost)
    }

    pub(super) fn since(&self, before: &Self) -> Self {
        let less = |now: Option<i64>, before: Option<i64>| Some(now? - before.unwrap_or(0));
        Self {
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
            rows: less(self.rows, before.rows),
            pages: less(self.pages, before.pages),
        }
    }
}

impl Batch {
    /// What the database says of the last batch.
    pub(super) fn last(url: &str, cost: Cost) -> Result<Self> {
        with(url, async |connection| last(connection, cost).await)
    }
}

async fn last(connection: &DatabaseConnection, cost: Cost) -> Result<Batch> {
    let of = "(SELECT id FROM batch_execution ORDER BY created_at DESC LIMIT 1)";
    let units = rows(
        connection,
        &format!(
            "SELECT CAST(a.output AS text) AS output, a.duration_ms AS took
             FROM workflow_activity a JOIN workflow_execution e ON e.id = a.execution_id
             WHERE e.batch_id = {of}"
        ),
    )
    .await?;
    let mut forms = 0;
    let mut took = 0_i64;
    for unit in &units {
        took += i64::from(unit.try_get::<i32>("", "took")?);
        let output: Option<String> = unit.try_get("", "output").ok();
        forms += output.map_or(0, |output| settled(&output));
    }
    let sql = format!(
        "SELECT COUNT(*) AS documents, CAST(SUM(entity_count) AS bigint) AS entities
         FROM batch_document WHERE batch_id = {of}"
    );
    let counts = rows(connection, &sql).await?;
    Ok(Batch {
        documents: counts[0].try_get("", "documents")?,
        entities: counts[0].try_get("", "entities")?,
        resolution_seconds: took as f64 / 1e3,
        units: i64::try_from(units.len())?,
        forms,
        cost,
    })
}

/// The forms that a unit settled; PostgreSQL shows bytes in hexadecimal.
fn settled(output: &str) -> u64 {
    let bytes = output.strip_prefix("\\x").map(|hex| {
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).ok();
        digits.filter_map(byte).collect::<Vec<u8>>()
    });
    let bytes = bytes.unwrap_or_else(|| output.as_bytes().to_vec());
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    match value.get("merges") {
        Some(_) => value["forms"].as_u64().unwrap_or_default(),
        None => 0,
    }
}

/// What the programs that ended have cost the processor; 0 where the system does not say.
fn children_seconds() -> f64 {
    /// The system's clock ticks of a second.
    const TICKS: f64 = 100.0;
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may hold anything: the 16th and 17th of all are those of children.
    let fields = text.rsplit_once(')').map_or("", |it| it.1);
    let fields = fields.split_whitespace().skip(13).take(2);
    fields
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS
}

/// Whether it is a file that nobody has made yet.
fn absent(url: &str) -> bool {
    let path = url.strip_prefix("sqlite://");
    path.is_some_and(|path| !fs::exists(path).unwrap_or(false))
}

fn with<T>(url: &str, work: impl AsyncFnOnce(&DatabaseConnection) -> Result<T>) -> Result<T> {
    block_on(async {
        let connection = Database::connect(url).await?;
        let done = work(&connection).await;
        connection.close().await?;
        done
    })
}

/// Runs what waits for a database, without a runtime around.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

async fn rows(connection: &DatabaseConnection, sql: &str) -> Result<Vec<QueryResult>> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    Ok(connection.query_all_raw(statement).await?)
}
