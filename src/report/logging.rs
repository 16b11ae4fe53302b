//! Log lines on stderr: as the Singer SDK prints them, or as JSON where Meltano asks for it.

use crate::cli::Cli;
use crate::report::metrics::METRIC;
use crate::report::terminal;
use crate::streams;
use chrono::{Local, Utc};
use log::{Level, LevelFilter, Record};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use serde_saphyr::UserMessageFormatter;
use serde_saphyr::options::DuplicateKeyPolicy;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::OnceLock;
use tap_sentry_api::text::{brief, one_line};

/// The targets of lines that are laid out for a terminal: they need no time and no level there.
const TABLES: [&str; 2] = ["summary", "test"];

/// The token, which no line may show: a server's own words, or an address that it redirects to, may repeat it.
static HIDDEN: OnceLock<SecretString> = OnceLock::new();

/// From now on no line shows `secret`.
pub fn hide(secret: &SecretString) {
    // A text of a few characters would tear other words apart, and is no token.
    if secret.expose_secret().len() >= 8 {
        // One run has one token.
        let _ = HIDDEN.set(secret.clone());
    }
}

/// `text` without the hidden text.
fn without_secret(text: String) -> String {
    match HIDDEN.get().map(ExposeSecret::expose_secret) {
        Some(secret) if text.contains(secret) => text.replace(secret, "[token]"),
        _ => text,
    }
}

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
    let named = ["TAP_SENTRY_LOGLEVEL", "LOGLEVEL", "SINGER_LOG_LEVEL"]
        .iter()
        .find_map(|name| level(&std::env::var(name).ok()?));
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
    let person = style == Style::Console && std::io::stderr().is_terminal();
    let colours = person && !anstyle_query::no_color() && anstyle_query::term_supports_color();
    builder
        .target(env_logger::Target::Pipe(Box::new(terminal::Stderr)))
        .format(move |out, record| {
            let text = without_secret(record.args().to_string());
            let message = one_line(&text);
            match style {
                // A person reads the table at the end, not the numbers that it is made of.
                Style::Console if person && message.starts_with(METRIC) => Ok(()),
                Style::Console if person && TABLES.contains(&record.target()) => {
                    writeln!(out, "{message}")
                }
                Style::Console => {
                    let time = Local::now().format("%Y-%m-%d %H:%M:%S,%3f");
                    let line = format!(
                        "{time} | {:<8} | {:<30} | {message}",
                        name(record.level()),
                        logger(record)
                    );
                    writeln!(
                        out,
                        "{}",
                        painted(&line, record.level()).force_styling(colours)
                    )
                }
                // Without the logger's name a stream would go unnamed.
                Style::Bare
                    if !message.starts_with(METRIC) && streams::find(record.target()).is_some() =>
                {
                    writeln!(out, "{}: {message}", record.target())
                }
                Style::Bare => writeln!(out, "{message}"),
                Style::Structured => writeln!(out, "{}", structured(record, &message)),
            }
        })
        .init();
    if let Some(problem) = problem {
        log::warn!("SINGER_SDK_LOG_CONFIG has no effect: {problem}");
    }
}

/// What needs attention stands out.
fn painted(line: &str, level: Level) -> console::StyledObject<&str> {
    match level {
        Level::Error => console::style(line).red(),
        Level::Warn => console::style(line).yellow(),
        _ => console::style(line),
    }
}

/// The formatter and the level of a logging configuration: YAML, of which the JSON that Meltano writes is a part.
fn sdk_config(path: &Path) -> Result<(Style, Option<LevelFilter>), String> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    // As Python reads it: of equal keys the last.
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins, with_snippet: false };
    let no_configuration = |why: &str| {
        format!(
            "{} is not a logging configuration: {}",
            path.display(),
            brief(why)
        )
    };
    let config: Value = serde_saphyr::from_str_with_options(&text, options)
        .map_err(|e| no_configuration(&e.render_with_formatter(&UserMessageFormatter)))?;
    let (formatters, root) = (config.get("formatters"), config.get("root"));
    if formatters.or(root).is_none() {
        return Err(no_configuration("it has neither `formatters` nor `root`"));
    }
    let formatters: Vec<&Value> = formatters
        .and_then(Value::as_object)
        .map(|map| map.values().collect())
        .unwrap_or_default();
    let style = if formatters.iter().any(|f| {
        f.get("()")
            .and_then(Value::as_str)
            .is_some_and(|class| class.ends_with("StructuredFormatter"))
    }) {
        Style::Structured
    } else if formatters.iter().any(|f| {
        f.get("format")
            .is_some_and(|format| format == "%(message)s")
    }) {
        Style::Bare
    } else {
        Style::Console
    };
    Ok((
        style,
        root.and_then(|root| root.get("level")?.as_str())
            .and_then(level),
    ))
}

/// One line as the SDK's `StructuredFormatter` writes it.
fn structured(record: &Record<'_>, message: &str) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of this era are exact in 53 bits"
    )]
    let ts = Utc::now().timestamp_micros() as f64 / 1e6;
    let metric: Option<Value> = message
        .strip_prefix(METRIC)
        .and_then(|json| serde_json::from_str(json).ok());
    let mut line = json!({
        "level": name(record.level()).to_lowercase(),
        "pid": std::process::id(),
        "logger_name": logger(record),
        "ts": ts,
        "thread_name": std::thread::current().name().unwrap_or("worker"),
        "app_name": "tap-sentry",
        "stream_name": streams::find(record.target()).map(crate::streams::StreamDef::name),
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
        Some(def) => format!("tap-sentry.{}", def.name()),
        None => logger_of(record.target()),
    }
}

/// A module as a logger of Python's is called: `tap-sentry.settings.sources`.
fn logger_of(module: &str) -> String {
    module
        .replace("tap_sentry_", "tap_sentry::")
        .replace("tap_sentry", "tap-sentry")
        .replace("::", ".")
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
    use rstest::rstest;

    fn read(config: &str) -> Result<(Style, Option<LevelFilter>), String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), config).expect("written");
        sdk_config(file.path())
    }

    const STRUCTURED: (Style, Option<LevelFilter>) = (Style::Structured, Some(LevelFilter::Debug));

    #[rstest]
    #[case::of_meltano_for_json(
        r#"{"formatters": {"singer_formatter": {"()": "singer_sdk.logging.StructuredFormatter"}}, "root": {"level": "DEBUG"}}"#,
        STRUCTURED
    )]
    #[case::of_meltano(
        r#"{"formatters": {"singer_formatter": {"format": "%(message)s"}}, "root": {"level": "WARNING"}}"#,
        (Style::Bare, Some(LevelFilter::Warn))
    )]
    #[case::indented_by_tabs(
        "{\n\t\"formatters\":{\n\t\t\"a\":{\"()\":\"x\\u002eStructuredFormatter\"}},\"root\":{\"level\":\"debug\"}}",
        STRUCTURED
    )]
    #[case::in_blocks(
        "formatters:\n  a:\n    (): x.StructuredFormatter\n  b:\n    format: '%(message)s'\nroot:\n  level: \"DEBUG\" # all\n",
        STRUCTURED
    )]
    #[case::in_flow(
        "formatters: {a: {(): x.StructuredFormatter}}\nroot: {level: DEBUG, handlers: [default]}\n",
        STRUCTURED
    )]
    #[case::with_an_anchor(
        "x: &x {(): x.StructuredFormatter}\nformatters: {a: *x, b: {<<: *x}}\nroot: {level: INFO, level: DEBUG}\n",
        STRUCTURED
    )]
    #[case::whose_level_is_of_a_logger(
        "formatters:\n  a:\n    format: \"%(message)s\"\nloggers:\n  x:\n    level: DEBUG\n",
        (Style::Bare, None)
    )]
    #[case::of_other_types("formatters: [1]\nroot: DEBUG\n", (Style::Console, None))]
    fn a_configuration_chooses_style_and_level(
        #[case] config: &str,
        #[case] chosen: (Style, Option<LevelFilter>),
    ) {
        assert_eq!(read(config), Ok(chosen));
    }

    #[rstest]
    #[case::empty("", "neither")]
    #[case::of_comments("version: 1\n# formatters:\n", "neither")]
    #[case::json_without_a_section(r#"{"version": 1}"#, "neither")]
    #[case::a_list("[formatters]", "neither")]
    #[case::a_text("formatters", "neither")]
    #[case::cut("{\"formatters\": {", "line 1, column")]
    #[case::two_documents("root: {}\n---\nroot: {}\n", "document")]
    #[case::an_alias_of_itself("root: &a [*a]\n", "Recursive")]
    #[case::nul("\0", "line 1, column 1")]
    fn what_is_no_configuration_is_told(#[case] config: &str, #[case] told: &str) {
        let error = read(config).expect_err("no configuration");
        assert!(
            error.contains("is not a logging configuration: ") && error.contains(told),
            "{error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        assert!(
            sdk_config(Path::new("/nonexistent"))
                .is_err_and(|error| error.starts_with("cannot read "))
        );
    }

    /// A test has the stack of a thread, which is smaller than that of the tap.
    #[test]
    fn a_configuration_that_explodes_is_refused() {
        let aliases: Vec<String> = (1..30)
            .map(|i| {
                format!(
                    "a{i}: &a{i} [{}]",
                    vec![format!("*a{}", i - 1); 9].join(", ")
                )
            })
            .collect();
        let nested = |open: &str, close: &str| {
            format!("root: {}1{}", open.repeat(200_000), close.repeat(200_000))
        };
        let deeper: String = (0..2_000)
            .map(|depth| " ".repeat(depth) + "root:\n")
            .collect();
        for config in [
            nested("[", ""),
            nested("[", "]"),
            nested("{\"a\":", "}"),
            format!("-{}", " -".repeat(200_000)),
            deeper,
            format!("a0: &a0 [1]\n{}", aliases.join("\n")),
        ] {
            read(&config).expect_err("too much");
        }
    }

    #[test]
    fn a_structured_line_has_the_eight_keys_and_the_metric() {
        let point = json!({"type": "counter", "metric": "record_count", "value": 2, "tags": {"stream": "issues"}});
        let line = structured(
            &Record::builder()
                .level(Level::Warn)
                .target("issues")
                .build(),
            &format!("{METRIC}{point}"),
        );
        for key in [
            "level",
            "pid",
            "logger_name",
            "ts",
            "thread_name",
            "app_name",
            "stream_name",
            "message",
            "extra",
        ] {
            assert!(line.get(key).is_some(), "{key}");
        }
        assert_eq!(
            (&line["level"], &line["stream_name"], &line["message"]),
            (&json!("warning"), &json!("issues"), &json!("METRIC"))
        );
        assert_eq!(line["metric_info"], point);
        let plain = structured(
            &Record::builder()
                .level(Level::Info)
                .target("tap_sentry::run")
                .build(),
            "hello",
        );
        assert_eq!(
            (
                &plain["stream_name"],
                &plain["message"],
                plain.get("metric_info")
            ),
            (&Value::Null, &json!("hello"), None)
        );
    }
}
