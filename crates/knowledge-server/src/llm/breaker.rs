//! The circuit breaker: a pure state machine over the moments that it is told.
//!
//! Closed, it counts failures in a row; open, it lets nothing through for a while; half open, it
//! lets one probe through at a time and closes after enough successes.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How often a provider may fail, and how long it is left alone then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open.
    pub recovery: Duration,
    /// Successful probes that close it.
    pub successes: u32,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            failures: 5,
            recovery: Duration::from_secs(30),
            successes: 2,
        }
    }
}

/// The state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum BreakerState {
    /// Calls go through.
    Closed {
        /// Failures since the last success.
        failures: u32,
    },
    /// No call goes through.
    Open {
        /// When a probe may go through.
        until: DateTime<Utc>,
    },
    /// One call at a time goes through.
    HalfOpen {
        /// Probes that succeeded.
        successes: u32,
    },
}

/// The name of a state.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum BreakerStatus {
    /// Calls go through.
    Closed,
    /// No call goes through.
    Open,
    /// One call at a time goes through.
    HalfOpen,
}

impl BreakerState {
    /// The state before anything is known of a provider.
    pub const NEW: Self = Self::Closed { failures: 0 };

    /// Its name.
    #[must_use]
    pub fn status(self) -> BreakerStatus {
        match self {
            Self::Closed { .. } => BreakerStatus::Closed,
            Self::Open { .. } => BreakerStatus::Open,
            Self::HalfOpen { .. } => BreakerStatus::HalfOpen,
        }
    }
}

/// What a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The provider answered, whatever it said of the question.
    Success,
    /// The provider failed.
    Failure,
    /// Nobody waits for the answer any more; it says nothing of the provider.
    Cancelled,
}

/// A breaker of one provider and model.
#[derive(Debug, Clone)]
pub struct CircuitBreaker {
    rules: BreakerRules,
    state: BreakerState,
    /// Whether a probe is on its way.
    probing: bool,
}

impl CircuitBreaker {
    /// A breaker in the state that it was left in.
    #[must_use]
    pub fn new(rules: BreakerRules, state: BreakerState) -> Self {
        Self {
            rules,
            state,
            probing: false,
        }
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.state
    }

    /// Takes over a state that another process has come to. Where probes are what counts, one of
    /// this process is still awaited, and those that succeeded here are not forgotten.
    pub fn take_over(&mut self, state: BreakerState) {
        self.probing &= state.status() == BreakerStatus::HalfOpen;
        self.state = match (self.state, state) {
            (
                BreakerState::HalfOpen { successes: own },
                BreakerState::HalfOpen { successes: other },
            ) => BreakerState::HalfOpen {
                successes: own.max(other),
            },
            _ => state,
        };
    }

    /// Lets a call through. Its verdict must be recorded.
    ///
    /// # Errors
    /// The moment from which it is worth asking again.
    pub fn admit(&mut self, now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
        match self.state {
            BreakerState::Closed { .. } => Ok(()),
            BreakerState::Open { until } if now < until => Err(until),
            BreakerState::Open { .. } => {
                self.state = BreakerState::HalfOpen { successes: 0 };
                self.probing = true;
                Ok(())
            }
            // The probe's verdict is awaited for a second, then again.
            BreakerState::HalfOpen { .. } if self.probing => Err(now + TimeDelta::seconds(1)),
            BreakerState::HalfOpen { .. } => {
                self.probing = true;
                Ok(())
            }
        }
    }

    /// Records what a call came to. A call that was let through before the breaker opened says
    /// nothing any more.
    pub fn record(&mut self, verdict: Verdict, now: DateTime<Utc>) {
        self.state = match (self.state, verdict) {
            (state @ BreakerState::Open { .. }, _)
            | (state @ BreakerState::Closed { .. }, Verdict::Cancelled) => state,
            (BreakerState::Closed { .. }, Verdict::Success) => BreakerState::NEW,
            (BreakerState::Closed { failures }, Verdict::Failure) => self.failed(failures + 1, now),
            (BreakerState::HalfOpen { successes }, Verdict::Success) => {
                self.probing = false;
                self.recovered(successes + 1)
            }
            (BreakerState::HalfOpen { .. }, Verdict::Failure) => {
                self.probing = false;
                self.opened(now)
            }
            (state @ BreakerState::HalfOpen { .. }, Verdict::Cancelled) => {
                self.probing = false;
                state
            }
        };
    }

    fn failed(&self, failures: u32, now: DateTime<Utc>) -> BreakerState {
        if failures < self.rules.failures {
            BreakerState::Closed { failures }
        } else {
            self.opened(now)
        }
    }

    fn recovered(&self, successes: u32) -> BreakerState {
        if successes < self.rules.successes {
            BreakerState::HalfOpen { successes }
        } else {
            BreakerState::NEW
        }
    }

    fn opened(&self, now: DateTime<Utc>) -> BreakerState {
        let recovery = TimeDelta::from_std(self.rules.recovery).unwrap_or(TimeDelta::MAX);
        BreakerState::Open {
            until: now
                .checked_add_signed(recovery)
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn breaker() -> CircuitBreaker {
        CircuitBreaker::new(BreakerRules::default(), BreakerState::NEW)
    }

    fn opened() -> CircuitBreaker {
        let mut breaker = breaker();
        for _ in 0..5 {
            breaker.admit(at(0)).unwrap();
            breaker.record(Verdict::Failure, at(0));
        }
        breaker
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let mut breaker = breaker();
        for verdict in [Verdict::Failure; 4]
            .into_iter()
            .chain([Verdict::Success])
            .chain([Verdict::Failure; 4])
        {
            breaker.admit(at(0)).unwrap();
            breaker.record(verdict, at(0));
        }
        assert_eq!(breaker.state(), BreakerState::Closed { failures: 4 });
        breaker.record(Verdict::Cancelled, at(0));
        assert_eq!(breaker.state(), BreakerState::Closed { failures: 4 });
        breaker.record(Verdict::Failure, at(0));
        assert_eq!(breaker.state(), BreakerState::Open { until: at(30) });
    }

    #[test]
    fn open_it_lets_nothing_through_until_its_time() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(29)), Err(at(30)));
        // An answer to a call from before changes nothing.
        breaker.record(Verdict::Success, at(5));
        breaker.record(Verdict::Failure, at(6));
        assert_eq!(breaker.state(), BreakerState::Open { until: at(30) });
        assert_eq!(breaker.admit(at(30)), Ok(()));
        assert_eq!(breaker.admit(at(30)), Err(at(31)), "one probe at a time");
    }

    #[test]
    fn two_successful_probes_close_it_and_a_failed_one_opens_it_again() {
        let mut breaker = opened();
        breaker.admit(at(30)).unwrap();
        breaker.record(Verdict::Success, at(31));
        assert_eq!(breaker.state().status(), BreakerStatus::HalfOpen);
        breaker.admit(at(31)).unwrap();
        breaker.record(Verdict::Success, at(32));
        assert_eq!(breaker.state(), BreakerState::NEW);

        let mut breaker = opened();
        breaker.admit(at(30)).unwrap();
        breaker.record(Verdict::Failure, at(32));
        assert_eq!(breaker.state(), BreakerState::Open { until: at(62) });
    }

    #[test]
    fn a_cancelled_probe_makes_room_for_another() {
        let mut breaker = opened();
        breaker.admit(at(30)).unwrap();
        breaker.record(Verdict::Cancelled, at(31));
        assert_eq!(breaker.state(), BreakerState::HalfOpen { successes: 0 });
        assert_eq!(breaker.admit(at(31)), Ok(()));
    }

    #[test]
    fn what_another_process_has_found_counts_at_once() {
        let mut breaker = breaker();
        breaker.take_over(opened().state());
        assert_eq!(breaker.admit(at(29)), Err(at(30)));
        breaker.take_over(BreakerState::NEW);
        assert_eq!(breaker.admit(at(29)), Ok(()));

        let mut probing = opened();
        probing.admit(at(30)).unwrap();
        probing.take_over(BreakerState::HalfOpen { successes: 1 });
        assert_eq!(
            probing.admit(at(30)),
            Err(at(31)),
            "its own probe is on its way"
        );
        probing.record(Verdict::Success, at(31));
        assert_eq!(probing.state(), BreakerState::NEW);
    }

    #[test]
    fn processes_that_probe_at_once_forget_no_success() {
        let mut breaker = opened();
        breaker.admit(at(30)).unwrap();
        breaker.record(Verdict::Success, at(31));
        breaker.take_over(BreakerState::HalfOpen { successes: 0 });
        breaker.admit(at(31)).unwrap();
        breaker.record(Verdict::Success, at(32));
        assert_eq!(breaker.state(), BreakerState::NEW);
    }

    #[test]
    fn it_goes_on_where_it_was_left() {
        let left = opened().state();
        let json = serde_json::to_string(&left).unwrap();
        let read: BreakerState = serde_json::from_str(&json).unwrap();
        let mut breaker = CircuitBreaker::new(BreakerRules::default(), read);
        assert_eq!(breaker.admit(at(1)), Err(at(30)));
    }
}
