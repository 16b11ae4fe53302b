//! What a row tells the streams below it.

use chrono::{DateTime, Utc};

/// What a row tells its children.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    pub bind: Vec<(&'static str, String)>,
    /// When it was last active in the window.
    pub last: Option<DateTime<Utc>>,
    /// How many child rows it has in the window.
    pub count: Option<u64>,
    /// How many it has in all.
    pub total: Option<u64>,
    /// Its child rows are also in the list of the whole project.
    pub by_project: bool,
    /// A project that the token cannot read, as the list has it; of an integration that may be wrong.
    pub no_access: bool,
}
