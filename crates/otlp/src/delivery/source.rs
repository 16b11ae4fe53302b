//! Where the key of a project comes from.

use crate::delivery::intake::Intake;
use crate::delivery::lookup::{Found, Lookup};
use std::sync::Arc;

/// A DSN, or the web API.
pub enum Source {
    Dsn(Arc<Intake>),
    Lookup(Lookup),
}

impl Source {
    /// The intake, or why there is none.
    pub async fn intake(&self) -> Found {
        match self {
            Self::Dsn(intake) => Found::Intake(Arc::clone(intake)),
            Self::Lookup(lookup) => lookup.intake().await,
        }
    }

    /// The key was refused: it is looked up again the next time.
    pub fn forget(&self) {
        if let Self::Lookup(lookup) = self {
            lookup.forget();
        }
    }
}
