//! One block of the file: its values by their keys, with every mistake noted under its whole key.

use crate::config::expand::Expanded;
use crate::config::key::{Form, Key};
use crate::config::report::Report;
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tap_sentry_serve::duration;
use tap_sentry_settings::program::FILE_SUFFIX;
use tap_sentry_settings::sources::secret_of;

/// A block whose keys are known.
pub struct Section<'r, 'v> {
    place: String,
    keys: &'static [Key],
    values: Map<String, Value>,
    pub report: &'r mut Report<'v>,
}

impl<'r, 'v> Section<'r, 'v> {
    /// Notes what is not known in the block, and what means something to the collector alone.
    pub fn new(
        place: &str,
        value: Value,
        keys: &'static [Key],
        report: &'r mut Report<'v>,
    ) -> Self {
        let values = report.members(place, value);
        let section = Self {
            place: place.to_owned(),
            keys,
            values,
            report,
        };
        for (name, value) in &section.values {
            let at = section.key(name);
            let known = keys.iter().find(|key| key.is_called(name));
            match known.map(|key| (key.form, key.meaning)) {
                Some((Form::Warned, text)) if says_something(value) => {
                    section.report.warning(&at, text);
                }
                Some((Form::Refused, text)) if says_something(value) => {
                    section.report.problem(&at, text);
                }
                Some(_) => {}
                None => {
                    section.report.problem(&at, unknown(keys));
                }
            }
        }
        section
    }

    /// The whole key of a member.
    pub fn key(&self, name: &str) -> String {
        if self.place.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.place)
        }
    }

    /// Whether the key stands in the block, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Notes a mistake of a member.
    pub fn problem(&mut self, name: &str, text: impl Into<String>) {
        let at = self.key(name);
        self.report.problem(&at, text);
    }

    /// Notes what may be a surprise.
    pub fn warning(&mut self, name: &str, text: impl Into<String>) {
        let at = self.key(name);
        self.report.warning(&at, text);
    }

    /// The value, or its mistake is noted.
    pub fn keep<T>(&mut self, name: &str, result: Result<T, impl Into<String>>) -> Option<T> {
        result.map_err(|text| self.problem(name, text)).ok()
    }

    /// A block within.
    pub fn below(&mut self, name: &'static str) -> Section<'_, 'v> {
        let place = self.key(name);
        let Form::Block(keys) = self.of(name).form else {
            unreachable!("{name} is a block in its table");
        };
        let value = self.values.get(name).cloned().unwrap_or_default();
        Section::new(&place, value, keys, self.report)
    }

    /// A text that is not empty, or the default.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let default = Some(self.of(name).default).filter(|text| !text.is_empty());
        self.written(name)
            .or_else(|| default.map(ToOwned::to_owned))
    }

    /// A text that is not shown: it stands here, or in a file that `NAME_file` names.
    pub fn secret(&mut self, name: &'static str) -> Option<String> {
        let text = self.written(name);
        let file = format!("{name}{FILE_SUFFIX}");
        let path = self.written(&file);
        let text = match (text, path) {
            (Some(_), Some(_)) => {
                let text = format!("is set together with `{name}`; remove one of them");
                self.problem(&file, text);
                None
            }
            (None, Some(path)) => {
                let read = secret_of(Path::new(&path));
                self.keep(&file, read)
            }
            (text, None) => text,
        };
        let text = text?;
        self.report.secrets.push(SecretString::from(text.clone()));
        Some(text)
    }

    /// The name of a file or a folder, relative to the working folder.
    pub fn path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// true or false.
    pub fn switch(&mut self, name: &'static str) -> bool {
        let default = self.of(name).default == "true";
        match self.value(name) {
            None => default,
            Some(Value::Bool(on)) => on,
            Some(_) => {
                self.problem(name, "must be true or false");
                default
            }
        }
    }

    /// A whole number within the bounds of its table. None where it has no default and is not set.
    pub fn whole(&mut self, name: &'static str) -> Option<u64> {
        let key = self.of(name);
        let Form::Whole(least, most) = key.form else {
            unreachable!("{name} is a whole number in its table");
        };
        let default = key.default.parse().ok();
        match self.value(name) {
            None => default,
            Some(value) => match value.as_u64().filter(|n| (least..=most).contains(n)) {
                None => {
                    self.problem(
                        name,
                        format!("must be a whole number from {least} to {most}"),
                    );
                    default
                }
                number => number,
            },
        }
    }

    /// A number within the bounds of its table.
    pub fn number(&mut self, name: &'static str) -> f64 {
        let key = self.of(name);
        let Form::Number(least, most) = key.form else {
            unreachable!("{name} is a number in its table");
        };
        let default = key.default.parse().unwrap_or_default();
        match self.value(name) {
            None => default,
            Some(value) => {
                let number = value.as_f64().filter(|n| (least..=most).contains(n));
                number.unwrap_or_else(|| {
                    self.problem(name, format!("must be a number from {least} to {most}"));
                    default
                })
            }
        }
    }

    /// A length of time. None where it has no default and is not set.
    pub fn duration(&mut self, name: &'static str) -> Option<Duration> {
        const FORM: &str =
            "must be a length of time with its unit, such as 500ms, 10s, 1m30s or 1h";
        let default = duration::parse(self.of(name).default).ok();
        let read = match self.value(name) {
            None => return default,
            Some(Value::Number(number)) if number.as_u64() == Some(0) => Some(Duration::ZERO),
            // A number alone would be nanoseconds to the collector.
            Some(Value::String(text)) if text == "0" || text.ends_with(['h', 'm', 's']) => {
                duration::parse(&text).ok()
            }
            Some(_) => None,
        };
        if read.is_none() {
            self.problem(name, FORM);
        }
        read.or(default)
    }

    /// Bytes: a number of them, or with a unit as in `512MiB`.
    pub fn bytes(&mut self, name: &'static str) -> u64 {
        let default = bytes(self.of(name).default).unwrap_or_default();
        let read = match self.value(name) {
            None => return default,
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => bytes(&text),
            Some(_) => None,
        };
        match read {
            Some(0) => self.problem(name, "must be more than 0"),
            None => self.problem(name, "must be a number of bytes, or a size such as 512MiB"),
            Some(_) => {}
        }
        read.unwrap_or(default)
    }

    /// One of the words of its table, as its place among them.
    pub fn word(&mut self, name: &'static str) -> Option<&'static str> {
        let key = self.of(name);
        let Form::Word(words) = key.form else {
            unreachable!("{name} is a word in its table");
        };
        let default = words.iter().find(|word| **word == key.default).copied();
        let said = match self.value(name) {
            None => return default,
            Some(Value::String(text)) => text,
            // `1.2` of a version.
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => String::new(),
        };
        let known = words.iter().find(|word| **word == said).copied();
        if known.is_none() {
            self.problem(name, format!("must be {}", words.join(" or ")));
        }
        known.or(default)
    }

    /// A list of texts, or the default.
    pub fn texts(&mut self, name: &'static str) -> Vec<String> {
        let place = self.key(name);
        let value = self.values.get(name).cloned().unwrap_or_default();
        let default = self.of(name).default;
        self.report.texts(&place, value).unwrap_or_else(|| {
            let texts = default.split(", ").filter(|text| !text.is_empty());
            texts.map(ToOwned::to_owned).collect()
        })
    }

    /// Names with texts.
    pub fn map(&mut self, name: &'static str) -> Vec<(String, String)> {
        let place = self.key(name);
        let value = self.values.get(name).cloned().unwrap_or_default();
        let members = self.report.members(&place, value);
        let mut pairs = Vec::new();
        for (name, value) in members {
            let at = format!("{place}.{name}");
            match self.report.expanded(&at, value) {
                Some(Expanded { text, .. }) if !text.is_empty() => pairs.push((name, text)),
                _ => self
                    .report
                    .problem(&at, "must be a text; put numbers in quotes"),
            }
        }
        pairs
    }

    /// The value of a member as YAML has it. None where it is not set, or a mistake was noted.
    fn value(&mut self, name: &str) -> Option<Value> {
        self.expanded(name).map(|expanded| expanded.value)
    }

    /// The text of a member as it was written, without what surrounds it.
    fn written(&mut self, name: &str) -> Option<String> {
        let expanded = self.expanded(name)?;
        let is_text = expanded.value.is_string() || !expanded.text.is_empty();
        if !is_text {
            self.problem(name, "must be a text; put a number in quotes");
        }
        let text = expanded.text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn expanded(&mut self, name: &str) -> Option<Expanded> {
        let value = self.values.get(name)?.clone();
        let place = self.key(name);
        self.report.expanded(&place, value)
    }

    fn of(&self, name: &str) -> &'static Key {
        let known = self.keys.iter().find(|key| key.name == name);
        known.unwrap_or_else(|| unreachable!("{name} stands in the table of {}", self.place))
    }
}

/// What is said of a key that is none. A message that names more keys would be cut.
fn unknown(keys: &[Key]) -> String {
    let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
    let names = names.join(", ");
    let known = match names.len() {
        1..140 => format!("; known are {names}"),
        _ => String::new(),
    };
    format!("is not known here: correct or remove it{known}")
}

/// Whether a value asks for something.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    }
}

/// `1024`, `512MiB`.
fn bytes(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let unit = UNITS
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
    let (number, unit) = unit.unwrap_or((text, 1));
    let number = number.trim_end();
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| number.parse::<u64>().ok()?.checked_mul(unit))
        .flatten()
}
