//! Settings of the exporter as it uses them, validated.

pub mod config;
pub mod load;
pub mod user;

use crate::dialect::{Decision, Dialect};
use crate::duration::duration;
use crate::probe::figures::{PROBE, SENTRY_PROBE};
use crate::probe::modules::{Module, Reading};
use crate::probe::probes::Probing;
use crate::probe::site::Way;
use crate::push_settings::{self, Push};
use crate::settings::config::{
    Config, OWN_FORM, ServerConfig, USER_AGENT, is_of_connection, of_dialect, schema,
    server_schema, with_defaults,
};
use crate::settings::load::{Sources, program};
use crate::settings::user::User;
use crate::shown::{Shown, shown};
use crate::snapshot::Policy;
use crate::visit::Bounds;
use clap::ValueEnum;
use secrecy::SecretString;
use serde_json::Value;
use std::collections::BTreeSet;
use std::iter;
use std::path::PathBuf;
use tap_sentry_api::connection::Connection;
use tap_sentry_serve::listen::Address;
use tap_sentry_serve::log;
use tap_sentry_settings::connection::{self, Target, texts};
use tap_sentry_settings::problem::{Problem, SettingsError};
use tap_sentry_settings::schema::Checked;
use tap_sentry_settings::sources::{self, Found};

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
    use crate::collector::Collector;
    use rstest::rstest;
    use secrecy::ExposeSecret;
    use serde_json::json;
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
    fn maggotmouth_waits_for_a_minute_as_it_always_has() {
        let values = json!({"api_token": "t", "organization": "acme", "dialect": "maggotmouth"});
        let timeout = |values: &Value| {
            let settings = settings(values).expect("settings");
            settings.servers[0].1.connection.request_timeout
        };
        assert_eq!(timeout(&values), Duration::from_mins(1));
        let native = json!({"api_token": "t"});
        assert_eq!(timeout(&native), Duration::from_secs(30));
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
