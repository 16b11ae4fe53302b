//! How to reach one server, and the HTTP client that does.

pub use reqwest::header::HeaderMap;
use reqwest::header::{AUTHORIZATION, HOST, HeaderValue};
use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// A connection that takes longer does not come about.
const CONNECT: Duration = Duration::from_secs(20);

/// A request is not redirected more often.
const REDIRECTS: usize = 5;

/// How rustls begins what it says of a certificate.
pub const UNTRUSTED: &str = "invalid peer certificate";

/// Redirects within the origin that lead nowhere.
#[derive(Debug, thiserror::Error)]
#[error("{0}; check `base_url` and the proxies in front of the server")]
struct Astray(String);

/// What a client needs to know of a server and of how to treat it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Ends with `/api/0/`.
    pub base_url: Url,
    /// Sent as a bearer's; empty: no token is sent.
    pub token: SecretString,
    /// Sent with each request. An `Authorization` or `User-Agent` among them takes the place of the other settings'; with a
    /// `Host` HTTP/1.1 is spoken.
    pub headers: HeaderMap,
    pub user_agent: String,
    /// A PEM file of authorities that are trusted beside the system's.
    pub ca_certificate: Option<PathBuf>,
    /// Comes before what the environment names.
    pub proxy_url: Option<Url>,
    /// Whether any certificate of the server is taken.
    pub insecure_skip_verify: bool,
    /// Maximum number of requests at the same time.
    pub concurrency: usize,
    /// Requests a second at most, where the user sets a limit.
    pub rate_limit: Option<f64>,
    pub request_timeout: Duration,
    /// Further tries after a failure that may pass.
    pub max_retries: u32,
}

impl Connection {
    /// The same for a server that is to know nothing of the user.
    #[must_use]
    pub fn without_credentials(&self) -> Self {
        Self {
            token: SecretString::default(),
            headers: HeaderMap::new(),
            ..self.clone()
        }
    }
}

/// Why there can be no client for a connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("cannot read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Begins with the setting that is wrong.
    #[error("{0}")]
    Setup(String),
}

/// How long a connection is waited for: no more than half of the time of a request.
pub fn connect_timeout(request_timeout: Duration) -> Duration {
    (request_timeout / 2).min(CONNECT)
}

/// An HTTP client that keeps at most so many connections.
pub fn http(connection: &Connection, idle: usize) -> Result<reqwest::Client, ConnectError> {
    let setup = |what: &str, e: &dyn std::fmt::Display| ConnectError::Setup(format!("{what}: {e}"));
    let mut headers = connection.headers.clone();
    let token = connection.token.expose_secret();
    if !token.is_empty() && !headers.contains_key(AUTHORIZATION) {
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
                setup(
                    "`api_token`",
                    &"contains characters that are not allowed in an HTTP header",
                )
            })?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
    }
    // HTTP/2 has another way to name the host, which comes from the URL.
    let http1 = headers.contains_key(HOST);
    let origin = connection.base_url.origin();
    // Fails only when one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(&connection.user_agent)
        .default_headers(headers)
        .timeout(connection.request_timeout)
        .connect_timeout(connect_timeout(connection.request_timeout))
        .pool_max_idle_per_host(idle)
        .tcp_nodelay(true)
        // A renamed project redirects within the origin; the token goes nowhere else.
        .redirect(Policy::custom(move |attempt| {
            if attempt.url().origin() != origin {
                attempt.stop()
            } else if attempt.previous().contains(attempt.url()) {
                let text = format!(
                    "redirected in a loop: {} leads back to itself",
                    attempt.url().path()
                );
                attempt.error(Astray(text))
            } else if attempt.previous().len() > REDIRECTS {
                let text = format!(
                    "redirected more than {REDIRECTS} times, at last to {}",
                    attempt.url().path()
                );
                attempt.error(Astray(text))
            } else {
                attempt.follow()
            }
        }));
    if http1 {
        builder = builder.http1_only();
    }
    if connection.insecure_skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if let Some(path) = &connection.ca_certificate {
        let authorities = authorities(path)?;
        let authorities = authorities
            .iter()
            .map(|der| reqwest::Certificate::from_der(der));
        let authorities: Result<Vec<_>, _> = authorities.collect();
        builder = builder.tls_certs_merge(authorities.map_err(|e| setup("`ca_certificate`", &e))?);
    }
    if let Some(proxy) = &connection.proxy_url {
        builder = builder
            .proxy(reqwest::Proxy::all(proxy.as_str()).map_err(|e| setup("`proxy_url`", &e))?);
    }
    builder.build().map_err(|e| {
        let text = chain(&e);
        setup(
            if text.contains(UNTRUSTED) {
                "`ca_certificate`"
            } else {
                "cannot set up HTTP"
            },
            &text,
        )
    })
}

/// The certificates of a PEM file, as the setting `ca_certificate` names it.
///
/// # Errors
/// When it cannot be read, or holds none.
pub fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let pem = std::fs::read(path).map_err(|source| ConnectError::Read {
        path: path.to_owned(),
        source,
    })?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    certificates
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| {
            let path = path.display();
            let text = format!("`ca_certificate`: {path} contains no PEM certificate");
            ConnectError::Setup(text)
        })
}

/// The error and its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// What an HTTP client's error is about: what lies below its own words, which say no more than that a request failed, and may
/// repeat the URL.
pub fn cause(error: &dyn std::error::Error) -> String {
    let mut below = error.source();
    while let Some(general) = below.filter(|below| below.to_string().starts_with("client error ("))
    {
        below = general.source();
    }
    below.map_or_else(|| error.to_string(), chain)
}
