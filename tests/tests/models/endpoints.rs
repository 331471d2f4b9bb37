//! Endpoints as they really are: what they put around an answer, and how they say what is wrong.

use std::time::{Duration, Instant};

use knowledge_tables::{batch_document, batch_event, batch_execution, llm_call};
use knowledge_tests::{
    TestDatabase, each_database,
    provider::{Provider, Reply, Script},
};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::run::{Run, assert_evidence, corpus, extract};

/// A run over two short documents, one after the other, with a provider of this script.
fn run(db: &TestDatabase, script: Script) -> (Run, Provider) {
    let db = db.another();
    let provider = Provider::start(script);
    corpus(&db, 2, 2);
    let run = extract(&db, &provider, &[], &["--concurrency", "1"]);
    (run, provider)
}

/// What models put around an answer.
const DRESSES: [fn(&str) -> Value; 7] = [
    |text| json!({ "content": format!("<think>{{\"entities\": [], \"relations\": []}}?</think>\n{text}") }),
    |text| json!({ "content": format!("so it is.\n</think>\n```json\n{text}\n```") }),
    |text| json!({ "content": [{ "type": "text", "text": text.split_at(9).0 }, { "type": "text", "text": text.split_at(9).1 }] }),
    |text| json!({ "content": text, "reasoning_content": "{so}" }),
    |text| json!({ "content": format!("[{text}]") }),
    |text| json!({ "content": format!("{{\"answer\": {text}}}") }),
    |text| json!({ "content": text.replace('"', "'").replace("null", "None").replace('}', ",}") }),
];

/// Refusals of how a question is put, and how it is put in the end.
const HOWS: &[(Reply, Option<&str>)] = &[
    (
        Reply::Says(
            500,
            &[],
            r#"{"error":{"code":500,"message":"\"response_format\" type must be one of \"text\" or \"json_object\", but got: json_schema","type":"server_error"}}"#,
        ),
        Some("json_object"),
    ),
    (
        Reply::Says(
            422,
            &[],
            r#"{"detail":[{"type":"literal_error","loc":["body","response_format","type"],"msg":"Input should be 'text' or 'json_object'"}]}"#,
        ),
        Some("json_object"),
    ),
    (
        Reply::Says(
            400,
            &[],
            r#"[{"error":{"code":400,"message":"Unknown name \"additionalProperties\" at 'generation_config.response_schema'","status":"INVALID_ARGUMENT"}}]"#,
        ),
        Some("json_object"),
    ),
    (
        Reply::Says(
            400,
            &[],
            r#"{"error":{"message":"max_tokens is too large: 4096. This model supports at most 300 completion tokens"}}"#,
        ),
        Some("json_schema"),
    ),
    (
        Reply::Says(
            400,
            &[],
            r#"{"error":{"message":"Failed to generate JSON.","code":"json_validate_failed","failed_generation":"not json"}}"#,
        ),
        Some("json_schema"),
    ),
];

/// Failures that another attempt mends at once, or after a moment.
const PASSING: &[Reply] = &[
    Reply::Says(
        200,
        &[],
        r#"{"error":{"message":"Provider returned error","code":502}}"#,
    ),
    Reply::Says(
        200,
        &[],
        r#"{"choices":[{"error":{"code":502,"message":"upstream"},"message":{"content":""},"finish_reason":"error"}]}"#,
    ),
    Reply::Says(
        200,
        &[],
        r#"{"choices":[{"message":{"content":null},"finish_reason":"stop"}]}"#,
    ),
    Reply::Says(200, &[], "<html><title>wait</title>"),
    Reply::Says(
        502,
        &[("content-type", "text/html")],
        "<html><title>502 Bad Gateway</title></html>",
    ),
    Reply::Says(429, &[("retry-after", "-5")], "{}"),
    Reply::Says(429, &[("retry-after", "0.2")], "{}"),
    Reply::Says(
        429,
        &[
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "200ms"),
            ("x-ratelimit-reset-requests", "6m0s"),
        ],
        "{}",
    ),
    Reply::Says(
        429,
        &[],
        r#"[{"error":{"code":429,"message":"m","details":[{"retryDelay":"0.2s"}]}}]"#,
    ),
    Reply::Says(
        429,
        &[],
        r#"{"error":{"message":"Rate limit reached. Please try again in 200ms."}}"#,
    ),
];

/// Failures that no other attempt mends, and what is said of them.
const LASTING: &[(Reply, &str)] = &[
    (
        Reply::Says(
            200,
            &[],
            r#"{"error":{"message":"No auth credentials found","code":401}}"#,
        ),
        "OPENAI_API_KEY",
    ),
    (
        Reply::Says(
            400,
            &[],
            r#"{"error":{"message":"foo is not a valid model ID","code":400}}"#,
        ),
        "KNOWLEDGE_LLM_MODEL",
    ),
    (
        Reply::Says(405, &[], "Method Not Allowed"),
        "OPENAI_BASE_URL",
    ),
    (
        Reply::Says(
            301,
            &[(
                "location",
                "http://localhost:1/v1/chat/completions?key=secret",
            )],
            "",
        ),
        "it is at http://localhost:1/v1/chat/completions now",
    ),
    (
        Reply::Says(
            400,
            &[],
            r#"{"error":{"message":"Your credit balance is too low"}}"#,
        ),
        "no credit",
    ),
];

/// Everything that the database says of failures.
async fn complaints(db: &TestDatabase) -> String {
    let connection = db.connect().await;
    let said = [
        format!("{:?}", llm_call::Entity::find().all(&connection).await),
        format!(
            "{:?}",
            batch_document::Entity::find().all(&connection).await
        ),
        format!(
            "{:?}",
            batch_execution::Entity::find().all(&connection).await
        ),
        format!("{:?}", batch_event::Entity::find().all(&connection).await),
    ];
    connection.close().await.expect("the connection closes");
    said.concat()
}

each_database! {
    async fn an_answer_is_read_in_whatever_stands_around_it(db: TestDatabase) {
        for (at, dress) in DRESSES.into_iter().enumerate() {
            let (run, provider) = run(&db, Script { dressed: Some(dress), ..Script::default() });
            run.assert_exit(0);
            assert_evidence(&run, 2);
            assert_eq!(provider.calls(), 2, "dress {at}: {}", run.totals);
        }
    }

    async fn an_endpoint_says_how_it_wants_to_be_asked(db: TestDatabase) {
        for (reply, format) in HOWS {
            let (run, provider) = run(&db, Script::default().then([*reply]));
            run.assert_exit(0);
            assert_evidence(&run, 2);
            let seen = provider.seen();
            let formats: Vec<_> = seen.iter().skip(1).map(|seen| seen.format.as_deref()).collect();
            assert_eq!(formats, [*format; 2], "{reply:?}");
        }
    }

    async fn what_passes_fails_no_document(db: TestDatabase) {
        let begun = Instant::now();
        for reply in PASSING {
            let (run, provider) = run(&db, Script::default().then([*reply]));
            run.assert_exit(0);
            assert_evidence(&run, 2);
            assert_eq!(provider.calls(), 3, "{reply:?}");
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "{:?}", begun.elapsed());
    }

    async fn what_does_not_pass_ends_the_batch_and_says_what_to_do(db: TestDatabase) {
        for (reply, said) in LASTING {
            let (run, provider) = run(&db, Script::default().then([*reply; 9]));
            run.assert_exit(1);
            let complaints = run.complaints();
            assert!(complaints.contains(said) && !complaints.contains("secret"), "{reply:?}: {complaints}");
            assert_eq!(provider.calls(), 1, "{reply:?}");
        }
    }

    /// A time that no clock has suspends the document for a day at most.
    async fn nobody_waits_for_ever(db: TestDatabase) {
        let absurd: &[_] = &[("retry-after", "100000000000000")];
        let provider = Provider::start(Script::default().then([Reply::Says(429, absurd, "{}"); 2]));
        let server = crate::run::serve(&db, &provider, &[]);
        let documents = crate::run::notes(0, 1, 1);
        let id = server.client().start(&documents, json!({ "extractor": "LLM" })).await;
        let batch = crate::run::batch_that(server.client(), &id, "suspended", |batch| {
            crate::run::executions(batch, "SUSPENDED") == 1
        }).await;
        assert_eq!((provider.calls(), &batch["failedDocuments"]), (1, &json!(0)), "{batch}");
        assert!(server.terminate().success());
    }

    /// Gateways repeat the key that they refuse; nobody else does.
    async fn a_key_that_is_repeated_is_shown_nowhere(db: TestDatabase) {
        let provider = Provider::start(Script::default().then([Reply::Key; 9]));
        corpus(&db, 2, 2);
        let run = extract(&db, &provider, &[("KNOWLEDGE_LOG", "trace")], &[]);
        run.assert_exit(1);
        assert!(run.complaints().contains("Received = Bearer ***"), "{}", run.complaints());
        let all = complaints(&db).await;
        assert!(all.contains("Received = Bearer ***"), "{all}");
        for shown in [run.complaints(), run.totals.to_string(), all] {
            assert!(!shown.contains("sk-test-key"), "{shown}");
        }
    }
}
