//! The real clock and the real randomness; the only place that calls either.

use chrono::{DateTime, SubsecRound, Utc};
use knowledge_domain::{Clock, Entropy};
use uuid::Uuid;

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    fn now(&self) -> DateTime<Utc> {
        // PostgreSQL keeps microseconds; what is written must read back the same.
        Utc::now().trunc_subsecs(6)
    }
}

/// The system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    fn uuid_v7(&self) -> Uuid {
        Uuid::now_v7()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    fn unit(&self) -> f64 {
        // 53 random bits, the precision of a double.
        let bits = Uuid::new_v4().as_u128() as u64 >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }
}
