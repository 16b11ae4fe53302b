//! The bodies of what a complete extraction must yield, for whoever works out what is to be made of them.

use crate::render::event::{self, Size};
use crate::world::World;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// The full bodies of the events that a complete extraction over `[start, end)` yields; of one project, if it is given.
///
/// # Panics
/// Never: what the sandbox answers is JSON.
pub fn full_events(
    world: &World,
    project: Option<u64>,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
) -> Vec<Value> {
    let events = world.expected_events(project, start, end);
    let texts = events.map(|(issue, event)| event::text(issue, event, Size::Full));
    texts
        .map(|text| serde_json::from_str(&text).expect("a body is JSON"))
        .collect()
}
