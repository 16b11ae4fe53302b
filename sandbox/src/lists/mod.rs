//! Lists that are described by files: `lists/NAME.json`, each of which says where the list is, how it pages and what its
//! rows are. The README beside them tells the parts of a file.

mod fill;
mod place;
mod rows;

pub use place::{Place, Within};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a file says of its list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// As the file is named.
    #[serde(skip)]
    pub name: &'static str,
    pub path: String,
    /// Any of them will do.
    pub scopes: Vec<String>,
    pub pages: Pages,
    /// Rows of a page when nothing is said.
    #[serde(default = "hundred")]
    pub size: usize,
    /// The member of the answer that the rows are in.
    pub envelope: Option<String>,
    /// Parameters beside those of paging.
    #[serde(default)]
    pub query: BTreeMap<String, Parameter>,
    /// Where a row names its project, if `project=` chooses by it.
    pub project: Option<String>,
    /// When a row happened: rows are newest first, and a window of extraction chooses by it.
    pub time: Option<String>,
    /// `start`, `end` and `statsPeriod` choose by that time, both ends included; without them the last 90 days count.
    #[serde(default)]
    pub window: bool,
    /// What is answered where the server or the plan lacks it; see [`crate::World::lacks`].
    #[serde(default = "not_found")]
    pub lacking: u16,
    /// Of parameters of the path that no table of the world has: the list and the member of its rows that they are.
    #[serde(default, rename = "in")]
    pub from: BTreeMap<String, From>,
    /// Rows are made for each of these.
    pub each: Option<Each>,
    /// What all rows have in common.
    #[serde(default)]
    pub row: Map<String, Value>,
    /// The rows, as far as they differ.
    #[serde(default = "one")]
    pub rows: Vec<Map<String, Value>>,
    /// The list whose rows these are.
    pub rows_of: Option<String>,
    /// What tells rows apart: parameters of the path, and members of a row.
    pub key: Vec<String>,
}

/// How a list comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pages {
    /// One object, no list.
    Object,
    /// In one answer, without a Link header.
    Whole,
    /// By number of page.
    Offset,
    /// By number of row.
    Rows,
}

/// What a parameter of the query chooses by.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The member of a row that must be equal; none: it chooses nothing.
    pub field: Option<String>,
    /// What counts when it is not there. There and empty it chooses nothing.
    pub default: Option<String>,
    /// Its values, where any other is refused.
    pub values: Option<Vec<String>>,
}

/// Where values of a path's parameter come from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct From {
    pub list: String,
    pub member: String,
}

/// A table of the world.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Each {
    Project,
    Team,
    Member,
}

fn hundred() -> usize {
    100
}

fn not_found() -> u16 {
    404
}

fn one() -> Vec<Map<String, Value>> {
    vec![Map::new()]
}

/// Name and content of each file.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/lists.rs"));

static LISTS: LazyLock<Vec<List>> = LazyLock::new(|| {
    let read = |(name, text): &(&'static str, &str)| {
        let list: List = serde_json::from_str(text)
            .unwrap_or_else(|problem| panic!("sandbox/lists/{name}.json: {problem}"));
        List { name, ..list }
    };
    FILES.iter().map(read).collect()
});

impl List {
    /// All lists.
    ///
    /// # Panics
    /// When one of the files is not as it should be.
    pub fn all() -> &'static [Self] {
        &LISTS
    }

    /// Whether no other list is at the same path, as another query of it is.
    pub fn has_a_path(&self) -> bool {
        !self.path.contains('?')
    }

    /// The list of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|list| list.name == name)
    }

    /// Its scopes, as endpoints have them.
    pub fn scopes(&'static self) -> &'static [&'static str] {
        let scopes = self.scopes.iter().map(String::as_str);
        scopes.collect::<Vec<_>>().leak()
    }

    /// When a row happened, of a list whose rows have a time.
    pub fn time_of(&self, row: &Value) -> Option<DateTime<Utc>> {
        let text = row[self.time.as_ref()?].as_str()?;
        let at = DateTime::parse_from_rfc3339(text).ok()?;
        Some(at.to_utc())
    }

    /// The parameters of its path.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        let parts = self.path.split('{').skip(1);
        parts.filter_map(|part| part.split('}').next())
    }
}
