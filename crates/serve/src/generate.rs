//! What is generated of a command line: the man page, and scripts that complete it.

use clap::{Command, ValueEnum};
use clap_complete::Shell;
use roff::{Roff, bold, roman};
use std::io;

/// What can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Artifact {
    Man,
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

/// Names, each with what it means: a section of a man page that clap does not know of.
#[derive(Debug)]
pub struct Terms {
    /// In capitals, as man pages have it.
    pub title: &'static str,
    pub terms: Vec<(String, String)>,
}

impl Terms {
    /// `EXIT STATUS`, from the text below a program's help: a title, then a code and its meaning on each line.
    pub fn exit_status(after_help: &str) -> Self {
        let lines = after_help.lines().skip(1);
        let codes = lines.filter_map(|line| line.trim().split_once("  "));
        let terms = codes.map(|(code, text)| (code.to_owned(), text.to_owned()));
        Self {
            title: "EXIT STATUS",
            terms: terms.collect(),
        }
    }
}

/// The man page with these sections, or a script that completes the command line.
///
/// # Errors
/// Only what writing to memory can fail with.
pub fn render(artifact: Artifact, mut command: Command, more: &[Terms]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let shell = match artifact {
        Artifact::Man => {
            man(&mut out, command, more)?;
            return Ok(out);
        }
        Artifact::Bash => Shell::Bash,
        Artifact::Elvish => Shell::Elvish,
        Artifact::Fish => Shell::Fish,
        Artifact::Powershell => Shell::PowerShell,
        Artifact::Zsh => Shell::Zsh,
    };
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut out);
    Ok(out)
}

/// Writes what clap knows of the command, and the sections that a reader of man pages looks for.
fn man(out: &mut Vec<u8>, command: Command, more: &[Terms]) -> io::Result<()> {
    // The exit codes have a section of their own.
    let page = clap_mangen::Man::new(command.after_help(None));
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    let mut sections = Roff::new();
    for Terms { title, terms } in more {
        sections.control("SH", [*title]);
        for (name, text) in terms {
            let name = [bold(name.clone())];
            let text = [roman(text.clone())];
            sections.control("TP", []).text(name).text(text);
        }
    }
    sections.to_writer(out)?;
    page.render_version_section(out)
}
