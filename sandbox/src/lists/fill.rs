//! Rows as files describe them, filled in: `{name}` in a text is what the name stands for, `{name#}` alone a number.
//!
//! Beside the names of the place: `{n}` counts the rows of a template, `{i}` what they are made for; `{ago:90}` is an
//! instant 90 minutes ago, `{ago:90+15n}` 15 more for each row before, `{hash}`, `{sha1}` and `{uuid}` are of the place and the row.

use crate::window;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What the names of one row stand for.
pub struct Filling<'a> {
    pub names: &'a BTreeMap<String, String>,
    /// When the data was made.
    pub began: DateTime<Utc>,
    /// For messages.
    pub list: &'a str,
}

impl Filling<'_> {
    pub fn object(&self, template: &Map<String, Value>) -> Map<String, Value> {
        let filled = template.iter();
        filled
            .map(|(name, value)| (name.clone(), self.value(value)))
            .collect()
    }

    pub fn value(&self, template: &Value) -> Value {
        match template {
            Value::String(text) => {
                let number = text.strip_prefix('{').and_then(|t| t.strip_suffix("#}"));
                match number {
                    Some(name) => {
                        let text = self.name(name);
                        let number: i64 = text.parse().unwrap_or_else(|_| self.wrong(name));
                        json!(number)
                    }
                    None => Value::String(self.text(text)),
                }
            }
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => Value::Object(self.object(map)),
            other => other.clone(),
        }
    }

    fn text(&self, template: &str) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            out.push_str(before);
            out.push_str(&self.name(name));
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn name(&self, name: &str) -> String {
        if let Some(value) = self.names.get(name) {
            return value.clone();
        }
        if let Some(minutes) = name.strip_prefix("ago:") {
            let number = |text: &str| text.parse::<i64>().unwrap_or_else(|_| self.wrong(name));
            let minutes = match minutes.strip_suffix('n').and_then(|m| m.split_once('+')) {
                Some((first, each)) => number(first) + number(each) * number(&self.name("n")),
                None => number(minutes),
            };
            return window::text(self.began - TimeDelta::minutes(minutes));
        }
        let digest = format!("{:032x}", self.digest());
        match name {
            "hash" => digest,
            "sha1" => format!("{digest}{}", &digest[..8]),
            "uuid" => format!(
                "{}-{}-4{}-8{}-{}",
                &digest[..8],
                &digest[8..12],
                &digest[13..16],
                &digest[17..20],
                &digest[20..]
            ),
            _ => self.wrong(name),
        }
    }

    fn wrong(&self, name: &str) -> ! {
        panic!(
            "sandbox/lists/{}.json: {{{name}}} stands for nothing",
            self.list
        )
    }

    /// FNV-1a, of 128 bits: the same for the same names, on every machine.
    fn digest(&self) -> u128 {
        // Whatever else is listed beside it.
        let names = self.names.iter().filter(|(name, _)| *name != "i");
        let text = names.flat_map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes(), b"\0"]);
        let bytes = text.flatten().chain(self.list.as_bytes());
        let offset = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
        bytes.fold(offset, |digest, byte| {
            (digest ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        })
    }
}
