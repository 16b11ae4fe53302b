//! Writes what is generated from the tables of keys: blocks of docs/otlp.md, and all of otlp.example.yml. With `--check`
//! writes nothing and fails when one of them differs.

use sentry_otlp::docs::{example_configuration, exit_codes, keys_tables, processors_table};
use std::path::Path;
use std::process::ExitCode;
use tap_sentry_settings::generated::{Make, files, replaced};

#[expect(clippy::print_stderr, reason = "this is a program")]
fn main() -> ExitCode {
    let check = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => {
            eprintln!("usage: cargo run -p sentry-otlp --example generate [-- --check]");
            return ExitCode::from(2);
        }
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let remedy = "cargo run -p sentry-otlp --example generate";
    match files(&root, FILES, check, remedy) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            ExitCode::FAILURE
        }
    }
}

const FILES: &[(&str, Make)] = &[
    ("docs/otlp.md", |old| {
        let blocks = [
            ("<!-- generated: keys -->", keys_tables()),
            ("<!-- generated: processors -->", processors_table()),
            ("<!-- generated: exit codes -->", exit_codes()),
        ];
        blocks
            .iter()
            .try_fold(old.to_owned(), |text, (start, block)| {
                replaced(&text, start, "<!-- end -->", block)
            })
    }),
    ("otlp.example.yml", |_| Ok(example_configuration())),
];
