//! OTLP over HTTP.

use crate::receive::answer::{Code, Form, error, later, taken};
use crate::receive::body::BodyError;
use crate::receive::receiver::{Declined, RETRY_AFTER, Receiver};
use crate::receive::request::Request;
use crate::signal::Signal;
use crate::spool::Unkept;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{MethodRouter, any, post};
use tower_http::decompression::RequestDecompressionLayer;

/// A path of a signal that is not taken.
const METRICS: &str = "/v1/metrics";

/// The routes. `traces` and `logs` are the paths of what is taken, with or without their trailing slashes.
pub fn router(receiver: Receiver, traces: &str, logs: &str) -> Router {
    let mut router = Router::new();
    let mut add = |path: &str, handler: MethodRouter<Receiver>| {
        for path in [path.to_owned(), format!("{path}/")] {
            router = std::mem::take(&mut router).route(&path, handler.clone());
        }
    };
    let paths = [(traces, Signal::Traces), (logs, Signal::Logs)];
    let paths = paths.map(|(path, signal)| (path.trim_end_matches('/'), signal));
    for (path, signal) in paths {
        let handler = move |State(receiver), headers: HeaderMap, body: Body| {
            export(receiver, signal, headers, body)
        };
        add(path, post(handler));
    }
    // Whoever wants spans there has them.
    if paths.iter().all(|(path, _)| *path != METRICS) {
        add(METRICS, any(not_taken));
    }
    router
        .layer(RequestDecompressionLayer::new())
        .with_state(receiver)
}

/// A request, taken or told why not.
async fn export(
    receiver: Receiver,
    signal: Signal,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let Some(form) = Form::of(headers.get(CONTENT_TYPE)) else {
        return error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Form::Json,
            Code::InvalidArgument,
            "Content-Type must be application/x-protobuf or application/json",
        );
    };
    let held = match receiver.room.read(body, 0).await {
        Ok(held) => held,
        Err(failed) => {
            receiver.decline(failed.reason(), &failed);
            return unread(form, &failed);
        }
    };
    let read = || match form {
        Form::Protobuf => Request::protobuf(signal, held.bytes.clone()),
        Form::Json => Request::json(signal, held.bytes.clone()),
    };
    match receiver.take(held.bytes.len(), read).await {
        Ok(rejected) => taken(form, &rejected),
        Err(declined) => {
            let text = declined.to_string();
            match declined {
                Declined::Unreadable(_) => {
                    error(StatusCode::BAD_REQUEST, form, Code::InvalidArgument, &text)
                }
                Declined::TooLarge => error(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    form,
                    Code::ResourceExhausted,
                    &text,
                ),
                Declined::NotTaken(_) => error(StatusCode::NOT_FOUND, form, Code::NotFound, &text),
                Declined::NoExporter
                | Declined::Unkept(Unkept::Failed(_) | Unkept::Stuck(_) | Unkept::Closed) => {
                    later(StatusCode::SERVICE_UNAVAILABLE, form, RETRY_AFTER, &text)
                }
                Declined::Full | Declined::Unkept(Unkept::Full) => {
                    later(StatusCode::TOO_MANY_REQUESTS, form, RETRY_AFTER, &text)
                }
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
            &format!("{text}, which `max_request_body_size` allows"),
        ),
        BodyError::Late => error(
            StatusCode::REQUEST_TIMEOUT,
            form,
            Code::DeadlineExceeded,
            &text,
        ),
        BodyError::NoRoom => later(StatusCode::SERVICE_UNAVAILABLE, form, RETRY_AFTER, &text),
        BodyError::Broken(_) => error(StatusCode::BAD_REQUEST, form, Code::InvalidArgument, &text),
    }
}

/// A signal that is not taken here.
async fn not_taken(State(receiver): State<Receiver>, headers: HeaderMap) -> Response<Body> {
    let text = receiver.tell_metrics();
    let form = Form::of(headers.get(CONTENT_TYPE)).unwrap_or(Form::Json);
    error(StatusCode::NOT_FOUND, form, Code::NotFound, text)
}
