//! Tokens, scopes and organizations that refuse.

use crate::dsl::{Sentry, Tap};
use rstest::rstest;
use sentry_sandbox::{
    EXPIRED_TOKEN, Fault, FaultKind, INTEGRATION_TOKEN, Match, NARROW_TOKEN, ORGANIZATION_TOKEN,
    SSO_TOKEN,
};
use std::collections::BTreeSet;

#[rstest]
#[case::unknown("sntryu_unknown")]
#[case::expired(EXPIRED_TOKEN)]
fn a_token_that_sentry_refuses_ends_the_run_at_once(#[case] token: &str) {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).with("api_token", token).run();
    run.ends_with(3).ends_telling(&format!(
        "Sentry refused the token: {} answers ",
        sentry.url()
    ));
    assert_eq!(run.of_type("RECORD").count(), 0);
    assert!(sentry.requests().len() <= 10, "nothing is tried again");
}

#[rstest]
#[case::a_sync(&[])]
#[case::a_test(&["--test"])]
fn an_organization_that_wants_single_sign_on_says_so_and_does_not_blame_the_token(
    #[case] args: &[&str],
) {
    let sentry = Sentry::small();
    let run = args
        .iter()
        .fold(
            Tap::against(&sentry).with("api_token", SSO_TOKEN),
            |tap, arg| tap.arg(arg),
        )
        .run();
    run.is_incomplete()
        .ends_telling("Must login via SSO")
        .ends_telling("sso-required")
        .does_not_tell("Sentry refused the token");
    let requests = sentry.requests();
    let asked: BTreeSet<&str> = requests.iter().map(|one| one.path.as_str()).collect();
    // What proves the token may be asked once more for each.
    assert!(requests.len() <= 2 * asked.len(), "nothing is tried again");
}

#[test]
fn one_organization_that_refuses_keeps_nothing_from_the_others() {
    let sentry = Sentry::small();
    sentry.adds_an_organization("other");
    sentry.faults().add(Fault::always(
        Match::path("/organizations/other/"),
        FaultKind::SsoRequired,
    ));
    let run = Tap::against(&sentry).without("organization").run();
    run.is_incomplete()
        .tells("of other")
        .tells("Must login via SSO")
        .does_not_tell("Sentry refused the token")
        .no_state_is_ahead(&sentry, &[]);
    for stream in ["projects", "teams", "issues", "events"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
    let run = Tap::against(&sentry)
        .without("organization")
        .arg("--test")
        .run();
    run.is_incomplete().tells("Must login via SSO");
    assert!(
        !run.records("issues").is_empty(),
        "the other organization is tested"
    );
}

#[rstest]
fn the_order_of_organizations_does_not_decide_what_is_read(
    #[values("other,acme", "acme,other")] organizations: &str,
) {
    let sentry = Sentry::small();
    sentry.adds_an_organization("other");
    let refused = FaultKind::Status(401);
    sentry
        .faults()
        .add(Fault::always(Match::path("/organizations/other/"), refused));
    let tap = Tap::against(&sentry)
        .with("organization", organizations)
        .with("concurrency", 1);
    let run = tap.clone().run();
    run.is_incomplete()
        .tells("of other")
        .does_not_tell("Sentry refused the token");
    for stream in ["projects", "teams", "issues", "events"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
    let run = tap.arg("--test").run();
    run.is_incomplete()
        .tells("organization other FAILS")
        .tells("organization acme answers");
}

#[test]
fn a_single_list_that_refuses_before_anything_has_answered_is_a_gap() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::Status(401),
    ));
    let run = Tap::against(&sentry).select(&["teams"]).run();
    run.is_incomplete()
        .does_not_tell("Sentry refused the token");
}

#[test]
fn an_endpoint_that_refuses_alone_is_a_gap() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/members/"),
        FaultKind::Status(401),
    ));
    let run = Tap::against(&sentry).run();
    run.is_incomplete()
        .tells("missing: members of acme")
        .does_not_tell("Sentry refused the token");
    run.keys("events").equal(sentry.expected("events"));
}

#[test]
fn a_token_revoked_in_the_middle_leaves_a_true_state() {
    let sentry = Sentry::small();
    sentry
        .faults()
        .on_request(Match::path("/events/"), 3, |world| world.tokens.clear());
    let run = Tap::against(&sentry).run();
    run.ends_with(3).no_state_is_ahead(&sentry, &[]);
}

#[test]
fn a_missing_scope_is_named_and_the_streams_that_need_it_are_gaps() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry).with("api_token", NARROW_TOKEN).run();
    run.is_incomplete().tells("event:read").tells("member:read");
    for stream in ["projects", "teams", "users", "releases"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
    for stream in ["issues", "members"] {
        run.keys(stream).equal([0; 0]);
    }
    assert!(run.state()["bookmarks"].get("issues").is_none());
}

#[test]
fn an_organization_token_extracts_releases_and_is_told_what_else_it_lacks() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("api_token", ORGANIZATION_TOKEN)
        .run();
    run.is_incomplete().tells("org:read");
    run.keys("releases").equal(sentry.expected("releases"));
}

#[test]
fn an_integration_sees_everything() {
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("api_token", INTEGRATION_TOKEN)
        .run();
    run.is_complete();
    for stream in ["projects", "issues", "events", "members"] {
        run.keys(stream).equal(sentry.expected(stream));
    }
}

#[test]
fn an_organization_that_does_not_exist_is_named() {
    let sentry = Sentry::small();
    Tap::against(&sentry)
        .with("organization", "acne")
        .run()
        .ends_with(1)
        .ends_telling("`acne`");
}

#[test]
fn a_403_of_one_row_blames_no_scope_by_which_others_are_read() {
    let sentry = Sentry::small();
    let issue = sentry.issue("web issue 0");
    sentry.faults().add(Fault::always(
        Match::path_end(format!("/issues/{issue}/events/")),
        FaultKind::Status(403),
    ));
    let tap = Tap::against(&sentry).select(&["issues", "events"]);
    let first = tap.clone().run();
    first
        .is_incomplete()
        .ends_telling(&format!("issue {issue}"))
        .ends_telling("has the scope event:read")
        .does_not_tell("needs the scope");
    assert_eq!(sentry.faults().fired(), 1, "Sentry's own word is final");
    assert_eq!(
        first.keys("events").set().len() + 3,
        sentry.expected("events").len()
    );
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}
