//! Sessions that clients report: the numbers behind the health of releases.

/// Sessions of one release of a project, in one environment, that began in one second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    pub project: u64,
    pub release: String,
    /// Empty: none.
    pub environment: String,
    /// Since the epoch.
    pub second: i64,
    pub sessions: u64,
    pub crashed: u64,
    /// Different users; none of them is in another entry.
    pub users: u64,
    pub crashed_users: u64,
}
