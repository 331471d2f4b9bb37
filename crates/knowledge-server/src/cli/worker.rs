//! `knowledge worker`.

use std::{io::Write, time::Duration};

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Ended, serve::Signals};
use crate::{
    app::{self, WorkerApp},
    config::{Config, ListenAddress},
    engine::restate::Admin,
    http,
    text::chain,
};

/// Waits while Restate cannot be told where the worker is.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How often it is told again: it may have lost what it knew.
const AGAIN: Duration = Duration::from_mins(1);

/// How long documents in flight, and then connections, may take to end when the worker is to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(config: Config) -> anyhow::Result<Ended> {
    config.shared_database()?;
    let listen = ListenAddress::of(&config.worker_listen)?;
    check(&listen, &config)?;
    let mut signals = Signals::catch()?;
    let shutdown = CancellationToken::new();
    let app = WorkerApp::open(&config, shutdown.clone()).await?;
    let router = app.worker.router(config.restate_identity_key.as_deref())?;
    let listener = TcpListener::bind(listen.address).await.with_context(|| {
        let address = listen.address;
        format!("cannot listen on {address}; choose another with --listen")
    })?;
    let own = format!("http://{}", listener.local_addr()?);
    let mut server = tokio::spawn(http::serve(listener, router, shutdown.clone()));
    announce(&own)?;
    let known = make_known(&config, config.worker_url.as_deref().unwrap_or(&own));
    tokio::select! {
        known = known => known?,
        () = signals.next() => {}
        ended = &mut server => ended.context("the worker ended unexpectedly")?,
    }
    tracing::info!("draining: no new work is begun");
    shutdown.cancel();
    tokio::select! {
        _ = tokio::time::timeout(STOP_PATIENCE, server) => {}
        () = signals.next() => {}
    }
    app::close(app.store).await;
    Ok(Ended::Done)
}

fn check(listen: &ListenAddress, config: &Config) -> anyhow::Result<()> {
    let address = listen.address;
    if !listen.is_loopback && config.restate_identity_key.is_none() {
        bail!(
            "{address} can be reached from other machines, and whoever connects could run workflows; \
             name the Restate server that may in KNOWLEDGE_RESTATE_IDENTITY_KEY, or listen on 127.0.0.1"
        );
    }
    let is_told = config.restate_admin_url.is_some() && config.worker_url.is_none();
    if address.ip().is_unspecified() && is_told {
        bail!("{address} is no address that Restate can ask; name this worker's with --url");
    }
    Ok(())
}

/// The one line that scripts wait for.
fn announce(address: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {address}")?;
    out.flush()?;
    Ok(())
}

/// Tells Restate where the worker is, as soon as it can be told, and again and again; an operator may
/// do so instead. Ends only where that makes no sense.
async fn make_known(config: &Config, url: &str) -> anyhow::Result<()> {
    let Some(admin) = &config.restate_admin_url else {
        tracing::info!(
            "Restate is not told of this worker, as KNOWLEDGE_RESTATE_ADMIN_URL is not set; \
             `restate deployments register {url}` does so"
        );
        return std::future::pending().await;
    };
    let admin = Admin::new(admin)?;
    let (mut wait, mut is_known) = (FIRST_WAIT, false);
    loop {
        match admin.register(url).await {
            Ok(()) => {
                if !is_known {
                    tracing::info!("Restate finds this worker at {url}");
                }
                (wait, is_known) = (FIRST_WAIT, true);
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) if error.is_passing() => {
                tracing::warn!("Restate does not know this worker: {}", chain(&error));
                is_known = false;
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            Err(error) => return Err(error.into()),
        }
    }
}
