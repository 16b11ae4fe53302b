//! Transactions of spans that nobody would send, as JSON lines on standard output: what Sentry's normaliser is to judge.
//!
//! ```text
//! cargo run -p sentry-otlp --example transactions [SEED] | python tests/e2e/otlp/normalise.py
//! ```

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRunner};
use sentry_otlp::attributes::Attributes;
use sentry_otlp::seen::Seen;
use sentry_otlp::terms::Terms;
use sentry_otlp::transactions::group::{Arrived, Bounds, Grouper};
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

/// Names that mean something to the conventions, and some that mean nothing.
const KEYS: &[&str] = &[
    "client.address",
    "code.function.name",
    "db.collection.name",
    "db.operation",
    "db.query.text",
    "db.statement",
    "db.system",
    "db.system.name",
    "deployment.environment",
    "deployment.environment.name",
    "dist",
    "enduser.id",
    "environment",
    "exception.type",
    "faas.trigger",
    "filename",
    "function",
    "gen_ai.operation.name",
    "host.name",
    "http.client_ip",
    "http.host",
    "http.method",
    "http.request.header.accept",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "http.status_code",
    "http.target",
    "http.url",
    "level",
    "messaging.destination.name",
    "messaging.system",
    "otel.scope.name",
    "release",
    "rpc.grpc.status_code",
    "rpc.response.status_code",
    "rpc.service",
    "sentry.client_sample_rate",
    "sentry.custom_span_name",
    "sentry.description",
    "sentry.environment",
    "sentry.kind",
    "sentry.op",
    "sentry.origin",
    "sentry.release",
    "sentry.source",
    "server.address",
    "server.port",
    "server_name",
    "service.name",
    "service.version",
    "telemetry.sdk.language",
    "transaction",
    "url.full",
    "url.path",
    "url.query",
    "url.scheme",
    "user",
    "user.email",
    "user.full_name",
    "user.id",
    "user.ip_address",
    "user.name",
    "user_agent.original",
];

/// Values that mean something somewhere.
const VALUES: &[&str] = &[
    "",
    " ",
    "\n",
    "latest",
    "none",
    "..",
    "a/b",
    "a\nb",
    "GET",
    "get",
    "FOO BAR",
    "200",
    "404",
    "500",
    "999",
    "-1",
    "/",
    "/users/1?a=b#c",
    "https://u:p@shop:8443/a?b=c",
    "192.0.2.1",
    "::1",
    "localhost",
    "python",
    "nodejs",
    "SELECT * FROM users",
    "UNAVAILABLE",
    "custom",
    "route",
    "0.5",
    "1.0",
    "kafka",
    "auto",
    "{{auto}}",
    "null",
    "true",
    "\u{0}",
    "\u{feff}",
    "ä\u{301}",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(VALUES).prop_map(str::to_owned),
        2 => ".{0,30}",
        1 => (".", 1_usize..20_000).prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

fn value() -> impl Strategy<Value = Option<Value>> {
    let leaf = prop_oneof![
        6 => text().prop_map(|text| Some(Value::StringValue(text))),
        1 => any::<bool>().prop_map(|truth| Some(Value::BoolValue(truth))),
        2 => any::<i64>().prop_map(|number| Some(Value::IntValue(number))),
        2 => (0_i64..600).prop_map(|number| Some(Value::IntValue(number))),
        2 => any::<f64>().prop_map(|number| Some(Value::DoubleValue(number))),
        1 => vec(any::<u8>(), 0..40).prop_map(|bytes| Some(Value::BytesValue(bytes))),
        1 => Just(None),
    ];
    leaf.prop_recursive(5, 20, 4, |inner| {
        let any_value = inner.prop_map(|value| AnyValue { value });
        let array = vec(any_value.clone(), 0..4)
            .prop_map(|values| Some(Value::ArrayValue(ArrayValue { values })));
        let map = vec((".{0,8}", any_value), 0..4).prop_map(|pairs| {
            let pair = |(key, value)| KeyValue {
                key,
                value: Some(value),
                ..KeyValue::default()
            };
            let values = pairs.into_iter().map(pair).collect();
            Some(Value::KvlistValue(KeyValueList { values }))
        });
        prop_oneof![array, map]
    })
}

fn attributes(most: usize) -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof![
        8 => select(KEYS).prop_map(str::to_owned),
        1 => ".{0,20}",
        1 => "[a-z. /]{150,260}",
    ];
    let pair = (key, value()).prop_map(|(key, value)| KeyValue {
        key,
        value: Some(AnyValue { value }),
        ..KeyValue::default()
    });
    vec(pair, 0..most)
}

fn event(start: u64) -> impl Strategy<Value = Event> {
    (0_u64..5_000_000, text(), attributes(4)).prop_map(move |(after, name, attributes)| Event {
        time_unix_nano: start + after,
        name,
        attributes,
        dropped_attributes_count: 0,
    })
}

fn link() -> impl Strategy<Value = Link> {
    let ids = (vec(any::<u8>(), 15..18), vec(any::<u8>(), 7..10));
    (ids, text(), attributes(4), any::<u32>()).prop_map(
        |((trace, span), state, attributes, flags)| Link {
            trace_id: if trace.len() == 17 {
                vec![7; 16]
            } else {
                trace
            },
            span_id: if span.len() == 9 { vec![7; 8] } else { span },
            trace_state: state,
            attributes,
            flags,
            ..Link::default()
        },
    )
}

/// Spans that started within the minutes before.
fn span(now: u64) -> impl Strategy<Value = Span> {
    let ids = (
        1_u8..20,
        1_u8..40,
        0_u8..40,
        select(&[0_u32, 0x100, 0x300][..]),
    );
    let times = (1_000_000_000_u64..200_000_000_000, 0_u64..900_000_000);
    let status = prop::option::of((0_i32..4, text()));
    let parts = (
        attributes(14),
        vec(event(now), 0..3),
        vec(link(), 0..3),
        text(),
    );
    (ids, text(), 0_i32..7, times, status, parts).prop_map(move |made| {
        let ((trace, id, parent, flags), name, kind, (before, long), status, parts) = made;
        let (attributes, events, links, trace_state) = parts;
        Span {
            trace_id: vec![trace; 16],
            span_id: vec![id; 8],
            parent_span_id: vec![parent; 8],
            flags,
            name,
            kind,
            start_time_unix_nano: now - before,
            end_time_unix_nano: now - before + long,
            attributes,
            events,
            links,
            trace_state,
            status: status.map(|(code, message)| Status { message, code }),
            ..Span::default()
        }
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let number = std::env::args().nth(1).map_or(Ok(1), |seed| seed.parse())?;
    let mut runner = TestRunner::new(Config {
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(number),
        ..Config::default()
    });
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = u64::try_from(now.as_nanos())?;
    let mut out = std::io::stdout().lock();
    for _ in 0..100 {
        let mut grouper = Grouper::new(Bounds {
            timeout: Duration::from_secs(10),
            spans: usize::MAX,
            bytes: usize::MAX,
        });
        let made = (vec(span(now), 1..60), attributes(10), attributes(4), text());
        let (spans, resource, scope, name) = made
            .new_tree(&mut runner)
            .map_err(|reason| reason.to_string())?
            .current();
        let scope = InstrumentationScope {
            name,
            attributes: scope,
            ..InstrumentationScope::default()
        };
        for span in &spans {
            let seen = Seen {
                resource: Attributes(&resource),
                scope: Some(&scope),
                span,
            };
            let origin = grouper.origin(seen.resource, &Terms::default());
            let arrived = Arrived::of(&seen, origin).expect("it can be written");
            grouper.add(arrived, &[], Instant::now());
        }
        loop {
            let ready = grouper.drain();
            for payload in ready.payloads {
                out.write_all(&payload.json)?;
                out.write_all(b"\n")?;
            }
            if !ready.more {
                break;
            }
        }
    }
    Ok(())
}
