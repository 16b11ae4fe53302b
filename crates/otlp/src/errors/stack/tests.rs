//! Stack traces as programs wrote them, and as they are read.

use super::*;
use crate::errors::stack::frame::Frame;
use crate::errors::stack::thrown::Thrown;
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
        frames
            .iter()
            .for_each(|frame| writeln!(text, "{}", call(frame)).expect("text"));
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
    if let Some(folder) = std::env::var_os("E_OUT") {
        std::fs::write(PathBuf::from(folder).join(format!("{name}.read")), &read).expect("w");
        return;
    }
    let language = name.split('_').next();
    let told = parse(&text, language).map(|stack| shown(&stack));
    assert_eq!(told.unwrap_or_else(|| "nothing\n".to_owned()), read);
    let expected = std::fs::read_to_string(path.with_extension("read")).expect("how it is read");
    assert_eq!(read, expected);
}
