//! Where strings, containers and numbers end, and which numbers every reader accepts.

/// The bytes that may follow a number or a word: white space, a comma or a closing bracket.
pub(crate) static ENDS_SCALAR: [bool; 256] = {
    let mut table = [false; 256];
    let ends = b" \n\r\t,]}";
    let mut i = 0;
    while i < ends.len() {
        table[ends[i] as usize] = true;
        i += 1;
    }
    table
};

/// Whether every target reads the number as written: an integer within 64 bits, or a float that is
/// finite.
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

/// The end of the number that starts at `start`; `None` where no number does.
pub(crate) fn number_end(json: &[u8], start: usize) -> Option<usize> {
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

/// The end of the number or word that starts at `start` in checked JSON.
#[inline]
pub(crate) fn scalar_end(json: &[u8], start: usize) -> usize {
    start
        + json[start..]
            .iter()
            .position(|b| ENDS_SCALAR[*b as usize])
            .unwrap_or(json.len() - start)
}

/// The end of the string whose opening quote is at `at`, in checked JSON. Eight bytes are looked at
/// together.
#[inline]
pub(crate) fn string_end(json: &[u8], at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let mut at = at + 1;
    loop {
        while let Some(chunk) = json.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*chunk);
            let zero = |x: u64| x.wrapping_sub(ONES) & !x;
            // The lowest mark is exact: a borrow can mark only bytes above the first real match.
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

/// The end of the container whose opening bracket is at `at`, in checked JSON.
pub(crate) fn container_end(json: &[u8], mut at: usize) -> usize {
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

/// The first position at or after `at` that is not white space.
#[inline]
pub(crate) fn skip_space(json: &[u8], at: usize) -> usize {
    // Compact JSON, the usual case, has none.
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
