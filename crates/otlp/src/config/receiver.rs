//! `receivers.otlp`: where OTLP is taken, and from whom.

use crate::config::receiver_keys::RECEIVER;
use crate::config::report::Report;
use crate::config::section::Section;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tap_sentry_serve::listen::Address;
use tap_sentry_serve::users;
use tap_sentry_serve::web_config::{ClientAuth, TlsSettings};
use tap_sentry_settings::file;
use wildmatch::WildMatch;

/// What the collector calls a receiver: one or two ports.
#[derive(Debug)]
pub struct Receiver {
    /// `otlp` or `otlp/NAME`.
    pub name: String,
    pub grpc: Option<Grpc>,
    pub http: Option<Http>,
}

/// OTLP over gRPC.
#[derive(Debug)]
pub struct Grpc {
    pub listener: Listener,
}

/// OTLP over HTTP.
#[derive(Debug)]
pub struct Http {
    pub listener: Listener,
    pub cors: Option<Cors>,
    /// Begin with `/` and do not end with it.
    pub traces_path: String,
    pub logs_path: String,
}

/// A port, and who is let in there.
#[derive(Debug)]
pub struct Listener {
    /// Where it stands in the file, for messages.
    pub key: String,
    pub endpoint: Address,
    pub tls: Option<TlsSettings>,
    pub auth: Option<Auth>,
    /// A body or message may have so many bytes, decompressed.
    pub limit: usize,
}

/// What a request must say of who sends it.
#[derive(Debug, Clone)]
pub enum Auth {
    /// `Authorization: Bearer` and this.
    Bearer(SecretString),
    /// HTTP Basic with one of these names, and a password of which this is the bcrypt hash.
    Users(BTreeMap<String, String>),
}

/// What pages in browsers may do.
#[derive(Debug, Clone, PartialEq)]
pub struct Cors {
    pub allowed_origins: Vec<WildMatch>,
    /// Beside `Content-Type`; `*`: all.
    pub allowed_headers: Vec<String>,
    pub max_age: Option<Duration>,
}

impl Cors {
    /// Whether a page of that origin may send.
    pub fn allows(&self, origin: &str) -> bool {
        let mut patterns = self.allowed_origins.iter();
        patterns.any(|pattern| pattern.matches(origin))
    }
}

impl Receiver {
    /// Reads the receiver that stands at `receivers.NAME`.
    pub fn read(name: &str, value: Value, report: &mut Report<'_>) -> Self {
        let place = format!("receivers.{name}");
        let mut section = Section::new(&place, value, RECEIVER, report);
        let mut protocols = section.below("protocols");
        let has = |section: &Section<'_, '_>, name| section.has(name);
        let (grpc, http) = (has(&protocols, "grpc"), has(&protocols, "http"));
        if !grpc && !http {
            section.problem(
                "protocols",
                "must name `grpc`, `http` or both, for instance as `protocols: {grpc: , http: }`",
            );
            return Self::closed(name);
        }
        let grpc = grpc.then(|| read_grpc(&mut protocols.below("grpc")));
        let http = http.then(|| read_http(&mut protocols.below("http")));
        Self {
            name: name.to_owned(),
            grpc: grpc.flatten(),
            http: http.flatten(),
        }
    }

    /// The receiver of a file that names none: both ports, on this machine.
    pub fn both(report: &mut Report<'_>) -> Self {
        let value = json!({"protocols": {"grpc": null, "http": null}});
        Self::read("otlp", value, report)
    }

    fn closed(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            grpc: None,
            http: None,
        }
    }

    /// The ports that are open.
    pub fn listeners(&self) -> impl Iterator<Item = &Listener> {
        let grpc = self.grpc.as_ref().map(|grpc| &grpc.listener);
        let http = self.http.as_ref().map(|http| &http.listener);
        grpc.into_iter().chain(http)
    }
}

impl Listener {
    /// Whether a client must say who it is.
    pub fn authenticates(&self) -> bool {
        let by_certificate = |tls: &TlsSettings| tls.client_auth == ClientAuth::RequireAndVerify;
        self.auth.is_some() || self.tls.as_ref().is_some_and(by_certificate)
    }
}

fn read_grpc(section: &mut Section<'_, '_>) -> Option<Grpc> {
    let mebibytes = section.whole("max_recv_msg_size_mib").unwrap_or_default();
    let listener = read_listener(section, mebibytes << 20)?;
    Some(Grpc { listener })
}

fn read_http(section: &mut Section<'_, '_>) -> Option<Http> {
    let limit = section.bytes("max_request_body_size");
    let traces_path = read_path(section, "traces_url_path");
    let logs_path = read_path(section, "logs_url_path");
    if traces_path == logs_path {
        section.problem("logs_url_path", "is that of traces too");
    }
    let has_cors = section.has("cors");
    let cors = has_cors.then(|| read_cors(&mut section.below("cors")));
    let listener = read_listener(section, limit)?;
    Some(Http {
        listener,
        cors: cors.flatten(),
        traces_path,
        logs_path,
    })
}

fn read_listener(section: &mut Section<'_, '_>, limit: u64) -> Option<Listener> {
    section.word("transport");
    let endpoint = section.text("endpoint").unwrap_or_default();
    let endpoint = endpoint.parse::<Address>();
    let endpoint = section.keep(
        "endpoint",
        endpoint.map_err(|error| format!("is wrong: {error}")),
    );
    let has_tls = section.has("tls");
    let tls = has_tls.then(|| read_tls(section)).flatten();
    let has_auth = section.has("auth");
    let auth = has_auth.then(|| read_auth(&mut section.below("auth")));
    let listener = Listener {
        key: section.key("endpoint"),
        endpoint: endpoint?,
        tls,
        auth: auth.flatten(),
        // A machine that cannot address so much does not hold it either.
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    };
    if !listener.endpoint.is_loopback() && !listener.authenticates() {
        section.warning(
            "endpoint",
            "is open to other machines, and everybody who reaches it can send: set `auth`, or listen on 127.0.0.1",
        );
    }
    Some(listener)
}

fn read_path(section: &mut Section<'_, '_>, name: &'static str) -> String {
    let path = section.text(name).unwrap_or_default();
    let path = path.trim_end_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    if !path.starts_with('/') || !path.bytes().all(plain) {
        section.problem(name, "must be a path such as /v1/traces");
    } else if path.starts_with("/-/") {
        section.problem(name, "must not begin with /-/, where health is told");
    }
    path.to_owned()
}

/// Read by the rules of web configuration files, whose names for the same differ.
fn read_tls(section: &mut Section<'_, '_>) -> Option<TlsSettings> {
    const NAMES: [(&str, &str); 8] = [
        ("cert_file", "cert_file"),
        ("key_file", "key_file"),
        ("cert", "cert_pem"),
        ("key", "key_pem"),
        ("client_ca_file", "client_ca_file"),
        ("min_version", "min_version"),
        ("max_version", "max_version"),
        ("cipher_suites", "cipher_suites"),
    ];
    const BEGIN: &str = "tls_server_config.";
    let mut tls = section.below("tls");
    let mut values = Map::new();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            values.insert(name.to_owned(), json!(value));
        }
    };
    set("cert_file", tls.text("cert_file"));
    set("key_file", tls.text("key_file"));
    set("cert", tls.text("cert_pem"));
    set("key", tls.secret("key_pem"));
    let client_ca = tls.text("client_ca_file");
    if client_ca.is_some() {
        set(
            "client_auth_type",
            Some("RequireAndVerifyClientCert".to_owned()),
        );
    }
    set("client_ca_file", client_ca);
    for name in ["min_version", "max_version"] {
        let version = tls
            .word(name)
            .map(|text| format!("TLS{}", text.replace('.', "")));
        set(name, version);
    }
    for name in ["cipher_suites", "curve_preferences"] {
        let texts = tls.texts(name);
        if !texts.is_empty() {
            values.insert(name.to_owned(), json!(texts));
        }
    }
    let read = TlsSettings::of(Value::Object(values));
    read.unwrap_or_else(|problems| {
        for problem in problems {
            let name = problem.key.strip_prefix(BEGIN).unwrap_or(&problem.key);
            let written = NAMES.iter().find(|(own, _)| *own == name);
            let text = match name {
                "cert_file" => "is missing: TLS needs it, or `cert_pem` with the PEM text itself",
                "key_file" => "is missing: TLS needs it, or `key_pem` with the PEM text itself",
                _ => &problem.text,
            };
            tls.problem(written.map_or(name, |(_, written)| written), text);
        }
        None
    })
}

fn read_auth(section: &mut Section<'_, '_>) -> Option<Auth> {
    const NEITHER: &str = "says of nobody who may send: set `bearer_token`, `bearer_token_file` or `users_file`, or remove it";
    let before = section.report.problems.len();
    let token = section.secret("bearer_token");
    let users = section.path("users_file");
    match (token, users) {
        (Some(_), Some(_)) => {
            section.problem("users_file", "stands beside a token; remove one of them");
            None
        }
        (Some(token), None) => {
            if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                section.problem(
                    "bearer_token",
                    "contains characters that are not allowed in an HTTP header",
                );
            }
            Some(Auth::Bearer(SecretString::from(token)))
        }
        (None, Some(path)) => {
            let users = read_users(&path);
            section.keep("users_file", users).map(Auth::Users)
        }
        (None, None) => {
            if section.report.problems.len() == before {
                let place = section.key("");
                let place = place.trim_end_matches('.');
                section.report.problem(place, NEITHER);
            }
            None
        }
    }
}

fn read_users(path: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = file::read(path);
    let text = text.map_err(|error| format!("names a file that cannot be used: {error}"))?;
    users::htpasswd(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_cors(section: &mut Section<'_, '_>) -> Option<Cors> {
    let origins = section.texts("allowed_origins");
    let is_origin = |origin: &String| {
        let host = origin.split_once("://").map(|(_, host)| host);
        origin == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains('/'))
    };
    if !origins.iter().all(is_origin) {
        let text = "must be origins such as https://app.example.com or https://*.example.com, without a path";
        section.problem("allowed_origins", text);
    }
    let cors = Cors {
        allowed_origins: origins
            .iter()
            .map(|origin| WildMatch::new(origin))
            .collect(),
        allowed_headers: section.texts("allowed_headers"),
        max_age: section.whole("max_age").map(Duration::from_secs),
    };
    (!cors.allowed_origins.is_empty()).then_some(cors)
}
