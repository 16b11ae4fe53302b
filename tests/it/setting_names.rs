//! Names that are no setting: passed over, warned of, or refused where they would narrow the extraction.

use crate::dsl::{Sentry, Tap};
use rstest::rstest;
use serde_json::json;

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
