//! Where spans come from: their resource, and the settings that hold for them.

use crate::attributes::{Attributes, scalar, value};
use crate::conventions::data::{Limits, Map};
use crate::conventions::platform::platform;
use crate::conventions::tags::{ResourceTags, server_name};
use crate::terms::Terms;
use crate::transactions::fit::fit;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::collections::HashMap;
use std::sync::Arc;

/// Sentry cuts a context of no type of its own at 8 KiB, with what it adds (sentry-relay 0.10.1); in bytes.
const LARGEST_CONTEXT: usize = 5_000;

/// The attributes beyond that, which are in data, where nothing is cut; in bytes.
const LARGEST_REST: usize = 100_000;

/// A resource and what is made of it, shared by all spans that have it.
#[derive(Debug)]
pub struct Origin {
    pub resource: Vec<KeyValue>,
    pub terms: Arc<Terms>,
    pub platform: &'static str,
    pub server_name: Option<String>,
    pub tags: ResourceTags,
    /// Attributes that are small enough for a context of Sentry's.
    context: Vec<KeyValue>,
    /// The others.
    rest: Vec<KeyValue>,
    limits: Limits,
    rest_size: usize,
    /// The resource as protobuf.
    key: Arc<[u8]>,
}

impl Origin {
    fn of(resource: Attributes<'_>, terms: Arc<Terms>, key: Arc<[u8]>) -> Self {
        let mut room = LARGEST_CONTEXT;
        let (context, rest) = resource.0.iter().cloned().partition(|pair| {
            let text = value(pair.value.as_ref()).and_then(scalar);
            let left = text.and_then(|text| room.checked_sub(pair.key.len() + text.len()));
            room = left.unwrap_or(room);
            left.is_some()
        });
        let mut origin = Self {
            resource: resource.0.to_vec(),
            terms,
            platform: platform(resource),
            server_name: server_name(resource),
            tags: ResourceTags::of(resource),
            context,
            rest,
            limits: Limits::NONE,
            rest_size: 0,
            key,
        };
        let fitting = fit(LARGEST_REST, |limits| Map::new(&origin.rest, limits));
        if let Ok((json, limits)) = fitting {
            (origin.rest_size, origin.limits) = (json.len(), limits);
        }
        origin
    }

    /// Attributes for a context of Sentry's.
    pub fn context(&self) -> Map<'_> {
        Map::new(&self.context, Limits::NONE)
    }

    /// Attributes that a context would not hold.
    pub fn rest(&self) -> Map<'_> {
        Map::new(&self.rest, self.limits)
    }

    /// How long these are as JSON, in bytes.
    pub fn rest_size(&self) -> usize {
        self.rest_size
    }

    /// Something had to be cut.
    pub fn is_cut(&self) -> bool {
        self.limits != Limits::NONE
    }

    /// Whether both come from one place: what differs in it cannot be one transaction.
    pub fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.resource == other.resource
    }

    /// What it takes in memory, in bytes: its attributes are in it twice, and as tags.
    fn size(&self) -> usize {
        size_of::<Self>() + 3 * size_of_val(&*self.resource) + 5 * self.key.len()
    }

    fn has(&self, resource: Attributes<'_>) -> bool {
        self.resource == resource.0
    }
}

/// The origins of the spans that wait, each once.
#[derive(Debug, Default)]
pub struct Origins {
    terms: Arc<Terms>,
    /// The one that was asked for last: spans of one resource come together.
    last: Option<Arc<Origin>>,
    /// By the resource as protobuf.
    known: HashMap<Arc<[u8]>, Arc<Origin>>,
    /// What these take in memory.
    bytes: usize,
    /// How many were made since it was last looked which of them no span waits for.
    made: usize,
}

impl Origins {
    /// The origin of spans of a resource.
    pub fn get(&mut self, resource: Attributes<'_>, terms: &Terms) -> Arc<Origin> {
        if *self.terms != *terms {
            *self = Self {
                terms: Arc::new(terms.clone()),
                ..Self::default()
            };
        }
        if let Some(last) = self.last.as_ref().filter(|last| last.has(resource)) {
            return Arc::clone(last);
        }
        let key = Resource {
            attributes: resource.0.to_vec(),
            ..Resource::default()
        };
        let key: Arc<[u8]> = key.encode_to_vec().into();
        let found = self.known.entry(key).or_insert_with_key(|key| {
            let origin = Origin::of(resource, Arc::clone(&self.terms), Arc::clone(key));
            self.bytes += origin.size();
            self.made += 1;
            Arc::new(origin)
        });
        self.last = Some(Arc::clone(found));
        Arc::clone(found)
    }

    /// What all of them take in memory, in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets one if no other span waits with it.
    pub fn leave(&mut self, origin: &Arc<Origin>) {
        if self
            .last
            .as_ref()
            .is_some_and(|last| Arc::ptr_eq(last, origin))
        {
            self.last = None;
        }
        let known = self.known.get(&origin.key);
        let is_known = known.is_some_and(|known| Arc::ptr_eq(known, origin));
        // That of the list, and the one in hand.
        if is_known && Arc::strong_count(origin) == 2 {
            self.known.remove(&origin.key);
            self.bytes -= origin.size();
        }
    }

    /// Whether so many are new that it is worth to look at all.
    pub fn has_grown(&self) -> bool {
        self.made > self.known.len() / 2
    }

    /// Forgets those of which no span waits.
    pub fn prune(&mut self) {
        self.made = 0;
        self.last = None;
        let mut gone = 0;
        self.known.retain(|_, origin| {
            let is_kept = Arc::strong_count(origin) > 1;
            gone += if is_kept { 0 } else { origin.size() };
            is_kept
        });
        self.bytes -= gone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::attributes;

    #[test]
    fn one_resource_is_one_origin_until_the_settings_change() {
        let mut origins = Origins::default();
        let (one, two) = (attributes(&[("a", "1")]), attributes(&[("a", "2")]));
        let terms = Terms::default();
        let first = origins.get(Attributes(&one), &terms);
        let second = origins.get(Attributes(&two), &terms);
        assert!(!first.is(&second));
        assert!(Arc::ptr_eq(&first, &origins.get(Attributes(&one), &terms)));
        let others = Terms {
            sample_rate: 0.5,
            ..Terms::default()
        };
        let third = origins.get(Attributes(&one), &others);
        assert!(!Arc::ptr_eq(&first, &third) && first.is(&third));
    }

    #[test]
    fn what_nobody_waits_with_is_forgotten() {
        let mut origins = Origins::default();
        let kept = attributes(&[("a", "1")]);
        let kept = origins.get(Attributes(&kept), &Terms::default());
        origins.get(Attributes(&[]), &Terms::default());
        assert!(origins.has_grown());
        origins.prune();
        assert!(!origins.has_grown());
        assert_eq!((origins.known.len(), origins.bytes()), (1, kept.size()));
        assert_eq!(Arc::strong_count(&kept), 2);
        let other = Arc::clone(&kept);
        origins.leave(&other);
        assert_eq!(origins.known.len(), 1, "one still waits with it");
        drop(other);
        origins.leave(&kept);
        assert_eq!((origins.known.len(), origins.bytes()), (0, 0));
    }

    #[test]
    fn what_a_context_would_not_hold_is_apart() {
        let resource = attributes(&[("small", "1"), ("large", &"x".repeat(6_000)), ("b", "2")]);
        let origin = Origin::of(Attributes(&resource), Arc::default(), Arc::default());
        let keys = |map: Map<'_>| {
            let made = serde_json::to_value(map).expect("JSON");
            let map = made.as_object().cloned().expect("an object");
            map.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(keys(origin.context()), ["small", "b"]);
        assert_eq!(keys(origin.rest()), ["large"]);
        assert!(!origin.is_cut());
    }

    #[test]
    fn a_resource_that_is_too_large_is_cut() {
        let resource = attributes(&[("large", &"x".repeat(200_000))]);
        let origin = Origin::of(Attributes(&resource), Arc::default(), Arc::default());
        let made = serde_json::to_vec(&origin.rest()).expect("JSON");
        assert!(origin.is_cut() && made.len() <= LARGEST_REST);
    }
}
