//! The raw commit rate of a database: rows of 1 KiB, through the pools that the store opens.

use anyhow::Result;
use knowledge_server::store::{DatabaseUrl, Store};
use sea_orm::{ConnectionTrait, Statement, Value};
use tokio::task::JoinSet;

use crate::sample::{Meter, Sample};

const ROW_BYTES: usize = 1024;

/// Inserts `rows` rows by `writers` tasks, `group` rows a transaction.
pub(crate) async fn measure(
    url: &DatabaseUrl,
    rows: usize,
    group: usize,
    writers: usize,
) -> Result<Sample> {
    let store = Store::connect(url).await?;
    let tx = store.begin().await?;
    tx.execute_unprepared("CREATE TABLE raw_commit (id BIGINT PRIMARY KEY, body TEXT NOT NULL)")
        .await?;
    tx.commit().await?;
    let transactions = rows.div_ceil(group);
    let meter = Meter::start()?;
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        let store = store.clone();
        tasks.spawn(async move {
            for number in (writer..transactions).step_by(writers) {
                insert(&store, number * group, group).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let sample = meter.stop()?;
    store.close().await?;
    Ok(sample)
}

/// One transaction, one statement.
async fn insert(store: &Store, first: usize, group: usize) -> Result<()> {
    let tx = store.begin().await?;
    let places: Vec<String> = (0..group)
        .map(|row| format!("(${}, ${})", 2 * row + 1, 2 * row + 2))
        .collect();
    let values = (first..first + group).flat_map(|id| {
        let body = format!("{id:.<ROW_BYTES$}");
        [Value::BigInt(Some(id as i64)), Value::String(Some(body))]
    });
    let sql = format!(
        "INSERT INTO raw_commit (id, body) VALUES {}",
        places.join(", ")
    );
    let statement = Statement::from_sql_and_values(store.backend(), sql, values);
    tx.execute_raw(statement).await?;
    Ok(tx.commit().await?)
}
