//! Calls over gRPC.

use crate::dsl::bridge::exporter;
use serde_json::{Value, json};

pub const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// A configuration whose first port is one of gRPC.
pub fn over_grpc(more: &Value) -> Value {
    json!({
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": "127.0.0.1:0"}}}},
        "exporters": {"sentry": exporter(more)},
    })
}

/// A message with what stands before it.
pub fn frame(message: &[u8], is_compressed: bool) -> Vec<u8> {
    let mut frame = vec![u8::from(is_compressed)];
    frame.extend(u32::try_from(message.len()).expect("short").to_be_bytes());
    frame.extend(message);
    frame
}

/// A call: the status, if nothing else is answered, and the message.
pub fn call(address: &str, path: &str, message: &[u8]) -> (Option<String>, Vec<u8>) {
    send(address, path, None, frame(message, false))
}

/// A call with a body that is given whole.
pub fn send(
    address: &str,
    path: &str,
    encoding: Option<&str>,
    body: impl Into<reqwest::Body>,
) -> (Option<String>, Vec<u8>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        // A client wants a provider of TLS, also where there is none.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().http2_prior_knowledge();
        let request = client.build().expect("a client");
        let mut request = request.post(format!("http://{address}{path}"));
        if let Some(encoding) = encoding {
            request = request.header("grpc-encoding", encoding);
        }
        let request = request.header("content-type", "application/grpc");
        let sent = request.header("te", "trailers").body(body).send().await;
        let response = sent.expect("an answer");
        assert_eq!(response.status(), 200);
        let status = response.headers().get("grpc-status");
        let status = status.map(|status| status.to_str().expect("text").to_owned());
        let body = response.bytes().await.expect("a body");
        (status, body.get(5..).unwrap_or_default().to_vec())
    })
}
