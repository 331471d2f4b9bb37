//! The protocol: who may do what when.

use stateright::{Model, Property};

use super::{
    properties::properties,
    world::{Budget, Process, Stage, Status, Step, World},
};

/// A rule of the protocol. Each can be taken out, to see what it is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A write of a document carries the token that the document was taken with.
    DocumentToken,
    /// What was skipped is written no more: its token has grown, its execution does not run, and
    /// its batch has ended.
    Stopped,
    /// A decision on the batch carries the token of its leader.
    LeaderToken,
    /// Nothing is taken from an owner whose leases hold.
    Liveness,
    /// What the owner of run-out leases has begun is taken over.
    TakeOver,
    /// The lead of a batch is taken over.
    TakeLead,
    /// An owner looks for what it was given without hearing of it.
    OwnDocuments,
    /// A document is claimed if it still waits for its turn.
    Waiting,
    /// A unit that the journal holds is not reported again.
    UnitOnce,
    /// A run ends when every document is settled.
    AllSettled,
    /// A round is planned when every document is settled.
    FullPass,
    /// A round begins if it is still planned.
    RoundOnce,
}

/// What follows a failed document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Continue,
    Abort,
    /// So many rounds.
    Rounds(u8),
}

/// `W` processes and one batch of `D` documents.
#[derive(Debug, Clone)]
pub(crate) struct Protocol<const W: usize, const D: usize> {
    pub(crate) policy: Policy,
    pub(crate) budget: Budget,
    /// The rule that is taken out.
    pub(crate) without: Option<Rule>,
}

/// Whether a process hears that its commit was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Heard,
    Lost,
}

/// One step: a transaction, a fault, or time that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A process takes the lead of a batch that nobody alive leads, or that it has led before.
    Lead(usize),
    /// A process takes a document whose turn has come.
    Claim(usize, usize, Answer),
    /// A process takes a document from an owner whose leases have run out.
    TakeOver(usize, usize),
    /// A process goes on with a document that is its own and that it does not work on.
    Resume(usize, usize),
    /// A process records the document's unit.
    Record(usize, usize, Answer),
    /// A process records that the document completed.
    Complete(usize, usize, Answer),
    /// A process records that the document failed.
    Fail(usize, usize, Answer),
    /// A process sees that a round is to follow, and decides when.
    PlanRound(usize),
    /// A process begins the round that it waited for.
    BeginRound(usize, Answer),
    /// A process ends the pass.
    Settle(usize),
    /// A process resolves the batch's entities.
    Resolve(usize),
    /// A process ends a batch that cannot go on.
    GiveUp(usize),
    /// A process extends its leases.
    Beat(usize),
    /// A user cancels the batch.
    Cancel,
    /// A user asks a process to retry what did not complete.
    Retry(usize),
    /// A process dies.
    Crash(usize),
    /// A process stops for a while.
    Pause(usize),
    /// It goes on.
    Wake(usize),
    /// The leases of a process run out.
    Expire(usize),
}

impl Action {
    /// Whether the protocol does it by itself, or time: no fault, no user, no process that may
    /// sleep for ever.
    pub(crate) fn is_progress(self) -> bool {
        !matches!(
            self,
            Self::Cancel
                | Self::Retry(_)
                | Self::GiveUp(_)
                | Self::Crash(_)
                | Self::Pause(_)
                | Self::Wake(_)
        )
    }
}

impl<const W: usize, const D: usize> Protocol<W, D> {
    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// Whether the writes of the process' hold on the document are admitted.
    fn admits(&self, world: &World<W, D>, worker: usize, document: usize) -> bool {
        let Some(held) = world.workers[worker].held[document] else {
            return false;
        };
        let row = &world.documents[document];
        let ended = world.batch.stage.is_terminal();
        if !self.keeps(Rule::Stopped) && row.status == Status::Skipped {
            return true;
        }
        !ended && (held.token == row.token || !self.keeps(Rule::DocumentToken))
    }

    /// Whether the process may decide on the batch, as far as the database looks.
    fn may_lead(&self, world: &World<W, D>, worker: usize) -> bool {
        let led = world.workers[worker].lead.is_some() && !world.batch.stage.is_terminal();
        world.leads(worker) || (led && !self.keeps(Rule::LeaderToken))
    }

    fn can_take_lead(&self, world: &World<W, D>, worker: usize) -> bool {
        let free = match world.batch.leader {
            None => true,
            Some(leader) if leader == worker => !world.leads(worker),
            Some(leader) => self.keeps(Rule::TakeLead) && !world.alive[leader],
        };
        free && !world.batch.stage.is_terminal()
    }

    /// Whether failed documents get another round.
    fn round_is_due(&self, world: &World<W, D>) -> bool {
        match self.policy {
            Policy::Rounds(rounds) => world.batch.round < rounds && world.has(Status::Failed),
            Policy::Continue | Policy::Abort => false,
        }
    }

    fn can_claim(&self, world: &World<W, D>, worker: usize, document: usize) -> bool {
        let waits = world.documents[document].status == Status::Queued;
        let works = world.works_on(worker, document);
        let mistaken = !self.keeps(Rule::Waiting)
            && world.documents[document].status == Status::Processing
            && !works;
        waits || mistaken
    }

    fn can_take_over(&self, world: &World<W, D>, worker: usize, document: usize) -> bool {
        let row = &world.documents[document];
        let Some(owner) = row.owner.filter(|owner| *owner != worker) else {
            return false;
        };
        self.keeps(Rule::TakeOver)
            && row.status == Status::Processing
            && !(self.keeps(Rule::Liveness) && world.alive[owner])
    }

    fn can_resume(&self, world: &World<W, D>, worker: usize, document: usize) -> bool {
        self.keeps(Rule::OwnDocuments)
            && world.documents[document].status == Status::Processing
            && world.documents[document].owner == Some(worker)
            && !world.works_on(worker, document)
    }

    fn can_settle(&self, world: &World<W, D>) -> bool {
        let settled = world.all_settled() || !self.keeps(Rule::AllSettled);
        world.batch.stage == Stage::Running && settled && !self.round_is_due(world)
    }

    fn can_plan(&self, world: &World<W, D>, worker: usize) -> bool {
        let settled = world.all_settled() || !self.keeps(Rule::FullPass);
        self.round_is_due(world) && settled && !world.workers[worker].waits_for_round
    }

    /// What a process may do with a document.
    fn work(&self, world: &World<W, D>, worker: usize, document: usize, actions: &mut Vec<Action>) {
        let answers = answers(world);
        if !world.batch.stage.is_terminal() {
            if self.can_claim(world, worker, document) {
                actions.extend(
                    answers
                        .iter()
                        .map(|answer| Action::Claim(worker, document, *answer)),
                );
            }
            if self.can_take_over(world, worker, document) {
                actions.push(Action::TakeOver(worker, document));
            }
            if self.can_resume(world, worker, document) {
                actions.push(Action::Resume(worker, document));
            }
        }
        match world.workers[worker].held[document].map(|held| held.step) {
            None => {}
            Some(Step::Unit) => {
                actions.extend(
                    answers
                        .iter()
                        .map(|answer| Action::Record(worker, document, *answer)),
                );
            }
            Some(Step::Outcome) => {
                actions.extend(
                    answers
                        .iter()
                        .map(|answer| Action::Complete(worker, document, *answer)),
                );
                if world.left.failures > 0 {
                    actions.extend(
                        answers
                            .iter()
                            .map(|answer| Action::Fail(worker, document, *answer)),
                    );
                }
            }
        }
    }

    /// What a process may do with the batch.
    fn lead(&self, world: &World<W, D>, worker: usize, actions: &mut Vec<Action>) {
        if self.can_take_lead(world, worker) {
            actions.push(Action::Lead(worker));
        }
        if !self.may_lead(world, worker) {
            return;
        }
        if world.left.defects > 0 {
            actions.push(Action::GiveUp(worker));
        }
        if self.can_plan(world, worker) {
            actions.push(Action::PlanRound(worker));
        }
        if world.workers[worker].waits_for_round {
            let answers = answers(world).iter();
            actions.extend(answers.map(|answer| Action::BeginRound(worker, *answer)));
        }
        if self.can_settle(world) {
            actions.push(Action::Settle(worker));
        }
        if world.batch.stage == Stage::Resolving {
            actions.push(Action::Resolve(worker));
        }
    }

    /// What may happen to a process.
    fn faults(world: &World<W, D>, worker: usize, actions: &mut Vec<Action>) {
        let others = (0..W).any(|other| other != worker && world.is_up(other));
        match world.workers[worker].process {
            Process::Up => {
                if !world.alive[worker] {
                    actions.push(Action::Beat(worker));
                } else if world.left.late > 0 {
                    actions.push(Action::Expire(worker));
                }
                // One process stays alive.
                if others && world.left.crashes > 0 {
                    actions.push(Action::Crash(worker));
                }
                if others && world.left.pauses > 0 {
                    actions.push(Action::Pause(worker));
                }
            }
            Process::Paused => {
                actions.push(Action::Wake(worker));
                if world.alive[worker] {
                    actions.push(Action::Expire(worker));
                }
            }
            Process::Dead if world.alive[worker] => actions.push(Action::Expire(worker)),
            Process::Dead => {}
        }
    }

    fn record(&self, world: &mut World<W, D>, worker: usize, document: usize, answer: Answer) {
        if !self.admits(world, worker, document) {
            world.workers[worker].held[document] = None;
            return;
        }
        let runs = world.documents[document].status == Status::Processing;
        if !runs && self.keeps(Rule::Stopped) {
            return;
        }
        world.stray |= world.batch.stage.is_terminal() || !runs;
        let token = world.workers[worker].held[document].map(|held| held.token);
        let row = &mut world.documents[document];
        world.second_commit |= row.journaled.is_some() && row.journaled != token;
        if row.journaled.is_none() || !self.keeps(Rule::UnitOnce) {
            row.journaled = token;
            row.reports += 1;
        }
        if let (Answer::Heard, Some(held)) = (answer, &mut world.workers[worker].held[document]) {
            held.step = Step::Outcome;
        }
    }

    fn outcome(&self, world: &mut World<W, D>, worker: usize, document: usize, status: Status) {
        let runs = world.documents[document].status == Status::Processing;
        if !self.admits(world, worker, document) || !runs {
            return;
        }
        world.settle_document(document, status);
        world.documents[document].outcomes += 1;
        if status == Status::Failed && self.policy == Policy::Abort {
            world.skip_unfinished();
            world.enter(Stage::Failed);
        }
    }

    fn begin_round(&self, world: &mut World<W, D>) {
        if world.batch.planned || !self.keeps(Rule::RoundOnce) {
            world.early_round |= !world.all_settled();
            world.queue(|status| status == Status::Failed);
            world.batch.round += 1;
            world.batch.planned = false;
        }
    }

    /// What whoever leads the batch decides.
    fn decide(&self, world: &mut World<W, D>, action: Action) {
        match action {
            Action::PlanRound(worker) => {
                world.batch.planned = true;
                world.workers[worker].waits_for_round = true;
            }
            Action::BeginRound(worker, answer) => {
                self.begin_round(world);
                world.workers[worker].waits_for_round = answer == Answer::Lost;
                Self::spend(world, answer);
            }
            Action::Settle(_) => settle(world),
            Action::GiveUp(_) => {
                world.left.defects -= 1;
                world.skip_unfinished();
                world.enter(Stage::Failed);
            }
            _ => world.enter(Stage::Completed),
        }
    }

    fn spend(world: &mut World<W, D>, answer: Answer) {
        if answer == Answer::Lost {
            world.left.lost -= 1;
        }
    }
}

/// Whether a process hears that its commit was made: always, or perhaps not.
fn answers<const W: usize, const D: usize>(world: &World<W, D>) -> &'static [Answer] {
    if world.left.lost > 0 {
        &[Answer::Heard, Answer::Lost]
    } else {
        &[Answer::Heard]
    }
}

fn settle<const W: usize, const D: usize>(world: &mut World<W, D>) {
    let stage = if world.has(Status::Completed) {
        Stage::Resolving
    } else {
        Stage::Failed
    };
    world.enter(stage);
}

fn can_retry<const W: usize, const D: usize>(world: &World<W, D>) -> bool {
    match world.batch.stage {
        Stage::Failed => true,
        Stage::Completed => world.has(Status::Failed),
        Stage::Running | Stage::Resolving | Stage::Cancelled => false,
    }
}

impl<const W: usize, const D: usize> Model for Protocol<W, D> {
    type State = World<W, D>;
    type Action = Action;

    fn init_states(&self) -> Vec<Self::State> {
        vec![World::new(self.budget)]
    }

    fn actions(&self, world: &Self::State, actions: &mut Vec<Self::Action>) {
        for worker in 0..W {
            if world.is_up(worker) {
                self.lead(world, worker, actions);
                if world.left.retries > 0 && can_retry(world) {
                    actions.push(Action::Retry(worker));
                }
                for document in 0..D {
                    self.work(world, worker, document, actions);
                }
            }
            Self::faults(world, worker, actions);
        }
        if world.left.cancels > 0 && !world.batch.stage.is_terminal() {
            actions.push(Action::Cancel);
        }
    }

    fn next_state(&self, world: &Self::State, action: Self::Action) -> Option<Self::State> {
        let mut next = world.clone();
        let world = &mut next;
        match action {
            Action::Lead(worker) => world.lead(worker),
            Action::Claim(worker, document, answer) => {
                world.documents[document].status = Status::Processing;
                world.documents[document].attempts += 1;
                world.give(worker, document, answer == Answer::Heard);
                Self::spend(world, answer);
            }
            Action::TakeOver(worker, document) | Action::Resume(worker, document) => {
                // Whoever takes over says that it is alive: two whose leases have run out would take
                // a document from each other for ever.
                world.alive[worker] = true;
                world.give(worker, document, true);
            }
            Action::Record(worker, document, answer) => {
                self.record(world, worker, document, answer);
                Self::spend(world, answer);
            }
            Action::Complete(worker, document, answer) => {
                self.outcome(world, worker, document, Status::Completed);
                if answer == Answer::Heard {
                    world.workers[worker].held[document] = None;
                }
                Self::spend(world, answer);
            }
            Action::Fail(worker, document, answer) => {
                world.left.failures -= 1;
                self.outcome(world, worker, document, Status::Failed);
                if answer == Answer::Heard {
                    world.workers[worker].held[document] = None;
                }
                Self::spend(world, answer);
            }
            Action::PlanRound(worker)
            | Action::BeginRound(worker, _)
            | Action::Settle(worker)
            | Action::Resolve(worker)
            | Action::GiveUp(worker) => {
                world.usurped |= !world.leads(worker);
                self.decide(world, action);
            }
            Action::Beat(worker) => world.alive[worker] = true,
            Action::Cancel => {
                world.left.cancels -= 1;
                world.skip_unfinished();
                world.enter(Stage::Cancelled);
            }
            Action::Retry(worker) => {
                world.left.retries -= 1;
                world.queue(|status| status != Status::Completed);
                world.batch.round = 0;
                world.batch.stage = Stage::Running;
                world.lead(worker);
            }
            Action::Crash(worker) => {
                world.left.crashes -= 1;
                world.workers[worker].process = Process::Dead;
                world.workers[worker].held = [None; D];
                world.workers[worker].lead = None;
                world.workers[worker].waits_for_round = false;
            }
            Action::Pause(worker) => {
                world.left.pauses -= 1;
                world.workers[worker].process = Process::Paused;
            }
            Action::Wake(worker) => world.workers[worker].process = Process::Up,
            Action::Expire(worker) => {
                if world.is_up(worker) {
                    world.left.late -= 1;
                }
                world.workers[worker].late = true;
                world.alive[worker] = false;
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties()
    }
}
