//! Stack traces of .NET: the newest call first, all messages before the calls of the innermost exception.

use crate::errors::stack::chain::{Chain, Number, Order, header};
use crate::errors::stack::frame::{Frame, digits, number_behind, some};

/// What stands before an exception that caused the one above or beside it.
const INNER: &str = "---> ";

/// What ends the calls of an exception that caused another.
const END_OF_INNER: &str = "--- End of inner exception stack trace ---";

/// What ends those of a member of an aggregate.
const END_OF_MEMBER: &str = "<---";

/// What stands between calls of one exception that was thrown again.
const AGAIN: &str = "--- End of stack trace from previous location";

/// What the namespaces of the standard library and of much used libraries begin with.
const LIBRARIES: [&str; 20] = [
    "Autofac.",
    "Castle.",
    "Dapper.",
    "FSharp.",
    "Grpc.",
    "Hangfire.",
    "MS.",
    "MassTransit.",
    "MediatR.",
    "Microsoft.",
    "Mono.",
    "MySql.",
    "Newtonsoft.",
    "Npgsql.",
    "OpenTelemetry.",
    "Polly.",
    "Serilog.",
    "StackExchange.",
    "System.",
    "Windows.",
];

/// Exceptions, and their calls.
pub fn parse(text: &str) -> Chain<'_> {
    let mut reader = Reader {
        chain: Chain::new(Order::NewestFirst, Order::NewestFirst),
        around: Vec::new(),
        in_message: false,
    };
    text.lines().for_each(|line| reader.line(line));
    reader.chain
}

#[derive(Debug)]
struct Reader<'a> {
    chain: Chain<'a>,
    /// The exceptions whose calls are still to come, the outermost first.
    around: Vec<Number>,
    in_message: bool,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str) {
        let bare = line.trim();
        let (bare, ends) = match bare.strip_suffix(END_OF_MEMBER) {
            Some(rest) => (rest.trim_end(), true),
            None => (bare, false),
        };
        if let Some(frame) = frame(bare) {
            if self.around.is_empty() {
                self.begin("");
            }
            self.chain.frame(frame);
            self.in_message = false;
        } else if bare == END_OF_INNER {
            self.resume();
        } else if let Some(inner) = bare.strip_prefix(INNER) {
            self.headers(inner);
        } else if bare.starts_with(AGAIN) {
            self.in_message = false;
        } else if self.chain.begun() == 0 {
            if !bare.is_empty() {
                self.headers(bare);
            }
        } else if self.in_message {
            self.chain.extend(line);
        } else if !bare.is_empty() {
            self.chain.unread = true;
        }
        if ends {
            self.resume();
        }
    }

    /// One exception, or several in a line, each caused by the next.
    fn headers(&mut self, line: &'a str) {
        let mut rest = line;
        while let Some((first, more)) = rest.split_once(" ---> ") {
            self.begin(first);
            rest = more;
        }
        self.begin(rest);
        self.in_message = true;
    }

    fn begin(&mut self, line: &'a str) {
        let number = self.chain.begin(header(without_number(line)));
        if let Some(&outer) = self.around.last() {
            self.chain.link(number, outer, "InnerException");
        }
        self.around.push(number);
    }

    fn resume(&mut self) {
        self.in_message = false;
        if self.around.len() > 1 {
            self.around.pop();
        }
        if let Some(&outer) = self.around.last() {
            self.chain.resume(outer);
        }
    }
}

/// `(Inner Exception #1) System.Exception: message` without what stands before the type.
fn without_number(line: &str) -> &str {
    let rest = line.strip_prefix("(Inner Exception #");
    let found = rest.and_then(|rest| rest.split_once(") "));
    found
        .filter(|(number, _)| digits(number).is_some())
        .map_or(line, |(_, rest)| rest)
}

/// `at NAMESPACE.CLASS.METHOD(PARAMETERS) in FILE:line 3`.
fn frame(line: &str) -> Option<Frame<'_>> {
    let call = line.strip_prefix("at ")?;
    let (call, place) = match call.rsplit_once(" in ") {
        Some((call, place)) if call.ends_with(')') => (call, place),
        _ => (call, ""),
    };
    let (name, parameters) = call.split_once('(')?;
    if !parameters.ends_with(')') || name.trim().is_empty() || name.ends_with(' ') {
        return None;
    }
    let (path, line) = number_of_line(place);
    let (module, method) = parted(name);
    Some(Frame {
        function: some(method),
        module: some(module),
        filename: some(path.rsplit(['/', '\\']).next().unwrap_or(path)),
        abs_path: some(path),
        lineno: line,
        in_app: !LIBRARIES.iter().any(|library| name.starts_with(library)),
        ..Frame::default()
    })
}

/// `FILE:line 3`, or another word for a line in another language.
fn number_of_line(place: &str) -> (&str, Option<u64>) {
    if let Some((path, line)) = number_behind(place) {
        return (path, Some(line));
    }
    let found = place.rsplit_once(' ').and_then(|(rest, number)| {
        let (path, _word) = rest.rsplit_once(':')?;
        Some((path, digits(number)?))
    });
    found.map_or((place, None), |(path, line)| (path, Some(line)))
}

/// The class and the method: constructors are called `.ctor`, methods that are generic have a type in brackets.
fn parted(name: &str) -> (&str, &str) {
    let bare = name.find('[').map_or(name, |at| &name[..at]);
    match bare.rfind('.') {
        Some(at) if bare[..at].ends_with('.') => (&name[..at - 1], &name[at..]),
        Some(at) => (&name[..at], &name[at + 1..]),
        None => ("", name),
    }
}
