//! The settings that every program has: which server, which organizations and projects, and how it is asked.

use crate::schema::Checked;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tap_sentry_api::connection::{Connection, HeaderMap};
use url::Url;
use wildmatch::WildMatch;

/// The settings as a user writes them. Titles and descriptions become documentation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[expect(
    clippy::doc_markdown,
    reason = "the texts are shown to users as they are"
)]
pub struct ConnectionKeys {
    /// Auth token of an internal integration (recommended: it belongs to the organization) or of a user. `auth_token` is accepted too.
    #[schemars(title = "API token", extend("writeOnly" = true, "secret" = true))]
    pub api_token: Option<String>,
    /// Address of the Sentry server, for self-hosted or regional ones (https://de.sentry.io); with or without /api/0/.
    #[schemars(title = "Base URL")]
    pub base_url: String,
    /// Slug of the organization; several are separated by commas, in a file also a list. Default: all that the token can see.
    #[schemars(title = "Organization", with = "Option<String>")]
    pub organization: Option<Value>,
    /// Slugs of the projects to extract, with `*` as wildcard: a list, or text separated by commas. Default: all.
    #[schemars(title = "Project slugs", with = "Option<Vec<String>>")]
    pub project_slugs: Option<Value>,
    /// Slugs of projects to leave out, in the same form.
    #[schemars(title = "Excluded project slugs", with = "Option<Vec<String>>")]
    pub exclude_project_slugs: Option<Value>,
    /// Maximum number of requests at the same time.
    #[schemars(title = "Concurrency", range(min = 1, max = 64))]
    pub concurrency: u32,
    /// Maximum number of requests per second, over all endpoints. Default: as fast as Sentry's own limits allow.
    #[schemars(title = "Rate limit", range(min = 0.01, max = 1000.0))]
    pub rate_limit: Option<f64>,
    /// How long to wait for one answer, in seconds.
    #[schemars(title = "Request timeout", range(min = 1, max = 3600))]
    pub request_timeout_seconds: u32,
    /// How often a request that failed for a temporary reason is tried again. Waiting for a rate limit that says when it ends does not count.
    #[schemars(title = "Retries", range(min = 0, max = 100))]
    pub max_retries: u32,
    /// User-Agent header of every request.
    #[schemars(title = "User agent")]
    pub user_agent: Option<String>,
    /// PEM file of additional certificate authorities to trust, for servers with a private one.
    #[schemars(title = "CA certificate")]
    pub ca_certificate: Option<PathBuf>,
    /// Proxy for all requests: http://, https:// or socks5://.
    #[schemars(title = "Proxy URL", extend("writeOnly" = true, "secret" = true))]
    pub proxy_url: Option<String>,
}

impl Default for ConnectionKeys {
    fn default() -> Self {
        Self {
            api_token: None,
            base_url: "https://sentry.io/api/0/".to_owned(),
            organization: None,
            project_slugs: None,
            exclude_project_slugs: None,
            concurrency: 8,
            rate_limit: None,
            request_timeout_seconds: 60,
            max_retries: 8,
            user_agent: None,
            ca_certificate: None,
            proxy_url: None,
        }
    }
}

/// Settings here whose form this file checks, since it may be a list or a text.
pub const OWN_FORM: &[&str] = &["organization", "project_slugs", "exclude_project_slugs"];

/// What is asked, and how.
#[derive(Debug, Clone)]
pub struct Target {
    pub connection: Connection,
    /// Slugs; empty: every organization that the token sees.
    pub organizations: Vec<String>,
    pub projects: ProjectFilter,
}

impl ConnectionKeys {
    /// What the settings mean; `None` when the address is none. Mistakes are noted in `checked`. `user_agent` is the
    /// program's own.
    pub fn check(self, user_agent: &str, checked: &mut Checked) -> Option<Target> {
        let base_url = checked.keep("base_url", base_url(self.base_url.trim()));
        let mut list = |key: &str, value: Option<Value>| {
            value.map(|value| checked.keep(key, slugs(&value)).unwrap_or_default())
        };
        let include = list("project_slugs", self.project_slugs);
        let exclude = list("exclude_project_slugs", self.exclude_project_slugs);
        let mut organizations = list("organization", self.organization).unwrap_or_default();
        if organizations == ["*"] {
            // As with projects: all that the token sees, said aloud.
            organizations.clear();
        }
        let no_slug = |slug: &String| {
            matches!(slug.as_str(), "." | "..") || slug.contains(['*', '?', '\\', '#', '%'])
        };
        if organizations.iter().any(no_slug) {
            let text = "must be a slug, as in https://sentry.io/organizations/SLUG/";
            checked.problem("organization", text);
        }
        let proxy_url = self
            .proxy_url
            .and_then(|text| checked.keep("proxy_url", proxy_url(&text)));
        let token = self.api_token.unwrap_or_default().trim().to_owned();
        if let Some(problem) = token_problem(&token) {
            checked.problem("api_token", problem);
        }
        let user_agent = self
            .user_agent
            .map_or_else(|| user_agent.to_owned(), |text| text.trim().to_owned());
        for (key, text) in [("api_token", &token), ("user_agent", &user_agent)] {
            if !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
                checked.problem(
                    key,
                    "contains characters that are not allowed in an HTTP header",
                );
            }
        }
        let base_url = base_url?;
        if base_url.scheme() == "http" && !is_loopback(&base_url) {
            log::warn!(
                "`base_url` is plain http: the token and all data travel unencrypted; use https"
            );
        }
        Some(Target {
            connection: Connection {
                base_url,
                token: SecretString::from(token),
                headers: HeaderMap::new(),
                user_agent,
                ca_certificate: self.ca_certificate,
                proxy_url,
                insecure_skip_verify: false,
                concurrency: self.concurrency as usize,
                rate_limit: self.rate_limit,
                request_timeout: Duration::from_secs(self.request_timeout_seconds.into()),
                max_retries: self.max_retries,
            },
            organizations: organizations
                .into_iter()
                .fold(Vec::new(), |mut known, slug| {
                    if !known.contains(&slug) {
                        known.push(slug);
                    }
                    known
                }),
            projects: ProjectFilter::new(include.unwrap_or_default(), &exclude.unwrap_or_default()),
        })
    }
}

/// Which projects to extract.
#[derive(Debug, Clone, Default)]
pub struct ProjectFilter {
    include: Option<Vec<WildMatch>>,
    exclude: Vec<WildMatch>,
    /// The slugs that were excluded without a wildcard.
    excluded: Vec<String>,
    /// The slugs that were named without a wildcard: each must exist.
    named: Vec<String>,
}

impl ProjectFilter {
    fn new(include: Vec<String>, exclude: &[String]) -> Self {
        let is_named = |slug: &String| !slug.contains(['*', '?']);
        let pattern = |slugs: &[String]| {
            slugs
                .iter()
                .map(|slug| WildMatch::new(slug))
                .collect::<Vec<_>>()
        };
        Self {
            include: (!include.is_empty()).then(|| pattern(&include)),
            exclude: pattern(exclude),
            excluded: exclude
                .iter()
                .filter(|slug| is_named(slug))
                .cloned()
                .collect(),
            named: include.into_iter().filter(|slug| is_named(slug)).collect(),
        }
    }

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

    /// The excluded slugs that are not among `slugs`.
    pub fn excluded_nowhere<'a>(&'a self, slugs: &[String]) -> Vec<&'a str> {
        let nowhere = self.excluded.iter().filter(|slug| !slugs.contains(slug));
        nowhere.map(String::as_str).collect()
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

/// The address of a proxy.
///
/// # Errors
/// What is wrong with it, as it goes on behind the key.
pub fn proxy_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text.trim()).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h"));
    url.ok_or("must be a URL that starts with http://, https:// or socks5://")
}

/// A server's address, with or without `/api/0/` and slashes, as the URL below which all endpoints are.
///
/// # Errors
/// What is wrong with it, as it goes on behind the key.
pub fn base_url(text: &str) -> Result<Url, String> {
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
        return Err("must not contain a user name, a query or a fragment".to_owned());
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

/// Whether only this machine is meant.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// What is wrong with a token that no server would take, without the token.
pub fn token_problem(token: &str) -> Option<&'static str> {
    if token.to_lowercase().starts_with("bearer ") {
        Some("must be the token alone, without `Bearer `")
    } else if token.starts_with(['"', '\'', '`']) || token.ends_with(['"', '\'', '`']) {
        Some("must be the token alone, without quotes around it")
    } else if token.contains(char::is_whitespace) {
        Some("contains a blank or a line break; copy the token again")
    } else if token == "YOUR_TOKEN"
        || token.starts_with("${")
        || token.starts_with('<') && token.ends_with('>')
    {
        Some("is a placeholder; replace it by your token")
    } else {
        None
    }
}

/// A list of slugs, or text separated by commas. What is left of a list that was quoted wrongly is no slug.
fn slugs(value: &Value) -> Result<Vec<String>, &'static str> {
    const FORM: &str = "must be a list of slugs, or slugs separated by commas";
    let slugs = texts(value).ok_or(FORM)?;
    let is_slug = |slug: &String| {
        !slug.contains(['[', ']', '{', '}', '"', '\'', '/']) && !slug.contains(char::is_whitespace)
    };
    if slugs.iter().all(is_slug) {
        Ok(slugs)
    } else {
        Err("contains something that is not a slug; separate slugs by commas, or write a JSON list")
    }
}

/// The texts of a list, or those that commas separate.
pub fn texts(value: &Value) -> Option<Vec<String>> {
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
}
