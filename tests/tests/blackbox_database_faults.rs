//! A database that goes away costs time and nothing else: the server waits, and goes on.

use std::time::Duration;

use knowledge_tests::{
    TestDatabase,
    cluster::Cluster,
    disturbed::{Disturbed, request},
    proxy::{Proxy, Way},
};
use sea_orm::ConnectionTrait;

fn run(body: impl AsyncFnOnce(Cluster)) {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    knowledge_tests::block_on(body(cluster));
}

async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// The URL with another port.
fn through(url: &str, port: u16) -> String {
    let (before, after) = url.rsplit_once(':').expect("the URL has a port");
    let (_, name) = after.split_once('/').expect("the URL has a database");
    format!("{before}:{port}/{name}")
}

#[test]
fn a_batch_outlives_a_crash_of_the_database() {
    run(async |cluster| {
        let db = TestDatabase::in_cluster(&cluster.url());
        let url = db.url().to_owned();
        let disturbed = Disturbed::begin(db, &url, &request(12)).await;
        cluster.crash();
        pause(1_500).await;
        cluster.begin();
        disturbed.end().await;
    });
}

#[test]
fn a_batch_outlives_crash_after_crash() {
    run(async |cluster| {
        let db = TestDatabase::in_cluster(&cluster.url());
        let url = db.url().to_owned();
        let disturbed = Disturbed::begin(db, &url, &request(40)).await;
        for _ in 0..5 {
            cluster.crash();
            cluster.begin();
            pause(1_000).await;
        }
        disturbed.end().await;
    });
}

#[test]
fn a_batch_outlives_its_connections() {
    run(async |cluster| {
        let db = TestDatabase::in_cluster(&cluster.url());
        let url = db.url().to_owned();
        let admin = sea_orm::Database::connect(cluster.url())
            .await
            .expect("the cluster answers");
        let disturbed = Disturbed::begin(db, &url, &request(24)).await;
        for _ in 0..20 {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE application_name = 'knowledge'";
            admin
                .execute_unprepared(cut)
                .await
                .expect("the cluster answers");
            pause(150).await;
        }
        disturbed.end().await;
    });
}

#[test]
fn a_batch_outlives_a_network_that_is_cut() {
    run(async |cluster| {
        let db = TestDatabase::in_cluster(&cluster.url());
        let proxy = Proxy::to(cluster.port()).await;
        let url = through(db.url(), proxy.port());
        let disturbed = Disturbed::begin(db, &url, &request(16)).await;
        for _ in 0..4 {
            proxy.set(Way::Cut);
            pause(300).await;
            proxy.set(Way::Open);
            pause(300).await;
        }
        disturbed.end().await;
    });
}

#[test]
fn a_commit_whose_answer_is_lost_is_made_once() {
    run(async |cluster| {
        let db = TestDatabase::in_cluster(&cluster.url());
        let proxy = Proxy::to(cluster.port()).await;
        let url = through(db.url(), proxy.port());
        let disturbed = Disturbed::begin(db, &url, &request(16)).await;
        proxy.lose_answers_of_commits(4);
        while proxy.lost() < 12 {
            pause(20).await;
        }
        proxy.lose_answers_of_commits(0);
        disturbed.end().await;
    });
}

#[test]
fn a_batch_outlives_a_network_that_stalls() {
    run(async |cluster| {
        let db = TestDatabase::in_cluster(&cluster.url());
        let proxy = Proxy::to(cluster.port()).await;
        let url = through(db.url(), proxy.port());
        let disturbed = Disturbed::begin(db, &url, &request(12)).await;
        proxy.set(Way::Stalled);
        pause(3_000).await;
        proxy.set(Way::Open);
        disturbed.end().await;
    });
}
