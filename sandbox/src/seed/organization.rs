//! People, projects and releases of the seeded world.

use crate::seed::seeder::{API, DOOMED, LEGACY, MOBILE, QUIET, Seeder, WEB, WORKER};
use crate::world::{KeyLimit, Member, Project, ProjectStatus, Release, ReleaseStatus, Team, User};
use chrono::TimeDelta;

/// Names that break naive URLs and sorts.
const ODD_RELEASES: [&str; 6] = [
    "worker 0.9 beta (é)",
    "api@1.0.0+build.7",
    "1.0%20x",
    "a&b=c?d#e",
    "sentry-cli@0.24.0",
    "API@1.0.0+BUILD.7",
];

impl Seeder {
    pub fn people(&mut self) {
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

    pub fn projects(&mut self) {
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

    /// Keys with and without a limit, one of them switched off.
    pub fn keys(&mut self) {
        let limit = |count, window_seconds| {
            Some(KeyLimit {
                count,
                window_seconds,
            })
        };
        for project in [API, WORKER, WEB, MOBILE, QUIET, LEGACY] {
            let hourly = (project == API).then(|| limit(600, 3_600)).flatten();
            self.world.add_key(project, "Default", hourly);
        }
        self.world.add_key(WEB, "Browsers", limit(1_000, 60));
        self.world.add_key(WEB, "Old \"app\"", limit(5, 1));
        if let Some(key) = self.world.keys.last_mut() {
            key.is_active = false;
        }
    }

    /// Monitors of every status.
    pub fn monitors(&mut self) {
        let world = &mut self.world;
        world.add_monitor(
            WORKER,
            "nightly-report",
            &[("production", "error"), ("staging", "ok")],
        );
        world.add_monitor(WORKER, "clean-up", &[("production", "ok")]);
        world.add_monitor(API, "sync-orders", &[("production", "missed_checkin")]);
        world.add_monitor(API, "send-mails", &[("production", "timeout")]);
        world.add_monitor(MOBILE, "never-run", &[]);
        world.add_monitor(API, "retired", &[("production", "ok")]);
        if let Some(monitor) = world.monitors.last_mut() {
            "disabled".clone_into(&mut monitor.status);
        }
    }

    /// What was not accepted, by the hour of the last two days; and what is no error.
    pub fn outcomes(&mut self) {
        for hour in 0..48 {
            let at = self.ago(hour * 60 + 1);
            let more = u64::try_from(hour % 5).unwrap_or(0);
            let world = &mut self.world;
            world.add_outcomes(API, at, "filtered", "web-crawlers", 2 + more);
            world.add_outcomes(WEB, at, "filtered", "browser-extensions", 7);
            world.add_outcomes(WEB, at, "rate_limited", "key_quota", more);
            world.add_outcomes(WORKER, at, "client_discard", "before_send", 3);
            world.add_outcomes(MOBILE, at, "invalid", "too_large", 1);
            world.add_outcomes(API, at, "accepted", "", 40 + more);
            if let Some(transactions) = world.outcomes.last_mut() {
                "transaction".clone_into(&mut transactions.category);
            }
            world.add_outcomes(API, at, "accepted", "", 1);
            if let Some(attachment) = world.outcomes.last_mut() {
                "attachment".clone_into(&mut attachment.category);
                attachment.quantity = 20_480;
            }
        }
    }

    pub fn sessions(&mut self) {
        for hour in 1..30 {
            let at = self.ago(hour * 60);
            self.world.add_sessions(API, "api@1.128.0", at, 200, 3);
            self.world.add_sessions(WEB, "web@1.126.0", at, 90, 0);
        }
    }

    pub fn releases(&mut self) {
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
}
