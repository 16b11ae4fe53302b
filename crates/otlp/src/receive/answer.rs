//! Answers to clients, in the form of their request.
//!
//! Clients read little of them: Python's HTTP exporter 1.45.2 counts every status below 400 as delivered and drops a batch at
//! 500; Python's and JavaScript's wait 10 s in all, so that a longer `Retry-After` loses the batch. Hence no redirect, no 500
//! and waits of 1 to 3 s.

use crate::rejection::Reason;
use crate::signal::Signal;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::json;
use std::collections::BTreeMap;

/// In which form a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Protobuf,
    Json,
}

impl Form {
    /// That of a `Content-Type`, whatever its parameters; none: OTLP has no such form.
    pub fn of(content_type: Option<&HeaderValue>) -> Option<Self> {
        let text = content_type?.to_str().ok()?;
        let essence = text.split(';').next()?.trim();
        if essence.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Self::Protobuf)
        } else if essence.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        })
    }
}

/// Spans or log records of a request that were not taken, by reason, each with what was wrong with the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejected {
    signal: Signal,
    by_reason: BTreeMap<Reason, (u64, String)>,
}

impl Rejected {
    /// None of a request of that signal.
    pub fn of(signal: Signal) -> Self {
        Self {
            signal,
            ..Self::default()
        }
    }

    pub fn add(&mut self, reason: Reason, what: impl FnOnce() -> String) {
        let of_reason = self.by_reason.entry(reason);
        of_reason.or_insert_with(|| (0, what())).0 += 1;
    }

    /// How many in all.
    pub fn spans(&self) -> u64 {
        self.by_reason.values().map(|(spans, _)| spans).sum()
    }

    /// How many, reason by reason.
    pub fn by_reason(&self) -> impl Iterator<Item = (Reason, u64)> {
        let by_reason = self.by_reason.iter();
        by_reason.map(|(reason, (how_many, _))| (*reason, *how_many))
    }

    /// How many for this reason.
    pub fn for_reason(&self, reason: Reason) -> u64 {
        self.by_reason.get(&reason).map_or(0, |(spans, _)| *spans)
    }

    /// What the client is told. The response for logs has the same fields under the same numbers.
    pub fn response(&self) -> ExportTraceServiceResponse {
        let spans = i64::try_from(self.spans()).unwrap_or(i64::MAX);
        let partial_success = (spans > 0).then(|| ExportTracePartialSuccess {
            rejected_spans: spans,
            error_message: self.to_string(),
        });
        ExportTraceServiceResponse { partial_success }
    }
}

/// As in `2 spans: too_old (started 2020-01-01T00:00:00Z)`.
impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (reason, (spans, what))) in self.by_reason.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            let names = self.signal.names();
            let noun = if *spans == 1 {
                names.one
            } else {
                names.several
            };
            write!(f, "{separator}{spans} {noun}: {} ({what})", reason.name())?;
        }
        Ok(())
    }
}

/// 200, with what was not taken.
pub fn taken(form: Form, rejected: &Rejected) -> Response<Body> {
    let response = rejected.response();
    let body = match (form, &response.partial_success) {
        (Form::Protobuf, _) => response.encode_to_vec(),
        (Form::Json, None) => b"{}".to_vec(),
        // 64-bit numbers are texts in the mapping of OTLP to JSON, and what serde makes of the message has numbers.
        (Form::Json, Some(partial)) => json!({
            "partialSuccess": {
                rejected.signal.names().rejected: partial.rejected_spans.to_string(),
                "errorMessage": partial.error_message,
            }
        })
        .to_string()
        .into_bytes(),
    };
    respond(StatusCode::OK, form, body)
}

/// Codes of `google.rpc.Status` that are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// `google.rpc.Status`, without details.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// An error, as a `google.rpc.Status`.
pub fn error(status: StatusCode, form: Form, code: Code, message: &str) -> Response<Body> {
    let code = code as i32;
    let body = match form {
        Form::Protobuf => RpcStatus {
            code,
            message: message.to_owned(),
        }
        .encode_to_vec(),
        Form::Json => json!({"code": code, "message": message})
            .to_string()
            .into_bytes(),
    };
    respond(status, form, body)
}

/// 429 or 503: to be sent again after so many seconds.
pub fn later(status: StatusCode, form: Form, seconds: u32, message: &str) -> Response<Body> {
    let code = if status == StatusCode::TOO_MANY_REQUESTS {
        Code::ResourceExhausted
    } else {
        Code::Unavailable
    };
    let mut response = error(status, form, code, message);
    let wait = HeaderValue::from(seconds);
    response.headers_mut().insert(RETRY_AFTER, wait);
    response
}

fn respond(status: StatusCode, form: Form, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, form.content_type());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::protobuf("application/x-protobuf", Some(Form::Protobuf))]
    #[case::with_a_parameter("Application/JSON; charset=utf-8", Some(Form::Json))]
    #[case::text("text/plain", None)]
    fn forms_are_told_by_content_type(#[case] text: &str, #[case] form: Option<Form>) {
        let value = HeaderValue::from_str(text).expect("a value");
        assert_eq!(Form::of(Some(&value)), form);
    }

    #[test]
    fn what_is_rejected_is_told_by_reason() {
        let mut rejected = Rejected::default();
        for name in ["a", "b"] {
            rejected.add(Reason::InvalidId, || format!("span id of `{name}`"));
        }
        rejected.add(Reason::TooOld, || "started long ago".to_owned());
        assert_eq!(
            (rejected.spans(), rejected.to_string().as_str()),
            (
                3,
                "2 spans: invalid_id (span id of `a`); 1 span: too_old (started long ago)"
            )
        );
    }
}
