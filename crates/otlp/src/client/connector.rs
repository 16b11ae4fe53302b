//! How a connection to a server comes about: at once, or through a proxy.

use crate::client::agent::CLIENT;
use crate::client::call::{BoxError, called};
use crate::client::socks::Socks;
use crate::client::stream::Stream;
use crate::client::tls;
use crate::config::http::Http;
use futures::future::BoxFuture;
use http::header::USER_AGENT;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::ClientConfig;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tap_sentry_api::connection::{ConnectError, connect_timeout};
use tokio::time::timeout;
use tower_service::Service;
use url::Url;

/// A connection on which nothing comes is asked after so long, and as often, whether it is still there: firewalls forget it
/// without a word.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// So often, before it counts as gone.
const PROBES: u32 = 3;
/// What was sent and is not acknowledged by then ends the connection.
#[cfg(target_os = "linux")]
const UNANSWERED: Duration = Duration::from_secs(30);

/// Makes connections.
#[derive(Debug, Clone)]
pub struct Connector {
    tcp: HttpConnector,
    tls: Arc<ClientConfig>,
    proxies: Arc<Matcher>,
    timeout: Duration,
}

/// Which proxy a server is reached through: the one that is set, or the one that the environment names.
///
/// # Errors
/// When the setting names none that could be used: nothing then goes past it.
pub fn proxies(setting: Option<&Url>) -> Result<Matcher, ConnectError> {
    let Some(url) = setting else {
        return Ok(Matcher::from_env());
    };
    let matcher = Matcher::builder().all(url.as_str()).build();
    if matcher
        .intercept(&Uri::from_static("http://sentry.invalid"))
        .is_none()
    {
        let text = "`proxy_url`: is no address of a proxy".to_owned();
        return Err(ConnectError::Setup(text));
    }
    Ok(matcher)
}

impl Connector {
    /// # Errors
    /// When the authorities of the settings cannot be used.
    pub fn new(settings: &Http, proxies: Arc<Matcher>) -> Result<Self, ConnectError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(PROBES));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNANSWERED));
        Ok(Self {
            tcp,
            tls: Arc::new(tls::config(settings)?),
            proxies,
            timeout: connect_timeout(settings.timeout),
        })
    }

    async fn connect(self, to: Uri) -> Result<Stream, BoxError> {
        let tcp = self.tcp.clone();
        let Some(proxy) = self.proxies.intercept(&to) else {
            return Ok(Stream::to_server(called(self.secured(tcp), to).await?));
        };
        let address = proxy.uri().clone();
        let is_socks = address
            .scheme_str()
            .is_some_and(|scheme| scheme.starts_with("socks"));
        if is_socks {
            let socks = Socks::new(tcp, proxy);
            return Ok(Stream::to_server(called(self.secured(socks), to).await?));
        }
        let proxied = self.secured(tcp);
        if to.scheme() == Some(&Scheme::HTTPS) {
            let tunnel = tunnel(proxied, &proxy);
            Ok(Stream::to_server(called(self.secured(tunnel), to).await?))
        } else {
            Ok(Stream::to_proxy(called(proxied, address).await?))
        }
    }

    /// With TLS where an address has it.
    fn secured<T>(&self, connector: T) -> HttpsConnector<T> {
        HttpsConnector::from((connector, Arc::clone(&self.tls)))
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Stream, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let time = self.timeout;
        let connecting = timeout(time, self.clone().connect(to));
        Box::pin(async move {
            connecting.await.unwrap_or_else(|_| {
                let text = format!("no connection within {} s", time.as_secs_f64());
                Err(io::Error::new(io::ErrorKind::TimedOut, text).into())
            })
        })
    }
}

/// Asks a proxy for a connection that it does not look into.
fn tunnel<T>(proxied: T, proxy: &Intercept) -> Tunnel<T> {
    let own = (USER_AGENT, HeaderValue::from_static(CLIENT));
    let tunnel =
        Tunnel::new(proxy.uri().clone(), proxied).with_headers(HeaderMap::from_iter([own]));
    match proxy.basic_auth() {
        Some(login) => tunnel.with_auth(login.clone()),
        None => tunnel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_cannot_be_used_is_not_gone_around() {
        let server = Uri::from_static("https://o1.ingest.sentry.io");
        let setting = |text: &str| proxies(Some(&text.parse().expect("a URL")));
        let usable = setting("https://me:pass-word@proxy.example").expect("a proxy");
        let proxy = usable.intercept(&server).expect("it is used");
        assert_eq!(*proxy.uri(), "https://proxy.example/");
        let error = setting("ftp://proxy.example").expect_err("no proxy");
        assert!(error.to_string().starts_with("`proxy_url`"), "{error}");
    }
}
