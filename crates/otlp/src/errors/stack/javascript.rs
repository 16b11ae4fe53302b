//! Stack traces of JavaScript, as V8 writes them, and as Firefox and Safari do; the newest call first.

use crate::errors::stack::chain::{Chain, Order, header};
use crate::errors::stack::frame::{Frame, digits, position, some};

/// What stands before a cause.
const CAUSES: [&str; 2] = ["[cause]: ", "Caused by: "];

/// Places of which there is no source.
const BUILT_IN: [&str; 4] = ["<anonymous>", "[native code]", "native", "unknown location"];

/// What stands before the path of a file in an address; the rest is the same on every computer.
const SCHEMES: [&str; 5] = [
    "file://",
    "webpack-internal:///",
    "webpack:///",
    "app:///",
    "http",
];

/// What addresses of code begin with that is not the program's own.
const FOREIGN: [&str; 9] = [
    "node:",
    "internal/",
    "webpack/",
    "(webpack)/",
    "deno:",
    "ext:",
    "chrome-extension://",
    "moz-extension://",
    "safari-",
];

/// Exceptions, and their calls.
pub fn parse(text: &str) -> Chain<'_> {
    let mut chain = Chain::new(Order::NewestFirst, Order::NewestFirst);
    let mut in_message = false;
    for line in text.lines() {
        let bare = line.trim();
        if let Some(frame) = frame(bare) {
            if chain.begun() == 0 {
                chain.begin(("", ""));
            }
            chain.frame(frame);
            in_message = false;
        } else if let Some(rest) = cause(bare).filter(|_| chain.begun() > 0) {
            let parent = chain.begun() - 1;
            let number = chain.begin(header(rest));
            chain.link(number, parent, "cause");
            in_message = true;
        } else if chain.begun() == 0 {
            if !bare.is_empty() {
                chain.begin(header(bare));
                in_message = true;
            }
        } else if in_message {
            chain.extend(line);
        } else if !matches!(bare, "" | "{" | "}") {
            chain.unread = true;
        }
    }
    chain
}

fn cause(line: &str) -> Option<&str> {
    CAUSES.iter().find_map(|prefix| line.strip_prefix(prefix))
}

fn frame(line: &str) -> Option<Frame<'_>> {
    match line.strip_prefix("at ") {
        Some(call) => of_v8(call.strip_suffix(" {").unwrap_or(call)),
        None => of_others(line),
    }
}

/// `FUNCTION (PLACE)` or a place alone, `async` before both.
fn of_v8(call: &str) -> Option<Frame<'_>> {
    let call = call.strip_prefix("async ").unwrap_or(call);
    let Some(inner) = call.strip_suffix(')') else {
        let place = place(call).filter(|place| place.line.is_some())?;
        return Some(place.frame(""));
    };
    let (function, inner) = inner.split_once(" (")?;
    let function = function.split(" [as ").next().unwrap_or(function);
    if let Some(evaluated) = inner.strip_prefix("eval at ") {
        // What called `eval` is in a file.
        let (_, origin) = evaluated.rsplit_once('(')?;
        return Some(place(origin.split(')').next()?)?.frame(function));
    }
    if inner.strip_prefix("index ").and_then(digits).is_some() {
        return Some(BUILT_IN_PLACE.frame(function));
    }
    let found = place(inner).filter(|place| place.line.is_some() || is_built_in(inner));
    found.map(|place| place.frame(function))
}

/// `FUNCTION@PLACE`.
fn of_others(line: &str) -> Option<Frame<'_>> {
    if line == "[native code]" {
        return Some(BUILT_IN_PLACE.frame(""));
    }
    let (function, at) = line.split_once('@')?;
    let at = at
        .split(" line ")
        .next()
        .filter(|path| path.len() < at.len())
        .map_or(Some((at, None)), |path| {
            // `x.js line 3 > eval:1:1`: what called `eval` is in that line.
            let number = at[path.len() + " line ".len()..].split(' ').next()?;
            Some((path, digits(number)))
        });
    let (path, line_of_eval) = at?;
    let mut place = place(path)?;
    place.line = place.line.or(line_of_eval);
    let is_call = place.line.is_some() || is_built_in(path);
    // What began an asynchronous call stands before it: `promise callback*f`.
    let function = function.rsplit('*').next().unwrap_or(function);
    is_call.then(|| place.frame(function))
}

fn is_built_in(place: &str) -> bool {
    BUILT_IN.contains(&place)
}

#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    address: &'a str,
    line: Option<u64>,
    column: Option<u64>,
}

const BUILT_IN_PLACE: Place<'_> = Place {
    address: "",
    line: None,
    column: None,
};

fn place(text: &str) -> Option<Place<'_>> {
    if is_built_in(text) {
        return Some(BUILT_IN_PLACE);
    }
    let (address, line, column) = position(text);
    let is_one = !address.is_empty() && !address.contains(['(', ')', '<']);
    is_one.then_some(Place {
        address,
        line,
        column,
    })
}

impl<'a> Place<'a> {
    fn frame(self, function: &'a str) -> Frame<'a> {
        let Place {
            address,
            line,
            column,
        } = self;
        Frame {
            function: some(function.trim()),
            filename: some(file(address)),
            abs_path: some(address),
            lineno: line,
            colno: column,
            in_app: is_in_app(address),
            ..Frame::default()
        }
    }
}

/// The path in an address.
fn file(address: &str) -> &str {
    let Some(scheme) = SCHEMES.iter().find(|scheme| address.starts_with(**scheme)) else {
        return address;
    };
    if *scheme != "http" {
        return &address[scheme.len()..];
    }
    let path = address
        .split_once("://")
        .and_then(|(_, rest)| Some(&rest[rest.find('/')?..]));
    path.map_or(address, |path| {
        path.split(['?', '#']).next().unwrap_or(path)
    })
}

fn is_in_app(address: &str) -> bool {
    let file = file(address);
    let is_foreign = FOREIGN
        .iter()
        .any(|foreign| address.starts_with(foreign) || file.starts_with(foreign));
    let is_dependency = file
        .split(['/', '\\'])
        .any(|folder| folder == "node_modules");
    !address.is_empty() && !is_foreign && !is_dependency
}
