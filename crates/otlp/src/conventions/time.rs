//! Times as Sentry has them: seconds since 1970, to the microsecond.

/// Nanoseconds since 1970 as seconds. Sentry keeps microseconds; a number of 64 bits holds them exactly until 2255.
#[expect(
    clippy::cast_precision_loss,
    reason = "the microseconds of the next two centuries are below 2^53"
)]
pub fn seconds(nanoseconds: u64) -> f64 {
    let microseconds = nanoseconds / 1000 + u64::from(nanoseconds % 1000 >= 500);
    microseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_survive() {
        assert_eq!(
            seconds(1_795_911_870_123_456_789).to_string(),
            "1795911870.123457"
        );
        assert_eq!(seconds(1_795_911_870_999_999_500).to_string(), "1795911871");
    }

    #[test]
    fn order_survives() {
        assert!(seconds(1_795_911_870_000_000_499) <= seconds(1_795_911_870_000_000_500));
        assert!(seconds(u64::MAX).is_finite());
    }
}
