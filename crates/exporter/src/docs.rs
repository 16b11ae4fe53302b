//! What is generated for documentation: tables of settings, figures and collectors, and the example of a configuration.

use crate::cli::EXIT_CODES;
use crate::collector::Collector;
use crate::dialect::Dialect;
use crate::figures::{FIGURES, Figure};
use crate::names::KNOWN;
use crate::old_figures::GROUPS;
use crate::probe::figures::{PROBE, SENTRY_PROBE};
use crate::settings::config::schema;
use crate::settings::load::PREFIX;
use std::fmt::Write as _;
use tap_sentry_settings::docs::{self, Setting};

/// The settings, from their JSON Schema.
pub fn settings() -> Vec<Setting> {
    docs::settings(&schema())
}

/// A Markdown table of the settings.
pub fn settings_table() -> String {
    docs::settings_table(&settings())
}

/// A Markdown table of the collectors.
pub fn collectors_table() -> String {
    let mut out = String::from("| collector | default | scope | asks |\n|---|---|---|---|\n");
    for collector in Collector::ALL {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            collector.name(),
            if collector.is_default() { "on" } else { "off" },
            collector.definition().scopes,
            collector.definition().cost
        );
    }
    out
}

/// A Markdown section for each collector, with its figures.
pub fn figures_tables() -> String {
    let mut out = String::new();
    let groups = Collector::ALL.into_iter().map(Some).chain([None]);
    for group in groups {
        let title = group.map_or("The exporter's own", Collector::name);
        let _ = writeln!(out, "### {title}\n");
        out.push_str("| metric | type | labels | meaning |\n|---|---|---|---|\n");
        for figure in FIGURES.iter().filter(|figure| figure.collector == group) {
            let _ = writeln!(out, "{}", row(figure));
        }
        let sources: Vec<&str> = FIGURES
            .iter()
            .filter(|figure| figure.collector == group)
            .map(|figure| figure.source)
            .filter(|source| !source.is_empty())
            .collect();
        if let Some(source) = sources.first() {
            let _ = writeln!(out, "\nSource: {}.", in_code(source));
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// A Markdown table of the dialects.
pub fn dialects_table() -> String {
    let mut out = String::from(
        "| dialect | names of | port | path | file that is read if none is named |\n|---|---|---|---|---|\n",
    );
    for dialect in Dialect::ALL {
        let file = dialect.file().map(|file| format!("`{file}`"));
        let _ = writeln!(
            out,
            "| `{dialect}` | {} | {} | `{}` | {} |",
            dialect.program(),
            dialect.port(),
            dialect.telemetry_path(),
            file.unwrap_or_default(),
        );
    }
    out
}

/// A Markdown section for each dialect that has figures of its own.
pub fn old_figures_tables() -> String {
    let mut out = String::new();
    for dialect in Dialect::ALL {
        let mut groups = GROUPS
            .iter()
            .filter(|group| group.dialect == dialect)
            .peekable();
        if groups.peek().is_none() {
            continue;
        }
        let _ = writeln!(out, "### Metrics of the dialect {dialect}\n");
        out.push_str("| metric | type | labels | meaning | collector |\n|---|---|---|---|---|\n");
        let mut asks = String::new();
        for group in groups {
            let name = group.collector.name();
            for figure in group.figures {
                let _ = writeln!(out, "{} `{name}` |", row(figure));
            }
            let on = dialect.collectors().contains(&(group.collector, true));
            let default = if on { "" } else { ", off by default" };
            let _ = writeln!(
                asks,
                "- `{name}`{default}: {}; scope {}",
                group.cost, group.scopes
            );
        }
        let _ = writeln!(out, "\nWhat the collectors ask:\n\n{asks}");
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// A Markdown table of all variables: ours, and those of older exporters.
pub fn names_table() -> String {
    let mut out = String::from("| variable | of | sets | remark |\n|---|---|---|---|\n");
    let new = settings().into_iter().map(|setting| {
        (
            format!("{PREFIX}{}", setting.name.to_uppercase()),
            setting.name,
        )
    });
    for (variable, setting) in new {
        let _ = writeln!(out, "| `{variable}` | ours | `{setting}` | |");
    }
    let token = "if no other token is set; every tool of Sentry's reads it";
    let _ = writeln!(out, "| `SENTRY_AUTH_TOKEN` | all | `api_token` | {token} |");
    for known in KNOWN {
        let sets = known.setting.map(|setting| format!("`{setting}`"));
        let sets = sets.unwrap_or_else(|| "nothing".to_owned());
        let only = if known.is_common {
            "in that dialect only"
        } else {
            ""
        };
        let remarks: Vec<&str> = [known.note, only]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
        let remark = remarks.join("; ");
        let _ = writeln!(
            out,
            "| `{}` | {} | {sets} | {remark} |",
            known.variable, known.of
        );
    }
    out
}

/// A Markdown table of a probe's figures, under both names.
pub fn probe_table() -> String {
    let mut out = String::from("| metric | dialect zekker6 | meaning |\n|---|---|---|\n");
    for (figure, other) in PROBE.all().into_iter().zip(SENTRY_PROBE.all()) {
        let (name, help) = (figure.name, figure.help);
        let _ = writeln!(out, "| `{name}` | `{}` | {help}. |", other.name);
    }
    out
}

/// Paths as code.
fn in_code(source: &str) -> String {
    let word = |word: &str| match word.strip_suffix(',') {
        Some(path) if path.contains('/') => format!("`{path}`,"),
        None if word.contains('/') => format!("`{word}`"),
        _ => word.to_owned(),
    };
    source.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn row(figure: &Figure) -> String {
    let labels: Vec<String> = figure
        .labels
        .iter()
        .map(|label| format!("`{label}`"))
        .collect();
    format!(
        "| `{}` | {} | {} | {}. |",
        figure.name,
        figure.kind.name(),
        labels.join(", "),
        figure.help
    )
}

/// A Markdown table of the exit codes.
pub fn exit_codes() -> String {
    let mut out = String::from("| code | meaning |\n|---|---|\n");
    let codes = EXIT_CODES.lines().skip(1);
    for (code, meaning) in codes.filter_map(|line| line.trim().split_once("  ")) {
        let _ = writeln!(out, "| {code} | {meaning} |");
    }
    out
}

/// Every setting, as a file that works once the token and the organization are right. What is commented out is the
/// default.
pub fn example_configuration() -> String {
    let mut out = String::from(
        "# Settings of sentry-exporter. Generated from the code: what is commented out is the default, or not set.\n",
    );
    for setting in settings() {
        let value = match setting.name.as_str() {
            "api_token" => "YOUR_TOKEN".to_owned(),
            "organization" => "my-org".to_owned(),
            _ => yaml(&setting),
        };
        let _ = writeln!(out, "\n# {}", setting.description);
        let mark = match setting.name.as_str() {
            "api_token" | "organization" => "",
            _ => "# ",
        };
        let line = format!("{mark}{}: {value}", setting.name);
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The default as YAML.
fn yaml(setting: &Setting) -> String {
    match setting.kind.as_str() {
        "string" if !setting.default.is_empty() => format!("'{}'", setting.default),
        _ => setting.default.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::settings::load::load;
    use serde_json::Map;

    #[test]
    fn each_variable_stands_in_the_table_once() {
        let text = names_table();
        for known in KNOWN {
            let begin = format!("| `{}` |", known.variable);
            assert_eq!(text.matches(&begin).count(), 1, "{begin}");
        }
        for setting in settings() {
            let begin = format!("| `{PREFIX}{}` |", setting.name.to_uppercase());
            assert_eq!(text.matches(&begin).count(), 1, "{begin}");
        }
    }

    #[test]
    fn each_figure_stands_in_the_tables_once() {
        let text = figures_tables();
        for figure in FIGURES {
            assert_eq!(text.matches(&format!("| `{}` |", figure.name)).count(), 1);
        }
    }

    /// Reads the example as a file.
    fn read(text: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("exporter.yml");
        std::fs::write(&path, text).expect("a file");
        let sources = load(Some(&path), Map::new(), &[]).map_err(|error| error.to_string())?;
        Settings::new(sources).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_is_a_configuration_and_says_the_defaults() {
        let example = example_configuration();
        let told = read(&example).expect_err("a placeholder is no token");
        assert!(told.contains("`api_token` is a placeholder"), "{told}");
        let mine = example.replace("YOUR_TOKEN", "sntryu_0");
        let settings = read(&mine).expect("settings");
        // Lines of settings, and not of text.
        let all: Vec<&str> = mine
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.split_once(':').is_some_and(|(key, _)| is_key(key)) => rest,
                _ => line,
            })
            .collect();
        let spelled_out = read(&all.join("\n")).expect("settings");
        // What a page shows tells the two apart.
        let meant = |settings: Settings| {
            let shown = Vec::new();
            format!("{:?}", Settings { shown, ..settings })
        };
        assert_eq!(meant(settings), meant(spelled_out));
    }

    fn is_key(text: &str) -> bool {
        settings().iter().any(|setting| setting.name == text)
    }
}
