//! A small program that listens, and clients of it.

#![allow(dead_code, reason = "each test file needs a part of it")]

use axum::extract::Extension;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Router, body::Bytes};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tap_sentry_serve::negotiate::negotiate;
use tap_sentry_serve::server::{Ended, Handle, ServeError, Server, WebSource};
use tap_sentry_serve::users::Admitted;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// A request for `/slow` says that it has come, and waits until it is let go.
#[derive(Debug, Clone)]
pub struct Gate {
    pub came: Arc<Semaphore>,
    pub go: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            came: Arc::new(Semaphore::new(0)),
            go: Arc::new(Semaphore::new(0)),
        }
    }
}

impl Gate {
    /// Waits until so many requests have come.
    pub async fn came(&self, number: u32) {
        let came = self.came.acquire_many(number).await;
        came.expect("the gate is open").forget();
    }

    /// Lets one request go.
    pub fn let_go(&self) {
        self.go.add_permits(1);
    }
}

/// The routes of the program.
pub fn routes(gate: Gate) -> Router {
    let slow = async move || {
        gate.came.add_permits(1);
        gate.go.acquire().await.expect("the gate is open").forget();
        "slow"
    };
    Router::new()
        .route("/hello", get(async || "hello"))
        .route("/long", get(async || "x".repeat(100_000)))
        .route("/echo", post(async |body: Bytes| body))
        .route("/slow", get(slow))
        .route(
            "/panic",
            get(async || {
                let text = std::hint::black_box("sntrys_secret");
                assert!(text.is_empty(), "{text}");
            }),
        )
        .route(
            "/page",
            get(async || [(header::CONTENT_SECURITY_POLICY, "style-src 'self'")].into_response()),
        )
        .route(
            "/metrics",
            get(async |headers: HeaderMap| {
                [(header::CONTENT_TYPE, negotiate(&headers).content_type())].into_response()
            }),
        )
        .route(
            "/who",
            get(async |admitted: Option<Extension<Admitted>>| {
                if admitted.is_some() {
                    "a user"
                } else {
                    "anybody"
                }
            }),
        )
}

/// A server that listens at a port of its own, with a folder for its files.
pub struct Program {
    pub server: Server,
    pub gate: Gate,
    pub folder: tempfile::TempDir,
}

impl Default for Program {
    fn default() -> Self {
        let address = "127.0.0.1:0".parse().expect("an address");
        Self {
            server: Server::new(vec![address]),
            gate: Gate::default(),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }
}

impl Program {
    /// With this web configuration file.
    pub fn with_web(text: &str) -> Self {
        let mut program = Self::default();
        let path = program.write("web.yml", text);
        program.server.web_config = Some(WebSource::File(path));
        program
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        write(self.folder.path(), name, text)
    }

    pub async fn start(self) -> Running {
        self.try_start().await.expect("a server")
    }

    pub async fn try_start(self) -> Result<Running, ServeError> {
        // A client without it has no cryptography; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let bound = self.server.bind(routes(self.gate.clone())).await?;
        Ok(Running {
            addresses: bound.addresses().to_vec(),
            handle: bound.handle(),
            ended: tokio::spawn(bound.serve()),
            gate: self.gate,
            folder: self.folder,
        })
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

/// A server that serves.
pub struct Running {
    pub addresses: Vec<SocketAddr>,
    pub handle: Handle,
    pub ended: JoinHandle<Result<Ended, ServeError>>,
    pub gate: Gate,
    pub folder: tempfile::TempDir,
}

impl Running {
    pub fn write(&self, name: &str, text: &str) {
        write(self.folder.path(), name, text);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses[0])
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(reqwest::Method::GET, path, None).await
    }

    pub async fn get_as(&self, path: &str, name: &str, password: &str) -> Answer {
        self.ask(reqwest::Method::GET, path, Some((name, password)))
            .await
    }

    /// With a header `Authorization`.
    pub async fn get_with(&self, path: &str, authorization: &str) -> Answer {
        let request = client().get(self.url(path));
        let request = request.header(header::AUTHORIZATION, authorization);
        Answer::of(request.send().await.expect("an answer")).await
    }

    pub async fn ask(
        &self,
        method: reqwest::Method,
        path: &str,
        user: Option<(&str, &str)>,
    ) -> Answer {
        let mut request = client().request(method, self.url(path));
        if let Some((name, password)) = user {
            request = request.basic_auth(name, Some(password));
        }
        Answer::of(request.send().await.expect("an answer")).await
    }

    /// Asks the server to stop and waits until it has.
    pub async fn stop(self) -> Ended {
        self.handle.stop();
        self.ended.await.expect("no panic").expect("no error")
    }
}

/// What a client sees.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("a text"),
        }
    }

    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("a text"))
    }

    pub fn is(&self, status: u16, text: &str) {
        assert_eq!((self.status, self.text.as_str()), (status, text));
    }
}

/// A bcrypt hash that is checked quickly.
pub fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).expect("a hash")
}

/// A client that needs no authorities: what is asked is not encrypted.
pub fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().tls_certs_only([]);
    builder.build().expect("a client")
}

/// An answer to GET, from where it may not come.
pub async fn fetch(url: String) -> reqwest::Result<reqwest::Response> {
    client().get(url).send().await
}
