//! Sockets, the path of one request, and the log of them.

use std::{
    convert::Infallible,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use axum::{
    Router,
    body::Body,
    extract::{RawPathParams, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt, stream};
use hyper::service::{Service, service_fn};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    auth,
    cursor::{self, Link},
    endpoints::{Call, ENDPOINTS, Endpoint, search},
    faults::{FaultKind, Faults, Target, status_problem},
    limits::{Admission, Class, Limiter, Limits, Standing},
    problem::JSON,
    problem::Problem,
    reply::{Page, Reply},
    tls::{self, Certificate},
    world::World,
};

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
}

/// The server's clock, as its answers show it. The data has a clock of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Date {
    /// That of the machine.
    Own,
    /// So many seconds later than that.
    Shifted(i64),
    /// The same, of answers that a cache has kept.
    Aged(i64),
    /// Shifted, but that a cache has kept the list of projects.
    ProjectsAged(i64),
    /// A header that is no date.
    Unreadable,
}

impl Date {
    fn headers(self, path: &str) -> Vec<(HeaderName, String)> {
        let shifted = |seconds: i64| {
            (Utc::now() + TimeDelta::seconds(seconds))
                .format("%a, %d %b %Y %H:%M:%S GMT")
                .to_string()
        };
        match self {
            Self::Own => Vec::new(),
            Self::Shifted(seconds) => vec![(header::DATE, shifted(seconds))],
            Self::Aged(seconds) => vec![
                (header::DATE, shifted(seconds)),
                (header::AGE, seconds.unsigned_abs().to_string()),
            ],
            Self::ProjectsAged(seconds) if path.ends_with("/projects/") => {
                Self::Aged(seconds).headers(path)
            }
            Self::ProjectsAged(seconds) => Self::Shifted(seconds).headers(path),
            Self::Unreadable => vec![(header::DATE, "yesterday".to_owned())],
        }
    }
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
        }
    }
}

/// A request as it came, and what it got.
#[derive(Clone, Debug)]
pub struct Request {
    pub at: Instant,
    pub method: String,
    /// Still percent-encoded.
    pub path: String,
    /// Decoded.
    pub query: Vec<(String, String)>,
    /// 0 while unanswered, and for ever when the connection was cut instead.
    pub status: u16,
    pub class: Class,
    pub user_agent: Option<String>,
    pub authorization: Option<String>,
    serial: u64,
}

impl Request {
    /// The value of a query parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

struct Shared {
    world: Mutex<World>,
    faults: Faults,
    limiter: Limiter,
    log: Mutex<Vec<Request>>,
    serial: AtomicU64,
    latency: Duration,
    gzip: bool,
    date: Date,
}

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
    pub fn start(options: Options) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            world: Mutex::new(options.world),
            faults: Faults::default(),
            limiter: Limiter::new(options.limits),
            log: Mutex::default(),
            serial: AtomicU64::new(0),
            latency: options.latency,
            gzip: options.gzip,
            date: options.date,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sandbox")
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let app = TowerToHyperService::new(router(Arc::clone(&shared)));
        let tls = options
            .certificate
            .as_ref()
            .map(tls::acceptor)
            .transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
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
        lock(&self.shared.world)
    }

    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// All requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.log).clone()
    }

    pub fn clear_requests(&self) {
        lock(&self.shared.log).clear();
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked with the guard in hand leaves plain data behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In the extensions of a response that must not be sent: the connection ends instead.
#[derive(Clone)]
struct Abort;

async fn accept(listener: TcpListener, app: TowerToHyperService<Router>, tls: Option<TlsAcceptor>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        // Small answers would wait for acknowledgements otherwise.
        let _ = socket.set_nodelay(true);
        let (app, tls) = (app.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => converse(socket, app).await,
                Some(tls) => {
                    // Clients that do not trust the certificate leave here.
                    if let Ok(socket) = tls.accept(socket).await {
                        converse(socket, app).await;
                    }
                }
            }
        });
    }
}

/// All requests of one connection.
async fn converse(socket: impl AsyncRead + AsyncWrite + Unpin, app: TowerToHyperService<Router>) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answer = app.call(request);
        async move {
            let response = answer
                .await
                .unwrap_or_else(|never: Infallible| match never {});
            if response.extensions().get::<Abort>().is_some() {
                return Err(io::Error::other("a planned end of the connection"));
            }
            Ok(response)
        }
    });
    // Errors here are the planned ones, or clients that left.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for endpoint in ENDPOINTS {
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
                let (parts, _) = request.into_parts();
                serve(&shared, None, Vec::new(), &parts).await
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
    let serial = shared.note(&head, parts, class);

    let bucket = auth::bucket(&lock(&shared.world), head.authorization);
    let (flight, standing) = match shared.limiter.admit(class, &bucket, SystemTime::now()) {
        Admission::Unlimited => (None, None),
        Admission::Admitted(flight, standing) => (Some(flight), Some(standing)),
        Admission::Rejected(problem, standing) => {
            let response = shared.finish(Ok(refuse(problem)), Some(standing), &head);
            shared.note_status(serial, response.status());
            return response;
        }
    };

    let (fault, changes) = shared.faults.due(&Target {
        path: head.path,
        decoded_path: &head.decoded_path,
        query: head.query,
        pairs: &head.pairs,
    });
    if !changes.is_empty() {
        let mut world = lock(&shared.world);
        for change in changes {
            change(&mut world);
        }
    }
    if !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    if let Some(FaultKind::Stall(length)) = fault {
        tokio::time::sleep(length).await;
    }

    let answer = match &fault {
        Some(FaultKind::Reset) => Err(Abort),
        Some(kind) if kind.refusal().is_some() => {
            Ok(refuse(kind.refusal().expect("just looked at")))
        }
        _ => Ok(
            match answer(shared, endpoint, &path, &head)
                .and_then(|reply| rows_of(reply, fault.as_ref()))
            {
                Ok(reply) => spoil(reply, fault.as_ref(), &head),
                Err(problem) => refuse(problem),
            },
        ),
    };
    drop(flight);
    let response = shared.finish(answer, standing, &head);
    if response.extensions().get::<Abort>().is_none() {
        shared.note_status(serial, response.status());
    }
    response
}

/// The parts of a request that are looked at.
struct Head<'a> {
    path: &'a str,
    decoded_path: String,
    query: &'a str,
    pairs: Vec<(String, String)>,
    authorization: Option<&'a str>,
    accepts_gzip: bool,
}

impl<'a> Head<'a> {
    fn new(parts: &'a Parts) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        Self {
            path: parts.uri.path(),
            decoded_path: decode(parts.uri.path()),
            query,
            pairs: query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (
                        decode(&key.replace('+', " ")),
                        decode(&value.replace('+', " ")),
                    )
                })
                .collect(),
            authorization: text(&parts.headers, &header::AUTHORIZATION),
            accepts_gzip: text(&parts.headers, &header::ACCEPT_ENCODING)
                .is_some_and(|encodings| encodings.contains("gzip")),
        }
    }

    /// The query as Django writes it again, without the cursor.
    fn query_without_cursor(&self) -> String {
        const KEPT: &AsciiSet = &NON_ALPHANUMERIC
            .remove(b'-')
            .remove(b'.')
            .remove(b'_')
            .remove(b'~')
            .remove(b' ');
        let encode = |text: &str| {
            utf8_percent_encode(text, KEPT)
                .to_string()
                .replace(' ', "+")
        };
        let pairs: Vec<String> = self
            .pairs
            .iter()
            .filter(|(key, _)| key != "cursor")
            .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
            .collect();
        pairs.join("&")
    }

    fn cursor(&self) -> Option<&str> {
        self.pairs
            .iter()
            .rev()
            .find(|(key, value)| key == "cursor" && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What the data says, to a caller who may know.
fn answer(
    shared: &Shared,
    endpoint: Option<&Endpoint>,
    path: &[(String, String)],
    head: &Head<'_>,
) -> Result<Reply, Problem> {
    let endpoint = endpoint.ok_or_else(|| Problem::no_route(head.path))?;
    let world = lock(&shared.world);
    let caller = if endpoint.scopes.is_empty() {
        None
    } else {
        let caller = auth::caller(&world, head.authorization)?;
        caller.require(endpoint.scopes)?;
        Some(caller)
    };
    (endpoint.answer)(&Call {
        world: &world,
        caller: caller.as_ref(),
        path,
        query: &head.pairs,
        raw_path: head.path,
    })
}

/// An answer that is ready to be sent.
struct Draft {
    status: StatusCode,
    content_type: &'static str,
    headers: HeaderMap,
    body: Sending,
}

enum Sending {
    Whole(Vec<u8>),
    /// So much of it, then the connection ends or, if `stalls`, nothing more comes.
    Part {
        body: Vec<u8>,
        sent: usize,
        stalls: bool,
    },
    /// With so many blanks after the first byte.
    Blown {
        body: Vec<u8>,
        blanks: usize,
    },
}

fn refuse(problem: Problem) -> Draft {
    Draft {
        status: problem.status,
        content_type: problem.content_type,
        headers: problem
            .headers
            .iter()
            .filter_map(|(name, value)| {
                Some((
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).ok()?,
                ))
            })
            .collect(),
        body: Sending::Whole(problem.body.into_bytes()),
    }
}

/// The answer after what the fault does to single rows.
fn rows_of(mut reply: Reply, fault: Option<&FaultKind>) -> Result<Reply, Problem> {
    let rows = match &mut reply {
        Reply::Value(value) => std::slice::from_mut(value),
        Reply::List { rows, .. } => rows.as_mut_slice(),
        Reply::Page(page) => page.rows.as_mut_slice(),
    };
    match fault {
        Some(FaultKind::Unreadable { row, status })
            if rows.iter().any(|one| one.contains(row.as_str())) =>
        {
            return Err(status_problem(*status));
        }
        Some(FaultKind::Keyless { row, key, null }) => {
            for one in rows.iter_mut().filter(|one| one.contains(row.as_str())) {
                let mut value: serde_json::Map<String, serde_json::Value> =
                    serde_json::from_str(one).expect("a row is an object");
                value.remove(*key);
                if *null {
                    value.insert((*key).to_owned(), serde_json::Value::Null);
                }
                *one = serde_json::Value::Object(value).to_string();
            }
        }
        _ => {}
    }
    Ok(reply)
}

/// The answer as HTTP, after what the fault does to it.
fn spoil(reply: Reply, fault: Option<&FaultKind>, head: &Head<'_>) -> Draft {
    let mut headers = HeaderMap::new();
    let list = !matches!(reply, Reply::Value(_));
    let mut body = match reply {
        Reply::Value(value) => value,
        Reply::List { rows, direct_hit } => {
            if direct_hit {
                headers.insert("x-sentry-direct-hit", HeaderValue::from_static("1"));
            }
            array(&rows)
        }
        Reply::Page(mut page) => {
            if let Some(fault) = fault {
                misplace(&mut page, fault, head);
            }
            let link = cursor::link_header(
                head.path,
                &head.query_without_cursor(),
                &page.previous,
                &page.next,
            );
            if let Some(link) = HeaderValue::from_str(&link)
                .ok()
                .filter(|_| fault != Some(&FaultKind::NoLink))
            {
                headers.insert(header::LINK, link);
            }
            if let Some(hits) = page.hits {
                headers.insert("x-hits", HeaderValue::from(hits));
                headers.insert("x-max-hits", HeaderValue::from(search::MAX_HITS));
            }
            array(&page.rows)
        }
    };
    if fault == Some(&FaultKind::WrongShape) {
        body = if list {
            format!("{{\"data\":{body}}}")
        } else {
            format!("[{body}]")
        };
    }
    let mut body = body.into_bytes();
    let middle = body.len() / 2;
    let body = match fault {
        Some(FaultKind::CutBody) => Sending::Part {
            sent: middle,
            body,
            stalls: false,
        },
        Some(FaultKind::StallBody) => Sending::Part {
            sent: middle,
            body,
            stalls: true,
        },
        Some(FaultKind::HugeBody(blanks)) => Sending::Blown {
            body,
            blanks: *blanks,
        },
        Some(FaultKind::CorruptBody) => {
            body.insert(middle, 1);
            Sending::Whole(body)
        }
        Some(FaultKind::NotUtf8) => {
            body.insert(middle, 0xff);
            Sending::Whole(body)
        }
        _ => Sending::Whole(body),
    };
    Draft {
        status: StatusCode::OK,
        content_type: JSON,
        headers,
        body,
    }
}

/// Faults of paging.
fn misplace(page: &mut Page, fault: &FaultKind, head: &Head<'_>) {
    match fault {
        FaultKind::RepeatCursor => {
            page.next = Link {
                cursor: head.cursor().unwrap_or("0:0:0").to_owned(),
                results: true,
            };
        }
        FaultKind::EndEarly => {
            page.rows.truncate(page.rows.len() / 2);
            page.next.results = false;
        }
        FaultKind::LoseRow if page.next.results => {
            page.rows.pop();
        }
        FaultKind::EmptyPageMore => {
            page.rows.clear();
            page.next = Link {
                // The same place under another spelling, so that no client takes it for a loop.
                cursor: head
                    .cursor()
                    .map_or("0:0:0".to_owned(), |cursor| format!("0{cursor}")),
                results: true,
            };
        }
        _ => {}
    }
}

fn array(rows: &[String]) -> String {
    let length = rows.iter().map(|row| row.len() + 1).sum::<usize>();
    let mut body = String::with_capacity(length + 2);
    body.push('[');
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(row);
    }
    body.push(']');
    body
}

impl Shared {
    fn note(&self, head: &Head<'_>, parts: &Parts, class: Class) -> u64 {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        lock(&self.log).push(Request {
            at: Instant::now(),
            method: parts.method.to_string(),
            path: head.path.to_owned(),
            query: head.pairs.clone(),
            status: 0,
            class,
            user_agent: text(&parts.headers, &header::USER_AGENT).map(str::to_owned),
            authorization: head.authorization.map(str::to_owned),
            serial,
        });
        serial
    }

    /// The entry may be gone: the log can be cleared while a request is under way.
    fn note_status(&self, serial: u64, status: StatusCode) {
        let mut log = lock(&self.log);
        if let Some(request) = log.iter_mut().rev().find(|one| one.serial == serial) {
            request.status = status.as_u16();
        }
    }

    fn finish(
        &self,
        draft: Result<Draft, Abort>,
        standing: Option<Standing>,
        head: &Head<'_>,
    ) -> Response {
        let draft = match draft {
            Ok(draft) => draft,
            Err(abort) => {
                let mut response = Response::new(Body::empty());
                response.extensions_mut().insert(abort);
                return response;
            }
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = draft.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(draft.content_type),
        );
        for (name, value) in self.date.headers(head.path) {
            headers.insert(name, HeaderValue::from_str(&value).expect("plain letters"));
        }
        for (name, value) in standing.iter().flat_map(Standing::headers) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        // Last, so that a fault's own words win.
        headers.extend(draft.headers);
        match draft.body {
            Sending::Whole(body) => {
                let body = if self.gzip && head.accepts_gzip && !body.is_empty() {
                    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
                    zipped(&body)
                } else {
                    body
                };
                *response.body_mut() = Body::from(body);
            }
            Sending::Part { body, sent, stalls } => {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
                *response.body_mut() = part(body, sent, stalls);
            }
            Sending::Blown { body, blanks } => *response.body_mut() = blown(body, blanks),
        }
        response
    }
}

fn zipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to memory cannot fail.
    io::Write::write_all(&mut encoder, body)
        .and_then(|()| encoder.finish())
        .expect("a vector takes all bytes")
}

fn part(mut body: Vec<u8>, sent: usize, stalls: bool) -> Body {
    body.truncate(sent);
    let end = stream::once(async move {
        if stalls {
            std::future::pending::<()>().await;
        }
        // Long enough for the first part to leave.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(io::Error::other("a planned end of the body"))
    });
    Body::from_stream(stream::iter([Ok(Bytes::from(body))]).chain(end))
}

fn blown(body: Vec<u8>, blanks: usize) -> Body {
    const CHUNK: usize = 1 << 16;
    let mut first = Bytes::from(body);
    let rest = first.split_off(first.len().min(1));
    let chunk = Bytes::from(vec![b' '; CHUNK]);
    let last = chunk.slice(..blanks % CHUNK);
    let chunks = std::iter::once(first)
        .chain(std::iter::repeat_n(chunk, blanks / CHUNK))
        .chain([last, rest])
        .filter(|chunk| !chunk.is_empty())
        .map(Ok::<_, Infallible>);
    Body::from_stream(stream::iter(chunks))
}
