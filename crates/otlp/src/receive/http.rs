//! OTLP over HTTP.

use crate::receive::answer::{Code, Form, error, later, taken};
use crate::receive::body::BodyError;
use crate::receive::receiver::{Declined, RETRY_AFTER, Receiver};
use crate::receive::request::Request;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{any, post};
use tower_http::decompression::RequestDecompressionLayer;

/// The routes. `traces` is the path of the spans, with or without its trailing slash.
pub fn router(receiver: Receiver, traces: &str) -> Router {
    let traces = traces.trim_end_matches('/');
    let mut router = Router::new();
    for path in [traces.to_owned(), format!("{traces}/")] {
        router = router.route(&path, post(spans));
    }
    let others = ["/v1/metrics", "/v1/logs"].into_iter();
    // Whoever wants spans there has them.
    for path in others.filter(|path| *path != traces) {
        for path in [path.to_owned(), format!("{path}/")] {
            router = router.route(&path, any(not_taken));
        }
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
        Err(failed) => {
            receiver.decline(failed.reason(), &failed);
            return unread(form, &failed);
        }
    };
    let read = match form {
        Form::Protobuf => Request::protobuf(held.bytes.clone()),
        Form::Json => Request::json(&held.bytes),
    };
    match receiver.take(read) {
        Ok(rejected) => taken(form, &rejected),
        Err(declined) => {
            let text = declined.to_string();
            match declined {
                Declined::Unreadable(_) => {
                    error(StatusCode::BAD_REQUEST, form, Code::InvalidArgument, &text)
                }
                Declined::NoExporter => {
                    later(StatusCode::SERVICE_UNAVAILABLE, form, RETRY_AFTER, &text)
                }
                Declined::Full => later(StatusCode::TOO_MANY_REQUESTS, form, RETRY_AFTER, &text),
            }
        }
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

/// Signals that are not taken here.
async fn not_taken(State(receiver): State<Receiver>, headers: HeaderMap) -> Response<Body> {
    receiver.tell_not_taken();
    let form = Form::of(headers.get(CONTENT_TYPE)).unwrap_or(Form::Json);
    error(
        StatusCode::NOT_FOUND,
        form,
        Code::NotFound,
        "only traces are taken",
    )
}
