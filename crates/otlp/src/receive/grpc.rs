//! OTLP over gRPC.
//!
//! Messages are not decoded by tonic, but record by record as those that come over HTTP.

use crate::receive::answer::Rejected;
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
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Response, Status};

/// The paths that gRPC makes of service and method.
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
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
    let limit = receiver.room.limit;
    let mut grpc = Grpc::new(Undecoded)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Deflate)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(limit);
    grpc.unary(Export(receiver, signal), request).await
}

async fn not_taken(State(receiver): State<Receiver>) -> http::Response<tonic::body::Body> {
    Status::unimplemented(receiver.tell_metrics()).into_http()
}

/// The method.
struct Export(Receiver, Signal);

impl UnaryService<Bytes> for Export {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (receiver, signal) = (self.0.clone(), self.1);
        Box::pin(async move {
            let read = Request::protobuf(signal, request.into_inner());
            match receiver.take(read).await {
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
        Declined::NotTaken(_) => Status::unimplemented(text),
        Declined::NoExporter | Declined::Unkept(Unkept::Failed(_) | Unkept::Closed) => {
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
