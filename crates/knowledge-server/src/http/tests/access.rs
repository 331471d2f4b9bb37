//! Streams whose key is withdrawn; who is served at all is tried with the binary.

use std::time::Duration;

use knowledge_domain::{Caller, Role, batch::BatchStage, ids::OrganizationId};

use super::*;
use crate::{
    access::{Access, AccessError, KeyRequest},
    app,
    store::KeyView,
};

const SOON: Duration = Duration::from_millis(50);

async fn key(access: &Access, organization: OrganizationId) -> (KeyView, String) {
    let request = KeyRequest {
        organization,
        name: "one".to_owned(),
        role: Role::Viewer,
        expires_at: None,
    };
    access.create(request).await.unwrap()
}

#[tokio::test]
async fn streams_end_with_their_key() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Chunking).await;
    let access = app::access(&fixture.store);
    let (kept, revoked) = (
        key(&access, fixture.organization).await,
        key(&access, fixture.organization).await,
    );
    let limits = Limits {
        heartbeat: SOON,
        ..Limits::default()
    };
    let app = router(fixture.state(EventHub::default(), limits));
    let path = format!("/api/knowledge/extraction/progress/{batch}");
    let watch = async |secret: &str| {
        let request = Request::get(&path).header("authorization", format!("Bearer {secret}"));
        send(&app, request.body(Body::empty()).unwrap()).await
    };
    let (going, ending) = (watch(&kept.1).await, watch(&revoked.1).await);
    assert_eq!(ending.status(), StatusCode::OK);
    let mut going = tokio::spawn(text(going));
    access.revoke(None, revoked.0.id).await.unwrap();
    text(ending).await;
    assert_problem(watch(&revoked.1).await, StatusCode::UNAUTHORIZED).await;
    let another = tokio::time::timeout(10 * SOON, &mut going).await;
    assert!(another.is_err(), "the other key holds");
}

#[tokio::test]
async fn who_named_no_key_is_asked_for_one_when_there_is_one() {
    let fixture = Fixture::new().await;
    let (one, other) = (app::access(&fixture.store), app::access(&fixture.store));
    assert_eq!(one.caller(None).await.unwrap(), Caller::ANYBODY);
    let withdrawn = tokio::spawn(one.clone().withdrawn(Caller::ANYBODY, SOON));
    // Another process makes it.
    key(&other, fixture.organization).await;
    assert!(matches!(one.caller(None).await, Err(AccessError::Missing)));
    withdrawn.await.unwrap();
}

#[tokio::test]
async fn a_key_ends_when_it_expires() {
    let fixture = Fixture::new().await;
    let access = app::access(&fixture.store);
    let (made, secret) = key(&access, fixture.organization).await;
    assert_eq!(
        access.caller(Some(&secret)).await.unwrap().key,
        Some(made.id)
    );
    for (moment, holds) in [
        ("2999-01-01T00:00:00Z", true),
        ("2001-01-01T00:00:00Z", false),
    ] {
        fixture.expire(made.id, moment.parse().unwrap()).await;
        assert_eq!(
            access.caller(Some(&secret)).await.is_ok(),
            holds,
            "{moment}"
        );
    }
    // What it was served with, it is served with no longer.
    let caller = Caller {
        organization: fixture.organization,
        role: Role::Viewer,
        key: Some(made.id),
    };
    assert!(!access.serves(caller).await.unwrap());
    access.withdrawn(caller, SOON).await;
}
