//! The graph as Cypher, for Neo4j from 4.4 on: a statement a line. A file that is run again changes
//! nothing.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use super::walk::Sink;
use crate::store::read::{DocumentView, EntityView, EvidenceView, RelationView, SameAsView};

/// What makes nodes be found by their ids.
const CONSTRAINTS: [(&str, &str); 4] = [
    ("knowledge_entity", "Entity"),
    ("knowledge_member", "Member"),
    ("knowledge_document", "Document"),
    ("knowledge_value", "Value"),
];

/// Statements, in the order in which they have to run.
pub(super) struct Cypher<W> {
    out: W,
}

impl<W: Write> Cypher<W> {
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        for (name, label) in CONSTRAINTS {
            writeln!(
                out,
                "CREATE CONSTRAINT {name} IF NOT EXISTS FOR (n:{label}) REQUIRE n.id IS UNIQUE;"
            )?;
        }
        Ok(Self { out })
    }
}

impl<W: Write> Sink for Cypher<W> {
    fn entity(&mut self, entity: &EntityView, evidence: &[EvidenceView]) -> io::Result<()> {
        let id = quoted(&entity.id.to_string());
        write!(self.out, "MERGE (n:Entity {{id: {id}}}) SET ")?;
        for class in &entity.types {
            write!(self.out, "n:{}, ", name(class))?;
        }
        write!(
            self.out,
            "n.name = {}, n.types = {}, n.aliases = {}, n.confidence = {:?}",
            quoted(&entity.name),
            list(entity.types.iter().map(|class| quoted(class))),
            list(entity.aliases.iter().map(|alias| quoted(alias))),
            entity.confidence.value()
        )?;
        if !entity.attributes.is_empty() {
            let attributes = serde_json::to_string(&entity.attributes)?;
            write!(self.out, ", n.attributes = {}", quoted(&attributes))?;
        }
        for (attribute, value) in &entity.attributes {
            let attribute = name(&format!("attribute_{attribute}"));
            write!(self.out, ", n.{attribute} = {}", quoted(value))?;
        }
        writeln!(self.out, ";")?;
        for place in evidence {
            writeln!(
                self.out,
                "MATCH (n:Entity {{id: {id}}}) MERGE (d:Document {{id: {}}}) MERGE \
                 (n)-[m:MENTIONED_IN {{startChar: {}, endChar: {}}}]->(d) SET m.text = {};",
                quoted(&place.document_id.to_string()),
                place.start_char,
                place.end_char,
                quoted(&place.text)
            )?;
        }
        Ok(())
    }

    fn relation(&mut self, relation: &RelationView, evidence: &[EvidenceView]) -> io::Result<()> {
        let (id, subject) = (
            quoted(&relation.id.to_string()),
            quoted(&relation.subject.to_string()),
        );
        write!(self.out, "MATCH (s:Entity {{id: {subject}}}) ")?;
        match (relation.object, &relation.literal) {
            (Some(object), _) => {
                let object = quoted(&object.to_string());
                write!(self.out, "MATCH (o:Entity {{id: {object}}}) ")?;
            }
            (None, literal) => {
                let value = quoted(literal.as_deref().unwrap_or_default());
                write!(
                    self.out,
                    "MERGE (o:Value {{id: {id}}}) SET o.value = {value} WITH s, o "
                )?;
            }
        }
        let texts = evidence.iter().map(|place| quoted(&place.text));
        let documents = evidence.iter().map(|place| place.document_id);
        let documents = documents.map(|id| quoted(&id.to_string()));
        let starts = evidence.iter().map(|place| place.start_char.to_string());
        let ends = evidence.iter().map(|place| place.end_char.to_string());
        writeln!(
            self.out,
            "MERGE (s)-[r:{} {{id: {id}}}]->(o) SET r.predicate = {}, r.confidence = {:?}, \
             r.documents = {}, r.startChars = {}, r.endChars = {}, r.texts = {};",
            name(&relation.predicate),
            quoted(&relation.predicate),
            relation.confidence.value(),
            list(documents),
            list(starts),
            list(ends),
            list(texts)
        )
    }

    fn link(&mut self, link: &SameAsView) -> io::Result<()> {
        writeln!(
            self.out,
            "MATCH (n:Entity {{id: {}}}) MERGE (m:Member {{id: {}}}) MERGE (m)-[r:SAME_AS]->(n) \
             SET r.confidence = {:?}, r.reason = {};",
            quoted(&link.canonical.to_string()),
            quoted(&link.member.to_string()),
            link.confidence.value(),
            quoted(&link.reason)
        )
    }

    fn document(&mut self, document: &DocumentView) -> io::Result<()> {
        let or_null = |text: Option<&String>| text.map_or("null".to_owned(), |text| quoted(text));
        writeln!(
            self.out,
            "MERGE (d:Document {{id: {}}}) SET d.name = {}, d.sourceUri = {}, d.status = {}, \
             d.error = {};",
            quoted(&document.content_id.to_string()),
            quoted(&document.name),
            or_null(document.source_uri.as_ref()),
            quoted(&document.status.to_string()),
            or_null(document.error.as_ref())
        )
    }

    fn end(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A string, on one line whatever it contains: shells take a line for the end of a statement.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            char if breaks(char) => {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

/// A label, a type or a property. Versions of Cypher differ in what a backslash means between
/// backticks, so there is none; what it is called is a property besides.
fn name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|char| match char {
            '\\' => '/',
            char if breaks(char) => ' ',
            char => char,
        })
        .collect();
    match plain.as_str() {
        "" => "`_`".to_owned(),
        plain => format!("`{}`", plain.replace('`', "``")),
    }
}

/// Whether a character ends a line, or may not be in one.
fn breaks(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}')
}

fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}
