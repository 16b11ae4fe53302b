//! What is asked for, and what comes back.

use crate::clock::Reading;
use crate::endpoint::Endpoint;
use crate::error::Kind;
use crate::link::Next;
use crate::memory::MemoryPermit;
use crate::params::Params;
use tap_sentry_json::Body;
use tokio::time::Instant;

/// How deep the check of a page notes where things end: its rows, and those of their members that become columns or tell
/// of children.
pub const INDEXED_DEPTH: usize = 4;

/// What to ask for.
#[derive(Debug, Clone)]
pub struct Request {
    pub endpoint: &'static Endpoint,
    /// What the path's parameters stand for.
    pub params: Params,
    /// The whole query.
    pub query: Vec<(&'static str, String)>,
    /// Counted from 1, for the log.
    pub page: usize,
    /// Less can be asked for: a query that covers too much is told at once and not tried again.
    pub divisible: bool,
    /// Further tries after a failure that a smaller page may cure, if not as many as after any other.
    pub heavy_retries: Option<u32>,
    /// How deep the check of the answer notes where things end. What is deeper can be read too, but slower.
    pub depth: usize,
}

impl Request {
    /// The endpoint's own query at this place, asked for as a whole.
    pub fn new(endpoint: &'static Endpoint, params: Params) -> Self {
        let query = params.query(endpoint, &[], &[]);
        Self {
            endpoint,
            params,
            query,
            page: 1,
            divisible: false,
            heavy_retries: None,
            depth: INDEXED_DEPTH,
        }
    }

    /// The same with more parameters.
    #[must_use]
    pub fn with(mut self, query: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.query.extend(query);
        self
    }
}

/// One answer with status 200.
#[derive(Debug)]
pub struct Page {
    /// When it was asked for.
    pub sent: Instant,
    pub body: Body,
    /// Held until the page and what was made of it are out of memory.
    pub memory: MemoryPermit,
    /// `None`: no header tells.
    pub next: Option<Next>,
    /// `X-Hits`: how many rows the search estimates in all, capped by the server at 1,000.
    pub hits: Option<u64>,
    /// What it tells of the server's clock.
    pub(crate) clock: Option<Reading>,
}

/// What a server answered, whatever the status.
#[derive(Debug)]
pub struct Seen {
    pub status: u16,
    /// Bytes, as the answer announced them; `None`: it did not, or they were compressed.
    pub content_length: Option<u64>,
    pub body: Vec<u8>,
    /// What a status other than 200 means.
    pub refusal: Option<Kind>,
}
