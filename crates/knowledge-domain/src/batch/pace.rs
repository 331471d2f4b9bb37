//! How fast a batch gets on, and how long it will take.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::workflow::PROGRESS_UNITS;

/// What happened so many documents ago counts half as much as what happens now.
const HALF_LIFE: f64 = 50.0;

/// A longer silence is no work: the process was down, or the batch was suspended. In seconds.
const LONGEST_STEP: f64 = 120.0;

/// Before the worth of about two documents was seen, nothing is said.
const EVIDENCE: f64 = 1.9;

/// How far the truth may lie from the estimate, in standard errors.
const WIDTH: f64 = 2.0;

/// Progress over time, the recent past weighing more; kept with the batch, so that a restart does
/// not forget it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Progress units, weighed by their age.
    units: f64,
    /// Seconds of work, weighed alike.
    seconds: f64,
    /// When progress was last looked at.
    at: Option<DateTime<Utc>>,
}

/// What is left of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// Progress units that are not done.
    pub units: i64,
    /// Documents that are not settled.
    pub documents: u32,
    /// Documents that run at a time.
    pub concurrency: u32,
}

/// How long the rest takes, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Remaining {
    /// It takes hardly less.
    pub low: f64,
    /// The best guess.
    pub likely: f64,
    /// It takes hardly more, unless something stalls.
    pub high: f64,
}

impl Pace {
    /// Work begins or goes on at this moment.
    pub fn begin(&mut self, at: DateTime<Utc>) {
        self.at.get_or_insert(at);
    }

    /// So many progress units were done until this moment.
    pub fn advance(&mut self, units: i64, at: DateTime<Utc>) {
        let since = self.at.map_or(0.0, |last| seconds_between(last, at));
        let step = since.clamp(0.0, LONGEST_STEP);
        let units = units.max(0) as f64;
        let fade = 0.5_f64.powf(units / f64::from(PROGRESS_UNITS) / HALF_LIFE);
        self.units = self.units * fade + units;
        self.seconds = self.seconds * fade + step;
        self.at = Some(self.at.map_or(at, |last| last.max(at)));
    }

    /// The documents' worth of progress in a minute; `None` before there is evidence.
    #[must_use]
    pub fn documents_per_minute(&self) -> Option<f64> {
        let rate = self.rate()? * 60.0 / f64::from(PROGRESS_UNITS);
        Some((rate * 100.0).round() / 100.0)
    }

    /// How long the rest takes; `None` before there is evidence.
    ///
    /// The bounds are as far apart as the evidence is thin: two standard errors of as many
    /// documents as were seen, and the time that the last documents run alone.
    #[must_use]
    pub fn remaining(&self, rest: Rest) -> Option<Remaining> {
        let rate = self.rate()?;
        let bulk = rest.units.max(0) as f64 / rate;
        // The last documents do not share their time with others.
        let parallel = f64::from(rest.concurrency.max(1));
        let document = parallel * f64::from(PROGRESS_UNITS) / rate;
        let alone = if rest.documents == 0 {
            0.0
        } else {
            document * (1.0 - 1.0 / parallel)
        };
        let seen = self.units / f64::from(PROGRESS_UNITS);
        let left = (rest.units.max(0) as f64 / f64::from(PROGRESS_UNITS)).max(1.0);
        let error = WIDTH * (1.0 / seen + 1.0 / left).sqrt();
        Some(Remaining {
            low: rounded(bulk / (1.0 + error)),
            likely: rounded(bulk + alone / 2.0),
            high: rounded((bulk + alone) * (1.0 + error) + alone),
        })
    }

    /// Progress units a second.
    fn rate(&self) -> Option<f64> {
        let enough = self.units >= EVIDENCE * f64::from(PROGRESS_UNITS) && self.seconds > 0.0;
        enough.then(|| self.units / self.seconds)
    }
}

fn seconds_between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_milliseconds() as f64 / 1_000.0
}

/// To tenths of a second: more would be a lie.
fn rounded(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch that is played through: when each piece of progress was made.
    struct Played {
        steps: Vec<(f64, i64)>,
        documents: u32,
        concurrency: u32,
    }

    /// Documents of five stages whose durations vary as widely as those of model calls do.
    fn play(documents: u32, concurrency: u32, seed: u64) -> Played {
        let mut random = seed;
        let mut next = move || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((random >> 11) as f64 / (1_u64 << 53) as f64).max(1e-9)
        };
        let mut free = vec![0.0_f64; concurrency as usize];
        let mut steps = Vec::new();
        for _ in 0..documents {
            free.sort_by(f64::total_cmp);
            let mut at = free[0];
            for _ in 0..5 {
                at += -next().ln() * 4.0;
                steps.push((at, i64::from(PROGRESS_UNITS / 5)));
            }
            free[0] = at;
        }
        steps.sort_by(|left, right| left.0.total_cmp(&right.0));
        Played {
            steps,
            documents,
            concurrency,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "some hours in microseconds"
    )]
    fn moment(seconds: f64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros((seconds * 1e6).round() as i64).unwrap()
    }

    /// The estimates of a batch with the truth, at every step.
    fn estimates(played: &Played) -> Vec<(f64, Option<Remaining>, f64)> {
        let end = played.steps.last().unwrap().0;
        let total = i64::from(played.documents) * i64::from(PROGRESS_UNITS);
        let (mut pace, mut done) = (Pace::default(), 0);
        pace.begin(moment(0.0));
        let mut found = Vec::new();
        for (at, units) in &played.steps {
            pace.advance(*units, moment(*at));
            done += units;
            let rest = Rest {
                units: total - done,
                documents: u32::try_from(
                    u64::try_from(total - done)
                        .unwrap()
                        .div_ceil(u64::from(PROGRESS_UNITS)),
                )
                .unwrap(),
                concurrency: played.concurrency,
            };
            found.push((done as f64 / total as f64, pace.remaining(rest), end - at));
        }
        found
    }

    #[test]
    fn the_truth_lies_within_the_bounds() {
        let (mut told, mut within, mut close, mut later) = (0, 0, 0, 0);
        for seed in 1..=100 {
            let played = play(
                20 + (seed % 5) as u32 * 40,
                1 + (seed % 7) as u32,
                seed * 977,
            );
            for (share, remaining, truth) in estimates(&played) {
                let Some(remaining) = remaining else { continue };
                told += 1;
                within += i32::from(remaining.low <= truth && truth <= remaining.high);
                if (0.25..0.9).contains(&share) {
                    later += 1;
                    close += i32::from((remaining.likely / truth - 1.0).abs() < 0.35);
                }
            }
        }
        let share = |part: i32, whole: i32| f64::from(part) / f64::from(whole);
        assert!(share(within, told) > 0.95, "{within} of {told} in bounds");
        assert!(share(close, later) > 0.85, "{close} of {later} close");
    }

    #[test]
    fn nothing_is_said_without_evidence() {
        let mut pace = Pace::default();
        let rest = Rest {
            units: i64::from(PROGRESS_UNITS),
            documents: 1,
            concurrency: 1,
        };
        assert_eq!(pace.remaining(rest), None);
        pace.begin(moment(0.0));
        pace.advance(i64::from(PROGRESS_UNITS), moment(5.0));
        assert_eq!(
            (pace.remaining(rest), pace.documents_per_minute()),
            (None, None)
        );
        pace.advance(i64::from(PROGRESS_UNITS), moment(10.0));
        let told = pace.remaining(rest).unwrap();
        assert!(
            told.low <= told.likely && told.likely <= told.high,
            "{told:?}"
        );
        assert!((4.9..5.1).contains(&told.likely), "{told:?}");
        let rate = pace.documents_per_minute().unwrap();
        assert!((11.5..=12.5).contains(&rate), "{rate}");
    }

    #[test]
    fn the_bounds_close_as_evidence_grows() {
        let played = play(200, 4, 3);
        let spread = |wanted: f64| {
            let all = estimates(&played);
            let (_, remaining, _) = all.iter().find(|(share, ..)| *share >= wanted).unwrap();
            let remaining = remaining.unwrap();
            (remaining.high - remaining.low) / remaining.likely
        };
        assert!(
            spread(0.5) < spread(0.05),
            "{} {}",
            spread(0.5),
            spread(0.05)
        );
    }

    #[test]
    fn a_night_without_work_is_not_counted_as_work() {
        let mut pace = Pace::default();
        pace.begin(moment(0.0));
        for step in 1..=100 {
            pace.advance(i64::from(PROGRESS_UNITS), moment(f64::from(step)));
        }
        let before = pace.documents_per_minute().unwrap();
        for step in 1..=60 {
            pace.advance(
                i64::from(PROGRESS_UNITS),
                moment(40_000.0 + f64::from(step)),
            );
        }
        let after = pace.documents_per_minute().unwrap();
        assert!(after > before / 3.0, "{before} before, {after} after");
    }

    #[test]
    fn a_clock_that_goes_back_harms_nothing() {
        let mut pace = Pace::default();
        pace.begin(moment(100.0));
        pace.advance(i64::from(PROGRESS_UNITS) * 3, moment(110.0));
        pace.advance(0, moment(50.0));
        pace.advance(i64::from(PROGRESS_UNITS), moment(111.0));
        let rate = pace.documents_per_minute().unwrap();
        assert!((15.0..30.0).contains(&rate), "{rate}");
    }
}
