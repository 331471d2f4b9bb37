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
        // The upper 48 bits are random; the version and the variant come after them.
        let bits = u64::try_from(Uuid::new_v4().as_u128() >> 80).unwrap_or_default();
        bits as f64 / (1_u64 << 48) as f64
    }

    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    fn bytes(&self) -> [u8; 32] {
        // Each has 122 bits of the system's randomness; the version and the variant are fixed.
        let halves = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes);
        std::array::from_fn(|at| halves[at / 16][at % 16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_secrets_are_alike() {
        let secrets: std::collections::HashSet<_> =
            (0..1_000).map(|_| SystemEntropy.bytes()).collect();
        assert_eq!(secrets.len(), 1_000);
    }

    #[test]
    fn random_numbers_cover_their_range() {
        let numbers: Vec<f64> = (0..1_000).map(|_| SystemEntropy.unit()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        for tenth in 0..10 {
            let low = f64::from(tenth) / 10.0;
            let within = numbers
                .iter()
                .filter(|number| (low..low + 0.1).contains(*number));
            assert!(within.count() > 30, "few numbers from {low}");
        }
    }
}
