//! Log lines on stderr, one for each record: as logfmt, as JSON, or for a person.

use crate::caught::is_expected;
use chrono::{SecondsFormat, Utc};
use log::kv::{self, Key, Value, VisitSource};
use log::{Level, LevelFilter, Record};
use parking_lot::RwLock;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, json};
use std::io::Write;

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// `time=… level=INFO source=… msg="…" key=value`, as Prometheus and its exporters write it.
    #[default]
    Logfmt,
    /// One JSON object a line, with the same keys.
    Json,
    /// `2026-11-28 16:57:42 INFO  message key=value`.
    Text,
}

/// Libraries that speak only when asked for everything.
const QUIET: [&str; 5] = ["h2", "hyper", "hyper_util", "reqwest", "rustls"];

/// What no line may show.
static HIDDEN: RwLock<Vec<SecretString>> = RwLock::new(Vec::new());

/// From now on no line shows `secret`. Texts of fewer than 8 characters are shown: they are parts of other words.
pub fn hide(secret: &SecretString) {
    if secret.expose_secret().len() >= 8 {
        let mut hidden = HIDDEN.write();
        if hidden
            .iter()
            .all(|known| known.expose_secret() != secret.expose_secret())
        {
            hidden.push(secret.clone());
            // Where one is a part of another, the longer goes first and goes whole.
            hidden.sort_by_key(|known| std::cmp::Reverse(known.expose_secret().len()));
        }
    }
}

/// The text as a line would show it: for pages and answers that repeat what others said.
pub fn without_secrets(mut text: String) -> String {
    for secret in HIDDEN.read().iter() {
        if text.contains(secret.expose_secret()) {
            text = text.replace(secret.expose_secret(), "[secret]");
        }
    }
    text
}

/// A level as any of the older programs calls it, in any case: `trace`, `debug`, `info`, `warn`, `warning`, `error`;
/// `panic`, `fatal` and `critical` are `error`.
pub fn level(name: &str) -> Option<LevelFilter> {
    match name.trim().to_ascii_lowercase().as_str() {
        "trace" => Some(LevelFilter::Trace),
        "debug" => Some(LevelFilter::Debug),
        "info" => Some(LevelFilter::Info),
        "warn" | "warning" => Some(LevelFilter::Warn),
        "error" | "critical" | "fatal" | "panic" => Some(LevelFilter::Error),
        _ => None,
    }
}

/// Sets the log up, once for a process; later calls change nothing. Without a level `RUST_LOG` counts, else `info`. Panics
/// become lines too, so that they show no secret either.
pub fn init(level: Option<LevelFilter>, format: Format) {
    let mut builder = env_logger::Builder::new();
    match (level, std::env::var("RUST_LOG")) {
        (None, Ok(filters)) if !filters.is_empty() => {
            builder.parse_filters(&filters);
        }
        (level, _) => {
            let level = level.unwrap_or(LevelFilter::Info);
            builder.filter_level(level);
            if level < LevelFilter::Trace {
                for library in QUIET {
                    builder.filter_module(library, level.min(LevelFilter::Warn));
                }
            }
        }
    }
    builder.format(move |out, record| writeln!(out, "{}", Line::of(record).written(format)));
    // A logger that is there already is that of a test or of a program around this one.
    if builder.try_init().is_ok() {
        std::panic::set_hook(Box::new(|info| {
            // Whoever catches it says it in words of its own.
            if !is_expected() {
                log::error!("{info}");
            }
        }));
    }
}

/// What a line is made of. No text in it shows a secret.
#[derive(Debug, PartialEq)]
struct Line {
    /// RFC 3339, in milliseconds.
    time: String,
    level: Level,
    source: String,
    message: String,
    pairs: Vec<(String, serde_json::Value)>,
}

impl Line {
    fn of(record: &Record<'_>) -> Self {
        let mut pairs = Pairs(Vec::new());
        // The visitor never fails.
        let _ = record.key_values().visit(&mut pairs);
        Self {
            time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            level: record.level(),
            source: record.target().to_owned(),
            message: without_secrets(record.args().to_string()),
            pairs: pairs.0,
        }
    }

    fn written(&self, format: Format) -> String {
        match format {
            Format::Logfmt => {
                let mut line = format!(
                    "time={} level={} source={} msg={}",
                    self.time,
                    self.level,
                    value(&self.source),
                    value(&self.message)
                );
                self.add_pairs(&mut line);
                line
            }
            Format::Json => {
                let mut line = Map::new();
                for (key, value) in &self.pairs {
                    line.insert(key.clone(), value.clone());
                }
                let own = [
                    ("time", json!(self.time)),
                    ("level", json!(self.level.as_str())),
                    ("source", json!(self.source)),
                    ("msg", json!(self.message)),
                ];
                // The line's own keys stand first, and no pair replaces them.
                let mut whole: Map<_, _> = own
                    .map(|(key, value)| (key.to_owned(), value))
                    .into_iter()
                    .collect();
                for (key, value) in line {
                    whole.entry(key).or_insert(value);
                }
                serde_json::Value::Object(whole).to_string()
            }
            Format::Text => {
                let time = self.time.get(..19).unwrap_or_default().replace('T', " ");
                let mut line = format!("{time} {:<5} {}", self.level, one_line(&self.message));
                self.add_pairs(&mut line);
                line
            }
        }
    }

    fn add_pairs(&self, line: &mut String) {
        for (key, shown) in &self.pairs {
            let shown = match shown {
                serde_json::Value::String(text) => value(text),
                other => other.to_string(),
            };
            line.push(' ');
            line.extend(key.chars().map(|c| if is_key(c) { c } else { '_' }));
            line.push('=');
            line.push_str(&shown);
        }
    }
}

struct Pairs(Vec<(String, serde_json::Value)>);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let number = || {
            let whole = value.to_u64().map(|n| json!(n));
            let whole = whole.or_else(|| value.to_i64().map(|n| json!(n)));
            whole.or_else(|| value.to_f64().filter(|n| n.is_finite()).map(|n| json!(n)))
        };
        let plain = value.to_bool().map(|truth| json!(truth)).or_else(number);
        let shown = plain.unwrap_or_else(|| json!(without_secrets(value.to_string())));
        self.0.push((key.as_str().to_owned(), shown));
        Ok(())
    }
}

fn is_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// A value of logfmt: as it is where nothing in it separates, else in quotes with JSON's escapes.
fn value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    // JSON leaves DEL and the controls behind it as they are.
    escaped(&json!(text).to_string(), |c| {
        format!("\\u{:04x}", u32::from(c))
    })
}

/// Line breaks, and what moves a terminal's cursor, in the form of escapes.
fn one_line(text: &str) -> String {
    escaped(text, |c| c.escape_default().to_string())
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.push_str(&escape(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn line(message: &str) -> Line {
        Line {
            time: "2026-11-28T16:57:42.123Z".to_owned(),
            level: Level::Warn,
            source: "tap_sentry_serve::server".to_owned(),
            message: message.to_owned(),
            pairs: vec![
                ("address".to_owned(), json!("[::1]:9790")),
                ("http2".to_owned(), json!(true)),
                ("a key".to_owned(), json!("two words")),
                ("msg".to_owned(), json!(7)),
            ],
        }
    }

    #[test]
    fn logfmt_has_one_pair_after_the_other() {
        assert_eq!(
            line("Listening on").written(Format::Logfmt),
            "time=2026-11-28T16:57:42.123Z level=WARN source=tap_sentry_serve::server msg=\"Listening on\" \
             address=[::1]:9790 http2=true a_key=\"two words\" msg=7"
        );
    }

    #[test]
    fn json_has_the_same_keys_and_keeps_its_own() {
        assert_eq!(
            line("a \"b\"\n").written(Format::Json),
            r#"{"time":"2026-11-28T16:57:42.123Z","level":"WARN","source":"tap_sentry_serve::server","msg":"a \"b\"\n","address":"[::1]:9790","http2":true,"a key":"two words"}"#
        );
    }

    #[test]
    fn a_person_reads_the_message() {
        assert_eq!(
            line("Listening\non").written(Format::Text),
            "2026-11-28 16:57:42 WARN  Listening\\non address=[::1]:9790 http2=true a_key=\"two words\" msg=7"
        );
    }

    #[rstest]
    #[case("plain/path:1", "plain/path:1")]
    #[case("", "\"\"")]
    #[case("a b", "\"a b\"")]
    #[case("a=b", "\"a=b\"")]
    #[case("say \"a\"\\", r#""say \"a\"\\""#)]
    #[case("a\nlevel=ERROR", r#""a\nlevel=ERROR""#)]
    #[case("\u{1b}[31m\u{7f}\u{85}", r#""\u001b[31m\u007f\u0085""#)]
    #[case("é", "\"é\"")]
    fn a_value_cannot_break_out(#[case] text: &str, #[case] written: &str) {
        assert_eq!(value(text), written);
        let read: String = serde_json::from_str(&if written.starts_with('"') {
            written.to_owned()
        } else {
            format!("\"{written}\"")
        })
        .expect("JSON's escapes");
        assert_eq!(read, text);
    }

    #[test]
    fn no_part_of_a_line_shows_a_secret() {
        hide(&SecretString::from("sntrys_0123456789"));
        hide(&SecretString::from("sntrys_0123456789_longer"));
        hide(&SecretString::from("short"));
        let header = "Bearer sntrys_0123456789_longer";
        let pairs = [("header", header), ("word", "short")];
        let line = Line::of(
            &Record::builder()
                .level(Level::Info)
                .target("x")
                .args(format_args!("asked with {header}, sntrys_0123456789"))
                .key_values(&pairs)
                .build(),
        );
        assert_eq!(line.message, "asked with Bearer [secret], [secret]");
        let shown = [
            ("header".to_owned(), json!("Bearer [secret]")),
            ("word".to_owned(), json!("short")),
        ];
        assert_eq!(line.pairs, shown);
    }

    #[rstest]
    #[case("trace", Some(LevelFilter::Trace))]
    #[case("DEBUG", Some(LevelFilter::Debug))]
    #[case("Info", Some(LevelFilter::Info))]
    #[case("warning", Some(LevelFilter::Warn))]
    #[case("panic", Some(LevelFilter::Error))]
    #[case("fatal", Some(LevelFilter::Error))]
    #[case("loud", None)]
    #[case("", None)]
    fn a_level_is_read(#[case] name: &str, #[case] read: Option<LevelFilter>) {
        assert_eq!(level(name), read);
    }
}
