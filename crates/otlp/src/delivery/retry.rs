//! When something is sent again, as the collector's `retry_on_failure` has it.

use std::time::Duration;

/// Waits between tries, which grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Without, the first failure is the last.
    pub enabled: bool,
    pub initial: Duration,
    pub most: Duration,
    pub multiplier: f64,
    /// A wait is shortened or lengthened by up to this share of it.
    pub randomization: f64,
    /// What waits for longer is given up; none: never.
    pub most_elapsed: Option<Duration>,
}

impl Default for Retry {
    /// The collector's, but for its end: nothing is given up while there is room for it.
    fn default() -> Self {
        Self {
            enabled: true,
            initial: Duration::from_secs(5),
            most: Duration::from_secs(30),
            multiplier: 1.5,
            randomization: 0.5,
            most_elapsed: None,
        }
    }
}

impl Retry {
    /// The wait after so many failures; `random` is between 0 and 1.
    pub fn wait(&self, failures: u32, random: f64) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.initial.as_secs_f64() * self.multiplier.max(1.0).powi(exponent);
        let wait = grown.min(self.most.max(self.initial).as_secs_f64());
        let factor = 1.0 + self.randomization.clamp(0.0, 1.0) * (2.0 * random - 1.0);
        Duration::try_from_secs_f64(wait * factor).unwrap_or(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::first(1, 0.5, 5_000)]
    #[case::third(3, 0.5, 11_250)]
    #[case::bounded(1000, 0.5, 30_000)]
    #[case::shortest(1, 0.0, 2_500)]
    #[case::longest(u32::MAX, 1.0, 45_000)]
    fn waits_grow(#[case] failures: u32, #[case] random: f64, #[case] milliseconds: u64) {
        let wait = Retry::default().wait(failures, random);
        assert_eq!(wait, Duration::from_millis(milliseconds));
    }
}
