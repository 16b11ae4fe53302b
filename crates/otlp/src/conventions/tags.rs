//! Attributes as tags, by which Sentry searches.

use crate::attributes::{Attributes, scalar};
use crate::conventions::text::{line, short};
use crate::conventions::unique::Unique;
use crate::seen::Seen;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// Sentry cuts keys and values beyond so many characters (sentry-relay 0.10.1).
const LONGEST: usize = 200;

/// So much of a key is left room for the number that tells it from another.
const LONGEST_KEY: usize = LONGEST - 12;

/// All tags of an event together, in bytes; attributes beyond it are in its data alone.
const MOST: usize = 32_000;

/// Tags beside those of attributes.
const FURTHER: usize = 4;

/// Room is made for so many at once, as not all attributes become tags.
const MOST_AT_ONCE: usize = 64;

/// Tags of these names never arrive: sentry-relay 0.10.1 removes them, or makes fields of the event of them.
const RESERVED: &[&str] = &[
    "dist",
    "environment",
    "filename",
    "function",
    "release",
    "server_name",
    "user",
];

/// What stands before a reserved name.
const RENAMED: &str = "attribute.";

/// What stands before the name of a resource's attribute that the span has too.
const OF_RESOURCE: &str = "resource.";

/// What SDKs tell Sentry with, and nothing to search by.
const INTERNAL: &str = "sentry.";

/// Names and values that Sentry keeps as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags<'a>(pub Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// The attributes of a resource as tags, made once for all that have it.
#[derive(Debug, Default)]
pub struct ResourceTags(Vec<ResourceTag>);

#[derive(Debug)]
struct ResourceTag {
    /// As the resource has it.
    name: String,
    key: String,
    value: String,
}

impl ResourceTags {
    /// Those of a resource.
    pub fn of(resource: Attributes<'_>) -> Self {
        let tags = searchable(resource).filter_map(|(name, value)| {
            Some(ResourceTag {
                name: name.to_owned(),
                key: clean(Cow::Borrowed(name))?.into_owned(),
                value: tag_value(value)?.into_owned(),
            })
        });
        // More would not be used.
        let mut bytes = 0;
        let used = tags.take_while(|tag| {
            let is_used = bytes <= MOST;
            bytes += tag.key.len() + tag.value.len();
            is_used
        });
        Self(used.collect())
    }
}

/// The attributes of a span and of its resource that are no arrays, maps or bytes, and what was told of a span by the
/// exporter that the collector had: `status_message`, `span_kind`, `library_name`, `library_version`.
pub fn tags<'a>(seen: &Seen<'a>, of_resource: &'a ResourceTags) -> Tags<'a> {
    let mut tags = Tagging::default();
    let most = seen.attributes().0.len() + of_resource.0.len() + FURTHER;
    tags.tags.0.reserve(most.min(MOST_AT_ONCE));
    tags.attributes(seen.attributes());
    tags.resource(of_resource);
    let status = seen.span.status.as_ref();
    tags.add(
        Cow::Borrowed("status_message"),
        Cow::Borrowed(status.map_or("", |status| &status.message)),
    );
    let kind = kind(seen.span.kind());
    tags.add(Cow::Borrowed("span_kind"), Cow::Borrowed(kind));
    if let Some(scope) = seen.scope {
        let (name, version) = (&*scope.name, &*scope.version);
        tags.add(Cow::Borrowed("library_name"), Cow::Borrowed(name));
        tags.add(Cow::Borrowed("library_version"), Cow::Borrowed(version));
    }
    tags.tags
}

/// Attributes that may be tags, with their values as text.
fn searchable(attributes: Attributes<'_>) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let own = attributes
        .iter()
        .filter(|(name, _)| !name.starts_with(INTERNAL));
    own.filter_map(|(name, value)| Some((name, scalar(value)?)))
}

/// The kind of a span as a word; empty where it has none.
pub const fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "",
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}

/// A value as Sentry keeps it in a tag; none where it would be null.
fn tag_value(value: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match value {
        Cow::Borrowed(value) => kept(value),
        Cow::Owned(value) => kept(&value).map(|value| Cow::Owned(value.into_owned())),
    }
}

fn kept(value: &str) -> Option<Cow<'_, str>> {
    Some(match line(value)? {
        Cow::Borrowed(line) => short(line, LONGEST),
        Cow::Owned(line) => Cow::Owned(short(&line, LONGEST).into_owned()),
    })
}

#[derive(Debug, Default)]
struct Tagging<'a> {
    tags: Tags<'a>,
    unique: Unique<'a>,
    bytes: usize,
}

impl<'a> Tagging<'a> {
    fn attributes(&mut self, attributes: Attributes<'a>) {
        for (name, value) in searchable(attributes) {
            if self.bytes > MOST {
                return;
            }
            self.add(Cow::Borrowed(name), value);
        }
    }

    fn resource(&mut self, tags: &'a ResourceTags) {
        for ResourceTag { name, key, value } in &tags.0 {
            if self.bytes > MOST {
                return;
            }
            if self.unique.has(name) {
                let name = format!("{OF_RESOURCE}{name}");
                self.add(Cow::Owned(name), Cow::Borrowed(value));
            } else {
                self.push(Cow::Borrowed(key), Cow::Borrowed(value));
            }
        }
    }

    fn add(&mut self, key: Cow<'a, str>, value: Cow<'a, str>) {
        let (Some(key), Some(value)) = (clean(key), tag_value(value)) else {
            return;
        };
        self.push(key, value);
    }

    fn push(&mut self, key: Cow<'a, str>, value: Cow<'a, str>) {
        let key = self.unique.take(key);
        self.bytes += key.len() + value.len();
        self.tags.0.push((key, value));
    }
}

/// A key of characters that Sentry allows; none where nothing is left.
fn clean(key: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let allowed =
        |found: u8| found.is_ascii_alphanumeric() || matches!(found, b'_' | b'.' | b':' | b'-');
    let key = if key.len() <= LONGEST_KEY && key.bytes().all(allowed) {
        key
    } else {
        let other = |found: char| !u8::try_from(found).is_ok_and(allowed);
        Cow::Owned(short(key.trim(), LONGEST_KEY).replace(other, "_"))
    };
    if key.is_empty() {
        None
    } else if RESERVED.contains(&&*key) {
        Some(Cow::Owned(format!("{RENAMED}{key}")))
    } else {
        Some(key)
    }
}

/// The name of the computer, as Sentry keeps it.
pub fn server_name(resource: Attributes<'_>) -> Option<String> {
    let name = scalar(resource.get("host.name")?)?;
    tag_value(name).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{attributes, pair, span};
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use std::collections::HashSet;

    fn of(pairs: &[(&str, &str)], resource: &[(&str, &str)]) -> Vec<(String, String)> {
        let span = span("x", SpanKind::Unspecified, pairs);
        let resource = attributes(resource);
        let seen = Seen {
            resource: Attributes(&resource),
            ..Seen::alone(&span)
        };
        let owned =
            |(key, value): (Cow<'_, str>, Cow<'_, str>)| (key.into_owned(), value.into_owned());
        let of_resource = ResourceTags::of(seen.resource);
        let made = tags(&seen, &of_resource).0;
        made.into_iter().map(owned).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn reserved_names_are_renamed_and_others_cleaned() {
        let made = of(
            &[
                ("release", "1"),
                ("a b", "2"),
                ("a/b", "3"),
                ("ä", "4"),
                ("", "5"),
            ],
            &[],
        );
        let kept = [
            ("attribute.release", "1"),
            ("a_b", "2"),
            ("a_b_2", "3"),
            ("_", "4"),
        ];
        assert_eq!(made, owned(&kept));
    }

    #[test]
    fn long_keys_do_not_become_one() {
        let (one, two) = (
            format!("{}1", "k".repeat(300)),
            format!("{}2", "k".repeat(300)),
        );
        let made = of(&[(&one, "1"), (&two, "2")], &[]);
        assert_eq!(made.len(), 2);
        assert_ne!(made[0].0, made[1].0);
        assert!(made.iter().all(|(key, _)| key.len() <= 200));
    }

    #[test]
    fn values_are_short_and_of_one_line() {
        let made = of(&[("a", &"x".repeat(300)), ("b", " y\nz "), ("c", " ")], &[]);
        assert_eq!(made[0].1.len(), 200);
        assert_eq!(made[1].1, "y z");
        assert_eq!(made.len(), 2);
    }

    #[test]
    fn what_a_span_and_its_resource_both_have_is_two_tags() {
        let made = of(&[("a", "1"), ("sentry.op", "x")], &[("a", "2"), ("b", "3")]);
        assert_eq!(made, owned(&[("a", "1"), ("resource.a", "2"), ("b", "3")]));
    }

    #[test]
    fn numbers_and_truth_are_texts() {
        let mut span = span("x", SpanKind::Client, &[]);
        span.attributes = vec![
            pair("a", Value::DoubleValue(1.5)),
            pair("b", Value::BoolValue(true)),
            pair("c", Value::BytesValue(vec![1])),
        ];
        let none = ResourceTags::default();
        let made = serde_json::to_value(tags(&Seen::alone(&span), &none)).expect("JSON");
        assert_eq!(
            made,
            serde_json::json!({"a": "1.5", "b": "true", "span_kind": "client"})
        );
    }

    #[test]
    fn all_together_are_bounded() {
        let value = "x".repeat(100);
        let keys: Vec<String> = (0..10_000).map(|number| format!("k{number}")).collect();
        let pairs: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), &*value)).collect();
        let bytes: usize = of(&pairs, &[])
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        assert!(bytes < 33_000, "{bytes}");
    }

    fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
        let key = prop_oneof![
            select(RESERVED).prop_map(str::to_owned),
            select(
                &[
                    "a",
                    "a_2",
                    "attribute.release",
                    "resource.a",
                    "span_kind",
                    "sentry.op"
                ][..]
            )
            .prop_map(str::to_owned),
            "[a-c/ ]{0,3}",
            "\\PC{0,30}",
            (150_usize..400).prop_map(|length| "ä".repeat(length)),
        ];
        let value = prop_oneof![
            "\\PC{0,30}",
            "[ \\n\\t]{0,3}",
            (150_usize..400).prop_map(|length| "x".repeat(length))
        ];
        vec((key, value), 0..40)
    }

    proptest! {
        #[test]
        fn sentry_keeps_each_tag_as_it_is(of_span in pairs(), of_resource in pairs()) {
            let text = |pairs: &[(String, String)]| {
                let pairs = pairs.iter().map(|(key, value)| (&**key, &**value));
                attributes(&pairs.collect::<Vec<_>>())
            };
            let mut span = span("x", SpanKind::Server, &[]);
            span.attributes = text(&of_span);
            let resource = text(&of_resource);
            let seen = Seen {
                resource: Attributes(&resource),
                ..Seen::alone(&span)
            };
            let of_resource = ResourceTags::of(seen.resource);
            let made = tags(&seen, &of_resource).0;
            let names: HashSet<_> = made.iter().map(|(key, _)| key).collect();
            prop_assert_eq!(names.len(), made.len(), "a name stands once");
            let allowed = |found: char| found.is_ascii_alphanumeric() || "_.:-".contains(found);
            for (key, value) in &made {
                prop_assert!((1..=LONGEST).contains(&key.len()) && key.chars().all(allowed), "{}", key);
                prop_assert!(!RESERVED.contains(&&**key) && !key.starts_with(INTERNAL), "{}", key);
                let length = value.chars().count();
                prop_assert!((1..=LONGEST).contains(&length) && !value.contains('\n'), "{:?}", value);
                prop_assert_eq!(value.trim(), value);
            }
            let bytes: usize = made.iter().map(|(key, value)| key.len() + value.len()).sum();
            prop_assert!(bytes <= MOST + 2 * LONGEST * 4 + 200, "{}", bytes);
        }
    }
}
