//! Links to other spans, as Sentry has them.

use crate::conventions::data::{Limits, Map};
use crate::conventions::text::{hex, short};
use crate::conventions::unique::Unique;
use crate::transactions::keys;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The lowest bit of flags: the trace was sampled.
const SAMPLED: u32 = 1;

/// Whether an id is one: as long as it has to be, and not zero.
pub fn is_id(id: &[u8], length: usize) -> bool {
    id.len() == length && id.iter().any(|byte| *byte != 0)
}

/// The links of a span whose ids Sentry takes, or the others.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    all: &'a [Link],
    valid: bool,
    limits: Limits,
}

impl<'a> Links<'a> {
    /// Those with valid ids, or those without; none where there are none.
    pub fn of(links: &'a [Link], valid: bool, limits: Limits) -> Option<Self> {
        let links = Self {
            all: links,
            valid,
            limits,
        };
        links.iter().next().map(|_| links)
    }

    fn iter(self) -> impl Iterator<Item = LinkJson<'a>> {
        let wanted = move |link: &&Link| {
            (is_id(&link.trace_id, 16) && is_id(&link.span_id, 8)) == self.valid
        };
        let kept = self.all.iter().filter(wanted).take(self.limits.attributes);
        kept.map(move |link| LinkJson {
            link,
            limits: self.limits,
        })
    }
}

impl Serialize for Links<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

struct LinkJson<'a> {
    link: &'a Link,
    limits: Limits,
}

impl Serialize for LinkJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("trace_id", &hex(&self.link.trace_id))?;
        map.serialize_entry("span_id", &hex(&self.link.span_id))?;
        map.serialize_entry("sampled", &(self.link.flags & SAMPLED != 0))?;
        map.serialize_entry("attributes", &LinkAttributes(self))?;
        map.end()
    }
}

struct LinkAttributes<'a>(&'a LinkJson<'a>);

impl Serialize for LinkAttributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let LinkJson { link, limits } = self.0;
        let mut map = serializer.serialize_map(None)?;
        let mut unique = Unique::default();
        if !link.trace_state.is_empty() {
            let name = unique.take(keys::TRACE_STATE);
            map.serialize_entry(&name, &short(&link.trace_state, limits.text))?;
        }
        if link.dropped_attributes_count > 0 {
            let name = unique.take(keys::DROPPED_ATTRIBUTES);
            map.serialize_entry(&name, &link.dropped_attributes_count)?;
        }
        Map::new(&link.attributes, *limits).entries("", &mut unique, &mut map)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::attributes;

    #[test]
    fn links_that_sentry_would_refuse_are_apart() {
        let valid = Link {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            trace_state: "a=b".to_owned(),
            attributes: attributes(&[("k", "v")]),
            flags: 0x101,
            ..Link::default()
        };
        let links = [
            Link {
                span_id: vec![0; 8],
                ..valid.clone()
            },
            valid,
        ];
        let json = |valid| serde_json::to_value(Links::of(&links, valid, Limits::NONE));
        let attributes = serde_json::json!({"w3c.tracestate": "a=b", "k": "v"});
        let expected = |span_id: &str| {
            let trace_id = "01".repeat(16);
            serde_json::json!([{
                "trace_id": trace_id, "span_id": span_id, "sampled": true, "attributes": attributes,
            }])
        };
        assert_eq!(json(true).expect("JSON"), expected("0202020202020202"));
        assert_eq!(json(false).expect("JSON"), expected("0000000000000000"));
        assert!(Links::of(&links[..1], true, Limits::NONE).is_none());
    }
}
