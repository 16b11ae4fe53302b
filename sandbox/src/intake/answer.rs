//! Answers and refusals of the intake, in the form that the endpoint speaks.

use crate::draft::{Draft, Sending};
use crate::problem::JSON;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use prost::Message;
use serde_json::{Value, json};

pub(crate) const PROTOBUF: &str = "application/x-protobuf";

/// How an endpoint says what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Sentry's own: JSON with `detail` and `causes`.
    Sentry,
    /// `google.rpc.Status` in protobuf.
    OtlpProtobuf,
    /// The same in JSON.
    OtlpJson,
}

/// The two fields of `google.rpc.Status` that are sent.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub message: String,
    /// Said in [`Form::Sentry`] only.
    pub causes: Vec<String>,
    pub headers: Vec<(HeaderName, String)>,
}

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            causes: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub fn bad_request(message: &str, cause: impl Into<String>) -> Self {
        Self {
            causes: vec![cause.into()],
            ..Self::new(StatusCode::BAD_REQUEST, message)
        }
    }

    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn draft(self, form: Form) -> Draft {
        let code = grpc_code(self.status);
        let (content_type, body) = match form {
            Form::Sentry => {
                let mut body = json!({"detail": self.message});
                if !self.causes.is_empty() {
                    body["causes"] = json!(self.causes);
                }
                (JSON, body.to_string().into_bytes())
            }
            Form::OtlpJson => {
                let body = json!({"code": code, "message": self.message});
                (JSON, body.to_string().into_bytes())
            }
            Form::OtlpProtobuf => {
                let message = self.message;
                (PROTOBUF, Status { code, message }.encode_to_vec())
            }
        };
        let mut draft = draft(self.status, content_type, body);
        draft.headers.extend(
            self.headers
                .into_iter()
                .filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?))),
        );
        draft
    }
}

/// As Relay maps the status of HTTP to the code of gRPC.
fn grpc_code(status: StatusCode) -> i32 {
    match status.as_u16() {
        400 | 415 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        413 | 429 => 8,
        501 => 12,
        502 | 503 => 14,
        504 => 4,
        500..=599 => 13,
        _ => 2,
    }
}

/// 200 of the envelope and store endpoints; the id is that of the event, if there is one.
pub(crate) fn taken(id: Option<&str>) -> Draft {
    let body = id.map_or_else(|| json!({}), |id| json!({ "id": id }));
    json_draft(&body)
}

pub(crate) fn json_draft(body: &Value) -> Draft {
    draft(StatusCode::OK, JSON, body.to_string().into_bytes())
}

/// 200 with the response that OTLP wants: an empty message.
pub(crate) fn taken_otlp(form: Form) -> Draft {
    match form {
        Form::OtlpProtobuf => draft(StatusCode::OK, PROTOBUF, Vec::new()),
        _ => json_draft(&json!({})),
    }
}

/// A status and nothing else.
pub(crate) fn bare(status: StatusCode) -> Draft {
    draft(status, "text/plain", Vec::new())
}

fn draft(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Draft {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("x-sentry-error, x-sentry-rate-limits, retry-after"),
    );
    Draft {
        status,
        content_type,
        headers,
        body: Sending::Whole(body),
    }
}
