//! Log records as clients send them.

use crate::dsl::spans::{now, text};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

/// A value.
pub fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// A record of a minute ago.
pub fn log(body: &str) -> LogRecord {
    LogRecord {
        time_unix_nano: now() - 60_000_000_000,
        observed_time_unix_nano: now() - 60_000_000_000,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(any(Value::StringValue(body.to_owned()))),
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        ..LogRecord::default()
    }
}

/// Those of one resource.
pub fn of_resource(attributes: &[(&str, &str)], log_records: Vec<LogRecord>) -> ResourceLogs {
    let attributes = attributes.iter().map(|(key, value)| text(key, value));
    ResourceLogs {
        resource: Some(Resource {
            attributes: attributes.collect(),
            ..Resource::default()
        }),
        scope_logs: vec![ScopeLogs {
            scope: Some(InstrumentationScope {
                name: "library".to_owned(),
                version: "0.1".to_owned(),
                ..InstrumentationScope::default()
            }),
            log_records,
            ..ScopeLogs::default()
        }],
        ..ResourceLogs::default()
    }
}

/// The body of a request.
pub fn body(resource_logs: Vec<ResourceLogs>) -> Vec<u8> {
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// The body of a request of one service.
pub fn logs(log_records: Vec<LogRecord>) -> Vec<u8> {
    body(vec![of_resource(&[("service.name", "shop")], log_records)])
}
