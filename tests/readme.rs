//! README's examples, run as they are written: only the address, the organization and the token are replaced.

use sentry_sandbox::{ORGANIZATION, Options, Sandbox, TOKEN, World};
use std::process::Command;

#[test]
fn the_examples_of_readme_run() {
    let now = chrono::Utc::now();
    let sandbox = Sandbox::start(Options::new(World::seeded(now))).expect("a sandbox");
    let readme = include_str!("../README.md");
    let blocks: Vec<String> = readme.split("<!-- run -->").skip(1).map(block).collect();
    assert!(blocks.len() >= 3, "the blocks marked `<!-- run -->` are missing");

    let start = (now - chrono::TimeDelta::days(30)).format("%Y-%m-%d").to_string();
    let script = blocks
        .join("\n")
        .replace("https://sentry.io", &sandbox.url())
        .replace("YOUR_TOKEN", TOKEN)
        .replace("my-org", ORGANIZATION)
        .replace("2026-10-01", &start);
    let folder = tempfile::tempdir().expect("a folder");
    let tap = assert_cmd::cargo::cargo_bin!("tap-sentry").parent().expect("a folder of binaries").to_owned();
    let path = format!("{}:{}", tap.display(), std::env::var("PATH").unwrap_or_default());
    let output =
        Command::new("bash").args(["-euo", "pipefail", "-c", &script]).current_dir(&folder).env("PATH", path).output().expect("bash");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let lines =
        |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name).lines().filter(|l| l.contains(r#""RECORD""#)).count();
    assert!(lines("messages.jsonl") > 500, "the first run extracts everything");
    assert!((1..lines("messages.jsonl")).contains(&lines("more.jsonl")), "the second run reads only the overlap");
}

/// The text of the first fenced block, its indentation removed.
fn block(text: &str) -> String {
    let (_, rest) = text.split_once("```sh\n").expect("a block of sh");
    let (body, _) = rest.split_once("```").expect("the end of the block");
    let indent = body.len() - body.trim_start_matches(' ').len();
    body.lines().map(|line| line.get(indent..).unwrap_or("")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_setting_is_documented_wherever_settings_are() {
    let readme = include_str!("../README.md");
    assert!(readme.contains(&tap_sentry::about::settings_table()), "README's settings: run `cargo run --example generate`");
    assert!(readme.contains(&tap_sentry::about::streams_table()), "README's streams: run `cargo run --example generate`");
    let example: serde_json::Value = serde_json::from_str(include_str!("../config.example.json")).expect("JSON");
    for setting in tap_sentry::about::settings() {
        assert!(example.get(&setting.name).is_some(), "config.example.json lacks {}", setting.name);
        for (file, text) in
            [("meltano.yml", include_str!("../meltano.yml")), ("meltano/extractor.yml", include_str!("../meltano/extractor.yml"))]
        {
            assert!(text.contains(&format!("- name: {}\n", setting.name)), "{file} lacks {}", setting.name);
        }
    }
    assert!(readme.contains("cargo run --example quickstart") && readme.contains("cargo test --workspace"));
    for code in tap_sentry::cli::EXIT_CODES.lines().skip(1) {
        let number = code.trim().split(' ').next().unwrap_or_default();
        assert!(readme.contains(&format!("| {number} |")), "README lacks exit code {number}");
    }
}
