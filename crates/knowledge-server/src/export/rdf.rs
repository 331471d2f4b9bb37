//! The graph as RDF: statements as they are, and beside each where it comes from, by PROV-O.
//!
//! Entities, relations and documents are `urn:uuid:` of their ids; classes and predicates are what
//! the ontology calls them that they are of, and else `urn:knowledge:…` of their names, as attributes
//! are, unless a name is an IRI already. A relation is a triple, and an
//! `rdf:Statement` that has its confidence and its evidence. Evidence is quoted from a document, with
//! the positions and the text of Web Annotation (`oa:start`, `oa:end`, `oa:exact`).

use std::io::{self, Write};

use knowledge_domain::ids::{DocumentId, EntityId};
use oxjsonld::{JsonLdSerializer, WriterJsonLdSerializer};
use oxrdf::{
    GraphNameRef, Literal, LiteralRef, NamedNode, NamedNodeRef, QuadRef, TermRef, TripleRef,
    vocab::{rdf, rdfs},
};
use oxttl::{
    NTriplesSerializer, TurtleSerializer, ntriples::WriterNTriplesSerializer,
    turtle::WriterTurtleSerializer,
};
use uuid::Uuid;

use super::{
    vocabulary::{ATTRIBUTE, CLASS, PREDICATE, Vocabulary, named},
    walk::Sink,
};
use crate::store::read::{DocumentView, EntityView, EvidenceView, RelationView, SameAsView};

const CONFIDENCE: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("urn:knowledge:confidence");
const REASON: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("urn:knowledge:reason");
const STATUS: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("urn:knowledge:status");
const ERROR: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("urn:knowledge:error");
const DOCUMENT: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("urn:knowledge:Document");

const SAME_AS: NamedNodeRef<'_> =
    NamedNodeRef::new_unchecked("http://www.w3.org/2002/07/owl#sameAs");
const ALT_LABEL: NamedNodeRef<'_> =
    NamedNodeRef::new_unchecked("http://www.w3.org/2004/02/skos/core#altLabel");
const SOURCE: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("http://purl.org/dc/terms/source");
const PROV_ENTITY: NamedNodeRef<'_> =
    NamedNodeRef::new_unchecked("http://www.w3.org/ns/prov#Entity");
const DERIVED_FROM: NamedNodeRef<'_> =
    NamedNodeRef::new_unchecked("http://www.w3.org/ns/prov#wasDerivedFrom");
const QUOTED_FROM: NamedNodeRef<'_> =
    NamedNodeRef::new_unchecked("http://www.w3.org/ns/prov#wasQuotedFrom");
const START: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("http://www.w3.org/ns/oa#start");
const END: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("http://www.w3.org/ns/oa#end");
const EXACT: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("http://www.w3.org/ns/oa#exact");

/// Short names of what the triples consist of.
const PREFIXES: [(&str, &str); 12] = [
    ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
    ("owl", "http://www.w3.org/2002/07/owl#"),
    ("skos", "http://www.w3.org/2004/02/skos/core#"),
    ("dcterms", "http://purl.org/dc/terms/"),
    ("prov", "http://www.w3.org/ns/prov#"),
    ("oa", "http://www.w3.org/ns/oa#"),
    ("knowledge", "urn:knowledge:"),
    ("class", CLASS),
    ("predicate", PREDICATE),
    ("attribute", ATTRIBUTE),
];

/// What writes triples.
pub(super) trait Triples {
    fn triple(&mut self, triple: TripleRef<'_>) -> io::Result<()>;

    fn finish(self) -> io::Result<()>;
}

/// A graph as triples, those of one subject together.
pub(super) struct Rdf<T> {
    triples: T,
    vocabulary: Vocabulary,
}

impl<W: Write> Rdf<WriterNTriplesSerializer<W>> {
    pub(super) fn n_triples(out: W, vocabulary: Vocabulary) -> Self {
        Self {
            triples: NTriplesSerializer::new().for_writer(out),
            vocabulary,
        }
    }
}

impl<W: Write> Rdf<WriterTurtleSerializer<W>> {
    pub(super) fn turtle(out: W, vocabulary: Vocabulary) -> io::Result<Self> {
        let mut serializer = TurtleSerializer::new();
        for (prefix, iri) in PREFIXES {
            serializer = serializer
                .with_prefix(prefix, iri)
                .map_err(io::Error::other)?;
        }
        Ok(Self {
            triples: serializer.for_writer(out),
            vocabulary,
        })
    }
}

impl<W: Write> Rdf<WriterJsonLdSerializer<W>> {
    /// Without prefixes: the serializer shortens nothing by them, and a reader would lengthen an IRI
    /// that begins like one.
    pub(super) fn json_ld(out: W, vocabulary: Vocabulary) -> Self {
        Self {
            triples: JsonLdSerializer::new().for_writer(out),
            vocabulary,
        }
    }
}

impl<T: Triples> Rdf<T> {
    fn say<'a>(
        &mut self,
        subject: &'a NamedNode,
        predicate: impl Into<NamedNodeRef<'a>>,
        object: impl Into<TermRef<'a>>,
    ) -> io::Result<()> {
        self.triples
            .triple(TripleRef::new(subject, predicate, object))
    }

    /// That something has been found in documents; what is said of its evidence follows it.
    fn derived(&mut self, subject: &NamedNode, evidence: &[EvidenceView]) -> io::Result<()> {
        let place = |evidence: &EvidenceView| place(subject, evidence);
        let places: Vec<NamedNode> = evidence.iter().map(place).collect::<io::Result<_>>()?;
        for place in &places {
            self.say(subject, DERIVED_FROM, place.as_ref())?;
        }
        for (place, evidence) in places.iter().zip(evidence) {
            let document = document(evidence.document_id)?;
            self.say(place, rdf::TYPE, PROV_ENTITY)?;
            self.say(place, QUOTED_FROM, document.as_ref())?;
            self.say(place, START, Literal::from(evidence.start_char).as_ref())?;
            self.say(place, END, Literal::from(evidence.end_char).as_ref())?;
            self.say(place, EXACT, LiteralRef::from(evidence.text.as_str()))?;
        }
        Ok(())
    }

    /// What can be said of a triple itself.
    fn statement(
        &mut self,
        statement: &NamedNode,
        triple: TripleRef<'_>,
        confidence: f64,
    ) -> io::Result<()> {
        self.say(statement, rdf::TYPE, rdf::STATEMENT)?;
        let subject: TermRef<'_> = triple.subject.into();
        self.say(statement, rdf::SUBJECT, subject)?;
        self.say(statement, rdf::PREDICATE, triple.predicate)?;
        self.say(statement, rdf::OBJECT, triple.object)?;
        self.say(statement, CONFIDENCE, Literal::from(confidence).as_ref())
    }
}

impl<T: Triples> Sink for Rdf<T> {
    fn entity(&mut self, entity: &EntityView, evidence: &[EvidenceView]) -> io::Result<()> {
        let id = entity_iri(entity.id)?;
        for class in &entity.types {
            let class = self.vocabulary.class(class)?;
            self.say(&id, rdf::TYPE, class.as_ref())?;
        }
        self.say(&id, rdfs::LABEL, LiteralRef::from(entity.name.as_str()))?;
        for alias in &entity.aliases {
            self.say(&id, ALT_LABEL, LiteralRef::from(alias.as_str()))?;
        }
        for (attribute, value) in &entity.attributes {
            let attribute = named(ATTRIBUTE, attribute)?;
            self.say(&id, attribute.as_ref(), LiteralRef::from(value.as_str()))?;
        }
        let confidence = Literal::from(entity.confidence.value());
        self.say(&id, CONFIDENCE, confidence.as_ref())?;
        self.derived(&id, evidence)
    }

    fn relation(&mut self, relation: &RelationView, evidence: &[EvidenceView]) -> io::Result<()> {
        let subject = entity_iri(relation.subject)?;
        let predicate = self.vocabulary.predicate(&relation.predicate)?;
        let object = relation.object.map(entity_iri).transpose()?;
        let literal = relation.literal.as_deref().unwrap_or_default();
        let object: TermRef<'_> = match &object {
            Some(object) => object.as_ref().into(),
            None => LiteralRef::from(literal).into(),
        };
        let triple = TripleRef::new(&subject, &predicate, object);
        self.triples.triple(triple)?;
        let id = uuid(relation.id.uuid())?;
        self.statement(&id, triple, relation.confidence.value())?;
        self.derived(&id, evidence)
    }

    fn link(&mut self, link: &SameAsView) -> io::Result<()> {
        let (member, canonical) = (entity_iri(link.member)?, entity_iri(link.canonical)?);
        let triple = TripleRef::new(&member, SAME_AS, &canonical);
        self.triples.triple(triple)?;
        let id = iri(format!("{}#same-as", member.as_str()))?;
        self.statement(&id, triple, link.confidence.value())?;
        self.say(&id, REASON, LiteralRef::from(link.reason.as_str()))
    }

    fn document(&mut self, it: &DocumentView) -> io::Result<()> {
        let id = document(it.content_id)?;
        self.say(&id, rdf::TYPE, PROV_ENTITY)?;
        self.say(&id, rdf::TYPE, DOCUMENT)?;
        self.say(&id, rdfs::LABEL, LiteralRef::from(it.name.as_str()))?;
        if let Some(source) = &it.source_uri {
            match NamedNode::new(source.as_str()) {
                Ok(source) => self.say(&id, SOURCE, source.as_ref())?,
                Err(_) => self.say(&id, SOURCE, LiteralRef::from(source.as_str()))?,
            }
        }
        self.say(&id, STATUS, Literal::from(it.status.to_string()).as_ref())?;
        match &it.error {
            Some(error) => self.say(&id, ERROR, LiteralRef::from(error.as_str())),
            None => Ok(()),
        }
    }

    fn end(self) -> io::Result<()> {
        self.triples.finish()
    }
}

impl<W: Write> Triples for WriterNTriplesSerializer<W> {
    fn triple(&mut self, triple: TripleRef<'_>) -> io::Result<()> {
        self.serialize_triple(triple)
    }

    fn finish(self) -> io::Result<()> {
        Self::finish(self).flush()
    }
}

impl<W: Write> Triples for WriterTurtleSerializer<W> {
    fn triple(&mut self, triple: TripleRef<'_>) -> io::Result<()> {
        self.serialize_triple(triple)
    }

    fn finish(self) -> io::Result<()> {
        Self::finish(self)?.flush()
    }
}

impl<W: Write> Triples for WriterJsonLdSerializer<W> {
    fn triple(&mut self, triple: TripleRef<'_>) -> io::Result<()> {
        let TripleRef {
            subject,
            predicate,
            object,
        } = triple;
        let graph = GraphNameRef::DefaultGraph;
        self.serialize_quad(QuadRef::new(subject, predicate, object, graph))
    }

    fn finish(self) -> io::Result<()> {
        Self::finish(self)?.flush()
    }
}

fn entity_iri(id: EntityId) -> io::Result<NamedNode> {
    uuid(id.uuid())
}

fn document(id: DocumentId) -> io::Result<NamedNode> {
    uuid(id.uuid())
}

fn uuid(id: Uuid) -> io::Result<NamedNode> {
    iri(id.urn().to_string())
}

fn iri(iri: String) -> io::Result<NamedNode> {
    NamedNode::new(iri).map_err(io::Error::other)
}

/// What evidence is called: by its place, so that it is the same in every file.
fn place(subject: &NamedNode, evidence: &EvidenceView) -> io::Result<NamedNode> {
    let (subject, document) = (subject.as_str(), evidence.document_id.uuid());
    let (start, end) = (evidence.start_char, evidence.end_char);
    iri(format!("{subject}#{document}-{start}-{end}"))
}
