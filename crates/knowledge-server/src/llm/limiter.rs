//! How many calls run at a time and how many a minute: excess is queued, fairly, never refused.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use knowledge_domain::Clock;
use tokio::sync::oneshot;

use super::queue::{Caller, FairQueue};

/// The limits of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimiterRules {
    /// Calls at a time, at least 1.
    pub permits: u32,
    /// Calls a minute; 0 is no limit.
    pub requests_per_minute: u32,
    /// Tokens a minute; 0 is no limit.
    pub tokens_per_minute: u64,
}

impl Default for LimiterRules {
    fn default() -> Self {
        Self {
            permits: 5,
            requests_per_minute: 50,
            tokens_per_minute: 100_000,
        }
    }
}

/// What a limiter is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimiterSnapshot {
    /// Calls that run.
    pub in_flight: u32,
    /// Calls that wait for their turn.
    pub queued: usize,
    /// Until when the provider has asked for silence.
    pub paused_until: Option<DateTime<Utc>>,
}

/// Gives permits; cheap to clone.
#[derive(Clone)]
pub struct Limiter(Arc<Shared>);

struct Shared {
    rules: LimiterRules,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    in_flight: u32,
    queue: FairQueue<Waiter>,
    requests: Bucket,
    tokens: Bucket,
    paused_until: Option<DateTime<Utc>>,
    /// When the queue will be looked at again.
    alarm: Option<DateTime<Utc>>,
}

struct Waiter {
    tokens: u64,
    turn: oneshot::Sender<Permit>,
}

/// The right to make one call; given back when dropped, with its part of the minute if no call was
/// made.
pub struct Permit {
    limiter: Limiter,
    tokens: u64,
    is_used: bool,
}

/// What refills steadily up to a minute's worth.
#[derive(Debug)]
struct Bucket {
    /// A minute's worth; none is no limit.
    capacity: Option<f64>,
    level: f64,
    at: DateTime<Utc>,
}

impl Bucket {
    fn new(capacity: f64, at: DateTime<Utc>) -> Self {
        Self {
            capacity: (capacity > 0.0).then_some(capacity),
            level: capacity,
            at,
        }
    }

    /// Takes `amount`, or says how long until it is there. More than a minute's worth takes a
    /// whole minute's worth.
    fn take(&mut self, amount: f64, now: DateTime<Utc>) -> Result<(), TimeDelta> {
        let Some(capacity) = self.capacity else {
            return Ok(());
        };
        self.refill(capacity, now);
        let amount = amount.min(capacity);
        if self.level + f64::EPSILON >= amount {
            self.level -= amount;
            return Ok(());
        }
        let seconds = (amount - self.level) / capacity * 60.0;
        Err(
            TimeDelta::from_std(Duration::from_secs_f64(seconds)).unwrap_or(TimeDelta::MAX)
                + TimeDelta::milliseconds(1),
        )
    }

    fn refill(&mut self, capacity: f64, now: DateTime<Utc>) {
        let seconds = (now - self.at).as_seconds_f64().max(0.0);
        self.level = (self.level + capacity * seconds / 60.0).min(capacity);
        self.at = now;
    }

    /// Corrects what was taken; the level may fall below nothing.
    fn give_back(&mut self, amount: f64) {
        if let Some(capacity) = self.capacity {
            self.level = (self.level + amount).min(capacity);
        }
    }
}

impl Limiter {
    /// A limiter whose minute's worth is full.
    #[must_use]
    pub fn new(rules: LimiterRules, clock: Arc<dyn Clock>) -> Self {
        let now = clock.now();
        let state = State {
            in_flight: 0,
            queue: FairQueue::default(),
            requests: Bucket::new(f64::from(rules.requests_per_minute), now),
            tokens: Bucket::new(rules.tokens_per_minute as f64, now),
            paused_until: None,
            alarm: None,
        };
        Self(Arc::new(Shared {
            rules,
            clock,
            state: Mutex::new(state),
        }))
    }

    /// Waits for a turn to make a call of about `tokens`.
    ///
    /// # Cancel safety
    /// Whoever stops waiting loses the place in the queue and holds nobody up.
    pub async fn acquire(&self, caller: Caller, tokens: u64) -> Permit {
        loop {
            let (turn, granted) = oneshot::channel();
            self.lock().queue.push(caller, Waiter { tokens, turn });
            self.pump();
            if let Ok(permit) = granted.await {
                return permit;
            }
        }
    }

    /// Lets nobody through until this moment: the provider asks everybody for silence.
    pub fn pause(&self, until: DateTime<Utc>) {
        let mut state = self.lock();
        state.paused_until = state.paused_until.max(Some(until));
    }

    /// What it is doing.
    #[must_use]
    pub fn snapshot(&self) -> LimiterSnapshot {
        let state = self.lock();
        let now = self.0.clock.now();
        LimiterSnapshot {
            in_flight: state.in_flight,
            queued: state.queue.len(),
            paused_until: state.paused_until.filter(|until| *until > now),
        }
    }

    /// Gives turns to as many as there is room for.
    fn pump(&self) {
        loop {
            let granted = {
                let mut state = self.lock();
                self.next(&mut state)
            };
            let Some(waiter) = granted else { return };
            let permit = Permit {
                limiter: self.clone(),
                tokens: waiter.tokens,
                is_used: false,
            };
            // Nobody there any more: the permit comes back, and with it the turn of the next.
            drop(waiter.turn.send(permit));
        }
    }

    fn next(&self, state: &mut State) -> Option<Waiter> {
        let now = self.0.clock.now();
        // Who has stopped waiting takes nothing.
        while state
            .queue
            .front()
            .is_some_and(|waiter| waiter.turn.is_closed())
        {
            state.queue.pop();
        }
        let tokens = state.queue.front()?.tokens;
        if state.in_flight >= self.0.rules.permits.max(1) {
            return None;
        }
        if let Some(until) = state.paused_until.filter(|until| *until > now) {
            self.alarm(state, until, now);
            return None;
        }
        if let Err(wait) = state.requests.take(1.0, now) {
            self.alarm(state, now + wait, now);
            return None;
        }
        if let Err(wait) = state.tokens.take(tokens as f64, now) {
            state.requests.give_back(1.0);
            self.alarm(state, now + wait, now);
            return None;
        }
        state.in_flight += 1;
        state.queue.pop()
    }

    /// Looks at the queue again at that moment.
    fn alarm(&self, state: &mut State, moment: DateTime<Utc>, now: DateTime<Utc>) {
        if state
            .alarm
            .is_some_and(|alarm| alarm > now && alarm <= moment)
        {
            return;
        }
        state.alarm = Some(moment);
        let shared = Arc::downgrade(&self.0);
        let wait = (moment - now).to_std().unwrap_or_default();
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            if let Some(shared) = shared.upgrade() {
                Limiter(shared).rung(moment);
            }
        });
    }

    fn rung(&self, moment: DateTime<Utc>) {
        {
            let mut state = self.lock();
            if state.alarm == Some(moment) {
                state.alarm = None;
            }
        }
        self.pump();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing between two changes of the state panics.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// A call is about to be made with it.
    pub fn sent(&mut self) {
        self.is_used = true;
    }

    /// Corrects the estimate by what the provider reported.
    pub fn settle(&mut self, tokens: u64) {
        let mut state = self.limiter.lock();
        state.tokens.give_back(self.tokens as f64 - tokens as f64);
        self.tokens = tokens;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut state = self.limiter.lock();
            state.in_flight -= 1;
            if !self.is_used {
                state.requests.give_back(1.0);
                state.tokens.give_back(self.tokens as f64);
            }
        }
        self.limiter.pump();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use knowledge_domain::ids::{BatchId, OrganizationId};
    use uuid::Uuid;

    use super::*;
    use crate::environment::SystemClock;

    fn caller(batch: u128) -> Caller {
        Caller {
            organization: OrganizationId::DEFAULT,
            batch: Some(BatchId::from_uuid(Uuid::from_u128(batch))),
            execution: None,
        }
    }

    fn limiter(permits: u32, requests_per_minute: u32, tokens_per_minute: u64) -> Limiter {
        let rules = LimiterRules {
            permits,
            requests_per_minute,
            tokens_per_minute,
        };
        Limiter::new(rules, Arc::new(SystemClock))
    }

    #[tokio::test]
    async fn twenty_calls_on_five_permits_queue_and_none_is_refused() {
        let limiter = limiter(5, 0, 0);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (order, finished) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicUsize::new(0)),
        );
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let mut tasks = Vec::new();
        for call in 0..20_u128 {
            let (limiter, gate) = (limiter.clone(), Arc::clone(&gate));
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            let (order, finished) = (Arc::clone(&order), Arc::clone(&finished));
            // The first batch asks for ten calls before the second asks for any.
            tasks.push(tokio::spawn(async move {
                let _permit = limiter.acquire(caller(call / 10), 100).await;
                order.lock().unwrap().push(call / 10);
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                now.fetch_sub(1, Ordering::SeqCst);
                finished.fetch_add(1, Ordering::SeqCst);
            }));
            tokio::task::yield_now().await;
        }
        let snapshot = limiter.snapshot();
        assert_eq!((snapshot.in_flight, snapshot.queued), (5, 15));
        for done in 1..=20 {
            gate.add_permits(1);
            while finished.load(Ordering::SeqCst) < done {
                tokio::task::yield_now().await;
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 5);
        // After the first five the two batches take turns until the first has no more.
        assert_eq!(
            *order.lock().unwrap(),
            [0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1]
        );
        assert_eq!(limiter.snapshot().in_flight, 0);
    }

    #[tokio::test]
    async fn who_stops_waiting_takes_no_turn() {
        let limiter = limiter(1, 0, 0);
        let held = limiter.acquire(caller(1), 0).await;
        let mut given_up = Box::pin(limiter.acquire(caller(1), 0));
        assert!(futures::poll!(given_up.as_mut()).is_pending());
        let mut next = Box::pin(limiter.acquire(caller(1), 0));
        assert!(futures::poll!(next.as_mut()).is_pending());
        drop(given_up);
        drop(held);
        let _permit = next.await;
        assert_eq!(limiter.snapshot().in_flight, 1);
    }

    #[tokio::test]
    async fn a_minutes_worth_is_refilled_steadily_and_corrected() {
        let now = DateTime::UNIX_EPOCH;
        let mut bucket = Bucket::new(60.0, now);
        assert_eq!(bucket.take(60.0, now), Ok(()));
        let wait = bucket.take(2.0, now).unwrap_err();
        assert_eq!(wait.num_milliseconds(), 2_001);
        assert_eq!(bucket.take(2.0, now + wait), Ok(()));
        bucket.give_back(5.0);
        assert_eq!(bucket.take(5.0, now + wait), Ok(()));
        assert_eq!(
            Bucket::new(10.0, now).take(1_000.0, now),
            Ok(()),
            "a large call takes all"
        );
    }

    #[tokio::test]
    async fn a_limit_of_requests_delays_the_excess() {
        // 600 a minute are 10 a second, of which a minute's worth is there at first.
        let limiter = limiter(5, 600, 0);
        let begun = tokio::time::Instant::now();
        for _ in 0..602 {
            limiter.acquire(caller(1), 0).await.sent();
        }
        assert!(
            begun.elapsed() >= Duration::from_millis(100),
            "{:?}",
            begun.elapsed()
        );
    }

    /// Calls that their batch's budget has no room for are looked at again and again.
    #[tokio::test]
    async fn a_turn_that_no_call_is_made_in_takes_nothing_of_the_minute() {
        let limiter = limiter(5, 2, 1_000);
        for _ in 0..100 {
            drop(limiter.acquire(caller(1), 900).await);
        }
        limiter.acquire(caller(1), 900).await.sent();
        let mut next = Box::pin(limiter.acquire(caller(1), 900));
        assert!(futures::poll!(next.as_mut()).is_pending());
    }

    #[tokio::test]
    async fn silence_is_kept() {
        let limiter = limiter(5, 0, 0);
        limiter.pause(SystemClock.now() + TimeDelta::milliseconds(80));
        let begun = tokio::time::Instant::now();
        let _permit = limiter.acquire(caller(1), 0).await;
        assert!(begun.elapsed() >= Duration::from_millis(75));
    }
}
