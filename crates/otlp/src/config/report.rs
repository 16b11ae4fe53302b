//! What was found on the way through the file: mistakes, surprises, secrets.

use crate::config::expand::{Expanded, Lookup, expand};
use secrecy::SecretString;
use serde_json::{Map, Value};
use tap_sentry_settings::problem::Problem;

/// What was found on the way through the file.
pub struct Report<'v> {
    pub problems: Vec<Problem>,
    /// What is passed over, or may be a surprise.
    pub warnings: Vec<Problem>,
    /// What no line may show.
    pub secrets: Vec<SecretString>,
    variables: Lookup<'v>,
}

impl<'v> Report<'v> {
    pub fn new(variables: Lookup<'v>) -> Self {
        Self {
            problems: Vec::new(),
            warnings: Vec::new(),
            secrets: Vec::new(),
            variables,
        }
    }

    pub fn problem(&mut self, key: &str, text: impl Into<String>) {
        self.problems.push(Problem::new(key, text));
    }

    pub fn warning(&mut self, key: &str, text: impl Into<String>) {
        self.warnings.push(Problem::new(key, text));
    }

    /// The members of a block that has no fixed keys, such as the list of all exporters. Nothing has none.
    pub fn members(&mut self, place: &str, value: Value) -> Map<String, Value> {
        match self.expanded(place, value).map(|expanded| expanded.value) {
            Some(Value::Object(members)) => members,
            Some(_) => {
                self.problem(place, "must be keys with values, one on each line");
                Map::new()
            }
            None => Map::new(),
        }
    }

    /// The texts of a list; nothing has none.
    pub fn texts(&mut self, place: &str, value: Value) -> Option<Vec<String>> {
        let Value::Array(items) = self.expanded(place, value)?.value else {
            self.problem(place, "must be a list of texts, as [a, b]");
            return None;
        };
        let mut texts = Vec::new();
        for item in items {
            match self.expanded(place, item) {
                Some(Expanded {
                    value: Value::String(_),
                    text,
                }) => texts.push(text),
                // What an environment variable holds is a text here, whatever it looks like.
                Some(Expanded { text, .. }) if !text.is_empty() => texts.push(text),
                _ => self.problem(place, "must be a list of texts; put numbers in quotes"),
            }
        }
        Some(texts)
    }

    /// A value with its variables expanded. None where it is null, or a mistake was noted.
    pub fn expanded(&mut self, place: &str, value: Value) -> Option<Expanded> {
        let Value::String(text) = value else {
            let text = String::new();
            return (!value.is_null()).then_some(Expanded { value, text });
        };
        match expand(&text, self.variables) {
            Ok(Some(expanded)) if expanded.value.is_null() => None,
            Ok(Some(expanded)) => Some(expanded),
            Ok(None) => Some(Expanded {
                value: Value::String(text.clone()),
                text,
            }),
            Err(error) => {
                self.problem(place, error.to_string());
                None
            }
        }
    }
}
