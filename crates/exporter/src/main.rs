//! sentry-exporter: read the command line, set the log up, run, and turn what happened into an exit code.

use sentry_exporter::cli::Cli;
use sentry_exporter::error::Error;
use sentry_exporter::run;
use std::process::ExitCode;
use tap_sentry_settings::problem::SettingsError;

fn main() -> ExitCode {
    let cli = Cli::read(std::env::args_os());
    run::log(&cli);
    match run::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match &error {
                // A reader that has gone is no news to anybody.
                Error::Stdout(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {}
                Error::Settings(SettingsError::Problems(problems)) => {
                    for problem in problems {
                        log::error!("{problem}");
                    }
                }
                error => log::error!("{error}"),
            }
            error.exit_code()
        }
    }
}
