//! Addresses to listen at, as Go's programs write them, and their listeners.

use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::str::FromStr;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// `:9790`, `127.0.0.1:0`, `[::1]:9790` or `localhost:9790`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// Every address of the machine, IPv6 and IPv4.
    Any,
    Ip(IpAddr),
    Name(String),
}

/// A text that is no address to listen at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no address to listen at: {problem}; write for example `:9790`, `127.0.0.1:9790`, `[::1]:9790` or `localhost:9790`"
)]
pub struct AddressError {
    text: String,
    problem: &'static str,
}

impl Address {
    /// A port of every address of the machine.
    pub fn any(port: u16) -> Self {
        Self {
            host: Host::Any,
            port,
        }
    }

    /// Whether only this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Any => false,
            Host::Ip(ip) => ip.is_loopback(),
            Host::Name(name) => name.trim_end_matches('.') == "localhost",
        }
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let (host, port) = text.rsplit_once(':').ok_or("it has no port")?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = digits.then(|| port.parse().ok()).flatten();
        let port = port.ok_or("its port is no number from 0 to 65535")?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.strip_suffix(']').ok_or("its bracket is not closed")?;
                let ip: Ipv6Addr = inner
                    .parse()
                    .map_err(|_| "what stands in brackets is no IPv6 address")?;
                Host::Ip(ip.into())
            }
            None if host.is_empty() => Host::Any,
            None if host.contains(':') => return Err("an IPv6 address stands in brackets"),
            None => match host.parse::<Ipv4Addr>() {
                Ok(ip) => Host::Ip(ip.into()),
                Err(_) if is_name(host) => Host::Name(host.to_owned()),
                Err(_) => return Err("its host is neither an address nor a name"),
            },
        };
        Ok(Self { host, port })
    }

    /// A listener, open already.
    ///
    /// # Errors
    /// When the host's name is not known, or the system does not give the address.
    pub async fn open(&self) -> Result<TcpListener, ListenError> {
        let error = |source| ListenError {
            address: self.to_string(),
            hint: hint(&source),
            source,
        };
        let result = match &self.host {
            Host::Ip(ip) => bind(SocketAddr::new(*ip, self.port), true),
            // A machine without IPv6 still has IPv4.
            Host::Any => {
                bind((Ipv6Addr::UNSPECIFIED, self.port).into(), false).or_else(|error| match error
                    .kind()
                {
                    io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
                    _ => bind((Ipv4Addr::UNSPECIFIED, self.port).into(), true),
                })
            }
            Host::Name(name) => {
                let found = tokio::net::lookup_host((name.as_str(), self.port)).await;
                let mut found: Vec<SocketAddr> = found.map_err(error)?.collect();
                // One listener an address given: that of IPv4, if there is one.
                found.sort_by_key(SocketAddr::is_ipv6);
                let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                let first = found.first().copied().ok_or_else(none);
                first.and_then(|address| bind(address, true))
            }
        };
        result.map_err(error)
    }
}

/// Letters, digits, `-`, `_` and dots between them.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    // Digits alone were meant as an address.
    text.split('.').all(label)
        && !text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::read(text).map_err(|problem| AddressError {
            text: text.escape_debug().take(80).collect(),
            problem,
        })
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: Host::Ip(address.ip()),
            port: address.port(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => write!(f, ":{}", self.port),
            Host::Ip(ip) => write!(f, "{}", SocketAddr::new(*ip, self.port)),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}: {source}{hint}")]
pub struct ListenError {
    address: String,
    hint: &'static str,
    source: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; end the program that listens there, or choose another port by --web.listen-address"
        }
        io::ErrorKind::PermissionDenied => {
            "; choose a port of 1024 or above by --web.listen-address, or allow the program to take it"
        }
        io::ErrorKind::AddrNotAvailable => {
            "; --web.listen-address needs an address of this machine"
        }
        _ => "; check --web.listen-address",
    }
}

fn bind(address: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // A restart need not wait until the connections of the last run are forgotten. Windows would let two programs share
    // the address.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(":9790")]
    #[case("127.0.0.1:0")]
    #[case("[::1]:9790")]
    #[case("[::]:80")]
    #[case("localhost:65535")]
    #[case("exporter_1.example.com.:9790")]
    fn an_address_is_read_as_it_is_written(#[case] text: &str) {
        let address: Address = text.parse().expect("an address");
        assert_eq!(address.to_string(), text);
    }

    #[rstest]
    #[case("127.0.0.1:1", true)]
    #[case("[::1]:1", true)]
    #[case("localhost:1", true)]
    #[case("localhost.:1", true)]
    #[case("0.0.0.0:1", false)]
    #[case("[::]:1", false)]
    #[case(":1", false)]
    #[case("localhost.example.com:1", false)]
    fn this_machine_alone(#[case] text: &str, #[case] expected: bool) {
        let address: Address = text.parse().expect("an address");
        assert_eq!(address.is_loopback(), expected);
    }

    #[rstest]
    #[case::empty("", "no port")]
    #[case::a_port_alone("9790", "no port")]
    #[case::a_host_alone("localhost", "no port")]
    #[case::no_digits("localhost:http", "no number")]
    #[case::no_port_behind_the_colon("localhost:", "no number")]
    #[case::a_signed_port("localhost:+80", "no number")]
    #[case::beyond_the_ports("localhost:65536", "no number")]
    #[case::without_brackets("::1:9790", "in brackets")]
    #[case::an_open_bracket("[::1:9790", "not closed")]
    #[case::v4_in_brackets("[127.0.0.1]:9790", "no IPv6 address")]
    #[case::a_name_in_brackets("[localhost]:9790", "no IPv6 address")]
    #[case::a_url("http://localhost:9790", "in brackets")]
    #[case::a_path("localhost/x:9790", "neither")]
    #[case::a_space(" localhost:9790", "neither")]
    #[case::four_numbers_too_large("256.0.0.1:9790", "neither")]
    #[case::a_dot_too_many("a..b:9790", "neither")]
    fn what_is_no_address_is_told(#[case] text: &str, #[case] problem: &str) {
        let error = text.parse::<Address>().expect_err("none").to_string();
        assert!(
            error.contains(problem) && error.contains("write for example"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_taken_port_is_told_with_its_address() {
        let first = "127.0.0.1:0".parse::<Address>().expect("an address");
        let taken = first.open().await.expect("a listener");
        let port = taken.local_addr().expect("an address").port();
        let second: Address = format!("127.0.0.1:{port}").parse().expect("an address");
        let error = second.open().await.expect_err("taken").to_string();
        assert!(
            error.starts_with(&format!("cannot listen at 127.0.0.1:{port}: ")),
            "{error}"
        );
        assert!(error.contains("choose another port"), "{error}");
    }

    #[tokio::test]
    async fn a_name_is_looked_up() {
        let address: Address = "localhost:0".parse().expect("an address");
        let listener = address.open().await.expect("a listener");
        assert!(
            listener
                .local_addr()
                .expect("an address")
                .ip()
                .is_loopback()
        );
    }

    #[tokio::test]
    async fn every_address_is_that_of_ipv4_too() {
        let listener = Address::any(0).open().await.expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
    }
}
