//! Exceptions of a stack trace while it is read: one, and those that caused it.

use crate::errors::stack::frame::Frame;
use crate::errors::stack::kept::{Kept, Most};
use crate::errors::stack::thrown::{Stack, Thrown};
use std::borrow::Cow;

/// What Sentry keeps of a stack, from its oldest call: sentry-relay 0.10.1 cuts at the same places.
pub const FRAMES: Most = Most {
    first: 50,
    last: 200,
};

/// Exceptions of a chain, from the one that is reported. Its causes are in one line; the last of it is what went wrong
/// first. Groups are wide, and all their members the same to us.
const EXCEPTIONS: Most = Most {
    first: 40,
    last: 10,
};

/// More of a message is not kept while it is read; in bytes.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// So many calls may be there again because a text says that they repeat, or are another exception's, too: each of a
/// whole chain. A text of little else would cost more than its length.
const COPIES: usize = 12_500;

/// The number of an exception, in the order of the text.
pub type Number = usize;

/// Which way a text runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

/// Exceptions as they are found in a text.
#[derive(Debug)]
pub struct Chain<'a> {
    calls: Order,
    thrown: Kept<Open<'a>>,
    begun: usize,
    current: Number,
    root: Option<Number>,
    copies: usize,
    /// Whether something of the text was not understood.
    pub unread: bool,
}

#[derive(Debug, PartialEq)]
struct Open<'a> {
    number: Number,
    kind: Cow<'a, str>,
    value: Cow<'a, str>,
    frames: Kept<Frame<'a>>,
    /// Whose cause or member it is, and how.
    parent: Option<(Number, Cow<'static, str>)>,
    has_members: bool,
}

impl<'a> Chain<'a> {
    /// Of a text in which calls and exceptions run that way.
    pub const fn new(calls: Order, exceptions: Order) -> Self {
        let most = match exceptions {
            Order::NewestFirst => EXCEPTIONS,
            Order::OldestFirst => EXCEPTIONS.reversed(),
        };
        Self {
            calls,
            thrown: Kept::new(most),
            begun: 0,
            current: 0,
            root: None,
            copies: COPIES,
            unread: false,
        }
    }

    /// Begins an exception; what follows is its own. The first is the one that is reported, unless another is named.
    pub fn begin(&mut self, (kind, value): (&'a str, impl Into<Cow<'a, str>>)) -> Number {
        let number = self.begun;
        self.begun += 1;
        self.current = number;
        self.root.get_or_insert(number);
        self.thrown.push(Open {
            number,
            kind: Cow::Borrowed(kind),
            value: value.into(),
            frames: Kept::new(match self.calls {
                Order::NewestFirst => FRAMES.reversed(),
                Order::OldestFirst => FRAMES,
            }),
            parent: None,
            has_members: false,
        });
        number
    }

    /// How many were begun.
    pub const fn begun(&self) -> usize {
        self.begun
    }

    /// What follows is that one's again.
    pub const fn resume(&mut self, number: Number) {
        self.current = number;
    }

    /// The exception that is reported.
    pub const fn report(&mut self, number: Number) {
        self.root = Some(number);
    }

    /// Says whose cause an exception is.
    pub fn link(&mut self, number: Number, parent: Number, source: impl Into<Cow<'static, str>>) {
        if let Some(open) = self.open(number) {
            open.parent = Some((parent, source.into()));
        }
    }

    /// Says that an exception is made of others.
    pub fn group(&mut self, number: Number) {
        if let Some(open) = self.open(number) {
            open.has_members = true;
        }
    }

    /// What the exception in hand is called, where that comes behind its calls.
    pub fn name(&mut self, (kind, value): (&'a str, &'a str)) {
        if let Some(open) = self.open(self.current) {
            (open.kind, open.value) = (Cow::Borrowed(kind), Cow::Borrowed(value));
        }
    }

    /// Another line of the message.
    pub fn extend(&mut self, line: &str) {
        let open = self.open(self.current);
        if let Some(open) = open.filter(|open| open.value.len() < LONGEST_MESSAGE) {
            let value = open.value.to_mut();
            value.push('\n');
            value.push_str(line);
        }
    }

    /// The next call.
    pub fn frame(&mut self, frame: Frame<'a>) {
        if let Some(open) = self.open(self.current) {
            open.frames.push(frame.cut());
        }
    }

    /// The call that came last.
    pub fn last_frame(&mut self) -> Option<&mut Frame<'a>> {
        self.open(self.current)?.frames.last_mut()
    }

    /// The call that came last, so many times more.
    pub fn repeat(&mut self, times: usize) {
        let copies = times.min(FRAMES.all());
        if self.may_copy(copies)
            && let Some(open) = self.open(self.current)
        {
            open.frames.repeat(times);
        }
    }

    /// The last so many calls are those of the exception that this one caused.
    pub fn common(&mut self, count: usize) {
        if !self.may_copy(count.min(FRAMES.all())) {
            return;
        }
        let of = self
            .open(self.current)
            .and_then(|open| open.parent.as_ref());
        let parent = of.map(|(parent, _)| *parent);
        let frames = parent.and_then(|parent| Some(self.open(parent)?.frames.clone()));
        match (frames, self.open(self.current)) {
            (Some(frames), Some(open)) => open.frames.copy_end(&frames, count),
            _ => self.unread = true,
        }
    }

    fn may_copy(&mut self, copies: usize) -> bool {
        let left = self.copies.checked_sub(copies);
        self.copies = left.unwrap_or(self.copies);
        self.unread |= left.is_none();
        left.is_some()
    }

    fn open(&mut self, number: Number) -> Option<&mut Open<'a>> {
        // It is nearly always the last.
        let mut from_end = self.thrown.iter_mut().rev();
        from_end.find(|open| open.number == number)
    }

    /// The exceptions, the one that is reported first, each behind the one whose cause it is. None where no call was found.
    pub fn finish(self) -> Option<Stack<'a>> {
        let (calls, left_out) = (self.calls, self.thrown.left_out());
        let mut unread = self.unread;
        let mut open: Vec<Option<Open<'_>>> =
            self.thrown.into_vec().into_iter().map(Some).collect();
        let place = |number| {
            let known =
                |open: &Option<Open<'_>>| open.as_ref().is_some_and(|open| open.number == number);
            open.iter().position(known)
        };
        let root = place(self.root?)?;
        let mut children = vec![Vec::new(); open.len()];
        for (at, item) in open.iter().enumerate().filter(|(at, _)| *at != root) {
            match item.as_ref().and_then(|item| item.parent.as_ref()) {
                // What it belongs to is left out; the report is what it led to in the end.
                Some((parent, _)) => children[place(*parent).unwrap_or(root)].push(at),
                // Nothing is said of how it belongs to the others.
                None => unread = true,
            }
        }
        let mut thrown = Vec::with_capacity(open.len());
        let mut waiting = vec![(root, None)];
        while let Some((at, parent)) = waiting.pop() {
            let Some(item) = open[at].take() else {
                continue;
            };
            let own = thrown.len();
            waiting.extend(children[at].iter().rev().map(|&child| (child, Some(own))));
            thrown.push(item.close(parent, calls));
        }
        let found = thrown
            .iter()
            .any(|thrown: &Thrown<'_>| !thrown.frames.is_empty());
        found.then_some(Stack {
            thrown,
            left_out,
            unread,
        })
    }
}

impl<'a> Open<'a> {
    fn close(self, parent: Option<usize>, calls: Order) -> Thrown<'a> {
        let left_out = self.frames.left_out();
        let mut frames = self.frames.into_vec();
        if calls == Order::NewestFirst {
            frames.reverse();
        }
        let source = self.parent.map(|(_, source)| source);
        Thrown {
            kind: self.kind,
            value: self.value,
            frames,
            left_out,
            cause_of: parent.map(|parent| (parent, source.unwrap_or_default())),
            has_members: self.has_members,
        }
        .cut()
    }
}

/// Type and message of a line `Type: message`; a line of several words is a message alone.
pub fn header(line: &str) -> (&str, &str) {
    let line = line.trim();
    match line.split_once(": ") {
        Some((kind, value)) if is_type(kind) => (kind, value.trim_start()),
        _ => match line.strip_suffix(':').unwrap_or(line) {
            kind if is_type(kind) => (kind, ""),
            _ => ("", line),
        },
    }
}

fn is_type(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}
