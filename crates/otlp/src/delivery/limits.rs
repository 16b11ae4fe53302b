//! What Sentry does not take at the moment.

use std::time::Duration;
use tokio::time::Instant;

/// A kind of data that Sentry limits by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    Error,
    Transaction,
    TransactionIndexed,
    Span,
    SpanIndexed,
    LogItem,
    LogByte,
}

const CATEGORIES: &[(Category, &str)] = &[
    (Category::Error, "error"),
    (Category::Transaction, "transaction"),
    (Category::TransactionIndexed, "transaction_indexed"),
    (Category::Span, "span"),
    (Category::SpanIndexed, "span_indexed"),
    (Category::LogItem, "log_item"),
    (Category::LogByte, "log_byte"),
];

/// Without a time in the answer, a 429 is waited for so long, as SDKs do.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(60);

/// No limit is taken to be shorter.
const LEAST: Duration = Duration::from_secs(1);

/// A limit is not believed for longer: the server is asked again then.
const MOST: Duration = Duration::from_secs(60 * 60);

/// Until when each category is limited.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// By the place in [`CATEGORIES`].
    until: [Option<Instant>; CATEGORIES.len()],
    all: Option<Instant>,
}

impl Limits {
    /// Learns from `X-Sentry-Rate-Limits`: `SECONDS:CATEGORY;CATEGORY:SCOPE:…, …`, where no category means all of them, and
    /// unknown ones concern nothing that is sent here. Whether one of `sent` is limited by it.
    pub fn learn(&mut self, header: &str, sent: &[Category], now: Instant) -> bool {
        let mut limited = false;
        for limit in header.split(',') {
            let mut parts = limit.trim().split(':');
            let Some(wait) = parts.next().and_then(seconds) else {
                continue;
            };
            // A limit that ends at once would be met again at once.
            let until = now + wait.max(LEAST);
            let names = parts.next().unwrap_or_default().trim();
            if names.is_empty() {
                self.all = self.all.max(Some(until));
                limited = true;
                continue;
            }
            for name in names.split(';') {
                let place = CATEGORIES
                    .iter()
                    .position(|(_, known)| *known == name.trim());
                if let Some(place) = place {
                    self.until[place] = self.until[place].max(Some(until));
                    limited |= sent.contains(&CATEGORIES[place].0);
                }
            }
        }
        limited
    }

    /// Learns from a 429 that names no category: everything waits.
    pub fn learn_all(&mut self, wait: Duration, now: Instant) {
        self.all = self.all.max(Some(now + wait.clamp(LEAST, MOST)));
    }

    /// When data of all these categories may be sent; `None`: now.
    pub fn until(&self, categories: &[Category], now: Instant) -> Option<Instant> {
        let of = |category: &Category| {
            let place = CATEGORIES.iter().position(|(known, _)| known == category)?;
            self.until[place]
        };
        let latest = categories.iter().filter_map(of).max().max(self.all);
        latest.filter(|until| *until > now)
    }
}

/// Seconds, a fraction rounded up; nothing for what is no such number.
pub fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    let wait = Duration::try_from_secs_f64(seconds.ceil()).ok()?;
    Some(wait.min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use rstest::rstest;

    const TRACES: &[Category] = &[Category::Span, Category::SpanIndexed];

    #[rstest]
    #[case::one("60:span:organization:over_quota", true, Some(60))]
    #[case::all("30::organization", true, Some(30))]
    #[case::bare("30", true, Some(30))]
    #[case::other("60:error;transaction:project", false, None)]
    #[case::unknown("60:profile_chunk_ui:key", false, None)]
    #[case::longest(
        "10:span:key, 2700:default;span_indexed:organization",
        true,
        Some(2700)
    )]
    #[case::fraction("0.4:span:key", true, Some(1))]
    #[case::none("0:span:key", true, Some(1))]
    #[case::nonsense("soon:span:key, x", false, None)]
    #[case::below_zero("-5:span:key", false, None)]
    #[case::beyond_an_hour("1e9:span:key", true, Some(3600))]
    #[case::not_a_number("NaN:span:key", false, None)]
    #[tokio::test(start_paused = true)]
    async fn limits_are_read(
        #[case] header: &str,
        #[case] limited: bool,
        #[case] wait: Option<u64>,
    ) {
        let mut limits = Limits::default();
        let now = Instant::now();
        assert_eq!(limits.learn(header, TRACES, now), limited);
        let until = limits.until(TRACES, now);
        assert_eq!(until.map(|until| (until - now).as_secs()), wait);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_ends_and_is_not_shortened() {
        let mut limits = Limits::default();
        let now = Instant::now();
        limits.learn("60:span:key", TRACES, now);
        limits.learn("5:span:key", TRACES, now);
        assert!(
            limits
                .until(TRACES, now + Duration::from_secs(59))
                .is_some()
        );
        assert!(
            limits
                .until(TRACES, now + Duration::from_secs(60))
                .is_none()
        );
        assert!(limits.until(&[Category::Error], now).is_none());
        limits.learn_all(DEFAULT_WAIT, now);
        assert!(limits.until(&[Category::Error], now).is_some());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[0-9a-z:;, .-]{0,60}|\\PC{0,60}") {
            let mut limits = Limits::default();
            let now = Instant::now();
            let limited = limits.learn(&text, TRACES, now);
            let until = limits.until(TRACES, now);
            prop_assert_eq!(until.is_some(), limited);
            prop_assert!(until.is_none_or(|until| until <= now + MOST));
            prop_assert!(seconds(&text).is_none_or(|wait| wait <= MOST));
        }

        /// `SECONDS:CATEGORIES:SCOPE[:REASON[:NAMESPACES]]`, as many as there are.
        #[test]
        fn each_documented_form_is_read(
            all in vec(
                (
                    0_u32..10_000,
                    prop::option::of(1_u32..1000),
                    vec(select(&["span", "error", "log_item", "transaction_indexed", "attachment", "profile"][..]), 0..4),
                    select(&["organization", "project", "key"][..]),
                    select(&["", ":over_quota", ":", ":over_quota:custom;spans"][..]),
                ),
                0..5,
            ),
            between in select(&[",", ", ", " ,"][..]),
        ) {
            let written = all.iter().map(|(whole, fraction, categories, scope, rest)| {
                let fraction = fraction.map_or(String::new(), |fraction| format!(".{fraction}"));
                format!("{whole}{fraction}:{}:{scope}{rest}", categories.join(";"))
            });
            let header = written.collect::<Vec<_>>().join(between);
            let waits = |name: &str| {
                let concern = all.iter().filter(|(_, _, categories, ..)| categories.is_empty() || categories.contains(&name));
                let seconds = concern.map(|(whole, fraction, ..)| u64::from(whole + u32::from(fraction.is_some())));
                seconds.max().map(|seconds| seconds.clamp(LEAST.as_secs(), MOST.as_secs()))
            };
            let mut limits = Limits::default();
            let now = Instant::now();
            let limited = limits.learn(&header, TRACES, now);
            prop_assert_eq!(limited, waits("span").is_some(), "{}", header);
            for (category, name) in [
                (Category::Span, "span"),
                (Category::Error, "error"),
                (Category::LogItem, "log_item"),
                (Category::TransactionIndexed, "transaction_indexed"),
            ] {
                let until = limits.until(&[category], now);
                let found = until.map(|until| (until - now).as_secs());
                prop_assert_eq!(found, waits(name), "{} of {}", name, header);
            }
        }
    }
}
