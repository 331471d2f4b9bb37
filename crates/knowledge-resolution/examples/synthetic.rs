//! Resolves synthetic entities with known duplicates and prints one JSON line: time, memory, F1,
//! and what it takes to add a thousand entities to those that are there.
//!
//! `cargo run --release -p knowledge-resolution --example synthetic -- 100000 [TABLE]`
//!
//! With TABLE the entities are written there too, tab-separated: id, class, name, and the number of
//! the thing that they are of.
#![expect(clippy::print_stdout, reason = "its output is its result")]

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    time::Instant,
};

use knowledge_domain::{
    graph::Confidence,
    ids::{DocumentId, EntityId, ExtractionId, OrganizationId},
};
use knowledge_resolution::{
    Candidate, Decisions, Exploration, Form, Settings, Workload, resolve, workload,
};

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Entities that are added to those that are there.
const ADDED: usize = 1_000;

fn main() {
    let entities = std::env::args()
        .nth(1)
        .and_then(|number| number.parse().ok());
    let entities = entities.unwrap_or(10_000);
    let (candidates, truth) = Town::new(7).entities(entities + ADDED);
    let settings = Settings::default();

    let before_mb = peak_memory_mb();
    let (start, cpu) = (Instant::now(), processor_seconds());
    let clusters = resolve(&candidates[..entities], &Decisions::default(), &settings);
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), processor_seconds() - cpu);
    let found: Vec<Vec<EntityId>> = clusters
        .iter()
        .map(|cluster| cluster.members.iter().map(|member| member.id).collect())
        .collect();
    let (precision, recall) = pairs(&found, &truth, &candidates[..entities]);
    let peak_mb = peak_memory_mb();
    if let Some(path) = std::env::args().nth(2) {
        let written = std::fs::write(path, table(&candidates[..entities], &truth));
        written.expect("the table can be written");
    }
    let Workload { forms, pairs } = workload(&candidates[..entities], &settings);

    let mut stored = Stored::new(&candidates[..entities], settings);
    let start = Instant::now();
    let reached = stored.add(&candidates[entities..]);
    let adding = start.elapsed().as_secs_f64();
    println!(
        "{{\"entities\":{entities},\"forms\":{forms},\"pairs\":{pairs},\"clusters\":{},\"seconds\":{seconds:.3},\
         \"processorSeconds\":{cpu:.3},\"entitiesMb\":{before_mb},\"peakMb\":{peak_mb},\
         \"precision\":{precision:.4},\"recall\":{recall:.4},\"f1\":{:.4},\
         \"addingSeconds\":{adding:.3},\"addingReached\":{reached}}}",
        clusters.len(),
        2.0 * precision * recall / (precision + recall),
    );
}

fn table(candidates: &[Candidate], truth: &HashMap<EntityId, u32>) -> String {
    let mut table = String::new();
    for candidate in candidates {
        let (id, class, name) = (candidate.id, &candidate.types[0], &candidate.name);
        let _ = writeln!(table, "{id}\t{class}\t{name}\t{}", truth[&candidate.id]);
    }
    table
}

/// Precision and recall over pairs.
fn pairs(found: &[Vec<EntityId>], truth: &HashMap<EntityId, u32>, of: &[Candidate]) -> (f64, f64) {
    let of_two = |count: usize| count * count.saturating_sub(1) / 2;
    let mut sizes: HashMap<u32, usize> = HashMap::new();
    for candidate in of {
        *sizes.entry(truth[&candidate.id]).or_default() += 1;
    }
    let gold: usize = sizes.into_values().map(of_two).sum();
    let (mut claimed, mut right) = (0, 0);
    for cluster in found {
        claimed += of_two(cluster.len());
        let mut things: HashMap<u32, usize> = HashMap::new();
        for member in cluster {
            *things.entry(truth[member]).or_default() += 1;
        }
        right += things.into_values().map(of_two).sum::<usize>();
    }
    (
        right as f64 / claimed.max(1) as f64,
        right as f64 / gold.max(1) as f64,
    )
}

/// The most memory that this process ever had, in megabytes; 0 where the system does not say.
fn peak_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}

/// What the thread has cost the processor so far; 0 where the system does not say.
fn processor_seconds() -> f64 {
    // The system counts what a thread has used when it gives way, or some milliseconds later.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split_whitespace().next();
    let nanoseconds = first.and_then(|it| it.parse::<f64>().ok());
    nanoseconds.unwrap_or_default() / 1e9
}

/// Forms and blocks, as a store keeps them.
struct Stored {
    forms: HashMap<String, Form>,
    blocks: HashMap<u64, Vec<String>>,
    settings: Settings,
}

impl Stored {
    fn new(candidates: &[Candidate], settings: Settings) -> Self {
        let mut stored = Self {
            forms: HashMap::new(),
            blocks: HashMap::new(),
            settings,
        };
        for candidate in candidates {
            stored.index(candidate);
        }
        stored
    }

    fn index(&mut self, candidate: &Candidate) -> String {
        let form = Form::of(candidate);
        let key = form.key.clone();
        if let Some(known) = self.forms.get_mut(&key) {
            known.absorb(&form);
            return key;
        }
        for block in form.block_keys() {
            let block = self.blocks.entry(block).or_default();
            if block.len() <= self.settings.max_block {
                block.push(key.clone());
            }
        }
        self.forms.insert(key.clone(), form);
        key
    }

    /// Adds entities and clusters what they may change; how many forms were looked at.
    fn add(&mut self, candidates: &[Candidate]) -> usize {
        let keys: Vec<String> = candidates.iter().map(|it| self.index(it)).collect();
        let forms = keys.iter().map(|key| self.forms[key].clone());
        let mut exploration = Exploration::new(self.settings, forms);
        loop {
            let wanted = exploration.next_blocks();
            if wanted.is_empty() {
                break;
            }
            for (from, blocks) in &wanted {
                let near: Vec<&String> = blocks
                    .iter()
                    .filter_map(|block| self.blocks.get(block))
                    .filter(|block| block.len() <= self.settings.max_block)
                    .flatten()
                    .collect();
                exploration.see(near.iter().map(|key| self.forms[*key].clone()));
                exploration.compare(near.iter().map(|key| (from.as_str(), key.as_str())));
            }
        }
        exploration.finish(&Decisions::default()).forms.len()
    }
}

/// A source of invented names.
struct Town {
    state: u64,
    given: Vec<String>,
    surnames: Vec<String>,
    words: Vec<String>,
}

const TRADES: &[&str] = &[
    "Works",
    "Shipping",
    "Railway",
    "Instruments",
    "Mining",
    "Press",
    "Optics",
];
const FORMS: &[&str] = &["Ltd", "Company", "Inc", "Group"];

impl Town {
    fn new(seed: u64) -> Self {
        let mut town = Self {
            state: seed,
            given: Vec::new(),
            surnames: Vec::new(),
            words: Vec::new(),
        };
        town.given = (0..2_000).map(|_| town.word(2)).collect();
        town.surnames = (0..60_000).map(|_| town.word(3)).collect();
        town.words = (0..40_000).map(|_| town.word(3)).collect();
        town
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % bound as u64).unwrap_or_default()
    }

    fn pick(&mut self, words: &[&str]) -> String {
        words[self.below(words.len())].to_owned()
    }

    fn word(&mut self, syllables: usize) -> String {
        const BEGIN: &[&str] = &[
            "b", "br", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v", "w",
        ];
        const MIDDLE: &[&str] = &["a", "e", "i", "o", "u", "ai", "ea", "oo"];
        const END: &[&str] = &["", "", "n", "r", "s", "l", "nd", "rt", "ck"];
        let mut word = String::new();
        for _ in 0..syllables {
            word.push_str(BEGIN[self.below(BEGIN.len())]);
            word.push_str(MIDDLE[self.below(MIDDLE.len())]);
            word.push_str(END[self.below(END.len())]);
        }
        word[..1].to_uppercase() + &word[1..]
    }

    /// So many entities, about half of them of a thing that others are of too, in no order.
    fn entities(&mut self, count: usize) -> (Vec<Candidate>, HashMap<EntityId, u32>) {
        let (mut candidates, mut truth) = (Vec::with_capacity(count), HashMap::new());
        let mut thing = 0;
        while candidates.len() < count {
            let (class, name) = self.thing();
            let times = [1, 1, 1, 1, 2, 2, 3, 5][self.below(8)];
            for time in 0..times {
                let name = if time == 0 {
                    name.clone()
                } else {
                    self.variant(class, &name)
                };
                let candidate = entity(candidates.len(), class, name);
                truth.insert(candidate.id, thing);
                candidates.push(candidate);
            }
            thing += 1;
        }
        candidates.truncate(count);
        for at in (1..candidates.len()).rev() {
            let other = self.below(at + 1);
            candidates.swap(at, other);
        }
        (candidates, truth)
    }

    fn thing(&mut self) -> (&'static str, String) {
        let word = |town: &mut Self| {
            let at = town.below(town.words.len());
            town.words[at].clone()
        };
        match self.below(10) {
            0..4 => {
                let (given, surname) = (self.below(2_000), self.below(60_000));
                let (given, surname) = (&self.given[given], &self.surnames[surname]);
                ("Person", format!("{given} {surname}"))
            }
            4..7 => {
                let (one, two) = (word(self), word(self));
                let (trade, form) = (self.pick(TRADES), self.pick(FORMS));
                ("Organization", format!("{one} {two} {trade} {form}"))
            }
            7..9 => ("Place", format!("{} {}", word(self), word(self))),
            _ => {
                let number = 1 + self.below(9);
                ("Work", format!("{} {} {number}", word(self), word(self)))
            }
        }
    }

    /// The same thing as another document has it.
    fn variant(&mut self, class: &str, name: &str) -> String {
        match (class, self.below(4)) {
            ("Person", 0) => {
                let (given, surname) = name.split_once(' ').unwrap_or((name, ""));
                format!("{}. {surname}", &given[..1])
            }
            ("Person", 1) => format!("Dr. {name}"),
            ("Organization", 0) => name.rsplit_once(' ').map_or(name, |it| it.0).to_owned(),
            ("Organization", 1) => name.to_uppercase(),
            (_, 2) => self.slip(name),
            _ => name.to_owned(),
        }
    }

    /// A letter within the longest word is another one.
    fn slip(&mut self, name: &str) -> String {
        let longest = name
            .split(' ')
            .max_by_key(|word| word.len())
            .unwrap_or(name);
        if longest.len() < 7 {
            return name.to_owned();
        }
        let at = 2 + self.below(longest.len() - 4);
        let wrong = format!("{}x{}", &longest[..at], &longest[at + 1..]);
        name.replacen(longest, &wrong, 1)
    }
}

fn entity(at: usize, class: &str, name: String) -> Candidate {
    let document = DocumentId::derive(OrganizationId::DEFAULT, &at.to_string());
    Candidate {
        id: EntityId::derive(ExtractionId::derive(document, "synthetic"), 0),
        document,
        name,
        types: vec![class.to_owned()],
        above: Vec::new(),
        aliases: Vec::new(),
        attributes: BTreeMap::new(),
        literals: BTreeMap::new(),
        neighbours: Vec::new(),
        mentions: 1,
        confidence: Confidence::new(0.9),
    }
}
