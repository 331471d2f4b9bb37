//! Documents from files and folders.

mod depth;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::orchestrator::NewDocument;

/// Elements within elements; browsers stop at 512, and the time that parsing takes grows with the
/// square.
const MAX_DEPTH: usize = 5_000;

/// HTML is laid out on one endless line, so that no line break is invented.
const HTML_WIDTH: usize = 1_000_000;

/// The documents of files and folders, in the order of the arguments, a folder's by path.
///
/// # Errors
/// Names the first path that cannot be read, or has an ending that nothing reads.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<NewDocument>> {
    let mut documents = Vec::new();
    for path in paths {
        let meta =
            fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
        if meta.is_dir() {
            for file in files_below(path)? {
                let name = relative_name(path, &file);
                documents.extend(read_file(&file, &name)?);
            }
        } else {
            let name = path.file_name().unwrap_or(path.as_os_str());
            documents.extend(read_file(path, &name.to_string_lossy())?);
        }
    }
    if documents.is_empty() {
        bail!("no documents found; knowledge reads .txt, .md, .html and .jsonl files");
    }
    Ok(documents)
}

/// The files of a folder and its subfolders that can be read, sorted; others are left alone.
fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let unreadable = || format!("{} cannot be read", folder.display());
        for entry in fs::read_dir(&folder).with_context(unreadable)? {
            let entry = entry.with_context(unreadable)?;
            let kind = entry.file_type().with_context(unreadable)?;
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path);
            } else if Kind::of(&path).is_some() {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn relative_name(folder: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(folder).unwrap_or(file);
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Html,
    JsonLines,
}

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "txt" | "md" => Some(Self::Text),
            "html" | "htm" => Some(Self::Html),
            "jsonl" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

fn read_file(path: &Path, name: &str) -> anyhow::Result<Vec<NewDocument>> {
    let Some(kind) = Kind::of(path) else {
        bail!(
            "{} has an ending that knowledge does not read; use .txt, .md, .html or .jsonl",
            path.display()
        );
    };
    let text = read_text(path)?;
    let uri = path.display().to_string();
    match kind {
        Kind::Text => Ok(vec![document(name, text, uri)]),
        Kind::Html => {
            let text = html_text(&text).with_context(|| format!("{uri} cannot be read as HTML"))?;
            Ok(vec![document(name, text, uri)])
        }
        Kind::JsonLines => json_lines(&text, &uri),
    }
}

/// The text of a file. What is no file may have no end, or wait for somebody for ever.
fn read_text(path: &Path) -> anyhow::Result<String> {
    let unreadable = || format!("{} cannot be read", path.display());
    if !fs::metadata(path).with_context(unreadable)?.is_file() {
        bail!(
            "{} is no file but a pipe, a device or the like; save what it says as a file first",
            path.display()
        );
    }
    let bytes = fs::read(path).with_context(unreadable)?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        bail!(
            "{0} is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 {0}",
            path.display()
        );
    }
    let text = String::from_utf8(bytes)
        .with_context(|| format!("{} is not UTF-8; convert it first", path.display()))?;
    if let Some(place) = text.find('\0') {
        bail!(
            "{} has the character U+0000 at byte {place}, so it is no text; leave it out",
            path.display()
        );
    }
    Ok(match text.strip_prefix('\u{feff}') {
        Some(unmarked) => unmarked.to_owned(),
        None => text,
    })
}

fn document(name: &str, text: String, uri: String) -> NewDocument {
    NewDocument {
        name: name.to_owned(),
        text,
        source_uri: Some(uri),
        metadata: serde_json::json!({}),
    }
}

fn html_text(html: &str) -> anyhow::Result<String> {
    if depth::of(html) > MAX_DEPTH {
        bail!("its elements are nested more than {MAX_DEPTH} deep; convert it to text first");
    }
    let text = html2text::config::plain_no_decorate()
        .string_from_read(html.as_bytes(), HTML_WIDTH)
        .context("the markup has no text form")?;
    Ok(text.trim().to_owned())
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Option<serde_json::Value>,
    #[serde(default)]
    name: Option<String>,
    text: String,
}

fn json_lines(text: &str, uri: &str) -> anyhow::Result<Vec<NewDocument>> {
    let lines = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim().is_empty());
    lines
        .map(|(line, number)| {
            let line = json_line(line).with_context(|| {
                format!("line {number} of {uri} is not an object with `text` and `id` or `name`")
            })?;
            let name = line
                .name
                .or_else(|| line.id.as_ref().map(shown))
                .with_context(|| format!("line {number} of {uri} has neither `name` nor `id`"))?;
            Ok(document(&name, line.text, format!("{uri}#L{number}")))
        })
        .collect()
}

fn json_line(line: &str) -> anyhow::Result<Line> {
    // A list would be taken for the fields in their order.
    if !line.trim_start().starts_with('{') {
        bail!("it does not begin with `{{`");
    }
    Ok(serde_json::from_str(line)?)
}

fn shown(id: &serde_json::Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
