//! The modes of the program, each as a short story.

use crate::about;
use crate::check;
use crate::cli::Cli;
use crate::error::Error;
use crate::generate;
use crate::report::logging;
use crate::report::progress::Progress;
use crate::report::run::{Missing, Report};
use crate::runtime::runtime;
use crate::settings;
use crate::settings::Settings;
use crate::singer::catalog::{self, Selection};
use crate::singer::message::{self, Announced, StateMessage};
use crate::singer::queue::outbox;
use crate::singer::state::{self, Bookmarks};
use crate::singer::writer::Writer;
use crate::sync::counts;
use crate::sync::failure::Stop;
use crate::sync::organization::Sync;
use crate::sync::plan::{self, Node};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::client::Client;
use tap_sentry_settings::file;
use tokio::signal::unix::{SignalKind, signal};

/// How long the writer may take for what is left after a signal; a target that reads no more must not hold the tap.
const DRAIN: Duration = Duration::from_secs(3);
// The end after a signal is promised within five seconds.
const _: () = assert!(DRAIN.as_secs() <= 4);

/// Does what the command line asks for.
///
/// # Errors
/// Whatever kept the run from being complete.
pub fn run(cli: &Cli) -> Result<(), Error> {
    if cli.mode.about {
        return print(about::render(cli.format).as_bytes());
    }
    if let Some(artifact) = cli.mode.generate {
        return print(&generate::render(artifact).map_err(Error::Stdout)?);
    }
    if cli.mode.discover {
        settings::load(&cli.config)?;
        return print(
            format!(
                "{}\n",
                serde_json::to_string_pretty(&catalog::discover()).expect("a catalog is JSON")
            )
            .as_bytes(),
        );
    }
    if cli.config.is_empty() {
        return Err(Error::NoConfig);
    }
    let (values, problems) = settings::load(&cli.config)?;
    let settings = Settings::new(values, problems)?;
    logging::hide(&settings.connection.token);
    if let Some(what) = cli.mode.test.as_deref() {
        return check::run(&settings, what == "schema");
    }
    let catalog = cli.catalog.as_deref().map(file::read_json).transpose()?;
    let in_file = |path: &Path, problem: String| Error::InFile {
        path: path.to_owned(),
        problem,
    };
    let selection = Selection::new(catalog, &settings.style).map_err(|e| {
        cli.catalog.as_deref().map_or_else(
            || Error::Unexpected(e.to_string()),
            |path| in_file(path, e.to_string()),
        )
    })?;
    let bookmarks = match cli.state.as_deref() {
        Some(path) => {
            Bookmarks::parse(state::read(path)?).map_err(|e| in_file(path, e.to_string()))?
        }
        None => Bookmarks::default(),
    };
    if selection.0.is_empty() {
        log::warn!(
            "the catalog selects no stream of this tap: nothing is extracted; set `selected` to true in the metadata of a stream (breadcrumb [])"
        );
        return match cli.state {
            Some(_) => print(&message::line(&StateMessage {
                value: bookmarks.to_value(),
            })),
            None => Ok(()),
        };
    }
    sync(&settings, selection, &bookmarks, cli.check_counts)
}

/// Writes to stdout what is not a Singer message.
fn print(text: &[u8]) -> Result<(), Error> {
    std::io::stdout()
        .lock()
        .write_all(text)
        .map_err(Error::Stdout)
}

fn sync(
    settings: &Settings,
    selection: Selection,
    bookmarks: &Bookmarks,
    check_counts: bool,
) -> Result<(), Error> {
    let (outbox, events) = outbox();
    let runtime = runtime(&outbox)?;
    // Before anything is written, and to the end one for all: a signal must find somebody who waits for it.
    let stopped = {
        let _entered = runtime.enter();
        interrupted()
    };
    let report = Arc::new(Report::default());
    let client = Client::new(&settings.connection, report.traffic())?;
    if bookmarks.latest().is_some() {
        client.met_before();
    }
    let streams: Vec<Announced> = selection
        .0
        .iter()
        .map(|selected| selected.announced.clone())
        .collect();
    let tree: Vec<Node> = plan::tree(selection);

    let (done, mut writer_done) = tokio::sync::oneshot::channel();
    let writer = Writer::new(
        std::io::stdout(),
        bookmarks.clone(),
        Arc::clone(&report),
        settings.state_interval,
    );
    std::thread::spawn(move || {
        // The receiver may be gone: then nobody waits for the writer any more.
        let _ = done.send(writer.run(&streams, events));
    });

    let progress = Progress::start(&report);
    let (walked, written) = runtime.block_on(async {
        let mut stopped = std::pin::pin!(stopped);
        let walked = {
            // Gone with the walk, so that the writer comes to its end.
            let outbox = outbox;
            let walk = Sync::new(&client, settings, &tree, bookmarks, &report, outbox.clone(), check_counts);
            tokio::select! {
                ended = walk.run() => Ok(ended),
                // What waits for an answer or for a limit would not find out before it has one.
                () = outbox.closed() => Ok(Err(Stop::Closed)),
                signal = &mut stopped => Err(signal),
                never = count(&report) => match never {},
            }
        };
        // The walk is over, and the writer comes to an end, unless nobody reads.
        let (mut walked, written) = match walked {
            Ok(ended) => tokio::select! {
                written = &mut writer_done => (Ok(ended), Some(written)),
                signal = &mut stopped => (Err(signal), tokio::time::timeout(DRAIN, writer_done).await.ok()),
            },
            Err(signal) => (Err(signal), tokio::time::timeout(DRAIN, writer_done).await.ok()),
        };
        if check_counts && matches!((&walked, &written), (Ok(Ok(())), Some(Ok(Ok(()))))) {
            tokio::select! {
                () = counts::run(&client, &report) => {}
                signal = &mut stopped => walked = Err(signal),
            }
        }
        (walked, written)
    });
    // A look-up of a name under way would hold the runtime's end, and so the tap's.
    runtime.shutdown_background();
    let written = match (written, &walked) {
        (Some(written), _) => {
            written.map_err(|_| Error::Unexpected("the writer failed".to_owned()))?
        }
        (None, Err(signal)) => return Err(Error::Interrupted { signal }),
        (None, Ok(_)) => unreachable!("without a signal the writer is waited for"),
    };
    drop(progress);
    let complete = matches!(walked, Ok(Ok(())))
        && written.is_ok()
        && report.gaps().is_empty()
        && report.missing().is_none();
    report.log_notes();
    report.log_totals(complete);
    summarize(&report, complete);
    written.map_err(Error::Stdout)?;
    match walked {
        Err(signal) => Err(Error::Interrupted { signal }),
        Ok(Err(Stop::Error(error))) => Err(error),
        Ok(Err(Stop::Closed)) => Err(Error::Unexpected("the writer ended early".to_owned())),
        Ok(Ok(())) => match (report.gaps().as_slice(), report.missing()) {
            ([], None) => Ok(()),
            ([], Some(Missing { rows, first })) => Err(Error::Skipped { rows, first }),
            (gaps @ [first, ..], _) => Err(Error::Incomplete {
                gaps: gaps.len(),
                first: first.to_string(),
            }),
        },
    }
}

fn summarize(report: &Report, complete: bool) {
    let stderr = console::Term::stderr();
    // A terminal that does not tell its width has the usual one.
    let width = stderr
        .is_term()
        .then(|| usize::from(stderr.size_checked().map_or(80, |(_, columns)| columns)));
    for line in report.summary(complete, width).lines() {
        log::info!(target: "summary", "{line}");
    }
}

/// Tells each minute how many records were written and requests made.
async fn count(report: &Report) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(60)).await;
        report.log_counts();
    }
}

/// Catches SIGTERM and ctrl-c from now on; what is returned waits for one.
fn interrupted() -> impl Future<Output = &'static str> {
    let caught = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    async {
        let (Ok(mut term), Ok(mut int)) = caught else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "ctrl-c",
        }
    }
}
