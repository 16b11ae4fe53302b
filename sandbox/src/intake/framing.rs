//! Envelopes: a header, then items with a header each.

use crate::intake::answer::Refusal;
use crate::intake::ids;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// More items make the whole envelope invalid.
const MOST_ITEMS: usize = 500;

#[derive(Debug, Default)]
pub(crate) struct Envelope {
    /// 32 digits, without dashes.
    pub event_id: Option<String>,
    pub dsn: Option<String>,
    pub sent_at: Option<DateTime<Utc>>,
    /// The sampling context, if it has what one needs.
    pub trace: Option<Map<String, Value>>,
    pub items: Vec<Item>,
}

#[derive(Debug)]
pub(crate) struct Item {
    pub header: Map<String, Value>,
    pub payload: Vec<u8>,
}

impl Item {
    /// The name of its type.
    pub fn name(&self) -> &str {
        self.header
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Whether it holds many spans or logs.
    pub fn is_container(&self) -> bool {
        let content_type = self.header.get("content_type").and_then(Value::as_str);
        content_type.is_some_and(|name| name.starts_with("application/vnd.sentry.items."))
    }

    /// How many it says that it holds.
    pub fn count(&self) -> Option<usize> {
        let count = self.header.get("item_count").and_then(Value::as_u64);
        count.and_then(|count| usize::try_from(count).ok())
    }
}

pub(crate) fn parse(body: &[u8]) -> Result<Envelope, Refusal> {
    let (header, mut at) = object(
        body,
        0,
        "missing envelope header",
        "invalid envelope header",
    )?;
    let mut items = Vec::new();
    while at < body.len() {
        let (header, start) = object(body, at, "unexpected end of file", "invalid item header")?;
        let (item, end) = item(body, header, start)?;
        items.push(item);
        if items.len() > MOST_ITEMS {
            return Err(invalid("too many individual items"));
        }
        at = end + 1;
    }
    let text = |name: &str| match header.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(invalid("invalid envelope header")),
    };
    let bad = || invalid("invalid envelope header");
    let event_id = text("event_id")?.map(|id| ids::event(id).ok_or_else(bad));
    let sent_at =
        text("sent_at")?.map(|instant| DateTime::parse_from_rfc3339(instant).map_err(|_| bad()));
    let trace = header.get("trace").and_then(Value::as_object).cloned();
    Ok(Envelope {
        event_id: event_id.transpose()?,
        dsn: text("dsn")?.map(str::to_owned),
        sent_at: sent_at.transpose()?.map(|instant| instant.to_utc()),
        trace: trace.filter(|trace| {
            let id = |name: &str| trace.get(name).and_then(Value::as_str);
            id("trace_id").and_then(ids::trace).is_some() && id("public_key").is_some()
        }),
        items,
    })
}

/// An object and the place after the line feed that ends it.
fn object(
    body: &[u8],
    at: usize,
    missing: &str,
    wrong: &str,
) -> Result<(Map<String, Value>, usize), Refusal> {
    let rest = body.get(at..).unwrap_or_default();
    let mut stream = serde_json::Deserializer::from_slice(rest).into_iter();
    let header = match stream.next() {
        None => return Err(invalid(missing)),
        Some(Err(_)) => return Err(invalid(wrong)),
        Some(Ok(header)) => header,
    };
    let end = at + stream.byte_offset();
    terminated(body, end)?;
    Ok((header, (end + 1).min(body.len())))
}

/// The item whose payload begins at `start`, and where it ends.
fn item(body: &[u8], header: Map<String, Value>, start: usize) -> Result<(Item, usize), Refusal> {
    let wrong = || invalid("invalid item header");
    if !header.get("type").is_some_and(Value::is_string) {
        return Err(wrong());
    }
    let end = match header.get("length") {
        None | Some(Value::Null) => {
            let line = body[start..].iter().position(|byte| *byte == b'\n');
            line.map_or(body.len(), |line| start + line)
        }
        Some(length) => {
            let length = length.as_u64().ok_or_else(wrong)?;
            let end = usize::try_from(length).ok();
            let end = end.and_then(|length| start.checked_add(length));
            let end = end
                .filter(|end| *end <= body.len())
                .ok_or_else(|| invalid("unexpected end of file"))?;
            terminated(body, end)?;
            end
        }
    };
    let payload = body[start..end].to_vec();
    Ok((Item { header, payload }, end))
}

fn terminated(body: &[u8], end: usize) -> Result<(), Refusal> {
    match body.get(end) {
        None | Some(b'\n') => Ok(()),
        Some(_) => Err(invalid("missing newline after header or payload")),
    }
}

fn invalid(cause: &str) -> Refusal {
    Refusal::bad_request("invalid event envelope", cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(body: &str) -> String {
        parse(body.as_bytes())
            .expect_err("a refusal")
            .causes
            .concat()
    }

    #[test]
    fn a_length_must_be_exact() {
        let of =
            |length: usize| format!("{{}}\n{{\"type\":\"event\",\"length\":{length}}}\n{{}}\n");
        let parsed = parse(of(2).as_bytes()).expect("an envelope");
        assert_eq!(parsed.items[0].payload, b"{}");
        assert_eq!(cause(&of(1)), "missing newline after header or payload");
        assert_eq!(cause(&of(9)), "unexpected end of file");
        // The last item may count the line feed that ends it.
        let parsed = parse(of(3).as_bytes()).expect("an envelope");
        assert_eq!(parsed.items[0].payload, b"{}\n");
    }

    #[test]
    fn without_a_length_the_payload_ends_with_the_line() {
        let body = "{}\n{\"type\":\"a\"}\n1\n{\"type\":\"b\"}\n2";
        let items = parse(body.as_bytes()).expect("an envelope").items;
        let items: Vec<_> = items
            .iter()
            .map(|item| (item.name(), item.payload.as_slice()))
            .collect();
        assert_eq!(items, [("a", b"1".as_slice()), ("b", b"2")]);
    }

    #[test]
    fn headers_must_be_readable() {
        assert_eq!(cause(""), "missing envelope header");
        assert_eq!(cause("[]"), "invalid envelope header");
        assert_eq!(cause("{\"event_id\":\"1\"}"), "invalid envelope header");
        assert_eq!(cause("{\"sent_at\":\"now\"}"), "invalid envelope header");
        assert_eq!(cause("{}\n{\"length\":1}\n1"), "invalid item header");
        let many = format!("{{}}\n{}", "{\"type\":\"a\"}\n1\n".repeat(501));
        assert_eq!(cause(&many), "too many individual items");
    }
}
