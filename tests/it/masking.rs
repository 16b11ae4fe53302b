//! Personal data and named fields, masked.

use crate::dsl::{Run, Sentry, Tap, all_streams};
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Everything in the sandbox's world that names, addresses or locates a person.
fn personal_data(sentry: &Sentry) -> BTreeSet<String> {
    let world = sentry.world();
    let mut found: BTreeSet<String> = [
        "penny@example.com",
        "Penny",
        "carla@example.org",
        "Carla Contributor",
        "invited@example.com",
    ]
    .map(str::to_owned)
    .into();
    found.extend(
        world
            .users
            .iter()
            .flat_map(|user| [user.name.clone(), user.email.clone()]),
    );
    found.extend(
        world
            .members
            .iter()
            .flat_map(|member| [Some(member.email.clone()), member.inviter.clone()])
            .flatten(),
    );
    for event in world.issues.values().flat_map(|issue| &issue.events) {
        for key in ["email", "ip_address", "username"] {
            found.extend(
                event
                    .user
                    .as_ref()
                    .and_then(|user| user[key].as_str())
                    .map(str::to_owned),
            );
        }
    }
    found
}

/// Of `personal`, what the run printed, and where first.
fn leaks(run: &Run, personal: &BTreeSet<String>) -> BTreeMap<String, String> {
    fn find(
        value: &Value,
        path: &str,
        personal: &BTreeSet<String>,
        out: &mut BTreeMap<String, String>,
    ) {
        match value {
            Value::Object(map) => map
                .iter()
                .for_each(|(key, value)| find(value, &format!("{path}.{key}"), personal, out)),
            Value::Array(items) => items
                .iter()
                .for_each(|value| find(value, path, personal, out)),
            Value::String(text) if personal.iter().any(|one| text.contains(one.as_str())) => {
                out.entry(path.to_owned()).or_insert_with(|| text.clone());
            }
            _ => {}
        }
    }
    let mut out = BTreeMap::new();
    for message in run.of_type("RECORD").chain(run.of_type("STATE")) {
        find(
            &message["record"],
            message["stream"].as_str().unwrap_or("state"),
            personal,
            &mut out,
        );
    }
    out
}

#[rstest]
#[case::hash(&[("mask_mode", "hash"), ("mask_salt", "pepper")])]
#[case::null(&[("mask_mode", "null")])]
fn masked_personal_data_is_nowhere(
    #[case] settings: &[(&str, &str)],
    #[values(false, true)] details: bool,
) {
    let sentry = Sentry::recent();
    let tap = Tap::against(&sentry)
        .select(&all_streams())
        .with("fetch_event_details", details);
    let plain = tap.clone().run();
    plain.is_complete();
    let personal = personal_data(&sentry);
    assert!(
        personal
            .iter()
            .filter(|one| plain.stdout.contains(one.as_str()))
            .count()
            > 10,
        "the world has some"
    );
    let masked = settings
        .iter()
        .fold(tap.with("mask_personal_data", true), |tap, (key, value)| {
            tap.with(key, *value)
        })
        .run();
    masked.is_complete().is_valid();
    for stream in all_streams() {
        masked.keys(stream).equal(plain.keys(stream).set());
    }
    let leaks = leaks(&masked, &personal);
    assert!(leaks.is_empty(), "{leaks:#?}");
    for one in &personal {
        assert!(!masked.stdout.contains(one.as_str()), "{one}");
    }
    // What is no personal data stays.
    let project = &masked.record("projects", &sentry.project("api").to_string());
    assert_eq!(
        (&project["name"], &project["slug"]),
        (&json!("API"), &json!("api"))
    );
    assert!(
        masked
            .records("issues")
            .iter()
            .all(|issue| issue["title"].is_string() && issue["project"]["name"].is_string())
    );
    assert!(
        masked
            .records("teams")
            .iter()
            .all(|team| team["name"].is_string())
    );
}

#[test]
fn nobody_who_changed_an_issue_is_named() {
    let sentry = Sentry::seeded();
    let tap = Tap::against(&sentry).select(&["issues"]);
    assert!(
        tap.clone().run().stdout.contains("Olive Owner"),
        "who archived an issue is in its status details"
    );
    let masked = tap
        .with("mask_personal_data", true)
        .with("mask_mode", "null")
        .run();
    masked.is_complete();
    assert_eq!(
        leaks(&masked, &["Olive Owner".to_owned()].into()),
        BTreeMap::new()
    );
}

#[test]
fn a_hash_is_the_same_wherever_the_value_stands_and_another_with_another_salt() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry)
        .select(&["users", "members"])
        .with("mask_personal_data", true);
    let run = tap.clone().with("mask_salt", "pepper").run();
    run.is_complete();
    let email =
        |run: &Run, stream: &str| run.records(stream)[0]["email"].as_str().unwrap().to_owned();
    assert_eq!(email(&run, "users"), email(&run, "members"));
    assert_eq!(email(&run, "users").len(), 64);
    let other = tap.with("mask_salt", "salt").run();
    assert_ne!(email(&run, "users"), email(&other, "users"));
}

#[test]
fn named_fields_are_masked_and_no_others() {
    let sentry = Sentry::recent();
    let fields = json!([
        "issues.title",
        "events.user.email",
        "*.metadata.value",
        "issues.numComments"
    ]);
    let tap = Tap::against(&sentry)
        .select(&["issues", "events"])
        .with("mask_fields", fields);
    let plain = Tap::against(&sentry).select(&["issues", "events"]).run();
    let hashed = tap.clone().with("mask_salt", "pepper").run();
    let nulled = tap.with("mask_mode", "null").run();
    hashed.is_complete().is_valid();
    nulled.is_complete().is_valid();
    let mut users = 0;
    for (stream, key) in ["issues", "events"].into_iter().flat_map(|stream| {
        plain
            .keys(stream)
            .set()
            .into_iter()
            .map(move |key| (stream, key))
    }) {
        let [plain, hashed, nulled] =
            [&plain, &hashed, &nulled].map(|run| run.record(stream, &key));
        let hash = |text: &Value, masked: &Value| match text {
            Value::String(text) => assert!(
                masked
                    .as_str()
                    .is_some_and(|hash| hash.len() == 64 && hash != text),
                "{masked}"
            ),
            _ => assert!(masked.is_null(), "{masked}"),
        };
        if stream == "issues" {
            hash(&plain["title"], &hashed["title"]);
            assert!(
                nulled["title"].is_null()
                    && nulled["numComments"].is_null()
                    && hashed["numComments"].is_null()
            );
        } else {
            assert_eq!(plain["title"], nulled["title"], "of issues only");
            if plain["user"].is_object() {
                hash(&plain["user"]["email"], &hashed["user"]["email"]);
                assert!(nulled["user"]["email"].is_null());
                assert_eq!(plain["user"]["id"], nulled["user"]["id"]);
                users += 1;
            }
        }
        hash(&plain["metadata"]["value"], &hashed["metadata"]["value"]);
        assert_eq!(plain["culprit"], hashed["culprit"]);
    }
    assert!(users > 20, "{users}");
}

#[rstest]
#[case::preset(json!({"mask_personal_data": true}), "mask_salt")]
#[case::fields(json!({"mask_fields": ["issues.title"]}), "mask_salt")]
#[case::an_empty_salt(json!({"mask_personal_data": true, "mask_salt": ""}), "mask_salt")]
#[case::a_mode_that_is_none(json!({"mask_personal_data": true, "mask_mode": "rot13"}), "mask_mode")]
#[case::a_stream_that_is_none(json!({"mask_fields": ["unicorns.name"], "mask_mode": "null"}), "mask_fields")]
#[case::a_stream_alone(json!({"mask_fields": ["issues"], "mask_mode": "null"}), "mask_fields")]
#[case::a_key(json!({"mask_fields": ["issues.id"], "mask_mode": "null"}), "mask_fields")]
fn masking_that_cannot_be_done_is_refused_before_anything_is_asked(
    #[case] settings: Value,
    #[case] told: &str,
) {
    let sentry = Sentry::small();
    let tap = settings
        .as_object()
        .unwrap()
        .iter()
        .fold(Tap::against(&sentry), |tap, (key, value)| {
            tap.with(key, value.clone())
        });
    tap.run()
        .ends_with(1)
        .prints_nothing()
        .tells(&format!("`{told}`"));
    assert!(sentry.requests().is_empty());
}

#[test]
fn masking_comes_before_flattening() {
    let sentry = Sentry::recent();
    let run = Tap::against(&sentry)
        .select(&["events", "members"])
        .with("flattening_enabled", true)
        .with("mask_personal_data", true)
        .with("mask_mode", "null")
        .run();
    run.is_complete().is_valid();
    assert!(
        !run.stdout.contains("@example.org")
            && !run.stdout.contains("203.0.113.9")
            && !run.stdout.contains("Mia Manager")
    );
}
