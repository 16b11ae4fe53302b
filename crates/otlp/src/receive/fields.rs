//! Fields of a protobuf message, one after the other and undecoded.
//!
//! A request is not decoded whole: a body of 20 MiB may claim ten million spans of two bytes, which decoded take gigabytes;
//! and one span that cannot be read would cost all of them.

use bytes::Buf;
use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// Why there is no next field.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Broken {
    #[error("the message ends in the middle of a field")]
    Short,
    #[error("a resource or a scope has more than 1 MiB, or too many attributes")]
    TooLarge,
    #[error(transparent)]
    Protobuf(#[from] DecodeError),
}

/// Fields that hold bytes: messages and texts, each with its number. Fields of other kinds are passed over. Ends with the
/// first that cannot be read.
#[derive(Debug, Clone)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, &'a [u8]), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.0.has_remaining() {
            let field = self.field();
            if field.is_err() {
                self.0 = &[];
            }
            if let Some(field) = field.transpose() {
                return Some(field);
            }
        }
        None
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<Option<(u32, &'a [u8])>, Broken> {
        let (number, wire_type) = decode_key(&mut self.0)?;
        if wire_type != WireType::LengthDelimited {
            let context = DecodeContext::default();
            skip_field(wire_type, number, &mut self.0, context)?;
            return Ok(None);
        }
        let length = usize::try_from(decode_varint(&mut self.0)?);
        let split = length
            .ok()
            .and_then(|length| self.0.split_at_checked(length));
        let (field, rest) = split.ok_or(Broken::Short)?;
        self.0 = rest;
        Ok(Some((number, field)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Result<(u32, &[u8]), Broken>> {
        Fields(bytes).collect()
    }

    #[test]
    fn numbers_are_passed_over() {
        let fields = read(b"\x08\x96\x01\x0a\x02ab\x12\x00");
        assert_eq!(fields, [Ok((1, b"ab".as_slice())), Ok((2, b"".as_slice()))]);
    }

    #[test]
    fn what_is_broken_ends_it() {
        assert_eq!(read(b"\x0a\x05ab"), [Err(Broken::Short)]);
        assert!(matches!(read(b"\x0a")[..], [Err(Broken::Protobuf(_))]));
        // A length beyond everything.
        assert_eq!(
            read(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
            [Err(Broken::Short)]
        );
    }
}
