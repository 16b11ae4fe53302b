//! One request to the intake, and what its answer means.

use crate::client::{Answer, Body, Client, NoAnswer, bare};
use crate::delivery::intake::{AUTH, Intake};
use crate::delivery::limits::{DEFAULT_WAIT, Limits, seconds};
use crate::delivery::payload::{Kind, Payload};
use crate::envelope::{Item, envelope, logs};
use crate::signal::Signal;
use chrono::Utc;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tap_sentry_api::text::brief;
use tokio::time::Instant;

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
    let (to, content_type, body) = request(intake, payload);
    let answer = match post(client, intake, to, content_type, body).await {
        Ok(answer) => answer,
        Err(error) => return Outcome::Passing(error.to_string()),
    };
    let status = answer.status();
    if status.is_redirection() {
        return Outcome::Passing(format!(
            "the server redirects to elsewhere ({}): check the DSN, and proxies in front of the server",
            status.as_u16()
        ));
    }
    let limited = learn(answer.headers(), status, payload, limits);
    let known = match status {
        _ if status.is_success() && !limited => Some(Outcome::Delivered),
        _ if status.is_success() => Some(Outcome::Limited),
        StatusCode::TOO_MANY_REQUESTS => Some(Outcome::Limited),
        StatusCode::PAYLOAD_TOO_LARGE => Some(Outcome::TooLarge),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Some(Outcome::NotThere),
        _ => None,
    };
    if let Some(outcome) = known {
        answer.finish().await;
        return outcome;
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Outcome::Unauthorized(told(status, answer).await)
        }
        // They speak of the connection or of the moment, and not of what is handed in.
        StatusCode::REQUEST_TIMEOUT | StatusCode::MISDIRECTED_REQUEST | StatusCode::TOO_EARLY => {
            Outcome::Passing(told(status, answer).await)
        }
        _ if status.is_server_error() => Outcome::Passing(told(status, answer).await),
        _ => Outcome::Refused(told(status, answer).await),
    }
}

/// Where a payload is handed in, and the body.
fn request<'a>(intake: &'a Intake, payload: &Payload) -> (&'a Uri, &'static str, Body) {
    let event = |item| {
        let trace = trace(intake, payload);
        let (id, body) = (&payload.event_id, payload.body.clone());
        (
            &intake.envelope,
            ENVELOPE,
            envelope(item, id, body, trace, Utc::now()),
        )
    };
    let otlp = |signal| (intake.otlp(signal), PROTOBUF, bare(payload.body.clone()));
    match payload.kind {
        Kind::Traces => otlp(Signal::Traces),
        Kind::Logs => otlp(Signal::Logs),
        Kind::Error => event(Item::Event),
        Kind::Transaction => event(Item::Transaction),
        Kind::LogItems => {
            let items = logs(&payload.body, payload.spans, Utc::now());
            (&intake.envelope, ENVELOPE, items)
        }
    }
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
/// When there is no answer of Sentry's.
pub async fn post(
    client: &Client,
    intake: &Intake,
    to: &Uri,
    content_type: &'static str,
    body: Body,
) -> Result<Answer, NoAnswer> {
    let headers = [
        (AUTH, intake.auth.clone()),
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
    ];
    client.post(to, headers, body).await
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
async fn told(status: StatusCode, mut answer: Answer) -> String {
    let mut text = Vec::new();
    while text.len() < TEXT {
        match answer.chunk().await {
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
