//! Requests: their heads, and the log of them.

use crate::limits::Class;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::time::Instant;

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
    /// The name under which the server was asked for.
    pub host: Option<String>,
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

/// All requests so far, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    requests: Vec<Request>,
    /// How many there ever were.
    count: u64,
}

impl Log {
    /// Returns the number by which [`Self::answered`] finds the request.
    pub fn add(&self, head: &Head<'_>, parts: &Parts, class: Class) -> u64 {
        let mut entries = self.0.lock();
        let serial = entries.count;
        entries.count += 1;
        entries.requests.push(Request {
            at: Instant::now(),
            method: parts.method.to_string(),
            path: head.path.to_owned(),
            query: head.pairs.clone(),
            status: 0,
            class,
            user_agent: text(&parts.headers, &header::USER_AGENT).map(str::to_owned),
            authorization: head.authorization.map(str::to_owned),
            host: text(&parts.headers, &header::HOST).map(str::to_owned),
            serial,
        });
        serial
    }

    /// The entry may be gone: the log can be cleared while a request is under way.
    pub fn answered(&self, serial: u64, status: StatusCode) {
        let requests = &mut self.0.lock().requests;
        if let Some(request) = requests.iter_mut().rev().find(|one| one.serial == serial) {
            request.status = status.as_u16();
        }
    }

    pub fn all(&self) -> Vec<Request> {
        self.0.lock().requests.clone()
    }

    pub fn clear(&self) {
        self.0.lock().requests.clear();
    }
}

/// The parts of a request that are looked at.
pub(crate) struct Head<'a> {
    pub path: &'a str,
    pub decoded_path: String,
    pub query: &'a str,
    pub pairs: Vec<(String, String)>,
    pub authorization: Option<&'a str>,
    pub accepts_gzip: bool,
}

impl<'a> Head<'a> {
    pub fn new(parts: &'a Parts) -> Self {
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
    pub fn query_without_cursor(&self) -> String {
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

    pub fn cursor(&self) -> Option<&str> {
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
