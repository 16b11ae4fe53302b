//! HTTP to Sentry's intake, by hyper-util's client. reqwest 0.13 stands on it as well, and takes twice the CPU time for a request,
//! as it parses the address and puts the headers together anew each time: a batch of spans is dozens of requests.
//!
//! HTTP/1.1 is spoken, as by most of Sentry's SDKs: requests at the same time are few, and a connection that ends takes no more
//! than one of them with it.

pub mod agent;
mod call;
mod connector;
mod socks;
mod stream;
mod tls;

use crate::client::agent::CLIENT;
use crate::client::connector::Connector;
use crate::config::http::Http;
use bytes::Bytes;
use bytes::buf::{Buf, Chain};
use http::header::{ACCEPT, CONTENT_LENGTH, PROXY_AUTHORIZATION, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::connection::{ConnectError, cause};
use tap_sentry_api::route::Route;
use tokio::time::{Instant, timeout_at};
use url::Url;

/// A longer time-out means no more, and what is added to the present must not be too long.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// So much of an answer that says nothing is read to its end, in bytes, and for so long.
const REST: usize = 16 << 10;
const REST_TIME: Duration = Duration::from_secs(1);

/// What is sent: a payload, with what stands before and behind it. None of it is copied.
pub type Body = Chain<Chain<Bytes, Bytes>, Bytes>;

/// A body of a payload alone.
pub fn bare(payload: Bytes) -> Body {
    Bytes::new().chain(payload).chain(Bytes::new())
}

/// Sends to intakes, and keeps connections to them.
#[derive(Debug, Clone)]
pub struct Client {
    http: legacy::Client<Connector, Full<Body>>,
    /// Sent with each request.
    headers: HeaderMap,
    proxies: Arc<Matcher>,
    /// The proxy that is set, for messages.
    proxy_url: Option<Url>,
    /// Until all of an answer is there.
    timeout: Duration,
}

/// There is no answer of Sentry's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(String);

/// An answer, whose body may still be under way.
#[derive(Debug)]
pub struct Answer {
    response: Response<Incoming>,
    until: Instant,
}

impl Client {
    /// Keeps at most so many idle connections to a server.
    ///
    /// # Errors
    /// When the authorities or the proxy of the settings cannot be used.
    pub fn new(settings: &Http, idle: usize) -> Result<Self, ConnectError> {
        let proxies = Arc::new(connector::proxies(settings.proxy_url.as_ref())?);
        let connector = Connector::new(settings, Arc::clone(&proxies))?;
        let mut headers = settings.headers.clone();
        headers.insert(USER_AGENT, HeaderValue::from_static(CLIENT));
        // Firewalls of applications look at requests without it with distrust.
        if !headers.contains_key(ACCEPT) {
            headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        }
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(idle)
            .build(connector);
        Ok(Self {
            http,
            headers,
            proxies,
            proxy_url: settings.proxy_url.clone().map(without_login),
            timeout: settings.timeout.min(LONGEST),
        })
    }

    /// Sends a body with these headers beside those of the settings. Redirects are not followed: a redirected POST becomes a GET,
    /// whose answer says nothing.
    ///
    /// # Errors
    /// When Sentry does not answer in time, or a proxy does in its place.
    pub async fn post<const N: usize>(
        &self,
        to: &Uri,
        headers: [(HeaderName, HeaderValue); N],
        body: Body,
    ) -> Result<Answer, NoAnswer> {
        let until = Instant::now() + self.timeout;
        let request = self.http.request(self.request(to, headers, body));
        let response = timeout_at(until, request)
            .await
            .map_err(|_| NoAnswer(format!("no answer within {} s", self.timeout.as_secs_f64())))?;
        let response = response.map_err(|error| {
            let cause = cause(&error);
            let route = self.route(to).filter(|_| error.is_connect());
            NoAnswer(route.map_or_else(|| cause.clone(), |route| route.unreachable(&cause)))
        })?;
        if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            let proxy = self.route(to).and_then(|route| route.proxy);
            return Err(NoAnswer(proxy.map_or_else(
                || {
                    "a proxy in front of Sentry requires a user name and a password (HTTP 407)"
                        .to_owned()
                },
                |proxy| proxy.wants_login(),
            )));
        }
        Ok(Answer { response, until })
    }

    fn request<const N: usize>(
        &self,
        to: &Uri,
        headers: [(HeaderName, HeaderValue); N],
        body: Body,
    ) -> Request<Full<Body>> {
        // Of an empty body hyper 1.12 tells no length, and some servers in front of Sentry's want one (411).
        let length = body.remaining();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = to.clone();
        let all = request.headers_mut();
        all.reserve(self.headers.len() + N + 3);
        for (name, value) in &self.headers {
            all.append(name, value.clone());
        }
        for (name, value) in headers {
            all.insert(name, value);
        }
        all.insert(CONTENT_LENGTH, length.into());
        // A proxy of https is told once, by the connector.
        if to.scheme() == Some(&Scheme::HTTP)
            && let Some(proxy) = self.proxies.intercept(to)
            && let Some(login) = proxy.basic_auth()
        {
            all.insert(PROXY_AUTHORIZATION, login.clone());
        }
        request
    }

    /// The way to an address, for messages.
    fn route(&self, to: &Uri) -> Option<Route> {
        let server = format!("{}://{}", to.scheme()?, to.authority()?);
        Some(Route::new(&server.parse().ok()?, self.proxy_url.as_ref()))
    }
}

fn without_login(mut url: Url) -> Url {
    // They fail where there can be no login.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

impl Answer {
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Reads a short rest of the body, so that the connection can be used again: hyper 1.12 ends one of HTTP/1.1 on which an answer
    /// is left that is not there whole.
    pub async fn finish(mut self) {
        self.until = self.until.min(Instant::now() + REST_TIME);
        let mut rest = REST;
        while let Ok(Some(part)) = self.chunk().await {
            match rest.checked_sub(part.len()) {
                Some(left) => rest = left,
                None => return,
            }
        }
    }

    /// Of its body the next part, while there is one in time.
    ///
    /// # Errors
    /// When the connection ends before, or the time is over.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, NoAnswer> {
        loop {
            let frame = timeout_at(self.until, self.response.body_mut().frame()).await;
            let frame = frame.map_err(|_| NoAnswer("no end of the answer in time".to_owned()))?;
            let Some(frame) = frame else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| NoAnswer(cause(&error)))?;
            // Trailers say nothing.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }
}
