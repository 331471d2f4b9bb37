//! Progress as it is watched: the wake-up when events are committed, and the streams over them.

mod hub;

pub use hub::EventHub;
