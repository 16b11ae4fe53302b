//! How requests reach Sentry: the settings that the intake and the web API share.

use crate::config::section::Section;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use std::path::PathBuf;
use std::time::Duration;
use tap_sentry_settings::connection::proxy_url;
use url::Url;

/// Of one exporter.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// An answer is waited for so long.
    pub timeout: Duration,
    /// Sent with each request; their values are not shown.
    pub headers: HeaderMap,
    pub proxy_url: Option<Url>,
    /// A PEM file of authorities that are trusted beside the system's.
    pub ca_certificate: Option<PathBuf>,
    /// Whether any certificate of the server is taken.
    pub insecure_skip_verify: bool,
}

/// Headers that say what only the program knows.
const OWN_HEADERS: [&str; 9] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "user-agent",
    "x-sentry-auth",
];

impl Http {
    /// Reads the settings of an exporter and of its `http`, which has the same by the collector's names.
    pub fn read(section: &mut Section<'_, '_>) -> Self {
        let timeout = section.duration("timeout").unwrap_or_default();
        if timeout.is_zero() {
            section.problem("timeout", "must be more than 0");
        }
        let proxy_url = read_proxy(section);
        let ca_certificate = section.path("ca_certificate");
        let insecure = section.switch("insecure_skip_verify");
        let mut http = section.below("http");
        let of_client = http.duration("timeout").filter(|time| !time.is_zero());
        let headers = read_headers(&mut http);
        let other_proxy = read_proxy(&mut http);
        let mut tls = http.below("tls");
        let other_ca = tls.path("ca_file");
        let other_insecure = tls.switch("insecure_skip_verify");
        if ca_certificate.is_some() && other_ca.is_some() {
            tls.problem(
                "ca_file",
                "stands beside `ca_certificate`; remove one of them",
            );
        }
        if proxy_url.is_some() && other_proxy.is_some() {
            http.problem(
                "proxy_url",
                "stands beside the exporter's own; remove one of them",
            );
        }
        let insecure_skip_verify = insecure || other_insecure;
        if insecure_skip_verify {
            section.warning(
                if insecure { "insecure_skip_verify" } else { "http.tls.insecure_skip_verify" },
                "is on: anybody between here and Sentry can read and change what is sent; name the server's authority in `ca_certificate` instead",
            );
        }
        Self {
            timeout: of_client.map_or(timeout, |of_client| of_client.min(timeout)),
            headers,
            proxy_url: proxy_url.or(other_proxy),
            ca_certificate: ca_certificate.or(other_ca),
            insecure_skip_verify,
        }
    }
}

fn read_proxy(section: &mut Section<'_, '_>) -> Option<Url> {
    let text = section.secret("proxy_url")?;
    let url = section.keep("proxy_url", proxy_url(&text))?;
    if let Some(password) = url.password() {
        section.report.secrets.push(SecretString::from(password));
    }
    Some(url)
}

fn read_headers(http: &mut Section<'_, '_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in http.map("headers") {
        let at = format!("headers.{name}");
        let parsed = name
            .parse::<HeaderName>()
            .ok()
            .zip(HeaderValue::from_str(&value).ok());
        let Some((name, mut value)) = parsed else {
            http.problem(&at, "has characters that no HTTP header may have");
            continue;
        };
        if OWN_HEADERS.contains(&name.as_str()) {
            http.problem(&at, "is set by the program itself: remove it");
            continue;
        }
        if let Ok(text) = value.to_str() {
            http.report.secrets.push(SecretString::from(text));
        }
        value.set_sensitive(true);
        headers.append(name, value);
    }
    headers
}
