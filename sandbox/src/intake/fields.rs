//! What the fields of an event may hold, and what becomes of the rest.

use crate::intake::outcomes::Remark;
use serde_json::{Map, Value};

/// The longest tag, key or value, and the longest name of a transaction.
pub(crate) const SHORT: usize = 200;

/// Tags with these names are removed: the server keeps their names for itself.
const RESERVED: [&str; 5] = ["release", "dist", "user", "filename", "function"];

/// All others are stored as `other`.
pub(crate) const PLATFORMS: [&str; 19] = [
    "as3",
    "c",
    "cfml",
    "cocoa",
    "csharp",
    "elixir",
    "go",
    "groovy",
    "haskell",
    "java",
    "javascript",
    "native",
    "node",
    "objc",
    "other",
    "perl",
    "php",
    "python",
    "ruby",
];

/// The statuses of a span, in the order of gRPC's codes.
const STATUSES: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal_error",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// The status that a value means, if any.
pub(crate) fn status(value: &Value) -> Option<&'static str> {
    match value {
        Value::Number(code) => {
            let code = usize::try_from(code.as_u64()?).ok()?;
            STATUSES.get(code).copied()
        }
        Value::String(name) => match name.as_str() {
            "unknown_error" | "failure" => Some("internal_error"),
            "success" => Some("ok"),
            name => STATUSES.iter().find(|known| **known == name).copied(),
        },
        _ => None,
    }
}

/// What is left of a text of more than `most` characters.
pub(crate) fn cut(text: &str, most: usize) -> Option<String> {
    (text.chars().count() > most).then(|| {
        let kept: String = text.chars().take(most - 3).collect();
        kept + "..."
    })
}

/// A release that cannot be stored is none.
pub(crate) fn release_stands(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty()
        && text.chars().count() <= SHORT
        && !text.contains(['\n', '\r', '\t', '/', '\\'])
        && !matches!(text, "." | "..")
        && !text.eq_ignore_ascii_case("latest")
}

/// An environment that cannot be stored is none.
pub(crate) fn environment_stands(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= 64
        && !text.contains(['\n', '\r', '\t', '/'])
        && !text.eq_ignore_ascii_case("none")
}

pub(crate) fn level(value: &Value) -> Option<&'static str> {
    let known = ["debug", "info", "warning", "error", "fatal"];
    match value.as_str()? {
        "critical" => Some("fatal"),
        name => known.into_iter().find(|level| *level == name),
    }
}

/// The tags of an event, or of a span if `as_text` has its way with numbers.
pub(crate) fn tags(
    path: &str,
    tags: &Value,
    as_text: fn(&Value) -> Option<String>,
    remarks: &mut Vec<Remark>,
) -> Value {
    let pairs: Vec<(String, Value)> = match tags {
        Value::Object(tags) => tags
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        Value::Array(pairs) => pairs
            .iter()
            .filter_map(|pair| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.clone())))
            .collect(),
        _ => Vec::new(),
    };
    let mut kept = Map::new();
    for (key, value) in pairs {
        let path = format!("{path}.{key}");
        if RESERVED.contains(&key.as_str()) {
            remarks.push(Remark::new(path, "reserved name, removed"));
            continue;
        }
        let Some(name) = name(&path, &key, remarks) else {
            continue;
        };
        let value = tag(&path, &value, as_text, remarks);
        // Of two names that become one, the first wins.
        kept.entry(name).or_insert(value);
    }
    kept.into()
}

fn name(path: &str, key: &str, remarks: &mut Vec<Remark>) -> Option<String> {
    let mut name = key.to_owned();
    if name.contains(' ') {
        remarks.push(Remark::new(path, "blanks become dashes"));
        name = name.replace(' ', "-");
    }
    let good = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if name.is_empty() || !name.chars().all(good) {
        remarks.push(Remark::new(path, "invalid_data"));
        return None;
    }
    if let Some(shorter) = cut(&name, SHORT) {
        remarks.push(Remark::new(path, "!limit"));
        name = shorter;
    }
    Some(name)
}

fn tag(
    path: &str,
    value: &Value,
    as_text: fn(&Value) -> Option<String>,
    remarks: &mut Vec<Remark>,
) -> Value {
    let text = match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => return Value::Null,
        other => as_text(other).inspect(|_| {
            remarks.push(Remark::new(path, "no text"));
        }),
    };
    let Some(text) = text.filter(|text| !text.is_empty() && !text.contains('\n')) else {
        remarks.push(Remark::new(path, "invalid_data"));
        return Value::Null;
    };
    match cut(&text, SHORT) {
        Some(shorter) => {
            remarks.push(Remark::new(path, "!limit"));
            shorter.into()
        }
        None => text.into(),
    }
}

/// An event's tag that is no text: fractions are cut, and booleans are Python's.
pub(crate) fn event_tag(value: &Value) -> Option<String> {
    match value {
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        Value::Number(number) => {
            let text = number.to_string();
            Some(text.split('.').next().unwrap_or_default().to_owned())
        }
        _ => None,
    }
}

/// A span's tag that is no text.
pub(crate) fn span_tag(value: &Value) -> Option<String> {
    (value.is_boolean() || value.is_number()).then(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tags_are_kept_as_far_as_they_can_be() {
        let mut remarks = Vec::new();
        let long = "x".repeat(201);
        let sent = json!({
            "a.b:c-d_1": "v", "release": "1", "two words": "v", "ä": "v", "long": long.clone(),
            "line": "a\nb", "empty": "", "list": [1], "half": 1.5, "yes": true,
        });
        let kept = tags("tags", &sent, event_tag, &mut remarks);
        let shorter = format!("{}...", "x".repeat(197));
        let expected = json!({
            "a.b:c-d_1": "v", "two-words": "v", "long": shorter,
            "line": null, "empty": null, "list": null, "half": "1", "yes": "True",
        });
        assert_eq!(kept, expected);
        assert_eq!(remarks.len(), 9, "{remarks:?}");
        let kept = tags(
            "tags",
            &json!([["half", 1.5], ["yes", true]]),
            span_tag,
            &mut remarks,
        );
        assert_eq!(kept, json!({"half": "1.5", "yes": "true"}));
    }

    #[test]
    fn statuses_are_names_or_codes() {
        for (value, expected) in [
            (json!("ok"), Some("ok")),
            (json!("unknown_error"), Some("internal_error")),
            (json!("success"), Some("ok")),
            (json!(2), Some("unknown")),
            (json!(16), Some("unauthenticated")),
            (json!(99), None),
            (json!("error"), None),
            (json!("OK"), None),
            (json!(null), None),
        ] {
            assert_eq!(status(&value), expected, "{value}");
        }
    }

    #[test]
    fn some_names_stand_for_no_release_and_no_environment() {
        for name in ["1.0", "app@1.0+7", "unknown", "None", "a b", " 1 "] {
            assert!(release_stands(name), "{name}");
        }
        for name in [
            "",
            " ",
            ".",
            "..",
            "Latest",
            "a/b",
            "a\\b",
            "a\nb",
            &"x".repeat(201),
        ] {
            assert!(!release_stands(name), "{name}");
        }
        for name in ["production", "my env"] {
            assert!(environment_stands(name), "{name}");
        }
        for name in ["", "None", "none", "a/b", "a\nb", &"x".repeat(65)] {
            assert!(!environment_stands(name), "{name}");
        }
    }
}
