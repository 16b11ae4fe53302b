//! What is set, by files, variables and flags, before it is checked.

use crate::dialect::{Decision, Dialect, Evidence, decide};
use crate::names;
use crate::probe::modules::strangers;
use crate::settings::config::schema;
use ::log::LevelFilter;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tap_sentry_api::text::brief;
use tap_sentry_serve::log;
use tap_sentry_serve::yaml;
use tap_sentry_settings::dotenv;
use tap_sentry_settings::file::{self, FileError};
use tap_sentry_settings::problem::{Problem, SettingsError};
use tap_sentry_settings::program::Program;
use tap_sentry_settings::sources::{self, Found};

/// How variables with settings begin.
pub const PREFIX: &str = "SENTRY_EXPORTER_";

/// What the token of Sentry is called in a file and, in capitals, in a variable.
const TOKENS: [&str; 4] = ["api_token", "api_token_file", "auth_token", "token"];

/// What was set, before it is checked.
#[derive(Debug, Default)]
pub struct Sources {
    pub values: Map<String, Value>,
    pub problems: Vec<Problem>,
    /// The name of the file, if there is one.
    pub file: Option<String>,
    pub decision: Decision,
    /// Keys of an old file of modules that nobody knows.
    pub unknown: Vec<String>,
    /// The settings that are set by an old name, with it.
    pub written: BTreeMap<String, String>,
    pub unused: Vec<String>,
}

impl From<Map<String, Value>> for Sources {
    fn from(values: Map<String, Value>) -> Self {
        let asked = values.get("dialect").and_then(Value::as_str);
        let dialect = asked.and_then(Dialect::of).unwrap_or_default();
        let decision = Decision {
            dialect,
            why: "the setting dialect".to_owned(),
        };
        Self {
            values,
            decision,
            ..Self::default()
        }
    }
}

/// Reads the file, if one is named or lies where the dialect wants it, then `.env` and the environment; `flags` win over
/// all. `old_flags` are those of them that are an older exporter's, by its names.
///
/// # Errors
/// When a file cannot be read, or is no YAML, or when two older exporters are configured at once. Mistakes of single
/// settings are returned beside the others.
pub fn load(
    path: Option<&Path>,
    flags: Map<String, Value>,
    old_flags: &[&str],
) -> Result<Sources, SettingsError> {
    let variables = variables()?;
    let asked = |values: &Map<String, Value>| {
        let text = values.get("dialect").and_then(Value::as_str);
        text.and_then(Dialect::of)
    };
    let named = path.map(|path| Ok::<_, FileError>((path.to_owned(), read(path)?)));
    let named = named.transpose()?;
    let by_variable = variables.iter().rev().find(|(name, _)| name == ASKED);
    let asked = asked(&flags)
        .or_else(|| Dialect::of(&by_variable?.1))
        .or_else(|| asked(&named.as_ref()?.1));
    let mut files: Vec<_> = named.into_iter().collect();
    if files.is_empty() {
        files = lying(asked)?;
    }
    let all = schema();
    let unknown = match files.first_mut() {
        Some((_, members)) => strangers(members, |key| {
            let old = names::KNOWN
                .iter()
                .filter_map(|old| old.variable.strip_prefix(PREFIX));
            let old = old.map(str::to_lowercase).any(|old| old == key);
            old || key == "auth_token" || all["properties"].get(key).is_some()
        }),
        None => Vec::new(),
    };
    let keys = |(path, members): &File| {
        let set = members.iter().filter(|(_, value)| !value.is_null());
        let keys = set.map(|(key, _)| key.clone());
        (path.display().to_string(), keys.collect())
    };
    let decision = decide(&Evidence {
        asked,
        files: files.iter().map(keys).collect(),
        variables: variables.iter().map(|(name, _)| name.clone()).collect(),
        flags: old_flags.iter().map(|&flag| flag.to_owned()).collect(),
    });
    let decision = decision.map_err(|problem| SettingsError::Problems(vec![problem]))?;
    let file = files.into_iter().next();
    let name = file.as_ref().map(|(path, _)| path.display().to_string());
    let members = name.as_deref().zip(file.map(|(_, members)| members));
    let has_servers = members
        .as_ref()
        .is_some_and(|(_, members)| members.get("servers").is_some_and(|list| !list.is_null()));
    let has_token =
        |members: &Map<String, Value>| TOKENS.iter().any(|key| members.contains_key(*key));
    let own_token = members
        .as_ref()
        .is_some_and(|(_, members)| has_token(members))
        || variables.iter().any(|(name, _)| {
            name.strip_prefix(PREFIX)
                .is_some_and(|key| TOKENS.contains(&key.to_lowercase().as_str()))
        });
    let found = sources::merge(&program(schema(), decision.dialect), members, true)?;
    let Found {
        mut values,
        mut problems,
        mut written,
        unused,
    } = found;
    if has_servers && !own_token {
        // The token that every tool of Sentry's reads: of which server it is nobody says.
        values.remove("api_token");
    }
    let protocol = variables
        .iter()
        .rev()
        .find(|(name, _)| name == names::PROTOCOL);
    if let Some((name, protocol)) = protocol
        && written
            .get("base_url")
            .is_some_and(|old| old == names::HOST)
        && let Some(address) = values.get("base_url").and_then(Value::as_str)
    {
        match names::with_protocol(address, protocol) {
            Ok(address) => drop(values.insert("base_url".to_owned(), json!(address))),
            Err(text) => problems.push(Problem::new(name, text)),
        }
    }
    for key in flags.keys() {
        written.remove(key);
    }
    // As from a file, since flags name files of secrets too.
    let flags = Some(("the command line", flags));
    let flags = sources::merge(&program(schema(), decision.dialect), flags, false)?;
    problems.extend(flags.problems);
    values.extend(flags.values);
    Ok(Sources {
        values,
        problems,
        file: name,
        decision,
        unknown,
        written,
        unused,
    })
}

/// The variable that says which dialect is meant.
const ASKED: &str = "SENTRY_EXPORTER_DIALECT";

/// How settings of the exporter are written.
pub fn program(schema: Value, dialect: Dialect) -> Program {
    Program {
        prefix: PREFIX,
        schema,
        strict: true,
        narrowing: &[],
        other_names: &[],
        other_parts: &[],
        old_names: names::old_names(dialect),
    }
}

/// Variables that have a value: those of `.env`, and then those of the environment, which count more.
fn variables() -> Result<Vec<(String, String)>, SettingsError> {
    let file = dotenv::nearest(PREFIX)?.map(|(_, variables)| variables);
    let outside = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let all = file.into_iter().flatten().chain(outside);
    Ok(all.filter(|(_, value)| !value.trim().is_empty()).collect())
}

/// A file of settings: where it is, and what stands in it.
type File = (PathBuf, Map<String, Value>);

/// The files in the working folder that older exporters read when none is named: that of the dialect, if one is asked for.
fn lying(asked: Option<Dialect>) -> Result<Vec<File>, FileError> {
    let old = [Dialect::Maggotmouth, Dialect::Snakecharmer];
    let names: Vec<&str> = match asked {
        Some(dialect) => dialect.file().into_iter().collect(),
        None => old.into_iter().filter_map(Dialect::file).collect(),
    };
    let there = names
        .into_iter()
        .map(PathBuf::from)
        .filter(|path| path.is_file());
    there.map(|path| Ok((path.clone(), read(&path)?))).collect()
}

/// The settings of a YAML file; JSON is a part of YAML.
fn read(path: &Path) -> Result<Map<String, Value>, FileError> {
    let text = file::read(path)?;
    let wrong = |why: &str| FileError::Content(format!("{}: {why}", path.display()));
    let value = yaml::parse(&text).map_err(|message| wrong(&brief(&message)))?;
    match value {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        _ => Err(wrong(
            "must hold settings as `key: value`, one on each line",
        )),
    }
}

/// How to log, as far as it is set and right.
#[derive(Debug, Clone, Copy, Default)]
pub struct Log {
    pub level: Option<LevelFilter>,
    pub format: log::Format,
}

/// How to log, by settings that have not been checked yet.
pub fn log_of(values: &Map<String, Value>) -> Log {
    let text = |key: &str| values.get(key).and_then(Value::as_str).map(str::trim);
    let format = text("log_format").and_then(|name| log::Format::from_str(name, true).ok());
    Log {
        level: text("log_level").and_then(log::level),
        format: format.unwrap_or_default(),
    }
}
