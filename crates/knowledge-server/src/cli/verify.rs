//! `knowledge verify`: whether a database keeps its promises.

use anyhow::bail;

use super::{Ended, args::Verify, existing_database, print};
use crate::{config::Config, store::Store, verify};

pub(super) async fn run(command: &Verify, config: &Config) -> anyhow::Result<Ended> {
    let store = Store::read_only_current(&existing_database(config)?).await?;
    let report = verify::verify(&store).await?;
    store.close().await?;
    let text = if command.json {
        serde_json::to_string(&report)?
    } else {
        report.to_string()
    };
    print(&format!("{text}\n"))?;
    match report.violations.len() {
        0 => Ok(Ended::Done),
        violated => bail!(
            "the database violates {violated} invariants, listed on standard output; keep a copy of it and see docs/operations.md"
        ),
    }
}
