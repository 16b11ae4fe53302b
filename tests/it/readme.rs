//! README's examples, run as they are written: only the address, the organization and the token are replaced.

use sentry_sandbox::{ORGANIZATION, Options, Sandbox, TOKEN, World};
use std::path::Path;
use std::process::Command;

#[test]
fn the_examples_of_readme_run() {
    let now = chrono::Utc::now();
    let sandbox = Sandbox::start(Options::new(World::seeded(now))).expect("a sandbox");
    let readme = include_str!("../../README.md");
    let blocks: Vec<String> = readme.split("<!-- run -->").skip(1).map(block).collect();
    assert!(
        blocks.len() >= 3,
        "the blocks marked `<!-- run -->` are missing"
    );

    let start = (now - chrono::TimeDelta::days(30))
        .format("%Y-%m-%d")
        .to_string();
    let script = blocks
        .join("\n")
        .replace("https://sentry.io", &sandbox.url())
        .replace("YOUR_TOKEN", TOKEN)
        .replace("my-org", ORGANIZATION)
        .replace("2026-10-01", &start);
    let folder = tempfile::tempdir().expect("a folder");
    let tap = assert_cmd::cargo::cargo_bin!("tap-sentry")
        .parent()
        .expect("a folder of binaries")
        .to_owned();
    let path = format!(
        "{}:{}",
        tap.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(&folder)
        .env("PATH", path)
        .output()
        .expect("bash");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let lines = |name: &str| {
        std::fs::read_to_string(folder.path().join(name))
            .expect(name)
            .lines()
            .filter(|l| l.contains(r#""RECORD""#))
            .count()
    };
    assert!(
        lines("messages.jsonl") > 500,
        "the first run extracts everything"
    );
    assert!(
        (1..lines("messages.jsonl")).contains(&lines("more.jsonl")),
        "the second run reads only the overlap"
    );
}

#[test]
fn the_recipe_with_a_target_keeps_the_last_good_state() {
    let now = chrono::Utc::now();
    let sandbox = Sandbox::start(Options::new(World::seeded(now))).expect("a sandbox");
    let recipe = include_str!("../../README.md")
        .split("<!-- run: target-jsonl -->")
        .nth(1)
        .map(block)
        .expect("the recipe");
    let folder = tempfile::tempdir().expect("a folder");
    let config = serde_json::json!({
        "api_token": TOKEN, "organization": ORGANIZATION, "base_url": sandbox.url(), "start_date": (now - chrono::TimeDelta::days(9)).to_rfc3339(),
    });
    std::fs::write(folder.path().join("config.json"), config.to_string()).expect("written");
    let tap = assert_cmd::cargo::cargo_bin!("tap-sentry")
        .parent()
        .expect("a folder of binaries")
        .to_owned();
    let path = format!(
        "{}:{}:{}",
        folder.path().display(),
        tap.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    // What the target does with the messages on its stdin.
    let run = |target: &str| {
        use std::os::unix::fs::PermissionsExt;
        let program = folder.path().join("target-jsonl");
        std::fs::write(&program, format!("#!/bin/sh\n{target}\n")).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
            .expect("made executable");
        Command::new("bash")
            .args(["-c", &recipe])
            .current_dir(&folder)
            .env("PATH", &path)
            .output()
            .expect("bash")
            .status
            .success()
    };
    let states = || std::fs::read_to_string(folder.path().join("states.jsonl")).unwrap_or_default();
    let value = r#"sed -n 's/^{"type":"STATE","value":\(.*\)}$/\1/p'"#;

    assert!(!run("exit 1"), "a target that dies is no success");
    assert_eq!(states(), "");
    std::fs::remove_file(folder.path().join("states.jsonl")).expect("an empty file");
    assert!(run(value));
    let first = states();
    assert!(first.contains("bookmarks"));
    assert!(!run("head -n 3 >/dev/null; exit 1"));
    assert_eq!(states(), first, "the last good state stays");
    assert!(run(value), "and is where the next run starts");
    assert!(states().len() > first.len() && states().starts_with(&first));
}

#[test]
fn the_examples_of_the_man_page_run() {
    use std::os::unix::fs::PermissionsExt;
    let now = chrono::Utc::now();
    let sandbox = Sandbox::start(Options::new(World::seeded(now))).expect("a sandbox");
    let start = (now - chrono::TimeDelta::days(9)).to_rfc3339();
    let settings = [
        ("api_token", TOKEN),
        ("organization", ORGANIZATION),
        ("base_url", &sandbox.url()),
        ("start_date", &start),
    ];
    let config: serde_json::Value = settings
        .iter()
        .map(|(key, value)| ((*key).to_owned(), serde_json::json!(value)))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("config.json"), config.to_string()).expect("written");
    let target = folder.path().join("target-jsonl");
    std::fs::write(&target, "#!/bin/sh\ngrep '\"type\":\"STATE\"'\n").expect("written");
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o755))
        .expect("made executable");
    let tap = assert_cmd::cargo::cargo_bin!("tap-sentry")
        .parent()
        .expect("a folder of binaries")
        .to_owned();
    let path = format!(
        "{}:{}:{}",
        folder.path().display(),
        tap.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let script: String = tap_sentry::generate::EXAMPLES
        .iter()
        .flat_map(|(_, lines)| lines.iter())
        .fold(String::new(), |all, line| all + line + "\n");
    let variables =
        settings.map(|(key, value)| (format!("TAP_SENTRY_{}", key.to_uppercase()), value));
    let output = Command::new("bash")
        .args(["-euc", &script])
        .current_dir(&folder)
        .envs(variables)
        .env("PATH", path)
        .output()
        .expect("bash");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (file, part) in [
        ("catalog.json", "tap_stream_id"),
        ("states.jsonl", "bookmarks"),
        ("messages.jsonl", r#""RECORD""#),
    ] {
        assert!(
            std::fs::read_to_string(folder.path().join(file))
                .expect(file)
                .contains(part),
            "{file}"
        );
    }
}

/// The text of the first fenced block, its indentation removed.
fn block(text: &str) -> String {
    let (_, rest) = text.split_once("```sh\n").expect("a block of sh");
    let (body, _) = rest.split_once("```").expect("the end of the block");
    let indent = body.len() - body.trim_start_matches(' ').len();
    body.lines()
        .map(|line| line.get(indent..).unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn every_setting_is_documented_wherever_settings_are() {
    let readme = include_str!("../../README.md");
    let settings = include_str!("../../docs/settings.md");
    assert!(
        settings.contains(&tap_sentry::about::settings_table()),
        "docs/settings.md: run `cargo run --example generate`"
    );
    assert!(
        readme.contains(&tap_sentry::about::streams_by_parent()),
        "README's streams: run `cargo run --example generate`"
    );
    let example: serde_json::Value =
        serde_json::from_str(include_str!("../../config.example.json")).expect("JSON");
    for setting in tap_sentry::about::settings() {
        assert!(
            example.get(&setting.name).is_some(),
            "config.example.json lacks {}",
            setting.name
        );
        for (file, text) in [
            ("meltano.yml", include_str!("../../meltano.yml")),
            (
                "meltano/extractor.yml",
                include_str!("../../meltano/extractor.yml"),
            ),
        ] {
            assert!(
                text.contains(&format!("- name: {}\n", setting.name)),
                "{file} lacks {}",
                setting.name
            );
        }
    }
    assert!(
        readme.contains("cargo run --example quickstart")
            && readme.contains("cargo test --workspace")
    );
    for code in tap_sentry::cli::EXIT_CODES.lines().skip(1) {
        let number = code.trim().split(' ').next().unwrap_or_default();
        assert!(
            readme.contains(&format!("| {number} |")),
            "README lacks exit code {number}"
        );
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).expect("docs/");
    let docs = docs.map(|entry| entry.expect("an entry").path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    // As GitHub makes them.
    let anchor = |heading: &str| {
        let lower = heading.trim().to_lowercase().replace(' ', "-");
        lower.replace(
            |letter: char| !letter.is_alphanumeric() && !"-_".contains(letter),
            "",
        )
    };
    let mut dead = Vec::new();
    for page in pages.chain([root.join("README.md")]) {
        let text = std::fs::read_to_string(&page).expect("a page");
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let (file, section) = link.split_once('#').unwrap_or((link, ""));
            let path = page.parent().expect("a folder").join(file);
            let target = if file.is_empty() { &page } else { &path };
            let found = section.is_empty()
                || std::fs::read_to_string(target).is_ok_and(|text| {
                    let headings = text.lines().filter(|line| line.starts_with("##"));
                    let headings = headings.map(|line| line.trim_start_matches('#'));
                    headings.map(anchor).any(|heading| heading == section)
                });
            if !(target.exists() && found) {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn meltano_selects_what_is_selected_by_default() {
    for (file, text) in [
        ("meltano.yml", include_str!("../../meltano.yml")),
        (
            "meltano/extractor.yml",
            include_str!("../../meltano/extractor.yml"),
        ),
    ] {
        for stream in tap_sentry::streams::STREAMS {
            let selected = text.contains(&format!("- {}.*\n", stream.name()));
            assert_eq!(
                selected,
                stream.selected_by_default,
                "{file}: {}",
                stream.name()
            );
        }
    }
}
