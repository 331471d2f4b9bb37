//! `knowledge export`, and writing a graph where it is wanted.

use std::io::ErrorKind;

use knowledge_domain::ids::{BatchId, OrganizationId};

use super::{Ended, args::Export, destination::Destination, existing_database};
use crate::{
    config::Config,
    export::{self, ExportError, Format},
    store::Store,
};

pub(super) async fn run(command: Export, config: Config) -> anyhow::Result<Ended> {
    let url = existing_database(&config)?;
    let out = Destination::of(command.out.as_deref())?;
    let store = Store::read_only(&url).await?;
    let named = || Format::by_ending(command.out.as_deref()?.extension()?.to_str()?);
    let format = command.format.or_else(named).unwrap_or(Format::Json);
    write(&store, command.batch, format, &out).await?;
    Ok(Ended::Done)
}

/// Writes a graph. Whoever reads it from a pipe may have had enough.
pub(super) async fn write(
    store: &Store,
    batch: Option<BatchId>,
    format: Format,
    out: &Destination,
) -> anyhow::Result<()> {
    let organization = OrganizationId::DEFAULT;
    let written =
        out.write(async |out| Ok(export::write(store, organization, batch, format, out).await?));
    match written.await {
        Err(error) if *out != Destination::Standard || !has_reader_gone(&error) => Err(error),
        _ => Ok(()),
    }
}

fn has_reader_gone(error: &anyhow::Error) -> bool {
    let of_write = match error.downcast_ref::<ExportError>() {
        Some(ExportError::Write(error)) => Some(error),
        Some(_) => None,
        None => error.downcast_ref(),
    };
    of_write.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
