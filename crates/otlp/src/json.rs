//! JSON in as much memory as it takes, and objects with many texts.

use serde::Serialize;
use std::cell::RefCell;

/// So many bytes of a text are looked at together.
const BLOCK: usize = 16;

/// A longer memory is not kept, in bytes.
const KEPT: usize = 64 << 10;

thread_local! {
    /// Where JSON is written before it is known how long it is, so that there is memory for it once and not for each span.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What is written into an empty memory, and what `write` answers.
///
/// # Errors
/// Those of `write`.
pub fn scratch<R, E>(
    write: impl FnOnce(&mut Vec<u8>) -> Result<R, E>,
) -> Result<(Box<[u8]>, R), E> {
    let mut bytes = SCRATCH.take();
    bytes.clear();
    let written = write(&mut bytes).map(|result| (Box::from(bytes.as_slice()), result));
    if bytes.capacity() <= KEPT {
        SCRATCH.replace(bytes);
    }
    written
}

/// A value as JSON.
///
/// # Errors
/// When it has keys that are no texts, or refuses to be written.
pub fn boxed(value: &impl Serialize) -> Result<Box<[u8]>, serde_json::Error> {
    scratch(|bytes| serde_json::to_writer(bytes, value)).map(|(json, ())| json)
}

/// Why something is not written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    #[error("it is too long")]
    TooLong,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// An object that is being written member by member, as long as all has no more than so many bytes. Each byte of a text is looked
/// at by `serde_json`; most texts have nothing to escape, which is seen of many bytes at a time.
pub struct Object<'a> {
    bytes: &'a mut Vec<u8>,
    most: usize,
}

impl<'a> Object<'a> {
    /// Without members yet.
    pub fn begin(bytes: &'a mut Vec<u8>, most: usize) -> Self {
        bytes.push(b'{');
        Self { bytes, most }
    }

    /// Adds a text.
    ///
    /// # Errors
    /// When it is too long already, as with all others that add something.
    pub fn text(&mut self, name: &str, value: &str) -> Result<(), Unwritten> {
        self.name(name)?;
        write_text(self.bytes, value)
    }

    /// Adds any other value.
    pub fn value(&mut self, name: &str, value: &impl Serialize) -> Result<(), Unwritten> {
        self.name(name)?;
        Ok(serde_json::to_writer(&mut *self.bytes, value)?)
    }

    /// Adds an object, which has to end before this one.
    pub fn object(&mut self, name: &str) -> Result<Object<'_>, Unwritten> {
        self.name(name)?;
        Ok(Object::begin(self.bytes, self.most))
    }

    /// All members are there.
    pub fn end(self) -> Result<(), Unwritten> {
        self.bytes.push(b'}');
        self.check()
    }

    fn name(&mut self, name: &str) -> Result<(), Unwritten> {
        self.check()?;
        // No value ends with it.
        if self.bytes.last() != Some(&b'{') {
            self.bytes.push(b',');
        }
        write_text(self.bytes, name)?;
        self.bytes.push(b':');
        Ok(())
    }

    fn check(&self) -> Result<(), Unwritten> {
        if self.bytes.len() > self.most {
            return Err(Unwritten::TooLong);
        }
        Ok(())
    }
}

fn write_text(bytes: &mut Vec<u8>, text: &str) -> Result<(), Unwritten> {
    if !is_plain(text.as_bytes()) {
        return Ok(serde_json::to_writer(bytes, text)?);
    }
    bytes.reserve(text.len() + 2);
    bytes.push(b'"');
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(b'"');
    Ok(())
}

/// Whether JSON escapes nothing in it.
fn is_plain(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk() {
        let blocks = text.as_chunks().0;
        return !has_escaped(last) && !blocks.iter().any(has_escaped);
    }
    let mut block = [b' '; BLOCK];
    block[..text.len()].copy_from_slice(text);
    !has_escaped(&block)
}

/// Without a way out before its end, so that all bytes are compared at once.
fn has_escaped(block: &[u8; BLOCK]) -> bool {
    let escaped = block.iter().fold(0, |found, byte| {
        found | u8::from(*byte < b' ') | u8::from(*byte == b'"') | u8::from(*byte == b'\\')
    });
    escaped != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn members_stand_in_an_object() {
        let mut bytes = Vec::new();
        let mut object = Object::begin(&mut bytes, usize::MAX);
        object.text("a", "b").expect("room");
        object.value("c\n", &1.5).expect("room");
        let empty = object.object("d").expect("room");
        empty.end().expect("room");
        object.text("{", "{").expect("room");
        object.end().expect("room");
        let found: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(found, json!({"a": "b", "c\n": 1.5, "d": {}, "{": "{"}));
    }

    #[test]
    fn what_is_too_long_is_left() {
        let mut bytes = Vec::new();
        let mut object = Object::begin(&mut bytes, 8);
        object.text("a", "b").expect("room");
        let error = object.end().expect_err("it is too long");
        assert!(matches!(error, Unwritten::TooLong));
        let mut object = Object::begin(&mut bytes, 8);
        assert!(object.text("a", "b").is_err());
    }

    proptest! {
        #[test]
        fn a_text_is_written_as_serde_json_writes_it(text in "[a\\\\\"\u{0}\u{1f} \u{7f}ä\u{10ffff}]{0,50}") {
            let mut bytes = Vec::new();
            write_text(&mut bytes, &text).expect("JSON");
            prop_assert_eq!(bytes, serde_json::to_vec(&text).expect("JSON"));
        }
    }

    #[test]
    fn nothing_is_left_of_what_was_written_before() {
        let long = "x".repeat(KEPT);
        for value in ["a", &long, "", "b"] {
            let json = boxed(&value).expect("JSON");
            assert_eq!(json, serde_json::to_vec(value).expect("JSON").into());
        }
        let failed = scratch(|bytes| {
            bytes.push(b'x');
            Err::<(), _>("no")
        });
        assert_eq!(failed, Err("no"));
        assert_eq!(boxed(&1).expect("JSON").as_ref(), b"1");
    }
}
