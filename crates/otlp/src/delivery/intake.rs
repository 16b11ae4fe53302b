//! Where data of one project is handed in: the addresses and the key.

use crate::client::agent::CLIENT;
use crate::signal::Signal;
use http::{HeaderName, HeaderValue, Uri};
use secrecy::SecretString;
use sentry_types::Dsn;
use url::Url;

/// The header that carries the key. Relay refuses a request that has it twice or another one of its kind beside it.
pub const AUTH: HeaderName = HeaderName::from_static("x-sentry-auth");

/// The intake of a project.
#[derive(Debug, Clone)]
pub struct Intake {
    /// OTLP; a trailing slash is taken by all versions.
    traces: Uri,
    logs: Uri,
    /// Its trailing slash is needed: without it Relay passes the request on to the web application.
    pub envelope: Uri,
    /// Value of [`AUTH`].
    pub auth: HeaderValue,
    /// The key, for what hides it.
    pub key: SecretString,
    pub project_id: String,
}

/// Why there is no intake for a DSN.
#[derive(Debug, thiserror::Error)]
#[error("the DSN cannot be used: {0}")]
pub struct IntakeError(&'static str);

impl Intake {
    /// Where a signal is handed in as OTLP.
    pub fn otlp(&self, signal: Signal) -> &Uri {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
        }
    }

    /// That of a DSN, with its port and path in front.
    ///
    /// # Errors
    /// When its key or its host cannot stand in a request.
    pub fn new(dsn: &Dsn) -> Result<Self, IntakeError> {
        let wrong = |_| IntakeError("its host is none");
        let base = format!("{}://{}:{}", dsn.scheme(), dsn.host(), dsn.port());
        let mut base = Url::parse(&base).map_err(wrong)?;
        let project_id = dsn.project_id().to_string();
        {
            let mut path = base
                .path_segments_mut()
                .map_err(|()| IntakeError("its host is none"))?;
            path.clear();
            path.extend(dsn.path().split('/').filter(|part| !part.is_empty()));
            path.extend(["api", &project_id]);
        }
        let at = |parts: &[&str]| {
            let mut url = base.clone();
            if let Ok(mut path) = url.path_segments_mut() {
                path.extend(parts);
                path.push("");
            }
            let uri = url.as_str().parse::<Uri>();
            uri.map_err(|_| IntakeError("its host or its path cannot stand in a request"))
        };
        let key = dsn.public_key();
        let mut auth = HeaderValue::from_str(&format!(
            "Sentry sentry_key={key}, sentry_version=7, sentry_client={CLIENT}"
        ))
        .map_err(|_| IntakeError("its key has characters that no header may have"))?;
        auth.set_sensitive(true);
        Ok(Self {
            traces: at(&["integration", "otlp", "v1", "traces"])?,
            logs: at(&["integration", "otlp", "v1", "logs"])?,
            envelope: at(&["envelope"])?,
            auth,
            key: SecretString::from(key.to_owned()),
            project_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::hosted(
        "https://abc@o1.ingest.sentry.io/42",
        "https://o1.ingest.sentry.io/api/42/envelope/"
    )]
    #[case::prefix(
        "http://abc:secret@host:9000/a/b/42",
        "http://host:9000/a/b/api/42/envelope/"
    )]
    #[case::ipv6("http://abc@[::1]:9000/42", "http://[::1]:9000/api/42/envelope/")]
    fn port_and_prefix_are_kept(#[case] dsn: &str, #[case] envelope: &str) {
        let dsn: Dsn = dsn.parse().expect("a DSN");
        let intake = Intake::new(&dsn).expect("an intake");
        assert_eq!(intake.envelope, envelope);
        let traces = envelope.replace("envelope/", "integration/otlp/v1/traces/");
        assert_eq!(intake.traces, traces.as_str());
        assert!(!format!("{intake:?}").contains("abc"));
    }
}
