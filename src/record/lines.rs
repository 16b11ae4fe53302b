//! The RECORD lines of one answer: stretches of its body where values are written as they came, text of ours between.
//!
//! Most of a full event is passed on unchanged. It is not copied either: the writer hands the stretches to the system.

use crate::record::notes::Notes;
use crate::streams::StreamDef;
use bytes::Bytes;
use std::io::{self, IoSlice, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::time::Instant;
use xxhash_rust::xxh3::Xxh3;

/// Stretches shorter than this are copied into the text, because a piece of its own costs about as much.
const WORTH_A_PIECE: usize = 256;
/// How many pieces one call of the system writes at most. Systems take up to 1,024.
const AT_ONCE: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Body,
    Text,
    /// Text that another piece has too.
    Again,
}

/// Positions have 32 bits, as those of a body: a page has as many pieces as records, or several times as many.
#[derive(Debug, Clone, Copy)]
struct Piece {
    source: Source,
    start: u32,
    end: u32,
}

/// Lines under construction; the body that they are of is borrowed meanwhile.
#[derive(Debug, Default)]
pub struct Lines {
    /// What is written otherwise than it stands in the body, and what is too short to be a piece.
    text: Vec<u8>,
    pieces: Vec<Piece>,
    /// Up to where `text` is in `pieces`.
    covered: usize,
    /// A stretch of the body that may still grow; empty where none is open.
    open: Range<usize>,
}

impl Lines {
    /// With room for so much text, in so many pieces.
    pub fn expecting(text: usize, pieces: usize) -> Self {
        Self {
            text: Vec::with_capacity(text),
            pieces: Vec::with_capacity(pieces),
            ..Self::default()
        }
    }

    /// Bytes of text, and in how many pieces all is. Nothing is appended any more: room that is left is given back.
    pub fn complete(&mut self) -> (usize, usize) {
        self.text.shrink_to_fit();
        self.pieces.shrink_to_fit();
        (self.text.len(), self.pieces.len())
    }

    /// Where text is appended.
    #[inline]
    pub fn text(&mut self, body: &[u8]) -> &mut Vec<u8> {
        if !self.open.is_empty() {
            self.close(body);
        }
        &mut self.text
    }

    /// Appends a stretch of the body. It is one with the last if it adjoins it.
    #[inline]
    pub fn stretch(&mut self, body: &[u8], start: usize, end: usize) {
        if self.open.end != start {
            self.close(body);
            self.open.start = start;
        }
        self.open.end = end;
    }

    /// Appends text that was appended before, which is not copied if it is long.
    pub fn again(&mut self, body: &[u8], text: Range<usize>) {
        self.close(body);
        if text.len() < WORTH_A_PIECE {
            return self.text.extend_from_within(text);
        }
        self.cover();
        self.pieces.push(Piece::new(Source::Again, text));
    }

    fn close(&mut self, body: &[u8]) {
        let Range { start, end } = self.open;
        if end - start >= WORTH_A_PIECE {
            self.cover();
            self.pieces.push(Piece::new(Source::Body, start..end));
        } else {
            self.text.extend_from_slice(&body[start..end]);
        }
        self.open.start = end;
    }

    fn cover(&mut self) {
        if self.covered < self.text.len() {
            let text = self.covered..self.text.len();
            self.pieces.push(Piece::new(Source::Text, text));
            self.covered = self.text.len();
        }
    }

    /// How many pieces all is made of up to here.
    pub fn mark(&mut self, body: &[u8]) -> usize {
        self.close(body);
        self.cover();
        self.pieces.len()
    }

    /// Drops what was appended since the mark: a row that turned out to have no key is no line.
    pub fn forget(&mut self, body: &[u8], since: usize) {
        self.mark(body);
        self.pieces.truncate(since);
        let text = self
            .pieces
            .iter()
            .rfind(|piece| piece.source == Source::Text);
        self.covered = text.map_or(0, |piece| piece.end as usize);
        self.text.truncate(self.covered);
    }

    /// Drops what was appended since the mark, and returns it.
    pub fn take(&mut self, body: &[u8], since: usize) -> Vec<u8> {
        self.mark(body);
        let pieces = self.pieces[since..]
            .iter()
            .map(|piece| piece.of(body, &self.text));
        let taken = pieces.collect::<Vec<_>>().concat();
        self.forget(body, since);
        taken
    }

    /// A digest of what was appended since the mark.
    pub fn digest(&mut self, body: &[u8], since: usize) -> u64 {
        let to = self.mark(body);
        let mut digest = Xxh3::new();
        for piece in &self.pieces[since..to] {
            digest.update(piece.of(body, &self.text));
        }
        digest.digest()
    }
}

impl Piece {
    #[inline]
    fn new(source: Source, range: Range<usize>) -> Self {
        let position =
            |at: usize| u32::try_from(at).expect("bodies of 32 MiB make less than 4 GiB");
        Self {
            source,
            start: position(range.start),
            end: position(range.end),
        }
    }

    fn of<'a>(&self, body: &'a [u8], text: &'a [u8]) -> &'a [u8] {
        let range = self.start as usize..self.end as usize;
        match self.source {
            Source::Body => &body[range],
            Source::Text | Source::Again => &text[range],
        }
    }
}

/// What decides whether a record that was written is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A digest of it: it is if it differs.
    Digest(u64),
    /// It never is in a run, whatever it holds. A bit, by which streams that have an identity in common differ.
    Once(u64),
}

/// One line of a [`Batch`], or those of one row of the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Where it ends: how many pieces there are up to there.
    pub end: usize,
    /// Identity of stream and primary key: 128 bits, so that two keys of any organization differ. What is cut out of a row
    /// has that of the row.
    pub key: u128,
    pub content: Content,
    /// How many lines it has.
    pub records: u32,
    /// Whether it is added to the batch's `count` once it is written.
    pub counted: bool,
}

/// The RECORD lines of one answer.
#[derive(Debug)]
pub struct Batch {
    pub stream: &'static StreamDef,
    /// When the answer was asked for: what was asked for later is newer.
    pub sent: Instant,
    /// Where written rows are counted that are to be.
    pub count: Option<Arc<AtomicU64>>,
    /// The answer that the lines are of, which the lines of other streams may share; empty where they have nothing of it.
    body: Bytes,
    pub lines: Lines,
    pub rows: Vec<Row>,
    pub notes: Notes,
}

impl Batch {
    pub fn new(stream: &'static StreamDef, sent: Instant) -> Self {
        Self {
            stream,
            sent,
            count: None,
            body: Bytes::new(),
            lines: Lines::default(),
            rows: Vec::new(),
            notes: Notes::default(),
        }
    }

    /// Keeps the body that the lines are of, if they have stretches of it.
    pub fn keep(&mut self, body: impl Into<Bytes>) {
        if self
            .lines
            .pieces
            .iter()
            .any(|piece| piece.source == Source::Body)
        {
            self.body = body.into();
        }
    }

    /// Writes the pieces from one row's end to another's.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn write(&self, from: usize, to: usize, out: &mut impl Write) -> io::Result<()> {
        for pieces in self.lines.pieces[from..to].chunks(AT_ONCE) {
            let mut slices: Vec<IoSlice<'_>> = pieces
                .iter()
                .map(|piece| IoSlice::new(piece.of(&self.body, &self.lines.text)))
                .collect();
            let mut left = slices.as_mut_slice();
            while !left.is_empty() {
                match out.write_vectored(left) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => IoSlice::advance_slices(&mut left, written),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(())
    }

    /// All lines.
    #[cfg(test)]
    pub fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        self.write(0, self.lines.pieces.len(), &mut all)
            .expect("memory can be written to");
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Takes so many bytes at a time, and is interrupted before each.
    struct Sip {
        taken: Vec<u8>,
        most: usize,
        interrupted: bool,
    }

    impl Write for Sip {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let bytes = &bytes[..bytes.len().min(self.most)];
            self.taken.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.write(
                &slices
                    .iter()
                    .flat_map(|slice| slice.iter().copied())
                    .take(self.most)
                    .collect::<Vec<_>>(),
            )
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn batch() -> Batch {
        Batch::new(
            crate::streams::find("teams").expect("a stream"),
            Instant::now(),
        )
    }

    proptest! {
        /// A part is text, or text that was there before, or a stretch of the body that begins behind the last one or
        /// elsewhere; or a row ends, or is taken out again.
        #[test]
        fn lines_are_what_was_appended_however_little_is_taken_at_once(
            parts in proptest::collection::vec((0..6u8, 0..600usize, 1..700usize), 0..40),
            most in 1..3_000usize,
        ) {
            let body: Vec<u8> = (0..=250).cycle().take(4_000).collect();
            let (mut batch, mut rows, mut row, mut last) = (batch(), Vec::new(), Vec::new(), 0);
            let (mut began, mut text) = (0, 0..0);
            for (kind, start, length) in parts.into_iter().chain([(4, 0, 0)]) {
                match kind {
                    0 => {
                        let out = batch.lines.text(&body);
                        text = out.len()..out.len() + length;
                        out.extend(std::iter::repeat_n(b'x', length));
                        row.extend(std::iter::repeat_n(b'x', length));
                    }
                    5 => {
                        batch.lines.again(&body, text.clone());
                        row.extend(std::iter::repeat_n(b'x', text.len()));
                    }
                    1 | 2 => {
                        let start = if kind == 1 { start } else { last };
                        last = (start + length).min(body.len());
                        batch.lines.stretch(&body, start, last);
                        row.extend_from_slice(&body[start..last]);
                    }
                    3 => {
                        prop_assert_eq!(batch.lines.take(&body, began), std::mem::take(&mut row));
                        text = 0..0;
                    }
                    _ => {
                        let digest = batch.lines.digest(&body, began);
                        prop_assert_eq!(digest, xxhash_rust::xxh3::xxh3_64(&row), "it is of the bytes, however they are stored");
                        began = batch.lines.mark(&body);
                        rows.push((began, std::mem::take(&mut row)));
                    }
                }
            }
            batch.keep(body);
            let mut from = 0;
            for (end, expected) in &rows {
                let mut out = Sip { taken: Vec::new(), most, interrupted: false };
                batch.write(from, *end, &mut out).expect("memory can be written to");
                prop_assert_eq!(&out.taken, expected);
                from = *end;
            }
            prop_assert_eq!(batch.bytes(), rows.into_iter().flat_map(|(_, row)| row).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_body_of_which_nothing_is_written_is_not_kept() {
        let body = vec![b'x'; 10_000];
        for (length, kept) in [(WORTH_A_PIECE - 1, 0), (WORTH_A_PIECE, 10_000)] {
            let mut batch = batch();
            batch.lines.stretch(&body, 0, length);
            batch.lines.mark(&body);
            batch.keep(body.clone());
            assert_eq!(
                (batch.body.len(), batch.bytes()),
                (kept, vec![b'x'; length])
            );
        }
    }
}
