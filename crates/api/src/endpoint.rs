//! One endpoint of Sentry's web API, as data.

use std::time::Duration;

/// Everything that makes the requests of one endpoint differ from those of another.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What logs and counts call it.
    pub name: &'static str,
    /// Below `/api/0/`; a `{parameter}` stands for a value of the request, percent-encoded.
    pub path: &'static str,
    /// Sent with each request. A value may be a `{parameter}`; `{projects}` repeats for each project
    /// that is asked for.
    pub query: &'static [(&'static str, &'static str)],
    pub rows: Rows,
    /// The member of the answer that the list is in; `None`: the answer is the list.
    pub envelope: Option<&'static str>,
    /// A server or a plan may lack it, and says so at once: what that means is not tried again.
    pub optional: bool,
    /// The list is paged by row offset, which skips rows when one is deleted meanwhile: a list of
    /// several pages is read again until that brings nothing new.
    pub offset_paged: bool,
    pub class: Class,
    /// Any one of these lets a token read the endpoint.
    pub scopes: &'static [&'static str],
}

impl Endpoint {
    /// Whether its path names a project, which servers before 2024 know by slug only there.
    pub fn names_project(&self) -> bool {
        self.path.contains("{project_id}")
    }

    /// Whether the server is told which projects a list of the organization is wanted of.
    pub fn names_projects(&self) -> bool {
        self.query.iter().any(|(_, value)| *value == "{projects}")
    }

    /// The scopes as an error or the README names them.
    pub fn scopes_text(&self) -> String {
        self.scopes.join(" or ")
    }
}

/// A list of the organization in pages, to fill in the rest of an entry from.
pub const LIST: Endpoint = Endpoint {
    name: "",
    path: "",
    query: &[],
    rows: Rows::Pages { size: "per_page" },
    envelope: None,
    optional: false,
    offset_paged: true,
    class: Class::Default,
    scopes: &["org:read"],
};

/// One object, to fill in the rest of an entry from.
pub const OBJECT: Endpoint = Endpoint {
    rows: Rows::Object,
    ..LIST
};

/// The shape of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// One object, one record.
    Object,
    /// The whole list in one answer, without pages.
    Whole,
    /// Pages of 100; the parameter that says so differs.
    Pages { size: &'static str },
}

/// Endpoints that Sentry counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Everything without limits of its own shares one bucket.
    Default,
    Releases,
    Members,
    IssueDetail,
    EventDetail,
    ProjectEvents,
    Stats,
    ProjectStats,
    Keys,
    Explore,
}

impl Class {
    pub const ALL: [Self; 10] = [
        Self::Default,
        Self::Releases,
        Self::Members,
        Self::IssueDetail,
        Self::EventDetail,
        Self::ProjectEvents,
        Self::Stats,
        Self::ProjectStats,
        Self::Keys,
        Self::Explore,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Releases => "releases",
            Self::Members => "members",
            Self::IssueDetail => "issue detail",
            Self::EventDetail => "event detail",
            Self::ProjectEvents => "project events",
            Self::Stats => "stats",
            Self::ProjectStats => "project stats",
            Self::Keys => "keys",
            Self::Explore => "explore",
        }
    }

    /// Requests, their window, and requests in flight, until an answer says otherwise. From the endpoints' own
    /// `RateLimitConfig` in Sentry's source, and for the default bucket from what the hosted service has been seen
    /// to send.
    pub fn documented(self) -> (u32, Duration, u32) {
        let second = Duration::from_secs(1);
        match self {
            Self::Default | Self::Releases | Self::Members | Self::Keys => (40, second, 25),
            Self::IssueDetail | Self::EventDetail | Self::ProjectStats => (5, second, 25),
            Self::ProjectEvents => (60, Duration::from_secs(60), 1),
            Self::Stats => (20, second, 25),
            Self::Explore => (30, second, 15),
        }
    }
}
