//! The folder of `--output`: how a run and `--compact` open it.

use crate::cli::{Cli, OutputArgs};
use crate::destination::Destination;
use crate::error::Error;
use crate::settings::Settings;
use crate::singer::catalog::Selection;
use crate::singer::files::Files;
use crate::singer::message::StreamHeader;
use crate::singer::state::{self, Bookmarks};
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;
use tap_sentry_files::{self as files, Begin, Compression, Folder, Format, Source, Stream, Writer};
use tap_sentry_settings::file::{self, FileError};

/// The hosted service, and what the names of its regions end in.
const HOSTED: &str = "sentry.io";

/// Rows wait so long for their files' end, if there is progress to tell.
const INTERVAL: Duration = Duration::from_secs(60);

/// Opens the folder, if rows go to one. Lists that are read whole get a version there.
pub fn open(args: &OutputArgs, settings: &mut Settings) -> Result<Option<Folder>, Error> {
    let Some(path) = &args.output else {
        if settings.attachment_max_bytes.is_some() {
            log::warn!("attachment_max_bytes: attachments are downloaded with --output only");
        }
        return Ok(None);
    };
    let mut folder = Folder::open(path, args.format())?;
    folder.bind(source(settings))?;
    compress(args, &mut folder)?;
    if folder.manifest.format == Format::Parquet && settings.style.keep_unknown_fields {
        return Err(Error::Setup(
            "keep_unknown_fields: files of Parquet have the columns of the schema only; turn it off, or write another folder with --output-format jsonl"
                .to_owned(),
        ));
    }
    settings.attachments = settings.attachment_max_bytes.map(|_| folder.attachments());
    settings.style.version = Some(folder.next_table_version(settings.now));
    log::info!(
        "rows go to {} files below {}",
        folder.manifest.format,
        path.display()
    );
    Ok(Some(folder))
}

/// The state that a run goes on from. One that is missing or empty does not begin anew, as rows are there.
///
/// # Errors
/// When it cannot be read, or is none, with what to do.
pub fn state(path: &Path, remedy: &str) -> Result<Bookmarks, Error> {
    let named = |error: FileError| Error::Setup(format!("{error}; {remedy}"));
    let in_file = |problem: &dyn Display| Error::InFile {
        path: path.to_owned(),
        problem: format!("{problem}; {remedy}"),
    };
    let text = file::read(path).map_err(named)?;
    if text.trim().is_empty() {
        return Err(in_file(&"the state is empty"));
    }
    let value = state::parse(path, &text).map_err(named)?;
    Bookmarks::parse(value).map_err(|error| in_file(&error))
}

/// Where the rows of a run come from.
fn source(settings: &Settings) -> Source {
    let url = &settings.connection.base_url;
    Source {
        server: server(url.host_str().unwrap_or_default(), url.as_str()),
        organizations: settings.organizations.clone(),
    }
}

/// A server by its address. The regions of the hosted service have one space of slugs.
fn server(host: &str, url: &str) -> String {
    let region = host.strip_suffix(HOSTED);
    if region.is_some_and(|region| region.is_empty() || region.ends_with('.')) {
        return format!("https://{HOSTED}");
    }
    url.trim_end_matches('/')
        .trim_end_matches("/api/0")
        .to_owned()
}

/// New files are compressed as asked for, and later ones as these.
fn compress(args: &OutputArgs, folder: &mut Folder) -> Result<(), Error> {
    let Some(compression) = args.compression() else {
        return Ok(());
    };
    if folder.manifest.format == Format::Parquet && compression != Compression::None {
        return Err(Error::Setup(
            "--output-compression is for JSON lines: Parquet compresses by itself; leave it out, or write another folder with --output-format jsonl"
                .to_owned(),
        ));
    }
    folder.manifest.compression = compression;
    Ok(())
}

/// Files of the folder as the destination of a run of these streams.
///
/// # Errors
/// When the folder cannot be written to, or has columns of other types.
pub fn destination(
    folder: Folder,
    cli: &Cli,
    settings: &Settings,
    selection: &Selection,
) -> Result<Destination<Files>, Error> {
    let streams = selection.0.iter().map(|selected| {
        let StreamHeader { schema, version } = &selected.header;
        Stream {
            name: schema.stream.clone(),
            schema: schema.schema.clone(),
            key_properties: schema.key_properties.clone(),
            table_version: *version,
        }
    });
    let streams: Vec<_> = streams.collect();
    let begin = if cli.output.full_refresh {
        Begin::Refresh
    } else if cli.state.is_some() {
        Begin::Elsewhere
    } else {
        Begin::GoOn
    };
    let writer = Writer::begin(folder, &streams, begin)?;
    Ok(Destination {
        output: Files::new(writer),
        // Whoever wants to see each step sees it in files too.
        state_interval: if settings.state_interval.is_zero() {
            Duration::ZERO
        } else {
            INTERVAL
        },
        failed: Error::from,
    })
}

/// Merges the files of each stream.
pub fn compact(args: &OutputArgs) -> Result<(), Error> {
    let path = args.output.as_deref().expect("--compact requires --output");
    let mut folder = Folder::existing(path)?;
    compress(args, &mut folder)?;
    for stream in files::compact(&mut folder)? {
        let (before, after, rows) = (stream.files_before, stream.files_after, stream.rows_removed);
        if (before, rows) == (after, 0) {
            log::debug!(target: "compact", "{}: nothing to do", stream.stream);
        } else {
            log::info!(target: "compact", "{}: {before} files are {after} now, without {rows} rows that later ones have replaced or that are gone", stream.stream);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("sentry.io", "https://sentry.io/api/0/", "https://sentry.io")]
    #[case("de.sentry.io", "https://de.sentry.io/", "https://sentry.io")]
    #[case("notsentry.io", "https://notsentry.io/", "https://notsentry.io")]
    #[case(
        "sentry.io.evil",
        "https://sentry.io.evil/api/0",
        "https://sentry.io.evil"
    )]
    #[case(
        "localhost",
        "http://localhost:9000/sentry/api/0/",
        "http://localhost:9000/sentry"
    )]
    fn a_server_is_known_by_its_address(
        #[case] host: &str,
        #[case] url: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(server(host, url), expected);
    }
}
