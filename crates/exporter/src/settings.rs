//! Settings of the exporter: as written (`Config`, whose JSON Schema is the one source of all documentation) and as used
//! ([`Settings`], validated).

use crate::asked::{Age, Asked, QUERIES};
use crate::collector::Collector;
use crate::dialect::{Decision, Dialect, Evidence, decide};
use crate::duration::duration;
use crate::names;
use crate::probe::figures::{PROBE, SENTRY_PROBE};
use crate::probe::modules::{Module, Reading, strangers};
use crate::probe::probes::Probing;
use crate::probe::site::Way;
use crate::push_settings::{self, Push, PushKeys};
use crate::shown::{Shown, shown};
use crate::snapshot::Policy;
use crate::visit::Bounds;
use ::log::LevelFilter;
use clap::ValueEnum;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serde_saphyr::UserMessageFormatter;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::path::{Path, PathBuf};
use tap_sentry_api::connection::Connection;
use tap_sentry_api::text::brief;
use tap_sentry_serve::listen::Address;
use tap_sentry_serve::log;
use tap_sentry_serve::users::PlainUser;
use tap_sentry_settings::connection::{self, ConnectionKeys, Target, texts};
use tap_sentry_settings::dotenv;
use tap_sentry_settings::file::{self, FileError};
use tap_sentry_settings::problem::{Problem, SettingsError};
use tap_sentry_settings::program::Program;
use tap_sentry_settings::schema::{self, Checked};
use tap_sentry_settings::sources::{self, Found};

/// How variables with settings begin.
pub const PREFIX: &str = "SENTRY_EXPORTER_";

/// What requests say they come from, unless a user says otherwise.
const USER_AGENT: &str = concat!("sentry-exporter/", env!("CARGO_PKG_VERSION"));

/// A scrape should not wait for the patience that an extraction has.
const TIMEOUT_SECONDS: u32 = 30;
const RETRIES: u32 = 3;

/// What the token of Sentry is called in a file and, in capitals, in a variable.
const TOKENS: [&str; 4] = ["api_token", "api_token_file", "auth_token", "token"];

/// The settings as a user writes them. Titles and descriptions become documentation.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "sentry-exporter settings")]
#[serde(default)]
struct Config {
    #[serde(flatten)]
    connection: ConnectionKeys,
    /// Several servers, instead of the settings above: a list in which each has a `name` and those settings of its own. The name is the label `server` of its series, if there is more than one.
    #[schemars(title = "Servers", with = "Option<Vec<Value>>")]
    servers: Option<Value>,
    /// Whose names the figures have: native, italux, maggotmouth, ujamii, snakecharmer or zekker6. Default: by what is configured.
    #[schemars(title = "Dialect")]
    dialect: Option<String>,
    /// How targets of /probe are asked, by name: each module with `prober`, `timeout` and `http`.
    #[schemars(title = "Modules", with = "Option<Map<String, Value>>")]
    modules: Option<Value>,
    /// Addresses to listen on, as `HOST:PORT` or `:PORT`: a list, or text separated by commas.
    #[schemars(title = "Listen addresses", with = "Vec<String>")]
    listen_address: Value,
    /// Path of the metrics.
    #[schemars(title = "Telemetry path")]
    telemetry_path: String,
    /// File with TLS, users and headers, as the programs of Prometheus read it.
    #[schemars(title = "Web configuration file")]
    web_config_file: Option<PathBuf>,
    /// Reload the configuration on POST to /-/reload even where no users are configured.
    #[schemars(title = "Reload over HTTP")]
    enable_lifecycle: bool,
    /// Values that are younger are not asked for again: the least time between two refreshes. As 60s, 5m, or a number of seconds.
    #[schemars(title = "Minimum age", with = "String")]
    min_age: Value,
    /// If a collector fails, its last values are shown until they are older than this.
    #[schemars(title = "Maximum age", with = "String")]
    max_age: Value,
    /// Pages of 100 unresolved issues to read in one refresh, most recent first.
    #[schemars(title = "Issue pages", range(min = 1, max = 1000))]
    max_issue_pages: u32,
    /// Issues to show one by one with `collector_issue_events`, those with most events first.
    #[schemars(title = "Issue series", range(min = 1, max = 10_000))]
    max_issue_series: u32,
    /// Releases to show with `collector_release_health`, newest first.
    #[schemars(title = "Releases", range(min = 1, max = 100))]
    max_releases: u32,
    /// Events of the month by project, category, outcome and reason.
    #[schemars(title = "Collector events")]
    collector_events: bool,
    /// Unresolved, new and regressed issues by project and level.
    #[schemars(title = "Collector issues")]
    collector_issues: bool,
    /// Projects and their teams.
    #[schemars(title = "Collector projects")]
    collector_projects: bool,
    /// Rate limits of client keys.
    #[schemars(title = "Collector client_keys")]
    collector_client_keys: bool,
    /// Monitors of scheduled jobs by status.
    #[schemars(title = "Collector monitors")]
    collector_monitors: bool,
    /// Crash-free sessions and users of the newest releases.
    #[schemars(title = "Collector release_health")]
    collector_release_health: bool,
    /// Events of single issues.
    #[schemars(title = "Collector issue_events")]
    collector_issue_events: bool,
    #[serde(flatten)]
    push: PushKeys,
    /// Dialect italux: count issues that are not older than an hour, and show them one by one.
    #[schemars(title = "Issues of an hour")]
    issues_1h: bool,
    /// Dialect italux: count issues that are not older than 24 hours.
    #[schemars(title = "Issues of a day")]
    issues_24h: bool,
    /// Dialect italux: count issues that are not older than 14 days.
    #[schemars(title = "Issues of 14 days")]
    issues_14d: bool,
    /// Dialect maggotmouth: which counts of a project to show, of received, rejected, blacklisted and generated: a list, or text separated by commas. Default: all.
    #[schemars(title = "Counts", with = "Option<Vec<String>>")]
    include_queries: Option<Value>,
    /// Dialect maggotmouth: slugs of the teams whose projects `sentry_project_info` shows, in the same form. Default: all.
    #[schemars(title = "Teams", with = "Option<Vec<String>>")]
    include_teams: Option<Value>,
    /// Ask for a user and a password on every path but those of health. A web configuration file can hold several users, with hashes.
    #[schemars(title = "Basic authentication")]
    basic_auth: bool,
    /// Name of the user.
    #[schemars(title = "User")]
    basic_auth_user: String,
    /// Password of the user. Everybody knows the default.
    #[schemars(title = "Password", extend("writeOnly" = true, "secret" = true))]
    basic_auth_pass: String,
    /// Least level of log lines: trace, debug, info, warn or error.
    #[schemars(title = "Log level")]
    log_level: String,
    /// Form of log lines: logfmt, json, or text for a person.
    #[schemars(title = "Log format")]
    log_format: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connection: ConnectionKeys::default(),
            servers: None,
            dialect: None,
            modules: None,
            listen_address: json!([":9790"]),
            telemetry_path: "/metrics".to_owned(),
            web_config_file: None,
            enable_lifecycle: false,
            min_age: json!("60s"),
            max_age: json!("15m"),
            max_issue_pages: 10,
            max_issue_series: 100,
            max_releases: 10,
            collector_events: Collector::Events.is_default(),
            collector_issues: Collector::Issues.is_default(),
            collector_projects: Collector::Projects.is_default(),
            collector_client_keys: Collector::ClientKeys.is_default(),
            collector_monitors: Collector::Monitors.is_default(),
            collector_release_health: Collector::ReleaseHealth.is_default(),
            collector_issue_events: Collector::IssueEvents.is_default(),
            push: PushKeys::default(),
            issues_1h: true,
            issues_24h: true,
            issues_14d: true,
            include_queries: None,
            include_teams: None,
            basic_auth: false,
            basic_auth_user: KNOWN_PASSWORD.to_owned(),
            basic_auth_pass: KNOWN_PASSWORD.to_owned(),
            log_level: "info".to_owned(),
            log_format: "logfmt".to_owned(),
        }
    }
}

/// One server of several, as a user writes it.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct ServerConfig {
    /// What the label `server` of its series says.
    #[schemars(title = "Name")]
    name: String,
    #[serde(flatten)]
    connection: ConnectionKeys,
}

/// Settings whose form is checked where they are read.
const OWN_FORM: &[&str] = &[
    "servers",
    "modules",
    "listen_address",
    "min_age",
    "max_age",
    "include_queries",
    "include_teams",
];

/// The password, and the user, of those who set none.
const KNOWN_PASSWORD: &str = "prometheus";

/// The settings as the program uses them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// With the label of each, where there are several.
    pub servers: Vec<(Option<String>, Target)>,
    pub policy: Policy,
    pub web: Web,
    pub push: Push,
    /// All of them, as a page may show them.
    pub shown: Vec<Shown>,
    pub probing: Probing,
    /// Which dialect, and why.
    pub decision: Decision,
    /// Names that are set and have no meaning any more.
    pub unused: Vec<String>,
    /// Keys of an old file of modules that nobody knows.
    pub unknown: Vec<String>,
}

/// How it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    pub listen_addresses: Vec<Address>,
    pub telemetry_path: String,
    pub config_file: Option<PathBuf>,
    pub enable_lifecycle: bool,
    pub dialect: Dialect,
    pub user: Option<User>,
}

impl Web {
    /// Where the metrics are. Older exporters answer with and without the last slash.
    pub fn paths(&self) -> Vec<String> {
        let path = self.telemetry_path.clone();
        if self.dialect == Dialect::Native {
            return vec![path];
        }
        let twin = match path.strip_suffix('/') {
            Some(path) => path.to_owned(),
            None => format!("{path}/"),
        };
        vec![path, twin]
    }
}

/// Who is let in.
#[derive(Debug, Clone)]
pub struct User(pub PlainUser);

impl User {
    /// Whether everybody knows the password.
    pub fn is_known(&self) -> bool {
        self.0.password.expose_secret() == KNOWN_PASSWORD
    }
}

impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
            && self.0.password.expose_secret() == other.0.password.expose_secret()
    }
}

impl Eq for User {}

/// The JSON Schema of the settings.
pub fn schema() -> Value {
    let mut schema = schema::of::<Config>(&[]);
    connection_defaults(&mut schema);
    schema
}

/// That of one server of several.
pub fn server_schema() -> Value {
    let mut schema = schema::of::<ServerConfig>(&["api_token"]);
    connection_defaults(&mut schema);
    schema["properties"]["name"]
        .as_object_mut()
        .map(|name| name.remove("default"));
    schema
}

/// What is another default here than in other programs, and another meaning.
fn connection_defaults(schema: &mut Value) {
    let properties = &mut schema["properties"];
    properties["user_agent"]["default"] = json!(USER_AGENT);
    properties["request_timeout_seconds"]["default"] = json!(TIMEOUT_SECONDS);
    properties["max_retries"]["default"] = json!(RETRIES);
    properties["project_slugs"]["description"] = json!(
        "Slugs of the projects to show, with `*` as wildcard: a list, or text separated by commas. Default: all."
    );
    properties["organization"]["description"] = json!(
        "Slug of the organization; several as a list, or separated by commas. Default: all that the token can see, which for the token of an internal integration is none."
    );
}

/// The settings that describe a connection, and may stand in `servers`.
fn is_of_connection(key: &str) -> bool {
    key != "name" && server_schema()["properties"].get(key).is_some()
}

fn program(schema: Value, dialect: Dialect) -> Program {
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

/// What was set, before it is checked.
#[derive(Debug, Default)]
pub struct Sources {
    pub values: Map<String, Value>,
    pub problems: Vec<Problem>,
    /// The name of the file, if there is one.
    file: Option<String>,
    decision: Decision,
    /// Keys of an old file of modules that nobody knows.
    unknown: Vec<String>,
    /// The settings that are set by an old name, with it.
    written: BTreeMap<String, String>,
    unused: Vec<String>,
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

/// The settings of a YAML file; JSON is a part of YAML.
fn read(path: &Path) -> Result<Map<String, Value>, FileError> {
    let text = file::read(path)?;
    // The text may hold the token, so that no message may show it.
    let options = serde_saphyr::options! { with_snippet: false };
    let wrong = |why: &str| FileError::Content(format!("{}: {why}", path.display()));
    let value: Value = serde_saphyr::from_str_with_options(&text, options)
        .map_err(|error| wrong(&brief(&error.render_with_formatter(&UserMessageFormatter))))?;
    match value {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        _ => Err(wrong(
            "must hold settings as `key: value`, one on each line",
        )),
    }
}

impl Settings {
    /// Tokens, and passwords of proxies and of the Pushgateway: nothing may show them.
    pub fn secrets(&self) -> Vec<SecretString> {
        let connections = self.servers.iter().map(|(_, target)| &target.connection);
        let user = self.web.user.iter().filter(|user| !user.is_known());
        let user = user.map(|user| user.0.password.clone());
        let of = |connection: &Connection| {
            let proxy = connection.proxy_url.as_ref();
            let password = proxy.and_then(|url| Some(SecretString::from(url.password()?)));
            iter::once(connection.token.clone()).chain(password)
        };
        let of_push = self.push.secret().into_iter().cloned();
        let modules = self.probing.modules.values();
        let of_proxy = self.probing.way.proxy_url.iter();
        let of_proxy = of_proxy.filter_map(|url| Some(SecretString::from(url.password()?)));
        let of_modules = modules.flat_map(Module::secrets).chain(of_proxy);
        connections
            .flat_map(of)
            .chain(user)
            .chain(of_push)
            .chain(of_modules)
            .collect()
    }

    /// Validates everything and reports all mistakes at once.
    ///
    /// # Errors
    /// [`SettingsError::Problems`] with each mistake.
    pub fn new(sources: Sources) -> Result<Self, SettingsError> {
        let Sources {
            mut values,
            problems,
            file,
            decision,
            mut unknown,
            written,
            unused,
        } = sources;
        let dialect = decision.dialect;
        let servers = values
            .get("servers")
            .filter(|list| !list.is_null())
            .cloned();
        let mut found = problems;
        if servers.is_some() {
            let beside: Vec<String> = values
                .keys()
                .filter(|key| is_of_connection(key))
                .cloned()
                .collect();
            for key in beside {
                let text = "stands beside `servers`, where each server has its own: move it there";
                found.push(Problem::new(&key, text));
                values.remove(&key);
            }
        }
        let set = values.keys().cloned().collect();
        of_dialect(&mut values, dialect);
        with_defaults(&mut values);
        let shown = shown(&values, &set, &schema(), &server_schema());
        let own_form = [connection::OWN_FORM, OWN_FORM, push_settings::OWN_FORM].concat();
        let mut checked = Checked::new(&schema(), values, found, &own_form);
        let config: Config = checked.read();
        if let Some(name) = &config.dialect
            && Dialect::of(name).is_none()
        {
            let names = Dialect::ALL.map(Dialect::name).join(", ");
            checked.problem("dialect", format!("must be one of {names}"));
        }
        let collectors = config.chosen(dialect, &mut checked);
        let asked = config.asked(dialect, &mut checked);
        let user = config.user(&mut checked);
        let mut age =
            |key: &str, value: &Value| checked.keep(key, duration(value)).unwrap_or_default();
        let (min_age, max_age) = (
            age("min_age", &config.min_age),
            age("max_age", &config.max_age),
        );
        if max_age < min_age {
            checked.problem("max_age", "must not be less than `min_age`");
        }
        let listen_addresses = addresses(&config.listen_address);
        let listen_addresses = checked.keep("listen_address", listen_addresses);
        let telemetry_path = config.telemetry_path.trim().to_owned();
        if let Err(text) = is_free(&telemetry_path) {
            checked.problem("telemetry_path", text);
        }
        // In use already, as far as it is right.
        let level = log::level(&config.log_level);
        checked.keep(
            "log_level",
            level.ok_or("must be trace, debug, info, warn or error"),
        );
        let format = log::Format::from_str(config.log_format.trim(), true);
        checked.keep(
            "log_format",
            format.map_err(|_| "must be logfmt, json or text"),
        );
        let mut probing = Probing {
            names: match dialect {
                Dialect::Zekker6 => &SENTRY_PROBE,
                _ => &PROBE,
            },
            ..Probing::default()
        };
        if let Some(modules) = &config.modules {
            let reading = Reading::of(modules);
            probing.modules = reading.modules;
            for problem in reading.problems {
                checked.problem(&problem.key, problem.text);
            }
            if dialect.has_probes_only() {
                unknown.extend(reading.unknown);
            } else {
                for key in reading.unknown {
                    checked.problem(&key, "is not a setting: correct or remove it");
                }
            }
        } else if dialect.has_probes_only() {
            let text = format!("is required in the dialect {dialect}, which has probes only");
            checked.problem("modules", text);
        }
        let is_scraped = !dialect.has_probes_only()
            && (checked.is_set("api_token") || !checked.is_set("modules"));
        let mut servers = if let Some(list) = servers {
            several(&list, file.as_deref(), dialect, &mut checked)
        } else {
            if is_scraped && !checked.is_set("api_token") {
                let text =
                    "is required: set it, `api_token_file` or the variable SENTRY_AUTH_TOKEN";
                checked.problem("api_token", text);
            }
            let target = config.connection.check(USER_AGENT, &mut checked);
            if let Some(target) = &target {
                if is_scraped {
                    check_organizations(target, dialect, &mut checked);
                }
                probing.way = Way {
                    ca_certificate: target.connection.ca_certificate.clone(),
                    proxy_url: target.connection.proxy_url.clone(),
                };
            }
            let target = target.filter(|_| is_scraped);
            target.into_iter().map(|target| (None, target)).collect()
        };
        let push = config.push.check(&mut checked);
        if dialect.has_probes_only() {
            servers = Vec::new();
        }
        let by_written = |problem: Problem| match written.get(&problem.key) {
            Some(name) => Problem::new(name, problem.text),
            None => problem,
        };
        checked.finish().map_err(|problems| {
            SettingsError::Problems(problems.into_iter().map(by_written).collect())
        })?;
        let (Some(listen_addresses), Some(push)) = (listen_addresses, push) else {
            unreachable!("what is wrong is a mistake");
        };
        Ok(Self {
            servers,
            policy: Policy {
                collectors,
                bounds: Bounds {
                    issue_pages: config.max_issue_pages as usize,
                    issue_series: config.max_issue_series as usize,
                    releases: config.max_releases as usize,
                },
                asked,
                min_age,
                max_age,
            },
            probing,
            decision,
            unused,
            unknown,
            web: Web {
                listen_addresses,
                telemetry_path,
                config_file: config.web_config_file,
                enable_lifecycle: config.enable_lifecycle,
                dialect,
                user,
            },
            push,
            shown,
        })
    }
}

/// Notes a mistake where a dialect needs to know the organization, or can show one only.
fn check_organizations(target: &Target, dialect: Dialect, checked: &mut Checked) {
    let count = target.organizations.len();
    if count == 0 && dialect.needs_organization() {
        let text =
            format!("is required in the dialect {dialect}: set the slug of the organization");
        checked.problem("organization", text);
    } else if count > 1 && dialect.has_one_organization() {
        let text = format!(
            "must be one slug in the dialect {dialect}, whose series do not tell organizations apart: run one exporter for each"
        );
        checked.problem("organization", text);
    }
}

impl Config {
    /// The groups of figures that are on.
    fn chosen(&self, dialect: Dialect, checked: &mut Checked) -> BTreeSet<Collector> {
        let switches = self.collectors();
        let there: BTreeSet<Collector> = dialect
            .collectors()
            .into_iter()
            .map(|(collector, _)| collector)
            .collect();
        let mut on: BTreeSet<Collector> = Collector::ALL
            .into_iter()
            .filter(|collector| switches[collector])
            .collect();
        for collector in on.difference(&there) {
            let names: Vec<&str> = there.iter().map(|collector| collector.name()).collect();
            let text = format!(
                "cannot be on in the dialect {dialect}, which has {}: remove it, or set `dialect` to native",
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            );
            checked.problem(collector.definition().setting, text);
        }
        on.retain(|collector| there.contains(collector));
        on
    }

    fn asked(&self, dialect: Dialect, checked: &mut Checked) -> Asked {
        let ages = [
            (Age::Hour, self.issues_1h),
            (Age::Day, self.issues_24h),
            (Age::Fortnight, self.issues_14d),
        ];
        let mut list = |key: &str, value: &Option<Value>| {
            let form = "must be a list, or text separated by commas";
            let list = value.as_ref().map(|value| texts(value).ok_or(form));
            list.and_then(|list| checked.keep(key, list))
        };
        let (queries, teams) = (
            list("include_queries", &self.include_queries),
            list("include_teams", &self.include_teams),
        );
        let queries = queries.filter(|queries| !queries.is_empty());
        let known = |query: &String| QUERIES.into_iter().find(|known| known == query);
        let chosen = queries.map_or_else(
            || Some(QUERIES.to_vec()),
            |queries| queries.iter().map(known).collect(),
        );
        let text = format!("must be of {}", QUERIES.join(", "));
        Asked {
            dialect,
            ages: ages
                .into_iter()
                .filter_map(|(age, on)| on.then_some(age))
                .collect(),
            queries: checked
                .keep("include_queries", chosen.ok_or(text))
                .unwrap_or_default(),
            teams: teams.unwrap_or_default(),
        }
    }

    fn user(&self, checked: &mut Checked) -> Option<User> {
        let name = self.basic_auth_user.trim().to_owned();
        if name.is_empty() || name.contains(':') {
            checked.problem("basic_auth_user", "must be a name without a colon");
        }
        self.basic_auth.then(|| {
            User(PlainUser {
                name,
                password: SecretString::from(self.basic_auth_pass.clone()),
                realm: Some("Authentication Required".to_owned()),
            })
        })
    }

    fn collectors(&self) -> BTreeMap<Collector, bool> {
        let switch = |collector| match collector {
            Collector::Events => self.collector_events,
            Collector::Issues => self.collector_issues,
            Collector::Projects => self.collector_projects,
            Collector::ClientKeys => self.collector_client_keys,
            Collector::Monitors => self.collector_monitors,
            Collector::ReleaseHealth => self.collector_release_health,
            Collector::IssueEvents => self.collector_issue_events,
        };
        let all = Collector::ALL.into_iter();
        all.map(|collector| (collector, switch(collector)))
            .collect()
    }
}

/// The defaults that differ from those of other programs.
fn with_defaults(values: &mut Map<String, Value>) {
    for (key, default) in [
        ("request_timeout_seconds", TIMEOUT_SECONDS),
        ("max_retries", RETRIES),
    ] {
        if values.get(key).is_none_or(Value::is_null) {
            values.insert(key.to_owned(), json!(default));
        }
    }
}

/// The defaults of a dialect.
fn of_dialect(values: &mut Map<String, Value>, dialect: Dialect) {
    let mut default = |key: &str, value: Value| {
        if values.get(key).is_none_or(Value::is_null) {
            values.insert(key.to_owned(), value);
        }
    };
    if dialect == Dialect::Maggotmouth {
        default("request_timeout_seconds", json!(60));
    }
    default("listen_address", json!([format!(":{}", dialect.port())]));
    default("telemetry_path", json!(dialect.telemetry_path()));
    for (collector, _) in Dialect::Native.collectors() {
        let mut own = dialect.collectors().into_iter();
        let own = own.find(|(known, _)| *known == collector);
        let is_on = own.is_some_and(|(_, on)| on);
        default(collector.definition().setting, json!(is_on));
    }
}

/// The servers of `servers`. Mistakes are noted in `checked` under the name of their place.
fn several(
    list: &Value,
    file: Option<&str>,
    dialect: Dialect,
    checked: &mut Checked,
) -> Vec<(Option<String>, Target)> {
    const FORM: &str = "must be a list of servers, each with a `name` and an `api_token`";
    let Some(entries) = list.as_array().filter(|entries| !entries.is_empty()) else {
        checked.problem("servers", FORM);
        return Vec::new();
    };
    let program = program(server_schema(), dialect);
    let (mut servers, mut names) = (Vec::new(), BTreeSet::new());
    for (number, entry) in entries.iter().enumerate() {
        let place = format!("servers[{number}]");
        let Some(members) = entry.as_object() else {
            checked.problem("servers", FORM);
            continue;
        };
        let source = file.unwrap_or("`servers`");
        let merged = sources::merge(&program, Some((source, members.clone())), false);
        let Ok(Found {
            mut values,
            problems,
            ..
        }) = merged
        else {
            unreachable!("no file is read but those with secrets, whose failures are mistakes");
        };
        with_defaults(&mut values);
        let mut own = Checked::new(&program.schema, values, problems, connection::OWN_FORM);
        let config: ServerConfig = own.read();
        let name = config.name.trim().to_owned();
        if name.is_empty() && entries.len() > 1 {
            own.problem("name", "is required where there is more than one server");
        } else if !name.is_empty() && !names.insert(name.clone()) {
            own.problem("name", "is that of another server too");
        }
        let target = config.connection.check(USER_AGENT, &mut own);
        if let Some(target) = &target {
            check_organizations(target, dialect, &mut own);
        }
        if let Err(problems) = own.finish() {
            for problem in problems {
                checked.problem(&format!("{place}.{}", problem.key), problem.text);
            }
        }
        let label = (entries.len() > 1).then_some(name);
        servers.extend(target.map(|target| (label, target)));
    }
    servers
}

/// A list of addresses, or text of them.
fn addresses(value: &Value) -> Result<Vec<Address>, String> {
    let texts = texts(value).filter(|list| !list.is_empty());
    let texts = texts.ok_or("must be a list of addresses such as :9790 or 127.0.0.1:9790")?;
    let addresses = texts.iter().map(|text| text.parse::<Address>());
    addresses
        .collect::<Result<_, _>>()
        .map_err(|error| format!("is wrong: {error}"))
}

/// Whether metrics may stand under the path.
fn is_free(path: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    if !path.starts_with('/') || path.len() < 2 || !path.bytes().all(plain) {
        return Err("must be a path such as /metrics");
    }
    if path.starts_with("/-/")
        || ["/config", "/probe", "/style.css"].contains(&path.trim_end_matches('/'))
    {
        return Err("is a path of the exporter's own; choose another, such as /metrics");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::time::Duration;
    use url::Url;

    fn settings(values: &Value) -> Result<Settings, Vec<String>> {
        let values = values.as_object().expect("an object").clone();
        Settings::new(values.into()).map_err(|error| match error {
            SettingsError::Problems(problems) => problems.iter().map(ToString::to_string).collect(),
            other @ SettingsError::File(_) => panic!("{other}"),
        })
    }

    fn problems(values: &Value) -> Vec<String> {
        settings(values).expect_err("mistakes")
    }

    #[test]
    fn a_token_is_enough() {
        let settings = settings(&json!({"api_token": "sntryu_abc"})).expect("settings");
        assert!(
            !format!("{settings:?}").contains("sntryu_abc"),
            "it cannot be printed"
        );
        assert_eq!(settings.web.listen_addresses, [Address::any(9790)]);
        assert_eq!(settings.policy.min_age, Duration::from_mins(1));
        assert_eq!(settings.policy.max_age, Duration::from_mins(15));
        assert_eq!(settings.policy.collectors.len(), 5);
        let (label, target) = &settings.servers[0];
        assert_eq!((label, target.connection.max_retries), (&None, 3));
    }

    #[test]
    fn all_mistakes_are_told_at_once_and_without_values() {
        let found = problems(&json!({
            "api_token": 12345, "base_url": "nowhere", "min_age": "soon", "max_age": "1 minute",
            "listen_address": "here", "telemetry_path": "metrics", "max_issue_pages": 0,
            "collector_events": "perhaps", "log_level": "loud", "log_format": "xml",
        }));
        for key in [
            "api_token",
            "base_url",
            "min_age",
            "max_age",
            "listen_address",
            "telemetry_path",
            "max_issue_pages",
            "collector_events",
            "log_level",
            "log_format",
        ] {
            let begin = format!("`{key}`");
            let own = found.iter().filter(|text| text.starts_with(&begin));
            assert_eq!(own.count(), 1, "{key}: {found:?}");
        }
        assert!(!found.join(" ").contains("12345"));
    }

    #[test]
    fn a_token_is_required() {
        let found = problems(&json!({}));
        assert!(
            found.len() == 1 && found[0].starts_with("`api_token` is required"),
            "{found:?}"
        );
    }

    #[test]
    fn probes_alone_need_no_token_of_their_own() {
        let modules = json!({"sentry": {"prober": "http", "http": {"prefix": "https://sentry.io/api/0/projects/"}}});
        for (dialect, port) in [("native", 9790), ("snakecharmer", 9412), ("zekker6", 9412)] {
            let settings = settings(&json!({"dialect": dialect, "modules": modules}));
            let settings = settings.expect("settings");
            assert_eq!(settings.web.listen_addresses, [Address::any(port)]);
            assert!(
                settings.servers.is_empty()
                    && settings.policy.collectors.is_empty() == (port == 9412)
            );
            assert_eq!(settings.probing.modules.len(), 1);
        }
        let found = problems(&json!({"dialect": "snakecharmer", "api_token": "t"}));
        assert!(
            found.len() == 1 && found[0].starts_with("`modules` is required"),
            "{found:?}"
        );
        let both = settings(&json!({"modules": modules, "api_token": "t"})).expect("settings");
        assert_eq!(both.servers.len(), 1);
        let proxy = "http://olive:password@127.0.0.1:3128/";
        let behind = json!({"modules": modules, "proxy_url": proxy, "ca_certificate": "ca.pem"});
        let behind = settings(&behind).expect("settings");
        let way = &behind.probing.way;
        assert_eq!(way.proxy_url.as_ref().map(Url::as_str), Some(proxy));
        assert_eq!(way.ca_certificate, Some(PathBuf::from("ca.pem")));
        let secrets = behind.secrets();
        assert!(
            secrets
                .iter()
                .any(|secret| secret.expose_secret() == "password")
        );
    }

    #[test]
    fn several_servers_have_names_and_tokens_of_their_own() {
        let two = json!([{"name": "eu", "api_token": "a", "base_url": "https://de.sentry.io"}, {"name": "us", "api_token": "b"}]);
        let both = settings(&json!({"servers": two})).expect("settings");
        let names: Vec<_> = both
            .servers
            .iter()
            .map(|(name, _)| name.as_deref())
            .collect();
        assert_eq!(names, [Some("eu"), Some("us")]);
        let one = json!([{"name": "eu", "api_token": "a"}]);
        let alone = settings(&json!({"servers": one})).expect("settings");
        assert_eq!(alone.servers[0].0, None, "one server needs no label");
        let bad = json!([
            {"api_token": "a"}, {"name": "x", "api_token": "Bearer b"}, {"name": "x", "api_token": "c", "colour": 1},
            {"name": "y"},
        ]);
        let mut found = problems(&json!({"servers": bad, "base_url": "https://sentry.io"}));
        found.sort();
        let expected = [
            "`base_url` stands beside `servers`",
            "`servers[0].name` is required",
            "`servers[1].api_token` must be the token alone",
            "`servers[2].colour` in `servers` is not a setting",
            "`servers[2].name` is that of another server too",
            "`servers[3].api_token` is required",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (text, begin) in found.iter().zip(expected) {
            assert!(text.starts_with(begin), "{text}");
        }
        assert_eq!(problems(&json!({"servers": []})).len(), 1);
        assert_eq!(problems(&json!({"servers": "acme"})).len(), 1);
    }

    #[rstest]
    #[case(json!(":9790"), &[":9790"])]
    #[case(json!("127.0.0.1:1, [::1]:2"), &["127.0.0.1:1", "[::1]:2"])]
    #[case(json!(["localhost:0"]), &["localhost:0"])]
    fn addresses_to_listen_on(#[case] value: Value, #[case] expected: &[&str]) {
        let addresses = addresses(&value).expect("addresses");
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        assert_eq!(texts, expected);
    }

    #[rstest]
    #[case(json!([]))]
    #[case(json!("9790"))]
    #[case(json!("::1:9790"))]
    #[case(json!("http://localhost:9790"))]
    #[case(json!(":99999"))]
    fn no_addresses(#[case] value: Value) {
        assert!(addresses(&value).is_err());
    }

    #[rstest]
    #[case("/metrics", true)]
    #[case("/sentry/metrics/", true)]
    #[case("/", false)]
    #[case("metrics", false)]
    #[case("/-/healthy", false)]
    #[case("/config", false)]
    #[case("/style.css", false)]
    #[case("/{x}", false)]
    fn a_path_for_metrics(#[case] path: &str, #[case] free: bool) {
        assert_eq!(is_free(path).is_ok(), free);
    }

    #[test]
    fn each_collector_has_its_setting_and_default() {
        let schema = schema();
        for collector in Collector::ALL {
            let property = &schema["properties"][collector.definition().setting];
            assert_eq!(property["default"], collector.is_default(), "{collector:?}");
            let all = json!({"api_token": "t", (collector.definition().setting): !collector.is_default()});
            let chosen = settings(&all).expect("settings").policy.collectors;
            assert_eq!(chosen.contains(&collector), !collector.is_default());
        }
    }

    #[test]
    fn no_setting_is_called_as_kubernetes_calls_its_variables() {
        for (name, _) in schema()["properties"].as_object().expect("properties") {
            assert!(
                !name.starts_with("port") && !name.starts_with("service_"),
                "{name}"
            );
        }
    }
}
