//! sentry-otlp: read the command line, set the log up, run, and turn what happened into an exit code.

use sentry_otlp::cli::Cli;
use sentry_otlp::error::Error;
use sentry_otlp::run;
use std::process::ExitCode;
use tap_sentry_settings::problem::SettingsError;

/// Spans are made of many small pieces.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::read(std::env::args_os());
    tap_sentry_serve::log::init(cli.log.level, cli.log.format);
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
