//! Settings: from files and the environment, checked all at once, and what they change.

use crate::dsl::{Sentry, Tap, text};
use rstest::rstest;
use sentry_sandbox::{INTEGRATION_TOKEN, TOKEN};
use serde_json::{Value, json};

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
    for key in ["start_date", "base_url", "concurrency", "window_days", "project_slugs", "fetch_event_details"] {
        run.tells(&format!("`{key}`")).ends_telling(&format!("`{key}`"));
    }
    assert!(sentry.requests().is_empty());
}

#[rstest]
#[case::token("api_token")]
#[case::start("start_date")]
fn a_required_setting_that_is_missing_is_named_on_the_last_line(#[case] key: &str) {
    let sentry = Sentry::small();
    Tap::against(&sentry).without(key).run().ends_with(1).prints_nothing().ends_telling(key);
}

#[rstest]
#[case::missing("nowhere.json", None, "nowhere.json")]
#[case::no_json("broken.json", Some("{\"api_token\": "), "broken.json")]
#[case::no_object("list.json", Some("[1]"), "list.json")]
fn a_configuration_that_cannot_be_read_is_named(#[case] name: &str, #[case] content: Option<&str>, #[case] told: &str) {
    let tap = content.map_or_else(Tap::bare, |content| Tap::bare().file(name, content));
    tap.arg("--config").arg(name).run().ends_with(1).prints_nothing().ends_telling(told);
}

#[test]
fn an_unknown_setting_is_warned_about_and_tolerated() {
    let sentry = Sentry::small();
    Tap::against(&sentry).with("stream_maps", json!({})).select(&["teams"]).run().is_complete().tells("stream_maps");
}

#[test]
fn of_several_files_the_later_wins() {
    let sentry = Sentry::small();
    let later = json!({"organization": "acme"}).to_string();
    let tap = Tap::against(&sentry).with("organization", "wrong").select(&["teams"]).file("later.json", &later);
    tap.arg("--config").arg("later.json").run().is_complete();
}

fn from_environment(sentry: &Sentry) -> Tap {
    Tap::bare()
        .arg("--config")
        .arg("ENV")
        .env("TAP_SENTRY_BASE_URL", &sentry.url())
        .env("TAP_SENTRY_ORGANIZATION", "acme")
        .env("TAP_SENTRY_START_DATE", &text(sentry.start))
}

#[test]
fn the_environment_is_read_when_asked_for_and_typed() {
    let sentry = Sentry::small();
    let run = from_environment(&sentry)
        .env("TAP_SENTRY_API_TOKEN", TOKEN)
        .env("TAP_SENTRY_FETCH_EVENT_DETAILS", "yes")
        .env("TAP_SENTRY_CONCURRENCY", "3")
        .env("TAP_SENTRY_PROJECT_SLUGS", r#"["api"]"#)
        .run();
    run.is_complete();
    assert_eq!(run.keys("projects").set().len(), 1);
    assert!(sentry.requests().iter().any(|request| request.get("full") == Some("1")));
}

#[test]
fn a_wrong_value_in_the_environment_is_a_mistake_like_any_other() {
    let sentry = Sentry::small();
    let tap = from_environment(&sentry).env("TAP_SENTRY_API_TOKEN", TOKEN).env("TAP_SENTRY_CONCURRENCY", "many");
    tap.run().ends_with(1).prints_nothing().ends_telling("`concurrency`");
}

#[test]
fn the_environment_wins_over_files() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry).with("organization", "wrong").select(&["teams"]).arg("--config").arg("ENV");
    tap.env("TAP_SENTRY_ORGANIZATION", "acme").run().is_complete();
}

#[test]
fn without_env_the_environment_is_not_read() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry).select(&["teams"]);
    tap.clone().env("TAP_SENTRY_ORGANIZATION", "wrong").run().is_complete();
    tap.without("api_token")
        .env("TAP_SENTRY_API_TOKEN", TOKEN)
        .env("SENTRY_AUTH_TOKEN", TOKEN)
        .run()
        .ends_with(1)
        .ends_telling("api_token");
}

#[test]
fn sentrys_own_variable_serves_for_the_token_with_env() {
    let sentry = Sentry::small();
    from_environment(&sentry).env("SENTRY_AUTH_TOKEN", TOKEN).run().is_complete();
    let own_wins = from_environment(&sentry).env("SENTRY_AUTH_TOKEN", "wrong").env("TAP_SENTRY_API_TOKEN", TOKEN);
    own_wins.run().is_complete();
}

#[test]
fn a_dotenv_file_is_read_with_env_and_the_environment_wins_over_it() {
    let sentry = Sentry::small();
    let dotenv = format!("TAP_SENTRY_API_TOKEN={TOKEN}\nTAP_SENTRY_ORGANIZATION=wrong\n");
    from_environment(&sentry).file(".env", &dotenv).run().is_complete();
    Tap::against(&sentry).without("api_token").file(".env", &dotenv).run().ends_with(1);
}

#[test]
fn auth_token_is_another_name_for_the_token() {
    let sentry = Sentry::small();
    Tap::against(&sentry).without("api_token").with("auth_token", TOKEN).select(&["teams"]).run().is_complete();
}

#[rstest]
#[case::date(|sentry: &Sentry| sentry.start.format("%Y-%m-%d").to_string())]
#[case::offset(|sentry: &Sentry| sentry.start.format("%Y-%m-%dT%H:%M:%S+00:00").to_string())]
#[case::naive(|sentry: &Sentry| sentry.start.format("%Y-%m-%dT%H:%M:%S").to_string())]
fn start_date_is_accepted_in_each_form(#[case] form: fn(&Sentry) -> String) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).with("start_date", form(&sentry)).select(&["events"]).run();
    run.is_complete().keys("events").equal(sentry.expected("events"));
}

#[test]
fn the_base_url_is_accepted_with_and_without_api_and_slash() {
    let sentry = Sentry::small();
    for end in ["", "/", "/api/0", "/api/0/"] {
        let url = format!("{}{end}", sentry.url());
        Tap::against(&sentry).with("base_url", url).select(&["teams"]).run().is_complete();
    }
}

#[test]
fn without_an_organization_all_that_the_token_sees_are_extracted() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).without("organization").run();
    run.is_complete().keys("events").equal(sentry.expected("events"));
}

#[test]
fn several_organizations_are_extracted_each() {
    let sentry = Sentry::small();
    let another = sentry_sandbox::world::Organization { id: 2, slug: "other".to_owned(), ..sentry.world().organizations[0].clone() };
    sentry.world().organizations.push(another);
    let run = Tap::against(&sentry).without("organization").select(&["releases"]).run();
    run.is_complete().keys("releases").equal(["acme|api@1.0", "acme|web@1.0", "other|api@1.0", "other|web@1.0"]);
    let partitions = run.state()["bookmarks"]["releases"]["partitions"].clone();
    assert_eq!(partitions.as_array().unwrap().len(), 4, "{partitions}");
}

#[test]
fn a_token_that_sees_no_organization_is_told_to_name_it() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).without("organization").with("api_token", INTEGRATION_TOKEN).run();
    run.ends_with(1).ends_telling("`organization`");
    assert_eq!(run.of_type("RECORD").count(), 0);
}

#[rstest]
#[case::one(json!(["api"]), json!([]), &["api"])]
#[case::as_text(json!("api, worker"), json!(null), &["api", "worker"])]
#[case::glob(json!(["w*"]), json!([]), &["web", "worker"])]
#[case::exclude(json!(null), json!(["w*", "quiet", "mobile-app"]), &["Legacy_PHP", "api"])]
#[case::both(json!(["w*"]), json!("web"), &["worker"])]
fn projects_are_chosen_by_slug(#[case] include: Value, #[case] exclude: Value, #[case] expected: &[&str]) {
    let sentry = Sentry::seeded();
    let tap = Tap::against(&sentry).with("project_slugs", include).with("exclude_project_slugs", exclude);
    let run = tap
        .select(&["projects", "project_detail", "issues", "releases"])
        .with("start_date", text(sentry.now - chrono::TimeDelta::days(4)))
        .run();
    run.is_complete();
    let mut slugs: Vec<&str> = run.records("projects").iter().map(|record| record["slug"].as_str().unwrap()).collect();
    slugs.sort_unstable();
    assert_eq!(slugs, expected);
    assert_eq!(run.keys("project_detail").set(), run.keys("projects").set());
    for record in run.records("issues") {
        assert!(expected.contains(&record["project_slug"].as_str().unwrap()));
    }
    for record in run.records("releases") {
        let projects = record["projects"].as_array().unwrap();
        assert!(projects.iter().any(|project| expected.contains(&project["slug"].as_str().unwrap())), "{record}");
    }
}

#[test]
fn a_project_slug_that_does_not_exist_is_an_error() {
    let sentry = Sentry::small();
    Tap::against(&sentry).with("project_slugs", json!(["api", "nope"])).run().ends_with(1).ends_telling("nope");
}

#[test]
fn the_user_agent_names_the_tap_or_what_is_set() {
    let sentry = Sentry::small();
    Tap::against(&sentry).select(&["teams"]).run().is_complete();
    assert_eq!(sentry.requests()[0].user_agent.as_deref(), Some(concat!("tap-sentry/", env!("CARGO_PKG_VERSION"))));
    sentry.clear_requests();
    Tap::against(&sentry).with("user_agent", "acme-etl/1").select(&["teams"]).run().is_complete();
    assert_eq!(sentry.requests()[0].user_agent.as_deref(), Some("acme-etl/1"));
}

#[test]
fn a_gzip_server_is_understood() {
    let sentry =
        Sentry::of(|now| sentry_sandbox::Options { gzip: true, ..sentry_sandbox::Options::new(sentry_sandbox::World::seeded(now)) });
    let run = Tap::against(&sentry).select(&["events"]).run();
    run.is_complete().keys("events").equal(sentry.expected("events"));
}

#[test]
fn unknown_fields_are_left_out_and_named_or_kept_when_asked_for() {
    let sentry = Sentry::small();
    let mut catalog = crate::dsl::catalog(&["teams"]);
    crate::dsl::entry(&mut catalog, "teams")["schema"]["properties"].as_object_mut().unwrap().remove("memberCount");
    let tap = Tap::against(&sentry).catalog(catalog);
    let run = tap.clone().run();
    run.is_complete().tells("memberCount");
    assert!(run.records("teams").iter().all(|record| record.get("memberCount").is_none()));
    let run = tap.with("keep_unknown_fields", true).run();
    assert!(run.is_complete().records("teams").iter().all(|record| record["memberCount"].is_number()));
}
