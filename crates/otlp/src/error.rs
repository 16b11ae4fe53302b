//! What can end the program, and the exit code that each end has.

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
    /// The folder, and what to do.
    #[error("{0}")]
    Spool(String),
    /// What was acknowledged and is neither delivered nor kept.
    #[error("{0}")]
    Undelivered(String),
    #[error("cannot write to stdout: {0}")]
    Stdout(std::io::Error),
    #[error("unexpected: {0}")]
    Unexpected(String),
}

impl Error {
    /// The documented exit codes, as numbers.
    pub fn code(&self) -> u8 {
        match self {
            Self::Settings(_)
            | Self::Connect(_)
            | Self::Serve(_)
            | Self::Spool(_)
            | Self::Unexpected(_) => 1,
            Self::Undelivered(_) => 4,
            Self::Stdout(_) => 5,
        }
    }

    /// The documented exit codes.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::EXIT_CODES;

    #[test]
    fn each_code_is_documented() {
        let errors = [
            Error::Spool(String::new()),
            Error::Undelivered(String::new()),
            Error::Stdout(std::io::ErrorKind::BrokenPipe.into()),
        ];
        for error in errors {
            let begin = format!("\n  {}  ", error.code());
            assert!(EXIT_CODES.contains(&begin), "{error:?}");
        }
    }
}
