//! Attributes that must not leave: dropped or masked before anything is kept.

use foldhash::{HashMap, HashMapExt};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use wildmatch::WildMatch;

/// What stands in the place of a masked value.
pub const MASK: &str = "[Filtered]";

/// Which attributes do not go on as they are. Names are compared without regard to case.
#[derive(Debug, Clone, Default)]
pub struct Privacy {
    pub drop: Vec<WildMatch>,
    pub mask: Vec<WildMatch>,
}

/// A pattern of names, with `*` and `?`.
pub fn pattern(text: &str) -> WildMatch {
    WildMatch::new_case_insensitive(text)
}

/// What becomes of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Dropped,
    Masked,
}

impl Privacy {
    fn fate(&self, name: &str) -> Fate {
        if any(&self.drop, name) {
            Fate::Dropped
        } else if any(&self.mask, name) {
            Fate::Masked
        } else {
            Fate::Kept
        }
    }

    /// For each byte, whether a name that ends with it may match a pattern. Other scripts have letters whose other case is
    /// in ASCII, so that nothing is known of bytes beyond it.
    fn ends(&self) -> [bool; 256] {
        let mut ends = [false; 256];
        ends[usize::from(u8::MAX / 2) + 1..].fill(true);
        for pattern in self.drop.iter().chain(&self.mask) {
            match pattern.pattern_chars().last() {
                Some(last) if last.is_ascii() && !matches!(last, '*' | '?') => {
                    for case in [last.to_ascii_lowercase(), last.to_ascii_uppercase()] {
                        ends[case as usize] = true;
                    }
                }
                // It matches the empty name alone.
                None => {}
                _ => ends.fill(true),
            }
        }
        ends
    }
}

/// So many names are remembered: a request has few, unless it is hostile.
const NAMES: usize = 1000;

/// Cleans the attributes of one request. Names come again and again, so that what becomes of each is remembered.
#[derive(Debug)]
pub struct Cleaner<'a> {
    privacy: &'a Privacy,
    /// Which bytes a name may end with if something becomes of it: most are seen by their last to be kept.
    ends: [bool; 256],
    fates: HashMap<String, Fate>,
}

impl<'a> Cleaner<'a> {
    pub fn new(privacy: &'a Privacy) -> Self {
        Self {
            privacy,
            ends: privacy.ends(),
            fates: HashMap::new(),
        }
    }

    /// Cleans everything in a span. Whether something in it had to be.
    pub fn clean_span(&mut self, span: &mut Span) -> bool {
        let events = span.events.iter_mut().map(|event| &mut event.attributes);
        let links = span.links.iter_mut().map(|link| &mut link.attributes);
        let others = events.chain(links);
        std::iter::once(&mut span.attributes)
            .chain(others)
            .fold(false, |cleaned, attributes| {
                self.clean(attributes) | cleaned
            })
    }

    /// Cleans everything in a log record, a body with names in it too.
    pub fn clean_log(&mut self, log: &mut LogRecord) {
        self.clean(&mut log.attributes);
        if let Some(body) = &mut log.body {
            self.clean_value(body);
        }
    }

    /// Drops and masks attributes, and takes names and passwords out of URLs. Whether there was something to do.
    pub fn clean(&mut self, attributes: &mut Vec<KeyValue>) -> bool {
        let mut cleaned = false;
        attributes.retain_mut(|pair| {
            let fate = self.fate(&pair.key);
            cleaned |= fate != Fate::Kept;
            match (fate, &mut pair.value) {
                (Fate::Kept, Some(value)) => cleaned |= self.clean_value(value),
                (Fate::Masked, Some(value)) => {
                    value.value = Some(Value::StringValue(MASK.to_owned()));
                }
                _ => {}
            }
            fate != Fate::Dropped
        });
        cleaned
    }

    fn fate(&mut self, name: &str) -> Fate {
        let last = name.as_bytes().last();
        if last.is_some_and(|last| !self.ends[usize::from(*last)]) {
            return Fate::Kept;
        }
        if let Some(fate) = self.fates.get(name) {
            return *fate;
        }
        let fate = self.privacy.fate(name);
        if self.fates.len() < NAMES {
            self.fates.insert(name.to_owned(), fate);
        }
        fate
    }

    fn clean_value(&mut self, value: &mut AnyValue) -> bool {
        match &mut value.value {
            Some(Value::StringValue(text)) => {
                let clean = without_userinfo(text);
                clean.map(|clean| *text = clean).is_some()
            }
            Some(Value::ArrayValue(array)) => array
                .values
                .iter_mut()
                .fold(false, |cleaned, value| self.clean_value(value) | cleaned),
            Some(Value::KvlistValue(map)) => self.clean(&mut map.values),
            _ => false,
        }
    }
}

fn any(patterns: &[WildMatch], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

/// The text with each `scheme://name:password@` shortened to `scheme://`; none: it has no such part.
pub fn without_userinfo(text: &str) -> Option<String> {
    // Few texts have one, and this is soon seen.
    if !text.contains('@') {
        return None;
    }
    let mut clean: Option<String> = None;
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        let end = after
            .find(|letter: char| {
                matches!(letter, '/' | '?' | '#' | '"' | '\'') || letter.is_whitespace()
            })
            .unwrap_or(after.len());
        let authority = &after[..end];
        let userinfo = authority.rfind('@').map(|at| at + 1);
        if let Some(userinfo) = userinfo {
            let clean = clean.get_or_insert_with(|| text[..text.len() - rest.len()].to_owned());
            clean.push_str(before);
            rest = &after[userinfo..];
            clean.push_str(&rest[..end - userinfo]);
            rest = &rest[end - userinfo..];
        } else {
            if let Some(clean) = &mut clean {
                clean.push_str(before);
                clean.push_str(authority);
            }
            rest = &after[end..];
        }
    }
    if let Some(clean) = &mut clean {
        clean.push_str(rest);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::Attributes;
    use opentelemetry_proto::tonic::common::v1::ArrayValue;
    use opentelemetry_proto::tonic::trace::v1::span::Event;
    use proptest::prelude::*;
    use rstest::rstest;

    fn pair(key: &str, value: &str) -> KeyValue {
        KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue {
                value: Some(Value::StringValue(value.to_owned())),
            }),
            ..KeyValue::default()
        }
    }

    proptest! {
        /// Kelvin's sign is `k` in lower case, and `ſ` is `S` in upper case.
        #[test]
        fn what_is_seen_by_the_last_byte_is_so(
            drop in "[aKk*?\u{212a}ſ]{0,3}",
            mask in "[aKsS*?ä]{0,3}",
            name in "[aAkKsSä\u{212a}ſ.]{0,4}",
        ) {
            let privacy = Privacy {
                drop: vec![pattern(&drop)],
                mask: vec![pattern(&mask)],
            };
            let fate = privacy.fate(&name);
            prop_assert_eq!(Cleaner::new(&privacy).fate(&name), fate);
        }
    }

    #[test]
    fn names_are_dropped_or_masked() {
        let privacy = Privacy {
            drop: vec![pattern("*.authorization")],
            mask: vec![pattern("db.*")],
        };
        let mut attributes = vec![
            pair("http.request.header.Authorization", "Bearer x"),
            pair("db.query.text", "select 1"),
            pair("a", "b"),
        ];
        let mut cleaner = Cleaner::new(&privacy);
        assert!(cleaner.clean(&mut attributes));
        let left: Vec<_> = Attributes(&attributes)
            .iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(left, ["db.query.text", "a"]);
        assert_eq!(Attributes(&attributes).text(&["db.query.text"]), Some(MASK));
    }

    #[test]
    fn it_is_told_whether_something_was_cleaned() {
        let privacy = Privacy {
            drop: vec![pattern("secret")],
            mask: Vec::new(),
        };
        let mut cleaner = Cleaner::new(&privacy);
        let list = |text: &str| {
            let values = vec![pair("", text).value.expect("a value")];
            let mut list = pair("list", "");
            let value = Some(Value::ArrayValue(ArrayValue { values }));
            list.value = Some(AnyValue { value });
            list
        };
        let event = |attribute| Event {
            attributes: vec![attribute],
            ..Event::default()
        };
        for (attribute, is_cleaned) in [
            (pair("a", "b"), false),
            (pair("secret", "b"), true),
            (pair("a", "http://a@b/"), true),
            (list("b"), false),
            (list("http://a@b/"), true),
        ] {
            let mut span = Span {
                attributes: vec![attribute.clone(), pair("z", "z")],
                ..Span::default()
            };
            assert_eq!(cleaner.clean_span(&mut span), is_cleaned, "{attribute:?}");
            let events = vec![event(attribute.clone()), event(pair("z", "z"))];
            let mut span = Span {
                events,
                ..Span::default()
            };
            assert_eq!(cleaner.clean_span(&mut span), is_cleaned, "{attribute:?}");
        }
    }

    #[rstest]
    #[case::none("https://example.com/a@b", None)]
    #[case::both("https://joe:secret@example.com/a", Some("https://example.com/a"))]
    #[case::two(
        "see http://a@b/ and redis://:p@c:1/0",
        Some("see http://b/ and redis://c:1/0")
    )]
    #[case::at_in_password("amqp://a:p@ss@host", Some("amqp://host"))]
    #[case::second_only("http://x/ http://a@b", Some("http://x/ http://b"))]
    #[case::plain("joe@example.com", None)]
    fn userinfo_leaves_urls(#[case] text: &str, #[case] clean: Option<&str>) {
        assert_eq!(without_userinfo(text).as_deref(), clean);
    }
}
