//! What a stack trace says that frames do not hold: its text, and how much is left out.

use crate::conventions::text::cost;
use crate::errors::stack::thrown::Stack;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Sentry cuts a text in `extra` beyond 16,384 characters (sentry-relay 0.10.1).
const LONGEST: usize = 16_000;

/// All texts together, in bytes as JSON.
const MOST: usize = 150_000;

/// What stands where the text was cut.
const CUT: &str = "...";

/// Names of what is in it.
const TEXT: &str = "exception.stacktrace";
const FRAMES: &str = "exception.frames_left_out";
const EXCEPTIONS: &str = "exception.causes_left_out";

/// Sentry's `extra`: names and values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extra(Vec<(String, Value)>);

impl Extra {
    /// The text of a stack trace if something of it is in no frame.
    pub fn of(text: Option<&str>, stack: Option<&Stack<'_>>) -> Self {
        let mut extra = Self::default();
        let (mut frames, mut exceptions) = (0_usize, 0);
        if let Some(stack) = stack {
            exceptions = stack.left_out;
            let of_each = stack.thrown.iter().map(|thrown| thrown.left_out);
            frames = of_each.fold(0, usize::saturating_add);
        }
        let is_whole = stack.is_some_and(|stack| !stack.unread) && frames == 0 && exceptions == 0;
        if let Some(text) = text.filter(|_| !is_whole) {
            extra.text(text);
        }
        for (name, count) in [(FRAMES, frames), (EXCEPTIONS, exceptions)] {
            if count > 0 {
                extra.0.push((name.to_owned(), count.into()));
            }
        }
        extra
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text in pieces: the first under its name, the others with their number behind it.
    fn text(&mut self, text: &str) {
        let mut room = MOST;
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.char_indices().nth(LONGEST);
            let (piece, more) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
            let Some(left) = room.checked_sub(cost(piece)) else {
                self.cut();
                return;
            };
            let number = self.0.len() + 1;
            let name = match number {
                1 => TEXT.to_owned(),
                _ => format!("{TEXT}_{number}"),
            };
            self.0.push((name, piece.into()));
            (room, rest) = (left, more);
        }
    }

    fn cut(&mut self) {
        if let Some((_, Value::String(last))) = self.0.last_mut() {
            last.push_str(CUT);
        }
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::stack::parse;
    use serde_json::json;

    fn extra(text: &str) -> Value {
        let stack = parse(text, None);
        serde_json::to_value(Extra::of(Some(text), stack.as_ref())).expect("JSON")
    }

    #[test]
    fn a_text_that_is_understood_is_not_there_twice() {
        let text = "ValueError: x\n    at f (/app/x.js:1:2)\n";
        assert_eq!(extra(text), json!({}));
        let more = format!("{text}something else\n");
        assert_eq!(extra(&more), json!({ TEXT: more }));
        assert_eq!(extra("no stack"), json!({ TEXT: "no stack" }));
        assert_eq!(extra(""), json!({}));
    }

    #[test]
    fn a_long_text_is_in_pieces() {
        let text = "ä".repeat(LONGEST + 5);
        let pieces = extra(&text);
        assert_eq!(pieces[TEXT], "ä".repeat(LONGEST));
        assert_eq!(pieces["exception.stacktrace_2"], "ä".repeat(5));
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_where_one_sees_it() {
        for text in ["ä".repeat(MOST), "\u{1}".repeat(MOST)] {
            let pieces = extra(&text);
            let all = pieces.as_object().expect("an object");
            let last = all.values().next_back().and_then(Value::as_str);
            assert!(last.is_some_and(|last| last.ends_with(CUT)), "{last:?}");
            assert!(pieces.to_string().len() < MOST + 1000);
        }
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let call = "    at f (/app/x.js:1:2)\n".repeat(300);
        let text = format!(
            "E: 1\n{call}{}",
            "[cause]: E: 2\n    at f (x.js:1:2)\n".repeat(60)
        );
        let extra = extra(&text);
        assert_eq!(
            (&extra[FRAMES], &extra[EXCEPTIONS]),
            (&json!(50), &json!(11))
        );
        assert_eq!(extra[TEXT], text);
    }
}
