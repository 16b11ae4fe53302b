//! A server that says what the sandbox never would.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A server that gives the same answer at one end of a path, whatever the sandbox would never say, and `[]` elsewhere.
pub struct Stub {
    pub url: String,
    targets: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    pub fn answering(path_end: &'static str, body: &str) -> Self {
        Self::with_link(path_end, body, "")
    }

    /// With a `Link` header.
    pub fn with_link(path_end: &'static str, body: &str, link: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let targets = Arc::new(Mutex::new(Vec::new()));
        let (noted, body, link) = (Arc::clone(&targets), body.to_owned(), link.to_owned());
        // It ends with the test's process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = String::new();
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                while lines.read_line(&mut head).is_ok_and(|length| length > 2) {}
                let target = head
                    .split_whitespace()
                    .nth(1)
                    .unwrap_or_default()
                    .to_owned();
                let here = target
                    .split('?')
                    .next()
                    .is_some_and(|path| path.ends_with(path_end));
                let (body, link) = if here {
                    (body.as_str(), link.as_str())
                } else {
                    ("[]", "")
                };
                let link = if link.is_empty() {
                    String::new()
                } else {
                    format!("Link: {link}\r\n")
                };
                noted.lock().unwrap().push(target);
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{link}Connection: close\r\n\r\n",
                    body.len()
                );
                // The tap may have gone.
                let _ = stream
                    .write_all(head.as_bytes())
                    .and_then(|()| stream.write_all(body.as_bytes()));
            }
        });
        Self { url, targets }
    }

    /// Path and query of each request, as they were sent.
    pub fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap().clone()
    }
}
