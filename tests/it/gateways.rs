//! Gateways that answer in the place of Sentry.

use crate::dsl::{Sentry, Tap};
use crate::vanished::paths_of_one;
use rstest::rstest;
use sentry_sandbox::faults::NO_BACKEND;
use sentry_sandbox::{Fault, FaultKind, Match};

/// As a firewall for web applications refuses what it takes for an attack.
pub const BLOCKED: &str = "<!DOCTYPE html><html><head><title>Access Denied</title></head><body>Reference #18.2d3</body></html>";

#[rstest]
fn a_404_that_is_not_sentrys_own_is_a_gap(
    #[values("events", "issue_detail", "event_detail", "release", "project_detail")]
    stream: &'static str,
    #[values(
        NO_BACKEND,
        "default backend - 404",
        r#"{"message":"no Route matched with those values"}"#,
        ""
    )]
    body: &'static str,
) {
    let sentry = Sentry::small();
    for path in paths_of_one(&sentry, stream) {
        sentry
            .faults()
            .add(Fault::always(path, FaultKind::NoBackend(body)));
    }
    let tap = Tap::against(&sentry)
        .select(&[stream])
        .with("emit_activate_version_messages", true);
    let first = tap.clone().retries(0).run();
    first
        .is_incomplete()
        .tells("HTTP 404")
        .does_not_tell("no longer exists")
        .no_state_is_ahead(&sentry, &[]);
    assert_eq!(
        first.of_type("ACTIVATE_VERSION").count(),
        0,
        "the stream is not whole"
    );
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[test]
fn a_404_that_is_not_sentrys_own_does_not_say_that_projects_are_known_by_slug() {
    let sentry = Sentry::small();
    let project = sentry.project("web");
    sentry.faults().add(Fault::once(
        Match::path_end(format!("/projects/acme/{project}/")),
        FaultKind::NoBackend(NO_BACKEND),
    ));
    Tap::against(&sentry)
        .select(&["project_detail"])
        .run()
        .is_complete()
        .keys("project_detail")
        .equal(sentry.expected("project_detail"));
    assert_eq!(
        (sentry.faults().fired(), sentry.asked("/projects/acme/web/")),
        (1, 0)
    );
}

#[rstest]
fn a_refusal_in_a_gateways_words_is_tried_again_and_blames_neither_scopes_nor_the_token(
    #[values(400, 401, 403, 405, 407, 413, 414)] status: u16,
    #[values(BLOCKED, "RBAC: access denied", "", r#"{"message":"Forbidden"}"#)] body: &'static str,
) {
    let sentry = Sentry::small();
    let issue = sentry.issue("web issue 0");
    let header = match status {
        401 => ("www-authenticate", "Basic realm=\"intranet\"".to_owned()),
        407 => ("proxy-authenticate", "Basic realm=\"intranet\"".to_owned()),
        _ => ("server", "nginx".to_owned()),
    };
    let wants = header.0.ends_with("authenticate");
    let events = Match::path_end(format!("/issues/{issue}/events/"));
    sentry.faults().add(Fault::always(
        events,
        FaultKind::Gateway {
            status,
            body,
            header,
        },
    ));
    let tap = Tap::against(&sentry).select(&["issues", "events"]);
    let first = tap.clone().retries(1).run();
    first
        .is_incomplete()
        .no_state_is_ahead(&sentry, &[])
        .tells("trying again")
        .ends_telling(&format!("HTTP {status} from a gateway in front of Sentry"));
    first.does_not_tell("scope").does_not_tell("`api_token`");
    assert_eq!(sentry.faults().fired(), 2, "it is tried again");
    if body == BLOCKED {
        first
            .ends_telling("Access Denied")
            .does_not_tell("Reference");
    }
    assert_eq!(
        first.stderr.contains("requires Basic authentication"),
        wants,
        "{}",
        first.stderr
    );
    first.keys("issues").equal(sentry.expected("issues"));
    sentry.faults().clear();
    tap.completes(&sentry, &[&first]);
}

#[test]
fn a_page_for_people_is_told_by_its_title() {
    let sentry = Sentry::small();
    sentry
        .faults()
        .add(Fault::always(Match::path_end("/teams/"), FaultKind::Html));
    let run = Tap::against(&sentry)
        .select(&["teams", "members"])
        .retries(0)
        .run();
    run.is_incomplete()
        .ends_telling("an HTML page with the title \u{201c}Sign in\u{201d}")
        .ends_telling("`base_url`");
    run.keys("members").equal(sentry.expected("members"));
}

#[rstest]
#[case::a_page(FaultKind::Html)]
#[case::a_gateway(FaultKind::gateway(403, BLOCKED))]
fn once_sentry_has_answered_what_is_not_sentrys_is_tried_as_often_as_anything(
    #[case] kind: FaultKind,
) {
    let sentry = Sentry::small();
    // The list of projects comes first.
    sentry.faults().add(Fault {
        times: 2,
        ..Fault::once(Match::path_end("/issues/"), kind)
    });
    let run = Tap::against(&sentry)
        .select(&["issues"])
        .with("window_days", 90)
        .with("concurrency", 1)
        .retries(2)
        .run();
    run.is_complete()
        .does_not_tell("is `base_url`")
        .keys("issues")
        .equal(sentry.expected("issues"));
}
