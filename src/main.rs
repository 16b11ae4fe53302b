//! tap-sentry: parse the command line, set the log up, run, and turn what happened into an exit code. What asks Sentry is here
//! and not in the library, where whoever only reads tables would be compiled after each edit.

mod check;
mod destination;
mod explore;
mod folder;
mod run;
mod runtime;
mod sync;

#[cfg(test)]
mod dice;

use cli::Cli;
use error::Error;
use std::process::ExitCode;
use tap_sentry::report::logging;
use tap_sentry::{about, cli, error, generate, record, report, settings, singer, streams};
use tap_sentry_settings::problem::SettingsError;

/// Pages of megabytes come and go by the thousand. glibc maps the memory of each anew, and the system clears it each
/// time, until a larger block was freed: from then on it keeps so much (`mallopt(3)`, `M_MMAP_THRESHOLD`). Other
/// allocators take no notice. Nothing is written to the block, so it costs no memory; where even that is not granted,
/// nothing changes.
fn keep_memory_of_pages() {
    let mut block = Vec::<u8>::new();
    let _ = std::hint::black_box(&mut block).try_reserve_exact(24 << 20);
}

fn main() -> ExitCode {
    keep_memory_of_pages();
    let cli = Cli::parse_or_exit();
    logging::init(&cli);
    match run::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match &error {
                // A reader that has gone is no news to anybody.
                Error::Stdout(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {
                    log::info!("{error}");
                }
                Error::Settings(SettingsError::Problems(problems)) => {
                    for problem in problems {
                        log::error!("{problem}");
                    }
                }
                _ => {}
            }
            // The last line names the cause: `meltano config test` shows nothing else.
            log::error!("{error}");
            error.exit_code()
        }
    }
}
