//! Where settings come from: files in their order, then `.env`, then the environment. A later source wins, but what is
//! empty there is not set, and nothing may undo what narrows or masks without saying so.

use crate::dotenv;
use crate::file;
use crate::names::meant;
use crate::problem::{Problem, SettingsError};
use crate::program::{OldName, Program};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tap_sentry_api::text::brief;

/// What Meltano and Kubernetes set under our prefix for purposes of their own, and the log's level.
fn is_others(variable: &str) -> bool {
    let name = variable.to_lowercase();
    let of_kubernetes = name == "port"
        || name.starts_with("port_")
        || name.ends_with("_port")
        || name.contains("_port_");
    name.starts_with('_')
        || name == "loglevel"
        // People name the variable so that fills in Meltano's own `pip_url`.
        || name == "pip_url"
        || of_kubernetes
        || name.ends_with("service_host")
        || name.contains("service_port")
}

/// Settings as they come together, each with the source that it is from.
struct Merged<'p> {
    program: &'p Program,
    values: Map<String, Value>,
    from: Map<String, Value>,
    problems: Vec<Problem>,
    written: BTreeMap<String, String>,
    unused: Vec<String>,
}

impl<'p> Merged<'p> {
    fn new(program: &'p Program) -> Self {
        Self {
            program,
            values: Map::new(),
            from: Map::new(),
            problems: Vec::new(),
            written: BTreeMap::new(),
            unused: Vec::new(),
        }
    }

    /// One setting of a source by an old name.
    fn set_old(&mut self, source: &str, name: &str, old: OldName, value: Value) {
        if is_unset(&value) {
            return;
        }
        let Some(key) = old.setting else {
            if !self.unused.iter().any(|known| known == name) {
                self.unused.push(name.to_owned());
            }
            return;
        };
        let value = match (old.read, &value) {
            (None, _) => Ok(value),
            (Some(read), Value::String(text)) => read(text.trim()),
            (Some(read), other) => read(&other.to_string()),
        };
        match value {
            Ok(value) => {
                self.set(source, name, key, value);
                self.written.insert(key.to_owned(), name.to_owned());
            }
            Err(text) => self.problems.push(Problem::new(name, text)),
        }
    }

    /// A setting must not be given twice in one source, by an old name and by another: which of both is meant nobody can
    /// tell.
    fn check_twice(&mut self, source: &str, set: &[(&str, &str, &Value)]) {
        for (place, (key, name, value)) in set.iter().enumerate() {
            let mut earlier = set[..place].iter();
            let other = earlier.find(|(known, _, text)| known == key && text != value);
            if let Some((_, other, _)) = other {
                let text = format!(
                    "in {source} says something else than `{other}`, which means the same; remove one of them"
                );
                self.problems.push(Problem::new(name, text));
            }
        }
    }

    /// One setting of a source. `name` is what it is called there.
    fn set(&mut self, source: &str, name: &str, key: &str, value: Value) {
        let mut problem = |text: String| {
            self.problems.push(Problem {
                key: name.to_owned(),
                text,
            });
        };
        if is_unset(&value) {
            return;
        }
        if !self.program.is_setting(key) {
            let is_variable = name.starts_with(self.program.prefix);
            match meant(self.program, key) {
                None if self.program.strict && !is_variable => problem(format!(
                    "in {source} is not a setting: correct or remove it"
                )),
                Some(meant) => problem(format!(
                    "in {source} is not a setting, but `{meant}` is: rename or remove it"
                )),
                None => log::warn!(
                    "the setting `{}` in {source} is unknown and has no effect",
                    brief(name)
                ),
            }
            return;
        }
        if self.program.narrows(key) && holds_nothing(&value) {
            let earlier = self
                .values
                .get(key)
                .filter(|earlier| !holds_nothing(earlier))
                .map(|_| &self.from[key]);
            let all = match key {
                "organization" => "write [\"*\"] for all organizations, or leave it out",
                "project_slugs" => "write [\"*\"] for all projects, or leave it out",
                _ => "leave it out, or remove the other",
            };
            match earlier {
                Some(from) => problem(format!(
                    "is empty in {source}, but {} sets it; {all}",
                    from.as_str().unwrap_or_default()
                )),
                None if value == json!([]) => {}
                None => problem(format!(
                    "in {source} contains only blanks; set a value, or leave it out"
                )),
            }
            return;
        }
        let (key, value) = match (self.program.secret_in_file(key), value.as_str()) {
            (Some(secret), Some(path)) => match secret_of(Path::new(path.trim())) {
                Ok(value) => (secret, json!(value)),
                Err(text) => {
                    self.problems.push(Problem::new(name, text));
                    return;
                }
            },
            _ => (key, value),
        };
        self.values.insert(key.to_owned(), value);
        self.from.insert(key.to_owned(), json!(source));
        self.written.remove(key);
    }

    /// A secret must not be given twice in one source: which of both is meant nobody can tell.
    fn check_secrets(&mut self, source: &str, keys: &[&str]) {
        for key in keys {
            if let Some(secret) = self
                .program
                .secret_in_file(key)
                .filter(|secret| keys.iter().any(|key| canonical(key) == *secret))
            {
                let text =
                    format!("is set together with `{secret}` in {source}; remove one of them");
                self.problems.push(Problem::new(key, text));
            }
        }
    }

    /// A variable that is almost one of ours has no effect, as for other taps; where it would narrow, it is refused.
    fn check_spelling(&mut self, source: &str, variable: &str) {
        let plain = |name: &str| {
            let kept = name.chars().filter(char::is_ascii_alphanumeric);
            kept.collect::<String>().to_uppercase()
        };
        let prefix = plain(self.program.prefix);
        let asked = plain(variable);
        let asked = asked.strip_prefix("ENV").unwrap_or(&asked);
        let Some(asked) = asked.strip_prefix(&prefix) else {
            return;
        };
        let properties = self.program.schema["properties"].as_object();
        let mut keys = properties
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str());
        let key = keys.find(|key| plain(key) == asked);
        let written = variable.to_uppercase();
        let written = written.strip_prefix(self.program.prefix).unwrap_or(asked);
        if is_others(written) {
            return;
        }
        if let Some(key) = key.or_else(|| meant(self.program, asked)) {
            let prefix = self.program.prefix;
            let text = format!(
                "in {source} is not read; write {prefix}{}",
                key.to_uppercase()
            );
            self.problems.push(Problem::new(variable, text));
        }
    }
}

/// The members of an object as they stand in it, so that one which stands twice counts as one of a later source does.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        object.deserialize_map(InOrder)
    }
}

/// `null` and blank texts: so arrives what a template or a shell did not fill in.
fn is_unset(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// A list, or a text of commas, that names nothing.
fn holds_nothing(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_unset),
        Value::String(text) => text.split(',').all(|part| part.trim().is_empty()),
        _ => false,
    }
}

/// The last of each name.
fn distinct<'a>(pairs: &[(&'a str, &'a str, &'a Value)]) -> Vec<(&'a str, &'a str, &'a Value)> {
    let is_last = |(place, (_, name, _)): &(usize, &(&str, &str, &Value))| {
        let mut later = pairs[place + 1..].iter();
        later.all(|(_, other, _)| other != name)
    };
    let kept = pairs.iter().enumerate().filter(is_last);
    kept.map(|(_, pair)| *pair).collect()
}

/// The token's other name counts in the source where its own is not set.
fn canonical(name: &str) -> &str {
    if name == "auth_token" {
        "api_token"
    } else {
        name
    }
}

/// What a file with a secret holds, without the line's end.
///
/// # Errors
/// When it cannot be read or is empty, as it goes on behind the key.
pub fn secret_of(path: &Path) -> Result<String, String> {
    let text =
        file::read(path).map_err(|error| format!("names a file that cannot be used: {error}"))?;
    match text.trim() {
        "" => Err(format!("names {}, which is empty", path.display())),
        text => Ok(text.to_owned()),
    }
}

/// Reads the sources in order, later ones winning; `ENV` stands for `.env` and the environment, which win over files.
///
/// Returns the settings, and what is wrong with the sources of single ones.
///
/// # Errors
/// The first file that cannot be read or is not a JSON object.
pub fn load(
    program: &Program,
    sources: &[String],
) -> Result<(Map<String, Value>, Vec<Problem>), SettingsError> {
    let mut merged = Merged::new(program);
    for source in sources.iter().filter(|source| *source != "ENV") {
        merged.file(source)?;
    }
    if sources.iter().any(|source| source == "ENV") {
        merged.environment()?;
    }
    Ok((merged.values, merged.problems))
}

/// Settings of one file whose content is read already, and then of `.env` and the environment if `environment`, which
/// win. `source` is the file's name.
///
/// # Errors
/// When `.env` cannot be read.
pub fn merge(
    program: &Program,
    file: Option<(&str, Map<String, Value>)>,
    environment: bool,
) -> Result<Found, SettingsError> {
    let mut merged = Merged::new(program);
    if let Some((source, members)) = file {
        merged.members(source, &members.into_iter().collect::<Vec<_>>());
    }
    if environment {
        merged.environment()?;
    }
    Ok(Found {
        values: merged.values,
        problems: merged.problems,
        written: merged.written,
        unused: merged.unused,
    })
}

/// What was found in the sources.
#[derive(Debug, Default)]
pub struct Found {
    /// The settings.
    pub values: Map<String, Value>,
    /// What is wrong with the sources of single ones.
    pub problems: Vec<Problem>,
    /// The settings that are set by an old name, with it.
    pub written: BTreeMap<String, String>,
    /// Old names that are set and have no meaning any more.
    pub unused: Vec<String>,
}

/// Sentry's own variable, for where no other token is given.
const FALLBACK_TOKEN: &str = "SENTRY_AUTH_TOKEN";

impl Merged<'_> {
    fn file(&mut self, source: &str) -> Result<(), SettingsError> {
        let path = Path::new(source);
        let text = file::read(path)?;
        if !file::parse_json(path, &text)?.is_object() {
            let problem = Problem::new(source, "must hold a JSON object of settings");
            return Err(SettingsError::Problems(vec![problem]));
        }
        let Members(members) = serde_json::from_str(&text).expect("it is an object");
        self.members(source, &members);
        Ok(())
    }

    /// The settings of a file, in its order.
    fn members(&mut self, source: &str, members: &[(String, Value)]) {
        let is_token = |name: &str| {
            let old = self.program.old_key(name);
            canonical(name) == "api_token"
                || old.is_some_and(|old| old.setting == Some("api_token"))
        };
        if members.iter().any(|(name, _)| is_token(name)) {
            warn_if_readable(Path::new(source));
        }
        let set = members.iter().filter(|(_, value)| !is_unset(value));
        let mut keys = Vec::new();
        let mut pairs = Vec::new();
        for (name, value) in set {
            let old = self.program.old_key(name);
            let key = old.map_or(Some(name.as_str()), |old| old.setting);
            keys.extend(key);
            if let Some(key) = key {
                pairs.push((canonical(key), name.as_str(), value));
            }
        }
        self.check_secrets(source, &keys);
        let own_name = keys.contains(&"api_token");
        pairs.retain(|(_, name, _)| !(own_name && *name == "auth_token"));
        self.check_twice(source, &distinct(&pairs));
        for (name, value) in members {
            if let Some(old) = self.program.old_key(name) {
                self.set_old(source, name, old, value.clone());
            } else if !(own_name && name == "auth_token") {
                self.set(source, name, canonical(name), value.clone());
            }
        }
    }

    /// `.env`, and then the environment.
    fn environment(&mut self) -> Result<(), SettingsError> {
        let prefix = self.program.prefix;
        let mut fallback = None;
        if let Some((path, variables)) = dotenv::nearest(prefix)? {
            let holds_token = |name: &str| {
                let setting = name.strip_prefix(prefix).map(str::to_lowercase);
                let old = self.program.old_variable(name);
                name == FALLBACK_TOKEN
                    || old.is_some_and(|old| old.setting == Some("api_token"))
                    || setting.is_some_and(|name| canonical(&name) == "api_token")
            };
            if variables.iter().any(|(name, _)| holds_token(name)) {
                warn_if_readable(&path);
            }
            self.variables(&path.display().to_string(), variables, &mut fallback);
        }
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str() else { continue };
            let is_old = self.program.old_variable(name).is_some();
            if !name.starts_with(prefix) && name != FALLBACK_TOKEN && !is_old {
                self.check_spelling("the environment", name);
                continue;
            }
            match value.into_string() {
                Ok(value) => variables.push((name.to_owned(), value)),
                Err(_) if name.strip_prefix(prefix).is_some_and(is_others) => {}
                Err(_) => self
                    .problems
                    .push(Problem::new(name, "is not UTF-8; set it again")),
            }
        }
        variables.sort();
        self.variables("the environment", variables, &mut fallback);
        if let Some(token) = fallback.filter(|_| !self.values.contains_key("api_token")) {
            self.values.insert("api_token".to_owned(), json!(token));
        }
        Ok(())
    }

    /// Those of one source. `fallback` is the token that counts where no other is given.
    fn variables(
        &mut self,
        source: &str,
        variables: Vec<(String, String)>,
        fallback: &mut Option<String>,
    ) {
        // Of a name that stands several times the last counts.
        let mut last: Vec<(String, String)> = Vec::new();
        for (name, value) in variables
            .into_iter()
            .filter(|(_, value)| !value.trim().is_empty())
        {
            last.retain(|(known, _)| *known != name);
            last.push((name, value));
        }
        let mut settings = Vec::new();
        let mut olds = Vec::new();
        for (name, value) in &last {
            if let Some(old) = self.program.old_variable(name) {
                olds.push((old, name, json!(value)));
                continue;
            }
            if name == FALLBACK_TOKEN {
                *fallback = Some(value.clone());
            }
            let setting = name.strip_prefix(self.program.prefix);
            if setting.is_none() {
                self.check_spelling(source, name);
            }
            if let Some(setting) = setting.filter(|setting| !is_others(setting)) {
                settings.push((setting.to_lowercase(), name, value));
            }
        }
        let mut keys: Vec<&str> = settings.iter().map(|(key, ..)| key.as_str()).collect();
        keys.extend(olds.iter().filter_map(|(old, ..)| old.setting));
        self.check_secrets(source, &keys);
        let own_name = keys.contains(&"api_token");
        settings.retain(|(setting, ..)| !(own_name && setting == "auth_token"));
        let texts: Vec<Value> = settings.iter().map(|(_, _, value)| json!(value)).collect();
        let own = settings.iter().zip(&texts);
        let mut pairs: Vec<(&str, &str, &Value)> = own
            .map(|((key, name, _), text)| (canonical(key), name.as_str(), text))
            .collect();
        let of_old = olds
            .iter()
            .filter_map(|(old, name, text)| Some((old.setting?, name.as_str(), text)));
        pairs.extend(of_old);
        self.check_twice(source, &pairs);
        for (old, name, value) in &olds {
            let kind = old.setting.map(|key| self.program.kind(key));
            let value = match (old.read, kind, value.as_str()) {
                (None, Some(kind), Some(text)) => typed(text, kind),
                _ => value.clone(),
            };
            self.set_old(source, name, *old, value);
        }
        for (setting, name, value) in &settings {
            let key = canonical(setting);
            let value = typed(value, self.program.kind(key));
            self.set(source, name, key, value);
        }
    }
}

/// A text as the type of its setting. What does not fit stays text, for the validation to refuse.
pub fn typed(text: &str, kind: &str) -> Value {
    let parsed = match kind {
        "integer" => text.trim().parse::<i64>().ok().map(Value::from),
        "number" => text
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::from),
        "boolean" => match text.trim().to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(json!(true)),
            "false" | "0" | "no" | "off" => Some(json!(false)),
            _ => None,
        },
        "array" | "object" => serde_json::from_str(text).ok().filter(Value::is_array),
        _ => None,
    };
    parsed.unwrap_or_else(|| json!(text))
}

/// A file with the token should be its owner's alone. What Meltano writes for a run is its own affair.
fn warn_if_readable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let system = std::env::var_os("MELTANO_SYS_DIR_ROOT").map(PathBuf::from);
    let of_meltano = path.canonicalize().is_ok_and(|path| {
        let below = |root: &PathBuf| root.canonicalize().is_ok_and(|root| path.starts_with(root));
        path.components().any(|part| part.as_os_str() == ".meltano")
            || system.as_ref().is_some_and(below)
    });
    let by_meltano = of_meltano && std::env::var_os("MELTANO_EXTRACTOR_NAME").is_some();
    if !by_meltano
        && std::fs::metadata(path)
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o044 != 0)
    {
        log::warn!(
            "{} holds the token and can be read by other users: chmod 600 it",
            path.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn program() -> Program {
        let text = json!({"type": "string"});
        let secret = json!({"type": "string", "secret": true});
        let list = json!({"type": "array"});
        Program {
            prefix: "TAP_SENTRY_",
            schema: json!({"properties": {
                "api_token": secret, "api_token_file": text, "start_date": text, "end_date": text,
                "base_url": text, "organization": text, "project_slugs": list,
                "exclude_project_slugs": list, "mask_fields": list,
                "concurrency": {"type": "integer"}, "rate_limit": {"type": "number"},
                "fetch_event_details": {"type": "boolean"}, "proxy_url": secret,
                "flattening_enabled": {"type": "boolean"}, "ca_certificate": text,
            }}),
            strict: false,
            narrowing: &["mask_fields"],
            other_names: &[
                ("mask_fields", &["pii"]),
                ("mask_personal_data", &[]),
                ("end_date", &[]),
            ],
            other_parts: &[("mask_fields", &["mask"])],
            old_names: Vec::new(),
        }
    }

    #[rstest]
    #[case("organization_id_or_slug", Some("organization"))]
    #[case("organisation", Some("organization"))]
    #[case("Organization", Some("organization"))]
    #[case("org-slug", Some("organization"))]
    #[case("project_slug", Some("project_slugs"))]
    #[case("projectSlugs", Some("project_slugs"))]
    #[case("exclude_projects", Some("exclude_project_slugs"))]
    #[case("excluded_project_slugs", Some("exclude_project_slugs"))]
    #[case("api_url", Some("base_url"))]
    #[case("hostname", Some("base_url"))]
    #[case("mask_field", Some("mask_fields"))]
    #[case("mask_personal_datas", Some("mask_personal_data"))]
    #[case("end_dat", Some("end_date"))]
    #[case("auth_tokn", None)]
    #[case("organization_slug", Some("organization"))]
    #[case("TAP_SENTRY_ORGANIZATION_NAME", Some("organization"))]
    #[case("exclude", Some("exclude_project_slugs"))]
    #[case("excluded_project_names", Some("exclude_project_slugs"))]
    #[case("project_filter", Some("project_slugs"))]
    #[case("sentry_base_url", Some("base_url"))]
    #[case("api_base", Some("base_url"))]
    #[case("mask_emails", Some("mask_fields"))]
    #[case("pii", Some("mask_fields"))]
    #[case("skip_slugs", Some("exclude_project_slugs"))]
    #[case("skip_ssl_verification", None)]
    #[case("reason", None)]
    #[case("stream_maps", None)]
    #[case("stream_map_config", None)]
    #[case("faker_config", None)]
    #[case("batch_config", None)]
    #[case("load_method", None)]
    #[case("add_record_metadata", None)]
    #[case("disable_collection", None)]
    fn a_name_that_is_near_one_that_narrows(#[case] name: &str, #[case] expected: Option<&str>) {
        assert_eq!(meant(&program(), name), expected);
    }

    #[test]
    fn no_setting_is_taken_for_another() {
        for (key, _) in program().schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
        {
            assert!(
                meant(&program(), key).is_none_or(|meant| meant == key),
                "{key}"
            );
        }
    }

    #[rstest]
    #[case("SERVICE_HOST", true)]
    #[case("SERVICE_PORT", true)]
    #[case("SERVICE_PORT_HTTP", true)]
    #[case("PORT", true)]
    #[case("PORT_80_TCP_ADDR", true)]
    #[case("API_PORT", true)]
    #[case("PIP_URL", true)]
    #[case("API_PORT_80_TCP", true)]
    #[case("_SELECT", true)]
    #[case("LOGLEVEL", true)]
    #[case("HOST", false)]
    #[case("ORGANIZATION", false)]
    fn variables_of_others(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(is_others(name), expected);
    }

    fn merged(sources: &[(&str, Value)]) -> Result<Value, Vec<String>> {
        let program = program();
        let mut merged = Merged::new(&program);
        for (source, values) in sources {
            for (name, value) in values.as_object().expect("an object") {
                merged.set(source, name, canonical(name), value.clone());
            }
        }
        if merged.problems.is_empty() {
            Ok(Value::Object(merged.values))
        } else {
            Err(merged.problems.iter().map(ToString::to_string).collect())
        }
    }

    #[rstest]
    #[case::null(json!(null))]
    #[case::empty(json!(""))]
    #[case::blank(json!("  "))]
    fn what_is_empty_in_a_later_source_is_not_set(
        #[case] empty: Value,
        #[values(
            "organization",
            "project_slugs",
            "mask_fields",
            "base_url",
            "api_token",
            "end_date"
        )]
        key: &str,
    ) {
        let found = merged(&[("a", json!({key: "x"})), ("b", json!({key: empty}))]);
        assert_eq!(found, Ok(json!({key: "x"})));
    }

    #[rstest]
    fn an_empty_list_does_not_undo_one_that_narrows(
        #[values(
            "organization",
            "project_slugs",
            "exclude_project_slugs",
            "mask_fields"
        )]
        key: &str,
        #[values(json!([]), json!([""]), json!([null]), json!(" , "))] empty: Value,
    ) {
        let problems = merged(&[
            ("a.json", json!({key: ["x"]})),
            ("b.json", json!({key: empty})),
        ])
        .expect_err("refused");
        assert!(
            problems[0].contains(key)
                && problems[0].contains("a.json")
                && problems[0].contains("b.json"),
            "{problems:?}"
        );
    }

    #[test]
    fn an_empty_list_alone_is_the_default_and_blanks_are_not() {
        assert_eq!(
            merged(&[("a", json!({"project_slugs": []}))]),
            Ok(json!({}))
        );
        assert!(merged(&[("a", json!({"project_slugs": [""]}))]).is_err());
        assert!(merged(&[("a", json!({"exclude_project_slugs": ","}))]).is_err());
        assert_eq!(
            merged(&[
                ("a", json!({"project_slugs": ["x"]})),
                ("b", json!({"project_slugs": ["*"]}))
            ]),
            Ok(json!({"project_slugs": ["*"]}))
        );
    }

    #[test]
    fn a_later_source_wins_by_either_name_of_the_token() {
        for (earlier, later) in [("api_token", "auth_token"), ("auth_token", "api_token")] {
            assert_eq!(
                merged(&[("a", json!({earlier: "old"})), ("b", json!({later: "new"}))]),
                Ok(json!({"api_token": "new"}))
            );
        }
    }

    #[test]
    fn the_environment_is_typed_by_the_schema() {
        let variables = [
            ("TAP_SENTRY_CONCURRENCY", "3"),
            ("TAP_SENTRY_FETCH_EVENT_DETAILS", "yes"),
            ("TAP_SENTRY_PROJECT_SLUGS", r#"["a"]"#),
            ("TAP_SENTRY_RATE_LIMIT", "2.5"),
            ("TAP_SENTRY_ORGANIZATION", ""),
            ("SENTRY_AUTH_TOKEN", "t"),
        ];
        let program = program();
        let (mut merged, mut fallback) = (Merged::new(&program), None);
        merged.variables(
            "the environment",
            variables
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .to_vec(),
            &mut fallback,
        );
        assert_eq!(
            Value::Object(merged.values),
            json!({"concurrency": 3, "fetch_event_details": true, "project_slugs": ["a"], "rate_limit": 2.5})
        );
        assert_eq!(fallback.as_deref(), Some("t"));
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |content: &str| {
            let path = folder.path().join(content.trim());
            std::fs::write(&path, content).expect("written");
            path.to_str().expect("UTF-8").to_owned()
        };
        let found = merged(&[
            ("a", json!({"api_token_file": file("first\n")})),
            ("b", json!({"api_token_file": file("second")})),
        ]);
        assert_eq!(found, Ok(json!({"api_token": "second"})));
        for later in [json!({"api_token": "x"}), json!({"auth_token": "x"})] {
            let found = merged(&[
                ("a", json!({"api_token_file": file("first\n")})),
                ("b", later),
            ]);
            assert_eq!(found, Ok(json!({"api_token": "x"})));
        }
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "\n").expect("written");
        for path in [empty.to_str().expect("UTF-8"), "/nonexistent"] {
            let problems = merged(&[("a", json!({"api_token_file": path}))]).expect_err("refused");
            assert!(
                problems[0].starts_with("`api_token_file` names"),
                "{problems:?}"
            );
        }
    }

    /// Settings and mistakes of a file and of variables, with old names.
    fn with_old_names(file: &Value, variables: &[(&str, &str)]) -> Found {
        let old = |variable, setting| OldName {
            variable,
            setting,
            read: None,
        };
        let program = Program {
            old_names: vec![
                old("OLD_URL", Some("base_url")),
                old("TAP_SENTRY_ORG", Some("organization")),
                old("TAP_SENTRY_TOKEN", Some("api_token")),
                old("TAP_SENTRY_TTL", None),
                OldName {
                    read: Some(|text| match text {
                        "two" => Ok(json!(2)),
                        _ => Err("must be two"),
                    }),
                    ..old("OLD_COUNT", Some("concurrency"))
                },
            ],
            ..program()
        };
        let mut merged = Merged::new(&program);
        let members = file.as_object().expect("an object");
        let members: Vec<_> = members.clone().into_iter().collect();
        merged.members("a.yml", &members);
        let variables = variables.iter();
        let variables = variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        merged.variables("the environment", variables.collect(), &mut None);
        Found {
            values: merged.values,
            problems: merged.problems,
            written: merged.written,
            unused: merged.unused,
        }
    }

    #[test]
    fn old_names_set_what_they_mean_now() {
        let file = json!({"org": "a", "token": "t", "ttl": 5, "old_url": "x"});
        let found = with_old_names(&file, &[("OLD_URL", "https://a"), ("OLD_COUNT", "two")]);
        assert_eq!(
            Value::Object(found.values),
            json!({"organization": "a", "api_token": "t", "base_url": "https://a", "concurrency": 2})
        );
        assert_eq!(found.written["organization"], "org");
        assert_eq!(found.written["base_url"], "OLD_URL");
        assert_eq!(found.unused, ["ttl"]);
        let found = with_old_names(&json!({"org": "a"}), &[("TAP_SENTRY_ORGANIZATION", "b")]);
        assert_eq!(found.values["organization"], "b", "a later source wins");
        assert!(found.written.is_empty() && found.problems.is_empty());
        let found = with_old_names(
            &json!({"organization": "a", "org": ""}),
            &[("OLD_URL", " ")],
        );
        assert_eq!(Value::Object(found.values), json!({"organization": "a"}));
    }

    #[test]
    fn old_names_are_as_strict_as_new_ones() {
        let told = |file: &Value, variables: &[(&str, &str)]| {
            let problems = with_old_names(file, variables).problems;
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let twice = told(&json!({"org": "a", "organization": "b"}), &[]);
        assert!(twice[0].contains("remove one of them"), "{twice:?}");
        assert!(told(&json!({"org": "a", "organization": "a"}), &[]).is_empty());
        let twice = told(&json!({"token": "t", "api_token_file": "/x"}), &[]);
        assert!(
            twice[0].contains("is set together with `api_token`"),
            "{twice:?}"
        );
        let empty = told(&json!({"organization": "a"}), &[("TAP_SENTRY_ORG", ",")]);
        assert!(
            empty[0].starts_with("`TAP_SENTRY_ORG` is empty in the environment"),
            "{empty:?}"
        );
        assert_eq!(
            told(&json!({}), &[("OLD_COUNT", "one")]),
            ["`OLD_COUNT` must be two"]
        );
    }

    #[test]
    fn a_secret_and_its_file_in_one_source_are_refused() {
        let program = program();
        let mut merged = Merged::new(&program);
        merged.check_secrets("a.json", &["api_token", "api_token_file"]);
        assert_eq!(
            merged.problems[0].to_string(),
            "`api_token_file` is set together with `api_token` in a.json; remove one of them"
        );
        merged.check_secrets("b.json", &["auth_token", "api_token_file"]);
        assert_eq!(merged.problems.len(), 2, "by its other name too");
    }

    #[test]
    fn a_strict_program_refuses_what_a_file_names_that_is_no_setting() {
        let file = json!({"concurrency": 3, "colour": "red", "organisation": "acme"});
        let members = || file.as_object().expect("an object").clone();
        let read = |strict: bool| {
            let program = Program {
                strict,
                ..program()
            };
            let merged = merge(&program, Some(("a.yml", members())), false);
            merged.expect("no file is read")
        };
        let Found {
            values, problems, ..
        } = read(true);
        assert_eq!(values["concurrency"], 3);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "`colour` in a.yml is not a setting: correct or remove it",
                "`organisation` in a.yml is not a setting, but `organization` is: rename or remove it"
            ]
        );
        assert_eq!(read(false).problems.len(), 1, "the other is warned about");
    }
}
