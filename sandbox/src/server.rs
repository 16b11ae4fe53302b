//! The server, and the path of one request from its head to its answer.

use crate::auth;
use crate::connections::accept;
use crate::date::Date;
use crate::draft::Draft;
use crate::endpoints::{Call, Endpoint};
use crate::faults::{self, FaultKind, Faults};
use crate::intake::{self, Intake, Outcomes, Quotas, Relay};
use crate::limits::{Admission, Class, Limiter, Limits};
use crate::problem::Problem;
use crate::render::key;
use crate::reply::Reply;
use crate::request::{Head, Log, Request};
use crate::shared::Shared;
use crate::tls::{self, Certificate};
use crate::version::Version;
use crate::world::World;
use axum::Router;
use axum::extract::{RawPathParams, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use hyper_util::service::TowerToHyperService;
use parking_lot::{Mutex, MutexGuard};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use std::{fmt, io};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[derive(Clone, Debug)]
pub struct Options {
    pub world: World,
    pub limits: Limits,
    /// Added to every request.
    pub latency: Duration,
    /// Compress for clients that accept it.
    pub gzip: bool,
    /// 0: any free one.
    pub port: u16,
    /// Serve https, as this.
    pub certificate: Option<Certificate>,
    /// What answers say of the time.
    pub date: Date,
    /// Which Sentry it is. Those that know errors only are without all other issues of the world.
    pub version: Version,
    /// Whether searches say how many rows they have, in `X-Hits`.
    pub hits: bool,
    /// Refuse what Sentry passes over in silence, in the issue list, statistics, keys, monitors and environments:
    /// parameters that nobody knows, and tags that no event has, which are a client's typing mistakes mostly.
    pub pedantic: bool,
    /// Take in what clients send, as this server; `None`: those paths are not there.
    pub intake: Option<Relay>,
}

impl Options {
    /// As a self-hosted server nearby: no limits, no latency, no compression.
    pub fn new(world: World) -> Self {
        Self {
            world,
            limits: Limits::none(),
            latency: Duration::ZERO,
            gzip: false,
            port: 0,
            certificate: None,
            date: Date::Own,
            version: Version::default(),
            hits: true,
            pedantic: false,
            intake: None,
        }
    }
}

/// Where DSNs lead to without an intake.
const ELSEWHERE: &str = "https://o1.ingest.sentry.invalid";

/// A running server; it stops when dropped.
pub struct Sandbox {
    shared: Arc<Shared>,
    address: SocketAddr,
    scheme: &'static str,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Returns when the server listens. It has a thread and a runtime of its own, so callers need none.
    pub fn start(mut options: Options) -> io::Result<Self> {
        if options.version.is_old() {
            options
                .world
                .issues
                .retain(|_, issue| issue.kind.is_error());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sandbox")
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)))?;
        let address = listener.local_addr()?;
        let tls = options
            .certificate
            .as_ref()
            .map(tls::acceptor)
            .transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let ingest = match options.intake {
            Some(_) => format!("{scheme}://{address}"),
            None => ELSEWHERE.to_owned(),
        };
        let shared = Arc::new(Shared {
            world: Mutex::new(options.world),
            faults: Faults::default(),
            limiter: Limiter::new(options.limits),
            log: Log::default(),
            latency: options.latency,
            gzip: options.gzip,
            date: options.date,
            version: options.version,
            hits: options.hits,
            pedantic: options.pedantic,
            intake: options.intake.map(Intake::new),
            ingest,
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let app = TowerToHyperService::new(router(Arc::clone(&shared)));
        let thread = std::thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, app, tls) => {}
                        _ = stopped => {}
                    }
                });
                // Connections that stall on purpose would hold a graceful shutdown.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            shared,
            address,
            scheme,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The data. Requests wait while the guard lives.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock()
    }

    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The DSN of a project, with its first active key; `None`: it has none. It leads here if there is an intake.
    pub fn dsn(&self, slug: &str) -> Option<String> {
        self.dsn_under("", slug)
    }

    /// [`Self::dsn`] with a path before the project, such as `/relay`, as behind a gateway.
    pub fn dsn_under(&self, prefix: &str, slug: &str) -> Option<String> {
        let world = self.shared.world.lock();
        let project = world.project_by_slug(slug)?.id;
        let mut keys = world.keys.iter();
        let key = keys.find(|key| key.project == project && key.is_active)?;
        Some(key::dsn(&self.shared.ingest, &key.public, prefix, project))
    }

    /// The slug and the DSN of each project that takes something in; none without an intake.
    pub fn intake_dsns(&self) -> Vec<(String, String)> {
        if self.shared.intake.is_none() {
            return Vec::new();
        }
        let projects = self.world().projects.clone();
        let slugs = projects.into_iter().map(|project| project.slug);
        slugs
            .filter_map(|slug| Some((slug.clone(), self.dsn(&slug)?)))
            .collect()
    }

    /// What became of all that was handed in so far; nothing, without an intake.
    pub fn outcomes(&self) -> Outcomes {
        let intake = self.shared.intake.as_ref();
        intake.map_or_else(Outcomes::default, |intake| {
            intake.ledger.lock().outcomes().clone()
        })
    }

    /// Forgets them.
    pub fn clear_outcomes(&self) {
        if let Some(intake) = &self.shared.intake {
            intake.ledger.lock().clear();
        }
    }

    /// What the intake does not take for a while; `None`: there is no intake.
    pub fn quotas(&self) -> Option<&Quotas> {
        self.shared.intake.as_ref().map(|intake| &intake.quotas)
    }

    /// All requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.all()
    }

    pub fn clear_requests(&self) {
        self.shared.log.clear();
    }

    /// How many 429 the rate limiter gave, those of faults not counted.
    pub fn rejections(&self) -> usize {
        self.shared.limiter.rejections()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has shown itself already.
            let _ = thread.join();
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for endpoint in Endpoint::all() {
        router = router.route(
            endpoint.path,
            get(
                move |State(shared): State<Arc<Shared>>,
                      params: RawPathParams,
                      request: axum::extract::Request| async move {
                    let path = params
                        .iter()
                        .map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .collect();
                    let (parts, _) = request.into_parts();
                    serve(&shared, Some(endpoint), path, &parts).await
                },
            ),
        );
    }
    router
        .fallback(
            |State(shared): State<Arc<Shared>>, request: axum::extract::Request| async move {
                let (parts, body) = request.into_parts();
                match intake::serve(&shared, &parts, body).await {
                    Ok(response) => response,
                    Err(_) => serve(&shared, None, Vec::new(), &parts).await,
                }
            },
        )
        .with_state(shared)
}

/// One request, from its head to its answer.
async fn serve(
    shared: &Shared,
    endpoint: Option<&Endpoint>,
    path: Vec<(String, String)>,
    parts: &Parts,
) -> Response {
    let head = Head::new(parts);
    // A server decodes the path before it takes it apart, so that no segment can hold a slash.
    let endpoint = endpoint.filter(|_| !head.path.to_ascii_lowercase().contains("%2f"));
    let class = endpoint.map_or(Class::Default, |endpoint| endpoint.class);
    let serial = shared.log.add(&head, parts, class);

    let bucket = auth::bucket(&shared.world.lock(), head.authorization);
    let (flight, standing) = match shared.limiter.admit(class, &bucket, SystemTime::now()) {
        Admission::Unlimited => (None, None),
        Admission::Admitted(flight, standing) => (Some(flight), Some(standing)),
        Admission::Rejected(problem, standing) => {
            shared.log.answered(serial, problem.status);
            return shared.send(problem.into(), Some(&standing), &head);
        }
    };

    let fault = shared.disturbed(&head).await;
    let answer = match &fault {
        Some(FaultKind::Reset | FaultKind::ResetTaken) => None,
        fault => Some(draft(shared, endpoint, &path, &head, fault.as_ref())),
    };
    drop(flight);
    let Some(answer) = answer else {
        return Shared::hang_up();
    };
    shared.log.answered(serial, answer.status);
    shared.send(answer, standing.as_ref(), &head)
}

/// The answer, true or not.
fn draft(
    shared: &Shared,
    endpoint: Option<&Endpoint>,
    path: &[(String, String)],
    head: &Head<'_>,
    fault: Option<&FaultKind>,
) -> Draft {
    if let Some(problem) = fault.and_then(faults::refusal) {
        return problem.into();
    }
    let reply = answer(shared, endpoint, path, head, fault);
    let Some(kind) = fault else {
        return reply.map_or_else(Draft::from, |reply| Draft::new(reply, head));
    };
    match reply.and_then(|reply| faults::spoil_reply(reply, kind, head.cursor())) {
        Ok(reply) => faults::spoil_draft(Draft::new(reply, head), kind),
        Err(problem) => problem.into(),
    }
}

/// What the data says, to a caller who may know.
fn answer(
    shared: &Shared,
    endpoint: Option<&Endpoint>,
    path: &[(String, String)],
    head: &Head<'_>,
    fault: Option<&FaultKind>,
) -> Result<Reply, Problem> {
    let endpoint = endpoint
        .filter(|endpoint| shared.version.has(endpoint.path))
        .ok_or_else(|| Problem::no_route(head.path))?;
    let world = shared.world.lock();
    let caller = if endpoint.scopes.is_empty() {
        None
    } else {
        let caller = auth::caller(&world, head.authorization)?;
        caller.require(endpoint.scopes)?;
        Some(caller)
    };
    let reply = endpoint.answer(&Call {
        world: &world,
        caller: caller.as_ref(),
        path,
        query: &head.pairs,
        raw_path: head.path,
        version: shared.version,
        pedantic: shared.pedantic,
        errors_only: fault == Some(&FaultKind::ErrorsOnly),
        ingest: &shared.ingest,
    })?;
    let mut reply = shared.version.shape(endpoint.path, reply);
    if let Reply::Page(page) = &mut reply
        && !shared.hits
    {
        page.hits = None;
    }
    Ok(reply)
}
