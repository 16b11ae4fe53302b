//! Stack traces, which every language writes in its own way.

pub mod chain;
mod dotnet;
pub mod frame;
mod go;
mod java;
mod javascript;
pub mod kept;
mod php;
mod python;
mod ruby;
mod rust;
pub mod thrown;

#[cfg(test)]
mod tests;

use crate::errors::stack::chain::Chain;
use crate::errors::stack::thrown::Stack;

/// A way in which stack traces are written.
struct Language {
    /// What it is called in `telemetry.sdk.language`.
    names: &'static [&'static str],
    parse: fn(&str) -> Chain<'_>,
}

/// Where the text alone must tell, the first counts that finds the most calls; the strictest come first.
const LANGUAGES: [Language; 8] = [
    Language {
        names: &["python"],
        parse: python::parse,
    },
    Language {
        names: &["java", "kotlin", "android", "groovy", "scala"],
        parse: java::parse,
    },
    Language {
        names: &["rust"],
        parse: rust::parse,
    },
    Language {
        names: &["php"],
        parse: php::parse,
    },
    Language {
        names: &["ruby"],
        parse: ruby::parse,
    },
    Language {
        names: &["go"],
        parse: go::parse,
    },
    Language {
        names: &["dotnet"],
        parse: dotnet::parse,
    },
    Language {
        names: &["javascript", "nodejs", "webjs"],
        parse: javascript::parse,
    },
];

/// A stack trace as the language writes it, else as any does; none where no call is found in it. It takes time in
/// proportion to the text, and room for no more than an event has.
pub fn parse<'a>(text: &'a str, language: Option<&str>) -> Option<Stack<'a>> {
    let own = language.and_then(|name| {
        LANGUAGES
            .iter()
            .find(|language| language.names.contains(&name))
    });
    let read = |language: &Language| (language.parse)(text).finish();
    own.and_then(read)
        .or_else(|| by_shape(LANGUAGES.iter().filter_map(read)))
        .map(Stack::fit)
}

/// The one that says the most.
fn by_shape<'a>(stacks: impl Iterator<Item = Stack<'a>>) -> Option<Stack<'a>> {
    stacks.reduce(|best, other| {
        if other.calls() > best.calls() {
            other
        } else {
            best
        }
    })
}
