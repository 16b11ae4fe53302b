//! A span that waits for the others of its trace.

use crate::seen::Seen;
use crate::transactions::origin::Origin;
use crate::transactions::span::write;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use std::sync::Arc;

/// Flags tell whether the parent is of another process, and that it is.
const TELLS: u32 = 0x100;
const REMOTE: u32 = 0x200;

/// Beside its JSON and itself, what the heap adds to a record, in bytes.
const HEAP: usize = 32;

/// Whether the parent of a span is of another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    None,
    Remote,
    Local([u8; 8]),
    /// Nobody tells. A span that serves somebody is a root of its own if its parent never comes.
    Untold {
        id: [u8; 8],
        serves: bool,
    },
}

/// What has to be known of a span, and its JSON.
#[derive(Debug)]
pub struct Record {
    pub id: [u8; 8],
    pub parent: Parent,
    /// Nanoseconds since 1970.
    pub start: u64,
    pub origin: Arc<Origin>,
    pub json: Box<[u8]>,
    /// How many bytes of it are the description, at most.
    pub described: u32,
    /// Something of it had to be cut.
    pub cut: bool,
}

impl Parent {
    /// What a span tells of it.
    pub fn of(span: &Span) -> Self {
        let told = span.flags & TELLS != 0;
        match (id(&span.parent_span_id), told, span.flags & REMOTE != 0) {
            ([0, 0, 0, 0, 0, 0, 0, 0], ..) => Self::None,
            (_, true, true) => Self::Remote,
            (id, true, false) => Self::Local(id),
            (id, false, _) => Self::Untold {
                id,
                serves: matches!(span.kind(), SpanKind::Server | SpanKind::Consumer),
            },
        }
    }
}

impl Record {
    /// A span that arrived.
    pub fn of(seen: &Seen<'_>, origin: Arc<Origin>) -> Result<Self, serde_json::Error> {
        let span = seen.span;
        let written = write(seen)?;
        Ok(Self {
            id: id(&span.span_id),
            parent: Parent::of(span),
            start: span.start_time_unix_nano,
            origin,
            json: written.json,
            described: u32::try_from(written.described).unwrap_or(u32::MAX),
            cut: written.cut,
        })
    }

    /// What it takes in memory, in bytes.
    pub fn size(&self) -> usize {
        self.json.len() + size_of::<Self>() + HEAP
    }

    /// The same span, received twice.
    pub fn repeats(&self, other: &Self) -> bool {
        (self.start, self.parent) == (other.start, other.parent) && self.json == other.json
    }
}

/// An id of so many bytes; one that is too short is filled with zeros.
pub fn id<const LENGTH: usize>(bytes: &[u8]) -> [u8; LENGTH] {
    let mut id = [0; LENGTH];
    id.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Terms;
    use crate::testing::span;
    use crate::transactions::origin::Origins;
    use rstest::rstest;

    #[rstest]
    #[case(0, 0x100, SpanKind::Server, Parent::None)]
    #[case(0, 0x300, SpanKind::Server, Parent::None)]
    #[case(3, 0x301, SpanKind::Internal, Parent::Remote)]
    #[case(3, 0x101, SpanKind::Server, Parent::Local([3; 8]))]
    #[case(3, 0x201, SpanKind::Server, Parent::Untold { id: [3; 8], serves: true })]
    #[case(3, 0, SpanKind::Client, Parent::Untold { id: [3; 8], serves: false })]
    fn flags_tell_where_the_parent_is(
        #[case] parent: u8,
        #[case] flags: u32,
        #[case] kind: SpanKind,
        #[case] expected: Parent,
    ) {
        let mut span = span("x", kind, &[]);
        span.parent_span_id = vec![parent; 8];
        span.flags = flags;
        let seen = Seen::alone(&span);
        let origin = Origins::default().get(seen.resource, &Terms::default());
        assert_eq!(
            Record::of(&seen, origin).expect("a record").parent,
            expected
        );
    }

    #[test]
    fn an_id_of_another_length_is_no_panic() {
        assert_eq!(id::<4>(&[1, 2]), [1, 2, 0, 0]);
        assert_eq!(id::<2>(&[1, 2, 3]), [1, 2]);
    }
}
