//! Settings: from files, checked all at once, and what they change.

use crate::dsl::{Sentry, Tap};
use rstest::rstest;
use sentry_sandbox::TOKEN;
use serde_json::json;

#[test]
fn all_mistakes_are_told_at_once_with_their_keys_and_nothing_is_printed() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("start_date", "yesterday")
        .with("base_url", "not a url")
        .with("concurrency", 0)
        .with("window_days", "seven")
        .with("project_slugs", json!({"a": 1}))
        .with("fetch_event_details", "perhaps")
        .run();
    run.ends_with(1).prints_nothing();
    for key in [
        "start_date",
        "base_url",
        "concurrency",
        "window_days",
        "project_slugs",
        "fetch_event_details",
    ] {
        run.tells(&format!("`{key}`"))
            .ends_telling(&format!("`{key}`"));
    }
    assert!(sentry.requests().is_empty());
}

#[rstest]
#[case::token("api_token")]
#[case::start("start_date")]
fn a_required_setting_that_is_missing_is_named_on_the_last_line(#[case] key: &str) {
    let sentry = Sentry::small();
    Tap::against(&sentry)
        .without(key)
        .run()
        .ends_with(1)
        .prints_nothing()
        .ends_telling(key);
}

#[rstest]
#[case::missing("nowhere.json", None, "nowhere.json")]
#[case::no_json("broken.json", Some("{\"api_token\": "), "broken.json")]
#[case::no_object("list.json", Some("[1]"), "list.json")]
fn a_configuration_that_cannot_be_read_is_named(
    #[case] name: &str,
    #[case] content: Option<&str>,
    #[case] told: &str,
) {
    let tap = content.map_or_else(Tap::bare, |content| Tap::bare().file(name, content));
    tap.arg("--config")
        .arg(name)
        .run()
        .ends_with(1)
        .prints_nothing()
        .ends_telling(told);
}

#[test]
fn of_several_files_the_later_wins() {
    let sentry = Sentry::small();
    let later = json!({"organization": "acme"}).to_string();
    let tap = Tap::against(&sentry)
        .with("organization", "wrong")
        .select(&["teams"])
        .file("later.json", &later);
    tap.arg("--config").arg("later.json").run().is_complete();
}

#[test]
fn what_is_empty_in_a_later_file_does_not_undo_an_earlier_one() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry)
        .with("project_slugs", json!(["api"]))
        .select(&["projects"])
        .arg("--config")
        .arg("later.json");
    for empty in [json!(null), json!(""), json!("  ")] {
        let later = json!({"project_slugs": empty, "organization": empty, "api_token": empty, "base_url": empty}).to_string();
        tap.clone()
            .file("later.json", later)
            .run()
            .is_complete()
            .keys("projects")
            .equal([sentry.project("api")]);
    }
    let run = tap
        .clone()
        .file("later.json", r#"{"project_slugs": []}"#)
        .run();
    run.ends_with(1)
        .prints_nothing()
        .ends_telling("`project_slugs`")
        .ends_telling(r#"["*"]"#)
        .ends_telling("later.json");
    tap.file("later.json", r#"{"project_slugs": ["*"]}"#)
        .run()
        .is_complete()
        .keys("projects")
        .equal(sentry.expected("projects"));
}

#[test]
fn files_of_powershell_are_read() {
    let sentry = Sentry::small();
    let wide = |text: String| {
        [0xfeff_u16]
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let catalog = wide(crate::dsl::catalog(&["teams"]).to_string());
    let tap = Tap::against(&sentry)
        .file("more.json", wide(json!({"concurrency": 2}).to_string()))
        .file("wide.json", catalog);
    let run = tap
        .arg("--config")
        .arg("more.json")
        .arg("--catalog")
        .arg("wide.json")
        .run();
    run.is_complete();
    assert_eq!(run.streams().len(), 1);
}

#[test]
fn a_comment_in_a_configuration_is_named() {
    let tap = Tap::bare()
        .file(
            "config.json",
            "{\n  \"api_token\": \"x\", // mine\n  \"start_date\": \"2026-01-01\"\n}",
        )
        .arg("--config")
        .arg("config.json");
    tap.run()
        .ends_with(1)
        .ends_telling("config.json")
        .ends_telling("JSON has no comments");
}

#[test]
fn auth_token_is_another_name_for_the_token() {
    let sentry = Sentry::small();
    Tap::against(&sentry)
        .without("api_token")
        .with("auth_token", TOKEN)
        .select(&["teams"])
        .run()
        .is_complete();
}

#[rstest]
#[case::date(|sentry: &Sentry| sentry.start.format("%Y-%m-%d").to_string())]
#[case::offset(|sentry: &Sentry| sentry.start.format("%Y-%m-%dT%H:%M:%S+00:00").to_string())]
#[case::naive(|sentry: &Sentry| sentry.start.format("%Y-%m-%dT%H:%M:%S").to_string())]
fn start_date_is_accepted_in_each_form(#[case] form: fn(&Sentry) -> String) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("start_date", form(&sentry))
        .select(&["events"])
        .run();
    run.is_complete()
        .keys("events")
        .equal(sentry.expected("events"));
}

#[test]
fn the_base_url_is_accepted_with_and_without_api_and_slash() {
    let sentry = Sentry::small();
    for end in ["", "/", "/api/0", "/api/0/"] {
        let url = format!("{}{end}", sentry.url());
        Tap::against(&sentry)
            .with("base_url", url)
            .select(&["teams"])
            .run()
            .is_complete();
    }
}

#[test]
fn the_user_agent_names_the_tap_or_what_is_set() {
    let sentry = Sentry::small();
    Tap::against(&sentry).select(&["teams"]).run().is_complete();
    assert_eq!(
        sentry.requests()[0].user_agent.as_deref(),
        Some(concat!("tap-sentry/", env!("CARGO_PKG_VERSION")))
    );
    sentry.clear_requests();
    Tap::against(&sentry)
        .with("user_agent", "acme-etl/1")
        .select(&["teams"])
        .run()
        .is_complete();
    assert_eq!(
        sentry.requests()[0].user_agent.as_deref(),
        Some("acme-etl/1")
    );
}

#[test]
fn a_gzip_server_is_understood() {
    let sentry = Sentry::of(|now| sentry_sandbox::Options {
        gzip: true,
        ..sentry_sandbox::Options::new(sentry_sandbox::World::seeded(now))
    });
    let run = Tap::against(&sentry).select(&["events"]).run();
    run.is_complete()
        .keys("events")
        .equal(sentry.expected("events"));
}

#[test]
fn unknown_fields_are_left_out_and_named_or_kept_when_asked_for() {
    let sentry = Sentry::small();
    let mut catalog = crate::dsl::catalog(&["teams"]);
    crate::dsl::entry(&mut catalog, "teams")["schema"]["properties"]
        .as_object_mut()
        .unwrap()
        .remove("memberCount");
    let tap = Tap::against(&sentry).catalog(catalog);
    let run = tap.clone().run();
    run.is_complete().tells("memberCount");
    assert!(
        run.records("teams")
            .iter()
            .all(|record| record.get("memberCount").is_none())
    );
    let run = tap.with("keep_unknown_fields", true).run();
    assert!(
        run.is_complete()
            .records("teams")
            .iter()
            .all(|record| record["memberCount"].is_number())
    );
}

#[test]
fn a_setting_that_stands_twice_in_a_file_counts_as_in_two_files() {
    let sentry = Sentry::small();
    let tap = |value: &str| {
        let config = format!(r#"{{"project_slugs": ["web"], "project_slugs": {value}}}"#);
        Tap::against(&sentry)
            .file("twice.json", config)
            .arg("--config")
            .arg("twice.json")
            .select(&["projects"])
    };
    tap("null")
        .run()
        .is_complete()
        .keys("projects")
        .equal([sentry.project("web")]);
    tap(r#"["api"]"#)
        .run()
        .is_complete()
        .keys("projects")
        .equal([sentry.project("api")]);
    tap("[]")
        .run()
        .ends_with(1)
        .prints_nothing()
        .tells("is empty in twice.json");
}

#[test]
fn the_token_may_stand_in_a_file() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry)
        .select(&["teams"])
        .without("api_token");
    let tap = tap.file("token", format!("{TOKEN}\n")).mode("token", 0o600);
    let run = tap.clone().with("api_token_file", "token").run();
    run.is_complete()
        .keys("teams")
        .equal(sentry.expected("teams"));
    let of_the_environment = tap
        .arg("--config")
        .arg("ENV")
        .env("TAP_SENTRY_API_TOKEN_FILE", "token");
    of_the_environment.clone().run().is_complete();
    let run = of_the_environment
        .with("api_token", "x")
        .with("api_token_file", "token")
        .run();
    run.ends_with(1)
        .prints_nothing()
        .tells("`api_token_file` is set together with `api_token`");
    let run = Tap::against(&sentry)
        .without("api_token")
        .with("api_token_file", "nowhere")
        .run();
    run.ends_with(1)
        .prints_nothing()
        .tells("`api_token_file` names a file that cannot be used: cannot read nowhere");
}

#[rstest]
#[case("${SENTRY_TOKEN}")]
#[case("<your token>")]
fn a_placeholder_is_no_token(#[case] token: &str) {
    let run = Tap::against(&Sentry::small())
        .with("api_token", token)
        .run();
    run.ends_with(1).prints_nothing().tells("`api_token`");
}
