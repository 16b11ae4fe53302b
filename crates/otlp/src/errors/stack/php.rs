//! Stack traces of PHP: the newest call first, causes before what they led to.

use crate::errors::stack::chain::{Chain, Number, Order};
use crate::errors::stack::frame::{Frame, behind_folder, digits, number_behind, some};
use std::borrow::Cow;

/// What stands before an exception that nothing caught.
const UNCAUGHT: [&str; 2] = ["PHP Fatal error:  Uncaught ", "Fatal error: Uncaught "];

/// What stands between the message and the calls.
const CALLS: &str = "Stack trace:";

/// What stands before an exception that was caused by the one above.
const NEXT: &str = "Next ";

/// The call of no function.
const MAIN: &str = "{main}";

/// The place of a call by PHP itself.
const INTERNAL: &str = "[internal function]";

/// A file and a line in it.
type Place<'a> = Option<(&'a str, u64)>;

/// Exceptions, and their calls.
pub fn parse(text: &str) -> Chain<'_> {
    let mut reader = Reader {
        chain: Chain::new(Order::NewestFirst, Order::OldestFirst),
        message: Vec::new(),
        cause: None,
        is_next: false,
        place: None,
        in_calls: false,
    };
    text.lines().for_each(|line| reader.line(line));
    reader.end();
    reader.chain
}

#[derive(Debug)]
struct Reader<'a> {
    chain: Chain<'a>,
    /// Lines before the calls.
    message: Vec<&'a str>,
    /// The exception above.
    cause: Option<Number>,
    is_next: bool,
    /// Where the next call stands: a line of PHP names the function that was called there, not the one it is in.
    place: Place<'a>,
    in_calls: bool,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str) {
        let bare = line.trim();
        if let Some((at, function)) = call(bare) {
            if !self.in_calls {
                self.begin();
            }
            let place = std::mem::replace(&mut self.place, at);
            let is_main = function == MAIN;
            self.frame(if is_main { "" } else { function }, place);
            if is_main {
                self.place = None;
            }
        } else if bare == CALLS {
            self.begin();
        } else if self.in_calls {
            if let Some(rest) = bare.strip_prefix(NEXT) {
                self.end();
                self.is_next = true;
                self.message.push(rest);
            } else if !bare.is_empty() && !bare.starts_with("thrown in ") {
                self.chain.unread = true;
            }
        } else if self.message.is_empty() {
            if !bare.is_empty() {
                let start = UNCAUGHT.iter().find_map(|prefix| bare.strip_prefix(prefix));
                self.message.push(start.unwrap_or(bare));
            }
        } else {
            self.message.push(line);
        }
    }

    fn begin(&mut self) {
        let mut lines = std::mem::take(&mut self.message);
        if let Some(last) = lines.last_mut() {
            let (rest, place) = thrown_at(last);
            (*last, self.place) = (rest, place);
        }
        let first = lines.first().copied().unwrap_or_default();
        let (kind, start) = match first.split_once(": ") {
            Some((kind, value)) if !kind.contains(' ') => (kind, value),
            _ if !first.contains(' ') => (first, ""),
            _ => ("", first),
        };
        let number = self.chain.begin((kind, Cow::Borrowed(start)));
        lines
            .iter()
            .skip(1)
            .for_each(|line| self.chain.extend(line));
        if let Some(cause) = self.cause.take().filter(|_| self.is_next) {
            self.chain.link(cause, number, "previous");
        }
        self.chain.report(number);
        self.cause = Some(number);
        self.in_calls = true;
    }

    /// What is left is the place of the oldest call.
    fn end(&mut self) {
        let place = self.place.take();
        if place.is_some() {
            self.frame("", place);
        }
        if !self.message.is_empty() {
            self.chain.unread = true;
        }
        self.in_calls = false;
    }

    fn frame(&mut self, function: &'a str, place: Place<'a>) {
        if function.is_empty() && place.is_none() {
            return;
        }
        let path = place.map_or("", |(path, _)| path);
        let library = behind_folder(path, |folder| folder == "vendor");
        self.chain.frame(Frame {
            function: named(function),
            filename: some(library.unwrap_or(path)),
            abs_path: some(path),
            lineno: place.map(|(_, line)| line),
            in_app: library.is_none() && place.is_some(),
            ..Frame::default()
        });
    }
}

/// A message, and the place behind it: `MESSAGE in FILE:LINE`.
fn thrown_at(text: &str) -> (&str, Place<'_>) {
    let found = text.rsplit_once(" in ");
    let found = found.and_then(|(rest, place)| Some((rest, number_behind(place)?)));
    match found {
        Some((rest, place)) => (rest, Some(place)),
        None => (text, None),
    }
}

/// `#0 FILE(LINE): FUNCTION(ARGUMENTS)`, the function without its arguments.
fn call(line: &str) -> Option<(Place<'_>, &str)> {
    let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
    digits(number)?;
    if rest == MAIN {
        return Some((None, MAIN));
    }
    if let Some(function) = rest.strip_prefix(INTERNAL) {
        return Some((None, function.strip_prefix(": ")?.split('(').next()?));
    }
    let (place, function) = rest.split_once("): ")?;
    let (path, line) = place.rsplit_once('(')?;
    Some((Some((path, digits(line)?)), function.split('(').next()?))
}

/// A method as Sentry's SDK for PHP names it.
fn named(function: &str) -> Option<Cow<'_, str>> {
    if function.contains("->") {
        Some(Cow::Owned(function.replacen("->", "::", 1)))
    } else {
        some(function)
    }
}
