//! One request to the intake, and what its answer means.

use crate::delivery::intake::{AUTH, Intake};
use crate::delivery::limits::{DEFAULT_WAIT, Limits, seconds};
use crate::delivery::payload::{Kind, Payload};
use crate::envelope::{Item, envelope, logs};
use crate::signal::Signal;
use chrono::Utc;
use parking_lot::Mutex;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Body, Client, Response, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tap_sentry_api::connection::chain;
use tap_sentry_api::text::brief;
use tokio::time::Instant;
use url::Url;

/// The header that names limits; it may come with any answer.
const RATE_LIMITS: &str = "x-sentry-rate-limits";
/// Content types.
pub const PROTOBUF: &str = "application/x-protobuf";
const ENVELOPE: &str = "application/x-sentry-envelope";
/// Of what an answer says no more is read.
const TEXT: usize = 4 << 10;

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Answered 2xx, without a limit on what was sent.
    Delivered,
    /// Limited; [`Limits`] know until when.
    Limited,
    /// A failure that may pass.
    Passing(String),
    /// 413.
    TooLarge,
    /// It would be refused in each further try, for a reason that lies in it.
    Refused(String),
    /// The key is refused, or the project is not there.
    Unauthorized(String),
    /// 404: the server has no such intake.
    NotThere,
}

/// Hands a payload in once.
pub async fn hand_in(
    client: &Client,
    intake: &Intake,
    payload: &Payload,
    limits: &Mutex<Limits>,
) -> Outcome {
    let (url, content_type, body) = request(intake, payload);
    let answer = post(client, intake, url, content_type, body).await;
    let response = match answer {
        Ok(response) => response,
        Err(error) => return Outcome::Passing(chain(&error.without_url())),
    };
    let status = response.status();
    if response.url() != url || status.is_redirection() {
        // A redirected POST becomes a GET, whose 200 says nothing.
        return Outcome::Passing(format!(
            "the server redirects to elsewhere ({}): check the DSN, and proxies in front of the server",
            status.as_u16()
        ));
    }
    let limited = learn(response.headers(), status, payload, limits);
    if status.is_success() {
        return if limited {
            Outcome::Limited
        } else {
            Outcome::Delivered
        };
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS => Outcome::Limited,
        StatusCode::PAYLOAD_TOO_LARGE => Outcome::TooLarge,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Outcome::NotThere,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Outcome::Unauthorized(told(status, response).await)
        }
        // 408 and all of the server's own failures may pass.
        _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Outcome::Passing(told(status, response).await)
        }
        _ => Outcome::Refused(told(status, response).await),
    }
}

/// Where a payload is handed in, and the body.
fn request<'a>(intake: &'a Intake, payload: &Payload) -> (&'a Url, &'static str, Body) {
    let event = |item| {
        let trace = trace(intake, payload);
        let (id, body) = (&payload.event_id, &payload.body);
        (
            &intake.envelope,
            ENVELOPE,
            envelope(item, id, body, trace, Utc::now()),
        )
    };
    let otlp = |signal| (intake.otlp(signal), PROTOBUF, payload.body.clone());
    let (url, content_type, body) = match payload.kind {
        Kind::Traces => otlp(Signal::Traces),
        Kind::Logs => otlp(Signal::Logs),
        Kind::Error => event(Item::Event),
        Kind::Transaction => event(Item::Transaction),
        Kind::LogItems => {
            let items = logs(&payload.body, payload.spans, Utc::now());
            (&intake.envelope, ENVELOPE, items)
        }
    };
    (url, content_type, body.into())
}

/// The sampling context. Relay 26.9 takes the share of traces that is kept from there alone.
fn trace(intake: &Intake, payload: &Payload) -> Option<Value> {
    let (trace_id, sampled) = &**payload.sampled.as_ref()?;
    let mut trace = json!({
        "trace_id": trace_id,
        "public_key": intake.key.expose_secret(),
        "sample_rate": sampled.rate.to_string(),
        "sampled": "true",
        "transaction": sampled.transaction,
    });
    for (name, value) in [
        ("release", &sampled.release),
        ("environment", &sampled.environment),
    ] {
        if let Some(value) = value {
            trace[name] = json!(value);
        }
    }
    Some(trace)
}

/// Sends a body to an address of the intake.
///
/// # Errors
/// When there is no answer.
pub async fn post(
    client: &Client,
    intake: &Intake,
    url: &Url,
    content_type: &'static str,
    body: Body,
) -> Result<Response, reqwest::Error> {
    // Of an empty body hyper 1.12 tells no length, and some servers in front of Sentry's want one (411).
    let length = body.as_bytes().map_or(0, <[u8]>::len);
    let request = client
        .post(url.clone())
        .header(AUTH, intake.auth.clone())
        .header(CONTENT_TYPE, content_type)
        .header(CONTENT_LENGTH, length)
        .body(body);
    request.send().await
}

/// Takes the limits out of an answer. Whether the payload is limited by them.
fn learn(
    headers: &HeaderMap,
    status: StatusCode,
    payload: &Payload,
    limits: &Mutex<Limits>,
) -> bool {
    let now = Instant::now();
    let categories = payload.kind.categories();
    let mut limits = limits.lock();
    let named = headers.get_all(RATE_LIMITS).iter();
    let mut limited = false;
    for header in named.filter_map(|value| value.to_str().ok()) {
        limited |= limits.learn(header, categories, now);
    }
    if status == StatusCode::TOO_MANY_REQUESTS && !limited {
        let wait = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let wait = wait.and_then(seconds).unwrap_or(DEFAULT_WAIT);
        limits.learn_all(wait, now);
    }
    limited
}

/// What an answer says, on one line.
async fn told(status: StatusCode, mut response: Response) -> String {
    let mut text = Vec::new();
    while text.len() < TEXT {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            _ => break,
        }
    }
    text.truncate(TEXT);
    let text = String::from_utf8_lossy(&text);
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    let reason = status.canonical_reason().unwrap_or_default();
    brief(format!("{} {reason}: {text}", status.as_u16()).trim_end_matches([':', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::payload::KINDS;
    use bytes::Bytes;

    /// What reqwest cannot copy it does not send again of itself: nginx ends a connection of HTTP/2 after 1000 requests, and
    /// those that it has not read then are sent on the next one.
    #[test]
    fn every_body_can_be_sent_again() {
        let dsn = "https://abc@o1.ingest.sentry.io/42".parse().expect("a DSN");
        let intake = Intake::new(&dsn).expect("an intake");
        for kind in KINDS {
            let payload = Payload {
                kind,
                event_id: "0a".to_owned(),
                body: Bytes::from_static(b"{}"),
                spans: 1,
                since: Instant::now(),
                alone: false,
                sampled: None,
                slots: Vec::new(),
                receipts: Vec::new(),
            };
            let (_, _, body) = request(&intake, &payload);
            let bytes = body.as_bytes().map(<[u8]>::to_vec);
            assert!(
                bytes.is_some_and(|bytes| bytes.ends_with(b"}\n") || bytes == b"{}"),
                "{kind:?}"
            );
        }
    }
}
