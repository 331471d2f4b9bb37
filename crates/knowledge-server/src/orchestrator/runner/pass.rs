//! One pass over a batch's documents: which run, which come next, and when to look again.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use knowledge_domain::ids::ExecutionId;
use tokio::task::{JoinError, JoinSet};

use super::{Runner, Settings, document::Outcome};
use crate::{
    progress::Watch,
    store::{
        StoreError,
        ledger::{DocumentRun, LedgerError, StartRequest, Started},
    },
};

/// How often a batch that waits for other processes looks again, where nobody wakes it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a batch that was woken waits for more of the same.
const SETTLE: Duration = Duration::from_millis(100);

/// One pass over a batch's documents.
pub(super) struct Pass {
    /// Documents whose turn has come, and that do not run yet.
    next: VecDeque<DocumentRun>,
    pub(super) tasks: JoinSet<Turn>,
    /// Documents that run, each as a task.
    running: u32,
    /// Documents that have run, and whose outcome is being recorded.
    pub(super) recording: u32,
    ask: Ask,
    /// What is asked after the answer that is under way, where it does not know what happened since.
    then: Option<Ask>,
    tables: Tables,
    /// Whether to look again at what other processes do.
    recheck: bool,
    /// When it last looked.
    looked: Instant,
    /// Whether the share of this process was spent while others left room.
    overflow: bool,
    /// What the last answer left.
    left: Started,
    /// Wakes when the batch changes.
    changes: Watch,
}

/// Whether to ask for more documents.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// As soon as there is room.
    Wanted,
    /// Whatever room there is: the batch may have ended.
    Needed,
    /// The answer is under way.
    UnderWay,
    /// There is room, and what is left has to wait: for other processes, or for something outside.
    Blocked,
    /// Nothing is left.
    Done,
}

/// What the pass has made of the tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tables {
    /// Documents wait that will add to them.
    Filling,
    /// Hardly anything is added any more, and the database was let know.
    Filled,
}

/// What a task of a pass came to.
pub(super) enum Turn {
    /// A document's workflow has ended, and its place is free.
    Ended(DocumentRun, Outcome),
    /// An outcome is recorded, or refused.
    Recorded(DocumentRun, Recorded),
    /// More documents have their turn.
    Started(Result<Started, LedgerError>),
    /// The database knows its tables.
    Known,
}

/// What the record of an outcome came to.
pub(super) struct Recorded {
    pub(super) result: Result<(), LedgerError>,
    /// Whether the document failed, which may have ended the batch.
    pub(super) failed: bool,
}

impl Runner {
    /// Runs what was left running and every waiting document, up to the batch's concurrency at a
    /// time, until none is left; the process that leads the batch waits for what others run and
    /// for what is suspended. Documents, and the start of the next ones, are tasks of their own:
    /// one that waits for the store never keeps another from going on.
    pub(super) async fn pass(
        self: &Arc<Self>,
        settings: &Arc<Settings>,
        leads: bool,
    ) -> Result<(), LedgerError> {
        let mut pass = Pass::new(self.shared.ledger.hub().watch(self.batch));
        loop {
            self.fill(&mut pass, settings);
            let busy = !pass.tasks.is_empty();
            if !busy && (!pass.is_open(leads) || self.shared.registry.is_draining()) {
                return Ok(());
            }
            tokio::select! {
                Some(turn) = pass.tasks.join_next(), if busy => {
                    self.turn(&mut pass, turn)?;
                }
                () = self.stirred(&mut pass.changes, &pass.left), if pass.ask == Ask::Blocked => {
                    pass.look_again();
                }
                () = self.shared.registry.draining().cancelled(), if !busy => return Ok(()),
            }
        }
    }

    /// Waits until there may be something to do: another process has got on, a suspension is over,
    /// a user has told a document something.
    async fn stirred(&self, changes: &mut Watch, left: &Started) {
        let due = left.next_resume.map(|at| {
            let wait = at - self.shared.ledger.clock().now();
            wait.to_std().unwrap_or_default()
        });
        let others = left.elsewhere > 0 || left.shared;
        let limit = if others {
            LOOK_AGAIN
        } else {
            self.shared.settings.lease
        };
        let others_got_on = async {
            tokio::time::sleep(SETTLE).await;
            changes.changed(limit).await;
        };
        tokio::select! {
            () = others_got_on, if others => {}
            () = self.run.nudged() => {}
            () = tokio::time::sleep(due.unwrap_or(limit).min(limit)) => {}
        }
    }

    fn turn(
        self: &Arc<Self>,
        pass: &mut Pass,
        turn: Result<Turn, JoinError>,
    ) -> Result<(), LedgerError> {
        match turn {
            Ok(Turn::Ended(run, outcome)) => {
                pass.freed();
                self.record(pass, run, outcome)
            }
            Ok(Turn::Recorded(run, Recorded { result, failed })) => {
                pass.recording -= 1;
                if failed || result.is_err() {
                    pass.doubt();
                }
                self.recorded(run, result)
            }
            Ok(Turn::Started(result)) => {
                let answer = result?;
                if answer.ended {
                    return Err(LedgerError::Fenced(self.batch));
                }
                pass.started(answer);
                self.know_tables_beside(pass);
                Ok(())
            }
            Ok(Turn::Known) => Ok(()),
            // A user cancelled the document; what it held is given up.
            Err(error) if error.is_cancelled() => {
                pass.freed();
                Ok(())
            }
            Err(_) => Err(LedgerError::Store(StoreError::corrupt(
                "a document whose task panicked, which is a defect of knowledge; please report it",
            ))),
        }
    }

    /// Runs the documents whose turn has come, and asks for more where there is room.
    fn fill(self: &Arc<Self>, pass: &mut Pass, settings: &Arc<Settings>) {
        let window = settings.config.concurrency;
        let draining = self.shared.registry.is_draining();
        while pass.room(window) > 0
            && !draining
            && let Some(run) = pass.next.pop_front()
        {
            let (runner, settings) = (Arc::clone(self), Arc::clone(settings));
            let task = pass.tasks.spawn(async move {
                let outcome = runner.document(run, &settings).await;
                Turn::Ended(run, outcome)
            });
            self.run.begin(&run, task);
            pass.running += 1;
        }
        let waiting = u32::try_from(pass.next.len()).unwrap_or(u32::MAX);
        let running = pass.running.saturating_add(waiting);
        let free = if draining {
            0
        } else {
            pass.room(window).saturating_sub(waiting)
        };
        let asks = pass.ask == Ask::Needed || (pass.ask == Ask::Wanted && free > 0);
        if !asks {
            return;
        }
        let servers = self.shared.servers();
        let request = StartRequest {
            owner: self.shared.owner(),
            running,
            held: self.held(pass),
            free,
            share: if pass.overflow {
                window
            } else {
                window.div_ceil(servers)
            },
            recheck: pass.recheck(),
            alone: self.alone,
            quarantine_after: self.shared.settings.quarantine_after,
        };
        let runner = Arc::clone(self);
        pass.tasks
            .spawn(async move { Turn::Started(runner.start(request).await) });
        pass.ask = Ask::UnderWay;
        pass.overflow = false;
    }

    /// Lets the database know its tables while the last documents run: what follows reads much.
    fn know_tables_beside(self: &Arc<Self>, pass: &mut Pass) {
        if pass.left.waiting || pass.tables == Tables::Filled {
            return;
        }
        pass.tables = Tables::Filled;
        let runner = Arc::clone(self);
        pass.tasks.spawn(async move {
            runner.know_tables().await;
            Turn::Known
        });
    }

    async fn start(&self, request: StartRequest) -> Result<Started, LedgerError> {
        let ledger = &self.shared.ledger;
        self.stored(|| ledger.start_documents(self.organization, self.batch, request.clone()))
            .await
    }

    /// What this process runs, is about to run, or has run and not recorded.
    fn held(&self, pass: &Pass) -> Vec<ExecutionId> {
        let mut held = self.run.held();
        held.extend(pass.next.iter().map(|run| run.execution));
        held
    }
}

impl Pass {
    fn new(changes: Watch) -> Self {
        Self {
            next: VecDeque::new(),
            tasks: JoinSet::new(),
            running: 0,
            recording: 0,
            ask: Ask::Wanted,
            then: None,
            tables: Tables::Filling,
            recheck: true,
            looked: Instant::now(),
            overflow: false,
            left: Started::default(),
            changes,
        }
    }

    /// Places for documents within the batch's concurrency. Graphs that wait to be written are in
    /// memory: with the documents that run they are fewer than twice the concurrency. One at a
    /// time, a document begins when the one before is recorded.
    fn room(&self, concurrency: u32) -> u32 {
        let unrecorded = self.running.saturating_add(self.recording);
        let places = concurrency.saturating_mul(2).saturating_sub(1);
        let room = concurrency.saturating_sub(self.running);
        room.min(places.saturating_sub(unrecorded))
    }

    /// A document needs its place no longer.
    fn freed(&mut self) {
        self.running -= 1;
        self.ask_for(Ask::Wanted);
    }

    /// A record came to what may mean that the batch has ended; what runs is then dropped.
    fn doubt(&mut self) {
        self.ask_for(Ask::Needed);
    }

    fn ask_for(&mut self, ask: Ask) {
        match (self.ask, self.then) {
            (Ask::Needed, _) | (Ask::UnderWay, Some(Ask::Needed)) => {}
            (Ask::UnderWay, _) => self.then = Some(ask),
            _ => self.ask = ask,
        }
    }

    fn started(&mut self, mut answer: Started) {
        let left = answer.waiting || answer.elsewhere > 0 || answer.suspended > 0;
        self.ask = if let Some(ask) = self.then.take() {
            ask
        } else if answer.waiting && !answer.runs.is_empty() {
            Ask::Wanted
        } else if left {
            Ask::Blocked
        } else {
            Ask::Done
        };
        self.next.extend(answer.runs.drain(..));
        self.left = answer;
    }

    /// Whether to look at what other processes do: they may have died meanwhile.
    fn recheck(&mut self) -> bool {
        let others = self.left.elsewhere > 0 && self.looked.elapsed() >= LOOK_AGAIN;
        let recheck = std::mem::take(&mut self.recheck) || others;
        if recheck {
            self.looked = Instant::now();
        }
        recheck
    }

    fn look_again(&mut self) {
        self.ask = Ask::Wanted;
        self.recheck = true;
        self.overflow = self.left.shared;
    }

    /// Whether documents may follow although none runs.
    fn is_open(&self, leads: bool) -> bool {
        self.left.waiting || (leads && (self.left.elsewhere > 0 || self.left.suspended > 0))
    }
}
