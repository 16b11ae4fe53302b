//! `--generate`: the man page, and scripts that complete the command line.

use crate::cli::{Artifact, EXIT_CODES, command};
use crate::docs;
use crate::names::KNOWN;
use crate::settings::load::PREFIX;
use clap_complete::Shell;
use roff::{Roff, bold, roman};

/// The man page, or a script that completes the command line.
///
/// # Errors
/// Only what writing to memory can fail with.
pub fn render(artifact: Artifact) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let shell = match artifact {
        Artifact::Man => {
            man(&mut out)?;
            return Ok(out);
        }
        Artifact::Bash => Shell::Bash,
        Artifact::Elvish => Shell::Elvish,
        Artifact::Fish => Shell::Fish,
        Artifact::Powershell => Shell::PowerShell,
        Artifact::Zsh => Shell::Zsh,
    };
    clap_complete::generate(shell, &mut command(), "sentry-exporter", &mut out);
    Ok(out)
}

/// Writes what clap knows of the command, and the sections that a reader of man pages looks for.
fn man(out: &mut Vec<u8>) -> std::io::Result<()> {
    // The exit codes have a section of their own.
    let page = clap_mangen::Man::new(command().after_help(None));
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    let mut more = Roff::new();
    let codes = EXIT_CODES.lines().skip(1);
    let codes = codes.filter_map(|line| line.trim().split_once("  "));
    terms(
        &mut more,
        "EXIT STATUS",
        codes.map(|(code, text)| (code.to_owned(), text.to_owned())),
    );
    let settings = docs::settings().into_iter().map(|setting| {
        let default = match setting.default.as_str() {
            "" => String::new(),
            default => format!(" Default: {default}."),
        };
        let name = format!("{PREFIX}{}", setting.name.to_uppercase());
        (name, format!("{}{default}", setting.description))
    });
    let token = "The token, if no other is set.";
    let others = [("SENTRY_AUTH_TOKEN".to_owned(), token.to_owned())];
    let old = KNOWN.iter().map(|known| {
        let of = known.of.program();
        let text = match known.setting {
            Some(setting) => format!("As {of} has it: sets {setting}."),
            None => format!("As {of} has it: no meaning any more."),
        };
        (known.variable.to_owned(), text)
    });
    terms(&mut more, "ENVIRONMENT", settings.chain(others).chain(old));
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
