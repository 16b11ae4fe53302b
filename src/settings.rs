//! Settings of the tap: as written (`Config`, whose JSON Schema is the one source of all documentation) and as used
//! ([`Settings`], validated).

use crate::record::flatten::Flattening;
use crate::record::mask::{MaskMode, Masking};
use crate::record::style::RecordStyle;
use crate::streams::interval::Interval;
use crate::streams::query::{Query, queries};
use crate::streams::{STREAMS, StreamDef};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tap_sentry_api::connection::Connection;
use tap_sentry_api::time::parse_instant;
use tap_sentry_files::Attachments;
use tap_sentry_settings::connection::{self, ConnectionKeys, ProjectFilter, Target, texts};
use tap_sentry_settings::problem::{Problem, SettingsError};
use tap_sentry_settings::program::Program;
use tap_sentry_settings::schema::{self, Checked};
use tap_sentry_settings::sources;

/// What requests say they come from, unless a user says otherwise.
const USER_AGENT: &str = concat!("tap-sentry/", env!("CARGO_PKG_VERSION"));

/// The settings as a user writes them. Titles and descriptions become `--about`, README and meltano.yml.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "tap-sentry settings")]
#[serde(default)]
#[expect(
    clippy::doc_markdown,
    reason = "the texts are shown to users as they are"
)]
struct Config {
    #[serde(flatten)]
    connection: ConnectionKeys,
    /// Where the first run starts; earlier activity is not extracted. RFC 3339, or YYYY-MM-DD (UTC).
    #[schemars(title = "Start date", extend("format" = "date-time"))]
    start_date: Option<String>,
    /// Where the extraction ends, for backfills in slices; same form as start_date. Default: now.
    #[schemars(title = "End date", extend("format" = "date-time"))]
    end_date: Option<String>,
    /// Extract full event bodies (stack traces, contexts) in `events`; they come with the listing, without a request per event. Streams that are cut from full events have the same effect.
    #[schemars(title = "Fetch event details")]
    fetch_event_details: bool,
    /// How many minutes before the bookmark incremental streams start, for events that arrive late.
    #[schemars(title = "Look-back", range(min = 0, max = 129_600))]
    lookback_minutes: u32,
    /// Issues and releases that were active within this many days are read again, because status or assignee change without a new event.
    #[schemars(title = "Issue refresh", range(min = 0, max = 90))]
    issue_refresh_days: u32,
    /// Length of a backfill window, in days. An interrupted run resumes after the last finished window.
    #[schemars(title = "Window", range(min = 1, max = 90))]
    window_days: u32,
    /// Length of the intervals of statistics: `1d`, or `1h`, which costs 24 times the requests.
    #[schemars(title = "Interval of statistics")]
    stats_interval: String,
    /// Minimum time between two STATE messages, in seconds. A large state is written less often, up to every 30 s. 0: after each step. With `--output` each minute, unless it is 0.
    #[schemars(title = "STATE interval", range(min = 0, max = 60))]
    state_interval_seconds: u32,
    /// Keep top-level fields that Sentry sends and the schema does not have. Only for targets that accept undeclared fields.
    #[schemars(title = "Keep unknown fields")]
    keep_unknown_fields: bool,
    /// Send ACTIVATE_VERSION for each full-table stream, so that targets which support it remove rows that no longer exist.
    #[schemars(title = "Activate versions")]
    emit_activate_version_messages: bool,
    /// Fields to mask before anything is written: `stream.path.to.field`, `*` for any stream or key. Needs `mask_salt`, or `mask_mode` `null`.
    #[schemars(title = "Masked fields", with = "Option<Vec<String>>")]
    mask_fields: Option<Value>,
    /// Mask personal data in all streams: e-mail and IP addresses, user names, avatars, request headers and cookies. Needs `mask_salt`, or `mask_mode` `null`.
    #[schemars(title = "Mask personal data")]
    mask_personal_data: bool,
    /// How masked values are written: `hash` (text as salted SHA-256, anything else as null) or `null`.
    #[schemars(title = "Mask mode")]
    mask_mode: String,
    /// Salt of the hashes; required where something is masked, unless `mask_mode` is `null`. If it changes, hashes no longer match those of earlier loads.
    #[schemars(title = "Mask salt", extend("writeOnly" = true, "secret" = true))]
    mask_salt: Option<String>,
    /// Write secrets that Sentry sends, such as those of client keys and service hooks; otherwise they are null.
    #[schemars(title = "Secrets")]
    include_secrets: bool,
    /// Attachments of at most so many bytes are downloaded, where `event_attachments` is selected and rows go to files (`--output`); without it none is. A body of another size than its row tells counts as not read.
    #[schemars(title = "Size of attachments", range(min = 1))]
    attachment_max_bytes: Option<u64>,
    /// Streams of your own: queries over Sentry's explore endpoint, each with `name`, `dataset` (errors, spans, logs, …), `fields`, and perhaps `query`; with an aggregate among the fields also `interval` (1h or 1d) and perhaps `sort`. With it `--discover` asks Sentry for the types of the fields.
    #[schemars(title = "Explore queries", with = "Option<Vec<Map<String, Value>>>")]
    explore: Option<Value>,
    /// Turn nested objects of the schema into columns (`parent__child`), and everything else that is nested into JSON text.
    #[schemars(title = "Flattening")]
    flattening_enabled: bool,
    /// How many levels of nested objects become columns.
    #[schemars(title = "Flattening depth", range(min = 0, max = 10))]
    flattening_max_depth: u32,
    /// Separator between the parts of a flattened column's name.
    #[schemars(title = "Flattening separator")]
    flattening_separator: String,
    /// Names of flattened columns that are this long or longer are shortened, as the Singer SDK does.
    #[schemars(title = "Flattened column length", range(min = 1, max = 1000))]
    flattening_max_key_length: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connection: ConnectionKeys::default(),
            start_date: None,
            end_date: None,
            fetch_event_details: false,
            lookback_minutes: 60,
            issue_refresh_days: 14,
            window_days: 7,
            stats_interval: "1d".to_owned(),
            state_interval_seconds: 1,
            keep_unknown_fields: false,
            emit_activate_version_messages: false,
            mask_fields: None,
            mask_personal_data: false,
            mask_mode: "hash".to_owned(),
            mask_salt: None,
            include_secrets: false,
            attachment_max_bytes: None,
            explore: None,
            flattening_enabled: false,
            flattening_max_depth: 1,
            flattening_separator: "__".to_owned(),
            flattening_max_key_length: 255,
        }
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
    /// Over what statistics are summed up.
    pub stats_interval: Interval,
    pub state_interval: Duration,
    /// So large an attachment is downloaded at most; `None`: none is.
    pub attachment_max_bytes: Option<u64>,
    /// Where those are kept, if rows go to files.
    pub attachments: Option<Attachments>,
    /// What the user's own streams ask for.
    pub explore: Vec<Query>,
    pub style: RecordStyle,
}

/// The JSON Schema of the settings.
pub fn schema() -> Value {
    let mut schema = schema::of::<Config>(&["api_token", "start_date"]);
    schema["properties"]["user_agent"]["default"] = json!(USER_AGENT);
    schema
}

/// Settings whose form is checked where they are read.
const OWN_FORM: &[&str] = &["mask_fields", "explore"];

/// Other names of settings that must not be passed over.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    (
        "start_date",
        &[
            "start",
            "startdatetime",
            "starttime",
            "since",
            "from",
            "fromdate",
        ],
    ),
    (
        "end_date",
        &["end", "enddatetime", "endtime", "until", "to", "todate"],
    ),
    (
        "mask_fields",
        &[
            "mask",
            "masks",
            "masked",
            "maskkeys",
            "maskcolumns",
            "hashfields",
            "redact",
            "redactfields",
            "pii",
        ],
    ),
    (
        "mask_personal_data",
        &[
            "maskpii",
            "maskdata",
            "anonymize",
            "anonymise",
            "hidepersonaldata",
            "redactpii",
        ],
    ),
    ("mask_mode", &[]),
    ("mask_salt", &["salt", "hashsalt"]),
];

/// Reads the sources in order, later ones winning; `ENV` stands for `.env` and the environment.
///
/// # Errors
/// The first file that cannot be used. Mistakes of single settings are returned beside the others.
pub fn load(sources: &[String]) -> Result<(Map<String, Value>, Vec<Problem>), SettingsError> {
    let program = Program {
        prefix: "TAP_SENTRY_",
        schema: schema(),
        strict: false,
        narrowing: &["mask_fields"],
        other_names: OTHER_NAMES,
        other_parts: &[("mask_fields", &["mask", "anonym", "redact"])],
        old_names: Vec::new(),
    };
    sources::load(&program, sources)
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

    /// Validates everything and reports all mistakes at once. `found` are mistakes that are known already.
    ///
    /// # Errors
    /// [`SettingsError::Problems`] with each mistake.
    pub fn new(values: Map<String, Value>, found: Vec<Problem>) -> Result<Self, SettingsError> {
        let own_form = [connection::OWN_FORM, OWN_FORM].concat();
        let mut checked = Checked::new(&schema(), values, found, &own_form);
        let config: Config = checked.read();
        let now = Utc::now();
        let mut instant = |key: &str, text: Option<&String>| {
            text.and_then(|text| checked.keep(key, parse_instant(text)))
        };
        let start_date = instant("start_date", config.start_date.as_ref());
        let end_date = instant("end_date", config.end_date.as_ref());
        let end = end_date.unwrap_or(now).trunc_subsecs(0);
        match (start_date, end_date) {
            (Some(start), Some(_)) if start >= end => {
                checked.problem("end_date", "must be after `start_date`");
            }
            (Some(start), None) if start >= end => {
                checked.problem("start_date", "is in the future");
            }
            _ => {}
        }
        let explore = config.explore.as_ref();
        let explore = explore.and_then(|value| checked.keep("explore", queries(value)));
        let explore = explore.unwrap_or_default();
        let stats_interval = Interval::named(config.stats_interval.trim());
        if stats_interval.is_none() {
            checked.problem("stats_interval", "must be `1d` or `1h`");
        }
        let masking = config.masking(&explore, &mut checked);
        let target = config.connection.check(USER_AGENT, &mut checked);
        checked.finish().map_err(SettingsError::Problems)?;
        let (Some(start_date), Some(target)) = (start_date, target) else {
            unreachable!("what is missing is a mistake");
        };
        let Target {
            connection,
            organizations,
            projects,
        } = target;
        Ok(Self {
            connection,
            start_date,
            now,
            end_date,
            end,
            organizations,
            projects,
            fetch_event_details: config.fetch_event_details,
            lookback: TimeDelta::minutes(config.lookback_minutes.into()),
            issue_refresh: TimeDelta::days(config.issue_refresh_days.into()),
            window: TimeDelta::days(config.window_days.into()),
            stats_interval: stats_interval.unwrap_or(Interval::Day),
            state_interval: Duration::from_secs(config.state_interval_seconds.into()),
            attachment_max_bytes: config.attachment_max_bytes,
            attachments: None,
            explore,
            style: RecordStyle {
                keep_unknown_fields: config.keep_unknown_fields,
                masking,
                include_secrets: config.include_secrets,
                flatten: config.flattening_enabled.then(|| Flattening {
                    depth: config.flattening_max_depth,
                    separator: config.flattening_separator.trim().to_owned(),
                    max_key_length: config.flattening_max_key_length as usize,
                }),
                version: config
                    .emit_activate_version_messages
                    .then(|| now.timestamp()),
            },
        })
    }
}

impl Config {
    fn masking(&self, explore: &[Query], checked: &mut Checked) -> Option<Masking> {
        let mode = match self.mask_mode.trim() {
            "hash" => MaskMode::Hash,
            "null" => MaskMode::Null,
            _ => {
                checked.problem("mask_mode", "must be `hash` or `null`");
                MaskMode::Null
            }
        };
        let paths = self.mask_fields.as_ref();
        let paths = paths.and_then(|value| {
            checked.keep(
                "mask_fields",
                mask_paths(value, self.keep_unknown_fields, explore),
            )
        });
        let paths = paths.unwrap_or_default();
        let salt = self
            .mask_salt
            .as_deref()
            .unwrap_or_default()
            .trim()
            .to_owned();
        if !self.mask_personal_data && paths.is_empty() {
            return None;
        }
        if mode == MaskMode::Hash && salt.is_empty() {
            checked.problem(
                "mask_salt",
                "is required with `mask_mode` hash: without a salt, e-mail addresses can be guessed from their hashes",
            );
        }
        Some(Masking {
            paths,
            preset: self.mask_personal_data,
            mode,
            salt,
        })
    }
}

/// `stream.path.to.field`; the stream must exist, and its key columns cannot be masked.
fn mask_paths(
    value: &Value,
    keep_unknown: bool,
    explore: &[Query],
) -> Result<Vec<(String, Vec<String>)>, String> {
    let fields = texts(value).ok_or("must be a list of fields such as `events.user.email`")?;
    if fields
        .iter()
        .any(|field| field.starts_with(['[', '"', '\'']) || field.ends_with([']', '"', '\'']))
    {
        return Err(
            "contains something that is not a field; separate fields by commas, or write a JSON list".to_owned(),
        );
    }
    fields
        .iter()
        .map(|field| {
            let mut segments = field.split('.').map(str::to_owned);
            let (stream, path): (_, Vec<String>) =
                (segments.next().unwrap_or_default(), segments.collect());
            let mut own = explore.iter();
            if let Some(query) = own.find(|query| query.name == stream && !path.is_empty()) {
                return Ok((stream, vec![masked_column(query, path.join("."), field)?]));
            }
            let def = crate::streams::find(&stream);
            if (stream != "*" && def.is_none())
                || path.is_empty()
                || path.iter().any(String::is_empty)
            {
                return Err(format!(
                    "contains `{field}`, which is not a field of a stream; write `stream.path.to.field`, with `*` for any stream"
                ));
            }
            if def.is_some_and(|def| path.len() == 1 && def.key.contains(&path[0].as_str())) {
                return Err(format!("contains `{field}`, which is part of the primary key and cannot be masked"));
            }
            let column = path.join(".");
            let is_column = stream == "*" && explore.iter().any(|own| own.fields.contains(&column));
            if !keep_unknown && !is_column && !is_written(def, &path[0]) {
                return Err(format!(
                    "contains `{field}`, but {stream} has no field `{}`",
                    path[0]
                ));
            }
            Ok((stream, path))
        })
        .collect()
}

/// A column of a stream that the user has defined: all behind the stream's name is the name of a field, dots and all.
fn masked_column(query: &Query, column: String, field: &str) -> Result<String, String> {
    if query.key().contains(&column.as_str()) {
        return Err(format!(
            "contains `{field}`, which is part of the primary key and cannot be masked"
        ));
    }
    if column != "*" && !query.fields.contains(&column) {
        return Err(format!(
            "contains `{field}`, but {} has no field `{column}`",
            query.name
        ));
    }
    Ok(column)
}

/// Whether records of the stream, or of any, have a field of that name.
fn is_written(def: Option<&StreamDef>, name: &str) -> bool {
    let has = |def: &StreamDef| {
        let schema: Value = serde_json::from_str(def.schema).unwrap_or_default();
        schema["properties"].get(name).is_some()
    };
    name == "*" || def.map_or_else(|| STREAMS.iter().any(has), has)
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
        match Settings::new(config(more), Vec::new()) {
            Err(SettingsError::Problems(problems)) => {
                problems.iter().map(ToString::to_string).collect()
            }
            other => panic!("{other:?}"),
        }
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
        let Err(SettingsError::Problems(problems)) = Settings::new(Map::new(), Vec::new()) else {
            panic!("accepted")
        };
        let keys: Vec<_> = problems.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(keys, ["api_token", "start_date"]);
    }

    #[test]
    fn the_older_taps_configuration_is_accepted() {
        let settings = Settings::new(config(json!({"start_date": "2020-01-01T00:00:00Z", "base_url": "https://sentry.io/api/0/", "organization": "split-software"})), Vec::new())
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
            Settings::new(config(json!({"organization": value})), Vec::new())
                .expect("valid")
                .organizations,
            expected
        );
    }

    #[test]
    fn numbers_written_as_text_are_read() {
        let settings = Settings::new(
            config(json!({"rate_limit": "2.5", "concurrency": "3", "fetch_event_details": "true"})),
            Vec::new(),
        )
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

    #[rstest]
    #[case("projects.Name")]
    #[case("projects.nosuch.name")]
    #[case("*.e_mail")]
    fn a_field_that_no_record_has_cannot_be_masked(#[case] field: &str) {
        let masked = json!({"mask_fields": [field], "mask_salt": "s"});
        let found = problems(masked);
        assert!(found.len() == 1 && found[0].contains(field), "{found:?}");
        let kept = json!({"mask_fields": [field], "mask_salt": "s", "keep_unknown_fields": true});
        Settings::new(config(kept), Vec::new()).expect("valid");
    }

    #[rstest]
    fn a_blank_is_no_date(#[values("start_date", "end_date")] key: &str) {
        assert_eq!(problems(json!({key: " "})).len(), 1);
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
        let filter = Settings::new(
            config(json!({"project_slugs": slugs, "exclude_project_slugs": ["web-old"]})),
            Vec::new(),
        )
        .expect("valid")
        .projects;
        assert!(filter.admits("api") && filter.admits("web-new"));
        assert!(!filter.admits("web-old") && !filter.admits("worker"));
        assert_eq!(filter.missing(&["web-new".to_owned()]), ["api"]);
    }
}
