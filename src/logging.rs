//! Log lines on stderr: as the Singer SDK prints them, or as JSON where Meltano asks for it.

use crate::cli::Cli;
use crate::progress;
use crate::streams;
use chrono::{Local, Utc};
use log::{Level, LevelFilter, Record};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Starts the message of a metric point; what follows is JSON.
/// (<https://github.com/singer-io/getting-started/blob/master/docs/SYNC_MODE.md#metric-messages>)
pub const METRIC: &str = "METRIC: ";

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `time | LEVEL | logger | message`, the SDK's console format.
    Console,
    /// The message alone: Meltano adds the rest.
    Bare,
    /// One JSON object a line, which Meltano renders with level and metric intact.
    Structured,
}

/// Sets the log up. The level is that of `-v`/`-q`, else `TAP_SENTRY_LOGLEVEL`, `LOGLEVEL`, `SINGER_LOG_LEVEL`, else
/// that of the file that `SINGER_SDK_LOG_CONFIG` names, else `RUST_LOG`, else info.
pub fn init(cli: &Cli) {
    let file = std::env::var_os("SINGER_SDK_LOG_CONFIG").filter(|path| !path.is_empty());
    let (style, configured, problem) = match file.map(|path| sdk_config(Path::new(&path))) {
        None => (Style::Console, None, None),
        Some(Ok((style, level))) => (style, level, None),
        Some(Err(problem)) => (Style::Console, None, Some(problem)),
    };
    let named = ["TAP_SENTRY_LOGLEVEL", "LOGLEVEL", "SINGER_LOG_LEVEL"].iter().find_map(|name| level(&std::env::var(name).ok()?));
    let own = match (cli.quiet, cli.verbose) {
        (true, _) => Some(LevelFilter::Error),
        (_, 0) => named.or(configured),
        (_, 1) => Some(LevelFilter::Debug),
        _ => Some(LevelFilter::Trace),
    };
    let mut builder = env_logger::Builder::new();
    match (own, std::env::var("RUST_LOG")) {
        (None, Ok(filters)) if !filters.is_empty() => {
            builder.parse_filters(&filters);
        }
        (level, _) => {
            let level = level.unwrap_or(LevelFilter::Info);
            builder.filter_level(level);
            // The HTTP library speaks only when asked twice.
            if level < LevelFilter::Trace {
                for library in ["hyper_util", "reqwest", "rustls", "h2"] {
                    builder.filter_module(library, LevelFilter::Warn);
                }
            }
        }
    }
    // A person does not read one line of numbers a request.
    let metrics = style == Style::Structured || !std::io::stderr().is_terminal();
    builder
        .target(env_logger::Target::Pipe(Box::new(progress::Stderr)))
        .format(move |out, record| {
            let message = one_line(record.args().to_string());
            if message.starts_with(METRIC) && !metrics && record.level() <= Level::Info {
                return Ok(());
            }
            match style {
                Style::Console => writeln!(
                    out,
                    "{} | {:<8} | {:<30} | {message}",
                    Local::now().format("%Y-%m-%d %H:%M:%S,%3f"),
                    name(record.level()),
                    logger(record)
                ),
                Style::Bare => writeln!(out, "{message}"),
                Style::Structured => writeln!(out, "{}", structured(record, &message)),
            }
        })
        .init();
    if let Some(problem) = problem {
        log::warn!("SINGER_SDK_LOG_CONFIG has no effect: {problem}");
    }
}

/// A name from a file or an answer may hold line breaks, or what moves a terminal's cursor.
fn one_line(message: String) -> String {
    let plain = |c: char| if c.is_control() { c.escape_default().collect() } else { String::from(c) };
    if message.contains(char::is_control) { message.chars().map(plain).collect() } else { message }
}

/// The formatter and the level of a logging configuration: JSON as Meltano writes it, or YAML as people do.
fn sdk_config(path: &Path) -> Result<(Style, Option<LevelFilter>), String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let Ok(config) = serde_json::from_str::<Value>(&text) else {
        return yaml(&text).ok_or_else(|| format!("{} is no logging configuration", path.display()));
    };
    let formatters: Vec<&Value> = config.get("formatters").and_then(Value::as_object).map(|map| map.values().collect()).unwrap_or_default();
    let style =
        if formatters.iter().any(|f| f.get("()").and_then(Value::as_str).is_some_and(|class| class.ends_with("StructuredFormatter"))) {
            Style::Structured
        } else if formatters.iter().any(|f| f.get("format").is_some_and(|format| format == "%(message)s")) {
            Style::Bare
        } else {
            Style::Console
        };
    Ok((style, config.pointer("/root/level").and_then(Value::as_str).and_then(level)))
}

/// The same of block YAML, line by line: two of its sections matter, and a value of each.
fn yaml(text: &str) -> Option<(Style, Option<LevelFilter>)> {
    let bare = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
    let (mut section, mut style, mut root_level, mut found) = (String::new(), Style::Console, None, false);
    for line in text.lines().map(|line| line.split(" #").next().unwrap_or_default()) {
        let Some((key, value)) = line.split_once(':').map(|(key, value)| (bare(key), bare(value))) else { continue };
        if !line.starts_with([' ', '\t']) {
            found |= key == "formatters" || key == "root";
            section = key;
        } else if section == "formatters" && value.ends_with("StructuredFormatter") {
            style = Style::Structured;
        } else if section == "formatters" && key == "format" && value == "%(message)s" && style == Style::Console {
            style = Style::Bare;
        } else if section == "root" && key == "level" {
            root_level = level(&value);
        }
    }
    found.then_some((style, root_level))
}

/// One line as the SDK's `StructuredFormatter` writes it.
fn structured(record: &Record<'_>, message: &str) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of this era are exact in 53 bits")]
    let ts = Utc::now().timestamp_micros() as f64 / 1e6;
    let metric: Option<Value> = message.strip_prefix(METRIC).and_then(|json| serde_json::from_str(json).ok());
    let mut line = json!({
        "level": name(record.level()).to_lowercase(),
        "pid": std::process::id(),
        "logger_name": logger(record),
        "ts": ts,
        "thread_name": std::thread::current().name().unwrap_or("worker"),
        "app_name": "tap-sentry",
        "stream_name": streams::find(record.target()).map(|def| def.name),
        "message": if metric.is_some() { "METRIC" } else { message },
        "extra": {},
    });
    if let Some(metric) = metric {
        line["metric_info"] = metric;
    }
    line
}

fn logger(record: &Record<'_>) -> String {
    match streams::find(record.target()) {
        Some(def) => format!("tap-sentry.{}", def.name),
        None => record.target().replace("tap_sentry", "tap-sentry").replace("::", "."),
    }
}

/// Python's names, which log readers expect.
fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    }
}

/// A level as Python's logging names it.
fn level(name: &str) -> Option<LevelFilter> {
    match name.trim().to_lowercase().as_str() {
        "debug" => Some(LevelFilter::Debug),
        "info" => Some(LevelFilter::Info),
        "warning" | "warn" => Some(LevelFilter::Warn),
        "error" | "critical" | "fatal" => Some(LevelFilter::Error),
        "trace" => Some(LevelFilter::Trace),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style_of(config: &Value) -> (Style, Option<LevelFilter>) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), config.to_string()).expect("written");
        sdk_config(file.path()).expect("a configuration")
    }

    #[test]
    fn a_configuration_of_meltano_chooses_style_and_level() {
        let structured =
            json!({"formatters": {"singer_formatter": {"()": "singer_sdk.logging.StructuredFormatter"}}, "root": {"level": "DEBUG"}});
        assert_eq!(style_of(&structured), (Style::Structured, Some(LevelFilter::Debug)));
        let bare = json!({"formatters": {"singer_formatter": {"format": "%(message)s"}}, "root": {"level": "WARNING"}});
        assert_eq!(style_of(&bare), (Style::Bare, Some(LevelFilter::Warn)));
        assert!(sdk_config(Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn a_configuration_in_yaml_serves_as_well() {
        let own = "formatters:\n  a:\n    (): x.StructuredFormatter\n  b:\n    format: '%(message)s'\nroot:\n  level: \"DEBUG\" # all\n";
        assert_eq!(yaml(own), Some((Style::Structured, Some(LevelFilter::Debug))));
        assert_eq!(yaml("formatters:\n  a:\n    format: \"%(message)s\"\nloggers:\n  x:\n    level: DEBUG\n"), Some((Style::Bare, None)));
        assert_eq!(yaml("version: 1\n# formatters:\n"), None);
    }

    #[test]
    fn a_structured_line_has_the_eight_keys_and_the_metric() {
        let point = json!({"type": "counter", "metric": "record_count", "value": 2, "tags": {"stream": "issues"}});
        let line = structured(&Record::builder().level(Level::Warn).target("issues").build(), &format!("{METRIC}{point}"));
        for key in ["level", "pid", "logger_name", "ts", "thread_name", "app_name", "stream_name", "message", "extra"] {
            assert!(line.get(key).is_some(), "{key}");
        }
        assert_eq!((&line["level"], &line["stream_name"], &line["message"]), (&json!("warning"), &json!("issues"), &json!("METRIC")));
        assert_eq!(line["metric_info"], point);
        let plain = structured(&Record::builder().level(Level::Info).target("tap_sentry::run").build(), "hello");
        assert_eq!((&plain["stream_name"], &plain["message"], plain.get("metric_info")), (&Value::Null, &json!("hello"), None));
    }
}
