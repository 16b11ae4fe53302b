//! What a stack trace says, whatever its language.

use crate::conventions::text::{cost, short};
use crate::errors::stack::frame::Frame;
use std::borrow::Cow;

/// Sentry cuts a type beyond so many characters, and a message (sentry-relay 0.10.1).
const LONGEST_KIND: usize = 256;
const LONGEST_VALUE: usize = 8192;

/// All exceptions together have at most so many bytes as JSON: Sentry takes an event of 1 MiB, and there is more in it.
const MOST: usize = 500_000;

/// What a frame has beside its texts: names of fields, numbers and punctuation.
const OF_FRAME: usize = 140;

/// What an exception has beside its texts and frames.
const OF_THROWN: usize = 400;

/// A stack trace that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack<'a> {
    /// The exception that is reported first, each of the others behind the one that it is of.
    pub thrown: Vec<Thrown<'a>>,
    /// How many exceptions are left out.
    pub left_out: usize,
    /// Whether the text says more.
    pub unread: bool,
}

/// An exception.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thrown<'a> {
    /// Its type; may be empty.
    pub kind: Cow<'a, str>,
    /// Its message; may be empty.
    pub value: Cow<'a, str>,
    /// The oldest call first.
    pub frames: Vec<Frame<'a>>,
    /// How many calls are left out.
    pub left_out: usize,
    /// The place of the exception whose cause or member it is, and how the language calls that.
    pub cause_of: Option<(usize, Cow<'static, str>)>,
    /// Whether it is made of others.
    pub has_members: bool,
}

impl<'a> Thrown<'a> {
    /// Names it as somebody tells who knows better than its text; what is empty is not told.
    #[must_use]
    pub fn named(mut self, kind: &'a str, value: &'a str) -> Self {
        if !kind.is_empty() {
            self.kind = Cow::Borrowed(kind);
        }
        if !value.is_empty() {
            self.value = Cow::Borrowed(value);
        }
        self.cut()
    }

    /// With a type and a message as long as Sentry keeps them.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.kind = cut(self.kind, LONGEST_KIND);
        self.value = cut(self.value, LONGEST_VALUE);
        self
    }
}

fn cut(text: Cow<'_, str>, most: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => short(text, most),
        Cow::Owned(text) => Cow::Owned(short(&text, most).into_owned()),
    }
}

impl Stack<'_> {
    /// How many calls were found.
    pub fn calls(&self) -> usize {
        self.thrown.iter().fold(0, |calls: usize, thrown| {
            calls
                .saturating_add(thrown.frames.len())
                .saturating_add(thrown.left_out)
        })
    }

    /// Without the calls, and then the exceptions, for which an event has no room; they are counted.
    #[must_use]
    pub fn fit(mut self) -> Self {
        let mut room = Room(MOST);
        let mut kept = 0;
        for thrown in &mut self.thrown {
            if !room.take(OF_THROWN + cost(&thrown.kind) + cost(&thrown.value)) {
                break;
            }
            kept += 1;
            // The newest calls say the most.
            let newest = thrown.frames.iter().rev();
            let fitting = newest.take_while(|frame| room.take(frame_cost(frame)));
            let dropped = thrown.frames.len() - fitting.count();
            thrown.frames.drain(..dropped);
            thrown.left_out = thrown.left_out.saturating_add(dropped);
        }
        self.left_out = self.left_out.saturating_add(self.thrown.len() - kept);
        self.thrown.truncate(kept);
        self
    }
}

#[derive(Debug)]
struct Room(usize);

impl Room {
    /// Whether there is room for so many bytes more.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

fn frame_cost(frame: &Frame<'_>) -> usize {
    OF_FRAME + frame.texts().map(cost).sum::<usize>()
}
