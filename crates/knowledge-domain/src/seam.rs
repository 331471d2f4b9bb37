//! The seam through which time and randomness enter; nothing else may call the clock.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// The current time in UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// A source of randomness: ids of runs, jitter and secrets.
pub trait Entropy: Send + Sync {
    /// A new `UUIDv7`, ordered by time.
    fn uuid_v7(&self) -> Uuid;

    /// A number in `0.0..1.0`, uniformly distributed.
    fn unit(&self) -> f64;

    /// Bytes that nobody can guess: at least 240 of their bits are random.
    fn bytes(&self) -> [u8; 32];
}
