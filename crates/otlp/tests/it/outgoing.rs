//! How requests reach the intake: TLS that is verified, private authorities, proxies.

use crate::dsl::bridge::Bridge;
use crate::dsl::sentry::{dsn, private, sentry, sentry_as};
use crate::dsl::spans::{span, spans};
use rstest::rstest;
use sentry_sandbox::{Authority, Fault, FaultKind, Match, Proxy, Relay, Sandbox};
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::NamedTempFile;

/// Sends a span, and it arrives.
#[track_caller]
fn goes_through(bridge: Bridge, sentry: &Sandbox) -> String {
    bridge.take(&spans(vec![span(1, 1, 0)]));
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(sentry.outcomes().of("span").count(), 1);
    log
}

/// What is sent waits, nobody has seen it, and the log says why.
#[track_caller]
fn waits(mut bridge: Bridge, sentry: &Sandbox, why: &str) {
    let line = bridge.line_with("what is received waits");
    assert!(line.contains(why), "{line}");
    bridge.take(&spans(vec![span(1, 1, 0)]));
    assert_eq!(bridge.metric("sentry_otlp_rejected_total"), 0);
    bridge.signal(rustix::process::Signal::TERM);
    bridge.line_with("still on their way");
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(4), "{log}");
    assert!(!log.contains("pass-word"), "{log}");
    assert!(sentry.requests().is_empty(), "{:?}", sentry.requests());
}

fn pem(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("room");
    file
}

/// Trusts an authority.
fn trusting(sentry: &Sandbox, pem: &NamedTempFile) -> Value {
    json!({"dsn": dsn(sentry), "ca_certificate": pem.path()})
}

fn with(mut settings: Value, key: &str, value: &str) -> Value {
    settings[key] = value.into();
    settings
}

#[test]
fn a_server_of_a_private_authority_is_trusted_when_the_authority_is_named() {
    let authority = Authority::new();
    let sentry = private(&authority, "127.0.0.1");
    // Among others, as in a bundle.
    let pem = pem(&format!("{}\n{}", Authority::new().pem(), authority.pem()));
    goes_through(Bridge::start(&trusting(&sentry, &pem)), &sentry);
}

#[rstest]
#[case::of_nobody(&Authority::new(), "127.0.0.1", "invalid peer certificate")]
#[case::of_another_name(&Authority::new(), "sentry.example", "sentry.example")]
fn a_server_that_is_not_trusted_is_told_nothing(
    #[case] authority: &Authority,
    #[case] name: &str,
    #[case] why: &str,
) {
    let sentry = private(authority, name);
    let trusted = if name == "127.0.0.1" {
        Authority::new().pem()
    } else {
        authority.pem()
    };
    waits(
        Bridge::start(&trusting(&sentry, &pem(&trusted))),
        &sentry,
        why,
    );
}

#[test]
fn any_certificate_is_taken_where_the_settings_say_so() {
    let sentry = private(&Authority::new(), "sentry.example");
    let settings = json!({"dsn": dsn(&sentry), "insecure_skip_verify": true});
    let log = goes_through(Bridge::start(&settings), &sentry);
    assert!(log.contains("can read and change what is sent"), "{log}");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let (sentry, other) = (sentry(), sentry());
    let settings = json!({"dsn": dsn(&sentry)});
    let why = format!("cannot connect to {}: ", sentry.url());
    drop(sentry);
    waits(Bridge::start(&settings), &other, &why);
}

#[rstest]
#[case::otlp(Relay::V26_7)]
#[case::envelopes(Relay::V21)]
fn a_proxy_is_asked_for_whole_urls(#[case] relay: Relay) {
    let sentry = sentry_as(relay);
    let proxy = Proxy::start().expect("a port");
    let address = format!("http://me:pass-word@{}", proxy.address());
    let settings = with(json!({"dsn": dsn(&sentry)}), "proxy_url", &address);
    let bridge = Bridge::start(&settings);
    bridge.take(&spans(vec![span(1, 1, 0)]));
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("pass-word"), "{log}");
    assert_eq!(sentry.outcomes().accepted.len(), 1);
    let heads = proxy.heads();
    assert_eq!(heads.len(), sentry.requests().len());
    for head in heads {
        let head = head.to_lowercase();
        let first = format!("post {}/api/", sentry.url());
        assert!(head.starts_with(&first), "{head}");
        assert!(
            head.contains("proxy-authorization: basic bwu6cgfzcy13b3jk"),
            "{head}"
        );
    }
}

#[rstest]
#[case("socks5")]
#[case("http")]
fn through_a_proxy_only_the_server_sees_what_is_sent(#[case] scheme: &str) {
    let authority = Authority::new();
    let sentry = private(&authority, "127.0.0.1");
    let proxy = match scheme {
        "http" => Proxy::start(),
        _ => Proxy::socks(),
    };
    let proxy = proxy.expect("a port");
    let address = format!("{scheme}://me:pass-word@{}", proxy.address());
    let pem = pem(&authority.pem());
    let settings = with(trusting(&sentry, &pem), "proxy_url", &address);
    let log = goes_through(Bridge::start(&settings), &sentry);
    assert!(!log.contains("pass-word"), "{log}");
    let agent = concat!("sentry-otlp/", env!("CARGO_PKG_VERSION"));
    let server = &sentry.url()["https://".len()..];
    let heads = proxy.heads();
    assert!(!heads.is_empty());
    for head in heads {
        let head = head.to_lowercase();
        let expected = match scheme {
            "http" => format!(
                "connect {server} http/1.1\r\nhost: {server}\r\nuser-agent: {agent}\r\nproxy-authorization: basic bwu6cgfzcy13b3jk\r\n\r\n"
            ),
            _ => format!("5 me:pass-word {server}"),
        };
        assert_eq!(head, expected);
    }
}

#[rstest]
#[case("socks4", "4 127.0.0.1")]
#[case("socks4a", "4 localhost")]
#[case("socks5h", "5 localhost")]
fn names_are_looked_up_by_the_side_that_the_scheme_says(#[case] scheme: &str, #[case] told: &str) {
    let sentry = sentry();
    let proxy = Proxy::socks().expect("a port");
    let settings = json!({"dsn": dsn(&sentry).replace("127.0.0.1", "localhost")});
    let address = format!("{scheme}://{}", proxy.address());
    goes_through(
        Bridge::with_environment(&settings, &[("ALL_PROXY", &address)]),
        &sentry,
    );
    let (_, port) = sentry
        .url()
        .rsplit_once(':')
        .map(|(url, port)| (url.to_owned(), port.to_owned()))
        .expect("a port");
    let heads = proxy.heads();
    assert!(!heads.is_empty());
    assert!(
        heads.iter().all(|head| *head == format!("{told}:{port}")),
        "{heads:?}"
    );
}

#[rstest]
#[case("http_proxy", false)]
#[case("HTTPS_PROXY", true)]
fn the_environment_names_a_proxy_and_who_is_reached_past_it(
    #[case] name: &str,
    #[case] encrypted: bool,
) {
    let authority = Authority::new();
    let sentry = if encrypted {
        private(&authority, "127.0.0.1")
    } else {
        sentry()
    };
    let proxy = Proxy::start().expect("a port");
    let address = proxy.address().to_string();
    let pem = pem(&authority.pem());
    let settings = trusting(&sentry, &pem);
    let past = [(name, address.as_str()), ("NO_PROXY", "127.0.0.1")];
    goes_through(Bridge::with_environment(&settings, &past), &sentry);
    assert!(proxy.heads().is_empty());
    sentry.clear_outcomes();
    goes_through(Bridge::with_environment(&settings, &past[..1]), &sentry);
    assert!(!proxy.heads().is_empty());
}

#[rstest]
fn what_a_proxy_does_not_let_through_waits(#[values(true, false)] encrypted: bool) {
    let sentry = if encrypted {
        private(&Authority::new(), "127.0.0.1")
    } else {
        sentry()
    };
    let proxy = Proxy::closed().expect("a port");
    let address = format!("http://me:pass-word@{}", proxy.address());
    let settings = with(json!({"dsn": dsn(&sentry)}), "proxy_url", &address);
    let why = format!(
        "the proxy {} of `proxy_url` requires a valid user name and password (HTTP 407)",
        proxy.address()
    );
    waits(Bridge::start(&settings), &sentry, &why);
}

#[test]
fn a_proxy_that_is_not_there_is_named_and_nothing_goes_around_it() {
    let sentry = sentry();
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let nobody = nobody.expect("a port");
    for scheme in ["http", "https", "socks5", "socks5h"] {
        let address = format!("{scheme}://me:pass-word@{nobody}");
        let settings = with(json!({"dsn": dsn(&sentry)}), "proxy_url", &address);
        let why = format!("cannot connect to the proxy {nobody} of `proxy_url`: ");
        waits(Bridge::start(&settings), &sentry, &why);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let (sentry, other) = (sentry_as(Relay::V21), sentry());
    let there = format!("{}/api/1/envelope/", other.url());
    sentry.faults().add(Fault::once(
        Match::path("/envelope/"),
        FaultKind::Redirect(there),
    ));
    let bridge = Bridge::start(&json!({"dsn": dsn(&sentry)}));
    bridge.take(&spans(vec![span(1, 1, 0)]));
    let (code, log) = bridge.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("redirects to elsewhere"), "{log}");
    assert!(other.requests().is_empty());
    assert_eq!(sentry.outcomes().of("transaction").count(), 1);
}

/// A server that takes everything, and whose answers come bit by bit; how many connections it has had.
fn answering_slowly() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let connections = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&connections);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            // Whoever is there leaves when it likes.
            std::thread::spawn(move || drop(answer_bit_by_bit(&client)));
        }
    });
    (address, connections)
}

fn answer_bit_by_bit(mut client: &TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut reader = BufReader::new(client);
    loop {
        let (mut length, mut line) = (0, String::new());
        while reader.read_line(&mut line)? > 2 {
            let value = line.to_lowercase();
            if let Some(value) = value.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
        client.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for _ in 0..200 {
            client.write_all(b"2\r\n{}\r\n")?;
        }
        client.write_all(b"0\r\n\r\n")?;
    }
}

#[test]
fn a_connection_whose_answers_come_bit_by_bit_is_used_again() {
    const REQUESTS: u8 = 40;
    let (address, connections) = answering_slowly();
    let settings = json!({
        "dsn": format!("http://0a@{address}/42"),
        "mode": "transactions",
        "sending_queue": {"num_consumers": 1},
    });
    let bridge = Bridge::start(&settings);
    let roots = (1..=REQUESTS).map(|trace| span(trace, 1, 0));
    bridge.take(&spans(roots.collect()));
    bridge.until(
        "sentry_otlp_sent_total{kind=\"transaction\"}",
        REQUESTS.into(),
    );
    bridge.delivered();
    // The next request may come before a connection is free again.
    let connections = connections.load(Ordering::SeqCst);
    assert!(connections <= usize::from(REQUESTS) / 2, "{connections}");
}
