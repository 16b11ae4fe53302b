//! What a run will do, as a tree, and the windows of each partition. Pure: no I/O and no clock.

use crate::settings::Settings;
use crate::singer::catalog::{Selected, Selection};
use crate::singer::state::{Bookmarks, Partition};
use crate::streams::{self, Replication, StreamDef};
use crate::sync::intervals;
use crate::sync::row::Reference;
use chrono::{DateTime, TimeDelta, Utc};
use tap_sentry_api::params::{PROJECT_ID, Params};
use tap_sentry_api::window::{Window, whole_second};

/// Sentry keeps and lists 90 days on its paid plans; self-hosted servers may keep more.
pub const RETENTION: TimeDelta = TimeDelta::days(90);
/// All projects that the token can read.
pub const EVERY_PROJECT: &str = "-1";
/// What the parameters that name projects may add to an address: 4 KiB with the rest of it, which is what every server
/// and proxy takes.
const PROJECTS_BYTES: usize = 3_500;

/// One stream in the tree of the run.
#[derive(Debug)]
pub struct Node {
    pub def: &'static StreamDef,
    /// `None`: read for its children, not written.
    pub emit: Option<Selected>,
    /// Those that are cut out of its rows.
    pub cuts: Vec<Node>,
    /// Those that are asked for.
    pub children: Vec<Node>,
}

impl Node {
    /// Of a list that is read for itself: nothing is written of it, and nothing is below it.
    pub fn silent(def: &'static StreamDef) -> Self {
        Self {
            def,
            emit: None,
            cuts: Vec::new(),
            children: Vec::new(),
        }
    }

    /// Those of its streams that stand in its full rows only.
    pub fn in_full_rows(&self) -> impl Iterator<Item = &Self> {
        let cuts = self.cuts.iter();
        cuts.filter(|node| node.def.cut.is_some_and(|cut| cut.in_full_rows))
    }

    /// How deep its rows are looked into.
    pub fn depth(&self) -> usize {
        let cuts = self.cuts.iter().filter_map(|node| node.def.cut);
        cuts.map(|cut| cut.depth()).max().unwrap_or(0)
    }

    /// Those directly below it.
    fn below(&self) -> impl Iterator<Item = &Self> {
        self.cuts.iter().chain(&self.children)
    }

    /// Whether somebody has asked for it, or for anything below it, by name.
    pub fn is_wanted(&self) -> bool {
        self.emit.as_ref().is_some_and(|selected| selected.by_name)
            || self.below().any(Self::is_wanted)
    }

    /// This node and all below it.
    pub fn streams(&self) -> Vec<&'static str> {
        std::iter::once(self.def.name())
            .chain(self.below().flat_map(Self::streams))
            .collect()
    }

    /// Whether it has bookmarks, or something below it.
    pub fn has_bookmarks(&self) -> bool {
        self.def.windows().is_some() || !self.incremental().is_empty()
    }

    fn ignores_bookmark(&self) -> bool {
        self.emit
            .as_ref()
            .is_some_and(|selected| selected.ignore_bookmark)
    }

    /// The nodes of this subtree whose progress is a bookmark of their own.
    pub fn incremental(&self) -> Vec<&Self> {
        let own = (self.emit.is_some() && self.def.replication_key().is_some()).then_some(self);
        own.into_iter()
            .chain(self.below().flat_map(Self::incremental))
            .collect()
    }
}

/// The selected streams as a tree, with the parents that they need.
pub fn tree(selection: Selection) -> Vec<Node> {
    let mut selected: Vec<Option<Selected>> = streams::all().map(|_| None).collect();
    for stream in selection.0 {
        let i = streams::all().position(|def| def.name() == stream.def.name());
        selected[i.expect("selected streams are of the table")] = Some(stream);
    }
    streams::all()
        .filter(|def| def.parent.is_none())
        .filter_map(|def| subtree(def, &mut selected))
        .collect()
}

fn subtree(def: &'static StreamDef, selected: &mut [Option<Selected>]) -> Option<Node> {
    let i = streams::all().position(|d| d.name() == def.name())?;
    let emit = selected[i].take();
    let below = def.children().filter_map(|child| subtree(child, selected));
    let (cuts, children): (Vec<_>, Vec<_>) = below.partition(|node| node.def.cut.is_some());
    (emit.is_some() || !cuts.is_empty() || !children.is_empty()).then_some(Node {
        def,
        emit,
        cuts,
        children,
    })
}

/// Where the streams of one partition start in this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Starts(Vec<Start>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Start {
    stream: &'static str,
    /// By the bookmark.
    resume: DateTime<Utc>,
    /// Also by the refresh of records that change without a new key.
    low: DateTime<Utc>,
}

impl Starts {
    /// `node` is incremental, or something below it is.
    pub fn new(
        node: &Node,
        partition: &Partition,
        settings: &Settings,
        bookmarks: &Bookmarks,
    ) -> Self {
        let starts = node.incremental().into_iter().map(|node| {
            let bookmark = bookmarks
                .start(node.def.name(), partition)
                .filter(|_| !node.ignores_bookmark());
            let resume = bookmark.map_or(settings.start_date, |bookmark| {
                let again = settings.lookback.max(node.def.overlap);
                (bookmark - again).max(settings.start_date)
            });
            let low = match node.def.replication {
                Replication::Incremental { refresh: true, .. } => {
                    // An end in the future must not shorten it.
                    resume.min(
                        (settings.end.min(settings.now) - settings.issue_refresh)
                            .max(settings.start_date),
                    )
                }
                _ => resume,
            };
            Start {
                stream: node.def.name(),
                resume: whole_second(resume),
                low: whole_second(low),
            }
        });
        Self(starts.collect())
    }

    /// Whether the bookmarks of all streams are at `end` or after it.
    pub fn nothing_new(&self, end: DateTime<Utc>) -> bool {
        !self.0.is_empty() && self.0.iter().all(|start| start.resume >= end)
    }

    /// From where the stream itself is written; `None` when it is only read for its children.
    pub fn own(&self, node: &Node) -> Option<DateTime<Utc>> {
        self.0
            .iter()
            .find(|start| start.stream == node.def.name())
            .map(|start| start.low)
    }

    /// From where the stream is read, for itself and for all below it.
    pub fn of_subtree(&self, node: &Node) -> Option<DateTime<Utc>> {
        let streams = node.streams();
        self.0
            .iter()
            .filter(|start| streams.contains(&start.stream))
            .map(|start| start.low)
            .min()
    }
}

/// Partitions that are asked for together, since they start alike.
#[derive(Debug, Clone)]
pub struct Group {
    pub starts: Starts,
    /// The places of the partitions.
    pub places: Vec<Params>,
    pub partitions: Vec<Partition>,
    /// The values of `{projects}`; none: the place's own project.
    pub projects: Vec<String>,
    /// Where it is a gap when it fails, if not in each of the partitions.
    whole: Option<Partition>,
}

impl Group {
    pub fn one(node: &Node, place: Params, settings: &Settings, bookmarks: &Bookmarks) -> Self {
        let starts = Starts::new(node, &Partition::of(&place), settings, bookmarks);
        Self::of(starts, vec![place])
    }

    /// These places, their projects unnamed.
    pub fn of(starts: Starts, places: Vec<Params>) -> Self {
        Self {
            starts,
            partitions: places.iter().map(Partition::of).collect(),
            places,
            projects: Vec::new(),
            whole: None,
        }
    }

    /// These places, their projects named by id.
    fn named(starts: Starts, places: Vec<Params>) -> Self {
        let ids = places.iter().filter_map(|place| place.get(PROJECT_ID));
        Self {
            projects: ids.map(str::to_owned).collect(),
            ..Self::of(starts, places)
        }
    }

    /// These places, asked for with all other projects that the token can read.
    pub fn every(starts: Starts, places: Vec<Params>) -> Self {
        Self {
            projects: vec![EVERY_PROJECT.to_owned()],
            ..Self::of(starts, places)
        }
    }

    /// These places in one request: named by their ids, or with all others if `everything` is selected; `None` if one
    /// request cannot name them.
    pub fn at_once(starts: Starts, places: Vec<Params>, everything: bool) -> Option<Self> {
        match nameable(places.clone()).len() {
            0 | 1 => Some(Self::named(starts, places)),
            _ => everything.then(|| Self::every(starts, places)),
        }
    }

    /// All projects of an organization whose projects are not known.
    pub fn unlisted(
        node: &Node,
        organization: &Params,
        settings: &Settings,
        bookmarks: &Bookmarks,
    ) -> Self {
        Self {
            projects: vec![EVERY_PROJECT.to_owned()],
            ..Self::one(node, organization.clone(), settings, bookmarks)
        }
    }

    /// The organization itself, of these projects alone: what is computed of all of them has one bookmark. `None`: of no project.
    ///
    /// # Errors
    /// When one request cannot name them.
    pub fn together(
        node: &Node,
        organization: &Params,
        projects: &[Reference],
        settings: &Settings,
        bookmarks: &Bookmarks,
    ) -> Result<Option<Self>, &'static str> {
        let places = projects
            .iter()
            .map(|project| organization.with(&project.bind));
        let mut parts = nameable(places.collect()).into_iter();
        let Some(places) = parts.next() else {
            return Ok(None);
        };
        if parts.next().is_some() {
            return Err(
                "an aggregate is of all chosen projects in one request, which cannot name so many; choose fewer, or all",
            );
        }
        let ids = places.iter().filter_map(|place| place.get(PROJECT_ID));
        Ok(Some(Self {
            projects: ids.map(str::to_owned).collect(),
            ..Self::one(node, organization.clone(), settings, bookmarks)
        }))
    }

    /// Two groups or more of the same places, none of which is more than one request can name.
    pub fn split(self) -> Vec<Self> {
        let half = self.places.len().div_ceil(2);
        let halves = self.places.chunks(half.max(1));
        let named = halves.flat_map(|places| nameable(places.to_vec()));
        named
            .map(|places| Self::named(self.starts.clone(), places))
            .collect()
    }

    /// Where it is a gap when it fails.
    pub fn parts(&self) -> &[Partition] {
        self.whole
            .as_ref()
            .map_or(&self.partitions, std::slice::from_ref)
    }
}

/// The places in as many parts as requests are needed to name their projects.
pub fn nameable(places: Vec<Params>) -> Vec<Vec<Params>> {
    let mut parts: Vec<Vec<Params>> = Vec::new();
    let mut bytes = PROJECTS_BYTES;
    for place in places {
        let more = place
            .get(PROJECT_ID)
            .map_or(0, |id| "&project=".len() + id.len());
        bytes += more;
        match parts.last_mut() {
            Some(part) if bytes <= PROJECTS_BYTES => part.push(place),
            _ => {
                parts.push(vec![place]);
                bytes = more;
            }
        }
    }
    parts
}

/// The projects by where they start: all in one, in most runs. One that is new, or was left behind, is not covered by
/// the bookmark of the others; one that the token may not read would spoil a request for the others. Named by their ids:
/// the server refuses a request that names a project which the token can no longer read, and leaves it out of all.
pub fn groups(
    node: &Node,
    organization: &Params,
    projects: &[Reference],
    settings: &Settings,
    bookmarks: &Bookmarks,
) -> Vec<Group> {
    let mut groups = Vec::new();
    for (_, starts, places) in alike(node, organization, projects, settings, bookmarks) {
        groups.extend(named(&starts, places));
    }
    groups
}

/// As [`groups`], but where the run selects all projects, those that start alike are asked for as all that the token can
/// read.
pub fn groups_or_every(
    node: &Node,
    organization: &Params,
    projects: &[Reference],
    settings: &Settings,
    bookmarks: &Bookmarks,
) -> Vec<Group> {
    let alike = alike(node, organization, projects, settings, bookmarks);
    let readable = alike.iter().filter(|(no_access, ..)| !no_access);
    let every = settings.projects.is_everything() && readable.count() == 1;
    let mut groups = Vec::new();
    for (no_access, starts, places) in alike {
        if every && !no_access {
            groups.push(Group {
                whole: Some(Partition::of(organization)),
                ..Group::every(starts, places)
            });
        } else {
            groups.extend(named(&starts, places));
        }
    }
    groups
}

fn named(starts: &Starts, places: Vec<Params>) -> impl Iterator<Item = Group> {
    let named = nameable(places).into_iter();
    named.map(|places| Group::named(starts.clone(), places))
}

/// Projects that start alike, and can be read or not.
fn alike(
    node: &Node,
    organization: &Params,
    projects: &[Reference],
    settings: &Settings,
    bookmarks: &Bookmarks,
) -> Vec<(bool, Starts, Vec<Params>)> {
    let mut alike: Vec<(bool, Starts, Vec<Params>)> = Vec::new();
    for project in projects {
        let place = organization.with(&project.bind);
        let starts = Starts::new(node, &Partition::of(&place), settings, bookmarks);
        match alike
            .iter_mut()
            .find(|(no_access, known, _)| *no_access == project.no_access && *known == starts)
        {
            Some((.., places)) => places.push(place),
            None => alike.push((project.no_access, starts, vec![place])),
        }
    }
    alike
}

/// The windows of one partition, oldest first. The first also spans the refresh: it needs no steps of its own.
pub fn windows(node: &Node, starts: &Starts, settings: &Settings) -> Vec<Window> {
    let resume = starts.0.iter().map(|start| start.resume).min();
    let low = starts.0.iter().map(|start| start.low).min();
    let (Some(from), Some(low)) = (resume, low) else {
        return Vec::new();
    };
    if let Some(sums) = node.def.windows().and_then(|windows| windows.sums) {
        return intervals::of_run(sums, from, settings);
    }
    // An interval is asked for once it is over, from its start on.
    let interval = node.def.interval;
    let aligned = |at| interval.map_or(at, |interval| interval.floor(at));
    let low = aligned(low);
    let end = aligned(
        settings
            .end
            .min(interval.map_or(settings.end, |_| settings.now)),
    );
    let whole = Window {
        start: aligned(from).min(end),
        end,
    };
    let mut windows = match node.def.windows() {
        Some(of) if of.windowed => {
            // What is older than the usual retention is mostly empty: one span, to be probed before it is cut.
            let recent = aligned(settings.now - RETENTION).clamp(whole.start, whole.end);
            let old = Window {
                end: whole_second(recent),
                ..whole
            };
            let recent = Window {
                start: old.end,
                ..whole
            };
            // What is still to come needs no steps.
            let present = whole_second(settings.now).clamp(recent.start, recent.end);
            let past = Window {
                end: present,
                ..recent
            }
            .pieces(settings.window);
            let [old, coming] = [
                old,
                Window {
                    start: present,
                    ..recent
                },
            ]
            .map(|w| Some(w).filter(|w| w.start < w.end));
            old.into_iter().chain(past).chain(coming).collect()
        }
        _ => vec![whole],
    };
    if windows.is_empty() && low < end {
        windows.push(whole);
    }
    if let Some(first) = windows.first_mut() {
        first.start = first.start.min(low);
    }
    windows.retain(|window| window.start < window.end);
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::style::RecordStyle;
    use rstest::rstest;
    use serde_json::{Value, json};
    use tap_sentry_api::time::parse_instant;

    fn at(text: &str) -> DateTime<Utc> {
        parse_instant(text).expect("an instant")
    }

    fn window(start: &str, end: &str) -> Window {
        Window {
            start: at(start),
            end: at(end),
        }
    }

    /// Of a run on 1 February from `start` on.
    fn settings(start: &str) -> Settings {
        let Value::Object(config) =
            json!({"api_token": "t", "start_date": start, "end_date": "2026-02-01"})
        else {
            unreachable!("an object")
        };
        Settings {
            now: at("2026-02-01"),
            ..Settings::new(config, Vec::new()).expect("valid")
        }
    }

    /// The node of the first of these streams, in a run that selects them all.
    fn node(streams: &[&str], method: Option<&str>) -> Node {
        fn take(nodes: Vec<Node>, name: &str) -> Option<Node> {
            nodes.into_iter().find_map(|node| {
                if node.def.name() == name {
                    Some(node)
                } else {
                    take(node.children, name)
                }
            })
        }
        let entries: Vec<Value> = streams
            .iter()
            .map(|name| json!({"tap_stream_id": name, "replication_method": method}))
            .collect();
        let selection = Selection::new(Some(json!({"streams": entries})), &RecordStyle::default())
            .expect("a catalog");
        take(tree(selection), streams[0]).expect("in the tree")
    }

    fn partition() -> Partition {
        Partition(vec![
            ("organization_slug", "acme".to_owned()),
            ("project_id", "2".to_owned()),
        ])
    }

    fn bookmarks(list: &[(&str, &str)]) -> Bookmarks {
        let bookmarks: serde_json::Map<String, Value> = list
            .iter()
            .map(|(stream, start)| ((*stream).to_owned(), json!({"start": start})))
            .collect();
        Bookmarks::parse(json!({"bookmarks": bookmarks})).expect("a state")
    }

    fn planned(node: &Node, settings: &Settings, state: &[(&str, &str)]) -> Vec<Window> {
        windows(
            node,
            &Starts::new(node, &partition(), settings, &bookmarks(state)),
            settings,
        )
    }

    fn are_a_partition(windows: &[Window], start: &str) {
        assert_eq!(windows.first().map(|w| w.start), Some(at(start)));
        assert_eq!(windows.last().map(|w| w.end), Some(at("2026-02-01")));
        assert!(
            windows.windows(2).all(|two| two[0].end == two[1].start),
            "{windows:?}"
        );
        assert!(windows.iter().all(|w| w.start < w.end));
    }

    #[test]
    fn a_first_run_is_cut_oldest_first() {
        let planned = planned(&node(&["issues"], None), &settings("2026-01-01"), &[]);
        are_a_partition(&planned, "2026-01-01");
        assert_eq!(planned.len(), 5);
        assert_eq!(planned[0], window("2026-01-01", "2026-01-08"));
        assert_eq!(planned[4], window("2026-01-29", "2026-02-01"));
    }

    #[test]
    fn the_refresh_widens_the_first_window() {
        let planned = planned(
            &node(&["issues"], None),
            &settings("2026-01-01"),
            &[("issues", "2026-01-20T00:00:00Z")],
        );
        assert_eq!(
            planned,
            [
                window("2026-01-18", "2026-01-26T23:00:00Z"),
                window("2026-01-26T23:00:00Z", "2026-02-01")
            ]
        );
    }

    #[test]
    fn the_refresh_is_made_when_there_is_nothing_new() {
        let issues = node(&["issues"], None);
        assert_eq!(
            planned(
                &issues,
                &settings("2026-01-01"),
                &[("issues", "2026-03-01T00:00:00Z")]
            ),
            [window("2026-01-18", "2026-02-01")]
        );
        let without = Settings {
            issue_refresh: TimeDelta::zero(),
            ..settings("2026-01-01")
        };
        assert_eq!(
            planned(&issues, &without, &[("issues", "2026-03-01T00:00:00Z")]),
            []
        );
    }

    #[test]
    fn an_end_in_the_future_does_not_shorten_the_refresh() {
        let settings = Settings {
            now: at("2026-01-29"),
            ..settings("2026-01-01")
        };
        let planned = planned(
            &node(&["issues"], None),
            &settings,
            &[("issues", "2026-01-28T00:00:00Z")],
        );
        assert_eq!(planned[0].start, at("2026-01-15"));
    }

    #[test]
    fn what_is_older_than_the_retention_is_one_piece() {
        let planned = planned(
            &node(&["issues"], None),
            &settings("2025-01-01T00:00:00Z"),
            &[],
        );
        are_a_partition(&planned, "2025-01-01");
        assert_eq!(planned[0], window("2025-01-01", "2025-11-03"));
        assert!(
            planned[1..]
                .iter()
                .all(|w| w.length() <= TimeDelta::days(7))
        );
    }

    #[test]
    fn what_is_still_to_come_is_one_piece() {
        let settings = Settings {
            now: at("2026-01-20T12:00:00.5Z"),
            ..settings("2026-01-10")
        };
        let planned = planned(&node(&["issues"], None), &settings, &[]);
        are_a_partition(&planned, "2026-01-10");
        let cuts: Vec<_> = planned.iter().map(|window| window.end).collect();
        assert_eq!(
            cuts,
            [
                at("2026-01-17"),
                at("2026-01-20T12:00:00Z"),
                at("2026-02-01")
            ]
        );
    }

    #[test]
    fn a_list_without_windows_is_one() {
        assert_eq!(
            planned(&node(&["releases"], None), &settings("2025-01-01"), &[]),
            [window("2025-01-01", "2026-02-01")]
        );
    }

    #[test]
    fn a_stream_that_is_walked_only_starts_where_its_children_do() {
        let issues = node(&["issues", "events"], None);
        let state = [
            ("issues", "2026-01-25T00:00:00Z"),
            ("events", "2026-01-10T00:00:00Z"),
        ];
        let settings = settings("2026-01-01");
        let starts = Starts::new(&issues, &partition(), &settings, &bookmarks(&state));
        assert_eq!(starts.own(&issues), Some(at("2026-01-18")));
        assert_eq!(starts.of_subtree(&issues), Some(at("2026-01-09T23:00:00Z")));
        assert_eq!(
            starts.own(&issues.children[0]),
            Some(at("2026-01-09T23:00:00Z"))
        );
        let cut = windows(&issues, &starts, &settings);
        are_a_partition(&cut, "2026-01-09T23:00:00Z");
        assert_eq!(cut[0].end, at("2026-01-16T23:00:00Z"));
        let walked = node(&["events"], None);
        assert_eq!(
            Starts::new(&walked, &partition(), &settings, &bookmarks(&state)).own(&walked),
            Some(at("2026-01-09T23:00:00Z"))
        );
    }

    #[rstest]
    #[case::none(&[], None, "2026-01-01T00:00:00Z")]
    #[case::a_bookmark_and_its_look_back(&[("events", "2026-01-10T00:00:00Z")], None, "2026-01-09T23:00:00Z")]
    #[case::in_whole_seconds(&[("events", "2026-01-10T00:00:00.75Z")], None, "2026-01-09T23:00:00Z")]
    #[case::a_start_date_that_is_newer(&[("events", "2025-12-01T00:00:00Z")], None, "2026-01-01T00:00:00Z")]
    #[case::a_look_back_before_the_start_date(&[("events", "2026-01-01T00:30:00Z")], None, "2026-01-01T00:00:00Z")]
    #[case::of_another_stream(&[("issues", "2026-01-10T00:00:00Z")], None, "2026-01-01T00:00:00Z")]
    #[case::full_table(&[("events", "2026-01-10T00:00:00Z")], Some("FULL_TABLE"), "2026-01-01T00:00:00Z")]
    fn where_a_stream_starts(
        #[case] state: &[(&str, &str)],
        #[case] method: Option<&str>,
        #[case] expected: &str,
    ) {
        let events = node(&["events"], method);
        let starts = Starts::new(
            &events,
            &partition(),
            &settings("2026-01-01"),
            &bookmarks(state),
        );
        assert_eq!(starts.own(&events), Some(at(expected)));
    }

    #[test]
    fn halves_and_pieces_meet_at_whole_seconds() {
        let odd = window("2026-01-01T00:00:00Z", "2026-01-01T00:00:07Z");
        assert_eq!(
            odd.halves(),
            [
                window("2026-01-01T00:00:00Z", "2026-01-01T00:00:03Z"),
                window("2026-01-01T00:00:03Z", "2026-01-01T00:00:07Z")
            ]
        );
        let pieces = odd.pieces(TimeDelta::seconds(3));
        assert_eq!(pieces.len(), 3);
        assert_eq!(
            pieces[2],
            window("2026-01-01T00:00:06Z", "2026-01-01T00:00:07Z")
        );
        assert!(pieces.windows(2).all(|two| two[0].end == two[1].start));
        assert!(
            Window {
                end: odd.start,
                ..odd
            }
            .pieces(TimeDelta::seconds(3))
            .is_empty()
        );
    }

    #[test]
    fn the_tree_holds_the_parents_that_are_needed_and_no_more() {
        let selection = Selection::new(
            Some(
                json!({"streams": [{"tap_stream_id": "event_detail"}, {"tap_stream_id": "teams"}]}),
            ),
            &RecordStyle::default(),
        )
        .expect("a catalog");
        let tree = tree(selection);
        assert_eq!(
            tree.iter().flat_map(Node::streams).collect::<Vec<_>>(),
            ["projects", "issues", "events", "event_detail", "teams"]
        );
        assert!(tree[0].emit.is_none() && tree[1].emit.is_some());
        assert_eq!(
            tree[0]
                .incremental()
                .iter()
                .map(|node| node.def.name())
                .collect::<Vec<_>>(),
            ["event_detail"]
        );
    }
}
