//! The web configuration file of Prometheus' exporters: TLS, users, headers, a rate limit.

use crate::ciphers;
use crate::duration;
use crate::problem::Problem;
use crate::rate_limit::RateLimit;
use crate::users::is_hash;
use crate::yaml;
use axum::http::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use rustls::crypto::SupportedKxGroup;
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the file says.
#[derive(Debug)]
pub struct WebConfig {
    /// None where the connection is not encrypted.
    pub tls: Option<TlsSettings>,
    /// Whether HTTP/2 is offered; over TLS only.
    pub http2: bool,
    /// Headers of every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Names and bcrypt hashes. Empty: everybody is served.
    pub users: BTreeMap<String, String>,
    pub rate_limit: Option<RateLimit>,
    /// What is wrong with hashes. While a program serves, it costs their users alone.
    wrong_hashes: Vec<Problem>,
}

/// Where PEM text comes from.
#[derive(Debug, Clone)]
pub enum Pem {
    File(PathBuf),
    Inline(SecretString),
}

/// What is asked of a client's certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientAuth {
    #[default]
    None,
    /// Asked for; any is taken, none too.
    Request,
    /// Any is taken, but there must be one.
    RequireAny,
    /// One that comes must be of an authority; none is taken too.
    VerifyIfGiven,
    /// There must be one of an authority.
    RequireAndVerify,
}

#[derive(Debug, Clone)]
pub struct TlsSettings {
    pub certificate: Pem,
    pub key: Pem,
    /// Authorities whose client certificates are accepted.
    pub client_ca: Option<Pem>,
    pub client_auth: ClientAuth,
    /// A client's certificate must hold one of these names. Empty: any will do.
    pub client_allowed_sans: Vec<String>,
    /// Oldest first.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// Most wanted first.
    pub suites: Vec<SupportedCipherSuite>,
    /// Whether the order of `suites` counts, not that of the client.
    pub prefer_own_suites: bool,
    /// Most wanted first.
    pub groups: Vec<&'static dyn SupportedKxGroup>,
}

/// Why there is no web configuration.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    #[error("cannot read the web configuration file {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the web configuration file {} is no YAML: {message}", path.display())]
    Yaml { path: PathBuf, message: String },
    #[error("the web configuration file {} cannot be used: {}", path.display(), .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Problems {
        path: PathBuf,
        problems: Vec<Problem>,
    },
}

/// The headers that may be set, and their values where only some make sense.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

const CLIENT_AUTH: [(&str, ClientAuth); 7] = [
    ("", ClientAuth::None),
    ("NoClientCert", ClientAuth::None),
    ("RequestClientCert", ClientAuth::Request),
    ("RequireAnyClientCert", ClientAuth::RequireAny),
    // The older name of the same.
    ("RequireClientCert", ClientAuth::RequireAny),
    ("VerifyClientCertIfGiven", ClientAuth::VerifyIfGiven),
    ("RequireAndVerifyClientCert", ClientAuth::RequireAndVerify),
];

impl WebConfig {
    /// Reads the file. Certificates and keys that it names are not read.
    ///
    /// # Errors
    /// When there is no such file, or it is no YAML, or for all mistakes in it at once.
    pub fn read(path: &Path) -> Result<Self, WebConfigError> {
        Self::parse(&text(path)?, path)?.strict(path)
    }

    /// What a program's own file says instead. `users` are names and bcrypt hashes.
    pub fn given(tls: Option<TlsSettings>, users: BTreeMap<String, String>) -> Self {
        Self {
            tls,
            http2: true,
            headers: Vec::new(),
            users,
            rate_limit: None,
            wrong_hashes: Vec::new(),
        }
    }

    fn strict(mut self, path: &Path) -> Result<Self, WebConfigError> {
        if self.wrong_hashes.is_empty() {
            return Ok(self);
        }
        Err(WebConfigError::Problems {
            path: path.to_owned(),
            problems: std::mem::take(&mut self.wrong_hashes),
        })
    }

    fn parse(text: &str, path: &Path) -> Result<Self, WebConfigError> {
        let value = yaml::parse(text).map_err(|message| WebConfigError::Yaml {
            path: path.to_owned(),
            message,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut problems = Vec::new();
        let config = read_config(value, folder, &mut problems);
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            config => {
                problems.extend(config.into_iter().flat_map(|config| config.wrong_hashes));
                Err(WebConfigError::Problems {
                    path: path.to_owned(),
                    problems,
                })
            }
        }
    }
}

fn text(path: &Path) -> Result<String, WebConfigError> {
    std::fs::read_to_string(path).map_err(|source| WebConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

/// A web configuration file that is read again and again, its text taken apart only when it has changed; or what a
/// program's own file says instead.
#[derive(Debug)]
pub(crate) enum WebFile {
    Read {
        path: PathBuf,
        last: Mutex<Option<(String, Arc<WebConfig>)>>,
    },
    Given(Arc<WebConfig>),
}

impl WebFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self::Read {
            path,
            last: Mutex::default(),
        }
    }

    /// What it says now.
    pub(crate) fn read(&self) -> Result<Arc<WebConfig>, WebConfigError> {
        let (path, last) = match self {
            Self::Given(config) => return Ok(Arc::clone(config)),
            Self::Read { path, last } => (path, last),
        };
        let text = text(path)?;
        let mut last = last.lock();
        if let Some((known, config)) = &*last
            && *known == text
        {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(WebConfig::parse(&text, path)?);
        for problem in &config.wrong_hashes {
            log::error!(
                "{}: {problem}; until then the user is refused",
                path.display()
            );
        }
        *last = Some((text, Arc::clone(&config)));
        Ok(config)
    }
}

/// One part of the file under inspection. What is taken out is known; what is left over is not.
struct Section<'p> {
    /// With a dot at its end, or empty.
    prefix: &'static str,
    values: Map<String, Value>,
    known: Vec<&'static str>,
    problems: &'p mut Vec<Problem>,
}

impl<'p> Section<'p> {
    fn new(prefix: &'static str, value: Value, problems: &'p mut Vec<Problem>) -> Option<Self> {
        let values = match value {
            Value::Null => Map::new(),
            Value::Object(values) => values,
            _ => {
                let key = prefix.trim_end_matches('.');
                let key = if key.is_empty() { "(top)" } else { key };
                problems.push(Problem::new(key, "must be keys with values"));
                return None;
            }
        };
        Some(Self {
            prefix,
            values,
            known: Vec::new(),
            problems,
        })
    }

    fn problem(&mut self, key: &str, text: impl Into<String>) {
        let key = format!("{}{key}", self.prefix);
        self.problems.push(Problem::new(key, text));
    }

    fn take(&mut self, key: &'static str) -> Value {
        self.known.push(key);
        self.values.shift_remove(key).unwrap_or_default()
    }

    fn text(&mut self, key: &'static str) -> Option<String> {
        match self.take(key) {
            Value::Null => None,
            Value::String(text) => Some(text).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => {
                self.problem(key, "must be a text");
                None
            }
        }
    }

    fn switch(&mut self, key: &'static str, default: bool) -> bool {
        match self.take(key) {
            Value::Null => default,
            Value::Bool(on) => on,
            // What YAML 1.1 took for truth values.
            Value::String(word) => match word.as_str() {
                "yes" | "Yes" | "YES" | "on" | "On" | "ON" => true,
                "no" | "No" | "NO" | "off" | "Off" | "OFF" => false,
                _ => {
                    self.problem(key, "must be true or false");
                    default
                }
            },
            _ => {
                self.problem(key, "must be true or false");
                default
            }
        }
    }

    /// None where the key is absent.
    fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        let Value::Array(items) = self.take_list(key)? else {
            self.problem(key, "must be a list of texts");
            return None;
        };
        let texts: Option<Vec<_>> = items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Some(text),
                _ => None,
            })
            .collect();
        if texts.is_none() {
            self.problem(key, "must be a list of texts");
        }
        texts
    }

    fn take_list(&mut self, key: &'static str) -> Option<Value> {
        Some(self.take(key)).filter(|value| !value.is_null())
    }

    /// A text of PEM, from a file or in place. Of both the file counts.
    fn pem(&mut self, file: &'static str, inline: &'static str, folder: &Path) -> Option<Pem> {
        let path = self.text(file);
        let text = self.text(inline);
        path.map(|path| Pem::File(folder.join(path)))
            .or_else(|| text.map(|text| Pem::Inline(text.into())))
    }

    /// What nobody took is told.
    fn finish(mut self) {
        let unknown: Vec<String> = std::mem::take(&mut self.values)
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        for key in unknown {
            let known = format!("is not known here; known are {}", self.known.join(", "));
            self.problem(&key, known);
        }
    }
}

fn read_config(value: Value, folder: &Path, problems: &mut Vec<Problem>) -> Option<WebConfig> {
    let mut top = Section::new("", value, problems)?;
    let tls = top.take("tls_server_config");
    let http = top.take("http_server_config");
    let users = top.take("basic_auth_users");
    let rate_limit = top.take("rate_limit");
    top.finish();
    let tls = read_tls(tls, folder, problems);
    let (http2, headers) = read_http(http, problems);
    let rate_limit = read_rate_limit(rate_limit, problems);
    let mut wrong_hashes = Vec::new();
    Some(WebConfig {
        tls,
        http2,
        headers,
        users: read_users(users, problems, &mut wrong_hashes),
        rate_limit,
        wrong_hashes,
    })
}

fn read_tls(value: Value, folder: &Path, problems: &mut Vec<Problem>) -> Option<TlsSettings> {
    let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
    let mut section = Section::new("tls_server_config.", value, problems)?;
    let certificate = section.pem("cert_file", "cert", folder);
    let key = section.pem("key_file", "key", folder);
    let client_ca = section.pem("client_ca_file", "client_ca", folder);
    let client_auth = read_client_auth(&mut section, client_ca.is_some());
    let client_allowed_sans = read_sans(&mut section, client_auth);
    let versions = read_versions(&mut section);
    let suites = read_suites(&mut section, &versions);
    let prefer_own_suites = section.switch("prefer_server_cipher_suites", true);
    let groups = read_groups(&mut section);
    if !empty {
        for (missing, name) in [
            (certificate.is_none(), "cert_file"),
            (key.is_none(), "key_file"),
        ] {
            if missing {
                let inline = name.trim_end_matches("_file");
                section.problem(
                    name,
                    format!("is missing: TLS needs it, or `{inline}` with the PEM text itself"),
                );
            }
        }
    }
    section.finish();
    Some(TlsSettings {
        certificate: certificate?,
        key: key?,
        client_ca,
        client_auth,
        client_allowed_sans,
        versions,
        suites,
        prefer_own_suites,
        groups,
    })
}

impl TlsSettings {
    /// What `tls_server_config` of a web configuration file would mean, for programs whose own files say it. Names of files
    /// are relative to the working folder. None where nothing is said.
    ///
    /// # Errors
    /// All mistakes; their keys begin with `tls_server_config.`.
    pub fn of(tls_server_config: Value) -> Result<Option<Self>, Vec<Problem>> {
        let mut problems = Vec::new();
        let settings = read_tls(tls_server_config, Path::new(""), &mut problems);
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }
}

fn read_client_auth(section: &mut Section<'_>, has_ca: bool) -> ClientAuth {
    const KEY: &str = "client_auth_type";
    let name = section.text(KEY).unwrap_or_default();
    let Some((_, auth)) = CLIENT_AUTH.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = CLIENT_AUTH
            .iter()
            .skip(1)
            .map(|(known, _)| *known)
            .collect();
        section.problem(
            KEY,
            format!("is not known; write one of {}", known.join(", ")),
        );
        return ClientAuth::None;
    };
    match auth {
        ClientAuth::None if has_ca => section.problem(
            KEY,
            "asks for no client certificate though there are authorities for them; write RequireAndVerifyClientCert, or \
             leave client_ca_file and client_ca out",
        ),
        ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify if !has_ca => section.problem(
            KEY,
            "verifies client certificates, for which client_ca_file or client_ca must name the authorities",
        ),
        _ => {}
    }
    *auth
}

fn read_sans(section: &mut Section<'_>, client_auth: ClientAuth) -> Vec<String> {
    const KEY: &str = "client_allowed_sans";
    let Some(sans) = section.list(KEY) else {
        return Vec::new();
    };
    if sans.is_empty() {
        section.problem(
            KEY,
            "names nobody, so nobody could connect; leave it out or add names",
        );
    } else if !matches!(
        client_auth,
        ClientAuth::RequireAny | ClientAuth::RequireAndVerify
    ) {
        section.problem(
            KEY,
            "needs a client_auth_type of RequireAndVerifyClientCert or RequireAnyClientCert: a client without a certificate \
             has no name",
        );
    }
    sans
}

fn read_versions(section: &mut Section<'_>) -> Vec<&'static SupportedProtocolVersion> {
    let mut bound = |key: &'static str, default: &str| {
        let name = section.text(key).unwrap_or_else(|| default.to_owned());
        if ciphers::version(&name).is_none() {
            let problem = if ciphers::VERSIONS.contains(&name.as_str()) {
                "is out of use and not supported; supported are TLS12 and TLS13"
            } else {
                "is not known; supported are TLS12 and TLS13"
            };
            section.problem(key, problem);
        }
        ciphers::VERSIONS.iter().position(|known| *known == name)
    };
    let (least, most) = (bound("min_version", "TLS12"), bound("max_version", "TLS13"));
    let (Some(least), Some(most)) = (least, most) else {
        return Vec::new();
    };
    if least > most {
        section.problem("min_version", "is newer than max_version");
        return Vec::new();
    }
    let names = &ciphers::VERSIONS[least..=most];
    names
        .iter()
        .filter_map(|name| ciphers::version(name))
        .collect()
}

fn read_suites(
    section: &mut Section<'_>,
    versions: &[&'static SupportedProtocolVersion],
) -> Vec<SupportedCipherSuite> {
    const KEY: &str = "cipher_suites";
    let all = rustls::crypto::ring::ALL_CIPHER_SUITES;
    let names = section.list(KEY).unwrap_or_default();
    if names.is_empty() {
        return all.to_vec();
    }
    let mut suites: Vec<_> = all
        .iter()
        .filter(|suite| ciphers::always(suite))
        .copied()
        .collect();
    let mut unknown = Vec::new();
    for name in &names {
        match ciphers::suite(name) {
            Some(suite) if suites.contains(&suite) => {}
            Some(suite) => suites.push(suite),
            None => unknown.push(name.as_str()),
        }
    }
    if !unknown.is_empty() {
        let text = format!(
            "names suites that are not supported ({}); supported are {}",
            unknown.join(", ").escape_debug(),
            ciphers::suites()
        );
        section.problem(KEY, text);
    } else if !versions.is_empty()
        && !suites.iter().any(|suite| {
            versions
                .iter()
                .any(|version| version.version == suite.version().version)
        })
    {
        section.problem(
            KEY,
            "names no suite of a version that min_version and max_version allow",
        );
    }
    suites
}

fn read_groups(section: &mut Section<'_>) -> Vec<&'static dyn SupportedKxGroup> {
    const KEY: &str = "curve_preferences";
    let names = section.list(KEY).unwrap_or_default();
    if names.is_empty() {
        return rustls::crypto::ring::ALL_KX_GROUPS.to_vec();
    }
    let unknown: Vec<_> = names
        .iter()
        .map(String::as_str)
        .filter(|name| ciphers::curve(name).is_none())
        .collect();
    if !unknown.is_empty() {
        let text = format!(
            "names curves that are not supported ({}); supported are {}",
            unknown.join(", ").escape_debug(),
            ciphers::curves()
        );
        section.problem(KEY, text);
    }
    names
        .iter()
        .filter_map(|name| ciphers::curve(name))
        .collect()
}

fn read_http(value: Value, problems: &mut Vec<Problem>) -> (bool, Vec<(HeaderName, HeaderValue)>) {
    let Some(mut section) = Section::new("http_server_config.", value, problems) else {
        return (true, Vec::new());
    };
    let http2 = section.switch("http2", true);
    let headers = section.take("headers");
    section.finish();
    let Some(mut section) = Section::new("http_server_config.headers.", headers, problems) else {
        return (http2, Vec::new());
    };
    let mut set = Vec::new();
    for (name, values) in HEADERS {
        let Some(text) = section.text(name) else {
            continue;
        };
        if !values.is_empty() && !values.contains(&text.as_str()) {
            section.problem(name, format!("must be {}", values.join(" or ")));
            continue;
        }
        match (name.parse::<HeaderName>(), HeaderValue::from_str(&text)) {
            (Ok(name), Ok(value)) => set.push((name, value)),
            _ => section.problem(name, "holds characters that no header may hold"),
        }
    }
    section.finish();
    (http2, set)
}

fn read_users(
    value: Value,
    problems: &mut Vec<Problem>,
    wrong: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let Some(section) = Section::new("basic_auth_users.", value, problems) else {
        return BTreeMap::new();
    };
    let users = section.values.into_iter().map(|(name, hash)| {
        let hash = hash.as_str().unwrap_or_default().to_owned();
        if !is_hash(&hash) {
            let key = format!("{}{name}", section.prefix);
            let text =
                "needs a bcrypt hash of the password; `htpasswd -nB` with the name makes one";
            wrong.push(Problem::new(key, text));
        }
        (name, hash)
    });
    users.collect()
}

fn read_rate_limit(value: Value, problems: &mut Vec<Problem>) -> Option<RateLimit> {
    if value.is_null() {
        return None;
    }
    let mut section = Section::new("rate_limit.", value, problems)?;
    let interval = match section.take("interval") {
        Value::Null => {
            section.problem(
                "interval",
                "is missing: the time after which one more request is answered, as `1s`",
            );
            None
        }
        Value::String(text) => match duration::parse(&text) {
            Ok(interval) => Some(interval),
            Err(error) => {
                section.problem("interval", format!("is wrong: {error}"));
                None
            }
        },
        Value::Number(number) if number.as_u64() == Some(0) => Some(std::time::Duration::ZERO),
        _ => {
            section.problem("interval", "needs a unit, as in `1s` or `100ms`");
            None
        }
    };
    let burst = section.take("burst");
    let burst = burst.as_u64().and_then(|burst| u32::try_from(burst).ok());
    let burst = burst.and_then(NonZeroU32::new);
    if burst.is_none() && interval.is_none_or(|interval| !interval.is_zero()) {
        section.problem(
            "burst",
            "must be a whole number of 1 or more: so many requests are answered at once",
        );
    }
    section.finish();
    Some(RateLimit {
        interval: interval.filter(|interval| !interval.is_zero())?,
        burst: burst?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::time::Duration;

    const HASH: &str = "$2y$10$A1W58TARYppA8VtRo3JVRe26hLo62OAZe3ztDBntlzelwIdnepqAa";

    fn parse(text: &str) -> Result<WebConfig, WebConfigError> {
        WebConfig::parse(text, Path::new("/etc/exporter/web.yml"))
    }

    /// Each mistake as it is shown.
    fn mistakes(text: &str) -> Vec<String> {
        let path = Path::new("/etc/exporter/web.yml");
        match parse(text).and_then(|config| config.strict(path)) {
            Err(WebConfigError::Problems { problems, .. }) => {
                problems.iter().map(ToString::to_string).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case::empty("")]
    #[case::a_comment("# nothing\n")]
    #[case::sections_without_content(
        "tls_server_config:\nhttp_server_config: {}\nbasic_auth_users:\nrate_limit:\n"
    )]
    fn without_content_everything_is_as_without_the_file(#[case] text: &str) {
        let config = parse(text).expect("a configuration");
        assert!(config.tls.is_none() && config.http2 && config.headers.is_empty());
        assert!(config.users.is_empty() && config.rate_limit.is_none());
    }

    #[test]
    fn every_key_is_read() {
        let config = parse(&format!(
            "
tls_server_config:
  cert_file: tls/cert.pem
  key_file: /secret/key.pem
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [a.example.com, 127.0.0.1]
  min_version: TLS13
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: no
  curve_preferences:
    - CurveP384
    - X25519
http_server_config:
  http2: false
  headers:
    Content-Security-Policy: default-src 'none'
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 0
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  alice: {HASH}
  yes: '{HASH}'
rate_limit:
  interval: 100ms
  burst: 20
"
        ))
        .expect("a configuration");
        let tls = config.tls.expect("TLS");
        let path = |pem: &Pem| match pem {
            Pem::File(path) => path.display().to_string(),
            Pem::Inline(_) => String::new(),
        };
        assert_eq!(path(&tls.certificate), "/etc/exporter/tls/cert.pem");
        assert_eq!(path(&tls.key), "/secret/key.pem");
        assert_eq!(
            path(&tls.client_ca.expect("authorities")),
            "/etc/exporter/ca.pem"
        );
        assert_eq!(tls.client_auth, ClientAuth::RequireAndVerify);
        assert_eq!(tls.client_allowed_sans, ["a.example.com", "127.0.0.1"]);
        assert_eq!(tls.versions, [&rustls::version::TLS13]);
        assert_eq!(tls.suites.len(), 4, "those of TLS 1.3 and one more");
        assert!(!tls.prefer_own_suites);
        let groups: Vec<_> = tls.groups.iter().map(|group| group.name()).collect();
        let expected = [rustls::NamedGroup::secp384r1, rustls::NamedGroup::X25519];
        assert_eq!(groups, expected);
        assert!(!config.http2);
        let headers: Vec<_> = config
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("a text")))
            .collect();
        assert_eq!(
            headers,
            [
                "content-security-policy: default-src 'none'",
                "strict-transport-security: max-age=31536000",
                "x-content-type-options: nosniff",
                "x-frame-options: deny",
                "x-xss-protection: 0",
            ]
        );
        let users: Vec<_> = config.users.into_iter().collect();
        let user = |name: &str| (name.to_owned(), HASH.to_owned());
        assert_eq!(users, [user("alice"), user("yes")]);
        let limit = config.rate_limit.expect("a limit");
        assert_eq!(
            (limit.interval, limit.burst.get()),
            (Duration::from_millis(100), 20)
        );
    }

    #[test]
    fn pem_text_may_stand_in_the_file_and_a_file_comes_before_it() {
        let tls = parse(
            "tls_server_config: {cert: C, key: \"K\\nK\", client_ca: A, client_ca_file: a.pem, client_auth_type: VerifyClientCertIfGiven}",
        )
        .expect("a configuration")
        .tls
        .expect("TLS");
        assert!(matches!(tls.certificate, Pem::Inline(_)));
        assert!(matches!(tls.key, Pem::Inline(_)));
        assert!(matches!(tls.client_ca, Some(Pem::File(_))));
        assert_eq!(tls.versions.len(), 2);
        assert_eq!(tls.suites.len(), 9);
        assert_eq!(tls.groups.len(), 3);
        let shown = format!("{:?}", tls.key);
        assert!(!shown.contains('K'), "{shown}");
    }

    #[rstest]
    #[case("NoClientCert", ClientAuth::None)]
    #[case("''", ClientAuth::None)]
    #[case("RequestClientCert", ClientAuth::Request)]
    #[case("RequireAnyClientCert", ClientAuth::RequireAny)]
    #[case("RequireClientCert", ClientAuth::RequireAny)]
    #[case("VerifyClientCertIfGiven, client_ca: x", ClientAuth::VerifyIfGiven)]
    #[case(
        "RequireAndVerifyClientCert, client_ca: x",
        ClientAuth::RequireAndVerify
    )]
    fn client_auth_type_is_read(#[case] value: &str, #[case] auth: ClientAuth) {
        let text = format!("tls_server_config: {{cert: x, key: x, client_auth_type: {value}}}");
        let config = parse(&text).expect("a configuration");
        assert_eq!(config.tls.expect("TLS").client_auth, auth);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let told = mistakes(
            "
tls_server_config: {key_file: k, min_version: TLS11, ciphers: []}
http_server_config: {http2: maybe, headers: {X-Frame-Options: ALLOWALL, Server: x}}
basic_auth_users: {alice: letmein, bob: }
rate_limit: {interval: 1 s}
basic_auth: {}
",
        );
        let expected = [
            "`basic_auth` is not known here; known are tls_server_config, http_server_config, basic_auth_users, rate_limit",
            "`tls_server_config.min_version` is out of use and not supported; supported are TLS12 and TLS13",
            "`tls_server_config.cert_file` is missing: TLS needs it, or `cert` with the PEM text itself",
            "`tls_server_config.ciphers` is not known here; known are cert_file, cert, key_file, key, client_ca_file, client_ca, client_auth_type, client_allowed_sans, min_version, max_version, cipher_suites, prefer_server_cipher_suites, curve_preferences",
            "`http_server_config.http2` must be true or false",
            "`http_server_config.headers.X-Frame-Options` must be deny or sameorigin",
            "`http_server_config.headers.Server` is not known here; known are Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, X-XSS-Protection",
            "`rate_limit.interval` is wrong: `1 s` is no duration; write for example `250ms`, `60s`, `5m`, `1h30m`, or a number of seconds",
            "`rate_limit.burst` must be a whole number of 1 or more: so many requests are answered at once",
            "`basic_auth_users.alice` needs a bcrypt hash of the password; `htpasswd -nB` with the name makes one",
            "`basic_auth_users.bob` needs a bcrypt hash of the password; `htpasswd -nB` with the name makes one",
        ];
        assert_eq!(told, expected);
    }

    #[rstest]
    #[case::an_authority_for_nothing("client_ca: x", "asks for no client certificate")]
    #[case::an_authority_for_nothing_said(
        "client_ca_file: x, client_auth_type: NoClientCert",
        "asks for no client certificate"
    )]
    #[case::no_authority(
        "client_auth_type: RequireAndVerifyClientCert",
        "must name the authorities"
    )]
    #[case::no_authority_if_given(
        "client_auth_type: VerifyClientCertIfGiven",
        "must name the authorities"
    )]
    #[case::another_type("client_auth_type: Always", "write one of NoClientCert, ")]
    #[case::names_of_nobody("client_allowed_sans: [a]", "needs a client_auth_type")]
    #[case::names_if_asked(
        "client_allowed_sans: [a], client_auth_type: RequestClientCert",
        "needs a client_auth_type"
    )]
    #[case::no_names(
        "client_allowed_sans: [], client_auth_type: RequireAnyClientCert",
        "names nobody"
    )]
    #[case::no_list(
        "client_allowed_sans: a, client_auth_type: RequireAnyClientCert",
        "must be a list of texts"
    )]
    #[case::no_texts("cipher_suites: [1]", "must be a list of texts")]
    #[case::versions_turned_round(
        "min_version: TLS13, max_version: TLS12",
        "newer than max_version"
    )]
    #[case::a_version_unknown("max_version: '1.3'", "supported are TLS12 and TLS13")]
    #[case::a_suite_unknown(
        "cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]",
        "(TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA); supported are TLS_AES_256_GCM_SHA384, "
    )]
    #[case::no_suite_of_the_version(
        "cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12",
        "names no suite of a version"
    )]
    #[case::a_curve_unknown(
        "curve_preferences: [X25519, CurveP521]",
        "(CurveP521); supported are X25519, CurveP256, CurveP384"
    )]
    fn a_rule_of_tls_is_told(#[case] more: &str, #[case] told: &str) {
        let mistakes = mistakes(&format!("tls_server_config: {{cert: x, key: x, {more}}}"));
        assert!(
            mistakes.len() == 1 && mistakes[0].contains(told),
            "{mistakes:?}"
        );
    }

    #[rstest]
    #[case::versions_alone("tls_server_config: {min_version: TLS13}", 2)]
    #[case::a_text("tls_server_config: on", 1)]
    #[case::a_list_of_users("basic_auth_users: [a]", 1)]
    #[case::a_list("- tls_server_config", 1)]
    #[case::a_header_in_other_letters("http_server_config: {headers: {x-frame-options: deny}}", 1)]
    #[case::a_header_of_two_lines(
        "http_server_config: {headers: {X-XSS-Protection: \"a\\nb\"}}",
        1
    )]
    #[case::a_hash_of_no_cost(
        "basic_auth_users: {a: $2y$99$A1W58TARYppA8VtRo3JVRe26hLo62OAZe3ztDBntlzelwIdnepqAa}",
        1
    )]
    #[case::a_hash_cut(
        "basic_auth_users: {a: $2y$10$A1W58TARYppA8VtRo3JVRe26hLo62OAZe3ztDBntlzel}",
        1
    )]
    #[case::no_unit("rate_limit: {interval: 1, burst: 1}", 1)]
    #[case::no_burst("rate_limit: {interval: 1s, burst: 0}", 1)]
    #[case::a_burst_alone("rate_limit: {burst: 5}", 1)]
    #[case::half_a_burst("rate_limit: {interval: 1s, burst: 1.5}", 1)]
    fn what_cannot_work_is_refused(#[case] text: &str, #[case] number: usize) {
        let told = mistakes(text);
        assert_eq!(told.len(), number, "{told:?}");
    }

    #[test]
    fn an_interval_of_zero_sets_no_limit() {
        for text in ["{interval: 0}", "{interval: 0s, burst: 3}"] {
            let config = parse(&format!("rate_limit: {text}")).expect("a configuration");
            assert!(config.rate_limit.is_none(), "{text}");
        }
    }

    #[rstest]
    #[case::cut("tls_server_config: {")]
    #[case::twice("rate_limit:\nrate_limit:\n")]
    #[case::two_documents("{}\n---\n{}\n")]
    #[case::tabs("tls_server_config:\n\tcert: x\n")]
    fn what_is_no_yaml_is_told_with_its_file(#[case] text: &str) {
        let error = parse(text).expect_err("no YAML").to_string();
        let begins = "the web configuration file /etc/exporter/web.yml is no YAML: ";
        assert!(
            error.starts_with(begins) && !error.contains('\n'),
            "{error}"
        );
    }

    #[test]
    fn a_file_is_taken_apart_when_it_has_changed() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let write = |text: &str| std::fs::write(file.path(), text).expect("written");
        let web = WebFile::new(file.path().to_owned());
        write("http_server_config: {http2: false}");
        let first = web.read().expect("a configuration");
        assert!(!first.http2 && Arc::ptr_eq(&first, &web.read().expect("the same")));
        write("http_server_config: {http2: 7}");
        assert!(matches!(web.read(), Err(WebConfigError::Problems { .. })));
        write("basic_auth_users: {alice: nohash}");
        assert!(web.read().is_ok() && WebConfig::read(file.path()).is_err());
        write("");
        assert!(web.read().expect("a configuration").http2);
        let gone = WebFile::new("/nonexistent/web.yml".into());
        let error = gone.read().expect_err("nothing").to_string();
        assert!(error.starts_with("cannot read the web configuration file /nonexistent/web.yml: "));
    }
}
