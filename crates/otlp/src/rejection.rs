//! Why a span, log record or event does not reach Sentry, or reaches it changed.

use crate::signal::Signal;

/// Values of the label `reason`. What is rejected before it was acknowledged is told in the answer; what is lost later is
/// counted and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Cannot be read by itself, where the request around it can.
    Malformed,
    /// A trace id or span id that is not 16 or 8 bytes, or is all zero: a transaction with such a span would be lost whole.
    InvalidId,
    /// A span without a start.
    NoStart,
    /// Older than what Sentry takes by the route's mode.
    TooOld,
    /// Larger than what Sentry takes of one.
    TooLarge,
    /// Left out by `sample_rate`.
    Sampled,
    /// Sentry answered that it is wrong (400 and the like), or has refused the key for too long.
    Refused,
    /// Sentry could not be reached, or limited it, for longer than `retry_on_failure` allows.
    Expired,
    /// Nothing names a project for it and there is no default one, or what is named has not been there for too long.
    NoProject,
    /// The server takes no logs.
    NotTaken,
}

/// What is counted as rejected; values of the label `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    Span,
    /// An error event, whose span may have gone out.
    Error,
    Log,
}

/// All of them.
pub const WHATS: [What; 3] = [What::Span, What::Error, What::Log];

impl What {
    /// What a signal brings.
    pub fn of(signal: Signal) -> Self {
        match signal {
            Signal::Traces => Self::Span,
            Signal::Logs => Self::Log,
        }
    }

    /// As it stands in the label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Span => "span",
            Self::Error => "error",
            Self::Log => "log",
        }
    }
}

/// All of them, so that each has a series from the start.
pub const REASONS: &[Reason] = &[
    Reason::Malformed,
    Reason::InvalidId,
    Reason::NoStart,
    Reason::TooOld,
    Reason::TooLarge,
    Reason::Sampled,
    Reason::Refused,
    Reason::Expired,
    Reason::NoProject,
    Reason::NotTaken,
];

impl Reason {
    /// As it stands in the label and in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::InvalidId => "invalid_id",
            Self::NoStart => "no_start",
            Self::TooOld => "too_old",
            Self::TooLarge => "too_large",
            Self::Sampled => "sampled",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::NoProject => "no_project",
            Self::NotTaken => "not_taken",
        }
    }
}
