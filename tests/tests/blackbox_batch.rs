//! A batch through the API: what is seen while it runs and when it is done.

use knowledge_tests::{
    Backend, TestDatabase, TestServer,
    documents::{documents, empty_document, long_documents, short_documents},
    each_database,
    events::{assert_event_log, kind, outline, sequence},
    run_on, server,
};
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};

each_database! {
    async fn ten_documents_complete(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let id = client.start(&documents(10), json!({ "concurrency": 3 })).await;
        let (socket, sse) = tokio::join!(
            client.events_over_websocket(&id, 0),
            client.events_over_sse(&id, None),
        );
        assert_event_log(&socket);
        assert_event_log(&sse);
        assert_eq!(outline(&socket), outline(&sse));
        assert_eq!(kind(socket.last().unwrap()), "BatchCompleted");
        let started = socket.iter().filter(|event| kind(event) == "DocumentStarted");
        assert_eq!(started.count(), 10);
        assert!(socket.iter().any(|event| kind(event) == "ResolutionCompleted"));

        let batch = client.batch(&id).await;
        assert_eq!(batch["stage"], "COMPLETED");
        assert_eq!(batch["progress"], 1.0);
        assert_eq!(batch["completedDocuments"], 10);
        assert_eq!(batch["failedDocuments"], 0);
        assert!(batch["entityCount"].as_i64() > Some(0), "{batch}");
        assert!(batch["relationCount"].as_i64() > Some(0), "{batch}");
        for document in batch["documents"]["nodes"].as_array().unwrap() {
            assert_eq!(document["status"], "COMPLETED", "{document}");
            assert_eq!(document["attempt"], 1, "{document}");
        }
    }

    async fn a_reader_resumes_after_what_it_saw(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let id = client.start(&documents(3), json!({})).await;
        let all = client.events_over_sse(&id, None).await;
        let last = sequence(all.last().unwrap());
        let middle = last / 2;
        let rest = &all[usize::try_from(middle).unwrap()..];

        assert_eq!(outline(&client.events_over_sse(&id, Some(middle)).await), outline(rest));
        assert_eq!(outline(&client.events_over_websocket(&id, middle).await), outline(rest));
        assert_eq!(client.events_over_websocket(&id, last).await, Vec::<Value>::new());
        assert_eq!(client.sse(&id, Some(last)).await.status(), StatusCode::NO_CONTENT);
        let parameter = client.url(&format!(
            "/api/knowledge/extraction/progress/{id}?lastEventId={last}"
        ));
        let response = client.http().get(parameter).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
    }

    async fn resolution_can_be_left_out(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let config = json!({ "enableEntityResolution": false });
        let id = client.start(&documents(3), config).await;
        let events = client.events_over_websocket(&id, 0).await;
        assert_event_log(&events);
        assert!(!events.iter().any(|event| kind(event).starts_with("Resolution")));
    }

    async fn cancel_is_prompt_durable_and_repeatable(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let id = client.start(&long_documents(40), json!({ "concurrency": 2 })).await;
        client.wait_for(&id, |event| kind(event) == "StageProgress").await;

        let asked = std::time::Instant::now();
        assert_eq!(client.cancel(&id).await["batch"]["stage"], "CANCELLED");
        assert!(asked.elapsed().as_secs() < 5, "cancel took {:?}", asked.elapsed());
        assert_eq!(client.cancel(&id).await["batch"]["stage"], "CANCELLED");
        let events = client.events_over_websocket(&id, 0).await;
        assert_event_log(&events);
        assert_eq!(kind(events.last().unwrap()), "BatchCancelled");
        let refused = client.retry(&id).await;
        assert_eq!(refused["__typename"], "InvalidStateTransition", "{refused}");
        assert!(server.terminate().success());

        let server = TestServer::start(db.url());
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let batch = server.client().batch(&id).await;
        assert_eq!(batch["stage"], "CANCELLED");
        assert!(batch["skippedDocuments"].as_i64() > Some(0), "{batch}");
        let again = server.client().events_over_websocket(&id, 0).await;
        assert_eq!(outline(&again), outline(&events));
    }

    async fn what_has_ended_refuses_to_be_steered(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let id = client.start(&documents(1), json!({})).await;
        client.ended(&id).await;
        for refused in [client.cancel(&id).await, client.retry(&id).await] {
            assert_eq!(refused["__typename"], "InvalidStateTransition", "{refused}");
            assert_eq!(refused["from"], "COMPLETED", "{refused}");
        }
    }

    async fn a_key_names_one_request(db: TestDatabase) {
        let server = TestServer::start(db.url());
        let client = server.client();
        let input = |count| json!({ "documents": documents(count), "idempotencyKey": "monday" });
        let (first, racing) = tokio::join!(
            client.start_batch(input(2)),
            client.start_batch(input(2))
        );
        assert_eq!(first["batch"]["id"], racing["batch"]["id"], "{first} {racing}");
        let again = client.start_batch(input(2)).await;
        assert_eq!(first["batch"]["id"], again["batch"]["id"], "{again}");

        let other = client.start_batch(input(3)).await;
        assert_eq!(other["__typename"], "IdempotencyConflict", "{other}");
        assert_eq!(other["batchId"], first["batch"]["id"], "{other}");
    }

    async fn the_same_documents_give_the_same_graph(db: TestDatabase) {
        let mut graphs = Vec::new();
        for concurrency in [1, 8] {
            let db = db.another();
            let server = TestServer::start(db.url());
            let config = json!({ "concurrency": concurrency });
            let mut documents = documents(8);
            documents.push(empty_document());
            let id = server.client().start(&documents, config).await;
            server.client().ended(&id).await;
            assert!(server.terminate().success());
            graphs.push(server::export(db.url(), &id));
        }
        assert!(graphs[0].len() > 1000, "{}", graphs[0]);
        assert_eq!(graphs[0], graphs[1]);
    }
}

/// What is read of a batch is planned for what it has, also in a database that was empty before.
#[test]
fn postgres_knows_its_tables_when_the_documents_are_done() {
    run_on(Backend::Postgres, async |db: TestDatabase| {
        let server = TestServer::start(db.url());
        let store = db.connect().await;
        let alone = "ALTER TABLE mention_record SET (autovacuum_enabled = off)";
        store
            .execute_unprepared(alone)
            .await
            .expect("the table is there");
        // It takes longer than PostgreSQL takes to count what was written.
        let documents = short_documents(600);
        let config = json!({ "enableEntityResolution": false, "concurrency": 16 });
        let batch = server.client().start(&documents, config).await;
        let ended = server.client().ended(&batch).await;
        assert_eq!(ended["stage"], json!("COMPLETED"), "{ended}");
        let looked =
            "SELECT analyze_count FROM pg_stat_user_tables WHERE relname = 'mention_record'";
        let row = store.query_one_raw(Statement::from_string(DbBackend::Postgres, looked));
        let row = row.await.expect("the store answers");
        let row = row.expect("the table is there");
        let times: i64 = row.try_get_by_index(0).expect("a number");
        assert!(times > 0, "nobody told it to look");
        assert!(server.terminate().success());
    });
}
