//! One page or one object: authorisation, permits, retries. Only this file and `answer` name reqwest.

use crate::answer::{self, Html, Refusal};
use crate::clock::{Reading, ServerClock};
use crate::config::Settings;
use crate::error::Error;
use crate::paging::{Next, next_page};
use crate::raw::{self, Body};
use crate::report::Report;
use crate::route::Route;
use crate::streams::StreamDef;
use crate::throttle::{Class, RateHeaders, Throttle};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use secrecy::ExposeSecret;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// A body larger than this is not read: 100 full events of 320 KiB. A page that exceeds it is asked for again with
/// fewer rows.
pub const MAX_BODY: usize = 32 << 20;

/// A server is not believed that it refuses for longer, and a request does not sit out more.
pub const LONGEST_REFUSAL: Duration = Duration::from_secs(3600);

/// What is not Sentry's is tried no more often until something has answered as Sentry does.
const STRANGE_TRIES: usize = 2;

/// A connection that takes longer does not come about. A request waits no more than half of its time for one.
const CONNECT: Duration = Duration::from_secs(20);

/// A request is not redirected more often.
const REDIRECTS: usize = 5;

/// Redirects within the origin that lead nowhere.
#[derive(Debug, thiserror::Error)]
#[error("{0}; something before the server sends the tap around: check `base_url` and its proxies")]
struct Astray(String);

/// How rustls begins what it says of a certificate.
const UNTRUSTED: &str = "invalid peer certificate";

/// How hyper begins what it says of an answer that is none, and of one that comes before the request. The latter is also
/// how some servers end a connection that they have kept for long.
const NO_HTTP: &str = "invalid HTTP ";
const UNASKED: &str = "received unexpected message";

/// After so many kept connections turned out to be closed, none is kept any more.
const DROPS: usize = 5;

/// What went wrong, and on what.
#[derive(Debug, Clone, thiserror::Error)]
pub struct ApiError {
    pub route: Arc<Route>,
    /// The path and query asked for; never the token, which travels in a header.
    pub path: String,
    pub kind: Kind,
    /// Nothing has answered as Sentry does, neither in this run nor, as far as is known, ever.
    pub stranger: bool,
    /// Something that needs the same scopes has been read with the token.
    pub scope_shown: bool,
    /// The token itself is refused, and not this endpoint or organization alone.
    pub token_refused: bool,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.kind)?;
        let Route { server, proxy } = &*self.route;
        if let (
            Some(proxy),
            Kind::Gateway { .. }
            | Kind::Page(_)
            | Kind::Status {
                status: 502..=504, ..
            },
        ) = (proxy, &self.kind)
        {
            write!(f, "; it came through {proxy}")?;
        }
        if self.stranger
            && self.kind.strange()
            && (proxy.is_none() || !matches!(self.kind, Kind::Unreachable(_)))
        {
            write!(
                f,
                "; nothing has answered as Sentry does at {server}: is `base_url` Sentry's address?"
            )?;
        }
        Ok(())
    }
}

/// The kinds of failure. [`Kind::transient`] says which are worth another try.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Kind {
    #[error("HTTP {status}: {detail}")]
    Status {
        status: u16,
        detail: String,
        wait: Option<Duration>,
    },
    /// 401 with a code: the token is known, but the organization wants more of its user.
    #[error(
        "HTTP 401: {detail} ({code}): {}; the token itself is not refused",
        wanted(code)
    )]
    Wanted { code: String, detail: String },
    /// 404 in Sentry's own words. One without a word is a [`Kind::Status`], and with other words a [`Kind::Gateway`].
    #[error("HTTP 404: {0}")]
    NotThere(String),
    /// A refusal that is not in Sentry's words, so it says nothing of the token, its scopes or what was asked for.
    #[error("HTTP {status} of a gateway before Sentry, not in Sentry's words: {detail}{}", wants.as_ref().map(|wants| format!("; it wants {wants} authentication")).unwrap_or_default())]
    Gateway {
        status: u16,
        detail: String,
        wants: Option<String>,
        wait: Option<Duration>,
    },
    /// 200 and a page for people.
    #[error(
        "not the JSON that was asked for: {0} came; a login page or a proxy may stand before Sentry: check `base_url`"
    )]
    Page(Html),
    #[error("HTTP 429, too many requests: {detail}")]
    RateLimited {
        detail: String,
        wait: Option<Duration>,
    },
    #[error("HTTP {status}, the query covers too much: {detail}")]
    QueryTooLarge { status: u16, detail: String },
    #[error("the body exceeds {} MiB", MAX_BODY >> 20)]
    BodyTooLarge,
    #[error("no answer within {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// No connection came about.
    #[error("{0}")]
    Unreachable(String),
    /// The connection ended before an answer began.
    #[error("{0}")]
    Dropped(String),
    #[error("{0}")]
    Transport(String),
    /// The connection ended within the body of an answer.
    #[error("{0}")]
    Cut(String),
    #[error("{0}{hint}", hint = if .0.ends_with("UnknownIssuer") || .0.ends_with("BadSignature") { "; set `ca_certificate` to the PEM file of the authority that issued it" } else { "" })]
    Certificate(String),
    #[error("not the JSON that was asked for: {0}")]
    Body(String),
    /// The pages of a list that do not follow one another.
    #[error("{0}")]
    Paging(String),
    #[error(
        "redirected to {0}, which is not the configured origin; set `base_url` to the server's own address, unless that is a login page before it"
    )]
    Redirect(String),
    /// In a circle, or too often.
    #[error("{0}")]
    Astray(String),
}

impl Kind {
    /// Whether the same request may succeed later.
    fn transient(&self, ask: &Ask) -> bool {
        match self {
            // Often a quota of the event store, which passes; but a smaller window is the better question.
            Self::QueryTooLarge { .. } => !ask.divisible,
            // 410 with a message is a brown-out of an endpoint that still exists; see sentry/api/helpers/deprecation.py.
            Self::Status { status, .. } => matches!(status, 408 | 410 | 425 | 500..),
            Self::Gateway { .. }
            | Self::Page(_)
            | Self::Unreachable(_)
            | Self::RateLimited { .. }
            | Self::Timeout(_)
            | Self::Dropped(_)
            | Self::Transport(_)
            | Self::Cut(_)
            | Self::Body(_)
            | Self::Paging(_) => true,
            Self::Wanted { .. }
            | Self::NotThere(_)
            | Self::BodyTooLarge
            | Self::Certificate(_)
            | Self::Redirect(_)
            | Self::Astray(_) => false,
        }
    }
}

impl Kind {
    /// Whether the same list may be answered in smaller pages: a gateway or the link gave up on the answer, or it is
    /// larger than what is read.
    pub fn too_heavy(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 500 | 502 | 504),
            Self::QueryTooLarge { status, .. } => *status == 504,
            Self::Timeout(_) | Self::Cut(_) | Self::BodyTooLarge => true,
            _ => false,
        }
    }

    /// What comes of an address that is not Sentry's. It may pass; but where nothing has answered as Sentry does, a
    /// mistake is more likely.
    fn strange(&self) -> bool {
        matches!(
            self,
            Self::Gateway { .. } | Self::Page(_) | Self::Body(_) | Self::Unreachable(_)
        )
    }

    /// When to come back, where a refusal tells it; an end that is here already tells nothing.
    fn told(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { wait, .. }
            | Self::Status { wait, .. }
            | Self::Gateway { wait, .. } => wait.filter(|wait| !wait.is_zero()),
            _ => None,
        }
    }
}

/// What an organization wants of those who read it. (sentry/api/exceptions.py)
fn wanted(code: &str) -> &'static str {
    match code {
        "sso-required" => {
            "the organization wants its members to sign in by SSO; sign in as the token's user, or use the token of an internal integration"
        }
        "2fa-required" => "the organization wants two-factor authentication of the token's user",
        "member-disabled-over-limit" => {
            "the organization has disabled the token's user, since its plan has no seat left"
        }
        "primary-email-verification-required" => {
            "the token's user has yet to verify an e-mail address"
        }
        _ => "the organization wants something of the token's user",
    }
}

impl ApiError {
    /// The status of a refusal by Sentry itself, or of a server that is not well; a gateway's refusal has none.
    pub fn status(&self) -> Option<u16> {
        match self.kind {
            Kind::Status { status, .. } | Kind::QueryTooLarge { status, .. } => Some(status),
            Kind::RateLimited { .. } => Some(429),
            Kind::NotThere(_) => Some(404),
            Kind::Wanted { .. } => Some(401),
            _ => None,
        }
    }

    /// Whether the server itself does not answer, as far as is known.
    pub fn unanswered(&self) -> bool {
        self.stranger && self.status() != Some(404)
    }

    /// Whether Sentry itself says that what was asked for is not there.
    pub fn not_there(&self) -> bool {
        matches!(self.kind, Kind::NotThere(_))
    }
}

/// What to ask for.
#[derive(Debug, Clone)]
pub struct Ask {
    pub stream: &'static StreamDef,
    pub url: Url,
    /// Counted from 1, for the log.
    pub page: usize,
    /// Less can be asked for: a query that covers too much is told at once and not tried again.
    pub divisible: bool,
    /// Further tries after a failure that a smaller page may cure, if not as many as after any other.
    pub heavy_retries: Option<u32>,
}

impl Ask {
    /// Path and query, as the log and errors name a request.
    pub fn path(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }
}

/// One answer with status 200.
#[derive(Debug)]
pub struct Page {
    /// When it was asked for.
    pub sent: Instant,
    pub body: Body,
    /// `None`: no header tells.
    pub next: Option<Next>,
    /// `X-Hits`: how many rows the search estimates in all, capped by the server at 1,000.
    pub hits: Option<u64>,
    /// What it tells of the server's clock.
    clock: Option<Reading>,
}

/// Sends requests as one caller.
pub struct Client {
    http: reqwest::Client,
    /// Keeps no connection: for servers that close theirs after each answer without saying so, as uWSGI does.
    fresh: LazyLock<reqwest::Client, Box<dyn FnOnce() -> reqwest::Client + Send>>,
    /// How many kept connections turned out to be closed.
    dropped: AtomicUsize,
    base: Url,
    route: Arc<Route>,
    /// Something has answered as Sentry does.
    met: Arc<AtomicBool>,
    throttle: Arc<Throttle>,
    report: Arc<Report>,
    clock: Arc<ServerClock>,
    /// The first request that was answered: what is asked again to see whether the token still is good.
    proof: OnceLock<Ask>,
    /// Those of streams of which something has been read.
    scopes: Mutex<Vec<&'static [&'static str]>>,
    max_retries: u32,
    timeout: Duration,
}

impl Client {
    /// # Errors
    /// When the token, the certificate or the proxy cannot be used.
    pub fn new(settings: &Settings, report: Arc<Report>) -> Result<Self, Error> {
        let kept = http(settings, settings.concurrency)?;
        // Reading the system's certificates takes a while, and few servers need this one.
        let (again, otherwise) = (settings.clone(), kept.clone());
        Ok(Self {
            http: kept,
            fresh: LazyLock::new(Box::new(move || http(&again, 0).unwrap_or(otherwise))),
            dropped: AtomicUsize::new(0),
            base: settings.base_url.clone(),
            route: Arc::new(Route::new(settings)),
            met: Arc::default(),
            throttle: Arc::new(Throttle::new(settings.concurrency, settings.rate_limit)),
            report,
            clock: Arc::default(),
            proof: OnceLock::new(),
            scopes: Mutex::default(),
            max_retries: settings.max_retries,
            timeout: settings.request_timeout,
        })
    }

    /// The server's clock, once it has answered.
    pub fn clock(&self) -> Option<Reading> {
        self.clock.reading()
    }

    /// The server has answered as Sentry does in an earlier run.
    pub fn met_before(&self) {
        self.met.store(true, Ordering::Relaxed);
    }

    /// The URL of a path below `/api/0/`, whose segments are already encoded.
    pub fn url(&self, path: &str, query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// About how long so many requests of a class take. Seconds.
    pub fn estimate(&self, class: Class, requests: u64) -> f64 {
        self.throttle
            .estimate(class, requests, self.report.latency())
    }

    /// Asks until `parse` accepts an answer or the failure is final. `parse` runs at each answer with status 200:
    /// what it refuses is a wrong answer and is asked for again. Each try takes `room` for its answer; that of the
    /// last is returned.
    ///
    /// # Errors
    /// The last failure, after `max_retries` further tries of a transient one. What a rate limit refuses until a time
    /// that it tells is no failure, for an hour in all.
    pub async fn get<T, R, F: Future<Output = R>>(
        &self,
        ask: &Ask,
        room: impl Fn() -> F,
        mut parse: impl FnMut(&mut Page) -> Result<T, Kind>,
    ) -> Result<(T, R), ApiError> {
        let mut patience = Patience::new(self.max_retries, ask);
        let mut fresh = self.dropped.load(Ordering::Relaxed) >= DROPS;
        loop {
            let kind = match self.fetch(ask, &room, fresh).await {
                Ok((mut page, room)) => match parse(&mut page) {
                    Ok(parsed) => {
                        self.clock.heard(page.clock);
                        self.answered(ask);
                        return Ok((parsed, room));
                    }
                    Err(kind) => kind,
                },
                Err(kind) => kind,
            };
            if !fresh && matches!(kind, Kind::Dropped(_)) {
                // Most likely the server had closed a kept connection: that says nothing of its health.
                fresh = true;
                self.dropped.fetch_add(1, Ordering::Relaxed);
                self.report.retried(ask.stream);
                log::debug!(target: ask.stream.name, "GET {}: {kind}; trying again on a new connection", ask.path());
                continue;
            }
            let Some(wait) = patience.wait(&kind, ask, self.met.load(Ordering::Relaxed)) else {
                let token_refused = matches!(kind, Kind::Status { status: 401, .. })
                    && !self.token_still_good().await;
                return Err(ApiError {
                    token_refused,
                    ..self.failed(ask, kind)
                });
            };
            log::warn!(target: ask.stream.name, "GET {}: {kind}; trying again in {:.1} s", ask.path(), wait.as_secs_f64());
            self.report.retried(ask.stream);
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether what was answered before still is: then a 401 is of one endpoint or organization.
    async fn token_still_good(&self) -> bool {
        match self.proof.get() {
            Some(ask) => self.fetch(ask, || async {}, false).await.is_ok(),
            None => false,
        }
    }

    fn answered(&self, ask: &Ask) {
        let _ = self.proof.get_or_init(|| ask.clone());
        self.met.store(true, Ordering::Relaxed);
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        if !scopes.contains(&ask.stream.scopes) {
            scopes.push(ask.stream.scopes);
        }
    }

    fn failed(&self, ask: &Ask, kind: Kind) -> ApiError {
        let scope_shown = self
            .scopes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&ask.stream.scopes);
        let stranger = !self.met.load(Ordering::Relaxed);
        ApiError {
            route: Arc::clone(&self.route),
            path: ask.path(),
            kind,
            stranger,
            scope_shown,
            token_refused: false,
        }
    }

    /// Waits after so many refusals in succession of what was then asked for in smaller parts: as long as for a further
    /// try of it, and not at all where none is wanted.
    pub async fn pause(&self, refusals: usize) {
        let delay = back_off()
            .take(self.max_retries as usize)
            .take(refusals)
            .last();
        tokio::time::sleep(delay.unwrap_or_default()).await;
    }

    /// One request in a task of its own: a target that stalls must not starve requests in flight.
    async fn fetch<R, F: Future<Output = R>>(
        &self,
        ask: &Ask,
        room: impl Fn() -> F,
        fresh: bool,
    ) -> Result<(Page, R), Kind> {
        self.report.waiting(ask.stream, 1);
        let (permit, room) = self.throttle.permit(ask.stream.class, room).await;
        self.report.waiting(ask.stream, -1);
        self.report.waited(ask.stream, permit.waited);
        let http = if fresh { &*self.fresh } else { &self.http };
        let task = Exchange {
            http: http.clone(),
            route: Arc::clone(&self.route),
            met: Arc::clone(&self.met),
            ask: ask.clone(),
            report: Arc::clone(&self.report),
            clock: Arc::clone(&self.clock),
            timeout: self.timeout,
            permit,
        };
        AbortOnDropHandle::new(tokio::spawn(task.run()))
            .await
            .unwrap_or_else(|e| Err(Kind::Transport(format!("the request's task failed: {e}"))))
            .map(|page| (page, room))
    }
}

/// How long to wait before each further try; without end.
fn back_off() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(30))
        .without_max_times()
        .with_jitter()
        .build()
}

/// What is left of the patience with one request.
struct Patience {
    delays: std::iter::Take<ExponentialBackoff>,
    /// When the first refusal came that told its end.
    refused_since: Option<Instant>,
    /// Further tries after a failure that a smaller page may cure.
    heavy: u32,
    /// How often something came that is not Sentry's, while nothing was.
    strange: usize,
}

impl Patience {
    fn new(max_retries: u32, ask: &Ask) -> Self {
        Self {
            delays: back_off().take(max_retries as usize),
            refused_since: None,
            heavy: ask.heavy_retries.unwrap_or(max_retries).min(max_retries),
            strange: 0,
        }
    }

    /// How long to wait before another try; `None`: there is none. `met`: something has answered as Sentry does.
    fn wait(&mut self, failed: &Kind, ask: &Ask, met: bool) -> Option<Duration> {
        if !failed.transient(ask) {
            return None;
        }
        if !met && failed.strange() {
            self.strange += 1;
            if self.strange >= STRANGE_TRIES {
                return None;
            }
        }
        if let Some(told) = failed.told()
            && self
                .refused_since
                .get_or_insert_with(Instant::now)
                .elapsed()
                + told
                <= LONGEST_REFUSAL
        {
            // Jitter keeps several taps of one organization apart.
            return Some(told + back_off().next().unwrap_or_default() / 4);
        }
        if failed.too_heavy() {
            self.heavy = self.heavy.checked_sub(1)?;
        }
        self.delays.next()
    }
}

/// An HTTP client that keeps at most so many connections.
fn http(settings: &Settings, idle: usize) -> Result<reqwest::Client, Error> {
    let setup = |what: &str, e: &dyn std::fmt::Display| Error::Setup(format!("{what}: {e}"));
    let mut authorization =
        HeaderValue::from_str(&format!("Bearer {}", settings.token.expose_secret())).map_err(
            |_| {
                setup(
                    "`api_token`",
                    &"holds characters that no HTTP header can carry",
                )
            },
        )?;
    authorization.set_sensitive(true);
    let origin = settings.base_url.origin();
    // Fails only when one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(&settings.user_agent)
        .default_headers(HeaderMap::from_iter([(AUTHORIZATION, authorization)]))
        .timeout(settings.request_timeout)
        .connect_timeout((settings.request_timeout / 2).min(CONNECT))
        .pool_max_idle_per_host(idle)
        .tcp_nodelay(true)
        // A renamed project redirects within the origin; the token goes nowhere else.
        .redirect(Policy::custom(move |attempt| {
            if attempt.url().origin() != origin {
                attempt.stop()
            } else if attempt.previous().contains(attempt.url()) {
                let text = format!(
                    "redirected in a circle: {} leads back to itself",
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
    if let Some(path) = &settings.ca_certificate {
        let pem = std::fs::read(path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .ok()
            .filter(|certificates| !certificates.is_empty())
            .ok_or_else(|| {
                setup(
                    "`ca_certificate`",
                    &format!("{} holds no PEM certificate", path.display()),
                )
            })?;
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(proxy) = &settings.proxy_url {
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

/// What one request's task owns.
struct Exchange {
    http: reqwest::Client,
    route: Arc<Route>,
    met: Arc<AtomicBool>,
    ask: Ask,
    report: Arc<Report>,
    clock: Arc<ServerClock>,
    timeout: Duration,
    permit: crate::throttle::Permit,
}

impl Exchange {
    async fn run(mut self) -> Result<Page, Kind> {
        let started = Instant::now();
        let response = self
            .http
            .get(self.ask.url.clone())
            .send()
            .await
            .map_err(|e| match self.transport(&e, started) {
                Kind::Transport(text) => Kind::Dropped(text),
                kind => kind,
            })?;
        let status = response.status();
        let headers = rate_headers(response.headers());
        // A gateway's refusals bear no headers, on a limited server too: only a page without them tells of no limits.
        if !headers.absent() || status == StatusCode::OK {
            self.permit.learn(headers);
        }
        let told = if status == StatusCode::OK {
            HeaderMap::new()
        } else {
            response.headers().clone()
        };
        let clock = Reading::of(response.headers());
        let next = response
            .headers()
            .get_all("link")
            .iter()
            .find_map(|v| next_page(v.to_str().ok()?));
        let hits = response
            .headers()
            .get("x-hits")
            .and_then(|v| v.to_str().ok()?.parse().ok());
        let body = match self.body(response, started).await {
            Ok(body) => body,
            Err(kind) => {
                // What breaks off has been told by `transport`.
                if matches!(kind, Kind::BodyTooLarge) {
                    self.log(status, started, 0, headers);
                }
                return Err(kind);
            }
        };
        self.log(status, started, body.bytes().len(), headers);
        if status == StatusCode::OK {
            return match answer::page(body.bytes()) {
                Some(html) => Err(Kind::Page(html)),
                None => Ok(Page {
                    sent: started,
                    body,
                    next,
                    hits,
                    clock,
                }),
            };
        }
        let Refusal { kind, own_words } = answer::refusal(status, &told, body.bytes(), headers);
        if own_words {
            self.clock.heard(clock);
        }
        // A 429 of Sentry's may be plain text, and is known by its headers.
        if own_words || !headers.absent() {
            self.met.store(true, Ordering::Relaxed);
        }
        if matches!(kind, Kind::Gateway { status: 407, .. })
            && let Some(proxy) = self
                .route
                .proxy
                .as_ref()
                .filter(|_| self.ask.url.scheme() == "http")
        {
            return Err(Kind::Unreachable(proxy.wants_login()));
        }
        // What is asked meanwhile would be refused too.
        if matches!(
            kind,
            Kind::RateLimited { .. } | Kind::Status { status: 503, .. }
        ) {
            self.permit.refused(kind.told().unwrap_or_default());
        }
        Err(kind)
    }

    async fn body(&self, mut response: Response, started: Instant) -> Result<Body, Kind> {
        let expected = response
            .content_length()
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or(0);
        let mut body = Body::expecting(expected.min(MAX_BODY));
        let cut = |e| match self.transport(&e, started) {
            Kind::Transport(text) => Kind::Cut(text),
            kind => kind,
        };
        while let Some(chunk) = response.chunk().await.map_err(cut)? {
            if body.bytes().len() + chunk.len() > MAX_BODY {
                return Err(Kind::BodyTooLarge);
            }
            body.push(&chunk);
        }
        Ok(body)
    }

    fn transport(&self, error: &reqwest::Error, started: Instant) -> Kind {
        self.report
            .request(self.ask.stream, started.elapsed(), None, 0);
        let text = cause(error);
        log::debug!(target: self.ask.stream.name, "GET {} failed after {:.3} s: {text}", self.ask.url, started.elapsed().as_secs_f64());
        let no_http =
            text.contains(NO_HTTP) || text.contains(UNASKED) && !self.met.load(Ordering::Relaxed);
        if text.contains(UNTRUSTED) {
            Kind::Certificate(format!("{}: {text}", self.route.server))
        } else if error.is_connect() || no_http {
            Kind::Unreachable(self.route.unreachable(&text))
        } else if error.is_timeout() {
            Kind::Timeout(self.timeout)
        } else if error.is_redirect() {
            Kind::Astray(text)
        } else {
            Kind::Transport(text)
        }
    }

    fn log(&self, status: StatusCode, started: Instant, bytes: usize, rate: RateHeaders) {
        self.report.request(
            self.ask.stream,
            started.elapsed(),
            Some(status.as_u16()),
            bytes,
        );
        if log::log_enabled!(target: self.ask.stream.name, log::Level::Debug) {
            let number = |n: Option<u32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
            log::debug!(
                target: self.ask.stream.name,
                "GET {} -> {} in {:.3} s, page {}, {bytes} bytes, rate limit {} remaining {} reset in {} concurrent {}",
                self.ask.url,
                status.as_u16(),
                started.elapsed().as_secs_f64(),
                self.ask.page,
                number(rate.limit),
                number(rate.remaining),
                rate.reset_in.map_or_else(|| "-".to_owned(), |d| format!("{:.1} s", d.as_secs_f64())),
                number(rate.concurrent_limit),
            );
        }
    }
}

/// Sentry's rate headers; a value may be the text `None`.
fn rate_headers(headers: &HeaderMap) -> RateHeaders {
    let number = |name| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok()?.trim().parse::<u32>().ok())
    };
    let reset = headers
        .get("x-sentry-rate-limit-reset")
        .and_then(|v| v.to_str().ok()?.trim().parse::<f64>().ok());
    RateHeaders {
        limit: number("x-sentry-rate-limit-limit"),
        remaining: number("x-sentry-rate-limit-remaining"),
        // Epoch seconds of the server. A reset told too late would be taken for that of a longer window.
        reset_in: reset.filter(|r| r.is_finite()).map(|reset| {
            let now = answer::servers_now(headers);
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds of this era are exact in 53 bits"
            )]
            let now = now.timestamp_millis() as f64 / 1000.0;
            Duration::from_secs_f64((reset - now).clamp(0.0, LONGEST_REFUSAL.as_secs_f64()))
        }),
        concurrent_limit: number("x-sentry-rate-limit-concurrentlimit"),
    }
}

/// What lies below the HTTP client's own words, which say no more than that a request failed, and repeat its URL.
fn cause(error: &reqwest::Error) -> String {
    let mut below = std::error::Error::source(error);
    while let Some(general) = below.filter(|below| below.to_string().starts_with("client error ("))
    {
        below = general.source();
    }
    below.map_or_else(|| error.to_string(), chain)
}

/// The error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
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

/// The body as an array's rows or one object, checked by `raw`; see [`Client::get`].
pub fn malformed(error: raw::Malformed) -> Kind {
    Kind::Body(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeDelta, Utc};
    use reqwest::header::HeaderName;

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).expect("a value"),
                )
            })
            .collect()
    }

    #[test]
    fn the_reset_is_told_by_the_servers_clock_where_ours_differs() {
        let server = Utc::now() + TimeDelta::minutes(10);
        let reset = (
            "x-sentry-rate-limit-reset",
            (server.timestamp() + 3).to_string(),
        );
        let told = rate_headers(&headers(&[reset.clone(), ("date", server.to_rfc2822())])).reset_in;
        assert_eq!(told, Some(Duration::from_secs(3)));
        assert!(
            rate_headers(&headers(&[reset])).reset_in > Some(Duration::from_secs(500)),
            "without a date ours is all there is"
        );
    }

    #[test]
    fn a_clock_that_is_slow_by_little_makes_no_window_longer() {
        let server = Utc::now() + TimeDelta::milliseconds(1_800);
        let reset = (
            "x-sentry-rate-limit-reset",
            (server.timestamp() + 1).to_string(),
        );
        let told = rate_headers(&headers(&[reset, ("date", server.to_rfc2822())])).reset_in;
        assert_eq!(told, Some(Duration::from_secs(1)));
    }

    /// How many tries of a request end in this failure, and how long they wait for one another.
    async fn tries(max_retries: u32, failed: &Kind) -> (usize, Duration) {
        tries_of(max_retries, failed, true).await
    }

    async fn tries_of(max_retries: u32, failed: &Kind, met: bool) -> (usize, Duration) {
        let ask = Ask {
            stream: crate::streams::find("teams").expect("a stream"),
            url: Url::parse("https://sentry.io/api/0/").expect("a URL"),
            page: 1,
            divisible: false,
            heavy_retries: None,
        };
        let mut patience = Patience::new(max_retries, &ask);
        let (started, mut tries) = (Instant::now(), 1);
        while let Some(wait) = patience.wait(failed, &ask, met) {
            tokio::time::sleep(wait).await;
            tries += 1;
        }
        (tries, started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_tells_its_end_is_sat_out_for_an_hour_in_all() {
        let refused = |seconds| Kind::RateLimited {
            detail: String::new(),
            wait: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(tries(0, &refused(3600)).await.0, 2);
        let (often, waited) = tries(0, &refused(1)).await;
        assert!((2_800..=3_200).contains(&often), "{often}");
        assert!((3_599..=3_600).contains(&waited.as_secs()), "{waited:?}");
        assert_eq!(
            tries(3, &refused(3600)).await.0,
            5,
            "then it is a failure like others"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_tells_when_to_come_back_is_waited_for() {
        let wait = Some(Duration::from_secs(600));
        for refused in [
            Kind::Status {
                status: 503,
                detail: String::new(),
                wait,
            },
            Kind::Gateway {
                status: 403,
                detail: String::new(),
                wants: None,
                wait,
            },
        ] {
            let (often, waited) = tries(2, &refused).await;
            assert_eq!(
                often, 8,
                "{refused}: five times in the hour, and then twice as a failure like others"
            );
            assert!(waited > Duration::from_secs(3_000), "{waited:?}");
        }
        assert_eq!(
            tries(
                2,
                &Kind::Status {
                    status: 403,
                    detail: String::new(),
                    wait
                }
            )
            .await
            .0,
            1,
            "Sentry's own word is final"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_tells_no_end_is_a_failure() {
        for wait in [None, Some(Duration::ZERO)] {
            assert_eq!(
                tries(
                    3,
                    &Kind::RateLimited {
                        detail: String::new(),
                        wait
                    }
                )
                .await
                .0,
                4
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn until_something_answers_as_sentry_does_what_is_not_sentrys_is_tried_twice() {
        let html = Html { title: None };
        let status = |status| Kind::Status {
            status,
            detail: String::new(),
            wait: None,
        };
        let gateway = Kind::Gateway {
            status: 404,
            detail: String::new(),
            wants: None,
            wait: None,
        };
        for strange in [
            Kind::Page(html),
            Kind::Body(String::new()),
            Kind::Unreachable(String::new()),
            gateway,
        ] {
            assert_eq!(tries_of(8, &strange, false).await.0, 2, "{strange}");
            assert_eq!(tries_of(0, &strange, false).await.0, 1, "{strange}");
            assert_eq!(tries_of(8, &strange, true).await.0, 9, "{strange}");
        }
        // These say that a server is there, and not well.
        for passing in [
            status(500),
            status(502),
            status(503),
            Kind::Timeout(Duration::ZERO),
            Kind::Dropped(String::new()),
        ] {
            assert_eq!(tries_of(8, &passing, false).await.0, 9, "{passing}");
        }
    }

    #[test]
    fn a_header_may_be_the_text_none() {
        let rate = rate_headers(&headers(&[
            ("x-sentry-rate-limit-limit", "40".to_owned()),
            ("x-sentry-rate-limit-concurrentlimit", "None".to_owned()),
        ]));
        assert_eq!(
            (rate.limit, rate.concurrent_limit, rate.absent()),
            (Some(40), None, false)
        );
    }
}
