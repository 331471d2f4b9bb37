//! A server that dies at any named point loses nothing and does nothing twice.

use std::collections::BTreeSet;

use knowledge_server::faults::FailurePoint;
use knowledge_tests::{
    faults::{armed, die_at},
    server,
};
use strum::IntoEnumIterator;

/// One test per point and database.
macro_rules! points {
    ($($point:ident,)*) => {
        knowledge_tests::each_database! {
            $(async fn $point(db: TestDatabase) {
                die_at(&db, stringify!($point).parse().unwrap()).await;
            })*
        }

        #[test]
        fn every_point_is_tested() {
            let tested = BTreeSet::from([$(stringify!($point).to_owned()),*]);
            let named: BTreeSet<_> = FailurePoint::iter().map(|point| point.to_string()).collect();
            assert_eq!(tested, named);
        }
    };
}

points! {
    create_before_commit,
    create_after_commit,
    start_before_commit,
    start_after_commit,
    group_before_commit,
    group_after_commit,
    checkpoint_before_commit,
    checkpoint_after_commit,
    activity_before_body,
    activity_after_body,
    unit_failure_before_commit,
    unit_failure_after_commit,
    graph_before_write,
    graph_half_written,
    graph_written,
    completion_before_commit,
    completion_after_commit,
    document_failure_before_commit,
    document_failure_after_commit,
    round_plan_before_commit,
    round_plan_after_commit,
    round_begin_before_commit,
    round_begin_after_commit,
    settle_before_commit,
    settle_after_commit,
    resolution_half_written,
    resolution_before_commit,
    resolution_after_commit,
    heartbeat_before_commit,
    heartbeat_after_commit,
    takeover_before_commit,
    takeover_after_commit,
    resume_before_commit,
    resume_after_commit,
    cancel_before_commit,
    cancel_after_commit,
    retry_before_commit,
    retry_after_commit,
    release_before_commit,
    release_after_commit,
    prune_before_commit,
    prune_after_commit,
}

#[test]
fn an_unknown_point_is_refused() {
    let output = server::run_with(&["schema"], &armed("nowhere"));
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("`nowhere`"), "{complaint}");
}
