//! The spans of one trace as trees: each is a transaction, unless it is too large for one.

use crate::transactions::record::{Parent, Record};
use crate::transactions::transaction::Mark;
use foldhash::{HashMap, HashMapExt};
use std::collections::hash_map::Entry;

/// A span in a tree.
#[derive(Debug)]
pub struct Node {
    pub record: Record,
    /// Where what is below it ends, in the list of all nodes of its tree.
    pub end: usize,
}

/// A span and all that is below it, parents before their children.
#[derive(Debug)]
pub struct Tree {
    /// Why its top is one although it has a parent.
    pub mark: Option<Mark>,
    pub nodes: Vec<Node>,
}

/// The trees of a trace, in the order of their tops' starts.
#[derive(Debug, Default)]
pub struct Trees {
    pub trees: Vec<Tree>,
    /// Spans that came twice, and of which one is left.
    pub repeated: usize,
}

/// What a span is to the others.
enum Place {
    Below(usize),
    Top(Option<Mark>),
}

/// Puts spans of one trace together. `was_sent` tells whether a span of the trace went out before.
pub fn arrange(records: Vec<Record>, was_sent: impl Fn([u8; 8]) -> bool) -> Trees {
    let received = records.len();
    let (records, by_id) = once(records);
    let repeated = received - records.len();
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); records.len()];
    let mut tops = Vec::new();
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by_key(|at| records[*at].start);
    for at in order.iter().copied() {
        match place(at, &records, &by_id, &was_sent) {
            Place::Below(parent) => below[parent].push(at),
            Place::Top(mark) => tops.push((at, mark)),
        }
    }
    let mut records: Vec<Option<Record>> = records.into_iter().map(Some).collect();
    let mut trees: Vec<Tree> = tops
        .into_iter()
        .filter_map(|(top, mark)| tree(top, mark, &below, &mut records))
        .collect();
    // What is left has itself among its ancestors; its first stands for the one that is above all.
    trees.extend(
        order
            .into_iter()
            .filter_map(|at| tree(at, Some(Mark::ParentMissing), &below, &mut records)),
    );
    Trees { trees, repeated }
}

/// Spans without those that came twice, and where the first of each id is.
fn once(received: Vec<Record>) -> (Vec<Record>, HashMap<[u8; 8], usize>) {
    let mut by_id: HashMap<[u8; 8], usize> = HashMap::with_capacity(received.len());
    let mut records: Vec<Record> = Vec::with_capacity(received.len());
    for record in received {
        match by_id.entry(record.id) {
            Entry::Occupied(first) if records[*first.get()].repeats(&record) => continue,
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(records.len());
            }
        }
        records.push(record);
    }
    (records, by_id)
}

fn place(
    at: usize,
    records: &[Record],
    by_id: &HashMap<[u8; 8], usize>,
    was_sent: impl Fn([u8; 8]) -> bool,
) -> Place {
    let record = &records[at];
    let (parent, serves) = match record.parent {
        Parent::None | Parent::Remote => return Place::Top(None),
        Parent::Local(id) => (id, false),
        Parent::Untold { id, serves } => (id, serves),
    };
    match by_id.get(&parent) {
        Some(found) if records[*found].id == record.id => Place::Top(Some(Mark::ParentMissing)),
        Some(found) if records[*found].origin.is(&record.origin) => Place::Below(*found),
        // A transaction has one resource: what has another one is of another process.
        Some(_) => Place::Top(None),
        None if serves => Place::Top(None),
        None if was_sent(parent) => Place::Top(Some(Mark::ParentSent)),
        None => Place::Top(Some(Mark::ParentMissing)),
    }
}

/// A span and what is below it, unless it is in a tree already.
fn tree(
    top: usize,
    mark: Option<Mark>,
    below: &[Vec<usize>],
    records: &mut [Option<Record>],
) -> Option<Tree> {
    let mut nodes: Vec<Node> = Vec::new();
    // Nodes above the one that is looked at, each with its depth.
    let mut above: Vec<(usize, usize)> = Vec::new();
    let mut next = vec![(top, 0)];
    while let Some((at, depth)) = next.pop() {
        let Some(record) = records[at].take() else {
            continue;
        };
        let here = nodes.len();
        close(&mut above, &mut nodes, depth);
        above.push((here, depth));
        nodes.push(Node { record, end: here });
        next.extend(below[at].iter().rev().map(|child| (*child, depth + 1)));
    }
    close(&mut above, &mut nodes, 0);
    (!nodes.is_empty()).then_some(Tree { mark, nodes })
}

/// Ends all nodes that are not above that depth.
fn close(above: &mut Vec<(usize, usize)>, nodes: &mut [Node], depth: usize) {
    let end = nodes.len();
    while let Some((at, _)) = above.pop_if(|(_, of)| *of >= depth) {
        nodes[at].end = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::Attributes;
    use crate::seen::Seen;
    use crate::terms::Terms;
    use crate::testing::{attributes, span};
    use crate::transactions::origin::Origins;
    use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

    /// Spans of an id, a parent and flags, in the order of their starts.
    fn records(spans: &[(u8, u8, u32, SpanKind, &str)]) -> Vec<Record> {
        let mut origins = Origins::default();
        let mut made = Vec::new();
        for (start, (id, parent, flags, kind, host)) in (0..).zip(spans) {
            let mut span = span("x", *kind, &[]);
            span.span_id = vec![*id; 8];
            span.parent_span_id = vec![*parent; 8];
            span.flags = *flags;
            span.start_time_unix_nano += start;
            let resource = attributes(&[("host.name", host)]);
            let seen = Seen {
                resource: Attributes(&resource),
                ..Seen::alone(&span)
            };
            let origin = origins.get(seen.resource, &Terms::default());
            made.push(Record::of(&seen, origin).expect("a record"));
        }
        made
    }

    /// A tree as its mark, and the id and end of its nodes.
    type Shape = (Option<Mark>, Vec<(u8, usize)>);

    fn shape(trees: &[Tree]) -> Vec<Shape> {
        let node = |node: &Node| (node.record.id[0], node.end);
        let shape = |tree: &Tree| (tree.mark, tree.nodes.iter().map(node).collect());
        trees.iter().map(shape).collect()
    }

    const IN: SpanKind = SpanKind::Internal;

    #[test]
    fn children_are_below_their_parents_in_any_order() {
        let mut spans = records(&[
            (1, 0, 0x100, IN, "a"),
            (2, 1, 0x100, IN, "a"),
            (3, 2, 0, IN, "a"),
            (4, 1, 0x100, SpanKind::Server, "a"),
        ]);
        spans.reverse();
        let made = arrange(spans, |_| false);
        assert_eq!(
            shape(&made.trees),
            [(None, vec![(1, 4), (2, 3), (3, 3), (4, 4)])]
        );
    }

    #[test]
    fn a_remote_parent_makes_a_root_although_it_is_there() {
        let spans = records(&[(1, 0, 0x100, IN, "a"), (2, 1, 0x300, IN, "a")]);
        let made = arrange(spans, |_| false);
        assert_eq!(
            shape(&made.trees),
            [(None, vec![(1, 1)]), (None, vec![(2, 1)])]
        );
    }

    #[test]
    fn another_resource_makes_a_root() {
        let spans = records(&[(1, 0, 0, IN, "a"), (2, 1, 0, SpanKind::Server, "b")]);
        let made = arrange(spans, |_| false);
        assert_eq!(
            shape(&made.trees),
            [(None, vec![(1, 1)]), (None, vec![(2, 1)])]
        );
    }

    #[test]
    fn what_serves_is_a_root_when_its_parent_never_comes() {
        let spans = records(&[(2, 9, 0, SpanKind::Server, "a"), (3, 2, 0, IN, "a")]);
        let made = arrange(spans, |_| true);
        assert_eq!(shape(&made.trees), [(None, vec![(2, 2), (3, 2)])]);
    }

    #[test]
    fn orphans_keep_what_is_below_them() {
        let spans = records(&[
            (2, 9, 0, IN, "a"),
            (3, 2, 0, IN, "a"),
            (4, 8, 0x100, SpanKind::Server, "a"),
        ]);
        let made = arrange(spans, |id| id == [9; 8]);
        let expected = [
            (Some(Mark::ParentSent), vec![(2, 2), (3, 2)]),
            (Some(Mark::ParentMissing), vec![(4, 1)]),
        ];
        assert_eq!(shape(&made.trees), expected);
    }

    #[test]
    fn a_circle_is_opened_at_its_first() {
        let spans = records(&[(1, 2, 0, IN, "a"), (2, 1, 0, IN, "a"), (3, 3, 0, IN, "a")]);
        let made = arrange(spans, |_| false);
        let expected = [
            (Some(Mark::ParentMissing), vec![(3, 1)]),
            (Some(Mark::ParentMissing), vec![(1, 2), (2, 2)]),
        ];
        assert_eq!(shape(&made.trees), expected);
    }

    #[test]
    fn what_came_twice_is_there_once_and_what_differs_twice() {
        let mut spans = records(&[(1, 0, 0, IN, "a"), (2, 1, 0, IN, "a"), (2, 1, 0, IN, "a")]);
        spans.extend(records(&[(1, 0, 0, IN, "a")]));
        let made = arrange(spans, |_| false);
        assert_eq!(made.repeated, 1);
        assert_eq!(made.trees[0].nodes.len(), 3);
    }

    #[test]
    fn a_chain_as_long_as_memory_is_no_panic() {
        let mut origins = Origins::default();
        let origin = origins.get(Attributes(&[]), &Terms::default());
        let record = |number: u64| Record {
            id: (number + 1).to_be_bytes(),
            parent: Parent::Local(number.to_be_bytes()),
            start: number,
            origin: std::sync::Arc::clone(&origin),
            json: Box::default(),
            described: 0,
            cut: false,
        };
        let made = arrange((0..100_000).map(record).collect(), |_| false);
        assert_eq!(made.trees[0].nodes.len(), 100_000);
        assert!(made.trees[0].nodes.iter().all(|node| node.end == 100_000));
    }
}
