//! The transaction event: a span as its root, without the others.

use crate::conventions::data::Map;
use crate::conventions::environment::environment;
use crate::conventions::left_out::LeftOut;
use crate::conventions::name::{Name, name};
use crate::conventions::release::release;
use crate::conventions::request::{Request, request};
use crate::conventions::tags::{Tags, tags};
use crate::conventions::unique::Unique;
use crate::conventions::user::{User, user};
use crate::envelope::{SDK, Sdk};
use crate::seen::Seen;
use crate::transactions::keys;
use crate::transactions::origin::Origin;
use crate::transactions::payload::Sampled;
use crate::transactions::rate::client_sample_rate;
use crate::transactions::read::{Item, Restored};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use uuid::Uuid;

/// What an event ends with: the list of spans, which is put in later, is its last field.
const END: &[u8] = b"]}";

/// Beside data of more than 8 KiB Sentry loses the links of a root without a word (sentry-relay 0.10.1): then they are
/// in its data. In bytes, with room for what Sentry counts beside texts.
const LARGEST_BESIDE_LINKS: usize = 5_000;

/// Why a span is the root of a transaction although it has a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Its parent went out in another transaction.
    ParentSent,
    /// Its parent never came.
    ParentMissing,
}

impl Mark {
    /// Under which name data says so.
    pub const fn key(self) -> &'static str {
        match self {
            Self::ParentSent => keys::PARENT_SENT,
            Self::ParentMissing => keys::PARENT_MISSING,
        }
    }
}

/// A transaction up to its list of spans.
#[derive(Debug)]
pub struct Head {
    json: Vec<u8>,
    /// 32 hexadecimal digits.
    pub event_id: String,
    /// What Sentry's Relay writes into each span of what is here, in bytes.
    pub of_each_span: usize,
    pub left_out: Vec<LeftOut>,
    pub sampled: Option<Sampled>,
}

impl Head {
    /// How long the event is without a span, in bytes.
    pub fn size(&self) -> usize {
        self.json.len() + END.len()
    }

    /// The event with these spans.
    pub fn with<'a>(self, spans: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
        let all: usize = spans.clone().map(|span| span.len() + 1).sum();
        // What waits to be sent holds no more memory than it needs.
        let mut json = Vec::with_capacity(self.size() + all);
        json.extend_from_slice(&self.json);
        for (number, span) in spans.enumerate() {
            if number > 0 {
                json.push(b',');
            }
            json.extend_from_slice(span);
        }
        json.extend_from_slice(END);
        json
    }
}

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "event_id")]
    id: &'a str,
    r#type: &'static str,
    transaction: &'a str,
    transaction_info: Info,
    platform: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<&'a str>,
    start_timestamp: f64,
    timestamp: f64,
    contexts: Contexts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Request>,
    tags: Tags<'a>,
    sdk: Sdk,
    /// The last, for spans are put in behind it.
    spans: [(); 0],
}

#[derive(Serialize)]
struct Info {
    source: &'static str,
}

#[derive(Serialize)]
struct Contexts<'a> {
    trace: Trace<'a>,
    otel: Otel<'a>,
}

#[derive(Serialize)]
struct Otel<'a> {
    resource: Map<'a>,
}

#[derive(Serialize)]
struct Trace<'a> {
    #[serde(rename = "trace_id")]
    id: &'a str,
    span_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<&'a str>,
    op: &'a str,
    status: &'a str,
    origin: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_sample_rate: Option<f64>,
    data: Data<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<&'a RawValue>,
}

/// The data of a root: its own, and what an event has no other place for.
struct Data<'a> {
    item: &'a Item<'a>,
    origin: &'a Origin,
    mark: Option<Mark>,
    /// Where it is not the transaction's name.
    description: Option<&'a str>,
    /// Where they have to be here.
    links: Option<&'a RawValue>,
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut unique = Unique::default();
        if let Some(mark) = self.mark {
            map.serialize_entry(&unique.take(mark.key()), &true)?;
        }
        if let Some(description) = self.description {
            map.serialize_entry(&unique.take(keys::DESCRIPTION), description)?;
        }
        if let Some(links) = self.links {
            map.serialize_entry(&unique.take(keys::LINKS), links)?;
        }
        for (key, value) in &self.item.data.0 {
            map.serialize_entry(&unique.take(&**key), value)?;
        }
        self.origin
            .rest()
            .entries(keys::RESOURCE, &mut unique, &mut map)?;
        map.end()
    }
}

/// The transaction whose root is a span that came from there.
pub fn head(
    item: &Item<'_>,
    origin: &Origin,
    mark: Option<Mark>,
) -> Result<Head, serde_json::Error> {
    let restored = Restored::of(item);
    let seen = restored.seen(&origin.resource);
    let event_id = Uuid::new_v4().simple().to_string();
    let name = name(&seen, &item.op);
    let user = user(&seen);
    let mut left_out = Vec::new();
    let mut kept = |found: Result<_, LeftOut>| found.map_err(|out| left_out.push(out)).ok();
    let release = kept(release(&seen, &origin.terms)).flatten();
    let environment = kept(environment(&seen, &origin.terms)).flatten();
    let rate = client_sample_rate(&seen, &origin.terms);
    let event = Event {
        id: &event_id,
        r#type: "transaction",
        transaction: &name.text,
        transaction_info: Info {
            source: name.source.as_str(),
        },
        platform: origin.platform,
        release,
        environment,
        server_name: origin.server_name.as_deref(),
        start_timestamp: item.start_timestamp,
        timestamp: item.timestamp,
        contexts: Contexts {
            trace: Trace {
                client_sample_rate: rate,
                ..trace(item, origin, mark, &seen, &name)
            },
            otel: Otel {
                resource: origin.context(),
            },
        },
        user: user.as_ref(),
        request: request(&seen),
        tags: tags(&seen, &origin.tags),
        sdk: SDK,
        spans: [],
    };
    let mut json = Vec::with_capacity(4096);
    serde_json::to_writer(&mut json, &event)?;
    json.truncate(json.len() - END.len());
    let length = |text: Option<&str>| text.map_or(0, str::len);
    let user = serde_json::to_vec(&user)?.len();
    Ok(Head {
        of_each_span: 2 * name.text.len() + length(release) + length(environment) + user,
        json,
        sampled: rate.map(|rate| Sampled {
            rate,
            release: release.map(str::to_owned),
            environment: environment.map(str::to_owned),
            transaction: name.text,
        }),
        event_id,
        left_out,
    })
}

fn trace<'a>(
    item: &'a Item<'a>,
    origin: &'a Origin,
    mark: Option<Mark>,
    seen: &Seen<'_>,
    name: &Name,
) -> Trace<'a> {
    let is_told =
        *item.description == name.text || seen.attributes().get(keys::DESCRIPTION).is_some();
    let entry = |(key, value): &(Cow<'_, str>, &RawValue)| key.len() + value.get().len();
    let description = (!is_told).then_some(&*item.description);
    let added = description.map_or(0, str::len) + origin.rest_size();
    let data = item.data.0.iter().map(entry).sum::<usize>() + added;
    let is_large = data > LARGEST_BESIDE_LINKS;
    Trace {
        id: &item.trace_id,
        span_id: &item.span_id,
        parent_span_id: item.parent_span_id.as_deref(),
        op: &item.op,
        status: &item.status,
        origin: &item.origin,
        client_sample_rate: None,
        data: Data {
            item,
            origin,
            mark,
            description,
            links: item.links.filter(|_| is_large),
        },
        links: item.links.filter(|_| !is_large),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::Attributes;
    use crate::terms::Terms;
    use crate::testing::{attributes, span};
    use crate::transactions::origin::Origins;
    use crate::transactions::span::write;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
    use serde_json::{Value, json};

    const RESOURCE: &[(&str, &str)] = &[
        ("service.version", "1.0"),
        ("deployment.environment", "a/b"),
        ("host.name", "h1"),
        ("telemetry.sdk.language", "python"),
    ];

    fn made(span: &Span, terms: &Terms, mark: Option<Mark>) -> (Value, Head) {
        let resource = attributes(RESOURCE);
        let seen = Seen {
            resource: Attributes(&resource),
            ..Seen::alone(span)
        };
        let origin = Origins::default().get(seen.resource, terms);
        let written = write(&seen).expect("JSON");
        let item = serde_json::from_slice(&written.json).expect("JSON");
        let made = || head(&item, &origin, mark).expect("a head");
        let json = made().with([b"{}".as_slice(), b"{}"].into_iter());
        (serde_json::from_slice(&json).expect("JSON"), made())
    }

    #[test]
    fn a_transaction_is_whole() {
        let pairs = [
            ("http.request.method", "GET"),
            ("http.route", "/users/{id}"),
            ("url.path", "/users/1"),
            ("user.id", "7"),
        ];
        let mut span = span("GET /users/{id}", SpanKind::Server, &pairs);
        span.parent_span_id = vec![3; 8];
        let terms = Terms {
            sample_rate: 0.5,
            ..Terms::default()
        };
        let (mut event, head) = made(&span, &terms, Some(Mark::ParentSent));
        let event_id = event["event_id"].take();
        assert_eq!(event_id.as_str().map(str::len), Some(32));
        let expected = json!({
            "event_id": null,
            "type": "transaction",
            "transaction": "GET /users/{id}",
            "transaction_info": {"source": "route"},
            "platform": "python",
            "release": "1.0",
            "server_name": "h1",
            "start_timestamp": 1_795_911_870.0,
            "timestamp": 1_795_911_871.0,
            "contexts": {
                "trace": {
                    "trace_id": "01010101010101010101010101010101",
                    "span_id": "0202020202020202",
                    "parent_span_id": "0303030303030303",
                    "op": "http.server",
                    "status": "ok",
                    "origin": "auto.otlp.spans",
                    "client_sample_rate": 0.5,
                    "data": {
                        "sentry.parent_span_already_sent": true,
                        "sentry.kind": "server",
                        "http.request.method": "GET",
                        "http.route": "/users/{id}",
                        "url.path": "/users/1",
                        "user.id": "7",
                    },
                },
                "otel": {"resource": {
                    "service.version": "1.0",
                    "deployment.environment": "a/b",
                    "host.name": "h1",
                    "telemetry.sdk.language": "python",
                }},
            },
            "user": {"id": "7"},
            "request": {"url": "/users/1", "method": "GET"},
            "tags": {
                "http.request.method": "GET",
                "http.route": "/users/{id}",
                "url.path": "/users/1",
                "user.id": "7",
                "service.version": "1.0",
                "deployment.environment": "a/b",
                "host.name": "h1",
                "telemetry.sdk.language": "python",
                "span_kind": "server",
            },
            "sdk": {"name": "sentry.otlp", "version": SDK.version},
            "spans": [{}, {}],
        });
        assert_eq!(event, expected);
        assert_eq!(head.left_out.len(), 1);
        let sampled = Sampled {
            rate: 0.5,
            transaction: "GET /users/{id}".to_owned(),
            release: Some("1.0".to_owned()),
            environment: None,
        };
        assert_eq!(head.sampled, Some(sampled));
        assert_eq!(head.of_each_span, 2 * 15 + 3 + "{\"id\":\"7\"}".len());
    }

    #[test]
    fn links_are_where_sentry_keeps_them() {
        let link = Link {
            trace_id: vec![4; 16],
            span_id: vec![5; 8],
            ..Link::default()
        };
        let at = |text: &str| {
            let mut span = span("x", SpanKind::Internal, &[("text", text)]);
            span.links = vec![link.clone()];
            let (event, _) = made(&span, &Terms::default(), None);
            let trace = &event["contexts"]["trace"];
            (
                trace["links"].is_array(),
                trace["data"]["otel.links"].is_array(),
            )
        };
        assert_eq!(at("small"), (true, false));
        assert_eq!(at(&"x".repeat(5_000)), (false, true));
    }

    #[test]
    fn a_description_that_is_no_name_is_kept() {
        let pairs = [("db.system", "mysql"), ("db.statement", "SELECT 1")];
        let (event, _) = made(
            &span("SELECT", SpanKind::Client, &pairs),
            &Terms::default(),
            None,
        );
        assert_eq!(event["transaction"], "SELECT");
        assert_eq!(
            event["contexts"]["trace"]["data"]["sentry.description"],
            "SELECT 1"
        );
    }
}
