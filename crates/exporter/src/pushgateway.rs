//! A Pushgateway: one group of series after another takes the place of what it had.

use crate::grouping::path;
use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::time::Duration;
use tap_sentry_api::connection::{ConnectError, chain};
use tap_sentry_api::text::brief;
use url::Url;

/// Pushgateways read everything as this, whatever it is called.
const CLASSIC: &str = "text/plain; version=0.0.4";

/// Further tries after a failure that may pass.
const RETRIES: usize = 3;

/// Before the first further try; each next waits twice as long.
const FIRST_DELAY: Duration = Duration::from_millis(500);

/// Nobody is waited for any longer, whatever it says.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Where and how to push.
#[derive(Debug, Clone)]
pub struct Pushgateway {
    /// Without user, query and fragment.
    pub url: Url,
    pub job: String,
    /// Labels of every group, beside those of its own.
    pub grouping: Vec<(String, String)>,
    pub credentials: Credentials,
    /// A PEM file of authorities that are trusted beside the system's.
    pub ca_certificate: Option<PathBuf>,
    /// Of one answer.
    pub timeout: Duration,
}

/// Who pushes.
#[derive(Debug, Clone)]
pub enum Credentials {
    None,
    User {
        name: String,
        password: SecretString,
    },
    Token(SecretString),
}

impl Credentials {
    /// What nothing may show.
    pub fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::None => None,
            Self::User { password, .. } => Some(password),
            Self::Token(token) => Some(token),
        }
    }
}

/// Why a group was not pushed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot push to {url}: {problem}")]
pub struct PushError {
    url: String,
    problem: String,
}

/// What became of one try.
enum Try {
    Done,
    /// May pass; told how long to wait at least.
    Again(String, Option<Duration>),
    Refused(String),
}

/// Of what a refusal says, in bytes: no more than that is read.
const MOST_WORDS: usize = 4096;

impl Pushgateway {
    /// The client for all pushes.
    ///
    /// # Errors
    /// When the certificate cannot be used.
    pub fn client(&self) -> Result<Client, ConnectError> {
        // Fails only when one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("sentry-exporter/", env!("CARGO_PKG_VERSION")))
            .timeout(self.timeout)
            // What is redirected arrives without its body, or elsewhere.
            .redirect(Policy::none());
        if let Some(path) = &self.ca_certificate {
            let pem = std::fs::read(path).map_err(|source| ConnectError::Read {
                path: path.clone(),
                source,
            })?;
            let none = || {
                let path = path.display();
                ConnectError::Setup(format!(
                    "`pushgateway_ca_certificate`: {path} contains no PEM certificate"
                ))
            };
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(none)?;
            builder = builder.tls_certs_merge(certificates);
        }
        builder.build().map_err(|error| {
            ConnectError::Setup(format!("cannot set up the push: {}", chain(&error)))
        })
    }

    /// The address of a group.
    pub fn group(&self, labels: &[(&str, &str)]) -> String {
        let own = self.grouping.iter();
        let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> = labels.iter().copied().chain(own).collect();
        let base = self.url.as_str().trim_end_matches('/');
        format!("{base}{}", path(&self.job, &all))
    }

    /// Puts classic text in the place of a whole group. Tried again after what may pass: no connection, no answer, 429 and
    /// the server's own failures.
    ///
    /// # Errors
    /// When the group is as it was, as far as can be told.
    pub async fn put(
        &self,
        client: &Client,
        labels: &[(&str, &str)],
        text: &str,
    ) -> Result<(), PushError> {
        let url = self.group(labels);
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(FIRST_DELAY)
            .with_max_delay(LONGEST_DELAY)
            .with_max_times(RETRIES)
            .with_jitter()
            .build();
        loop {
            let problem = match self.attempt(client, &url, text).await {
                Try::Done => return Ok(()),
                Try::Refused(problem) => problem,
                Try::Again(problem, told) => match delays.next() {
                    Some(delay) => {
                        let delay = delay.max(told.unwrap_or_default()).min(LONGEST_DELAY);
                        log::warn!("a push to {url} is tried again: {problem}");
                        tokio::time::sleep(delay).await;
                        continue;
                    }
                    None => format!("{problem}; tried {} times", RETRIES + 1),
                },
            };
            return Err(PushError { url, problem });
        }
    }

    async fn attempt(&self, client: &Client, url: &str, text: &str) -> Try {
        let request = client
            .put(url)
            .header(CONTENT_TYPE, CLASSIC)
            .body(text.to_owned());
        let request = match &self.credentials {
            Credentials::None => request,
            Credentials::User { name, password } => {
                request.basic_auth(name, Some(password.expose_secret()))
            }
            Credentials::Token(token) => {
                let value = format!("Bearer {}", token.expose_secret());
                let Ok(mut value) = HeaderValue::from_str(&value) else {
                    unreachable!("the settings let nothing else pass");
                };
                value.set_sensitive(true);
                request.header(AUTHORIZATION, value)
            }
        };
        match request.send().await {
            Ok(response) => self.judge(response).await,
            Err(error) if error.is_timeout() => {
                let seconds = self.timeout.as_secs_f64();
                Try::Again(format!("no answer within {seconds} seconds"), None)
            }
            Err(error) => {
                let no_connection = error.is_connect();
                // The address stands in the message already.
                let text = chain(&error.without_url());
                if text.contains(tap_sentry_api::connection::UNTRUSTED) {
                    let remedy =
                        "; set `pushgateway_ca_certificate` to the authority that issued it";
                    return Try::Refused(text + remedy);
                }
                let remedy = if no_connection {
                    "; check `pushgateway_url` (--push.url)"
                } else {
                    ""
                };
                Try::Again(text + remedy, None)
            }
        }
    }

    async fn judge(&self, mut response: Response) -> Try {
        let status = response.status();
        if status.is_success() {
            return Try::Done;
        }
        if status.is_redirection() {
            return Try::Refused(format!(
                "HTTP {}: redirected; set `pushgateway_url` to the Pushgateway's own address",
                status.as_u16()
            ));
        }
        let told = response.headers().get(RETRY_AFTER);
        let told = told.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let told = told.map(Duration::from_secs);
        let mut words = Vec::new();
        while words.len() < MOST_WORDS
            && let Ok(Some(more)) = response.chunk().await
        {
            words.extend_from_slice(&more);
        }
        let words = String::from_utf8_lossy(&words);
        let remedy = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "; check `pushgateway_user` and `pushgateway_password_file`, or `pushgateway_token_file`"
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "; check `pushgateway_url`",
            _ => "",
        };
        let problem = format!("HTTP {}: {}{remedy}", status.as_u16(), brief(words.trim()));
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            Try::Again(problem, told)
        } else {
            Try::Refused(problem)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_lies_below_the_address() {
        for (url, base) in [
            ("http://x:9091", "http://x:9091"),
            ("https://x/a/b/", "https://x/a/b"),
        ] {
            let pushgateway = Pushgateway {
                url: url.parse().expect("a URL"),
                job: "sentry".to_owned(),
                grouping: vec![("region".to_owned(), "eu/1".to_owned())],
                credentials: Credentials::None,
                ca_certificate: None,
                timeout: Duration::from_secs(1),
            };
            assert_eq!(
                pushgateway.group(&[("organization", "acme")]),
                format!("{base}/metrics/job/sentry/organization/acme/region@base64/ZXUvMQ")
            );
        }
    }
}
