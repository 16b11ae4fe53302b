//! A forward proxy that remembers what it could read.

use parking_lot::Mutex;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// Tunnels after `CONNECT`, and passes on requests for whole URLs. It ends with the process.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start() -> io::Result<Self> {
        Self::serving(pass)
    }

    /// One that wants a user name and a password, and takes none.
    pub fn closed() -> io::Result<Self> {
        Self::serving(refuse)
    }

    /// One that speaks SOCKS, versions 4 (with names, as 4a) and 5 (RFC 1928 and 1929). Its heads are such as
    /// `5 user:password host:443`.
    pub fn socks() -> io::Result<Self> {
        Self::serving(socks)
    }

    fn serving(serve: fn(&TcpStream, &Mutex<Vec<String>>) -> io::Result<()>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let proxy = Self {
            address: listener.local_addr()?,
            heads: Arc::default(),
        };
        let heads = Arc::clone(&proxy.heads);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let heads = Arc::clone(&heads);
                // Either side may leave whenever it likes.
                std::thread::spawn(move || drop(serve(&client, &heads)));
            }
        });
        Ok(proxy)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Request line and headers of each request that came here, as they were read. Of what goes through a tunnel only
    /// the `CONNECT` is read.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().clone()
    }
}

/// Reads the head of a request, and remembers it.
fn head(reader: &mut impl BufRead, heads: &Mutex<Vec<String>>) -> io::Result<String> {
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    heads.lock().push(head.clone());
    Ok(head)
}

fn refuse(mut client: &TcpStream, heads: &Mutex<Vec<String>>) -> io::Result<()> {
    head(&mut BufReader::new(client), heads)?;
    let body = "<html><head><title>407 Proxy Authentication Required</title></head></html>";
    let length = body.len();
    write!(
        client,
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn pass(mut client: &TcpStream, heads: &Mutex<Vec<String>>) -> io::Result<()> {
    let wrong = || io::Error::other("not a request for a proxy");
    let mut reader = BufReader::new(client.try_clone()?);
    let head = head(&mut reader, heads)?;
    let (line, headers) = head.split_once("\r\n").ok_or_else(wrong)?;
    let mut parts = line.split(' ');
    let (method, target) = (
        parts.next().ok_or_else(wrong)?,
        parts.next().ok_or_else(wrong)?,
    );
    let server = if method == "CONNECT" {
        let server = TcpStream::connect(target)?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        server
    } else {
        let (host, path) = target
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'))
            .ok_or_else(wrong)?;
        let mut server = TcpStream::connect(host)?;
        // One request a connection, so that each is read here.
        write!(
            server,
            "{method} /{path} HTTP/1.1\r\nConnection: close\r\n{headers}"
        )?;
        server
    };
    between(reader, client, &server)
}

/// Passes on what either side says, until both have said all.
fn between(mut from_client: impl Read, client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    let answers = std::thread::spawn(move || {
        let passed = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
        passed
    });
    let _ = io::copy(&mut from_client, &mut &*server);
    let _ = server.shutdown(Shutdown::Write);
    let _ = answers.join();
    Ok(())
}

fn socks(client: &TcpStream, heads: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let (version, login, host, port) = match byte(&mut reader)? {
        4 => asked_by_4(&mut reader)?,
        _ => asked_by_5(&mut reader, client)?,
    };
    let login = login.map_or_else(String::new, |login| format!("{login} "));
    heads.lock().push(format!("{version} {login}{host}:{port}"));
    let server = TcpStream::connect((host.trim_matches(['[', ']']), port))?;
    let (mut to_client, done): (_, &[u8]) = match version {
        4 => (client, &[0, 0x5a, 0, 0, 0, 0, 0, 0]),
        _ => (client, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    };
    to_client.write_all(done)?;
    between(reader, client, &server)
}

/// The version, name and password, and where to.
type Asked = (u8, Option<String>, String, u16);

fn asked_by_4(reader: &mut impl BufRead) -> io::Result<Asked> {
    let [_, port @ .., a, b, c, d] = bytes::<7>(reader)?;
    let _user = until_zero(reader)?;
    let host = if [a, b, c] == [0, 0, 0] && d != 0 {
        until_zero(reader)?
    } else {
        Ipv4Addr::new(a, b, c, d).to_string()
    };
    Ok((4, None, host, u16::from_be_bytes(port)))
}

fn asked_by_5(reader: &mut impl BufRead, mut client: &TcpStream) -> io::Result<Asked> {
    const LOGIN: u8 = 2;
    let methods = counted(reader)?;
    let login = methods.contains(&LOGIN);
    client.write_all(&[5, if login { LOGIN } else { 0 }])?;
    let login = if login {
        byte(reader)?;
        let (name, password) = (text(counted(reader)?)?, text(counted(reader)?)?);
        client.write_all(&[1, 0])?;
        Some(format!("{name}:{password}"))
    } else {
        None
    };
    let [_, _, _, kind] = bytes::<4>(reader)?;
    let host = match kind {
        1 => Ipv4Addr::from(bytes::<4>(reader)?).to_string(),
        4 => format!("[{}]", Ipv6Addr::from(bytes::<16>(reader)?)),
        _ => text(counted(reader)?)?,
    };
    Ok((5, login, host, u16::from_be_bytes(bytes(reader)?)))
}

fn bytes<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn byte(reader: &mut impl Read) -> io::Result<u8> {
    Ok(bytes::<1>(reader)?[0])
}

/// As many bytes as the first of them says.
fn counted(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; byte(reader)?.into()];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn until_zero(reader: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    reader.read_until(0, &mut bytes)?;
    bytes.pop();
    text(bytes)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(io::Error::other)
}
