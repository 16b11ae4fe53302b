//! Addresses at which no Sentry answers: told soon, unless one has answered there before.

use crate::dsl::{Sentry, Tap};
use rstest::rstest;
use sentry_sandbox::{Fault, FaultKind, Match};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener};

#[test]
fn a_server_that_is_not_there_is_a_gap_with_its_cause() {
    let sentry = Sentry::small();
    let tap = Tap::against(&sentry).retries(0);
    drop(sentry);
    tap.run().is_incomplete().tells("onnect");
}

/// A server that says the same to everybody, to a request or unasked, and hangs up.
fn saying(words: &'static str, asked: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            while asked
                && lines
                    .read_line(&mut String::new())
                    .is_ok_and(|length| length > 2)
            {}
            // The tap may have gone.
            let _ = stream.write_all(words.as_bytes());
            let _ = stream.shutdown(Shutdown::Write);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    address
}

const WEB_SITE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><title>Welcome to nginx!</title></html>";
const NOT_FOUND: &str =
    "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n<html><title>404 Not Found</title></html>";

#[rstest]
fn an_address_that_is_not_sentrys_is_told_soon(
    #[values(
        "a web site",
        "no such page",
        "a closed port",
        "an unknown name",
        "no TLS",
        "no HTTP",
        "other JSON"
    )]
    address: &str,
    #[values("a sync", "a test", "without an organization")] mode: &str,
) {
    let (address, told) = match address {
        "a web site" => (
            format!("http://{}", saying(WEB_SITE, true)),
            "\u{201c}Welcome to nginx!\u{201d}",
        ),
        "no such page" => (
            format!("http://{}", saying(NOT_FOUND, true)),
            "HTTP 404 from a gateway",
        ),
        "a closed port" => (
            format!("http://{}", crate::transport::nobody()),
            "cannot connect",
        ),
        // No name is that long, so that nobody is asked.
        "an unknown name" => (
            format!("http://{}.example", "a".repeat(64)),
            "cannot connect",
        ),
        "no TLS" => (
            format!("https://{}", saying(WEB_SITE, false)),
            "cannot connect",
        ),
        "no HTTP" => (
            format!("http://{}", saying("SSH-2.0-OpenSSH_9.6\r\n", false)),
            "cannot connect",
        ),
        _ => (
            format!(
                "http://{}",
                saying(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"status\":\"ok\"}",
                    true
                )
            ),
            "not the expected JSON",
        ),
    };
    let tap = Tap::bare()
        .with("api_token", sentry_sandbox::TOKEN)
        .with("start_date", "2026-01-01")
        .with("base_url", address.clone());
    let run = match mode {
        "a sync" => tap.with("organization", "acme").run(),
        "a test" => tap.with("organization", "acme").arg("--test").run(),
        _ => tap.run(),
    };
    run.is_incomplete()
        .ends_telling(told)
        .ends_telling(&format!(
            "no answer from {address} has looked like Sentry's so far"
        ));
    let tries = run
        .stderr
        .lines()
        .filter(|line| line.contains("trying again"))
        .count();
    if mode == "a sync" {
        assert!(
            (1..=lists_at_the_start()).contains(&tries),
            "one more try of each list:\n{}",
            run.stderr
        );
    } else {
        assert_eq!(tries, 1, "{}", run.stderr);
        run.does_not_tell("FAILS");
        assert_eq!(
            run.stderr
                .lines()
                .filter(|line| line.contains("| ERROR "))
                .count(),
            1,
            "{}",
            run.stderr
        );
    }
}

#[test]
fn a_server_that_accepts_and_says_nothing_to_a_handshake_is_told_soon() {
    // Never accepted from; the system answers for it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let sentry = Sentry::small();
    let run = Tap::against(&sentry)
        .with("base_url", address)
        .with("request_timeout_seconds", 1)
        .arg("--test")
        .run();
    run.is_incomplete()
        .ends_telling("cannot connect")
        .ends_telling("timed out")
        .ends_telling("check `base_url`");
}

#[rstest]
#[case::with_bookmarks(json!({"bookmarks": {"issues": {"start": "2026-01-01T00:00:00Z"}}}), 3)]
#[case::without(json!({"bookmarks": {}}), 2)]
#[case::with_those_of_another_tap(json!({"bookmarks": {"charges": {"start": "2026-01-01T00:00:00Z"}}}), 2)]
fn a_server_that_a_state_is_of_is_given_all_its_tries(
    #[case] state: serde_json::Value,
    #[case] tries: usize,
) {
    let sentry = Sentry::small();
    sentry
        .faults()
        .add(Fault::always(Match::any(), FaultKind::Html));
    let run = Tap::against(&sentry)
        .select(&["teams"])
        .state(&state)
        .retries(2)
        .run();
    run.is_incomplete();
    assert_eq!(sentry.asked("/teams/"), tries);
    assert_eq!(run.stderr.contains("looked like Sentry's"), tries == 2);
}

#[test]
fn a_server_that_is_not_well_at_first_is_given_all_its_tries() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault {
        times: 2,
        ..Fault::once(Match::path_end("/teams/"), FaultKind::Status(502))
    });
    Tap::against(&sentry)
        .select(&["teams"])
        .retries(2)
        .run()
        .is_complete()
        .keys("teams")
        .equal(sentry.expected("teams"));
}

/// How many lists a run begins with.
fn lists_at_the_start() -> usize {
    let all = tap_sentry::streams::STREAMS.iter();
    let lists = all.filter(|def| def.parent.is_none() && def.selected_by_default);
    // The projects are listed before all others, and the time may be asked for.
    let at_once = |def: &tap_sentry::streams::StreamDef| match def.windows() {
        // Intervals are lists of their own.
        Some(windows) if windows.sums.is_some() => 4,
        _ => 1,
    };
    lists.map(at_once).sum::<usize>() + 1
}
