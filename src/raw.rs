//! The grammar of JSON over bytes, in one pass and without building a tree.
//!
//! A page of full events is megabytes; it is read once, checked, and copied into RECORD lines. Everything here
//! takes UTF-8 text (checked by [`text`]) and returns positions in it. Nothing recurses, so no answer, however
//! deeply nested, can exhaust the stack.

use std::ops::Range;

/// Containers deeper than this are replaced by `null`: Python's and Rust's JSON parsers, which targets use, give
/// up at depths from 128 to 1,000, and a line that they refuse stops the whole load.
pub const MAX_DEPTH: u32 = 100;

/// The text is not JSON. `at` is the byte offset where that became certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct Malformed {
    pub what: &'static str,
    pub at: usize,
}

type Result<T> = std::result::Result<T, Malformed>;

fn malformed<T>(what: &'static str, at: usize) -> Result<T> {
    Err(Malformed { what, at })
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

/// The body as text, or the place of the first byte that is not UTF-8.
pub fn text(body: &[u8]) -> Result<&str> {
    std::str::from_utf8(body).or_else(|e| malformed("a byte that is not UTF-8", e.valid_up_to()))
}

/// The first position at or after `at` that is not white space.
#[inline]
pub fn skip_space(json: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = json.get(at) {
        at += 1;
    }
    at
}

/// The end of the value that starts at `at`, its grammar checked.
pub fn skip(json: &[u8], at: usize) -> Result<usize> {
    match json.get(at) {
        Some(b'"') => string_end(json, at),
        Some(b'{' | b'[') => containers(json, at, &mut Skip),
        _ => scalar_end(json, at),
    }
}

/// Copies the value that starts at `at` to `out`, on one line, repaired where targets would choke on it, and
/// returns its end. `depth` is how many containers are open around it.
pub fn copy(json: &[u8], at: usize, depth: u32, out: &mut Vec<u8>, repairs: &mut Repairs) -> Result<usize> {
    match json.get(at) {
        Some(b'"') => copy_string(json, at, out, repairs),
        Some(b'{' | b'[') => {
            let mut sink = Copy { from: at, base: depth, out, repairs };
            let end = containers(json, at, &mut sink)?;
            sink.flush(json, end);
            Ok(end)
        }
        Some(b'-' | b'0'..=b'9') => {
            let end = scalar_end(json, at)?;
            if number_fits(&json[at..end]) {
                out.extend_from_slice(&json[at..end]);
            } else {
                repairs.numbers += 1;
                out.push(b'"');
                out.extend_from_slice(&json[at..end]);
                out.push(b'"');
            }
            Ok(end)
        }
        _ => {
            let end = scalar_end(json, at)?;
            out.extend_from_slice(&json[at..end]);
            Ok(end)
        }
    }
}

/// Copies the string that starts at `at`; see [`copy`].
pub fn copy_string(json: &[u8], at: usize, out: &mut Vec<u8>, repairs: &mut Repairs) -> Result<usize> {
    let mut from = at;
    let end = scan_string(json, at, |escape| {
        out.extend_from_slice(&json[from..escape.start]);
        out.extend_from_slice("\u{fffd}".as_bytes());
        from = escape.end;
        repairs.characters += 1;
    })?;
    out.extend_from_slice(&json[from..end]);
    Ok(end)
}

/// Whether every target reads the number as written: an integer within 64 bits, or a float that is finite.
pub fn number_fits(number: &[u8]) -> bool {
    if number.len() <= 18 && !number.iter().any(|b| matches!(b, b'e' | b'E')) {
        return true;
    }
    let Ok(number) = std::str::from_utf8(number) else { return false };
    if number.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) {
        number.parse::<f64>().is_ok_and(f64::is_finite)
    } else {
        number.parse::<i64>().is_ok()
    }
}

/// The members of the object that starts at `at`: calls `each` with the bytes between the quotes of a key and the
/// position of its value, and expects the value's end back. Returns the end of the object.
#[inline]
pub fn members(json: &[u8], at: usize, mut each: impl FnMut(&[u8], usize) -> Result<usize>) -> Result<usize> {
    debug_assert_eq!(json.get(at), Some(&b'{'));
    let mut at = skip_space(json, at + 1);
    if json.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        if json.get(at) != Some(&b'"') {
            return malformed("expected a key", at);
        }
        let key_end = string_end(json, at)?;
        let key = &json[at + 1..key_end - 1];
        at = skip_space(json, key_end);
        if json.get(at) != Some(&b':') {
            return malformed("expected `:`", at);
        }
        at = each(key, skip_space(json, at + 1))?;
        at = skip_space(json, at);
        match json.get(at) {
            Some(b',') => at = skip_space(json, at + 1),
            Some(b'}') => return Ok(at + 1),
            _ => return malformed("expected `,` or `}`", at),
        }
    }
}

/// The elements of the array that starts at `at`; see [`members`].
#[inline]
pub fn elements(json: &[u8], at: usize, mut each: impl FnMut(usize) -> Result<usize>) -> Result<usize> {
    debug_assert_eq!(json.get(at), Some(&b'['));
    let mut at = skip_space(json, at + 1);
    if json.get(at) == Some(&b']') {
        return Ok(at + 1);
    }
    loop {
        at = skip_space(json, each(at)?);
        match json.get(at) {
            Some(b',') => at = skip_space(json, at + 1),
            Some(b']') => return Ok(at + 1),
            _ => return malformed("expected `,` or `]`", at),
        }
    }
}

/// Nothing but white space may follow a document.
pub fn finish(json: &[u8], at: usize) -> Result<()> {
    let at = skip_space(json, at);
    if at == json.len() { Ok(()) } else { malformed("text after the end of the document", at) }
}

/// The value at `path` below the object that starts at `at`, where there is one. The first of equal keys counts, as
/// in the records.
pub fn lookup(json: &[u8], at: usize, path: &[&str]) -> Result<Option<Range<usize>>> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(Some(at..skip(json, at)?));
    };
    if json.get(at) != Some(&b'{') {
        return Ok(None);
    }
    let mut found = None;
    members(json, at, |key, value| {
        let end = skip(json, value)?;
        if found.is_none() && key == first.as_bytes() {
            found = Some(value);
        }
        Ok(end)
    })?;
    match found {
        Some(value) => lookup(json, value, rest),
        None => Ok(None),
    }
}

/// The text of a string or number at `range`; `None` for anything else.
pub fn scalar_text(json: &[u8], range: Range<usize>) -> Option<String> {
    match json.get(range.start)? {
        b'"' => serde_json::from_slice(&json[range]).ok(),
        b'-' | b'0'..=b'9' => Some(String::from_utf8_lossy(&json[range]).into_owned()),
        _ => None,
    }
}

fn scalar_end(json: &[u8], at: usize) -> Result<usize> {
    match json.get(at) {
        Some(b'"') => string_end(json, at),
        Some(b't') => literal(json, at, b"true"),
        Some(b'f') => literal(json, at, b"false"),
        Some(b'n') => literal(json, at, b"null"),
        Some(b'-' | b'0'..=b'9') => number_end(json, at),
        Some(_) => malformed("expected a value", at),
        None => malformed("the text ends in the middle", at),
    }
}

fn literal(json: &[u8], at: usize, word: &'static [u8]) -> Result<usize> {
    if json[at..].starts_with(word) { Ok(at + word.len()) } else { malformed("expected a value", at) }
}

fn number_end(json: &[u8], start: usize) -> Result<usize> {
    let digits = |mut at: usize| {
        while json.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut at = start + usize::from(json.get(start) == Some(&b'-'));
    let whole = at;
    at = digits(at);
    if at == whole || (json[whole] == b'0' && at > whole + 1) {
        return malformed("a number that JSON does not allow", start);
    }
    if json.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(fraction);
        if at == fraction {
            return malformed("a number that JSON does not allow", start);
        }
    }
    if matches!(json.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(json.get(at), Some(b'+' | b'-')));
        let exponent = at;
        at = digits(exponent);
        if at == exponent {
            return malformed("a number that JSON does not allow", start);
        }
    }
    Ok(at)
}

#[inline]
fn string_end(json: &[u8], at: usize) -> Result<usize> {
    scan_string(json, at, |_| {})
}

/// The end of the string that starts at `at`. `bad` is called with each escape that stands for U+0000 or a lone
/// surrogate.
#[inline]
fn scan_string(json: &[u8], at: usize, mut bad: impl FnMut(Range<usize>)) -> Result<usize> {
    let mut at = at + 1;
    loop {
        at = plain_end(json, at);
        match json.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape_end(json, at, &mut bad)?,
            Some(_) => return malformed("a control character in a string", at),
            None => return malformed("the text ends in a string", at),
        }
    }
}

/// The first position at or after `at` whose byte is a quote, a backslash or a control character.
///
/// Eight bytes at a time: strings are most of a page, and this is the loop where the time goes.
#[inline]
fn plain_end(json: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    while let Some(chunk) = json.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let zero = |x: u64| x.wrapping_sub(ONES) & !x;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        // Borrows can only mark bytes above the first true one, so the lowest mark is exact.
        let marks = (zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | control) & HIGH;
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(b) = json.get(at) {
        if matches!(b, b'"' | b'\\' | 0..=0x1f) {
            break;
        }
        at += 1;
    }
    at
}

fn escape_end(json: &[u8], at: usize, bad: &mut impl FnMut(Range<usize>)) -> Result<usize> {
    match json.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let Some(unit) = hex4(json, at + 2) else { return malformed("an escape that JSON does not allow", at) };
            match unit {
                0xd800..=0xdbff => {
                    let low = (json.get(at + 6..at + 8) == Some(b"\\u")).then(|| hex4(json, at + 8)).flatten();
                    if matches!(low, Some(0xdc00..=0xdfff)) {
                        return Ok(at + 12);
                    }
                    bad(at..at + 6);
                }
                0 | 0xdc00..=0xdfff => bad(at..at + 6),
                _ => {}
            }
            Ok(at + 6)
        }
        _ => malformed("an escape that JSON does not allow", at),
    }
}

fn hex4(json: &[u8], at: usize) -> Option<u32> {
    json.get(at..at + 4)?.iter().try_fold(0, |unit, b| Some(unit << 4 | char::from(*b).to_digit(16)?))
}

/// What is done with the parts of nested containers as they are read.
trait Sink {
    /// A container opens at `at` with `depth` others open inside this value; `false` replaces it by `null`.
    fn open(&mut self, json: &[u8], at: usize, depth: u32) -> bool;
    fn replaced(&mut self, json: &[u8], range: Range<usize>);
    fn string(&mut self, json: &[u8], at: usize) -> Result<usize>;
    fn number(&mut self, json: &[u8], range: Range<usize>);
    fn line_break(&mut self, json: &[u8], at: usize);
}

struct Skip;

impl Sink for Skip {
    fn open(&mut self, _: &[u8], _: usize, _: u32) -> bool {
        true
    }
    fn replaced(&mut self, _: &[u8], _: Range<usize>) {}
    fn string(&mut self, json: &[u8], at: usize) -> Result<usize> {
        string_end(json, at)
    }
    fn number(&mut self, _: &[u8], _: Range<usize>) {}
    fn line_break(&mut self, _: &[u8], _: usize) {}
}

/// Copies in long runs: `from` is the start of what was read and not yet written.
struct Copy<'a> {
    from: usize,
    base: u32,
    out: &'a mut Vec<u8>,
    repairs: &'a mut Repairs,
}

impl Copy<'_> {
    fn flush(&mut self, json: &[u8], to: usize) {
        self.out.extend_from_slice(&json[self.from..to]);
        self.from = to;
    }
}

impl Sink for Copy<'_> {
    fn open(&mut self, _: &[u8], _: usize, depth: u32) -> bool {
        self.base + depth < MAX_DEPTH
    }
    fn replaced(&mut self, json: &[u8], range: Range<usize>) {
        self.flush(json, range.start);
        self.out.extend_from_slice(b"null");
        self.from = range.end;
        self.repairs.depth += 1;
    }
    fn string(&mut self, json: &[u8], at: usize) -> Result<usize> {
        let Self { from, out, repairs, .. } = self;
        scan_string(json, at, |escape| {
            out.extend_from_slice(&json[*from..escape.start]);
            out.extend_from_slice("\u{fffd}".as_bytes());
            *from = escape.end;
            repairs.characters += 1;
        })
    }
    fn number(&mut self, json: &[u8], range: Range<usize>) {
        if !number_fits(&json[range.clone()]) {
            self.flush(json, range.start);
            self.out.push(b'"');
            self.flush(json, range.end);
            self.out.push(b'"');
            self.repairs.numbers += 1;
        }
    }
    fn line_break(&mut self, json: &[u8], at: usize) {
        self.flush(json, at);
        self.from = at + 1;
    }
}

/// One bit an open container: whether it is an object.
#[derive(Default)]
struct Stack {
    bits: Vec<u64>,
    depth: usize,
}

impl Stack {
    #[inline]
    fn push(&mut self, object: bool) {
        if self.depth.is_multiple_of(64) {
            self.bits.push(0);
        }
        let word = self.bits.len() - 1;
        let bit = 1 << (self.depth % 64);
        if object {
            self.bits[word] |= bit;
        } else {
            self.bits[word] &= !bit;
        }
        self.depth += 1;
    }
    #[inline]
    fn pop(&mut self) -> Option<bool> {
        self.depth = self.depth.checked_sub(1)?;
        let object = self.bits[self.depth / 64] >> (self.depth % 64) & 1 == 1;
        if self.depth.is_multiple_of(64) {
            self.bits.pop();
        }
        Some(object)
    }
    #[inline]
    fn object(&self) -> bool {
        self.depth > 0 && self.bits[(self.depth - 1) / 64] >> ((self.depth - 1) % 64) & 1 == 1
    }
}

/// Walks the container that starts at `start` to its end.
fn containers<S: Sink>(json: &[u8], start: usize, sink: &mut S) -> Result<usize> {
    let mut stack = Stack::default();
    let mut at = start;
    let space = |sink: &mut S, mut at: usize| {
        loop {
            match json.get(at) {
                Some(b' ') => {}
                Some(b'\n' | b'\r' | b'\t') => sink.line_break(json, at),
                _ => return at,
            }
            at += 1;
        }
    };
    'value: loop {
        // `at` is at the first byte of a value.
        match json.get(at) {
            Some(b'"') => at = sink.string(json, at)?,
            Some(open @ (b'{' | b'[')) => {
                let depth = u32::try_from(stack.depth).unwrap_or(u32::MAX);
                if sink.open(json, at, depth) {
                    let object = *open == b'{';
                    stack.push(object);
                    at = space(sink, at + 1);
                    if json.get(at) == Some(if object { &b'}' } else { &b']' }) {
                        stack.pop();
                        at += 1;
                    } else {
                        if object {
                            at = key(json, at, sink, space)?;
                        }
                        continue 'value;
                    }
                } else {
                    let end = containers(json, at, &mut Skip)?;
                    sink.replaced(json, at..end);
                    at = end;
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                let end = number_end(json, at)?;
                sink.number(json, at..end);
                at = end;
            }
            _ => at = scalar_end(json, at)?,
        }
        // A value has ended: close containers until another value follows.
        loop {
            if stack.depth == 0 {
                return Ok(at);
            }
            at = space(sink, at);
            match (json.get(at), stack.object()) {
                (Some(b','), object) => {
                    at = space(sink, at + 1);
                    if object {
                        at = key(json, at, sink, space)?;
                    }
                    continue 'value;
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    stack.pop();
                    at += 1;
                }
                (None, _) => return malformed("the text ends in the middle", at),
                _ => return malformed("expected `,` or the end of the container", at),
            }
        }
    }
}

/// Reads a key and its colon; returns where its value starts.
#[inline]
fn key<S: Sink>(json: &[u8], at: usize, sink: &mut S, space: impl Fn(&mut S, usize) -> usize) -> Result<usize> {
    if json.get(at) != Some(&b'"') {
        return malformed("expected a key", at);
    }
    let at = sink.string(json, at)?;
    let at = space(sink, at);
    if json.get(at) != Some(&b':') {
        return malformed("expected `:`", at);
    }
    Ok(space(sink, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn copied(json: &str) -> (String, Repairs) {
        let (mut out, mut repairs) = (Vec::new(), Repairs::default());
        let end = copy(json.as_bytes(), 0, 0, &mut out, &mut repairs).expect("valid JSON");
        assert_eq!(end, json.len());
        (String::from_utf8(out).expect("UTF-8"), repairs)
    }

    #[test]
    fn a_value_is_copied_as_it_is_written() {
        for json in [r#"{"a":[1,2.50,-0,1e5,"x\n\u00e9😀",true,false,null,{}],"b":{"c":[]}}"#, "12345678901234567", r#""\ud83d\ude00""#] {
            assert_eq!(copied(json), (json.to_owned(), Repairs::default()));
        }
    }

    #[test]
    fn line_breaks_between_tokens_are_left_out() {
        assert_eq!(copied("{\n\t\"a\": [\r\n1 ,\n 2]\n}").0, r#"{"a": [1 , 2]}"#);
    }

    #[test]
    fn nul_and_lone_surrogates_become_the_replacement_character() {
        let (json, repairs) = copied(r#"["a\u0000b","\ud800","\udc00x",{"\ud800\ud83d\ude00":"\\u0000"}]"#);
        assert_eq!(json, "[\"a\u{fffd}b\",\"\u{fffd}\",\"\u{fffd}x\",{\"\u{fffd}\\ud83d\\ude00\":\"\\\\u0000\"}]");
        assert_eq!(repairs.characters, 4);
    }

    #[test]
    fn numbers_beyond_64_bits_become_strings() {
        let (json, repairs) = copied("[9223372036854775807,9223372036854775808,1e400,-1E-400]");
        assert_eq!(json, r#"[9223372036854775807,"9223372036854775808","1e400",-1E-400]"#);
        assert_eq!(repairs.numbers, 2);
    }

    #[test]
    fn what_is_nested_too_deeply_becomes_null_without_recursion() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let (json, repairs) = copied(&deep);
        assert_eq!(json, format!("{}null{}", "[".repeat(100), "]".repeat(100)));
        assert_eq!(repairs.depth, 1);
        assert_eq!(skip(deep.as_bytes(), 0), Ok(deep.len()));
    }

    #[test]
    fn the_first_of_equal_keys_is_found() {
        let json = br#"{"a":{"b":2,"c":"x"},"a":{"b":1}}"#;
        assert_eq!(lookup(json, 0, &["a", "b"]).map(|r| r.map(|r| &json[r])), Ok(Some(&b"2"[..])));
        assert_eq!(lookup(json, 0, &["a", "d"]), Ok(None));
        assert_eq!(lookup(json, 0, &["a", "c", "d"]), Ok(None));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for json in ["", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "01", "1.", "-", "1e", "\"\n\"", r#""\x""#, r#""\u12g4""#, "[1}", "{\"a\":1]", "nul", "[\"a", "\"", "[tru]"] {
            let whole = skip(json.as_bytes(), 0).and_then(|end| finish(json.as_bytes(), end));
            assert!(whole.is_err(), "{json}");
            assert!(serde_json::from_str::<serde_json::Value>(json).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_any_text(json in r#"[\[\]{}:,"\\u0-9a-f\-.eE+ntrulsx \n]{0,24}"#) {
            let ours = skip(json.as_bytes(), skip_space(json.as_bytes(), 0)).and_then(|end| finish(json.as_bytes(), end));
            let theirs = serde_json::from_str::<serde_json::Value>(&json);
            // serde_json refuses lone surrogates and huge exponents, which Sentry's answers may hold; nothing else differs.
            if theirs.is_ok() { prop_assert!(ours.is_ok(), "{}", json); }
            if ours.is_ok() {
                let (mut out, mut repairs) = (Vec::new(), Repairs::default());
                copy(json.as_bytes(), skip_space(json.as_bytes(), 0), 0, &mut out, &mut repairs).expect("checked");
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok(), "{} -> {:?}", json, String::from_utf8(out));
            }
        }

        #[test]
        fn never_panics_on_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = skip(&bytes, 0);
            let _ = lookup(&bytes, 0, &["a"]);
            let _ = copy(&bytes, 0, 0, &mut Vec::new(), &mut Repairs::default());
        }
    }
}
