//! `.env` files, as python-dotenv and so Meltano and the Singer SDK read them.
//!
//! `KEY=value` with an optional `export`; the value is the rest of the line without a comment that stands behind a blank,
//! or a text in quotes, which may span lines; `${NAME}` and `${NAME:-default}` are replaced. What cannot be read is an
//! error here: a line that is passed over may have been the one that narrows or masks.

use crate::file::{self, FileError};
use std::path::{Path, PathBuf};

/// Names and values in the order in which they stand in the file.
pub type Variables = Vec<(String, String)>;

/// The variables of the nearest `.env`, upward from the working directory, and where it is. Settings begin with `prefix`.
///
/// # Errors
/// When the file cannot be opened, or a line of it cannot be read.
pub fn nearest(prefix: &str) -> Result<Option<(PathBuf, Variables)>, FileError> {
    let Ok(here) = std::env::current_dir() else {
        return Ok(None);
    };
    // A folder of that name is somebody's virtual environment.
    let Some(path) = here
        .ancestors()
        .map(|folder| folder.join(".env"))
        .find(|path| path.symlink_metadata().is_ok() && !path.is_dir())
    else {
        return Ok(None);
    };
    // A line ends with any of the three ends.
    let text = file::read(&path)?.replace("\r\n", "\n").replace('\r', "\n");
    let variables = parse(&text, prefix, &|name| std::env::var(name).ok())
        .map_err(|(line, problem)| wrong(&path, line, &problem))?;
    Ok(Some((path, variables)))
}

fn wrong(path: &Path, line: usize, problem: &str) -> FileError {
    FileError::Content(format!(
        "{}, line {line}: {problem}; write KEY=value, and put values with quotes or # in single quotes",
        path.display()
    ))
}

type Wrong = (usize, String);

/// `outside` knows the variables of the environment, which those of the file come before.
fn parse(
    text: &str,
    prefix: &str,
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<Variables, Wrong> {
    let mut variables: Variables = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(variables);
        }
        let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
        let at = |problem: &str| (line, problem.to_owned());
        if rest.starts_with('#') {
            rest = after_line(rest);
            continue;
        }
        let entry = rest
            .strip_prefix("export")
            .filter(|after| after.starts_with([' ', '\t']))
            .map_or(rest, |after| after.trim_start_matches([' ', '\t']));
        let (name, after) = name_of(entry).ok_or_else(|| at("it does not start with a name"))?;
        let after = after.trim_start_matches([' ', '\t']);
        let Some(value) = after.strip_prefix('=') else {
            // A name alone sets nothing.
            if !name.starts_with(prefix)
                && (after.is_empty() || after.starts_with(['\n', '\r', '#']))
            {
                rest = after_line(after);
                continue;
            }
            return Err(at("there is no `=` after the name"));
        };
        let behind_blank = value.starts_with([' ', '\t']);
        let value = value.trim_start_matches([' ', '\t']);
        let (value, after) = match value.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                quoted(&value[1..], quote).ok_or_else(|| at("the quotes are not closed"))?
            }
            _ => unquoted(value, behind_blank),
        };
        let after = after.trim_start_matches([' ', '\t']);
        if !(after.is_empty() || after.starts_with(['\n', '\r', '#'])) {
            return Err(at("there is text after the closing quotes"));
        }
        let known = |wanted: &str| {
            let before = variables
                .iter()
                .rev()
                .find(|(known, _)| known == wanted)
                .map(|(_, value)| value.clone());
            before.or_else(|| outside(wanted))
        };
        let value = expanded(&value, &known, name.starts_with(prefix))
            .map_err(|problem| (line, problem))?;
        variables.push((name.to_owned(), value));
        rest = after_line(after);
    }
}

fn after_line(text: &str) -> &str {
    text.find('\n').map_or("", |end| &text[end + 1..])
}

fn name_of(text: &str) -> Option<(&str, &str)> {
    if let Some(text) = text.strip_prefix('\'') {
        return text
            .split_once('\'')
            .filter(|(name, _)| !name.is_empty() && !name.contains('\n'));
    }
    let end = text
        .find(|c: char| c == '=' || c == '#' || c.is_whitespace())
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// The text up to the closing quote, with its escapes replaced, and what follows.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((value, &text[at + 1..])),
            '\\' => {
                let (_, escaped) = chars.next()?;
                match (quote, escaped) {
                    (_, '\\' | '\'') | ('"', '"') => value.push(escaped),
                    ('"', 'n') => value.push('\n'),
                    ('"', 'r') => value.push('\r'),
                    ('"', 't') => value.push('\t'),
                    (_, other) => value.extend(['\\', other]),
                }
            }
            c => value.push(c),
        }
    }
    None
}

/// The rest of the line without a comment, and what follows it.
fn unquoted(text: &str, behind_blank: bool) -> (String, &str) {
    let (line, _) = text.split_at(text.find(['\n', '\r']).unwrap_or(text.len()));
    let comment = line
        .char_indices()
        .find(|(at, c)| {
            *c == '#'
                && if *at == 0 {
                    behind_blank
                } else {
                    line[..*at].ends_with([' ', '\t'])
                }
        })
        .map(|(at, _)| at);
    (
        line[..comment.unwrap_or(line.len())].trim_end().to_owned(),
        &text[line.len()..],
    )
}

/// With the variables that it names. One that is not set is an error: nothing in its place may mean everything.
fn expanded(
    value: &str,
    known: &dyn Fn(&str) -> Option<String>,
    ours: bool,
) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), value);
    while let Some((before, inside)) = rest.split_once("${") {
        let Some((name, after)) = inside.split_once('}') else {
            break;
        };
        let (name, default) = name
            .split_once(":-")
            .map_or((name, None), |(name, default)| (name, Some(default)));
        out.push_str(before);
        match known(name).or_else(|| default.map(str::to_owned)) {
            Some(value) => out.push_str(&value),
            // Of another program, whose own affair it is.
            None if !ours => {}
            None => return Err(format!("it uses the variable `{name}`, which is not set")),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn read(text: &str) -> Result<Variables, Wrong> {
        parse(text, "TAP_SENTRY_", &|name| {
            (name == "OUTSIDE").then(|| "out".to_owned())
        })
    }

    /// Each as python-dotenv 1.2.4 reads it, but for the variable that is not set, which it takes for empty.
    #[rstest]
    #[case::plain("K=v", "v")]
    #[case::blanks_without_quotes("K=svc-0, svc-9", "svc-0, svc-9")]
    #[case::a_list_of_json(r#"K=["a", "b"]"#, r#"["a", "b"]"#)]
    #[case::blanks_around("  export  K = v  \r\n", "v")]
    #[case::a_comment("K=v # why", "v")]
    #[case::no_comment("K=v#1", "v#1")]
    #[case::no_comment_either("K=# x", "# x")]
    #[case::a_comment_for_a_value("K= # x", "")]
    #[case::not_set_of_another_program("K=a${NOWHERE}", "a")]
    #[case::single_quotes(r"K='a # \'b\' \n'", r"a # 'b' \n")]
    #[case::double_quotes("K=\"a \\\"b\\\"\\n\" # why", "a \"b\"\n")]
    #[case::lines_in_quotes("K='a\nb'\nL=1", "a\nb")]
    #[case::quotes_within("K=a'b", "a'b")]
    #[case::empty("K=\nL=1", "")]
    #[case::a_name_in_quotes("'K'=v", "v")]
    #[case::from_outside("K=${OUTSIDE}/x", "out/x")]
    #[case::by_default("K=${NOWHERE:-d}", "d")]
    #[case::a_dollar("K=a$b", "a$b")]
    fn a_line(#[case] text: &str, #[case] expected: &str) {
        let variables = read(text).expect(text);
        assert_eq!(variables[0], ("K".to_owned(), expected.to_owned()));
    }

    #[test]
    fn lines_that_set_nothing_and_names_of_before() {
        let variables = read("# why\n\nALONE\nA=1\nB=${A}2\nA=3\n").expect("a file");
        let expected = [("A", "1"), ("B", "12"), ("A", "3")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables, expected);
    }

    #[rstest]
    #[case::open_quotes("A=1\nK='a", 2)]
    #[case::behind_the_quotes("K=\"a\" b", 1)]
    #[case::no_equals_sign("\n\nK v", 3)]
    #[case::no_name("=v", 1)]
    #[case::not_set("TAP_SENTRY_X=${NOWHERE}", 1)]
    #[case::ours_without_a_value("TAP_SENTRY_X", 1)]
    fn what_cannot_be_read_is_told_by_its_line(#[case] text: &str, #[case] line: usize) {
        assert_eq!(read(text).expect_err("refused").0, line);
    }
}
