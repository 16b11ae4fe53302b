//! Stack traces of Java and Kotlin, and of what writes them alike: the newest call first, causes behind.

use crate::errors::stack::chain::{Chain, Number, Order, header};
use crate::errors::stack::frame::{Frame, digits, number_behind, some};

/// What stands before a further exception, and how it belongs to another.
const FURTHER: [(&str, Kin); 2] = [
    ("Caused by: ", Kin::Cause),
    ("Suppressed: ", Kin::Suppressed),
];

/// What stands behind the number of calls that an exception has in common with the one that it caused.
const MORE: [&str; 2] = [" more", " common frames omitted"];

/// Places that are none of a source file.
const NO_FILES: [&str; 2] = ["Native Method", "Unknown Source"];

/// What the packages of the standard libraries and of much used frameworks begin with.
const LIBRARIES: [&str; 35] = [
    "_COROUTINE.",
    "akka.",
    "android.",
    "androidx.",
    "ch.qos.logback.",
    "com.android.",
    "com.fasterxml.",
    "com.google.common.",
    "com.sun.",
    "com.zaxxer.hikari.",
    "dalvik.",
    "feign.",
    "groovy.lang.",
    "io.grpc.",
    "io.ktor.",
    "io.micronaut.",
    "io.netty.",
    "io.opentelemetry.",
    "io.quarkus.",
    "io.undertow.",
    "io.vertx.",
    "jakarta.",
    "java.",
    "javax.",
    "jdk.",
    "kotlin.",
    "kotlinx.",
    "okhttp3.",
    "org.apache.",
    "org.eclipse.jetty.",
    "org.hibernate.",
    "org.springframework.",
    "reactor.",
    "scala.",
    "sun.",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kin {
    Cause,
    Suppressed,
}

/// Exceptions, and their calls.
pub fn parse(text: &str) -> Chain<'_> {
    let mut chain = Chain::new(Order::NewestFirst, Order::NewestFirst);
    // Exceptions that more may belong to, with their indentation.
    let mut around: Vec<(usize, Number)> = Vec::new();
    let mut in_message = false;
    for line in text.lines() {
        let bare = line.trim();
        let indent = line.len() - line.trim_start().len();
        if let Some(frame) = frame(bare) {
            if chain.begun() == 0 {
                around.push((indent, chain.begin(("", ""))));
            }
            chain.frame(frame);
            in_message = false;
        } else if let Some(count) = more(bare) {
            chain.common(count);
            in_message = false;
        } else if let Some((rest, kin)) = further(bare).filter(|_| chain.begun() > 0) {
            if rest.starts_with("[CIRCULAR REFERENCE") {
                chain.unread = true;
                continue;
            }
            let is_inner = |(other, _): &(usize, Number)| match kin {
                Kin::Cause => *other > indent,
                Kin::Suppressed => *other >= indent && *other > 0,
            };
            while around.len() > 1 && around.last().is_some_and(is_inner) {
                around.pop();
            }
            let number = chain.begin(header(rest));
            if let Some((other, parent)) = around.last().copied() {
                let source = match kin {
                    Kin::Cause => "cause",
                    Kin::Suppressed => "suppressed",
                };
                chain.link(number, parent, source);
                if kin == Kin::Cause && other == indent {
                    around.pop();
                }
            }
            around.push((indent, number));
            in_message = true;
        } else if chain.begun() == 0 {
            if !bare.is_empty() {
                let number = chain.begin(header(without_thread(bare)));
                around.push((indent, number));
                in_message = true;
            }
        } else if in_message {
            chain.extend(line);
        } else if !bare.is_empty() {
            chain.unread = true;
        }
    }
    chain
}

fn further(line: &str) -> Option<(&str, Kin)> {
    let found = |(prefix, kin): &(&str, Kin)| Some((line.strip_prefix(prefix)?, *kin));
    FURTHER.iter().find_map(found)
}

/// `Exception in thread "main" java.lang.Error` without what stands before the type.
fn without_thread(line: &str) -> &str {
    let rest = line.strip_prefix("Exception in thread \"");
    rest.and_then(|rest| rest.split_once("\" "))
        .map_or(line, |(_, rest)| rest)
}

/// `... 23 more`, or as Logback writes it.
fn more(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("... ")?;
    let count = MORE.iter().find_map(|end| rest.strip_suffix(end))?;
    usize::try_from(digits(count)?).ok()
}

/// `at LOADER/MODULE@VERSION/PACKAGE.CLASS.METHOD(FILE:LINE)`, with a library in brackets behind.
fn frame(line: &str) -> Option<Frame<'_>> {
    let (callee, rest) = line.strip_prefix("at ")?.split_once('(')?;
    let (place, behind) = rest.split_once(')')?;
    if callee.is_empty() || callee.ends_with(' ') || !is_library(behind.trim()) {
        return None;
    }
    let (file, lineno) = match number_behind(place) {
        Some((file, line)) => (file, Some(line)),
        None if NO_FILES.contains(&place) => ("", None),
        None => (place.trim_start_matches(':'), None),
    };
    let is_file = file.contains(['.', '<']) || lineno.is_some() || NO_FILES.contains(&place);
    if !is_file || file.contains(['/', '\\', ' ']) || callee.contains("://") {
        return None;
    }
    let name = without_modules(callee);
    let (module, function) = name.rsplit_once('.').unwrap_or(("", name));
    Some(Frame {
        function: some(function),
        module: some(module),
        filename: some(file),
        lineno,
        in_app: !LIBRARIES.iter().any(|library| name.starts_with(library)),
        ..Frame::default()
    })
}

/// Nothing, or `[app.jar:1.0]`, or `~[?:?]`.
fn is_library(text: &str) -> bool {
    text.is_empty() || text.trim_start_matches('~').starts_with('[')
}

/// The class and the method, without the loader and the module of Java 9. A hidden class has an address with a slash
/// in its name.
fn without_modules(callee: &str) -> &str {
    let is_border = |(at, _): &(usize, &str)| {
        let next = callee[at + 1..].bytes().next();
        next.is_some_and(|byte| !byte.is_ascii_digit())
    };
    let last = callee.rmatch_indices('/').find(is_border);
    last.map_or(callee, |(at, _)| &callee[at + 1..])
}
