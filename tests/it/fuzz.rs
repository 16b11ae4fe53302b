//! Files that nobody should give: each is refused by a line that names what is wrong in it.
//!
//! Files and answers made at random are tried beside the code that reads them (`src/fuzz.rs`, `src/record/fuzz.rs`).

use crate::dsl::{Sentry, Tap, catalog};
use rstest::rstest;
use serde_json::json;

/// Files as they come out of a crash, another program or an attack.
#[rstest]
#[case::cut(br#"{"bookmarks": {"issues": {"sta"#)]
#[case::not_utf8(b"{\"bookmarks\": \"\xff\"}")]
#[case::nul_bytes(b"\0\0\0\0")]
#[case::half_a_literal(b"nul")]
#[case::two_documents(b"{} {}")]
#[case::lone_surrogate(br#"{"bookmarks": {"issues": {"start": "\ud800"}}}"#)]
#[case::huge_number(br#"{"bookmarks": 1e400}"#)]
#[case::utf16_without_its_mark(b"{\0}\0")]
fn a_file_that_is_no_json_is_named(
    #[case] content: &[u8],
    #[values("--state", "--catalog", "--config")] flag: &str,
) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .file("odd.json", content)
        .arg(flag)
        .arg("odd.json")
        .run();
    run.ends_with(1)
        .prints_nothing()
        .ends_telling("odd.json")
        .does_not_tell("panicked");
    assert!(sentry.requests().is_empty());
}

#[rstest]
fn a_file_that_is_nested_without_end_is_named(
    #[values("--state", "--catalog", "--config")] flag: &str,
) {
    let sentry = Sentry::small();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let content = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
        let run = Tap::against(&sentry)
            .file("odd.json", content)
            .arg(flag)
            .arg("odd.json")
            .run();
        run.ends_with(1).prints_nothing().ends_telling("odd.json");
    }
}

#[rstest]
#[case::a_bookmark_of_another_type(
    "--state",
    r#"{"bookmarks": {"events": {"start": {"a": 1}}}}"#,
    "`bookmarks.events.start`"
)]
#[case::a_bookmark_before_all_time(
    "--state",
    r#"{"bookmarks": {"events": {"start": "-262143-01-01"}}}"#,
    "`bookmarks.events.start`"
)]
#[case::a_bookmark_with_nul(
    "--state",
    r#"{"bookmarks": {"events": {"start": "2026-01-01\u0000"}}}"#,
    "`bookmarks.events.start`"
)]
#[case::streams_of_another_type("--catalog", r#"{"streams": {"issues": true}}"#, "`streams`")]
#[case::a_breadcrumb_of_another_type(
    "--catalog",
    r#"{"streams": [{"tap_stream_id": "issues", "metadata": [{"breadcrumb": 5, "metadata": {}}]}]}"#,
    "`streams[0].metadata[0].breadcrumb` (stream `issues`)"
)]
#[case::a_name_of_another_type(
    "--catalog",
    r#"{"streams": [{"tap_stream_id": "teams"}, {"tap_stream_id": 7}]}"#,
    "`streams[1].tap_stream_id`"
)]
#[case::an_entry_without_a_name(
    "--catalog",
    r#"{"streams": [{"stream": "issues"}]}"#,
    "`streams[0]`: missing field `tap_stream_id`"
)]
#[case::a_breadcrumb_of_an_entry_without_a_name(
    "--catalog",
    r#"{"streams": [{"tap_stream_id": "teams"}, {"metadata": [{"metadata": {}}]}]}"#,
    "`streams[1].metadata[0]`: missing field `breadcrumb`"
)]
#[case::an_entry_of_another_type("--catalog", r#"{"streams": ["issues"]}"#, "`streams[0]`")]
#[case::a_flag_of_another_type(
    "--catalog",
    r#"{"streams": [{"tap_stream_id": "teams"}, {"stream_id": "issues", "tap_stream_id": "issues", "selected": "perhaps"}]}"#,
    "`streams[1].selected` (stream `issues`)"
)]
#[case::a_name_of_another_type_by_its_alias(
    "--catalog",
    r#"{"streams": [{"stream_id": 7}]}"#,
    "`streams[0].stream_id`"
)]
#[case::of_an_entry_named_by_its_alias(
    "--catalog",
    r#"{"streams": [{"stream_id": "teams", "selected": 2}]}"#,
    "(stream `teams`)"
)]
#[case::the_list_alone("--catalog", r#"[[{"tap_stream_id": "issues"}]]"#, "`streams`")]
#[case::a_number_too_large(
    "--config",
    r#"{"concurrency": 123456789012345678901234567890}"#,
    "`concurrency`"
)]
#[case::a_header_of_two_lines("--config", r#"{"user_agent": "a\r\nX-Other: b"}"#, "`user_agent`")]
#[case::a_token_with_nul("--config", r#"{"api_token": "a\u0000b"}"#, "`api_token`")]
#[case::a_list_of_all_types("--config", r#"{"project_slugs": ["a", 1]}"#, "`project_slugs`")]
fn what_is_wrong_in_a_file_is_named(#[case] flag: &str, #[case] content: &str, #[case] told: &str) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .file("odd.json", content)
        .arg(flag)
        .arg("odd.json")
        .run();
    run.ends_with(1).prints_nothing().ends_telling(told);
    assert!(sentry.requests().is_empty());
}

#[test]
fn of_equal_keys_in_a_file_the_last_counts_as_everywhere() {
    let sentry = Sentry::small();
    let config = r#"{"organization": "wrong", "organization": "acme"}"#;
    Tap::against(&sentry)
        .select(&["teams"])
        .file("twice.json", config)
        .arg("--config")
        .arg("twice.json")
        .run()
        .is_complete();
}

#[test]
fn names_from_files_do_not_break_the_lines_of_the_log() {
    let sentry = Sentry::small();
    let mut odd = catalog(&["teams"]);
    let mut other = odd["streams"][0].clone();
    other["tap_stream_id"] = json!("one\ntwo\u{1b}[31m");
    odd["streams"].as_array_mut().unwrap().push(other);
    let run = Tap::against(&sentry)
        .with("three\r\nfour", 1)
        .catalog(odd)
        .run();
    run.is_complete().tells("one").tells("four");
    assert!(
        run.stderr
            .lines()
            .all(|line| line.starts_with("20") && !line.chars().any(char::is_control)),
        "{}",
        run.stderr
    );
}
