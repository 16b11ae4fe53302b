//! The endpoints that figures come from.

use tap_sentry_api::endpoint::{Class, Endpoint, LIST, OBJECT, Rows};
use tap_sentry_api::endpoints;

pub static ORGANIZATIONS: Endpoint = endpoints::ORGANIZATIONS;

pub static PROJECTS: Endpoint = endpoints::PROJECTS;

/// What became of events, of many projects in one answer; zeros are absent. `project`, `start` and `end` are to be added.
pub static OUTCOMES: Endpoint = Endpoint {
    name: "stats_v2",
    path: "organizations/{organization_slug}/stats_v2/",
    query: &[
        ("field", "sum(quantity)"),
        ("groupBy", "project"),
        ("groupBy", "category"),
        ("groupBy", "outcome"),
        ("groupBy", "reason"),
        ("interval", "1d"),
    ],
    class: Class::Stats,
    ..OBJECT
};

/// One count of a project over time. `stat`, `since` and `until` are to be added.
pub static PROJECT_STATS: Endpoint = Endpoint {
    name: "project stats",
    path: "projects/{organization_slug}/{project_id}/stats/",
    query: &[("resolution", "1d")],
    rows: Rows::Whole,
    class: Class::ProjectStats,
    scopes: &["project:read"],
    ..LIST
};

/// Unresolved issues, the latest first. Without numbers of their window there would be no `firstSeen`, and an empty
/// `groupStatsPeriod` leaves out 24 points of sparkline an issue. `project` is to be added.
pub static UNRESOLVED: Endpoint = Endpoint {
    query: &[
        ("query", "is:unresolved"),
        ("sort", "date"),
        ("groupStatsPeriod", ""),
        ("collapse", "filtered"),
    ],
    ..endpoints::ISSUES
};

/// The same of one project, for servers that cannot search a whole organization.
pub static PROJECT_UNRESOLVED: Endpoint = Endpoint {
    path: "projects/{organization_slug}/{project_id}/issues/",
    query: &[
        ("query", "is:unresolved"),
        ("sort", "date"),
        ("statsPeriod", ""),
    ],
    ..UNRESOLVED
};

/// The client keys of all projects. Rows hold secrets.
pub static KEYS: Endpoint = Endpoint {
    path: "organizations/{organization_slug}/project-keys/",
    // Without it servers of 2025 list the keys of one's teams' projects only.
    query: &[("project", "-1")],
    class: LIST.class,
    scopes: LIST.scopes,
    ..endpoints::PROJECT_KEYS
};

pub static PROJECT_KEYS: Endpoint = endpoints::PROJECT_KEYS;

/// By name: sorted by status, rows would move while they are read.
pub static MONITORS: Endpoint = Endpoint {
    name: "monitors",
    path: "organizations/{organization_slug}/monitors/",
    query: &[("project", "-1"), ("sort", "name")],
    scopes: &["org:read", "alerts:read"],
    ..LIST
};

/// The newest releases. `per_page` is to be added.
pub static NEWEST_RELEASES: Endpoint = Endpoint {
    name: "releases",
    path: "organizations/{organization_slug}/releases/",
    query: &[("project", "-1")],
    rows: Rows::Whole,
    class: Class::Releases,
    scopes: &["project:read", "project:releases"],
    ..LIST
};

/// The health of releases over a day, of those with most sessions first.
pub static SESSIONS: Endpoint = Endpoint {
    name: "sessions",
    path: "organizations/{organization_slug}/sessions/",
    query: &[
        ("project", "-1"),
        ("field", "sum(session)"),
        ("field", "crash_free_rate(session)"),
        ("field", "crash_free_rate(user)"),
        ("groupBy", "project"),
        ("groupBy", "release"),
        ("orderBy", "-sum(session)"),
        ("includeSeries", "0"),
        ("statsPeriod", "24h"),
        ("per_page", "100"),
    ],
    ..OBJECT
};

/// How issues are searched for: in an organization, or on servers without that in a project.
#[derive(Debug)]
pub struct Searched {
    /// `project` is to be added.
    pub organization: &'static Endpoint,
    pub project: &'static Endpoint,
}

/// The unresolved ones.
pub static UNRESOLVED_SEARCH: Searched = Searched {
    organization: &UNRESOLVED,
    project: &PROJECT_UNRESOLVED,
};

/// Any. `query` is to be added.
pub static RECENT: Searched = Searched {
    organization: &ORGANIZATION_RECENT,
    project: &PROJECT_RECENT,
};

static ORGANIZATION_RECENT: Endpoint = Endpoint {
    query: &[
        ("sort", "date"),
        ("groupStatsPeriod", ""),
        ("collapse", "filtered"),
    ],
    ..endpoints::ISSUES
};

static PROJECT_RECENT: Endpoint = Endpoint {
    query: &[("sort", "date"), ("statsPeriod", "")],
    ..PROJECT_UNRESOLVED
};

/// The environments of a project that are not hidden, for servers that do not tell them with the projects.
pub static PROJECT_ENVIRONMENTS: Endpoint = Endpoint {
    name: "environments",
    path: "projects/{organization_slug}/{project_id}/environments/",
    rows: Rows::Whole,
    scopes: &["project:read"],
    ..LIST
};

/// The newest release of an issue. `environment` may be added.
pub static CURRENT_RELEASE: Endpoint = Endpoint {
    name: "current release",
    path: "organizations/{organization_slug}/issues/{issue_id}/current-release/",
    scopes: &["event:read"],
    ..OBJECT
};

/// The same, where servers before 2025 have it.
pub static BARE_RELEASE: Endpoint = Endpoint {
    path: "issues/{issue_id}/current-release/",
    ..CURRENT_RELEASE
};

/// One count of a project in points of 10 seconds. `stat`, `since` and `until` are to be added.
pub static FINE_STATS: Endpoint = Endpoint {
    query: &[("resolution", "10s")],
    ..PROJECT_STATS
};
