//! The server: listeners, what guards them, and the routes of the program.

use crate::answer::{explained, plain};
use crate::connections::{Bounded, Connections};
use crate::guard::{Guard, pass};
use crate::health::Health;
use crate::listen::{Address, ListenError};
use crate::negotiate::gzip;
use crate::rate_limit::Bucket;
use crate::reload::Reload;
use crate::signals::{Ask, Signals};
use crate::tls::{SetupError, TlsAcceptor};
use crate::users::{Checker, PlainUser};
use crate::web_config::{WebConfig, WebConfigError, WebFile};
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{Response, StatusCode};
use axum::{Router, middleware};
use axum_server::accept::NoDelayAcceptor;
use axum_server::{Control, Handle as ListenerHandle};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use parking_lot::Mutex;
use secrecy::SecretString;
use std::any::Any;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;

/// A connection that brings no whole request for so long is closed.
const FIRST_REQUEST: Duration = Duration::from_secs(30);

/// A connection between requests is kept so long: more than the time between two scrapes.
const IDLE: Duration = Duration::from_secs(300);

/// A request's head may have so many bytes: with thousands of connections the usual 400 KiB would be gigabytes.
const HEAD: usize = 64 << 10;

/// A client over HTTP/2 that says nothing for so long is asked whether it is still there, and has so long to answer.
const SILENCE: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(20);

/// What to serve and how. Made by [`Server::new`]; the fields are for the program to set.
#[derive(Debug, Clone)]
pub struct Server {
    /// At least one.
    pub listen: Vec<Address>,
    pub web_config: Option<WebSource>,
    /// Who brings it as a bearer's is let in, whatever the users are.
    pub bearer_token: Option<SecretString>,
    /// Guards every path but those of `health`, where the web configuration file names no users.
    pub user: Option<PlainUser>,
    pub health: Health,
    /// Without, there is neither a path to reload nor does SIGHUP do anything.
    pub reload: Option<Reload>,
    /// A request's body may have so many bytes.
    pub body_limit: usize,
    /// What is being answered when the server stops may take so long.
    pub grace: Duration,
    /// Whether HTTP/2 is spoken without TLS too, with clients that begin with it, as those of gRPC do.
    pub cleartext_http2: bool,
    /// So many connections may be open; without, as many as the system lets.
    pub connections: Option<Connections>,
}

/// Where TLS and users are said.
#[derive(Debug, Clone)]
pub enum WebSource {
    /// A web configuration file, read again when it changes.
    File(PathBuf),
    /// What the program's own file says.
    Given(Arc<WebConfig>),
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("there is no address to listen at; name one by --web.listen-address")]
    NoAddress,
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    WebConfig(#[from] WebConfigError),
    /// Certificates, keys and authorities.
    #[error("the web configuration file {name} cannot be used: {problem}")]
    Tls { name: String, problem: String },
    #[error("cannot serve: {0}")]
    System(#[from] io::Error),
}

/// How a server ended that was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was being answered has been.
    InOrder,
    /// A second signal came, or the time for it was over.
    CutShort,
}

impl Server {
    pub fn new(listen: Vec<Address>) -> Self {
        Self {
            listen,
            web_config: None,
            bearer_token: None,
            user: None,
            health: Health::new(),
            reload: None,
            body_limit: 64 << 10,
            grace: Duration::from_secs(10),
            cleartext_http2: false,
            connections: None,
        }
    }

    /// Opens the listeners. From now on signals no longer end the process by themselves. The router must not have the paths
    /// of `health` and of reloads: two routes of one path are a mistake of the program, and axum panics.
    ///
    /// # Errors
    /// When the web configuration file or an address cannot be used.
    pub async fn bind(self, router: Router) -> Result<Bound, ServeError> {
        if self.listen.is_empty() {
            return Err(ServeError::NoAddress);
        }
        let checked = self.web_config.as_ref().map(checked).transpose()?;
        let (config, file, tls) = match checked {
            Some(Checked { config, file, tls }) => (Some(config), Some(file), tls),
            None => (None, None, None),
        };
        let http2 = match &config {
            Some(config) if tls.is_some() => config.http2,
            _ => self.cleartext_http2,
        };
        let mut listeners = Vec::with_capacity(self.listen.len());
        for address in &self.listen {
            listeners.push(address.open().await?);
        }
        let addresses: Vec<_> = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        let signals = Signals::listen()?;
        for address in &addresses {
            log::info!(address:%; "listening");
        }
        log::info!(http2; "TLS is {}", if tls.is_some() { "enabled" } else { "disabled" });
        if self.user.is_some()
            && config
                .as_ref()
                .is_some_and(|config| !config.users.is_empty())
        {
            log::warn!(
                "the users of the web configuration file count, not the one that is set beside it"
            );
        }
        let limit = config.as_ref().and_then(|config| config.rate_limit);
        let guard = Guard {
            file,
            bucket: limit.and_then(Bucket::new),
            user: self.user.clone(),
            bearer_token: self.bearer_token.clone(),
            health: self.health.clone(),
            checker: Checker::default(),
            told: Mutex::default(),
        };
        let router = self.answering(router, guard);
        Ok(Bound {
            server: self,
            router,
            tls,
            http2,
            listeners,
            addresses,
            signals,
            control: Control::new(),
            asks: mpsc::unbounded_channel(),
        })
    }

    /// The routes, and what stands around them: what is named last comes first.
    fn answering(&self, router: Router, guard: Guard) -> Router {
        let mut router = router.merge(self.health.routes());
        if let Some(reload) = &self.reload {
            router = router.merge(reload.routes());
        }
        router
            .layer(middleware::map_response(async |response| {
                explained(response)
            }))
            .layer(gzip())
            .layer(DefaultBodyLimit::disable())
            .layer(RequestBodyLimitLayer::new(self.body_limit))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(middleware::from_fn_with_state(Arc::new(guard), pass))
    }
}

/// The answer of a handler that panicked. What it said may hold a secret, and is not shown.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    log::error!("a handler panicked; its request is answered 500");
    plain(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A web configuration file that can be used, and how to shake hands by it.
struct Checked {
    config: Arc<WebConfig>,
    file: Arc<WebFile>,
    tls: Option<TlsAcceptor>,
}

fn checked(source: &WebSource) -> Result<Checked, ServeError> {
    let (config, file, name) = match source {
        WebSource::File(path) => (
            Arc::new(WebConfig::read(path)?),
            WebFile::new(path.clone()),
            path.display().to_string(),
        ),
        WebSource::Given(config) => (
            Arc::clone(config),
            WebFile::Given(Arc::clone(config)),
            "given".to_owned(),
        ),
    };
    let file = Arc::new(file);
    let tls = config
        .tls
        .is_some()
        .then(|| TlsAcceptor::new(Arc::clone(&file), config.http2));
    if let Some(acceptor) = &tls {
        acceptor.setup().map_err(|error| match error {
            SetupError::File(error) => ServeError::WebConfig(error),
            error => ServeError::Tls {
                name,
                problem: error.to_string(),
            },
        })?;
    }
    Ok(Checked { config, file, tls })
}

/// Checks what is said of TLS and users, and the certificates and keys that it names.
///
/// # Errors
/// Those that [`Server::bind`] would give.
pub fn check(web_config: &WebSource) -> Result<(), ServeError> {
    checked(web_config).map(|_| ())
}

/// A server whose listeners are open.
#[derive(Debug)]
pub struct Bound {
    server: Server,
    router: Router,
    tls: Option<TlsAcceptor>,
    http2: bool,
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    signals: Signals,
    control: Control,
    asks: (UnboundedSender<Ask>, UnboundedReceiver<Ask>),
}

/// Stops a server from elsewhere. Clones stop the same.
#[derive(Debug, Clone)]
pub struct Handle {
    control: Control,
    asks: UnboundedSender<Ask>,
}

impl Handle {
    /// As a first signal does it: no more connections are accepted, and what is being answered is finished. A second call
    /// is a second signal.
    pub fn stop(&self) {
        // A server that has ended needs not be asked.
        let _ = self.asks.send(Ask::Stop);
    }

    /// As a second signal does it: all connections end.
    pub fn stop_now(&self) {
        let _ = self.asks.send(Ask::StopNow);
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.control.connection_count()
    }
}

impl Bound {
    /// One for each address that was named, in that order, with the port that a 0 became.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub fn handle(&self) -> Handle {
        Handle {
            control: self.control.clone(),
            asks: self.asks.0.clone(),
        }
    }

    /// Serves until a signal or the handle ends it.
    ///
    /// # Errors
    /// When a listener fails for good.
    pub async fn serve(self) -> Result<Ended, ServeError> {
        let control = self.control.clone();
        // The sender is kept, so that the channel does not end.
        let (_sender, mut asks) = self.asks;
        let health = self.server.health.clone();
        let grace = self.server.grace;
        let reload = self.server.reload.clone();
        let mut signals = self.signals;
        let mut serving: FuturesUnordered<BoxFuture<'static, io::Result<()>>> =
            FuturesUnordered::new();
        for listener in self.listeners {
            let mut server = axum_server::from_tcp(listener)?
                .handle(ListenerHandle::with_control(self.control.clone()))
                .first_request_timeout(FIRST_REQUEST)
                .accept_error_handler(failed);
            let builder = server.http_builder();
            builder.http1().header_read_timeout(IDLE).max_buf_size(HEAD);
            // One that has gone without a word would keep its connection for ever.
            builder
                .http2()
                .keep_alive_interval(SILENCE)
                .keep_alive_timeout(ANSWER);
            if !self.http2 {
                server = server.http1_only();
            }
            let routes = self.router.clone().into_make_service();
            let connections = self.server.connections.clone();
            serving.push(if let Some(acceptor) = self.tls.clone() {
                let acceptor = Bounded {
                    acceptor,
                    connections,
                };
                Box::pin(server.acceptor(acceptor).serve(routes))
            } else {
                let acceptor = Bounded {
                    acceptor: NoDelayAcceptor::new(),
                    connections,
                };
                Box::pin(server.acceptor(acceptor).serve(routes))
            });
        }
        self.server.health.set_ready(true);
        let mut ended = Ended::InOrder;
        let mut stopping = false;
        let over = tokio::time::sleep(grace);
        tokio::pin!(over);
        loop {
            tokio::select! {
                end = serving.next() => match end {
                    Some(result) => result?,
                    None => break,
                },
                () = &mut over, if stopping => {
                    ended = Ended::CutShort;
                    control.shutdown();
                }
                ask = next(&mut signals, &mut asks) => match (ask, &reload) {
                    (Ask::Stop, _) if !stopping => {
                        log::info!("stopping; a second signal ends at once");
                        stopping = true;
                        health.set_ready(false);
                        over.as_mut().reset(Instant::now() + grace);
                        control.graceful_shutdown(None);
                    }
                    (Ask::Stop | Ask::StopNow, _) => {
                        ended = Ended::CutShort;
                        health.set_ready(false);
                        control.shutdown();
                    }
                    (Ask::Reload, Some(reload)) => {
                        let reload = reload.clone();
                        // What comes of it is logged.
                        tokio::spawn(async move { reload.run().await.is_ok() });
                    }
                    // Another server of the program does.
                    (Ask::Reload, None) => {}
                },
            }
        }
        if ended == Ended::CutShort {
            log::warn!("ended before everything was answered");
        }
        Ok(ended)
    }
}

/// What is asked next, by a signal or a handle.
async fn next(signals: &mut Signals, asks: &mut UnboundedReceiver<Ask>) -> Ask {
    tokio::select! {
        ask = signals.next() => ask,
        Some(ask) = asks.recv() => ask,
    }
}

/// A connection that did not come about is the client's affair, unless it is the system's.
fn failed(client: Option<&SocketAddr>, error: &io::Error) {
    match client {
        Some(address) => log::debug!(address:%, err:% = error; "connection refused"),
        None => log::warn!(err:% = error; "cannot accept a connection"),
    }
}
