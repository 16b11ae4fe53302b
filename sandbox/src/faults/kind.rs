//! What can go wrong.

use crate::faults::gate::Gate;
use crate::faults::matching::Target;
use chrono::TimeDelta;
use std::time::Duration;

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
    /// 400 of the event store, as servers said it before they said 504.
    TimedOut,
    /// 400 of a plan that searches one project at a time; only for requests that name more.
    OneProjectOnly,
    /// Searches find errors only, and say nothing of the rest: rows and hits alike. A search for other issues only is a 500.
    ErrorsOnly,
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
    /// The same, after the body of the request was taken: what was sent counts, and the client cannot know.
    ResetTaken,
    /// Half of the announced body, then the connection ends.
    CutBody,
    /// 200 and a whole body, with a control character in the middle: no JSON.
    CorruptBody,
    /// 200 and a whole body, with a byte that is no UTF-8.
    NotUtf8,
    /// 200 and a page for people.
    Html,
    /// No answer before the gate opens; then the true one.
    Hold(Gate),
    /// No answer, for ever.
    Silence,
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
    /// The rows of a page, the last one first.
    Backwards,
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

impl FaultKind {
    /// What a gateway says, without a header of its own.
    pub fn gateway(status: u16, body: &'static str) -> Self {
        Self::Gateway {
            status,
            body,
            header: ("", String::new()),
        }
    }

    /// Every way in which an answer can fail that is right when it is asked for again.
    ///
    /// Not those that only change which rows a list has ([`Self::EndEarly`], [`Self::LoseRow`], [`Self::EmptyPageMore`])
    /// or that need a place of their own: a client takes their answers for true.
    pub fn all_transient() -> Vec<Self> {
        vec![
            Self::Status(500),
            Self::Status(502),
            Self::Status(503),
            Self::Status(504),
            Self::Status(408),
            Self::RateLimited {
                reset_in_seconds: 1,
            },
            Self::RateLimitedNoHeaders,
            Self::QueryTooLarge,
            Self::QueryTimeout,
            Self::Gone,
            Self::NoBackend(NO_BACKEND),
            Self::Reset,
            Self::CutBody,
            Self::CorruptBody,
            Self::NotUtf8,
            Self::Html,
            Self::Silence,
            Self::StallBody,
            Self::RepeatCursor,
            Self::WrongShape,
            Self::Null,
        ]
    }

    /// Whether the fault can hit this request at all.
    pub(crate) fn applies(&self, target: &Target<'_>) -> bool {
        match self {
            Self::WindowLongerThan(longest) => {
                let longest = TimeDelta::from_std(*longest).unwrap_or(TimeDelta::MAX);
                target
                    .window()
                    .is_none_or(|window| window.end - window.start > longest)
            }
            Self::MoreRowsThan(rows, _) => target.rows() > *rows,
            Self::OneProjectOnly => target.wide(),
            Self::ErrorsOnly => target.path.ends_with("/issues/"),
            Self::EndEarly => {
                target.path.ends_with("/issues/") || target.path.ends_with("/events/")
            }
            _ => true,
        }
    }
}

/// As a gateway says it that has lost the server behind it.
pub const NO_BACKEND: &str = "<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1><hr>nginx</body></html>";
