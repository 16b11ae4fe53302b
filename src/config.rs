//! Settings: as written ([`Config`], whose JSON Schema is the one source of all documentation) and as used
//! ([`Settings`], validated).

use crate::catalog::RecordStyle;
use crate::error::Error;
use crate::sources::typed;
use crate::transform::{Flattening, MaskMode, Masking};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use jsonschema::error::ValidationErrorKind;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tap_sentry_api::connection::Connection;
use tap_sentry_api::text::brief;
use tap_sentry_api::time::parse_instant;
use url::Url;
use wildmatch::WildMatch;

/// Prefix of settings in the environment.
pub const ENV_PREFIX: &str = "TAP_SENTRY_";
const DEFAULT_BASE_URL: &str = "https://sentry.io/api/0/";

/// The settings as a user writes them. Titles and descriptions become `--about`, README and meltano.yml.
#[derive(JsonSchema)]
#[schemars(title = "tap-sentry settings")]
#[expect(
    dead_code,
    reason = "read by schemars; values are read one by one, so that all mistakes are found"
)]
#[expect(
    clippy::doc_markdown,
    reason = "the texts are shown to users as they are"
)]
pub struct Config {
    /// Bearer token: an internal integration's (best: bound to the organization) or a user's. `auth_token` is accepted too.
    #[schemars(title = "API token", extend("writeOnly" = true, "secret" = true))]
    api_token: String,
    /// The earliest activity to extract in a first run: RFC 3339, or YYYY-MM-DD (UTC).
    #[schemars(title = "Start date", extend("format" = "date-time"))]
    start_date: String,
    /// Address of the Sentry server, for self-hosted or regional ones (https://de.sentry.io); with or without /api/0/.
    #[schemars(title = "Base URL", extend("default" = DEFAULT_BASE_URL))]
    base_url: Option<String>,
    /// Slug of the organization, or several: text separated by commas, in a file also a list. Left out: all that the token can see.
    #[schemars(title = "Organization", with = "Option<String>")]
    organization: Option<Value>,
    /// Slugs of the projects to extract, `*` as wildcard; a list, or text separated by commas. Left out: all.
    #[schemars(title = "Project slugs", with = "Option<Vec<String>>")]
    project_slugs: Option<Value>,
    /// Slugs of projects to leave out; same form.
    #[schemars(title = "Excluded project slugs", with = "Option<Vec<String>>")]
    exclude_project_slugs: Option<Value>,
    /// Upper bound of the extraction, for backfills in slices: same form as start_date. Left out: now.
    #[schemars(title = "End date", extend("format" = "date-time"))]
    end_date: Option<String>,
    /// Full event bodies (stack traces, contexts) in `events`, taken from the listing, without a call per event.
    #[schemars(title = "Fetch event details", extend("default" = false))]
    fetch_event_details: Option<bool>,
    /// How far before the bookmark incremental streams read again, for events that arrive late. Minutes.
    #[schemars(title = "Look-back", range(min = 0, max = 129_600), extend("default" = 60))]
    lookback_minutes: Option<u32>,
    /// `issues` and `releases` also re-read what was active in the last days, since status or assignee change without a new event. Days.
    #[schemars(title = "Issue refresh", range(min = 0, max = 90), extend("default" = 14))]
    issue_refresh_days: Option<u32>,
    /// Length of a backfill window; each finished window is a resumable step. Days.
    #[schemars(title = "Window", range(min = 1, max = 90), extend("default" = 7))]
    window_days: Option<u32>,
    /// Requests in flight at most.
    #[schemars(title = "Concurrency", range(min = 1, max = 64), extend("default" = 8))]
    concurrency: Option<u32>,
    /// Requests a second at most, over all endpoints. Left out: as fast as Sentry's own limits allow.
    #[schemars(title = "Rate limit", range(min = 0.01, max = 1000.0))]
    rate_limit: Option<f64>,
    /// How long to wait for one answer. Seconds.
    #[schemars(title = "Request timeout", range(min = 1, max = 3600), extend("default" = 60))]
    request_timeout_seconds: Option<u32>,
    /// Further tries of a request that failed for a passing reason. A rate limit that says when it ends is waited for and does not count.
    #[schemars(title = "Retries", range(min = 0, max = 100), extend("default" = 8))]
    max_retries: Option<u32>,
    /// Time between two STATE messages at least; the larger the state, the more, up to 30 s. 0: one for each step. Seconds.
    #[schemars(title = "STATE interval", range(min = 0, max = 60), extend("default" = 1))]
    state_interval_seconds: Option<u32>,
    /// User-Agent header of every request.
    #[schemars(title = "User agent", extend("default" = concat!("tap-sentry/", env!("CARGO_PKG_VERSION"))))]
    user_agent: Option<String>,
    /// PEM file of further certificate authorities to trust, for servers with a private one.
    #[schemars(title = "CA certificate")]
    ca_certificate: Option<PathBuf>,
    /// Proxy for all requests: http://, https:// or socks5://.
    #[schemars(title = "Proxy URL", extend("writeOnly" = true, "secret" = true))]
    proxy_url: Option<String>,
    /// Keep fields that Sentry sends and the schema lacks, at the top of a record. Only for targets that accept undeclared fields.
    #[schemars(title = "Keep unknown fields", extend("default" = false))]
    keep_unknown_fields: Option<bool>,
    /// Announce the new version of each full-table stream, so that targets which support it remove rows that are gone.
    #[schemars(title = "Activate versions", extend("default" = false))]
    emit_activate_version_messages: Option<bool>,
    /// Fields to mask before anything is written: `stream.path.to.field`, `*` for any stream or key.
    #[schemars(title = "Masked fields", with = "Option<Vec<String>>")]
    mask_fields: Option<Value>,
    /// Mask personal data in all streams: e-mail and IP addresses, user names, avatars, request headers and cookies.
    #[schemars(title = "Mask personal data", extend("default" = false))]
    mask_personal_data: Option<bool>,
    /// How masked values are written: `hash` (text becomes a salted SHA-256, anything else null) or `null`.
    #[schemars(title = "Mask mode", extend("default" = "hash"))]
    mask_mode: Option<String>,
    /// Salt of the hashes; keep it the same, or joins with earlier loads break.
    #[schemars(title = "Mask salt", extend("writeOnly" = true, "secret" = true))]
    mask_salt: Option<String>,
    /// Turn declared nested objects into columns (`parent__child`) and everything else that is nested into text.
    #[schemars(title = "Flattening", extend("default" = false))]
    flattening_enabled: Option<bool>,
    /// Levels of nested objects that become columns when flattening is enabled.
    #[schemars(title = "Flattening depth", range(min = 0, max = 10), extend("default" = 1))]
    flattening_max_depth: Option<u32>,
    /// Between the names of a flattened column.
    #[schemars(title = "Flattening separator", extend("default" = "__"))]
    flattening_separator: Option<String>,
    /// Flattened columns as long as this or longer are shortened, as the Singer SDK does.
    #[schemars(title = "Flattened column length", range(min = 1, max = 1000), extend("default" = 255))]
    flattening_max_key_length: Option<u32>,
}

/// One mistake: which key, what is wrong, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub key: String,
    pub text: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {}", self.key, self.text)
    }
}

/// The settings as the program uses them.
#[derive(Debug, Clone)]
pub struct Settings {
    pub connection: Connection,
    pub start_date: DateTime<Utc>,
    /// When the run started, by the earlier of this machine's clock and the server's.
    pub now: DateTime<Utc>,
    /// As it was set.
    pub end_date: Option<DateTime<Utc>>,
    /// Fixed when the run starts, in whole seconds: windows end here, whatever happens meanwhile.
    pub end: DateTime<Utc>,
    /// Slugs; empty: every organization that the token sees.
    pub organizations: Vec<String>,
    pub projects: ProjectFilter,
    pub fetch_event_details: bool,
    pub lookback: TimeDelta,
    pub issue_refresh: TimeDelta,
    pub window: TimeDelta,
    pub state_interval: Duration,
    pub style: RecordStyle,
}

/// Which projects to extract.
#[derive(Debug, Clone, Default)]
pub struct ProjectFilter {
    include: Option<Vec<WildMatch>>,
    exclude: Vec<WildMatch>,
    /// The slugs that were named without a wildcard: each must exist.
    named: Vec<String>,
}

impl ProjectFilter {
    pub fn admits(&self, slug: &str) -> bool {
        self.include
            .as_ref()
            .is_none_or(|patterns| patterns.iter().any(|p| p.matches(slug)))
            && !self.exclude.iter().any(|p| p.matches(slug))
    }

    /// Whether any choice was made.
    pub fn is_everything(&self) -> bool {
        self.include.is_none() && self.exclude.is_empty()
    }

    /// The named slugs that are not among `slugs`.
    pub fn missing<'a>(&'a self, slugs: &[String]) -> Vec<&'a str> {
        self.named
            .iter()
            .filter(|name| !slugs.contains(name))
            .map(String::as_str)
            .collect()
    }
}

/// The JSON Schema of the settings.
pub fn schema() -> Value {
    let mut schema = schemars::SchemaGenerator::new(
        schemars::generate::SchemaSettings::draft07().with(|s| s.meta_schema = None),
    )
    .into_root_schema_for::<Config>()
    .to_value();
    // `null` is how a setting is left out; shown to users it would only be noise.
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut() {
            if let Some(Value::Array(types)) = property.get("type").cloned() {
                property["type"] = types.into_iter().find(|t| t != "null").unwrap_or_default();
            }
            for keyword in ["format", "minimum"] {
                if property.get(keyword).is_some_and(|v| {
                    v == "uint32"
                        || v == "double"
                        || (keyword == "minimum" && v == 0.0 && property.get("maximum").is_none())
                }) {
                    property
                        .as_object_mut()
                        .expect("a property is an object")
                        .remove(keyword);
                }
            }
        }
    }
    schema
}

impl Settings {
    /// The same for a run that began at `now`.
    #[must_use]
    pub fn at(&self, now: DateTime<Utc>) -> Self {
        Self {
            now,
            end: self.end_date.unwrap_or(now).trunc_subsecs(0),
            ..self.clone()
        }
    }

    /// Validates everything and reports all mistakes at once. Unknown keys are only warned about: Meltano passes extras.
    ///
    /// # Errors
    /// [`Error::Config`] with each mistake.
    pub fn new(config: Map<String, Value>) -> Result<Self, Error> {
        Self::checked(config, Vec::new())
    }

    /// The same, with mistakes that were found before.
    ///
    /// # Errors
    /// [`Error::Config`] with each mistake.
    pub fn checked(mut config: Map<String, Value>, found: Vec<Problem>) -> Result<Self, Error> {
        let schema = schema();
        for (key, value) in &mut config {
            // Some programs write every value as text.
            if let (Some(text), Some(kind)) =
                (value.as_str(), schema["properties"][key]["type"].as_str())
                && matches!(kind, "integer" | "number" | "boolean")
            {
                *value = typed(text, kind);
            }
        }
        let mut problems = found;
        problems.extend(shape_problems(&schema, &config));
        let sound = |key: &str, problems: &[Problem]| !problems.iter().any(|p| p.key == key);
        let mut check = Checked {
            problems: Vec::new(),
        };

        let text = |key: &str| config.get(key).and_then(Value::as_str).map(str::trim);
        // The schema has seen to it that numbers are whole and in range, but not that they are written so.
        let whole = |number: &Value| format!("{:.0}", number.as_f64()?).parse().ok();
        let number = |key: &str, default: u32| config.get(key).and_then(whole).unwrap_or(default);
        let flag = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);

        let start_date =
            text("start_date").and_then(|t| check.keep("start_date", parse_instant(t)));
        let end_date = text("end_date").and_then(|t| check.keep("end_date", parse_instant(t)));
        let now = Utc::now();
        let end = end_date.unwrap_or(now).trunc_subsecs(0);
        if start_date.is_some_and(|start| start >= end) {
            let (key, text) = if end_date.is_some() {
                ("end_date", "must be after `start_date`")
            } else {
                ("start_date", "is in the future")
            };
            check.problem(key, text);
        }
        let base_url = check.keep(
            "base_url",
            base_url(text("base_url").unwrap_or(DEFAULT_BASE_URL)),
        );
        let include = config
            .get("project_slugs")
            .map(|v| check.keep("project_slugs", slugs(v)).unwrap_or_default());
        let exclude = config
            .get("exclude_project_slugs")
            .and_then(|v| check.keep("exclude_project_slugs", slugs(v)))
            .unwrap_or_default();
        let proxy_url = text("proxy_url").and_then(|t| {
            let url = Url::parse(t)
                .ok()
                .filter(|u| matches!(u.scheme(), "http" | "https" | "socks5" | "socks5h"));
            check.keep(
                "proxy_url",
                url.ok_or("must be a URL that starts with http://, https:// or socks5://"),
            )
        });
        let mut organizations = config
            .get("organization")
            .and_then(|v| check.keep("organization", slugs(v)))
            .unwrap_or_default();
        if organizations == ["*"] {
            // As with projects: all that the token sees, said aloud.
            organizations.clear();
        }
        if organizations.iter().any(|slug| {
            matches!(slug.as_str(), "." | "..") || slug.contains(['*', '?', '\\', '#', '%'])
        }) {
            check.problem(
                "organization",
                "must be a slug, as in https://sentry.io/organizations/SLUG/",
            );
        }
        if let Some(problem) = text("api_token").and_then(token_problem) {
            check.problem("api_token", problem);
        }
        for key in ["api_token", "user_agent"] {
            let told = check.problems.iter().any(|problem| problem.key == key);
            if !told
                && text(key).is_some_and(|text| !text.bytes().all(|b| matches!(b, b' '..=b'~')))
            {
                check.problem(key, "holds characters that no HTTP header can carry");
            }
        }
        let mask_mode = match text("mask_mode").unwrap_or("hash") {
            "hash" => MaskMode::Hash,
            "null" => MaskMode::Null,
            _ => {
                check.problem("mask_mode", "must be `hash` or `null`");
                MaskMode::Null
            }
        };
        let paths = config
            .get("mask_fields")
            .and_then(|v| check.keep("mask_fields", mask_paths(v)))
            .unwrap_or_default();
        let preset = flag("mask_personal_data");
        let masking = (preset || !paths.is_empty()).then(|| Masking {
            paths,
            preset,
            mode: mask_mode,
            salt: text("mask_salt").unwrap_or_default().to_owned(),
        });
        if masking
            .as_ref()
            .is_some_and(|m| m.mode == MaskMode::Hash && m.salt.is_empty())
        {
            check.problem(
                "mask_salt",
                "is required with `mask_mode` hash: without a salt, e-mail addresses can be guessed from their hashes",
            );
        }
        problems.extend(
            check
                .problems
                .into_iter()
                .filter(|p| sound(&p.key, &problems))
                .collect::<Vec<_>>(),
        );
        let (Some(start_date), Some(base_url), true) = (start_date, base_url, problems.is_empty())
        else {
            return Err(Error::Config(problems));
        };
        if base_url.scheme() == "http" && !is_loopback(&base_url) {
            log::warn!(
                "`base_url` is plain http: the token and all data travel unencrypted; use https"
            );
        }
        let pattern =
            |slugs: &[String]| slugs.iter().map(|s| WildMatch::new(s)).collect::<Vec<_>>();
        Ok(Self {
            connection: Connection {
                token: SecretString::from(text("api_token").unwrap_or_default().to_owned()),
                base_url,
                user_agent: text("user_agent")
                    .unwrap_or(concat!("tap-sentry/", env!("CARGO_PKG_VERSION")))
                    .to_owned(),
                ca_certificate: text("ca_certificate").map(PathBuf::from),
                proxy_url,
                concurrency: number("concurrency", 8) as usize,
                rate_limit: config.get("rate_limit").and_then(Value::as_f64),
                request_timeout: Duration::from_secs(number("request_timeout_seconds", 60).into()),
                max_retries: number("max_retries", 8),
            },
            start_date,
            now,
            end_date,
            end,
            organizations: organizations
                .into_iter()
                .fold(Vec::new(), |mut known, slug| {
                    if !known.contains(&slug) {
                        known.push(slug);
                    }
                    known
                }),
            projects: ProjectFilter {
                include: include
                    .as_deref()
                    .filter(|slugs| !slugs.is_empty())
                    .map(pattern),
                exclude: pattern(&exclude),
                named: include
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|slug| !slug.contains('*') && !slug.contains('?'))
                    .collect(),
            },
            fetch_event_details: flag("fetch_event_details"),
            lookback: TimeDelta::minutes(number("lookback_minutes", 60).into()),
            issue_refresh: TimeDelta::days(number("issue_refresh_days", 14).into()),
            window: TimeDelta::days(number("window_days", 7).into()),
            state_interval: Duration::from_secs(number("state_interval_seconds", 1).into()),
            style: RecordStyle {
                keep_unknown_fields: flag("keep_unknown_fields"),
                masking,
                flatten: flag("flattening_enabled").then(|| Flattening {
                    depth: number("flattening_max_depth", 1),
                    separator: text("flattening_separator").unwrap_or("__").to_owned(),
                    max_key_length: number("flattening_max_key_length", 255) as usize,
                }),
                version: flag("emit_activate_version_messages").then(|| now.timestamp()),
            },
        })
    }
}

/// Collects mistakes so that all are reported together.
struct Checked {
    problems: Vec<Problem>,
}

impl Checked {
    fn keep<T, E: Into<String>>(&mut self, key: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|text| self.problem(key, text)).ok()
    }

    fn problem(&mut self, key: &str, text: impl Into<String>) {
        self.problems.push(Problem {
            key: key.to_owned(),
            text: brief(&text.into()),
        });
    }
}

/// What the JSON Schema refuses. The texts never repeat a value: it may be the token.
fn shape_problems(schema: &Value, config: &Map<String, Value>) -> Vec<Problem> {
    let mut lenient = schema.clone();
    for key in [
        "organization",
        "project_slugs",
        "exclude_project_slugs",
        "mask_fields",
    ] {
        lenient["properties"][key] = json!({});
    }
    for key in ["start_date", "end_date"] {
        lenient["properties"][key] = json!({"type": "string"});
    }
    let validator =
        jsonschema::draft7::new(&lenient).expect("the schema of the settings is a JSON Schema");
    validator
        .iter_errors(&Value::Object(config.clone()))
        .map(|error| {
            let key = error
                .instance_path()
                .to_string()
                .trim_start_matches('/')
                .to_owned();
            match error.kind() {
                ValidationErrorKind::Required { property } => Problem {
                    key: property.as_str().unwrap_or_default().to_owned(),
                    text: "is required and missing".to_owned(),
                },
                ValidationErrorKind::Type { .. } => {
                    let expected = schema["properties"][&key]["type"]
                        .as_str()
                        .unwrap_or("of another type")
                        .to_owned();
                    let article = if expected.starts_with(['a', 'i', 'o']) {
                        "an"
                    } else {
                        "a"
                    };
                    Problem {
                        key,
                        text: format!("must be {article} {expected}"),
                    }
                }
                ValidationErrorKind::Minimum { limit } => Problem {
                    key,
                    text: format!("must be at least {limit}"),
                },
                ValidationErrorKind::Maximum { limit } => Problem {
                    key,
                    text: format!("must be at most {limit}"),
                },
                _ => Problem {
                    key,
                    text: "is not valid".to_owned(),
                },
            }
        })
        .collect()
}

/// A server's address, with or without `/api/0/` and slashes, as the URL below which all endpoints are.
fn base_url(text: &str) -> Result<Url, String> {
    let wrong = || {
        "must be the address of a Sentry server, such as https://sentry.io or https://sentry.example.com/api/0/".to_owned()
    };
    let mut url = Url::parse(text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong());
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("must not hold a user name, a query or a fragment".to_owned());
    }
    let path = url.path().trim_end_matches('/');
    let path = path
        .strip_suffix("/api/0")
        .or_else(|| path.strip_suffix("/api"))
        .unwrap_or(path);
    let path = format!("{path}/api/0/");
    url.set_path(&path);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// `stream.path.to.field`; the stream must exist, and its key columns cannot be masked.
fn mask_paths(value: &Value) -> Result<Vec<(String, Vec<String>)>, String> {
    let fields = texts(value).ok_or("must be a list of fields such as `events.user.email`")?;
    if fields
        .iter()
        .any(|field| field.starts_with(['[', '"', '\'']) || field.ends_with([']', '"', '\'']))
    {
        return Err(
            "holds what is no field; write fields separated by commas, or a JSON list".to_owned(),
        );
    }
    fields
        .iter()
        .map(|field| {
            let mut segments = field.split('.').map(str::to_owned);
            let (stream, path): (_, Vec<String>) =
                (segments.next().unwrap_or_default(), segments.collect());
            let def = crate::streams::find(&stream);
            if (stream != "*" && def.is_none())
                || path.is_empty()
                || path.iter().any(String::is_empty)
            {
                return Err(format!(
                    "names `{field}`; the form is `stream.path.to.field`, `*` for any stream"
                ));
            }
            if def.is_some_and(|def| path.len() == 1 && def.key.contains(&path[0].as_str())) {
                return Err(format!("names `{field}`, which is part of the primary key"));
            }
            Ok((stream, path))
        })
        .collect()
}

/// What is wrong with a token that no server would take, without the token.
fn token_problem(token: &str) -> Option<&'static str> {
    if token.to_lowercase().starts_with("bearer ") {
        Some("must be the token alone, without `Bearer `")
    } else if token.starts_with(['"', '\'', '`']) || token.ends_with(['"', '\'', '`']) {
        Some("must be the token alone, without quotes around it")
    } else if token.contains(char::is_whitespace) {
        Some("holds a blank or a line end within; copy the token again")
    } else if token == "YOUR_TOKEN" {
        Some("is the example's; put a token of yours in its place")
    } else {
        None
    }
}

/// A list of slugs, or text separated by commas. What is left of a list that was quoted wrongly is no slug.
fn slugs(value: &Value) -> Result<Vec<String>, &'static str> {
    const FORM: &str = "must be a list of slugs, or text that separates them by commas";
    let slugs = texts(value).ok_or(FORM)?;
    let is_slug = |slug: &String| {
        !slug.contains(['[', ']', '{', '}', '"', '\'', '/']) && !slug.contains(char::is_whitespace)
    };
    if slugs.iter().all(is_slug) {
        Ok(slugs)
    } else {
        Err("holds what is no slug; write slugs separated by commas, or a JSON list")
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    // A list of JSON, where only text can be written.
    if let Some(list) = value
        .as_str()
        .filter(|text| text.trim_start().starts_with('['))
        .and_then(|text| serde_json::from_str(text).ok())
    {
        return if Value::is_array(&list) {
            texts(&list)
        } else {
            None
        };
    }
    let texts: Vec<String> = match value {
        Value::String(text) => text.split(',').map(|slug| slug.trim().to_owned()).collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(|s| s.trim().to_owned()))
            .collect::<Option<_>>()?,
        _ => return None,
    };
    Some(texts.into_iter().filter(|text| !text.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[expect(clippy::needless_pass_by_value, reason = "callers write literals")]
    fn config(more: Value) -> Map<String, Value> {
        let mut config = json!({"api_token": "t", "start_date": "2026-01-01"});
        config
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        config.as_object().expect("an object").clone()
    }

    fn problems(more: Value) -> Vec<String> {
        match Settings::new(config(more)) {
            Err(Error::Config(problems)) => problems.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case("https://sentry.io/api/0/", "https://sentry.io/api/0/")]
    #[case("https://sentry.io", "https://sentry.io/api/0/")]
    #[case("https://sentry.io/", "https://sentry.io/api/0/")]
    #[case("https://sentry.io/api/0", "https://sentry.io/api/0/")]
    #[case("http://127.0.0.1:9000/sentry/", "http://127.0.0.1:9000/sentry/api/0/")]
    fn a_base_url_in_any_form(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(base_url(text).map(String::from).as_deref(), Ok(expected));
    }

    #[rstest]
    #[case("sentry.io")]
    #[case("ftp://sentry.io")]
    #[case("https://user:secret@sentry.io/")]
    #[case("https://sentry.io/?a=b")]
    fn not_a_base_url(#[case] text: &str) {
        assert!(!base_url(text).expect_err("refused").contains("secret"));
    }

    #[test]
    fn all_mistakes_are_reported_at_once_and_without_values() {
        let found = problems(
            json!({"api_token": 12345, "start_date": "soon", "base_url": "nowhere", "concurrency": 0, "window_days": "x", "fetch_event_details": "maybe", "project_slugs": 7}),
        );
        for key in [
            "api_token",
            "start_date",
            "base_url",
            "concurrency",
            "window_days",
            "fetch_event_details",
            "project_slugs",
        ] {
            assert_eq!(
                found
                    .iter()
                    .filter(|p| p.starts_with(&format!("`{key}`")))
                    .count(),
                1,
                "{key}: {found:?}"
            );
        }
        assert!(!found.join(" ").contains("12345"));
    }

    #[test]
    fn required_settings_are_named() {
        let Err(Error::Config(problems)) = Settings::new(Map::new()) else {
            panic!("accepted")
        };
        let keys: Vec<_> = problems.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(keys, ["api_token", "start_date"]);
    }

    #[test]
    fn the_older_taps_configuration_is_accepted() {
        let settings = Settings::new(config(
            json!({"start_date": "2020-01-01T00:00:00Z", "base_url": "https://sentry.io/api/0/", "organization": "split-software"}),
        ))
        .expect("valid");
        assert_eq!(settings.organizations, ["split-software"]);
    }

    #[rstest]
    #[case::bearer("Bearer sntryu_abc")]
    #[case::quotes("\"sntryu_abc\"")]
    #[case::a_blank("sntryu abc")]
    #[case::a_line_end("sntryu_\nabc")]
    #[case::the_example("YOUR_TOKEN")]
    fn a_token_that_cannot_be_one_is_told_without_it(#[case] token: &str) {
        let found = problems(json!({"api_token": token}));
        assert!(
            found.len() == 1 && found[0].starts_with("`api_token`") && !found[0].contains("sntryu"),
            "{found:?}"
        );
    }

    #[rstest]
    #[case::a_list_that_lost_its_quotes("[svc-0, svc-9]")]
    #[case::quotes_that_stayed("'svc-0'")]
    #[case::blanks_for_commas("svc-0 svc-9")]
    #[case::half_a_list("[\"svc-0\"")]
    fn what_is_no_slug_is_refused(
        #[case] text: &str,
        #[values("organization", "project_slugs", "exclude_project_slugs")] key: &str,
    ) {
        assert_eq!(problems(json!({key: text})).len(), 1, "{key}");
    }

    #[rstest]
    #[case::one(json!("acme"), &["acme"])]
    #[case::commas(json!("acme, other,acme"), &["acme", "other"])]
    #[case::a_list(json!(["acme", "other"]), &["acme", "other"])]
    #[case::a_list_as_text(json!("[\"acme\", \"other\"]"), &["acme", "other"])]
    fn several_organizations(#[case] value: Value, #[case] expected: &[&str]) {
        assert_eq!(
            Settings::new(config(json!({"organization": value})))
                .expect("valid")
                .organizations,
            expected
        );
    }

    #[test]
    fn numbers_written_as_text_are_read() {
        let settings = Settings::new(config(
            json!({"rate_limit": "2.5", "concurrency": "3", "fetch_event_details": "true"}),
        ))
        .expect("valid");
        assert_eq!(
            (
                settings.connection.rate_limit,
                settings.connection.concurrency,
                settings.fetch_event_details
            ),
            (Some(2.5), 3, true)
        );
        assert_eq!(problems(json!({"rate_limit": "nan"})).len(), 1);
    }

    #[test]
    fn an_end_before_the_start_is_refused() {
        assert_eq!(
            problems(json!({"end_date": "2025-12-31"})),
            ["`end_date` must be after `start_date`"]
        );
    }

    #[rstest]
    #[case(json!(["api", "web-*"]))]
    #[case(json!("api, web-*"))]
    fn projects_are_chosen_by_slug_or_pattern(#[case] slugs: Value) {
        let filter = Settings::new(config(
            json!({"project_slugs": slugs, "exclude_project_slugs": ["web-old"]}),
        ))
        .expect("valid")
        .projects;
        assert!(filter.admits("api") && filter.admits("web-new"));
        assert!(!filter.admits("web-old") && !filter.admits("worker"));
        assert_eq!(filter.missing(&["web-new".to_owned()]), ["api"]);
    }
}
