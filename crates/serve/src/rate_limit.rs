//! How many requests are answered: a token bucket.

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::time::Duration;

/// A bucket of `burst` tokens, full at first, that gains one each `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Above zero.
    pub interval: Duration,
    pub burst: NonZeroU32,
}

/// The bucket in use. Each request that is let through takes a token.
#[derive(Debug)]
pub(crate) struct Bucket<C: Clock = DefaultClock>(
    RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
);

impl Bucket {
    /// None where the interval is zero, which sets no limit.
    pub(crate) fn new(limit: RateLimit) -> Option<Self> {
        Self::with_clock(limit, DefaultClock::default())
    }
}

impl<C: Clock> Bucket<C> {
    fn with_clock(limit: RateLimit, clock: C) -> Option<Self> {
        let quota = Quota::with_period(limit.interval)?.allow_burst(limit.burst);
        Some(Self(RateLimiter::direct_with_clock(quota, clock)))
    }

    pub(crate) fn takes(&self) -> bool {
        self.0.check().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    #[test]
    fn a_burst_is_let_through_and_then_one_each_interval() {
        let clock = FakeRelativeClock::default();
        let limit = RateLimit {
            interval: Duration::from_secs(10),
            burst: NonZeroU32::new(3).expect("three"),
        };
        let bucket = Bucket::with_clock(limit, clock.clone()).expect("a limit");
        let let_through = || (0..5).filter(|_| bucket.takes()).count();
        assert_eq!(let_through(), 3);
        clock.advance(Duration::from_millis(9_999));
        assert_eq!(let_through(), 0);
        clock.advance(Duration::from_millis(1));
        assert_eq!(let_through(), 1);
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(let_through(), 3, "the bucket holds no more than the burst");
    }
}
