//! Stack traces as programs wrote them, and as they are read.

use super::*;
use crate::errors::stack::frame::Frame;
use crate::errors::stack::thrown::Thrown;
use proptest::prelude::*;
use rstest::rstest;
use std::fmt::Write;
use std::path::PathBuf;

/// A stack as text, the reported exception first, its oldest call first; `+` is the program's own.
fn shown(stack: &Stack<'_>) -> String {
    let mut text = String::new();
    for Thrown {
        kind,
        value,
        frames,
        left_out,
        cause_of,
        has_members,
    } in &stack.thrown
    {
        let group = if *has_members { " (group)" } else { "" };
        let of = cause_of
            .as_ref()
            .map_or(String::new(), |(of, how)| format!(" [{how} of {of}]"));
        writeln!(text, "{kind:?} {value:?}{group}{of}").expect("text");
        for frame in frames {
            writeln!(text, "{}", call(frame)).expect("text");
        }
        if *left_out > 0 {
            writeln!(text, "  {left_out} left out").expect("text");
        }
    }
    if stack.unread {
        text.push_str("and more\n");
    }
    text
}

fn call(frame: &Frame<'_>) -> String {
    let own = if frame.in_app { '+' } else { '-' };
    let module = frame.module.as_deref().unwrap_or_default();
    let function = frame.function.as_deref().unwrap_or_default();
    let mut text = format!("  {own} {module}|{function}|");
    let (path, file) = (frame.abs_path.as_deref(), frame.filename.as_deref());
    match (path, file) {
        (Some(path), Some(file)) if path.ends_with(file) => {
            let (folder, file) = path.split_at(path.len() - file.len());
            write!(text, "{folder}«{file}»").expect("text");
        }
        _ => write!(text, "{path:?} {file:?}").expect("text"),
    }
    let place = [frame.lineno, frame.colno];
    place
        .iter()
        .flatten()
        .for_each(|number| write!(text, ":{number}").expect("text"));
    if let Some(source) = &frame.context_line {
        write!(text, " {source}").expect("text");
    }
    text
}

#[rstest]
fn stack_traces_are_read_as_they_were_written(
    #[files("src/errors/stack/samples/*.txt")] path: PathBuf,
) {
    let text = std::fs::read_to_string(&path).expect("a sample");
    let read = parse(&text, None).map_or_else(|| "nothing\n".to_owned(), |stack| shown(&stack));
    let name = path
        .file_stem()
        .and_then(|name| name.to_str())
        .expect("a name");
    let language = name.split('_').next();
    let told = parse(&text, language).map(|stack| shown(&stack));
    assert_eq!(told.unwrap_or_else(|| "nothing\n".to_owned()), read);
    let expected = std::fs::read_to_string(path.with_extension("read")).expect("how it is read");
    assert_eq!(read, expected);
}

/// Lines of all languages, with holes for numbers.
const LINES: &[&str] = &[
    "Traceback (most recent call last):",
    "  + Exception Group Traceback (most recent call last):",
    "  | Traceback (most recent call last):",
    "    | Traceback (most recent call last):",
    "  File \"/app/x.py\", line 3, in f",
    "    |   File \"/app/x.py\", line 3, in f",
    "  [Previous line repeated 99999999999 more times]",
    "ValueError: x",
    "    | ValueError: x",
    "  +-+---------------- 1 ----------------",
    "    +------------------------------------",
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
    "java.lang.Error: x",
    "\tat a.B.c(B.java:3)",
    "\t\tat a.B.c(Native Method)",
    "Caused by: a.C: x",
    "\tSuppressed: a.D: x",
    "\t\t... 99999999999 more",
    "    at f (/app/x.js:1:2)",
    "    at eval (eval at f (/app/x.js:1:2), <anonymous>:1:1)",
    "[cause]: Error: x",
    "f@https://x/y.js:1:2",
    "goroutine 1 [running]:",
    "main.f(0x1)",
    "\t/app/x.go:3 +0x1d",
    "created by main.g in goroutine 1",
    "x.rb:3:in `f': no (E)",
    "\tfrom x.rb:3:in 'f'",
    "\t1: from x.rb:3:in 'f'",
    "#0 /app/x.php(3): f('a')",
    "#1 {main}",
    "Stack trace:",
    "Next E: x in /app/x.php:3",
    " ---> System.Exception: x ---> System.Exception: y",
    "   --- End of inner exception stack trace ---",
    "   at N.C.M(Int32 a) in /app/x.cs:line 3<---",
    "stack backtrace:",
    "   0:     0x55 - a::b::h0123456789abcdef",
    "             at ./x.rs:1:2",
    "Caused by:",
    "    0: x",
    "",
    "ä('`\"[]({@: in :in line",
];

fn check_all(text: &str) -> Result<(), TestCaseError> {
    let languages = LANGUAGES.iter().map(|language| Some(language.names[0]));
    let mut stacks = languages
        .chain([None])
        .map(|language| parse(text, language));
    stacks.try_for_each(|stack| check(stack.as_ref()))
}

fn check(stack: Option<&Stack<'_>>) -> Result<(), TestCaseError> {
    if let Some(stack) = stack {
        prop_assert!((1..=50).contains(&stack.thrown.len()));
        prop_assert!(stack.thrown[0].cause_of.is_none());
        for (at, thrown) in stack.thrown.iter().enumerate() {
            prop_assert!(thrown.frames.len() <= 250);
            prop_assert!(thrown.kind.chars().count() <= 256);
            prop_assert!(thrown.value.chars().count() <= 8192);
            if let Some((of, _)) = &thrown.cause_of {
                prop_assert!(*of < at);
            } else {
                prop_assert_eq!(at, 0);
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_comes_is_read_within_bounds(
        lines in prop::collection::vec(prop::sample::select(LINES), 0..200),
    ) {
        check_all(&lines.join("\n"))?;
    }

    #[test]
    fn random_text_does_no_harm(text in "\\PC{0,80}", line in prop::sample::select(LINES), at in 0_usize..60) {
        let mut changed = line.to_owned();
        let at = (0..=at.min(line.len())).rev().find(|at| line.is_char_boundary(*at));
        changed.insert_str(at.unwrap_or(0), &text);
        check_all(&changed)?;
        check_all(&format!("{line}\n{changed}\n{line}"))?;
    }
}

#[rstest]
fn large_texts_are_read_within_bounds(#[values("\n", "")] between: &str) {
    for line in LINES.iter().filter(|line| !line.is_empty()) {
        let times = 30_000 / line.len();
        let text = [*line].repeat(times).join(between);
        check(parse(&text, None).as_ref()).expect("bounds");
    }
}

#[test]
fn deep_nesting_is_read_within_bounds() {
    let nested = |open: &str, indent: &str| -> String {
        (0..500)
            .map(|depth| format!("{}{open}\n", indent.repeat(depth)))
            .collect::<Vec<_>>()
            .concat()
    };
    for text in [
        nested("Suppressed: a.B: x\n\tat a.B.c(B.java:1)", "\t"),
        nested(
            "| Traceback (most recent call last):\n|   File \"x.py\", line 3, in f",
            "  ",
        ),
        nested("  at f (eval at f (eval at f (x.js:1:2)))", " "),
        format!("x\n    at f ({})", "eval at f (".repeat(20_000)),
        format!("{}\n\t/app/x.go:3", "main.f(".repeat(20_000)),
        format!("{})\n\t/app/x.go:3", "main.f(".repeat(20_000)),
    ] {
        check(parse(&text, None).as_ref()).expect("bounds");
    }
}

#[test]
fn a_deep_stack_keeps_its_ends_and_a_long_chain_its_cause() {
    let calls: String = (0..300)
        .map(|call| format!("\tat a.B.c{call}(B.java:1)\n"))
        .collect::<Vec<_>>()
        .concat();
    let causes: String = (1..80)
        .map(|cause| format!("Caused by: a.E{cause}: x\n"))
        .collect::<Vec<_>>()
        .concat();
    let text = format!("a.E0: x\n{calls}{causes}");
    let stack = parse(&text, Some("java")).expect("a stack");
    let first = &stack.thrown[0];
    let function = |at: usize| first.frames[at].function.as_deref();
    assert_eq!((first.frames.len(), first.left_out), (250, 50));
    assert_eq!((function(0), function(49)), (Some("c299"), Some("c250")));
    assert_eq!((function(50), function(249)), (Some("c199"), Some("c0")));
    assert_eq!((stack.thrown.len(), stack.left_out), (50, 30));
    let last = stack.thrown.last().map(|thrown| &*thrown.kind);
    assert_eq!(last, Some("a.E79"));
}
