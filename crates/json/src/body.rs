//! [`Body`]: bytes that are checked while they arrive.

use crate::Malformed;
use crate::document::Document;
use crate::scan::Scan;

/// A body that is checked while it arrives.
///
/// Each chunk is copied a little at a time and checked right after, while a near cache still holds
/// it.
#[derive(Debug, Default)]
pub struct Body {
    bytes: Vec<u8>,
    scan: Scan,
}

impl Body {
    /// An empty body with room for this many bytes. `indexed_depth` is as for [`Document::parse`].
    pub fn expecting(bytes: usize, indexed_depth: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            scan: Scan::expecting(bytes, indexed_depth),
        }
    }

    /// Appends a chunk. After an error, chunks are kept but no longer checked.
    pub fn push(&mut self, chunk: &[u8]) {
        self.scan.push(&mut self.bytes, chunk);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the bytes out; the body is empty afterwards.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).bytes
    }

    /// The whole body as JSON. Call it once, after the last chunk: it takes the result of the
    /// check.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn document(&mut self) -> Result<Document<'_>, Malformed> {
        let index = std::mem::take(&mut self.scan).finish(&self.bytes)?;
        Ok(Document::new(&self.bytes, index))
    }
}
