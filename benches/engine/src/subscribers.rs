//! Subscribers of one batch: many connections, each of which checks that it gets every event, once
//! and in order, and how late.

use std::{cell::RefCell, fs, path::PathBuf, rc::Rc, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::LocalSet,
    time::Instant,
};

use crate::{
    record::{Recorded, committed, now},
    usage,
};

/// Connections that are opened at a time.
const OPENING: usize = 100;
/// A bucket of delays, in microseconds.
const BUCKET_US: usize = 20;
/// Longer delays count as this long.
const BUCKETS: usize = 1_000_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the server is
    #[arg(long)]
    address: String,
    /// The path of the batch's events
    #[arg(long)]
    path: String,
    /// Connections
    #[arg(long)]
    count: usize,
    /// Write what the first connection gets to this file
    #[arg(long)]
    record: Option<PathBuf>,
}

/// What all connections have got.
#[derive(Default)]
struct Seen {
    events: u64,
    /// Connections that missed an event, or got one twice.
    disordered: u64,
    /// Connections that broke before the end.
    broken: u64,
    delays: Vec<u32>,
    recorded: Vec<Recorded>,
}

/// Watches a batch to its end.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    usage::allow_many_files()?;
    let seen = Rc::new(RefCell::new(Seen {
        delays: vec![0; BUCKETS],
        ..Seen::default()
    }));
    let (count, record) = (arguments.count, arguments.record.clone());
    let all = LocalSet::new();
    all.run_until(watch_all(arguments, Rc::clone(&seen)))
        .await?;
    let seen = seen.borrow();
    if let Some(path) = record {
        fs::write(path, serde_json::to_vec(&seen.recorded)?)?;
    }
    let sample = serde_json::json!({
        "subscribers": count,
        "events": seen.events,
        "disordered": seen.disordered,
        "broken": seen.broken,
        "p50_ms": quantile(&seen.delays, 0.5),
        "p99_ms": quantile(&seen.delays, 0.99),
        "cpu_seconds": usage::cpu_seconds()?,
    });
    println!("{sample}");
    Ok(())
}

async fn watch_all(arguments: Arguments, seen: Rc<RefCell<Seen>>) -> Result<()> {
    let mut tasks = Vec::new();
    for first in (0..arguments.count).step_by(OPENING) {
        let mut opening = Vec::new();
        for number in first..arguments.count.min(first + OPENING) {
            let (address, path) = (arguments.address.clone(), arguments.path.clone());
            let stream = async move { open(&address, &path).await };
            opening.push((number, tokio::task::spawn_local(stream)));
        }
        for (number, stream) in opening {
            let records = number == 0 && arguments.record.is_some();
            let subscriber = Subscriber::new(stream.await??, records, Rc::clone(&seen));
            tasks.push(tokio::task::spawn_local(subscriber.watch()));
        }
    }
    // Until what was committed before has come to the last of them.
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("ready");
    for task in tasks {
        task.await?;
    }
    Ok(())
}

/// A connection whose request is answered.
async fn open(address: &str, path: &str) -> Result<TcpStream> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let address = address.to_owned();
    let mut stream = TcpStream::connect(&address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await? == 0 {
            bail!("the server closed the connection");
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).context("a head is text")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("refused: {head}");
    }
    Ok(stream)
}

struct Subscriber {
    stream: TcpStream,
    text: Vec<u8>,
    last: u64,
    records: bool,
    begun: Option<Instant>,
    opened: chrono::DateTime<chrono::Utc>,
    seen: Rc<RefCell<Seen>>,
}

impl Subscriber {
    fn new(stream: TcpStream, records: bool, seen: Rc<RefCell<Seen>>) -> Self {
        Self {
            stream,
            text: Vec::new(),
            last: 0,
            records,
            begun: None,
            opened: now(),
            seen,
        }
    }

    async fn watch(mut self) {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if let Ok(read @ 1..) = self.stream.read(&mut buffer).await {
                self.text.extend_from_slice(&buffer[..read]);
                if self.frames() {
                    return;
                }
            } else {
                self.seen.borrow_mut().broken += 1;
                return;
            }
        }
    }

    /// Takes every whole event; whether the last one has come. Each is a chunk of the body: the
    /// lines between two events say how long the next is, and are no field of any.
    fn frames(&mut self) -> bool {
        while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.text.drain(..end + 2).collect();
            let block = String::from_utf8_lossy(&block);
            let Some(begin) = block.find("id: ") else {
                continue;
            };
            if self.event(&block[begin..]) {
                return true;
            }
        }
        false
    }

    fn event(&mut self, frame: &str) -> bool {
        let id = frame["id: ".len()..].lines().next().unwrap_or_default();
        let sequence: u64 = id.parse().unwrap_or_default();
        let mut seen = self.seen.borrow_mut();
        seen.events += 1;
        if sequence != self.last + 1 {
            seen.disordered += 1;
        }
        self.last = sequence;
        if let Some(at) = committed(frame).filter(|at| *at > self.opened) {
            let delay = (now() - at).num_microseconds().unwrap_or_default().max(0);
            let bucket = usize::try_from(delay).unwrap_or_default() / BUCKET_US;
            seen.delays[bucket.min(BUCKETS - 1)] += 1;
        }
        if self.records {
            let after = self.begun.get_or_insert_with(Instant::now).elapsed();
            seen.recorded.push(Recorded {
                after_us: u64::try_from(after.as_micros()).unwrap_or(u64::MAX),
                frame: frame.to_owned(),
            });
        }
        frame.contains("event: BatchCompleted") || frame.contains("event: BatchFailed")
    }
}

/// The delay that this share of all is below, in milliseconds.
fn quantile(delays: &[u32], share: f64) -> f64 {
    let all: u64 = delays.iter().map(|count| u64::from(*count)).sum();
    let wanted = all as f64 * share;
    let mut sum = 0;
    for (bucket, count) in delays.iter().enumerate() {
        sum += u64::from(*count);
        if sum as f64 >= wanted {
            return (bucket * BUCKET_US) as f64 / 1_000.0;
        }
    }
    0.0
}
