//! Progress as it is watched: the wake-up when events are committed, and the streams over them.

mod hub;
mod stream;

pub use hub::{EventHub, Watch};
pub use stream::{RECHECK_INTERVAL, batch_events, workflow_events};
