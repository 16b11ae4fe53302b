//! Stack traces of Go: dumps of a goroutine, and the pairs of lines that error packages write; the newest call first.

use crate::errors::stack::chain::{Chain, Order};
use crate::errors::stack::frame::{Frame, behind_folder, number_behind, some};

/// Packages of the standard library are below these.
const STANDARD: [&str; 50] = [
    "archive",
    "bufio",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "unsafe",
    "vendor",
    "weak",
];

/// Calls of the goroutine that failed. Dumps of the others are left as text.
pub fn parse(text: &str) -> Chain<'_> {
    let mut chain = Chain::new(Order::NewestFirst, Order::NewestFirst);
    let mut before: Option<&str> = None;
    let mut has_calls = false;
    for line in text.lines() {
        if has_calls && is_goroutine(line) {
            chain.unread = true;
            before = None;
            break;
        }
        let frame = before.and_then(|function| frame(function, line));
        if let Some(frame) = frame {
            if chain.begun() == 0 {
                chain.begin(("", ""));
            }
            chain.frame(frame);
            (before, has_calls) = (None, true);
        } else if let Some(text) = before.replace(line) {
            words(&mut chain, text, has_calls);
        }
    }
    if let Some(text) = before {
        words(&mut chain, text, has_calls);
    }
    chain
}

/// A line that is no call.
fn words<'a>(chain: &mut Chain<'a>, line: &'a str, has_calls: bool) {
    if line.trim().is_empty() || is_goroutine(line) {
        return;
    }
    if has_calls {
        chain.unread = true;
    } else if chain.begun() == 0 {
        chain.begin(match line.strip_prefix("panic: ") {
            Some(message) => ("panic", message),
            None => ("", line),
        });
    } else {
        chain.extend(line);
    }
}

/// `goroutine 1 [running]:`.
fn is_goroutine(line: &str) -> bool {
    line.strip_prefix("goroutine ").is_some_and(|rest| {
        rest.starts_with(|found: char| found.is_ascii_digit()) && rest.ends_with("]:")
    })
}

/// A line `PACKAGE.FUNCTION(ARGUMENTS)` and one `FILE:LINE +0x1d` below it.
fn frame<'a>(function: &'a str, place: &'a str) -> Option<Frame<'a>> {
    let place = place.strip_prefix(['\t', ' '])?.trim();
    let (path, line) = number_behind(place.split(" +0x").next()?)?;
    let name = called(function)?;
    let (module, function) = parted(name);
    let library = library(path, module);
    Some(Frame {
        function: some(function),
        module: some(module),
        filename: some(library.unwrap_or(path)),
        abs_path: some(path),
        lineno: Some(line),
        in_app: library.is_none() && module != "runtime" && name != "panic",
        ..Frame::default()
    })
}

/// A function without its arguments, and what stands around it.
fn called(line: &str) -> Option<&str> {
    let line = line.trim();
    let name = match line.strip_prefix("created by ") {
        Some(creator) => creator.split(" in goroutine ").next()?,
        None => without_arguments(line),
    };
    let is_name = !name.is_empty() && !name.contains([' ', ':', '"']);
    is_name.then_some(name)
}

fn without_arguments(line: &str) -> &str {
    if !line.ends_with(')') {
        return line;
    }
    let mut depth = 0_usize;
    for (at, byte) in line.bytes().enumerate().rev() {
        match byte {
            b')' => depth += 1,
            b'(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &line[..at];
        }
    }
    line
}

/// The package and the function in it: `example.com/shop.(*Cart).Add` is of `example.com/shop`.
fn parted(name: &str) -> (&str, &str) {
    let path = name.find(['(', '[']).map_or(name, |at| &name[..at]);
    let last = path.rfind('/').map_or(0, |at| at + 1);
    match name[last..].find('.') {
        Some(dot) => (&name[..last + dot], &name[last + dot + 1..]),
        None => ("", name),
    }
}

/// The path of a file of a dependency or of the standard library, below the folder that these are in.
fn library<'a>(path: &'a str, module: &str) -> Option<&'a str> {
    if let Some((_, rest)) = path.split_once("/pkg/mod/") {
        return Some(rest);
    }
    if let Some(rest) = behind_folder(path, |folder| folder == "vendor") {
        return Some(rest);
    }
    let (folder, _) = path.rsplit_once('/')?;
    let is_trimmed = !path.starts_with('/') && path.contains("@v");
    let first = module.split('/').next().unwrap_or_default();
    let is_standard =
        STANDARD.contains(&first) || module.is_empty() && path.ends_with("/runtime/panic.go");
    if is_trimmed || is_standard && folder == module {
        return Some(path);
    }
    let rest = behind_folder(path, |folder| folder == "src").filter(|_| is_standard)?;
    let below = rest.rsplit_once('/').map(|(folder, _)| folder);
    (below == Some(module) || module.is_empty()).then_some(rest)
}
