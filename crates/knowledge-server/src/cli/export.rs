//! `knowledge export`, and writing a graph where it is wanted.

use std::{io::ErrorKind, path::Path};

use anyhow::Context;
use knowledge_domain::ids::{BatchId, OrganizationId};

use super::{Ended, args::Export, destination::Destination, existing_database, local};
use crate::{
    config::Config,
    export::{self, ExportError, Format},
    store::Store,
};

pub(super) async fn run(command: Export, config: Config) -> anyhow::Result<Ended> {
    let url = existing_database(&config)?;
    let out = Destination::of(command.out.as_deref())?;
    let format = format_of(command.format, command.out.as_deref(), &out)?;
    let store = Store::read_only(&url).await?;
    let organization = local::organization(&store, &command.organization).await?;
    write((&store, organization), command.batch, format, &out).await?;
    Ok(Ended::Done)
}

/// The format that is named, or that of the file's ending.
pub(super) fn format_of(
    named: Option<Format>,
    path: Option<&Path>,
    out: &Destination,
) -> anyhow::Result<Format> {
    let path = match (named, path, out) {
        (Some(format), ..) => return Ok(format),
        (None, Some(path), Destination::File(_)) => path,
        (None, ..) => return Ok(Format::Json),
    };
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.and_then(Format::by_ending).with_context(|| {
        format!(
            "{} has an ending that names no format; use .json, .jsonld, .ttl, .nt, .graphml, \
             .cypher, .csv or --format",
            path.display()
        )
    })
}

/// Writes a graph. Whoever reads it from a pipe may have had enough.
pub(super) async fn write(
    (store, organization): (&Store, OrganizationId),
    batch: Option<BatchId>,
    format: Format,
    out: &Destination,
) -> anyhow::Result<()> {
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
