//! Large bodies.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, StatusCode, header},
};
use futures::{StreamExt, stream};

use super::{assert_problem, send};
use crate::{
    fixture::Fixture,
    http::{Limits, router},
    progress::EventHub,
};

const LIMIT: usize = 4096;
const PIECE: usize = 1024;

fn limited(fixture: &Fixture) -> Router {
    let limits = Limits {
        max_body_bytes: LIMIT,
        ..Limits::default()
    };
    router(fixture.state(EventHub::default(), limits))
}

/// A body of a hundred pieces that counts how many were taken.
fn counted(taken: &Arc<AtomicUsize>) -> Body {
    let taken = Arc::clone(taken);
    Body::from_stream(stream::iter(0..100).map_pieces(move || {
        taken.fetch_add(1, Ordering::Relaxed);
    }))
}

trait MapPieces: Sized {
    fn map_pieces(
        self,
        taken: impl Fn() + Send + 'static,
    ) -> impl futures::Stream<Item = Result<Bytes, io::Error>> + Send + 'static;
}

impl<S: futures::Stream<Item = i32> + Send + 'static> MapPieces for S {
    fn map_pieces(
        self,
        taken: impl Fn() + Send + 'static,
    ) -> impl futures::Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
        self.map(move |_| {
            taken();
            Ok(Bytes::from(vec![b' '; PIECE]))
        })
    }
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_not_read() {
    let fixture = Fixture::new().await;
    let app = limited(&fixture);
    let taken = Arc::new(AtomicUsize::new(0));
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, 100 * PIECE)
        .body(counted(&taken))
        .unwrap();
    assert_problem(send(&app, request).await, StatusCode::PAYLOAD_TOO_LARGE).await;
    assert_eq!(taken.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_read_up_to_the_limit() {
    let fixture = Fixture::new().await;
    let app = limited(&fixture);
    let taken = Arc::new(AtomicUsize::new(0));
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .body(counted(&taken))
        .unwrap();
    assert_problem(send(&app, request).await, StatusCode::PAYLOAD_TOO_LARGE).await;
    assert!(taken.load(Ordering::Relaxed) <= LIMIT / PIECE + 1);
}

#[tokio::test]
async fn a_body_that_stays_away_is_not_waited_for() {
    let fixture = Fixture::new().await;
    let limits = Limits {
        body_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let app = router(fixture.state(EventHub::default(), limits));
    let begun = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"{\"query\":"))]);
    let body = Body::from_stream(begun.chain(stream::pending()));
    let request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
    let response = send(&app, request.body(body).unwrap()).await;
    assert_problem(response, StatusCode::REQUEST_TIMEOUT).await;
}
