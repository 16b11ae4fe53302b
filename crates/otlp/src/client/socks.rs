//! Connections through a proxy that speaks SOCKS.

use crate::client::call::{BoxError, called};
use futures::future::BoxFuture;
use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use std::io;
use std::task::{Context, Poll};
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;

/// The port of a proxy that names none.
const PORT: u16 = 1080;

/// Connects through a proxy.
#[derive(Debug, Clone)]
pub struct Socks {
    tcp: HttpConnector,
    proxy: Intercept,
}

impl Socks {
    /// Reaches the proxy by `tcp`.
    pub fn new(tcp: HttpConnector, proxy: Intercept) -> Self {
        Self { tcp, proxy }
    }

    async fn connect(self, to: Uri) -> Result<TokioIo<TcpStream>, BoxError> {
        let proxy = self.proxy.uri();
        let scheme = proxy.scheme_str().unwrap_or_default();
        let address = with_port(proxy, PORT)?;
        let is_four = scheme.starts_with("socks4");
        // As curl has it: with `socks4a` and `socks5h` names are left to the proxy to look up.
        let to = if matches!(scheme, "socks4a" | "socks5h") {
            with_port(&to, port(&to))?
        } else {
            looked_up(&to, is_four).await?
        };
        if is_four {
            return Ok(called(SocksV4::new(address, self.tcp), to).await?);
        }
        let mut socks = SocksV5::new(address, self.tcp);
        if let Some((user, password)) = self.proxy.raw_auth() {
            socks = socks.with_auth(user.to_owned(), password.to_owned());
        }
        Ok(called(socks, to).await?)
    }
}

impl Service<Uri> for Socks {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Box::pin(self.clone().connect(to))
    }
}

fn port(uri: &Uri) -> u16 {
    let is_https = uri.scheme() == Some(&Scheme::HTTPS);
    uri.port_u16().unwrap_or(if is_https { 443 } else { 80 })
}

fn host(uri: &Uri) -> Result<&str, BoxError> {
    uri.host()
        .ok_or_else(|| io::Error::other("an address without a host").into())
}

/// The same address with a port.
fn with_port(uri: &Uri, port: u16) -> Result<Uri, BoxError> {
    let port = uri.port_u16().unwrap_or(port);
    at(uri, &format!("{}:{port}", host(uri)?))
}

/// The same address with the number of its host in place of the name.
async fn looked_up(uri: &Uri, is_four: bool) -> Result<Uri, BoxError> {
    let host = host(uri)?.trim_start_matches('[').trim_end_matches(']');
    let mut found = lookup_host((host, port(uri))).await?;
    let found = found.find(|found| found.is_ipv4() || !is_four);
    let none = || {
        io::Error::other(format!(
            "no address of {host} is one that the proxy could take"
        ))
    };
    at(uri, &found.ok_or_else(none)?.to_string())
}

fn at(uri: &Uri, authority: &str) -> Result<Uri, BoxError> {
    let scheme = uri.scheme().cloned().unwrap_or(Scheme::HTTP);
    let uri = Uri::builder().scheme(scheme).authority(authority);
    Ok(uri.path_and_query("/").build()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::of_the_scheme("http://127.0.0.1/x", false, "http://127.0.0.1:80/")]
    #[case::of_https("https://[::1]", false, "https://[::1]:443/")]
    #[case::its_own("https://127.0.0.1:9000", true, "https://127.0.0.1:9000/")]
    #[tokio::test]
    async fn an_address_has_a_port(
        #[case] uri: &str,
        #[case] is_four: bool,
        #[case] expected: &str,
    ) {
        let uri: Uri = uri.parse().expect("an address");
        let found = looked_up(&uri, is_four).await.expect("an address");
        assert_eq!(found, expected);
        assert_eq!(with_port(&uri, port(&uri)).expect("an address"), expected);
    }

    #[tokio::test]
    async fn version_4_has_no_addresses_of_ipv6() {
        let uri = Uri::from_static("https://[::1]:9000");
        let error = looked_up(&uri, true).await.expect_err("no address");
        assert!(error.to_string().contains("::1"), "{error}");
    }
}
