//! Batches of one organisation that resolve at once, and what they pay for the same names.

use std::{collections::BTreeMap, time::Duration};

use knowledge_tables::llm_call;
use knowledge_tests::{
    Backend, Client, TestDatabase, TestServer, each_database,
    events::kind,
    provider::{Provider, Reply, Script, Seen},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::{Value, json};

use crate::run::borrowed;

/// Long enough for a batch that does not wait for its turn to ask.
const LONG_ENOUGH: Duration = Duration::from_millis(1_500);

/// The probes are answered, the first names when the test says so.
fn provider() -> Provider {
    Provider::start(Script::default().then([Reply::Answer, Reply::Hold]))
}

fn serve(db: &TestDatabase, provider: &Provider) -> TestServer {
    let mut environment = provider.environment();
    environment.extend([
        ("KNOWLEDGE_EMBEDDING_MODEL", "scripted-vectors".to_owned()),
        ("KNOWLEDGE_EXTRACTOR", "offline".to_owned()),
        ("KNOWLEDGE_LLM_TIMEOUT_SECONDS", "20".to_owned()),
    ]);
    TestServer::start_with(db.url(), &borrowed(&environment))
}

/// Another server of the database, where it takes more than one.
fn beside(db: &TestDatabase, provider: &Provider) -> Option<TestServer> {
    (db.backend() == Backend::Postgres).then(|| serve(db, provider))
}

fn documents(names: &[&str]) -> Vec<Value> {
    let text = |name: &&str| {
        let text =
            format!("{name} was born in Port Ellis. {name} worked for Calder Instruments Ltd.");
        json!({ "name": name, "text": text })
    };
    names.iter().map(text).collect()
}

/// Two batches that want vectors of the same names, in two servers where the database takes them.
struct Two {
    provider: Provider,
    server: TestServer,
    beside: Option<TestServer>,
    batches: [String; 2],
}

impl Two {
    /// Starts a batch, and another one when the first has asked about its names; they are at once
    /// when the other one has resolved as much as it can.
    async fn at_once(db: &TestDatabase) -> Self {
        let provider = provider();
        let server = serve(db, &provider);
        let beside = beside(db, &provider);
        let one = documents(&["Ilse Varga", "Tomas Renn"]);
        let one = server.client().start(&one, json!({})).await;
        tokio::task::block_in_place(|| {
            provider.wait_until("the names", |it| it.calls() == 2 && it.in_flight() == 1);
        });
        let second = beside.as_ref().unwrap_or(&server).client();
        let other = documents(&["Ilse Varga", "Hannah Weiss", "Anselm Thorne"]);
        let other = second.start(&other, json!({})).await;
        second
            .wait_for(&other, |event| kind(event) == "ResolutionStarted")
            .await;
        tokio::time::sleep(LONG_ENOUGH).await;
        Self {
            provider,
            server,
            beside,
            batches: [one, other],
        }
    }
}

/// Both batches complete, and no text was answered twice.
async fn complete_for_once(client: &Client, provider: &Provider, batches: &[String]) {
    for batch in batches {
        let ended = client.ended(batch).await;
        assert_eq!(ended["stage"], json!("COMPLETED"), "{ended}");
    }
    let often: Vec<_> = answered(provider)
        .into_iter()
        .filter(|(_, times)| *times > 1)
        .collect();
    assert!(often.is_empty(), "paid for more than once: {often:?}");
}

/// How often each text was answered.
fn answered(provider: &Provider) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for seen in provider
        .seen()
        .iter()
        .filter(|seen| seen.status == Some(200))
    {
        for text in texts(seen) {
            *times.entry(text).or_default() += 1;
        }
    }
    times
}

fn texts(seen: &Seen) -> Vec<String> {
    serde_json::from_str(&seen.question).expect("the texts are a list")
}

async fn tokens(client: &Client, batches: &[String]) -> u64 {
    let mut tokens = 0;
    for batch in batches {
        let query = "query($id: ID!) { batch(id: $id) { tokensUsed } }";
        let found = client.graphql(query, json!({ "id": batch })).await;
        tokens += found["batch"]["tokensUsed"].as_u64().expect("a number");
    }
    tokens
}

each_database! {
    async fn batches_at_once_ask_about_a_name_once(db: TestDatabase) {
        let Two { provider, server, beside, batches } = Two::at_once(&db).await;
        provider.release();
        complete_for_once(server.client(), &provider, &batches).await;
        assert_eq!(tokens(server.client(), &batches).await, provider.tokens());
        assert!(beside.is_none_or(|beside| beside.terminate().success()));
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    /// Whoever goes on asks the same, so that an answer that came after all is found.
    async fn a_question_of_a_killed_process_is_asked_again_as_it_was(db: TestDatabase) {
        let Two { provider, server, beside, batches } = Two::at_once(&db).await;
        server.kill9();
        provider.release();
        let server = beside.unwrap_or_else(|| serve(&db, &provider));
        complete_for_once(server.client(), &provider, &batches).await;
        let seen: Vec<_> = provider.seen().iter().map(texts).collect();
        assert_eq!(seen[1], seen[2], "the same once more");
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    /// An answer is found whose process was killed before it had kept the vectors.
    async fn an_answer_that_was_not_kept_is_found(db: TestDatabase) {
        let Two { provider, server, beside, batches } = Two::at_once(&db).await;
        let http = server.client().http().clone();
        server.kill9();
        answer_late(&db, &provider, &http).await;
        let server = beside.unwrap_or_else(|| serve(&db, &provider));
        complete_for_once(server.client(), &provider, &batches).await;
        assert_eq!(tokens(server.client(), &batches).await, provider.tokens());
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }
}

/// Answers the call that was on its way when its process was killed, and records that as the process
/// had done a moment before.
async fn answer_late(db: &TestDatabase, provider: &Provider, http: &reqwest::Client) {
    let asked = texts(&provider.seen()[1]);
    let asked = json!({ "model": "scripted-vectors", "input": asked });
    let url = format!("{}/embeddings", provider.url());
    let answer = http.post(url).json(&asked).send().await;
    let answer: Value = answer.expect("it answers").json().await.expect("in JSON");
    let data = answer["data"].as_array().expect("there are vectors");
    let vectors: Vec<&Value> = data.iter().map(|it| &it["embedding"]).collect();
    let tokens = answer["usage"]["prompt_tokens"].as_i64();
    let recorded = llm_call::Entity::update_many()
        .col_expr(llm_call::Column::Status, Expr::value("completed"))
        .col_expr(
            llm_call::Column::Response,
            Expr::value(json!(vectors).to_string()),
        )
        .col_expr(llm_call::Column::PromptTokens, Expr::value(tokens))
        .filter(llm_call::Column::Status.eq("intent"))
        .exec(&db.connect().await)
        .await;
    assert_eq!(recorded.expect("the store answers").rows_affected, 1);
}
