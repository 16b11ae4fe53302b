//! `--generate`: the man page, and scripts that complete the command line.

use crate::cli::{Artifact, EXIT_CODES, command};
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
    clap_complete::generate(shell, &mut command(), "sentry-otlp", &mut out);
    Ok(out)
}

/// Writes what clap knows of the command, and the section of exit codes.
fn man(out: &mut Vec<u8>) -> std::io::Result<()> {
    let page = clap_mangen::Man::new(command().after_help(None));
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    let mut more = Roff::new();
    more.control("SH", ["EXIT STATUS"]);
    let codes = EXIT_CODES.lines().skip(1);
    for (code, text) in codes.filter_map(|line| line.trim().split_once("  ")) {
        more.control("TP", [])
            .text([bold(code)])
            .text([roman(text)]);
    }
    more.to_writer(out)?;
    page.render_version_section(out)
}
