//! A bad network: a TCP proxy that breaks connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// Forwards connections to a server that may move, and cuts as many of them as it is told, each
/// after a random number of bytes.
#[derive(Debug)]
pub struct BadNetwork {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    upstream: Mutex<SocketAddr>,
    /// Cuts that are still to come.
    left: AtomicU64,
    cut: AtomicU64,
    seed: AtomicU64,
    /// The most bytes from the server that a connection lives to carry.
    longest: u64,
}

impl BadNetwork {
    /// A proxy before the server at this URL that cuts `cuts` connections, each after at most
    /// `longest` bytes from the server. The seed decides where.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn start(server: &str, cuts: u64, longest: u64, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it listens");
        let shared = Arc::new(Shared {
            upstream: Mutex::new(address_of(server)),
            left: AtomicU64::new(cuts),
            cut: AtomicU64::new(0),
            seed: AtomicU64::new(seed),
            longest,
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Self {
            address,
            shared,
            task,
        }
    }

    /// Its URL, in place of the server's.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections that it has cut.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.shared.cut.load(Ordering::SeqCst)
    }

    /// From here on connections go to another server.
    pub fn move_to(&self, server: &str) {
        *self.shared.upstream() = address_of(server);
    }
}

impl Drop for BadNetwork {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn upstream(&self) -> std::sync::MutexGuard<'_, SocketAddr> {
        self.upstream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After how many bytes the next connection is cut; never, when all cuts are done.
    fn next_cut(&self) -> Option<u64> {
        let take = |left: u64| left.checked_sub(1);
        let taken = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
        taken.ok().map(|_| self.random() % self.longest)
    }

    /// The next of a sequence that the seed decides (`SplitMix64`).
    fn random(&self) -> u64 {
        let step = 0x9e37_79b9_7f4a_7c15;
        let mut value = self.seed.fetch_add(step, Ordering::SeqCst);
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }
}

fn address_of(url: &str) -> SocketAddr {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    address.parse().expect("the URL is one of a local server")
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // The listener fails when the process has no file left to open; clients try again.
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, Arc::clone(&shared)));
        }
    }
}

/// Carries bytes both ways until either side ends it, or it is cut.
async fn forward(client: TcpStream, shared: Arc<Shared>) {
    let upstream = *shared.upstream();
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let limit = shared.next_cut();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = tokio::io::copy(&mut from_client, &mut to_server);
    let down = carry(&mut from_server, &mut to_client, limit);
    let was_cut = tokio::select! {
        was_cut = down => was_cut,
        _ = up => false,
    };
    match (was_cut, limit) {
        (true, _) => {
            shared.cut.fetch_add(1, Ordering::SeqCst);
        }
        // It ended before its cut, which another connection gets.
        (false, Some(_)) => {
            shared.left.fetch_add(1, Ordering::SeqCst);
        }
        (false, None) => {}
    }
}

/// Carries bytes to the client, at most `limit`; whether it stopped there.
async fn carry(
    server: &mut (impl AsyncReadExt + Unpin),
    client: &mut (impl AsyncWriteExt + Unpin),
    limit: Option<u64>,
) -> bool {
    let mut left = limit.unwrap_or(u64::MAX);
    let mut buffer = [0; 4096];
    loop {
        let Ok(Ok(read)) = tokio::time::timeout(IDLE, server.read(&mut buffer)).await else {
            return false;
        };
        if read == 0 {
            return false;
        }
        let carried = read.min(usize::try_from(left).unwrap_or(usize::MAX));
        if client.write_all(&buffer[..carried]).await.is_err() {
            return false;
        }
        left -= carried as u64;
        if left == 0 {
            return true;
        }
    }
}

/// A connection that carries nothing for so long belongs to a test that has ended.
const IDLE: Duration = Duration::from_mins(5);
