//! JSON over bytes: a body is checked once, 64 bytes at a time, and then read and copied without another check.
//!
//! A page of full events is megabytes, of which a few per cent are looked at; the rest is copied. So the check is made
//! to cost little more than reading the memory, after [simdjson](https://arxiv.org/abs/1902.08318), whose first stage
//! it is: a bit for each byte of a block says what the byte is, quotes and backslashes tell strings from the rest, and
//! masks are shifted to see what follows what. Unlike in simdjson, tokens are not listed: the grammar is checked on the
//! masks themselves (see `Carry::grammar`), and only brackets, numbers, words and escapes are visited one by one. What
//! remains is where the outer containers end. Nothing recurses, so no answer, however deeply nested, can exhaust the
//! stack. The vectors are as wide as the processor at hand has them, which is found out when the program runs.

use fearless_simd::{Bytes, Level, Simd, SimdBase, SimdFrom, SimdMask, dispatch, i8x64, u8x64};

/// Containers deeper than this are replaced by `null`: Python's and Rust's JSON parsers, which targets use, give
/// up at depths from 128 to 1,000, and a line that they refuse stops the whole load.
pub const MAX_DEPTH: u32 = 100;

/// Positions have 32 bits.
const LARGEST: usize = 1 << 31;

/// Bytes that are copied before they are looked at: little for a cache, much for the work of beginning.
const AT_ONCE: usize = 32 << 10;

/// Containers that this many others are open around are not listed. Rows are looked into less deeply; what is deeper
/// is copied.
const LISTED: usize = 4;

/// The text is not JSON. `at` is the byte offset where that became certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Malformed {
    pub what: &'static str,
    pub at: usize,
}

/// What was changed in a value while it was copied, so that targets accept it.
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

/// A body that is checked while it arrives.
///
/// What comes in is copied little by little, right before it is looked at: a near cache still holds it then.
#[derive(Debug, Default)]
pub struct Body {
    bytes: Vec<u8>,
    scan: Scan,
}

impl Body {
    /// An empty one, with room for so many bytes.
    pub fn expecting(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            scan: Scan::expecting(bytes),
        }
    }

    /// Appends what was received. After something wrong the rest is only kept.
    pub fn push(&mut self, received: &[u8]) {
        let Self { bytes, scan } = self;
        if scan.wrong.is_some() || scan.cut {
            bytes.extend_from_slice(received);
        } else {
            dispatch!(Level::new(), simd => scan.received(simd, bytes, received));
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes; nothing is left.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).bytes
    }

    /// The whole body as JSON. To be asked for once.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn document(&mut self) -> Result<Document<'_>, Malformed> {
        let Self { bytes, scan } = self;
        let mut scan = std::mem::take(scan);
        if scan.cut || bytes.len() > LARGEST {
            return Document::parse(bytes);
        }
        if scan.wrong.is_none() {
            dispatch!(Level::new(), simd => scan.rest(simd, bytes));
        }
        scan.finish(bytes)
    }
}

/// Where a value stands in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    start: u32,
    end: u32,
    /// How many listed containers start before it.
    before: u32,
    /// How many containers are open around it.
    depth: u32,
}

impl Place {
    #[inline]
    pub fn start(self) -> usize {
        self.start as usize
    }

    #[inline]
    pub fn end(self) -> usize {
        self.end as usize
    }
}

/// A container: where it ends, and how many listed ones start before that.
#[derive(Debug, Clone, Copy)]
struct Container {
    end: u32,
    next: u32,
}

/// What targets would choke on: a number that does not fit, or an escape that stands for U+0000 or a lone surrogate.
#[derive(Debug, Clone, Copy)]
struct Misfit {
    start: u32,
    end: u32,
    number: bool,
}

/// A body that is JSON.
#[derive(Debug)]
pub struct Document<'a> {
    json: &'a [u8],
    root: Place,
    /// The listed ones, by their start.
    containers: Vec<Container>,
    /// By their start; almost always none.
    misfits: Vec<Misfit>,
    /// There are line breaks or tabs between tokens.
    spread: bool,
    /// No more containers than these are open at once.
    depth: u32,
}

impl<'a> Document<'a> {
    /// # Errors
    /// When the body is not UTF-8, or not one JSON value and nothing else.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        if body.len() > LARGEST {
            return Err(Malformed {
                what: "a body of more than 2 GiB",
                at: 0,
            });
        }
        let mut scan = Scan::expecting(body.len());
        dispatch!(Level::new(), simd => scan.rest(simd, body));
        scan.finish(body)
    }

    /// The value that the document is.
    pub fn root(&self) -> Place {
        self.root
    }

    /// The first byte of a value, which tells its type.
    #[inline]
    pub fn byte(&self, place: Place) -> u8 {
        self.json[place.start as usize]
    }

    /// The body.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.json
    }

    /// A value as it is written.
    #[inline]
    pub fn text(&self, place: Place) -> &'a [u8] {
        &self.json[place.start as usize..place.end as usize]
    }

    /// The members of an object: the bytes between the quotes of each key, and its value. None for anything else.
    #[inline]
    pub fn members(&self, place: Place) -> Members<'_, 'a> {
        Members(self.inside(place, b'{'))
    }

    /// The elements of an array. None for anything else.
    #[inline]
    pub fn elements(&self, place: Place) -> Elements<'_, 'a> {
        Elements(self.inside(place, b'['))
    }

    #[inline]
    fn inside(&self, place: Place, open: u8) -> Walk<'_, 'a> {
        let at = if self.byte(place) == open {
            place.start as usize + 1
        } else {
            place.end as usize - 1
        };
        Walk {
            doc: self,
            at,
            before: place.before + u32::from((place.depth as usize) < LISTED),
            depth: place.depth as usize + 1,
            end: place.end as usize - 1,
        }
    }

    /// The value at `path` below an object, where there is one. The first of equal keys counts, as in the records.
    pub fn lookup(&self, place: Place, path: &[&str]) -> Option<Place> {
        path.iter().try_fold(place, |place, name| {
            self.members(place)
                .find(|(key, _)| *key == name.as_bytes())
                .map(|(_, value)| value)
        })
    }

    /// The text of a string or number; `None` for anything else, and for strings that hold a lone surrogate.
    pub fn scalar_text(&self, place: Place) -> Option<String> {
        let text = self.text(place);
        match text[0] {
            b'"' => serde_json::from_slice(text).ok(),
            b'-' | b'0'..=b'9' => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }

    /// Copies a value to `out`, on one line, repaired where targets would choke on it. `depth` is how many containers
    /// are open around it in what is written.
    #[inline]
    pub fn copy(&self, place: Place, depth: u32, out: &mut Vec<u8>, repairs: &mut Repairs) {
        if self.is_clean(place, depth) {
            out.extend_from_slice(self.text(place));
        } else {
            self.copy_repaired(place, depth, out, repairs);
        }
    }

    /// Whether a value needs no repair and is on one line, with so many containers around it in what is written.
    #[inline]
    pub fn is_clean(&self, place: Place, depth: u32) -> bool {
        !self.spread
            && depth.saturating_add(self.depth) <= MAX_DEPTH
            && (self.misfits.is_empty() || self.fits(place))
    }

    /// Copies what is between the quotes of a key, as [`Self::copy`] does.
    pub fn copy_key(&self, value: Place, key: &[u8], out: &mut Vec<u8>) {
        if self.misfits.is_empty() {
            out.extend_from_slice(key);
        } else {
            // White space and a colon alone stand between a key's closing quote and its value.
            let close = self.json[..value.start as usize]
                .iter()
                .rposition(|b| *b == b'"')
                .unwrap_or(0);
            self.copy_run(close - key.len(), close, out, &mut Repairs::default());
        }
    }

    /// Whether nothing in the value must be repaired.
    #[inline]
    fn fits(&self, place: Place) -> bool {
        // The shortest misfit is a number such as `1e400`.
        if place.end - place.start < 5 {
            return true;
        }
        let first = self
            .misfits
            .partition_point(|misfit| misfit.start < place.start);
        self.misfits
            .get(first)
            .is_none_or(|misfit| misfit.start >= place.end)
    }

    #[cold]
    fn copy_repaired(&self, place: Place, depth: u32, out: &mut Vec<u8>, repairs: &mut Repairs) {
        let mut from = place.start as usize;
        if depth.saturating_add(self.depth) > MAX_DEPTH {
            let (mut open, mut at) = (depth, from);
            while at < place.end as usize {
                match self.json[at] {
                    b'"' => at = string_end(self.json, at),
                    b'{' | b'[' if open >= MAX_DEPTH => {
                        self.copy_run(from, at, out, repairs);
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
        self.copy_run(from, place.end as usize, out, repairs);
    }

    /// Copies a stretch of the text with its misfits repaired.
    fn copy_run(&self, mut from: usize, to: usize, out: &mut Vec<u8>, repairs: &mut Repairs) {
        let plain = |from: usize, to: usize, out: &mut Vec<u8>| {
            if self.spread {
                // In strings these bytes are always escaped, so wherever they are they are between tokens.
                out.extend(
                    self.json[from..to]
                        .iter()
                        .filter(|b| !matches!(b, b'\n' | b'\r' | b'\t')),
                );
            } else {
                out.extend_from_slice(&self.json[from..to]);
            }
        };
        let first = self
            .misfits
            .partition_point(|misfit| (misfit.start as usize) < from);
        for misfit in self.misfits[first..]
            .iter()
            .take_while(|misfit| (misfit.start as usize) < to)
        {
            let (start, end) = (misfit.start as usize, misfit.end as usize);
            plain(from, start, out);
            if misfit.number {
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

/// Steps through a container of a checked document.
struct Walk<'d, 'a> {
    doc: &'d Document<'a>,
    at: usize,
    before: u32,
    depth: usize,
    /// Of the closing bracket.
    end: usize,
}

impl<'a> Walk<'_, 'a> {
    /// Moves to the next key or element.
    #[inline]
    fn step(&mut self) -> Option<()> {
        let json = self.doc.json;
        self.at = skip_space(json, self.at);
        if self.at >= self.end {
            return None;
        }
        if json[self.at] == b',' {
            self.at = skip_space(json, self.at + 1);
        }
        Some(())
    }

    #[inline]
    fn key(&mut self) -> &'a [u8] {
        let json = self.doc.json;
        let end = string_end(json, self.at);
        let key = &json[self.at + 1..end - 1];
        self.at = skip_space(json, skip_space(json, end) + 1);
        key
    }

    #[expect(
        clippy::inline_always,
        reason = "one of the two that each member costs; a call adds a fifth"
    )]
    #[inline(always)]
    fn value(&mut self) -> Place {
        let json = self.doc.json;
        let (start, before) = (self.at, self.before);
        self.at = match json[start] {
            b'"' => string_end(json, start),
            b'{' | b'[' => {
                if self.depth < LISTED {
                    let container = &self.doc.containers[before as usize];
                    self.before = container.next;
                    container.end as usize
                } else {
                    container_end(json, start)
                }
            }
            b'n' | b't' => start + 4,
            b'f' => start + 5,
            _ => {
                start
                    + json[start..]
                        .iter()
                        .position(|b| ENDS_SCALAR[*b as usize])
                        .unwrap_or(json.len() - start)
            }
        };
        Place {
            start: narrow(start),
            end: narrow(self.at),
            before,
            depth: narrow(self.depth),
        }
    }
}

/// See [`Document::members`].
pub struct Members<'d, 'a>(Walk<'d, 'a>);

impl<'a> Iterator for Members<'_, 'a> {
    type Item = (&'a [u8], Place);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.step()?;
        let key = self.0.key();
        Some((key, self.0.value()))
    }
}

impl Members<'_, '_> {
    /// The next one's value, if it stands right behind this label: a comma, unless it is the first, and its key with
    /// quotes and colon.
    #[expect(clippy::inline_always, reason = "as `Walk::value`")]
    #[inline(always)]
    pub fn next_labelled(&mut self, label: &[u8]) -> Option<Place> {
        let json = self.0.doc.json;
        let start = self.0.at + usize::from(json[self.0.at] == b',');
        let at = start + label.len();
        if starts_with(&json[start..], label) && json[at] > b' ' {
            self.0.at = at;
            return Some(self.0.value());
        }
        None
    }
}

/// See [`Document::elements`].
pub struct Elements<'d, 'a>(Walk<'d, 'a>);

impl Iterator for Elements<'_, '_> {
    type Item = Place;

    #[inline]
    fn next(&mut self) -> Option<Place> {
        self.0.step()?;
        Some(self.0.value())
    }
}

/// Positions are checked to have 32 bits when a document is parsed.
#[expect(
    clippy::cast_possible_truncation,
    reason = "larger bodies than 2 GiB are refused"
)]
#[inline]
const fn narrow(at: usize) -> u32 {
    at as u32
}

/// The first position at or after `at` that is not white space.
#[inline]
fn skip_space(json: &[u8], at: usize) -> usize {
    // Sentry writes none.
    if json.get(at).is_some_and(|byte| *byte > b' ') {
        at
    } else {
        skip_spaces(json, at)
    }
}

#[inline(never)]
fn skip_spaces(json: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = json.get(at) {
        at += 1;
    }
    at
}

/// [`slice::starts_with`] for what has the length of most keys: two loads in the place of a call.
#[inline]
fn starts_with(text: &[u8], start: &[u8]) -> bool {
    #[inline]
    fn ends<const HALF: usize>(text: &[u8], start: &[u8]) -> Option<bool> {
        let (front, back) = (start.first_chunk::<HALF>()?, start.last_chunk::<HALF>()?);
        Some(text.first_chunk() == Some(front) && text.last_chunk() == Some(back))
    }
    let Some(text) = text.get(..start.len()) else {
        return false;
    };
    match start.len() {
        8..=16 => ends::<8>(text, start),
        4..8 => ends::<4>(text, start),
        17..=32 => ends::<16>(text, start),
        _ => None,
    }
    .unwrap_or_else(|| text == start)
}

/// The end of the checked string that starts at `at`.
#[inline]
fn string_end(json: &[u8], at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let mut at = at + 1;
    loop {
        while let Some(chunk) = json.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*chunk);
            let zero = |x: u64| x.wrapping_sub(ONES) & !x;
            // Borrows can only mark bytes above the first true one, so the lowest mark is exact.
            let marks = (zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c))) & HIGH;
            if marks != 0 {
                at += (marks.trailing_zeros() / 8) as usize;
                break;
            }
            at += 8;
        }
        match json.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return json.len(),
        }
    }
}

/// The end of the checked container that starts at `at`.
fn container_end(json: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                at = string_end(json, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// White space, a comma or a closing bracket: nothing else may follow a number or a word.
static ENDS_SCALAR: [bool; 256] = {
    let mut table = [false; 256];
    let ends = b" \n\r\t,]}";
    let mut i = 0;
    while i < ends.len() {
        table[ends[i] as usize] = true;
        i += 1;
    }
    table
};

/// Whether every target reads the number as written: an integer within 64 bits, or a float that is finite.
pub fn number_fits(number: &[u8]) -> bool {
    if number.len() <= 18 && !number.iter().any(|b| matches!(b, b'e' | b'E')) {
        return true;
    }
    let Ok(number) = std::str::from_utf8(number) else {
        return false;
    };
    if number.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) {
        number.parse::<f64>().is_ok_and(f64::is_finite)
    } else {
        number.parse::<i64>().is_ok()
    }
}

/// Whether the text is a number as JSON has them.
pub fn is_number(text: &[u8]) -> bool {
    number_end(text, 0) == Some(text.len())
}

/// The end of the number that starts at `start`.
fn number_end(json: &[u8], start: usize) -> Option<usize> {
    let digits = |from: usize| {
        let count = json
            .get(from..)?
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        (count > 0).then_some(from + count)
    };
    let whole = start + usize::from(json.get(start) == Some(&b'-'));
    let mut at = digits(whole)?;
    if json[whole] == b'0' && at > whole + 1 {
        return None;
    }
    if json.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(json.get(at), Some(b'e' | b'E')) {
        at = digits(at + 1 + usize::from(matches!(json.get(at + 1), Some(b'+' | b'-'))))?;
    }
    Some(at)
}

fn hex4(json: &[u8], at: usize) -> Option<u32> {
    json.get(at..at + 4)?
        .iter()
        .try_fold(0, |unit, b| Some(unit << 4 | char::from(*b).to_digit(16)?))
}

/// What was found up to a block.
#[derive(Debug, Default)]
struct Scan {
    /// Where that block ends.
    at: usize,
    /// Nothing more comes in.
    whole: bool,
    /// A number went on where what had arrived ended, so it is not known whether it is one.
    cut: bool,
    containers: Vec<Container>,
    misfits: Vec<Misfit>,
    nesting: Nesting,
    /// Where an escape may stand that the high surrogate before it has made whole.
    low_surrogate: usize,
    spread: bool,
    /// Runs of blocks that hold bytes beyond ASCII, as places in the body.
    wide: Vec<(usize, usize)>,
    carry: Carry,
    /// What is wrong first of all.
    wrong: Option<Malformed>,
}

/// What one block leaves to the next: mostly the highest bit of each mask.
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
    /// Whether the innermost are objects, the lowest bit being the innermost of all; above the last of them a bit is set.
    kinds: u64,
    /// The same of those around, by [`Nesting::MOST`].
    outer: Vec<u64>,
    /// Which containers the outermost are.
    open: [u32; LISTED],
    /// How many times `MOST` were open at once.
    deepest: usize,
}

impl Nesting {
    /// How many fit into `kinds`.
    const MOST: usize = 63;
}

impl Default for Nesting {
    fn default() -> Self {
        Self {
            kinds: 1,
            outer: Vec::new(),
            open: [0; LISTED],
            deepest: 0,
        }
    }
}

/// What the next token follows: the highest bit of each.
#[derive(Debug, Clone, Copy)]
struct After {
    open: u64,
    /// An opening bracket or a comma.
    first: u64,
    /// These or a colon.
    separator: u64,
    /// A key: the lowest bit.
    key: u64,
}

impl Default for After {
    fn default() -> Self {
        // A value comes first, as after a separator.
        Self {
            open: 0,
            first: 0,
            separator: 1 << 63,
            key: 0,
        }
    }
}

/// What the bytes of a block are.
#[derive(Clone, Copy)]
struct Tokens {
    /// Strings with their quotes.
    string: u64,
    string_start: u64,
    space: u64,
    open: u64,
    close: u64,
    /// Of both, the curly ones; of other bytes, some.
    curly: u64,
    comma: u64,
    colon: u64,
    scalar_start: u64,
    /// In strings, what follows a backslash.
    escaped: u64,
}

#[expect(
    clippy::inline_always,
    reason = "only what is part of one function is compiled for the wider vectors"
)]
impl Scan {
    /// For a body of about so many bytes.
    fn expecting(bytes: usize) -> Self {
        Self {
            containers: Vec::with_capacity(bytes / 256),
            ..Self::default()
        }
    }

    /// Appends to the body what of it was received, and checks all blocks but the last ones: a number or an escape is
    /// looked at beyond the block that it starts in.
    #[inline(always)]
    fn received<S: Simd>(&mut self, simd: S, body: &mut Vec<u8>, received: &[u8]) {
        body.reserve(received.len());
        for part in received.chunks(AT_ONCE) {
            body.extend_from_slice(part);
            if self.wrong.is_none() {
                let ready = body.len().saturating_sub(64).max(self.at);
                self.blocks(simd, body, body[self.at..ready].as_chunks().0);
            }
        }
    }

    /// Checks the blocks that are left when the whole body is there.
    #[inline(always)]
    fn rest<S: Simd>(&mut self, simd: S, body: &[u8]) {
        self.whole = true;
        let (blocks, rest) = body[self.at..].as_chunks();
        let mut last = [b' '; 64];
        last[..rest.len()].copy_from_slice(rest);
        self.blocks(simd, body, blocks);
        self.blocks(simd, body, &[last]);
    }

    /// Checks the next blocks. The tokens of each are found before those of the one before it are checked: neither needs
    /// the other, so the processor does both at once.
    #[inline(always)]
    fn blocks<S: Simd>(&mut self, simd: S, body: &[u8], blocks: &[[u8; 64]]) {
        let Some((first, others)) = blocks.split_first() else {
            return;
        };
        // Their own variables, so that they stay in registers.
        let (mut at, mut carry) = (self.at, self.carry);
        let mut tokens = self.tokens(simd, at, first, &mut carry);
        for block in others {
            let next = self.tokens(simd, at + 64, block, &mut carry);
            self.check(body, at, &tokens, &mut carry);
            at += 64;
            tokens = next;
        }
        self.check(body, at, &tokens, &mut carry);
        (self.at, self.carry) = (at + 64, carry);
    }

    /// What the bytes of a block are.
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
        // From each opening quote up to, and without, the closing one.
        let inside = prefix_xor(quotes) ^ carry.string;
        carry.string = spread_top(inside);
        let string = inside | quotes;

        let blank = bytes.simd_le(b' ').to_bitmask();
        let space = blank & !string;
        // With a sign, bytes beyond ASCII are below the blank too; mostly there are neither.
        if bytes.bitcast::<i8x64<S>>().simd_lt(0x20).any_true() {
            if bytes.simd_ge(0x80).any_true() {
                self.wide(base);
            }
            if bytes.simd_le(0x1f).any_true() {
                self.spread = true;
                let control = blank & !is(b' ') & (string | !(is(b'\n') | is(b'\r') | is(b'\t')));
                if control != 0 {
                    self.found(base, control, "a control character");
                }
            }
        }

        // `[` and `{`, and `]` and `}`, differ in this one bit.
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

    /// Checks the tokens of the block at `base`.
    #[inline(always)]
    fn check(&mut self, body: &[u8], base: usize, tokens: &Tokens, carry: &mut Carry) {
        let objects = self.brackets(base, tokens);
        let misplaced = if tokens.space == 0 {
            carry.grammar::<false>(tokens, objects)
        } else {
            carry.grammar::<true>(tokens, objects)
        };
        if tokens.escaped != 0 {
            self.escapes(body, base, tokens.escaped);
        }
        self.scalars(body, base, tokens.scalar_start);
        if misplaced != 0 {
            self.found(base, misplaced, "a token that JSON does not allow here");
        }
    }

    /// Something is wrong where a byte of the block is marked. What follows it may seem wrong for that alone.
    #[cold]
    #[inline(never)]
    fn found(&mut self, base: usize, marked: u64, what: &'static str) {
        let at = base + marked.trailing_zeros() as usize;
        if self.wrong.is_none_or(|wrong| at < wrong.at) {
            self.wrong = Some(Malformed { what, at });
        }
    }

    #[inline(never)]
    fn wide(&mut self, base: usize) {
        match self.wide.last_mut() {
            Some((_, end)) if *end == base => *end += 64,
            _ => self.wide.push((base, base + 64)),
        }
    }

    /// Matches brackets and lists the containers that are not too deep; returns for each byte whether the container
    /// around it is an object: for an opening bracket the one that it is in, for a closing one its own. Where none is open
    /// counts as an object.
    #[inline(always)]
    fn brackets(&mut self, base: usize, tokens: &Tokens) -> u64 {
        let mut kinds = self.nesting.kinds;
        let mut objects = 0u64.wrapping_sub(kinds & 1);
        let mut brackets = tokens.open | tokens.close;
        while brackets != 0 {
            let bit = brackets & brackets.wrapping_neg();
            let until = brackets ^ brackets.wrapping_sub(1);
            let before = kinds;
            let curly = u64::from(tokens.curly & bit != 0);
            if tokens.open & bit != 0 {
                if kinds < 1 << LISTED {
                    self.list(kinds);
                }
                if kinds >> Nesting::MOST != 0 {
                    kinds = self.spill(kinds);
                }
                kinds = kinds << 1 | curly;
            } else {
                let right = kinds & 1 == curly;
                kinds >>= 1;
                if kinds < 1 << LISTED {
                    kinds = self.unlist(kinds, narrow(base) + brackets.trailing_zeros() + 1);
                }
                if !right || kinds == 0 {
                    self.found(base, bit, "a bracket that closes no such container");
                    kinds = 1;
                    break;
                }
            }
            brackets ^= bit;
            // From the next byte on, if that has changed.
            objects ^= 0u64.wrapping_sub((before ^ kinds) & 1) & !until;
        }
        self.nesting.kinds = kinds;
        objects
    }

    /// A container begins, and few are open around it.
    #[inline(always)]
    fn list(&mut self, kinds: u64) {
        let depth = kinds.ilog2() as usize;
        if self.nesting.outer.is_empty() {
            self.nesting.open[depth] = narrow(self.containers.len());
            self.containers.push(Container { end: 0, next: 0 });
        }
    }

    /// A container ends, and few are open around it; returns the kinds of these, and 0 where none was open.
    #[inline(always)]
    fn unlist(&mut self, kinds: u64, end: u32) -> u64 {
        if kinds > 0 && self.nesting.outer.is_empty() {
            let next = narrow(self.containers.len());
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

    #[cold]
    fn spill(&mut self, kinds: u64) -> u64 {
        self.nesting.outer.push(kinds);
        self.nesting.deepest = self.nesting.deepest.max(self.nesting.outer.len());
        1
    }

    /// Checks numbers and words.
    #[inline(always)]
    fn scalars(&mut self, body: &[u8], base: usize, mut starts: u64) {
        const ONES: u64 = u64::from_le_bytes([1; 8]);
        while starts != 0 {
            let at = base + starts.trailing_zeros() as usize;
            let bit = starts & starts.wrapping_neg();
            starts ^= bit;
            if let Some(chunk) = body.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
                let word = u64::from_le_bytes(*chunk);
                // Digits become 0 to 9, and only they stay below 0x80 when 0x76 is added.
                if *chunk.first_chunk::<4>().unwrap_or(&[0; 4]) == *b"null"
                    && ENDS_SCALAR[chunk[4] as usize]
                {
                    continue;
                }
                let digits = word ^ (ONES * 0x30);
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
            if !self.scalar(body, at) {
                self.found(base, bit, "neither a number nor a word of JSON");
            }
        }
    }

    #[inline(never)]
    fn scalar(&mut self, body: &[u8], at: usize) -> bool {
        // The end of the text would be looked for again and again.
        if self.cut || self.wrong.is_some_and(|wrong| wrong.at < at) {
            return true;
        }
        let Some(rest) = body.get(at..) else {
            return false;
        };
        if !self.whole && !rest.iter().any(|b| ENDS_SCALAR[*b as usize]) {
            self.cut = true;
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
                    self.misfits.push(Misfit {
                        start: narrow(at),
                        end: narrow(end),
                        number: true,
                    });
                }
                end
            }
        };
        body.get(end).is_none_or(|b| ENDS_SCALAR[*b as usize])
    }

    /// Checks the escapes whose second bytes are marked.
    #[inline(never)]
    fn escapes(&mut self, body: &[u8], base: usize, mut escaped: u64) {
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
                        self.misfits.push(Misfit {
                            start: narrow(at - 1),
                            end: narrow(at + 5),
                            number: false,
                        });
                    }
                    Some(_) => {}
                    None => wrong |= bit,
                },
                _ => wrong |= bit,
            }
        }
        if wrong != 0 {
            self.found(base, wrong, "an escape that JSON does not allow");
        }
    }

    fn finish(mut self, body: &[u8]) -> Result<Document<'_>, Malformed> {
        let malformed = |what, at| Err(Malformed { what, at });
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        if self.carry.string != 0 {
            return malformed("the text ends in a string", body.len());
        }
        if self.nesting.kinds != 1 {
            return malformed("the text ends in the middle", body.len());
        }
        // A character is whole within a run: the bytes after its first are beyond ASCII too.
        for (start, end) in &self.wide {
            if let Err(e) = std::str::from_utf8(&body[*start..(*end).min(body.len())]) {
                return malformed("a byte that is not UTF-8", start + e.valid_up_to());
            }
        }
        let start = skip_space(body, 0);
        let end = match body.get(start) {
            Some(b'{' | b'[') => self.containers[0].end as usize,
            Some(b'"') => string_end(body, start),
            Some(_) => {
                start
                    + body[start..]
                        .iter()
                        .position(|b| ENDS_SCALAR[*b as usize])
                        .unwrap_or(body.len() - start)
            }
            None => return malformed("the text is empty", start),
        };
        let rest = skip_space(body, end);
        if rest != body.len() {
            return malformed("text after the end of the document", rest);
        }
        // Numbers and escapes of one block are found one kind after the other.
        self.misfits.sort_unstable_by_key(|misfit| misfit.start);
        Ok(Document {
            json: body,
            root: Place {
                start: narrow(start),
                end: narrow(end),
                before: 0,
                depth: 0,
            },
            containers: self.containers,
            misfits: self.misfits,
            spread: self.spread,
            depth: narrow((self.nesting.deepest + 1) * Nesting::MOST),
        })
    }
}

#[expect(clippy::inline_always, reason = "see above")]
impl Carry {
    /// The bytes behind a backslash that is not itself escaped. In a run of backslashes every second one is; adding the
    /// starts of runs at odd positions to the runs carries to their ends, which tells where the runs have even length.
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

    /// What follows what; returns the tokens that may not be where they are.
    ///
    /// - A value follows each comma, colon and opening bracket, and comes first of all, and is nowhere else; a bracket may
    ///   close an empty container.
    /// - What follows `{`, or a comma in an object, is a key or, at first, the closing bracket.
    /// - A colon follows each key, and nothing else.
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
        // The tokens that follow those whose last byte is marked. With white space, adding what falls into a run of it
        // carries to the run's end.
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
        // What follows the strings whose first byte is marked.
        let run = if SPACE { string | space } else { string };
        let (sum, overflow) = run.overflowing_add(string_start & key_place | after.key);
        after.key = u64::from(overflow);
        let after_key = sum & !run;

        ((after_separator ^ value) & !(close & after_open))
            | (key_place & !(string_start | close))
            | (colon ^ after_key)
    }
}

/// Each bit becomes the parity of itself and all below.
#[expect(clippy::inline_always, reason = "see `Scan`")]
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// The highest bit in every place.
#[expect(clippy::inline_always, reason = "see `Scan`")]
#[inline(always)]
fn spread_top(bits: u64) -> u64 {
    0u64.wrapping_sub(bits >> 63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn copied(json: &str) -> (String, Repairs) {
        let (mut out, mut repairs) = (Vec::new(), Repairs::default());
        let doc = Document::parse(json.as_bytes()).expect("valid JSON");
        assert_eq!(doc.text(doc.root()).len(), json.len());
        doc.copy(doc.root(), 0, &mut out, &mut repairs);
        (String::from_utf8(out).expect("UTF-8"), repairs)
    }

    /// Everything that the document says, read by steps, as `serde_json` has it.
    fn tree(doc: &Document<'_>, place: Place) -> serde_json::Value {
        match doc.byte(place) {
            b'{' => {
                let mut object = serde_json::Map::new();
                for (key, value) in doc.members(place) {
                    let key: String =
                        serde_json::from_slice(&[b"\"", key, b"\""].concat()).expect("a key");
                    object.insert(key, tree(doc, value));
                }
                object.into()
            }
            b'[' => doc.elements(place).map(|place| tree(doc, place)).collect(),
            _ => serde_json::from_slice(doc.text(place)).expect("a scalar"),
        }
    }

    /// Whether we and `serde_json` agree on it; whatever comes out of a copy, `serde_json` reads.
    fn agree(json: &[u8]) {
        let ours = Document::parse(json);
        for piece in [1, 7, 63, 64, 65, 130] {
            let mut body = Body::expecting(json.len());
            json.chunks(piece).for_each(|piece| body.push(piece));
            match (&ours, body.document()) {
                (Ok(whole), Ok(pieces)) => assert_eq!(format!("{pieces:?}"), format!("{whole:?}")),
                (whole, pieces) => assert_eq!(
                    whole.as_ref().err(),
                    pieces.err().as_ref(),
                    "in pieces of {piece}"
                ),
            }
            assert_eq!(body.take(), json);
        }
        let theirs = serde_json::from_slice::<serde_json::Value>(json);
        match &ours {
            Ok(doc) => {
                let (mut out, mut repairs) = (Vec::new(), Repairs::default());
                doc.copy(doc.root(), 0, &mut out, &mut repairs);
                let copy = serde_json::from_slice::<serde_json::Value>(&out);
                assert!(
                    copy.is_ok(),
                    "{} -> {}",
                    String::from_utf8_lossy(json),
                    String::from_utf8_lossy(&out)
                );
                assert!(!out.iter().any(|b| matches!(b, b'\n' | b'\r' | b'\t')));
                if let Ok(theirs) = theirs {
                    assert_eq!(tree(doc, doc.root()), theirs);
                    if !repairs.any() {
                        assert_eq!(copy.expect("checked"), theirs);
                    }
                } else {
                    // Lone surrogates and huge exponents, which Sentry's answers may hold; nothing else differs.
                    assert!(
                        repairs.characters + repairs.numbers > 0,
                        "{}",
                        String::from_utf8_lossy(json)
                    );
                }
            }
            Err(e) => assert!(theirs.is_err(), "{e}: {}", String::from_utf8_lossy(json)),
        }
    }

    #[test]
    fn a_value_is_copied_as_it_is_written() {
        for json in [
            r#"{"a":[1,2.50,-0,1e5,"x\n\u00e9😀",true,false,null,{}],"b":{"c":[]}}"#,
            "12345678901234567",
            r#""\ud83d\ude00""#,
            "null",
        ] {
            assert_eq!(copied(json), (json.to_owned(), Repairs::default()));
        }
    }

    #[test]
    fn line_breaks_between_tokens_are_left_out() {
        assert_eq!(
            copied("{\n\t\"a\": [\r\n1 ,\n 2]\n}").0,
            r#"{"a": [1 , 2]}"#
        );
    }

    #[test]
    fn nul_and_lone_surrogates_become_the_replacement_character() {
        let (json, repairs) =
            copied(r#"["a\u0000b","\ud800","\udc00x",{"\ud800\ud83d\ude00":"\\u0000"}]"#);
        assert_eq!(
            json,
            "[\"a\u{fffd}b\",\"\u{fffd}\",\"\u{fffd}x\",{\"\u{fffd}\\ud83d\\ude00\":\"\\\\u0000\"}]"
        );
        assert_eq!(repairs.characters, 4);
    }

    #[test]
    fn numbers_beyond_64_bits_become_strings() {
        let (json, repairs) = copied(
            "[9223372036854775807,9223372036854775808,1e400,-1E-400,\"\\u0000\",9223372036854775808]",
        );
        assert_eq!(
            json,
            "[9223372036854775807,\"9223372036854775808\",\"1e400\",-1E-400,\"\u{fffd}\",\"9223372036854775808\"]"
        );
        assert_eq!(
            repairs,
            Repairs {
                characters: 1,
                numbers: 3,
                depth: 0
            }
        );
        // However short what is copied is.
        for (json, expected) in [
            ("2e308", r#""2e308""#),
            ("[9e999]", r#"["9e999"]"#),
            ("1e99", "1e99"),
        ] {
            assert_eq!(copied(json).0, expected);
        }
    }

    #[test]
    fn what_is_nested_too_deeply_becomes_null_without_recursion() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let (json, repairs) = copied(&deep);
        assert_eq!(json, format!("{}null{}", "[".repeat(100), "]".repeat(100)));
        assert_eq!(repairs.depth, 1);
        assert!(Document::parse(&deep.as_bytes()[1..]).is_err());
        let (json, repairs) = copied(&format!(
            "[{}1,{{\"a\":[]}}{},[[2]],\"\\u0000\"]",
            "[".repeat(98),
            "]".repeat(98)
        ));
        assert_eq!(
            json,
            format!(
                "[{}1,{{\"a\":null}}{},[[2]],\"\u{fffd}\"]",
                "[".repeat(98),
                "]".repeat(98)
            )
        );
        assert_eq!(
            repairs,
            Repairs {
                characters: 1,
                numbers: 0,
                depth: 1
            }
        );
    }

    #[test]
    fn kinds_of_containers_are_known_at_every_depth() {
        for depth in [1, 3, 4, 5, 62, 63, 64, 65, 100, 120] {
            let (open, close): (String, Vec<&str>) = (0..depth)
                .map(|i| {
                    if i % 3 == 0 {
                        ("{\"k\":", "}")
                    } else {
                        ("[", "]")
                    }
                })
                .unzip();
            let close: String = close.into_iter().rev().collect();
            for inner in [
                "1",
                "1,2",
                "1,\"a\":2",
                "\"a\":2",
                "}",
                "]",
                "[1]}",
                "{}]",
                "",
                "{\"a\":[1,2],\"b\":3}",
            ] {
                agree(format!("{open}{inner}{close}").as_bytes());
                agree(format!("[{open}{inner}{close},{{\"x\":{open}{inner}{close}}}]").as_bytes());
                agree(format!("{open}{inner}{close}]").as_bytes());
            }
        }
    }

    #[test]
    fn keys_are_copied_with_the_same_repairs() {
        let json = br#"[{"a\u0000" : 1,"b":"\ud800"}]"#;
        let doc = Document::parse(json).expect("valid JSON");
        let row = doc.elements(doc.root()).next().expect("a row");
        let mut out = Vec::new();
        for (key, value) in doc.members(row) {
            doc.copy_key(value, key, &mut out);
        }
        assert_eq!(out, "a\u{fffd}b".as_bytes());
    }

    #[test]
    fn the_first_of_equal_keys_is_found() {
        let json = br#"{"a":{"b":2,"c":"x"},"a":{"b":1}}"#;
        let doc = Document::parse(json).expect("valid JSON");
        let lookup = |path: &[&str]| doc.lookup(doc.root(), path).map(|place| doc.text(place));
        assert_eq!(lookup(&["a", "b"]), Some(&b"2"[..]));
        assert_eq!(lookup(&["a", "d"]), None);
        assert_eq!(lookup(&["a", "c", "d"]), None);
        assert_eq!(lookup(&[]), Some(&json[..]));
    }

    #[rstest]
    #[case::at_every_place_of_two_blocks("1234567890123456789012345678901234567890")]
    #[case::longer_than_what_is_looked_ahead(&"7".repeat(300))]
    #[case::a_word("false")]
    #[case::an_escape("\"\\ud83d\\ude00\"")]
    #[case::no_number("-")]
    #[case::no_word("nul")]
    fn what_arrives_in_pieces_is_what_arrives_at_once(#[case] value: &str) {
        for before in 0..140 {
            agree(format!("[\"{}\",{value}]", "x".repeat(before)).as_bytes());
            agree(format!("{}{value}", " ".repeat(before)).as_bytes());
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for json in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "01",
            "1.",
            "-",
            "1e",
            "\"\n\"",
            r#""\x""#,
            r#""\u12g4""#,
            "[1}",
            "{\"a\":1]",
            "nul",
            "[\"a",
            "\"",
            "[tru]",
            "[nullx]",
            "1,2",
            "1 2",
            "[]]",
            "[],",
            ",[]",
            "\"a\":1",
            "{\"a\":\"b\":1}",
            "{\"a\":1,2}",
            "{\"a\":1,\"b\"}",
            "[\"a\":1]",
            "[1,\"a\":1]",
            "{\"a\"}",
            "{,}",
            "[,]",
            "[\"a\"\"b\"]",
            "[1[2]]",
            "{{}}",
            "\\",
            "[\"\\",
            "[1\\]",
            "\u{7f}",
        ] {
            assert!(Document::parse(json.as_bytes()).is_err(), "{json}");
            for at in 0..64 {
                // At every place of a block, and behind white space that spans one.
                agree(format!("{}{json}", " ".repeat(at)).as_bytes());
                agree(format!("[\"{}\",{json}]", "x".repeat(at)).as_bytes());
                agree(
                    format!(
                        "{{\"k{}\":{json}{}}}",
                        "x".repeat(130 + at),
                        "\n".repeat(at)
                    )
                    .as_bytes(),
                );
                agree(format!("{{\"a\":0,\"k\"{}:{json}}}", " ".repeat(at)).as_bytes());
            }
            assert!(
                serde_json::from_str::<serde_json::Value>(json).is_err(),
                "{json}"
            );
        }
    }

    #[test]
    fn errors_name_the_place() {
        let error = |json: &[u8]| Document::parse(json).expect_err("malformed").to_string();
        assert_eq!(error(b"[1,\"\n\"]"), "a control character at byte 4");
        assert_eq!(
            error(b"[1 1]"),
            "a token that JSON does not allow here at byte 3"
        );
        assert_eq!(error(b"[\"\xff\"]"), "a byte that is not UTF-8 at byte 2");
        assert_eq!(
            error(b"[1] x"),
            "neither a number nor a word of JSON at byte 4"
        );
        assert_eq!(error(b"[\"abc"), "the text ends in a string at byte 5");
    }

    #[test]
    fn every_token_is_understood_at_every_place_of_a_block() {
        let values = [
            r#""""#,
            r#""\"""#,
            r#""\\""#,
            r#""\\\"\\""#,
            r#""\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\""#,
            r#""\u0000\ud83d\ude00\ud83d""#,
            r#""☃{[,:]}""#,
            "-12.5e+3",
            "null",
            "12345678901234567890",
            r#"{"a":{"b":[]},"c":[{},[1,"x"]]}"#,
            "[ 1 , \"a\" , { \"b\" : true } ]",
            "{ }",
            r#""\ud800\u0041""#,
            r#""\ud800\ud800\udc00""#,
        ];
        for value in values {
            for at in 0..130 {
                agree(
                    format!(
                        "[\"{}\",{value},{{\"k\":{value},\"l\":{value}}}]",
                        "x".repeat(at)
                    )
                    .as_bytes(),
                );
                agree(format!("[{}{value}{},{value}]", " ".repeat(at), "\n".repeat(at)).as_bytes());
                agree(format!("{{\"{}\"{}:{value}}}", "k".repeat(at), "\t".repeat(at)).as_bytes());
                agree(
                    format!(
                        "{{\"a\":1,{}\"{}\" :{value}}}",
                        " ".repeat(at),
                        "k".repeat(2 * at)
                    )
                    .as_bytes(),
                );
            }
            // Cut anywhere, it is no longer whole.
            let whole = format!("[{value},{value}]");
            for cut in 0..whole.len() {
                agree(&whole.as_bytes()[..cut]);
            }
        }
    }

    /// JSON-like text: tokens that are mostly in an order that JSON allows, long enough to span blocks.
    fn tokens() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            4 => Just("{".to_owned()), 4 => Just("}".to_owned()), 4 => Just("[".to_owned()), 4 => Just("]".to_owned()),
            6 => Just(",".to_owned()), 6 => Just(":".to_owned()), 6 => Just("\"k\":".to_owned()), 2 => Just(",\"k\":".to_owned()),
            6 => r#""([a{,:"\\ ]|\\["\\nu]|\\u0041){0,70}""#, 4 => "-?[0-9.e]{1,10}", 4 => "(true|false|null)", 2 => "[ \n]{1,70}",
        ];
        proptest::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
    }

    /// Valid JSON as `serde_json` writes it, compact or over many lines.
    fn valid() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            (-1e9..1e9).prop_map(|n: f64| n.into()),
            "[a-z\"\\\\/\n☃{}:,]{0,40}".prop_map(Into::into),
        ];
        let value = leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::btree_map("[a-z\"\\\\]{0,12}", inner, 0..6)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        });
        (value, any::<bool>()).prop_map(|(value, pretty)| {
            if pretty {
                serde_json::to_string_pretty(&value)
            } else {
                serde_json::to_string(&value)
            }
            .expect("JSON")
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_any_text(json in r#"[\[\]{}:,"\\u0-9a-f\-.eE+ntrulsx \n]{0,24}"#) {
            agree(json.as_bytes());
        }

        #[test]
        fn agrees_with_serde_json_on_any_tokens(json in tokens()) {
            agree(json.as_bytes());
        }

        #[test]
        fn agrees_with_serde_json_on_json(json in valid(), at in any::<prop::sample::Index>(), byte in prop::sample::select(b"{}[],:\"\\ \n1ntx\x01\xff".to_vec())) {
            prop_assert!(Document::parse(json.as_bytes()).is_ok());
            agree(json.as_bytes());
            // With one byte changed, left out or put in.
            let mut bytes = json.into_bytes();
            let at = at.index(bytes.len());
            let old = std::mem::replace(&mut bytes[at], byte);
            agree(&bytes);
            bytes.insert(at, old);
            agree(&bytes);
            bytes.drain(at..at + 2);
            agree(&bytes);
        }

        #[test]
        fn never_panics_on_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(doc) = Document::parse(&bytes) {
                let _ = doc.lookup(doc.root(), &["a"]);
            }
            agree(&bytes);
        }
    }
}
