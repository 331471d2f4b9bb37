//! The events of a run as they came.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

const FIELD: &str = "\"timestamp\":\"";

/// An event as one subscriber got it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// Microseconds from the first event on.
    pub(crate) after_us: u64,
    /// What was sent.
    pub(crate) frame: String,
}

impl Recorded {
    /// The same event, committed now.
    pub(crate) fn now(&self) -> Bytes {
        let now = now().to_rfc3339_opts(SecondsFormat::Nanos, true);
        match position(&self.frame) {
            Some((begin, end)) => {
                format!("{}{now}{}", &self.frame[..begin], &self.frame[end..]).into()
            }
            None => self.frame.clone().into(),
        }
    }
}

/// When the event was committed.
pub(crate) fn committed(frame: &str) -> Option<DateTime<Utc>> {
    let (begin, end) = position(frame)?;
    frame[begin..end].parse().ok()
}

pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

fn position(frame: &str) -> Option<(usize, usize)> {
    let begin = frame.find(FIELD)? + FIELD.len();
    let length = frame[begin..].find('"')?;
    Some((begin, begin + length))
}
