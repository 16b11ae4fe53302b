//! States that nobody should give, made at random from those that one should: no panic, and an error that names what is wrong.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should say where, and stop"
)]

use crate::dice::{almost, each_case, is_plain, read};
use crate::record::style::RecordStyle;
use crate::settings::Settings;
use crate::singer::catalog::Selection;
use crate::singer::state::{Bookmarks, Checkpoint, Partition};
use crate::sync::plan;
use serde_json::{Map, Value, json};
use tap_sentry_api::time;

fn partition(project: &str) -> Partition {
    Partition(vec![
        ("organization_slug", "acme".to_owned()),
        ("project_id", project.to_owned()),
    ])
}

#[test]
fn any_state_is_refused_by_name_or_kept() {
    let at = |stream: &str| {
        let one = |project: &str| json!({"context": {"organization_slug": "acme", "project_id": project}, "start": "2026-01-08T00:00:00Z"});
        (
            stream.to_owned(),
            json!({"start": "2026-01-01T00:00:00Z", "partitions": [one("1"), one("2")]}),
        )
    };
    let bookmarks: Map<String, Value> = ["issues", "events", "releases", "of_another_tap"]
        .into_iter()
        .map(at)
        .collect();
    let state = json!({"bookmarks": bookmarks, "beside": [1, {"a": null}]});
    let message = json!({"type": "STATE", "value": state});
    let older = json!({"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}, "events": {"start": "2026-01-01"}}});
    let settings = Settings::new(
        json!({"api_token": "t", "start_date": "2026-01-01"})
            .as_object()
            .unwrap()
            .clone(),
        Vec::new(),
    )
    .unwrap();
    let tree = plan::tree(Selection::new(None, &RecordStyle::default()).unwrap());
    let mut usable = 0;
    each_case(500, |dice| {
        let sample = *dice.one(&[&state, &message, &older]);
        let Some(value) = read(&almost(sample, dice)) else {
            return;
        };
        let mut bookmarks = match Bookmarks::parse(value) {
            Ok(bookmarks) => bookmarks,
            Err(e) => {
                let text = e.to_string();
                is_plain(&text);
                assert!(
                    text.contains("the state is not usable")
                        && (text.contains("`bookmarks") || text.contains("JSON object")),
                    "{text}"
                );
                return;
            }
        };
        usable += 1;
        // What a run does with it.
        let mut pending: Vec<&plan::Node> = tree.iter().collect();
        while let Some(node) = pending.pop() {
            pending.extend(&node.children);
            if node.def.windows().is_some() {
                let starts = plan::Starts::new(node, &partition("1"), &settings, &bookmarks);
                let windows = plan::windows(node, &starts, &settings);
                assert!(windows.len() < 10_000, "{} windows", windows.len());
            }
        }
        let untouched = bookmarks.to_value();
        for stream in ["issues", "events"] {
            bookmarks.plan(stream, vec![partition("1"), partition("3")]);
            let start = time::parse_instant("2026-02-01").unwrap();
            bookmarks.apply(&Checkpoint {
                stream,
                partition: partition("1"),
                start,
            });
            assert!(bookmarks.start(stream, &partition("1")) >= Some(start));
        }
        let next = bookmarks.to_value();
        assert_eq!(next.get("beside"), untouched.get("beside"));
        assert!(
            Bookmarks::parse(next).is_ok(),
            "what is written can be read again"
        );
    });
    assert!(usable > 0);
}
