//! `--generate`: the man page, and scripts that complete the command line.

use crate::cli::{Artifact, Cli, EXIT_CODES};
use clap::CommandFactory;
use clap_complete::Shell;
use roff::{Roff, bold, roman};

/// The man page, or a script that completes the command line.
///
/// # Errors
/// Only what writing to memory can fail with.
pub fn render(artifact: Artifact) -> std::io::Result<Vec<u8>> {
    let mut command = Cli::command();
    let mut out = Vec::new();
    let shell = match artifact {
        Artifact::Man => {
            man(command, &mut out)?;
            return Ok(out);
        }
        Artifact::Bash => Shell::Bash,
        Artifact::Elvish => Shell::Elvish,
        Artifact::Fish => Shell::Fish,
        Artifact::Powershell => Shell::PowerShell,
        Artifact::Zsh => Shell::Zsh,
    };
    clap_complete::generate(shell, &mut command, "tap-sentry", &mut out);
    Ok(out)
}

/// Writes what clap knows of `command`, and the sections that a reader of man pages looks for.
fn man(command: clap::Command, out: &mut Vec<u8>) -> std::io::Result<()> {
    // The exit codes have a section of their own.
    let page = clap_mangen::Man::new(command.after_help(None));
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    let mut more = Roff::new();
    let codes = EXIT_CODES
        .lines()
        .skip(1)
        .filter_map(|line| line.trim().split_once("  "))
        .map(|(code, text)| (code.to_owned(), text.to_owned()));
    terms(&mut more, "EXIT STATUS", codes);
    let settings = crate::about::settings().into_iter().map(|setting| {
        let default = if setting.default.is_empty() {
            String::new()
        } else {
            format!(" Default: {}.", setting.default)
        };
        (
            format!("TAP_SENTRY_{}", setting.name.to_uppercase()),
            format!("With --config ENV: {}{default}", setting.description),
        )
    });
    let others = ENVIRONMENT
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    terms(&mut more, "ENVIRONMENT", settings.chain(others));
    terms(
        &mut more,
        "FILES",
        FILES
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
    );
    more.control("SH", ["EXAMPLES"]);
    for (what, lines) in EXAMPLES {
        more.control("PP", [])
            .text([roman(*what)])
            .control("PP", [])
            .control("RS", ["4"])
            .control("nf", []);
        for line in *lines {
            more.text([roman(*line)]);
        }
        more.control("fi", []).control("RE", []);
    }
    more.to_writer(out)?;
    page.render_version_section(out)
}

/// A section of names, each with what it means.
fn terms(page: &mut Roff, title: &str, terms: impl Iterator<Item = (String, String)>) {
    page.control("SH", [title]);
    for (name, text) in terms {
        page.control("TP", [])
            .text([bold(name)])
            .text([roman(text)]);
    }
}

/// What is read beside the settings' own variables.
const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "SENTRY_AUTH_TOKEN",
        "With --config ENV: the token, if no other is set.",
    ),
    (
        "TAP_SENTRY_LOGLEVEL, LOGLEVEL, SINGER_LOG_LEVEL",
        "debug, info, warning or error; the first that is set counts; -v and -q win over all of them.",
    ),
    (
        "SINGER_SDK_LOG_CONFIG",
        "A logging configuration of the Singer SDK (JSON or YAML): its level is used, and log lines are JSON if it asks for that.",
    ),
    (
        "RUST_LOG",
        "Levels by module, as env_logger reads them; used if nothing above sets a level.",
    ),
    (
        "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "Proxies, and hosts to reach without one; also in lower case. The setting proxy_url wins over them.",
    ),
    (
        "NO_COLOR",
        "If it is set, output on a terminal has no colours.",
    ),
];

const FILES: &[(&str, &str)] = &[
    (
        "config.json",
        "Settings, as a JSON object; the name is up to you. It contains the token: make it readable for you only.",
    ),
    (
        ".env",
        "With --config ENV: variables as above, in the working directory. The environment wins over them.",
    ),
    (
        "catalog.json",
        "What --discover prints, with `selected` set in the metadata of streams and properties.",
    ),
    (
        "states.jsonl",
        "The state to resume from: the value of a STATE message, or the whole message; of several lines, the last. If the file does not exist, the run is a first run.",
    ),
];

/// What the command lines do, and the lines.
pub const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "Check the token and what it may read:",
        &["tap-sentry --config config.json --test > /dev/null"],
    ),
    (
        "List all streams and fields, to select from:",
        &["tap-sentry --config config.json --discover > catalog.json"],
    ),
    (
        "Extract into a target, and resume where the last run ended. The target prints each state that it has stored:",
        &[
            "set -o pipefail",
            "tap-sentry --config config.json --catalog catalog.json --state states.jsonl | target-jsonl >> states.jsonl",
        ],
    ),
    (
        "With settings from the environment:",
        &["tap-sentry --config ENV > messages.jsonl"],
    ),
];
