//! `--generate`: the man page, and scripts that complete the command line.

use crate::cli::{EXIT_CODES, command};
use crate::docs;
use crate::names::KNOWN;
use crate::settings::load::PREFIX;
use tap_sentry_serve::generate::{self, Artifact, Terms};

/// The man page, or a script that completes the command line.
///
/// # Errors
/// Only what writing to memory can fail with.
pub fn render(artifact: Artifact) -> std::io::Result<Vec<u8>> {
    let more = [Terms::exit_status(EXIT_CODES), environment()];
    generate::render(artifact, command(), &more)
}

/// All variables: ours, and those of older exporters.
fn environment() -> Terms {
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
    Terms {
        title: "ENVIRONMENT",
        terms: settings.chain(others).chain(old).collect(),
    }
}
