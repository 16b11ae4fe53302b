//! The groups of figures that can be switched, as data.

/// A group of figures that are fetched together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collector {
    Events,
    Issues,
    Projects,
    ClientKeys,
    Monitors,
    ReleaseHealth,
    IssueEvents,
}

/// What there is to know of a collector.
#[derive(Debug)]
pub struct Definition {
    /// As labels have it.
    pub name: &'static str,
    /// The setting that switches it.
    pub setting: &'static str,
    /// The flag that switches it on.
    pub flag: &'static str,
    /// The flag that switches it off.
    pub no_flag: &'static str,
    /// Whether it runs when nothing is said.
    pub is_default: bool,
    /// What a token needs for it.
    pub scopes: &'static str,
    /// What it asks of Sentry in one refresh.
    pub cost: &'static str,
}

macro_rules! definition {
    ($name:literal, $is_default:literal, $scopes:literal, $cost:literal) => {
        &Definition {
            name: $name,
            setting: concat!("collector_", $name),
            flag: concat!("collector.", $name),
            no_flag: concat!("no-collector.", $name),
            is_default: $is_default,
            scopes: $scopes,
            cost: $cost,
        }
    };
}

impl Collector {
    pub const ALL: [Self; 7] = [
        Self::Events,
        Self::Issues,
        Self::Projects,
        Self::ClientKeys,
        Self::Monitors,
        Self::ReleaseHealth,
        Self::IssueEvents,
    ];

    #[rustfmt::skip]
    pub fn definition(self) -> &'static Definition {
        match self {
            Self::Events => definition!("events", true, "`org:read`; `project:read` on servers before 21.4", "1 request; on servers before 21.4, 3 a project"),
            Self::Issues => definition!("issues", true, "`event:read`", "1 request for each 100 unresolved issues, up to `max_issue_pages`; shared with `issue_events`"),
            Self::Projects => definition!("projects", true, "`org:read`", "1 request for each 100 projects, which every collector needs"),
            Self::ClientKeys => definition!("client_keys", true, "`org:read`; `project:read` on old servers", "1 request for each 100 keys; on old servers, 1 a project"),
            Self::Monitors => definition!("monitors", true, "`org:read` or `alerts:read`", "1 request for each 100 monitors"),
            Self::ReleaseHealth => definition!("release_health", false, "`org:read` and `project:read`", "2 requests"),
            Self::IssueEvents => definition!("issue_events", false, "`event:read`", "1 request for each 100 unresolved issues, up to `max_issue_pages`; shared with `issues`"),
        }
    }

    /// As labels have it.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// Whether it runs when nothing is said.
    pub fn is_default(self) -> bool {
        self.definition().is_default
    }
}
