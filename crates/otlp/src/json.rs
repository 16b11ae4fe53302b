//! JSON in as much memory as it takes: what waits to be sent holds no more.

use serde::Serialize;
use std::cell::RefCell;

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

#[cfg(test)]
mod tests {
    use super::*;

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
