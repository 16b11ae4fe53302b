//! What makes a log record one that Sentry can take: what is wrong is mended, and only what is too old is rejected.

use crate::check::{AHEAD_NANOS, LATEST, Mended, Unfit, came, is_id};
use crate::rejection::Reason;
use opentelemetry_proto::tonic::logs::v1::LogRecord;

/// Under these names a mended record keeps the times that it came with.
const TIME: &str = "otlp.invalid_time_unix_nano";
const OBSERVED: &str = "otlp.invalid_observed_time_unix_nano";

/// Checks a log record and mends it. `now` and `oldest` are nanoseconds since 1970; what is older than `oldest` is refused.
/// What was mended is handed to `tell`.
///
/// A record without a time has the one at which it was observed, at the latest here: Relay before 26.7.2 puts the year 1970
/// in its place.
///
/// # Errors
/// When the record cannot be taken, and why.
pub fn check(
    log: &mut LogRecord,
    now: u64,
    oldest: u64,
    mut tell: impl FnMut(Mended),
) -> Result<(), Unfit> {
    for (time, key) in [
        (&mut log.time_unix_nano, TIME),
        (&mut log.observed_time_unix_nano, OBSERVED),
    ] {
        if *time > LATEST {
            tell(Mended::Time);
            log.attributes.push(came(key, *time));
            *time = 0;
        }
    }
    if log.observed_time_unix_nano == 0 {
        log.observed_time_unix_nano = now;
    }
    if log.time_unix_nano == 0 {
        log.time_unix_nano = log.observed_time_unix_nano;
    }
    if log.time_unix_nano < oldest {
        let seconds = now.saturating_sub(log.time_unix_nano) / 1_000_000_000;
        return Err(Unfit {
            reason: Reason::TooOld,
            what: format!("a log record is {seconds} s old"),
        });
    }
    if log.time_unix_nano > now.saturating_add(AHEAD_NANOS) {
        tell(Mended::Ahead);
    }
    for (id, length, what) in [
        (&mut log.trace_id, 16, Mended::Trace),
        (&mut log.span_id, 8, Mended::Span),
    ] {
        if !id.is_empty() && !is_id(id, length) {
            // Some exporters write zeros for none.
            if id.iter().any(|byte| *byte != 0) {
                tell(what);
            }
            id.clear();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const NOW: u64 = 1_800_000_000_000_000_000;

    fn log(trace_id: Vec<u8>, span_id: Vec<u8>) -> LogRecord {
        LogRecord {
            trace_id,
            span_id,
            time_unix_nano: NOW,
            ..LogRecord::default()
        }
    }

    fn checked(log: &mut LogRecord) -> (Result<(), Reason>, Vec<Mended>) {
        let mut mended = Vec::new();
        let checked = check(log, NOW, NOW - 1000, |what| mended.push(what));
        (checked.map_err(|unfit| unfit.reason), mended)
    }

    #[rstest]
    #[case::both(vec![1; 16], vec![2; 8], (16, 8), vec![])]
    #[case::none(vec![], vec![], (0, 0), vec![])]
    #[case::zeros(vec![0; 16], vec![0; 8], (0, 0), vec![])]
    #[case::short(vec![1; 8], vec![2; 4], (0, 0), vec![Mended::Trace, Mended::Span])]
    fn ids_that_are_none_are_left_out(
        #[case] trace_id: Vec<u8>,
        #[case] span_id: Vec<u8>,
        #[case] lengths: (usize, usize),
        #[case] mended: Vec<Mended>,
    ) {
        let mut log = log(trace_id, span_id);
        assert_eq!(checked(&mut log), (Ok(()), mended));
        assert_eq!((log.trace_id.len(), log.span_id.len()), lengths);
    }

    #[rstest]
    #[case::both(NOW - 5, NOW - 3, NOW - 5)]
    #[case::observed(0, NOW - 3, NOW - 3)]
    #[case::none(0, 0, NOW)]
    fn a_time_is_found(#[case] time: u64, #[case] observed: u64, #[case] expected: u64) {
        let mut log = log(vec![], vec![]);
        (log.time_unix_nano, log.observed_time_unix_nano) = (time, observed);
        assert_eq!(checked(&mut log), (Ok(()), vec![]));
        assert_eq!(log.time_unix_nano, expected);
    }

    #[test]
    fn times_beyond_all_times_are_none_and_kept() {
        let mut log = log(vec![], vec![]);
        (log.time_unix_nano, log.observed_time_unix_nano) = (LATEST + 1, u64::MAX);
        assert_eq!(checked(&mut log), (Ok(()), vec![Mended::Time; 2]));
        assert_eq!(
            (log.time_unix_nano, log.observed_time_unix_nano),
            (NOW, NOW)
        );
        let kept = crate::attributes::Attributes(&log.attributes);
        assert_eq!(kept.text(&[TIME]), Some("9223372036854775808"));
        assert_eq!(kept.text(&[OBSERVED]), Some("18446744073709551615"));
    }

    #[test]
    fn what_is_old_is_refused_and_what_is_ahead_is_told() {
        let mut log = log(vec![], vec![]);
        log.time_unix_nano = NOW - 1001;
        assert_eq!(checked(&mut log).0, Err(Reason::TooOld));
        log.time_unix_nano = NOW + AHEAD_NANOS + 1;
        assert_eq!(checked(&mut log), (Ok(()), vec![Mended::Ahead]));
    }
}
