//! Large worlds.

use crate::synthetic::Synthetic;
use crate::world::World;
use chrono::{DateTime, TimeDelta, Utc};

/// The size of a large world.
#[derive(Clone, Copy, Debug)]
pub struct Bulk {
    pub now: DateTime<Utc>,
    pub projects: u64,
    pub issues_per_project: u64,
    pub events_per_issue: u64,
    /// Roughly the size of one full event.
    pub event_bytes: usize,
    /// Events are spread evenly over `[now - span, now)`.
    pub span: TimeDelta,
}

impl World {
    /// A large world for benchmarks.
    pub fn bulk(bulk: Bulk) -> Self {
        let mut world = World::empty(bulk.now);
        let from = bulk.now - bulk.span;
        for number in 0..bulk.projects {
            let project = world.add_project(&format!("project-{number}"));
            for issue in 0..bulk.issues_per_project {
                let id = world.add_issue(
                    project,
                    &format!("TimeoutError: upstream {issue} did not answer in time"),
                );
                // Shifted by a few seconds each, so that issues do not tie all over.
                let shift =
                    TimeDelta::seconds(i64::try_from((id * 7) % 61).expect("a small number"));
                world.issue_mut(id).synthetic = Some(Synthetic {
                    issue: id,
                    project,
                    count: bulk.events_per_issue,
                    from: from + shift,
                    span: (bulk.span - shift).max(TimeDelta::zero()),
                    event_bytes: bulk.event_bytes,
                    more_tags: 0,
                });
            }
            world.add_release(&format!("project-{number}@1.0.{number}"), project, from);
        }
        world
    }
}
