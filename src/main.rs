//! tap-sentry: parse the command line, set the log up, run, and turn what happened into an exit code.

use clap::Parser;
use std::process::ExitCode;
use tap_sentry::{cli::Cli, error::Error, logging, run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::init(&cli);
    match run::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match &error {
                // A reader that has gone is no news to anybody.
                Error::Stdout(e) if e.kind() == std::io::ErrorKind::BrokenPipe => log::info!("{error}"),
                Error::Config(problems) => problems.iter().for_each(|problem| log::error!("{problem}")),
                _ => {}
            }
            // The last line names the cause: `meltano config test` shows nothing else.
            log::error!("{error}");
            error.exit_code()
        }
    }
}
