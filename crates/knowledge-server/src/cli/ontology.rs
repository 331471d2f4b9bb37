//! `--ontology FILE`.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use knowledge_domain::OntologyFormat;
use knowledge_extraction::{MOST_ONTOLOGY_BYTES, OntologyError};

use super::tell;
use crate::ontologies::{CheckedOntology, RegisterOntology};

/// Reads and checks an ontology; what it imports is told, since it is not read.
///
/// # Errors
/// Says what is wrong with the file.
pub(super) fn read(path: &Path) -> anyhow::Result<CheckedOntology> {
    let of_file = || format!("the ontology {}", path.display());
    let size = fs::metadata(path).with_context(of_file)?.len();
    if size > MOST_ONTOLOGY_BYTES as u64 {
        return Err(OntologyError::TooLarge).with_context(of_file);
    }
    let content = fs::read(path).with_context(of_file)?;
    let content = String::from_utf8(content);
    let content = content.map_err(|_| anyhow::anyhow!("{} is not UTF-8", of_file()))?;
    let format = format(path, &content)?;
    let name = path.file_stem().unwrap_or(path.as_os_str());
    let request = RegisterOntology {
        name: name.to_string_lossy().into_owned(),
        content,
        format,
    };
    let checked = request.check().with_context(of_file)?;
    for import in &checked.document().imports {
        tell(&format!(
            "warning: {} imports {import}, which is not read; add what you need of it to the file",
            path.display()
        ));
    }
    Ok(checked)
}

/// The format by the file's ending; files that end with .owl are RDF/XML or Turtle.
fn format(path: &Path, content: &str) -> anyhow::Result<OntologyFormat> {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let ending = ending.unwrap_or_default().to_lowercase();
    Ok(match ending.as_str() {
        "rdf" | "xml" | "rdfxml" => OntologyFormat::RdfXml,
        "owl" if is_xml(content) => OntologyFormat::RdfXml,
        "ttl" | "turtle" | "owl" => OntologyFormat::Turtle,
        "nt" => OntologyFormat::NTriples,
        "jsonld" | "json" => OntologyFormat::JsonLd,
        _ => bail!(
            "{} has an ending that names no format of ontologies; use .ttl, .rdf, .owl, .nt or \
             .jsonld",
            path.display()
        ),
    })
}

fn is_xml(content: &str) -> bool {
    let start = content.trim_start_matches('\u{feff}').trim_start();
    ["<?xml", "<!", "<rdf:", "<RDF"]
        .iter()
        .any(|sign| start.starts_with(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_names_the_format() {
        let format = |name: &str, content: &str| format(Path::new(name), content).ok();
        assert_eq!(format("a/b.ttl", ""), Some(OntologyFormat::Turtle));
        assert_eq!(format("b.RDF", ""), Some(OntologyFormat::RdfXml));
        assert_eq!(format("b.nt", ""), Some(OntologyFormat::NTriples));
        assert_eq!(format("b.jsonld", ""), Some(OntologyFormat::JsonLd));
        let xml = "\u{feff}\n<?xml version=\"1.0\"?>";
        assert_eq!(format("b.owl", xml), Some(OntologyFormat::RdfXml));
        let turtle = "<https://example.org/a> a <https://example.org/b> .";
        assert_eq!(format("b.owl", turtle), Some(OntologyFormat::Turtle));
        assert_eq!(format("b.txt", ""), None);
        assert_eq!(format("ttl", ""), None);
    }
}
