//! What the tables hold, for tests that look behind the API.

use std::collections::BTreeMap;

use knowledge_tables::{batch_document, batch_execution, document, workflow_activity};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    prelude::{ChronoDateTimeUtc, Uuid},
};

use crate::TestDatabase;

/// What must never change of an activity that is done: times tried, when it was done, its output.
pub type Done = (i32, Option<ChronoDateTimeUtc>, Option<Vec<u8>>);

/// Every completed activity.
///
/// # Panics
/// When the database does not answer.
pub async fn completed_activities(db: &TestDatabase) -> BTreeMap<Uuid, Done> {
    let connection = db.connect().await;
    let rows = workflow_activity::Entity::find()
        .filter(workflow_activity::Column::Status.eq("completed"))
        .all(&connection)
        .await
        .expect("activities can be read");
    connection.close().await.expect("the connection closes");
    rows.into_iter()
        .map(|row| (row.id, (row.attempt, row.completed_at, row.output)))
        .collect()
}

/// Checks that what was done before is as it was.
///
/// # Panics
/// When it is not.
pub fn assert_kept(before: &BTreeMap<Uuid, Done>, after: &BTreeMap<Uuid, Done>) {
    for (id, done) in before {
        assert_eq!(after.get(id), Some(done), "activity {id} was run again");
    }
}

/// Documents of the only batch that are completed, and all of them.
///
/// # Panics
/// When the database does not answer or has no batch.
pub async fn completed_documents(db: &TestDatabase) -> (i32, i32) {
    let connection = db.connect().await;
    let batch = batch_execution::Entity::find()
        .one(&connection)
        .await
        .expect("batches can be read")
        .expect("there is a batch");
    connection.close().await.expect("the connection closes");
    (batch.completed_documents, batch.total_documents)
}

/// The stored text of every document of a batch, by its name there.
///
/// # Panics
/// When the database does not answer.
pub async fn texts(db: &TestDatabase) -> BTreeMap<String, String> {
    let connection = db.connect().await;
    let placed = batch_document::Entity::find()
        .order_by_asc(batch_document::Column::Position)
        .all(&connection)
        .await
        .expect("documents can be read");
    let documents = document::Entity::find()
        .all(&connection)
        .await
        .expect("documents can be read");
    connection.close().await.expect("the connection closes");
    let texts: BTreeMap<_, _> = documents
        .into_iter()
        .map(|document| (document.id, document.text))
        .collect();
    placed
        .into_iter()
        .map(|place| (place.name, texts[&place.document_id].clone()))
        .collect()
}
