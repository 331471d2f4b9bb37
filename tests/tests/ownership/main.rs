//! The ownership protocol, model-checked: processes that share a batch's documents, whatever
//! crashes, sleeps, comes late, is cancelled or retried.
//!
//! `world.rs` holds the rows and the processes' memories, `protocol.rs` who may do what when,
//! `properties.rs` what must hold. The model has one unit a document and no text: what it shares with the code is which rows a
//! transaction reads, what it requires of them, and what it changes. A transaction is one step,
//! because each locks the batch's row first.
//!
//! | step | in `knowledge-server` |
//! |---|---|
//! | `Lead` | `Ledger::claim` and `Ledger::reclaim`: `BatchChange::lease_to` |
//! | `Claim`, `TakeOver`, `Resume` | `Ledger::start_documents`: `start`, `take_over` and `resume` of `turn.rs` |
//! | `Record` | `Ledger::checkpoint`: `record`, for a workflow that is `running` |
//! | `Complete`, `Fail` | `Ledger::complete_document`, `Ledger::fail_document` |
//! | `PlanRound`, `BeginRound` | `Ledger::plan_round`, `Ledger::begin_round` |
//! | `Settle`, `Resolve`, `GiveUp` | `Ledger::settle`, `Ledger::resolve`, `Ledger::fail_batch` |
//! | `Beat`, `Expire` | `Ledger::heartbeat`, and a row of `server` that runs out |
//! | `Cancel`, `Retry` | `Ledger::cancel`, `Ledger::retry` |
//!
//! `BatchChange::admit` checks the tokens: `Rule::DocumentToken` is its `Right::Run`, and
//! `Rule::LeaderToken` its `Right::Leader`. `Rule::Stopped` is what a cancel leaves:
//! `cancel_executions` raises the tokens, and `running` and `admit` refuse what has ended.
//! `Rule::UnitOnce` stands for `proof.rs`, which finds out whether a commit without an answer was
//! made. `Rule::FullPass` is in the runner, whose pass ends when no document waits or runs anywhere.
//!
//! Left out: a batch's concurrency and the servers' shares of it, suspensions, and drains, which are
//! crashes that give their leases up.
//!
//! Every fault takes from a budget, and every other step brings the batch nearer to its end, so
//! that no path is endless: a state in which nothing goes on by itself is one where work stopped.

mod properties;
mod protocol;
mod world;

use protocol::{Policy, Protocol, Rule};
use stateright::{Checker, HasDiscoveries, Model};
use world::Budget;

/// What a search of every state found.
struct Checked {
    violated: Vec<(&'static str, String)>,
    states: usize,
    refuses_former_owners: bool,
    completes: bool,
}

fn search<const W: usize, const D: usize>(protocol: Protocol<W, D>) -> Checked {
    let control = protocol.without.is_some();
    let finish = if control {
        HasDiscoveries::AnyFailures
    } else {
        HasDiscoveries::All
    };
    let checked = protocol.checker().finish_when(finish).spawn_bfs().join();
    let mut found = checked.discoveries();
    let mut violated: Vec<_> = found
        .extract_if(|name, _| {
            checked
                .model()
                .property(name)
                .expectation
                .discovery_is_failure()
        })
        .map(|(name, path)| (name, format!("{:?}", path.into_actions())))
        .collect();
    violated.sort();
    Checked {
        violated,
        states: checked.unique_state_count(),
        refuses_former_owners: found.contains_key("a former owner is refused"),
        completes: found.contains_key("the batch completes"),
    }
}

/// Searches every state of the whole protocol.
#[track_caller]
fn holds<const W: usize, const D: usize>(policy: Policy, budget: Budget) -> Checked {
    let checked = search(Protocol::<W, D> {
        policy,
        budget,
        without: None,
    });
    assert!(checked.violated.is_empty(), "{:#?}", checked.violated);
    assert!(checked.completes, "no path leads to the end");
    checked
}

/// Searches for what goes wrong without a rule.
#[track_caller]
fn without(rule: Rule, policy: Policy, budget: Budget, violated: &str) {
    let protocol = Protocol::<2, 2> {
        policy,
        budget,
        without: None,
    };
    let whole = search(protocol.clone());
    assert!(whole.violated.is_empty(), "{:#?}", whole.violated);
    let checked = search(Protocol {
        without: Some(rule),
        ..protocol
    });
    let names: Vec<_> = checked.violated.iter().map(|(name, _)| *name).collect();
    assert!(
        names.contains(&violated),
        "without {rule:?}: {:#?}",
        checked.violated
    );
}

const NOTHING: Budget = Budget {
    crashes: 0,
    pauses: 0,
    late: 0,
    lost: 0,
    defects: 0,
    failures: 0,
    cancels: 0,
    retries: 0,
};

const CRASH: Budget = Budget {
    crashes: 1,
    ..NOTHING
};

const PAUSE: Budget = Budget {
    pauses: 1,
    ..NOTHING
};

const EVERYTHING: Budget = Budget {
    crashes: 1,
    pauses: 1,
    late: 0,
    lost: 1,
    defects: 0,
    failures: 1,
    cancels: 1,
    retries: 1,
};

#[test]
fn one_sleeps_and_one_is_late() {
    let faults = Budget { late: 1, ..PAUSE };
    let checked = holds::<2, 2>(Policy::Continue, faults);
    assert!(checked.refuses_former_owners);
    assert!(checked.states > 10_000, "{} states", checked.states);
}

#[test]
fn three_share_the_documents() {
    let faults = Budget {
        crashes: 1,
        ..PAUSE
    };
    assert!(holds::<3, 2>(Policy::Continue, faults).refuses_former_owners);
}

#[test]
fn a_user_cancels_at_any_moment() {
    let faults = Budget {
        cancels: 1,
        lost: 1,
        ..PAUSE
    };
    assert!(holds::<2, 2>(Policy::Continue, faults).refuses_former_owners);
}

#[test]
fn a_failure_ends_the_batch_and_a_user_retries() {
    let faults = Budget {
        failures: 1,
        retries: 1,
        ..PAUSE
    };
    assert!(holds::<2, 2>(Policy::Abort, faults).refuses_former_owners);
}

#[test]
fn rounds_follow_whole_passes() {
    let faults = Budget {
        failures: 2,
        ..PAUSE
    };
    assert!(holds::<2, 2>(Policy::Rounds(1), faults).refuses_former_owners);
}

#[test]
fn all_faults_meet_one_document() {
    for policy in [Policy::Continue, Policy::Abort, Policy::Rounds(1)] {
        assert!(holds::<2, 1>(policy, EVERYTHING).refuses_former_owners);
    }
}

#[test]
fn all_faults_meet_three_processes() {
    for policy in [Policy::Continue, Policy::Abort, Policy::Rounds(1)] {
        assert!(holds::<3, 1>(policy, EVERYTHING).refuses_former_owners);
    }
}

#[test]
fn without_the_documents_token_a_former_owner_commits_a_second_time() {
    without(
        Rule::DocumentToken,
        Policy::Continue,
        PAUSE,
        "a unit is committed once",
    );
}

#[test]
fn without_a_stop_a_cancelled_document_is_written() {
    let cancel = Budget {
        cancels: 1,
        ..NOTHING
    };
    without(
        Rule::Stopped,
        Policy::Continue,
        cancel,
        "nothing is written of what has ended",
    );
}

#[test]
fn without_the_leaders_token_a_former_leader_gives_the_batch_up() {
    let defect = Budget {
        defects: 1,
        ..PAUSE
    };
    without(
        Rule::LeaderToken,
        Policy::Continue,
        defect,
        "a batch has one leader",
    );
}

#[test]
fn without_taking_the_lead_a_crash_leaves_a_batch_that_never_ends() {
    without(
        Rule::TakeLead,
        Policy::Continue,
        CRASH,
        "work never stops before the end",
    );
}

#[test]
fn without_liveness_documents_are_taken_from_those_who_run_them() {
    without(
        Rule::Liveness,
        Policy::Continue,
        NOTHING,
        "a document runs in one place",
    );
}

#[test]
fn without_taking_over_a_crash_loses_a_document() {
    without(
        Rule::TakeOver,
        Policy::Continue,
        CRASH,
        "work never stops before the end",
    );
}

#[test]
fn without_looking_for_its_own_documents_a_lost_answer_loses_one() {
    let lost = Budget { lost: 1, ..NOTHING };
    without(
        Rule::OwnDocuments,
        Policy::Continue,
        lost,
        "work never stops before the end",
    );
}

#[test]
fn without_looking_whether_it_waits_a_document_is_claimed_twice() {
    without(
        Rule::Waiting,
        Policy::Continue,
        NOTHING,
        "a document runs in one place",
    );
}

#[test]
fn without_a_look_at_the_journal_a_lost_answer_is_a_second_report() {
    let lost = Budget { lost: 1, ..NOTHING };
    without(
        Rule::UnitOnce,
        Policy::Continue,
        lost,
        "a unit is reported once",
    );
}

#[test]
fn without_waiting_for_all_documents_a_batch_ends_early() {
    without(
        Rule::AllSettled,
        Policy::Continue,
        NOTHING,
        "a batch ends with its documents",
    );
}

#[test]
fn without_a_whole_pass_a_round_begins_while_documents_run() {
    let failure = Budget {
        failures: 1,
        ..NOTHING
    };
    without(
        Rule::FullPass,
        Policy::Rounds(1),
        failure,
        "a round follows a whole pass",
    );
}

#[test]
fn without_a_look_at_the_plan_a_lost_answer_is_a_second_round() {
    let failures = Budget {
        failures: 2,
        lost: 1,
        ..NOTHING
    };
    without(
        Rule::RoundOnce,
        Policy::Rounds(1),
        failures,
        "a round follows a whole pass",
    );
}
