//! What hostile tests are made of.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::{dsn, sentry, sentry_as};
use prost::encoding::{WireType, encode_key, encode_varint};
use sentry_sandbox::{Relay, Sandbox};
use serde_json::json;

pub const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
pub const JSON: (&str, &str) = ("content-type", "application/json");

/// What the whole program may take while a body of 8 MiB is read, in MiB.
const MEMORY: u64 = 160;

/// A field with bytes.
pub fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut field = Vec::with_capacity(bytes.len() + 8);
    encode_key(number, WireType::LengthDelimited, &mut field);
    encode_varint(bytes.len() as u64, &mut field);
    field.extend_from_slice(bytes);
    field
}

/// A request whose resource, scope and records are given as fields.
pub fn request(of_resource: &[u8], of_scope: &[u8]) -> Vec<u8> {
    field(1, &[of_resource, &field(2, of_scope)].concat())
}

pub fn traces() -> (Sandbox, Bridge) {
    let sentry = sentry();
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    (sentry, bridge)
}

/// To a server that wants transactions.
pub fn transactions() -> (Sandbox, Bridge) {
    let sentry = sentry_as(Relay::V21);
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry), "mode": "transactions"}));
    (sentry, bridge)
}

/// It goes on, within bounds; and so does what is taken.
pub fn well(sentry: &Sandbox, bridge: Bridge) {
    let peak = bridge.peak();
    bridge.still_works();
    assert!(peak <= MEMORY, "{peak} MiB");
    let outcomes = sentry.outcomes();
    let last = |one: &sentry_sandbox::intake::Accepted| {
        let text = one.payload.to_string();
        text.contains(&"ee".repeat(16))
    };
    let all = outcomes.of("span").chain(outcomes.of("transaction"));
    assert_eq!(all.filter(|one| last(one)).count(), 1);
}
