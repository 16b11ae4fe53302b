//! What makes a span one that Sentry can take: what is wrong is mended where nothing is lost by it, else the span is rejected.
//!
//! Sentry's intake checks later, behind its 200, and drops a whole transaction for one such span (Relay 26.9).

use crate::rejection::Reason;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;

/// A span whose times are ahead of the clock by more is counted. It is sent as it is: times are never shifted here.
pub const AHEAD_NANOS: u64 = 60 * 1_000_000_000;

/// Sentry reads times as 64 bits with a sign; what is beyond, in the year 2262, is no time there, and costs the whole span.
pub const LATEST: u64 = i64::MAX as u64;

/// Under this name a mended span keeps the end that it came with.
pub const END: &str = "otlp.end_time_unix_nano";

/// What was changed or is worth a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mended {
    /// The end lay before the start, or was missing, or beyond all times: it is the start now, and the end that came stands in an attribute.
    End,
    /// A log record's time lay beyond all times: it is that of its observation now, and what came stands in an attribute.
    Time,
    /// A parent id that is none was left out.
    Parent,
    /// A link to nothing was left out.
    Link,
    /// A log record's trace id that is none was left out.
    Trace,
    /// The same of its span id.
    Span,
    /// More than a minute ahead of the clock; nothing was changed.
    Ahead,
}

/// All of them, so that each has a series from the start.
pub const MENDED: &[Mended] = &[
    Mended::End,
    Mended::Time,
    Mended::Parent,
    Mended::Link,
    Mended::Trace,
    Mended::Span,
    Mended::Ahead,
];

impl Mended {
    /// As it stands in the label.
    pub fn name(self) -> &'static str {
        match self {
            Self::End => "end_before_start",
            Self::Time => "invalid_time",
            Self::Parent => "invalid_parent_id",
            Self::Link => "invalid_link",
            Self::Trace => "invalid_trace_id",
            Self::Span => "invalid_span_id",
            Self::Ahead => "ahead_of_clock",
        }
    }
}

/// A span or log record that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    pub reason: Reason,
    pub what: String,
}

/// Checks a span and mends it. `now` and `oldest` are nanoseconds since 1970; spans that started before `oldest` are refused.
/// What was mended is handed to `tell`. Whether the span is no longer as it came.
///
/// # Errors
/// When the span cannot be taken, and why.
pub fn check(
    span: &mut Span,
    now: u64,
    oldest: u64,
    mut tell: impl FnMut(Mended),
) -> Result<bool, Unfit> {
    let unfit = |reason, what: String| Err(Unfit { reason, what });
    if !is_id(&span.trace_id, 16) {
        let what = format!(
            "trace id of `{}` is not 16 bytes, or zero",
            brief(&span.name)
        );
        return unfit(Reason::InvalidId, what);
    }
    if !is_id(&span.span_id, 8) {
        let what = format!("span id of `{}` is not 8 bytes, or zero", brief(&span.name));
        return unfit(Reason::InvalidId, what);
    }
    if span.start_time_unix_nano == 0 {
        let what = format!("`{}` has no start", brief(&span.name));
        return unfit(Reason::NoStart, what);
    }
    if span.start_time_unix_nano > LATEST {
        let what = format!("`{}` starts behind all times", brief(&span.name));
        return unfit(Reason::NoStart, what);
    }
    if span.start_time_unix_nano < oldest {
        let seconds = (now.saturating_sub(span.start_time_unix_nano)) / 1_000_000_000;
        let what = format!("`{}` started {seconds} s ago", brief(&span.name));
        return unfit(Reason::TooOld, what);
    }
    let mut is_changed = false;
    if !span.parent_span_id.is_empty() && !is_id(&span.parent_span_id, 8) {
        // Some exporters write zeros for no parent.
        if span.parent_span_id.iter().any(|byte| *byte != 0) {
            tell(Mended::Parent);
        }
        span.parent_span_id.clear();
        is_changed = true;
    }
    let links = span.links.len();
    span.links
        .retain(|link| is_id(&link.trace_id, 16) && is_id(&link.span_id, 8));
    if span.links.len() < links {
        let lost = u32::try_from(links - span.links.len()).unwrap_or(u32::MAX);
        span.dropped_links_count = span.dropped_links_count.saturating_add(lost);
        tell(Mended::Link);
        is_changed = true;
    }
    if span.end_time_unix_nano < span.start_time_unix_nano || span.end_time_unix_nano > LATEST {
        tell(Mended::End);
        span.attributes.push(came(END, span.end_time_unix_nano));
        span.end_time_unix_nano = span.start_time_unix_nano;
        is_changed = true;
    }
    if span.end_time_unix_nano > now.saturating_add(AHEAD_NANOS) {
        tell(Mended::Ahead);
    }
    Ok(is_changed)
}

/// What came in the place of what stands there now.
pub fn came(key: &str, time: u64) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(time.to_string())),
        }),
        ..KeyValue::default()
    }
}

/// Whether an id has so many bytes, and not zeros alone.
pub fn is_id(id: &[u8], length: usize) -> bool {
    id.len() == length && id.iter().any(|byte| *byte != 0)
}

/// The beginning of a name, for a message.
fn brief(name: &str) -> String {
    name.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::trace::v1::span::Link;
    use rstest::rstest;

    const NOW: u64 = 1_800_000_000_000_000_000;
    const DAY: u64 = 86_400_000_000_000;

    fn sound() -> Span {
        Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            name: "work".to_owned(),
            start_time_unix_nano: NOW - 5,
            end_time_unix_nano: NOW - 1,
            ..Span::default()
        }
    }

    fn checked(span: &mut Span) -> (Option<Reason>, Vec<Mended>) {
        let mut mended = Vec::new();
        let result = check(span, NOW, NOW - 5 * DAY, |what| mended.push(what));
        (result.err().map(|unfit| unfit.reason), mended)
    }

    #[rstest]
    #[case::zero_trace(|span: &mut Span| span.trace_id = vec![0; 16], Reason::InvalidId)]
    #[case::short_trace(|span: &mut Span| span.trace_id = vec![1; 8], Reason::InvalidId)]
    #[case::no_span_id(|span: &mut Span| span.span_id.clear(), Reason::InvalidId)]
    #[case::no_start(|span: &mut Span| span.start_time_unix_nano = 0, Reason::NoStart)]
    #[case::beyond_all_times(|span: &mut Span| span.start_time_unix_nano = LATEST + 1, Reason::NoStart)]
    #[case::old(|span: &mut Span| span.start_time_unix_nano = NOW - 5 * DAY - 1, Reason::TooOld)]
    fn what_cannot_be_taken_is_rejected(#[case] spoil: fn(&mut Span), #[case] reason: Reason) {
        let mut span = sound();
        spoil(&mut span);
        assert_eq!(checked(&mut span), (Some(reason), vec![]));
    }

    #[rstest]
    #[case::sound(|_: &mut Span| {}, &[])]
    #[case::five_days(|span: &mut Span| span.start_time_unix_nano = NOW - 5 * DAY, &[])]
    #[case::zero_parent(|span: &mut Span| span.parent_span_id = vec![0; 8], &[])]
    #[case::short_parent(|span: &mut Span| span.parent_span_id = vec![1; 4], &[Mended::Parent])]
    #[case::no_end(|span: &mut Span| span.end_time_unix_nano = 0, &[Mended::End])]
    #[case::end_beyond_all_times(|span: &mut Span| span.end_time_unix_nano = LATEST + 1, &[Mended::End])]
    #[case::ahead(|span: &mut Span| span.end_time_unix_nano = NOW + AHEAD_NANOS + 1, &[Mended::Ahead])]
    #[case::link(|span: &mut Span| span.links.push(Link::default()), &[Mended::Link])]
    fn what_can_be_mended_is(#[case] spoil: fn(&mut Span), #[case] mended: &[Mended]) {
        let mut span = sound();
        spoil(&mut span);
        let came = span.clone();
        let is_changed = check(&mut span, NOW, NOW - 5 * DAY, |_| {});
        assert_eq!(is_changed, Ok(span != came));
        assert_eq!(checked(&mut came.clone()), (None, mended.to_vec()));
        assert!(span.parent_span_id.is_empty() && span.links.is_empty());
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    }

    #[test]
    fn the_end_that_came_is_kept() {
        let mut span = sound();
        span.end_time_unix_nano = 7;
        assert_eq!(checked(&mut span).0, None);
        let kept = crate::attributes::Attributes(&span.attributes).text(&[END]);
        assert_eq!(kept, Some("7"));
    }
}
