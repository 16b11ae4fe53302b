//! The data behind the server, and the truth about it.
//!
//! Fields are public on purpose: a test changes what it needs between (or, with [`crate::Faults::on_request`], during)
//! requests. The methods only spare typing and keep the few invariants that several fields share.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::Value;

pub use crate::seconds::Seconds;
use crate::synthetic::{Synthetic, mixed_id};

#[derive(Clone, Debug)]
pub struct World {
    /// The server's clock for retention and default windows; `None`: the real one.
    pub now: Option<DateTime<Utc>>,
    /// Events older than this cannot be seen at all.
    pub retention: TimeDelta,
    pub organizations: Vec<Organization>,
    pub projects: Vec<Project>,
    pub teams: Vec<Team>,
    pub users: Vec<User>,
    pub members: Vec<Member>,
    pub releases: Vec<Release>,
    pub issues: BTreeMap<u64, Issue>,
    /// Merged child -> survivor.
    pub merged: BTreeMap<u64, u64>,
    pub tokens: BTreeMap<String, Token>,
    /// Names of environments that exist; asking for another one is a 404.
    pub environments: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub struct Organization {
    pub id: u64,
    pub slug: String,
    pub name: String,
    pub date_created: DateTime<Utc>,
    /// Members may see projects of teams they are not in.
    pub open_membership: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectStatus {
    Active,
    PendingDeletion,
}

#[derive(Clone, Debug)]
pub struct Project {
    pub id: u64,
    pub slug: String,
    pub name: String,
    pub platform: Option<String>,
    pub date_created: DateTime<Utc>,
    pub teams: Vec<u64>,
    /// Slugs it had before: asking for one is a redirect.
    pub former_slugs: Vec<String>,
    pub status: ProjectStatus,
}

#[derive(Clone, Debug)]
pub struct Team {
    pub id: u64,
    pub slug: String,
    pub name: String,
    pub date_created: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct User {
    pub id: u64,
    pub name: String,
    pub email: String,
    pub date_joined: DateTime<Utc>,
    pub last_login: Option<DateTime<Utc>>,
    pub active: bool,
}

#[derive(Clone, Debug)]
pub struct Member {
    pub id: u64,
    /// `None`: invited, not arrived.
    pub user: Option<u64>,
    pub email: String,
    pub role: String,
    pub teams: Vec<u64>,
    pub date_created: DateTime<Utc>,
    pub inviter: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseStatus {
    Open,
    Archived,
}

#[derive(Clone, Debug)]
pub struct Release {
    pub id: u64,
    pub version: String,
    pub status: ReleaseStatus,
    pub date_created: DateTime<Utc>,
    pub date_released: Option<DateTime<Utc>>,
    pub projects: Vec<u64>,
    pub commit_count: u64,
    pub deploy_count: u64,
    pub new_groups: u64,
    pub authors: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Unresolved,
    Resolved,
    Ignored,
    Reprocessing,
    PendingDeletion,
    DeletionInProgress,
    PendingMerge,
}

impl Status {
    /// Whether lists and details know issues of this status.
    pub fn visible(self) -> bool {
        !matches!(
            self,
            Self::PendingDeletion | Self::DeletionInProgress | Self::PendingMerge
        )
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::Resolved => "resolved",
            Self::Ignored => "ignored",
            Self::Reprocessing => "reprocessing",
            Self::PendingDeletion | Self::DeletionInProgress => "pending_deletion",
            Self::PendingMerge => "pending_merge",
        }
    }
}

/// What sort of problem an issue is; decides which searches see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub issue_type: &'static str,
    pub category: &'static str,
    /// The `type` of the record and of its events.
    pub event_type: &'static str,
    /// Absent from searches that name neither a type nor a category.
    pub hidden: bool,
}

impl Kind {
    pub const ERROR: Self = Self::new("error", "error", "error", false);
    pub const MESSAGE: Self = Self::new("error", "error", "default", false);
    pub const CSP: Self = Self::new("error", "error", "csp", false);
    pub const PERFORMANCE: Self = Self::new(
        "performance_n_plus_one_db_queries",
        "performance",
        "transaction",
        false,
    );
    pub const CRON: Self = Self::new("monitor_check_in_failure", "cron", "generic", false);
    pub const OUTAGE: Self = Self::new("uptime_domain_failure", "outage", "generic", false);
    pub const FEEDBACK: Self = Self::new("feedback", "feedback", "feedback", true);
    pub const EXPERIMENT: Self =
        Self::new("query_injection_vulnerability", "db_query", "generic", true);

    const fn new(
        issue_type: &'static str,
        category: &'static str,
        event_type: &'static str,
        hidden: bool,
    ) -> Self {
        Self {
            issue_type,
            category,
            event_type,
            hidden,
        }
    }

    /// Errors live in another store than the rest: project events know only errors.
    pub fn is_error(&self) -> bool {
        self.category == "error"
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignee {
    User(u64),
    Team(u64),
}

/// What issue detail says about the first and last release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseForm {
    None,
    VersionOnly(String),
    Full(String),
}

#[derive(Clone, Debug)]
pub struct Issue {
    pub id: u64,
    pub project: u64,
    pub short_id: String,
    pub title: String,
    pub culprit: Option<String>,
    pub logger: Option<String>,
    pub level: String,
    pub platform: Option<String>,
    pub kind: Kind,
    pub status: Status,
    pub substatus: Option<String>,
    pub status_details: Value,
    pub priority: Option<String>,
    pub assignee: Option<Assignee>,
    /// `(displayName, url)`.
    pub annotations: Vec<(String, String)>,
    pub metadata: Value,
    pub comments: u64,
    pub unhandled: bool,
    pub first_release: ReleaseForm,
    pub events: Vec<Event>,
    /// Events that are computed when asked for, beside the stored ones.
    pub synthetic: Option<Synthetic>,
}

#[derive(Clone, Debug)]
pub struct Event {
    /// 32 hex digits, unique within a project only.
    pub id: String,
    /// May carry a fraction; lists, windows and order use the whole second.
    pub timestamp: DateTime<Utc>,
    pub received: DateTime<Utc>,
    pub message: String,
    pub environment: Option<String>,
    pub release: Option<String>,
    /// A user of the failing application.
    pub user: Option<Value>,
    /// Key and value may both be null.
    pub tags: Vec<(Option<String>, Option<String>)>,
    pub dist: Option<String>,
}

impl Event {
    pub fn new(id: impl Into<String>, timestamp: DateTime<Utc>) -> Self {
        Self {
            id: id.into(),
            timestamp,
            received: timestamp + TimeDelta::milliseconds(1_417),
            message: String::new(),
            environment: Some("production".to_owned()),
            release: None,
            user: None,
            tags: Vec::new(),
            dist: None,
        }
    }

    pub fn second(&self) -> i64 {
        self.timestamp.timestamp()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    User(u64),
    Integration,
    Organization,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    Active,
    Expired,
    SsoRequired,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub kind: TokenKind,
    pub scopes: Vec<String>,
    pub state: TokenState,
}

/// Reading scopes that a full extraction needs.
pub const READ_SCOPES: [&str; 7] = [
    "org:read",
    "project:read",
    "team:read",
    "member:read",
    "event:read",
    "alerts:read",
    "project:releases",
];

impl Token {
    pub fn user(user: u64, scopes: &[&str]) -> Self {
        Self::of(TokenKind::User(user), scopes)
    }

    pub fn of(kind: TokenKind, scopes: &[&str]) -> Self {
        Self {
            kind,
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            state: TokenState::Active,
        }
    }
}

/// A stored or a computed event of an issue.
#[derive(Clone, Copy, Debug)]
pub enum EventRef<'a> {
    Stored(&'a Event),
    Synthetic(&'a Synthetic, u64),
}

impl EventRef<'_> {
    pub fn second(&self) -> i64 {
        match self {
            Self::Stored(event) => event.second(),
            Self::Synthetic(synthetic, index) => synthetic.second(*index),
        }
    }

    pub fn id(&self) -> String {
        match self {
            Self::Stored(event) => event.id.clone(),
            Self::Synthetic(synthetic, index) => format!("{:032x}", synthetic.id(*index)),
        }
    }

    /// The id as a number: the order of numbers is the order of the texts.
    pub fn id_number(&self) -> u128 {
        match self {
            Self::Stored(event) => u128::from_str_radix(&event.id, 16).unwrap_or_default(),
            Self::Synthetic(synthetic, index) => synthetic.id(*index),
        }
    }
}

/// Numbers of an issue over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub count: u64,
    pub users: u64,
    pub first: i64,
    pub last: i64,
}

impl Issue {
    /// Events in the window, in no order.
    pub fn events_in(&self, window: Seconds) -> impl Iterator<Item = EventRef<'_>> {
        let stored = self
            .events
            .iter()
            .filter(move |event| window.holds(event.second()))
            .map(EventRef::Stored);
        let synthetic = self.synthetic.iter().flat_map(move |synthetic| {
            synthetic
                .range(window)
                .map(move |index| EventRef::Synthetic(synthetic, index))
        });
        stored.chain(synthetic)
    }

    pub fn count_in(&self, window: Seconds) -> u64 {
        let stored = self
            .events
            .iter()
            .filter(|event| window.holds(event.second()))
            .count();
        let synthetic = self.synthetic.as_ref().map_or(0, |synthetic| {
            let range = synthetic.range(window);
            range.end - range.start
        });
        stored as u64 + synthetic
    }

    /// `None` without an event in the window (and, if asked, in the environments).
    pub fn seen(&self, window: Seconds, environments: &[String]) -> Option<Seen> {
        let mut seen: Option<Seen> = None;
        let mut users = BTreeSet::new();
        let mut note = |count: u64, first: i64, last: i64| {
            let seen = seen.get_or_insert(Seen {
                first,
                last,
                ..Seen::default()
            });
            seen.count += count;
            seen.first = seen.first.min(first);
            seen.last = seen.last.max(last);
        };
        for event in &self.events {
            if window.holds(event.second()) && event.in_environments(environments) {
                note(1, event.second(), event.second());
                if let Some(id) = event.user.as_ref().and_then(|user| user.get("id")) {
                    users.insert(id.to_string());
                }
            }
        }
        let mut more_users = 0;
        if let Some(synthetic) = &self.synthetic
            && environments.iter().all(|name| name == "production")
        {
            let range = synthetic.range(window);
            if !range.is_empty() {
                note(
                    range.end - range.start,
                    synthetic.second(range.start),
                    synthetic.second(range.end - 1),
                );
                more_users = (range.end - range.start).min(97);
            }
        }
        seen.map(|seen| Seen {
            users: users.len() as u64 + more_users,
            ..seen
        })
    }

    pub fn event_count(&self) -> u64 {
        self.events.len() as u64
            + self
                .synthetic
                .as_ref()
                .map_or(0, |synthetic| synthetic.count)
    }
}

impl Event {
    pub fn in_environments(&self, names: &[String]) -> bool {
        names.is_empty()
            || self
                .environment
                .as_ref()
                .is_some_and(|environment| names.contains(environment))
    }
}

impl World {
    /// One organization, one team with its owner, the tokens; no project yet.
    pub fn empty(now: DateTime<Utc>) -> Self {
        let long_ago = now - TimeDelta::days(400);
        let owner = User {
            id: 1,
            name: "Olive Owner".to_owned(),
            email: "olive.owner@example.com".to_owned(),
            date_joined: long_ago + TimeDelta::microseconds(375_239),
            last_login: Some(now.trunc_subsecs(0) - TimeDelta::hours(7)),
            active: true,
        };
        let member = Member {
            id: 11,
            user: Some(1),
            email: owner.email.clone(),
            role: "owner".to_owned(),
            teams: vec![1],
            date_created: long_ago,
            inviter: None,
        };
        let mut world = Self {
            now: Some(now),
            retention: TimeDelta::days(90),
            organizations: vec![Organization {
                id: 1,
                slug: crate::ORGANIZATION.to_owned(),
                name: "Acme Inc".to_owned(),
                date_created: long_ago,
                open_membership: true,
            }],
            projects: Vec::new(),
            teams: vec![Team {
                id: 1,
                slug: "backend".to_owned(),
                name: "Backend".to_owned(),
                date_created: long_ago + TimeDelta::microseconds(115_000),
            }],
            users: vec![owner],
            members: vec![member],
            releases: Vec::new(),
            issues: BTreeMap::new(),
            merged: BTreeMap::new(),
            tokens: BTreeMap::new(),
            environments: ["production", "staging"].map(str::to_owned).into(),
        };
        let all: Vec<&str> = READ_SCOPES.into_iter().chain(["org:write"]).collect();
        world.add_token(crate::TOKEN, Token::user(1, &all));
        world.add_token(
            crate::INTEGRATION_TOKEN,
            Token::of(TokenKind::Integration, &READ_SCOPES),
        );
        world.add_token(
            crate::ORGANIZATION_TOKEN,
            Token::of(TokenKind::Organization, &["org:ci"]),
        );
        world.add_token(
            crate::NARROW_TOKEN,
            Token::user(1, &["org:read", "project:read", "team:read"]),
        );
        // A user who exists for permissions only: in no list, because in no team and no member.
        world.add_token(crate::TEAMLESS_TOKEN, Token::user(99, &READ_SCOPES));
        world.add_token(
            crate::EXPIRED_TOKEN,
            Token {
                state: TokenState::Expired,
                ..Token::user(1, &all)
            },
        );
        world.add_token(
            crate::SSO_TOKEN,
            Token {
                state: TokenState::SsoRequired,
                ..Token::user(1, &all)
            },
        );
        world
    }

    pub fn clock(&self) -> DateTime<Utc> {
        self.now.unwrap_or_else(Utc::now)
    }

    pub fn add_token(&mut self, value: &str, token: Token) {
        self.tokens.insert(value.to_owned(), token);
    }

    /// A project of team 1. Returns its id.
    pub fn add_project(&mut self, slug: &str) -> u64 {
        let id = self
            .projects
            .iter()
            .map(|project| project.id)
            .max()
            .unwrap_or(1)
            + 1;
        self.projects.push(Project {
            id,
            slug: slug.to_owned(),
            name: slug.to_uppercase(),
            platform: Some("python".to_owned()),
            date_created: self.clock() - TimeDelta::days(200),
            teams: vec![1],
            former_slugs: Vec::new(),
            status: ProjectStatus::Active,
        });
        id
    }

    /// An unresolved error issue without events. Returns its id.
    pub fn add_issue(&mut self, project: u64, title: &str) -> u64 {
        let id = 1 + self
            .issues
            .keys()
            .chain(self.merged.keys())
            .copied()
            .max()
            .unwrap_or(1_000);
        self.add_issue_with_id(id, project, title);
        id
    }

    pub fn add_issue_with_id(&mut self, id: u64, project: u64, title: &str) {
        let owner = self.project(project);
        let slug = owner.map_or("GONE".to_owned(), |project| project.slug.to_uppercase());
        let platform = owner.and_then(|project| project.platform.clone());
        let (kind, value) = title.split_once(": ").unwrap_or(("Error", title));
        self.issues.insert(
            id,
            Issue {
                id,
                project,
                short_id: format!("{slug}-{}", base32(id)),
                title: title.to_owned(),
                culprit: Some("app.tasks in run".to_owned()),
                logger: None,
                level: "error".to_owned(),
                platform,
                kind: Kind::ERROR,
                status: Status::Unresolved,
                substatus: Some("ongoing".to_owned()),
                status_details: Value::Object(serde_json::Map::new()),
                priority: Some("medium".to_owned()),
                assignee: None,
                annotations: Vec::new(),
                metadata: serde_json::json!({"type": kind, "value": value, "filename": "tasks.py", "function": "run", "in_app_frame_mix": "mixed"}),
                comments: 0,
                unhandled: false,
                first_release: ReleaseForm::None,
                events: Vec::new(),
                synthetic: None,
            },
        );
    }

    /// The issue to change; panics when it does not exist, as a test would.
    pub fn issue_mut(&mut self, id: u64) -> &mut Issue {
        self.issues.get_mut(&id).expect("the issue exists")
    }

    /// Adds an event, received now-ish. Returns its id.
    pub fn add_event(&mut self, issue: u64, timestamp: DateTime<Utc>) -> String {
        let issue = self.issue_mut(issue);
        let id = hex_id(issue.id, issue.events.len() as u64);
        issue.events.push(Event::new(id.clone(), timestamp));
        id
    }

    /// An event that happened long before it arrived. Returns its id.
    pub fn add_late_event(
        &mut self,
        issue: u64,
        timestamp: DateTime<Utc>,
        received: DateTime<Utc>,
    ) -> String {
        let id = self.add_event(issue, timestamp);
        if let Some(event) = self.issue_mut(issue).events.last_mut() {
            event.received = received;
        }
        id
    }

    pub fn resolve(&mut self, issue: u64) {
        let issue = self.issue_mut(issue);
        issue.status = Status::Resolved;
        issue.substatus = None;
    }

    pub fn set_status(&mut self, issue: u64, status: Status) {
        self.issue_mut(issue).status = status;
    }

    /// Gone with its events.
    pub fn delete_issue(&mut self, issue: u64) {
        self.issues.remove(&issue);
    }

    /// The child vanishes, its events belong to the survivor, its id answers with the survivor.
    pub fn merge(&mut self, child: u64, survivor: u64) {
        if let Some(gone) = self.issues.remove(&child) {
            self.issue_mut(survivor).events.extend(gone.events);
            for target in self.merged.values_mut() {
                if *target == child {
                    *target = survivor;
                }
            }
            self.merged.insert(child, survivor);
        }
    }

    pub fn rename_project(&mut self, id: u64, slug: &str) {
        if let Some(project) = self.projects.iter_mut().find(|project| project.id == id) {
            let old = std::mem::replace(&mut project.slug, slug.to_owned());
            project.former_slugs.push(old);
        }
    }

    pub fn delete_project(&mut self, id: u64) {
        self.projects.retain(|project| project.id != id);
        self.issues.retain(|_, issue| issue.project != id);
    }

    pub fn add_release(&mut self, version: &str, project: u64, date_created: DateTime<Utc>) -> u64 {
        let id = 1 + self
            .releases
            .iter()
            .map(|release| release.id)
            .max()
            .unwrap_or(500);
        self.releases.push(Release {
            id,
            version: version.to_owned(),
            status: ReleaseStatus::Open,
            date_created,
            date_released: Some(date_created + TimeDelta::minutes(3)),
            projects: vec![project],
            commit_count: 2,
            deploy_count: 1,
            new_groups: 0,
            authors: vec![1],
        });
        id
    }

    pub fn archive_release(&mut self, version: &str) {
        for release in &mut self.releases {
            if release.version == version {
                release.status = ReleaseStatus::Archived;
            }
        }
    }

    pub fn project(&self, id: u64) -> Option<&Project> {
        self.projects.iter().find(|project| project.id == id)
    }

    pub fn project_by_slug(&self, slug: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.slug == slug)
    }

    pub fn user(&self, id: u64) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    pub fn team(&self, id: u64) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == id)
    }

    pub fn release(&self, version: &str) -> Option<&Release> {
        self.releases
            .iter()
            .find(|release| release.version == version)
    }

    /// Follows a merge, and knows nothing of issues on their way out.
    pub fn find_issue(&self, id: u64) -> Option<&Issue> {
        let id = self.merged.get(&id).unwrap_or(&id);
        self.issues.get(id).filter(|issue| self.listable(issue))
    }

    /// Not being deleted or merged, and in a project that is not either.
    pub fn listable(&self, issue: &Issue) -> bool {
        issue.status.visible()
            && self
                .project(issue.project)
                .is_some_and(|project| project.status == ProjectStatus::Active)
    }

    /// The part of the window that retention leaves; `from >= to` when nothing is left.
    pub fn retained(&self, window: Seconds) -> Seconds {
        Seconds {
            from: window.from.max((self.clock() - self.retention).timestamp()),
            to: window.to,
        }
    }

    /// Events of issues that a complete extraction reaches, whatever their age.
    pub fn event_count(&self) -> u64 {
        self.issues
            .values()
            .filter(|issue| self.listable(issue))
            .map(Issue::event_count)
            .sum()
    }

    /// Primary keys, joined with `|`, that a complete extraction over `[start, end)` yields.
    ///
    /// The window selects issues, events and releases; the other streams are whole tables.
    pub fn expected(
        &self,
        stream: &str,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> BTreeSet<String> {
        let window = self.retained(Seconds::new(start, end));
        // Experiments are reached by naming their type only, so no extraction is expected to know them.
        let issues = self.issues.values().filter(|issue| {
            self.listable(issue) && (!issue.kind.hidden || issue.kind == Kind::FEEDBACK)
        });
        match stream {
            "projects" | "project_detail" => self
                .projects
                .iter()
                .filter(|project| project.status == ProjectStatus::Active)
                .map(|project| project.id.to_string())
                .collect(),
            "teams" => self.teams.iter().map(|team| team.id.to_string()).collect(),
            "users" => self
                .project_members(&self.projects.iter().map(|project| project.id).collect())
                .map(|member| member.id.to_string())
                .collect(),
            "members" => self
                .listed_members()
                .map(|member| member.id.to_string())
                .collect(),
            "issues" | "issue_detail" => issues
                .filter(|issue| issue.seen(window, &[]).is_some())
                .map(|issue| issue.id.to_string())
                .collect(),
            "events" | "event_detail" => issues
                .flat_map(|issue| {
                    issue
                        .events_in(window)
                        .map(|event| format!("{}|{}", issue.project, event.id()))
                })
                .collect(),
            "releases" | "release" => self
                .releases
                .iter()
                // Of others there is no detail: no path leads there.
                .filter(|release| {
                    stream == "releases" || !release.version.contains(['/', '\\', '\n', '\r'])
                })
                .filter(|release| start <= release.date_created && release.date_created < end)
                .map(|release| format!("{}|{}", self.organizations[0].slug, release.version))
                .collect(),
            other => panic!("no truth about a stream named {other:?}"),
        }
    }

    /// Invites are listed, deactivated users are not.
    pub fn listed_members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| {
            member
                .user
                .is_none_or(|id| self.user(id).is_some_and(|user| user.active))
        })
    }

    /// Arrived members of the teams of some projects.
    pub fn project_members(&self, projects: &BTreeSet<u64>) -> impl Iterator<Item = &Member> {
        let teams: BTreeSet<u64> = self
            .projects
            .iter()
            .filter(|project| projects.contains(&project.id))
            .flat_map(|project| project.teams.iter().copied())
            .collect();
        self.listed_members().filter(move |member| {
            member.user.is_some() && member.teams.iter().any(|team| teams.contains(team))
        })
    }
}

/// The part of a short id after the dash: Crockford's alphabet, as Sentry counts.
fn base32(mut number: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut text = Vec::new();
    while number > 0 {
        text.push(char::from(DIGITS[(number % 32) as usize]));
        number /= 32;
    }
    text.iter().rev().collect()
}

/// 32 hex digits that look random and never meet for different pairs.
pub(crate) fn hex_id(issue: u64, index: u64) -> String {
    format!("{:032x}", mixed_id(issue + (1 << 31), index))
}
