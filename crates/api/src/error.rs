//! What a request can fail with, and what each failure means.

use crate::html::Html;
use crate::route::Route;
use std::sync::Arc;
use std::time::Duration;

/// A body larger than this is not read: 100 full events of 320 KiB. A page that exceeds it is asked for again with
/// fewer rows.
pub const MAX_BODY: usize = 32 << 20;

/// What went wrong, and on what.
#[derive(Debug, Clone, thiserror::Error)]
pub struct ApiError {
    pub route: Arc<Route>,
    /// The path and query asked for; never the token, which travels in a header.
    pub path: String,
    pub kind: Kind,
    /// Nothing has answered as Sentry does, neither in this run nor, as far as is known, ever.
    pub stranger: bool,
    /// Something that needs the same scopes has been read with the token.
    pub scope_shown: bool,
    /// The token itself is refused, and not this endpoint or organization alone.
    pub token_refused: bool,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.kind)?;
        let Route { server, proxy } = &*self.route;
        if let (
            Some(proxy),
            Kind::Gateway { .. }
            | Kind::Page(_)
            | Kind::Status {
                status: 502..=504, ..
            },
        ) = (proxy, &self.kind)
        {
            write!(f, "; received through {proxy}")?;
        }
        if self.stranger
            && (self.kind.strange() || self.kind.silent())
            && (proxy.is_none() || !matches!(self.kind, Kind::Unreachable(_)))
        {
            write!(
                f,
                "; no answer from {server} has looked like Sentry's so far: check `base_url`"
            )?;
        }
        Ok(())
    }
}

/// The kinds of failure. [`Kind::transient`] says which are worth another try.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Kind {
    #[error("HTTP {status}: {detail}")]
    Status {
        status: u16,
        detail: String,
        wait: Option<Duration>,
    },
    /// 401 with a code: the token is known, but the organization wants more of its user.
    #[error(
        "HTTP 401: {detail} ({code}): {}; the token itself is not at fault",
        wanted(code)
    )]
    Wanted { code: String, detail: String },
    /// 404 in Sentry's own words. One without a word is a [`Kind::Status`], and with other words a [`Kind::Gateway`].
    #[error("HTTP 404: {0}")]
    NotThere(String),
    /// A refusal that is not in Sentry's words, so it says nothing of the token, its scopes or what was asked for.
    #[error("HTTP {status} from a gateway in front of Sentry, not from Sentry: {detail}{}", wants.as_ref().map(|wants| format!("; it requires {wants} authentication")).unwrap_or_default())]
    Gateway {
        status: u16,
        detail: String,
        wants: Option<String>,
        wait: Option<Duration>,
    },
    /// 200 and a page for people.
    #[error(
        "not the expected JSON: {0}; a login page or a proxy may be in front of Sentry: check `base_url`"
    )]
    Page(Html),
    #[error("HTTP 429, too many requests: {detail}")]
    RateLimited {
        detail: String,
        wait: Option<Duration>,
    },
    #[error("HTTP {status}, the query is too large: {detail}")]
    QueryTooLarge { status: u16, detail: String },
    #[error("the body exceeds {} MiB", MAX_BODY >> 20)]
    BodyTooLarge,
    #[error("no answer within {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// No connection came about.
    #[error("{0}")]
    Unreachable(String),
    /// The connection ended before an answer began.
    #[error("{0}")]
    Dropped(String),
    #[error("{0}")]
    Transport(String),
    /// The connection ended within the body of an answer.
    #[error("{0}")]
    Cut(String),
    #[error("{0}{hint}", hint = if .0.ends_with("UnknownIssuer") || .0.ends_with("BadSignature") { "; set `ca_certificate` to the PEM file of the authority that issued it" } else { "" })]
    Certificate(String),
    #[error("not the expected JSON: {0}")]
    Body(String),
    /// The pages of a list that do not follow one another.
    #[error("{0}")]
    Paging(String),
    #[error(
        "redirected to {0}, which is not the server of `base_url`; set `base_url` to the server's own address, unless this is a login page in front of it"
    )]
    Redirect(String),
    /// What a server keeps elsewhere cannot be read there.
    #[error("HTTP {0} from where the server keeps it")]
    Storage(u16),
    /// In a circle, or too often.
    #[error("{0}")]
    Astray(String),
    /// A right answer that holds all it can, where there may be more.
    #[error("{0}")]
    Full(String),
}

impl Kind {
    /// Whether the same request may succeed later. `divisible`: less can be asked for instead.
    pub fn transient(&self, divisible: bool) -> bool {
        match self {
            // Often a quota of the event store, which passes; but a smaller window is the better question.
            Self::QueryTooLarge { .. } => !divisible,
            // 410 with a message is a brown-out of an endpoint that still exists; see sentry/api/helpers/deprecation.py.
            Self::Status { status, .. } => matches!(status, 408 | 410 | 425 | 500..),
            // Its address is good for a while only, and the server tells another.
            Self::Storage(status) => matches!(status, 403 | 408 | 429 | 500..),
            Self::Gateway { .. }
            | Self::Page(_)
            | Self::Unreachable(_)
            | Self::RateLimited { .. }
            | Self::Timeout(_)
            | Self::Dropped(_)
            | Self::Transport(_)
            | Self::Cut(_)
            | Self::Body(_)
            | Self::Paging(_) => true,
            Self::Wanted { .. }
            | Self::NotThere(_)
            | Self::BodyTooLarge
            | Self::Certificate(_)
            | Self::Redirect(_)
            | Self::Astray(_)
            | Self::Full(_) => false,
        }
    }
}

impl Kind {
    /// Whether the same list may be answered in smaller pages: a gateway or the link gave up on the answer, or it is
    /// larger than what is read.
    pub fn too_heavy(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 500 | 502 | 504),
            Self::QueryTooLarge { status, .. } => *status == 504,
            Self::Timeout(_) | Self::Cut(_) | Self::BodyTooLarge => true,
            _ => false,
        }
    }

    /// What comes of an address that is not Sentry's. It may pass; but where nothing has answered as Sentry does, a
    /// mistake is more likely.
    pub fn strange(&self) -> bool {
        matches!(
            self,
            Self::Gateway { .. } | Self::Page(_) | Self::Body(_) | Self::Unreachable(_)
        )
    }

    /// What says nothing of who is there: a server that is not well, or none that is Sentry's.
    fn silent(&self) -> bool {
        matches!(
            self,
            Self::Status { status: 500.., .. } | Self::Timeout(_) | Self::Dropped(_)
        )
    }

    /// What Sentry says where the server or the plan lacks an endpoint, in any of its ways: without a word, gone, or as of
    /// something that one has no access to.
    pub fn lacking(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 403 | 404 | 410),
            Self::NotThere(_) => true,
            _ => false,
        }
    }

    /// What Sentry says only of an endpoint, whatever is asked for: without a word, or gone.
    pub fn lacking_everywhere(&self) -> bool {
        matches!(
            self,
            Self::Status {
                status: 404 | 410,
                ..
            }
        )
    }

    /// When to come back, where a refusal tells it; an end that is here already tells nothing.
    pub fn told(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { wait, .. }
            | Self::Status { wait, .. }
            | Self::Gateway { wait, .. } => wait.filter(|wait| !wait.is_zero()),
            _ => None,
        }
    }
}

/// What an organization wants of those who read it. (sentry/api/exceptions.py)
fn wanted(code: &str) -> &'static str {
    match code {
        "sso-required" => {
            "the organization requires its members to sign in with SSO; sign in as the token's user, or use the token of an internal integration"
        }
        "2fa-required" => {
            "the organization requires two-factor authentication for the token's user"
        }
        "member-disabled-over-limit" => {
            "the organization has disabled the token's user, because its plan has no seat left"
        }
        "primary-email-verification-required" => {
            "the token's user has not verified an e-mail address yet"
        }
        _ => "the organization requires something else of the token's user",
    }
}

impl ApiError {
    /// The status of a refusal by Sentry itself, or of a server that is not well; a gateway's refusal has none.
    pub fn status(&self) -> Option<u16> {
        match self.kind {
            Kind::Status { status, .. } | Kind::QueryTooLarge { status, .. } => Some(status),
            Kind::RateLimited { .. } => Some(429),
            Kind::NotThere(_) => Some(404),
            Kind::Wanted { .. } => Some(401),
            _ => None,
        }
    }

    /// Whether the server itself does not answer, as far as is known.
    pub fn unanswered(&self) -> bool {
        self.stranger && self.status() != Some(404)
    }

    /// Whether Sentry itself says that what was asked for is not there.
    pub fn not_there(&self) -> bool {
        matches!(self.kind, Kind::NotThere(_))
    }
}

impl From<tap_sentry_json::Malformed> for Kind {
    fn from(error: tap_sentry_json::Malformed) -> Self {
        Self::Body(error.to_string())
    }
}
