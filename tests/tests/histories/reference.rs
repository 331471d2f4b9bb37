//! The rules, as simply as they can be told.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    command::{Command, Request},
    document::Document,
    plan::Run,
};
use knowledge_domain::{
    batch::{BatchStage, FailurePolicy},
    document::DocumentStatus,
    workflow::WorkflowStage,
};

/// Seconds that a lease holds.
pub(crate) const LEASE_SECONDS: i64 = 10;

/// A process: which server it is, and which of its lives.
pub(crate) type Process = (usize, u32);

/// A document that a server runs, as far as it knows.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    token: u32,
    pub(crate) run: Run,
}

/// A server that may lead the batch, and help with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Server {
    /// Which of the processes that took this place.
    pub(crate) life: u32,
    /// The token that it believes to lead with.
    pub(crate) token: Option<i64>,
    /// What it runs, by the document's position.
    pub(crate) runs: BTreeMap<usize, Held>,
    /// Outcomes that it recorded, whose answers may have been lost.
    pub(crate) completed: BTreeSet<usize>,
}

/// Everything that the store should hold.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) request: Request,
    pub(crate) stage: BatchStage,
    pub(crate) token: i64,
    owner: Option<Process>,
    pub(crate) round: u32,
    pub(crate) planned: bool,
    pub(crate) documents: Vec<Document>,
    pub(crate) events: Vec<String>,
    pub(crate) servers: [Server; 2],
    /// When the processes' rows in `server` run out.
    leases: BTreeMap<Process, i64>,
    now: i64,
    /// What the last command was answered with.
    pub(crate) answer: String,
}

impl Reference {
    /// The batch as the first server has stored it.
    pub(crate) fn new(request: Request) -> Self {
        let mut reference = Self {
            request,
            stage: BatchStage::Pending,
            token: 1,
            owner: Some((0, 0)),
            round: 0,
            planned: false,
            documents: vec![Document::new(); request.documents],
            events: Vec::new(),
            servers: Default::default(),
            leases: BTreeMap::new(),
            now: 0,
            answer: "created".to_owned(),
        };
        reference.servers[0].token = Some(1);
        reference.beat(0);
        reference.event("BatchCreated");
        reference
    }

    pub(crate) fn count(&self, statuses: &[DocumentStatus]) -> usize {
        let documents = self.documents.iter();
        documents
            .filter(|document| statuses.contains(&document.status))
            .count()
    }

    pub(crate) fn completed(&self) -> usize {
        self.count(&[DocumentStatus::Completed])
    }

    pub(crate) fn failed(&self) -> usize {
        self.count(&[DocumentStatus::Failed, DocumentStatus::Abandoned])
    }

    pub(crate) fn progress_units(&self) -> u64 {
        let documents = self.documents.iter();
        documents.map(|document| u64::from(document.units)).sum()
    }

    /// Whether the server's decisions on the batch are admitted.
    pub(crate) fn admits(&self, server: usize) -> bool {
        self.servers[server].token == Some(self.token) && !self.stage.is_terminal()
    }

    /// Whether the server's writes of the document are admitted.
    pub(crate) fn admits_run(&self, server: usize, document: usize) -> bool {
        let held = self.servers[server].runs.get(&document);
        let current = |held: &Held| held.token == self.documents[document].token;
        held.is_some_and(current) && !self.stage.is_terminal()
    }

    pub(crate) fn all_settled(&self) -> bool {
        let mut documents = self.documents.iter();
        documents.all(|document| document.status.is_settled())
    }

    fn process(&self, server: usize) -> Process {
        (server, self.servers[server].life)
    }

    fn is_alive(&self, process: Process) -> bool {
        let until = self.leases.get(&process);
        until.is_some_and(|until| *until > self.now)
    }

    pub(crate) fn event(&mut self, what: &str) {
        let (completed, failed) = (self.completed(), self.failed());
        let line = format!("{what} [{completed} completed, {failed} failed]");
        self.events.push(line);
    }

    fn beat(&mut self, server: usize) {
        let process = self.process(server);
        self.leases.insert(process, self.now + LEASE_SECONDS);
    }

    /// What a command changes, and how it is answered.
    pub(crate) fn apply(&mut self, command: Command) {
        self.answer = match command {
            Command::StartAgain { same: true } => "existing".to_owned(),
            Command::StartAgain { same: false } => "conflict".to_owned(),
            Command::Claim { server, force } => self.claim(server, force),
            Command::Beat(server) => {
                self.beat(server);
                done()
            }
            Command::Release(server) => {
                self.leases.remove(&self.process(server));
                done()
            }
            Command::Crash(server) => {
                let life = self.servers[server].life + 1;
                self.servers[server] = Server {
                    life,
                    ..Server::default()
                };
                done()
            }
            Command::TimePasses => {
                self.now += LEASE_SECONDS;
                done()
            }
            Command::Cancel => self.cancel(),
            Command::CancelByStranger => "not found".to_owned(),
            Command::Retry(server) => self.retry(server),
            Command::Forget(server) => {
                self.servers[server].runs.clear();
                done()
            }
            Command::Reclaim(server) => self.reclaim(server),
            Command::StartDocuments(..) | Command::CompleteAgain(..)
                if self.stage.is_terminal() =>
            {
                fenced()
            }
            Command::StartDocuments(server, free) => self.start_documents(server, free),
            Command::CompleteAgain(..) | Command::Prune => done(),
            Command::Work(server, document, _)
            | Command::FailUnit(server, document)
            | Command::Complete(server, document)
            | Command::Fail(server, document, _) => {
                if self.admits_run(server, document) {
                    self.of_run(command)
                } else {
                    fenced()
                }
            }
            Command::PlanRound(server)
            | Command::BeginRound(server)
            | Command::Settle(server)
            | Command::Resolve(server) => {
                if self.admits(server) {
                    self.of_leader(command)
                } else {
                    fenced()
                }
            }
        };
    }

    /// A command by whoever leads the batch.
    fn of_leader(&mut self, command: Command) -> String {
        match command {
            Command::PlanRound(_) => self.plan_round(),
            Command::BeginRound(_) => self.begin_round(),
            Command::Settle(_) => self.settle(),
            _ => {
                self.event("ResolutionCompleted");
                self.end(BatchStage::Completed, "BatchCompleted");
                done()
            }
        }
    }

    /// A command by whoever runs a document.
    fn of_run(&mut self, command: Command) -> String {
        match command {
            Command::Work(server, document, checkpoints) => {
                for _ in 0..checkpoints {
                    self.work(server, document);
                }
            }
            Command::FailUnit(server, document) => {
                if let Some(held) = self.servers[server].runs.get_mut(&document) {
                    held.run.fail_unit();
                }
            }
            Command::Complete(server, document) => self.complete(server, document),
            Command::Fail(server, document, failure) => self.fail(server, document, failure),
            _ => {}
        }
        done()
    }

    fn start_documents(&mut self, server: usize, free: u32) -> String {
        let mut given = Vec::new();
        let me = self.process(server);
        let mut left: Vec<usize> = (0..self.documents.len()).collect();
        left.sort_by_key(|position| self.documents[*position].begun);
        left.retain(|position| {
            let document = &self.documents[*position];
            let owner = document.owner.filter(|owner| *owner != me);
            document.status == DocumentStatus::Processing
                && !self.servers[server].runs.contains_key(position)
                && !owner.is_some_and(|owner| self.is_alive(owner))
        });
        for position in left.into_iter().take(free as usize) {
            self.give(server, position);
            given.push(position);
        }
        if !given.is_empty() {
            // Whoever takes over says that it is alive.
            self.beat(server);
        }
        for position in 0..self.documents.len() {
            let waits = matches!(
                self.documents[position].status,
                DocumentStatus::Queued | DocumentStatus::Retry
            );
            if waits && given.len() < free as usize {
                self.start(server, position);
                given.push(position);
            }
        }
        format!("runs {given:?}")
    }

    fn start(&mut self, server: usize, position: usize) {
        let begun = self
            .documents
            .iter()
            .filter(|document| document.begun.is_some());
        let next = begun.count();
        let document = &mut self.documents[position];
        document.begun.get_or_insert(next);
        document.status = DocumentStatus::Processing;
        document.attempt += 1;
        document.stage = None;
        document.current = 0;
        document.total = 0;
        self.give(server, position);
        self.event(&format!("DocumentStarted {position}"));
    }

    /// Hands a document out: whoever had it before can write no more.
    fn give(&mut self, server: usize, position: usize) {
        let owner = self.process(server);
        let document = &mut self.documents[position];
        document.token += 1;
        document.owner = Some(owner);
        let held = Held {
            token: document.token,
            run: Run::new(&document.journaled),
        };
        self.servers[server].runs.insert(position, held);
    }

    pub(crate) fn rounds(&self) -> u32 {
        if self.request.policy == FailurePolicy::RetryFailed {
            self.request.rounds
        } else {
            0
        }
    }

    pub(crate) fn skip_unfinished(&mut self) {
        for position in 0..self.documents.len() {
            let status = self.documents[position].status;
            if status == DocumentStatus::Processing {
                self.documents[position].token += 1;
            }
            if !status.is_settled() {
                self.documents[position].status = DocumentStatus::Skipped;
                self.event(&format!("DocumentSkipped {position}"));
            }
        }
    }

    pub(crate) fn end(&mut self, stage: BatchStage, event: &str) {
        self.stage = stage;
        self.owner = None;
        self.token += 1;
        self.event(event);
    }

    fn plan_round(&mut self) -> String {
        let due = self.documents.iter().any(Document::may_be_mended);
        self.planned |= self.round < self.rounds() && due;
        if self.planned { "a round" } else { "no round" }.to_owned()
    }

    fn begin_round(&mut self) -> String {
        if self.planned {
            for document in &mut self.documents {
                if document.may_be_mended() {
                    document.status = DocumentStatus::Retry;
                }
            }
            self.round += 1;
            self.planned = false;
        }
        done()
    }

    fn settle(&mut self) -> String {
        if self.stage == BatchStage::Resolving {
            return "Resolve".to_owned();
        }
        if !self.all_settled() {
            return "Unsettled".to_owned();
        }
        if self.completed() == 0 {
            self.end(BatchStage::Failed, "BatchFailed");
            return "Ended".to_owned();
        }
        self.advance_to(WorkflowStage::Assemble);
        if self.request.resolution {
            self.stage = BatchStage::Resolving;
            self.event("ResolutionStarted");
            return "Resolve".to_owned();
        }
        self.end(BatchStage::Completed, "BatchCompleted");
        "Ended".to_owned()
    }

    /// Whether nobody alive has the batch.
    pub(crate) fn can_claim(&self, server: usize) -> bool {
        let held = |owner| owner == self.process(server) || self.is_alive(owner);
        !self.stage.is_terminal() && !self.owner.is_some_and(held)
    }

    fn claim(&mut self, server: usize, force: bool) -> String {
        let other = self
            .owner
            .is_some_and(|owner| owner != self.process(server));
        let forced = force && other && !self.stage.is_terminal();
        if !forced && !self.can_claim(server) {
            return "not claimed".to_owned();
        }
        self.lease_to(server);
        "claimed".to_owned()
    }

    fn reclaim(&mut self, server: usize) -> String {
        if self.stage.is_terminal() || self.owner != Some(self.process(server)) {
            return "not claimed".to_owned();
        }
        self.lease_to(server);
        "claimed".to_owned()
    }

    fn lease_to(&mut self, server: usize) {
        self.token += 1;
        self.owner = Some(self.process(server));
        self.beat(server);
        self.servers[server].token = Some(self.token);
    }

    fn cancel(&mut self) -> String {
        if self.stage == BatchStage::Cancelled {
            return "unchanged".to_owned();
        }
        if self.stage.is_terminal() {
            return "refused".to_owned();
        }
        self.skip_unfinished();
        self.end(BatchStage::Cancelled, "BatchCancelled");
        "changed".to_owned()
    }

    fn retry(&mut self, server: usize) -> String {
        let unfinished = self.completed() < self.documents.len();
        let ended = matches!(self.stage, BatchStage::Failed | BatchStage::Completed);
        if !ended || !(unfinished || self.stage == BatchStage::Failed) {
            return "refused".to_owned();
        }
        for document in &mut self.documents {
            if document.status != DocumentStatus::Completed {
                document.status = DocumentStatus::Retry;
                document.units = 0;
            }
        }
        self.round = 0;
        self.planned = false;
        self.stage = BatchStage::Pending;
        self.event("BatchStageEntered Pending");
        self.lease_to(server);
        "changed".to_owned()
    }

    /// Whether a server can give a command at all: whatever it believes, it does in the order in
    /// which a runner does it.
    pub(crate) fn allows(&self, command: Command) -> bool {
        let run = |server: usize, document: usize| {
            let held = self.servers[server].runs.get(&document);
            held.map(|held| &held.run)
        };
        match command {
            Command::Work(server, document, _) => {
                run(server, document).is_some_and(|run| !run.is_done())
            }
            Command::FailUnit(server, document) => {
                run(server, document).is_some_and(Run::is_running)
            }
            Command::Complete(server, document) => run(server, document).is_some_and(Run::is_done),
            Command::Fail(server, document, _) => run(server, document).is_some(),
            Command::CompleteAgain(server, document) => {
                self.servers[server].completed.contains(&document)
            }
            Command::PlanRound(server) => {
                let passed = self.all_settled() && self.stage != BatchStage::Resolving;
                self.has_token(server) && (passed || !self.admits(server))
            }
            Command::Settle(server) => {
                let mut documents = self.documents.iter();
                let due = self.round < self.rounds() && documents.any(Document::may_be_mended);
                self.has_token(server) && !(due && self.admits(server))
            }
            Command::Resolve(server) => {
                let ready = self.stage == BatchStage::Resolving;
                self.has_token(server) && (ready || !self.admits(server))
            }
            Command::BeginRound(server) => self.has_token(server),
            Command::StartAgain { .. }
            | Command::StartDocuments(..)
            | Command::Forget(_)
            | Command::Claim { .. }
            | Command::Reclaim(_)
            | Command::Beat(_)
            | Command::Release(_)
            | Command::Crash(_)
            | Command::TimePasses
            | Command::Cancel
            | Command::CancelByStranger
            | Command::Retry(_)
            | Command::Prune => true,
        }
    }

    fn has_token(&self, server: usize) -> bool {
        self.servers[server].token.is_some()
    }

    /// The store's content as text, to be compared line by line.
    pub(crate) fn rows(&self) -> String {
        let owner = self.owner.is_some();
        let skipped = self.count(&[DocumentStatus::Skipped]);
        let mut lines = vec![format!(
            "{} token {} owned {owner} round {} planned {}: {} completed, {} failed, {skipped} skipped, {} units",
            self.stage,
            self.token,
            self.round,
            self.planned,
            self.completed(),
            self.failed(),
            self.progress_units(),
        )];
        lines.extend(self.documents.iter().map(Document::line));
        lines.extend(self.events.iter().cloned());
        lines.join("\n")
    }
}

pub(crate) fn done() -> String {
    "done".to_owned()
}

fn fenced() -> String {
    "fenced".to_owned()
}
