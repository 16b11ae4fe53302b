//! Answers that no server should give: no panic, no endless memory, no line that is not one JSON object.

use crate::dsl::{Run, Sentry, Stub, Tap};
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::{Value, json};

/// What becomes of one team that the server writes like this.
fn team(row: &str) -> Run {
    let stub = Stub::answering("/teams/", &format!("[{row}]"));
    Tap::against_stub(&stub).select(&["teams"]).retries(0).run()
}

#[test]
fn characters_that_databases_refuse_are_replaced() {
    let run = team(r#"{"id": "1", "slug": "a\u0000b", "name": "\ud800x\udfff \ud83d\ude00"}"#);
    run.is_complete().is_valid().tells("replaced");
    let record = run.record("teams", "1");
    assert_eq!(record["slug"], "a\u{fffd}b");
    assert_eq!(record["name"], "\u{fffd}x\u{fffd} 😀");
}

#[test]
fn of_equal_keys_the_first_counts_and_an_escaped_key_is_the_same_key() {
    let run = team(
        r#"{"id": "1", "slug": "first", "slug": "second", "\u006eame": "escaped", "id": "2"}"#,
    );
    run.is_complete().is_valid();
    let line = run
        .stdout
        .lines()
        .find(|line| line.contains("RECORD"))
        .expect("a record");
    assert_eq!(line.matches("\"slug\":").count(), 1, "{line}");
    let record = run.record("teams", "1");
    assert_eq!(
        (&record["slug"], &record["name"]),
        (&json!("first"), &json!("escaped"))
    );
}

#[test]
fn depth_without_end_is_cut() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let run = team(&format!(
        r#"{{"id": "1", "slug": "a", "flags": {{"deep": {deep}}}}}"#
    ));
    run.is_complete();
    assert_eq!(run.record("teams", "1")["slug"], "a");
    assert!(run.stdout.len() < 64 << 10);
}

#[rstest]
#[case::integer_beyond_64_bits(r#"{"id": "1", "memberCount": 123456789012345678901234567890}"#)]
#[case::float_without_end(r#"{"id": "1", "memberCount": 1e400}"#)]
#[case::text_for_a_number(r#"{"id": "1", "memberCount": "many"}"#)]
#[case::list_for_a_number(r#"{"id": "1", "memberCount": [1]}"#)]
#[case::list_for_text(r#"{"id": "1", "name": ["a", {"b": 1}]}"#)]
#[case::object_for_a_date(r#"{"id": "1", "dateCreated": {"a": 1}}"#)]
#[case::text_for_a_date(r#"{"id": "1", "dateCreated": "yesterday"}"#)]
#[case::empty_date(r#"{"id": "1", "dateCreated": ""}"#)]
#[case::date_of_another_calendar(r#"{"id": "1", "dateCreated": "2026-13-41T25:61:61Z"}"#)]
#[case::date_beyond_four_digits(r#"{"id": "1", "dateCreated": "+12026-01-01T00:00:00Z"}"#)]
#[case::leap_second(r#"{"id": "1", "dateCreated": "2016-12-31T23:59:60Z"}"#)]
#[case::text_for_a_boolean(r#"{"id": "1", "isMember": "perhaps"}"#)]
#[case::text_for_an_object(r#"{"id": "1", "avatar": "none"}"#)]
#[case::list_for_an_object(r#"{"id": "1", "avatar": []}"#)]
#[case::object_for_a_list(r#"{"id": "1", "access": {"a": 1}}"#)]
#[case::nothing_but_the_key(r#"{"id": "1"}"#)]
#[case::everything_null(
    r#"{"id": "1", "slug": null, "name": null, "dateCreated": null, "isMember": null, "access": null, "avatar": null}"#
)]
#[case::white_space("{\n\t\"id\" :\r\n \"1\" ,\n\"flags\": {\n \"a\" : [ 1 ,\n 2 ] } }")]
fn a_value_of_another_type_becomes_one_that_the_schema_admits(#[case] row: &str) {
    let run = team(row);
    run.is_complete().is_valid();
    assert_eq!(run.record("teams", "1")["organization_slug"], "acme");
}

#[rstest]
#[case("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z")]
#[case("2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05.123456Z")]
#[case("2026-01-02t03:04:05z", "2026-01-02T03:04:05Z")]
fn dates_are_utc_with_at_most_six_digits(#[case] sent: &str, #[case] written: &str) {
    let run = team(&json!({"id": "1", "dateCreated": sent}).to_string());
    assert_eq!(
        run.is_complete().is_valid().record("teams", "1")["dateCreated"],
        written
    );
}

#[rstest]
#[case::no_row_has_a_key(r#"[{"slug": "a"}, {"slug": "b"}]"#)]
#[case::no_row_of_the_stream(r#"[{"error": "a"}]"#)]
#[case::rows_that_are_no_objects("[1, 2]")]
#[case::a_list_of_lists("[[]]")]
#[case::two_documents("[] []")]
#[case::nothing("")]
#[case::half(r#"[{"id": "1""#)]
#[case::a_comma_too_many(r#"[{"id": "1"},]"#)]
#[case::words("undefined")]
#[case::text(r#""[]""#)]
#[case::open_without_end("[[[[[[[[[[")]
fn a_wrong_answer_is_a_gap_and_never_an_empty_page(#[case] body: &str) {
    let stub = Stub::answering("/teams/", body);
    let run = Tap::against_stub(&stub).select(&["teams"]).retries(0).run();
    run.is_incomplete()
        .tells("not the expected JSON")
        .does_not_tell("panicked");
    assert!(run.records("teams").is_empty());
}

#[test]
fn a_cursor_is_sent_back_percent_encoded() {
    let stub = Stub::with_link(
        "/teams/",
        r#"[{"id": "1"}]"#,
        r#"<https://elsewhere.invalid/?a,b;c=1&cursor=x>; rel="previous"; results="false"; cursor="0:0:1", <https://elsewhere.invalid/?&cursor=Zm9v+/==:0:0>; rel="next"; results="true"; cursor="Zm9v+/= &#=:0:0""#,
    );
    let run = Tap::against_stub(&stub).select(&["teams"]).retries(0).run();
    run.is_incomplete().tells("already followed");
    let second = stub
        .targets()
        .into_iter()
        .find(|target| target.contains("cursor="))
        .expect("a second page");
    assert!(
        second.contains("cursor=Zm9v%2B%2F%3D+%26%23%3D%3A0%3A0")
            || second.contains("cursor=Zm9v%2B%2F%3D%20%26%23%3D%3A0%3A0"),
        "{second}"
    );
}

#[rstest]
#[case::garbage("garbage <>;;,\"")]
#[case::no_cursor(r#"<u>; rel="next"; results="true""#)]
#[case::previous_only(r#"<u>; rel="previous"; results="true"; cursor="1:0:1""#)]
#[case::next_without_results(r#"<u>; rel="next"; results="false"; cursor="1:0:0""#)]
fn a_link_that_names_no_next_page_is_the_end(#[case] link: &str) {
    let stub = Stub::with_link("/teams/", r#"[{"id": "1"}]"#, link);
    Tap::against_stub(&stub)
        .select(&["teams"])
        .run()
        .is_complete()
        .keys("teams")
        .equal([1]);
}

#[test]
fn every_line_is_one_object_whatever_the_text_holds() {
    let odd = "a\u{2028}b\u{2029}c\\\"d\r\n\te\u{85}\u{feff}";
    let run = team(&json!({"id": "1", "name": odd}).to_string());
    run.is_complete();
    assert_eq!(run.record("teams", "1")["name"], odd);
    assert!(
        run.stdout
            .split_terminator('\n')
            .all(|line| serde_json::from_str::<Value>(line).is_ok_and(|one| one.is_object()))
    );
}

#[test]
fn a_body_beyond_the_cap_is_a_gap_that_says_so_and_is_not_held() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::HugeBody(500 << 20),
    ));
    let run = Tap::against(&sentry)
        .select(&["teams", "members"])
        .within_mib(128)
        .run();
    run.is_incomplete()
        .tells("exceeds 32 MiB")
        .tells("teams")
        .does_not_tell("trying again");
    run.keys("members").equal(sentry.expected("members"));
}

#[test]
fn a_body_just_below_the_cap_is_read_whole() {
    // Blanks that are no part of the record, and text that is.
    let text = "x\u{e9}\\u0001 ".repeat((15 << 20) / 10);
    let body = format!(
        r#"[{}{{"id": "1", "name": "{text}"}}]"#,
        " ".repeat((32 << 20) - text.len() - 64)
    );
    assert!(
        ((31 << 20)..(32 << 20)).contains(&body.len()),
        "{}",
        body.len()
    );
    let stub = Stub::answering("/teams/", &body);
    let run = Tap::against_stub(&stub)
        .select(&["teams"])
        .retries(0)
        .within_mib(192)
        .run();
    run.is_complete();
    let expected: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
    assert!(
        run.record("teams", "1")["name"] == expected,
        "the text comes whole"
    );
}

#[test]
fn many_repairs_in_one_body_take_no_more_than_their_room() {
    let row = format!(
        r#"{{"id": "1", "name": "{}"}}"#,
        "\\u0000\\ud800".repeat((8 << 20) / 12)
    );
    let stub = Stub::answering("/teams/", &format!("[{row}]"));
    let run = Tap::against_stub(&stub)
        .select(&["teams"])
        .retries(0)
        .within_mib(192)
        .run();
    run.is_complete().tells("replaced");
    assert!(
        run.record("teams", "1")["name"]
            .as_str()
            .unwrap()
            .chars()
            .all(|c| c == '\u{fffd}')
    );
}
