//! Where a graph goes: standard output, a file that appears whole, or what is only written to.

use std::{
    fs::{self, File, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use tempfile::NamedTempFile;

/// Links that are followed, as the kernel does.
const MAX_LINKS: usize = 40;

/// What `--out` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    /// Standard output: nothing was named, or `-`.
    Standard,
    /// A file, which is replaced when the new one is whole; links to it stay links.
    File(PathBuf),
    /// A device, a pipe or a process's stream: it is written to, and never replaced.
    Stream(PathBuf),
}

impl Destination {
    /// What a path names.
    ///
    /// # Errors
    /// It cannot be written, as far as that can be told before.
    pub(super) fn of(out: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = out.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Standard);
        };
        if is_stream(path) {
            return Ok(Self::Stream(path.to_owned()));
        }
        let target = target(path)?;
        let folder = folder_of(&target);
        if target.is_dir() || !folder.is_dir() {
            bail!(
                "{} cannot be written: it is a folder, or its folder is not there",
                path.display()
            );
        }
        temporary(folder)
            .map(drop)
            .map_err(|error| anyhow!("{} cannot be written: {}", path.display(), error.kind()))?;
        Ok(Self::File(target))
    }

    /// Has something written, to a file whole or not at all.
    pub(super) async fn write(
        &self,
        write: impl AsyncFnOnce(&mut (dyn Write + Send)) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Standard => {
                let mut out = BufWriter::new(io::stdout());
                write(&mut out).await?;
                out.flush().context("standard output cannot be written")
            }
            Self::Stream(path) => {
                let cannot = || format!("{} cannot be written", path.display());
                let file = File::options().append(true).open(path);
                let mut out = BufWriter::new(file.with_context(cannot)?);
                write(&mut out).await?;
                out.flush().with_context(cannot)
            }
            Self::File(path) => {
                let cannot = || format!("{} cannot be written", path.display());
                let partial = temporary(folder_of(path)).with_context(cannot)?;
                let mut out = BufWriter::new(partial.as_file());
                write(&mut out).await?;
                out.flush().with_context(cannot)?;
                drop(out);
                keep_rights(path, partial.as_file()).with_context(cannot)?;
                partial.persist(path).with_context(cannot)?;
                Ok(())
            }
        }
    }
}

/// Whether a path leads to what no file may take the place of.
fn is_stream(path: &Path) -> bool {
    let there = fs::metadata(path);
    there.is_ok_and(|there| !there.is_dir() && (!there.is_file() || is_of_process(path)))
}

/// Whether a path names a process's stream: a link that only the kernel can follow, also to a file.
fn is_of_process(path: &Path) -> bool {
    const STREAMS: [&str; 4] = ["/dev/fd", "/dev/stdout", "/dev/stderr", "/proc"];
    STREAMS.iter().any(|stream| path.starts_with(stream))
}

/// What a path names when it is a link, to something that need not be there.
fn target(path: &Path) -> anyhow::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&target) {
            Ok(next) => target = folder_of(&target).join(next),
            Err(_) => return Ok(target),
        }
    }
    bail!(
        "{} cannot be written: it is a link to itself",
        path.display()
    )
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// A file that only gets its name when it is whole, as readable as the user's other files are.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

/// What replaces a file has its rights.
fn keep_rights(replaced: &Path, file: &File) -> io::Result<()> {
    match fs::metadata(replaced) {
        Ok(replaced) => file.set_permissions(replaced.permissions()),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn named(path: &Path) -> Destination {
        Destination::of(Some(path)).unwrap()
    }

    async fn write(path: &Path, text: &str) {
        let destination = named(path);
        let written = destination.write(async |out| Ok(out.write_all(text.as_bytes())?));
        written.await.unwrap();
    }

    #[test]
    fn devices_and_streams_are_not_replaced() {
        for path in ["/dev/null", "/dev/fd/2", "/proc/self/fd/2"] {
            let path = Path::new(path);
            assert_eq!(named(path), Destination::Stream(path.to_owned()));
        }
        assert_eq!(named(Path::new("-")), Destination::Standard);
        assert_eq!(Destination::of(None).unwrap(), Destination::Standard);
    }

    #[test]
    fn files_beside_devices_are_files() {
        for (path, expected) in [
            ("/dev/stdout", true),
            ("/dev/fd/1", true),
            ("/proc/self/fd/1", true),
            ("/dev/shm/graph.json", false),
            ("/dev/stdout.json", false),
        ] {
            assert_eq!(is_of_process(Path::new(path)), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn a_link_stays_and_its_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        symlink("file", &link).unwrap();
        write(&link, "one").await;
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        write(&link, "two").await;
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert!(link.is_symlink());
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o640
        );
        symlink("itself", folder.path().join("itself")).unwrap();
        assert!(Destination::of(Some(&folder.path().join("itself"))).is_err());
    }

    #[tokio::test]
    async fn what_fails_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        write(&file, "one").await;
        let destination = named(&file);
        let failed = destination.write(async |out| {
            out.write_all(b"half")?;
            bail!("no more")
        });
        assert!(failed.await.is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
