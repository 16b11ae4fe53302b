//! The world that tests and examples start from: small, deterministic, and with one of every oddity.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::{
    window,
    world::{
        Assignee, Event, Kind, Member, Project, ProjectStatus, Release, ReleaseForm, ReleaseStatus,
        Status, Team, User, World,
    },
};

const API: u64 = 2;
const WORKER: u64 = 3;
const WEB: u64 = 4;
const MOBILE: u64 = 5;
const QUIET: u64 = 6;
const LEGACY: u64 = 7;
const DOOMED: u64 = 8;

/// Names that break naive URLs and sorts.
const ODD_RELEASES: [&str; 6] = [
    "worker 0.9 beta (é)",
    "api@1.0.0+build.7",
    "1.0%20x",
    "a&b=c?d#e",
    "sentry-cli@0.24.0",
    "API@1.0.0+BUILD.7",
];

type StatusRow = (Status, Option<&'static str>, Value, Option<Assignee>);

struct Seeder {
    world: World,
    rng: fastrand::Rng,
    /// `now` in whole seconds.
    now: DateTime<Utc>,
}

impl World {
    /// The deterministic world with one of every oddity; depends on `now` only.
    pub fn seeded(now: DateTime<Utc>) -> Self {
        let mut seeder = Seeder {
            world: World::empty(now),
            rng: fastrand::Rng::with_seed(0x5e47),
            now: now.trunc_subsecs(0),
        };
        seeder.people();
        seeder.projects();
        seeder.releases();
        seeder.busy_week();
        seeder.many_events();
        seeder.every_kind();
        seeder.every_status();
        seeder.old_ones();
        seeder.vanishing_ones();
        seeder.twins();
        seeder.world
    }
}

impl Seeder {
    fn ago(&self, minutes: i64) -> DateTime<Utc> {
        self.now - TimeDelta::minutes(minutes)
    }

    fn people(&mut self) {
        let joined = self.now - TimeDelta::days(300);
        let world = &mut self.world;
        for (id, slug, name) in [(2, "frontend", "Frontend"), (3, "mobile", "Mobile ☎")] {
            world.teams.push(Team {
                id,
                slug: slug.to_owned(),
                name: name.to_owned(),
                date_created: joined,
            });
        }
        // The owner is not in team mobile: "my projects" are not all projects.
        world.members[0].teams = vec![1, 2];
        let people: [(&str, &str, &[u64], bool); 6] = [
            ("Mia Manager", "manager", &[1], true),
            ("Adam Admin", "admin", &[2], true),
            ("Béla Bartók", "member", &[1, 3], true),
            ("Ann Member", "member", &[3], true),
            ("Tom Teamless", "member", &[], true),
            ("Dora Deactivated", "member", &[1], false),
        ];
        for (index, (name, role, teams, active)) in (0..).zip(people) {
            let id = index + 2;
            let email = format!("user{id}@example.com");
            world.users.push(User {
                id,
                name: name.to_owned(),
                email: email.clone(),
                date_joined: joined + TimeDelta::microseconds(120_263),
                last_login: (id % 2 == 0).then_some(joined),
                active,
            });
            world.members.push(Member {
                id: id + 10,
                user: Some(id),
                email,
                role: role.to_owned(),
                teams: teams.to_vec(),
                date_created: joined,
                inviter: Some("olive.owner@example.com".to_owned()),
            });
        }
        world.members.push(Member {
            id: 30,
            user: None,
            email: "invited@example.com".to_owned(),
            role: "member".to_owned(),
            teams: vec![1],
            date_created: self.now - TimeDelta::days(2),
            inviter: None,
        });
    }

    fn projects(&mut self) {
        type Row = (u64, &'static str, Option<&'static str>, &'static [u64]);
        let rows: [Row; 7] = [
            (API, "api", Some("python"), &[1, 2]),
            (WORKER, "worker", Some("python"), &[1]),
            (WEB, "web", Some("javascript"), &[2]),
            (MOBILE, "mobile-app", Some("java"), &[3]),
            (QUIET, "quiet", None, &[]),
            (LEGACY, "Legacy_PHP", Some("php"), &[1]),
            (DOOMED, "doomed", Some("python"), &[1]),
        ];
        for (id, slug, platform, teams) in rows {
            self.world.projects.push(Project {
                id,
                slug: slug.to_owned(),
                name: slug.to_uppercase(),
                platform: platform.map(str::to_owned),
                date_created: self.now - TimeDelta::days(200) + TimeDelta::microseconds(711_809),
                teams: teams.to_vec(),
                former_slugs: if id == MOBILE {
                    vec!["android".to_owned()]
                } else {
                    Vec::new()
                },
                status: if id == DOOMED {
                    ProjectStatus::PendingDeletion
                } else {
                    ProjectStatus::Active
                },
            });
        }
    }

    fn releases(&mut self) {
        for number in 0..130_u64 {
            let project = [API, WORKER, WEB, MOBILE][usize::try_from(number % 4).unwrap_or(0)];
            let package = self
                .world
                .project(project)
                .map_or("x", |project| project.slug.as_str());
            let version = format!("{package}@1.{number}.0");
            self.release(
                &version,
                &[project],
                400 * (130 - i64::try_from(number).unwrap_or(0)),
                number % 9 == 4,
            );
        }
        for (index, version) in (0..).zip(ODD_RELEASES) {
            self.release(version, &[API, WORKER], 1_000 + 1_441 * index, index == 2);
        }
        // Older than any window a client would think of.
        self.release("api@0.0.1", &[API], 60 * 24 * 350, false);
    }

    fn release(&mut self, version: &str, projects: &[u64], minutes: i64, archived: bool) {
        let id = 501 + self.world.releases.len() as u64;
        let created = self.ago(minutes)
            + TimeDelta::microseconds(if id.is_multiple_of(5) { 0 } else { 403_000 });
        self.world.releases.push(Release {
            id,
            version: version.to_owned(),
            status: if archived {
                ReleaseStatus::Archived
            } else {
                ReleaseStatus::Open
            },
            date_created: created,
            date_released: (!id.is_multiple_of(3)).then_some(created + TimeDelta::minutes(9)),
            projects: projects.to_vec(),
            commit_count: id % 4,
            deploy_count: id % 2,
            new_groups: id % 7,
            authors: if id.is_multiple_of(4) {
                vec![]
            } else {
                vec![1 + id % 6]
            },
        });
    }

    /// An issue, and events so many minutes ago.
    fn issue(&mut self, project: u64, title: &str, kind: Kind, minutes: &[i64]) -> u64 {
        let id = self.world.add_issue(project, title);
        let issue = self.world.issue_mut(id);
        issue.kind = kind;
        if !kind.is_error() {
            "info".clone_into(&mut issue.level);
        }
        if kind == Kind::MESSAGE {
            issue.metadata = json!({"title": title});
        }
        for minutes in minutes {
            self.event(id, self.ago(*minutes));
        }
        id
    }

    fn event(&mut self, issue: u64, timestamp: DateTime<Utc>) {
        let roll = self.rng.u64(..);
        let id = format!(
            "{:032x}",
            (u128::from(self.rng.u64(..)) << 64) | u128::from(roll)
        );
        // Some clients send fractions.
        let fraction = if roll.is_multiple_of(3) { 403_000 } else { 0 };
        let mut event = Event::new(id, timestamp + TimeDelta::microseconds(fraction));
        if roll.is_multiple_of(5) {
            "could not reach naïve-☃".clone_into(&mut event.message);
        }
        event.environment = match roll % 7 {
            0 => None,
            1 | 2 => Some("staging".to_owned()),
            _ => Some("production".to_owned()),
        };
        event.release = match roll % 6 {
            0 => None,
            1 => Some("api@1.0.0".to_owned()),
            2 => Some("worker 0.9 beta (é)".to_owned()),
            // A version that no release record has.
            3 => Some("api@9.9.9-dirty".to_owned()),
            _ => Some("worker@1.1.0".to_owned()),
        };
        event.user = (!roll.is_multiple_of(4)).then(|| {
            json!({
                "id": (roll % 40).to_string(),
                "email": format!("customer{}@example.org", roll % 40),
                "username": null,
                "ip_address": "203.0.113.9",
                "name": null,
                "geo": {"country_code": "AT", "city": null, "region": null},
                "data": {"plan": "pro"},
            })
        });
        event.tags = vec![
            (
                Some("server_name".to_owned()),
                Some(format!("web-{}", roll % 5)),
            ),
            (Some("unicode".to_owned()), Some("naïve-☃".to_owned())),
        ];
        if roll.is_multiple_of(11) {
            event.tags.push((Some("unset".to_owned()), None));
            event.tags.push((None, Some("orphan".to_owned())));
        }
        event.dist = roll.is_multiple_of(13).then(|| "17".to_owned());
        self.world.issue_mut(issue).events.push(event);
    }

    /// More issues than a page holds, in one project and one week; a dozen around the page's edge share a last second.
    fn busy_week(&mut self) {
        for number in 0..130_i64 {
            let minutes = if (94..106).contains(&number) {
                94 * 67 + 30
            } else {
                number * 67 + 30
            };
            let title = format!("ValueError: item {number} is not in the catalogue");
            let before = minutes + 500 + number;
            let id = self.issue(API, &title, Kind::ERROR, &[minutes]);
            if number % 2 == 0 {
                self.event(id, self.ago(before));
            }
            let issue = self.world.issue_mut(id);
            issue.comments = u64::try_from(number % 3).unwrap_or(0);
            issue.unhandled = number % 5 == 0;
            issue.culprit = (number % 10 != 0).then(|| format!("/items/{number}"));
            issue.priority = [Some("high"), Some("medium"), Some("low"), None]
                [usize::try_from(number % 4).unwrap_or(0)]
            .map(str::to_owned);
            ["error", "warning", "fatal", "info"][usize::try_from(number % 7 % 4).unwrap_or(0)]
                .clone_into(&mut issue.level);
        }
    }

    /// Three pages of events; more than a handful share a second at both page edges, and where the list begins.
    fn many_events(&mut self) {
        let id = self.issue(
            WORKER,
            "ZeroDivisionError: division by zero",
            Kind::ERROR,
            &[],
        );
        let start = self.ago(20);
        for index in 0..260_i64 {
            let step = match index {
                0..4 => 0,
                95..106 => 95,
                196..204 => 196,
                other => other,
            };
            self.event(id, start - TimeDelta::seconds(step * 4_127));
        }
        let issue = self.world.issue_mut(id);
        issue.assignee = Some(Assignee::Team(1));
        issue.first_release = ReleaseForm::Full("worker@1.1.0".to_owned());
        issue.annotations = vec![(
            "ACME-12".to_owned(),
            "https://tracker.invalid/ACME-12".to_owned(),
        )];
    }

    fn every_kind(&mut self) {
        let rows = [
            (WEB, "connection was refused", Kind::MESSAGE, 300),
            (
                WEB,
                "Blocked 'script' from 'evil.example.com'",
                Kind::CSP,
                700,
            ),
            (API, "N+1 Query", Kind::PERFORMANCE, 1_100),
            (WORKER, "Cron failure: nightly-report", Kind::CRON, 1_500),
            (
                API,
                "Downtime detected for https://api.example.com",
                Kind::OUTAGE,
                1_900,
            ),
            (
                WEB,
                "User Feedback: the button does nothing ☹",
                Kind::FEEDBACK,
                2_300,
            ),
            (
                MOBILE,
                "User Feedback: slow on my old phone",
                Kind::FEEDBACK,
                2_700,
            ),
            (
                MOBILE,
                "User Feedback: thanks!\nit works",
                Kind::FEEDBACK,
                30_000,
            ),
            (API, "Potential query injection", Kind::EXPERIMENT, 3_100),
            (
                LEGACY,
                "PDOException: SQLSTATE[HY000] \"gone away\" \\o/",
                Kind::ERROR,
                3_500,
            ),
            (
                MOBILE,
                "NullPointerException: Attempt to invoke virtual method",
                Kind::ERROR,
                3_900,
            ),
        ];
        for (project, title, kind, minutes) in rows {
            let more = [minutes, minutes + 45, minutes + 2_000, minutes + 2_001];
            let id = self.issue(project, title, kind, &more);
            let issue = self.world.issue_mut(id);
            issue.priority = if kind == Kind::FEEDBACK {
                None
            } else {
                issue.priority.take()
            };
            issue.metadata = match kind {
                Kind::FEEDBACK => {
                    json!({"contact_email": "penny@example.com", "message": title, "name": "Penny", "source": "new_feedback_envelope"})
                }
                Kind::CSP => json!({"directive": "script-src", "uri": "https://evil.example.com"}),
                Kind::PERFORMANCE => {
                    json!({"title": title, "value": "SELECT 1", "initial_priority": 25})
                }
                _ => issue.metadata.take(),
            };
            issue.first_release = if project == WEB {
                ReleaseForm::VersionOnly("web@1.2.0".to_owned())
            } else {
                ReleaseForm::None
            };
        }
    }

    fn every_status(&mut self) {
        let until = window::text(self.now + TimeDelta::days(3));
        let info =
            json!({"dateCreated": window::text(self.now), "syncCount": 2, "totalEvents": 12});
        let rows: [StatusRow; 15] = [
            (Status::Unresolved, Some("new"), json!({}), None),
            (
                Status::Unresolved,
                Some("ongoing"),
                json!({}),
                Some(Assignee::User(2)),
            ),
            (
                Status::Unresolved,
                Some("escalating"),
                json!({}),
                Some(Assignee::Team(2)),
            ),
            (Status::Unresolved, Some("regressed"), json!({}), None),
            (Status::Unresolved, None, json!({}), None),
            (Status::Resolved, None, json!({}), Some(Assignee::User(3))),
            (
                Status::Resolved,
                None,
                json!({"inRelease": "api@1.0.0"}),
                None,
            ),
            (Status::Resolved, None, json!({"inNextRelease": true}), None),
            (
                Status::Resolved,
                None,
                json!({"inCommit": {"id": "6ba09a7c53235ee8a8fa5ee4c1ca8ca886e7fdbb", "message": "fix"}}),
                None,
            ),
            (Status::Ignored, Some("archived_forever"), json!({}), None),
            (
                Status::Ignored,
                Some("archived_until_escalating"),
                json!({}),
                None,
            ),
            (
                Status::Ignored,
                Some("archived_until_condition_met"),
                json!({"ignoreUntil": until, "actor": {"id": "1", "name": "Olive Owner"}}),
                None,
            ),
            (
                Status::Ignored,
                Some("archived_until_condition_met"),
                json!({"ignoreCount": 100, "ignoreWindow": 60}),
                None,
            ),
            (
                Status::Reprocessing,
                None,
                json!({"pendingEvents": 3, "info": info}),
                None,
            ),
            (
                Status::Reprocessing,
                None,
                json!({"pendingEvents": 0, "info": null}),
                None,
            ),
        ];
        for (index, (status, substatus, details, assignee)) in (0..).zip(rows) {
            let project =
                [WORKER, WEB, API, MOBILE, LEGACY][usize::try_from(index % 5).unwrap_or(0)];
            let minutes = 240 + 2_711 * index;
            let title = format!("StateError: case {index} of {}", status.name());
            let id = self.issue(
                project,
                &title,
                Kind::ERROR,
                &[minutes, minutes + 61, minutes + 1_440, minutes + 5_000],
            );
            let issue = self.world.issue_mut(id);
            issue.status = status;
            issue.substatus = substatus.map(str::to_owned);
            issue.status_details = details;
            issue.assignee = assignee;
        }
    }

    fn old_ones(&mut self) {
        const DAY: i64 = 60 * 24;
        self.issue(
            API,
            "OldError: two months quiet",
            Kind::ERROR,
            &[65 * DAY, 63 * DAY],
        );
        self.issue(WEB, "OldError: ten weeks quiet", Kind::ERROR, &[72 * DAY]);
        self.issue(
            WORKER,
            "GoneError: older than retention",
            Kind::ERROR,
            &[95 * DAY, 96 * DAY],
        );
        self.issue(
            WORKER,
            "HalfGoneError: retention has eaten its beginning",
            Kind::ERROR,
            &[100 * DAY, 92 * DAY, 85 * DAY, 50 * DAY, 5 * DAY],
        );
    }

    fn vanishing_ones(&mut self) {
        for status in [
            Status::PendingDeletion,
            Status::DeletionInProgress,
            Status::PendingMerge,
        ] {
            let title = format!("LeavingError: {}", status.name());
            let id = self.issue(API, &title, Kind::ERROR, &[100, 5_000]);
            self.world.set_status(id, status);
        }
        let survivor = self.issue(WORKER, "TwinError: survivor", Kind::ERROR, &[800, 4_000]);
        let child = self.issue(
            WORKER,
            "TwinError: merged child",
            Kind::ERROR,
            &[900, 3_000, 8_000],
        );
        self.world.merge(child, survivor);
        let deleted = self.issue(WEB, "DeletedError: never existed", Kind::ERROR, &[70]);
        self.world.delete_issue(deleted);
        self.issue(
            DOOMED,
            "DoomedError: in a project being deleted",
            Kind::ERROR,
            &[90],
        );
    }

    /// Two issues with an event in the same second, and two projects with an event of the same id.
    fn twins(&mut self) {
        let one = self.issue(API, "SameSecondError: left", Kind::ERROR, &[10_080]);
        let two = self.issue(API, "SameSecondError: right", Kind::ERROR, &[10_080]);
        let web = self.issue(WEB, "SameIdError: web", Kind::ERROR, &[9_000]);
        let id = self.world.issues[&one].events[0].id.clone();
        self.world.issue_mut(web).events[0].id = id;
        self.world.issue_mut(two).logger = Some("app.catalogue".to_owned());
    }
}
