//! Progress on the screen: bars on a terminal, plain lines elsewhere.

use std::{collections::HashMap, io::IsTerminal};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

/// Steps of the bar of a batch.
const STEPS: u64 = 1000;

/// Where progress is shown.
pub(crate) struct Screen {
    /// The name of each document that has started, by its id.
    started: HashMap<String, String>,
    bars: Option<Bars>,
    completed: usize,
    total: usize,
}

struct Bars {
    all: MultiProgress,
    batch: ProgressBar,
    documents: HashMap<String, ProgressBar>,
}

impl Screen {
    pub(crate) fn new(total: usize) -> Self {
        Self {
            started: HashMap::new(),
            bars: std::io::stdout().is_terminal().then(Bars::new),
            completed: 0,
            total,
        }
    }

    /// Shows an event; `names` are those of the documents by their position.
    pub(crate) fn event(&mut self, event: &Value, names: &[String]) {
        let id = event["documentId"].as_str().unwrap_or_default().to_owned();
        if event["type"] == "DocumentStarted" {
            let position = event["documentIndex"].as_u64().unwrap_or_default();
            let name = usize::try_from(position).ok().and_then(|at| names.get(at));
            self.started
                .insert(id.clone(), name.cloned().unwrap_or_else(|| id.clone()));
        }
        let name = self.started.get(&id).cloned().unwrap_or_default();
        if let Some(line) = self.line(event, &name) {
            self.print(&line);
        }
        if let Some(bars) = &mut self.bars {
            bars.event(event, &id, &name);
        }
    }

    /// Takes the bars away.
    pub(crate) fn finish(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.batch.finish_and_clear();
        }
    }

    fn print(&self, line: &str) {
        match &self.bars {
            Some(bars) => {
                let _ = bars.all.println(line);
            }
            None => println!("{line}"),
        }
    }

    /// What stays on the screen of an event.
    fn line(&mut self, event: &Value, name: &str) -> Option<String> {
        let line = match event["type"].as_str()? {
            "DocumentCompleted" => {
                self.completed += 1;
                format!(
                    "[{}/{}] {name}: {} entities, {} relations",
                    self.completed, self.total, event["entityCount"], event["relationCount"]
                )
            }
            "DocumentFailed" => format!("FAILED {name}: {}", event["error"]),
            "ResolutionStarted" => "resolving entities across documents".to_owned(),
            "ResolutionCompleted" => format!(
                "resolved: {} clusters, {} entities merged into others",
                event["clusterCount"], event["mergeCount"]
            ),
            _ => return None,
        };
        Some(line)
    }
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let batch = all.add(ProgressBar::new(STEPS));
        batch.set_style(style("{bar:40} {percent:>3}%  {msg}"));
        Self {
            all,
            batch,
            documents: HashMap::new(),
        }
    }

    fn event(&mut self, event: &Value, id: &str, name: &str) {
        let progress = event["progress"].as_f64().unwrap_or_default();
        let left = (1.0 - progress.clamp(0.0, 1.0)) * STEPS as f64;
        self.batch.set_position(STEPS - floor(left));
        match event["type"].as_str().unwrap_or_default() {
            "BatchStageEntered" => self.batch.set_message(words(&event["batchStage"])),
            "DocumentStarted" => {
                let bar = self.all.add(ProgressBar::new(1));
                bar.set_style(style("  {bar:20} {prefix} {msg}"));
                bar.set_prefix(name.to_owned());
                self.documents.insert(id.to_owned(), bar);
            }
            "StageProgress" => {
                if let Some(bar) = self.documents.get(id) {
                    bar.set_length(event["total"].as_u64().unwrap_or(1));
                    bar.set_position(event["current"].as_u64().unwrap_or(0));
                    bar.set_message(words(&event["stage"]));
                }
            }
            "DocumentCompleted" | "DocumentFailed" => {
                if let Some(bar) = self.documents.remove(id) {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
    }
}

/// The whole steps of a number that is neither negative nor large.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of steps, from 0 to STEPS"
)]
fn floor(number: f64) -> u64 {
    number as u64
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `EXTRACTING_MENTIONS` as `extracting mentions`.
fn words(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.replace('_', " ").to_lowercase()
}
