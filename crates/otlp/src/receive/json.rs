//! A request as JSON, read record by record: a span or log record that cannot be read is rejected by itself.
//!
//! Nothing but one record is kept in memory: lists of ten million zeros would be gigabytes. So it is read twice, as protobuf
//! is: first for what stands around the records, which must be readable, then record by record.

use crate::receive::crowd::is_crowded_json;
use crate::receive::each::{each, each_of};
use crate::receive::fields::Broken;
use crate::receive::lenient::{Malformed, Read, log, resource, scope, span};
use crate::receive::record::Record;
use crate::receive::surrogates::parse;
use crate::receive::take::{AROUND_LIMIT, RecordError, Take};
use crate::signal::Signal;
use bytes::Bytes;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;
use serde_json::value::RawValue;

type Result<T> = std::result::Result<T, serde_json::Error>;

/// A body whose records are not read yet.
#[derive(Debug, Clone)]
pub struct Body {
    signal: Signal,
    bytes: Bytes,
    records: usize,
    /// As in protobuf.
    pub around: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfResource<'a> {
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
    #[serde(
        borrow,
        default,
        alias = "scopeSpans",
        alias = "scope_spans",
        alias = "instrumentationLibrarySpans",
        alias = "scopeLogs",
        alias = "scope_logs",
        alias = "instrumentationLibraryLogs"
    )]
    scopes: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "schema_url")]
    schema_url: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfScope<'a> {
    #[serde(borrow, default, alias = "instrumentationLibrary")]
    scope: Option<&'a RawValue>,
    #[serde(
        borrow,
        default,
        alias = "spans",
        alias = "logRecords",
        alias = "log_records",
        alias = "logs"
    )]
    records: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "schema_url")]
    schema_url: Option<&'a RawValue>,
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

/// Names of the list that is a request.
const fn lists(signal: Signal) -> [&'static str; 2] {
    match signal {
        Signal::Traces => ["resourceSpans", "resource_spans"],
        Signal::Logs => ["resourceLogs", "resource_logs"],
    }
}

impl Body {
    /// Reads what stands around the records.
    ///
    /// # Errors
    /// When the body is no JSON, or no object, or attributes in it that would be those of each record cannot be read.
    pub fn read(signal: Signal, bytes: Bytes) -> Result<Self> {
        let (mut records, mut around) = (0, 0);
        each_of(&bytes, &lists(signal), |of_resource: OfResource<'_>| {
            let outer = readable(of_resource.resource, |value| resource(value).map(drop))?;
            each(of_resource.scopes, |of_scope: OfScope<'_>| {
                let inner = readable(of_scope.scope, |value| scope(value).map(drop))?;
                let mut count = 0;
                each(of_scope.records, |_: &RawValue| {
                    count += 1;
                    Ok(())
                })?;
                records += count;
                around += (outer + inner) * count as u64;
                Ok(())
            })
        })?;
        Ok(Self {
            signal,
            bytes,
            records,
            around,
        })
    }

    /// How many records are in it.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Hands over everything in it that has records.
    pub fn visit<R: FromJson>(&self, take: &mut impl Take) {
        let whole = each_of(
            &self.bytes,
            &lists(self.signal),
            |of_resource: OfResource<'_>| {
                let mut outer = Some((of_resource.resource, of_resource.schema_url));
                each(of_resource.scopes, |of_scope: OfScope<'_>| {
                    let mut inner = Some((of_scope.scope, of_scope.schema_url));
                    each(of_scope.records, |raw: &RawValue| {
                        if let Some((raw, schema_url)) = outer.take() {
                            take.resource(parsed(raw, resource), words(schema_url));
                        }
                        if let Some((raw, schema_url)) = inner.take() {
                            take.scope(parsed(raw, scope), words(schema_url));
                        }
                        R::hand(record(raw), None, take);
                        Ok(())
                    })
                })
            },
        );
        debug_assert!(whole.is_ok(), "what has been read can be read again");
    }
}

/// Sees to it that what is of each record can be read. Its size, as it is counted for each.
fn readable(raw: Option<&RawValue>, read: impl FnOnce(&Value) -> Read<()>) -> Result<u64> {
    let Some(raw) = raw else {
        return Ok(0);
    };
    if raw.get().len() > AROUND_LIMIT || is_crowded_json(raw.get()) {
        return Err(serde_json::Error::custom(Broken::TooLarge));
    }
    let value = parse(raw.get())?;
    let wrong = |error: Malformed| serde_json::Error::custom(error.0);
    read(&value).map_err(wrong)?;
    Ok(raw.get().len() as u64)
}

/// What could not be read has been told.
fn parsed<T: Default>(raw: Option<&RawValue>, read: impl FnOnce(&Value) -> Read<T>) -> T {
    let value = raw.and_then(|raw| parse(raw.get()).ok());
    value
        .and_then(|value| read(&value).ok())
        .unwrap_or_default()
}

/// A text; what is none is as good as none.
fn words(raw: Option<&RawValue>) -> String {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

fn record<R: FromJson>(raw: &RawValue) -> std::result::Result<R, RecordError> {
    if raw.get().len() > R::LIMIT {
        return Err(RecordError::TooLarge(R::LIMIT));
    }
    if is_crowded_json(raw.get()) {
        return Err(RecordError::TooMany);
    }
    let value = parse(raw.get()).map_err(|e| RecordError::Malformed(e.to_string()))?;
    R::from_json(&value).map_err(|malformed| RecordError::Malformed(malformed.0))
}
