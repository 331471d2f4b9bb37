//! The graph as GraphML: entities, literal values and merged members are nodes, relations and links
//! edges. Lists, attributes and evidence are JSON, because GraphML has plain values only.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use quick_xml::{
    Writer,
    escape::escape,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};
use serde_json::{Value, json};

use super::walk::Sink;
use crate::store::read::{DocumentView, EntityView, EvidenceView, RelationView, SameAsView};

/// What is known of nodes and edges: whose, its name and its type.
const KEYS: [(&str, &str, &str); 15] = [
    ("node", "kind", "string"),
    ("node", "name", "string"),
    ("node", "type", "string"),
    ("node", "types", "string"),
    ("node", "aliases", "string"),
    ("node", "attributes", "string"),
    ("node", "confidence", "double"),
    ("node", "evidence", "string"),
    ("node", "sourceUri", "string"),
    ("node", "status", "string"),
    ("node", "error", "string"),
    ("edge", "predicate", "string"),
    ("edge", "confidence", "double"),
    ("edge", "evidence", "string"),
    ("edge", "reason", "string"),
];

pub(super) struct GraphMl<W: Write> {
    xml: Writer<W>,
}

impl<W: Write> GraphMl<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut xml = Writer::new(out);
        let declaration = BytesDecl::new("1.0", Some("UTF-8"), None);
        xml.write_event(Event::Decl(declaration))?;
        let mut graph = Self { xml };
        graph.line()?;
        let namespace = ("xmlns", "http://graphml.graphdrawing.org/xmlns");
        graph.open("graphml", &[namespace])?;
        for (of, name, kind) in KEYS {
            graph.line()?;
            let id = key(of, name);
            let key = BytesStart::new("key").with_attributes([
                ("id", id.as_str()),
                ("for", of),
                ("attr.name", name),
                ("attr.type", kind),
            ]);
            graph.xml.write_event(Event::Empty(key))?;
        }
        graph.line()?;
        graph.open("graph", &[("id", "knowledge"), ("edgedefault", "directed")])?;
        Ok(graph)
    }

    fn line(&mut self) -> io::Result<()> {
        self.xml
            .write_event(Event::Text(BytesText::from_escaped("\n")))
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        let start = BytesStart::new(name).with_attributes(attributes.iter().copied());
        self.xml.write_event(Event::Start(start))
    }

    fn close(&mut self, name: &str) -> io::Result<()> {
        self.xml.write_event(Event::End(BytesEnd::new(name)))
    }

    /// A line with a node or an edge and what is known of it.
    fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        data: &[(&str, Cow<'_, str>)],
    ) -> io::Result<()> {
        self.line()?;
        self.open(name, attributes)?;
        for (of, value) in data {
            self.open("data", &[("key", &key(name, of))])?;
            let text = written(value);
            self.xml
                .write_event(Event::Text(BytesText::from_escaped(text)))?;
            self.close("data")?;
        }
        self.close(name)
    }

    fn node(&mut self, id: &str, data: &[(&str, Cow<'_, str>)]) -> io::Result<()> {
        self.element("node", &[("id", id)], data)
    }

    fn edge(
        &mut self,
        id: Option<&str>,
        (source, target): (&str, &str),
        data: &[(&str, Cow<'_, str>)],
    ) -> io::Result<()> {
        let mut attributes = vec![("source", source), ("target", target)];
        attributes.extend(id.map(|id| ("id", id)));
        self.element("edge", &attributes, data)
    }
}

impl<W: Write> Sink for GraphMl<W> {
    fn entity(&mut self, entity: &EntityView, evidence: &[EvidenceView]) -> io::Result<()> {
        let mut data = vec![
            ("kind", Cow::from("entity")),
            ("name", Cow::from(&entity.name)),
        ];
        // One of them, for what colours nodes by it.
        data.extend(entity.types.first().map(|class| ("type", Cow::from(class))));
        data.extend([
            ("types", serde_json::to_string(&entity.types)?.into()),
            ("aliases", serde_json::to_string(&entity.aliases)?.into()),
            (
                "attributes",
                serde_json::to_string(&entity.attributes)?.into(),
            ),
            ("confidence", entity.confidence.value().to_string().into()),
            ("evidence", places(evidence).into()),
        ]);
        self.node(&entity.id.to_string(), &data)
    }

    fn relation(&mut self, relation: &RelationView, evidence: &[EvidenceView]) -> io::Result<()> {
        let (id, subject) = (relation.id.to_string(), relation.subject.to_string());
        let object = match (relation.object, &relation.literal) {
            (Some(object), _) => object.to_string(),
            (None, literal) => {
                let value = format!("{id}_value");
                let name = literal.as_deref().unwrap_or_default();
                self.node(&value, &[("kind", "value".into()), ("name", name.into())])?;
                value
            }
        };
        let data = [
            ("predicate", Cow::from(&relation.predicate)),
            ("confidence", relation.confidence.value().to_string().into()),
            ("evidence", places(evidence).into()),
        ];
        self.edge(Some(&id), (&subject, &object), &data)
    }

    fn link(&mut self, link: &SameAsView) -> io::Result<()> {
        let (member, canonical) = (link.member.to_string(), link.canonical.to_string());
        self.node(&member, &[("kind", "member".into())])?;
        let data = [
            ("predicate", Cow::from("sameAs")),
            ("confidence", link.confidence.value().to_string().into()),
            ("reason", Cow::from(&link.reason)),
        ];
        self.edge(None, (&member, &canonical), &data)
    }

    fn document(&mut self, document: &DocumentView) -> io::Result<()> {
        let mut data = vec![
            ("kind", Cow::from("document")),
            ("name", Cow::from(&document.name)),
        ];
        let source = document.source_uri.as_ref();
        data.extend(source.map(|source| ("sourceUri", Cow::from(source))));
        data.push(("status", document.status.to_string().into()));
        let error = document.error.as_ref();
        data.extend(error.map(|error| ("error", Cow::from(error))));
        self.node(&document.content_id.to_string(), &data)
    }

    fn end(mut self) -> io::Result<()> {
        self.line()?;
        self.close("graph")?;
        self.line()?;
        self.close("graphml")?;
        self.line()?;
        self.xml.into_inner().flush()
    }
}

/// The id of what is known of nodes, or of edges, by its name.
fn key(of: &str, name: &str) -> String {
    format!("{of}_{name}")
}

fn places(evidence: &[EvidenceView]) -> String {
    let places = evidence.iter().map(|place| {
        json!({
            "document": place.document_id,
            "startChar": place.start_char,
            "endChar": place.end_char,
            "text": place.text,
        })
    });
    Value::Array(places.collect()).to_string()
}

/// A text, escaped. XML has no way to write most control characters: they are replaced; and whoever
/// reads it takes a carriage return for the end of a line.
fn written(text: &str) -> String {
    let forbidden = |char: char| matches!(char, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    let text = text.replace(forbidden, "\u{fffd}");
    escape(text).replace('\r', "&#13;")
}
