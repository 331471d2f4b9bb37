//! A short crash storm; `cargo xtask storm` runs a long one.

use knowledge_tests::{
    each_database,
    storm::{Plan, storm},
};

each_database! {
    async fn a_dozen_kills_change_nothing(db: TestDatabase) {
        let plan = Plan { kills: 12, every_point: false, seed: 3, verbose: true };
        let report = storm(plan, db.backend()).await;
        println!("{report}");
        assert!(report.kills() >= 12, "{report}");
    }
}
