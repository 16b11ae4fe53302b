//! A tree of spans as transactions, each small enough for Sentry.

use crate::transactions::payload::{Broken, Payload, Ready};
use crate::transactions::record::Record;
use crate::transactions::trace::{Node, Tree};
use crate::transactions::transaction::{Head, Mark, head};

/// Sentry's own SDKs send at most 1,000.
const MOST_SPANS: usize = 999;

/// An item of an envelope may have 1,048,576 bytes.
const LARGEST: usize = 1_000_000;

/// Relay 26.9 cuts the list of spans at 819,200 bytes without an error, what it has added itself counted.
const LARGEST_LIST: usize = 800_000;

/// What Relay adds to a span beside texts of the transaction and of its description, in bytes: measured as 132 to 156.
const ADDED: usize = 160;

/// What is left in a transaction.
#[derive(Debug, Clone, Copy)]
struct Room {
    spans: usize,
    bytes: usize,
    list: usize,
    /// What each span takes of the list beside its own JSON.
    of_each: usize,
}

impl Room {
    fn behind(head: &Head) -> Self {
        Self {
            spans: MOST_SPANS - 1,
            bytes: LARGEST.saturating_sub(head.size()),
            list: LARGEST_LIST,
            of_each: ADDED + head.of_each_span,
        }
    }

    /// What is left after spans; none where they do not fit.
    fn after(self, size: Size) -> Option<Self> {
        let Size {
            spans,
            bytes,
            described,
        } = size;
        Some(Self {
            spans: self.spans.checked_sub(spans)?,
            bytes: self.bytes.checked_sub(bytes + spans)?,
            list: self
                .list
                .checked_sub(bytes + described + spans * self.of_each)?,
            of_each: self.of_each,
        })
    }
}

/// How much spans are.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    spans: usize,
    bytes: usize,
    /// Of their descriptions: Relay keeps them once more, normalised.
    described: usize,
}

impl Size {
    fn of(record: &Record) -> Self {
        Self {
            spans: 1,
            bytes: record.json.len(),
            described: record.described as usize,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            spans: self.spans + other.spans,
            bytes: self.bytes + other.bytes,
            described: self.described + other.described,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            spans: self.spans - other.spans,
            bytes: self.bytes - other.bytes,
            described: self.described - other.described,
        }
    }
}

/// Makes transactions of a tree. The first has its top as root; what does not fit follows in further ones of the same
/// trace, marked. What is below one span stays together where it can.
pub fn split(tree: Tree, trace_id: &str, ready: &mut Ready) {
    let nodes = tree.nodes;
    // How much comes before each node.
    let before: Vec<Size> = std::iter::once(Size::default())
        .chain(nodes.iter().scan(Size::default(), |sum, node| {
            *sum = sum.plus(Size::of(&node.record));
            Some(*sum)
        }))
        .collect();
    let mut first = 0;
    let mut mark = tree.mark;
    while first < nodes.len() {
        match root(&nodes[first], mark) {
            Ok(head) => {
                let end = end(&nodes, &before, first, &head);
                ready.push(payload(head, &nodes[first..end], trace_id));
                first = end;
            }
            Err(source) => {
                ready.broken.push(Broken {
                    trace_id: trace_id.to_owned(),
                    spans: 1,
                    source,
                });
                first += 1;
            }
        }
        mark = Some(Mark::ParentSent);
    }
}

fn root(node: &Node, mark: Option<Mark>) -> Result<Head, serde_json::Error> {
    let item = serde_json::from_slice(&node.record.json)?;
    head(&item, &node.record.origin, mark)
}

/// Where the transaction ends that begins with that node.
fn end(nodes: &[Node], before: &[Size], first: usize, head: &Head) -> usize {
    let empty = Room::behind(head);
    let mut room = empty;
    let mut at = first + 1;
    while at < nodes.len() {
        let all = nodes[at].end;
        let size = before[all].minus(before[at]);
        if let Some(left) = room.after(size) {
            room = left;
            at = all;
        } else if size.spans > 1 && empty.after(size).is_some() {
            // What is below this one fits into a transaction of its own.
            break;
        } else if let Some(left) = room.after(before[at + 1].minus(before[at])) {
            room = left;
            at += 1;
        } else {
            break;
        }
    }
    at
}

fn payload(mut head: Head, nodes: &[Node], trace_id: &str) -> Payload {
    let origin = nodes
        .first()
        .is_some_and(|root| root.record.origin.is_cut());
    let cut = nodes.iter().filter(|node| node.record.cut).count();
    Payload {
        event_id: std::mem::take(&mut head.event_id),
        trace_id: trace_id.to_owned(),
        spans: nodes.len(),
        cut: cut + usize::from(origin),
        left_out: std::mem::take(&mut head.left_out),
        sampled: head.sampled.take(),
        receipts: Vec::new(),
        json: head.with(nodes.iter().skip(1).map(|node| &*node.record.json)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::Seen;
    use crate::terms::Terms;
    use crate::testing::span;
    use crate::transactions::origin::Origins;
    use crate::transactions::trace::arrange;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
    use serde_json::Value;

    /// Spans of an id and a parent, each with a text of some length.
    fn payloads(spans: &[(u64, u64)], text: usize) -> Vec<Payload> {
        let mut origins = Origins::default();
        let text = "x".repeat(text);
        let record = |(id, parent): &(u64, u64)| {
            let mut span = span(&"n".repeat(100), SpanKind::Internal, &[("text", &text)]);
            span.span_id = id.to_be_bytes().to_vec();
            span.parent_span_id = parent.to_be_bytes().to_vec();
            span.start_time_unix_nano += *id;
            let seen = Seen::alone(&span);
            let origin = origins.get(seen.resource, &Terms::default());
            Record::of(&seen, origin).expect("a record")
        };
        let trees = arrange(spans.iter().map(record).collect(), |_| false);
        let mut ready = Ready::default();
        for tree in trees.trees {
            split(tree, "t", &mut ready);
        }
        assert!(ready.broken.is_empty());
        ready.payloads
    }

    /// The ids in each, the root first; checks what has to hold for each.
    fn ids(payloads: &[Payload]) -> Vec<Vec<u64>> {
        let id = |value: &Value| {
            let text = value.as_str().expect("an id");
            u64::from_str_radix(text, 16).expect("digits")
        };
        let ids = |payload: &Payload| {
            let event: Value = serde_json::from_slice(&payload.json).expect("JSON");
            let spans = event["spans"].as_array().expect("spans");
            let name = event["transaction"].as_str().expect("a name").len();
            let length = |text: &Value| text.as_str().map_or(0, str::len);
            let size = |span: &Value| {
                span.to_string().len() + length(&span["description"]) + 160 + 2 * name
            };
            assert!(spans.iter().map(size).sum::<usize>() < 800_000);
            assert!(payload.json.len() <= LARGEST && payload.spans < 1000);
            assert_eq!(payload.spans, spans.len() + 1);
            let root = id(&event["contexts"]["trace"]["span_id"]);
            let others = spans.iter().map(|span| id(&span["span_id"]));
            std::iter::once(root).chain(others).collect()
        };
        payloads.iter().map(ids).collect()
    }

    #[test]
    fn what_fits_is_one_transaction() {
        let spans: Vec<(u64, u64)> = (1..=900).map(|id| (id, u64::from(id > 1))).collect();
        assert_eq!(ids(&payloads(&spans, 10)).len(), 1);
    }

    #[test]
    fn too_many_spans_are_several_and_none_is_lost() {
        let spans: Vec<(u64, u64)> = (1..=5_000).map(|id| (id, u64::from(id > 1))).collect();
        let made = payloads(&spans, 10);
        let ids = ids(&made);
        assert_eq!(ids.len(), 6);
        assert_eq!(ids.concat(), (1..=5_000).collect::<Vec<_>>());
        let event: Value = serde_json::from_slice(&made[1].json).expect("JSON");
        assert_eq!(
            event["contexts"]["trace"]["data"]["sentry.parent_span_already_sent"],
            true
        );
    }

    #[test]
    fn too_many_bytes_are_several_and_none_is_lost() {
        let spans: Vec<(u64, u64)> = (1..=30).map(|id| (id, u64::from(id > 1))).collect();
        let ids = ids(&payloads(&spans, 100_000));
        assert_eq!(ids.len(), 4);
        assert_eq!(ids.concat(), (1..=30).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_below_a_span_stays_together() {
        // A root, and below it three spans with 600 below each.
        let child = |id| (id, 1);
        let below = |id: u64| (id, id / 1000);
        let spans: Vec<(u64, u64)> = std::iter::once((1, 0))
            .chain([2, 3, 4].map(child))
            .chain((2_000..2_600).map(below))
            .chain((3_000..3_600).map(below))
            .chain((4_000..4_600).map(below))
            .collect();
        let ids = ids(&payloads(&spans, 10));
        let roots: Vec<u64> = ids.iter().map(|ids| ids[0]).collect();
        assert_eq!(roots, [1, 3, 4]);
        assert!(ids[1][1..].iter().all(|id| id / 1000 == 3));
    }

    #[test]
    fn a_chain_is_cut_where_it_has_to_be() {
        let spans: Vec<(u64, u64)> = (1..=3_000).map(|id| (id, id - 1)).collect();
        let ids = ids(&payloads(&spans, 10));
        assert_eq!(ids.concat(), (1..=3_000).collect::<Vec<_>>());
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn a_span_that_is_too_large_is_cut_and_counted() {
        let made = payloads(&[(1, 0), (2, 1)], 3_000_000);
        assert_eq!(ids(&made).concat(), [1, 2]);
        assert_eq!(made.iter().map(|payload| payload.cut).sum::<usize>(), 2);
    }
}
