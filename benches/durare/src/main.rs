//! The five-step load on durare, with its own defaults, one measurement a process.
//!
//! What it prints has the fields that `knowledge-bench` prints for the same load.

mod usage;

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Parser;
use durare::{DurableContext, DurableEngine, Error, WorkflowOptions};
use serde::Serialize;
use tokio::task::JoinSet;

/// Bytes that a step returns, its quotation marks in JSON included.
const STEP_BYTES: usize = 1024;
const STEPS: [&str; 5] = ["chunk", "mentions", "entities", "relations", "assemble"];
const WORKFLOW: &str = "five_steps";

static CHECKPOINTS: OnceLock<Mutex<Vec<Duration>>> = OnceLock::new();

#[derive(Debug, Parser)]
struct Arguments {
    /// An empty database.
    #[arg(long)]
    database: String,
    #[arg(long, default_value_t = 2000)]
    workflows: usize,
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
}

#[derive(Debug, Serialize)]
struct Sample {
    seconds: f64,
    start_seconds: f64,
    cpu_seconds: f64,
    start_peak_mib: f64,
    peak_mib: f64,
    checkpoint: Latency,
    workflow: Latency,
    entities: u64,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50_ms: f64,
    p99_ms: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let sample = measure(&arguments).await?;
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

async fn measure(arguments: &Arguments) -> Result<Sample> {
    let mut builder = DurableEngine::connect(&arguments.database).await?;
    builder.register(WORKFLOW, five_steps);
    let engine = Arc::new(builder.build().await?);
    let (begun, cpu_seconds) = (Instant::now(), usage::cpu_seconds()?);
    let times = run(&engine, arguments).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu_seconds = usage::cpu_seconds()? - cpu_seconds;
    let checkpoints =
        std::mem::take(&mut *checkpoints().lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Sample {
        seconds,
        start_seconds: 0.0,
        cpu_seconds,
        start_peak_mib: 0.0,
        peak_mib: usage::peak_mib()?,
        checkpoint: latency(checkpoints),
        workflow: latency(times),
        entities: 0,
    })
}

/// Runs the workflows, `concurrency` at a time; what each took.
async fn run(engine: &Arc<DurableEngine>, arguments: &Arguments) -> Result<Vec<Duration>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..arguments.concurrency {
        let (engine, next, workflows) =
            (Arc::clone(engine), Arc::clone(&next), arguments.workflows);
        tasks.spawn(async move {
            let mut times = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= workflows {
                    return anyhow::Ok(times);
                }
                let begun = Instant::now();
                let options = WorkflowOptions::with_id(format!("workflow-{index}"));
                let input = format!("workflow {index}");
                let handle = engine.start::<_, String>(WORKFLOW, input, options).await?;
                handle.result().await?;
                times.push(begun.elapsed());
            }
        });
    }
    let mut times = Vec::new();
    while let Some(task) = tasks.join_next().await {
        times.extend(task??);
    }
    Ok(times)
}

async fn five_steps(context: DurableContext, input: String) -> durare::Result<String> {
    let ended: Arc<Mutex<Option<Instant>>> = Arc::default();
    for name in STEPS {
        let ended = Arc::clone(&ended);
        let body = move || {
            let output = body(name, &ended);
            async move { Ok::<_, Error>(output) }
        };
        context.step(name, body).await?;
    }
    Ok(input)
}

fn body(name: &str, ended: &Mutex<Option<Instant>>) -> String {
    let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(ended) = *ended {
        let mut checkpoints = checkpoints().lock().unwrap_or_else(PoisonError::into_inner);
        checkpoints.push(ended.elapsed());
    }
    let output = format!("{name:.<width$}", width = STEP_BYTES - 2);
    *ended = Some(Instant::now());
    output
}

/// From the end of a step's body to the beginning of the next one's in the same workflow.
fn checkpoints() -> &'static Mutex<Vec<Duration>> {
    CHECKPOINTS.get_or_init(Mutex::default)
}

fn latency(mut durations: Vec<Duration>) -> Latency {
    durations.sort_unstable();
    let at = |hundredths: usize| {
        let position = durations.len().saturating_sub(1) * hundredths / 100;
        durations.get(position).copied().unwrap_or_default()
    };
    Latency {
        p50_ms: at(50).as_secs_f64() * 1e3,
        p99_ms: at(99).as_secs_f64() * 1e3,
    }
}
