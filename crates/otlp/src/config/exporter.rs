//! `exporters.sentry`: what is sent, how, and what waits to be.

use crate::config::destination::Destination;
use crate::config::exporter_keys::EXPORTER;
use crate::config::http::Http;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::delivery::budget::Sizer;
use crate::delivery::mode::Wanted;
use crate::delivery::retry::Retry;
use crate::privacy::{Privacy, pattern};
use crate::terms::Terms;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use wildmatch::WildMatch;

/// What the collector calls an exporter.
#[derive(Debug, Clone)]
pub struct Exporter {
    /// `sentry` or `sentry/NAME`.
    pub name: String,
    pub destination: Destination,
    pub http: Http,
    pub mode: Wanted,
    pub terms: Terms,
    pub privacy: Privacy,
    /// With transactions: how long spans of a trace are waited for.
    pub trace_timeout: Duration,
    pub queue: Queue,
    pub retry: Retry,
    pub spool: Option<Spool>,
}

/// What waits in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    pub sizer: Sizer,
    /// Counted as `sizer` says.
    pub size: u64,
    /// Requests to Sentry at the same time.
    pub consumers: usize,
}

/// What waits on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    pub folder: PathBuf,
    /// Bytes.
    pub size: u64,
}

impl Exporter {
    /// Reads the exporter that stands at `exporters.NAME`.
    pub fn read(name: &str, value: Value, report: &mut Report<'_>) -> Self {
        let place = format!("exporters.{name}");
        let mut section = Section::new(&place, value, EXPORTER, report);
        let http = Http::read(&mut section);
        let destination = Destination::read(&mut section, &http);
        let trace_timeout = section.duration("trace_timeout").unwrap_or_default();
        if trace_timeout.is_zero() {
            section.problem(
                "trace_timeout",
                "must be more than 0, or no trace would be whole",
            );
        }
        let spool_size = section.bytes("spool_size");
        let spool = section.path("spool").map(|folder| Spool {
            folder,
            size: spool_size,
        });
        if spool.is_none() && section.has("spool_size") {
            section.warning("spool_size", "means nothing without `spool`");
        }
        Self {
            name: name.to_owned(),
            destination,
            mode: match section.word("mode") {
                Some("otlp") => Wanted::Otlp,
                Some("transactions") => Wanted::Transactions,
                _ => Wanted::Auto,
            },
            terms: read_terms(&mut section),
            privacy: Privacy {
                drop: read_patterns(&mut section, "drop_attributes"),
                mask: read_patterns(&mut section, "mask_attributes"),
            },
            trace_timeout,
            queue: read_queue(&mut section.below("sending_queue"), spool.is_some()),
            retry: read_retry(&mut section.below("retry_on_failure")),
            spool,
            http,
        }
    }
}

fn read_terms(section: &mut Section<'_, '_>) -> Terms {
    let environment = section.text("environment");
    if environment
        .as_deref()
        .is_some_and(|text| !is_environment(text))
    {
        section.problem(
            "environment",
            "is none that Sentry takes: at most 64 characters, no slash, no line break, and not `none`",
        );
    }
    let release_from = section.texts("release_from");
    if release_from.iter().any(String::is_empty) {
        section.problem("release_from", "must be names of attributes");
    }
    Terms {
        environment,
        release_from,
        sample_rate: section.number("sample_rate"),
    }
}

/// Sentry stores another one as null.
fn is_environment(text: &str) -> bool {
    let no_character = |letter: char| letter == '/' || letter.is_control();
    text.chars().count() <= 64 && !text.contains(no_character) && !text.eq_ignore_ascii_case("none")
}

fn read_patterns(section: &mut Section<'_, '_>, name: &'static str) -> Vec<WildMatch> {
    let texts = section.texts(name);
    let is_pattern = |text: &String| {
        let strange = |letter: char| letter.is_whitespace() || "[]{}!".contains(letter);
        !text.is_empty() && !text.contains(strange)
    };
    if !texts.iter().all(is_pattern) {
        section.problem(
            name,
            "must be names of attributes, in which `*` stands for any characters and `?` for one; there are no other wildcards",
        );
    }
    texts.iter().map(|text| pattern(text)).collect()
}

fn read_queue(section: &mut Section<'_, '_>, has_spool: bool) -> Queue {
    let sizer = match section.word("sizer") {
        Some("items") => Sizer::Items,
        Some("bytes") => Sizer::Bytes,
        _ => Sizer::Requests,
    };
    if sizer != Sizer::Requests && !section.has("queue_size") {
        let text = "is required with this `sizer`: its default counts requests";
        section.problem("queue_size", text);
    }
    if !section.switch("enabled") {
        section.warning(
            "enabled",
            "is passed over: what was acknowledged always waits in a queue until it is sent",
        );
    }
    if section.text("storage").is_some() && !has_spool {
        section.problem(
            "storage",
            "names an extension of the collector, which is not here: name a folder as `spool` beside `dsn` instead",
        );
    }
    section.below("batch");
    let consumers = section.whole("num_consumers").unwrap_or_default();
    Queue {
        sizer,
        size: section.whole("queue_size").unwrap_or_default(),
        consumers: usize::try_from(consumers).unwrap_or(usize::MAX),
    }
}

fn read_retry(section: &mut Section<'_, '_>) -> Retry {
    let mut interval = |name| {
        let interval = section.duration(name).unwrap_or_default();
        if interval.is_zero() {
            section.problem(
                name,
                "must be more than 0, or Sentry would be asked without a pause",
            );
        }
        interval
    };
    let (initial, most) = (interval("initial_interval"), interval("max_interval"));
    let most_elapsed = section.duration("max_elapsed_time");
    Retry {
        enabled: section.switch("enabled"),
        initial,
        most,
        multiplier: section.number("multiplier"),
        randomization: section.number("randomization_factor"),
        most_elapsed: most_elapsed.filter(|time| !time.is_zero()),
    }
}
