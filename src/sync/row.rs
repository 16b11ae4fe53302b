//! One row of a list, as far as a run needs to look at it.

use crate::streams::{IDENTIFIERS, StreamDef};
use chrono::{DateTime, Utc};
use serde_json::Value;
use tap_sentry_api::params::{PROJECT_ID, Params};
use tap_sentry_api::text::brief;
use tap_sentry_api::time::{format_instant, parse_instant};
use tap_sentry_json::{self as json, Document};
use xxhash_rust::xxh3::xxh3_128;

/// Path parameters and the path of their values in a row.
pub type Bind = Vec<(&'static str, &'static [&'static str])>;

/// One row of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Tells it from the other rows of its list.
    pub key: u128,
    /// When it happened, in epoch seconds; only of lists that are ordered by time.
    pub instant: Option<i64>,
    /// `None`: nothing below it is asked for.
    pub reference: Option<Reference>,
}

impl Row {
    /// When it was last active.
    pub fn last(&self) -> Option<DateTime<Utc>> {
        self.reference.as_ref()?.last
    }

    /// Its count is that of another window.
    pub fn forget_count(&mut self) {
        if let Some(reference) = &mut self.reference {
            reference.count = None;
        }
    }
}

/// What a row tells the streams below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    pub bind: Vec<(&'static str, String)>,
    /// When it was last active in the window.
    pub last: Option<DateTime<Utc>>,
    /// When it came to be.
    pub born: Option<DateTime<Utc>>,
    /// How many child rows it has in the window.
    pub count: Option<u64>,
    /// How many it has in all.
    pub total: Option<u64>,
    /// Its child rows are also in the list of its whole project.
    pub together: bool,
    /// A project that the token cannot read, as the list has it; of an integration that may be wrong.
    pub no_access: bool,
}

impl Reference {
    /// Reads it from a row; `None` when the row lacks what the streams below it are asked for by.
    pub fn read(
        def: &StreamDef,
        bind: &[(&'static str, &'static [&'static str])],
        doc: &Document<'_>,
        row: json::Value,
    ) -> Option<Self> {
        let get = |path: &[&str]| {
            doc.lookup(row, path)
                .and_then(|value| doc.scalar_text(value))
        };
        let number = |path: &[&str]| get(path).and_then(|text| text.parse().ok());
        let bind = bind
            .iter()
            .map(|(name, path)| Some((*name, get(path).filter(|value| !value.is_empty())?)))
            .collect::<Option<Vec<_>>>()?;
        let activity = def.windows().and_then(|windows| windows.activity);
        let last = activity
            .map(|activity| activity.last)
            .or(def.replication_key());
        let at = |name: &str| get(&[name]).and_then(|text| parse_instant(&text).ok());
        Some(Self {
            bind,
            last: last.and_then(at),
            born: def.born.and_then(at),
            count: activity.and_then(|activity| number(&[activity.count])),
            total: activity.and_then(|activity| number(activity.total)),
            together: activity.is_some_and(|activity| {
                get(&[activity.category]).is_none_or(|category| category == activity.together)
            }),
            no_access: def.choice.is_some_and(|choice| {
                let access = doc.lookup(row, &[choice.access]);
                access.is_some_and(|value| doc.text(value) == b"false")
            }),
        })
    }

    /// The place of a stream below it.
    pub fn place(&self, above: &Params, below: &StreamDef) -> Params {
        let mut place = above.with(&self.bind);
        let at = below.parent.and_then(|parent| parent.at);
        let at = at.filter(|at| below.columns.contains(at));
        place.0.extend(at.zip(self.last.map(format_instant)));
        place
    }

    /// Adds what another part of the window says of the same row.
    pub fn merge(&mut self, other: &Self) {
        self.last = self.last.max(other.last);
        self.count = self.count.zip(other.count).map(|(a, b)| a + b);
        self.total = self.total.max(other.total);
        self.together &= other.together;
    }
}

/// The id of the project that a row names among what it tells the streams below it; empty when it names none.
pub fn project_of<'a>(bind: &'a [(&'static str, String)]) -> &'a str {
    let mut bound = bind.iter();
    let id = bound.find(|(name, _)| *name == PROJECT_ID);
    id.map_or("", |(_, id)| id)
}

/// The instant of a row by its replication key.
pub fn instant(def: &StreamDef, doc: &Document<'_>, row: json::Value) -> Option<DateTime<Utc>> {
    let value = doc.lookup(row, &[def.replication_key()?])?;
    parse_instant(&doc.scalar_text(value)?).ok()
}

/// Whether an answer's only row, which has no key, has anything that a row of the stream has.
pub fn is_a_row(def: &StreamDef, doc: &Document<'_>, row: json::Value) -> bool {
    let schema: Value = serde_json::from_str(def.schema).unwrap_or_default();
    let mut names = schema["properties"].as_object().into_iter().flatten();
    doc.byte(row) == b'{' && names.any(|(name, _)| doc.lookup(row, &[name.as_str()]).is_some())
}

/// What a row has to be found by, for a message. Nothing that may be about a person.
pub fn identified(def: &StreamDef, doc: &Document<'_>, row: json::Value) -> String {
    let names = def
        .key
        .iter()
        .copied()
        .chain(def.replication_key())
        .chain(IDENTIFIERS.iter().copied());
    let mut found: Vec<String> = Vec::new();
    for name in names.filter(|_| doc.byte(row) == b'{') {
        if let Some(value) = doc
            .lookup(row, &[name])
            .and_then(|value| doc.scalar_text(value))
            .filter(|value| !value.is_empty())
        {
            let text = format!("{name} {}", brief(&value));
            if !found.contains(&text) {
                found.push(text);
            }
        }
    }
    if found.is_empty() {
        String::new()
    } else {
        format!(" ({})", found.join(", "))
    }
}

/// Tells rows apart where no record is made of them.
pub fn identity(row: &[u8], reference: Option<&Reference>) -> u128 {
    match reference {
        Some(reference) if !reference.bind.is_empty() => {
            let values: Vec<&str> = reference.bind.iter().map(|(_, v)| v.as_str()).collect();
            xxh3_128(values.join("\0").as_bytes())
        }
        _ => xxh3_128(row),
    }
}
