//! A forward proxy that remembers what it could read.

use parking_lot::Mutex;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
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
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    let answers = std::thread::spawn(move || {
        let passed = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
        passed
    });
    let _ = io::copy(&mut reader, &mut &server);
    let _ = server.shutdown(Shutdown::Write);
    let _ = answers.join();
    Ok(())
}
