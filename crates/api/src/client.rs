//! Sends requests as one caller: authorised, paced and tried again.

use crate::clock::{Reading, ServerClock};
use crate::connection::{ConnectError, Connection, http};
use crate::endpoint::{Class, Endpoint};
use crate::endpoints::ORGANIZATIONS;
use crate::error::{ApiError, Kind};
use crate::exchange::{Answer, Exchange};
use crate::memory::{Memory, MemoryPermit};
use crate::page_size::PageSizes;
use crate::params::{ORGANIZATION, Params};
use crate::request::{Page, Request, Seen};
use crate::retry::{Patience, back_off};
use crate::route::Route;
use crate::throttle::{Closed, Throttle};
use crate::traffic::Traffic;
use parking_lot::{Mutex, MutexGuard};
use secrecy::{ExposeSecret, SecretString};
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// After so many kept connections turned out to be closed, none is kept any more.
const DROPS: usize = 5;

/// One organization of those that the token sees: little to ask for, that any token may ask for.
static PROBE: Endpoint = Endpoint {
    query: &[("per_page", "1")],
    ..ORGANIZATIONS
};

/// One caller of one server.
pub struct Client {
    http: reqwest::Client,
    /// Keeps no connection: for servers that close theirs after each answer without saying so, as uWSGI does.
    fresh: LazyLock<reqwest::Client, Box<dyn FnOnce() -> reqwest::Client + Send>>,
    /// Sends no token and none of the user's headers: to where a server keeps what it does not hold itself.
    stranger: LazyLock<reqwest::Client, Box<dyn FnOnce() -> reqwest::Client + Send>>,
    /// How many kept connections turned out to be closed.
    dropped: AtomicUsize,
    base: Url,
    route: Arc<Route>,
    /// Something has answered as Sentry does.
    met: Arc<AtomicBool>,
    throttle: Arc<Throttle>,
    paced: Paced,
    memory: Memory,
    traffic: Arc<Traffic>,
    clock: Arc<ServerClock>,
    /// The first request that was answered: what is asked again to see whether the token still is good.
    proof: OnceLock<Request>,
    /// Those of endpoints of which something has been read.
    scopes: Mutex<Vec<&'static [&'static str]>>,
    /// The server knows projects in paths by slug only.
    by_slug: AtomicBool,
    /// It has answered to an id.
    by_id: AtomicBool,
    page_sizes: PageSizes,
    max_retries: u32,
    timeout: Duration,
    /// An end of a refusal that is told is waited for no longer than this.
    longest_wait: Option<Duration>,
}

impl Client {
    /// # Errors
    /// When the token, the certificate or the proxy cannot be used.
    pub fn new(connection: &Connection, traffic: Arc<Traffic>) -> Result<Self, ConnectError> {
        let kept = http(connection, connection.concurrency)?;
        // Reading the system's certificates takes a while, and few servers need this one.
        let (again, otherwise) = (connection.clone(), kept.clone());
        let stranger = connection.without_credentials();
        Ok(Self {
            http: kept,
            fresh: LazyLock::new(Box::new(move || http(&again, 0).unwrap_or(otherwise))),
            stranger: LazyLock::new(Box::new(move || {
                http(&stranger, 0).expect("a client without a token is made as one with it")
            })),
            dropped: AtomicUsize::new(0),
            base: connection.base_url.clone(),
            route: Arc::new(Route::new(
                &connection.base_url,
                connection.proxy_url.as_ref(),
            )),
            met: Arc::default(),
            throttle: Arc::new(Throttle::new(connection.concurrency, connection.rate_limit)),
            paced: Paced {
                token: connection.token.clone(),
                concurrency: connection.concurrency,
                rate_limit: connection.rate_limit,
            },
            memory: Memory::default(),
            traffic,
            clock: Arc::default(),
            proof: OnceLock::new(),
            scopes: Mutex::default(),
            by_slug: AtomicBool::new(false),
            by_id: AtomicBool::new(false),
            page_sizes: PageSizes::default(),
            max_retries: connection.max_retries,
            timeout: connection.request_timeout,
            longest_wait: None,
        })
    }

    /// What Sentry refuses for longer than this fails at once: for those who ask again by themselves.
    #[must_use]
    pub fn waiting_at_most(mut self, longest: Duration) -> Self {
        self.longest_wait = Some(longest);
        self
    }

    /// Goes on as the client did whose place it takes, if Sentry takes both for one caller: what was refused until a time
    /// stays refused.
    pub fn keep_pace_of(&mut self, before: &Self) {
        if self.base == before.base && self.paced.is(&before.paced) {
            self.throttle = Arc::clone(&before.throttle);
        }
    }

    /// The server's clock, once it has answered.
    pub fn clock(&self) -> Option<Reading> {
        self.clock.reading()
    }

    /// Asks for something small, whose answer may tell the server's time: any answer in Sentry's words does, a refusal
    /// too.
    pub async fn ask_the_time(&self) {
        let _ = self.knows_token().await;
    }

    /// Whether the server takes the token for one of its own; `None`: it does not say.
    async fn knows_token(&self) -> Option<bool> {
        let request = Request::new(&PROBE, Params::default());
        match self.fetch(&request, false, false).await {
            Ok((answer, _)) => {
                self.clock.heard(answer.clock);
                Some(true)
            }
            // It may not list them, but it is known.
            Err(Kind::Status { status: 403, .. } | Kind::Wanted { .. }) => Some(true),
            Err(Kind::Status { status: 401, .. }) => Some(false),
            Err(_) => None,
        }
    }

    /// The server has answered as Sentry does before this program was started.
    pub fn met_before(&self) {
        self.met.store(true, Ordering::Relaxed);
    }

    /// What is known of the lists of which 100 rows are too much.
    pub fn page_sizes(&self) -> &PageSizes {
        &self.page_sizes
    }

    /// Further tries after a failure that may pass.
    pub fn max_retries(&self) -> u32 {
        self.max_retries
    }

    /// About how long so many requests of a class take. Seconds.
    pub fn estimate(&self, class: Class, requests: u64) -> f64 {
        self.throttle
            .estimate(class, requests, self.traffic.latency())
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

    /// Asks, until what comes is accepted.
    pub fn ask(&self, request: Request) -> Asking<'_> {
        Asking {
            client: self,
            by_slug: self.by_slug.load(Ordering::Relaxed),
            patience: self.patience(&request),
            fresh: self.dropped.load(Ordering::Relaxed) >= DROPS,
            request,
        }
    }

    fn patience(&self, request: &Request) -> Patience {
        Patience::new(self.max_retries, request.heavy_retries, self.longest_wait)
    }

    fn url(&self, request: &Request, by_slug: bool) -> Url {
        let mut url = self.base.clone();
        let path = request.params.path(request.endpoint, by_slug);
        url.set_path(&format!("{}{path}", self.base.path()));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        url
    }

    /// Whether what was answered before still is: then a 401 is of one endpoint or organization.
    async fn token_still_good(&self) -> bool {
        match self.proof.get() {
            Some(request) => {
                let by_slug = self.by_slug.load(Ordering::Relaxed);
                self.fetch(request, by_slug, false).await.is_ok()
            }
            None => self.knows_token().await == Some(true),
        }
    }

    fn failed(&self, endpoint: &Endpoint, url: &Url, kind: Kind) -> ApiError {
        ApiError {
            route: Arc::clone(&self.route),
            path: path_and_query(url),
            kind,
            stranger: !self.met.load(Ordering::Relaxed),
            scope_shown: self.scopes().contains(&endpoint.scopes),
            token_refused: false,
        }
    }

    /// What a request was answered with is an error, for whoever looked into it.
    pub(crate) fn gave(&self, request: &Request, kind: Kind) -> ApiError {
        self.failed(request.endpoint, &self.url(request, false), kind)
    }

    fn scopes(&self) -> MutexGuard<'_, Vec<&'static [&'static str]>> {
        self.scopes.lock()
    }

    /// Asks once and takes whatever comes: for those who want to know what a server answers, and not what it holds. It waits
    /// for rate limits as other requests do.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn see(&self, request: &Request) -> Result<Seen, ApiError> {
        let mut fresh = self.dropped.load(Ordering::Relaxed) >= DROPS;
        loop {
            let seen = match self.exchange(request, false, fresh).await {
                Ok((exchange, _memory)) => in_task(exchange.see()).await,
                Err(kind) => Err(kind),
            };
            match seen {
                Ok(seen) => return Ok(seen),
                // Most likely the server had closed a kept connection.
                Err(Kind::Dropped(_)) if !fresh => {
                    fresh = true;
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                    self.traffic.retried(request.endpoint);
                }
                Err(kind) => {
                    let url = self.url(request, false);
                    return Err(self.failed(request.endpoint, &url, kind));
                }
            }
        }
    }

    /// Downloads what is no JSON into a file, up to so many bytes; `announced` is how many it has, where that is known. Returns
    /// how many they are.
    ///
    /// # Errors
    /// When the server does not give it, or gives more; or when the file cannot be written to.
    pub async fn download(
        &self,
        request: Request,
        most: u64,
        announced: Option<u64>,
        out: &mut File,
    ) -> Result<u64, DownloadError> {
        let mut asking = self.ask(request);
        loop {
            let exchange = self
                .exchange(&asking.request, asking.by_slug, asking.fresh)
                .await;
            let downloaded = match exchange {
                Ok((exchange, _memory)) => {
                    exchange
                        .download(most, announced, out, &self.stranger)
                        .await
                }
                Err(kind) => Err(kind),
            };
            match downloaded {
                Ok(written) => return written.map_err(DownloadError::Write),
                Err(kind) => asking.reject(kind).await.map_err(DownloadError::Api)?,
            }
        }
    }

    async fn fetch(
        &self,
        request: &Request,
        by_slug: bool,
        fresh: bool,
    ) -> Result<(Answer, MemoryPermit), Kind> {
        let (exchange, memory) = self.exchange(request, by_slug, fresh).await?;
        let answer = in_task(exchange.run()).await?;
        Ok((answer, memory))
    }

    /// A request that may go now.
    ///
    /// # Errors
    /// When Sentry refuses its class for longer than is waited.
    async fn exchange(
        &self,
        request: &Request,
        by_slug: bool,
        fresh: bool,
    ) -> Result<(Exchange, MemoryPermit), Kind> {
        let endpoint = request.endpoint;
        self.traffic.waiting(endpoint, 1);
        let memory = || self.memory.reserve(endpoint.name);
        let permitted = self
            .throttle
            .permit(endpoint.class, self.longest_wait, memory)
            .await;
        self.traffic.waiting(endpoint, -1);
        let (permit, memory) = permitted.map_err(|Closed(wait)| Kind::RateLimited {
            detail: format!("said before, for {:.0} s more", wait.as_secs_f64()),
            wait: Some(wait),
        })?;
        self.traffic.waited(endpoint, permit.waited);
        let http = if fresh { &*self.fresh } else { &self.http };
        let exchange = Exchange {
            http: http.clone(),
            route: Arc::clone(&self.route),
            met: Arc::clone(&self.met),
            endpoint,
            url: self.url(request, by_slug),
            organization: request.params.get(ORGANIZATION).map(str::to_owned),
            page: request.page,
            depth: request.depth,
            traffic: Arc::clone(&self.traffic),
            clock: Arc::clone(&self.clock),
            timeout: self.timeout,
            permit,
        };
        Ok((exchange, memory))
    }
}

/// Why something was not downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error(transparent)]
    Api(ApiError),
    #[error("cannot be written: {0}")]
    Write(io::Error),
}

/// Whose requests are paced together, and how.
struct Paced {
    token: SecretString,
    concurrency: usize,
    rate_limit: Option<f64>,
}

impl Paced {
    fn is(&self, other: &Self) -> bool {
        self.token.expose_secret() == other.token.expose_secret()
            && (self.concurrency, self.rate_limit) == (other.concurrency, other.rate_limit)
    }
}

/// In a task of its own: what reads the answers may stall, and must not starve requests in flight.
async fn in_task<T: Send + 'static>(
    exchange: impl Future<Output = Result<T, Kind>> + Send + 'static,
) -> Result<T, Kind> {
    AbortOnDropHandle::new(tokio::spawn(exchange))
        .await
        .unwrap_or_else(|e| Err(Kind::Transport(format!("the request's task failed: {e}"))))
}

/// Path and query, as the log and errors name a request.
fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// One question under way. [`Asking::answer`] brings what the server says; whoever reads it says whether that is an
/// answer: [`Asking::accept`], or [`Asking::reject`] and ask again.
pub struct Asking<'a> {
    client: &'a Client,
    request: Request,
    by_slug: bool,
    patience: Patience,
    fresh: bool,
}

impl Asking<'_> {
    /// The next answer with status 200.
    ///
    /// # Errors
    /// The last failure, after `max_retries` further tries of one that may pass. What a rate limit refuses until a time
    /// that it tells is no failure, for an hour in all.
    pub async fn answer(&mut self) -> Result<Page, ApiError> {
        loop {
            let fetched = self
                .client
                .fetch(&self.request, self.by_slug, self.fresh)
                .await;
            match fetched {
                Ok((answer, memory)) => {
                    let bytes = answer.body.bytes().len();
                    self.client.memory.learn(self.request.endpoint.name, bytes);
                    return Ok(Page {
                        sent: answer.sent,
                        body: answer.body,
                        memory,
                        next: answer.next,
                        hits: answer.hits,
                        clock: answer.clock,
                    });
                }
                Err(kind) => self.reject(kind).await?,
            }
        }
    }

    /// What came is the answer.
    pub fn accept(&self, page: &Page) {
        let Self {
            client, request, ..
        } = self;
        client.clock.heard(page.clock);
        let _ = client.proof.get_or_init(|| request.clone());
        client.met.store(true, Ordering::Relaxed);
        if request.endpoint.names_project() {
            let known = if self.by_slug {
                &client.by_slug
            } else {
                &client.by_id
            };
            if !known.swap(true, Ordering::Relaxed) && self.by_slug {
                log::debug!(target: request.endpoint.name, "this server knows projects by slug only");
            }
        }
        let mut scopes = client.scopes();
        if !scopes.contains(&request.endpoint.scopes) {
            scopes.push(request.endpoint.scopes);
        }
    }

    /// What came is no answer: waits until it may be asked for again.
    ///
    /// # Errors
    /// When it is not to be asked for again.
    pub async fn reject(&mut self, kind: Kind) -> Result<(), ApiError> {
        let Self {
            client, request, ..
        } = self;
        let endpoint = request.endpoint;
        if !self.fresh && matches!(kind, Kind::Dropped(_)) {
            // Most likely the server had closed a kept connection: that says nothing of its health.
            self.fresh = true;
            client.dropped.fetch_add(1, Ordering::Relaxed);
            client.traffic.retried(endpoint);
            let url = client.url(request, self.by_slug);
            log::debug!(target: endpoint.name, "GET {}: {kind}; trying again on a new connection", path_and_query(&url));
            return Ok(());
        }
        if matches!(kind, Kind::NotThere(_))
            && !self.by_slug
            && endpoint.names_project()
            && !client.by_id.load(Ordering::Relaxed)
        {
            // Servers before 2024 know projects in paths by slug only.
            self.by_slug = true;
            self.patience = client.patience(request);
            return Ok(());
        }
        let url = client.url(request, self.by_slug);
        let met = client.met.load(Ordering::Relaxed);
        let wait = if endpoint.optional && kind.lacking() {
            None
        } else {
            self.patience.wait(&kind, request.divisible, met)
        };
        let Some(wait) = wait else {
            let refused = matches!(kind, Kind::Status { status: 401, .. });
            let token_refused = refused && !client.token_still_good().await;
            return Err(ApiError {
                token_refused,
                ..client.failed(endpoint, &url, kind)
            });
        };
        log::warn!(target: endpoint.name, "GET {}: {kind}; trying again in {:.1} s", path_and_query(&url), wait.as_secs_f64());
        client.traffic.retried(endpoint);
        tokio::time::sleep(wait).await;
        Ok(())
    }
}
