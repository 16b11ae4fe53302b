//! Settings from the environment and from `.env`.

use crate::dsl::{Sentry, Tap, text};
use rstest::rstest;
use sentry_sandbox::TOKEN;
use serde_json::{Value, json};

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
