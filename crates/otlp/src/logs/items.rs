//! Log records that were written as OTLP, as log items: a line of JSON each.

use crate::attributes::Attributes;
use crate::logs::item::Item;
use crate::receive::request::Request;
use crate::receive::take::{RecordError, Take};
use crate::signal::Signal;
use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

/// How many go into one container, and how many bytes unless it is a single one.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub items: u64,
    pub bytes: usize,
}

/// Items of fields `resource_logs` that were written here; each with how many there are, in all as many as were written
/// unless one of them is broken.
pub fn items(body: Bytes, bounds: Bounds) -> Vec<(Bytes, u64)> {
    let mut making = Making {
        bounds,
        resource: Resource::default(),
        scope: None,
        lines: Vec::new(),
        count: 0,
        finished: Vec::new(),
    };
    Request::written(Signal::Logs, body).visit(&mut making);
    making.finish();
    making.finished
}

/// Two halves of so many lines; none: there is but one.
pub fn halves(lines: &Bytes, count: u64) -> Option<[(Bytes, u64); 2]> {
    let first = count / 2;
    let mut ends = lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let (end, _) = ends.nth(usize::try_from(first.checked_sub(1)?).ok()?)?;
    let (before, after) = (lines.slice(..=end), lines.slice(end + 1..));
    Some([(before, first), (after, count - first)])
}

struct Making {
    bounds: Bounds,
    resource: Resource,
    scope: Option<InstrumentationScope>,
    lines: Vec<u8>,
    count: u64,
    finished: Vec<(Bytes, u64)>,
}

impl Making {
    fn finish(&mut self) {
        if self.count > 0 {
            let lines = std::mem::take(&mut self.lines).into();
            self.finished.push((lines, std::mem::take(&mut self.count)));
        }
    }
}

impl Take for Making {
    fn resource(&mut self, resource: Resource, _: String) {
        self.resource = resource;
    }

    fn scope(&mut self, scope: Option<InstrumentationScope>, _: String) {
        self.scope = scope;
    }

    fn span(&mut self, _: Result<Span, RecordError>, _: Option<&[u8]>) {
        // A request of logs has none.
    }

    fn log(&mut self, log: Result<LogRecord, RecordError>) {
        let Ok(log) = log else {
            return;
        };
        let resource = Attributes(&self.resource.attributes);
        let item = Item::new(&log, resource, self.scope.as_ref());
        let Ok(line) = serde_json::to_vec(&item) else {
            return;
        };
        if self.count >= self.bounds.items || self.lines.len() + line.len() > self.bounds.bytes {
            self.finish();
        }
        self.lines.extend_from_slice(&line);
        self.lines.push(b'\n');
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::take::LOG_LIMIT;
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::AnyValue;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
    use prost::Message;
    use rstest::rstest;

    fn body(texts: &[&str]) -> Bytes {
        let records = texts.iter().map(|text| LogRecord {
            body: Some(AnyValue {
                value: Some(Value::StringValue((*text).to_owned())),
            }),
            ..LogRecord::default()
        });
        let of_scope = ScopeLogs {
            log_records: records.collect(),
            ..ScopeLogs::default()
        };
        let of_resource = ResourceLogs {
            scope_logs: vec![of_scope],
            ..ResourceLogs::default()
        };
        let request = ExportLogsServiceRequest {
            resource_logs: vec![of_resource],
        };
        request.encode_to_vec().into()
    }

    fn bodies(lines: &Bytes) -> Vec<String> {
        let lines = lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let items = lines.map(serde_json::from_slice::<serde_json::Value>);
        items
            .map(|item| {
                item.expect("JSON")["body"]
                    .as_str()
                    .expect("a text")
                    .to_owned()
            })
            .collect()
    }

    #[rstest]
    #[case::by_count(Bounds { items: 2, bytes: 10_000 }, &[2, 1])]
    #[case::by_bytes(Bounds { items: 9, bytes: 1 }, &[1, 1, 1])]
    fn containers_have_bounds(#[case] bounds: Bounds, #[case] counts: &[u64]) {
        let made = items(body(&["a", "b\nb", "c"]), bounds);
        let found: Vec<_> = made.iter().map(|(_, count)| *count).collect();
        assert_eq!(found, counts);
        let all: Vec<_> = made.iter().flat_map(|(lines, _)| bodies(lines)).collect();
        assert_eq!(all, ["a", "b\nb", "c"]);
    }

    #[test]
    fn what_has_grown_here_is_kept() {
        let bounds = Bounds {
            items: 9,
            bytes: 10_000,
        };
        let large = "a".repeat(LOG_LIMIT + 1);
        let made = items(body(&["b", &large]), bounds);
        assert_eq!(made.iter().map(|(_, count)| count).sum::<u64>(), 2);
    }

    #[test]
    fn halves_have_everything_once() {
        let bounds = Bounds {
            items: 9,
            bytes: 10_000,
        };
        let made = items(body(&["a", "b", "c"]), bounds);
        let [first, second] = halves(&made[0].0, made[0].1).expect("halves");
        assert_eq!((bodies(&first.0), first.1), (vec!["a".to_owned()], 1));
        assert_eq!(bodies(&second.0), ["b", "c"]);
        assert_eq!(second.1, 2);
        assert!(halves(&first.0, 1).is_none());
    }
}
