//! One call of a stack trace.

use crate::conventions::text::short;
use serde::Serialize;
use std::borrow::Cow;

/// What sentry-relay 0.10.1 keeps of the name of a function is 512 characters; the others it would keep whole.
const LONGEST: usize = 500;

/// Sentry's frame.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Frame<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<Cow<'a, str>>,
    /// As far as it is the same on every computer, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<Cow<'a, str>>,
    /// As it stands in the stack trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abs_path: Option<Cow<'a, str>>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lineno: Option<u64>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colno: Option<u64>,
    /// The line of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_line: Option<Cow<'a, str>>,
    /// Whether it is the program's own code: no standard library and no dependency.
    pub in_app: bool,
}

impl<'a> Frame<'a> {
    /// With texts as long as Sentry keeps them.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.texts_mut().into_iter().flatten().for_each(|text| {
            if let Cow::Owned(shorter) = short(text, LONGEST) {
                *text = Cow::Owned(shorter);
            }
        });
        self
    }

    fn texts_mut(&mut self) -> [Option<&mut Cow<'a, str>>; 5] {
        [
            self.function.as_mut(),
            self.module.as_mut(),
            self.filename.as_mut(),
            self.abs_path.as_mut(),
            self.context_line.as_mut(),
        ]
    }

    /// Its texts.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = [
            &self.function,
            &self.module,
            &self.filename,
            &self.abs_path,
            &self.context_line,
        ];
        texts.into_iter().filter_map(Option::as_deref)
    }
}

/// A path, and the line and the column behind it: `x.js:3:7`, `x.go:3`.
pub fn position(text: &str) -> (&str, Option<u64>, Option<u64>) {
    let Some((path, last)) = number_behind(text) else {
        return (text, None, None);
    };
    match number_behind(path) {
        Some((path, line)) => (path, Some(line), Some(last)),
        None => (path, Some(last), None),
    }
}

/// What stands before the last colon, and the number behind it.
pub fn number_behind(text: &str) -> Option<(&str, u64)> {
    let (path, number) = text.rsplit_once(':')?;
    Some((path, digits(number)?)).filter(|_| !path.is_empty())
}

/// A number of digits alone.
pub fn digits(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// What stands in a path behind the last folder of such a name.
pub fn behind_folder(path: &str, is_it: impl Fn(&str) -> bool) -> Option<&str> {
    let mut end = path.len();
    while let Some(at) = path[..end].rfind(['/', '\\']) {
        let start = path[..at].rfind(['/', '\\']).map_or(0, |at| at + 1);
        if is_it(&path[start..at]) {
            return Some(&path[at + 1..]);
        }
        end = at;
    }
    None
}

/// A text, none where it is empty.
pub fn some(text: &str) -> Option<Cow<'_, str>> {
    (!text.is_empty()).then_some(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/app/x.js:3:7", ("/app/x.js", Some(3), Some(7)))]
    #[case("C:\\x.go:3", ("C:\\x.go", Some(3), None))]
    #[case("x.js", ("x.js", None, None))]
    #[case("x:-3", ("x:-3", None, None))]
    #[case("x:+3", ("x:+3", None, None))]
    #[case(":3", (":3", None, None))]
    #[case("x:99999999999999999999", ("x:99999999999999999999", None, None))]
    fn positions_stand_behind_paths(
        #[case] text: &str,
        #[case] found: (&str, Option<u64>, Option<u64>),
    ) {
        assert_eq!(position(text), found);
    }

    #[rstest]
    #[case("/a/gems/x/gems/y/z.rb", Some("y/z.rb"))]
    #[case("gems/y.rb", Some("y.rb"))]
    #[case("C:\\gems\\y.rb", Some("y.rb"))]
    #[case("/a/mygems/y.rb", None)]
    #[case("gems", None)]
    #[case("", None)]
    fn a_folder_is_a_whole_name(#[case] path: &str, #[case] rest: Option<&str>) {
        assert_eq!(behind_folder(path, |name| name == "gems"), rest);
    }

    #[test]
    fn long_texts_are_cut_on_the_border_of_a_character() {
        let long = "ä".repeat(LONGEST + 1);
        let frame = Frame {
            function: some(&long),
            filename: some("x"),
            ..Frame::default()
        };
        let cut = frame.cut();
        let texts: Vec<_> = cut.texts().map(|text| text.chars().count()).collect();
        assert_eq!(texts, [LONGEST, 1]);
        assert!(cut.function.is_some_and(|name| name.ends_with("ä...")));
    }
}
