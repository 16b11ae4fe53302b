//! The share of traces that a client or we kept: Sentry multiplies by what is behind it.

use crate::attributes::scalar;
use crate::seen::Seen;
use crate::terms::Terms;

/// The threshold of OpenTelemetry's sampling has 56 bits: 14 digits.
const DIGITS: usize = 14;
const WHOLE: f64 = 72_057_594_037_927_936.0;

/// The share that was kept of traces like that of this span, if not all: what the attribute `sentry.client_sample_rate`
/// tells is the whole of it; else what the client tells in its trace state (`ot=th:`), times what the settings keep.
pub fn client_sample_rate(seen: &Seen<'_>, terms: &Terms) -> Option<f64> {
    let told = seen.attributes().get("sentry.client_sample_rate");
    let told = told.and_then(|told| scalar(told)?.parse().ok());
    let rate = told.unwrap_or_else(|| terms.sample_rate * of_state(&seen.span.trace_state));
    (rate > 0.0 && rate < 1.0).then_some(rate)
}

/// The share of what a trace state says; 1 where it says nothing.
fn of_state(state: &str) -> f64 {
    let ours = state
        .split(',')
        .find_map(|member| member.trim().strip_prefix("ot="));
    let threshold = ours.and_then(|ours| ours.split(';').find_map(|part| part.strip_prefix("th:")));
    threshold.and_then(of_threshold).unwrap_or(1.0)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 52 bits"
)]
fn of_threshold(digits: &str) -> Option<f64> {
    if digits.len() > DIGITS || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let threshold = u64::from_str_radix(&format!("{digits:0<DIGITS$}"), 16).ok()?;
    Some(1.0 - threshold as f64 / WHOLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::span;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use rstest::rstest;

    #[rstest]
    #[case("", 1.0, None)]
    #[case("", 0.5, Some(0.5))]
    #[case("v=w,ot=rv:1;th:8", 1.0, Some(0.5))]
    #[case("ot=th:c", 0.5, Some(0.125))]
    #[case("ot=th:0", 1.0, None)]
    #[case("ot=th:xyz", 1.0, None)]
    #[case("ot=th:ffffffffffffffff", 1.0, None)]
    fn a_share_is_what_client_and_settings_keep(
        #[case] state: &str,
        #[case] sample_rate: f64,
        #[case] expected: Option<f64>,
    ) {
        let mut span = span("x", SpanKind::Server, &[]);
        state.clone_into(&mut span.trace_state);
        let terms = Terms {
            sample_rate,
            ..Terms::default()
        };
        assert_eq!(client_sample_rate(&Seen::alone(&span), &terms), expected);
    }

    #[test]
    fn what_an_attribute_tells_is_the_whole() {
        let span = span(
            "x",
            SpanKind::Server,
            &[("sentry.client_sample_rate", "0.25")],
        );
        let terms = Terms {
            sample_rate: 0.5,
            ..Terms::default()
        };
        assert_eq!(client_sample_rate(&Seen::alone(&span), &terms), Some(0.25));
    }
}
