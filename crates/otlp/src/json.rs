//! JSON in as much memory as it takes, and objects with many texts.

use serde::Serialize;
use std::cell::RefCell;
use std::io::{self, Write};

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
    Json(serde_json::Error),
}

impl From<serde_json::Error> for Unwritten {
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() {
            Self::TooLong
        } else {
            Self::Json(error)
        }
    }
}

/// Bytes that refuse to be too many.
pub struct Bounded<'a> {
    bytes: &'a mut Vec<u8>,
    most: usize,
}

impl<'a> Bounded<'a> {
    /// Takes so many bytes at most, with those that are there.
    pub fn new(bytes: &'a mut Vec<u8>, most: usize) -> Self {
        Self { bytes, most }
    }

    /// The same for a part of what is written.
    fn part(&mut self) -> Bounded<'_> {
        Bounded::new(self.bytes, self.most)
    }

    fn has_room(&self, bytes: usize) -> bool {
        bytes <= self.most.saturating_sub(self.bytes.len())
    }
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.has_room(bytes.len()) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An object that is being written member by member. Each byte of a text is looked at by `serde_json`; most texts have nothing to
/// escape, which is seen of many bytes at a time.
pub struct Object<'a>(Bounded<'a>);

impl<'a> Object<'a> {
    /// Without members yet. What is too long is left as soon as that is seen.
    pub fn begin(json: Bounded<'a>) -> Self {
        json.bytes.push(b'{');
        Self(json)
    }

    /// Adds a text.
    ///
    /// # Errors
    /// When there is no room for it, as with all others that add something.
    pub fn text(&mut self, name: &str, value: &str) -> Result<(), Unwritten> {
        self.name(name)?;
        write_text(&mut self.0, value)
    }

    /// Adds any other value.
    pub fn value(&mut self, name: &str, value: &impl Serialize) -> Result<(), Unwritten> {
        self.name(name)?;
        Ok(serde_json::to_writer(&mut self.0, value)?)
    }

    /// Adds an object, which has to end before this one.
    pub fn object(&mut self, name: &str) -> Result<Object<'_>, Unwritten> {
        self.name(name)?;
        Ok(Object::begin(self.0.part()))
    }

    /// All members are there.
    pub fn end(self) -> Result<(), Unwritten> {
        self.0.bytes.push(b'}');
        if self.0.bytes.len() > self.0.most {
            return Err(Unwritten::TooLong);
        }
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<(), Unwritten> {
        // No value ends with it.
        if self.0.bytes.last() != Some(&b'{') {
            self.0.bytes.push(b',');
        }
        write_text(&mut self.0, name)?;
        self.0.bytes.push(b':');
        Ok(())
    }
}

fn write_text(json: &mut Bounded<'_>, text: &str) -> Result<(), Unwritten> {
    let length = text.len() + 2;
    if !json.has_room(length) {
        return Err(Unwritten::TooLong);
    }
    if !is_plain(text.as_bytes()) {
        return Ok(serde_json::to_writer(json, text)?);
    }
    json.bytes.reserve(length);
    json.bytes.push(b'"');
    json.bytes.extend_from_slice(text.as_bytes());
    json.bytes.push(b'"');
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
        let mut object = Object::begin(Bounded::new(&mut bytes, usize::MAX));
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
        let write = |most| {
            let mut bytes = Vec::new();
            let mut object = Object::begin(Bounded::new(&mut bytes, most));
            object.text("a", "b")?;
            object.text("c", &"\n".repeat(4))?;
            object.value("d", &[1, 2, 3])?;
            object.end().map(|()| bytes.len())
        };
        let length = write(usize::MAX).expect("room");
        assert_eq!(write(length).expect("room"), length);
        for most in 0..length {
            assert!(matches!(write(most), Err(Unwritten::TooLong)), "{most}");
        }
    }

    #[test]
    fn of_a_value_without_room_little_is_written() {
        let mut bytes = Vec::new();
        for value in [
            json!("x".repeat(9000)),
            json!("\n".repeat(9000)),
            json!(vec![0; 9000]),
        ] {
            let mut object = Object::begin(Bounded::new(&mut bytes, 100));
            let added = match &value {
                serde_json::Value::String(text) => object.text("a", text),
                other => object.value("a", other),
            };
            assert!(matches!(added, Err(Unwritten::TooLong)));
            assert!(bytes.len() <= 100, "{}", bytes.len());
            bytes.clear();
        }
    }

    proptest! {
        #[test]
        fn a_text_is_written_as_serde_json_writes_it(text in "[a\\\\\"\u{0}\u{1f} \u{7f}ä\u{10ffff}]{0,50}") {
            let mut bytes = Vec::new();
            write_text(&mut Bounded::new(&mut bytes, usize::MAX), &text).expect("JSON");
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
