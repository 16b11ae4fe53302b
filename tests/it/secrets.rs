//! The token: sent to the configured server, shown to nobody.

use crate::dsl::{Run, Sentry, Tap};
use sentry_sandbox::{EXPIRED_TOKEN, Fault, FaultKind, Match, TOKEN, World};

#[track_caller]
fn never_shows(run: &Run, token: &str) {
    for (name, output) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
        assert!(!output.contains(token), "the token is in {name}:\n{output}");
        // Nor most of it, as after a line break or in quotes.
        assert!(
            !output.contains(&token[8..token.len() - 4]),
            "most of the token is in {name}:\n{output}"
        );
    }
}

#[test]
fn the_token_is_never_shown() {
    let sentry = Sentry::small();
    let tap = |token: &str| Tap::against(&sentry).with("api_token", token).arg("-vv");
    let run = tap(TOKEN).run();
    run.is_complete();
    never_shows(&run, TOKEN);

    let run = tap(EXPIRED_TOKEN).run();
    run.ends_with(3);
    never_shows(&run, EXPIRED_TOKEN);

    let run = tap(TOKEN)
        .with("start_date", "never")
        .with("window_days", -1)
        .run();
    run.ends_with(1);
    never_shows(&run, TOKEN);

    // In the place of something else, too.
    for key in [
        "base_url",
        "organization",
        "end_date",
        "project_slugs",
        "concurrency",
        "proxy_url",
    ] {
        let run = tap(TOKEN).with(key, TOKEN).retries(0).run();
        if key != "organization" && key != "project_slugs" {
            never_shows(&run, TOKEN);
        }
    }

    let weird = format!("{TOKEN}\n");
    never_shows(&tap(&weird).select(&["teams"]).run(), TOKEN);
    never_shows(&tap(&format!("{TOKEN}\u{7f}ü")).run(), TOKEN);
    never_shows(&tap(TOKEN).arg("--test").run(), TOKEN);
}

#[test]
fn the_token_is_not_shown_by_a_server_that_repeats_it() {
    let sentry = Sentry::small();
    let page: &'static str =
        format!("<html><title>Bad header: Bearer {TOKEN}</title><p>Bearer {TOKEN}</html>").leak();
    let words: &'static str = format!(r#"{{"detail":"Authorization: Bearer {TOKEN}"}}"#).leak();
    for kind in [
        FaultKind::Gateway {
            status: 400,
            body: page,
            header: ("server", "nginx".to_owned()),
        },
        FaultKind::Gateway {
            status: 500,
            body: page,
            header: ("server", "nginx".to_owned()),
        },
        FaultKind::Gateway {
            status: 403,
            body: words,
            header: ("server", "nginx".to_owned()),
        },
        FaultKind::Gateway {
            status: 200,
            body: page,
            header: ("server", "nginx".to_owned()),
        },
        FaultKind::Redirect(format!("https://login.example.com/?next={TOKEN}")),
    ] {
        sentry.faults().clear();
        sentry
            .faults()
            .add(Fault::always(Match::path_end("/teams/"), kind));
        let run = Tap::against(&sentry)
            .select(&["teams"])
            .retries(1)
            .arg("-v")
            .run();
        assert_ne!(run.code, Some(0));
        never_shows(&run, TOKEN);
        run.tells("[token]");
    }
}

#[test]
fn the_token_is_not_shown_when_everything_fails() {
    let sentry = Sentry::small();
    for kind in [
        FaultKind::Reset,
        FaultKind::Html,
        FaultKind::CutBody,
        FaultKind::Status(403),
        FaultKind::Redirect("/api/0/loop/".to_owned()),
    ] {
        sentry.faults().clear();
        sentry.faults().add(Fault::always(Match::any(), kind));
        let run = Tap::against(&sentry)
            .retries(0)
            .arg("-vv")
            .env("RUST_LOG", "trace")
            .run();
        assert_ne!(run.code, Some(0));
        never_shows(&run, TOKEN);
    }
}

#[test]
fn the_token_does_not_follow_a_redirect_to_another_host() {
    let sentry = Sentry::small();
    let other = Sentry::of(|now| sentry_sandbox::Options::new(World::seeded(now)));
    let there = format!("{}/api/0/organizations/acme/teams/", other.url());
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::Redirect(there),
    ));
    let run = Tap::against(&sentry).select(&["teams"]).retries(0).run();
    run.is_incomplete().tells("base_url");
    assert!(
        other
            .requests()
            .iter()
            .all(|request| request.authorization.is_none()),
        "the token came along"
    );
    assert!(
        other.requests().is_empty(),
        "nor is anything else asked of it"
    );
    assert!(
        sentry
            .requests()
            .iter()
            .all(|request| request.authorization.as_deref() == Some(&format!("Bearer {TOKEN}")))
    );
}
