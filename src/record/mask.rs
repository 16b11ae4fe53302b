//! Masks personal data in records.

use crate::streams::personal;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use tap_sentry_api::time::parse_instant;

/// How a masked value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskMode {
    /// Text becomes the SHA-256 of salt and text, in hexadecimal: rows can still be joined. Anything else, and times,
    /// become `null`.
    Hash,
    Null,
}

/// What to mask in every stream.
#[derive(Debug, Clone)]
pub struct Masking {
    /// Stream (`*`: any) and path below the record (`*`: any key or element).
    pub paths: Vec<(String, Vec<String>)>,
    /// E-mail and IP addresses, user names and names, avatars, request headers and cookies, at every depth.
    pub preset: bool,
    pub mode: MaskMode,
    pub salt: String,
}

/// What to mask in the records of one stream.
#[derive(Debug, Clone)]
pub struct Mask {
    paths: Vec<Vec<String>>,
    preset: bool,
    mode: MaskMode,
    salt: String,
    /// The columns of the key.
    keep: Vec<String>,
    /// What becomes `null` whatever the mode.
    secrets: &'static [&'static [&'static str]],
}

impl Mask {
    /// `None` when nothing is masked in the stream. `keep` are the columns of the key, which are never masked.
    pub fn new(
        stream: &str,
        keep: &[String],
        masking: Option<&Masking>,
        secrets: &'static [&'static [&'static str]],
    ) -> Option<Self> {
        let paths = masking.iter().flat_map(|masking| &masking.paths);
        let paths: Vec<Vec<String>> = paths
            .filter(|(name, _)| name == "*" || name == stream)
            .map(|(_, path)| path.clone())
            .collect();
        let preset = masking.is_some_and(|masking| masking.preset);
        (preset || !paths.is_empty() || !secrets.is_empty()).then(|| Self {
            paths,
            preset,
            mode: masking.map_or(MaskMode::Null, |masking| masking.mode),
            salt: masking.map_or_else(String::new, |masking| masking.salt.clone()),
            keep: keep.to_vec(),
            secrets,
        })
    }

    pub fn apply(&self, record: &mut Map<String, Value>) {
        for path in self.secrets {
            forget(record, path);
        }
        for (name, value) in record
            .iter_mut()
            .filter(|(name, _)| !self.keep.contains(name))
        {
            for path in self
                .paths
                .iter()
                .filter(|path| path[0] == *name || path[0] == "*")
            {
                self.mask_path(value, &path[1..]);
            }
        }
        // A column may be named by a path.
        for path in self.paths.iter().filter(|path| path.len() > 1) {
            let name = path.join(".");
            if let Some(value) = record.get_mut(&name).filter(|_| !self.keep.contains(&name)) {
                self.mask(value);
            }
        }
        if self.preset {
            let kept: Vec<(String, Value)> = self
                .keep
                .iter()
                .filter_map(|key| Some((key.clone(), record.get(key)?.clone())))
                .collect();
            self.mask_personal("", record);
            record.extend(kept);
        }
    }

    fn mask(&self, value: &mut Value) {
        *value = match value {
            Value::String(text) if self.mode == MaskMode::Hash && parse_instant(text).is_err() => {
                let digest = Sha256::new()
                    .chain_update(self.salt.as_bytes())
                    .chain_update(text.as_bytes())
                    .finalize();
                json!(digest.iter().fold(String::new(), |mut hex, b| {
                    let _ = write!(hex, "{b:02x}");
                    hex
                }))
            }
            _ => Value::Null,
        };
    }

    fn mask_path(&self, value: &mut Value, path: &[String]) {
        let Some((first, rest)) = path.split_first() else {
            return self.mask(value);
        };
        match value {
            Value::Object(map) => {
                for (_, value) in map
                    .iter_mut()
                    .filter(|(key, _)| first == "*" || first == *key)
                {
                    self.mask_path(value, rest);
                }
            }
            // A list may be named or passed over: `entries.*.data` and `entries.data` are the same.
            Value::Array(items) => {
                let rest = if first == "*" { rest } else { path };
                for item in items {
                    self.mask_path(item, rest);
                }
            }
            _ => {}
        }
    }

    /// Masks by the preset in an object that stands under the key `place`.
    fn mask_personal(&self, place: &str, map: &mut Map<String, Value>) {
        let (kind, team) = personal::TEAM;
        let is_team = map.get(kind).is_some_and(|kind| kind == team);
        let is_person = (personal::PEOPLE.contains(&place) && !is_team)
            || map
                .keys()
                .any(|key| is_email(key) || personal::PERSON_KEYS.contains(&key.as_str()));
        let is_tag = map
            .get(personal::TAG)
            .and_then(Value::as_str)
            .is_some_and(|key| personal::TAGS.contains(&key));
        for (key, value) in map.iter_mut() {
            if personal::KEYS.contains(&key.as_str())
                || is_email(key)
                || (place.is_empty() && is_of_a_person(key, value))
                || (is_person && key == personal::PERSON_NAME)
                || (is_tag && personal::TAG_VALUES.contains(&key.as_str()))
            {
                self.mask(value);
            } else {
                self.mask_personal_inside(key, value);
            }
        }
    }

    fn mask_personal_inside(&self, place: &str, value: &mut Value) {
        match value {
            Value::Object(map) => self.mask_personal(place, map),
            Value::Array(items) => {
                for item in items {
                    self.mask_personal_inside(place, item);
                }
            }
            _ => {}
        }
    }
}

/// Whether a column that is named by a path, as those of `explore` are, is about a person: `user.username`, `user`.
fn is_of_a_person(key: &str, value: &Value) -> bool {
    let mut names = key.split(['.', '[', ']']).filter(|name| !name.is_empty());
    let is_tag = || {
        let mut tags = personal::TAGS.iter();
        tags.any(|tag| key == format!("tags[{tag}]"))
    };
    let is_personal = |name: &str| name == personal::PERSON || personal::KEYS.contains(&name);
    (key.contains(['.', '[']) && (names.any(is_personal) || is_tag()))
        || (key == personal::PERSON && value.is_string())
        || personal::ADDRESSES.contains(&key)
}

fn is_email(key: &str) -> bool {
    key.to_ascii_lowercase().ends_with(personal::KEY_ENDING)
}

/// Makes what stands there `null`.
fn forget(map: &mut Map<String, Value>, path: &[&str]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    match map.get_mut(*first) {
        Some(Value::Object(inner)) if !rest.is_empty() => forget(inner, rest),
        Some(value) => *value = Value::Null,
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masking(paths: &[(&str, &str)], preset: bool, mode: MaskMode) -> Masking {
        let paths = paths
            .iter()
            .map(|(stream, path)| {
                (
                    (*stream).to_owned(),
                    path.split('.').map(str::to_owned).collect(),
                )
            })
            .collect();
        Masking {
            paths,
            preset,
            mode,
            salt: "s".to_owned(),
        }
    }

    fn apply(mask: &Mask, record: Value) -> Value {
        let Value::Object(mut record) = record else {
            panic!("an object")
        };
        mask.apply(&mut record);
        Value::Object(record)
    }

    #[test]
    fn a_path_is_masked_through_lists_and_keys_never() {
        let masking = masking(
            &[
                ("events", "entries.data.headers"),
                ("*", "id"),
                ("events", "user.*"),
            ],
            false,
            MaskMode::Null,
        );
        let mask = Mask::new("events", &["id".to_owned()], Some(&masking), &[]).expect("masks");
        let record = json!({"id": "1", "entries": [{"type": "request", "data": {"headers": [["a", "b"]], "url": "u"}}], "user": {"id": "7", "x": 1}});
        let masked = json!({"id": "1", "entries": [{"type": "request", "data": {"headers": null, "url": "u"}}], "user": {"id": null, "x": null}});
        assert_eq!(apply(&mask, record), masked);
        assert!(
            Mask::new(
                "teams",
                &[],
                Some(&Masking {
                    paths: vec![("events".to_owned(), vec!["x".to_owned()])],
                    ..masking
                }),
                &[],
            )
            .is_none()
        );
    }

    #[test]
    fn a_hash_is_salted_and_the_same_for_the_same_text() {
        let masking = masking(&[("*", "a"), ("*", "b"), ("*", "t")], false, MaskMode::Hash);
        let mask = Mask::new("x", &[], Some(&masking), &[]).expect("masks");
        let masked = apply(
            &mask,
            json!({"a": "me", "b": "me", "t": "2026-01-01T00:00:00Z"}),
        );
        // printf 'sme' | sha256sum
        assert_eq!(masked["a"].as_str().map(str::len), Some(64));
        assert_eq!(masked["a"], masked["b"]);
        assert_ne!(masked["a"], json!("me"));
        assert_eq!(
            masked["t"],
            Value::Null,
            "a time would no longer fit its column"
        );
    }

    #[test]
    fn a_secret_is_null_whatever_else_is_masked() {
        const SECRETS: &[&[&str]] = &[&["secret"], &["dsn", "secret"], &["none", "x"]];
        let record = json!({"id": "1", "secret": "s", "dsn": {"secret": "s", "public": "p"}});
        let masked = json!({"id": "1", "secret": null, "dsn": {"secret": null, "public": "p"}});
        let mask = Mask::new("x", &["id".to_owned()], None, SECRETS).expect("masks");
        assert_eq!(apply(&mask, record.clone()), masked);
        let hashed = masking(&[("*", "secret")], false, MaskMode::Hash);
        let mask = Mask::new("x", &["id".to_owned()], Some(&hashed), SECRETS).expect("masks");
        assert_eq!(apply(&mask, record), masked);
    }

    #[test]
    fn the_preset_finds_people_at_every_depth() {
        let mask = Mask::new(
            "events",
            &["id".to_owned()],
            Some(&masking(&[], true, MaskMode::Null)),
            &[],
        )
        .expect("masks");
        let record = json!({
            "id": "1",
            "user": {"id": "2", "email": "a@b", "username": "a", "ip_address": "::1", "name": "A"},
            "project": {"name": "API"},
            "tags": [{"key": "user", "value": "email:a@b", "query": "user.email:a@b"}, {"key": "os", "value": "Linux"}],
            "entries": [{"type": "request", "data": {"headers": [["Cookie", "x"]], "cookies": [["a", "b"]], "url": "u"}}],
        });
        let text = apply(&mask, record).to_string();
        assert!(
            !text.contains("a@b")
                && !text.contains("::1")
                && !text.contains("Cookie")
                && !text.contains(r#""A""#),
            "{text}"
        );
        assert!(
            text.contains("API") && text.contains("Linux") && text.contains(r#""id":"2""#),
            "{text}"
        );
    }
}
