//! How requests travel: TLS that is verified, private authorities, proxies, redirects; and files that tell secrets.

use crate::dsl::{Run, Sentry, Tap};
use rstest::rstest;
use sentry_sandbox::{Authority, Fault, FaultKind, Match, Options, Proxy, TOKEN, World};

/// Served by https, by a certificate for that name.
fn private(authority: &Authority, name: &str) -> Sentry {
    Sentry::of(|now| Options {
        certificate: Some(authority.issue(name)),
        ..Options::new(World::seeded(now))
    })
}

fn teams(sentry: &Sentry) -> Tap {
    Tap::against(sentry).select(&["teams"])
}

/// Trusts what the file `ca.pem` holds.
fn trusting(tap: Tap, pem: &str) -> Tap {
    tap.with("ca_certificate", "ca.pem").file("ca.pem", pem)
}

#[track_caller]
fn is_whole(run: &Run, sentry: &Sentry) {
    run.is_complete()
        .keys("teams")
        .equal(sentry.expected("teams"));
}

/// Not trying again is part of it: with all retries the test would hang.
#[track_caller]
fn is_refused_once(run: &Run, sentry: &Sentry) {
    run.is_incomplete()
        .tells(&sentry.url()[8..])
        .tells("certificate")
        .does_not_tell("trying again");
    assert!(
        sentry.requests().is_empty(),
        "the token went to a server that was not verified"
    );
}

#[test]
fn a_server_of_a_private_authority_is_trusted_when_the_authority_is_named() {
    let authority = Authority::new();
    let sentry = private(&authority, "127.0.0.1");
    is_whole(&trusting(teams(&sentry), &authority.pem()).run(), &sentry);
    // Among others, as in a bundle.
    let bundle = format!("{}\n{}", Authority::new().pem(), authority.pem());
    is_whole(&trusting(teams(&sentry), &bundle).run(), &sentry);
}

#[test]
fn a_server_that_is_not_trusted_is_refused_and_the_setting_is_named() {
    let sentry = private(&Authority::new(), "127.0.0.1");
    for run in [
        teams(&sentry).run(),
        trusting(teams(&sentry), &Authority::new().pem()).run(),
    ] {
        is_refused_once(&run, &sentry);
        run.tells("`ca_certificate`");
    }
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let sentry = private(&authority, "sentry.example");
    let run = trusting(teams(&sentry), &authority.pem()).run();
    is_refused_once(&run, &sentry);
    run.tells("sentry.example")
        .does_not_tell("`ca_certificate`");
}

#[rstest]
#[case::missing(None, "ca.pem")]
#[case::empty(Some(""), "`ca_certificate`")]
#[case::no_certificate(Some("ca.pem: no such authority"), "`ca_certificate`")]
#[case::broken(
    Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    "`ca_certificate`"
)]
fn an_authority_that_cannot_be_read_is_a_wrong_setting(
    #[case] content: Option<&str>,
    #[case] told: &str,
) {
    let sentry = Sentry::small();
    let tap = teams(&sentry).with("ca_certificate", "ca.pem");
    let run = content
        .into_iter()
        .fold(tap, |tap, content| tap.file("ca.pem", content))
        .run();
    run.ends_with(1).prints_nothing().ends_telling(told);
    assert!(sentry.requests().is_empty());
}

#[test]
fn a_proxy_passes_on_every_request() {
    let sentry = Sentry::small();
    let proxy = Proxy::start().unwrap();
    let run = Tap::against(&sentry)
        .with("proxy_url", format!("http://{}", proxy.address()))
        .run();
    run.is_complete()
        .keys("events")
        .equal(sentry.expected("events"));
    assert_eq!(proxy.heads().len(), sentry.requests().len());
}

#[test]
fn through_a_proxy_the_token_is_seen_by_the_server_alone() {
    let authority = Authority::new();
    let sentry = private(&authority, "127.0.0.1");
    let proxy = Proxy::start().unwrap();
    let address = format!("http://me:pass-word@{}", proxy.address());
    let run = trusting(
        teams(&sentry).with("proxy_url", address).arg("-vv"),
        &authority.pem(),
    )
    .run();
    is_whole(&run, &sentry);
    assert!(
        sentry
            .requests()
            .iter()
            .all(|request| request.authorization.as_deref() == Some(&format!("Bearer {TOKEN}")))
    );
    let heads = proxy.heads();
    assert!(!heads.is_empty());
    for head in heads {
        assert!(
            head.starts_with(&format!("CONNECT {} ", &sentry.url()[8..])),
            "{head}"
        );
        assert!(
            !head.contains(TOKEN) && !head.to_lowercase().contains("bearer"),
            "{head}"
        );
        assert!(
            head.to_lowercase().contains("proxy-authorization: basic"),
            "{head}"
        );
    }
    run.does_not_tell("pass-word");
}

/// A port that was free a moment ago.
pub fn nobody() -> String {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

#[rstest]
fn a_proxy_that_is_not_there_is_named_without_its_password(
    #[values("http", "https", "socks5", "socks5h")] scheme: &str,
    #[values(true, false)] encrypted: bool,
) {
    let authority = Authority::new();
    let sentry = if encrypted {
        private(&authority, "127.0.0.1")
    } else {
        Sentry::small()
    };
    let address = nobody();
    let run = teams(&sentry)
        .with("proxy_url", format!("{scheme}://me:pass-word@{address}"))
        .retries(0)
        .run();
    run.is_incomplete()
        .ends_telling(&format!(
            "cannot connect to the proxy {address} of `proxy_url`: "
        ))
        .does_not_tell("pass-word");
    assert!(
        sentry.requests().is_empty(),
        "nothing goes around the proxy"
    );
}

#[rstest]
#[case("HTTP_PROXY", false)]
#[case("http_proxy", false)]
#[case("HTTPS_PROXY", true)]
#[case("all_proxy", true)]
#[case("ALL_PROXY", false)]
fn a_proxy_of_the_environment_is_named_with_its_variable(
    #[case] name: &str,
    #[case] encrypted: bool,
) {
    let authority = Authority::new();
    let sentry = if encrypted {
        private(&authority, "127.0.0.1")
    } else {
        Sentry::small()
    };
    let address = nobody();
    let tap = teams(&sentry)
        .env(name, &format!("http://me:pass-word@{address}"))
        .retries(0);
    let run = tap.clone().run();
    run.is_incomplete()
        .ends_telling(&format!("the proxy {address} of `{name}`"))
        .does_not_tell("pass-word");
    assert!(sentry.requests().is_empty());
    let around = trusting(tap.env("NO_PROXY", "127.0.0.1"), &authority.pem()).run();
    is_whole(&around, &sentry);
}

#[rstest]
fn a_proxy_that_wants_a_password_is_told(
    #[values(true, false)] encrypted: bool,
    #[values("", "me:pass-word@")] login: &str,
) {
    let authority = Authority::new();
    let sentry = if encrypted {
        private(&authority, "127.0.0.1")
    } else {
        Sentry::small()
    };
    let proxy = Proxy::closed().unwrap();
    let run = teams(&sentry)
        .with("proxy_url", format!("http://{login}{}", proxy.address()))
        .retries(1)
        .run();
    run.is_incomplete()
        .does_not_tell("pass-word")
        .does_not_tell("gateway in front of Sentry");
    run.ends_telling(&format!(
        "the proxy {} of `proxy_url` requires a valid user name and password (HTTP 407)",
        proxy.address()
    ));
    assert_eq!(proxy.heads().len() % 2, 0, "each is tried again");
    assert!(sentry.requests().is_empty());
}

#[test]
fn what_comes_through_a_proxy_and_is_not_sentrys_names_it() {
    let sentry = Sentry::small();
    let proxy = Proxy::start().unwrap();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::gateway(403, "<title>Blocked</title>"),
    ));
    let run = teams(&sentry)
        .with("proxy_url", format!("http://{}", proxy.address()))
        .retries(0)
        .run();
    run.is_incomplete().ends_telling(&format!(
        "received through the proxy {} of `proxy_url`",
        proxy.address()
    ));
}

#[test]
fn a_line_about_another_try_names_the_request_once() {
    let sentry = Sentry::small();
    let tap = teams(&sentry).retries(1);
    let address = sentry.url();
    drop(sentry);
    let run = tap.run();
    let again: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.contains("trying again"))
        .collect();
    assert!(!again.is_empty());
    for line in again {
        assert_eq!(line.matches("/api/0/").count(), 1, "{line}");
        assert!(
            line.contains(&format!("cannot connect to {address}: ")),
            "{line}"
        );
    }
}

/// Follows `first`, which the server answers for `/teams/`, and nowhere is the token seen but at the server.
fn redirected(sentry: &Sentry, other: &Sentry, tap: Tap, first: &str) -> Run {
    sentry.faults().add(Fault::once(
        Match::path_end("/teams/"),
        FaultKind::Redirect(first.to_owned()),
    ));
    let run = tap.retries(0).run();
    run.is_incomplete().tells("`base_url`").tells(&other.url());
    assert!(other.requests().is_empty(), "{:?}", other.requests());
    run
}

#[test]
fn a_redirect_from_https_to_http_is_not_followed() {
    let authority = Authority::new();
    let (sentry, other) = (private(&authority, "127.0.0.1"), Sentry::small());
    let there = format!("{}/api/0/organizations/acme/teams/", other.url());
    redirected(
        &sentry,
        &other,
        trusting(teams(&sentry), &authority.pem()),
        &there,
    );
}

#[test]
fn a_redirect_to_another_port_is_not_followed_even_from_http_to_https() {
    let authority = Authority::new();
    let (sentry, other) = (Sentry::small(), private(&authority, "127.0.0.1"));
    let there = format!("{}/api/0/organizations/acme/teams/", other.url());
    redirected(
        &sentry,
        &other,
        trusting(teams(&sentry), &authority.pem()),
        &there,
    );
}

#[test]
fn a_redirect_that_leaves_the_server_at_its_second_step_is_not_followed() {
    let (sentry, other) = (Sentry::small(), Sentry::small());
    let there = format!("{}/api/0/organizations/acme/teams/", other.url());
    sentry.faults().add(Fault::once(
        Match::path_end("/step/"),
        FaultKind::Redirect(there),
    ));
    redirected(&sentry, &other, teams(&sentry), "/api/0/step/");
}

#[rstest]
#[case::to_itself(&["/api/0/organizations/acme/teams/?per_page=100"])]
#[case::in_a_circle(&["/api/0/a/", "/api/0/b/", "/api/0/a/"])]
fn a_redirect_in_a_circle_is_told_as_one(#[case] steps: &[&str]) {
    let sentry = Sentry::small();
    let from = ["/teams/", "/a/", "/b/"];
    for (from, to) in from.iter().zip(steps) {
        sentry.faults().add(Fault::always(
            Match::path_end(*from),
            FaultKind::Redirect((*to).to_owned()),
        ));
    }
    let run = teams(&sentry).run();
    run.is_incomplete()
        .ends_telling("redirected in a loop")
        .does_not_tell("not the configured origin")
        .does_not_tell("trying again");
    assert_eq!(sentry.faults().fired(), steps.len());
}

#[test]
fn a_redirect_without_an_end_is_told_as_one() {
    let sentry = Sentry::small();
    let mut from = "/teams/".to_owned();
    for step in 0..9 {
        let to = format!("/step-{step}/");
        sentry.faults().add(Fault::always(
            Match::path_end(from),
            FaultKind::Redirect(format!("/api/0{to}")),
        ));
        from = to;
    }
    let run = teams(&sentry).run();
    run.is_incomplete()
        .ends_telling("redirected more than 5 times")
        .does_not_tell("trying again");
    assert_eq!(sentry.faults().fired(), 6);
}

#[rstest]
#[case::far("http://sentry.example.com", true)]
#[case::an_address("http://10.1.2.3:9000", true)]
#[case::a_name_that_begins_alike("http://localhost.example.com", true)]
#[case::encrypted("https://sentry.example.com", false)]
#[case::near("http://127.0.0.1:9000", false)]
#[case::near_by_name("http://localhost:9000", false)]
#[case::near_by_six("http://[::1]:9000", false)]
fn http_to_anywhere_but_this_machine_is_warned_about(#[case] base_url: &str, #[case] warned: bool) {
    // Schemas are printed without a request.
    let sentry = Sentry::small();
    let run = teams(&sentry)
        .with("base_url", base_url)
        .arg("--test=schema")
        .run();
    run.ends_with(0);
    assert_eq!(run.stderr.contains("unencrypted"), warned, "{}", run.stderr);
}

#[rstest]
#[case::its_owners(0o600, false)]
#[case::read_only(0o400, false)]
#[case::the_groups(0o640, true)]
#[case::everybodys(0o604, true)]
fn a_file_with_the_token_that_others_can_read_is_warned_about(
    #[case] mode: u32,
    #[case] warned: bool,
) {
    let sentry = Sentry::small();
    let run = teams(&sentry).mode("config.json", mode).run();
    run.is_complete();
    assert_eq!(run.stderr.contains("chmod 600"), warned, "{}", run.stderr);
}

#[test]
fn a_file_without_the_token_may_be_read_by_all() {
    let sentry = Sentry::small();
    let tap = teams(&sentry)
        .without("api_token")
        .arg("--config")
        .arg("ENV")
        .env("TAP_SENTRY_API_TOKEN", TOKEN);
    tap.mode("config.json", 0o644)
        .run()
        .is_complete()
        .does_not_tell("chmod");
}
