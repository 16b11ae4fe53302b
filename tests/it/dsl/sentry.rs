//! A running sandbox, and the span of time that a test extracts from it.

use super::keys::key_of;
use super::parts::{PARTS, parts};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use sentry_sandbox::world::{Issue, Kind, Organization};
use sentry_sandbox::{Fault, FaultKind, Gate, Match, Options, Sandbox, World, full_events};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::mpsc::{Receiver, channel};

/// A running sandbox, and the span of time that a test extracts from it.
pub struct Sentry {
    sandbox: Sandbox,
    /// The whole second at which the server was started; its data is older.
    pub now: DateTime<Utc>,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Deref for Sentry {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Sentry {
    /// One of every oddity, of the last weeks.
    pub fn seeded() -> Self {
        let mut sentry = Self::of(|now| Options::new(World::seeded(now)));
        sentry.start = sentry.now - TimeDelta::days(25);
        sentry
    }

    /// One of every oddity, of the last days.
    pub fn recent() -> Self {
        let mut sentry = Self::seeded();
        sentry.start = sentry.now - TimeDelta::days(4);
        sentry
    }

    /// One of every oddity, as far back as Sentry lists anything.
    pub fn seeded_long_ago() -> Self {
        let mut sentry = Self::seeded();
        sentry.start = sentry.now - TimeDelta::days(89);
        sentry
    }

    /// Two projects with three issues each, whose nine events lie within ten days; a feedback and two releases.
    pub fn small() -> Self {
        Self::small_on(|_| {})
    }

    /// The same on a server of another kind.
    pub fn small_on(change: impl FnOnce(&mut Options)) -> Self {
        Self::of(|now| {
            let mut world = World::empty(now);
            fill_small(&mut world);
            let mut options = Options::new(world);
            change(&mut options);
            options
        })
    }

    /// An organization with one team, and what the closure adds.
    pub fn holding(fill: impl FnOnce(&mut World)) -> Self {
        Self::of(|now| {
            let mut world = World::empty(now);
            fill(&mut world);
            Options::new(world)
        })
    }

    pub fn of(options: impl FnOnce(DateTime<Utc>) -> Options) -> Self {
        let now = Utc::now().trunc_subsecs(0);
        let sandbox = Sandbox::start(options(now)).unwrap();
        Self {
            sandbox,
            now,
            start: now - TimeDelta::days(10),
            end: now,
        }
    }

    /// What a complete extraction of `[start, end)` yields.
    pub fn expected(&self, stream: &str) -> BTreeSet<String> {
        self.expected_until(stream, self.end)
    }

    pub fn expected_until(&self, stream: &str, end: DateTime<Utc>) -> BTreeSet<String> {
        self.truth(stream, None, end)
    }

    /// The keys that a complete extraction of `[start, end)` yields, of one project if it is given.
    pub fn truth(
        &self,
        stream: &str,
        project: Option<u64>,
        end: DateTime<Utc>,
    ) -> BTreeSet<String> {
        let world = self.world();
        if !PARTS.contains(&stream) {
            return world.expected(stream, project, self.start, end);
        }
        let events = full_events(&world, project, self.start, end);
        let rows = events.iter().flat_map(|event| parts(stream, event));
        rows.map(|row| key_of(stream, &Value::Object(row)))
            .collect()
    }

    pub fn project(&self, slug: &str) -> u64 {
        self.world().project_by_slug(slug).unwrap().id
    }

    pub fn issue(&self, title: &str) -> u64 {
        self.world()
            .issues
            .values()
            .find(|issue: &&Issue| issue.title.contains(title))
            .unwrap()
            .id
    }

    pub fn issues_of(&self, slug: &str) -> Vec<u64> {
        let project = self.project(slug);
        self.world()
            .issues
            .values()
            .filter(|issue| issue.project == project)
            .map(|issue| issue.id)
            .collect()
    }

    /// Another organization, with all that the first one has.
    pub fn adds_an_organization(&self, slug: &str) {
        let mut world = self.world();
        let other = Organization {
            id: 2,
            slug: slug.to_owned(),
            ..world.organizations[0].clone()
        };
        world.organizations.push(other);
    }

    /// Issues are listed for one project at a time only.
    pub fn refuses_wide_lists(&self) {
        self.faults().add(Fault::always(
            Match::path_end("/issues/").and_wide(),
            FaultKind::Status(403),
        ));
    }

    /// Receives once so many requests of a sort have arrived.
    pub fn arrival(&self, of: Match, arrivals: usize) -> Receiver<()> {
        let (asked, came) = channel();
        self.faults().on_request(of, arrivals - 1, move |_| {
            // The test may have ended.
            let _ = asked.send(());
        });
        came
    }

    /// Holds answers back until so many requests of another sort have arrived.
    pub fn hold(&self, held: Match, until: Match, arrivals: usize) {
        let gate = Gate::closed();
        let kind = FaultKind::Hold(gate.clone());
        self.faults().add(Fault::always(held, kind));
        self.faults()
            .on_request(until, arrivals - 1, move |_| gate.open());
    }

    /// How many requests had this end of the path.
    pub fn asked(&self, path_end: &str) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.path.ends_with(path_end))
            .count()
    }
}

fn fill_small(world: &mut World) {
    let now = world.clock();
    for slug in ["api", "web"] {
        let project = world.add_project(slug);
        for number in 0..3 {
            let issue = world.add_issue(project, &format!("{slug} issue {number}"));
            for day in [1, 4, 8] {
                world.add_event(issue, now - TimeDelta::days(day) - TimeDelta::hours(number));
            }
        }
        world.add_monitor(project, &format!("{slug}-job"), &[("production", "ok")]);
        let release = format!("{slug}@1.0");
        world.add_release(&release, project, now - TimeDelta::days(3));
        world.add_sessions(project, &release, now - TimeDelta::days(2), 20, 3);
    }
    let project = world.projects[0].id;
    let feedback = world.add_issue(project, "feedback");
    world.issue_mut(feedback).kind = Kind::FEEDBACK;
    world.add_event(feedback, now - TimeDelta::days(2));
}
