//! Issues and events of the seeded world.

use crate::seed::seeder::{API, DOOMED, LEGACY, MOBILE, Seeder, WEB, WORKER};
use crate::window;
use crate::world::{Assignee, Kind, ReleaseForm, Status};
use chrono::TimeDelta;
use serde_json::{Value, json};

type StatusRow = (Status, Option<&'static str>, Value, Option<Assignee>);

impl Seeder {
    /// More issues than a page holds, in one project and one week; a dozen around the page's edge share a last second.
    pub fn busy_week(&mut self) {
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
    pub fn many_events(&mut self) {
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

    pub fn every_kind(&mut self) {
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

    pub fn every_status(&mut self) {
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

    pub fn old_ones(&mut self) {
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

    pub fn vanishing_ones(&mut self) {
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
    pub fn twins(&mut self) {
        let one = self.issue(API, "SameSecondError: left", Kind::ERROR, &[10_080]);
        let two = self.issue(API, "SameSecondError: right", Kind::ERROR, &[10_080]);
        let web = self.issue(WEB, "SameIdError: web", Kind::ERROR, &[9_000]);
        let id = self.world.issues[&one].events[0].id.clone();
        self.world.issue_mut(web).events[0].id = id;
        self.world.issue_mut(two).logger = Some("app.catalogue".to_owned());
    }
}
