//! `knowledge export`, and writing a graph where it is wanted.

use std::io::{ErrorKind, Write};

use knowledge_domain::ids::{BatchId, OrganizationId};

use super::{
    Ended,
    args::{Export, Format},
    destination::Destination,
    existing_database,
};
use crate::{
    config::Config,
    export::{self, ExportError},
    store::Store,
};

pub(super) async fn run(command: Export, config: Config) -> anyhow::Result<Ended> {
    let url = existing_database(&config)?;
    let out = Destination::of(command.out.as_deref())?;
    let store = Store::read_only(&url).await?;
    write(&store, command.batch, command.format, &out).await?;
    Ok(Ended::Done)
}

/// Writes a graph. Whoever reads it from a pipe may have had enough.
pub(super) async fn write(
    store: &Store,
    batch: Option<BatchId>,
    format: Format,
    out: &Destination,
) -> anyhow::Result<()> {
    let written = out.write(async |out| Ok(write_to(store, batch, format, out).await?));
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

async fn write_to(
    store: &Store,
    batch: Option<BatchId>,
    format: Format,
    mut out: &mut (dyn Write + Send),
) -> Result<(), ExportError> {
    match format {
        Format::Json => export::write_json(store, OrganizationId::DEFAULT, batch, &mut out).await,
    }
}
