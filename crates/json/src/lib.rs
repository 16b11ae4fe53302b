//! JSON over bytes: a body is checked once, while it arrives, and is then read and copied without
//! another check.
//!
//! ```
//! use tap_sentry_json::{Body, Repairs};
//!
//! let mut body = Body::expecting(64, 2);
//! body.push(br#"[{"id": "7", "ti"#);
//! body.push(br#"tle": "a\u0000b"}]"#);
//! let document = body.document()?;
//! let row = document.elements(document.root()).next().expect("one row");
//! let id = document.lookup(row, &["id"]).and_then(|id| document.scalar_text(id));
//! assert_eq!(id.as_deref(), Some("7"));
//!
//! let (mut line, mut repairs) = (Vec::new(), Repairs::default());
//! document.copy(row, 0, &mut line, &mut repairs);
//! assert_eq!(line, "{\"id\": \"7\", \"title\": \"a\u{fffd}b\"}".as_bytes());
//! assert_eq!(repairs.characters, 1);
//! # Ok::<(), tap_sentry_json::Malformed>(())
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `body` | [`Body`]: bytes that are checked while they arrive |
//! | `document` | [`Document`], [`Value`] and the iterators [`Members`] and [`Elements`] |
//! | `copy` | copying values with [`Repairs`] |
//! | `scan` | the check, 64 bytes at a time; the only file that knows about vectors |
//! | `index` | what the check leaves behind: ends of outer containers, and what must be repaired |
//! | `token` | ends of strings, containers and numbers |
//!
//! # Guarantees
//!
//! - A [`Document`] is one JSON value in UTF-8 and nothing else, as `serde_json` understands it,
//!   unless it was made of lines that the caller knows to be such ([`Document::of_lines`]). Lone
//!   surrogates and numbers beyond a double's range are accepted too, because servers send them;
//!   copying repairs them.
//! - What is copied is one line of JSON that `serde_json` reads, at most [`MAX_DEPTH`] deep.
//! - Nothing recurses, so no input can exhaust the stack, however deeply it is nested.
//! - How a body is cut into chunks makes no difference.
//! - The vectors are as wide as the processor has them, which is detected when the program runs.

mod body;
mod copy;
mod document;
mod index;
mod scan;
mod token;

pub use body::Body;
pub use copy::{MAX_DEPTH, Repairs};
pub use document::{Document, Elements, Members, Value};
pub use scan::MAX_INDEXED_DEPTH;
pub use token::{is_number, number_fits};

/// The text is not JSON. `at` is the byte offset where that became certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Malformed {
    pub what: &'static str,
    pub at: usize,
}
