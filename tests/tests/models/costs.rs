//! What an extraction will cost is said before, and what it has cost after.

use knowledge_tests::{
    each_database,
    provider::{Provider, Script},
};
use serde_json::{Value, json};

use crate::run::{batch, corpus, extract, notes, serve};

/// US dollars for a million tokens of the scripted model.
const PRICES: (&str, &str) = (
    "KNOWLEDGE_LLM_PRICES",
    "{scripted={prompt=1.0,completion=3.0}}",
);

const ESTIMATE: &str = "query($input: StartBatchInput!) { estimateBatch(input: $input) {
    documents chunks calls promptTokens completionTokens costUsd model
} }";

/// A number that is written as a text.
fn long(value: &Value) -> u64 {
    let text = value.as_str().map(str::to_owned);
    let text = text.unwrap_or_else(|| value.to_string());
    text.parse().expect("a number")
}

each_database! {
    async fn a_dry_run_says_what_a_run_takes_and_asks_nothing(db: TestDatabase) {
        let provider = Provider::start(Script::default());
        corpus(&db, 6, 20);
        for (strategy, other) in [("single", "6"), ("staged", "7")] {
            let arguments = ["--strategy", strategy, "--concurrency", other];
            let planned = extract(&db, &provider, &[PRICES], &[&arguments[..], &["--dry-run"]].concat());
            planned.assert_exit(0);
            let before = (provider.calls(), provider.tokens());
            let run = extract(&db, &provider, &[PRICES], &arguments);
            run.assert_exit(0);
            let (calls, tokens) = (provider.calls() - before.0, provider.tokens() - before.1);
            let planned = planned.totals;
            let expected = long(&planned["calls"]);
            assert!(expected.abs_diff(calls as u64) <= calls as u64 / 4, "{calls} calls, {planned}");
            // The texts name things more densely than most, and the provider counts bytes.
            let expected = long(&planned["promptTokens"]) + long(&planned["completionTokens"]);
            assert!((tokens / 4..tokens * 2).contains(&expected), "{tokens} tokens, {planned}");
            assert!(long(&planned["costMicroUsd"]) > expected, "{planned}");
            assert_eq!(planned["vectors"], Value::Null, "no model of vectors is named");
            assert_eq!(run.totals["tokensPaid"], json!(tokens), "{}", run.totals);
            assert!(long(&run.totals["costMicroUsd"]) > tokens, "{}", run.totals);
        }
        assert!(provider.calls() > 0);
    }

    async fn a_server_estimates_and_accounts_for_everybody(db: TestDatabase) {
        let provider = Provider::start(Script::default());
        let server = serve(&db, &provider, &[PRICES]);
        let (documents, config) = (notes(0, 4, 2), json!({ "extractor": "LLM" }));
        let input = json!({ "documents": documents, "config": config });
        let estimate = server.client().graphql(ESTIMATE, json!({ "input": input })).await["estimateBatch"].take();
        assert_eq!((long(&estimate["calls"]), &estimate["model"]), (4, &json!("scripted-1")), "{estimate}");
        assert!(estimate["costUsd"].as_f64().unwrap() > 0.0, "{estimate}");
        assert_eq!(provider.calls(), 0);

        let id = server.client().start(&documents, config).await;
        server.client().ended(&id).await;
        let batch = batch(server.client(), &id).await;
        let nodes = batch["documents"]["nodes"].as_array().unwrap();
        let of_documents: u64 = nodes.iter().map(|document| long(&document["tokensUsed"])).sum();
        assert_eq!((of_documents, long(&batch["tokensUsed"])), (provider.tokens(), provider.tokens()));
        let all = server.client().graphql("{ modelUsage { tokens countedTokens costUsd } }", json!({})).await;
        assert_eq!(long(&all["modelUsage"]["tokens"]), provider.tokens(), "of the organisation");
        assert_eq!(long(&all["modelUsage"]["countedTokens"]), 0, "the provider reports all");
        assert!(all["modelUsage"]["costUsd"].as_f64().unwrap() > 0.0);
    }
}
