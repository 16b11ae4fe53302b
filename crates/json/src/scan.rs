//! The check of a body, 64 bytes at a time; the only file that knows about vectors.
//!
//! Bodies are megabytes of which a few per cent are read and the rest is copied, so the check must
//! cost little more than reading the memory. It follows the first stage of
//! [simdjson](https://arxiv.org/abs/1902.08318): for each block of 64 bytes, masks of 64 bits say
//! which bytes are quotes, brackets, commas and so on; quotes and backslashes tell strings from the
//! rest; and shifted masks tell what follows what. Unlike simdjson it lists no tokens: the grammar
//! is checked on the masks themselves (see `Carry::grammar`), and only brackets, numbers, words and
//! escapes are visited one by one. Nothing recurses. The result is an [`Index`].

use crate::Malformed;
use crate::index::{Container, Index, MAX_LEN, Unrepresentable, position};
use crate::token::{ENDS_SCALAR, number_end, number_fits, scalar_end, skip_space, string_end};
use fearless_simd::{Bytes, Level, Simd, SimdBase, SimdFrom, SimdMask, dispatch, i8x64, u8x64};

/// Bytes that are copied into the body before they are checked: few enough to stay in a near cache,
/// enough to make the start of each run cheap.
const COPY_CHUNK: usize = 32 << 10;

/// The largest indexed depth; see [`Document::parse`](crate::Document::parse).
pub const MAX_INDEXED_DEPTH: usize = 16;

/// The state of the check: what is known of the blocks before `at`.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Where the next block starts.
    at: usize,
    /// The whole body is there.
    complete: bool,
    /// A number or word reaches the end of what has arrived, so whether it is one is unknown. The
    /// body is checked again from its start when it is complete.
    unfinished_scalar: bool,
    containers: Vec<Container>,
    unrepresentable: Vec<Unrepresentable>,
    nesting: Nesting,
    /// Where the second half of a surrogate pair stands, if the first half was the escape before.
    low_surrogate: usize,
    has_line_breaks: bool,
    /// Ranges of adjacent blocks that hold bytes beyond ASCII.
    non_ascii: Vec<(usize, usize)>,
    carry: Carry,
    /// The error at the lowest offset.
    error: Option<Malformed>,
}

/// What one block hands to the next: mostly the highest bit of each mask.
#[derive(Debug, Default, Clone, Copy)]
struct Carry {
    /// The first byte of the next block is escaped.
    escaped: u64,
    /// All ones where the next block starts in a string.
    string: u64,
    scalar: u64,
    after: After,
}

/// The open containers.
#[derive(Debug)]
struct Nesting {
    /// Whether each of the innermost containers is an object: one bit each, the innermost lowest. A
    /// set bit marks the end.
    kinds: u64,
    /// The same of the containers around those, [`Nesting::PER_WORD`] in each word.
    outer: Vec<u64>,
    /// Containers with this many others around them, or more, are not indexed.
    indexed_depth: usize,
    /// The indexed containers that are open, by depth, as positions in `Scan::containers`.
    open: [u32; MAX_INDEXED_DEPTH],
    /// The largest length of `outer`.
    max_outer: usize,
}

impl Nesting {
    /// Containers in one word; the 64th bit is the mark.
    const PER_WORD: usize = 63;

    /// At most so many containers were open at once.
    fn depth_bound(&self) -> u32 {
        position((self.max_outer + 1) * Self::PER_WORD)
    }
}

impl Default for Nesting {
    fn default() -> Self {
        Self {
            kinds: 1,
            outer: Vec::new(),
            indexed_depth: 1,
            open: [0; MAX_INDEXED_DEPTH],
            max_outer: 0,
        }
    }
}

/// What the first token of the next block follows, in the highest bit of each.
#[derive(Debug, Clone, Copy)]
struct After {
    /// An opening bracket.
    open: u64,
    /// An opening bracket or a comma.
    first: u64,
    /// An opening bracket, a comma or a colon.
    separator: u64,
    /// A key: in the lowest bit.
    key: u64,
}

impl Default for After {
    fn default() -> Self {
        // The body starts with a value, as after a separator.
        Self {
            open: 0,
            first: 0,
            separator: 1 << 63,
            key: 0,
        }
    }
}

/// What each byte of a block is: one mask a kind.
#[derive(Clone, Copy)]
struct Tokens {
    /// Strings with their quotes.
    string: u64,
    string_start: u64,
    space: u64,
    open: u64,
    close: u64,
    /// Tells curly from square brackets. Bits of other bytes mean nothing.
    curly: u64,
    comma: u64,
    colon: u64,
    scalar_start: u64,
    /// In strings, the bytes behind a backslash.
    escaped: u64,
}

#[expect(
    clippy::inline_always,
    reason = "only what is inlined into one function is compiled for the wider vectors"
)]
impl Scan {
    /// For a body of about this many bytes. The outermost container is always indexed.
    pub(crate) fn expecting(bytes: usize, indexed_depth: usize) -> Self {
        Self {
            containers: Vec::with_capacity(bytes / 256),
            nesting: Nesting {
                indexed_depth: indexed_depth.clamp(1, MAX_INDEXED_DEPTH),
                ..Nesting::default()
            },
            ..Self::default()
        }
    }

    /// Appends a chunk to the body and checks it as far as possible. After an error, chunks are
    /// only appended.
    pub(crate) fn push(&mut self, body: &mut Vec<u8>, chunk: &[u8]) {
        if self.error.is_some() || self.unfinished_scalar {
            body.extend_from_slice(chunk);
        } else {
            dispatch!(Level::new(), simd => self.append(simd, body, chunk));
        }
    }

    /// Checks the rest of the body, which is complete now.
    ///
    /// # Errors
    /// When the body is not UTF-8, is not exactly one JSON value, or has more than 2 GiB.
    pub(crate) fn finish(mut self, body: &[u8]) -> Result<Index, Malformed> {
        refuse_too_long(body)?;
        if self.unfinished_scalar {
            self = Self::expecting(body.len(), self.nesting.indexed_depth);
        }
        if self.error.is_none() {
            dispatch!(Level::new(), simd => self.rest::<_, true>(simd, body));
        }
        self.into_index(body)
    }

    /// The index of JSON that was checked and repaired before: only strings and brackets are looked
    /// at, which takes a third of the time. There may be several values.
    ///
    /// # Errors
    /// When the body has more than 2 GiB.
    pub(crate) fn outline(body: &[u8], indexed_depth: usize) -> Result<Index, Malformed> {
        refuse_too_long(body)?;
        let mut scan = Self::expecting(body.len(), indexed_depth);
        dispatch!(Level::new(), simd => scan.rest::<_, false>(simd, body));
        Ok(Index {
            start: 0,
            end: position(body.len()),
            containers: scan.containers,
            indexed_depth: scan.nesting.indexed_depth,
            unrepresentable: Vec::new(),
            has_line_breaks: scan.has_line_breaks,
            depth_bound: scan.nesting.depth_bound(),
        })
    }

    /// Appends a chunk and checks all but the last 64 bytes of the body: numbers and escapes are
    /// read beyond the block that they start in.
    #[inline(always)]
    fn append<S: Simd>(&mut self, simd: S, body: &mut Vec<u8>, chunk: &[u8]) {
        body.reserve(chunk.len());
        for part in chunk.chunks(COPY_CHUNK) {
            body.extend_from_slice(part);
            if self.error.is_none() {
                let ready = body.len().saturating_sub(64).max(self.at);
                self.blocks::<_, true>(simd, body, body[self.at..ready].as_chunks().0);
            }
        }
    }

    /// Visits the blocks that are left, the last of them filled up with white space.
    #[inline(always)]
    fn rest<S: Simd, const CHECKS: bool>(&mut self, simd: S, body: &[u8]) {
        self.complete = true;
        let (blocks, rest) = body[self.at..].as_chunks();
        let mut last = [b' '; 64];
        last[..rest.len()].copy_from_slice(rest);
        self.blocks::<_, CHECKS>(simd, body, blocks);
        self.blocks::<_, CHECKS>(simd, body, &[last]);
    }

    /// Visits the next blocks, and checks them unless that was done before. The tokens of a block
    /// are found before the grammar of the block before it is checked: neither needs the other, so
    /// the processor does both at once.
    #[inline(always)]
    fn blocks<S: Simd, const CHECKS: bool>(&mut self, simd: S, body: &[u8], blocks: &[[u8; 64]]) {
        let Some((first, others)) = blocks.split_first() else {
            return;
        };
        // Local variables, because they stay in registers.
        let (mut at, mut carry) = (self.at, self.carry);
        let mut tokens = self.tokens(simd, at, first, &mut carry);
        for block in others {
            let next = self.tokens(simd, at + 64, block, &mut carry);
            self.visit::<CHECKS>(body, at, &tokens, &mut carry);
            at += 64;
            tokens = next;
        }
        self.visit::<CHECKS>(body, at, &tokens, &mut carry);
        (self.at, self.carry) = (at + 64, carry);
    }

    /// Finds the tokens of the block at `base`.
    #[inline(always)]
    fn tokens<S: Simd>(
        &mut self,
        simd: S,
        base: usize,
        block: &[u8; 64],
        carry: &mut Carry,
    ) -> Tokens {
        let bytes = u8x64::simd_from(simd, *block);
        let is = |byte: u8| bytes.simd_eq(byte).to_bitmask();

        let backslashes = is(b'\\');
        let escaped = if backslashes == 0 {
            std::mem::take(&mut carry.escaped)
        } else {
            carry.escaped(backslashes)
        };
        let quotes = is(b'"') & !escaped;
        // From each opening quote to just before the closing one.
        let inside = prefix_xor(quotes) ^ carry.string;
        carry.string = fill_with_top(inside);
        let string = inside | quotes;

        let blank = bytes.simd_le(b' ').to_bitmask();
        let space = blank & !string;
        // One comparison finds both rare kinds: read as signed, bytes beyond ASCII are below the
        // blank too.
        if bytes.bitcast::<i8x64<S>>().simd_lt(0x20).any_true() {
            if bytes.simd_ge(0x80).any_true() {
                self.note_non_ascii(base);
            }
            if bytes.simd_le(0x1f).any_true() {
                self.has_line_breaks = true;
                let control = blank & !is(b' ') & (string | !(is(b'\n') | is(b'\r') | is(b'\t')));
                if control != 0 {
                    self.record_error(base, control, "a control character");
                }
            }
        }

        // `[` and `{` differ in this one bit, and so do `]` and `}`.
        let upper = bytes | 0x20;
        let open = upper.simd_eq(b'{').to_bitmask() & !string;
        let close = upper.simd_eq(b'}').to_bitmask() & !string;
        let curly = (bytes & 0x20).simd_eq(0x20).to_bitmask();
        let comma = is(b',') & !string;
        let colon = is(b':') & !string;
        let scalar = !(string | open | close | comma | colon | space);
        let behind = scalar << 1 | carry.scalar >> 63;
        carry.scalar = scalar;

        Tokens {
            string,
            string_start: quotes & inside,
            space,
            open,
            close,
            curly,
            comma,
            colon,
            scalar_start: scalar & !behind,
            escaped,
        }
    }

    /// Indexes the brackets of the block at `base`, and checks its tokens.
    #[inline(always)]
    fn visit<const CHECKS: bool>(
        &mut self,
        body: &[u8],
        base: usize,
        tokens: &Tokens,
        carry: &mut Carry,
    ) {
        let objects = self.brackets(base, tokens);
        if !CHECKS {
            return;
        }
        let misplaced = if tokens.space == 0 {
            carry.grammar::<false>(tokens, objects)
        } else {
            carry.grammar::<true>(tokens, objects)
        };
        if tokens.escaped != 0 {
            self.check_escapes(body, base, tokens.escaped);
        }
        self.check_scalars(body, base, tokens.scalar_start);
        if misplaced != 0 {
            self.record_error(base, misplaced, "a token that JSON does not allow here");
        }
    }

    /// Records an error at the first marked byte of the block. Only the lowest offset is kept,
    /// because later marks may be consequences of it.
    #[cold]
    #[inline(never)]
    fn record_error(&mut self, base: usize, marked: u64, what: &'static str) {
        let at = base + marked.trailing_zeros() as usize;
        if self.error.is_none_or(|error| at < error.at) {
            self.error = Some(Malformed { what, at });
        }
    }

    #[inline(never)]
    fn note_non_ascii(&mut self, base: usize) {
        match self.non_ascii.last_mut() {
            Some((_, end)) if *end == base => *end += 64,
            _ => self.non_ascii.push((base, base + 64)),
        }
    }

    /// Matches brackets and indexes the outer containers. Returns for each byte whether the
    /// container around it is an object: for an opening bracket the container that it stands in,
    /// for a closing one its own. Bytes outside all containers count as in an object.
    #[inline(always)]
    fn brackets(&mut self, base: usize, tokens: &Tokens) -> u64 {
        let mut kinds = self.nesting.kinds;
        let indexed = 1 << self.nesting.indexed_depth;
        let mut objects = 0u64.wrapping_sub(kinds & 1);
        let mut brackets = tokens.open | tokens.close;
        while brackets != 0 {
            let bit = brackets & brackets.wrapping_neg();
            let up_to = brackets ^ brackets.wrapping_sub(1);
            let before = kinds;
            let curly = u64::from(tokens.curly & bit != 0);
            if tokens.open & bit != 0 {
                if kinds < indexed {
                    self.open_container(kinds);
                }
                if kinds >> Nesting::PER_WORD != 0 {
                    kinds = self.next_word(kinds);
                }
                kinds = kinds << 1 | curly;
            } else {
                let matches = kinds & 1 == curly;
                kinds >>= 1;
                if kinds < indexed {
                    let end = position(base) + brackets.trailing_zeros() + 1;
                    kinds = self.close_container(kinds, end);
                }
                if !matches || kinds == 0 {
                    self.record_error(base, bit, "a closing bracket that does not match");
                    kinds = 1;
                    break;
                }
            }
            brackets ^= bit;
            // A change counts from the next byte on.
            objects ^= 0u64.wrapping_sub((before ^ kinds) & 1) & !up_to;
        }
        self.nesting.kinds = kinds;
        objects
    }

    /// Indexes a container that starts here, if the containers around it are those in `kinds` and
    /// no others.
    #[inline(always)]
    fn open_container(&mut self, kinds: u64) {
        let depth = kinds.ilog2() as usize;
        if self.nesting.outer.is_empty() {
            self.nesting.open[depth] = position(self.containers.len());
            self.containers.push(Container { end: 0, next: 0 });
        }
    }

    /// Notes the end of an indexed container. Returns the kinds of the containers around it, and 0
    /// if none was open.
    #[inline(always)]
    fn close_container(&mut self, kinds: u64, end: u32) -> u64 {
        if kinds > 0 && self.nesting.outer.is_empty() {
            let next = position(self.containers.len());
            let container =
                &mut self.containers[self.nesting.open[kinds.ilog2() as usize] as usize];
            (container.end, container.next) = (end, next);
        }
        if kinds == 1 {
            self.nesting.outer.pop().unwrap_or(kinds)
        } else {
            kinds
        }
    }

    /// Moves a full word of kinds to `outer` and starts a new one.
    #[cold]
    fn next_word(&mut self, kinds: u64) -> u64 {
        self.nesting.outer.push(kinds);
        self.nesting.max_outer = self.nesting.max_outer.max(self.nesting.outer.len());
        1
    }

    /// Checks the numbers and words whose first bytes are marked: the usual ones here, all others
    /// in `check_scalar`.
    #[inline(always)]
    fn check_scalars(&mut self, body: &[u8], base: usize, mut starts: u64) {
        const ONES: u64 = u64::from_le_bytes([1; 8]);
        while starts != 0 {
            let at = base + starts.trailing_zeros() as usize;
            let bit = starts & starts.wrapping_neg();
            starts ^= bit;
            if let Some(chunk) = body.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
                if *chunk.first_chunk::<4>().unwrap_or(&[0; 4]) == *b"null"
                    && ENDS_SCALAR[chunk[4] as usize]
                {
                    continue;
                }
                // Digits become 0 to 9, and only they stay below 0x80 when 0x76 is added.
                let digits = u64::from_le_bytes(*chunk) ^ (ONES * 0x30);
                let others = (((digits & (ONES * 0x7f)) + ONES * 0x76) | digits) & (ONES * 0x80);
                let count = others.trailing_zeros() / 8;
                let end = if (1..8).contains(&count) && (count == 1 || digits & 0xff != 0) {
                    chunk[count as usize]
                } else if chunk.starts_with(b"true") {
                    chunk[4]
                } else if chunk.starts_with(b"false") {
                    chunk[5]
                } else {
                    0
                };
                if ENDS_SCALAR[end as usize] {
                    continue;
                }
            }
            if !self.check_scalar(body, at) {
                self.record_error(base, bit, "neither a number nor true, false or null");
            }
        }
    }

    /// Whether a number or word starts at `at`.
    #[inline(never)]
    fn check_scalar(&mut self, body: &[u8], at: usize) -> bool {
        // Behind an error nothing counts. Without this, each of many such bytes would search for
        // the end of the body.
        if self.unfinished_scalar || self.error.is_some_and(|error| error.at < at) {
            return true;
        }
        let Some(rest) = body.get(at..) else {
            return false;
        };
        if !self.complete && !rest.iter().any(|b| ENDS_SCALAR[*b as usize]) {
            self.unfinished_scalar = true;
            return true;
        }
        let end = match rest.first() {
            Some(b't') if rest.starts_with(b"true") => at + 4,
            Some(b'f') if rest.starts_with(b"false") => at + 5,
            Some(b'n') if rest.starts_with(b"null") => at + 4,
            _ => {
                let Some(end) = number_end(body, at) else {
                    return false;
                };
                if !number_fits(&body[at..end]) {
                    self.unrepresentable.push(Unrepresentable {
                        start: position(at),
                        end: position(end),
                        is_number: true,
                    });
                }
                end
            }
        };
        body.get(end).is_none_or(|b| ENDS_SCALAR[*b as usize])
    }

    /// Checks the escapes whose second bytes are marked.
    #[inline(never)]
    fn check_escapes(&mut self, body: &[u8], base: usize, mut escaped: u64) {
        let mut wrong = 0;
        while escaped != 0 {
            let at = base + escaped.trailing_zeros() as usize;
            let bit = escaped & escaped.wrapping_neg();
            escaped ^= bit;
            match body.get(at) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                Some(b'u') => match hex4(body, at + 1) {
                    Some(0xd800..=0xdbff)
                        if body.get(at + 5..at + 7) == Some(b"\\u")
                            && matches!(hex4(body, at + 7), Some(0xdc00..=0xdfff)) =>
                    {
                        self.low_surrogate = at + 6;
                    }
                    Some(0 | 0xd800..=0xdfff) if self.low_surrogate != at => {
                        self.unrepresentable.push(Unrepresentable {
                            start: position(at - 1),
                            end: position(at + 5),
                            is_number: false,
                        });
                    }
                    Some(_) => {}
                    None => wrong |= bit,
                },
                _ => wrong |= bit,
            }
        }
        if wrong != 0 {
            self.record_error(base, wrong, "an escape that JSON does not allow");
        }
    }

    /// The index, if the body is valid up to its end.
    fn into_index(mut self, body: &[u8]) -> Result<Index, Malformed> {
        let malformed = |what, at| Err(Malformed { what, at });
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.carry.string != 0 {
            return malformed("the text ends within a string", body.len());
        }
        if self.nesting.kinds != 1 {
            return malformed("the text ends too early", body.len());
        }
        // No character crosses the end of a range: all of its bytes are beyond ASCII.
        for (start, end) in &self.non_ascii {
            if let Err(e) = std::str::from_utf8(&body[*start..(*end).min(body.len())]) {
                return malformed("a byte that is not UTF-8", start + e.valid_up_to());
            }
        }
        let start = skip_space(body, 0);
        let end = match body.get(start) {
            Some(b'{' | b'[') => self.containers[0].end as usize,
            Some(b'"') => string_end(body, start),
            Some(_) => scalar_end(body, start),
            None => return malformed("the text is empty", start),
        };
        let rest = skip_space(body, end);
        if rest != body.len() {
            return malformed("text after the end of the document", rest);
        }
        // Within a block all escapes are found before all numbers.
        self.unrepresentable.sort_unstable_by_key(|one| one.start);
        Ok(Index {
            start: position(start),
            end: position(end),
            containers: self.containers,
            indexed_depth: self.nesting.indexed_depth,
            unrepresentable: self.unrepresentable,
            has_line_breaks: self.has_line_breaks,
            depth_bound: self.nesting.depth_bound(),
        })
    }
}

#[expect(clippy::inline_always, reason = "as `Scan`")]
impl Carry {
    /// The bytes behind a backslash that is not itself escaped. In a run of backslashes every
    /// second one is escaped. An addition of the run and its first bit, for runs that start at odd
    /// positions, carries to the run's end and so tells whether its length is even.
    #[inline(always)]
    fn escaped(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let backslashes = backslashes & !self.escaped;
        let follows = backslashes << 1 | self.escaped;
        let odd_starts = backslashes & !EVEN & !follows;
        let (even, overflow) = odd_starts.overflowing_add(backslashes);
        self.escaped = u64::from(overflow);
        (EVEN ^ (even << 1)) & follows
    }

    /// Checks what follows what; returns the tokens that stand where they may not.
    ///
    /// - A value stands at the start of the body and behind each comma, colon and opening bracket,
    ///   and nowhere else. Behind an opening bracket, the closing one may stand instead.
    /// - Behind `{`, and behind a comma in an object, that value is a key.
    /// - A colon stands behind each key, and nowhere else.
    #[inline(always)]
    fn grammar<const SPACE: bool>(&mut self, tokens: &Tokens, objects: u64) -> u64 {
        let Tokens {
            string,
            string_start,
            space,
            open,
            close,
            comma,
            colon,
            scalar_start,
            ..
        } = *tokens;
        // The bytes behind the marked ones, white space skipped: adding a bit to a run of white
        // space carries it to the run's end.
        let follow = |last: u64, carry: &mut u64| {
            let next = last << 1 | *carry >> 63;
            *carry = last;
            if SPACE {
                let (sum, overflow) = (next & space).overflowing_add(space);
                *carry |= u64::from(overflow) << 63;
                (next | sum) & !space
            } else {
                next
            }
        };
        let after = &mut self.after;
        let after_open = follow(open, &mut after.open);
        let first = follow(open | comma, &mut after.first);
        let after_separator = follow(open | comma | colon, &mut after.separator);
        let value = string_start | open | scalar_start;
        let key_place = first & objects;
        // The bytes behind the keys, found by the same addition.
        let run = if SPACE { string | space } else { string };
        let (sum, overflow) = run.overflowing_add(string_start & key_place | after.key);
        after.key = u64::from(overflow);
        let after_key = sum & !run;

        ((after_separator ^ value) & !(close & after_open))
            | (key_place & !(string_start | close))
            | (colon ^ after_key)
    }
}

/// Each bit becomes the parity of itself and all lower bits.
#[expect(clippy::inline_always, reason = "as `Scan`")]
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// All bits become the highest one.
#[expect(clippy::inline_always, reason = "as `Scan`")]
#[inline(always)]
fn fill_with_top(bits: u64) -> u64 {
    0u64.wrapping_sub(bits >> 63)
}

fn refuse_too_long(body: &[u8]) -> Result<(), Malformed> {
    if body.len() > MAX_LEN {
        return Err(Malformed {
            what: "a body of more than 2 GiB",
            at: 0,
        });
    }
    Ok(())
}

/// The four hexadecimal digits at `at`.
fn hex4(json: &[u8], at: usize) -> Option<u32> {
    json.get(at..at + 4)?
        .iter()
        .try_fold(0, |unit, b| Some(unit << 4 | char::from(*b).to_digit(16)?))
}
