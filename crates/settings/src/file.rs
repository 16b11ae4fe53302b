//! Files that a user hands over: configuration, catalog, state, `.env`.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is not valid JSON: {source}{hint}", path.display())]
    Json {
        path: PathBuf,
        source: serde_json::Error,
        hint: &'static str,
    },
    /// The file's name, what is wrong, and what to do.
    #[error("{0}")]
    Content(String),
}

/// The text of a file: UTF-8, or UTF-16 with its mark, as PowerShell's `>` writes it.
///
/// # Errors
/// When it cannot be opened, or is no text in one of these.
pub fn read(path: &Path) -> Result<String, FileError> {
    let bytes = std::fs::read(path).map_err(|source| FileError::Read {
        path: path.to_owned(),
        source,
    })?;
    decode(&bytes).map_err(|problem| {
        FileError::Content(format!("{} {problem}; save it as UTF-8", path.display()))
    })
}

fn decode(bytes: &[u8]) -> Result<String, &'static str> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|two| unit([two[0], two[1]]))
            .collect();
        String::from_utf16(&units)
            .ok()
            .filter(|_| bytes.len().is_multiple_of(2))
            .ok_or("starts like UTF-16 and is not")
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            if text.contains(&0) {
                return Err(
                    "contains NUL characters: it is UTF-16 without a byte order mark, or not text",
                );
            }
            String::from_utf8(text.to_vec()).map_err(|_| "is not UTF-8")
        }
    }
}

/// Parses a JSON file.
///
/// # Errors
/// When it cannot be read, or is not JSON.
pub fn read_json(path: &Path) -> Result<Value, FileError> {
    let text = read(path)?;
    parse_json(path, &text)
}

/// Parses the text of a JSON file.
///
/// # Errors
/// When it is not JSON, with what is most likely wrong.
pub fn parse_json(path: &Path, text: &str) -> Result<Value, FileError> {
    serde_json::from_str(text).map_err(|source| {
        let hint = if text.trim().is_empty() {
            "; the file is empty"
        } else if is_comment(text, source.line(), source.column()) {
            "; JSON has no comments: remove them"
        } else {
            ""
        };
        FileError::Json {
            path: path.to_owned(),
            source,
            hint,
        }
    })
}

/// Whether the parser stopped at what other formats take for a comment.
fn is_comment(text: &str, line: usize, column: usize) -> bool {
    let Some(line) = text.lines().nth(line.saturating_sub(1)) else {
        return false;
    };
    // The parser may have looked at the second character already.
    [column.saturating_sub(2), column.saturating_sub(1)]
        .into_iter()
        .any(|at| {
            line.get(at..)
                .is_some_and(|rest| ["//", "/*", "#"].iter().any(|mark| rest.starts_with(mark)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::utf_8(b"{}", Ok("{}"))]
    #[case::with_a_mark(b"\xef\xbb\xbf{}", Ok("{}"))]
    #[case::utf_16(b"\xff\xfe{\0}\0", Ok("{}"))]
    #[case::utf_16_the_other_way(b"\xfe\xff\0{\0}", Ok("{}"))]
    fn is_read(#[case] bytes: &[u8], #[case] expected: Result<&str, &str>) {
        assert_eq!(decode(bytes), expected.map(str::to_owned));
    }

    #[rstest]
    #[case::utf_16_without_a_mark(b"{\0}\0")]
    #[case::half_a_unit(b"\xff\xfe{")]
    #[case::latin_1(b"{\"a\": \"\xe9\"}")]
    fn is_refused(#[case] bytes: &[u8]) {
        assert!(decode(bytes).is_err());
    }

    #[rstest]
    #[case("{\"a\": 1, // why\n\"b\": 2}", true)]
    #[case("{\n  # why\n  \"a\": 1}", true)]
    #[case("{\"a\": 1 /* why */}", true)]
    #[case("{\"a\": \"http://x\" \"b\": 1}", false)]
    fn comments_are_named(#[case] text: &str, #[case] told: bool) {
        let error = parse_json(Path::new("config.json"), text)
            .expect_err("no JSON")
            .to_string();
        assert_eq!(error.contains("no comments"), told, "{error}");
    }
}
