//! The words of OWL, SKOS, schema.org and others that ontologies are written in; those of RDF and
//! RDFS are in [`oxrdf::vocab`].

use oxrdf::NamedNodeRef;

macro_rules! words {
    ($namespace:literal: $($name:ident = $local:literal),+ $(,)?) => {
        $(
            pub(super) const $name: NamedNodeRef<'static> =
                NamedNodeRef::new_unchecked(concat!($namespace, $local));
        )+
    };
}

words!("http://www.w3.org/2002/07/owl#":
    OWL_ANNOTATION_PROPERTY = "AnnotationProperty",
    OWL_ASYMMETRIC_PROPERTY = "AsymmetricProperty",
    OWL_CLASS = "Class",
    OWL_DATATYPE_PROPERTY = "DatatypeProperty",
    OWL_DEPRECATED = "deprecated",
    OWL_DEPRECATED_CLASS = "DeprecatedClass",
    OWL_DEPRECATED_PROPERTY = "DeprecatedProperty",
    OWL_DISJOINT_UNION_OF = "disjointUnionOf",
    OWL_EQUIVALENT_CLASS = "equivalentClass",
    OWL_FUNCTIONAL_PROPERTY = "FunctionalProperty",
    OWL_IMPORTS = "imports",
    OWL_INTERSECTION_OF = "intersectionOf",
    OWL_INVERSE_FUNCTIONAL_PROPERTY = "InverseFunctionalProperty",
    OWL_IRREFLEXIVE_PROPERTY = "IrreflexiveProperty",
    OWL_OBJECT_PROPERTY = "ObjectProperty",
    OWL_ONTOLOGY = "Ontology",
    OWL_ONTOLOGY_PROPERTY = "OntologyProperty",
    OWL_REFLEXIVE_PROPERTY = "ReflexiveProperty",
    OWL_SYMMETRIC_PROPERTY = "SymmetricProperty",
    OWL_TRANSITIVE_PROPERTY = "TransitiveProperty",
    OWL_UNION_OF = "unionOf",
);

words!("http://www.w3.org/2004/02/skos/core#":
    SKOS_ALT_LABEL = "altLabel",
    SKOS_DEFINITION = "definition",
    SKOS_PREF_LABEL = "prefLabel",
);

words!("http://purl.obolibrary.org/obo/":
    OBO_DEFINITION = "IAO_0000115",
);

words!("http://schema.org/":
    SCHEMA_DATA_TYPE = "DataType",
    SCHEMA_DOMAIN = "domainIncludes",
    SCHEMA_RANGE = "rangeIncludes",
);

words!("https://schema.org/":
    SCHEMAS_DATA_TYPE = "DataType",
    SCHEMAS_DOMAIN = "domainIncludes",
    SCHEMAS_RANGE = "rangeIncludes",
);

/// Namespaces of the languages that ontologies are written in: their terms are nobody's classes.
pub(super) const LANGUAGES: [&str; 4] = [
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "http://www.w3.org/2000/01/rdf-schema#",
    "http://www.w3.org/2002/07/owl#",
    "http://www.w3.org/2001/XMLSchema#",
];
