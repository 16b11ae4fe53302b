//! Spans and log records as they go out: fields `resource_spans` or `resource_logs` of an OTLP request, which have the same
//! numbers, written record by record.

use crate::receive::request::{RECORDS, RESOURCE, RESOURCES, Request, SCHEMA_URL, SCOPE, SCOPES};
use crate::receive::take::{RecordError, Take};
use crate::signal::Signal;
use bytes::{BufMut, Bytes, BytesMut};
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

/// Of `Span`.
const ATTRIBUTES: u32 = 9;

/// No more memory is taken before there is something to put there.
const MOST_EXPECTED: usize = 1 << 20;

/// Writes resources, their scopes and the spans or log records of these, without those that have none.
#[derive(Debug, Default)]
pub struct Writer {
    resource: (Resource, String),
    scope: (Option<InstrumentationScope>, String),
    /// Finished fields `scope_spans` or `scope_logs`.
    scopes: BytesMut,
    /// Finished fields `spans` or `log_records`.
    records: BytesMut,
    /// Finished fields `resource_spans` or `resource_logs`.
    whole: BytesMut,
    count: u64,
    /// How many bytes the records are likely to have.
    expected: usize,
}

impl Writer {
    /// One whose records are likely to have so many bytes.
    pub fn expecting(bytes: usize) -> Self {
        Self {
            expected: bytes.min(MOST_EXPECTED),
            ..Self::default()
        }
    }

    /// What follows is of this resource.
    pub fn resource(&mut self, resource: Resource, schema_url: String) {
        self.end_resource();
        self.resource = (resource, schema_url);
    }

    /// What follows is of this scope.
    pub fn scope(&mut self, scope: Option<InstrumentationScope>, schema_url: String) {
        self.end_scope();
        self.scope = (scope, schema_url);
    }

    pub fn span(&mut self, span: &Span) {
        self.record(span);
    }

    /// A span as it came, and more attributes behind its own: protobuf takes what comes again for more of a list.
    pub fn span_as_it_came(&mut self, came: &[u8], more: &[KeyValue]) {
        let added: usize = more.iter().map(|pair| message_len(ATTRIBUTES, pair)).sum();
        self.begin(came.len() + added);
        self.records.put_slice(came);
        for pair in more {
            message(ATTRIBUTES, pair, &mut self.records);
        }
    }

    pub fn log(&mut self, log: &LogRecord) {
        self.record(log);
    }

    fn record(&mut self, record: &impl Message) {
        self.begin(record.encoded_len());
        record.encode_raw(&mut self.records);
    }

    /// A record of so many bytes.
    fn begin(&mut self, length: usize) {
        if self.records.is_empty() {
            self.records.reserve(self.expected);
        }
        head(RECORDS, length, &mut self.records);
        self.count += 1;
    }

    /// Spans or log records since the last [`Writer::finish`].
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How much has been written since then, in bytes.
    pub fn bytes(&self) -> usize {
        self.whole.len() + self.scopes.len() + self.records.len()
    }

    /// Everything written, and how many spans or log records that is.
    pub fn finish(&mut self) -> (Bytes, u64) {
        self.end_resource();
        let whole = std::mem::take(&mut self.whole);
        // What waits to be sent holds no more memory than it needs.
        let is_close = whole.capacity() - whole.len() <= whole.len() / 4;
        let whole = if is_close {
            whole.freeze()
        } else {
            Bytes::copy_from_slice(&whole)
        };
        (whole, std::mem::take(&mut self.count))
    }

    fn end_scope(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let (scope, schema_url) = &self.scope;
        let length = scope.as_ref().map_or(0, |scope| message_len(SCOPE, scope))
            + self.records.len()
            + text_len(schema_url);
        head(SCOPES, length, &mut self.scopes);
        if let Some(scope) = scope {
            message(SCOPE, scope, &mut self.scopes);
        }
        self.scopes.extend_from_slice(&self.records);
        text(schema_url, &mut self.scopes);
        self.records.clear();
    }

    fn end_resource(&mut self) {
        self.end_scope();
        if self.scopes.is_empty() {
            return;
        }
        let (resource, schema_url) = &self.resource;
        let length = message_len(RESOURCE, resource) + self.scopes.len() + text_len(schema_url);
        self.whole.reserve(length + 16);
        head(RESOURCES, length, &mut self.whole);
        message(RESOURCE, resource, &mut self.whole);
        self.whole.extend_from_slice(&self.scopes);
        text(schema_url, &mut self.whole);
        self.scopes.clear();
    }
}

fn head(number: u32, length: usize, to: &mut impl BufMut) {
    encode_key(number, WireType::LengthDelimited, to);
    encode_varint(length as u64, to);
}

fn message(number: u32, message: &impl Message, to: &mut impl BufMut) {
    head(number, message.encoded_len(), to);
    message.encode_raw(to);
}

fn message_len(number: u32, message: &impl Message) -> usize {
    let length = message.encoded_len();
    key_len(number) + encoded_len_varint(length as u64) + length
}

fn text(text: &str, to: &mut impl BufMut) {
    if !text.is_empty() {
        head(SCHEMA_URL, text.len(), to);
        to.put_slice(text.as_bytes());
    }
}

fn text_len(text: &str) -> usize {
    if text.is_empty() {
        return 0;
    }
    key_len(SCHEMA_URL) + encoded_len_varint(text.len() as u64) + text.len()
}

/// Two halves of what was written, each with so many records; none: there is but one, or one of them is broken.
pub fn halves(signal: Signal, body: &Bytes, count: u64) -> Option<[(Bytes, u64); 2]> {
    if count < 2 {
        return None;
    }
    let mut halves = Halves {
        first: count / 2,
        writers: Default::default(),
        seen: 0,
    };
    Request::written(signal, body.clone()).visit(&mut halves);
    (halves.seen == count).then(|| halves.writers.map(|mut writer| writer.finish()))
}

#[derive(Debug)]
struct Halves {
    /// So many go into the first half.
    first: u64,
    writers: [Writer; 2],
    seen: u64,
}

impl Halves {
    /// What is written next.
    fn writer(&mut self) -> &mut Writer {
        let place = usize::from(self.seen >= self.first);
        self.seen += 1;
        &mut self.writers[place]
    }
}

impl Take for Halves {
    fn resource(&mut self, resource: Resource, schema_url: String) {
        for writer in &mut self.writers {
            writer.resource(resource.clone(), schema_url.clone());
        }
    }

    fn scope(&mut self, scope: Option<InstrumentationScope>, schema_url: String) {
        for writer in &mut self.writers {
            writer.scope(scope.clone(), schema_url.clone());
        }
    }

    fn span(&mut self, span: Result<Span, RecordError>, _: Option<&[u8]>) {
        // What was written here can be read.
        if let Ok(span) = span {
            self.writer().span(&span);
        }
    }

    fn log(&mut self, log: Result<LogRecord, RecordError>) {
        if let Ok(log) = log {
            self.writer().log(&log);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

    fn named(name: &str) -> Span {
        Span {
            name: name.to_owned(),
            ..Span::default()
        }
    }

    fn written() -> (Bytes, u64) {
        let mut writer = Writer::default();
        let resource = Resource {
            attributes: vec![KeyValue {
                key: "service.name".to_owned(),
                ..KeyValue::default()
            }],
            ..Resource::default()
        };
        writer.resource(resource, "resource's".to_owned());
        writer.scope(None, String::new());
        writer.span(&named("a"));
        let scope = InstrumentationScope {
            name: "library".to_owned(),
            ..InstrumentationScope::default()
        };
        writer.scope(Some(scope), "scope's".to_owned());
        writer.span(&named("b"));
        writer.span(&named("c"));
        writer.resource(Resource::default(), String::new());
        writer.scope(None, "of nothing".to_owned());
        writer.finish()
    }

    /// Names by resource and scope.
    fn names(body: Bytes) -> Vec<Vec<Vec<String>>> {
        let request = ExportTraceServiceRequest::decode(body).expect("a request");
        let resources = request.resource_spans.into_iter();
        resources
            .map(|resource| {
                let scopes = resource.scope_spans.into_iter();
                scopes
                    .map(|scope| scope.spans.into_iter().map(|span| span.name).collect())
                    .collect()
            })
            .collect()
    }

    #[test]
    fn it_is_a_request_without_what_is_empty() {
        let (body, spans) = written();
        assert_eq!(spans, 3);
        let request = ExportTraceServiceRequest::decode(body.clone()).expect("a request");
        let resource = &request.resource_spans[0];
        assert_eq!(resource.schema_url, "resource's");
        assert_eq!(resource.scope_spans[1].schema_url, "scope's");
        let scope = resource.scope_spans[1].scope.as_ref();
        assert_eq!(scope.map(|scope| scope.name.as_str()), Some("library"));
        assert_eq!(names(body), [[vec!["a"], vec!["b", "c"]]]);
    }

    #[test]
    fn a_span_that_came_is_itself_with_more_behind() {
        let attribute = |key: &str| KeyValue {
            key: key.to_owned(),
            ..KeyValue::default()
        };
        let mut span = named("a");
        span.attributes = vec![attribute("own")];
        // A field that this version does not know stays.
        let mut came = span.encode_to_vec();
        prost::encoding::string::encode(99, &"new".to_owned(), &mut came);
        let mut writer = Writer::default();
        writer.span_as_it_came(&came, &[attribute("more")]);
        let (body, count) = writer.finish();
        assert_eq!(count, 1);
        assert!(body.windows(3).any(|part| part == b"new"));
        let request = ExportTraceServiceRequest::decode(body).expect("a request");
        span.attributes.push(attribute("more"));
        assert_eq!(request.resource_spans[0].scope_spans[0].spans, [span]);
    }

    #[test]
    fn halves_have_everything_once() {
        let (body, spans) = written();
        let [first, second] = halves(Signal::Traces, &body, spans).expect("halves");
        assert_eq!((first.1, second.1), (1, 2));
        assert_eq!(names(first.0), [[["a"]]]);
        assert_eq!(names(second.0.clone()), [[["b", "c"]]]);
        let [b, c] = halves(Signal::Traces, &second.0, 2).expect("halves");
        assert_eq!(
            (names(b.0.clone()), names(c.0)),
            (
                vec![vec![vec!["b".to_owned()]]],
                vec![vec![vec!["c".to_owned()]]]
            )
        );
        assert!(halves(Signal::Traces, &b.0, 1).is_none());
    }
}
