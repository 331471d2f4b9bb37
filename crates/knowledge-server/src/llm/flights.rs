//! One call for all who ask the same at the same time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use knowledge_extraction::llm::{Answer, CallError, Usage};
use tokio::{sync::watch, task::AbortHandle};

use crate::store::calls::CallKey;

type Outcome = Result<Answer, CallError>;

/// The calls that are on their way.
#[derive(Default)]
pub(super) struct Flights {
    by_key: Mutex<HashMap<CallKey, Weak<Flight>>>,
}

/// One call; dropped when its last waiter is, it takes the call with it.
struct Flight {
    outcome: watch::Receiver<Option<Outcome>>,
    task: AbortHandle,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Flights {
    /// Waits for the answer of a call that is on its way, or sets it going. Only who set it going
    /// is told what it cost.
    ///
    /// # Cancel safety
    /// Whoever stops waiting ends the call, unless others wait for it.
    pub(super) async fn join<F>(&self, key: &CallKey, call: impl FnOnce() -> F) -> Outcome
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let (flight, is_first) = self.flight(key, call);
        let mut outcome = flight.outcome.clone();
        let settled = outcome.wait_for(Option::is_some).await;
        let outcome = match settled.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            // The task ended without an outcome: the process is stopping.
            Ok(None) | Err(_) => Err(CallError::Cancelled),
        };
        if is_first {
            return outcome;
        }
        outcome.map(|answer| Answer {
            usage: Usage::default(),
            ..answer
        })
    }

    fn flight<F>(&self, key: &CallKey, call: impl FnOnce() -> F) -> (Arc<Flight>, bool)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(key).and_then(Weak::upgrade)
            && flight.outcome.borrow().is_none()
        {
            return (flight, false);
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let (sender, outcome) = watch::channel(None);
        let call = call();
        let task = tokio::spawn(async move {
            // Nobody may be waiting any more.
            let _ = sender.send(Some(call.await));
        });
        let flight = Arc::new(Flight {
            outcome,
            task: task.abort_handle(),
        });
        flights.insert(key.clone(), Arc::downgrade(&flight));
        (flight, true)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallKey, Weak<Flight>>> {
        // The map is consistent at every point where a panic could happen.
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use knowledge_domain::ids::OrganizationId;
    use tokio::sync::Notify;

    use super::*;

    fn key(hash: &str) -> CallKey {
        CallKey {
            organization: OrganizationId::DEFAULT,
            hash: hash.to_owned(),
        }
    }

    fn answer() -> Answer {
        Answer {
            text: "x".to_owned(),
            usage: Usage {
                prompt_tokens: 3,
                completion_tokens: 4,
            },
            truncated: false,
        }
    }

    /// Counts how often it is dropped.
    struct Told(Arc<AtomicUsize>);

    impl Drop for Told {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn the_same_question_twice_at_once_is_one_call_and_is_paid_once() {
        let (flights, calls, go) = (
            Arc::new(Flights::default()),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(Notify::new()),
        );
        let ask = || {
            let (flights, calls, go) = (Arc::clone(&flights), Arc::clone(&calls), Arc::clone(&go));
            tokio::spawn(async move {
                flights
                    .join(&key("a"), || async move {
                        calls.fetch_add(1, Ordering::SeqCst);
                        go.notified().await;
                        Ok(answer())
                    })
                    .await
            })
        };
        let tasks: Vec<_> = (0..5).map(|_| ask()).collect();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        go.notify_waiters();
        let mut paid = 0;
        for task in tasks {
            paid += task.await.unwrap().unwrap().usage.total();
        }
        assert_eq!((calls.load(Ordering::SeqCst), paid), (1, 7));
        let again = flights.join(&key("a"), || async { Ok(answer()) }).await;
        assert_eq!(again, Ok(answer()), "a call that has ended is not joined");
    }

    #[tokio::test]
    async fn a_call_ends_with_its_last_waiter() {
        let flights = Flights::default();
        let ended = Arc::new(AtomicUsize::new(0));
        let told = || Told(Arc::clone(&ended));
        let forever = |told| async move {
            let _told = told;
            std::future::pending::<Outcome>().await
        };
        {
            let key = key("a");
            let mut first = Box::pin(flights.join(&key, || forever(told())));
            let mut second = Box::pin(flights.join(&key, || forever(told())));
            assert!(futures::poll!(first.as_mut()).is_pending());
            assert!(futures::poll!(second.as_mut()).is_pending());
            tokio::task::yield_now().await;
            drop(first);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            assert_eq!(ended.load(Ordering::SeqCst), 0);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        assert_eq!(ended.load(Ordering::SeqCst), 1);
    }
}
