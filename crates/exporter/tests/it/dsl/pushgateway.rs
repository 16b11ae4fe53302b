//! A strict Pushgateway: it takes what the real one takes, and less.

use crate::dsl::exposition::{Exposition, Labels};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::runtime::{Builder, Runtime};

/// How it fails.
#[derive(Debug, Clone)]
pub enum Mood {
    Fine,
    Status(u16),
    /// Tells to come back, in seconds.
    Busy(u32),
    Redirect,
    /// Never answers.
    Hang,
}

/// One request that arrived.
#[derive(Debug, Clone)]
pub struct Request {
    pub authorization: Option<String>,
    pub status: u16,
}

#[derive(Default)]
struct Inside {
    /// The next answers; the last stays if `forever`.
    moods: VecDeque<Mood>,
    forever: bool,
    groups: BTreeMap<Labels, String>,
    requests: Vec<Request>,
    told: Option<Sender<Request>>,
}

type Shared = Arc<Mutex<Inside>>;

/// A Pushgateway in this process.
pub struct Pushgateway {
    pub url: String,
    inside: Shared,
    requests: Receiver<Request>,
    runtime: Option<Runtime>,
}

impl Pushgateway {
    pub fn start() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let inside = Shared::default();
        let (sender, requests) = channel();
        inside.lock().told = Some(sender);
        let router = Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&inside));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = runtime.block_on(listener).expect("a port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            url: format!("http://{address}"),
            inside,
            requests,
            runtime: Some(runtime),
        }
    }

    /// Its next answers.
    pub fn fails(&self, moods: &[Mood]) {
        let mut inside = self.inside.lock();
        (inside.moods, inside.forever) = (moods.iter().cloned().collect(), false);
    }

    /// All its answers.
    pub fn always_fails(&self, mood: Mood) {
        let mut inside = self.inside.lock();
        (inside.moods, inside.forever) = ([mood].into(), true);
    }

    /// The series of a group.
    pub fn group(&self, labels: &Labels) -> Option<Exposition> {
        let inside = self.inside.lock();
        inside.groups.get(labels).map(|text| Exposition::read(text))
    }

    /// The names of all groups.
    pub fn groups(&self) -> Vec<Labels> {
        self.inside.lock().groups.keys().cloned().collect()
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.inside.lock().requests.clone()
    }

    /// The next request, when it has come.
    pub fn next(&self) -> Request {
        self.requests.recv().expect("a request")
    }
}

impl Drop for Pushgateway {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Requests that hang are not waited for.
            runtime.shutdown_background();
        }
    }
}

async fn receive(
    State(inside): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let mood = {
        let mut inside = inside.lock();
        if inside.forever {
            inside.moods.front().cloned()
        } else {
            inside.moods.pop_front()
        }
    };
    let (status, told, text) = match &mood {
        Some(Mood::Status(status)) => (*status, None, "as the test wants it".to_owned()),
        Some(Mood::Busy(seconds)) => (
            429,
            Some(("retry-after", seconds.to_string())),
            String::new(),
        ),
        Some(Mood::Redirect) => (
            301,
            Some(("location", "/metrics".to_owned())),
            String::new(),
        ),
        Some(Mood::Hang) => (0, None, String::new()),
        None | Some(Mood::Fine) => match inside.lock().take(&method, &uri, &headers, &body) {
            Ok(()) => (200, None, String::new()),
            Err(problem) => (400, None, problem),
        },
    };
    inside.lock().note(&headers, status);
    if status == 0 {
        return std::future::pending().await;
    }
    let status = StatusCode::from_u16(status).expect("a status");
    let told: Vec<_> = told.into_iter().collect();
    match told.as_slice() {
        [(name, value)] => (status, [(*name, value.clone())], text).into_response(),
        _ => (status, text).into_response(),
    }
}

impl Inside {
    fn note(&mut self, headers: &HeaderMap, status: u16) {
        let authorization = headers.get("authorization");
        let request = Request {
            authorization: authorization.map(|value| value.to_str().expect("text").to_owned()),
            status,
        };
        self.requests.push(request.clone());
        // Nobody listens any more when the test has ended.
        let _ = self.told.as_ref().map(|told| told.send(request));
    }

    fn take(
        &mut self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<(), String> {
        if method != Method::PUT {
            return Err(format!("{method} does not replace a group"));
        }
        if headers
            .get("content-type")
            .is_none_or(|kind| kind != "text/plain; version=0.0.4")
        {
            return Err("not classic text".to_owned());
        }
        let group = grouping(uri)?;
        let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
        // The reader is strict, and knows no time stamps.
        let page = catch_unwind(AssertUnwindSafe(|| Exposition::read(text)))
            .map_err(|_| "not classic text".to_owned())?;
        for labels in page.labels() {
            for (name, value) in labels {
                let own = group.get(name);
                if name == "job" || name == "instance" || own.is_some_and(|own| own != value) {
                    return Err(format!("the label {name} is the group's"));
                }
            }
        }
        self.groups.insert(group, text.to_owned());
        Ok(())
    }
}

/// The labels of a path.
fn grouping(uri: &Uri) -> Result<Labels, String> {
    let path = uri.path();
    if path.contains('%') || path.contains("//") || path.ends_with('/') || uri.query().is_some() {
        return Err(format!("{path} would be read as another group"));
    }
    let rest = path.strip_prefix("/metrics/").ok_or("not the place")?;
    let parts: Vec<&str> = rest.split('/').collect();
    let (pairs, []) = parts.as_chunks::<2>() else {
        return Err(format!("{path} has a label without a value"));
    };
    let mut labels = Labels::new();
    for [name, value] in pairs {
        let (name, value) = match name.strip_suffix("@base64") {
            None => (*name, (*value).to_owned()),
            Some(name) => {
                let bytes = URL_SAFE_NO_PAD.decode(value.trim_end_matches('='));
                let bytes = bytes.map_err(|error| error.to_string())?;
                (
                    name,
                    String::from_utf8(bytes).map_err(|error| error.to_string())?,
                )
            }
        };
        if labels.is_empty() && name != "job" {
            return Err("the job comes first".to_owned());
        }
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("{name} stands twice"));
        }
    }
    Ok(labels)
}
