//! What every test may end with: the database keeps its promises.

use knowledge_server::{
    store::Store,
    verify::{self, Report},
};

use crate::TestDatabase;

/// Checks every invariant of a database, as `knowledge verify` does.
///
/// # Panics
/// When one is violated, with the report.
pub async fn verify(db: &TestDatabase) -> Report {
    let store = Store::read_only_current(&db.database_url())
        .await
        .expect("the database can be read");
    let report = verify::verify(&store)
        .await
        .expect("the database can be verified");
    store.close().await.expect("the connections close");
    assert!(report.is_clean(), "{report}");
    report
}
