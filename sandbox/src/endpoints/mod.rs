//! The endpoints: a table of them, and what they share.

mod environments;
mod event;
mod events;
mod explore;
mod issues;
mod keys;
mod lists;
mod monitors;
mod organizations;
mod people;
mod projects;
mod query;
mod releases;
pub mod search;
mod sessions;
mod statistics;
mod stats;
mod summary;
mod values;

use crate::auth::Caller;
use crate::cursor::{self, Cursor, Slice};
use crate::limits::Class;
use crate::lists::List;
use crate::problem::Problem;
use crate::python;
use crate::reply::Reply;
use crate::version::Version;
use crate::window::Window;
use crate::world::{Organization, Project, World};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// One endpoint. `scopes`: any of them will do; none: no token is asked for.
pub struct Endpoint {
    pub path: &'static str,
    pub class: Class,
    pub scopes: &'static [&'static str],
    answer: Answer,
}

/// Where an answer comes from.
enum Answer {
    Code(fn(&Call<'_>) -> Result<Reply, Problem>),
    File(&'static List),
}

impl Endpoint {
    pub fn answer(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        match self.answer {
            Answer::Code(answer) => answer(call),
            Answer::File(list) => lists::answer(list, call),
        }
    }

    /// All endpoints: those with code of their own, and those that files describe.
    pub fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<Endpoint>> = LazyLock::new(|| {
            let described = List::all().iter().filter(|list| list.has_a_path());
            let described = described.map(|list| Endpoint {
                path: format!("/api/0{}", list.path).leak(),
                class: Class::Default,
                scopes: list.scopes(),
                answer: Answer::File(list),
            });
            own().into_iter().chain(described).collect()
        });
        &ALL
    }
}

const ORG_READ: &[&str] = &["org:read", "org:write", "org:admin"];
const PROJECT_READ: &[&str] = &["project:read", "project:write", "project:admin"];
const EVENT_READ: &[&str] = &["event:read", "event:write", "event:admin"];
const MEMBER_READ: &[&str] = &["member:read", "member:write", "member:admin"];
const MONITORS: &[&str] = &["org:read", "org:write", "org:admin", "alerts:read"];
const RELEASES: &[&str] = &[
    "project:read",
    "project:write",
    "project:admin",
    "project:releases",
    "org:ci",
];

macro_rules! endpoints {
    ($($path:literal $class:ident $scopes:expr => $answer:path;)*) => {
        vec![$(Endpoint { path: concat!("/api/0", $path), class: Class::$class, scopes: $scopes, answer: Answer::Code($answer) }),*]
    };
}

#[rustfmt::skip]
fn own() -> Vec<Endpoint> { endpoints! {
    "/organizations/"                                   Default       ORG_READ     => organizations::list;
    "/organizations/{org}/"                             Default       ORG_READ     => organizations::detail;
    "/organizations/{org}/projects/"                    Default       ORG_READ     => projects::list;
    "/organizations/{org}/teams/"                       Default       ORG_READ     => people::teams;
    "/organizations/{org}/users/"                       Default       ORG_READ     => people::users;
    "/organizations/{org}/members/"                     Members       MEMBER_READ  => people::members;
    "/organizations/{org}/issues/"                      Default       EVENT_READ   => search::organization;
    "/organizations/{org}/issues/{issue}/"              IssueDetail   EVENT_READ   => issues::detail;
    "/organizations/{org}/issues/{issue}/events/"       Default       EVENT_READ   => events::of_issue;
    "/organizations/{org}/issues/{issue}/events/{event}/" Default     EVENT_READ   => event::of_issue;
    "/organizations/{org}/issues/{issue}/tags/{key}/"   Default       EVENT_READ   => lists::tag_of_issue;
    "/organizations/{org}/shortids/{short}/"            Default       EVENT_READ   => issues::by_short_id;
    "/organizations/{org}/eventids/{event}/"            Default       EVENT_READ   => event::by_id;
    "/organizations/{org}/releases/"                    Releases      RELEASES     => releases::list;
    "/organizations/{org}/releases/{version}/"          Default       RELEASES     => releases::detail;
    "/organizations/{org}/events/"                      Explore       ORG_READ     => explore::answer;
    "/organizations/{org}/stats_v2/"                    StatsV2       ORG_READ     => statistics::answer;
    "/organizations/{org}/stats-summary/"               Default       ORG_READ     => summary::answer;
    "/organizations/{org}/stats/"                       Default       ORG_READ     => stats::organization;
    "/organizations/{org}/sessions/"                    Default       ORG_READ     => sessions::answer;
    "/organizations/{org}/project-keys/"                Default       ORG_READ     => keys::organization;
    "/organizations/{org}/monitors/"                    Default       MONITORS     => monitors::list;
    "/organizations/{org}/environments/"                Default       ORG_READ     => environments::organization;
    "/organizations/{org}/issues/{issue}/current-release/" Default    EVENT_READ   => issues::current_release;
    "/projects/{org}/{project}/"                        Default       PROJECT_READ => projects::detail;
    "/projects/{org}/{project}/issues/"                 ProjectIssues EVENT_READ   => search::project;
    "/projects/{org}/{project}/events/"                 ProjectEvents PROJECT_READ => events::of_project;
    "/projects/{org}/{project}/events/{event}/"         EventDetail   PROJECT_READ => event::of_project;
    "/projects/{org}/{project}/events/{event}/attachments/{attachment}/" Default PROJECT_READ => lists::attachment;
    "/projects/{org}/{project}/stats/"                  ProjectStats  PROJECT_READ => stats::project;
    "/projects/{org}/{project}/keys/"                   Keys          PROJECT_READ => keys::project;
    "/projects/{org}/{project}/environments/"           Default       PROJECT_READ => environments::project;
    "/issues/{issue}/"                                  IssueDetail   EVENT_READ   => issues::detail;
    "/issues/{issue}/events/"                           Default       EVENT_READ   => events::of_issue;
    "/issues/{issue}/current-release/"                  Default       EVENT_READ   => issues::current_release;
    "/groups/{issue}/"                                  IssueDetail   EVENT_READ   => issues::detail;
} }

/// A request that may see the world.
pub struct Call<'a> {
    pub world: &'a World,
    /// Absent only where no scope is asked for.
    pub caller: Option<&'a Caller>,
    /// The path's parameters, decoded.
    pub path: &'a [(String, String)],
    pub query: &'a [(String, String)],
    /// As received, still encoded.
    pub raw_path: &'a str,
    pub version: Version,
    /// Refuse what Sentry passes over in silence.
    pub pedantic: bool,
    /// The stores of all but errors fail.
    pub errors_only: bool,
    /// Scheme and host of what DSNs lead to.
    pub ingest: &'a str,
}

impl<'a> Call<'a> {
    pub fn caller(&self) -> Result<&'a Caller, Problem> {
        self.caller.ok_or_else(Problem::forbidden)
    }

    fn segment(&self, name: &str) -> &str {
        self.path
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// The last one wins, as in Django.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.query
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn all(&self, name: &str) -> Vec<String> {
        self.query
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .collect()
    }

    pub fn organization(&self) -> Result<&'a Organization, Problem> {
        let asked = self.segment("org");
        self.world
            .organizations
            .iter()
            .find(|one| self.is_named(asked, &one.slug, one.id))
            .ok_or_else(Problem::not_found)
    }

    /// Refuses, where that is wanted, what Sentry would pass over in silence.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let mut names = self.query.iter().map(|(name, _)| name.as_str());
        match names.find(|name| self.pedantic && !known.contains(name)) {
            Some(name) => Err(Problem::bad_request(&format!(
                "Sentry would ignore the parameter {name}."
            ))),
            None => Ok(()),
        }
    }

    /// The project in the path. A slug it had before is a redirect, an id never.
    pub fn project(&self) -> Result<&'a Project, Problem> {
        let organization = self.organization()?;
        let asked = self.segment("project");
        let world = self.world;
        if let Some(project) = world
            .projects
            .iter()
            .find(|one| self.is_named(asked, &one.slug, one.id))
            .filter(|one| one.status == crate::world::ProjectStatus::Active)
        {
            if !self.caller()?.can_see(world, project) {
                return Err(Problem::forbidden());
            }
            return Ok(project);
        }
        let renamed = world
            .projects
            .iter()
            .find(|one| one.former_slugs.iter().any(|old| old == asked));
        if let Some(project) = renamed {
            let from = format!("/projects/{}/{asked}/", organization.slug);
            let to = format!("/projects/{}/{}/", organization.slug, project.slug);
            let location = self.raw_path.replacen(&from, &to, 1);
            return Err(Problem::moved_project(&location, &project.slug));
        }
        Err(if self.version.is_old() {
            Problem::not_found()
        } else {
            Problem::no_project()
        })
    }

    /// Whether a path means this record.
    fn is_named(&self, asked: &str, slug: &str, id: u64) -> bool {
        slug == asked || (!self.version.is_old() && id.to_string() == asked)
    }

    /// Which projects a request is about: `project=`, or those of the caller's teams, or all.
    pub fn projects(&self) -> Result<BTreeSet<u64>, Problem> {
        let caller = self.caller()?;
        let world = self.world;
        let mut asked = BTreeSet::new();
        let mut slugs = self.all("projectSlug");
        for text in self.all("project") {
            if let Some(id) = python::int(&text) {
                asked.insert(id);
            } else if self.version >= Version::V2026 {
                slugs.push(text);
            } else {
                return Err(Problem::bad_request(
                    "Invalid project parameter. Values must be numbers.",
                ));
            }
        }
        for slug in &slugs {
            if slug == "$all" {
                asked.insert(-1);
            } else {
                let project = world.project_by_slug(slug).ok_or_else(Problem::forbidden)?;
                asked.insert(i64::try_from(project.id).unwrap_or(0));
            }
        }
        let visible = world
            .projects
            .iter()
            .filter(|project| caller.can_see(world, project));
        if asked.contains(&-1) && self.version > Version::V9_1 {
            return Ok(visible.map(|project| project.id).collect());
        }
        if asked.is_empty() {
            return Ok(visible
                .filter(|project| {
                    self.version >= Version::V2026 || caller.is_member(world, project)
                })
                .map(|project| project.id)
                .collect());
        }
        let visible: BTreeSet<u64> = visible.map(|project| project.id).collect();
        asked
            .into_iter()
            .map(|id| {
                u64::try_from(id)
                    .ok()
                    .filter(|id| visible.contains(id))
                    // One that cannot be seen spoils the whole request.
                    .ok_or_else(Problem::forbidden)
            })
            .collect()
    }

    pub fn environments(&self) -> Result<Vec<String>, Problem> {
        let names = self.all("environment");
        if names
            .iter()
            .all(|name| self.world.environments.contains(name))
        {
            Ok(names)
        } else {
            Err(Problem::not_found())
        }
    }

    pub fn window(&self) -> Result<Option<Window>, Problem> {
        Window::asked(|name| self.get(name).map(str::to_owned), self.world.clock())
    }

    pub fn cursor(&self) -> Result<Option<Cursor>, Problem> {
        self.get("cursor")
            .filter(|text| !text.is_empty())
            .map(Cursor::parse)
            .transpose()
    }

    /// Too many is an error here, not clamped.
    pub fn per_page(&self) -> Result<usize, Problem> {
        let Some(text) = self.get("per_page") else {
            return Ok(100);
        };
        let number =
            python::int(text).ok_or_else(|| Problem::bad_request("Invalid per_page parameter."))?;
        if number > 100 {
            return Err(Problem::bad_request(
                "Invalid per_page value. Cannot exceed 100.",
            ));
        }
        usize::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| {
                Problem::bad_request("Invalid per_page value. Must be between 1 and 100.")
            })
    }

    /// A plain list, paged by number of page.
    pub fn paged<T>(&self, list: Vec<T>) -> Result<Slice<T>, Problem> {
        cursor::by_page(list, self.per_page()?, self.cursor()?.as_ref())
    }
}
