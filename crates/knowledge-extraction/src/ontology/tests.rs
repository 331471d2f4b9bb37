use knowledge_domain::{Class, Property, Takes};
use proptest::prelude::*;

use super::*;

/// A bit of everything: a hierarchy, a union, datatypes, labels, a property above another.
const HARBOUR: &str = r#"
@prefix : <https://example.org/harbour#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .

<https://example.org/harbour> a owl:Ontology ; owl:imports <https://example.org/base> .

:Vessel a owl:Class ; rdfs:subClassOf owl:Thing .
:Ferry a owl:Class ;
    rdfs:subClassOf :Vessel, :Service, [ a owl:Restriction ; owl:onProperty :callsAt ] ;
    rdfs:label "Fähre"@de, "ferry"@en ; skos:altLabel "car ferry" ;
    skos:definition "A vessel that goes to and fro." .
:Harbour a owl:Class .
:OldHulk a owl:Class ; owl:deprecated true .

:callsAt a owl:ObjectProperty ; rdfs:domain :Ferry ; rdfs:range :Harbour .
:mooredAt rdfs:subPropertyOf :callsAt ; rdfs:domain :Vessel .
:launched a owl:DatatypeProperty ; rdfs:domain :Vessel ; rdfs:range xsd:date .
:owner a owl:ObjectProperty ; rdfs:domain owl:Thing ;
    rdfs:range [ a owl:Class ; owl:unionOf ( :Person :Firm ) ] .
:motto a owl:DatatypeProperty .
:curator a owl:AnnotationProperty ; rdfs:domain :Vessel .
"#;

fn turtle(content: &str) -> Result<OntologyDocument, OntologyError> {
    read_ontology(content, OntologyFormat::Turtle)
}

fn class<'a>(read: &'a OntologyDocument, name: &str) -> &'a Class {
    read.ontology.class(name).unwrap()
}

fn property<'a>(read: &'a OntologyDocument, name: &str) -> &'a Property {
    read.ontology.property(name).unwrap()
}

fn class_names(read: &OntologyDocument) -> Vec<&str> {
    let classes = read.ontology.classes().iter();
    classes.map(|class| class.name.as_str()).collect()
}

#[test]
fn classes_are_what_is_declared_and_what_must_be_one() {
    let read = turtle(HARBOUR).unwrap();
    assert_eq!(read.namespace, "https://example.org/harbour");
    assert_eq!(read.imports, ["https://example.org/base"]);
    assert_eq!(
        class_names(&read),
        ["Ferry", "Firm", "Harbour", "Person", "Service", "Vessel"]
    );
    let ferry = class(&read, "Ferry");
    assert_eq!(ferry.parents, ["Service", "Vessel"]);
    let term = ferry.term.as_ref().unwrap();
    assert_eq!(term.iri, "https://example.org/harbour#Ferry");
    assert_eq!(term.labels, ["ferry", "Fähre", "car ferry"]);
    assert_eq!(
        term.definition.as_deref(),
        Some("A vessel that goes to and fro.")
    );
    assert!(read.ontology.is_a("Ferry", "Vessel") && class(&read, "Vessel").parents.is_empty());
}

#[test]
fn properties_have_domains_and_ranges_or_inherit_them() {
    let read = turtle(HARBOUR).unwrap();
    let told: Vec<_> = read
        .ontology
        .properties()
        .iter()
        .map(|it| {
            (
                it.name.as_str(),
                it.domain.join(" "),
                it.range.join(" "),
                it.takes,
            )
        })
        .collect();
    let line =
        |name, domain: &str, range: &str, takes| (name, domain.to_owned(), range.to_owned(), takes);
    assert_eq!(
        told,
        [
            line("callsAt", "Ferry", "Harbour", Takes::Entities),
            line("launched", "Vessel", "date", Takes::Literals),
            line("mooredAt", "Vessel", "Harbour", Takes::Entities),
            line("motto", "", "", Takes::Literals),
            line("owner", "", "Firm Person", Takes::Entities),
        ]
    );
}

#[test]
fn every_format_says_the_same() {
    let of = |content, format| {
        let read = read_ontology(content, format).unwrap();
        (
            read.ontology.classes().to_vec(),
            read.ontology.properties().to_vec(),
            read.namespace,
        )
    };
    let expected = of(
        "@prefix : <https://example.org/h#> . @prefix owl: <http://www.w3.org/2002/07/owl#> . \
         @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . \
         :Ferry a owl:Class ; rdfs:label \"ferry\"@en ; rdfs:subClassOf :Vessel . \
         :callsAt a owl:ObjectProperty ; rdfs:domain :Ferry .",
        OntologyFormat::Turtle,
    );
    assert_eq!(expected.2, "https://example.org/h#");
    let rdf_xml = r##"<?xml version="1.0"?>
        <!DOCTYPE rdf:RDF [
            <!ENTITY owl "http://www.w3.org/2002/07/owl#">
            <!ENTITY h "https://example.org/h#">
        ]>
        <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
            xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" xmlns:owl="&owl;"
            xml:base="https://example.org/h">
          <owl:Class rdf:about="#Ferry">
            <rdfs:label xml:lang="en">ferry</rdfs:label>
            <rdfs:subClassOf rdf:resource="&h;Vessel"/>
          </owl:Class>
          <owl:ObjectProperty rdf:ID="callsAt"><rdfs:domain rdf:resource="#Ferry"/></owl:ObjectProperty>
        </rdf:RDF>"##;
    assert_eq!(of(rdf_xml, OntologyFormat::RdfXml), expected);
    let json_ld = r#"{
        "@context": {
            "owl": "http://www.w3.org/2002/07/owl#",
            "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
            "h": "https://example.org/h#"
        },
        "@graph": [
            { "@id": "h:Ferry", "@type": "owl:Class",
              "rdfs:label": { "@value": "ferry", "@language": "en" },
              "rdfs:subClassOf": { "@id": "h:Vessel" } },
            { "@id": "h:callsAt", "@type": "owl:ObjectProperty", "rdfs:domain": { "@id": "h:Ferry" } }
        ]
    }"#;
    assert_eq!(of(json_ld, OntologyFormat::JsonLd), expected);
    let h = "https://example.org/h#";
    let (owl, rdfs) = (
        "http://www.w3.org/2002/07/owl#",
        "http://www.w3.org/2000/01/rdf-schema#",
    );
    let a = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>";
    let n_triples = format!(
        "<{h}Ferry> {a} <{owl}Class> .\n<{h}Ferry> <{rdfs}label> \"ferry\"@en .\n\
         <{h}Ferry> <{rdfs}subClassOf> <{h}Vessel> .\n\
         <{h}callsAt> {a} <{owl}ObjectProperty> .\n<{h}callsAt> <{rdfs}domain> <{h}Ferry> .\n"
    );
    assert_eq!(of(&n_triples, OntologyFormat::NTriples), expected);
}

#[test]
fn schema_org_is_read_as_it_is_published() {
    let read = turtle(
        "@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . \
         @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . \
         @prefix schema: <https://schema.org/> . \
         schema:Thing a rdfs:Class . \
         schema:Person a rdfs:Class ; rdfs:subClassOf schema:Thing . \
         schema:Place a rdfs:Class ; rdfs:subClassOf schema:Thing . \
         schema:Date a rdfs:Class, schema:DataType . \
         schema:Text a rdfs:Class, schema:DataType . \
         schema:URL a rdfs:Class ; rdfs:subClassOf schema:Text . \
         schema:name a rdf:Property ; schema:domainIncludes schema:Thing ; \
             schema:rangeIncludes schema:Text . \
         schema:birthDate a rdf:Property ; schema:domainIncludes schema:Person ; \
             schema:rangeIncludes schema:Date . \
         schema:location a rdf:Property ; schema:domainIncludes schema:Person, schema:Place ; \
             schema:rangeIncludes schema:Place, schema:URL .",
    )
    .unwrap();
    assert_eq!(class_names(&read), ["Person", "Place", "Thing"]);
    assert_eq!(read.namespace, "https://schema.org/");
    assert_eq!(property(&read, "birthDate").range, ["Date"]);
    assert_eq!(property(&read, "birthDate").takes, Takes::Literals);
    assert!(property(&read, "name").domain.is_empty());
    let location = property(&read, "location");
    assert_eq!(
        (&*location.domain, &*location.range),
        (
            &["Person".to_owned(), "Place".to_owned()][..],
            &["Place".to_owned(), "URL".to_owned()][..],
        )
    );
    assert_eq!(location.takes, Takes::Anything);
}

#[test]
fn classes_that_are_the_same_or_made_of_others_are_below_them() {
    let read = turtle(
        "@prefix : <https://example.org/> . @prefix owl: <http://www.w3.org/2002/07/owl#> . \
         @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . \
         :Human owl:equivalentClass :Person . :Person a owl:Class . \
         :Agent owl:equivalentClass [ owl:unionOf ( :Person :Firm ) ] . \
         :Work owl:disjointUnionOf ( :Book :Film ) . \
         :Captain owl:equivalentClass [ owl:intersectionOf ( :Person [ a owl:Restriction ] ) ] .",
    )
    .unwrap();
    assert!(read.ontology.is_a("Human", "Person") && read.ontology.is_a("Person", "Human"));
    assert!(read.ontology.is_a("Captain", "Person") && !read.ontology.is_a("Person", "Captain"));
    assert!(read.ontology.is_a("Firm", "Agent") && read.ontology.is_a("Captain", "Agent"));
    assert!(read.ontology.is_a("Film", "Work") && !read.ontology.is_a("Agent", "Person"));
}

#[test]
fn the_document_stands_for_the_ontology_in_fingerprints() {
    let written = |content| serde_json::to_string(&turtle(content).unwrap().ontology).unwrap();
    assert_eq!(written(HARBOUR), written(HARBOUR));
    let marked = format!("\u{feff}{HARBOUR}");
    assert_eq!(written(HARBOUR), written(&marked));
    assert_ne!(
        written(HARBOUR),
        written(&format!("{HARBOUR}\n# another\n"))
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_the_place() {
    let error = turtle("@prefix : <https://example.org/> .\n:A a ; .")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("this is no Turtle: ") && error.contains("line 2"),
        "{error}"
    );
    let error = read_ontology("<rdf:RDF", OntologyFormat::RdfXml).unwrap_err();
    assert!(
        error.to_string().starts_with("this is no RDF/XML: "),
        "{error}"
    );
    let error = read_ontology("{", OntologyFormat::JsonLd).unwrap_err();
    assert!(
        error.to_string().starts_with("this is no JSON-LD: "),
        "{error}"
    );
    let error = read_ontology(HARBOUR, OntologyFormat::NTriples).unwrap_err();
    assert!(
        error.to_string().starts_with("this is no N-Triples: "),
        "{error}"
    );
    let remote = r#"{ "@context": "https://schema.org/", "@type": "Person" }"#;
    let error = read_ontology(remote, OntologyFormat::JsonLd)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("https://schema.org/ is not fetched; put it into"),
        "{error}"
    );
    assert_eq!(turtle(""), Err(OntologyError::NoClasses));
    let of_instances = turtle("<https://example.org/a> a <https://example.org/B> .");
    assert_eq!(of_instances, Err(OntologyError::NoClasses));
    let large = " ".repeat(MOST_ONTOLOGY_BYTES + 1);
    assert_eq!(turtle(&large), Err(OntologyError::TooLarge));
}

#[test]
fn entities_that_grow_are_refused() {
    let xml = |entities: &str, text: &str| {
        format!(
            "<!DOCTYPE rdf:RDF [{entities}]>\n\
             <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"\n\
              xmlns:rdfs=\"http://www.w3.org/2000/01/rdf-schema#\">\n\
             <rdfs:Class rdf:about=\"urn:x:A\"><rdfs:label>{text}</rdfs:label></rdfs:Class></rdf:RDF>"
        )
    };
    let read =
        |entities: &str, text: &str| read_ontology(&xml(entities, text), OntologyFormat::RdfXml);
    let small = read(r#"<!ENTITY a "x&amp;&#121;">"#, "&a;&a;").unwrap();
    assert_eq!(class(&small, "A").term.as_ref().unwrap().labels, ["x&yx&y"]);

    let laughs = (1..30).fold(r#"<!ENTITY l0 "lol">"#.to_owned(), |laughs, level| {
        let below = format!("&l{};", level - 1).repeat(10);
        format!("{laughs}<!ENTITY l{level} \"{below}\">")
    });
    let error = read(&laughs, "&l29;").unwrap_err().to_string();
    assert!(
        error.contains("an entity that names another one"),
        "{error}"
    );
    // Who declares entities as nobody would has something else in mind.
    let percent = laughs.replace("<!ENTITY ", "<!ENTITY%");
    let unseen = laughs.replace('l', "l\u{a0}");
    for entities in [
        percent.as_str(),
        &unseen,
        "<!ENTITY a \"x\"><!ENTITY a \"y\">",
    ] {
        let error = read(entities, "&l29;").unwrap_err().to_string();
        assert!(error.contains("declared"), "{error}");
    }
    let long = format!("<!ENTITY a \"{}\">", "x".repeat(4_000));
    let error = read(&long, &"&a;".repeat(5_000)).unwrap_err().to_string();
    assert!(
        error.contains("more text than an ontology may have"),
        "{error}"
    );
    let swallowed = format!("<!-- <!ENTITY z \" -->{}", xml(&long, &"&a;".repeat(5_000)));
    let error = read_ontology(&swallowed, OntologyFormat::RdfXml)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("more text than an ontology may have"),
        "{error}"
    );
    let twice = format!("{}<!DOCTYPE r [<!ENTITY a \"x\">]>", xml(&long, "&a;"));
    let error = read_ontology(&twice, OntologyFormat::RdfXml)
        .unwrap_err()
        .to_string();
    assert!(error.contains("not at its beginning"), "{error}");
}

#[test]
fn little_does_not_become_much() {
    let rdfs = "http://www.w3.org/2000/01/rdf-schema#";
    let prefix = "x".repeat(100_000);
    let long = format!("@prefix o: <http://{prefix}/> . o:A <{rdfs}subClassOf> o:B . o:B a o:C .");
    assert_eq!(turtle(&long), Err(OntologyError::TooLarge));
    let middle = "x".repeat(4_000);
    let many: Vec<String> = (0..40_000)
        .map(|number| format!("o:a o:b{number} o:c .\n"))
        .collect();
    let many = many.concat();
    let many = format!("@prefix o: <http://{middle}/> .\n{many}");
    assert_eq!(turtle(&many), Err(OntologyError::TooLarge));

    let contexts = "{\"@context\":{},\"urn:x:b\":".repeat(60);
    let contexts = format!("{contexts}1{}", "}".repeat(60));
    let error = read_ontology(&contexts, OntologyFormat::JsonLd)
        .unwrap_err()
        .to_string();
    assert!(error.contains("contexts"), "{error}");
    let attributes: Vec<String> = (0..10_000)
        .map(|number| format!(" xmlns:a{number}=''"))
        .collect();
    let attributes = attributes.concat();
    let error = read_ontology(&format!("<a{attributes}/>"), OntologyFormat::RdfXml).unwrap_err();
    assert!(error.to_string().contains("too many attributes"), "{error}");
    let some: Vec<String> = (0..400)
        .map(|number| format!(" xmlns:a{number}=''"))
        .collect();
    let nested = format!("<a{}>", some.concat()).repeat(3);
    let error = read_ontology(&nested, OntologyFormat::RdfXml).unwrap_err();
    assert!(error.to_string().contains("hold at once"), "{error}");
}

#[test]
fn chains_however_long_are_read_or_refused() {
    let chain = |link: &str, length: usize| -> String {
        let links = (0..length).map(|number| format!(":x{number} {link} :x{} .\n", number + 1));
        let links: String = links.collect();
        format!(
            "@prefix : <urn:x:> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n{links}"
        )
    };
    let deep = chain("rdfs:subClassOf", 5_000);
    assert_eq!(turtle(&deep), Err(OntologyError::TooDeep));
    let datatypes = format!("{deep} :x5000 a rdfs:Datatype .");
    assert_eq!(turtle(&datatypes), Err(OntologyError::NoClasses));
    let properties = chain("rdfs:subPropertyOf", 2_000);
    let read = turtle(&format!("{properties} :x90 rdfs:domain :A .")).unwrap();
    assert_eq!(property(&read, "x0").domain, ["A"]);
    let long = chain("rdfs:subClassOf", 900);
    assert!(turtle(&long).unwrap().ontology.is_a("x0", "x900"));
}

#[test]
fn what_authors_write_on_many_lines_is_one() {
    let read = turtle(
        "@prefix : <urn:x:> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . \
         :A a rdfs:Class ; rdfs:label \"\"\" car\n\tferry\u{7} \"\"\", \"  \" ; rdfs:comment \"\"\"A ship.\n- B\"\"\" .",
    )
    .unwrap();
    let term = class(&read, "A").term.clone().unwrap();
    assert_eq!(term.labels, ["car ferry"]);
    assert_eq!(term.definition.as_deref(), Some("A ship. - B"));
    let long = "word ".repeat(1_000);
    let read = turtle(&format!(
        "<urn:x:A> a <http://www.w3.org/2002/07/owl#Class> ; \
         <http://www.w3.org/2000/01/rdf-schema#label> \"{long}\" ."
    ));
    let term = class(&read.unwrap(), "A").term.clone().unwrap();
    assert!(term.labels[0].chars().count() <= 100);
}

#[test]
fn a_class_of_somebody_else_takes_no_name() {
    // As FOAF has it.
    let rdf_xml = r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
            xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"
            xmlns:foaf="http://xmlns.com/foaf/0.1/" xmlns:mine="https://example.org/"
            xmlns:owl="http://www.w3.org/2002/07/owl#">
          <owl:Ontology rdf:about="http://xmlns.com/foaf/0.1/"/>
          <owl:Ontology rdf:about="https://example.org/other"/>
          <owl:Class rdf:about="http://xmlns.com/foaf/0.1/Person">
            <owl:equivalentClass rdf:resource="http://schema.org/Person"/>
          </owl:Class>
          <owl:Class rdf:about="http://xmlns.com/foaf/0.1/Group"/>
          <owl:Class rdf:about="https://example.org/Group"/>
        </rdf:RDF>"#;
    let read = read_ontology(rdf_xml, OntologyFormat::RdfXml).unwrap();
    assert_eq!(class_names(&read), ["Person", "foaf:Group", "mine:Group"]);
    assert_eq!(read.namespace, "http://xmlns.com/foaf/0.1/");
}

#[test]
fn depth_and_circles_end() {
    let deep =
        |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let nested = format!(":A :b {} .", deep("[ :b ", "[] ]"));
    let _ = turtle(&format!("@prefix : <urn:x:> . {nested}"));
    let _ = turtle(&format!(
        "@prefix : <urn:x:> . :A :b {} .",
        deep("( ", ") ")
    ));
    let _ = read_ontology(&deep("[", "]"), OntologyFormat::JsonLd);
    let _ = read_ontology(&deep(r#"{"urn:x:b":"#, "}"), OntologyFormat::JsonLd);
    let _ = read_ontology(&deep(r#"{"@context":"#, "}"), OntologyFormat::JsonLd);
    let nested = deep("<a xmlns='urn:x:'>", "</a>");
    let error = read_ontology(&nested, OntologyFormat::RdfXml)
        .unwrap_err()
        .to_string();
    assert!(error.contains("too deep in each other"), "{error}");
    let circle = turtle(
        "@prefix : <urn:x:> . @prefix owl: <http://www.w3.org/2002/07/owl#> . \
         @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . \
         @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . \
         :A rdfs:subClassOf :B . :B rdfs:subClassOf :A . \
         :p rdfs:subPropertyOf :q ; rdfs:range [ owl:unionOf _:l ] . :q rdfs:subPropertyOf :p . \
         _:l rdf:first :A ; rdf:rest _:l .",
    );
    let circle = circle.unwrap();
    assert!(circle.ontology.is_a("A", "B") && circle.ontology.is_a("B", "A"));
    assert_eq!(property(&circle, "q").range, ["A"]);
}

proptest! {
    #[test]
    fn no_document_is_too_odd(
        content in "\\PC{0,60}",
        cut in 0..HARBOUR.len(),
        odd in "\\PC{0,8}",
    ) {
        let at = (cut..HARBOUR.len()).find(|at| HARBOUR.is_char_boundary(*at)).unwrap_or(0);
        let (before, after) = HARBOUR.split_at(at);
        let broken = format!("{before}{odd}{after}");
        let formats = [
            OntologyFormat::Turtle,
            OntologyFormat::RdfXml,
            OntologyFormat::NTriples,
            OntologyFormat::JsonLd,
        ];
        for format in formats {
            for content in [&content, &broken] {
                if let Ok(read) = read_ontology(content, format) {
                    for property in read.ontology.properties() {
                        prop_assert!(read.ontology.property(&property.name) == Some(property));
                    }
                    for class in read.ontology.classes() {
                        prop_assert!(read.ontology.class(&class.name) == Some(class));
                        prop_assert!(class.parents.iter().all(|it| read.ontology.has_class(it)));
                    }
                }
            }
        }
    }
}
