//! Random histories of commands on the ledger, compared after each with rules that are simple
//! enough to be read.
//!
//! Two servers share a batch of up to three documents: they start, work, fail, complete, crash, come
//! late, take the lead and documents over from each other and are steered, in any order that a
//! server could come upon, with leases that hold or have passed on. After every command its answer and every row that matters are
//! what the rules say; after the last one the database keeps every invariant that `knowledge verify`
//! knows. `KNOWLEDGE_HISTORIES` says how many histories are tried on each database.
//!
//! What fails is shortened, printed as a list of commands, and tried again first from then on: its
//! seed is in `regressions.txt`.

mod command;
mod document;
mod plan;
mod reference;
mod rows;
mod subject;
mod wire;

use std::collections::BTreeMap;

use command::{Command, Failure, Request};
use knowledge_domain::batch::FailurePolicy;
use knowledge_server::{store::Store, verify};
use knowledge_tests::{Backend, TestDatabase};
use plan::CHECKPOINTS;
use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{Config, FileFailurePersistence, TestError, TestRunner},
};
use proptest_state_machine::ReferenceStateMachine;
use reference::Reference;
use subject::Subject;
use tokio::runtime::Runtime;

/// Where seeds of failures are kept.
const REGRESSIONS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/histories/regressions.txt"
);
/// Histories that are tried on SQLite and on PostgreSQL, where nothing else is asked for.
const HISTORIES: [u32; 2] = [20, 8];
/// Commands of a history.
const COMMANDS: std::ops::Range<usize> = 20..90;

/// What may be asked for at a moment.
struct Histories;

impl ReferenceStateMachine for Histories {
    type State = Reference;
    type Transition = Command;

    fn init_state() -> BoxedStrategy<Reference> {
        let policies = vec![
            FailurePolicy::ContinueOnFailure,
            FailurePolicy::AbortAll,
            FailurePolicy::RetryFailed,
        ];
        let request = (1..=3_usize, select(policies), 0..=2_u32, any::<bool>());
        let request = request.prop_map(|(documents, policy, rounds, resolution)| Request {
            documents,
            policy,
            rounds,
            resolution,
        });
        request.prop_map(Reference::new).boxed()
    }

    fn transitions(state: &Reference) -> BoxedStrategy<Command> {
        let mut possible = Vec::new();
        for server in 0..state.servers.len() {
            possible.extend(commands_of(state, server));
        }
        possible.extend([
            (1, Command::StartAgain { same: true }),
            (1, Command::StartAgain { same: false }),
            (3, Command::TimePasses),
            (1, Command::Cancel),
            (1, Command::CancelByStranger),
            (1, Command::Prune),
        ]);
        let possible = possible
            .into_iter()
            .filter(|(_, command)| state.allows(*command));
        let weighted = possible.map(|(weight, command)| (weight, Just(command).boxed()));
        proptest::strategy::Union::new_weighted(weighted.collect()).boxed()
    }

    fn apply(mut state: Reference, command: &Command) -> Reference {
        state.apply(*command);
        state
    }

    fn preconditions(state: &Reference, command: &Command) -> bool {
        state.allows(*command)
    }
}

/// What a server may do, the likelier the greater the weight; what will be refused is rare.
fn commands_of(state: &Reference, server: usize) -> Vec<(u32, Command)> {
    let claim = |force| Command::Claim { server, force };
    let retry = if state.stage.is_terminal() { 9 } else { 1 };
    let free = if state.can_claim(server) { 6 } else { 1 };
    let mut commands = vec![
        (free, claim(false)),
        (1, claim(true)),
        (3, Command::Beat(server)),
        (1, Command::Release(server)),
        (1, Command::Crash(server)),
        (1, Command::Forget(server)),
        (1, Command::Reclaim(server)),
        (6, Command::StartDocuments(server, 1)),
        (6, Command::StartDocuments(server, 3)),
        (retry, Command::Retry(server)),
    ];
    let usual = |admitted: bool, weight: u32| if admitted { weight } else { 1 };
    let leads = usual(state.admits(server), 6);
    commands.extend([
        (leads, Command::Settle(server)),
        (leads, Command::Resolve(server)),
        (leads, Command::PlanRound(server)),
        (leads, Command::BeginRound(server)),
    ]);
    for document in 0..state.documents.len() {
        let runs = |weight| usual(state.admits_run(server, document), weight);
        commands.extend([
            (runs(9), Command::Work(server, document, 1)),
            (runs(9), Command::Work(server, document, 3)),
            (runs(12), Command::Work(server, document, CHECKPOINTS)),
            (runs(3), Command::FailUnit(server, document)),
            (runs(18), Command::Complete(server, document)),
            (1, Command::CompleteAgain(server, document)),
            (runs(2), Command::Fail(server, document, Failure::Retryable)),
            (1, Command::Fail(server, document, Failure::Permanent)),
        ]);
    }
    commands
}

/// Tries a history; what differs, where something does.
async fn run(
    store: &Store,
    mut reference: Reference,
    commands: &[Command],
) -> Result<(), TestCaseError> {
    let mut subject = Subject::new(store, reference.request).await;
    let outcome = follow(&mut subject, &mut reference, commands).await;
    // The next history finds the store as this one did.
    subject.remove().await;
    outcome
}

async fn follow(
    subject: &mut Subject,
    reference: &mut Reference,
    commands: &[Command],
) -> Result<(), TestCaseError> {
    same(reference, "created", subject).await?;
    for command in commands {
        let before = reference.clone();
        reference.apply(*command);
        let answer = subject.apply(*command, &before).await;
        same(reference, &answer, subject).await?;
    }
    let report = verify::verify(&subject.store).await;
    let report = report.map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert!(report.is_clean(), "{report}");
    Ok(())
}

async fn same(reference: &Reference, answer: &str, subject: &Subject) -> Result<(), TestCaseError> {
    prop_assert_eq!(answer, &reference.answer);
    let rows = rows::read(&subject.store, subject.batch).await;
    let expected = reference.rows();
    prop_assert!(
        rows == expected,
        "the store holds\n{rows}\nthe rules say\n{expected}"
    );
    Ok(())
}

/// Tries as many histories as are asked for.
fn histories(backend: Backend) {
    let Some(database) = TestDatabase::create(backend) else {
        return;
    };
    let runtime = Runtime::new().expect("a runtime can be built");
    let store = runtime.block_on(database.open());
    let mut runner = TestRunner::new(config(backend));
    let tried = runner.run(
        &Histories::sequential_strategy(COMMANDS),
        |(reference, commands, seen)| {
            if let Some(seen) = seen {
                seen.fetch_add(commands.len(), std::sync::atomic::Ordering::SeqCst);
            }
            runtime.block_on(run(&store, reference, &commands))
        },
    );
    runtime.block_on(store.close()).expect("the store closes");
    match tried {
        Ok(()) => {}
        Err(TestError::Fail(reason, (reference, commands, _))) => {
            let commands: Vec<_> = commands
                .iter()
                .map(|command| format!("{command:?}"))
                .collect();
            panic!("{:?}\n{}\n{reason}", reference.request, commands.join("\n"))
        }
        Err(error) => panic!("{error}"),
    }
}

fn config(backend: Backend) -> Config {
    let few = match backend {
        Backend::Sqlite => HISTORIES[0],
        Backend::Postgres => HISTORIES[1],
    };
    let asked = std::env::var("KNOWLEDGE_HISTORIES").ok();
    let asked = asked.map(|asked| asked.parse().expect("KNOWLEDGE_HISTORIES is a number"));
    Config {
        cases: asked.unwrap_or(few),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        max_shrink_iters: 400,
        ..Config::default()
    }
}

/// The histories that are tried come upon everything that the rules tell of.
#[test]
fn histories_meet_every_rule() {
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..SAMPLE {
        let strategy = Histories::sequential_strategy(COMMANDS);
        let tree = strategy.new_tree(&mut runner).expect("a history is found");
        let (mut reference, commands, _) = tree.current();
        for command in commands {
            reference.apply(command);
            let name = format!("{command:?}");
            let name = name.split(['(', ' ']).next().unwrap_or_default();
            let answer = reference.answer.split(' ').next().unwrap_or_default();
            *met.entry(format!("{name}: {answer}")).or_default() += 1;
        }
        for event in &reference.events {
            let name = event.split(' ').next().unwrap_or_default();
            *met.entry(name.to_owned()).or_default() += 1;
        }
    }
    for name in EVERYTHING {
        assert!(met.contains_key(*name), "no {name} in {met:#?}");
    }
}

/// Histories that are looked at without a database.
const SAMPLE: usize = 100;

/// Commands with their answers, and events.
const EVERYTHING: &[&str] = &[
    "BatchCancelled",
    "BatchCompleted",
    "BatchFailed",
    "BeginRound: done",
    "BeginRound: fenced",
    "Cancel: changed",
    "Cancel: refused",
    "Cancel: unchanged",
    "Claim: claimed",
    "Claim: not",
    "Complete: done",
    "Complete: fenced",
    "CompleteAgain: done",
    "CompleteAgain: fenced",
    "DocumentSkipped",
    "Fail: done",
    "Fail: fenced",
    "FailUnit: done",
    "FailUnit: fenced",
    "PlanRound: a",
    "PlanRound: fenced",
    "PlanRound: no",
    "ResolutionCompleted",
    "Resolve: fenced",
    "Reclaim: claimed",
    "Reclaim: not",
    "Retry: changed",
    "Retry: refused",
    "Settle: Ended",
    "Settle: Resolve",
    "Settle: Unsettled",
    "Settle: fenced",
    "StartDocuments: fenced",
    "StartDocuments: runs",
    "Work: done",
    "Work: fenced",
];

#[test]
fn sqlite() {
    histories(Backend::Sqlite);
}

#[test]
fn postgres() {
    histories(Backend::Postgres);
}
