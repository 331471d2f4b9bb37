//! The schema keeps what users are promised.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::Positioned;
use async_graphql::parser::{
    parse_schema,
    types::{
        FieldDefinition, InputValueDefinition, ServiceDocument, TypeKind, TypeSystemDefinition,
    },
};

use crate::graphql::sdl;

/// Everything that a definition says, a line each: `Batch.documents(status: DocumentStatus)`.
fn statements(document: &str) -> BTreeSet<String> {
    let document = parse_schema(document).unwrap();
    let mut lines = BTreeSet::new();
    for (name, kind) in types(&document) {
        describe(&name, kind, &mut lines);
    }
    lines
}

fn types(document: &ServiceDocument) -> BTreeMap<String, &TypeKind> {
    let definitions = document.definitions.iter();
    definitions
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(ty) => Some((ty.node.name.to_string(), &ty.node.kind)),
            _ => None,
        })
        .collect()
}

fn describe(name: &str, kind: &TypeKind, lines: &mut BTreeSet<String>) {
    match kind {
        TypeKind::Scalar => {
            lines.insert(format!("scalar {name}"));
        }
        TypeKind::Object(object) => {
            lines.insert(format!("type {name}"));
            let implements = object.implements.iter();
            lines.extend(implements.map(|it| format!("{name} implements {}", it.node)));
            fields(name, &object.fields, lines);
        }
        TypeKind::Interface(interface) => {
            lines.insert(format!("interface {name}"));
            fields(name, &interface.fields, lines);
        }
        TypeKind::Union(union) => {
            lines.insert(format!("union {name}"));
            lines.extend(
                union
                    .members
                    .iter()
                    .map(|it| format!("{name} | {}", it.node)),
            );
        }
        TypeKind::Enum(values) => {
            lines.insert(format!("enum {name}"));
            let values = values.values.iter();
            lines.extend(values.map(|it| format!("{name}::{}", it.node.value.node)));
        }
        TypeKind::InputObject(input) => {
            lines.insert(format!("input {name}"));
            lines.extend(
                input
                    .fields
                    .iter()
                    .map(|it| format!("{name} {}", input_value(it))),
            );
        }
    }
}

fn fields(name: &str, fields: &[Positioned<FieldDefinition>], lines: &mut BTreeSet<String>) {
    for field in fields {
        let field = &field.node;
        lines.insert(format!("{name}.{}: {}", field.name.node, field.ty.node));
        let arguments = field.arguments.iter();
        lines
            .extend(arguments.map(|it| format!("{name}.{}({})", field.name.node, input_value(it))));
    }
}

fn input_value(value: &Positioned<InputValueDefinition>) -> String {
    format!("{}: {}", value.node.name.node, value.node.ty.node)
}

#[test]
fn the_schema_contains_the_contract() {
    let promised = statements(include_str!("../../../../../docs/contract.graphql"));
    let served = statements(&sdl());
    assert!(promised.len() > 200, "the contract was not read");
    let broken: Vec<_> = promised.difference(&served).collect();
    assert!(broken.is_empty(), "the schema lacks {broken:#?}");
}

#[test]
fn a_required_argument_is_never_added_to_what_is_promised() {
    let promised = statements(include_str!("../../../../../docs/contract.graphql"));
    for line in statements(&sdl()).difference(&promised) {
        let Some((field, argument)) = line.split_once('(') else {
            continue;
        };
        let known = promised
            .iter()
            .any(|line| line.starts_with(&format!("{field}:")));
        assert!(!(known && argument.ends_with("!)")), "{line}");
    }
}

#[test]
fn nothing_internal_is_shown() {
    let sdl = sdl();
    for name in ["_service", "_entities", "_Any", "_Service"] {
        assert!(!sdl.contains(name), "{name}");
    }
}

#[test]
fn the_schema_in_the_docs_is_this_one() {
    let documented = include_str!("../../../../../docs/schema.graphql");
    assert!(
        documented == sdl(),
        "docs/schema.graphql is out of date; run `knowledge schema > docs/schema.graphql`"
    );
}
