//! `knowledge serve`.

use std::{future::IntoFuture, io::Write, time::Duration};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use super::{Ended, args::Serve};
use crate::{
    app::App,
    config::{Config, loopback_address},
    http,
};

/// How long documents in flight may take to finish when the server is told to stop.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

/// How long open connections may take to end after that.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn run(command: &Serve, config: Config) -> anyhow::Result<Ended> {
    if command.print_config {
        print!("{}", Config::describe(&command.overrides())?);
        return Ok(Ended::Done);
    }
    let address = loopback_address(&config.listen)?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another with --listen"))?;
    let app = App::open(&config).await?;
    app.orchestrator.recover(app.is_alone()).await?;
    let shutdown = CancellationToken::new();
    let state = http::AppState::new(
        app.store.clone(),
        app.orchestrator.clone(),
        app.hub.clone(),
        http::Limits {
            max_body_bytes: config.max_body_bytes,
            ..http::Limits::default()
        },
    )
    .with_shutdown(shutdown.clone());
    announce(&listener)?;
    serve(listener, state, &app, shutdown).await
}

/// The one line that scripts wait for.
fn announce(listener: &TcpListener) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{address}")?;
    out.flush()?;
    tracing::info!("no API keys are configured, so only this machine can connect");
    Ok(())
}

async fn serve(
    listener: TcpListener,
    state: http::AppState,
    app: &App,
    shutdown: CancellationToken,
) -> anyhow::Result<Ended> {
    let told = shutdown.clone();
    let server =
        axum::serve(listener, http::router(state)).with_graceful_shutdown(told.cancelled_owned());
    let server = tokio::spawn(server.into_future());
    shutdown_signal().await?;
    tracing::info!("draining: no new work is begun");
    tokio::select! {
        () = app.orchestrator.drain(DRAIN_PATIENCE) => {}
        second = shutdown_signal() => second?,
    }
    shutdown.cancel();
    if let Ok(ended) = tokio::time::timeout(CLOSE_PATIENCE, server).await {
        ended
            .context("the server ended unexpectedly")?
            .context("the server failed")?;
    }
    Ok(Ended::Done)
}

/// Waits for SIGTERM or Ctrl-C.
pub(super) async fn shutdown_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.context("Ctrl-C cannot be caught")?,
    }
    Ok(())
}
