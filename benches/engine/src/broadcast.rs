//! The limit: a bare axum server that sends recorded bytes to all its subscribers at the recorded
//! times, from memory, through a broadcast channel. It has no database and no log, and who falls
//! behind loses what it missed.

use std::{convert::Infallible, fs, path::Path, time::Duration};

use anyhow::Result;
use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    net::TcpListener,
    sync::broadcast,
    time::Instant,
};

use crate::{record::Recorded, served, usage};

/// Messages that wait for a subscriber at most.
const CAPACITY: usize = 4_096;

/// Serves until the input ends.
pub(crate) async fn run(recording: &Path) -> Result<()> {
    usage::allow_many_files()?;
    let recorded: Vec<Recorded> = serde_json::from_slice(&fs::read(recording)?)?;
    let (sender, _) = broadcast::channel::<Bytes>(CAPACITY);
    let router = Router::new()
        .route("/", get(events))
        .with_state(sender.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    served::say(listener.local_addr()?, "/")?;
    tokio::spawn(async move { axum::serve(listener, router).await });

    let mut input = BufReader::new(stdin()).lines();
    let before = usage::resident_mib()?;
    served::next(&mut input).await?;
    let connected = usage::resident_mib()?;
    let (begun, spent) = (Instant::now(), usage::cpu_seconds()?);
    for event in &recorded {
        tokio::time::sleep_until(begun + Duration::from_micros(event.after_us)).await;
        // Nobody may be there in a run without subscribers.
        let _ = sender.send(event.now());
    }
    let seconds = begun.elapsed().as_secs_f64();
    served::next(&mut input).await?;
    let sample = serde_json::json!({
        "seconds": seconds,
        "cpu_seconds": usage::cpu_seconds()? - spent,
        "before_mib": before,
        "connected_mib": connected,
        "peak_mib": usage::peak_mib()?,
    });
    println!("{sample}");
    Ok(())
}

async fn events(State(sender): State<broadcast::Sender<Bytes>>) -> Response {
    let frames = stream::unfold(sender.subscribe(), |mut receiver| async move {
        let frame = receiver.recv().await.ok()?;
        Some((Ok::<_, Infallible>(frame), receiver))
    });
    let body = Body::from_stream(frames.boxed());
    ([("content-type", "text/event-stream")], body).into_response()
}
