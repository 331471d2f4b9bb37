//! The point that the environment names.

use std::{
    env,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use rustix::process::{Signal, getpid, kill_process};

use super::FailurePoint;

const POINT: &str = "KNOWLEDGE_FAILPOINT";
const ACTION: &str = "KNOWLEDGE_FAILPOINT_ACTION";

static ARMED: LazyLock<Result<Option<Armed>, String>> = LazyLock::new(Armed::from_environment);

/// A point with what happens there.
struct Armed {
    point: FailurePoint,
    signal: Signal,
    /// Times that it is passed before that.
    left: AtomicU32,
}

impl Armed {
    fn from_environment() -> Result<Option<Self>, String> {
        let Ok(named) = env::var(POINT) else {
            return Ok(None);
        };
        let (name, nth) = named.split_once(':').unwrap_or((&named, "1"));
        let point = name
            .parse()
            .map_err(|_| format!("{POINT}: there is no failure point `{name}`"))?;
        let nth = nth.parse().ok().filter(|nth| *nth > 0);
        let nth: u32 = nth.ok_or_else(|| format!("{POINT}: `{named}` is not NAME:NTH"))?;
        let signal = match env::var(ACTION).as_deref() {
            Err(_) | Ok("kill") => Signal::KILL,
            Ok("stop") => Signal::STOP,
            Ok(other) => return Err(format!("{ACTION}: `{other}` is neither kill nor stop")),
        };
        Ok(Some(Self {
            point,
            signal,
            left: AtomicU32::new(nth),
        }))
    }

    /// Counts down to the moment and never beyond it.
    fn is_the_moment(&self) -> bool {
        let counted = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        counted == Ok(1)
    }
}

/// Whether the environment names a point that there is.
pub(crate) fn check() -> Result<(), String> {
    ARMED.as_ref().map(|_| ()).map_err(Clone::clone)
}

/// Ends or suspends the process if the environment says so.
pub(crate) fn hit(point: FailurePoint) {
    let Ok(Some(armed)) = ARMED.as_ref() else {
        return;
    };
    if armed.point != point || !armed.is_the_moment() {
        return;
    }
    if kill_process(getpid(), armed.signal).is_err() || armed.signal == Signal::KILL {
        // Reached for an instant at most: the signal ends every thread.
        std::process::abort();
    }
}
