//! What settings are called in older exporters, and what each of these names means now.

use crate::dialect::Dialect;
use serde_json::{Value, json};
use tap_sentry_settings::program::{OldName, Reader};

/// A name that an older exporter has for a setting.
#[derive(Debug)]
pub struct Known {
    /// The variable. One that begins with `SENTRY_EXPORTER_` is a key of files too.
    pub variable: &'static str,
    /// The exporter.
    pub of: Dialect,
    /// The setting that it sets; `None`: it has no meaning any more.
    pub setting: Option<&'static str>,
    /// What is special about it, or why it has no meaning; may be empty.
    pub note: &'static str,
    /// It is read in that dialect only: by its name it might be any program's.
    pub is_common: bool,
    read: Option<Reader>,
}

const ITALUX: Known = Known {
    variable: "",
    of: Dialect::Italux,
    setting: None,
    note: "",
    is_common: false,
    read: None,
};

const MAGGOTMOUTH: Known = Known {
    of: Dialect::Maggotmouth,
    ..ITALUX
};

const UJAMII: Known = Known {
    of: Dialect::Ujamii,
    is_common: true,
    ..ITALUX
};

/// Why a program without pauses of its own needs none of these.
const PACED: &str = "requests are paced by what Sentry's answers tell";
/// What has become of lengths of time for which lists were kept.
const FRESH: &str = "lists are read anew with each refresh, `min_age` apart";

/// All of them, in the order in which they are documented.
#[rustfmt::skip]
pub static KNOWN: &[Known] = &[
    Known { variable: "SENTRY_BASE_URL", setting: Some("base_url"), ..ITALUX },
    Known { variable: "SENTRY_EXPORTER_ORG", setting: Some("organization"), ..ITALUX },
    Known { variable: "SENTRY_EXPORTER_PROJECTS", setting: Some("project_slugs"), ..ITALUX },
    Known { variable: "SENTRY_SCRAPE_ISSUE_METRICS", setting: Some("collector_issues"), ..ITALUX },
    Known { variable: "SENTRY_SCRAPE_EVENT_METRICS", setting: Some("collector_events"), ..ITALUX },
    Known { variable: "SENTRY_SCRAPE_RATE_LIMIT_METRICS", setting: Some("collector_client_keys"), ..ITALUX },
    Known { variable: "SENTRY_ISSUES_1H", setting: Some("issues_1h"), ..ITALUX },
    Known { variable: "SENTRY_ISSUES_24H", setting: Some("issues_24h"), ..ITALUX },
    Known { variable: "SENTRY_ISSUES_14D", setting: Some("issues_14d"), ..ITALUX },
    Known { variable: "SENTRY_RETRY_TRIES", setting: Some("max_retries"), note: "one less: the first try is none again", read: Some(retries), ..ITALUX },
    Known { variable: "SENTRY_RETRY_DELAY", note: PACED, ..ITALUX },
    Known { variable: "SENTRY_RETRY_MAX_DELAY", note: PACED, ..ITALUX },
    Known { variable: "SENTRY_RETRY_BACKOFF", note: PACED, ..ITALUX },
    Known { variable: "SENTRY_RETRY_JITTER", note: PACED, ..ITALUX },
    Known { variable: "SENTRY_USE_LEGACY_API", note: "each server is asked by the endpoints that it has", ..ITALUX },
    Known { variable: "LOG_LEVEL", setting: Some("log_level"), is_common: true, ..ITALUX },
    Known { variable: "SENTRY_EXPORTER_API_URL", setting: Some("base_url"), ..MAGGOTMOUTH },
    Known { variable: "SENTRY_EXPORTER_ORGANISATION_NAME", setting: Some("organization"), ..MAGGOTMOUTH },
    Known { variable: "SENTRY_EXPORTER_TOKEN", setting: Some("api_token"), ..MAGGOTMOUTH },
    Known { variable: "SENTRY_EXPORTER_TIMEOUT", setting: Some("request_timeout_seconds"), ..MAGGOTMOUTH },
    Known { variable: "SENTRY_EXPORTER_INCLUDE_PROJECTS", setting: Some("project_slugs"), ..MAGGOTMOUTH },
    Known { variable: "SENTRY_EXPORTER_TTL_ORGANISATION", note: FRESH, ..MAGGOTMOUTH },
    Known { variable: "SENTRY_EXPORTER_TTL_PROJECTS", note: FRESH, ..MAGGOTMOUTH },
    Known { variable: "SENTRY_EXPORTER_TTL_TEAMS", note: FRESH, ..MAGGOTMOUTH },
    Known { variable: "SENTRY_HOST", setting: Some("base_url"), note: "the host alone", read: Some(host), ..UJAMII },
    Known { variable: "HTTP_PROTO", setting: Some("base_url"), note: "`https`, or `http` for the address of SENTRY_HOST", ..UJAMII },
    Known { variable: "AUTH_TOKEN", setting: Some("api_token"), ..UJAMII },
    Known { variable: "USE_THROTTLING", setting: Some("rate_limit"), note: "one request a second", read: Some(throttling), ..UJAMII },
];

/// The variable that goes with the host.
pub const PROTOCOL: &str = "HTTP_PROTO";
pub const HOST: &str = "SENTRY_HOST";

/// Those that are read in a dialect.
pub fn old_names(dialect: Dialect) -> Vec<OldName> {
    let read = KNOWN
        .iter()
        .filter(|known| !known.is_common || known.of == dialect)
        // It is no setting alone.
        .filter(|known| known.variable != PROTOCOL);
    read.map(|known| OldName {
        variable: known.variable,
        setting: known.setting,
        read: known.read,
    })
    .collect()
}

/// Retries of a number of tries.
fn retries(text: &str) -> Result<Value, &'static str> {
    let tries = text.parse().ok().filter(|tries| (1..=101).contains(tries));
    let tries: u32 = tries.ok_or("must be a whole number of tries from 1 to 101")?;
    Ok(json!(tries - 1))
}

fn host(text: &str) -> Result<Value, &'static str> {
    if text.contains(['/', '@', '?', '#']) || text.contains(char::is_whitespace) {
        return Err("must be a host such as sentry.example.com, without https:// and path");
    }
    Ok(json!(format!("https://{text}/api/0/")))
}

/// The address of a host with a protocol, as [`PROTOCOL`] has it.
///
/// # Errors
/// What it must be, in words that fit behind its name.
pub fn with_protocol(address: &str, protocol: &str) -> Result<String, &'static str> {
    match protocol.trim().to_lowercase().as_str() {
        "https" => Ok(address.to_owned()),
        "http" => Ok(address.replacen("https://", "http://", 1)),
        _ => Err("must be https or http"),
    }
}

/// `null`, which is no limit, unless it is on.
fn throttling(text: &str) -> Result<Value, &'static str> {
    match text.to_lowercase().as_str() {
        "true" | "1" => Ok(json!(1.0)),
        "false" | "0" => Ok(Value::Null),
        _ => Err("must be true or false"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::config::schema;
    use rstest::rstest;
    use std::collections::BTreeSet;

    #[test]
    fn each_name_stands_once_and_means_a_setting_or_says_why_not() {
        let names: BTreeSet<&str> = KNOWN.iter().map(|known| known.variable).collect();
        assert_eq!(names.len(), KNOWN.len());
        let schema = schema();
        for known in KNOWN {
            let own = known.variable.strip_prefix("SENTRY_EXPORTER_");
            let own = own.map(str::to_lowercase);
            assert!(own.is_none_or(|own| schema["properties"].get(own).is_none()));
            match known.setting {
                Some(setting) => assert!(schema["properties"].get(setting).is_some(), "{setting}"),
                None => assert!(!known.note.is_empty(), "{}", known.variable),
            }
        }
    }

    #[rstest]
    #[case(Dialect::Native, "AUTH_TOKEN", false)]
    #[case(Dialect::Italux, "AUTH_TOKEN", false)]
    #[case(Dialect::Ujamii, "AUTH_TOKEN", true)]
    #[case(Dialect::Native, "LOG_LEVEL", false)]
    #[case(Dialect::Italux, "LOG_LEVEL", true)]
    #[case(Dialect::Native, "SENTRY_BASE_URL", true)]
    #[case(Dialect::Native, "SENTRY_EXPORTER_TOKEN", true)]
    fn what_may_be_any_programs_is_read_in_its_dialect_alone(
        #[case] dialect: Dialect,
        #[case] variable: &str,
        #[case] is_read: bool,
    ) {
        let mut names = old_names(dialect).into_iter();
        assert_eq!(names.any(|old| old.variable == variable), is_read);
    }

    #[rstest]
    #[case("3", Ok(json!(2)))]
    #[case("1", Ok(json!(0)))]
    #[case("0", Err(()))]
    #[case("-1", Err(()))]
    #[case("many", Err(()))]
    fn tries_are_retries_and_one(#[case] text: &str, #[case] expected: Result<Value, ()>) {
        assert_eq!(retries(text).map_err(|_| ()), expected);
    }

    #[test]
    fn a_host_is_no_address() {
        assert_eq!(
            host("sentry.io:9000"),
            Ok(json!("https://sentry.io:9000/api/0/"))
        );
        for text in ["https://sentry.io", "me@sentry.io", "a b"] {
            assert!(host(text).is_err(), "{text}");
        }
        assert_eq!(
            with_protocol("https://x/", "HTTP"),
            Ok("http://x/".to_owned())
        );
        assert!(with_protocol("https://x/", "ftp").is_err());
    }

    #[rstest]
    #[case("true", Ok(json!(1.0)))]
    #[case("1", Ok(json!(1.0)))]
    #[case("FALSE", Ok(Value::Null))]
    #[case("maybe", Err(()))]
    fn throttling_is_a_limit(#[case] text: &str, #[case] expected: Result<Value, ()>) {
        assert_eq!(throttling(text).map_err(|_| ()), expected);
    }
}
