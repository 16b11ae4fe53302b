//! The modes of the program, each as a short story.

use crate::about;
use crate::check;
use crate::cli::Cli;
use crate::destination::Destination;
use crate::error::Error;
use crate::explore;
use crate::folder;
use crate::generate;
use crate::report::logging;
use crate::report::progress::Progress;
use crate::report::run::{Missing, Report};
use crate::runtime::{runtime, writer_thread};
use crate::settings;
use crate::settings::Settings;
use crate::singer::catalog::{self, Selection};
use crate::singer::message::{self, StateMessage, StreamHeader};
use crate::singer::output::{Output, Pipe};
use crate::singer::queue::{EventReceiver, event_queue};
use crate::singer::state::{self, Bookmarks};
use crate::singer::writer::Writer;
use crate::sync::counts::ErrorCounts;
use crate::sync::failure::Stop;
use crate::sync::organization::Sync;
use crate::sync::plan::{self, Node};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tap_sentry_api::client::Client;
use tap_sentry_files::Folder;
use tap_sentry_settings::file;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

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
        let (values, problems) = settings::load(&cli.config)?;
        // Without streams of their own users need neither a token nor the network.
        if values
            .get("explore")
            .is_some_and(|explore| !explore.is_null())
        {
            let settings = Settings::new(values, problems)?;
            logging::hide(&settings.connection.token);
            explore::define_streams(&settings, None)?;
        }
        return print(
            format!(
                "{}\n",
                serde_json::to_string_pretty(&catalog::discover()).expect("a catalog is JSON")
            )
            .as_bytes(),
        );
    }
    if cli.mode.compact {
        return folder::compact(&cli.output);
    }
    if cli.config.is_empty() {
        return Err(Error::NoConfig);
    }
    let (values, problems) = settings::load(&cli.config)?;
    let mut settings = Settings::new(values, problems)?;
    logging::hide(&settings.connection.token);
    if let Some(what) = cli.mode.test.as_deref() {
        explore::define_streams(&settings, None)?;
        return check::run(&settings, what == "schema");
    }
    let catalog = cli.catalog.as_deref().map(file::read_json).transpose()?;
    explore::define_streams(&settings, catalog.as_ref())?;
    let in_file = |path: &Path, problem: String| Error::InFile {
        path: path.to_owned(),
        problem,
    };
    let folder = folder::open(&cli.output, &mut settings)?;
    let selection = Selection::new(catalog, &settings.style).map_err(|e| {
        cli.catalog.as_deref().map_or_else(
            || Error::Unexpected(e.to_string()),
            |path| in_file(path, e.to_string()),
        )
    })?;
    let kept = folder.as_ref().filter(|_| !cli.output.full_refresh);
    let kept = kept.and_then(Folder::state);
    let bookmarks = match (&cli.state, kept) {
        (Some(path), _) if folder.is_some() => {
            let remedy = "leave out --state to go on from where the folder is, or read everything anew with --full-refresh";
            folder::state(path, remedy)?
        }
        (Some(path), _) => Bookmarks::parse(state::read(path)?).map_err(|e| {
            let text = format!("{e}; fix it, or leave out --state to start at start_date");
            in_file(path, text)
        })?,
        (None, Some(path)) => folder::state(
            &path,
            "restore it, or read everything anew with --full-refresh",
        )?,
        (None, None) => Bookmarks::default(),
    };
    if selection.0.is_empty() {
        log::warn!(
            "the catalog selects no stream of this tap: nothing is extracted; set `selected` to true in the metadata of a stream (breadcrumb [])"
        );
        return match cli.state {
            Some(_) if folder.is_none() => print(&message::line(&StateMessage {
                value: bookmarks.to_value(),
            })),
            _ => Ok(()),
        };
    }
    let check_counts = cli.check_counts;
    if let Some(folder) = folder {
        let files = folder::destination(folder, cli, &settings, &selection)?;
        return sync(&settings, selection, &bookmarks, check_counts, files);
    }
    let pipe = Destination {
        output: Pipe::new(std::io::stdout()),
        state_interval: settings.state_interval,
        failed: Error::Stdout,
    };
    sync(&settings, selection, &bookmarks, check_counts, pipe)
}

/// Writes to stdout what is not a Singer message.
fn print(text: &[u8]) -> Result<(), Error> {
    std::io::stdout()
        .lock()
        .write_all(text)
        .map_err(Error::Stdout)
}

/// How the requests of a run have ended.
enum Ended {
    Complete,
    Stopped(Stop),
    /// By the signal of that name.
    Signal(&'static str),
}

impl From<Result<(), Stop>> for Ended {
    fn from(ended: Result<(), Stop>) -> Self {
        ended.map_or_else(Self::Stopped, |()| Self::Complete)
    }
}

/// What the writer has come to: its result, or `None` when it was not waited for any longer.
type Written = Option<Result<(), Error>>;

fn sync<O: Output + Send + 'static>(
    settings: &Settings,
    selection: Selection,
    bookmarks: &Bookmarks,
    check_counts: bool,
    destination: Destination<O>,
) -> Result<(), Error> {
    let (sender, events) = event_queue();
    let runtime = runtime(&sender)?;
    // Handlers are installed before the first line of output; one future serves the whole run.
    let signal = {
        let _entered = runtime.enter();
        outlive_limits();
        interrupted()
    };
    let report = Arc::new(Report::default());
    let client = Client::new(&settings.connection, report.traffic())?;
    if bookmarks.latest().is_some() {
        client.met_before();
    }
    let headers = selection.0.iter().map(|selected| selected.header.clone());
    let headers: Vec<StreamHeader> = headers.collect();
    let tree: Vec<Node> = plan::tree(selection);
    let written = start_writer(destination, bookmarks, &report, headers, events)?;
    let progress = Progress::start(&report);
    let counts = check_counts.then(ErrorCounts::default);
    let (ended, written) = runtime.block_on(async {
        let mut signal = std::pin::pin!(signal);
        let ended = {
            // Dropped when all requests are done, so that the writer comes to its end.
            let sender = sender;
            let sync = Sync::new(
                &client,
                settings,
                &tree,
                bookmarks,
                &report,
                sender.clone(),
                counts.as_ref(),
            );
            tokio::select! {
                ended = sync.run() => ended.into(),
                // What waits for an answer or for a limit would not find out before it has one.
                () = sender.closed() => Ended::Stopped(Stop::Closed),
                name = &mut signal => Ended::Signal(name),
                never = log_counts_each_minute(&report) => match never {},
            }
        };
        let (mut ended, written) = wait_for_writer(ended, written, &mut signal).await?;
        if let Some(counts) = &counts
            && matches!((&ended, &written), (Ended::Complete, Some(Ok(()))))
        {
            tokio::select! {
                () = counts.compare(&client) => {}
                name = &mut signal => ended = Ended::Signal(name),
            }
        }
        Ok::<_, Error>((ended, written))
    })?;
    // A look-up of a name under way would hold the runtime's end, and so the tap's.
    runtime.shutdown_background();
    drop(progress);
    finish(&report, ended, written)
}

/// Starts the writer's thread; what is returned gets its result.
///
/// # Errors
/// When there is no thread for it.
fn start_writer<O: Output + Send + 'static>(
    destination: Destination<O>,
    bookmarks: &Bookmarks,
    report: &Arc<Report>,
    headers: Vec<StreamHeader>,
    events: EventReceiver,
) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
    let (done, written) = oneshot::channel();
    let writer = Writer::new(
        destination.output,
        bookmarks.clone(),
        Arc::clone(report),
        destination.state_interval,
    );
    writer_thread(move || {
        // After a signal nobody may wait for it any more.
        let _ = done.send(writer.run(&headers, events).map_err(destination.failed));
    })?;
    Ok(written)
}

/// Waits for the writer, which comes to its end unless nobody reads; after a signal only for [`DRAIN`].
async fn wait_for_writer(
    ended: Ended,
    mut written: oneshot::Receiver<Result<(), Error>>,
    signal: &mut (impl Future<Output = &'static str> + Unpin),
) -> Result<(Ended, Written), Error> {
    let failed = |_| Error::Unexpected("the writer failed".to_owned());
    let name = match ended {
        Ended::Signal(name) => name,
        ended => tokio::select! {
            result = &mut written => return Ok((ended, Some(result.map_err(failed)?))),
            name = signal => name,
        },
    };
    let written = tokio::time::timeout(DRAIN, written).await.ok();
    let written = written.transpose().map_err(failed)?;
    Ok((Ended::Signal(name), written))
}

/// Tells how the run went, and what its exit code is.
fn finish(report: &Report, ended: Ended, written: Written) -> Result<(), Error> {
    let complete = matches!((&ended, &written), (Ended::Complete, Some(Ok(()))))
        && report.gaps().is_empty()
        && report.missing().is_none();
    if written.is_some() {
        report.log_notes();
        report.log_totals(complete);
        summarize(report, complete);
    }
    written.transpose()?;
    match ended {
        Ended::Signal(signal) => Err(Error::Interrupted { signal }),
        Ended::Stopped(Stop::Error(error)) => Err(error),
        Ended::Stopped(Stop::Closed) => Err(Error::Unexpected("the writer ended early".to_owned())),
        Ended::Complete => match (report.gaps().as_slice(), report.missing()) {
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
async fn log_counts_each_minute(report: &Report) -> std::convert::Infallible {
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

/// A file that may not grow (`RLIMIT_FSIZE`) is a full disk, which is told, and no reason to be ended by SIGXFSZ.
fn outlive_limits() {
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    match signal(kind) {
        // The handler stays.
        Ok(_) => {}
        Err(error) => log::warn!("a limit on the size of files would end the program: {error}"),
    }
}
