//! Settings of pushes: as written ([`PushKeys`]) and as used ([`Push`]).

use crate::dialect::Dialect;
use crate::duration::duration;
use crate::grouping::is_label;
use crate::old_figures::figures_of;
use crate::pushgateway::{Credentials, Pushgateway};
use crate::textfile::TextFile;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tap_sentry_settings::connection::texts;
use tap_sentry_settings::schema::Checked;
use url::Url;

/// Labels that each group has by itself.
const OWN_LABELS: [&str; 3] = ["job", "organization", "server"];

/// Less would ask Sentry without a pause.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// The settings as a user writes them. Titles and descriptions become documentation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PushKeys {
    /// `export`: address of the Pushgateway.
    #[schemars(title = "Pushgateway URL")]
    pushgateway_url: String,
    /// `export`: label `job` of what is pushed.
    #[schemars(title = "Pushgateway job")]
    pushgateway_job: String,
    /// `export`: more labels that name a group, beside `job` and `organization`: a mapping, or text such as `region=eu,stage=live`.
    #[schemars(title = "Pushgateway grouping", with = "Option<Value>", extend("type" = "object"))]
    pushgateway_grouping: Option<Value>,
    /// `export`: user of the Pushgateway.
    #[schemars(title = "Pushgateway user")]
    pushgateway_user: Option<String>,
    /// `export`: password of this user.
    #[schemars(title = "Pushgateway password", extend("writeOnly" = true, "secret" = true))]
    pushgateway_password: Option<String>,
    /// `export`: bearer token, instead of user and password.
    #[schemars(title = "Pushgateway token", extend("writeOnly" = true, "secret" = true))]
    pushgateway_token: Option<String>,
    /// `export`: PEM file of additional certificate authorities to trust.
    #[schemars(title = "Pushgateway CA certificate")]
    pushgateway_ca_certificate: Option<PathBuf>,
    /// `export`: how long to wait for one answer of the Pushgateway.
    #[schemars(title = "Pushgateway timeout", with = "String")]
    pushgateway_timeout: Value,
    /// `export`: push after a refresh that failed too: `sentry_up` and `sentry_collector_success` tell, and what could not be read is missing. Otherwise the values pushed before stay.
    #[schemars(title = "Push failures")]
    push_failures: bool,
    /// `export`: file for `node_exporter`'s textfile collector, which takes the Pushgateway's place. Its name ends in `.prom`.
    #[schemars(title = "Text file")]
    textfile: Option<PathBuf>,
    /// `export`: stay, and export again and again after this time, until a signal comes.
    #[schemars(title = "Push interval", with = "Option<String>")]
    push_interval: Option<Value>,
}

impl Default for PushKeys {
    fn default() -> Self {
        Self {
            pushgateway_url: "http://127.0.0.1:9091".to_owned(),
            pushgateway_job: "sentry".to_owned(),
            pushgateway_grouping: None,
            pushgateway_user: None,
            pushgateway_password: None,
            pushgateway_token: None,
            pushgateway_ca_certificate: None,
            pushgateway_timeout: json!("10s"),
            push_failures: false,
            textfile: None,
            push_interval: None,
        }
    }
}

/// Settings here whose form this file checks.
pub const OWN_FORM: &[&str] = &[
    "pushgateway_grouping",
    "pushgateway_timeout",
    "push_interval",
];

/// What is done with the values of a refresh that nobody scrapes.
#[derive(Debug, Clone)]
pub struct Push {
    pub to: Receiver,
    /// Values are passed on after a refresh that failed, too.
    pub failures: bool,
    /// `None`: once.
    pub interval: Option<Duration>,
}

impl Push {
    /// What nothing may show.
    pub fn secret(&self) -> Option<&SecretString> {
        match &self.to {
            Receiver::Pushgateway(pushgateway) => pushgateway.credentials.secret(),
            Receiver::TextFile(_) => None,
        }
    }
}

/// Who gets them.
#[derive(Debug, Clone)]
pub enum Receiver {
    Pushgateway(Pushgateway),
    TextFile(TextFile),
}

impl PushKeys {
    /// What the settings mean; `None` where something is wrong. Mistakes are noted in `checked`.
    pub fn check(self, checked: &mut Checked) -> Option<Push> {
        let url = checked.keep("pushgateway_url", address(self.pushgateway_url.trim()));
        let job = self.pushgateway_job.trim().to_owned();
        if job.is_empty() {
            checked.problem("pushgateway_job", "must not be empty");
        }
        let grouping = self.pushgateway_grouping.map_or(Ok(Vec::new()), |value| {
            grouping(&value).and_then(|pairs| usable(&pairs).map(|()| pairs))
        });
        let grouping = checked.keep("pushgateway_grouping", grouping);
        let credentials = match (
            self.pushgateway_user,
            self.pushgateway_password,
            self.pushgateway_token,
        ) {
            (None, None, None) => Credentials::None,
            (Some(name), password, None) => Credentials::User {
                name: name.trim().to_owned(),
                password: SecretString::from(password.unwrap_or_default()),
            },
            (None, None, Some(token)) => {
                let token = token.trim().to_owned();
                if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                    let text = "must be the token alone, without blanks and special characters";
                    checked.problem("pushgateway_token", text);
                }
                Credentials::Token(SecretString::from(token))
            }
            (None, Some(_), _) => {
                let text = "needs `pushgateway_user` beside it";
                checked.problem("pushgateway_password", text);
                Credentials::None
            }
            (Some(_), _, Some(_)) => {
                let text = "is set together with `pushgateway_user`; remove one of them";
                checked.problem("pushgateway_token", text);
                Credentials::None
            }
        };
        let timeout = duration(&self.pushgateway_timeout)
            .and_then(|time| (!time.is_zero()).then_some(time).ok_or("must not be 0"));
        let timeout = checked.keep("pushgateway_timeout", timeout);
        let interval = self.push_interval.map(|value| {
            let length = duration(&value);
            let length = length.and_then(|time| {
                (time >= LEAST_INTERVAL)
                    .then_some(time)
                    .ok_or("must be at least 1s")
            });
            checked.keep("push_interval", length)
        });
        let file = self
            .textfile
            .map(|path| checked.keep("textfile", TextFile::new(path)));
        let to = match file {
            Some(file) => Receiver::TextFile(file?),
            None => Receiver::Pushgateway(Pushgateway {
                url: url?,
                job,
                grouping: grouping?,
                credentials,
                ca_certificate: self.pushgateway_ca_certificate,
                timeout: timeout?,
            }),
        };
        Some(Push {
            to,
            failures: self.push_failures,
            interval: match interval {
                Some(interval) => Some(interval?),
                None => None,
            },
        })
    }
}

/// The address below which a Pushgateway has `/metrics`.
fn address(text: &str) -> Result<Url, &'static str> {
    const FORM: &str = "must be the address of a Pushgateway, such as http://127.0.0.1:9091";
    // As clients of Pushgateways take it.
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&text).map_err(|_| FORM)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(FORM);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "must not contain a user: set `pushgateway_user` and `pushgateway_password_file`",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not contain a query or a fragment");
    }
    Ok(url)
}

/// A mapping of labels, or texts `NAME=VALUE`.
fn grouping(value: &Value) -> Result<Vec<(String, String)>, String> {
    const FORM: &str = "must be a mapping of labels, or text such as region=eu,stage=live";
    // As a variable holds a mapping.
    let read = value
        .as_str()
        .filter(|text| text.trim_start().starts_with('{'))
        .and_then(|text| serde_json::from_str(text).ok());
    let value = read.as_ref().unwrap_or(value);
    if let Value::Object(members) = value {
        let pairs = members.iter().map(|(name, value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            Value::Number(number) => Ok((name.clone(), number.to_string())),
            Value::Bool(yes) => Ok((name.clone(), yes.to_string())),
            _ => Err(FORM.to_owned()),
        });
        return pairs.collect();
    }
    let texts = texts(value).ok_or(FORM)?;
    let pairs = texts.iter().map(|text| {
        let (name, value) = text.split_once('=').ok_or(FORM)?;
        Ok((name.trim().to_owned(), value.to_owned()))
    });
    pairs.collect()
}

/// Whether a group may have these labels. A label that series have too would make different series one.
fn usable(pairs: &[(String, String)]) -> Result<(), String> {
    let mut known = Vec::new();
    let figures = Dialect::ALL.map(figures_of).concat();
    for (name, _) in pairs {
        let of_series = figures
            .iter()
            .any(|figure| figure.labels.contains(&name.as_str()));
        if !is_label(name) {
            return Err(format!("has `{name}`, which is no name of a label"));
        }
        if OWN_LABELS.contains(&name.as_str()) {
            return Err(format!("has `{name}`, which every group has by itself"));
        }
        if of_series {
            return Err(format!(
                "has `{name}`, which is a label of the metrics: choose another name"
            ));
        }
        if known.contains(&name) {
            return Err(format!("has `{name}` twice"));
        }
        known.push(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use rstest::rstest;
    use secrecy::ExposeSecret;

    fn settings(more: &Value) -> Result<Push, String> {
        let mut values = json!({"api_token": "sntryu_abc"});
        let all = values.as_object_mut().expect("an object");
        all.extend(more.as_object().expect("an object").clone());
        let settings = Settings::new(all.clone().into());
        settings
            .map(|settings| settings.push)
            .map_err(|error| error.to_string())
    }

    fn pushgateway(more: &Value) -> Pushgateway {
        match settings(more).expect("settings").to {
            Receiver::Pushgateway(pushgateway) => pushgateway,
            Receiver::TextFile(file) => panic!("{file:?}"),
        }
    }

    #[test]
    fn nothing_needs_to_be_set() {
        let pushgateway = pushgateway(&json!({}));
        assert_eq!(pushgateway.url.as_str(), "http://127.0.0.1:9091/");
        assert_eq!(pushgateway.job, "sentry");
        assert!(matches!(pushgateway.credentials, Credentials::None));
        let push = settings(&json!({})).expect("settings");
        assert_eq!((push.failures, push.interval), (false, None));
    }

    #[rstest]
    #[case("localhost:9091", "http://localhost:9091/")]
    #[case(
        "https://push.example.com/gateway/",
        "https://push.example.com/gateway/"
    )]
    #[case("http://[::1]:9091", "http://[::1]:9091/")]
    fn an_address(#[case] text: &str, #[case] read: &str) {
        assert_eq!(address(text).map(String::from).as_deref(), Ok(read));
    }

    #[rstest]
    #[case(json!({"region": "eu", "zone": 3}))]
    #[case(json!(" {\"region\": \"eu\", \"zone\": 3}"))]
    #[case(json!("region=eu, zone=3"))]
    #[case(json!(["region=eu", "zone=3"]))]
    fn a_grouping_in_any_form(#[case] value: Value) {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let pushgateway = pushgateway(&json!({"pushgateway_grouping": value}));
        let expected = [pair("region", "eu"), pair("zone", "3")];
        assert_eq!(pushgateway.grouping, expected);
    }

    #[test]
    fn a_user_or_a_token() {
        let user = json!({"pushgateway_user": "olive", "pushgateway_password": "secret word"});
        match pushgateway(&user).credentials {
            Credentials::User { name, password } => {
                assert_eq!(
                    (name.as_str(), password.expose_secret()),
                    ("olive", "secret word")
                );
            }
            other => panic!("{other:?}"),
        }
        let token = pushgateway(&json!({"pushgateway_token": " abc "}));
        match &token.credentials {
            Credentials::Token(token) => assert_eq!(token.expose_secret(), "abc"),
            other => panic!("{other:?}"),
        }
        assert!(
            !format!("{token:?}").contains("abc"),
            "it cannot be printed"
        );
    }

    #[rstest]
    #[case(json!({"pushgateway_url": "ftp://x"}), "`pushgateway_url` must be the address")]
    #[case(json!({"pushgateway_url": "http://olive:hush@x"}), "`pushgateway_url` must not contain a user")]
    #[case(json!({"pushgateway_url": "http://x/?a=b"}), "`pushgateway_url` must not contain a query")]
    #[case(json!({"pushgateway_job": "  "}), "`pushgateway_job`")]
    #[case(json!({"pushgateway_grouping": "region"}), "`pushgateway_grouping` must be a mapping")]
    #[case(json!({"pushgateway_grouping": {"a": []}}), "`pushgateway_grouping` must be a mapping")]
    #[case(json!({"pushgateway_grouping": {"a-b": ""}}), "has `a-b`, which is no name of a label")]
    #[case(json!({"pushgateway_grouping": {"__a": ""}}), "has `__a`, which is no name of a label")]
    #[case(json!({"pushgateway_grouping": "job=x"}), "has `job`, which every group has by itself")]
    #[case(json!({"pushgateway_grouping": "project=x"}), "has `project`, which is a label of the metrics")]
    #[case(json!({"pushgateway_grouping": "project_slug=x"}), "has `project_slug`, which is a label of the metrics")]
    #[case(json!({"pushgateway_grouping": "a=x,a=y"}), "has `a` twice")]
    #[case(json!({"pushgateway_password": "hush"}), "`pushgateway_password` needs `pushgateway_user`")]
    #[case(json!({"pushgateway_user": "a", "pushgateway_token": "b"}), "`pushgateway_token` is set together")]
    #[case(json!({"pushgateway_token": "Bearer b"}), "`pushgateway_token` must be the token alone")]
    #[case(json!({"pushgateway_timeout": 0}), "`pushgateway_timeout` must not be 0")]
    #[case(json!({"push_interval": "soon"}), "`push_interval` must be a length of time")]
    #[case(json!({"push_interval": "0s"}), "`push_interval` must be at least 1s")]
    #[case(json!({"textfile": "/x/sentry.txt"}), "`textfile` must end in .prom")]
    fn a_mistake_is_told(#[case] values: Value, #[case] told: &str) {
        let found = settings(&values).expect_err("a mistake");
        assert!(found.contains(told), "{found}");
        assert!(!found.contains("hush"), "{found}");
    }
}
