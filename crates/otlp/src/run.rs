//! What the program does, as a short story.

use crate::bridge::Bridge;
use crate::cli::Cli;
use crate::config::Config;
use crate::config::receiver::{Auth, Cors, Listener};
use crate::error::Error;
use crate::figures::Figures;
use crate::generate;
use crate::receive::receiver::Receiver;
use crate::receive::{grpc, http};
use crate::web::{self, Metrics};
use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, header};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_serve::connections::Connections;
use tap_sentry_serve::health::Health;
use tap_sentry_serve::reload::{Policy, Reload};
use tap_sentry_serve::server::{self, Bound, Server, WebSource};
use tap_sentry_serve::web_config::WebConfig;
use tap_sentry_settings::problem::SettingsError;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// Threads that read requests and send them on.
const THREADS: usize = 2;

/// What is on its way when the program is asked to end may take so long.
const GRACE: Duration = Duration::from_secs(30);

/// Does what the command line asks for.
///
/// # Errors
/// Whatever kept it from being done.
pub fn run(cli: &Cli) -> Result<(), Error> {
    if let Some(artifact) = cli.generate {
        return print(&generate::render(artifact).map_err(Error::Stdout)?);
    }
    let config = read(cli)?;
    if cli.config_check {
        config.check_files()?;
        if let Some(file) = &cli.web.config_file {
            server::check(&WebSource::File(file.clone()))?;
        }
        return print(b"the configuration is sound\n");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|error| Error::Unexpected(format!("there is no runtime: {error}")))?;
    runtime.block_on(serve(cli, config))
}

/// The configuration in use from now on: no line shows its secrets.
fn read(cli: &Cli) -> Result<Config, SettingsError> {
    let config = Config::read(cli.config.as_deref().unwrap_or(Path::new("")))?;
    config
        .secrets()
        .iter()
        .for_each(tap_sentry_serve::log::hide);
    for warning in &config.warnings {
        log::warn!("{warning}");
    }
    Ok(config)
}

async fn serve(cli: &Cli, config: Config) -> Result<(), Error> {
    let figures = Figures::default();
    outlive_limits();
    let bridge = Arc::new(Bridge::new(&config, &figures)?);
    let renewed = (cli.clone(), Arc::clone(&bridge));
    let policy = Policy::Guarded {
        lifecycle: cli.web.enable_lifecycle,
    };
    let reload = Reload::new(policy, move || {
        let (cli, bridge) = renewed.clone();
        async move { bridge.renew(&read(&cli)?) }
    });
    let served = listen(cli, &config, figures, &bridge, reload).await;
    // Whatever ended it: what has not come to its end stays in the spools.
    bridge.close();
    served
}

/// Receives and sends, until a signal.
async fn listen(
    cli: &Cli,
    config: &Config,
    figures: Figures,
    bridge: &Arc<Bridge>,
    reload: Reload,
) -> Result<(), Error> {
    // Half of the descriptors are left for what is sent, and for the own port.
    let connections = Connections::share(2);
    let mut bound = Vec::new();
    for receiver in &config.receivers {
        let feeds = |limit| Receiver::new(bridge.feeds(&receiver.name), limit, figures.clone());
        if let Some(grpc) = &receiver.grpc {
            let router = grpc::router(feeds(grpc.listener.limit));
            bound.push(open(&grpc.listener, router, &connections).await?);
        }
        if let Some(http) = &receiver.http {
            let router = feeds(http.listener.limit);
            let router = http::router(router, &http.traces_path, &http.logs_path);
            let router = match &http.cors {
                None => router,
                Some(cors) => router.layer(cors_layer(cors)),
            };
            bound.push(open(&http.listener, router, &connections).await?);
        }
    }
    let metrics = Metrics {
        figures: figures.clone(),
        bridge: Arc::clone(bridge),
        reload: reload.clone(),
        connections: connections.clone(),
    };
    let mut server = Server::new(cli.listen_addresses());
    server.web_config = cli.web.config_file.clone().map(WebSource::File);
    server.reload = Some(reload);
    let asked = Arc::clone(bridge);
    server.health = Health::new().only_while(move || asked.is_sound());
    server.connections = Some(Connections::share(8));
    let own = server
        .bind(web::router(metrics, cli.telemetry_path()))
        .await?;
    log::info!("sentry-otlp starts");
    let mut serving = JoinSet::new();
    // Clients must be able to see that it stops, so that the own port is the last to close.
    let own = tokio::spawn(own.serve());
    for listener in bound {
        serving.spawn(listener.serve());
    }
    let mut failed = None;
    while let Some(ended) = serving.join_next().await {
        let ended = ended.map_err(|error| Error::Unexpected(error.to_string()));
        if let Err(error) = ended.and_then(|ended| Ok(ended?)) {
            // What has been acknowledged still goes out.
            log::error!("a port has failed, and the program ends: {error}");
            serving.shutdown().await;
            failed = Some(error);
        }
    }
    let left = tokio::select! {
        left = bridge.drain(GRACE) => left,
        () = signalled() => {
            log::warn!("a second signal: the end does not wait");
            bridge.pending()
        }
    };
    own.abort();
    if left > 0 {
        let text = format!(
            "{left} spans, log records and events had been acknowledged and could not be delivered in {} s; they are lost",
            GRACE.as_secs()
        );
        return Err(Error::Undelivered(text));
    }
    failed.map_or(Ok(()), Err)
}

/// A file that may not grow (`RLIMIT_FSIZE`) is a full disk, which is waited for, and no reason to be ended by SIGXFSZ.
fn outlive_limits() {
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    match signal(kind) {
        // The handler stays.
        Ok(_) => {}
        Err(error) => log::warn!("a limit on the size of files would end the program: {error}"),
    }
}

/// SIGINT or SIGTERM, after the one that the listeners have heard.
async fn signalled() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// A port with what guards it.
async fn open(
    listener: &Listener,
    router: Router,
    connections: &Connections,
) -> Result<Bound, Error> {
    let mut server = Server::new(vec![listener.endpoint.clone()]);
    // Bodies are counted where they are read, as decompressed, and what is too large is answered there.
    server.body_limit = usize::MAX;
    server.connections = Some(connections.clone());
    server.cleartext_http2 = true;
    let mut users = BTreeMap::new();
    match &listener.auth {
        Some(Auth::Users(named)) => users.clone_from(named),
        Some(Auth::Bearer(token)) => server.bearer_token = Some(token.clone()),
        None => {}
    }
    if listener.tls.is_some() || !users.is_empty() {
        let given = WebConfig::given(listener.tls.clone(), users);
        server.web_config = Some(WebSource::Given(Arc::new(given)));
    }
    Ok(server.bind(router).await?)
}

fn cors_layer(cors: &Cors) -> CorsLayer {
    let names = cors.allowed_headers.iter();
    let headers = if cors.allowed_headers.iter().any(|name| name == "*") {
        AllowHeaders::mirror_request()
    } else {
        let names = names.filter_map(|name| HeaderName::try_from(name.as_str()).ok());
        AllowHeaders::list(names.chain([header::CONTENT_TYPE]))
    };
    let allowed = cors.clone();
    let origin = move |origin: &HeaderValue, _: &_| {
        origin.to_str().is_ok_and(|origin| allowed.allows(origin))
    };
    let mut layer = CorsLayer::new()
        .allow_methods([Method::POST])
        .allow_headers(headers)
        .allow_origin(AllowOrigin::predicate(origin));
    if let Some(age) = cors.max_age {
        layer = layer.max_age(age);
    }
    layer
}

/// Writes what was asked for to stdout.
fn print(text: &[u8]) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text)
        .and_then(|()| stdout.flush())
        .map_err(Error::Stdout)
}
