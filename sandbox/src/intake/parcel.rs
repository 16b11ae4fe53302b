//! What a request brings, taken apart.

use crate::intake::answer::{Form, Refusal};
use crate::intake::door::{Door, Signal};
use crate::intake::framing::{self, Envelope, Item};
use crate::intake::key;
use crate::intake::relay::Relay;
use crate::intake::{ids, transaction};
use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::ZlibDecoder;
use serde_json::{Map, Value};
use std::io::Read;

const MIB: usize = 1_048_576;
/// The largest event, transaction, or body of the store endpoint.
const EVENT: usize = MIB;

/// A request that came with a good head.
pub(crate) struct Offer {
    pub door: Door,
    /// How its endpoint speaks.
    pub form: Form,
    pub project: u64,
    /// From the head of the request.
    pub key: Option<String>,
    /// Decoded.
    pub body: Vec<u8>,
}

/// One thing of a request.
#[derive(Debug)]
pub(crate) enum Load {
    Event(Vec<u8>),
    Transaction(Vec<u8>),
    Spans(Item),
    Logs(Item),
    Otlp(Signal, Form, Vec<u8>),
    /// What the sandbox only keeps.
    Other(Item),
    /// What the server does not know.
    Unknown(Item),
}

/// All of a request.
pub(crate) struct Parcel {
    pub key: String,
    /// The header of the envelope, and what is said for it elsewhere.
    pub envelope: Envelope,
    pub loads: Vec<Load>,
}

/// The largest body of an endpoint, decoded.
pub(crate) fn limit(door: Door) -> usize {
    match door {
        Door::Envelope => 200 * MIB,
        Door::Store => EVENT,
        Door::Otlp(_) => 12 * MIB,
    }
}

/// Items that are kept as they are.
const OTHERS: [&str; 12] = [
    "attachment",
    "check_in",
    "client_report",
    "feedback",
    "profile",
    "profile_chunk",
    "replay_event",
    "replay_recording",
    "session",
    "sessions",
    "trace_metric",
    "user_report",
];

/// The largest item, how many of them an envelope may have, and the largest sum. Of a container it is the average of
/// what it holds that counts as an item.
struct Limit {
    types: &'static [&'static str],
    size: usize,
    count: usize,
    total: usize,
}

const LIMITS: [Limit; 5] = [
    Limit {
        types: &["event", "transaction", "feedback", "replay_event"],
        size: EVENT,
        count: 1,
        total: EVENT,
    },
    Limit {
        types: &["span"],
        size: 10 * MIB,
        count: 1,
        total: 12 * MIB,
    },
    Limit {
        types: &["log"],
        size: 2 * MIB,
        count: 1,
        total: 12 * MIB,
    },
    Limit {
        types: &["attachment", "user_report"],
        size: 200 * MIB,
        count: 30,
        total: 200 * MIB,
    },
    Limit {
        types: &["client_report"],
        size: 102_400,
        count: 100,
        total: usize::MAX,
    },
];

impl Parcel {
    pub fn open(offer: Offer, relay: Relay) -> Result<Self, Refusal> {
        let project = offer.project;
        match offer.door {
            Door::Envelope => {
                let envelope = framing::parse(&offer.body)?;
                let key = whose(offer.key, envelope.dsn.as_deref(), project)?;
                Ok(Self::of(key, envelope, relay))
            }
            Door::Store => {
                let key = offer.key.ok_or_else(key::missing)?;
                let body = stored(offer.body)?;
                let event: Result<Map<String, Value>, _> = serde_json::from_slice(&body);
                let event = event.map_err(|error| {
                    Refusal::bad_request("invalid JSON data", error.to_string())
                })?;
                let id = event.get("event_id").and_then(Value::as_str);
                let kind = match event.get("type").and_then(Value::as_str) {
                    Some("transaction") => "transaction",
                    _ => "event",
                };
                let header = Map::from_iter([("type".to_owned(), kind.into())]);
                let item = Item {
                    header,
                    payload: body,
                };
                let envelope = Envelope {
                    event_id: id.and_then(ids::event),
                    items: vec![item],
                    ..Envelope::default()
                };
                Ok(Self::of(key, envelope, relay))
            }
            Door::Otlp(signal) => Ok(Self {
                key: offer.key.ok_or_else(key::missing)?,
                envelope: Envelope::default(),
                loads: vec![Load::Otlp(signal, offer.form, offer.body)],
            }),
        }
    }

    fn of(key: String, mut envelope: Envelope, relay: Relay) -> Self {
        let items = std::mem::take(&mut envelope.items);
        let loads: Vec<Load> = items
            .into_iter()
            .map(|item| Load::of(item, relay))
            .collect();
        let event = |load: &Load| matches!(load, Load::Event(_) | Load::Transaction(_));
        if loads.iter().any(event) {
            envelope.event_id.get_or_insert_with(ids::random);
        }
        Self {
            key,
            envelope,
            loads,
        }
    }

    /// Whether each item is small enough, and they are few enough; if not, with the type of the first that is not.
    pub fn check_sizes(&self) -> Result<(), (&str, Refusal)> {
        for limit in LIMITS {
            let (mut count, mut total) = (0, 0);
            let of_types = self.loads.iter().filter_map(|load| load.size(limit.types));
            for (name, size, each) in of_types {
                count += 1;
                total += size;
                if each > limit.size || count > limit.count || total > limit.total {
                    let message = format!("envelope exceeded size limits for type '{name}'");
                    let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message);
                    return Err((name, refusal));
                }
            }
        }
        Ok(())
    }
}

impl Load {
    fn of(item: Item, relay: Relay) -> Self {
        match item.name() {
            "event" => Self::Event(item.payload),
            "transaction" if relay.takes_transactions() => Self::Transaction(item.payload),
            "span" if relay.takes_spans() && item.is_container() => Self::Spans(item),
            "log" if relay.takes_logs() && item.is_container() => Self::Logs(item),
            name if OTHERS.contains(&name) => Self::Other(item),
            _ => Self::Unknown(item),
        }
    }

    /// The type, the size, and that of the average part, if it is of these types.
    fn size(&self, types: &[&str]) -> Option<(&str, usize, usize)> {
        let (name, size, parts) = match self {
            Self::Event(payload) => ("event", payload.len(), 1),
            Self::Transaction(payload) => ("transaction", payload.len(), 1),
            Self::Spans(item) | Self::Logs(item) => {
                let parts = item.count().unwrap_or(1).max(1);
                (item.name(), item.payload.len(), parts)
            }
            Self::Other(item) => (item.name(), item.payload.len(), 1),
            Self::Otlp(..) | Self::Unknown(_) => return None,
        };
        types.contains(&name).then_some((name, size, size / parts))
    }

    /// What quotas are about; see [`Self::stopped_by`].
    pub fn categories(&self) -> &'static [&'static str] {
        match self {
            Self::Event(_) => &["error"],
            Self::Transaction(_) => &["transaction", "transaction_indexed", "span", "span_indexed"],
            Self::Spans(_) | Self::Otlp(Signal::Traces, ..) => &["span", "span_indexed"],
            Self::Logs(_) | Self::Otlp(Signal::Logs, ..) => &["log_item", "log_byte"],
            Self::Other(item) => match item.name() {
                "attachment" => &["attachment"],
                "check_in" => &["monitor"],
                "session" | "sessions" => &["session"],
                "profile" | "profile_chunk" => &["profile"],
                _ => &["default"],
            },
            Self::Unknown(_) => &[],
        }
    }

    /// Whether a quota on this one of its categories stops it. One on the spans of a transaction does not: the client is
    /// refused, and yet all of it is taken (Relay 26.9).
    pub fn stopped_by(&self, category: &str) -> bool {
        !matches!(self, Self::Transaction(_)) || category.starts_with("transaction")
    }

    /// How much of each category is lost with it, as the server counts: it has not looked into all of it yet.
    pub fn quantities(&self) -> Vec<(&'static str, u64)> {
        match self {
            Self::Transaction(payload) => {
                let event = serde_json::from_slice(payload).unwrap_or(Value::Null);
                vec![("transaction", 1), ("span", transaction::spans(&event))]
            }
            Self::Spans(item) | Self::Logs(item) => {
                vec![(self.categories()[0], item.count().unwrap_or(1) as u64)]
            }
            Self::Other(item) if item.name() == "attachment" => {
                vec![("attachment", item.payload.len() as u64)]
            }
            _ => self
                .categories()
                .first()
                .map(|name| (*name, 1))
                .into_iter()
                .collect(),
        }
    }
}

/// The key of an envelope: that of the request, that of its own DSN, or both if they agree.
fn whose(key: Option<String>, dsn: Option<&str>, project: u64) -> Result<String, Refusal> {
    let mismatch = |what: &str| {
        let cause = format!("{what} header mismatch between envelope and request");
        Refusal::bad_request("invalid event envelope", cause)
    };
    let Some(dsn) = dsn else {
        return key.ok_or_else(key::missing);
    };
    let parts = dsn
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('@'));
    let (user, rest) = parts.ok_or_else(|| mismatch("dsn"))?;
    let own = key::checked(user.split(':').next().unwrap_or_default())?;
    let of = rest
        .rsplit('/')
        .next()
        .and_then(|id| id.parse::<u64>().ok());
    if of != Some(project) {
        return Err(mismatch("project id"));
    }
    match key {
        Some(key) if key != own => Err(mismatch("public key")),
        _ => Ok(own),
    }
}

/// The body of the store endpoint: JSON, or that in base64, or that compressed and then in base64.
fn stored(body: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let wrong = |cause: String| Refusal::bad_request("invalid request body", cause);
    if body.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "empty request body"));
    }
    if body.starts_with(b"{") {
        return Ok(body);
    }
    let decoded = BASE64_STANDARD.decode(&body);
    let decoded = decoded.map_err(|error| wrong(error.to_string()))?;
    if decoded.starts_with(b"{") {
        return Ok(decoded);
    }
    let mut event = Vec::new();
    let most = EVENT as u64;
    let mut inflated = ZlibDecoder::new(decoded.as_slice()).take(most);
    inflated
        .read_to_end(&mut event)
        .map_err(|error| wrong(error.to_string()))?;
    Ok(event)
}
