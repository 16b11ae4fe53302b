//! What can end a run, and the exit code that each end has.

use std::path::PathBuf;
use std::process::ExitCode;
use tap_sentry_api::connection::ConnectError;
use tap_sentry_api::error::ApiError;
use tap_sentry_api::text::brief;
use tap_sentry_settings::file::FileError;
use tap_sentry_settings::problem::SettingsError;

/// Why a run did not end complete.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{}: {problem}", path.display())]
    InFile { path: PathBuf, problem: String },
    #[error(transparent)]
    Catalog(#[from] crate::singer::catalog::CatalogError),
    #[error(
        "--config is missing: pass --config FILE or --config ENV, or use --discover, --about or --help"
    )]
    NoConfig,
    #[error("{0}")]
    Setup(String),
    #[error("Sentry refused the token: {server} answers {0}; set `api_token` to a valid token for that server", server = .0.route.server)]
    Authentication(ApiError),
    #[error("the organization `{}` was not found at {} ({error}); check `organization` and `base_url`", brief(slug), error.route.server)]
    UnknownOrganization { slug: String, error: Box<ApiError> },
    #[error("the server does not answer: {0}")]
    Unanswered(ApiError),
    #[error("incomplete: {gaps} {} could not be extracted: {first}; the state does not cover what is missing, so the next run reads it again", if *gaps == 1 { "part" } else { "parts" })]
    Incomplete { gaps: usize, first: String },
    #[error("incomplete: {rows} {} skipped and cannot be read by a later run either: {first}", if *rows == 1 { "row was" } else { "rows were" })]
    Skipped { rows: usize, first: String },
    #[error(
        "stopped by {signal}; what was written and is not covered by the state yet is read again by the next run"
    )]
    Interrupted { signal: &'static str },
    #[error("cannot write to stdout: {0}")]
    Stdout(std::io::Error),
    #[error(
        "cannot write to the folder of --output, or read what is in it: {0}; the state covers only rows that are whole, and the next run goes on from there"
    )]
    Output(tap_sentry_files::Error),
    #[error(transparent)]
    OutputSetup(tap_sentry_files::Error),
    #[error("{failed} of the endpoints failed; {first}")]
    Test { failed: usize, first: String },
    #[error("unexpected: {0}")]
    Unexpected(String),
}

impl From<tap_sentry_files::Error> for Error {
    fn from(error: tap_sentry_files::Error) -> Self {
        if error.is_of_setup() {
            Self::OutputSetup(error)
        } else if let tap_sentry_files::Error::Value { .. } = error {
            Self::Unexpected(error.to_string())
        } else {
            Self::Output(error)
        }
    }
}

impl Error {
    /// The documented exit codes; 0 is a complete run.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Settings(_)
            | Self::File(_)
            | Self::Connect(_)
            | Self::InFile { .. }
            | Self::Catalog(_)
            | Self::Setup(_)
            | Self::OutputSetup(_)
            | Self::UnknownOrganization { .. }
            | Self::Unexpected(_) => 1,
            Self::NoConfig => 2,
            Self::Authentication(_) => 3,
            Self::Unanswered(_)
            | Self::Incomplete { .. }
            | Self::Skipped { .. }
            | Self::Interrupted { .. }
            | Self::Test { .. } => 4,
            Self::Stdout(_) => 5,
            Self::Output(_) => 6,
        })
    }
}
