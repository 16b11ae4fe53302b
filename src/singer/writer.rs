//! The one owner of the outgoing state: records and states go out in one order.
//!
//! Events come in order through one bounded channel. A checkpoint stands behind the records that it covers, so
//! writing in order is all that keeps STATE true.

use crate::record::lines::{Batch, Content};
use crate::report::run::Report;
use crate::singer::message::StreamHeader;
use crate::singer::output::Output;
use crate::singer::pace::Pace;
use crate::singer::queue::{Event, EventReceiver};
use crate::singer::state::{Bookmarks, Checkpoint, Partition};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tap_sentry_api::params::Params;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::Instant;

/// Records of this run, by identity. Two generations of bounded size: a repetition within the last 50,000 records
/// is always seen, memory stays flat, and what is forgotten is at worst written twice.
#[derive(Debug, Default)]
struct Written {
    young: FxHashMap<u128, Version>,
    old: FxHashMap<u128, Version>,
    /// What times are told from.
    first: Option<Instant>,
}

/// What was written of a record. There are many: it is small.
#[derive(Debug, Clone, Copy)]
struct Version {
    /// A digest, or the bits of what is written once.
    content: u64,
    /// When it was asked for, in nanoseconds since the first was.
    sent: i64,
}

impl Written {
    const GENERATION: usize = 50_000;

    /// Whether the record is new, or differs from the one written before and is no older: answers overtake one another.
    /// `sent` is as [`Self::nanoseconds`] has it.
    fn admits(&mut self, key: u128, content: Content, sent: i64) -> bool {
        let known = self.young.get(&key).or_else(|| self.old.get(&key));
        let content = match (content, known) {
            (Content::Digest(content), Some(known))
                if known.content == content || sent < known.sent =>
            {
                return false;
            }
            (Content::Digest(content), _) => content,
            (Content::Once(bit), Some(known)) if known.content & bit != 0 => return false,
            (Content::Once(bit), known) => known.map_or(0, |known| known.content) | bit,
        };
        if self.young.len() >= Self::GENERATION {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        // All at once: a table that grows leaves holes in memory. What is not used of it takes none.
        if self.young.capacity() == 0 {
            self.young.reserve(Self::GENERATION);
        }
        self.young.insert(key, Version { content, sent });
        true
    }

    /// Nanoseconds since the first was asked for.
    fn nanoseconds(&mut self, sent: Instant) -> i64 {
        let first = *self.first.get_or_insert(sent);
        let since = |from: Instant, to: Instant| {
            i64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(i64::MAX)
        };
        since(first, sent) - since(sent, first)
    }
}

/// Turns events into messages.
pub struct Writer<O: Output> {
    out: O,
    bookmarks: Bookmarks,
    report: Arc<Report>,
    written: Written,
    withheld: Vec<(&'static str, Partition)>,
    /// Streams that have no record of a row which the server has.
    skipped: Vec<&'static str>,
    /// The bookmarks have moved since the last STATE.
    dirty: bool,
    /// The last message was a STATE.
    told: bool,
    pace: Pace,
}

impl<O: Output> Writer<O> {
    /// `interval` is the least time between two STATE messages; zero: one whenever records follow a checkpoint.
    pub fn new(out: O, bookmarks: Bookmarks, report: Arc<Report>, interval: Duration) -> Self {
        let pace = Pace::new(interval, Instant::now(), bookmarks.size());
        Self {
            pace,
            out,
            bookmarks,
            report,
            written: Written::default(),
            withheld: Vec::new(),
            skipped: Vec::new(),
            dirty: false,
            told: false,
        }
    }

    /// Writes until the last sender is gone, then a last STATE.
    ///
    /// # Errors
    /// When the output cannot be written to.
    pub fn run(
        mut self,
        streams: &[StreamHeader],
        mut events: EventReceiver,
    ) -> Result<(), O::Error> {
        self.out.begin(streams)?;
        loop {
            let event = match events.take() {
                Ok(event) => event,
                Err(TryRecvError::Disconnected) => break,
                // Nothing to do: what is buffered should not wait for the next answer.
                Err(TryRecvError::Empty) => {
                    self.state_if_due()?;
                    self.out.flush()?;
                    if !self.dirty {
                        events.wait();
                    } else if !events.wait_for(self.pace.patience(Instant::now())) {
                        self.state()?;
                    }
                    continue;
                }
            };
            match event {
                Event::Records(batch, memory) => {
                    // Checkpoints that follow one another make one STATE.
                    self.state_if_due()?;
                    self.records(&batch)?;
                    drop(memory);
                }
                Event::Now(now) => {
                    self.bookmarks.set_back(now);
                    self.dirty = true;
                }
                Event::Plan(stream, partitions) => self.bookmarks.plan(stream, partitions),
                Event::Checkpoints(checkpoints) => {
                    for checkpoint in checkpoints {
                        if !self.is_withheld(&checkpoint) && self.bookmarks.apply(&checkpoint) {
                            self.dirty = true;
                            if let Some(start) = self.bookmarks.least(checkpoint.stream) {
                                self.report.bookmark(checkpoint.stream, start.to_owned());
                            }
                        }
                    }
                }
                Event::Done => self.activate(streams)?,
                Event::Gap(gap) => {
                    log::error!(target: gap.streams[0], "{} could not be extracted: {}", gap.partition, gap.reason);
                    self.withheld.extend(
                        gap.streams
                            .iter()
                            .map(|stream| (*stream, gap.partition.clone())),
                    );
                    self.report.gap(gap);
                }
                Event::Lacking(lacking) => {
                    let (streams, organization) = (&lacking.streams, &lacking.organization);
                    log::warn!(target: streams[0], "{} of {organization} is unavailable: {}", streams.join(", "), lacking.reason);
                    let whole = Partition::of(&Params::organization(organization));
                    self.withheld
                        .extend(streams.iter().map(|stream| (*stream, whole.clone())));
                }
                Event::Skip(skip) => {
                    log::warn!(target: skip.stream, "{} is skipped: {}", skip.row, skip.reason);
                    self.skipped.push(skip.stream);
                    self.report.skip(&skip);
                }
            }
        }
        if self.dirty || !self.told {
            self.state()?;
        }
        self.out.end()
    }

    /// Tells which streams are whole: never one that has a gap or lacks a row, since there may be an earlier version of it.
    fn activate(&mut self, streams: &[StreamHeader]) -> Result<(), O::Error> {
        for header in streams {
            let whole = !self
                .withheld
                .iter()
                .map(|(stream, _)| stream)
                .chain(&self.skipped)
                .any(|stream| *stream == header.schema.stream);
            if whole && self.out.whole(header)? {
                self.told = false;
            }
        }
        Ok(())
    }

    fn records(&mut self, batch: &Batch) -> Result<(), O::Error> {
        let (mut records, mut counted, mut from, mut start) = (0, 0, 0, 0);
        let sent = self.written.nanoseconds(batch.sent);
        for row in &batch.rows {
            if self.written.admits(row.key, row.content, sent) {
                records += u64::from(row.records);
                counted += u64::from(row.counted);
            } else {
                self.out.records(batch, from, start)?;
                from = row.end;
            }
            start = row.end;
        }
        self.out.records(batch, from, start)?;
        self.told = false;
        if let Some(count) = &batch.count {
            count.fetch_add(counted, Ordering::Relaxed);
        }
        self.report
            .written(batch.stream, records, batch.notes.clone());
        Ok(())
    }

    /// Tells what is new, if it is time to.
    fn state_if_due(&mut self) -> Result<(), O::Error> {
        if self.dirty && self.pace.is_due(Instant::now()) {
            self.state()
        } else {
            Ok(())
        }
    }

    fn state(&mut self) -> Result<(), O::Error> {
        let bytes = self.out.state(self.bookmarks.to_value())?;
        self.pace.written(Instant::now(), bytes);
        (self.dirty, self.told) = (false, true);
        Ok(())
    }

    /// A gap of a partition or of one that contains it holds the bookmark back for the rest of the run.
    fn is_withheld(&self, checkpoint: &Checkpoint) -> bool {
        self.withheld.iter().any(|(stream, partition)| {
            *stream == checkpoint.stream && checkpoint.partition.0.starts_with(&partition.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::lines::Row;
    use crate::report::run::Gap;
    use crate::singer::message::SchemaMessage;
    use crate::singer::output::Pipe;
    use crate::singer::queue::{QUEUE, event_queue};
    use crate::streams::find;
    use serde_json::{Value, json};
    use std::io::{self, Write};
    use tap_sentry_api::time::parse_instant;

    fn header(stream: &str, version: Option<i64>) -> StreamHeader {
        let schema = SchemaMessage {
            stream: stream.to_owned(),
            schema: json!({}),
            key_properties: vec!["id".to_owned()],
            bookmark_properties: None,
        };
        StreamHeader { schema, version }
    }

    /// Records of `(key, content)`.
    fn records_at(stream: &str, sent: Instant, rows: &[(u128, u64)]) -> Event {
        let mut batch = Batch::new(find(stream).expect("a stream"), sent);
        for (key, content) in rows {
            batch.lines.text(&[]).extend_from_slice(
                format!("{{\"type\":\"RECORD\",\"stream\":\"{stream}\",\"record\":{{\"id\":\"{key}.{content}\"}}}}\n").as_bytes(),
            );
            batch.rows.push(Row {
                end: batch.lines.mark(&[]),
                key: *key,
                content: Content::Digest(*content),
                records: 1,
                counted: false,
            });
        }
        Event::Records(Box::new(batch), None)
    }

    fn records(stream: &str, rows: &[(u128, u64)]) -> Event {
        records_at(stream, Instant::now(), rows)
    }

    fn partition(parts: &[&str]) -> Partition {
        Partition(
            ["organization_slug", "project_id"]
                .into_iter()
                .zip(parts.iter().map(ToString::to_string))
                .collect(),
        )
    }

    fn checkpoint(stream: &'static str, project: &str, start: &str) -> Event {
        let start = parse_instant(start).expect("an instant");
        Event::Checkpoints(vec![Checkpoint {
            stream,
            partition: partition(&["acme", project]),
            start,
        }])
    }

    fn gap(streams: &[&'static str], parts: &[&str]) -> Event {
        Event::Gap(Gap {
            streams: streams.to_vec(),
            partition: partition(parts),
            reason: "no".to_owned(),
        })
    }

    /// What is printed for these events, a message a line.
    fn written_after(state: Bookmarks, streams: &[StreamHeader], events: Vec<Event>) -> Vec<Value> {
        written_at(Duration::ZERO, state, streams, events)
    }

    fn written_at(
        interval: Duration,
        state: Bookmarks,
        streams: &[StreamHeader],
        events: Vec<Event>,
    ) -> Vec<Value> {
        assert!(
            events.len() <= QUEUE,
            "all are queued before the writer starts, so that a test is the same each time"
        );
        let (sender, receiver) = event_queue();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            for event in events {
                sender.send(event).await.expect("the receiver is there");
            }
        });
        drop(sender);
        let mut out = Vec::new();
        Writer::new(
            Pipe::new(&mut out),
            state,
            Arc::new(Report::default()),
            interval,
        )
        .run(streams, receiver)
        .expect("memory can be written to");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.ends_with('\n'));
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    fn written(streams: &[&str], events: Vec<Event>) -> Vec<Value> {
        let streams: Vec<_> = streams.iter().map(|name| header(name, None)).collect();
        written_after(Bookmarks::default(), &streams, events)
    }

    /// The types of the messages, records by their id.
    fn outline(messages: &[Value]) -> Vec<String> {
        let one = |message: &Value| match message["type"].as_str().expect("a type") {
            "RECORD" => message["record"]["id"].as_str().expect("an id").to_owned(),
            "ACTIVATE_VERSION" => {
                format!("ACTIVATE {}", message["stream"].as_str().expect("a stream"))
            }
            kind => kind.to_owned(),
        };
        messages.iter().map(one).collect()
    }

    fn starts(messages: &[Value], stream: &str) -> Vec<(String, String)> {
        let state = &messages.last().expect("a STATE")["value"]["bookmarks"][stream]["partitions"];
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        state
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| (text(&one["context"]["project_id"]), text(&one["start"])))
            .collect()
    }

    #[test]
    fn schemas_come_first_and_the_state_last() {
        assert_eq!(
            outline(&written(&["issues", "events"], vec![Event::Done])),
            ["SCHEMA", "SCHEMA", "STATE"]
        );
        assert_eq!(
            outline(&written(
                &["teams"],
                vec![records("teams", &[(1, 1), (2, 1)]), Event::Done]
            )),
            ["SCHEMA", "1.1", "2.1", "STATE"]
        );
    }

    #[test]
    fn a_state_stands_behind_the_records_that_it_covers() {
        let messages = written(
            &["issues"],
            vec![
                records("issues", &[(1, 1)]),
                checkpoint("issues", "2", "2026-01-01"),
                records("issues", &[(2, 1)]),
                records("issues", &[(3, 1)]),
                checkpoint("issues", "2", "2026-01-02"),
                Event::Done,
            ],
        );
        assert_eq!(
            outline(&messages),
            ["SCHEMA", "1.1", "STATE", "2.1", "3.1", "STATE"]
        );
        assert_eq!(
            messages[2]["value"]["bookmarks"]["issues"]["partitions"][0]["start"],
            "2026-01-01T00:00:00Z"
        );
        assert_eq!(
            starts(&messages, "issues"),
            [("2".to_owned(), "2026-01-02T00:00:00Z".to_owned())]
        );
    }

    #[test]
    fn what_is_not_due_yet_is_told_at_the_end_however_the_run_ends() {
        let events = || {
            vec![
                records("issues", &[(1, 1)]),
                checkpoint("issues", "2", "2026-01-01"),
                records("issues", &[(2, 1)]),
            ]
        };
        for events in [
            events(),
            events().into_iter().chain([Event::Done]).collect(),
        ] {
            let messages = written_at(
                Duration::from_secs(60),
                Bookmarks::default(),
                &[header("issues", None)],
                events,
            );
            assert_eq!(outline(&messages), ["SCHEMA", "1.1", "2.1", "STATE"]);
            assert_eq!(
                starts(&messages, "issues"),
                [("2".to_owned(), "2026-01-01T00:00:00Z".to_owned())]
            );
        }
    }

    #[test]
    fn a_state_that_was_told_last_is_not_told_again() {
        let events = vec![
            records("issues", &[(1, 1)]),
            checkpoint("issues", "2", "2026-01-01"),
            records("issues", &[]),
            Event::Done,
        ];
        assert_eq!(
            outline(&written(&["issues"], events))
                .iter()
                .filter(|line| *line == "STATE")
                .count(),
            2
        );
        let (sender, receiver) = event_queue();
        drop(sender);
        let mut out = Vec::new();
        let mut writer = Writer::new(
            Pipe::new(&mut out),
            Bookmarks::default(),
            Arc::new(Report::default()),
            Duration::ZERO,
        );
        writer.told = true;
        writer.run(&[], receiver).expect("memory can be written to");
        assert_eq!(out, b"");
    }

    #[test]
    fn checkpoints_in_a_row_make_one_state() {
        let several = ["2", "3", "4"].map(|project| checkpoint("issues", project, "2026-01-01"));
        let events = [records("issues", &[(1, 1)])]
            .into_iter()
            .chain(several)
            .chain([records("issues", &[(2, 1)]), Event::Done])
            .collect();
        let messages = written(&["issues"], events);
        assert_eq!(
            outline(&messages),
            ["SCHEMA", "1.1", "STATE", "2.1", "STATE"]
        );
        assert_eq!(
            messages[2]["value"]["bookmarks"]["issues"]["partitions"]
                .as_array()
                .map(Vec::len),
            Some(3)
        );
    }

    #[test]
    fn a_checkpoint_that_moves_nothing_makes_no_state() {
        let again = || checkpoint("issues", "2", "2026-01-02");
        let messages = written(
            &["issues"],
            vec![
                again(),
                records("issues", &[(1, 1)]),
                again(),
                checkpoint("issues", "2", "2026-01-01"),
                records("issues", &[(2, 1)]),
            ],
        );
        assert_eq!(
            outline(&messages),
            ["SCHEMA", "STATE", "1.1", "2.1", "STATE"]
        );
        assert_eq!(
            starts(&messages, "issues"),
            [("2".to_owned(), "2026-01-02T00:00:00Z".to_owned())]
        );
    }

    #[test]
    fn a_gap_withholds_its_partition_and_no_other() {
        let messages = written(
            &["issues", "events"],
            vec![
                checkpoint("issues", "2", "2026-01-01"),
                gap(&["issues", "events"], &["acme", "2"]),
                checkpoint("issues", "2", "2026-01-09"),
                checkpoint("events", "2", "2026-01-09"),
                checkpoint("issues", "3", "2026-01-09"),
                Event::Done,
            ],
        );
        let at =
            |project: &str, day: &str| (project.to_owned(), format!("2026-01-{day}T00:00:00Z"));
        assert_eq!(
            starts(&messages, "issues"),
            [at("2", "01"), at("3", "09")],
            "what was reached before the gap stays"
        );
        assert_eq!(starts(&messages, "events"), []);
    }

    #[test]
    fn a_gap_of_an_organization_withholds_all_its_projects_but_not_other_streams() {
        let messages = written(
            &["issues", "events"],
            vec![
                gap(&["events"], &["acme"]),
                checkpoint("events", "2", "2026-01-09"),
                checkpoint("events", "3", "2026-01-09"),
                checkpoint("issues", "2", "2026-01-09"),
                Event::Done,
            ],
        );
        assert_eq!(starts(&messages, "events"), []);
        assert_eq!(starts(&messages, "issues").len(), 1);
        // A project's name must not be taken for the beginning of another's.
        let messages = written(
            &["issues"],
            vec![
                gap(&["issues"], &["acme", "2"]),
                checkpoint("issues", "22", "2026-01-09"),
                Event::Done,
            ],
        );
        assert_eq!(starts(&messages, "issues").len(), 1);
    }

    #[test]
    fn what_is_written_once_shares_an_entry_with_what_is_cut_from_it() {
        let mut written = Written::default();
        let mut admits = |key, bit| written.admits(key, Content::Once(bit), 0);
        assert!(admits(7, 1) && admits(7, 2) && admits(7, 4) && admits(8, 2));
        assert!(!admits(7, 2) && !admits(7, 1) && admits(8, 1) && !admits(8, 2));
        // Others of the row are forgotten together with it, and not before.
        for key in 10..10 + Written::GENERATION as u128 {
            assert!(admits(key, 1));
        }
        assert!(!admits(7, 4) && admits(7, 8) && !admits(7, 1));
        assert_eq!(
            written.young.len() + written.old.len(),
            Written::GENERATION + 3
        );
    }

    #[test]
    fn a_record_is_written_again_only_when_it_has_changed() {
        let messages = written(
            &["issues"],
            vec![
                records("issues", &[(1, 1), (2, 1), (1, 1), (3, 1)]),
                records("issues", &[(2, 1), (1, 2), (4, 1)]),
                records("issues", &[(4, 1)]),
                Event::Done,
            ],
        );
        assert_eq!(
            outline(&messages),
            ["SCHEMA", "1.1", "2.1", "3.1", "1.2", "4.1", "STATE"]
        );
    }

    #[test]
    fn an_answer_that_was_overtaken_does_not_win() {
        let now = Instant::now();
        let older = now
            .checked_sub(Duration::from_millis(5))
            .expect("the clock runs");
        let messages = written(
            &["issues"],
            vec![
                records_at("issues", now, &[(1, 2)]),
                records_at("issues", older, &[(1, 1), (2, 1)]),
                Event::Done,
            ],
        );
        assert_eq!(outline(&messages), ["SCHEMA", "1.2", "2.1", "STATE"]);
    }

    #[test]
    fn versions_are_activated_at_the_end_of_a_later_run() {
        let state = Bookmarks::parse(json!({"bookmarks": {}})).expect("a state");
        let streams = [
            header("teams", Some(7)),
            header("projects", Some(7)),
            header("issues", None),
        ];
        let messages = written_after(
            state.clone(),
            &streams,
            vec![
                records("teams", &[(1, 1)]),
                gap(&["projects"], &["acme"]),
                checkpoint("issues", "2", "2026-01-01"),
                Event::Done,
            ],
        );
        let outline = outline(&messages);
        let activated: Vec<_> = outline
            .iter()
            .filter(|line| line.starts_with("ACTIVATE"))
            .collect();
        assert_eq!(
            activated,
            ["ACTIVATE teams"],
            "not of a stream with a gap, nor of an incremental one"
        );
        let at = outline.iter().position(|line| line == "ACTIVATE teams");
        assert!(
            at > outline.iter().position(|line| line == "1.1") && at < Some(outline.len() - 1),
            "{outline:?}"
        );
        assert_eq!(messages[at.expect("found")]["version"], 7);
        // The run broke off.
        let messages = written_after(state, &streams, vec![records("teams", &[(1, 1)])]);
        assert_eq!(
            self::outline(&messages),
            ["SCHEMA", "SCHEMA", "SCHEMA", "1.1", "STATE"]
        );
    }

    #[test]
    fn what_came_in_with_the_state_goes_out() {
        let state = json!({"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}, "of_another_tap": {"x": [1, null]}}, "more": 1.5});
        let messages = written_after(
            Bookmarks::parse(state.clone()).expect("a state"),
            &[header("issues", None)],
            vec![Event::Done],
        );
        assert_eq!(messages.last().expect("a STATE")["value"], state);
    }

    #[test]
    fn a_stdout_that_cannot_be_written_to_is_an_error() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (sender, receiver) = event_queue();
        drop(sender);
        let ended = Writer::new(
            Pipe::new(Broken),
            Bookmarks::default(),
            Arc::new(Report::default()),
            Duration::ZERO,
        )
        .run(&[header("teams", None)], receiver);
        assert_eq!(ended.map_err(|e| e.kind()), Err(io::ErrorKind::BrokenPipe));
    }
}
