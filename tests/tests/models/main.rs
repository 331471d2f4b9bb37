//! The extractor that asks a model, against a provider that speaks the real protocol.

mod costs;
mod endpoints;
mod failures;
mod limits;
mod meanings;
mod ontologies;
mod pinned;
mod quarantine;
mod run;
mod shared;
mod turns;
mod vectors;

use std::{collections::BTreeSet, time::Duration};

use knowledge_tests::{
    TestServer, documents, each_database,
    provider::{Provider, Reply, Script},
};
use serde_json::{Value, json};

use run::{assert_evidence, borrowed, corpus, environment, extract};

each_database! {
    /// One call a document, and every span in its place; a second run asks nothing.
    async fn a_batch_is_extracted_and_never_paid_for_twice(db: TestDatabase) {
        let provider = Provider::start(Script::answering(Duration::from_millis(5)));
        corpus(&db, 8, 3);
        let run = extract(&db, &provider, &[], &[]);
        run.assert_exit(0);
        assert_eq!(provider.calls(), 8, "one call a document");
        assert!(provider.seen().iter().all(|seen| {
            seen.authorization.as_deref() == Some("Bearer sk-test-key")
                && seen.format.as_deref() == Some("json_schema")
        }));
        assert!(!run.complaints().contains("sk-test-key"), "a key was shown");
        assert_evidence(&run, 3);
        let names: Vec<_> = run.graph["entities"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert!(names.contains(&"Ilse Varga") && names.contains(&"Port Ellis"), "{names:?}");
        assert!(!run.graph["relations"].as_array().unwrap().is_empty());

        // Another batch of the same texts.
        let again = extract(&db, &provider, &[], &["--concurrency", "7"]);
        again.assert_exit(0);
        assert_eq!(provider.calls(), 8, "everything is remembered");
        assert_ne!(run.totals["batchId"], again.totals["batchId"]);
        assert_eq!(run.totals["tokensUsed"], json!(provider.tokens()));
        assert_eq!(again.totals["tokensUsed"], json!(0));
        assert_eq!(again.graph["entities"], run.graph["entities"]);
        knowledge_tests::verify(&db).await;
    }

    async fn the_staged_way_finds_the_same_with_more_calls(db: TestDatabase) {
        let provider = Provider::start(Script::default());
        corpus(&db, 3, 3);
        let run = extract(&db, &provider, &[], &["--strategy", "staged"]);
        run.assert_exit(0);
        assert_eq!(provider.calls(), 9, "mentions, entities and relations of each document");
        assert_evidence(&run, 3);
        let names = |graph: &Value| -> BTreeSet<String> {
            let entities = graph["entities"].as_array().into_iter().flatten();
            entities.map(|entity| entity["name"].to_string()).collect()
        };
        let other = db.another();
        corpus(&other, 3, 3);
        let single = extract(&other, &provider, &[], &[]);
        assert_eq!(names(&run.graph), names(&single.graph));
    }

    /// A tenth of the answers each breaks off, is no JSON, has wrong offsets, invents a type.
    async fn answers_that_are_wrong_fail_no_document(db: TestDatabase) {
        let provider = Provider::start(Script {
            truncated: 0.1,
            invalid: 0.1,
            wrong_offsets: 0.1,
            invented: 0.1,
            ..Script::default()
        });
        corpus(&db, 30, 4);
        let run = extract(&db, &provider, &[], &["--concurrency", "8"]);
        run.assert_exit(0);
        assert_evidence(&run, 4);
        assert!(provider.calls() > 30, "what could not be used was asked again");
        let found = run.graph.to_string();
        assert!(!found.contains("Wizard") && !found.contains("Merlin"));
        let rejections = &run.totals["rejections"];
        for kind in ["askedAgain", "relocatedMentions", "unknownTypes", "unverified"] {
            assert!(rejections[kind].as_u64() > Some(0), "{kind}: {rejections}");
        }
        assert_eq!(run.totals["tokensUsed"], json!(provider.tokens()));
    }

    async fn rate_limits_fail_no_document(db: TestDatabase) {
        let provider = Provider::start(Script {
            latency: Duration::from_millis(10),
            rate_limited: 0.3,
            retry_after: Some(1),
            ..Script::default()
        });
        corpus(&db, 30, 2);
        let run = extract(&db, &provider, &[], &["--concurrency", "16"]);
        run.assert_exit(0);
        assert_eq!(run.totals["completedDocuments"], json!(30));
        assert!(provider.most_in_flight() <= 5, "{} at a time", provider.most_in_flight());
    }

    /// Endpoints that know no structured outputs, or no JSON mode either, are asked in plain text.
    async fn an_endpoint_is_asked_as_it_understands(db: TestDatabase) {
        for (script, formats) in [
            (Script { no_schema: true, ..Script::default() }, [Some("json_schema"), Some("json_object")]),
            (Script { no_schema: true, no_json_mode: true, ..Script::default() }, [Some("json_object"), None]),
        ] {
            let db = db.another();
            let provider = Provider::start(script);
            corpus(&db, 2, 2);
            let run = extract(&db, &provider, &[], &["--concurrency", "1"]);
            run.assert_exit(0);
            assert_evidence(&run, 2);
            let last: Vec<_> = provider.seen().into_iter().map(|seen| seen.format).collect();
            let last: Vec<_> = last.iter().map(Option::as_deref).collect();
            assert!(formats.iter().all(|format| last.contains(format)), "{last:?}");
        }
    }

    async fn a_text_that_is_too_long_for_the_model_is_cut(db: TestDatabase) {
        let provider = Provider::start(Script { context_chars: Some(900), ..Script::default() });
        corpus(&db, 2, 8);
        let run = extract(&db, &provider, &[], &[]);
        run.assert_exit(0);
        assert_evidence(&run, 8);
        let refused = provider.seen().iter().filter(|seen| seen.status == Some(400)).count();
        assert!(refused > 0);

        // Another batch knows that, and asks nothing.
        let calls = provider.calls();
        let run = extract(&db, &provider, &[], &["--concurrency", "4"]);
        run.assert_exit(0);
        assert_evidence(&run, 8);
        assert_eq!(provider.calls(), calls);
    }

    /// A refused text is skipped with its reason; whether its document fails is a matter of
    /// coverage.
    async fn a_refusal_costs_one_unit(db: TestDatabase) {
        let provider = Provider::start(Script { refuses: Some("item 1.30 ".to_owned()), ..Script::default() });
        corpus(&db, 3, 60);
        let run = extract(&db, &provider, &[], &[]);
        run.assert_exit(3);
        let failed: Vec<_> = run.graph["documents"].as_array().unwrap().iter().filter(|it| it["status"] == "failed").collect();
        assert_eq!(failed.len(), 1);
        let error = failed[0]["error"].as_str().unwrap_or_default();
        assert!(error.contains("mentions/") && error.contains("refuses"), "{error}");
        let calls = provider.calls();

        let run = extract(&db, &provider, &[], &["--minimum-coverage", "50"]);
        run.assert_exit(0);
        assert_eq!(provider.calls(), calls + 1, "only the refused unit is asked again");
        let missing = run.totals["missing"].as_array().unwrap();
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(missing[0]["reason"].as_str().unwrap().contains("refuses"));
    }

    /// Killed in mid-batch, at most what was on its way is asked again, and exactly that is listed.
    async fn a_kill_repeats_only_what_was_on_its_way(db: TestDatabase) {
        let replies = [Reply::Answer; 7].into_iter().chain([Reply::Hang; 5]);
        let provider = Provider::start(Script::answering(Duration::from_millis(30)).then(replies));
        let environment = environment(&provider, &[]);
        let process = TestServer::start_with(db.url(), &borrowed(&environment));
        let documents: Vec<Value> = (0..30).map(|index| json!({ "name": format!("{index}"), "text": documents::text(index, 2) })).collect();
        let batch = process.client().start(&documents, json!({ "extractor": "LLM", "concurrency": 8 })).await;
        tokio::task::block_in_place(|| provider.wait_until("calls", |it| it.calls() == 12 && it.in_flight() == 5));
        process.kill9();
        let process = TestServer::start_with(db.url(), &borrowed(&environment));
        let ended = process.client().ended(&batch).await;
        assert_eq!(ended["completedDocuments"], json!(30), "{ended}");
        let repeated = provider.calls() - 30;
        assert_eq!(repeated, 5, "what was on its way");
        let mut questions: Vec<String> = provider.seen().into_iter().map(|seen| seen.question).collect();
        questions.sort();
        let twice = questions.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert_eq!(twice, repeated);
        let listed = process.client().graphql("query($id: ID!) { batch(id: $id) { uncertainCalls { attempts unknownOutcomes } } }", json!({ "id": batch })).await;
        assert_eq!(listed["batch"]["uncertainCalls"].as_array().map(Vec::len), Some(repeated), "{listed}");
        assert!(process.terminate().success());
        let report = knowledge_tests::verify(&db).await;
        assert_eq!(report.uncertain_calls.len(), repeated, "{report}");
    }
}
