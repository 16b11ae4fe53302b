//! What servers of different age take in.
//!
//! | | 26.7 | 26.5 | 26.2 | 25 | 21 | 9.1 |
//! |---|---|---|---|---|---|---|
//! | `store/` | yes | yes | yes | yes | yes | errors only |
//! | `envelope/` | yes | yes | yes | yes | yes | 404 |
//! | spans in containers | yes | yes | dropped | dropped | dropped | |
//! | logs in containers | yes | yes | yes | dropped | dropped | |
//! | `integration/otlp/v1/…` | 200, an empty message | 200, no body | 202, no body | 404 | 404 | 404 |
//! | its refusals | `google.rpc.Status` | JSON | JSON | | | |
//! | the key as user of HTTP Basic | yes | no | no | no | no | no |
//!
//! The names are those of Relay's releases, and of Sentry's before there was a Relay (20.6).

use crate::intake::door::Door;

/// Which server takes in; the older is the smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relay {
    V9_1,
    V21,
    V25,
    V26_2,
    V26_5,
    #[default]
    V26_7,
}

impl Relay {
    /// By the name that the sandbox's program gives it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "9.1" => Self::V9_1,
            "21" => Self::V21,
            "25" => Self::V25,
            "26.2" => Self::V26_2,
            "26.5" => Self::V26_5,
            "26.7" => Self::V26_7,
            _ => return None,
        })
    }

    pub(crate) fn has(self, door: Door) -> bool {
        self >= match door {
            Door::Store => Self::V9_1,
            Door::Envelope => Self::V21,
            Door::Otlp(_) => Self::V26_2,
        }
    }

    /// Answers of the OTLP endpoints are those of OTLP.
    pub(crate) fn speaks_otlp(self) -> bool {
        self >= Self::V26_7
    }

    pub(crate) fn takes_basic(self) -> bool {
        self >= Self::V26_7
    }

    /// Spans in envelopes.
    pub(crate) fn takes_spans(self) -> bool {
        self >= Self::V26_5
    }

    /// Logs in envelopes, which are older.
    pub(crate) fn takes_logs(self) -> bool {
        self >= Self::V26_2
    }

    pub(crate) fn takes_transactions(self) -> bool {
        self >= Self::V21
    }
}
