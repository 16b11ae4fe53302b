//! What can end the program, and the exit code that each end has.

use crate::pushgateway::PushError;
use crate::textfile::TextFileError;
use std::process::ExitCode;
use tap_sentry_api::connection::ConnectError;
use tap_sentry_serve::server::ServeError;
use tap_sentry_settings::problem::SettingsError;

/// Why the program did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Push(#[from] PushError),
    #[error(transparent)]
    TextFile(#[from] TextFileError),
    /// What was exported is not all that it should be.
    #[error("{0}")]
    Incomplete(String),
    #[error("cannot write to stdout: {0}")]
    Stdout(std::io::Error),
    #[error("unexpected: {0}")]
    Unexpected(String),
}

impl Error {
    /// The documented exit codes.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Settings(_) | Self::Connect(_) | Self::Serve(_) | Self::Unexpected(_) => 1,
            Self::Push(_) | Self::TextFile(_) => 3,
            Self::Incomplete(_) => 4,
            Self::Stdout(_) => 5,
        })
    }
}
