//! What an entry of the table of streams holds.

use crate::streams::cut::Cut;
use crate::streams::interval::Interval;
use chrono::TimeDelta;
use tap_sentry_api::endpoint::{Endpoint, LIST};
use tap_sentry_api::window::LEAST_WINDOW;

/// Everything that makes one stream differ from another.
#[derive(Debug)]
pub struct StreamDef {
    /// The list or object that its rows come from; named as the stream is.
    pub endpoint: Endpoint,
    /// JSON Schema, draft 7, of a record.
    pub schema: &'static str,
    /// The columns that identify a record.
    pub key: &'static [&'static str],
    /// Added to the endpoint's query when `fetch_event_details` is set.
    pub details_query: &'static [(&'static str, &'static str)],
    /// The stream whose rows it is read for.
    pub parent: Option<Parent>,
    /// Its rows stand inside the parent's rows, and are not asked for.
    pub cut: Option<Cut>,
    /// Whether a run reads everything or what is new.
    pub replication: Replication,
    /// So much of before the bookmark is read again, if that is more than `lookback_minutes`: so long its rows change, or
    /// come late.
    pub overlap: TimeDelta,
    /// Its list is newest first and cannot be asked for by time: it is read up to what the bookmark has.
    pub newest_first: bool,
    /// When a row came to be: below one that is newer than the bookmark, everything is read.
    pub born: Option<&'static str>,
    /// Path parameters that every record carries as columns.
    pub columns: &'static [&'static str],
    /// Columns whose value stands elsewhere in Sentry's answer: the first path that holds something counts.
    pub derived: &'static [Derived],
    /// The columns of a row that is a list of two.
    pub pair: Option<[&'static str; 2]>,
    /// How `project_slugs` and `exclude_project_slugs` choose among its rows.
    pub choice: Option<Choice>,
    /// Its list is asked for in the windows of its parent, whose rows count its rows.
    pub in_windows: bool,
    /// Where rows hold secrets: `null` unless `include_secrets` is set.
    pub secrets: &'static [&'static [&'static str]],
    /// A part of the key may be an empty text: some things have no name. A derived column is `none` where there is none.
    pub empty_key: bool,
    /// Parts of the key that are written as an empty text where a row has `null`, or nothing.
    pub empty_as_text: &'static [&'static str],
    /// Its rows are computed for an interval: each closed one is asked for by itself.
    pub interval: Option<Interval>,
    /// The server answers so many rows of a window at most, and does not say when there are more. They are in the order of
    /// their time, and are asked for in windows that have fewer, down to a second.
    pub row_limit: Option<usize>,
    /// Another list of the same rows, of many parents at once.
    pub together: Option<Together>,
    /// A row that was written never changes, so that it is written once a run.
    pub immutable: bool,
    /// What each row describes, to be downloaded.
    pub body: Option<Body>,
    /// How `--check-counts` knows the errors among its rows.
    pub counted: Option<Counted>,
    /// Whether a catalog selects it when nobody has said anything.
    pub selected_by_default: bool,
    /// What a user should know before selecting it.
    pub note: &'static str,
}

/// What a row describes and does not hold itself.
#[derive(Debug)]
pub struct Body {
    /// Where it is downloaded, with the row's id as `{row_id}`.
    pub endpoint: Endpoint,
    /// Where a row tells its id.
    pub id: &'static str,
    /// And how many bytes it has.
    pub size: &'static str,
    /// The path parameters that it is kept below.
    pub below: [&'static str; 2],
}

impl StreamDef {
    /// The stream's name, which is that of its table.
    pub const fn name(&self) -> &'static str {
        self.endpoint.name
    }

    /// Whether the value of a column stands elsewhere in Sentry's answer.
    pub fn is_derived(&self, column: &str) -> bool {
        self.derived.iter().any(|derived| derived.column == column)
    }

    /// The column that bookmarks are of, of an incremental stream.
    pub fn replication_key(&self) -> Option<&'static str> {
        match self.replication {
            Replication::FullTable => None,
            Replication::Incremental { key, .. } => Some(key),
        }
    }

    /// Whether its list is asked for by the projects that are chosen.
    pub fn is_of_projects(&self) -> bool {
        self.parent.is_none() && self.windows().is_none() && self.endpoint.names_projects()
    }

    /// Windows of its list are not made smaller than this.
    pub fn least_window(&self) -> TimeDelta {
        match (self.interval, self.row_limit) {
            (Some(interval), _) => interval.length(),
            (None, Some(_)) => TimeDelta::seconds(1),
            (None, None) => LEAST_WINDOW,
        }
    }

    /// How the windows of the list are made, of an incremental stream with windows of its own.
    pub fn windows(&self) -> Option<Windows> {
        match self.replication {
            Replication::Incremental { windows, .. } => windows,
            Replication::FullTable => None,
        }
    }
}

/// A full table of an organization with the key `id`, to fill in the rest of an entry from.
pub const FULL_TABLE: StreamDef = StreamDef {
    endpoint: LIST,
    schema: "",
    key: &["id"],
    details_query: &[],
    parent: None,
    cut: None,
    replication: Replication::FullTable,
    overlap: TimeDelta::zero(),
    newest_first: false,
    born: None,
    columns: &["organization_slug"],
    derived: &[],
    pair: None,
    choice: None,
    in_windows: false,
    secrets: &[],
    empty_key: false,
    empty_as_text: &[],
    interval: None,
    row_limit: None,
    together: None,
    immutable: false,
    counted: None,
    selected_by_default: true,
    body: None,
    note: "",
};

/// The parent of a stream, and what the stream takes from a row of it.
#[derive(Debug, Clone, Copy)]
pub struct Parent {
    /// Its name.
    pub stream: &'static str,
    /// Path parameter and the path of its value in the parent's row.
    pub bind: &'static [(&'static str, &'static [&'static str])],
    /// The column that tells when the parent's row was last active, for streams without a time of their own. Its name ends
    /// in `_at`.
    pub at: Option<&'static str>,
}

/// Whether a run reads everything or what is new.
#[derive(Debug, Clone, Copy)]
pub enum Replication {
    /// Everything, each time.
    FullTable,
    /// What is new since the bookmark.
    Incremental {
        /// The column that bookmarks are of.
        key: &'static str,
        /// Read again what was active in the last `issue_refresh_days`, since records change without a new key.
        refresh: bool,
        /// How the windows of the list are made; `None`: the windows are those of the parent, or one from the bookmark to the
        /// end of the run where the parent is a full table.
        windows: Option<Windows>,
    },
}

impl Replication {
    /// Incremental by `key`, in the windows of the parent.
    pub const fn with_parent(key: &'static str) -> Self {
        Self::Incremental {
            key,
            refresh: false,
            windows: None,
        }
    }
}

/// The windows in which an incremental list is read. The bookmark is the end of a finished window, fixed before the
/// window was asked for, not the largest key seen: what changes meanwhile belongs to the next run.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    /// Cut into windows of `window_days`, oldest first; otherwise one window to the end of the run.
    pub windowed: bool,
    /// Where a row tells the id of its project, if the list can be asked for many projects at once.
    pub project: Option<&'static [&'static str]>,
    /// The searches that together list everything of a window.
    pub searches: &'static [Search],
    /// Where a row says what happened to it in the window.
    pub activity: Option<Activity>,
    /// Its rows are sums over an interval of time, each of which is asked for by itself.
    pub sums: Option<Sums>,
}

/// A list of sums over an interval, whose length is a setting. `{interval}` and [`Interval::START`] are parameters of it.
#[derive(Debug, Clone, Copy)]
pub struct Sums {
    /// An answer of so many rows is full, and the server does not say what it has left out: projects are asked for apart.
    pub full: usize,
    /// So many days are read again, the present one among them, since sums grow for some time after their interval.
    pub growing_days: i64,
    /// So many intervals are asked for at once, of which the answer has a row each.
    pub at_once: i32,
    /// The parameters that tell from when to when, the end inclusive.
    pub span: Span,
    /// How it is asked for apart where a single project has too much; `None`: that is a gap.
    pub apart: Option<&'static Apart>,
}

/// A group of a list of sums that it can be asked for apart by.
#[derive(Debug)]
pub struct Apart {
    /// The group, and the key of Sentry's search for it.
    pub by: &'static str,
    /// What the search is asked for as.
    pub parameter: &'static str,
    /// Tells all values that there are of it.
    pub list: &'static Endpoint,
    /// An answer of so many is full.
    pub full: usize,
}

/// How a span of time is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Span {
    /// `start` and `end`, as texts.
    StartEnd,
    /// `since` and `until`, in seconds since the epoch.
    SinceUntil,
}

impl Span {
    /// The parameters of a span in seconds since the epoch; `None` where it is asked for as all others are.
    pub const fn in_seconds(self) -> Option<[&'static str; 2]> {
        match self {
            Self::StartEnd => None,
            Self::SinceUntil => Some(["since", "until"]),
        }
    }
}

impl Sums {
    /// The parameter and column that tells how long the interval is.
    pub const LENGTH: &str = "interval";
}

/// One of the searches that make a list complete.
#[derive(Debug, Clone, Copy)]
pub struct Search {
    /// Added to the endpoint's query.
    pub query: &'static [(&'static str, &'static str)],
    /// Older servers refuse the search with 400; they have nothing that it would find.
    pub optional: bool,
}

/// Of lists that need none to be complete.
pub const ONE_SEARCH: &[Search] = &[Search {
    query: &[],
    optional: false,
}];

impl Search {
    /// Its query, as parameters of a request.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        self.query
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect()
    }
}

/// The columns in which a row says what happened to it in the window that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Activity {
    /// When it was last active.
    pub last: &'static str,
    /// How many child rows it has there.
    pub count: &'static str,
    /// How many it has in all.
    pub total: &'static [&'static str],
    /// What kind of parent it is; older servers know one kind only and say nothing.
    pub category: &'static str,
    /// The kind of which the rows are also listed for many parents at once.
    pub together: &'static str,
}

/// The columns by which projects are chosen.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// Matched with the slugs of the settings.
    pub slug: &'static str,
    /// `false`: the token cannot read it, as the list has it; of an integration that may be wrong.
    pub access: &'static str,
}

/// A list of the rows of many parents at once.
#[derive(Debug, Clone, Copy)]
pub struct Together {
    /// That list.
    pub endpoint: &'static Endpoint,
    /// The column that names a row's parent.
    pub parent: &'static str,
    /// The path parameter by which the parent's own list is asked for.
    pub bind: &'static str,
}

/// The columns by which errors are counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// What an event is; the first that a row has counts. See [`is_error`].
    pub kind: &'static [&'static str],
    /// When it happened.
    pub at: &'static str,
}

/// What `category=error` of the outcomes folds together; see sentry/constants.py, `DataCategory.error_categories`.
const ERRORS: &[&str] = &[
    "error",
    "default",
    "csp",
    "hpkp",
    "expectct",
    "expectstaple",
    "nel",
];

/// Whether an event of that type counts as an error for the outcomes.
pub fn is_error(event_type: &str) -> bool {
    ERRORS.contains(&event_type)
}

/// A column whose value stands elsewhere in Sentry's answer.
#[derive(Debug, Clone, Copy)]
pub struct Derived {
    /// Its name.
    pub column: &'static str,
    /// Paths of the value; the first that holds something counts.
    pub from: &'static [&'static [&'static str]],
}
