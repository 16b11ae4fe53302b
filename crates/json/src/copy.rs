//! Copying values out of a document, with repairs where readers would refuse them.

use crate::document::{Document, Value};
use crate::token::{container_end, string_end};

/// Containers deeper than this are replaced by `null`. Python's and Rust's JSON parsers give up at
/// depths from 128 to 1,000, and one line that a target refuses stops the whole load.
pub const MAX_DEPTH: u32 = 100;

/// What was changed in a value while it was copied, so that every target accepts it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Repairs {
    /// U+0000 or a lone surrogate became U+FFFD: `PostgreSQL` stores neither.
    pub characters: u32,
    /// A number beyond 64 bits became a string of the same digits.
    pub numbers: u32,
    /// A container nested deeper than [`MAX_DEPTH`] became `null`.
    pub depth: u32,
}

impl Repairs {
    pub fn any(self) -> bool {
        self.characters + self.numbers + self.depth > 0
    }
}

impl Document<'_> {
    /// Copies a value to `out` on one line, repaired where targets would refuse it. `depth` is how
    /// many containers are open around it in the output.
    #[inline]
    pub fn copy(&self, value: Value, depth: u32, out: &mut Vec<u8>, repairs: &mut Repairs) {
        if self.is_clean(value, depth) {
            out.extend_from_slice(self.text(value));
        } else {
            self.copy_repaired(value, depth, out, repairs);
        }
    }

    /// Whether a value is on one line and needs no repair, with `depth` containers around it in the
    /// output.
    #[inline]
    pub fn is_clean(&self, value: Value, depth: u32) -> bool {
        !self.index.has_line_breaks
            && depth.saturating_add(self.index.depth_bound) <= MAX_DEPTH
            && (self.index.unrepresentable.is_empty() || self.is_representable(value))
    }

    /// Copies the bytes between a key's quotes, with the same repairs as [`Self::copy`]. `value` is
    /// the member's value.
    pub fn copy_key(&self, value: Value, key: &[u8], out: &mut Vec<u8>) {
        if self.index.unrepresentable.is_empty() {
            out.extend_from_slice(key);
        } else {
            // Only white space and a colon stand between a key's closing quote and its value.
            let close = self.json[..value.start()]
                .iter()
                .rposition(|b| *b == b'"')
                .unwrap_or(0);
            self.copy_stretch(close - key.len(), close, out, &mut Repairs::default());
        }
    }

    /// Whether the value holds nothing that is unrepresentable.
    #[inline]
    fn is_representable(&self, value: Value) -> bool {
        // The shortest unrepresentable token is a number such as `1e400`.
        if value.end() - value.start() < 5 {
            return true;
        }
        let found = &self.index.unrepresentable;
        let first = found.partition_point(|one| (one.start as usize) < value.start());
        found
            .get(first)
            .is_none_or(|one| one.start as usize >= value.end())
    }

    #[cold]
    fn copy_repaired(&self, value: Value, depth: u32, out: &mut Vec<u8>, repairs: &mut Repairs) {
        let mut from = value.start();
        if depth.saturating_add(self.index.depth_bound) > MAX_DEPTH {
            let (mut open, mut at) = (depth, from);
            while at < value.end() {
                match self.json[at] {
                    b'"' => at = string_end(self.json, at),
                    b'{' | b'[' if open >= MAX_DEPTH => {
                        self.copy_stretch(from, at, out, repairs);
                        out.extend_from_slice(b"null");
                        repairs.depth += 1;
                        at = container_end(self.json, at);
                        from = at;
                    }
                    byte => {
                        open += u32::from(matches!(byte, b'{' | b'['));
                        open -= u32::from(matches!(byte, b'}' | b']'));
                        at += 1;
                    }
                }
            }
        }
        self.copy_stretch(from, value.end(), out, repairs);
    }

    /// Copies the bytes from `from` to `to` without line breaks and with what is unrepresentable
    /// repaired.
    fn copy_stretch(&self, mut from: usize, to: usize, out: &mut Vec<u8>, repairs: &mut Repairs) {
        let plain = |from: usize, to: usize, out: &mut Vec<u8>| {
            if self.index.has_line_breaks {
                // Strings hold these bytes only as escapes, so they can only stand between tokens.
                out.extend(
                    self.json[from..to]
                        .iter()
                        .filter(|b| !matches!(b, b'\n' | b'\r' | b'\t')),
                );
            } else {
                out.extend_from_slice(&self.json[from..to]);
            }
        };
        let found = &self.index.unrepresentable;
        let first = found.partition_point(|one| (one.start as usize) < from);
        for one in found[first..]
            .iter()
            .take_while(|one| (one.start as usize) < to)
        {
            let (start, end) = (one.start as usize, one.end as usize);
            plain(from, start, out);
            if one.is_number {
                repairs.numbers += 1;
                out.push(b'"');
                out.extend_from_slice(&self.json[start..end]);
                out.push(b'"');
            } else {
                repairs.characters += 1;
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
            from = end;
        }
        plain(from, to, out);
    }
}
