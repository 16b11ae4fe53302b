//! Sockets: connections, in plain text or with TLS, and the requests of each.

use crate::shared::Abort;
use axum::Router;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Takes connections, for ever.
pub(crate) async fn accept(
    listener: TcpListener,
    app: TowerToHyperService<Router>,
    tls: Option<TlsAcceptor>,
) {
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
