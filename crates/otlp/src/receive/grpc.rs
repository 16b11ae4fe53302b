//! OTLP over gRPC.
//!
//! Messages are not decoded by tonic, but record by record as those that come over HTTP; and a body is read whole before tonic
//! has it, in the same room as these.

use crate::receive::answer::Rejected;
use crate::receive::body::{BodyError, Place};
use crate::receive::receiver::{Declined, RETRY_AFTER, Receiver};
use crate::receive::request::Request;
use crate::signal::Signal;
use crate::spool::Unkept;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http;
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes};
use futures::future::BoxFuture;
use prost::Message;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tap_sentry_api::text::brief;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Response, Status};

/// The paths that gRPC makes of service and method.
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
/// Bytes that stand before a message.
pub const FRAME: usize = 5;

/// A signal that is not taken here.
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// The trailer in which Python's exporter 1.45.2 looks for a wait; it does not read the details of a status.
const RETRY_INFO: &str = "google.rpc.retryinfo-bin";
const RETRY_INFO_TYPE: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// The routes of the services.
pub fn router(receiver: Receiver) -> Router {
    let spans = |State(receiver), request| export(receiver, Signal::Traces, request);
    let logs = |State(receiver), request| export(receiver, Signal::Logs, request);
    Router::new()
        .route(TRACES, post(spans))
        .route(LOGS, post(logs))
        .route(METRICS, post(not_taken))
        .with_state(receiver)
}

async fn export(
    receiver: Receiver,
    signal: Signal,
    request: http::Request<Body>,
) -> http::Response<tonic::body::Body> {
    let (parts, body) = request.into_parts();
    let held = match receiver.room.read(body, FRAME).await {
        Ok(held) => held,
        Err(failed) => {
            receiver.decline(failed.reason(), &failed);
            return unread(&failed).into_http();
        }
    };
    let mut grpc = Grpc::new(Undecoded)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Deflate)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(receiver.room.limit);
    let was_read = Arc::new(AtomicBool::new(false));
    let export = Export {
        receiver: receiver.clone(),
        signal,
        place: Some(held.place),
        was_read: Arc::clone(&was_read),
    };
    let request = http::Request::from_parts(parts, Body::from(held.bytes));
    let response = grpc.unary(export, request).await;
    if was_read.load(Ordering::Relaxed) {
        return response;
    }
    let why = Status::from_header_map(response.headers());
    let why = why.unwrap_or_else(|| Status::invalid_argument("it is no message"));
    let (reason, status) = match why.code() {
        Code::ResourceExhausted | Code::OutOfRange => ("too_large", too_large(receiver.room.limit)),
        Code::Unimplemented => ("broken", why),
        _ => ("broken", Status::invalid_argument(brief(why.message()))),
    };
    receiver.decline(reason, &status.message());
    status.into_http()
}

/// Why a body was not read. `UNAVAILABLE` and `DEADLINE_EXCEEDED` are sent again.
fn unread(failed: &BodyError) -> Status {
    match failed {
        BodyError::TooLarge { limit } => too_large(*limit),
        BodyError::Late => Status::deadline_exceeded(failed.to_string()),
        BodyError::NoRoom => Status::unavailable(failed.to_string()),
        BodyError::Broken(_) => Status::invalid_argument(failed.to_string()),
    }
}

fn too_large(limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "the message has more than {limit} bytes, which `max_recv_msg_size_mib` allows"
    ))
}

async fn not_taken(State(receiver): State<Receiver>) -> http::Response<tonic::body::Body> {
    Status::unimplemented(receiver.tell_metrics()).into_http()
}

/// The method.
struct Export {
    receiver: Receiver,
    signal: Signal,
    /// The room that the body has.
    place: Option<Place>,
    /// Whether it was called: there was a message.
    was_read: Arc<AtomicBool>,
}

impl UnaryService<Bytes> for Export {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        self.was_read.store(true, Ordering::Relaxed);
        let (receiver, signal, message) =
            (self.receiver.clone(), self.signal, request.into_inner());
        let mut place = self.place.take().unwrap_or_default();
        Box::pin(async move {
            // Nothing is waited for before, so that hardly more messages are decompressed than there are threads.
            if let Err(failed) = receiver.room.grow(&mut place, message.len()) {
                receiver.decline(failed.reason(), &failed);
                return Err(unread(&failed));
            }
            let bytes = message.len();
            let taken = receiver.take(bytes, || Request::protobuf(signal, message));
            match taken.await {
                Ok(rejected) => Ok(Response::new(answer(&rejected))),
                Err(declined) => Err(status(&declined)),
            }
        })
    }
}

fn answer(rejected: &Rejected) -> Bytes {
    rejected.response().encode_to_vec().into()
}

/// As clients understand it: `INVALID_ARGUMENT` is not sent again, `RESOURCE_EXHAUSTED` is after the wait that stands beside it.
fn status(declined: &Declined) -> Status {
    let text = declined.to_string();
    match declined {
        Declined::Unreadable(_) => Status::invalid_argument(text),
        // Without a wait beside it, it is not sent again.
        Declined::TooLarge => Status::resource_exhausted(text),
        Declined::NotTaken(_) => Status::unimplemented(text),
        Declined::NoExporter
        | Declined::Unkept(Unkept::Failed(_) | Unkept::Stuck(_) | Unkept::Closed) => {
            later(Code::Unavailable, text)
        }
        Declined::Full | Declined::Unkept(Unkept::Full) => later(Code::ResourceExhausted, text),
    }
}

/// To be sent again after a wait, which stands in both places where clients look for it.
fn later(code: Code, text: String) -> Status {
    let wait = RetryInfo {
        retry_delay: Some(prost_types::Duration {
            seconds: i64::from(RETRY_AFTER),
            nanos: 0,
        }),
    }
    .encode_to_vec();
    let mut trailers = MetadataMap::new();
    trailers.insert_bin(RETRY_INFO, MetadataValue::from_bytes(&wait));
    let details = RpcStatus {
        code: code as i32,
        message: text.clone(),
        details: vec![prost_types::Any {
            type_url: RETRY_INFO_TYPE.to_owned(),
            value: wait,
        }],
    };
    Status::with_details_and_metadata(code, text, details.encode_to_vec().into(), trailers)
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// Messages as they come.
#[derive(Debug, Clone, Copy)]
struct Undecoded;

impl Codec for Undecoded {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Undecoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Undecoded {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
