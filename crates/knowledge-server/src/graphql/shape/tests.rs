use async_graphql::{
    ServerError,
    parser::{parse_query, types::DocumentOperations},
    value,
};

use super::*;

const SDL: &str = "type Query { batch: Batch, batches: [Batch!]!, node: Node } \
                   interface Node { id: ID! } \
                   type Batch implements Node { id: ID!, error: String, pages: Page! } \
                   type Page { nodes: [Batch!]!, maybe: [Batch] }";

fn restored(query: &str, data: Value, path: &[&str]) -> Value {
    let document = parse_query(query).unwrap();
    let DocumentOperations::Single(operation) = &document.operations else {
        panic!("one operation is expected");
    };
    let mut response = Response::new(data);
    if !path.is_empty() {
        let mut error = ServerError::new("failed", None);
        let segment = |part: &&str| match part.parse() {
            Ok(index) => PathSegment::Index(index),
            Err(_) => PathSegment::Field((*part).to_owned()),
        };
        error.path = path.iter().map(segment).collect();
        response.errors.push(error);
    }
    let set = &operation.node.selection_set.node;
    Shapes::new(SDL).restore(&document, set, "Query", &mut response);
    response.data
}

#[test]
fn fields_come_in_the_order_of_the_document() {
    let query = "query { z: batch { ...F id } node { ... on Batch { pages { nodes { error id } } } } } \
                 fragment F on Batch { error }";
    let data = value!({
        "node": { "pages": { "nodes": [{ "id": "1", "error": null }] } },
        "z": { "id": "1", "error": "x" },
    });
    let expected =
        r#"{"z":{"error":"x","id":"1"},"node":{"pages":{"nodes":[{"error":null,"id":"1"}]}}}"#;
    assert_eq!(
        serde_json::to_string(&restored(query, data, &[])).unwrap(),
        expected
    );
}

#[test]
fn a_field_that_failed_is_null_when_it_may_be() {
    let query = "{ batch { id error } }";
    let data = value!({ "batch": { "id": "1" } });
    let expected = value!({ "batch": { "id": "1", "error": null } });
    assert_eq!(restored(query, data, &["batch", "error"]), expected);
    assert_eq!(
        restored(query, Value::Null, &["batch"]),
        value!({ "batch": null })
    );
}

#[test]
fn its_parent_is_null_when_it_may_not_be() {
    let query = "{ batch { id pages { nodes { id } maybe { id } } } }";
    let pages = |pages| value!({ "batch": { "id": "1", "pages": pages } });
    let nodes = pages(value!({ "nodes": [{}], "maybe": [] }));
    let path = ["batch", "pages", "nodes", "0", "id"];
    assert_eq!(restored(query, nodes, &path), value!({ "batch": null }));
    let maybe = pages(value!({ "nodes": [], "maybe": [{}, { "id": "2" }] }));
    let path = ["batch", "pages", "maybe", "0", "id"];
    let expected = pages(value!({ "nodes": [], "maybe": [null, { "id": "2" }] }));
    assert_eq!(restored(query, maybe, &path), expected);
    assert_eq!(
        restored("{ batches { id } }", Value::Null, &["batches"]),
        Value::Null
    );
}

#[test]
fn what_is_skipped_stays_away() {
    let data = value!({ "batch": { "id": "1" } });
    let query = "{ batch { id error @skip(if: true) } }";
    assert_eq!(restored(query, data.clone(), &[]), data);
}
