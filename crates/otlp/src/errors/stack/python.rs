//! Stack traces as Python's `traceback` writes them: the oldest call first, causes before what they led to.

use crate::errors::stack::chain::{Chain, Number, Order, header};
use crate::errors::stack::frame::{Frame, behind_folder, digits, some};
use std::borrow::Cow;

/// What begins the calls of an exception, and of a group of exceptions.
const BEGINNINGS: [&str; 2] = [
    "Traceback (most recent call last):",
    "Exception Group Traceback (most recent call last):",
];

/// What stands between an exception and the next one, and the attribute that holds the former.
const LINKS: [(&str, &str); 2] = [
    (
        "The above exception was the direct cause of the following exception:",
        "__cause__",
    ),
    (
        "During handling of the above exception, another exception occurred:",
        "__context__",
    ),
];

/// Groups within groups; Python itself writes no more than ten.
const DEEPEST: usize = 32;

/// Folders that dependencies are installed in.
const DEPENDENCIES: [&str; 2] = ["site-packages", "dist-packages"];

/// Exceptions, and their calls.
pub fn parse(text: &str) -> Chain<'_> {
    let mut reader = Reader {
        chain: Chain::new(Order::OldestFirst, Order::OldestFirst),
        levels: Vec::new(),
        part: Part::Outside,
        blank: 0,
    };
    text.lines().for_each(|line| reader.line(line));
    reader.chain
}

/// Where in the text a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Outside,
    /// Behind the beginning of an exception, or behind the source of a call.
    Calls,
    /// Behind a call, where its source is expected.
    Call,
    Message,
}

/// A group's members are one level below it.
#[derive(Debug, Default)]
struct Level {
    last: Option<Number>,
    /// What the last one is to the next one.
    link: Option<&'static str>,
    members: usize,
}

#[derive(Debug)]
struct Reader<'a> {
    chain: Chain<'a>,
    levels: Vec<Level>,
    part: Part,
    /// Lines without text behind the message so far.
    blank: usize,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str) {
        let Some((depth, line)) = margin(line) else {
            // A border between members of a group.
            self.part = Part::Outside;
            return;
        };
        let bare = line.trim();
        if bare.is_empty() {
            self.blank += 1;
        } else if BEGINNINGS.contains(&bare) {
            self.begin(depth, ("", ""));
            self.part = Part::Calls;
        } else if let Some((_, source)) = LINKS.iter().find(|(text, _)| *text == bare) {
            self.level(depth).link = Some(source);
            self.part = Part::Outside;
        } else {
            self.text(depth, line, bare);
        }
        if !bare.is_empty() {
            self.blank = 0;
        }
    }

    fn text(&mut self, depth: usize, line: &'a str, bare: &'a str) {
        match self.part {
            Part::Message => {
                (0..self.blank).for_each(|_| self.chain.extend(""));
                self.chain.extend(line);
            }
            Part::Outside => {
                let level = self.level(depth);
                if depth > 0 || level.link.is_some() {
                    // One without calls.
                    self.begin(depth, header(bare));
                    self.part = Part::Message;
                } else {
                    self.chain.unread = true;
                }
            }
            Part::Calls | Part::Call => self.call(line, bare),
        }
    }

    fn call(&mut self, line: &'a str, bare: &'a str) {
        if let Some(frame) = frame(line) {
            self.chain.frame(frame);
            self.part = Part::Call;
        } else if let Some(times) = repeated(bare) {
            self.chain.repeat(times);
        } else if !line.starts_with(' ') {
            self.chain.name(header(bare));
            self.part = Part::Message;
        } else if bare.bytes().all(|byte| b"^~ ".contains(&byte)) {
            // They point at what is in the line above.
        } else if self.part == Part::Call {
            if let Some(frame) = self.chain.last_frame() {
                frame.context_line = some(bare);
            }
            self.part = Part::Calls;
        } else {
            self.chain.unread = true;
        }
    }

    fn begin(&mut self, depth: usize, header: (&'a str, &'a str)) {
        let link = self.level(depth).link.take();
        let before = self.level(depth).last;
        self.levels.truncate(depth + 1);
        let number = self.chain.begin(header);
        if let (Some(before), Some(source)) = (before, link) {
            self.chain.link(before, number, source);
        }
        self.level(depth).last = Some(number);
        if depth == 0 {
            self.chain.report(number);
            return;
        }
        let above = self.level(depth - 1);
        let member = above.members;
        if link.is_none() {
            above.members += 1;
        }
        if let Some(group) = above.last {
            let place = member.saturating_sub(usize::from(link.is_some()));
            self.chain
                .link(number, group, format!("exceptions[{place}]"));
            self.chain.group(group);
        }
    }

    fn level(&mut self, depth: usize) -> &mut Level {
        if self.levels.len() <= depth {
            self.levels.resize_with(depth + 1, Level::default);
        }
        &mut self.levels[depth]
    }
}

/// How deep in groups a line is, and what it says; none for a border.
fn margin(line: &str) -> Option<(usize, &str)> {
    let inner = line.trim_start_matches(' ');
    let indent = line.len() - inner.len();
    let depth = (indent / 2).saturating_sub(1).min(DEEPEST);
    match inner.as_bytes() {
        [b'+', b'-', ..] if indent >= 2 => None,
        [b'+' | b'|', b' ', ..] if indent >= 2 => Some((depth, &inner[2..])),
        [b'|'] if indent >= 2 => Some((depth, "")),
        _ => Some((0, line)),
    }
}

/// `  File "PATH", line 3, in FUNCTION`; without a function where the source could not be compiled.
fn frame(line: &str) -> Option<Frame<'_>> {
    let (path, rest) = line.strip_prefix("  File \"")?.rsplit_once("\", line ")?;
    let (number, function) = match rest.split_once(", in ") {
        Some((number, function)) => (number, function.trim_end()),
        None => (rest.trim_end(), ""),
    };
    let library = library(path);
    Some(Frame {
        function: some(function),
        module: library.and_then(module),
        filename: some(library.unwrap_or(path)),
        abs_path: some(path),
        lineno: Some(digits(number)?),
        in_app: library.is_none() && !path.starts_with("<frozen "),
        ..Frame::default()
    })
}

/// The path of a module of the standard library, or of a dependency, below the folder that Python looks in.
fn library(path: &str) -> Option<&str> {
    if let Some(name) = path.strip_prefix("<frozen ") {
        return name.strip_suffix('>');
    }
    behind_folder(path, |folder| DEPENDENCIES.contains(&folder))
        .or_else(|| behind_folder(path, |folder| is_python(folder, "python3.")))
        .or_else(|| behind_folder(path, |folder| is_python(folder, "python2.")))
        .or_else(|| {
            let (before, rest) = path.split_once("\\Lib\\")?;
            before.contains("Python").then_some(rest)
        })
}

/// A folder such as `python3.11`.
fn is_python(folder: &str, prefix: &str) -> bool {
    let version = folder
        .strip_prefix(prefix)
        .map(|rest| rest.trim_end_matches('t'));
    version.and_then(digits).is_some()
}

/// `json/decoder.py` is `json.decoder`, `json/__init__.py` is `json`.
fn module(path: &str) -> Option<Cow<'_, str>> {
    let path = path.strip_suffix(".py").unwrap_or(path);
    let name = path.strip_suffix("__init__").map_or(path, |package| {
        package.strip_suffix(['/', '\\']).unwrap_or(path)
    });
    let has_folders = name.contains(['/', '\\']);
    has_folders
        .then(|| Cow::Owned(name.replace(['/', '\\'], ".")))
        .or_else(|| some(name))
}

/// `[Previous line repeated 996 more times]`.
fn repeated(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("[Previous line repeated ")?;
    let (times, rest) = rest.split_once(' ')?;
    let times = digits(times).filter(|_| matches!(rest, "more time]" | "more times]"))?;
    usize::try_from(times).ok()
}
