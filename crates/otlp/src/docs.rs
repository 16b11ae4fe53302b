//! What is generated for documentation: tables of keys, processors and exit codes, and the example of a configuration.

use crate::cli::EXIT_CODES;
use crate::config::key::{Form, Key};
use crate::config::processors::PROCESSORS;
use crate::config::{exporter_keys, receiver_keys};
use std::fmt::Write as _;

/// Every block of the file: where it stands, and its keys.
const BLOCKS: &[(&str, &[Key])] = &[
    ("The top of the file", receiver_keys::TOP),
    ("`receivers.otlp`", receiver_keys::RECEIVER),
    ("`receivers.otlp.protocols`", receiver_keys::PROTOCOLS),
    ("`receivers.otlp.protocols.grpc`", receiver_keys::GRPC),
    ("`receivers.otlp.protocols.http`", receiver_keys::HTTP),
    ("`auth` of a protocol", receiver_keys::AUTH),
    ("`tls` of a protocol", receiver_keys::TLS),
    ("`receivers.otlp.protocols.http.cors`", receiver_keys::CORS),
    ("`exporters.sentry`", exporter_keys::EXPORTER),
    ("`exporters.sentry.routing`", exporter_keys::ROUTING),
    ("`exporters.sentry.sending_queue`", exporter_keys::QUEUE),
    (
        "`exporters.sentry.sending_queue.batch`",
        exporter_keys::BATCH,
    ),
    ("`exporters.sentry.retry_on_failure`", exporter_keys::RETRY),
    ("`exporters.sentry.http`", exporter_keys::HTTP),
    ("`exporters.sentry.http.tls`", exporter_keys::TLS),
];

/// A Markdown section for each block: a table of its keys, and what is passed over in it.
pub fn keys_tables() -> String {
    let mut out = String::new();
    for (title, keys) in BLOCKS {
        let _ = writeln!(out, "### {title}\n");
        let read: Vec<&Key> = keys.iter().filter(|key| is_read(key)).collect();
        if !read.is_empty() {
            out.push_str("| key | takes | default | meaning |\n|---|---|---|---|\n");
            for key in &read {
                let default = in_code(key.default);
                let (name, form, meaning) = (key.name, key.form.describe(), key.meaning);
                let _ = writeln!(out, "| `{name}` | {form} | {default} | {meaning} |");
            }
            out.push('\n');
        }
        for key in keys.iter().filter(|key| matches!(key.form, Form::Warned)) {
            let _ = writeln!(out, "`{}` {}; there is a warning.\n", key.name, key.meaning);
        }
        for key in keys.iter().filter(|key| matches!(key.form, Form::Refused)) {
            let _ = writeln!(out, "`{}` {}.\n", key.name, key.meaning);
        }
        let idle = keys.iter().filter(|key| matches!(key.form, Form::Idle));
        let idle: Vec<String> = idle.map(|key| in_code(key.name)).collect();
        if !idle.is_empty() {
            let _ = writeln!(
                out,
                "Keys of the collector that change nothing here: {}.\n",
                idle.join(", ")
            );
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// A Markdown table of processors.
pub fn processors_table() -> String {
    let mut out = String::from(
        "| processor | does | in a pipeline that is served | see |\n|---|---|---|---|\n",
    );
    for processor in PROCESSORS {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            processor.kind,
            processor.effect.describe(),
            if processor.effect.is_to_be_missed() {
                "refuses the start"
            } else {
                "a warning"
            },
            processor.instead
        );
    }
    out
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

/// Every key, as a file that works once the variable `SENTRY_DSN` is set. What is commented out is the default.
pub fn example_configuration() -> String {
    let mut out = String::from(
        "# Configuration of sentry-otlp. Generated from the code: what is commented out is the default, or not set.\n\n\
         receivers:\n  otlp:\n    protocols:\n",
    );
    for (name, keys) in [("grpc", receiver_keys::GRPC), ("http", receiver_keys::HTTP)] {
        let _ = writeln!(out, "      {name}:");
        example_keys(&mut out, keys, 8);
    }
    out.push_str("\nexporters:\n  sentry:\n");
    example_keys(&mut out, exporter_keys::EXPORTER, 4);
    out.push_str(
        "\nservice:\n  pipelines:\n    traces:\n      receivers: [otlp]\n      exporters: [sentry]\n    \
         logs:\n      receivers: [otlp]\n      exporters: [sentry]\n",
    );
    out
}

fn example_keys(out: &mut String, keys: &[Key], indent: usize) {
    let space = " ".repeat(indent);
    for key in keys.iter().filter(|key| is_read(key)) {
        let name = key.name;
        match key.form {
            Form::Block(below) if below.iter().any(is_read) => {
                let _ = writeln!(out, "{space}# {}\n{space}# {name}:", key.meaning);
                example_keys(out, below, indent + 2);
            }
            Form::Block(_) => {}
            form => {
                let _ = writeln!(out, "{space}# {}", key.meaning);
                let line = match name {
                    "dsn" => format!("{space}dsn: ${{env:SENTRY_DSN}}"),
                    _ => format!("{space}# {name}: {}", yaml(form, key.default)),
                };
                let _ = writeln!(out, "{}", line.trim_end());
            }
        }
    }
}

/// A default as it is written in YAML.
fn yaml(form: Form, default: &str) -> String {
    match form {
        _ if default.is_empty() => String::new(),
        Form::Texts => {
            let texts: Vec<String> = default
                .split(", ")
                .map(|text| format!("'{text}'"))
                .collect();
            format!("[{}]", texts.join(", "))
        }
        Form::Text | Form::Word(_) => format!("'{default}'"),
        _ => default.to_owned(),
    }
}

fn is_read(key: &Key) -> bool {
    !matches!(key.form, Form::Idle | Form::Warned | Form::Refused)
}

fn in_code(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::path::Path;

    const PAGE: &str = include_str!("../../../docs/otlp.md");
    const EXAMPLE: &str = include_str!("../../../otlp.example.yml");

    fn read(text: &str) -> Config {
        let variables = |name: &str| match name {
            "SENTRY_DSN" => Some("https://key@sentry.example.com/42".to_owned()),
            "SENTRY_AUTH_TOKEN" => Some("sntrys_0".to_owned()),
            "OTLP_TOKEN" => Some("letmein".to_owned()),
            _ => None,
        };
        let config = Config::parse(text, Path::new("otlp.yml"), &variables);
        config.unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn what_is_generated_is_as_it_would_be_generated() {
        let remedy = "run `cargo run -p sentry-otlp --example generate`";
        for block in [keys_tables(), processors_table(), exit_codes()] {
            let block = format!("-->\n{block}<!-- end -->");
            assert!(PAGE.contains(&block), "docs/otlp.md: {remedy}");
        }
        assert_eq!(EXAMPLE, example_configuration(), "{remedy}");
    }

    #[test]
    fn the_configurations_that_are_shown_are_sound() {
        let blocks = PAGE.split("```yaml\n").skip(1);
        let blocks: Vec<&str> = blocks.filter_map(|rest| rest.split("```").next()).collect();
        assert!(blocks.len() >= 4, "{}", blocks.len());
        for block in blocks {
            read(block);
        }
    }

    #[test]
    fn each_block_has_its_table() {
        let mut tables: Vec<&[Key]> = BLOCKS.iter().map(|(_, keys)| *keys).collect();
        tables.push(receiver_keys::RECEIVER);
        for (title, keys) in BLOCKS {
            for key in *keys {
                if let Form::Block(below) = key.form {
                    let has = tables.iter().any(|keys| std::ptr::eq(*keys, below));
                    assert!(has, "{title} {}", key.name);
                }
            }
        }
    }

    /// What is commented out of the example says the default, but for what has none or has no meaning beside a DSN.
    #[test]
    fn the_example_says_the_defaults() {
        const LEFT: &[&str] = &["tls", "auth", "cors", "routing"];
        const ALONE: &[&str] = &["auto_create_projects", "max_created_projects"];
        let mut left_below = usize::MAX;
        let spelled_out = EXAMPLE.lines().map(|line| {
            let indent = line.len() - line.trim_start().len();
            let Some((key, value)) = line.trim_start().strip_prefix("# ").and_then(key) else {
                return line.to_owned();
            };
            if indent > left_below {
                return line.to_owned();
            }
            left_below = usize::MAX;
            if LEFT.contains(&key) {
                left_below = indent;
            }
            let has_value =
                !value.is_empty() || ["http", "sending_queue", "retry_on_failure"].contains(&key);
            if has_value && left_below == usize::MAX && !ALONE.contains(&key) {
                line.replacen("# ", "", 1)
            } else {
                line.to_owned()
            }
        });
        let spelled_out: Vec<String> = spelled_out.collect();
        let all = spelled_out.join("\n");
        assert!(
            all.contains("\n      max_interval: 30s") && all.contains("\n    mode: 'auto'"),
            "{all}"
        );
        let meant =
            |config: Config| format!("{:?}", (config.receivers, config.exporters, config.routes));
        assert_eq!(meant(read(EXAMPLE)), meant(read(&all)));
    }

    /// A line `key: value`.
    fn key(line: &str) -> Option<(&str, &str)> {
        let (key, value) = line.split_once(':')?;
        let is_key = BLOCKS
            .iter()
            .any(|(_, keys)| keys.iter().any(|known| known.name == key));
        is_key.then_some((key, value.trim()))
    }
}
