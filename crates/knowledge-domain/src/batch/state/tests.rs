use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::batch::diagram::{all_states, all_triggers};

#[test]
fn table() {
    let mut table = String::new();
    for (label, state) in all_states() {
        for (trigger_label, trigger) in all_triggers() {
            let outcome = state.apply(trigger, DateTime::UNIX_EPOCH).map_or_else(
                |error| format!("refused: {error}"),
                |next| format!("{} + {}", next.state.stage(), next.event.name()),
            );
            writeln!(table, "{label} × {trigger_label} → {outcome}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn who_is_refused_is_told_what_to_do() {
    let mut refusals = 0;
    for (label, state) in all_states() {
        for (trigger_label, trigger) in all_triggers() {
            let by_a_user = matches!(trigger, BatchTrigger::Retry | BatchTrigger::Cancel { .. });
            if let Err(refused) = state.apply(trigger, DateTime::UNIX_EPOCH) {
                let case = format!("{label} × {trigger_label}");
                assert_eq!(refused.advice().is_some(), by_a_user, "{case}");
                refusals += usize::from(by_a_user);
            }
        }
    }
    assert!(refusals > 5, "{refusals}");
}

fn any_trigger() -> impl Strategy<Value = BatchTrigger> {
    let triggers: Vec<_> = all_triggers()
        .into_iter()
        .map(|(_, trigger)| trigger)
        .collect();
    prop::sample::select(triggers)
}

proptest! {
    #[test]
    fn a_run_moves_forward_one_stage_at_a_time_and_ends_once(
        triggers in prop::collection::vec(any_trigger(), 0..60)
    ) {
        let mut state = BatchState::Pending;
        for trigger in triggers {
            let from = state.stage();
            let retried = trigger == BatchTrigger::Retry;
            let Ok(next) = state.apply(trigger, DateTime::UNIX_EPOCH) else { continue };
            let to = next.state.stage();
            if retried {
                prop_assert!(from.is_terminal() && from != BatchStage::Cancelled);
                prop_assert_eq!(to, BatchStage::Pending);
            } else {
                prop_assert!(!from.is_terminal(), "{} left its end for {}", from, to);
                prop_assert!(to > from);
                prop_assert!(to.is_terminal() || from.next() == Some(to));
            }
            prop_assert_eq!(next.event.is_terminal(), to.is_terminal());
            state = next.state;
        }
    }

    #[test]
    fn states_read_back_as_written(index in 0_usize..32) {
        let states = all_states();
        let (_, state) = &states[index % states.len()];
        let json = serde_json::to_string(state).unwrap();
        prop_assert_eq!(&serde_json::from_str::<BatchState>(&json).unwrap(), state);
    }
}
