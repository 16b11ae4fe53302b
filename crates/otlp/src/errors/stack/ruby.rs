//! Stack traces of Ruby: the newest call first, or last behind `Traceback`; causes behind what they led to.

use crate::errors::stack::chain::{Chain, Order};
use crate::errors::stack::frame::{Frame, behind_folder, digits, number_behind, some};

/// What begins a text in which the newest call comes last.
const OLDEST_FIRST: &str = "Traceback (most recent call last):";

/// Exceptions, and their calls.
pub fn parse(text: &str) -> Chain<'_> {
    let turned = text.trim_start().starts_with(OLDEST_FIRST);
    let calls = if turned {
        Order::OldestFirst
    } else {
        Order::NewestFirst
    };
    let mut chain = Chain::new(calls, Order::NewestFirst);
    let mut in_message = false;
    for line in text.lines() {
        let bare = line.trim();
        if let Some((frame, message)) = frame(bare) {
            // Calls before the first message are its own where they come before it.
            if chain.begun() == 0 {
                chain.begin(("", ""));
                if let Some(message) = message {
                    chain.name(named(message));
                }
            } else if let Some(message) = message {
                further(&mut chain, message, turned);
            }
            chain.frame(frame);
            in_message = message.is_some();
        } else if in_message {
            chain.extend(line);
        } else if !bare.is_empty() && bare != OLDEST_FIRST {
            chain.unread = true;
        }
    }
    chain
}

fn further<'a>(chain: &mut Chain<'a>, message: &'a str, turned: bool) {
    if turned {
        chain.name(named(message));
        return;
    }
    let parent = chain.begun() - 1;
    let number = chain.begin(named(message));
    chain.link(number, parent, "cause");
}

/// `MESSAGE (TYPE)`; an error without a message is its type alone.
fn named(text: &str) -> (&str, &str) {
    let is_type = |kind: &str| !kind.is_empty() && !kind.contains([' ', '(', ')']);
    let found = text
        .strip_suffix(')')
        .and_then(|text| text.rsplit_once(" ("))
        .filter(|(_, kind)| is_type(kind));
    match found {
        Some((message, kind)) => (kind, message),
        None if text == "unhandled exception" => ("RuntimeError", text),
        None => ("", text),
    }
}

/// `from PATH:LINE:in 'METHOD': MESSAGE`, of which path and line must be there, and something more.
fn frame(line: &str) -> Option<(Frame<'_>, Option<&str>)> {
    let (line, is_call) = match without_from(line) {
        Some(rest) => (rest, true),
        None => (line, false),
    };
    let found = line
        .match_indices(":in ")
        .find_map(|(at, mark)| Some((number_behind(&line[..at])?, &line[at + mark.len()..])));
    let (place, function, behind) = match found {
        Some((place, rest)) => {
            let (function, behind) = label(rest)?;
            (place, function, behind)
        }
        // Outside of methods, as Ruby before 2.0 wrote it, and where there is but the place.
        None if is_call => (number_behind(line)?, "", ""),
        None => return None,
    };
    let (path, number) = place;
    let message = behind
        .strip_prefix(": ")
        .or_else(|| behind.strip_prefix(':'));
    let library = library(path);
    let frame = Frame {
        function: some(function),
        filename: some(library.unwrap_or(path)),
        abs_path: some(path),
        lineno: Some(number),
        in_app: library.is_none() && !path.starts_with("<internal:"),
        ..Frame::default()
    };
    Some((frame, message.map(str::trim)))
}

/// A line behind `from`, with a number before it in a text that is turned.
fn without_from(line: &str) -> Option<&str> {
    line.strip_prefix("from ").or_else(|| {
        let (number, rest) = line.split_once(": from ")?;
        digits(number).map(|_| rest)
    })
}

/// The name of a method in quotes, the first of which was a grave accent before Ruby 3.4, and what stands behind.
fn label(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix(['`', '\''])?;
    let end = inner.find("':").or_else(|| inner.rfind('\''))?;
    Some((&inner[..end], &inner[end + 1..]))
}

/// The path of a file of a gem or of the standard library, below the folder that these are in.
fn library(path: &str) -> Option<&str> {
    let is_version = |folder: &str| {
        let mut parts = folder.split('.');
        parts.clone().count() == 3 && parts.all(|part| digits(part).is_some())
    };
    behind_folder(path, |folder| folder == "gems")
        .or_else(|| {
            let (_, rest) = path.split_once("/lib/ruby/")?;
            Some(behind_folder(rest, is_version).unwrap_or(rest))
        })
        .or_else(|| behind_folder(path, |folder| folder == "vendor"))
}
