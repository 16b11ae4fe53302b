//! The documentation says what the code does.

use crate::dsl::{command, ended};
use sentry_exporter::docs;

const PAGE: &str = include_str!("../../../../docs/exporter.md");
const EXAMPLE: &str = include_str!("../../../../exporter.example.yml");

#[test]
fn what_is_generated_is_as_it_would_be_generated() {
    let remedy = "run `cargo run -p sentry-exporter --example generate`";
    for block in [
        docs::collectors_table(),
        docs::figures_tables(),
        docs::probe_table(),
        docs::settings_table(),
        docs::dialects_table(),
        docs::old_figures_tables(),
        docs::names_table(),
        docs::exit_codes(),
    ] {
        let block = format!("-->\n{block}<!-- end -->");
        assert!(PAGE.contains(&block), "docs/exporter.md: {remedy}");
    }
    assert_eq!(EXAMPLE, docs::example_configuration(), "{remedy}");
}

#[test]
fn the_configurations_that_are_shown_are_sound() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "sntryu_0123456789\n").expect("a file");
    let indented = |block: &str| {
        let lines = block.lines();
        let lines = lines.map(|line| line.strip_prefix("   ").unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    };
    let blocks = PAGE.split("```yaml\n").skip(1);
    let blocks: Vec<&str> = blocks.filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 3);
    let example = EXAMPLE.replace("YOUR_TOKEN", "sntryu_0123456789");
    let shown = blocks.into_iter().map(|block| {
        let word = |line: &str| match line.split_once("api_token_file: ") {
            Some((before, _)) => format!("{before}api_token_file: {}\n", token.display()),
            // The authority's file is the user's.
            None if line.contains("ca_certificate") => String::new(),
            None => format!("{line}\n"),
        };
        let block = if block.starts_with("   ") {
            indented(block)
        } else {
            block.to_owned()
        };
        block.lines().map(word).collect::<String>()
    });
    for text in shown.chain([example]) {
        let file = folder.path().join("exporter.yml");
        std::fs::write(&file, &text).expect("a file");
        let mut check = command();
        check.args(["--config.check", "--config.file", "exporter.yml"]);
        let checked = ended(check.current_dir(folder.path()));
        assert_eq!(checked.code, Some(0), "{text}\n{}", checked.stderr);
    }
}
