//! A way to a database that a test can cut, stall, or make lose answers.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
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
    }
}

impl Shared {
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
        }
    }
}

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
