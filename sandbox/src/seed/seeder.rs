//! What every part of the seeded world is built with.

use crate::world::{Event, Kind, World};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

pub const API: u64 = 2;
pub const WORKER: u64 = 3;
pub const WEB: u64 = 4;
pub const MOBILE: u64 = 5;
pub const QUIET: u64 = 6;
pub const LEGACY: u64 = 7;
pub const DOOMED: u64 = 8;

pub struct Seeder {
    pub world: World,
    pub rng: fastrand::Rng,
    /// `now` in whole seconds.
    pub now: DateTime<Utc>,
}

impl Seeder {
    pub fn ago(&self, minutes: i64) -> DateTime<Utc> {
        self.now - TimeDelta::minutes(minutes)
    }

    /// An issue, and events so many minutes ago.
    pub fn issue(&mut self, project: u64, title: &str, kind: Kind, minutes: &[i64]) -> u64 {
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

    pub fn event(&mut self, issue: u64, timestamp: DateTime<Utc>) {
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
}
