//! Resolution that compares what names mean.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use knowledge_domain::ids::EntityId;
use knowledge_tables::{
    embedding, entity, organization, resolution_form, resolution_leaf, resolution_question,
    workflow_activity,
};
use knowledge_tests::{
    TestDatabase, TestServer, each_database,
    provider::{Provider, Reply, Script},
};
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, prelude::Uuid,
    sea_query::Expr,
};
use serde_json::{Value, json};

use super::run::borrowed;

const MODEL: &str = "scripted-vectors";

/// Two names of one place that have nothing in common, and two that only seem near.
fn script() -> Script {
    Script {
        meanings: vec![
            vec!["port ellis (", "brennhaven ("],
            vec!["calder instruments", "calder works"],
        ],
        ..Script::default()
    }
}

fn environment(provider: &Provider, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut environment = vec![
        ("OPENAI_BASE_URL", provider.url()),
        ("KNOWLEDGE_EMBEDDING_MODEL", MODEL.to_owned()),
        ("KNOWLEDGE_EXTRACTOR", "offline".to_owned()),
        ("KNOWLEDGE_LLM_REQUESTS_PER_MINUTE", "0".to_owned()),
        ("KNOWLEDGE_LLM_TOKENS_PER_MINUTE", "0".to_owned()),
    ];
    let more = more.iter();
    environment.extend(more.map(|(name, value)| (*name, (*value).to_owned())));
    environment
}

fn document(name: &str, text: &str) -> Value {
    json!({ "name": name, "text": text })
}

fn documents() -> Vec<Value> {
    vec![
        document(
            "a",
            "Ilse Varga was born in Port Ellis. She worked for Calder Instruments Ltd in Port Ellis.",
        ),
        document(
            "b",
            "Tomas Renn was born in Brennhaven. He worked for Northlight Shipping Company in Brennhaven.",
        ),
        document(
            "c",
            "Hannah Weiss was born in Steinach. She worked for Lowland Savings Bank in Steinach.",
        ),
    ]
}

fn serve(db: &TestDatabase, environment: &[(&'static str, String)]) -> TestServer {
    TestServer::start_with(db.url(), &borrowed(environment))
}

/// The names that somebody is asked about because of what they mean.
async fn asked(db: &TestDatabase) -> BTreeSet<[String; 2]> {
    let store = db.open().await;
    let by_meaning = resolution_question::Column::Reason.eq("same_meaning");
    let questions = resolution_question::Entity::find().filter(by_meaning);
    let questions = questions
        .all(store.read())
        .await
        .expect("the store answers");
    let forms = resolution_form::Entity::find().all(store.read()).await;
    let forms = forms.expect("the store answers").into_iter();
    let names: BTreeMap<Uuid, String> = forms.map(|form| (form.id, form.name)).collect();
    let pairs = questions.iter().map(|question| {
        let mut pair = [question.left_form_id, question.right_form_id].map(|id| names[&id].clone());
        pair.sort_unstable();
        pair
    });
    pairs.collect()
}

/// The question that follows from [`script`].
fn the_port() -> BTreeSet<[String; 2]> {
    BTreeSet::from([["brennhaven".to_owned(), "port ellis".to_owned()]])
}

async fn vectors(db: &TestDatabase) -> u64 {
    let store = db.open().await;
    let of_model = embedding::Entity::find().filter(embedding::Column::Model.eq(MODEL));
    of_model
        .count(store.read())
        .await
        .expect("the store answers")
}

async fn batch(server: &TestServer, documents: &[Value], config: Value) -> Value {
    let id = server.client().start(documents, config).await;
    server.client().ended(&id).await
}

fn embeddings(provider: &Provider) -> usize {
    provider
        .seen()
        .iter()
        .filter(|seen| seen.path == "embeddings")
        .count()
}

const ESTIMATE: &str = "query($input: StartBatchInput!) { estimateBatch(input: $input) {
    calls model vectors { model calls vectors tokens costUsd }
} }";

each_database! {
    async fn vectors_are_estimated_before_they_are_asked_for(db: TestDatabase) {
        let provider = Provider::start(script());
        let prices = ("KNOWLEDGE_LLM_PRICES", "{scripted-vectors={prompt=1.0,completion=0.0}}");
        let server = serve(&db, &environment(&provider, &[prices]));
        let estimate = async |resolve: bool| {
            let config = json!({ "enableEntityResolution": resolve });
            let input = json!({ "documents": documents(), "config": config });
            server.client().graphql(ESTIMATE, json!({ "input": input })).await["estimateBatch"].take()
        };
        assert_eq!(estimate(false).await["vectors"], Value::Null);
        let said = estimate(true).await;
        assert_eq!((&said["model"], provider.calls()), (&Value::Null, 0), "{said}");
        let said = &said["vectors"];
        assert_eq!(said["model"], json!(MODEL));
        assert!(said["costUsd"].as_f64().is_some_and(|cost| cost > 0.0), "{said}");

        batch(&server, &documents(), json!({})).await;
        let probes = knowledge_resolution::PROBES.len() as u64;
        assert_eq!(said["vectors"], json!(vectors(&db).await + probes));
        assert_eq!(said["calls"], json!(embeddings(&provider)));
        let tokens = said["tokens"].as_u64().expect("a number");
        assert!((tokens / 2..tokens * 2).contains(&provider.tokens()), "{said}, {}", provider.tokens());
        assert!(server.terminate().success());
    }

    async fn somebody_is_asked_about_names_that_may_mean_the_same(db: TestDatabase) {
        let provider = Provider::start(script());
        let environment = environment(&provider, &[]);
        let server = serve(&db, &environment);
        let ended = batch(&server, &documents(), json!({})).await;
        assert_eq!(ended["stage"], json!("COMPLETED"), "{ended}");
        assert_eq!(asked(&db).await, the_port());
        assert_eq!(embeddings(&provider), 2, "the probes, and all names at once");
        assert!(vectors(&db).await >= 6);
        let used = server.client().graphql(
            "query($id: ID!) { batch(id: $id) { tokensUsed resolutionNote modelUsage { tokens } } }",
            json!({ "id": ended["id"] }),
        ).await;
        assert_eq!(used["batch"]["tokensUsed"], json!(provider.tokens()), "{used}");
        assert_eq!(used["batch"]["resolutionNote"], Value::Null);

        // Known names are not asked about again, by whatever batch.
        let again = batch(&server, &documents()[..2], json!({})).await;
        assert_eq!((again["stage"].clone(), embeddings(&provider)), (json!("COMPLETED"), 2));
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;

        // The same in two batches, the other way round.
        let other = db.another();
        let mut turned = documents();
        turned.reverse();
        let server = serve(&other, &environment);
        for document in turned {
            batch(&server, &[document], json!({})).await;
        }
        assert_eq!(asked(&other).await, the_port());
        assert!(server.terminate().success());
        knowledge_tests::verify(&other).await;
    }

    async fn nothing_is_asked_that_nobody_asked_for(db: TestDatabase) {
        let provider = Provider::start(script());
        let environment = environment(&provider, &[("KNOWLEDGE_EMBEDDING_MODEL", "")]);
        let server = serve(&db, &environment);
        batch(&server, &documents(), json!({})).await;
        assert_eq!(provider.calls(), 0);
        assert_eq!(asked(&db).await, BTreeSet::new());
        assert!(server.terminate().success());
        assert_eq!(vectors(&db).await, 0);

        // What was resolved without is compared by the next batch that asks.
        let environment = self::environment(&provider, &[]);
        let server = serve(&db, &environment);
        batch(&server, &[document("d", "Jonas Bleck was born in Steinach.")], json!({})).await;
        assert_eq!(asked(&db).await, the_port());
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    async fn a_kill_in_between_costs_the_call_in_flight(db: TestDatabase) {
        let provider = Provider::start(script().then([Reply::Answer, Reply::Hang]));
        let environment = environment(&provider, &[]);
        let server = serve(&db, &environment);
        let id = server.client().start(&documents(), json!({})).await;
        tokio::task::block_in_place(|| provider.wait_until("the second call", |it| it.calls() == 2 && it.in_flight() == 1));
        server.kill9();
        let server = serve(&db, &environment);
        let ended = server.client().ended(&id).await;
        assert_eq!(ended["stage"], json!("COMPLETED"), "{ended}");
        assert_eq!(provider.calls(), 3, "the call that hung, once more");
        assert_eq!(asked(&db).await, the_port());
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    async fn a_model_that_came_later_stays(db: TestDatabase) {
        let provider = Provider::start(script().then([Reply::Answer, Reply::Hold]));
        let environment = environment(&provider, &[]);
        let server = serve(&db, &environment);
        let id = server.client().start(&documents(), json!({})).await;
        tokio::task::block_in_place(|| provider.wait_until("the second call", |it| it.calls() == 2 && it.in_flight() == 1));
        // As a batch on another server does, that names another model.
        let later = organization::Entity::update_many()
            .col_expr(organization::Column::EmbeddingModel, Expr::value("later"));
        later.exec(&db.connect().await).await.expect("the organisation is there");
        provider.release();
        let ended = server.client().ended(&id).await;
        assert_eq!(ended["stage"], json!("COMPLETED"), "{ended}");
        assert!(note(&server, &json!(id)).await.contains("another model"));
        let store = db.open().await;
        let known = organization::Entity::find().one(store.read()).await.expect("the store answers");
        assert_eq!(known.and_then(|row| row.embedding_model).as_deref(), Some("later"));
        assert!(server.terminate().success());
    }

    async fn a_model_that_comes_back_finds_what_it_said(db: TestDatabase) {
        let provider = Provider::start(script());
        let own = environment(&provider, &[]);
        let other = environment(&provider, &[("KNOWLEDGE_EMBEDDING_MODEL", "another")]);
        let [first, second, third] = [0, 2, 1].map(|at| [documents()[at].clone()]);
        for (environment, documents) in [(&own, first), (&other, second), (&own, third)] {
            let server = serve(&db, environment);
            batch(&server, &documents, json!({})).await;
            assert!(server.terminate().success());
        }
        assert_eq!(asked(&db).await, the_port());
        knowledge_tests::verify(&db).await;
    }

    /// As an earlier release left it: vectors that lie in no tree.
    async fn what_another_version_compared_is_compared_anew(db: TestDatabase) {
        let provider = Provider::start(script());
        let environment = environment(&provider, &[]);
        let server = serve(&db, &environment);
        batch(&server, &documents(), json!({})).await;
        assert!(server.terminate().success());
        let store = db.connect().await;
        resolution_leaf::Entity::delete_many().exec(&store).await.expect("they are deleted");
        let older = organization::Entity::update_many()
            .col_expr(organization::Column::ResolutionVersion, Expr::value(0));
        older.exec(&store).await.expect("the organisation is there");
        let named = async |name: &str| {
            let row = entity::Entity::find().filter(entity::Column::Name.eq(name));
            let row = row.one(&store).await.expect("the store answers");
            EntityId::from_uuid(row.expect("it is there").id)
        };
        let pair = [named("Port Ellis").await, named("Steinach").await];
        let server = serve(&db, &environment);
        let apart = "mutation($ids: [ID!]!) { keepApart(ids: $ids) { __typename } }";
        let done = server.client().graphql(apart, json!({ "ids": pair })).await;
        assert_eq!(done["keepApart"]["__typename"], json!("EntitiesSuccess"));
        assert_eq!(asked(&db).await, the_port(), "of others nothing was said");
        assert!(server.terminate().success());
        // What is asked rightly is asked again, and what is not is asked no more.
        let found = resolution_question::Entity::find().one(&store).await.expect("the store answers");
        resolution_question::Entity::delete_many().exec(&store).await.expect("they are deleted");
        let form = async |name: &str| {
            let row = resolution_form::Entity::find().filter(resolution_form::Column::Name.eq(name));
            row.one(&store).await.expect("the store answers").expect("it is there").id
        };
        let (one, other) = (form("steinach").await, form("brennhaven").await);
        let false_one = resolution_question::Model {
            id: Uuid::from_u128(1),
            left_form_id: one.min(other),
            right_form_id: one.max(other),
            ..found.expect("somebody is asked")
        };
        let false_one = resolution_question::Entity::insert(false_one.into_active_model());
        false_one.exec_without_returning(&store).await.expect("it is written");
        store.close().await.expect("it closes");
        let (known, before) = (vectors(&db).await, embeddings(&provider));
        let server = serve(&db, &environment);
        batch(&server, &documents()[..1], json!({})).await;
        assert_eq!(asked(&db).await, the_port());
        assert_eq!((vectors(&db).await, embeddings(&provider)), (known, before), "nothing is asked twice");
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    async fn what_is_taken_apart_means_the_same(db: TestDatabase) {
        let provider = Provider::start(script());
        let server = serve(&db, &environment(&provider, &[]));
        let mut documents = documents();
        documents.push(document("d", "Jonas Bleck was born in Port Ellis."));
        batch(&server, &documents, json!({})).await;
        let store = db.open().await;
        let ports = entity::Entity::find().filter(entity::Column::Name.eq("Port Ellis"));
        let ports = ports.all(store.read()).await.expect("the store answers");
        let member = ports.iter().find(|port| port.id != port.canonical_id).expect("two are one");
        let split = "mutation($members: [ID!]!) { splitEntity(members: $members) { __typename } }";
        let member = EntityId::from_uuid(member.id);
        let done = server.client().graphql(split, json!({ "members": [member] })).await;
        assert_eq!(done["splitEntity"]["__typename"], json!("EntitiesSuccess"));
        assert_eq!(asked(&db).await, the_port());
        let by_meaning = resolution_question::Column::Reason.eq("same_meaning");
        let questions = resolution_question::Entity::find().filter(by_meaning);
        assert_eq!(questions.count(store.read()).await.expect("the store answers"), 2);
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    async fn an_open_breaker_suspends_the_workflow(db: TestDatabase) {
        let failing = [Reply::Status(500); 3];
        let provider = Provider::start(script().then(failing));
        let environment = environment(&provider, &[("KNOWLEDGE_BREAKER_FAILURES", "2"), ("KNOWLEDGE_BREAKER_RECOVERY_SECONDS", "5")]);
        let server = serve(&db, &environment);
        let id = server.client().start(&documents(), json!({})).await;
        let note = waits(&server, &id).await;
        assert!(note.contains("left alone"), "{note}");
        server.kill9();
        let server = serve(&db, &environment);
        let ended = server.client().ended(&id).await;
        assert_eq!(ended["stage"], json!("COMPLETED"), "{ended}");
        assert_eq!(asked(&db).await, the_port());
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    async fn a_spent_budget_suspends_the_workflow_until_it_is_raised(db: TestDatabase) {
        let provider = Provider::start(script());
        let environment = environment(&provider, &[]);
        let server = serve(&db, &environment);
        let id = server.client().start(&documents(), json!({ "tokenBudget": 1 })).await;
        let note = waits(&server, &id).await;
        assert!(note.contains("budget"), "{note}");
        let raise = "mutation($id: ID!, $tokens: Long!) { raiseTokenBudget(id: $id, tokenBudget: $tokens) { __typename } }";
        server.client().graphql(raise, json!({ "id": id, "tokens": 100_000 })).await;
        let ended = server.client().ended(&id).await;
        assert_eq!(ended["stage"], json!("COMPLETED"), "{ended}");
        assert_eq!(asked(&db).await, the_port());
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    async fn an_endpoint_without_vectors_is_gone_without(db: TestDatabase) {
        let provider = Provider::start(Script { no_vectors: true, ..script() });
        let environment = environment(&provider, &[]);
        let server = serve(&db, &environment);
        let ended = batch(&server, &documents(), json!({})).await;
        assert_eq!(ended["stage"], json!("COMPLETED"), "{ended}");
        assert_eq!(provider.calls(), 1);
        let note = note(&server, &ended["id"]).await;
        assert!(note.contains("meanings were not compared") && note.contains("404"), "{note}");
        assert!(server.terminate().success());
        let store = db.open().await;
        let rows = organization::Entity::find().all(store.read()).await.expect("the store answers");
        assert!(rows[0].embedding_gaps, "the next batch asks again");
        let embedded = workflow_activity::Column::ActivityName.starts_with("resolve/embed/");
        let units = workflow_activity::Entity::find().filter(embedded);
        assert_eq!(units.count(store.read()).await.expect("the store answers"), 0);
        store.close().await.expect("the store closes");
        knowledge_tests::verify(&db).await;

        provider.follow(script());
        let server = serve(&db, &environment);
        batch(&server, &[document("d", "Jonas Bleck was born in Steinach.")], json!({})).await;
        assert_eq!(asked(&db).await, the_port());
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    async fn an_endpoint_that_takes_few_texts_is_asked_for_few(db: TestDatabase) {
        let provider = Provider::start(Script { most_texts: Some(7), ..script() });
        let server = serve(&db, &environment(&provider, &[]));
        let ended = batch(&server, &documents(), json!({})).await;
        assert_eq!(ended["stage"], json!("COMPLETED"), "{ended}");
        let (refused, taken): (Vec<_>, Vec<_>) = provider.seen().into_iter().partition(|it| it.status == Some(422));
        assert_eq!((refused.len(), taken.len() >= 5), (2, true), "24, 12, then 6 at a time");
        assert_eq!(asked(&db).await, the_port());
        let used = server.client().graphql("query($id: ID!) { batch(id: $id) { tokensUsed } }", json!({ "id": ended["id"] })).await;
        assert_eq!(used["batch"]["tokensUsed"], json!(provider.tokens()));
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    async fn a_question_by_meaning_is_explained_and_answered(db: TestDatabase) {
        let provider = Provider::start(script());
        let server = serve(&db, &environment(&provider, &[]));
        batch(&server, &documents(), json!({})).await;
        let found = server.client().graphql(
            "{ possibleDuplicates { nodes { left { id } right { id } doubt reason } } }",
            json!({}),
        ).await;
        let nodes = found["possibleDuplicates"]["nodes"].as_array().expect("there are questions");
        let near = nodes.iter().find(|node| node["reason"] == json!("same_meaning")).expect("it is there");
        assert_eq!(near["doubt"], json!("NEAR"));
        let pair = json!({ "one": near["left"]["id"], "other": near["right"]["id"] });
        let explained = server.client().graphql(
            "query($one: ID!, $other: ID!) { explainLink(left: $one, right: $other) { linked rule features { name value weight } } }",
            pair.clone(),
        ).await;
        let link = &explained["explainLink"];
        assert_eq!((&link["linked"], &link["rule"]), (&json!(false), &json!("same_meaning")));
        let features = link["features"].as_array().expect("it has features");
        let cosine = features.iter().find(|it| it["name"] == json!("cosine")).expect("one is the cosine");
        assert!(cosine["value"].as_f64() > Some(0.9) && cosine["weight"].as_f64() == Some(0.05), "{cosine}");
        server.client().graphql(
            "mutation($one: ID!, $other: ID!) { mergeEntities(ids: [$one, $other]) { __typename } }",
            pair,
        ).await;
        assert_eq!(asked(&db).await, BTreeSet::new(), "it is answered");
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }
}

async fn note(server: &TestServer, id: &Value) -> String {
    let query = "query($id: ID!) { batch(id: $id) { resolutionNote } }";
    let found = server.client().graphql(query, json!({ "id": id })).await;
    found["batch"]["resolutionNote"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Waits until resolution says what it waits for.
async fn waits(server: &TestServer, id: &str) -> String {
    for _ in 0..600 {
        let note = note(server, &json!(id)).await;
        if !note.is_empty() {
            return note;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("resolution waits for nothing");
}
