//! What a person at a terminal sees.

use crate::dsl::{Sentry, Tap};
use rstest::rstest;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use sentry_sandbox::{Fault, FaultKind, Match};
use std::fs::{File, OpenOptions};
use std::io::Read;

/// Runs the tap with stderr on a terminal of `columns`. Returns what the terminal got; `\r\n` ends a line there.
fn on_a_terminal(tap: Tap, columns: u16) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name)
        .unwrap();
    tcsetwinsize(
        &terminal,
        Winsize {
            ws_row: 40,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        },
    )
    .unwrap();
    let mut seen = Vec::new();
    tap.run_on(terminal.into(), || {
        let mut master = File::from(master);
        let mut part = [0; 4096];
        // The end of the other side is an error here (EIO), not an end of the file.
        while let Ok(length @ 1..) = master.read(&mut part) {
            seen.extend_from_slice(&part[..length]);
        }
    });
    String::from_utf8(seen).unwrap()
}

/// The lines without colours and movements of the cursor.
fn lines(seen: &str) -> Vec<String> {
    seen.split(['\n', '\r'])
        .map(|line| console::strip_ansi_codes(line).into_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

#[rstest]
#[case::wide(160)]
#[case::usual(80)]
#[case::narrow(50)]
fn the_summary_fits_and_its_last_line_tells_how_the_run_ended(#[case] columns: u16) {
    let sentry = Sentry::seeded();
    let seen = on_a_terminal(Tap::against(&sentry), columns);
    let lines = lines(&seen);
    let table = lines
        .iter()
        .position(|line| line.starts_with("stream  "))
        .unwrap_or_else(|| panic!("{seen}"));
    for line in &lines[table..] {
        assert!(
            console::measure_text_width(line) <= usize::from(columns),
            "{line}"
        );
    }
    assert!(
        lines[table..]
            .iter()
            .any(|line| line.starts_with("events  ")),
        "{seen}"
    );
    assert!(
        lines
            .last()
            .is_some_and(|line| line.starts_with("complete: ") && line.ends_with(" s")),
        "{seen}"
    );
    assert!(!seen.contains("METRIC"), "{seen}");
}

#[test]
fn a_run_with_a_gap_is_told_as_incomplete() {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::Status(403),
    ));
    let seen = on_a_terminal(Tap::against(&sentry), 100);
    let lines = lines(&seen);
    assert!(
        lines.iter().any(|line| line.starts_with("incomplete: ")),
        "{seen}"
    );
    assert!(
        lines.iter().any(|line| line.starts_with("missing: teams")),
        "{seen}"
    );
}

#[rstest]
#[case::by_default(&[], true)]
#[case::unless_they_are_not_wanted(&[("NO_COLOR", "1")], false)]
#[case::an_empty_variable_is_not_set(&[("NO_COLOR", "")], true)]
#[case::on_a_terminal_that_has_none(&[("TERM", "dumb")], false)]
fn errors_and_warnings_are_coloured(#[case] variables: &[(&str, &str)], #[case] coloured: bool) {
    let sentry = Sentry::small();
    sentry.faults().add(Fault::always(
        Match::path_end("/teams/"),
        FaultKind::Status(403),
    ));
    let tap = Tap::against(&sentry)
        .env("TERM", "xterm")
        .env("COLORTERM", "");
    let seen = on_a_terminal(
        variables
            .iter()
            .fold(tap, |tap, (name, value)| tap.env(name, value)),
        100,
    );
    let of = |level: &str| {
        seen.lines()
            .find(|line| line.contains(level))
            .unwrap_or_else(|| panic!("{level}: {seen}"))
            .to_owned()
    };
    for (level, colour) in [("WARNING", "\u{1b}[33m"), ("ERROR", "\u{1b}[31m")] {
        assert_eq!(of(level).contains(colour), coloured, "{seen:?}");
    }
}
