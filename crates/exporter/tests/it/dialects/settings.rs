//! What is refused of old settings, and what is passed over.

use crate::dsl::{Ended, Program, command, ended, sentry};
use rstest::rstest;
use sentry_sandbox::{ORGANIZATION, TOKEN, World};

/// Checks these files and variables.
fn check(files: &[(&str, &str)], variables: &[(&str, &str)], args: &[&str]) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let mut program = command();
    program.arg("--config.check").args(args);
    program.envs(variables.iter().copied());
    ended(program.current_dir(folder.path()))
}

const ITALUX: [(&str, &str); 2] = [
    ("SENTRY_AUTH_TOKEN", TOKEN),
    ("SENTRY_EXPORTER_ORG", "acme"),
];

#[rstest]
#[case::tries("SENTRY_RETRY_TRIES", "none", "SENTRY_RETRY_TRIES")]
#[case::switch(
    "SENTRY_SCRAPE_ISSUE_METRICS",
    "perhaps",
    "SENTRY_SCRAPE_ISSUE_METRICS"
)]
#[case::age("SENTRY_ISSUES_24H", "2", "SENTRY_ISSUES_24H")]
#[case::address("SENTRY_BASE_URL", "nowhere", "SENTRY_BASE_URL")]
#[case::level("LOG_LEVEL", "loud", "LOG_LEVEL")]
#[case::user("SENTRY_EXPORTER_BASIC_AUTH", "perhaps", "basic_auth")]
#[case::projects("SENTRY_EXPORTER_PROJECTS", "a b", "SENTRY_EXPORTER_PROJECTS")]
#[case::nothing_named("SENTRY_EXPORTER_PROJECTS", ",", "SENTRY_EXPORTER_PROJECTS")]
#[case::both_names("SENTRY_EXPORTER_INCLUDE_PROJECTS", "other", "dialect")]
fn what_cannot_be_read_is_refused_by_its_name(
    #[case] name: &str,
    #[case] value: &str,
    #[case] told: &str,
) {
    let variables = [&ITALUX[..], &[(name, value)]].concat();
    let checked = check(&[], &variables, &[]);
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);
    assert!(
        checked.stderr.contains(&format!("`{told}`")),
        "{}",
        checked.stderr
    );
    assert!(!checked.stderr.contains(TOKEN));
}

#[test]
fn the_organization_must_be_named_where_the_series_do_not_name_it() {
    let token = ("SENTRY_AUTH_TOKEN", TOKEN);
    for variables in [
        vec![token, ("SENTRY_BASE_URL", "https://sentry.io/api/0/")],
        vec![token, ("SENTRY_EXPORTER_ORG", "*")],
        vec![token, ("SENTRY_EXPORTER_ORG", "acme,other")],
    ] {
        let checked = check(&[], &variables, &[]);
        assert_eq!(checked.code, Some(1), "{variables:?}");
        assert!(
            checked.stderr.contains("in the dialect italux"),
            "{}",
            checked.stderr
        );
    }
    assert_eq!(check(&[], &ITALUX, &[]).code, Some(0));
}

#[test]
fn two_exporters_at_once_are_refused_unless_one_is_chosen() {
    let file = "organisation_name: acme\ntoken: t\n";
    let files = [(".sentry-exporter.yaml", file)];
    let checked = check(&files, &ITALUX, &[]);
    assert_eq!(checked.code, Some(1));
    for text in [
        ".sentry-exporter.yaml",
        "maggotmouth",
        "SENTRY_EXPORTER_ORG",
        "italux",
    ] {
        assert!(checked.stderr.contains(text), "{}", checked.stderr);
    }
    let chosen = check(&files, &ITALUX, &["--dialect", "italux"]);
    assert_eq!(chosen.code, Some(0), "{}", chosen.stderr);
    let unknown = [("SENTRY_EXPORTER_DIALECT", "other"), ITALUX[0]];
    let checked = check(&[], &unknown, &[]);
    assert!(
        checked
            .stderr
            .contains("`dialect` must be one of native, italux"),
        "{}",
        checked.stderr
    );
}

#[test]
fn the_same_setting_by_two_names_is_refused() {
    let both = [
        ("SENTRY_EXPORTER_ORGANIZATION", "other"),
        ("SENTRY_EXPORTER_ORG", "acme"),
        ITALUX[0],
    ];
    let checked = check(&[], &both, &[]);
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.stderr.contains("means the same; remove one"),
        "{}",
        checked.stderr
    );
    let same = [
        ("SENTRY_EXPORTER_ORGANIZATION", "acme"),
        ITALUX[1],
        ITALUX[0],
    ];
    assert_eq!(check(&[], &same, &[]).code, Some(0), "they do not disagree");
}

#[test]
fn a_group_that_a_dialect_has_not_is_refused() {
    let checked = check(&[], &ITALUX, &["--collector.monitors"]);
    assert_eq!(checked.code, Some(1));
    assert!(
        checked
            .stderr
            .contains("`collector_monitors` cannot be on in the dialect italux"),
        "{}",
        checked.stderr
    );
    assert_eq!(
        check(&[], &ITALUX, &["--no-collector.monitors"]).code,
        Some(0)
    );
}

#[test]
fn what_kubernetes_sets_is_passed_over_in_silence() {
    let sandbox = sentry(World::seeded(chrono::Utc::now()));
    let address = sandbox.url();
    let pod = [
        ("SENTRY_EXPORTER_PORT", "tcp://10.0.0.7:9790"),
        ("SENTRY_EXPORTER_PORT_9790_TCP", "tcp://10.0.0.7:9790"),
        ("SENTRY_EXPORTER_PORT_9790_TCP_ADDR", "10.0.0.7"),
        ("SENTRY_EXPORTER_PORT_9790_TCP_PORT", "9790"),
        ("SENTRY_EXPORTER_PORT_9790_TCP_PROTO", "tcp"),
        ("SENTRY_EXPORTER_SERVICE_HOST", "10.0.0.7"),
        ("SENTRY_EXPORTER_SERVICE_PORT", "9790"),
        ("SENTRY_EXPORTER_SERVICE_PORT_METRICS", "9790"),
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
    ];
    let own = [
        ("SENTRY_BASE_URL", address.as_str()),
        ("SENTRY_AUTH_TOKEN", TOKEN),
        ("SENTRY_EXPORTER_ORG", ORGANIZATION),
    ];
    let program = Program::start_bare(&[], &[&pod[..], &own].concat());
    assert_eq!(program.scrape().up(), Some(1.0));
    let (_, log) = program.stop();
    assert!(
        log.contains("italux") && !log.contains("10.0.0.") && !log.contains("WARN"),
        "{log}"
    );
}

#[test]
fn names_that_may_be_any_programs_are_not_read_elsewhere() {
    let variables = [("AUTH_TOKEN", TOKEN), ("SENTRY_HOST", "sentry.invalid")];
    let checked = check(&[], &variables, &[]);
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.stderr.contains("`api_token` is required"),
        "{}",
        checked.stderr
    );
    let checked = check(&[], &variables, &["--dialect", "ujamii"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
}

#[test]
fn settings_of_a_file_named_env_are_understood() {
    let file = format!(
        "SENTRY_BASE_URL=\"https://sentry.io/api/0/\"\nSENTRY_AUTH_TOKEN=\"{TOKEN}\"\nSENTRY_EXPORTER_ORG=\"acme\"\n"
    );
    let checked = check(&[(".env", &file)], &[], &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let alone = "SENTRY_BASE_URL=https://sentry.io/\n";
    let checked = check(&[(".env", alone)], &[ITALUX[0]], &[]);
    assert!(
        checked.stderr.contains("in the dialect italux"),
        "{}",
        checked.stderr
    );
}
