//! Writes what is generated from the settings and the figures: blocks of docs/exporter.md, and all of
//! exporter.example.yml. With `--check` writes nothing and fails when one of them differs.

use sentry_exporter::docs::{
    collectors_table, dialects_table, example_configuration, exit_codes, figures_tables,
    names_table, old_figures_tables, probe_table, settings_table,
};
use std::path::Path;
use std::process::ExitCode;
use tap_sentry_settings::generated::{Make, files, replaced};

#[expect(clippy::print_stderr, reason = "this is a program")]
fn main() -> ExitCode {
    let check = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => {
            eprintln!("usage: cargo run -p sentry-exporter --example generate [-- --check]");
            return ExitCode::from(2);
        }
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let remedy = "cargo run -p sentry-exporter --example generate";
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
    ("docs/exporter.md", |old| {
        let blocks = [
            ("<!-- generated: collectors -->", collectors_table()),
            ("<!-- generated: figures -->", figures_tables()),
            ("<!-- generated: probe -->", probe_table()),
            ("<!-- generated: settings -->", settings_table()),
            ("<!-- generated: dialects -->", dialects_table()),
            ("<!-- generated: old figures -->", old_figures_tables()),
            ("<!-- generated: names -->", names_table()),
            ("<!-- generated: exit codes -->", exit_codes()),
        ];
        blocks
            .iter()
            .try_fold(old.to_owned(), |text, (start, block)| {
                replaced(&text, start, "<!-- end -->", block)
            })
    }),
    ("exporter.example.yml", |_| Ok(example_configuration())),
];
