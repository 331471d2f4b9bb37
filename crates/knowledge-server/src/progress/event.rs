//! One event, shared by everybody who watches.

use std::{ops::Deref, sync::OnceLock};

use bytes::Bytes;
use knowledge_domain::batch::BatchEvent;

/// An event that was read once for all its subscribers, with the bytes that most of them are sent.
#[derive(Debug)]
pub struct SharedEvent {
    event: BatchEvent,
    frame: OnceLock<Bytes>,
}

impl SharedEvent {
    /// The bytes that `render` makes of the event; made once. Everybody passes the same function.
    pub(crate) fn frame(&self, render: impl FnOnce(&BatchEvent) -> Bytes) -> Bytes {
        self.frame.get_or_init(|| render(&self.event)).clone()
    }
}

impl From<BatchEvent> for SharedEvent {
    fn from(event: BatchEvent) -> Self {
        Self {
            event,
            frame: OnceLock::new(),
        }
    }
}

impl Deref for SharedEvent {
    type Target = BatchEvent;

    fn deref(&self) -> &BatchEvent {
        &self.event
    }
}
