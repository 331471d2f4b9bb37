//! A batch goes on with the model and the prompts that it began with.

use std::time::Duration;

use knowledge_tables::batch_execution;
use knowledge_tests::{
    TestDatabase, each_database,
    provider::{Provider, Script},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};

use crate::run::{batch, batch_that, corpus, extract, notes, serve};

/// Says that the only batch began with other prompts.
async fn began_with(db: &TestDatabase, prompts: &str) {
    let connection = db.connect().await;
    let row = batch_execution::Entity::find().one(&connection).await;
    let row = row.expect("batches can be read").expect("there is one");
    let mut config = row.config.clone();
    assert!(config["asks"]["prompts"].is_string(), "{config}");
    config["asks"]["prompts"] = json!(prompts);
    let mut row = row.into_active_model();
    row.config = Set(config);
    row.update(&connection).await.expect("it can be changed");
    connection.close().await.expect("the connection closes");
}

each_database! {
    async fn a_batch_goes_on_with_the_model_that_it_began_with(db: TestDatabase) {
        let provider = Provider::start(Script::answering(Duration::from_millis(200)));
        let server = serve(&db, &provider, &[("KNOWLEDGE_LLM_MAX_CONCURRENT", "2")]);
        let id = server.client().start(&notes(0, 12, 1), json!({ "extractor": "LLM", "concurrency": 4 })).await;
        tokio::task::block_in_place(|| provider.wait_until("calls", |it| it.calls() >= 5));
        server.kill9();
        let other = [("KNOWLEDGE_LLM_MODEL", "other-2"), ("KNOWLEDGE_LLM_MAX_OUTPUT_TOKENS", "900")];
        let server = serve(&db, &provider, &other);
        server.client().ended(&id).await;
        let ended = batch(server.client(), &id).await;
        assert_eq!((&ended["completedDocuments"], &ended["model"]), (&json!(12), &json!("scripted-1")), "{ended}");
        assert!(provider.seen().iter().all(|seen| seen.model == "scripted-1"));
        assert!(provider.calls() <= 14, "what was finished is not asked again: {}", provider.calls());

        // A new one asks the model of the environment.
        let calls = provider.calls();
        let id = server.client().start(&notes(0, 1, 1), json!({ "extractor": "LLM" })).await;
        server.client().ended(&id).await;
        assert_eq!(batch(server.client(), &id).await["model"], "other-2");
        assert_eq!(provider.seen()[calls].model, "other-2");
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    async fn a_batch_of_other_prompts_is_refused_and_says_why(db: TestDatabase) {
        let provider = Provider::start(Script::answering(Duration::from_secs(1)));
        let server = serve(&db, &provider, &[]);
        let id = server.client().start(&notes(0, 8, 1), json!({ "extractor": "LLM", "concurrency": 2 })).await;
        tokio::task::block_in_place(|| provider.wait_until("calls", |it| it.calls() >= 2));
        server.kill9();
        began_with(&db, "single@0").await;
        let calls = provider.calls();
        let server = serve(&db, &provider, &[]);
        let ended = batch_that(server.client(), &id, "failed", |it: &Value| it["stage"] == "FAILED").await;
        let error = ended["error"].as_str().unwrap();
        assert!(error.contains("single@0") && error.contains("start a new batch"), "{error}");
        assert_eq!(provider.calls(), calls);
    }

    /// Another model is another request: the first one's answers are not its.
    async fn extract_with_another_model_asks_that(db: TestDatabase) {
        let provider = Provider::start(Script::default());
        corpus(&db, 2, 1);
        let first = extract(&db, &provider, &[], &[]);
        let again = extract(&db, &provider, &[], &[]);
        assert_eq!(first.totals["batchId"], again.totals["batchId"]);
        let other = extract(&db, &provider, &[("KNOWLEDGE_LLM_MODEL", "other-2")], &[]);
        assert_ne!(first.totals["batchId"], other.totals["batchId"]);
        assert_eq!(provider.calls(), 4);
    }
}
