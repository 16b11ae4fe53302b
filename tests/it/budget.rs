//! What the whole catalogue costs beside the streams of before it.

use crate::dsl::{Sentry, Tap, all_streams};
use tap_sentry::streams::STREAMS;

/// Selected by default before there were more.
const EARLIER: [&str; 9] = [
    "projects",
    "project_detail",
    "teams",
    "users",
    "members",
    "issues",
    "events",
    "releases",
    "release",
];

#[test]
fn a_later_run_of_all_default_streams_costs_few_requests_more() {
    let sentry = Sentry::holding(|world| {
        for number in 0..100 {
            let project = world.add_project(&format!("project-{number}"));
            world.add_monitor(project, &format!("job-{number}"), &[("production", "ok")]);
        }
    });
    let requests = |streams: &[&str]| {
        let tap = Tap::against(&sentry).select(streams);
        let first = tap.clone().run();
        first.is_complete();
        sentry.clear_requests();
        tap.state(&first.state()).run().is_complete();
        sentry.requests().len()
    };
    let earlier = requests(&EARLIER);
    let on = |name: &&&str| {
        STREAMS
            .iter()
            .any(|def| def.name() == **name && def.selected_by_default)
    };
    let all = all_streams();
    let all: Vec<&str> = all.iter().filter(on).copied().collect();
    let more = requests(&all) - earlier;
    assert!(more <= 20, "{more} requests more");
    // Two pages by offset: the first is looked at again.
    assert_eq!(sentry.asked("/detectors/"), 3);
}
