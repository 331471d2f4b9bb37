//! `knowledge prune`: retention.

use chrono::{DateTime, Days};
use knowledge_domain::Clock;

use super::{Ended, args::Prune, existing_database, print};
use crate::{
    config::Config,
    environment::SystemClock,
    store::{Pruned, Pruning, Store},
};

pub(super) async fn run(command: &Prune, config: &Config) -> anyhow::Result<Ended> {
    let store = Store::open_beside(&existing_database(config)?).await?;
    let now = SystemClock.now();
    let pruning = Pruning {
        before: now
            .checked_sub_days(Days::new(command.older_than.into()))
            .unwrap_or(DateTime::UNIX_EPOCH),
        at: (!command.dry_run).then_some(now),
    };
    let pruned = store.prune(pruning).await?;
    store.close().await?;
    let text = if command.json {
        serde_json::to_string(&pruned)?
    } else {
        sentence(pruned, command.dry_run)
    };
    print(&format!("{text}\n"))?;
    Ok(Ended::Done)
}

fn sentence(pruned: Pruned, dry_run: bool) -> String {
    let Pruned {
        executions,
        activities,
        bytes,
    } = pruned;
    let verb = if dry_run { "would prune" } else { "pruned" };
    format!("{verb} {executions} executions: {activities} activities, {bytes} bytes")
}
