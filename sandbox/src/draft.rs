//! An answer that is ready to be sent, and how it becomes HTTP.

use crate::cursor;
use crate::endpoints::search;
use crate::problem::{JSON, Problem};
use crate::reply::Reply;
use crate::request::Head;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt, stream};
use std::convert::Infallible;
use std::io;

/// An answer that is ready to be sent.
pub(crate) struct Draft {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub headers: HeaderMap,
    pub body: Sending,
}

pub(crate) enum Sending {
    Whole(Vec<u8>),
    /// So much of it, then the connection ends or, if `stalls`, nothing more comes.
    Part {
        body: Vec<u8>,
        sent: usize,
        stalls: bool,
    },
    /// With so many blanks after the first byte.
    Blown {
        body: Vec<u8>,
        blanks: usize,
    },
}

impl From<Problem> for Draft {
    fn from(problem: Problem) -> Self {
        Self {
            status: problem.status,
            content_type: problem.content_type,
            headers: problem
                .headers
                .iter()
                .filter_map(|(name, value)| {
                    Some((
                        HeaderName::from_static(name),
                        HeaderValue::from_str(value).ok()?,
                    ))
                })
                .collect(),
            body: Sending::Whole(problem.body.into_bytes()),
        }
    }
}

impl Draft {
    /// The true answer.
    pub fn new(reply: Reply, head: &Head<'_>) -> Self {
        let mut headers = HeaderMap::new();
        let body = match reply {
            Reply::Value(value) => value,
            Reply::List {
                rows,
                direct_hit,
                envelope,
            } => {
                if direct_hit {
                    headers.insert("x-sentry-direct-hit", HeaderValue::from_static("1"));
                }
                inside(envelope, array(&rows))
            }
            Reply::Page(page) => {
                let link = cursor::link_header(
                    head.path,
                    &head.query_without_cursor(),
                    &page.previous,
                    &page.next,
                );
                if let Ok(link) = HeaderValue::from_str(&link) {
                    headers.insert(header::LINK, link);
                }
                if let Some(hits) = page.hits {
                    headers.insert("x-hits", HeaderValue::from(hits));
                    headers.insert("x-max-hits", HeaderValue::from(search::MAX_HITS));
                }
                let mut body = inside(page.envelope, array(&page.rows));
                if let Some((member, value)) = page.beside
                    && body.pop() == Some('}')
                {
                    body = [&body, ",\"", member, "\":", &value, "}"].concat();
                }
                body
            }
        };
        Self {
            status: StatusCode::OK,
            content_type: JSON,
            headers,
            body: Sending::Whole(body.into_bytes()),
        }
    }

    /// With the headers that all answers have, and compressed if `zip`.
    pub fn into_response(self, common: HeaderMap, zip: bool) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type),
        );
        headers.extend(common);
        // Last, so that a fault's own words win.
        headers.extend(self.headers);
        match self.body {
            Sending::Whole(body) => {
                let body = if zip && !body.is_empty() {
                    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
                    zipped(&body)
                } else {
                    body
                };
                *response.body_mut() = Body::from(body);
            }
            Sending::Part { body, sent, stalls } => {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
                *response.body_mut() = part(body, sent, stalls);
            }
            Sending::Blown { body, blanks } => *response.body_mut() = blown(body, blanks),
        }
        response
    }
}

fn inside(envelope: Option<&str>, rows: String) -> String {
    match envelope {
        Some(member) => format!("{{\"{member}\":{rows}}}"),
        None => rows,
    }
}

fn array(rows: &[String]) -> String {
    let length = rows.iter().map(|row| row.len() + 1).sum::<usize>();
    let mut body = String::with_capacity(length + 2);
    body.push('[');
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(row);
    }
    body.push(']');
    body
}

fn zipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to memory cannot fail.
    io::Write::write_all(&mut encoder, body)
        .and_then(|()| encoder.finish())
        .expect("a vector takes all bytes")
}

fn part(mut body: Vec<u8>, sent: usize, stalls: bool) -> Body {
    body.truncate(sent);
    let end = stream::once(async move {
        if stalls {
            std::future::pending::<()>().await;
        }
        // hyper sends what it has whenever a body lets it wait, so that the first part leaves before the end comes.
        tokio::task::yield_now().await;
        Err(io::Error::other("a planned end of the body"))
    });
    Body::from_stream(stream::iter([Ok(Bytes::from(body))]).chain(end))
}

fn blown(body: Vec<u8>, blanks: usize) -> Body {
    const CHUNK: usize = 1 << 16;
    let mut first = Bytes::from(body);
    let rest = first.split_off(first.len().min(1));
    let chunk = Bytes::from(vec![b' '; CHUNK]);
    let last = chunk.slice(..blanks % CHUNK);
    let chunks = std::iter::once(first)
        .chain(std::iter::repeat_n(chunk, blanks / CHUNK))
        .chain([last, rest])
        .filter(|chunk| !chunk.is_empty())
        .map(Ok::<_, Infallible>);
    Body::from_stream(stream::iter(chunks))
}
