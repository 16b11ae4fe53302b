//! How deep messages may be nested in each other: as deep as in a request that is decoded whole.
//!
//! Servers decode a request whole, and prost counts a hundred levels from its beginning. What is decoded alone here would
//! have a few more, and a request with such a record would be refused with all that others have sent.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType, decode_key, message};
use prost::{DecodeError, Message};

/// A message that stands in a request.
pub trait Inside: Message + Default {
    /// So many messages are around it.
    const LEVELS: u32;
}

impl Inside for Resource {
    const LEVELS: u32 = 2;
}

impl Inside for InstrumentationScope {
    const LEVELS: u32 = 3;
}

impl Inside for Span {
    const LEVELS: u32 = 3;
}

impl Inside for LogRecord {
    const LEVELS: u32 = 3;
}

/// Decodes a message as if all of its request were around it.
///
/// # Errors
/// When it cannot be read, or is nested too deep for where it stands.
pub fn decode<M: Inside>(encoded: &[u8]) -> Result<M, DecodeError> {
    let mut around = Around {
        levels: M::LEVELS,
        encoded,
        inner: M::default(),
    };
    around.merge(FIELD)?;
    Ok(around.inner)
}

/// Any field: [`Around`] takes it for the message in it.
const FIELD: &[u8] = &[1 << 3 | 2];

/// The same with its length.
const MESSAGE: &[u8] = &[1, FIELD[0]];

/// The messages around one, of which nothing but their number is of matter: prost counts levels down as it goes into them,
/// and its count cannot be begun elsewhere.
#[derive(Debug)]
struct Around<'a, M> {
    levels: u32,
    encoded: &'a [u8],
    inner: M,
}

impl<M: Message> Message for Around<'_, M> {
    fn merge_field(
        &mut self,
        _: u32,
        _: WireType,
        _: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        if let Some(less) = self.levels.checked_sub(1) {
            self.levels = less;
            return message::merge(WireType::LengthDelimited, self, &mut { MESSAGE }, context);
        }
        let left = &mut self.encoded;
        while left.has_remaining() {
            let (number, wire_type) = decode_key(left)?;
            self.inner
                .merge_field(number, wire_type, left, context.clone())?;
        }
        Ok(())
    }

    // It is decoded alone.
    fn encode_raw(&self, _: &mut impl BufMut) {}

    fn encoded_len(&self) -> usize {
        0
    }

    fn clear(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::encoding::encode_key;
    use rstest::rstest;

    fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
        let mut field = Vec::new();
        prost::encoding::bytes::encode(number, &bytes.to_vec(), &mut field);
        field
    }

    /// An attribute with lists in lists.
    fn lists(depth: usize) -> Vec<u8> {
        let deep = (0..depth).fold(Vec::new(), |value, _| field(5, &field(1, &value)));
        [field(1, b"deep"), field(2, &deep)].concat()
    }

    /// Groups in groups, of a number that nobody knows.
    fn groups(depth: usize) -> Vec<u8> {
        let mut all = Vec::new();
        for wire_type in [WireType::StartGroup, WireType::EndGroup] {
            (0..depth).for_each(|_| encode_key(99, wire_type, &mut all));
        }
        all
    }

    /// Whether it can be read alone, and whether its request can be.
    fn both<M: Inside, R: Message + Default>(encoded: &[u8], place: &[u32]) -> (bool, bool) {
        let request = place
            .iter()
            .rev()
            .fold(encoded.to_vec(), |inner, number| field(*number, &inner));
        (decode::<M>(encoded).is_ok(), R::decode(&*request).is_ok())
    }

    type Traces = ExportTraceServiceRequest;
    type Logs = ExportLogsServiceRequest;

    /// Numbers of the fields around a record.
    const RECORD: &[u32] = &[1, 2, 2];
    /// And around a scope.
    const SCOPE: &[u32] = &[1, 2, 1];
    /// And around a resource.
    const RESOURCE: &[u32] = &[1, 1];

    #[rstest]
    #[case::span(|deep: &[u8]| both::<Span, Traces>(deep, RECORD), 9, 47, 97)]
    #[case::log(|deep: &[u8]| both::<LogRecord, Logs>(deep, RECORD), 6, 47, 97)]
    #[case::scope(|deep: &[u8]| both::<InstrumentationScope, Traces>(deep, SCOPE), 3, 47, 97)]
    #[case::resource(|deep: &[u8]| both::<Resource, Traces>(deep, RESOURCE), 1, 48, 98)]
    #[case::event(|deep: &[u8]| both::<Span, Traces>(&field(11, deep), RECORD), 3, 47, 96)]
    fn it_is_as_deep_as_in_its_request(
        #[case] both: fn(&[u8]) -> (bool, bool),
        #[case] attributes: u32,
        #[case] most_lists: usize,
        #[case] most_groups: usize,
    ) {
        for (depth, is) in [(1, true), (most_lists, true), (most_lists + 1, false)] {
            let deep = field(attributes, &lists(depth));
            assert_eq!(both(&deep), (is, is), "{depth} lists");
        }
        for (depth, is) in [(1, true), (most_groups, true), (most_groups + 1, false)] {
            assert_eq!(both(&groups(depth)), (is, is), "{depth} groups");
        }
    }

    #[test]
    fn it_is_the_message_itself() {
        let span = Span {
            name: "a".to_owned(),
            flags: 7,
            ..Span::default()
        };
        assert_eq!(decode::<Span>(&span.encode_to_vec()), Ok(span));
        assert_eq!(decode::<Span>(b""), Ok(Span::default()));
        decode::<Span>(b"\x0a\x05a").expect_err("it ends too soon");
    }
}
