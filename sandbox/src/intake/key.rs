//! Which key a request brings. Exactly one of four places may have it.

use crate::intake::answer::Refusal;
use crate::intake::relay::Relay;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

const X_SENTRY_AUTH: HeaderName = HeaderName::from_static("x-sentry-auth");

/// The public key of a request; `None`: it has none of these places. `Bearer` is none of them.
pub(crate) fn of_request(
    headers: &HeaderMap,
    query: &[(String, String)],
    relay: Relay,
) -> Result<Option<String>, Refusal> {
    let found: Vec<Option<&str>> = [
        sentry(headers, &X_SENTRY_AUTH),
        sentry(headers, &header::AUTHORIZATION),
    ]
    .into_iter()
    .flatten()
    .collect();
    let basic = basic(headers).filter(|_| relay.takes_basic());
    // Any parameter of this kind makes the query a place of its own.
    let asked = query.iter().any(|(name, _)| name.starts_with("sentry_"));
    if found.len() + usize::from(basic.is_some()) + usize::from(asked) > 1 {
        return Err(unauthorized("multiple authorization payloads detected"));
    }
    let in_query = || query.iter().find(|(name, _)| name == "sentry_key");
    let key = match (found.first(), &basic) {
        (Some(key), _) => *key,
        (None, Some(key)) => Some(key.as_str()),
        (None, None) if asked => in_query().map(|(_, value)| value.as_str()),
        (None, None) => return Ok(None),
    };
    let key = key.ok_or_else(|| unauthorized("bad x-sentry-auth header"))?;
    checked(key).map(Some)
}

pub(crate) fn missing() -> Refusal {
    unauthorized("missing authorization information")
}

/// A key is 32 hexadecimal digits.
pub(crate) fn checked(key: &str) -> Result<String, Refusal> {
    if key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(key.to_ascii_lowercase())
    } else {
        Err(Refusal::bad_request(
            "bad sentry DSN public key",
            "invalid project key",
        ))
    }
}

/// What `Sentry sentry_key=…, …` in a header says; the inner `None`: no key. Headers of other schemes are not looked at.
fn sentry<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Option<&'a str>> {
    let text = headers.get(name)?.to_str().ok()?;
    let (scheme, fields) = text.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case("sentry ").then(|| {
        let fields = fields.split(',').filter_map(|field| field.split_once('='));
        let mut keys = fields.filter(|(name, _)| name.trim() == "sentry_key");
        keys.next().map(|(_, value)| value.trim())
    })
}

/// The user name of HTTP Basic. What cannot be read is passed over.
fn basic(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = text.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case("basic ") {
        return None;
    }
    let credentials = BASE64_STANDARD.decode(credentials).ok()?;
    let credentials = String::from_utf8(credentials).ok()?;
    Some(credentials.split_once(':')?.0.to_owned())
}

fn unauthorized(message: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, message)
}
