//! A batch on a server whose database is being disturbed.

use serde_json::{Value, json};

use crate::{
    TestDatabase, TestServer,
    documents::document,
    events::kind,
    faults::{Expected, FAULTY, faulty_document, undisturbed},
    storm::Bodies,
};

/// A batch that lasts for a while, with a document that fails once and one that fails for good.
#[must_use]
pub fn request(documents: usize) -> Value {
    let slow = [
        "mentions/0 slow 150",
        "entities/0 slow 150",
        "relations/0 slow 150",
    ];
    let mut all: Vec<_> = (0..documents)
        .map(|index| faulty_document(index, &slow))
        .collect();
    all.push(faulty_document(50, &["mentions/0 retryable 1"]));
    all.push(faulty_document(51, &["relations/0 permanent 99"]));
    json!({
        "documents": all,
        "config": { "concurrency": 4, "failurePolicy": "RETRY_FAILED", "maxRetries": 2 },
    })
}

/// A server on a database that is about to be disturbed, with the batch that it runs.
pub struct Disturbed {
    /// The database.
    pub db: TestDatabase,
    /// The server.
    pub server: TestServer,
    /// The batch.
    pub id: String,
    /// What it comes to.
    pub expected: Expected,
    /// What has run.
    pub bodies: Bodies,
}

impl Disturbed {
    /// Starts the batch through `url` and waits until it is well under way.
    ///
    /// # Panics
    /// When the batch ends before.
    pub async fn begin(db: TestDatabase, url: &str, request: &Value) -> Self {
        Self::begin_on(db, request, |environment| {
            TestServer::start_with(url, environment)
        })
        .await
    }

    /// The same on a server that is started otherwise.
    ///
    /// # Panics
    /// When the batch ends before.
    pub async fn begin_on(
        db: TestDatabase,
        request: &Value,
        start: impl FnOnce(&[(&str, &str)]) -> TestServer,
    ) -> Self {
        let expected = undisturbed(request, false).await;
        let bodies = Bodies::new(&db);
        let server = start(&bodies.watched(FAULTY));
        let payload = server.client().start_batch(request.clone()).await;
        let id = payload["batch"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let under_way = |event: &Value| kind(event) == "DocumentCompleted";
        server.client().wait_for(&id, under_way).await;
        Self {
            db,
            server,
            id,
            expected,
            bodies,
        }
    }

    /// The same process ends the batch as if nothing had happened, ran no body twice, and takes
    /// another.
    ///
    /// # Panics
    /// When it does not.
    pub async fn end(self) {
        let Self {
            db,
            server,
            id,
            expected,
            bodies,
        } = self;
        let client = server.client();
        expected.check(client, &id).await;
        let counted = bodies.count();
        assert_eq!(counted.repeated, 0);
        expected.check_export(&db, &id);
        let next = client.start(&[document(7)], json!({})).await;
        assert_eq!(client.ended(&next).await["stage"], "COMPLETED");
        assert!(server.terminate().success());
        crate::verify(&db).await;
        bodies.check_attempts(&db).await;
    }
}
