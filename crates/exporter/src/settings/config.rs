//! The settings as a user writes them: their JSON Schema is the one source of all documentation.

use crate::asked::{Age, Asked, QUERIES};
use crate::collector::Collector;
use crate::dialect::Dialect;
use crate::push_settings::PushKeys;
use crate::settings::user::{KNOWN_PASSWORD, User};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tap_sentry_serve::users::PlainUser;
use tap_sentry_settings::connection::{ConnectionKeys, texts};
use tap_sentry_settings::schema::{self, Checked};

/// What requests say they come from, unless a user says otherwise.
pub const USER_AGENT: &str = concat!("sentry-exporter/", env!("CARGO_PKG_VERSION"));

/// A scrape should not wait for the patience that an extraction has.
const TIMEOUT_SECONDS: u32 = 30;
const RETRIES: u32 = 3;

/// The settings as a user writes them. Titles and descriptions become documentation.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "sentry-exporter settings")]
#[serde(default)]
pub struct Config {
    #[serde(flatten)]
    pub connection: ConnectionKeys,
    /// Several servers, instead of the settings above: a list in which each has a `name` and those settings of its own. The name is the label `server` of its series, if there is more than one.
    #[schemars(title = "Servers", with = "Option<Vec<Value>>")]
    pub servers: Option<Value>,
    /// Whose names the figures have: native, italux, maggotmouth, ujamii, snakecharmer or zekker6. Default: by what is configured.
    #[schemars(title = "Dialect")]
    pub dialect: Option<String>,
    /// How targets of /probe are asked, by name: each module with `prober`, `timeout` and `http`.
    #[schemars(title = "Modules", with = "Option<Map<String, Value>>")]
    pub modules: Option<Value>,
    /// Addresses to listen on, as `HOST:PORT` or `:PORT`: a list, or text separated by commas.
    #[schemars(title = "Listen addresses", with = "Vec<String>")]
    pub listen_address: Value,
    /// Path of the metrics.
    #[schemars(title = "Telemetry path")]
    pub telemetry_path: String,
    /// File with TLS, users and headers, as the programs of Prometheus read it.
    #[schemars(title = "Web configuration file")]
    pub web_config_file: Option<PathBuf>,
    /// Reload the configuration on POST to /-/reload even where no users are configured.
    #[schemars(title = "Reload over HTTP")]
    pub enable_lifecycle: bool,
    /// Values that are younger are not asked for again: the least time between two refreshes. As 60s, 5m, or a number of seconds.
    #[schemars(title = "Minimum age", with = "String")]
    pub min_age: Value,
    /// If a collector fails, its last values are shown until they are older than this.
    #[schemars(title = "Maximum age", with = "String")]
    pub max_age: Value,
    /// Pages of 100 unresolved issues to read in one refresh, most recent first.
    #[schemars(title = "Issue pages", range(min = 1, max = 1000))]
    pub max_issue_pages: u32,
    /// Issues to show one by one with `collector_issue_events`, those with most events first.
    #[schemars(title = "Issue series", range(min = 1, max = 10_000))]
    pub max_issue_series: u32,
    /// Releases to show with `collector_release_health`, newest first.
    #[schemars(title = "Releases", range(min = 1, max = 100))]
    pub max_releases: u32,
    /// Events of the month by project, category, outcome and reason.
    #[schemars(title = "Collector events")]
    pub collector_events: bool,
    /// Unresolved, new and regressed issues by project and level.
    #[schemars(title = "Collector issues")]
    pub collector_issues: bool,
    /// Projects and their teams.
    #[schemars(title = "Collector projects")]
    pub collector_projects: bool,
    /// Rate limits of client keys.
    #[schemars(title = "Collector client_keys")]
    pub collector_client_keys: bool,
    /// Monitors of scheduled jobs by status.
    #[schemars(title = "Collector monitors")]
    pub collector_monitors: bool,
    /// Crash-free sessions and users of the newest releases.
    #[schemars(title = "Collector release_health")]
    pub collector_release_health: bool,
    /// Events of single issues.
    #[schemars(title = "Collector issue_events")]
    pub collector_issue_events: bool,
    #[serde(flatten)]
    pub push: PushKeys,
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
    pub include_queries: Option<Value>,
    /// Dialect maggotmouth: slugs of the teams whose projects `sentry_project_info` shows, in the same form. Default: all.
    #[schemars(title = "Teams", with = "Option<Vec<String>>")]
    pub include_teams: Option<Value>,
    /// Ask for a user and a password on every path but those of health. A web configuration file can hold several users, with hashes.
    #[schemars(title = "Basic authentication")]
    pub basic_auth: bool,
    /// Name of the user.
    #[schemars(title = "User")]
    pub basic_auth_user: String,
    /// Password of the user. Everybody knows the default.
    #[schemars(title = "Password", extend("writeOnly" = true, "secret" = true))]
    pub basic_auth_pass: String,
    /// Least level of log lines: trace, debug, info, warn or error.
    #[schemars(title = "Log level")]
    pub log_level: String,
    /// Form of log lines: logfmt, json, or text for a person.
    #[schemars(title = "Log format")]
    pub log_format: String,
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
pub struct ServerConfig {
    /// What the label `server` of its series says.
    #[schemars(title = "Name")]
    pub name: String,
    #[serde(flatten)]
    pub connection: ConnectionKeys,
}

/// Settings whose form is checked where they are read.
pub const OWN_FORM: &[&str] = &[
    "servers",
    "modules",
    "listen_address",
    "min_age",
    "max_age",
    "include_queries",
    "include_teams",
];

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
pub fn connection_defaults(schema: &mut Value) {
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
pub fn is_of_connection(key: &str) -> bool {
    key != "name" && server_schema()["properties"].get(key).is_some()
}

impl Config {
    /// The groups of figures that are on.
    pub fn chosen(&self, dialect: Dialect, checked: &mut Checked) -> BTreeSet<Collector> {
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

    pub fn asked(&self, dialect: Dialect, checked: &mut Checked) -> Asked {
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

    pub fn user(&self, checked: &mut Checked) -> Option<User> {
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

    pub fn collectors(&self) -> BTreeMap<Collector, bool> {
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
pub fn with_defaults(values: &mut Map<String, Value>) {
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
pub fn of_dialect(values: &mut Map<String, Value>, dialect: Dialect) {
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
