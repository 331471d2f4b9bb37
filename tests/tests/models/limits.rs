//! Budgets, the circuit breaker, the fallback, fairness and rate limits, over HTTP.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use knowledge_tests::{
    Client, TestDatabase, each_database,
    events::kind,
    provider::{Provider, Reply, Report, Script, Seen},
    server::{self, run_with},
};
use serde_json::{Value, json};

use crate::run::{
    batch, batch_that, corpus, environment, executions, extract, health, notes, serve,
};

/// Settings of a breaker that recovers soon, and of units that are tried often.
const BREAKER: &[(&str, &str)] = &[
    // A server is killed and started again meanwhile.
    ("KNOWLEDGE_BREAKER_RECOVERY_SECONDS", "10"),
    ("KNOWLEDGE_ACTIVITY_MAX_RETRIES", "9"),
    // Nobody asks again before the fifth failure is there.
    ("KNOWLEDGE_ACTIVITY_BACKOFF_MS", "2000"),
];

/// Waits until five calls are made and so many wait.
async fn queued(client: &Client, calls: usize) {
    let mut fared = Value::Null;
    for _ in 0..6_000 {
        fared = health(client).await;
        if fared["queued"] == json!(calls) && fared["inFlight"] == json!(5) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{calls} calls do not wait: {fared}");
}

fn llm(concurrency: u32) -> Value {
    json!({ "extractor": "LLM", "concurrency": concurrency, "enableEntityResolution": false })
}

/// Whether a question is about a document of this number or a later one.
fn is_about(seen: &Seen, first: usize) -> bool {
    let (_, rest) = seen.question.split_once("In item ").unwrap_or_default();
    let number = rest.split('.').next().unwrap_or_default();
    number.parse::<usize>().is_ok_and(|number| number >= first)
}

/// How long the extraction of a corpus takes.
fn took(db: &TestDatabase, provider: &Provider) -> Duration {
    let begun = Instant::now();
    let run = extract(db, provider, &[], &["--concurrency", "16"]);
    run.assert_exit(0);
    begun.elapsed()
}

each_database! {
    /// A batch stops where its budget ends, says so, and goes on when it is raised.
    async fn a_spent_budget_suspends_until_it_is_raised(db: TestDatabase) {
        let provider = Provider::start(Script::answering(Duration::from_millis(30)));
        let server = serve(&db, &provider, &[]);
        let config = json!({ "extractor": "LLM", "concurrency": 8, "tokenBudget": 4_000 });
        let id = server.client().start(&notes(0, 30, 3), config).await;
        let waiting = |it: &Value| executions(it, "SUSPENDED") > 0 && executions(it, "RUNNING") == 0;
        let stopped = batch_that(server.client(), &id, "stopped", waiting).await;
        let used = stopped["modelUsage"]["tokens"].as_u64().unwrap();
        let largest = provider.seen().iter().map(|seen| seen.tokens).max().unwrap();
        assert_eq!(used, provider.tokens());
        assert!((4_000..4_000 + largest).contains(&used), "{used} used, a call takes {largest}");
        let event = server.client().wait_for(&id, |event| kind(event) == "DocumentSuspended").await;
        assert_eq!(event["reason"], "over_budget");
        assert!(event["message"].as_str().unwrap().contains("budget"), "{event}");

        // Nothing is asked for meanwhile, whatever happens to the process.
        let calls = provider.calls();
        server.kill9();
        let server = serve(&db, &provider, &[]);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(provider.calls(), calls);
        assert!(executions(&batch(server.client(), &id).await, "SUSPENDED") > 0);

        let raise = "mutation($id: ID!, $to: Long!) { raiseTokenBudget(id: $id, tokenBudget: $to) { __typename } }";
        let raised = server.client().graphql(raise, json!({ "id": id, "to": 1_000_000 })).await;
        assert_eq!(raised["raiseTokenBudget"]["__typename"], "BatchSuccess", "{raised}");
        let ended = server.client().ended(&id).await;
        assert_eq!(ended["completedDocuments"], json!(30), "{ended}");
        assert_eq!(provider.calls(), 30, "what was paid for is not asked again");
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    /// The same command with a larger budget goes on where the first one waits.
    async fn extract_goes_on_with_a_larger_budget(db: TestDatabase) {
        let provider = Provider::start(Script::default());
        corpus(&db, 12, 2);
        let mut waiting = server::knowledge()
            .args(["extract", "--extractor", "llm", "--token-budget", "2000", "--database", db.url()])
            .arg(db.folder().join("corpus"))
            .envs(environment(&provider, &[]))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        provider.wait_until("calls", |it| it.tokens() >= 2_000 && it.in_flight() == 0);
        let (calls, tokens) = (provider.calls(), provider.tokens());
        assert!(calls < 12, "{calls} calls took {tokens} tokens");
        let mut lines = BufReader::new(waiting.stderr.take().unwrap()).lines();
        let says = lines.find(|line| line.as_ref().unwrap().contains("raise the budget"));
        assert!(says.is_some(), "nothing is said of the budget");
        let interrupt = Command::new("kill").args(["-INT", &waiting.id().to_string()]).status();
        assert!(interrupt.unwrap().success());
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        assert_eq!(waiting.wait().unwrap().code(), Some(1), "{rest:?}");

        let run = extract(&db, &provider, &[], &["--token-budget", "1000000"]);
        run.assert_exit(0);
        assert!(run.complaints().contains("goes on with 1000000 tokens"), "{}", run.complaints());
        assert_eq!((provider.calls(), &run.totals["completedDocuments"]), (12, &json!(12)));
        assert_eq!(run.totals["tokensPaid"], json!(provider.tokens()), "it is the same batch");
        // A smaller one takes nothing away.
        let again = extract(&db, &provider, &[], &["--token-budget", "3000"]);
        again.assert_exit(0);
        assert!(again.complaints().contains("keeps its budget of 1000000 tokens"), "{}", again.complaints());
        assert_eq!((&again.totals["batchId"], provider.calls()), (&run.totals["batchId"], 12));
    }

    /// A provider that does not say what calls take is kept to the budget all the same: what it
    /// leaves out is counted.
    async fn a_budget_holds_for_a_provider_that_reports_no_tokens(db: TestDatabase) {
        let provider = Provider::start(Script::default());
        let server = serve(&db, &provider, &[]);
        let config = json!({ "extractor": "LLM", "concurrency": 8, "tokenBudget": 24_000 });
        let mut last = String::new();
        for (at, reports) in [Report::Absent, Report::Null, Report::Answer].into_iter().enumerate() {
            provider.follow(Script { reports, ..Script::answering(Duration::from_millis(100)) });
            let before = (provider.calls() as u64, provider.tokens());
            let id = server.client().start(&notes(100 * at, 24, 3), config.clone()).await;
            let waiting = |it: &Value| executions(it, "SUSPENDED") > 0 && executions(it, "RUNNING") == 0;
            let stopped = batch_that(server.client(), &id, "stopped", waiting).await;
            let used = stopped["modelUsage"]["tokens"].as_u64().unwrap();
            let (calls, spent) = (provider.calls() as u64 - before.0, provider.tokens() - before.1);
            assert!((24_000..24_000 + 2 * used / calls).contains(&used), "{used} used, {calls} calls, {reports:?}");
            // The scripted model has a token for every four bytes.
            let ratio = used as f64 / spent as f64;
            assert!((0.5..2.0).contains(&ratio), "{used} used, {spent} spent, {reports:?}");
            let counted = stopped["modelUsage"]["countedTokens"].as_u64().unwrap();
            let expected = if reports == Report::Answer { 1..used } else { used..used + 1 };
            assert!(expected.contains(&counted), "{counted} counted of {used}, {reports:?}");
            last = id;
        }
        assert!(provider.most_in_flight() > 1, "calls went one at a time");
        let calls = provider.calls();
        let raise = ["batch", "raise", &last, "--token-budget", "1000000", "--server", &server.client().url("/"), "--json"];
        let raised = run_with(&raise, &[]);
        assert!(raised.status.success(), "{}", String::from_utf8_lossy(&raised.stderr));
        let ended = server.client().ended(&last).await;
        assert_eq!(ended["completedDocuments"], json!(24), "{ended}");
        assert!(provider.calls() > calls);
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    /// Documents that wait for room in a budget take nothing of the calls that a minute allows.
    async fn who_waits_for_a_budget_takes_no_call_of_the_minute(db: TestDatabase) {
        let provider = Provider::start(Script::answering(Duration::from_millis(20)));
        corpus(&db, 30, 1);
        let more = [("KNOWLEDGE_LLM_REQUESTS_PER_MINUTE", "31"), ("KNOWLEDGE_LLM_TOKENS_PER_MINUTE", "0")];
        let begun = Instant::now();
        let run = extract(&db, &provider, &more, &["--concurrency", "30", "--token-budget", "1000000"]);
        run.assert_exit(0);
        assert_eq!(provider.calls(), 30);
        assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
    }

    /// Five failures in a row: nobody calls for the recovery time, over a restart; then one probe at
    /// a time, and after two that succeed everybody.
    async fn a_provider_that_fails_is_left_alone(db: TestDatabase) {
        let provider = Provider::start(Script::answering(Duration::from_millis(150)).then([Reply::Status(500); 5]));
        let server = serve(&db, &provider, BREAKER);
        let id = server.client().start(&notes(0, 8, 1), llm(5)).await;
        let waiting = |it: &Value| executions(it, "SUSPENDED") > 0 && executions(it, "RUNNING") == 0;
        batch_that(server.client(), &id, "left alone", waiting).await;
        let fared = health(server.client()).await;
        assert_eq!(fared["providers"][0]["breaker"], "OPEN", "{fared}");
        assert!(fared["providers"][0]["openUntil"].is_string(), "{fared}");
        assert_eq!(provider.calls(), 5);
        server.kill9();
        let server = serve(&db, &provider, BREAKER);
        assert_eq!(health(server.client()).await["providers"][0]["breaker"], "OPEN");
        let event = server.client().wait_for(&id, |event| kind(event) == "DocumentSuspended").await;
        assert_eq!(event["reason"], "breaker_open");
        assert!(event["until"].is_string(), "{event}");

        let ended = server.client().ended(&id).await;
        assert_eq!((&ended["stage"], &ended["completedDocuments"]), (&json!("COMPLETED"), &json!(8)), "{ended}");
        assert_eq!(health(server.client()).await["providers"][0]["breaker"], "CLOSED");
        let seen = provider.seen();
        assert_eq!(seen.len(), 13);
        let opened = seen[..5].iter().filter_map(|seen| seen.answered).max().unwrap();
        let silence = seen[5].at.duration_since(opened);
        assert!(silence >= Duration::from_millis(9_900), "{silence:?}");
        for probe in [5, 6] {
            assert!(seen[probe + 1].at >= seen[probe].answered.unwrap(), "one probe at a time");
        }
        assert!(server.terminate().success());
        knowledge_tests::verify(&db).await;
    }

    /// A call that nobody waits for any more says nothing of the provider.
    async fn a_cancelled_call_is_no_failure(db: TestDatabase) {
        let replies = [Reply::Status(500), Reply::Status(500), Reply::Status(500), Reply::Status(500), Reply::Hang];
        let provider = Provider::start(Script::default().then(replies));
        let settings = [("KNOWLEDGE_ACTIVITY_MAX_RETRIES", "9"), ("KNOWLEDGE_ACTIVITY_BACKOFF_MS", "20")];
        let server = serve(&db, &provider, &settings);
        let id = server.client().start(&notes(0, 1, 1), llm(1)).await;
        tokio::task::block_in_place(|| provider.wait_until("asked", |it| it.calls() == 5));
        server.client().cancel(&id).await;
        tokio::task::block_in_place(|| provider.wait_until("dropped", |it| it.in_flight() == 0));
        let fared = health(server.client()).await;
        assert_eq!(fared["providers"][0]["breaker"], "CLOSED", "{fared}");
        assert_eq!(fared["providers"][0]["failures"], json!(4), "{fared}");
    }

    /// While the first provider is away, the second answers, without the first one's key.
    async fn another_provider_answers_while_the_first_is_away(db: TestDatabase) {
        let first = Provider::start(Script::default().then(std::iter::repeat_n(Reply::Status(503), 1_000)));
        let second = Provider::start(Script::default());
        corpus(&db, 12, 1);
        let url = second.url();
        let more = [("KNOWLEDGE_LLM_FALLBACK_BASE_URL", url.as_str()), ("KNOWLEDGE_LLM_FALLBACK_MODEL", "spare-1")];
        let run = extract(&db, &first, &more, &["--concurrency", "4"]);
        run.assert_exit(0);
        assert!((5..=9).contains(&first.calls()), "{} calls to who is away", first.calls());
        assert_eq!(second.calls(), 12);
        assert!(second.seen().iter().all(|seen| seen.authorization.is_none() && seen.model == "spare-1"));
        assert_eq!(run.totals["tokensUsed"], json!(second.tokens()));
    }

    /// A fallback whose key is wrong is no help, and no reason to fail: the first comes back.
    async fn a_fallback_that_refuses_its_key_fails_nothing(db: TestDatabase) {
        let first = Provider::start(Script::default().then([Reply::Status(503); 2]));
        let second = Provider::start(Script { key: Some("another".to_owned()), ..Script::default() });
        corpus(&db, 4, 1);
        let url = second.url();
        let more = [("KNOWLEDGE_LLM_FALLBACK_BASE_URL", url.as_str())];
        let run = extract(&db, &first, &more, &["--concurrency", "1"]);
        run.assert_exit(0);
        assert_eq!(run.totals["completedDocuments"], json!(4), "{}", run.totals);
        assert_eq!((first.calls(), second.calls()), (6, 2));
        assert!(run.complaints().contains("the fallback cannot answer"), "{}", run.complaints());
    }

    /// Twenty calls on five permits: fifteen wait, none is refused, and a second batch has its turns.
    async fn batches_take_turns(db: TestDatabase) {
        let script = Script::answering(Duration::from_millis(500)).then([Reply::Hold; 5]);
        let provider = Provider::start(script);
        let server = serve(&db, &provider, &[]);
        let first = server.client().start(&notes(0, 20, 1), llm(20)).await;
        queued(server.client(), 15).await;
        let second = server.client().start(&notes(100, 10, 1), llm(10)).await;
        queued(server.client(), 25).await;
        provider.release();
        for id in [&first, &second] {
            let ended = server.client().ended(id).await;
            assert_eq!(ended["failedDocuments"], json!(0), "{ended}");
        }
        assert_eq!((provider.calls(), provider.most_in_flight()), (30, 5));
        let seen = provider.seen();
        let places: Vec<usize> = (0..30).filter(|at| is_about(&seen[*at], 100)).collect();
        assert_eq!(places.len(), 10);
        let others = places[9] - places[0] + 1 - 10;
        assert!((5..=14).contains(&others), "between its first and its last call others had {others}");
        assert!(places[9] < 29, "the later batch is through before the earlier one");
    }

    /// The same chunk twice at once is one call, whoever asks.
    async fn the_same_question_at_once_is_one_call(db: TestDatabase) {
        let provider = Provider::start(Script::answering(Duration::from_millis(400)));
        let server = serve(&db, &provider, &[]);
        let text = &notes(0, 1, 1)[0]["text"];
        let documents: Vec<Value> = (0..6).map(|number| json!({ "name": format!("{number}"), "text": text })).collect();
        let first = server.client().start(&documents, llm(6)).await;
        let second = server.client().start(&documents, llm(3)).await;
        for id in [&first, &second] {
            assert_eq!(server.client().ended(id).await["completedDocuments"], json!(6));
        }
        assert_eq!(provider.calls(), 1);
        let paid = async |id: &str| batch(server.client(), id).await["tokensUsed"].as_u64().unwrap();
        assert_eq!(paid(&first).await + paid(&second).await, provider.tokens(), "and is paid once");
    }

    /// A tenth of the answers asks for a second's patience: the others go on meanwhile.
    async fn rate_limits_hardly_delay_a_batch(db: TestDatabase) {
        let script = Script::answering(Duration::from_millis(250));
        let undisturbed = {
            let (db, provider) = (db.another(), Provider::start(script.clone()));
            corpus(&db, 120, 1);
            took(&db, &provider)
        };
        let provider = Provider::start(Script { rate_limited: 0.1, retry_after: Some(1), ..script });
        corpus(&db, 120, 1);
        let disturbed = took(&db, &provider);
        let ratio = disturbed.as_secs_f64() / undisturbed.as_secs_f64();
        println!("429 at 10 %: {disturbed:.2?} instead of {undisturbed:.2?}, {ratio:.2} times");
        assert!(ratio <= 1.5, "{disturbed:?} instead of {undisturbed:?}");
        let limited = provider.seen().iter().filter(|seen| seen.status == Some(429)).count();
        assert_eq!((limited, provider.calls()), (13, 133));
        assert!(provider.most_in_flight() <= 5);
    }

    /// Requests go through the proxies of the environment.
    async fn a_proxy_is_honoured(db: TestDatabase) {
        let provider = Provider::start(Script::default());
        corpus(&db, 2, 1);
        let proxy = provider.url().replace("/v1", "");
        let more = [
            ("OPENAI_BASE_URL", "http://model.invalid/v1/"),
            ("HTTP_PROXY", proxy.as_str()),
            ("http_proxy", proxy.as_str()),
            ("NO_PROXY", ""),
            ("no_proxy", ""),
        ];
        extract(&db, &provider, &more, &[]).assert_exit(0);
        assert_eq!(provider.calls(), 2);
    }
}
