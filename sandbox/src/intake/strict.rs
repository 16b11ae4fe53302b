//! OTLP as JSON, as strictly as Relay 26.9 reads it: with opentelemetry-proto 0.31.
//!
//! Version 0.33, with which the sandbox reads, lets more pass: what it does not refuse is refused here.

use serde_json::Value;

/// What a value may be.
const KINDS: [&str; 7] = [
    "stringValue",
    "boolValue",
    "intValue",
    "doubleValue",
    "arrayValue",
    "kvlistValue",
    "bytesValue",
];

/// Numbers of 64 bits, which are text in JSON.
const WIDE: [&str; 4] = [
    "startTimeUnixNano",
    "endTimeUnixNano",
    "timeUnixNano",
    "observedTimeUnixNano",
];

/// Checks a whole request; `list` is the key of its resources. One fault spoils all of it.
pub(crate) fn check(request: &Value, list: &str) -> Result<(), String> {
    if request.get(list).is_none() {
        return Err(format!("missing field `{list}`"));
    }
    walk(request)
}

fn walk(value: &Value) -> Result<(), String> {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if WIDE.contains(&key.as_str()) && !value.is_string() {
                    return Err(format!("`{key}` is no text"));
                }
                if (key == "value" || key == "body") && value.is_object() {
                    any(value)?;
                }
                if key == "arrayValue"
                    && let Some(values) = value.get("values").and_then(Value::as_array)
                {
                    values.iter().try_for_each(any)?;
                }
                walk(value)?;
            }
            Ok(())
        }
        Value::Array(values) => values.iter().try_for_each(walk),
        _ => Ok(()),
    }
}

fn any(value: &Value) -> Result<(), String> {
    let known = |kind: &&&str| value.get(**kind).is_some();
    let kinds: Vec<&&str> = KINDS.iter().filter(known).collect();
    if kinds.is_empty() {
        return Err("a value of no known kind".to_owned());
    }
    match kinds.iter().find(|kind| value[***kind].is_null()) {
        Some(kind) => Err(format!("`{kind}` is null")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_version_0_31_refuses_is_refused() {
        let of = |value: Value| json!({"resourceSpans": [{"attributes": [{"key": "a", "value": value}]}]});
        let passes = |request: &Value| check(request, "resourceSpans").is_ok();
        assert!(passes(&of(json!({"doubleValue": 1.5}))));
        assert!(passes(&of(
            json!({"arrayValue": {"values": [{"intValue": 1}]}})
        )));
        for value in [
            json!({}),
            json!({"doubleValue": null}),
            json!({"other": 1}),
            json!({"arrayValue": {"values": [{}]}}),
            json!({"kvlistValue": {"values": [{"key": "b", "value": {}}]}}),
        ] {
            assert!(!passes(&of(value.clone())), "{value}");
        }
        assert!(!passes(&json!({})));
        let at = |time: Value| json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"endTimeUnixNano": time}]}]}]});
        assert!(passes(&at(json!("1"))));
        assert!(!passes(&at(json!(1))));
    }
}
