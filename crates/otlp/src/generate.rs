//! `--generate`: the man page, and scripts that complete the command line.

use crate::cli::{EXIT_CODES, command};
use tap_sentry_serve::generate::{self, Artifact, Terms};

/// The man page, or a script that completes the command line.
///
/// # Errors
/// Only what writing to memory can fail with.
pub fn render(artifact: Artifact) -> std::io::Result<Vec<u8>> {
    generate::render(artifact, command(), &[Terms::exit_status(EXIT_CODES)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Artifact::Man, &[".TH sentry-otlp", ".SH \"EXIT STATUS\"", "config.check"])]
    #[case(Artifact::Bash, &["--web.listen-address", "--config"])]
    #[case(Artifact::Elvish, &["--web.listen-address", "--config"])]
    #[case(Artifact::Fish, &["web.listen-address", "config.check"])]
    #[case(Artifact::Powershell, &["--web.listen-address", "--config"])]
    #[case(Artifact::Zsh, &["--web.listen-address", "--config"])]
    fn what_is_generated_names_the_flags(#[case] artifact: Artifact, #[case] parts: &[&str]) {
        let text = String::from_utf8(render(artifact).expect("a text")).expect("UTF-8");
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
