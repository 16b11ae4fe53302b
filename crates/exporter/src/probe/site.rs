//! One server with one set of headers, as all modules and targets of it share it: connections, pace, and what is known.

use crate::probe::answered::Answered;
use crate::probe::index::Index;
use crate::probe::modules::Module;
use axum::http::HeaderMap;
use parking_lot::Mutex;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tap_sentry_api::client::Client;
use tap_sentry_api::connection::{ConnectError, Connection};
use tap_sentry_api::endpoint::Class;
use tap_sentry_api::traffic::Traffic;
use tokio::time::Instant;
use url::Url;

/// What requests say they come from, unless a header of the module does.
const USER_AGENT: &str = concat!("sentry-exporter/", env!("CARGO_PKG_VERSION"));

/// A probe has its own time-out, which is never longer.
pub const LONGEST: Duration = Duration::from_secs(120);

/// Requests at the same time.
const CONCURRENCY: usize = 16;

/// Further tries of the lists that projects are looked for in.
const RETRIES: u32 = 2;

/// How a server is reached, where the settings say more than the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    pub ca_certificate: Option<PathBuf>,
    pub proxy_url: Option<Url>,
}

/// What a server said that takes no requests of a class for a while.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    pub answered: Answered,
    pub until: Instant,
}

/// One server with one set of headers.
pub struct Site {
    way: Way,
    base: Url,
    headers: HeaderMap,
    pub client: Arc<Client>,
    pub traffic: Arc<Traffic>,
    pub index: Index,
    refusals: Mutex<BTreeMap<Class, Refusal>>,
    /// The server has no statistics of organizations by their old endpoint, but by the new one.
    pub old_statistics_gone: AtomicBool,
}

impl Site {
    /// The server of a module.
    ///
    /// # Errors
    /// When the certificate or the proxy cannot be used.
    pub fn new(module: &Module, way: &Way) -> Result<Self, ConnectError> {
        let base = module.prefix.base();
        let traffic = Arc::<Traffic>::default();
        let connection = Connection {
            base_url: base.clone(),
            token: SecretString::default(),
            headers: module.headers.clone(),
            user_agent: USER_AGENT.to_owned(),
            ca_certificate: way.ca_certificate.clone(),
            proxy_url: way.proxy_url.clone(),
            insecure_skip_verify: false,
            concurrency: CONCURRENCY,
            rate_limit: None,
            request_timeout: LONGEST,
            max_retries: RETRIES,
        };
        Ok(Self {
            way: way.clone(),
            client: Arc::new(Client::new(&connection, Arc::clone(&traffic))?),
            traffic,
            base,
            headers: module.headers.clone(),
            index: Index::default(),
            refusals: Mutex::default(),
            old_statistics_gone: AtomicBool::new(false),
        })
    }

    /// The server takes no requests of the class for so long.
    pub fn refused(&self, class: Class, answered: Answered, wait: Duration) {
        let until = Instant::now() + wait;
        let refusal = Refusal { answered, until };
        self.refusals.lock().insert(class, refusal);
    }

    /// What the server said, if it takes none until that time.
    pub fn refusal(&self, class: Class, until: Instant) -> Option<Refusal> {
        let refusal = self.refusals.lock().get(&class).copied();
        refusal.filter(|refusal| refusal.until >= until)
    }

    /// Whether it is the server of this module too.
    pub fn serves(&self, module: &Module, way: &Way) -> bool {
        self.base == module.prefix.base() && self.headers == module.headers && self.way == *way
    }
}
