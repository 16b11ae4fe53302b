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
fn an_unknown_setting_is_warned_about_and_tolerated() {
    let sentry = Sentry::small();
    Tap::against(&sentry)
        .with("stream_maps", json!({}))
        .select(&["teams"])
        .run()
        .is_complete()
        .tells("stream_maps");
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
    assert!(
        sentry
            .requests()
            .iter()
            .any(|request| request.get("full") == Some("1"))
    );
}

#[test]
fn a_wrong_value_in_the_environment_is_a_mistake_like_any_other() {
    let sentry = Sentry::small();
    let tap = from_environment(&sentry)
        .env("TAP_SENTRY_API_TOKEN", TOKEN)
        .env("TAP_SENTRY_CONCURRENCY", "many");
    tap.run()
        .ends_with(1)
        .prints_nothing()
        .ends_telling("`concurrency`");
}

#[test]
fn the_environment_wins_over_files() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry)
        .with("organization", "wrong")
        .select(&["teams"])
        .arg("--config")
        .arg("ENV");
    tap.env("TAP_SENTRY_ORGANIZATION", "acme")
        .run()
        .is_complete();
}

#[test]
fn without_env_the_environment_is_not_read() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry).select(&["teams"]);
    tap.clone()
        .env("TAP_SENTRY_ORGANIZATION", "wrong")
        .run()
        .is_complete();
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
    from_environment(&sentry)
        .env("SENTRY_AUTH_TOKEN", TOKEN)
        .run()
        .is_complete();
    let own_wins = from_environment(&sentry)
        .env("SENTRY_AUTH_TOKEN", "wrong")
        .env("TAP_SENTRY_API_TOKEN", TOKEN);
    own_wins.run().is_complete();
}

#[test]
fn a_dotenv_file_is_read_with_env_and_the_environment_wins_over_it() {
    let sentry = Sentry::small();
    let dotenv = format!("TAP_SENTRY_API_TOKEN={TOKEN}\nTAP_SENTRY_ORGANIZATION=wrong\n");
    from_environment(&sentry)
        .file(".env", &dotenv)
        .run()
        .is_complete();
    Tap::against(&sentry)
        .without("api_token")
        .file(".env", &dotenv)
        .run()
        .ends_with(1);
}

#[test]
fn an_empty_variable_does_not_undo_what_a_file_says() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("project_slugs", json!(["api"]))
        .arg("--config")
        .arg("ENV")
        .env("TAP_SENTRY_ORGANIZATION", "")
        .env("TAP_SENTRY_PROJECT_SLUGS", " ")
        .env("TAP_SENTRY_API_TOKEN", "")
        .env("TAP_SENTRY_EXCLUDE_PROJECT_SLUGS", "")
        .run();
    run.is_complete()
        .keys("projects")
        .equal([sentry.project("api")]);
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
fn sentrys_own_variable_counts_only_where_no_other_token_is_given() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry)
        .select(&["teams"])
        .arg("--config")
        .arg("ENV")
        .env("SENTRY_AUTH_TOKEN", "wrong");
    tap.clone().run().is_complete();
    tap.clone()
        .env("TAP_SENTRY_API_TOKEN", "")
        .run()
        .is_complete();
    from_environment(&sentry)
        .env("SENTRY_AUTH_TOKEN", TOKEN)
        .env("TAP_SENTRY_API_TOKEN", " ")
        .run()
        .is_complete();
    // A later source wins by either name.
    tap.env("TAP_SENTRY_AUTH_TOKEN", "wrong").run().ends_with(3);
}

#[test]
fn a_dotenv_line_is_read_to_its_end() {
    let sentry = Sentry::small();
    let dotenv = "TAP_SENTRY_EXCLUDE_PROJECT_SLUGS=nothing, api # not that one\nexport TAP_SENTRY_MASK_FIELDS = [\"projects.name\"]\nTAP_SENTRY_MASK_MODE='null'\n";
    let run = from_environment(&sentry)
        .env("TAP_SENTRY_API_TOKEN", TOKEN)
        .file(".env", dotenv)
        .run();
    let web = sentry.project("web");
    run.is_complete().keys("projects").equal([web]);
    assert_eq!(
        run.record("projects", &web.to_string())["name"],
        Value::Null
    );
}

#[rstest]
#[case::open_quotes("A=1\nTAP_SENTRY_PROJECT_SLUGS='api\n", "line 2")]
#[case::no_equals_sign("TAP_SENTRY_PROJECT_SLUGS api\n", "line 1")]
#[case::what_is_not_set(
    "TAP_SENTRY_PROJECT_SLUGS=${PROJECTS_OF_NOBODY}\n",
    "PROJECTS_OF_NOBODY"
)]
fn a_dotenv_line_that_cannot_be_read_is_refused(#[case] dotenv: &str, #[case] told: &str) {
    let sentry = Sentry::small();
    let run = from_environment(&sentry)
        .env("TAP_SENTRY_API_TOKEN", TOKEN)
        .file(".env", dotenv)
        .run();
    run.ends_with(1)
        .prints_nothing()
        .ends_telling(".env")
        .ends_telling(told);
}

#[test]
fn a_dotenv_file_that_is_no_text_is_refused() {
    let sentry = Sentry::small();
    let run = from_environment(&sentry)
        .env("TAP_SENTRY_API_TOKEN", TOKEN)
        .file(".env", b"TAP_SENTRY_PROJECT_SLUGS=\xff\n")
        .run();
    run.ends_with(1)
        .prints_nothing()
        .ends_telling(".env")
        .ends_telling("UTF-8");
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

#[rstest]
#[case("organization_id_or_slug", "organization")]
#[case("organisation", "organization")]
#[case("project_slug", "project_slugs")]
#[case("exclude_projects", "exclude_project_slugs")]
#[case("api_url", "base_url")]
#[case("url", "base_url")]
#[case("hostname", "base_url")]
#[case("mask_field", "mask_fields")]
fn a_name_near_one_that_narrows_or_names_the_server_is_refused(
    #[case] name: &str,
    #[case] right: &str,
) {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry).select(&["teams"]);
    tap.clone()
        .with(name, "x")
        .run()
        .ends_with(1)
        .prints_nothing()
        .ends_telling(&format!("`{name}`"))
        .ends_telling(&format!("`{right}`"));
    let variable = format!("TAP_SENTRY_{}", name.to_uppercase());
    let run = tap
        .clone()
        .arg("--config")
        .arg("ENV")
        .env(&variable, "x")
        .run();
    run.ends_with(1)
        .prints_nothing()
        .ends_telling(&format!("`{variable}`"))
        .ends_telling(&format!("`{right}`"));
    let run = tap
        .arg("--config")
        .arg("ENV")
        .file(".env", format!("{variable}=x\n"))
        .run();
    run.ends_with(1).ends_telling(&format!("`{right}`"));
    assert!(sentry.requests().is_empty(), "the token goes nowhere");
}

#[test]
fn variables_of_meltano_and_kubernetes_are_passed_over_and_others_warned_of() {
    let sentry = Sentry::small();
    let mut tap = Tap::against(&sentry)
        .select(&["teams"])
        .arg("--config")
        .arg("ENV");
    for (name, value) in [
        ("TAP_SENTRY__SELECT", r#"["*.*"]"#),
        ("TAP_SENTRY_LOGLEVEL", "info"),
        ("TAP_SENTRY_SERVICE_HOST", "10.0.0.1"),
        ("TAP_SENTRY_SERVICE_PORT_HTTP", "80"),
        ("TAP_SENTRY_PORT", "tcp://10.0.0.1:80"),
        ("TAP_SENTRY_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("TAP_SENTRY_SPEED", "11"),
    ] {
        tap = tap.env(name, value);
    }
    let run = tap.run();
    run.is_complete()
        .tells("`TAP_SENTRY_SPEED`")
        .does_not_tell("SERVICE")
        .does_not_tell("TAP_SENTRY_PORT")
        .does_not_tell("_SELECT");
}

#[test]
fn several_organizations_may_be_named() {
    let sentry = Sentry::small();
    let other = sentry_sandbox::world::Organization {
        id: 2,
        slug: "other".to_owned(),
        ..sentry.world().organizations[0].clone()
    };
    sentry.world().organizations.push(other);
    for named in [json!("acme, other"), json!(["acme", "other", "acme"])] {
        let run = Tap::against(&sentry)
            .with("organization", named)
            .select(&["releases"])
            .run();
        run.is_complete().keys("releases").equal([
            "acme|api@1.0",
            "acme|web@1.0",
            "other|api@1.0",
            "other|web@1.0",
        ]);
    }
    let run = Tap::against(&sentry)
        .with("organization", "acme,nowhere")
        .select(&["releases"])
        .run();
    run.is_incomplete()
        .tells("`nowhere` was not found")
        .keys("releases")
        .equal(["acme|api@1.0", "acme|web@1.0"]);
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
fn without_an_organization_all_that_the_token_sees_are_extracted() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).without("organization").run();
    run.is_complete()
        .keys("events")
        .equal(sentry.expected("events"));
}

#[test]
fn several_organizations_are_extracted_each() {
    let sentry = Sentry::small();
    let another = sentry_sandbox::world::Organization {
        id: 2,
        slug: "other".to_owned(),
        ..sentry.world().organizations[0].clone()
    };
    sentry.world().organizations.push(another);
    let run = Tap::against(&sentry)
        .without("organization")
        .select(&["releases"])
        .run();
    run.is_complete().keys("releases").equal([
        "acme|api@1.0",
        "acme|web@1.0",
        "other|api@1.0",
        "other|web@1.0",
    ]);
    let partitions = run.state()["bookmarks"]["releases"]["partitions"].clone();
    assert_eq!(partitions.as_array().unwrap().len(), 4, "{partitions}");
}

#[test]
fn a_token_that_sees_no_organization_is_told_to_name_it() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .without("organization")
        .with("api_token", INTEGRATION_TOKEN)
        .run();
    run.ends_with(1).ends_telling("`organization`");
    assert_eq!(run.of_type("RECORD").count(), 0);
}

#[rstest]
#[case::one(json!(["api"]), json!([]), &["api"])]
#[case::as_text(json!("api, worker"), json!(null), &["api", "worker"])]
#[case::glob(json!(["w*"]), json!([]), &["web", "worker"])]
#[case::exclude(json!(null), json!(["w*", "quiet", "mobile-app"]), &["Legacy_PHP", "api"])]
#[case::both(json!(["w*"]), json!("web"), &["worker"])]
fn projects_are_chosen_by_slug(
    #[case] include: Value,
    #[case] exclude: Value,
    #[case] expected: &[&str],
) {
    let sentry = Sentry::seeded();
    let tap = Tap::against(&sentry)
        .with("project_slugs", include)
        .with("exclude_project_slugs", exclude);
    let run = tap
        .select(&["projects", "project_detail", "issues", "releases"])
        .with("start_date", text(sentry.now - chrono::TimeDelta::days(4)))
        .run();
    run.is_complete();
    let mut slugs: Vec<&str> = run
        .records("projects")
        .iter()
        .map(|record| record["slug"].as_str().unwrap())
        .collect();
    slugs.sort_unstable();
    assert_eq!(slugs, expected);
    assert_eq!(run.keys("project_detail").set(), run.keys("projects").set());
    for record in run.records("issues") {
        assert!(expected.contains(&record["project_slug"].as_str().unwrap()));
    }
    for record in run.records("releases") {
        let projects = record["projects"].as_array().unwrap();
        assert!(
            projects
                .iter()
                .any(|project| expected.contains(&project["slug"].as_str().unwrap())),
            "{record}"
        );
    }
}

#[test]
fn a_project_slug_that_does_not_exist_is_an_error() {
    let sentry = Sentry::small();
    Tap::against(&sentry)
        .with("project_slugs", json!(["api", "nope"]))
        .run()
        .ends_with(1)
        .ends_telling("nope");
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

#[rstest]
#[case("tap_sentry_organization", true)]
#[case("Tap_Sentry_Project_Slugs", true)]
#[case("tap_sentry_exclude_projects", true)]
#[case("TAPSENTRY_PROJECT_SLUGS", true)]
#[case("TAP-SENTRY-ORGANIZATION", true)]
#[case("tap_sentry_port", false)]
#[case("tap_sentry_anything", false)]
fn a_variable_in_lower_case_is_refused_where_it_would_narrow(
    #[case] name: &str,
    #[case] refused: bool,
) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .arg("--config")
        .arg("ENV")
        .env(name, "acme")
        .select(&["teams"])
        .run();
    if refused {
        run.ends_with(1)
            .prints_nothing()
            .tells(&format!("`{name}`"))
            .tells("write TAP_SENTRY_");
    } else {
        run.is_complete();
    }
}

#[test]
fn every_organization_can_be_asked_for_by_name() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry).select(&["teams"]);
    let run = tap.with("organization", json!(["*"])).run();
    run.is_complete()
        .keys("teams")
        .equal(sentry.expected("teams"));
    for mixed in [json!(["*", "acme"]), json!("ac*")] {
        Tap::against(&sentry)
            .with("organization", mixed)
            .run()
            .ends_with(1)
            .tells("must be a slug");
    }
}

#[test]
fn a_file_of_variables_that_others_can_read_is_told_if_it_holds_the_token() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry)
        .arg("--config")
        .arg("ENV")
        .select(&["teams"])
        .mode("config.json", 0o600);
    let with = |content: &str| tap.clone().file(".env", content).mode(".env", 0o644).run();
    with("TAP_SENTRY_CONCURRENCY=2\n")
        .is_complete()
        .does_not_tell("chmod 600");
    with(&format!("TAP_SENTRY_API_TOKEN={TOKEN}\n"))
        .is_complete()
        .tells(".env holds the token and can be read by other users: chmod 600");
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
#[case("$env:TAP_SENTRY_PROJECT_SLUGS=\"web\"")]
#[case("TAP-SENTRY-PROJECT-SLUGS=web")]
#[case("tap_sentry_project_slugs=web")]
#[case("\"TAP_SENTRY_PROJECT_SLUGS\"=web")]
fn a_line_of_a_file_that_is_almost_a_setting_is_refused(#[case] line: &str) {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry)
        .arg("--config")
        .arg("ENV")
        .file(".env", line);
    let run = tap.select(&["teams"]).run();
    run.ends_with(1).prints_nothing().tells(".env");
}

#[test]
fn an_excluded_project_that_is_not_there_is_told() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry).select(&["projects"]);
    let run = tap
        .clone()
        .with("exclude_project_slugs", json!(["WEB", "no*"]))
        .run();
    run.is_complete().tells(
        "`exclude_project_slugs` names what the token does not see, which leaves out nothing: WEB",
    );
    let run = tap.with("exclude_project_slugs", json!(["web"])).run();
    run.is_complete().does_not_tell("leaves out nothing");
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
