<<<<<<< HEAD
//! A way to a database that a test can cut, stall, or make lose answers.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
=======
//! A bad network: a TCP proxy that breaks connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
>>>>>>> 4048b43 (Serve a thousand subscribers from one read of the log)
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
<<<<<<< HEAD
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// What the proxy does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Passes everything on.
    Open,
    /// Closes those that there are, and every new one.
    Cut,
    /// Takes everything and passes nothing on, as a network does that drops packets.
    Stalled,
}

/// A proxy on loopback, for as long as the runtime lives.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    way: watch::Sender<Way>,
    lost: Arc<AtomicU32>,
    lose_every: Arc<AtomicU32>,
}

/// What every connection knows.
#[derive(Clone)]
struct Shared {
    way: watch::Receiver<Way>,
    commits: Arc<AtomicU32>,
    lost: Arc<AtomicU32>,
    lose_every: Arc<AtomicU32>,
}

impl Proxy {
    /// A proxy to a port of this machine.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let (way, watched) = watch::channel(Way::Open);
        let shared = Shared {
            way: watched,
            commits: Arc::default(),
            lost: Arc::default(),
            lose_every: Arc::default(),
        };
        let proxy = Self {
            port: listener.local_addr().expect("it has an address").port(),
            way,
            lost: Arc::clone(&shared.lost),
            lose_every: Arc::clone(&shared.lose_every),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, port, shared.clone()));
            }
        });
        proxy
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what it does, for the connections that there are as well.
    ///
    /// # Panics
    /// Never: the proxy listens.
    pub fn set(&self, way: Way) {
        self.way.send(way).expect("the proxy listens");
    }

    /// From now on, every so many commits, the database makes the commit and the answer is lost
    /// with the connection; 0 for none.
    pub fn lose_answers_of_commits(&self, every: u32) {
        self.lose_every.store(every, Ordering::SeqCst);
    }

    /// Answers that were lost.
    #[must_use]
    pub fn lost(&self) -> u32 {
        self.lost.load(Ordering::SeqCst)
=======
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// Forwards connections to a server that may move, and cuts as many of them as it is told, each
/// after a random number of bytes.
#[derive(Debug)]
pub struct Proxy {
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

impl Proxy {
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

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
>>>>>>> 4048b43 (Serve a thousand subscribers from one read of the log)
    }
}

impl Shared {
<<<<<<< HEAD
    /// Whether the answer to these bytes of a client is to be lost.
    fn loses_answer(&self, bytes: &[u8]) -> bool {
        let every = self.lose_every.load(Ordering::SeqCst);
        if every == 0 || !bytes.windows(6).any(|window| window == b"COMMIT") {
            return false;
        }
        (self.commits.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(every)
    }
}

async fn connection(client: TcpStream, port: u16, shared: Shared) {
    let mut way = shared.way.clone();
    let cut = async move {
        // Ends when the proxy does, too.
        let _ = way.wait_for(|way| *way == Way::Cut).await;
    };
    let piped = async move {
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
            return;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let (losing, lost) = watch::channel(false);
        tokio::select! {
            () = upwards(from_client, to_server, losing, shared.clone()) => {}
            () = downwards(from_server, to_client, lost, shared) => {}
        }
    };
    tokio::select! {
        () = cut => {}
        () = piped => {}
    }
}

async fn upwards(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    losing: watch::Sender<bool>,
    shared: Shared,
) {
    let mut way = shared.way.clone();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = client.read(&mut buffer).await {
        if shared.loses_answer(&buffer[..read]) {
            losing.send_replace(true);
        }
        if way.wait_for(|way| *way != Way::Stalled).await.is_err()
            || server.write_all(&buffer[..read]).await.is_err()
        {
            return;
=======
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
>>>>>>> 4048b43 (Serve a thousand subscribers from one read of the log)
        }
    }
}

<<<<<<< HEAD
async fn downwards(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    lost: watch::Receiver<bool>,
    shared: Shared,
) {
    let mut way = shared.way.clone();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = server.read(&mut buffer).await {
        if *lost.borrow() {
            shared.lost.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if way.wait_for(|way| *way != Way::Stalled).await.is_err()
            || client.write_all(&buffer[..read]).await.is_err()
        {
            return;
        }
    }
}
=======
/// A connection that carries nothing for so long belongs to a test that has ended.
const IDLE: Duration = Duration::from_mins(5);
>>>>>>> 4048b43 (Serve a thousand subscribers from one read of the log)
