//! API keys, roles and organisations, as callers of the real server meet them.

use std::process::Output;

use knowledge_tests::{
    Client, TestDatabase, TestServer,
    documents::{documents, text},
    each_database,
    events::assert_event_log,
    provider::{Provider, Script},
    server,
};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

const KEYS: &str = "{ apiKeys { id name role hint revokedAt } }";
const CREATE: &str =
    "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { __typename
    ... on CreateApiKeySuccess { secret apiKey { id name role } }
    ... on ValidationError { path message } } }";
const REVOKE: &str = "mutation($id: ID!) { revokeApiKey(id: $id) { __typename
    ... on RevokeApiKeySuccess { apiKey { revokedAt } } ... on NotFound { message } } }";

fn knowledge(db: &TestDatabase, arguments: &[&str]) -> Output {
    server::run(&[arguments, &["--database", db.url()]].concat())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a command prints, which must succeed.
#[track_caller]
fn printed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim_end().to_owned()
}

/// The secret of a new key.
#[track_caller]
fn key(db: &TestDatabase, role: &str, organization: &str) -> String {
    let make = ["key", "create", "--name", role, "--role", role];
    let of = ["--organization", organization];
    let secret = printed(&knowledge(db, &[&make[..], &of].concat()));
    assert!(secret.starts_with("kn_") && secret.len() == 67, "{secret}");
    secret
}

/// The code of the first error.
async fn refused(client: &Client, query: &str, variables: Value) -> Value {
    let (status, body) = client.graphql_response(query, variables).await;
    assert!(status.is_success(), "{status}: {body}");
    body["errors"][0]["extensions"]["code"].clone()
}

async fn status(client: &Client, path: &str) -> StatusCode {
    let answer = client.http().get(client.url(path)).send().await;
    answer.expect("the server answers").status()
}

/// What a subscription to a batch is sent, until it ends.
async fn watched(client: &Client, batch: &str) -> String {
    let query = "subscription($id: ID!) { batchProgress(batchId: $id) { __typename } }";
    let asked = client.http().post(client.url("/graphql"));
    let asked = asked.header(header::ACCEPT, "text/event-stream");
    let asked = asked.json(&json!({ "query": query, "variables": { "id": batch } }));
    let answer = asked.send().await.expect("the server answers");
    answer.text().await.expect("the stream ends")
}

fn start(number: usize) -> Value {
    json!({ "input": { "documents": documents(number), "idempotencyKey": "one" } })
}

const START: &str = "mutation($input: StartBatchInput!) { startBatch(input: $input) {
    ... on StartBatchSuccess { batch { id } } } }";

/// What nobody can do with ids of another organisation.
const STEER: [&str; 7] = [
    "mutation($batch: ID!) { it: retryFailedDocuments(id: $batch) { __typename } }",
    "mutation($batch: ID!) { it: raiseTokenBudget(id: $batch, tokenBudget: 9) { __typename } }",
    "mutation($execution: ID!) { it: signalWorkflow(executionId: $execution, signal: CANCEL) { __typename } }",
    "mutation($a: ID!, $b: ID!) { it: mergeEntities(ids: [$a, $b]) { __typename } }",
    "mutation($a: ID!, $b: ID!) { it: keepApart(ids: [$a, $b]) { __typename } }",
    "mutation($a: ID!) { it: splitEntity(members: [$a]) { __typename } }",
    "mutation($a: ID!) { it: unmerge(id: $a) { __typename } }",
];
const REGISTER: &str =
    "mutation($input: RegisterOntologyInput!) { it: registerOntology(input: $input) {
    ... on RegisterOntologySuccess { ontology { id } } } }";
const BORROW: &str =
    "mutation($input: StartBatchInput!) { it: startBatch(input: $input) { __typename } }";
const ONTOLOGY: &str = "@prefix owl: <http://www.w3.org/2002/07/owl#> .
    <http://example.org/o#Ship> a owl:Class .";

each_database! {
    async fn callers_without_a_key_are_told_nothing(db: TestDatabase) {
        let admin = key(&db, "admin", "default");
        let server = TestServer::start(db.url());
        assert!(server.log().contains("asked for an API key"), "{}", server.log());
        let id = server.client().with_key(&admin).start(&documents(1), json!({})).await;
        let progress = format!("/api/knowledge/extraction/progress/{id}");
        let nobody = server.client();
        let strangers = [
            nobody.clone(),
            nobody.with_key(&format!("kn_{}", "0".repeat(64))),
            nobody.with_key(&admin[..admin.len() - 1]),
            nobody.with_key(&admin.to_uppercase()),
            nobody.with_key("x"),
        ];
        for stranger in &strangers {
            for path in ["/graphql?query={__typename}", &progress, "/metrics"] {
                let answer = stranger.http().get(stranger.url(path)).send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
                assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], "Bearer");
                let problem: Value = answer.json().await.unwrap();
                assert_eq!(problem["status"], 401, "{problem}");
            }
            let (status, _) = stranger.graphql_response(KEYS, json!({})).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED);
        }
        for path in ["/livez", "/readyz", "/", "/graphiql"] {
            assert_eq!(status(nobody, path).await, StatusCode::OK, "{path}");
        }
        // Nothing that the server or its database keeps tells the secret.
        let listed = printed(&knowledge(&db, &["key", "list", "--json"]));
        assert!(listed.contains(&admin[..9]) && !listed.contains(&admin), "{listed}");
        assert!(!server.log().contains(&admin));
    }

    async fn each_role_may_do_what_those_before_it_may(db: TestDatabase) {
        let [viewer, editor, admin] =
            ["viewer", "editor", "admin"].map(|role| key(&db, role, "default"));
        let server = TestServer::start(db.url());
        let [viewer, editor, admin] =
            [viewer, editor, admin].map(|key| server.client().with_key(&key));

        assert_eq!(refused(&viewer, START, start(1)).await, "FORBIDDEN");
        let none = viewer.graphql("{ batches { nodes { id } } }", json!({})).await;
        assert_eq!(none["batches"]["nodes"], json!([]));
        let started = editor.graphql(START, start(2)).await;
        let id = started["startBatch"]["batch"]["id"].as_str().expect("an id");
        assert_eq!(viewer.ended(id).await["stage"], "COMPLETED");
        assert_event_log(&viewer.events_over_websocket(id, 0).await);
        assert_event_log(&viewer.events_over_sse(id, None).await);
        assert_eq!(refused(&viewer, "mutation($id: ID!) { cancelBatch(id: $id) { __typename } }", json!({ "id": id })).await, "FORBIDDEN");

        for (client, role) in [(&viewer, "VIEWER"), (&editor, "EDITOR"), (&admin, "ADMIN")] {
            let caller = client.graphql("{ caller { role apiKeyId organization { slug } } }", json!({})).await;
            assert_eq!(caller["caller"]["role"], role);
            assert!(caller["caller"]["apiKeyId"].is_string());
        }
        let input = json!({ "input": { "name": "ci", "role": "EDITOR" } });
        for client in [&viewer, &editor] {
            assert_eq!(status(client, "/metrics").await, StatusCode::FORBIDDEN);
            assert_eq!(refused(client, KEYS, json!({})).await, "FORBIDDEN");
            assert_eq!(refused(client, CREATE, input.clone()).await, "FORBIDDEN");
        }
        assert_eq!(status(&admin, "/metrics").await, StatusCode::OK);
        let made = admin.graphql(CREATE, input).await["createApiKey"].take();
        assert_eq!(made["apiKey"]["role"], "EDITOR");
        let secret = made["secret"].as_str().expect("a secret");
        let another = server.client().with_key(secret);
        another.graphql("{ __typename }", json!({})).await;
        let keys = admin.graphql(KEYS, json!({})).await;
        assert_eq!(keys["apiKeys"].as_array().map(Vec::len), Some(4), "{keys}");

        let revoked = admin.graphql(REVOKE, json!({ "id": made["apiKey"]["id"] })).await;
        assert!(revoked["revokeApiKey"]["apiKey"]["revokedAt"].is_string(), "{revoked}");
        let (status, _) = another.graphql_response("{ __typename }", json!({})).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        for wrong in ["x", "key_00000000000000000000000000000000"] {
            let none = admin.graphql(REVOKE, json!({ "id": wrong })).await;
            assert_eq!(none["revokeApiKey"]["__typename"], "NotFound");
        }
        for wrong in [json!({ "name": " ", "role": "ADMIN" }), json!({ "name": "a\u{0}b", "role": "ADMIN" }), json!({ "name": "a", "role": "ADMIN", "expiresAt": "+10000-01-01T00:00:00Z" }), json!({ "name": "a", "role": "ADMIN", "expiresAt": "2020-01-01T00:00:00Z" })] {
            let refused = admin.graphql(CREATE, json!({ "input": wrong })).await;
            assert_eq!(refused["createApiKey"]["__typename"], "ValidationError");
        }
    }

    async fn organisations_share_nothing(db: TestDatabase) {
        printed(&knowledge(&db, &["organization", "create", "acme", "--title", "Acme Ltd"]));
        let twice = knowledge(&db, &["organization", "create", "acme"]);
        assert_eq!(twice.status.code(), Some(1));
        assert!(said(&twice).contains("already"), "{}", said(&twice));
        let (ours, theirs) = (key(&db, "admin", "default"), key(&db, "admin", "acme"));
        let nowhere = knowledge(&db, &["key", "create", "--name", "x", "--role", "viewer", "--organization", "nowhere"]);
        assert!(said(&nowhere).contains("knowledge organization create nowhere"), "{}", said(&nowhere));
        let server = TestServer::start(db.url());
        let (ours, theirs) = (server.client().with_key(&ours), server.client().with_key(&theirs));

        // The same request under the same key: each has a batch of its own.
        let mut batches = Vec::new();
        for client in [&ours, &theirs] {
            let started = client.graphql(START, start(2)).await;
            let id = started["startBatch"]["batch"]["id"].as_str().expect("an id").to_owned();
            assert_eq!(client.ended(&id).await["stage"], "COMPLETED");
            batches.push(id);
        }
        assert_ne!(batches[0], batches[1]);
        let entities = "{ entities { nodes { id name } } batches { nodes { id } } caller { organization { slug name } } }";
        let (mine, foreign) = (ours.graphql(entities, json!({})).await, theirs.graphql(entities, json!({})).await);
        assert_eq!(mine["batches"]["nodes"], json!([{ "id": batches[0] }]));
        assert_eq!(foreign["batches"]["nodes"], json!([{ "id": batches[1] }]));
        assert_eq!(foreign["caller"]["organization"], json!({ "slug": "acme", "name": "Acme Ltd" }));
        let foreign = foreign["entities"]["nodes"].as_array().expect("a list");
        assert!(!foreign.is_empty());
        for entity in foreign {
            let none = ours.graphql("query($id: ID!) { node(id: $id) { id } }", json!({ "id": entity["id"] })).await;
            assert_eq!(none["node"], Value::Null);
            assert!(!mine["entities"]["nodes"].as_array().unwrap().iter().any(|own| own["id"] == entity["id"]));
        }
        assert_eq!(ours.batch(&batches[1]).await, Value::Null);
        assert_eq!(ours.cancel(&batches[1]).await["__typename"], "NotFound");
        assert_eq!(ours.sse(&batches[1], None).await.status(), StatusCode::NOT_FOUND);
        assert!(watched(&theirs, &batches[1]).await.contains("BatchCompleted"));
        let none = watched(&ours, &batches[1]).await;
        assert!(none.contains("NOT_FOUND") && !none.contains("Batch"), "{none}");
        let theirs_batch = theirs.batch(&batches[1]).await;
        let execution = &theirs_batch["documents"]["nodes"][0]["execution"]["id"];
        let workflow = format!("/api/workflows/{}/progress", execution.as_str().expect("an id"));
        assert_eq!(status(&ours, &workflow).await, StatusCode::NOT_FOUND);
        let ids = json!({ "batch": batches[1], "execution": execution, "a": foreign[0]["id"], "b": foreign[1]["id"] });
        for steer in STEER {
            let none = ours.graphql(steer, ids.clone()).await;
            assert_eq!(none["it"]["__typename"], "NotFound", "{steer}: {none}");
        }
        let ontology = json!({ "input": { "name": "one", "content": ONTOLOGY, "format": "TURTLE" } });
        let ontology = theirs.graphql(REGISTER, ontology).await["it"]["ontology"]["id"].take();
        assert!(ontology.is_string());
        let mut borrowed = start(1);
        borrowed["input"]["ontologyId"] = ontology;
        let none = ours.graphql(BORROW, borrowed).await;
        assert_eq!(none["it"]["__typename"], "NotFound", "{none}");
        let theirs_key = theirs.graphql(KEYS, json!({})).await["apiKeys"][0]["id"].take();
        let none = ours.graphql(REVOKE, json!({ "id": theirs_key })).await;
        assert_eq!(none["revokeApiKey"]["__typename"], "NotFound");

        // In files as well, and for batches of the command line.
        let _ = server.terminate();
        let export = |organization: &str| printed(&knowledge(&db, &["export", "--organization", organization]));
        let (first, second): (Value, Value) = (
            serde_json::from_str(&export("default")).unwrap(),
            serde_json::from_str(&export("acme")).unwrap(),
        );
        let names = |graph: &Value| -> Vec<Value> {
            graph["entities"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect()
        };
        assert_eq!(names(&first), names(&second));
        assert_ne!(first["entities"][0]["id"], second["entities"][0]["id"]);
        let before = export("default");
        let file = db.folder().join("more.txt");
        std::fs::write(&file, text(7, 3)).unwrap();
        printed(&knowledge(&db, &["extract", &file.to_string_lossy(), "--organization", "acme"]));
        assert_eq!(export("default"), before);
        let third: Value = serde_json::from_str(&export("acme")).unwrap();
        assert_eq!(third["documents"].as_array().map(Vec::len), Some(3));
    }

    async fn organisations_pay_for_their_own_answers(db: TestDatabase) {
        printed(&knowledge(&db, &["organization", "create", "acme"]));
        let keys = ["default", "acme"].map(|organization| key(&db, "editor", organization));
        let provider = Provider::start(Script::default());
        let server = TestServer::start_asking(db.url(), &provider);
        let mut calls = Vec::new();
        for key in [&keys[0], &keys[1], &keys[0]] {
            let client = server.client().with_key(key);
            let id = client.start(&documents(2), json!({ "extractor": "LLM" })).await;
            assert_eq!(client.ended(&id).await["stage"], "COMPLETED");
            calls.push(provider.calls());
        }
        // The same documents: the second one is told nothing that the first one paid for.
        assert!(calls[0] > 0);
        assert_eq!(calls, [calls[0], 2 * calls[0], 2 * calls[0]]);
        drop(server);
    }

    async fn the_first_key_closes_a_server(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let nobody = server.client();
        let caller = nobody.graphql("{ caller { role apiKeyId } }", json!({})).await;
        assert_eq!(caller["caller"], json!({ "role": "ADMIN", "apiKeyId": null }));
        let (status, _) = nobody.with_key("kn_1").graphql_response("{ __typename }", json!({})).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "who names a key means it");

        let viewer = key(&db, "viewer", "default");
        let (status, _) = nobody.graphql_response("{ __typename }", json!({})).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        nobody.with_key(&viewer).graphql("{ __typename }", json!({})).await;

        // No revocation opens it again, not even of the only key.
        let listed = printed(&knowledge(&db, &["key", "list", "--json"]));
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let id = listed["id"].as_str().expect("an id");
        let revoked = printed(&knowledge(&db, &["key", "revoke", id, "--json"]));
        assert!(revoked.contains("revokedAt"), "{revoked}");
        assert!(printed(&knowledge(&db, &["key", "list"])).contains("revoked"));
        let _ = server.terminate();
        let server = TestServer::start(db.url());
        for client in [server.client().clone(), server.client().with_key(&viewer)] {
            let (status, _) = client.graphql_response("{ __typename }", json!({})).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED);
        }
    }

    async fn other_machines_are_served_with_keys_only(db: TestDatabase) {
        let refused = knowledge(&db, &["serve", "--listen", "0.0.0.0:0"]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(said(&refused).contains("knowledge key create"), "{}", said(&refused));
        assert!(refused.stdout.is_empty(), "it never listens");
        // Of an address that no machine has only the system complains, once there is a key.
        let elsewhere = ["serve", "--listen", "192.0.2.1:0"];
        assert!(said(&knowledge(&db, &elsewhere)).contains("knowledge key create"));
        key(&db, "viewer", "default");
        let refused = said(&knowledge(&db, &elsewhere));
        assert!(refused.contains("cannot listen on 192.0.2.1:0"), "{refused}");
    }

    async fn the_command_line_takes_its_key_from_the_environment(db: TestDatabase) {
        let secret = key(&db, "editor", "default");
        let server = TestServer::start(db.url());
        let url = server.client().url("");
        let list = ["batch", "list", "--server", &url];
        let refused = server::run(&list);
        assert_eq!(refused.status.code(), Some(1));
        assert!(said(&refused).contains("KNOWLEDGE_API_KEY"), "{}", said(&refused));
        let watch = ["batch", "watch", "batch_00000000000000000000000000000000", "--server", &url];
        let refused = server::run(&watch);
        assert!(said(&refused).contains("KNOWLEDGE_API_KEY"), "{}", said(&refused));
        let file = db.folder().join("one.txt");
        std::fs::write(&file, text(1, 3)).unwrap();
        let file = file.to_string_lossy();
        let started = server::run_with(
            &["batch", "start", &file, "--watch", "--json", "--server", &url],
            &[("KNOWLEDGE_API_KEY", &secret)],
        );
        let events: Vec<Value> = printed(&started).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_event_log(&events);
        assert!(!said(&started).contains("warning"), "{}", said(&started));
        let wrong = server::run_with(&list, &[("KNOWLEDGE_API_KEY", "kn_wrong")]);
        assert_eq!(wrong.status.code(), Some(1));
        assert!(!said(&wrong).contains("kn_wrong"), "{}", said(&wrong));
    }
}
