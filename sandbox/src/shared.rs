//! What all requests of a running server share.

use crate::date::Date;
use crate::draft::Draft;
use crate::faults::{FaultKind, Faults, Target};
use crate::intake::Intake;
use crate::limits::{Limiter, Standing};
use crate::request::{Head, Log};
use crate::version::Version;
use crate::world::World;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use parking_lot::Mutex;
use std::time::Duration;

pub(crate) struct Shared {
    pub world: Mutex<World>,
    pub faults: Faults,
    pub limiter: Limiter,
    pub log: Log,
    pub latency: Duration,
    pub gzip: bool,
    pub date: Date,
    pub version: Version,
    pub hits: bool,
    pub pedantic: bool,
    /// Absent where nothing is taken in.
    pub intake: Option<Intake>,
    /// Scheme and host of what DSNs lead to.
    pub ingest: String,
}

/// In the extensions of a response that must not be sent: the connection ends instead.
#[derive(Clone)]
pub(crate) struct Abort;

impl Shared {
    /// The fault of a request, after what was planned for it has changed the data and held it up.
    pub async fn disturbed(&self, head: &Head<'_>) -> Option<FaultKind> {
        let (fault, changes) = self.faults.due(&Target {
            path: head.path,
            decoded_path: &head.decoded_path,
            query: head.query,
            pairs: &head.pairs,
        });
        if !changes.is_empty() {
            let mut world = self.world.lock();
            for change in changes {
                change(&mut world);
            }
        }
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        match &fault {
            Some(FaultKind::Hold(gate)) => gate.pass().await,
            Some(FaultKind::Silence) => std::future::pending().await,
            _ => {}
        }
        fault
    }

    /// The answer, with what all answers say of the time and of the rate limit.
    pub fn send(&self, draft: Draft, standing: Option<&Standing>, head: &Head<'_>) -> Response {
        let mut common = HeaderMap::new();
        for (name, value) in self.date.headers(head.path) {
            common.insert(name, HeaderValue::from_str(&value).expect("plain letters"));
        }
        for (name, value) in standing.into_iter().flat_map(Standing::headers) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                common.insert(name, value);
            }
        }
        draft.into_response(common, self.gzip && head.accepts_gzip)
    }

    /// No answer: the connection ends.
    pub fn hang_up() -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Abort);
        response
    }
}
