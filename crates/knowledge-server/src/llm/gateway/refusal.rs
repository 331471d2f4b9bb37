//! A key that a provider has refused.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use knowledge_extraction::llm::CallError;

use crate::llm::provider::ProviderError;

/// How long a key that was refused is not tried again.
const REFUSED: TimeDelta = TimeDelta::seconds(10);

/// When a key was last refused, and what was said: nobody tries it again for a moment.
#[derive(Default)]
pub(super) struct RefusedKey(Mutex<Option<(DateTime<Utc>, String)>>);

impl RefusedKey {
    /// A key that was refused a moment ago is refused still: every document of the batch fails at
    /// once, and none asks.
    ///
    /// # Errors
    /// [`CallError::Authentication`] with what the provider said.
    pub(super) fn check(&self, now: DateTime<Utc>) -> Result<(), CallError> {
        match self.lock().as_ref() {
            Some((at, message)) if now - *at < REFUSED => Err(CallError::Authentication {
                message: message.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Notes a failure that says that the key is refused.
    pub(super) fn note(&self, error: &ProviderError, now: DateTime<Utc>) {
        if let ProviderError::Authentication { message } = error {
            *self.lock() = Some((now, message.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(DateTime<Utc>, String)>> {
        // What was said is put in whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_key_is_not_tried_for_a_moment() {
        let (key, now) = (RefusedKey::default(), DateTime::UNIX_EPOCH);
        key.note(&ProviderError::ContextOverflow, now);
        assert_eq!(key.check(now), Ok(()), "that was not about the key");
        let message = "401: no".to_owned();
        let refused = ProviderError::Authentication {
            message: message.clone(),
        };
        key.note(&refused, now);
        assert_eq!(key.check(now), Err(CallError::Authentication { message }));
        assert_eq!(key.check(now + REFUSED), Ok(()));
    }
}
