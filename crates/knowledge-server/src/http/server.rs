//! Connections: accepted, served, let go.
//!
//! Beside what axum's own server does, it bounds what a connection may hold back for a client that
//! does not read, so that a thousand stalled subscribers cost some megabytes and not some hundred.

use std::{io, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::metrics::CONNECTIONS;

/// What a connection holds at most of what it could not send, and the longest head of a request,
/// in bytes.
const BUFFER: usize = 64 * 1024;

/// How long a client may take to say what it wants.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The wait after a connection could not be accepted: the process has no file left to open.
const ACCEPT_WAIT: Duration = Duration::from_millis(500);

/// Serves until it is told to stop; returns when every connection has ended. Connections that are
/// idle are closed then, and those with a request when it is answered.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let connections = GracefulShutdown::new();
    let builder = builder();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => begin(&builder, &connections, stream, router.clone()),
                Err(error) => refuse(&error).await,
            }
        }
    };
    stop.run_until_cancelled(accept).await;
    drop(listener);
    connections.shutdown().await;
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_send_buf_size(BUFFER)
        .enable_connect_protocol();
    builder
}

fn begin(
    builder: &Builder<TokioExecutor>,
    connections: &GracefulShutdown,
    stream: TcpStream,
    router: Router,
) {
    // Events are small, and each is to arrive at once. It fails where the client has gone.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let connection = connections.watch(connection.into_owned());
    let open = CONNECTIONS.hold();
    tokio::spawn(async move {
        let _open = open;
        if let Err(error) = connection.await {
            // A client that goes away in the middle is no event.
            tracing::debug!("a connection broke: {error}");
        }
    });
}

async fn refuse(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        return;
    }
    tracing::error!("connections cannot be accepted: {error}");
    tokio::time::sleep(ACCEPT_WAIT).await;
}
