//! What the executable tells of itself: man page, completions, `--about`.

use crate::dsl::Tap;
use rstest::rstest;
use serde_json::Value;
use std::collections::BTreeSet;

#[rstest]
#[case::man("man", &[".TH", "check\\-counts", ".SH OPTIONS"])]
#[case::bash("bash", &["complete -F", "--check-counts", "tap-sentry"])]
#[case::zsh("zsh", &["#compdef tap-sentry", "--check-counts"])]
#[case::fish("fish", &["complete -c tap-sentry", "check-counts"])]
#[case::elvish("elvish", &["tap-sentry", "--check-counts"])]
#[case::powershell("powershell", &["Register-ArgumentCompleter", "--check-counts"])]
fn a_man_page_and_completions_are_generated(#[case] what: &str, #[case] parts: &[&str]) {
    let run = Tap::bare().arg("--generate").arg(what).run();
    run.ends_with(0);
    assert_eq!(run.stderr, "");
    for part in parts {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
}

#[test]
fn the_man_page_has_the_sections_that_readers_look_for() {
    let run = Tap::bare().arg("--generate").arg("man").run();
    let plain = run
        .stdout
        .replace("\\-", "-")
        .replace("\\fB", "")
        .replace("\\fR", "");
    let sections: Vec<&str> = plain
        .lines()
        .filter_map(|line| line.strip_prefix(".SH "))
        .collect();
    let expected = [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        r#""EXIT STATUS""#,
        "ENVIRONMENT",
        "FILES",
        "EXAMPLES",
        "VERSION",
    ];
    assert_eq!(sections, expected);
    let section = |name: &str| {
        plain
            .split(".SH ")
            .find_map(|text| text.strip_prefix(name))
            .unwrap()
    };
    for setting in tap_sentry::about::settings() {
        let name = format!("\nTAP_SENTRY_{}\n", setting.name.to_uppercase());
        assert!(section("ENVIRONMENT").contains(&name), "{name}");
    }
    for code in 0..=5 {
        assert!(
            section(r#""EXIT STATUS""#).contains(&format!(".TP\n{code}\n")),
            "{code}"
        );
    }
    for (_, lines) in tap_sentry::generate::EXAMPLES {
        assert!(
            lines.iter().all(|line| section("EXAMPLES").contains(line)),
            "{lines:?}"
        );
    }
}

#[test]
fn what_cannot_be_generated_is_wrong_use() {
    Tap::bare()
        .arg("--generate")
        .arg("tcsh")
        .run()
        .ends_with(2)
        .prints_nothing();
}

#[test]
fn about_names_the_capabilities_that_the_tap_has() {
    let run = Tap::bare().arg("--about").arg("--format").arg("json").run();
    run.ends_with(0);
    let about: Value = serde_json::from_str(&run.stdout).unwrap();
    let expected = [
        "catalog",
        "discover",
        "state",
        "about",
        "properties",
        "test",
        "structured-logging",
        "activate-version",
        "schema-flattening",
    ];
    let found: BTreeSet<&str> = about["capabilities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(found, BTreeSet::from(expected));
    // What is promised has its settings.
    for setting in [
        "emit_activate_version_messages",
        "flattening_enabled",
        "flattening_max_depth",
        "mask_fields",
        "mask_personal_data",
        "mask_mode",
        "mask_salt",
    ] {
        assert!(
            about["settings"]["properties"].get(setting).is_some(),
            "{setting}"
        );
    }
    for format in ["text", "markdown"] {
        let run = Tap::bare().arg("--about").arg("--format").arg(format).run();
        run.ends_with(0);
        for capability in expected {
            assert!(run.stdout.contains(capability), "{format}: {capability}");
        }
    }
}
