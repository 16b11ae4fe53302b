//! What goes wrong on purpose.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::http::StatusCode;
use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::{
    limits::too_many,
    problem::{HTML, Problem},
    window::Window,
    world::World,
};

/// Which requests a fault is for. All conditions must hold; none: every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Parts of the path, as received or decoded.
    pub path: Vec<String>,
    /// The end of the path, to tell a list from what is below it.
    pub path_end: Option<String>,
    /// Parts of the query, as received or decoded.
    pub query: Vec<String>,
}

impl Match {
    pub fn any() -> Self {
        Self::default()
    }

    pub fn path(part: impl Into<String>) -> Self {
        Self {
            path: vec![part.into()],
            ..Self::default()
        }
    }

    pub fn path_end(end: impl Into<String>) -> Self {
        Self {
            path_end: Some(end.into()),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn and_path(mut self, part: impl Into<String>) -> Self {
        self.path.push(part.into());
        self
    }

    #[must_use]
    pub fn query(mut self, part: impl Into<String>) -> Self {
        self.query.push(part.into());
        self
    }

    fn holds(&self, target: &Target<'_>) -> bool {
        self.path
            .iter()
            .all(|part| target.path.contains(part) || target.decoded_path.contains(part))
            && self.path_end.as_ref().is_none_or(|end| {
                target.path.ends_with(end.as_str()) || target.decoded_path.ends_with(end.as_str())
            })
            && self
                .query
                .iter()
                .all(|part| target.query.contains(part) || target.decoded_query().contains(part))
    }
}

/// The request that a fault may hit.
pub(crate) struct Target<'a> {
    pub path: &'a str,
    pub decoded_path: &'a str,
    pub query: &'a str,
    pub pairs: &'a [(String, String)],
}

impl Target<'_> {
    fn decoded_query(&self) -> String {
        let pairs: Vec<String> = self
            .pairs
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join("&")
    }

    /// How many rows are asked for; none of an object.
    fn rows(&self) -> usize {
        let size = self
            .pairs
            .iter()
            .rev()
            .find(|(key, _)| key == "per_page" || key == "limit");
        size.and_then(|(_, size)| size.parse().ok()).unwrap_or(0)
    }

    fn window(&self) -> Option<Window> {
        let get = |name: &str| {
            self.pairs
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        Window::asked(get, Utc::now()).ok().flatten()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A status with the body it really has: 500 and 504 as JSON, 502 and 503 as a balancer's page, 404 empty, ...
    Status(u16),
    /// 404 in Sentry's own words.
    NotThere,
    /// 401 of an organization that lets its members in by single sign-on only.
    SsoRequired,
    /// 404 with what a gateway before Sentry says.
    NoBackend(&'static str),
    /// What a gateway before Sentry says, with one header of its own if `header` has a name.
    Gateway {
        status: u16,
        body: &'static str,
        header: (&'static str, String),
    },
    /// 429 with headers that name the end of the window.
    RateLimited { reset_in_seconds: u64 },
    /// 429 from somewhere that tells nothing.
    RateLimitedNoHeaders,
    /// The same, from a gateway that says in seconds when to come back.
    RetryAfter(u64),
    /// 429 of the event store, while the rate limit has room.
    QueryTooLarge,
    /// 429 of the database, while the rate limit has room.
    QueryTimeout,
    /// [`Self::QueryTooLarge`], only for windows longer than this; a request without a window has the longest.
    WindowLongerThan(Duration),
    /// The fault of a list, only where more rows than this are asked for: too much work for the server, or for the link.
    MoreRowsThan(usize, Box<FaultKind>),
    /// This status for each page that has the row which holds this text.
    Unreadable { row: String, status: u16 },
    /// The row that holds the text `row` comes without `key`, or with `null` for it.
    Keyless {
        row: String,
        key: &'static str,
        null: bool,
    },
    /// 410 of a brown-out.
    Gone,
    /// The connection ends before any answer.
    Reset,
    /// Half of the announced body, then the connection ends.
    CutBody,
    /// 200 and a whole body, with a control character in the middle: no JSON.
    CorruptBody,
    /// 200 and a whole body, with a byte that is no UTF-8.
    NotUtf8,
    /// 200 and a page for people.
    Html,
    /// No answer for so long; then the true one.
    Stall(Duration),
    /// Half of the body, and then nothing, for ever.
    StallBody,
    /// `next` leads to the page just read, with results.
    RepeatCursor,
    /// A page without its `Link` header.
    NoLink,
    /// Half of the page, and `next` says that nothing follows; of a list that something counts: the hits of a search, or
    /// the issue of its events.
    EndEarly,
    /// The last row of a page that is not the last page is on no page.
    LoseRow,
    /// An object instead of a list, a list instead of an object.
    WrongShape,
    /// The body `null`.
    Null,
    /// This JSON for a body.
    Body(String),
    /// The true body, blown up by so many blanks.
    HugeBody(usize),
    /// 302 to this address.
    Redirect(String),
    /// No rows, and `next` leads to the rows that should have been here.
    EmptyPageMore,
}

/// A fault for the matching requests after the first `skip`, `times` times.
#[derive(Clone, Debug)]
pub struct Fault {
    pub when: Match,
    pub skip: usize,
    /// `usize::MAX`: always.
    pub times: usize,
    pub kind: FaultKind,
}

impl Fault {
    /// Once, at the first match.
    pub fn once(when: Match, kind: FaultKind) -> Self {
        Self {
            when,
            skip: 0,
            times: 1,
            kind,
        }
    }

    pub fn always(when: Match, kind: FaultKind) -> Self {
        Self {
            times: usize::MAX,
            ..Self::once(when, kind)
        }
    }
}

type Change = Box<dyn FnOnce(&mut World) + Send>;

struct Hook {
    when: Match,
    skip: usize,
    change: Change,
}

struct Dice {
    rate: f64,
    rng: fastrand::Rng,
    kinds: Vec<FaultKind>,
}

#[derive(Default)]
struct Plans {
    faults: Vec<Fault>,
    hooks: Vec<Hook>,
    dice: Option<Dice>,
    fired: usize,
}

/// The faults of a running server. Several may match a request: the first added that is due wins.
#[derive(Default)]
pub struct Faults(Mutex<Plans>);

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults")
            .field("planned", &self.lock().faults)
            .finish_non_exhaustive()
    }
}

impl Faults {
    pub fn add(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Forgets all plans, random ones and changes included.
    pub fn clear(&self) {
        let mut plans = self.lock();
        let fired = plans.fired;
        *plans = Plans {
            fired,
            ..Plans::default()
        };
    }

    /// Hits a share of all requests that no planned fault hits; the same seed rolls the same dice.
    pub fn random(&self, rate: f64, seed: u64, kinds: Vec<FaultKind>) {
        self.lock().dice = Some(Dice {
            rate,
            rng: fastrand::Rng::with_seed(seed),
            kinds,
        });
    }

    /// Changes the data just before the matching request after the first `skip` is answered.
    pub fn on_request(
        &self,
        when: Match,
        skip: usize,
        change: impl FnOnce(&mut World) + Send + 'static,
    ) {
        self.lock().hooks.push(Hook {
            when,
            skip,
            change: Box::new(change),
        });
    }

    /// How many requests were hit so far.
    pub fn fired(&self) -> usize {
        self.lock().fired
    }

    pub(crate) fn due(&self, target: &Target<'_>) -> (Option<FaultKind>, Vec<Change>) {
        let mut plans = self.lock();
        let mut changes = Vec::new();
        for mut hook in std::mem::take(&mut plans.hooks) {
            if hook.when.holds(target) {
                if hook.skip == 0 {
                    changes.push(hook.change);
                    continue;
                }
                hook.skip -= 1;
            }
            plans.hooks.push(hook);
        }
        let mut kind = None;
        for fault in &mut plans.faults {
            if fault.times == 0 || !fault.when.holds(target) || !applies(&fault.kind, target) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if fault.times != usize::MAX {
                fault.times -= 1;
            }
            kind = Some(match &fault.kind {
                FaultKind::MoreRowsThan(_, kind) => FaultKind::clone(kind),
                kind => kind.clone(),
            });
            break;
        }
        if kind.is_none()
            && let Some(dice) = &mut plans.dice
            && dice.rng.f64() < dice.rate
        {
            kind = dice
                .rng
                .choice(&dice.kinds)
                .filter(|kind| applies(kind, target))
                .cloned();
        }
        plans.fired += usize::from(kind.is_some());
        (kind, changes)
    }

    fn lock(&self) -> MutexGuard<'_, Plans> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn applies(kind: &FaultKind, target: &Target<'_>) -> bool {
    match kind {
        FaultKind::WindowLongerThan(longest) => {
            let longest = TimeDelta::from_std(*longest).unwrap_or(TimeDelta::MAX);
            target
                .window()
                .is_none_or(|window| window.end - window.start > longest)
        }
        FaultKind::MoreRowsThan(rows, _) => target.rows() > *rows,
        FaultKind::EndEarly => {
            target.path.ends_with("/issues/") || target.path.ends_with("/events/")
        }
        _ => true,
    }
}

impl FaultKind {
    /// What a gateway says, without a header of its own.
    pub fn gateway(status: u16, body: &'static str) -> Self {
        Self::Gateway {
            status,
            body,
            header: ("", String::new()),
        }
    }

    /// The answer of faults that do without the true one.
    pub(crate) fn refusal(&self) -> Option<Problem> {
        Some(match self {
            Self::Status(status) => status_problem(*status),
            Self::NotThere => Problem::not_found(),
            Self::SsoRequired => Problem::sso_required(),
            Self::NoBackend(body) => Problem::text(StatusCode::NOT_FOUND, HTML, *body),
            Self::Gateway {
                status,
                body,
                header: (name, value),
            } => {
                let code =
                    StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let problem = Problem::text(code, HTML, *body);
                if name.is_empty() {
                    problem
                } else {
                    problem.with(name, value)
                }
            }
            Self::RateLimited { reset_in_seconds } => limited(
                too_many(
                    "You are attempting to use this endpoint too frequently. Limit is 40 requests in 1 seconds",
                ),
                0,
                *reset_in_seconds,
            ),
            Self::RateLimitedNoHeaders => too_many(
                "You are attempting to use this endpoint too frequently. Limit is 40 requests in 1 seconds",
            ),
            Self::RetryAfter(seconds) => {
                too_many("slow down").with("retry-after", &seconds.to_string())
            }
            Self::QueryTooLarge | Self::WindowLongerThan(_) => limited(
                json_too_many(
                    "Rate limit exceeded. Please try your query with a smaller date range or fewer projects.",
                ),
                17,
                1,
            ),
            Self::QueryTimeout => limited(
                json_too_many(
                    "Query timeout. Please try with a smaller date range or fewer conditions.",
                ),
                17,
                1,
            ),
            Self::Gone => Problem::gone(),
            Self::Html => Problem::text(
                StatusCode::OK,
                HTML,
                "<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>",
            ),
            Self::Null => Problem::text(StatusCode::OK, crate::problem::JSON, "null"),
            Self::Body(body) => Problem::text(StatusCode::OK, crate::problem::JSON, body.as_str()),
            Self::Redirect(location) => {
                Problem::text(StatusCode::FOUND, HTML, "").with("location", location)
            }
            _ => return None,
        })
    }
}

fn json_too_many(detail: &str) -> Problem {
    Problem::json(StatusCode::TOO_MANY_REQUESTS, &json!({ "detail": detail }))
}

fn limited(problem: Problem, remaining: u32, reset_in_seconds: u64) -> Problem {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let concurrent = if remaining == 0 { "None" } else { "24" };
    problem
        .with("x-sentry-rate-limit-limit", "40")
        .with("x-sentry-rate-limit-remaining", &remaining.to_string())
        .with(
            "x-sentry-rate-limit-reset",
            &(now + reset_in_seconds).to_string(),
        )
        .with("x-sentry-rate-limit-concurrentlimit", "25")
        .with("x-sentry-rate-limit-concurrentremaining", concurrent)
}

pub(crate) fn status_problem(status: u16) -> Problem {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match status {
        401 => Problem::unauthorized("Invalid token"),
        403 => Problem::forbidden(),
        404 => Problem::text(code, HTML, ""),
        408 => Problem::json(
            code,
            &json!({"detail": {"code": "request-timeout", "message": "Proxied request timed out", "extra": {}}}),
        ),
        410 => Problem::gone(),
        500 => Problem::json(
            code,
            &json!({"detail": "Internal Error", "errorId": "9fac2ceed9344f2bbfdd1fdacb0ed9b1"}),
        ),
        502 | 503 => Problem::text(
            code,
            HTML,
            format!(
                "\n<html><head>\n<meta http-equiv=\"content-type\" content=\"text/html;charset=utf-8\">\n<title>{status} Server Error</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>Error: Server Error</h1>\n<h2>The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds.</h2>\n</body></html>\n"
            ),
        ),
        504 => Problem::json(
            code,
            &json!({"detail": "\nQuery timeout. Please try again. If the problem persists try a smaller date range or fewer projects. Also consider a\nfilter on the transaction field if you're filtering performance data.\n"}),
        ),
        _ => Problem::json(
            code,
            &json!({"detail": code.canonical_reason().unwrap_or("Error")}),
        ),
    }
}
