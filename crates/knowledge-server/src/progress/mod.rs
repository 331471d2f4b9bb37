//! Progress as it is watched: the wake-up when events are committed, and the streams over them.
//!
//! Owns who is told what and when. Owns no event: the table has them, and a stream can always be
//! served from there.

mod event;
mod feed;
mod hub;
mod listener;
mod patience;
mod stream;

pub use event::SharedEvent;
pub use hub::{EventHub, Watch};
pub use listener::Listener;
pub use stream::{batch_events, workflow_events};
