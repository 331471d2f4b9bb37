//! `knowledge export`, and writing a graph where it is wanted.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::{Context, anyhow, bail};
use knowledge_domain::ids::{BatchId, OrganizationId};

use super::{
    Ended,
    args::{Export, Format},
    existing_database,
};
use crate::{config::Config, export, store::Store};

pub(super) async fn run(command: Export, config: Config) -> anyhow::Result<Ended> {
    let url = existing_database(&config)?;
    if let Some(out) = command.out.as_deref() {
        check(out)?;
    }
    let store = Store::read_only(&url).await?;
    write(
        &store,
        command.batch,
        command.format,
        command.out.as_deref(),
    )
    .await?;
    Ok(Ended::Done)
}

/// Refuses a file that could not be written, before the work for it is done.
pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    let folder = folder_of(path);
    if path.is_dir() || !folder.is_dir() {
        bail!(
            "{} cannot be written: it is a folder, or its folder is not there",
            path.display()
        );
    }
    tempfile::NamedTempFile::new_in(folder)
        .map(drop)
        .map_err(|error| anyhow!("{} cannot be written: {}", path.display(), error.kind()))
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Writes a graph to a file, whole or not at all, or to standard output.
pub(super) async fn write(
    store: &Store,
    batch: Option<BatchId>,
    format: Format,
    out: Option<&Path>,
) -> anyhow::Result<()> {
    let Some(path) = out else {
        let mut out = BufWriter::new(std::io::stdout());
        write_to(store, batch, format, &mut out).await?;
        return out.flush().context("standard output cannot be written");
    };
    let cannot = || format!("{} cannot be written", path.display());
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let partial =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(cannot)?;
    let mut out = BufWriter::new(partial.as_file());
    write_to(store, batch, format, &mut out).await?;
    out.flush().with_context(cannot)?;
    drop(out);
    readable(partial.as_file()).with_context(cannot)?;
    partial.persist(path).with_context(cannot)?;
    Ok(())
}

/// A temporary file is its owner's alone; a result is as readable as other files are.
fn readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

async fn write_to(
    store: &Store,
    batch: Option<BatchId>,
    format: Format,
    out: &mut (impl Write + Send),
) -> anyhow::Result<()> {
    match format {
        Format::Json => export::write_json(store, OrganizationId::DEFAULT, batch, out).await?,
    }
    Ok(())
}
