//! How often a request is tried, and how long it waits in between.

use crate::error::Kind;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;
use tokio::time::Instant;

/// Cap on the end that a rate limit tells, and on the time that one request waits for such ends in all.
pub const LONGEST_REFUSAL: Duration = Duration::from_secs(3600);

/// What is not Sentry's is tried no more often until something has answered as Sentry does.
const STRANGE_TRIES: usize = 2;

/// How long to wait before each further try; without end.
pub fn back_off() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(30))
        .without_max_times()
        .with_jitter()
        .build()
}

/// What is left of the patience with one request.
#[derive(Debug)]
pub struct Patience {
    delays: std::iter::Take<ExponentialBackoff>,
    /// When the first refusal came that told its end.
    refused_since: Option<Instant>,
    /// So long and no longer an end that is told is waited for; `None`: up to [`LONGEST_REFUSAL`].
    longest: Option<Duration>,
    /// Further tries after a failure that a smaller page may cure.
    heavy: u32,
    /// How often something came that is not Sentry's, while nothing was.
    strange: usize,
}

impl Patience {
    pub fn new(max_retries: u32, heavy_retries: Option<u32>, longest: Option<Duration>) -> Self {
        Self {
            delays: back_off().take(max_retries as usize),
            refused_since: None,
            longest,
            heavy: heavy_retries.unwrap_or(max_retries).min(max_retries),
            strange: 0,
        }
    }

    /// How long to wait before another try; `None`: there is none. `met`: something has answered as Sentry does.
    pub fn wait(&mut self, failed: &Kind, divisible: bool, met: bool) -> Option<Duration> {
        if !failed.transient(divisible) {
            return None;
        }
        if !met && failed.strange() {
            self.strange += 1;
            if self.strange >= STRANGE_TRIES {
                return None;
            }
        }
        if let Some(told) = failed.told() {
            let since = self.refused_since.get_or_insert_with(Instant::now);
            let in_all = since.elapsed() + told;
            if in_all <= self.longest.unwrap_or(LONGEST_REFUSAL) {
                // Jitter keeps several taps of one organization apart.
                return Some(told + back_off().next().unwrap_or_default() / 4);
            }
            if self.longest.is_some() {
                return None;
            }
        }
        if failed.too_heavy() {
            self.heavy = self.heavy.checked_sub(1)?;
        }
        self.delays.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::Html;

    /// How many tries of a request end in this failure, and how long they wait for one another.
    async fn tries(max_retries: u32, failed: &Kind) -> (usize, Duration) {
        tries_of(max_retries, failed, true).await
    }

    async fn tries_of(max_retries: u32, failed: &Kind, met: bool) -> (usize, Duration) {
        let mut patience = Patience::new(max_retries, None, None);
        let (started, mut tries) = (Instant::now(), 1);
        while let Some(wait) = patience.wait(failed, false, met) {
            tokio::time::sleep(wait).await;
            tries += 1;
        }
        (tries, started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_tells_its_end_is_sat_out_for_an_hour_in_all() {
        let refused = |seconds| Kind::RateLimited {
            detail: String::new(),
            wait: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(tries(0, &refused(3600)).await.0, 2);
        let (often, waited) = tries(0, &refused(1)).await;
        assert!((2_800..=3_200).contains(&often), "{often}");
        assert!((3_599..=3_600).contains(&waited.as_secs()), "{waited:?}");
        assert_eq!(
            tries(3, &refused(3600)).await.0,
            5,
            "then it is a failure like others"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_is_longer_than_is_waited_for_is_a_failure_at_once() {
        let refused = |seconds| Kind::RateLimited {
            detail: String::new(),
            wait: Some(Duration::from_secs(seconds)),
        };
        let longest = Some(Duration::from_secs(60));
        assert_eq!(
            Patience::new(3, None, longest).wait(&refused(61), false, true),
            None
        );
        let mut patience = Patience::new(0, None, longest);
        for _ in 0..2 {
            let wait = patience
                .wait(&refused(25), false, true)
                .expect("it is short");
            tokio::time::sleep(wait).await;
        }
        assert_eq!(patience.wait(&refused(25), false, true), None, "in all");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_tells_when_to_come_back_is_waited_for() {
        let wait = Some(Duration::from_secs(600));
        for refused in [
            Kind::Status {
                status: 503,
                detail: String::new(),
                wait,
            },
            Kind::Gateway {
                status: 403,
                detail: String::new(),
                wants: None,
                wait,
            },
        ] {
            let (often, waited) = tries(2, &refused).await;
            assert_eq!(
                often, 8,
                "{refused}: five times in the hour, and then twice as a failure like others"
            );
            assert!(waited > Duration::from_secs(3_000), "{waited:?}");
        }
        assert_eq!(
            tries(
                2,
                &Kind::Status {
                    status: 403,
                    detail: String::new(),
                    wait
                }
            )
            .await
            .0,
            1,
            "Sentry's own word is final"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_tells_no_end_is_a_failure() {
        for wait in [None, Some(Duration::ZERO)] {
            assert_eq!(
                tries(
                    3,
                    &Kind::RateLimited {
                        detail: String::new(),
                        wait
                    }
                )
                .await
                .0,
                4
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn until_something_answers_as_sentry_does_what_is_not_sentrys_is_tried_twice() {
        let html = Html { title: None };
        let status = |status| Kind::Status {
            status,
            detail: String::new(),
            wait: None,
        };
        let gateway = Kind::Gateway {
            status: 404,
            detail: String::new(),
            wants: None,
            wait: None,
        };
        for strange in [
            Kind::Page(html),
            Kind::Body(String::new()),
            Kind::Unreachable(String::new()),
            gateway,
        ] {
            assert_eq!(tries_of(8, &strange, false).await.0, 2, "{strange}");
            assert_eq!(tries_of(0, &strange, false).await.0, 1, "{strange}");
            assert_eq!(tries_of(8, &strange, true).await.0, 9, "{strange}");
        }
        // These say that a server is there, and not well.
        for passing in [
            status(500),
            status(502),
            status(503),
            Kind::Timeout(Duration::ZERO),
            Kind::Dropped(String::new()),
        ] {
            assert_eq!(tries_of(8, &passing, false).await.0, 9, "{passing}");
        }
    }
}
