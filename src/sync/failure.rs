//! What ends a list, and what ends the run.

use crate::error::Error;
use crate::singer::queue::Closed;
use tap_sentry_api::endpoint::Endpoint;
use tap_sentry_api::error::ApiError;

/// What ends the whole run.
#[derive(Debug)]
pub enum Stop {
    Error(Error),
    /// The writer is gone; it knows why.
    Closed,
}

impl From<Closed> for Stop {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

/// What ends one list.
#[derive(Debug)]
pub enum Failure {
    Api(ApiError),
    Stop(Stop),
}

impl Failure {
    /// For what sends nothing to the server.
    pub fn only_stop<T>(self) -> Result<T, Stop> {
        match self {
            Self::Stop(stop) => Err(stop),
            Self::Api(error) => Err(Stop::Error(Error::Unexpected(error.to_string()))),
        }
    }
}

impl From<Closed> for Failure {
    fn from(closed: Closed) -> Self {
        Self::Stop(closed.into())
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        if error.token_refused {
            Self::Stop(Stop::Error(Error::Authentication(error)))
        } else {
            Self::Api(error)
        }
    }
}

/// The error, with what a user can do about it.
pub fn reason(endpoint: &Endpoint, error: &ApiError) -> String {
    let scopes = endpoint.scopes_text();
    match error.status() {
        Some(403) if error.scope_shown => format!(
            "{error}; the token has the scope {scopes}, others are read by it: it has no access to this one"
        ),
        Some(403) => {
            format!("{error}; the token needs the scope {scopes}, and access to the project")
        }
        Some(404) => format!("{error}; this server does not have it, or `organization` is wrong"),
        _ => error.to_string(),
    }
}

/// Why an endpoint that a server or a plan may lack is unavailable, and what a user can do about it.
pub fn unavailable(endpoint: &Endpoint, error: &ApiError) -> String {
    let scopes = endpoint.scopes_text();
    format!(
        "{error}; the server or the plan lacks it, or the token lacks the scope {scopes}; nothing is extracted of it"
    )
}
