//! `knowledge serve`.

use std::{io::Write, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use super::{Ended, args::Serve};
use crate::{
    access::Access,
    app::{self, App},
    config::{Config, ListenAddress},
    http,
};

/// How long documents in flight may take to finish when the server is told to stop.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

/// How long open connections may take to end after that.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn run(command: &Serve, config: Config) -> anyhow::Result<Ended> {
    if command.print_config {
        super::print(&Config::describe(&command.overrides())?)?;
        return Ok(Ended::Done);
    }
    config.check_mode()?;
    let listen = ListenAddress::of(&config.listen)?;
    let signals = Signals::catch()?;
    let app = App::open(&config).await?;
    let access = app::access(&app.store);
    let (listener, asks_for_keys) = match bind(&listen, &access).await {
        Ok(bound) => bound,
        Err(error) => {
            app.close().await;
            return Err(error);
        }
    };
    app.orchestrator.recover(app.is_alone()).await?;
    let shutdown = CancellationToken::new();
    let state = http::AppState::new(
        app.store.clone(),
        app.orchestrator.clone(),
        access,
        app.hub.clone(),
        http::Limits {
            max_body_bytes: config.max_body_bytes,
            retry: Duration::from_millis(config.stream_retry_ms),
            query_timeout: Duration::from_secs(config.query_timeout_seconds),
            ..http::Limits::default()
        },
    )
    .with_hosts(config.allowed_hosts)
    .with_shutdown(shutdown.clone());
    announce(&listener, asks_for_keys)?;
    let ended = serve(listener, state, &app, shutdown, signals).await;
    app.close().await;
    ended
}

/// Where callers connect, and whether they are asked for a key; nowhere that others reach before there
/// is one.
async fn bind(listen: &ListenAddress, access: &Access) -> anyhow::Result<(TcpListener, bool)> {
    let address = listen.address;
    let asks_for_keys = access.asks_for_keys().await?;
    if !listen.is_loopback && !asks_for_keys {
        bail!(
            "{address} can be reached from other machines, and there is no API key: whoever connects \
             could do everything; make a key with `knowledge key create`, or listen on 127.0.0.1"
        );
    }
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another with --listen"))?;
    Ok((listener, asks_for_keys))
}

/// The one line that scripts wait for.
fn announce(listener: &TcpListener, asks_for_keys: bool) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on http://{address}")?;
    out.flush()?;
    if asks_for_keys {
        tracing::info!("callers are asked for an API key");
    } else {
        tracing::info!("no API keys are configured, so only this machine can connect");
    }
    Ok(())
}

async fn serve(
    listener: TcpListener,
    state: http::AppState,
    app: &App,
    shutdown: CancellationToken,
    mut signals: Signals,
) -> anyhow::Result<Ended> {
    let router = http::router(state);
    let server = tokio::spawn(http::serve(listener, router, shutdown.clone()));
    signals.next().await;
    tracing::info!("draining: no new work is begun");
    tokio::select! {
        () = app.orchestrator.drain(DRAIN_PATIENCE) => {}
        () = signals.next() => {}
    }
    shutdown.cancel();
    if let Ok(ended) = tokio::time::timeout(CLOSE_PATIENCE, server).await {
        ended.context("the server ended unexpectedly")?;
    }
    Ok(Ended::Done)
}

/// SIGTERM and Ctrl-C, caught from the moment that this exists.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn catch() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?,
            interrupt: signal(SignalKind::interrupt()).context("Ctrl-C cannot be caught")?,
        })
    }

    /// Waits for the next of either.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
