//! A request as JSON, read record by record: a span or log record that cannot be read is rejected by itself.

use crate::receive::lenient::{Malformed, Read, log, resource, scope, span, words};
use crate::receive::record::Record;
use crate::receive::take::{RecordError, Take};
use crate::signal::Signal;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;

/// A body whose records are not read yet.
#[derive(Debug, Clone)]
pub struct Body(Arc<Vec<OfResource>>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Traces {
    #[serde(default, alias = "resource_spans", deserialize_with = "list")]
    resource_spans: Vec<OfResource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logs {
    #[serde(default, alias = "resource_logs", deserialize_with = "list")]
    resource_logs: Vec<OfResource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfResource {
    #[serde(default)]
    resource: Value,
    #[serde(
        default,
        alias = "scopeSpans",
        alias = "scope_spans",
        alias = "instrumentationLibrarySpans",
        alias = "scopeLogs",
        alias = "scope_logs",
        alias = "instrumentationLibraryLogs",
        deserialize_with = "list"
    )]
    scopes: Vec<OfScope>,
    #[serde(default, alias = "schema_url")]
    schema_url: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfScope {
    #[serde(default, alias = "instrumentationLibrary")]
    scope: Value,
    #[serde(
        default,
        alias = "spans",
        alias = "logRecords",
        alias = "log_records",
        alias = "logs",
        deserialize_with = "list"
    )]
    records: Vec<Box<RawValue>>,
    #[serde(default, alias = "schema_url")]
    schema_url: Value,
}

/// A record that is read from JSON.
pub trait FromJson: Record {
    /// # Errors
    /// Names the field that cannot be read.
    fn from_json(value: &Value) -> Read<Self>;
}

impl FromJson for Span {
    fn from_json(value: &Value) -> Read<Self> {
        span(value)
    }
}

impl FromJson for LogRecord {
    fn from_json(value: &Value) -> Read<Self> {
        log(value)
    }
}

/// A list, for which some write `null`.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or_default())
}

impl Body {
    /// Reads what stands around the records.
    ///
    /// # Errors
    /// When the body is no JSON, or no object.
    pub fn read(signal: Signal, body: &[u8]) -> Result<Self, serde_json::Error> {
        // serde would take a list for an object whose fields may all be left out.
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(serde::de::Error::custom("it must be an object"));
        }
        let resources = match signal {
            Signal::Traces => serde_json::from_slice::<Traces>(body)?.resource_spans,
            Signal::Logs => serde_json::from_slice::<Logs>(body)?.resource_logs,
        };
        // Attributes that cannot be read would be those of each of the records.
        for of_resource in &resources {
            let wrong = |error: Malformed| <serde_json::Error as serde::de::Error>::custom(error.0);
            resource(&of_resource.resource).map_err(wrong)?;
            for of_scope in &of_resource.scopes {
                scope(&of_scope.scope).map_err(wrong)?;
            }
        }
        Ok(Self(Arc::new(resources)))
    }

    /// How many records are in it.
    pub fn records(&self) -> usize {
        let scopes = self.0.iter().flat_map(|of_resource| &of_resource.scopes);
        scopes.map(|of_scope| of_scope.records.len()).sum()
    }

    /// Hands over everything in it.
    pub fn visit<R: FromJson>(&self, take: &mut impl Take) {
        for of_resource in &*self.0 {
            // What could not be read has been told.
            let read = resource(&of_resource.resource).unwrap_or_default();
            take.resource(read, words(&of_resource.schema_url));
            for of_scope in &of_resource.scopes {
                let read = scope(&of_scope.scope).unwrap_or_default();
                take.scope(read, words(&of_scope.schema_url));
                for raw in &of_scope.records {
                    R::hand(record(raw), take);
                }
            }
        }
    }
}

fn record<R: FromJson>(raw: &RawValue) -> Result<R, RecordError> {
    if raw.get().len() > R::LIMIT {
        return Err(RecordError::TooLarge(R::LIMIT));
    }
    let value: Value =
        serde_json::from_str(raw.get()).map_err(|e| RecordError::Malformed(e.to_string()))?;
    R::from_json(&value).map_err(|malformed| RecordError::Malformed(malformed.0))
}
