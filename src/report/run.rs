//! What happened in a run: counted as it happens, told at its end.

use crate::record::notes::Notes;
use crate::report::metrics::{point, tell_request};
use crate::report::terminal::human;
use crate::singer::state::Partition;
use crate::streams::StreamDef;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tap_sentry_api::traffic::{Requests, Traffic};
use tap_sentry_api::window::Window;

/// The counts of one stream.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    pub records: u64,
    /// Those of its endpoint.
    pub requests: Requests,
    pub gaps: u64,
    /// Rows that no later run can read; see [`Skip`].
    pub skipped: u64,
    pub notes: Notes,
    /// Where the next run starts: the least of the run's partitions.
    pub bookmark: Option<String>,
    /// Spans of time to be walked and those finished, over all partitions. Seconds.
    pub planned: i64,
    pub finished: i64,
    /// The end of the latest finished window of any partition.
    pub reached: Option<DateTime<Utc>>,
    /// Records and requests already told by a metric point.
    told: (u64, u64),
}

/// Something that could not be extracted, and the progress that is therefore withheld.
#[derive(Debug, Clone)]
pub struct Gap {
    /// The stream that failed, and those below it.
    pub streams: Vec<&'static str>,
    pub partition: Partition,
    pub reason: String,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} of {}: {}",
            self.streams.join(", "),
            self.partition,
            self.reason
        )
    }
}

/// Streams that the server or the plan lacks: nothing is missing, as far as anybody knows.
#[derive(Debug, Clone)]
pub struct Lacking {
    /// The stream that is lacking, and those below it.
    pub streams: Vec<&'static str>,
    pub organization: String,
    pub reason: String,
}

/// One row that no later run can read either, because of what the server says of it: the stream has no record of it,
/// and no bookmark waits for it.
#[derive(Debug, Clone)]
pub struct Skip {
    pub stream: &'static str,
    /// Where it is and what identifies it.
    pub row: String,
    pub reason: String,
    /// The run is incomplete by it: something that should have been there is missing.
    pub missing: bool,
}

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {} is skipped: {}",
            self.stream, self.row, self.reason
        )
    }
}

/// The rows that were skipped though they should have been there.
#[derive(Debug, Clone)]
pub struct Missing {
    pub rows: usize,
    pub first: String,
}

/// Lists of many projects at once that proved nothing.
#[derive(Debug)]
struct Fallbacks {
    groups: usize,
    projects: usize,
    /// The first reason.
    first: String,
}

#[derive(Debug)]
pub struct Report {
    traffic: Arc<Traffic>,
    started: Instant,
    counts: Mutex<BTreeMap<&'static str, Counts>>,
    gaps: Mutex<Vec<Gap>>,
    missing: Mutex<Option<Missing>>,
    fallbacks: Mutex<BTreeMap<&'static str, Fallbacks>>,
}

impl Default for Report {
    fn default() -> Self {
        Self::new(Arc::new(Traffic::observed(tell_request)))
    }
}

impl Report {
    fn new(traffic: Arc<Traffic>) -> Self {
        Self {
            traffic,
            started: Instant::now(),
            counts: Mutex::default(),
            gaps: Mutex::default(),
            missing: Mutex::default(),
            fallbacks: Mutex::default(),
        }
    }
}

impl Report {
    /// The requests, to be counted by whoever sends them.
    pub fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    fn with(&self, stream: &'static str, change: impl FnOnce(&mut Counts)) {
        change(self.counts.lock().entry(stream).or_default());
    }

    /// Tells the records written and the requests made since the last call.
    pub fn log_counts(&self) {
        for (stream, metric, new, tags) in self.new_counts() {
            point(
                log::Level::Info,
                stream,
                "counter",
                metric,
                &json!(new),
                tags,
            );
        }
    }

    /// Stream, metric, its increase since the last call, and tags, where there is an increase.
    fn new_counts(&self) -> Vec<(&'static str, &'static str, u64, Value)> {
        let traffic = self.traffic.requests();
        let mut counts = self.counts.lock();
        for name in traffic.keys() {
            counts.entry(name).or_default();
        }
        let mut points = Vec::new();
        for (stream, counts) in counts.iter_mut() {
            let ended = traffic.get(stream).map_or(0, |requests| requests.ended);
            let (records, requests) = std::mem::replace(&mut counts.told, (counts.records, ended));
            let endpoint = crate::streams::find(stream).map(|def| def.endpoint.path);
            points.push((
                *stream,
                "record_count",
                counts.records - records,
                json!({"stream": stream}),
            ));
            points.push((
                *stream,
                "http_request_count",
                ended - requests,
                json!({"stream": stream, "endpoint": endpoint}),
            ));
        }
        points.retain(|(_, _, new, _)| *new > 0);
        points
    }

    /// The points of the end of a run.
    pub fn log_totals(&self, complete: bool) {
        self.log_counts();
        let outcome = |failed: bool| if failed { "failed" } else { "succeeded" };
        for (stream, counts) in self.counts() {
            if counts.skipped > 0 {
                point(
                    log::Level::Info,
                    stream,
                    "counter",
                    "skipped_record_count",
                    &json!(counts.skipped),
                    json!({"stream": stream}),
                );
            }
            if let Some(duration) = counts.requests.duration() {
                let tags =
                    json!({"stream": stream, "context": {}, "status": outcome(counts.gaps > 0)});
                point(
                    log::Level::Info,
                    stream,
                    "timer",
                    "sync_duration",
                    &json!(duration.as_secs_f64()),
                    tags,
                );
            }
        }
        let took = json!(self.started.elapsed().as_secs_f64());
        point(
            log::Level::Info,
            "tap_sentry",
            "timer",
            "job_duration",
            &took,
            json!({"status": outcome(!complete)}),
        );
    }

    pub fn planned(&self, stream: &StreamDef, window: Window) {
        self.with(stream.name(), |counts| {
            counts.planned += window.length().num_seconds();
        });
    }

    pub fn finished(&self, stream: &StreamDef, window: Window) {
        self.with(stream.name(), |counts| {
            counts.finished += window.length().num_seconds();
            counts.reached = counts.reached.max(Some(window.end));
        });
    }

    pub fn bookmark(&self, stream: &'static str, start: String) {
        self.with(stream, |counts| counts.bookmark = Some(start));
    }

    pub fn written(&self, stream: &StreamDef, records: u64, notes: Notes) {
        self.with(stream.name(), |counts| {
            counts.records += records;
            counts.notes.merge(notes);
        });
    }

    /// A list of so many projects at once proved nothing: they were asked for one by one.
    pub fn fell_back(&self, stream: &StreamDef, projects: usize, reason: String) {
        let mut fallbacks = self.fallbacks.lock();
        let fallbacks = fallbacks.entry(stream.name()).or_insert_with(|| Fallbacks {
            groups: 0,
            projects: 0,
            first: reason,
        });
        fallbacks.groups += 1;
        fallbacks.projects += projects;
    }

    pub fn gap(&self, gap: Gap) {
        self.with(gap.streams[0], |counts| counts.gaps += 1);
        self.gaps.lock().push(gap);
    }

    pub fn skip(&self, skip: &Skip) {
        self.with(skip.stream, |counts| counts.skipped += 1);
        if skip.missing {
            self.missing
                .lock()
                .get_or_insert_with(|| Missing {
                    rows: 0,
                    first: skip.to_string(),
                })
                .rows += 1;
        }
    }

    /// Rows that make the run incomplete although no later run will bring them.
    pub fn missing(&self) -> Option<Missing> {
        self.missing.lock().clone()
    }

    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps.lock().clone()
    }

    /// By the names of streams and of endpoints that are asked for none.
    pub fn counts(&self) -> BTreeMap<&'static str, Counts> {
        let mut counts = self.counts.lock().clone();
        for (name, requests) in self.traffic.requests() {
            counts.entry(name).or_default().requests = requests;
        }
        counts
    }

    /// What was changed or left out, once a stream.
    pub fn log_notes(&self) {
        for (stream, Counts { notes, .. }) in self.counts() {
            let list = |map: &BTreeMap<String, u64>| {
                map.iter()
                    .map(|(name, n)| format!("{name} ({n})"))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            if !notes.unknown.is_empty() {
                let names = notes
                    .unknown
                    .keys()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(", ");
                log::warn!(target: stream, "fields of `{stream}` that are not in the schema were left out: {names}");
            }
            if !notes.converted.is_empty() {
                log::debug!(target: stream, "values of `{stream}` converted to the type of their column: {}", list(&notes.converted));
            }
            if !notes.nulled.is_empty() {
                log::warn!(target: stream, "values of `{stream}` that do not fit their column became null: {}", list(&notes.nulled));
            }
            if !notes.repaired.is_empty() {
                log::warn!(target: stream, "NUL or surrogate characters, numbers beyond 64 bits or nesting that is too deep in `{stream}` were replaced: {}", list(&notes.repaired));
            }
        }
    }

    /// The table at the end of a run, what is missing, and how it ended. On a terminal of `width` columns those that it
    /// has no room for are left out.
    pub fn summary(&self, complete: bool, width: Option<usize>) -> String {
        let counts = self.counts();
        let heads = [
            "stream",
            "records",
            "requests",
            "MiB",
            "retries",
            "waited",
            "gaps",
            "skipped",
            "next start",
        ];
        let rows: Vec<[String; 9]> = std::iter::once(heads.map(str::to_owned))
            .chain(crate::streams::all().filter_map(|def| {
                let c = counts.get(def.name())?;
                #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
                let mib = c.requests.bytes as f64 / f64::from(1 << 20);
                let waited = format!("{:.1} s", c.requests.waited.as_secs_f64());
                Some([
                    def.name().to_owned(),
                    c.records.to_string(),
                    c.requests.ended.to_string(),
                    format!("{mib:.1}"),
                    c.requests.retries.to_string(),
                    waited,
                    c.gaps.to_string(),
                    c.skipped.to_string(),
                    c.bookmark.clone().unwrap_or_else(|| "-".to_owned()),
                ])
            }))
            .collect();
        let broad: Vec<usize> = (0..heads.len())
            .map(|i| rows.iter().map(|row| row[i].len()).max().unwrap_or(0))
            .collect();
        let mut columns: Vec<usize> = (0..heads.len()).collect();
        for spare in SPARE {
            let needed: usize = columns.iter().map(|i| broad[*i] + GAP.len()).sum();
            if width.is_none_or(|width| needed - GAP.len() <= width) {
                break;
            }
            columns.retain(|i| heads[*i] != spare);
        }
        let mut lines: Vec<String> = Vec::new();
        for row in &rows {
            let cell = |i: &usize| {
                if *i == 0 {
                    format!("{:<1$}", row[*i], broad[*i])
                } else {
                    format!("{:>1$}", row[*i], broad[*i])
                }
            };
            lines.push(
                columns
                    .iter()
                    .map(cell)
                    .collect::<Vec<_>>()
                    .join(GAP)
                    .trim_end()
                    .to_owned(),
            );
        }
        let gaps = self.gaps();
        lines.extend(gaps.iter().map(|gap| format!("missing: {gap}")));
        lines.extend(self.fallbacks.lock().iter().map(|(stream, fallbacks)| {
            let Fallbacks {
                groups,
                projects,
                first,
            } = fallbacks;
            let groups = format!("{groups} group{}", if *groups == 1 { "" } else { "s" });
            format!("{stream}: {projects} projects in {groups} were asked for one by one: {first}")
        }));
        let records: u64 = counts.values().map(|counts| counts.records).sum();
        lines.push(format!(
            "{}: {records} record{} in {}",
            if complete { "complete" } else { "incomplete" },
            if records == 1 { "" } else { "s" },
            human(self.started.elapsed().as_secs_f64())
        ));
        let cut = |line: &String| {
            width.map_or_else(
                || line.clone(),
                |width| console::truncate_str(line, width, "…").into_owned(),
            )
        };
        lines.iter().map(|line| cut(line) + "\n").collect()
    }
}

/// The columns of the summary that a narrow terminal does without, the first to go first.
const SPARE: [&str; 6] = [
    "MiB",
    "retries",
    "waited",
    "requests",
    "next start",
    "skipped",
];
/// Between two columns.
const GAP: &str = "  ";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::find;
    use rstest::rstest;
    use std::time::Duration;
    use tap_sentry_api::traffic::Finished;

    fn summary(complete: bool, width: Option<usize>) -> String {
        let report = Report::default();
        let stream = find("project_detail").expect("a stream");
        report.written(stream, 1_234_567, Notes::default());
        report.bookmark("issues", "2026-01-01T00:00:00Z".to_owned());
        let partition = Partition(vec![("organization_slug", "acme".to_owned())]);
        report.gap(Gap {
            streams: vec!["issues", "events"],
            partition,
            reason: "an answer as long as a novel ".repeat(9),
        });
        report.summary(complete, width)
    }

    #[rstest]
    #[case::of_any_width(
        None,
        "stream          records  requests  MiB  retries  waited  gaps  skipped            next start"
    )]
    #[case::wide(
        Some(120),
        "stream          records  requests  MiB  retries  waited  gaps  skipped            next start"
    )]
    #[case::as_wide_as_the_table(
        Some(92),
        "stream          records  requests  MiB  retries  waited  gaps  skipped            next start"
    )]
    #[case::usual(
        Some(80),
        "stream          records  requests  waited  gaps  skipped            next start"
    )]
    #[case::narrow(
        Some(62),
        "stream          records  gaps  skipped            next start"
    )]
    #[case::very_narrow(Some(40), "stream          records  gaps  skipped")]
    #[case::a_phone(Some(30), "stream          records  gaps")]
    #[case::a_strip(Some(9), "stream  …")]
    fn the_summary_fits_the_terminal(#[case] width: Option<usize>, #[case] head: &str) {
        let summary = summary(false, width);
        assert_eq!(summary.lines().next(), Some(head), "{summary}");
        let widest = summary.lines().map(console::measure_text_width).max();
        assert!(width.is_none_or(|width| widest <= Some(width)), "{summary}");
        assert_eq!(
            summary.contains(&"an answer as long as a novel ".repeat(9)),
            width.is_none()
        );
    }

    #[test]
    fn counters_tell_what_is_new() {
        let report = Report::default();
        let stream = find("teams").expect("a stream");
        let new = || {
            report
                .new_counts()
                .into_iter()
                .map(|(_, metric, new, _)| (metric, new))
                .collect::<Vec<_>>()
        };
        report.written(stream, 2, Notes::default());
        report.traffic.finished(&Finished {
            endpoint: &stream.endpoint,
            organization: None,
            elapsed: Duration::ZERO,
            status: Some(200),
            bytes: 10,
            remaining: None,
        });
        assert_eq!(new(), [("record_count", 2), ("http_request_count", 1)]);
        assert_eq!(new(), []);
        report.written(stream, 3, Notes::default());
        assert_eq!(new(), [("record_count", 3)]);
    }

    #[test]
    fn the_last_line_tells_how_the_run_ended() {
        assert!(summary(true, None).ends_with("\ncomplete: 1234567 records in 0.0 s\n"));
        assert!(summary(false, Some(80)).ends_with("\nincomplete: 1234567 records in 0.0 s\n"));
    }
}
