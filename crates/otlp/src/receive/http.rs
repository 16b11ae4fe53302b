//! OTLP over HTTP.

use crate::delivery::exporter::Exporter;
use crate::figures::Figures;
use crate::receive::answer::{Code, Form, Rejected, error, later, taken};
use crate::receive::body::{BodyError, Room};
use crate::receive::request::{Request, Unreadable};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{any, post};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tower_http::decompression::RequestDecompressionLayer;

/// Clients are asked to come back after so many seconds. Most give up after ten in all.
const RETRY_AFTER: u32 = 2;

/// Of what is not taken there is a line in the log so often.
const TOLD: Duration = Duration::from_secs(60);

/// What the routes need. Clones share it.
#[derive(Clone)]
pub struct Receiver {
    pub exporters: Arc<[Arc<Exporter>]>,
    pub room: Room,
    pub figures: Figures,
    /// When it was last logged that something is not taken, by path.
    pub told: Arc<Mutex<Option<Instant>>>,
}

/// The routes. `traces` is the path of the spans, with or without its trailing slash.
pub fn router(receiver: Receiver, traces: &str) -> Router {
    let traces = traces.trim_end_matches('/');
    let mut router = Router::new();
    for path in [traces.to_owned(), format!("{traces}/")] {
        router = router.route(&path, post(spans));
    }
    for signal in ["/v1/metrics", "/v1/metrics/", "/v1/logs", "/v1/logs/"] {
        router = router.route(signal, any(not_taken));
    }
    router
        .layer(RequestDecompressionLayer::new())
        .with_state(receiver)
}

/// Spans, taken or told why not.
async fn spans(State(receiver): State<Receiver>, headers: HeaderMap, body: Body) -> Response<Body> {
    let Some(form) = Form::of(headers.get(CONTENT_TYPE)) else {
        return error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Form::Json,
            Code::InvalidArgument,
            "Content-Type must be application/x-protobuf or application/json",
        );
    };
    let held = match receiver.room.read(body).await {
        Ok(held) => held,
        Err(failed) => return unread(form, &failed),
    };
    let read = match form {
        Form::Protobuf => Request::protobuf(held.bytes.clone()),
        Form::Json => Request::json(&held.bytes),
    };
    match read {
        Err(Unreadable(text)) => error(StatusCode::BAD_REQUEST, form, Code::InvalidArgument, &text),
        Ok((request, outline)) => {
            // All of them take it, or none: a client sends the whole of it again.
            let exporters = receiver.exporters.iter();
            let slots: Option<Vec<_>> = exporters.map(|to| to.reserve(outline)).collect();
            let Some(slots) = slots else {
                return later(
                    StatusCode::TOO_MANY_REQUESTS,
                    form,
                    RETRY_AFTER,
                    "the queue is full: Sentry takes less at the moment than comes in",
                );
            };
            let exporters = receiver.exporters.iter().zip(&slots);
            let rejected = exporters
                .map(|(exporter, slot)| exporter.take(&request, slot))
                // What one of them has rejected is no less so because another one has taken it.
                .max_by_key(Rejected::spans)
                .unwrap_or_default();
            receiver.count(outline.spans as u64, &rejected);
            taken(form, &rejected)
        }
    }
}

impl Receiver {
    fn count(&self, spans: u64, rejected: &Rejected) {
        self.figures.received.inc_by(spans);
        self.figures
            .accepted
            .inc_by(spans.saturating_sub(rejected.spans()));
        if rejected.spans() > 0 && self.is_to_tell() {
            log::warn!(
                "spans are rejected: {rejected}; this is said once a minute, and counted in sentry_otlp_rejected_total"
            );
        }
    }

    /// Whether a minute has passed since something was said.
    fn is_to_tell(&self) -> bool {
        let mut told = self.told.lock();
        let now = Instant::now();
        let due = told.is_none_or(|at| now.duration_since(at) >= TOLD);
        if due {
            *told = Some(now);
        }
        due
    }
}

fn unread(form: Form, failed: &BodyError) -> Response<Body> {
    let text = failed.to_string();
    match failed {
        BodyError::TooLarge { .. } => error(
            StatusCode::PAYLOAD_TOO_LARGE,
            form,
            Code::ResourceExhausted,
            &text,
        ),
        BodyError::NoRoom => later(StatusCode::SERVICE_UNAVAILABLE, form, RETRY_AFTER, &text),
        BodyError::Broken(_) => error(StatusCode::BAD_REQUEST, form, Code::InvalidArgument, &text),
    }
}

/// Signals that Sentry takes none of here.
async fn not_taken(State(receiver): State<Receiver>, headers: HeaderMap) -> Response<Body> {
    if receiver.is_to_tell() {
        log::warn!(
            "a client sends metrics or logs, which are not taken: set OTEL_METRICS_EXPORTER=none and OTEL_LOGS_EXPORTER=none there"
        );
    }
    let form = Form::of(headers.get(CONTENT_TYPE)).unwrap_or(Form::Json);
    error(
        StatusCode::NOT_FOUND,
        form,
        Code::NotFound,
        "only traces are taken",
    )
}
