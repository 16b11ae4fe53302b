//! What tests draw at random: documents that are almost as they should be. Compiled for the tests of the library and of the
//! program.
//!
//! `FUZZ_CASES` is how many random cases are tried of each kind; each that fails prints the seed by which it can be
//! repeated (`FUZZ_SEED`).
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where, and stop"
)]
#![expect(
    clippy::print_stdout,
    reason = "a random case tells its seed; shown when it fails"
)]

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::Value;

/// Decisions at random, the same for the same seed.
pub struct Dice(TestRng);

impl Dice {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % end as u64).unwrap()
    }

    /// So many times in a thousand.
    pub fn hits(&mut self, rate: usize) -> bool {
        self.below(1_000) < rate
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Values of other types, and at the edges of what JSON and time can say.
const ODD: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "2.0",
    "1e2",
    "4294967296",
    "1e400",
    "123456789012345678901234567890",
    "9007199254740993.0",
    r#""""#,
    r#"" ""#,
    r#""5""#,
    r#""\ud800""#,
    r#""a\u0000b""#,
    r#""\n\r\u2028\u0007""#,
    r#""*""#,
    r#""..""#,
    r#""2026-01-01""#,
    r#""0000-01-01T00:00:00+23:59""#,
    r#""9999-12-31T23:59:59Z""#,
    r#""+262142-12-31""#,
    r#""-262143-01-01""#,
    "[]",
    "{}",
    "[[]]",
    r#"[{"a":[null]}]"#,
    r#"["id","id"]"#,
    r#"{"type":"object","properties":{"a":{}}}"#,
    r#"{"type":["string","null"],"format":"date-time"}"#,
];

fn odd(dice: &mut Dice) -> String {
    match dice.below(30) {
        0 => format!("{}{}", "[".repeat(120), "]".repeat(120)),
        1 => format!("{}1{}", r#"{"a":"#.repeat(60), "}".repeat(60)),
        2 => format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)),
        3 => format!(r#""{}""#, "x".repeat(20_000)),
        _ => (*dice.one(ODD)).to_owned(),
    }
}

/// The same key as it may also be written.
fn escaped(key: &str) -> String {
    key.chars().fold(String::new(), |text, c| {
        text + &format!("\\u{:04x}", u32::from(c))
    })
}

/// The document as text, with so many oddities in a thousand places.
fn spoil(value: &Value, rate: usize, dice: &mut Dice, out: &mut String) {
    if dice.hits(rate) {
        return out.push_str(&odd(dice));
    }
    let mut first = true;
    let mut comma =
        |out: &mut String| out.push_str(if std::mem::take(&mut first) { "" } else { "," });
    match value {
        Value::Object(map) => {
            out.push('{');
            for (key, value) in map {
                if dice.hits(rate) {
                    continue;
                }
                comma(out);
                let name = if dice.hits(rate) {
                    format!("{key}_")
                } else {
                    key.clone()
                };
                let name = Value::from(name).to_string();
                out.extend([&name, ":"]);
                spoil(value, rate, dice, out);
                if dice.hits(rate) {
                    let again = if dice.hits(500) {
                        format!("\"{}\"", escaped(key))
                    } else {
                        name
                    };
                    out.extend([",", &again, ":", &odd(dice)]);
                }
            }
            if dice.hits(rate) {
                comma(out);
                let key = *dice.one(&["new", "a\\u0000", "\\ud800", "a\\\"b", "", "\\n"]);
                let value = odd(dice);
                out.extend(["\"", key, "\":", &value, ",\"", key, "\":", &value]);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                for _ in 0..if dice.hits(rate) { 2 } else { 1 } {
                    comma(out);
                    spoil(item, rate, dice, out);
                }
            }
            out.push(']');
        }
        scalar => *out += &scalar.to_string(),
    }
}

/// A document that is almost as it should be.
pub fn almost(value: &Value, dice: &mut Dice) -> Vec<u8> {
    let mut text = String::new();
    let rate = *dice.one(&[1, 5, 20, 60]);
    spoil(value, rate, dice, &mut text);
    let mut bytes = text.into_bytes();
    let at = dice.below(bytes.len().max(1)).min(bytes.len());
    match dice.below(12) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, *dice.one(b"\0\xff\xc3\"\\{}[],:\n1")),
        2 => {
            bytes.splice(at..at, *b"\xed\xa0\x80");
        }
        3 => bytes.extend_from_slice(b" {}"),
        4 => {
            bytes.splice(0..0, *b"\xef\xbb\xbf");
        }
        _ => {}
    }
    bytes
}

/// Tells the seed of a case that fails.
struct Case(u64);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("FUZZ_SEED={}", self.0);
        }
    }
}

pub fn each_case(cases: u64, mut test: impl FnMut(&mut Dice)) {
    let first = setting("FUZZ_SEED", 1);
    for seed in first..first + setting("FUZZ_CASES", cases) {
        let _case = Case(seed);
        test(&mut Dice::new(seed));
    }
}

/// An error is one line that fits on a screen.
#[track_caller]
pub fn is_plain(text: &str) {
    assert!(
        text.len() < 4_000 && !text.chars().any(char::is_control),
        "{} bytes: {text:.4000}",
        text.len()
    );
}

/// As the program reads its files.
pub fn read(bytes: &[u8]) -> Option<Value> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    match tap_sentry_settings::file::read_json(file.path()) {
        Ok(value) => Some(value),
        Err(e) => {
            assert!(
                e.to_string().contains(&file.path().display().to_string()),
                "{e}"
            );
            is_plain(&e.to_string());
            None
        }
    }
}
