//! Handshakes: each by the certificates and rules that stand in the files when it begins.

use crate::certificates::{Material, TlsError, server_config};
use crate::web_config::{WebConfig, WebConfigError, WebFile};
use axum_server::accept::Accept;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// A handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A record that ends a handshake: fatal, `internal_error`.
const REFUSAL: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// What a client is told that speaks HTTP without TLS.
const NOT_ENCRYPTED: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 48\r\n\
    Connection: close\r\n\r\n\
    Client sent an HTTP request to an HTTPS server.\n";

/// Why a handshake cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error(transparent)]
    File(#[from] WebConfigError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(
        "the web configuration file has no `tls_server_config` any more; restart to serve without TLS"
    )]
    Gone,
}

/// What is in use, made of which file and which material.
#[derive(Debug)]
struct Known {
    config: Arc<WebConfig>,
    material: [u8; 32],
    server: Arc<ServerConfig>,
}

/// Shakes hands with clients of one or several listeners.
#[derive(Debug, Clone)]
pub(crate) struct TlsAcceptor {
    file: Arc<WebFile>,
    protocols: &'static [&'static str],
    known: Arc<Mutex<Option<Known>>>,
}

impl TlsAcceptor {
    /// Whether HTTP/2 is offered does not change while the listener is open.
    pub(crate) fn new(file: Arc<WebFile>, http2: bool) -> Self {
        Self {
            file,
            protocols: if http2 {
                &["h2", "http/1.1"]
            } else {
                &["http/1.1"]
            },
            known: Arc::default(),
        }
    }

    /// Reads the files. Sessions are kept as long as none of them changes.
    pub(crate) fn setup(&self) -> Result<Arc<ServerConfig>, SetupError> {
        let config = self.file.read()?;
        let settings = config.tls.as_ref().ok_or(SetupError::Gone)?;
        let material = Material::read(settings)?;
        let digest = material.digest();
        let mut known = self.known.lock();
        if let Some(known) = &*known
            && Arc::ptr_eq(&known.config, &config)
            && known.material == digest
        {
            return Ok(Arc::clone(&known.server));
        }
        let server = Arc::new(server_config(settings, &material, self.protocols)?);
        *known = Some(Known {
            config,
            material: digest,
            server: Arc::clone(&server),
        });
        Ok(server)
    }

    async fn shake(self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        stream.set_nodelay(true)?;
        let mut first = [0; 1];
        if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
            // What was asked is read, or the answer would be lost with it.
            let _ = stream.read(&mut [0; 8192]).await?;
            stream.write_all(NOT_ENCRYPTED).await?;
            stream.shutdown().await?;
            return Err(io::Error::other("an HTTP request without TLS"));
        }
        let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let setup = tokio::task::spawn_blocking(move || self.setup());
        match setup.await.map_err(io::Error::other)? {
            Ok(config) => start.into_stream(config).await,
            Err(error) => {
                log::error!(err:% = error; "TLS handshake refused");
                // The client learns that it was refused; that it has gone is no news.
                let _ = start.io.write_all(&REFUSAL).await;
                let _ = start.io.shutdown().await;
                Err(io::Error::other("TLS is not set up"))
            }
        }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for TlsAcceptor {
    type Stream = TlsStream<TcpStream>;
    type Service = S;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let shake = tokio::time::timeout(HANDSHAKE, self.clone().shake(stream));
        Box::pin(async move {
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long");
            Ok((shake.await.map_err(late)??, service))
        })
    }
}
