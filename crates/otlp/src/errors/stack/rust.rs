//! Stack traces of Rust: backtraces as the standard library prints them, the newest call first.

use crate::errors::stack::chain::{Chain, Order};
use crate::errors::stack::frame::{Frame, behind_folder, digits, position, some};
use std::borrow::Cow;

/// What begins the calls.
const CALLS: [&str; 2] = ["stack backtrace:", "Stack backtrace:"];

/// What begins the causes, one a line, as `anyhow` prints them.
const CAUSES: &str = "Caused by:";

/// What explains how to see more.
const NOTE: &str = "note: ";

/// What paths of functions begin with that are none of the program: of the standard library, of what starts a program,
/// and of much used runtimes.
const LIBRARIES: [&str; 18] = [
    "__",
    "actix_",
    "alloc::",
    "anyhow::",
    "axum::",
    "backtrace::",
    "core::",
    "futures_",
    "hyper::",
    "opentelemetry",
    "rust_begin_unwind",
    "rust_panic",
    "std::",
    "test::",
    "tokio::",
    "tower::",
    "tracing::",
    "unknown>",
];

/// Functions that start a program or a thread.
const STARTS: [&str; 5] = ["_start", "clone", "clone3", "main", "start_thread"];

/// Exceptions, and their calls.
pub fn parse(text: &str) -> Chain<'_> {
    let mut chain = Chain::new(Order::NewestFirst, Order::NewestFirst);
    let mut part = Part::Message;
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(NOTE) {
            continue;
        }
        part = match part {
            _ if CALLS.contains(&bare) => {
                // The calls are those of the error itself, whatever caused it.
                chain.resume(0);
                Part::Calls
            }
            Part::Message | Part::Causes if bare == CAUSES => Part::Causes,
            Part::Causes => cause(&mut chain, line, bare),
            Part::Message | Part::Calls => call(&mut chain, part, line, bare),
        };
    }
    chain
}

/// Where in the text a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Message,
    Causes,
    Calls,
}

fn call<'a>(chain: &mut Chain<'a>, part: Part, line: &'a str, bare: &'a str) -> Part {
    let is_indented = line.starts_with([' ', '\t']);
    let place = bare.strip_prefix("at ").filter(|_| part == Part::Calls);
    if let Some(frame) = numbered(bare).and_then(function) {
        if chain.begun() == 0 {
            chain.begin(("", ""));
        }
        chain.frame(frame);
        return Part::Calls;
    }
    match place {
        Some(place) => match chain.last_frame() {
            Some(frame) => stand(frame, place),
            None => chain.unread = true,
        },
        // A function that was merged into the one below has no number.
        None if part == Part::Calls => match function(bare).filter(|_| is_indented) {
            Some(frame) if chain.begun() > 0 => chain.frame(frame),
            _ => chain.unread = true,
        },
        None if chain.begun() == 0 => {
            chain.begin(message(bare));
        }
        None => chain.extend(line),
    }
    part
}

/// `0: connection refused`, or without a number where there is but one.
fn cause<'a>(chain: &mut Chain<'a>, line: &'a str, bare: &'a str) -> Part {
    if !line.starts_with([' ', '\t']) {
        chain.unread = true;
        return Part::Causes;
    }
    if chain.begun() == 0 {
        chain.begin(("", ""));
    }
    let parent = chain.begun() - 1;
    let number = chain.begin(("", numbered(bare).unwrap_or(bare)));
    chain.link(number, parent, "source");
    Part::Causes
}

/// A panic is said with its place: `thread 'main' panicked at src/main.rs:2:5:`.
fn message(line: &str) -> (&str, &str) {
    let is_panic = line.starts_with("thread '") && line.contains("panicked at ");
    if is_panic {
        ("panic", line)
    } else {
        ("", line)
    }
}

/// What stands behind `3: `.
fn numbered(line: &str) -> Option<&str> {
    let (number, rest) = line.split_once(':')?;
    digits(number)?;
    rest.strip_prefix([' ', '\t']).map(str::trim)
}

/// `0x55d0c0ffee - PATH`, or the path alone.
fn function(text: &str) -> Option<Frame<'_>> {
    let text = match text.strip_prefix("0x") {
        Some(address) => address.split_once(" - ")?.1,
        None => text.strip_prefix("- ").unwrap_or(text),
    };
    let name = without_hashes(text.trim());
    let is_name = !name.is_empty() && (name.contains("::") || !name.contains(' '));
    let path = name.trim_start_matches('<');
    let is_library =
        STARTS.contains(&path) || LIBRARIES.iter().any(|start| path.starts_with(start));
    is_name.then_some(Frame {
        in_app: !is_library,
        function: Some(name),
        ..Frame::default()
    })
}

/// A path without the hashes of crates: `::h0123456789abcdef` at its end in the old mangling, `[0123456789abcdef]`
/// behind each crate in the new one. They differ from build to build.
fn without_hashes(name: &str) -> Cow<'_, str> {
    let is_hash =
        |hash: &str| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let old = name.rsplit_once("::h");
    let name = old
        .filter(|(_, hash)| is_hash(hash))
        .map_or(name, |(name, _)| name);
    let mut parts = name.split('[');
    let mut bare = Cow::Borrowed(parts.next().unwrap_or_default());
    for part in parts {
        if let Some((_, rest)) = part.split_once(']').filter(|(hash, _)| is_hash(hash)) {
            bare += rest;
        } else {
            bare += "[";
            bare += part;
        }
    }
    bare
}

/// `FILE:LINE:COLUMN` of a call.
fn stand<'a>(frame: &mut Frame<'a>, place: &'a str) {
    let (path, line, column) = position(place);
    let library = library(path);
    frame.filename = some(library.unwrap_or(path));
    frame.abs_path = some(path);
    (frame.lineno, frame.colno) = (line, column);
    frame.in_app = frame.in_app && library.is_none();
}

/// The path of a file of the standard library or of a dependency, below what differs between computers.
fn library(path: &str) -> Option<&str> {
    let of_registry = || {
        let (_, rest) = path.split_once("/registry/src/")?;
        rest.split_once('/').map(|(_, rest)| rest)
    };
    let of_git = || path.split_once("/git/checkouts/").map(|(_, rest)| rest);
    let of_compiler = || {
        let rest = path.strip_prefix("/rustc/")?;
        rest.split_once('/').map(|(_, rest)| rest)
    };
    of_registry()
        .or_else(of_git)
        .or_else(of_compiler)
        .or_else(|| behind_folder(path, |folder| folder == "rustlib"))
}
