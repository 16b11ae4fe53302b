//! The tables of keys are what is read.

use super::*;

/// The keys of a table that are read, with the way to each.
fn all(place: &[&str], keys: &'static [Key], found: &mut Vec<(Vec<String>, Form)>) {
    for key in keys {
        let mut way = place.to_vec();
        way.push(key.name);
        match key.form {
            Form::Block(keys) => all(&way, keys, found),
            Form::Idle | Form::Warned | Form::Refused => {}
            form => {
                found.push((way.into_iter().map(ToOwned::to_owned).collect(), form));
            }
        }
    }
}

#[test]
fn each_key_of_the_tables_is_read() {
    let mut keys = Vec::new();
    all(&["receivers", "otlp"], RECEIVER, &mut keys);
    all(&["exporters", "sentry"], EXPORTER, &mut keys);
    assert!(keys.len() > 60, "{}", keys.len());
    for (way, _) in keys {
        // No key has a list of lists.
        let mut value = json!({
            "receivers": {"otlp": {"protocols": {"http": {}}}},
            "exporters": {"sentry": {"org_slug": "a", "url": "https://a", "auth_token": "a"}},
        });
        let mut at = &mut value;
        for name in &way {
            at = &mut at[name];
        }
        *at = json!([[]]);
        let key = way.join(".");
        let told = mistakes(&value.to_string());
        let begin = format!("`{key}` ");
        assert!(
            told.iter().any(|text| text.starts_with(&begin)),
            "{key}: {told:?}"
        );
    }
}

#[test]
fn defaults_are_what_their_keys_take() {
    let mut keys = Vec::new();
    all(&["receivers", "otlp"], RECEIVER, &mut keys);
    all(&["exporters", "sentry"], EXPORTER, &mut keys);
    let default = |keys: &'static [Key], way: &[String]| {
        let mut keys = keys;
        for name in way {
            let key = keys.iter().find(|key| key.name == name).expect("a key");
            match key.form {
                Form::Block(below) => keys = below,
                _ => return key.default,
            }
        }
        ""
    };
    for (way, form) in keys {
        let table = if way[0] == "receivers" {
            RECEIVER
        } else {
            EXPORTER
        };
        let text = default(table, &way[2..]);
        if text.is_empty() || matches!(form, Form::Texts) {
            continue;
        }
        let mut value = json!({
            "receivers": {"otlp": {"protocols": {"http": {}}}},
            "exporters": {"sentry": {
                "org_slug": "a", "url": "https://a", "auth_token": "a", "spool": "/a",
            }},
        });
        let mut at = &mut value;
        for name in &way {
            at = &mut at[name];
        }
        *at = yaml::parse(text).expect("YAML");
        if matches!(form, Form::Word(_)) {
            *at = json!(text);
        }
        let told = parse(&value.to_string())
            .map(|_| ())
            .map_err(|error| error.to_string());
        // A certificate is not there, but its version is right.
        let right = told.is_ok()
            || told
                .as_ref()
                .is_err_and(|text| !text.contains(&way.join(".")));
        assert!(right, "{}: {told:?}", way.join("."));
    }
}
