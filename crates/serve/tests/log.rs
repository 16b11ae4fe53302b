//! Lines of a whole process, which a test starts for itself.

use secrecy::SecretString;
use serde_json::Value;
use std::process::Command;
use tap_sentry_serve::log::{Format, hide, init};

/// What the other process does.
#[test]
#[ignore = "run by the other test, in a process of its own"]
fn child() {
    init(None, Format::Json);
    hide(&SecretString::from("sntrys_secret"));
    log::info!(address = "127.0.0.1:1"; "listening");
    log::debug!("not shown");
    let panicked = std::thread::spawn(|| {
        let text = std::hint::black_box("asked with\nsntrys_secret");
        assert!(text.is_empty(), "{text}");
    });
    panicked.join().expect_err("a panic");
    init(None, Format::Text);
    log::warn!(number = 7; "second\nline");
}

#[test]
fn every_record_is_one_line_even_a_panic() {
    let output = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env_remove("RUST_LOG")
        .output()
        .expect("a process");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stderr).expect("a text");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["level"].as_str(),
                line["msg"].as_str().expect("a text"),
            )
        })
        .collect();
    let [first, panicked, last] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(*first, (Some("INFO"), "listening"));
    assert_eq!(lines[0]["address"], "127.0.0.1:1");
    assert_eq!(panicked.0, Some("ERROR"));
    assert!(
        panicked.1.ends_with("asked with\n[secret]"),
        "{}",
        panicked.1
    );
    assert_eq!(*last, (Some("WARN"), "second\nline"));
    assert_eq!(lines[2]["number"], 7);
}
