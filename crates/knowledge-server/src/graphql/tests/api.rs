//! The API over a store, without a transport.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_graphql::{Request, Response};
use knowledge_domain::{
    Caller,
    batch::{BatchEventKind, BatchStage},
    ids::{BatchId, OrganizationId},
};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::{
    fixture::Fixture,
    graphql::{Api, prepare},
};

fn caller(organization: OrganizationId) -> Caller {
    Caller {
        organization,
        ..Caller::ANYBODY
    }
}

async fn ask(api: &Api, organization: OrganizationId, query: &str) -> Response {
    api.execute(caller(organization), prepare(Request::new(query)).unwrap())
        .await
}

/// The data of a query that must succeed.
async fn data(api: &Api, query: &str) -> Value {
    let response = ask(api, OrganizationId::DEFAULT, query).await;
    assert!(response.errors.is_empty(), "{:?}", response.errors);
    response.data.into_json().unwrap()
}

/// The code of the first error of a query that must fail.
async fn code(api: &Api, query: &str) -> Value {
    let response = ask(api, OrganizationId::DEFAULT, query).await;
    let error = serde_json::to_value(&response.errors[0]).unwrap();
    error["extensions"]["code"].clone()
}

#[tokio::test]
async fn pages_are_stable_under_inserts() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let place = fixture.document(batch, 0, "one").await;
    for position in 0..7 {
        let name = format!("Entity {position}");
        fixture.entity(place, position, &name, "Thing").await;
    }
    let api = fixture.api();
    let (mut seen, mut after) = (Vec::new(), String::from("null"));
    loop {
        let query = format!(
            "{{ batch(id: \"{batch}\") {{ entities(first: 2, after: {after}) \
             {{ nodes {{ name }} pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} }} }}"
        );
        let answer = data(&api, &query).await;
        let page = &answer["batch"]["entities"];
        assert_eq!(page["pageInfo"]["hasPreviousPage"], json!(after != "null"));
        let nodes = page["nodes"].as_array().unwrap();
        seen.extend(
            nodes
                .iter()
                .map(|node| node["name"].as_str().unwrap().to_owned()),
        );
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        after = page["pageInfo"]["endCursor"].to_string();
        // Lands anywhere, before or after the cursor, and may show up once or not at all.
        let position = u32::try_from(100 + seen.len()).unwrap();
        fixture.entity(place, position, "Late", "Thing").await;
    }
    seen.retain(|name| name != "Late");
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (7, 7));
}

#[tokio::test]
async fn batches_come_newest_first_and_by_stage() {
    let fixture = Fixture::new().await;
    for number in 1..=3 {
        fixture.batch(number, BatchStage::Completed).await;
    }
    let running = fixture.batch(4, BatchStage::ExtractingMentions).await;
    let api = fixture.api();
    let answer = data(
        &api,
        "{ batches(first: 2) { edges { cursor node { id progress } } } }",
    )
    .await;
    let edges = answer["batches"]["edges"].as_array().unwrap();
    assert_eq!(edges[0]["node"]["id"], running.to_string());
    assert_eq!(edges[0]["node"]["progress"], 0.2375);
    assert_eq!(edges[1]["node"]["progress"], 1.0);
    let query = "{ batches(stage: EXTRACTING_MENTIONS) { nodes { stage tokensUsed } } }";
    let answer = data(&api, query).await;
    let expected = json!([{ "stage": "EXTRACTING_MENTIONS", "tokensUsed": 7 }]);
    assert_eq!(answer["batches"]["nodes"], expected);
}

#[tokio::test]
async fn an_entity_is_everything_that_means_the_same() {
    let fixture = Fixture::new().await;
    let first = fixture.batch(1, BatchStage::Completed).await;
    let second = fixture.batch(2, BatchStage::Completed).await;
    let earlier = fixture.document(first, 0, "one").await;
    let later = fixture.document(second, 0, "two").await;
    let face = fixture.entity(earlier, 0, "IBM", "Organization").await;
    let member = fixture.entity(later, 0, "I.B.M.", "Company").await;
    fixture.entity(later, 1, "100%_pure", "Work").await;
    fixture.merge(member, face).await;
    let api = fixture.api();

    let query = format!(
        "{{ node(id: \"{member}\") {{ id ... on Entity {{ name types aliases confidence \
         evidence {{ text startChar document {{ id }} }} }} }} }}"
    );
    let node = &data(&api, &query).await["node"];
    assert_eq!(node["id"], face.to_string());
    assert_eq!(node["types"], json!(["Company", "Organization"]));
    assert_eq!(node["aliases"], json!(["I.B.M."]));
    assert_eq!(node["evidence"].as_array().unwrap().len(), 2);

    // Reached through the second batch, by a name that only the first batch uses.
    for (arguments, found) in [
        ("search: \"ibm\"", 1),
        ("search: \"i.b.M.\"", 1),
        ("type: \"Organization\"", 1),
        ("type: \"Organization\", search: \"pure\"", 0),
        ("search: \"%\"", 1),
        ("search: \"_\"", 1),
        ("search: \"a%b\"", 0),
        ("type: \"Org%\"", 0),
    ] {
        let query = format!(
            "{{ batch(id: \"{second}\") {{ entities({arguments}) {{ nodes {{ id }} }} }} }}"
        );
        let answer = data(&api, &query).await;
        let nodes = answer["batch"]["entities"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), found, "{arguments}");
    }
}

#[tokio::test]
async fn evidence_names_the_documents_of_the_batch_that_was_asked() {
    let fixture = Fixture::new().await;
    let first = fixture.batch(1, BatchStage::Completed).await;
    let second = fixture.batch(2, BatchStage::Completed).await;
    let earlier = fixture.document(first, 0, "one").await;
    let later = fixture.document(second, 0, "one").await;
    assert_eq!(earlier.content, later.content);
    fixture.entity(earlier, 0, "IBM", "Organization").await;
    let api = fixture.api();
    for place in [earlier, later] {
        let query = format!(
            "{{ batch(id: \"{}\") {{ entities {{ nodes {{ evidence {{ document {{ id }} }} }} }} }} }}",
            place.batch
        );
        let answer = data(&api, &query).await;
        let document = &answer["batch"]["entities"]["nodes"][0]["evidence"][0]["document"]["id"];
        assert_eq!(document, &json!(place.document.to_string()));
    }
}

#[tokio::test]
async fn statements_that_agree_are_one_relation() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let one = fixture.document(batch, 0, "one").await;
    let two = fixture.document(batch, 1, "two").await;
    let ada = fixture.entity(one, 0, "Ada", "Person").await;
    let lady = fixture.entity(two, 0, "Lady Ada", "Person").await;
    fixture.merge(lady, ada).await;
    let ids = [
        fixture
            .relation(one, 0, (ada, "bornIn"), Err("London"))
            .await,
        fixture
            .relation(two, 0, (lady, "bornIn"), Err("LONDON"))
            .await,
    ];
    fixture.relation(two, 1, (lady, "knows"), Ok(ada)).await;
    let api = fixture.api();
    let query = format!(
        "{{ batch(id: \"{batch}\") {{ relations(predicate: \"bornIn\") {{ nodes {{ id literal \
         subject {{ name }} object {{ name }} evidence {{ document {{ name }} }} }} }} }} }}"
    );
    let answer = data(&api, &query).await;
    let nodes = answer["batch"]["relations"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 1);
    assert_eq!(nodes[0]["id"], ids.iter().min().unwrap().to_string());
    assert_eq!(nodes[0]["subject"]["name"], "Ada");
    assert_eq!(nodes[0]["object"], Value::Null);
    assert_eq!(nodes[0]["evidence"].as_array().unwrap().len(), 2);
    for id in ids {
        let node = data(&api, &format!("{{ node(id: \"{id}\") {{ id }} }}")).await;
        assert_eq!(node["node"]["id"], nodes[0]["id"]);
    }
    let (mut count, mut after) = (0, Value::Null);
    loop {
        let query = format!(
            "{{ batch(id: \"{batch}\") {{ relations(first: 1, after: {after}) {{ nodes {{ id }} \
             pageInfo {{ endCursor hasNextPage }} }} }} }}"
        );
        let answer = data(&api, &query).await;
        let page = &answer["batch"]["relations"];
        count += page["nodes"].as_array().unwrap().len();
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
    }
    assert_eq!(count, 2);
}

#[tokio::test]
async fn documents_show_their_workflow_in_the_order_of_its_units() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let place = fixture.document(batch, 0, "one").await;
    let api = fixture.api();
    let query = format!(
        "{{ batch(id: \"{batch}\") {{ documents(status: COMPLETED) {{ nodes {{ id stage execution \
         {{ id status currentStage activities {{ name durationMs }} }} }} }} }} }}"
    );
    let answer = data(&api, &query).await;
    let document = &answer["batch"]["documents"]["nodes"][0];
    assert_eq!(document["id"], place.document.to_string());
    assert_eq!(document["stage"], "ASSEMBLE");
    let names: Vec<_> = document["execution"]["activities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|activity| activity["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["mentions/9", "mentions/10", "assemble"]);
}

#[tokio::test]
async fn nobody_sees_what_belongs_to_another_organisation() {
    let fixture = Fixture::new().await;
    let foreign = fixture.foreign_organization().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let place = fixture.document(batch, 0, "one").await;
    let entity = fixture.entity(place, 0, "IBM", "Organization").await;
    let relation = fixture.relation(place, 0, (entity, "is"), Err("big")).await;
    let api = fixture.api();
    for id in [
        batch.to_string(),
        place.document.to_string(),
        place.execution.to_string(),
        entity.to_string(),
        relation.to_string(),
    ] {
        let query = format!("{{ node(id: \"{id}\") {{ id }} }}");
        assert_eq!(data(&api, &query).await["node"]["id"], id);
        let response = ask(&api, foreign, &query).await;
        assert_eq!(response.data.into_json().unwrap(), json!({ "node": null }));
    }
    let query = format!(
        "{{ batch(id: \"{batch}\") {{ id }} batches {{ nodes {{ id }} }} entities {{ nodes {{ id }} }} \
         workflowExecution(id: \"{}\") {{ id }} }}",
        place.execution
    );
    let response = ask(&api, foreign, &query).await;
    let expected = json!({
        "batch": null,
        "batches": { "nodes": [] },
        "entities": { "nodes": [] },
        "workflowExecution": null,
    });
    assert_eq!(response.data.into_json().unwrap(), expected);
}

#[tokio::test]
async fn unknown_and_malformed_ids_are_null() {
    let fixture = Fixture::new().await;
    let api = fixture.api();
    let unknown = "0".repeat(32);
    for id in [
        "",
        "_",
        "nonsense",
        "batch_",
        "batch_é",
        "ent_zz",
        "doc_1",
        "ontology_2",
    ] {
        let query = format!("{{ node(id: \"{id}\") {{ id }} batch(id: \"{id}\") {{ id }} }}");
        let expected = json!({ "node": null, "batch": null });
        assert_eq!(data(&api, &query).await, expected, "{id}");
    }
    for prefix in ["batch", "bdoc", "exec", "ent", "rel", "doc"] {
        let query = format!("{{ node(id: \"{prefix}_{unknown}\") {{ id }} }}");
        assert_eq!(data(&api, &query).await["node"], Value::Null);
    }
}

#[tokio::test]
async fn bad_input_is_told_with_a_code() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let api = fixture.api();
    for arguments in [
        "first: -1",
        "first: 501",
        "after: \"\"",
        "after: \"batch:zz\"",
        "after: \"entity:00000000000000000000000000000000\"",
    ] {
        let query = format!("{{ batches({arguments}) {{ nodes {{ id }} }} }}");
        assert_eq!(code(&api, &query).await, "BAD_USER_INPUT", "{arguments}");
    }
    for part in [
        "entities(search: \"\\u0000\")",
        "relations(predicate: \"\\u0000\")",
    ] {
        let query = format!("{{ batch(id: \"{batch}\") {{ {part} {{ nodes {{ id }} }} }} }}");
        assert_eq!(code(&api, &query).await, "BAD_USER_INPUT", "{part}");
    }
    let query = format!("{{ batch(id: \"{batch}\") {{ nothing }} }}");
    assert_eq!(code(&api, &query).await, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_failed_part_is_null_and_the_rest_is_told_in_order() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let api = fixture.api();
    let query = format!(
        "{{ good: batch(id: \"{batch}\") {{ documents {{ nodes {{ id }} }} stage id }} \
         bad: batch(id: \"{batch}\") {{ id documents(first: -1) {{ nodes {{ id }} }} }} }}"
    );
    let response = ask(&api, OrganizationId::DEFAULT, &query).await;
    assert_eq!(response.errors.len(), 1);
    let expected = format!(
        "{{\"good\":{{\"documents\":{{\"nodes\":[]}},\"stage\":\"COMPLETED\",\"id\":\"{batch}\"}},\
         \"bad\":null}}"
    );
    assert_eq!(serde_json::to_string(&response.data).unwrap(), expected);
}

/// Lists of a batch with what each of their nodes asks for, one load after another.
///
/// Every query has one path: of two lists that are loaded side by side, time decides whether what
/// their nodes ask for is gathered into one statement or two.
const LISTS: [(&str, &str); 5] = [
    (
        "documents",
        "documents { nodes { execution { activities { name } } } }",
    ),
    (
        "entities",
        "entities { nodes { evidence { text document { name } } } }",
    ),
    (
        "relations",
        "relations { nodes { subject { name evidence { text } } } }",
    ),
    ("relations", "relations { nodes { object { name } } }"),
    (
        "relations",
        "relations { nodes { evidence { document { name } } } }",
    ),
];

/// Statements that it takes to read each of [`LISTS`] of a batch of so many documents.
async fn statements_for(documents: i32) -> Vec<usize> {
    let mut fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    for position in 0..documents {
        document_with_a_relation(&fixture, batch, position, &format!("text {position}")).await;
    }
    let read = reads(&mut fixture);
    let api = fixture.api();
    let mut statements = Vec::new();
    for (list, selection) in LISTS {
        read.store(0, Ordering::Relaxed);
        let answer = data(
            &api,
            &format!("{{ batch(id: \"{batch}\") {{ {selection} }} }}"),
        )
        .await;
        let nodes = answer["batch"][list]["nodes"].as_array().unwrap();
        assert!(nodes.len() >= usize::try_from(documents).unwrap(), "{list}");
        statements.push(read.load(Ordering::Relaxed));
    }
    statements
}

/// A document of the batch that says where Ada was born.
async fn document_with_a_relation(fixture: &Fixture, batch: BatchId, position: i32, text: &str) {
    let place = fixture.document(batch, position, text).await;
    let subject = fixture.entity(place, 0, "Ada", "Person").await;
    let object = fixture.entity(place, 1, "London", "Place").await;
    fixture
        .relation(place, 0, (subject, "bornIn"), Ok(object))
        .await;
}

/// Counts the statements that read from now on.
fn reads(fixture: &mut Fixture) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    fixture.store.on_read(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    count
}

#[tokio::test]
async fn a_list_costs_statements_by_its_depth_not_by_its_length() {
    let few = statements_for(2).await;
    assert!(few.iter().all(|count| *count > 1), "{few:?}");
    assert_eq!(statements_for(20).await, few);
}

/// Lists of a batch of two documents: how many are asked for, what of each, whether more follow.
const PAGES: [(&str, usize, &str, bool); 3] = [
    ("documents", 1, "name", true),
    ("entities", 3, "name", true),
    ("relations", 2, "predicate subject { name }", false),
];

/// Statements that it takes to read each of [`PAGES`] of so many batches.
async fn statements_for_batches(batches: u128) -> Vec<usize> {
    let mut fixture = Fixture::new().await;
    for number in 1..=batches {
        let batch = fixture.batch(number, BatchStage::Completed).await;
        for position in 0..2 {
            let text = format!("text {number}.{position}");
            document_with_a_relation(&fixture, batch, position, &text).await;
        }
    }
    let read = reads(&mut fixture);
    let api = fixture.api();
    let mut statements = Vec::new();
    for (list, length, node, more) in PAGES {
        read.store(0, Ordering::Relaxed);
        let query = format!(
            "{{ batches(first: 20) {{ nodes {{ {list}(first: {length}) \
             {{ nodes {{ {node} }} pageInfo {{ hasNextPage }} }} }} }} }}"
        );
        let answer = data(&api, &query).await;
        let nodes = answer["batches"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), usize::try_from(batches).unwrap());
        for batch in nodes {
            let page = &batch[list];
            assert_eq!(page["nodes"].as_array().unwrap().len(), length, "{list}");
            assert_eq!(page["pageInfo"]["hasNextPage"], more, "{list}");
        }
        statements.push(read.load(Ordering::Relaxed));
    }
    statements
}

#[tokio::test]
async fn pages_within_a_list_cost_statements_by_its_depth_not_by_its_length() {
    let few = statements_for_batches(2).await;
    assert!(few.iter().all(|count| *count > 1), "{few:?}");
    assert_eq!(statements_for_batches(20).await, few);
}

#[tokio::test]
async fn greedy_documents_are_refused() {
    let fixture = Fixture::new().await;
    let api = fixture.api();
    let greedy = "{ batches(first: 500) { nodes { documents(first: 500) { nodes { id } } } } }";
    assert_eq!(code(&api, greedy).await, "INVALID_REQUEST");
    let fair = "{ batches(first: 50) { nodes { documents(first: 50) { nodes { id name } } } } }";
    data(&api, fair).await;
}

#[tokio::test]
async fn what_takes_too_long_is_given_up() {
    let fixture = Fixture::new().await;
    fixture.batch(1, BatchStage::Completed).await;
    let query = "{ batches { nodes { id } } }";
    data(&fixture.api(), query).await;
    let mut taken = Vec::new();
    if fixture.store.can_notify() {
        let tx = fixture.store.begin().await.unwrap();
        let locked = tx.execute_unprepared("LOCK TABLE batch_execution");
        locked.await.unwrap();
        taken.push(tx);
    } else {
        // Every connection that reads is taken.
        for _ in 0..4 {
            taken.push(fixture.store.snapshot().await.unwrap());
        }
    }
    let api = fixture
        .api()
        .with_timeout(std::time::Duration::from_millis(50));
    assert_eq!(code(&api, query).await, "TIMEOUT");
}

#[tokio::test]
async fn steering_what_is_not_there_is_a_payload_not_an_error() {
    let fixture = Fixture::new().await;
    let api = fixture.api();
    for id in ["nonsense", "batch_00000000000000000000000000000000"] {
        let query = format!(
            "mutation {{ cancelBatch(id: \"{id}\") {{ __typename ... on Error {{ code }} }} }}"
        );
        let expected = json!({ "__typename": "NotFound", "code": "NOT_FOUND" });
        assert_eq!(data(&api, &query).await["cancelBatch"], expected);
    }
    let query = "mutation { startBatch(input: { documents: [], ontologyId: \"x\" }) \
                 { __typename } }";
    let answer = data(&api, query).await;
    assert_eq!(answer["startBatch"]["__typename"], "NotFound");
}

#[tokio::test]
async fn a_failure_of_the_database_is_not_quoted() {
    let fixture = Fixture::new().await;
    let batch: BatchId = fixture.batch(1, BatchStage::Completed).await;
    let api = fixture.api();
    fixture.store.clone().close().await.unwrap();
    let query = format!("{{ batch(id: \"{batch}\") {{ id }} }}");
    assert_eq!(code(&api, &query).await, "INTERNAL");
}

#[tokio::test]
async fn every_event_has_its_object() {
    use futures::StreamExt;

    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let failed = BatchEventKind::BatchFailed {
        error: "none completed".to_owned(),
    };
    fixture
        .event(batch, 1, BatchEventKind::BatchCreated {})
        .await;
    fixture.event(batch, 2, failed).await;
    let api = fixture.api();
    let query = format!(
        "subscription {{ batchProgress(batchId: \"{batch}\", afterSequence: \"1\") {{ __typename \
         sequence timestamp progress ... on BatchFailed {{ error }} }} }}"
    );
    let events: Vec<_> = api
        .execute_stream(Caller::ANYBODY, prepare(Request::new(query)).unwrap())
        .map(|response| response.data.into_json().unwrap())
        .collect()
        .await;
    let expected = json!([{ "batchProgress": {
        "__typename": "BatchFailed",
        "sequence": 2,
        "timestamp": "2026-11-20T08:00:00+00:00",
        "progress": 0.5,
        "error": "none completed",
    } }]);
    assert_eq!(json!(events), expected);
}
