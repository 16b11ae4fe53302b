//! Pages of figures, in the two texts that Prometheus reads.

use crate::dialect::Dialect;
use crate::families::{Families, Number};
use crate::figures::{BUILD_INFO, Figure, Kind};
use crate::old_figures::figures_of;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeMetric, MetricEncoder, prometheus_text, text as openmetrics,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use tap_sentry_serve::negotiate::Format;
use tap_sentry_serve::own;

/// Series of one server; `server` is its label, where there are several servers.
#[derive(Debug, Clone)]
pub struct Part {
    pub server: Option<String>,
    pub families: Arc<Families>,
}

impl Part {
    /// The exporter's version.
    pub fn build() -> Self {
        let mut build = Families::default();
        build.set(&BUILD_INFO, &[env!("CARGO_PKG_VERSION")], true);
        Self {
            server: None,
            families: Arc::new(build),
        }
    }
}

/// What one answer shows.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Whose figures are shown.
    pub dialect: Dialect,
    /// No two of them have a series in common.
    pub parts: Vec<Part>,
    /// The process's own.
    pub process: Vec<own::Figure>,
}

impl Page {
    /// The text.
    ///
    /// # Errors
    /// Only what writing to memory can fail with.
    pub fn render(self, format: Format) -> Result<String, fmt::Error> {
        text(Box::new(self), format)
    }
}

/// What is collected, as text.
///
/// # Errors
/// Only what writing to memory can fail with.
pub fn text(collector: Box<dyn Collector>, format: Format) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(collector);
    let mut out = String::new();
    match format {
        Format::Classic => prometheus_text::encode(&mut out, &registry)?,
        Format::OpenMetrics => openmetrics::encode(&mut out, &registry)?,
    }
    Ok(out)
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for figure in figures_of(self.dialect) {
            family(figure, &self.parts, &mut encoder)?;
        }
        for figure in &self.process {
            let (kind, stem) = match figure.name.strip_suffix("_total") {
                Some(stem) if figure.counter => (Kind::Counter, stem),
                _ => (Kind::Gauge, figure.name),
            };
            let encoder = encoder.encode_descriptor(stem, figure.help, None, metric_type(kind))?;
            value(kind, Number::Real(figure.value), encoder)?;
        }
        Ok(())
    }
}

/// Writes the series of one figure, if it has any.
///
/// # Errors
/// Only what writing to memory can fail with.
pub fn family(
    figure: &Figure,
    parts: &[Part],
    encoder: &mut DescriptorEncoder,
) -> Result<(), fmt::Error> {
    let with = |part: &Part| part.families.of(figure).is_some();
    if !parts.iter().any(with) {
        return Ok(());
    }
    let kind = metric_type(figure.kind);
    let mut encoder = encoder.encode_descriptor(figure.stem(), &figure.help_text(), None, kind)?;
    for Part { server, families } in parts {
        for (values, number) in families.of(figure).into_iter().flatten() {
            let server = server.iter().map(|name| ("server", name.as_str()));
            let names = figure.labels.iter().copied();
            let labels = names.zip(values.iter().map(String::as_str));
            let labels: Vec<(&str, &str)> = server.chain(labels).collect();
            value(figure.kind, *number, encoder.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn metric_type(kind: Kind) -> MetricType {
    match kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Info => MetricType::Info,
    }
}

fn value(kind: Kind, number: Number, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
    match (kind, number) {
        (Kind::Info, _) => encoder.encode_info(&NO_LABELS),
        (Kind::Counter, Number::Whole(number)) => ConstCounter::new(number).encode(encoder),
        (Kind::Counter, Number::Real(number)) => ConstCounter::new(number).encode(encoder),
        (Kind::Gauge, Number::Whole(number)) => ConstGauge::new(number).encode(encoder),
        (Kind::Gauge, Number::Real(number)) => ConstGauge::new(number).encode(encoder),
    }
}

const NO_LABELS: [(&str, &str); 0] = [];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{EVENTS, PROJECT_INFO, SNAPSHOT_AGE, UP};

    fn page() -> Page {
        let mut families = Families::default();
        families.set(&UP, &["acme"], true);
        families.set(&SNAPSHOT_AGE, &["acme"], 1.5);
        let odd = ["acme", "web", "error", "filtered", "a\"b\\c\nd é"];
        families.set(&EVENTS, &odd, (1_u64 << 60) + 1);
        families.set(&PROJECT_INFO, &["acme", "web", "4", ""], true);
        Page {
            dialect: Dialect::Native,
            parts: vec![Part {
                server: None,
                families: Arc::new(families),
            }],
            process: Vec::new(),
        }
    }

    fn lines(text: &str) -> Vec<&str> {
        text.lines()
            .filter(|line| !line.starts_with("# HELP"))
            .collect()
    }

    #[test]
    fn classic_text() {
        let text = page().render(Format::Classic).expect("a text");
        assert_eq!(
            lines(&text),
            [
                "# TYPE sentry_events_total counter",
                "sentry_events_total{organization=\"acme\",project=\"web\",category=\"error\",outcome=\"filtered\",reason=\"a\\\"b\\\\c\\nd é\"} 1152921504606846977",
                "# TYPE sentry_project_info gauge",
                "sentry_project_info{organization=\"acme\",project=\"web\",project_id=\"4\",platform=\"\"} 1",
                "# TYPE sentry_up gauge",
                "sentry_up{organization=\"acme\"} 1",
                "# TYPE sentry_snapshot_age_seconds gauge",
                "sentry_snapshot_age_seconds{organization=\"acme\"} 1.5",
            ]
        );
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn openmetrics_text() {
        let text = page().render(Format::OpenMetrics).expect("a text");
        let lines = lines(&text);
        assert_eq!(lines[0], "# TYPE sentry_events counter");
        assert!(lines[1].starts_with("sentry_events_total{"));
        assert_eq!(lines[2], "# TYPE sentry_project info");
        assert!(lines[3].starts_with("sentry_project_info{"));
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn several_servers_are_told_apart() {
        let Page {
            mut parts,
            mut process,
            ..
        } = page();
        parts.push(parts[0].clone());
        for (part, name) in parts.iter_mut().zip(["eu", "us"]) {
            part.server = Some(name.to_owned());
        }
        process.push(own::Figure {
            name: "process_cpu_seconds_total",
            help: "CPU time.",
            counter: true,
            value: 1.5,
        });
        let page = Page {
            dialect: Dialect::Native,
            parts,
            process,
        };
        let text = page.render(Format::Classic).expect("a text");
        assert!(
            text.ends_with(
                "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1.5\n"
            ),
            "{text}"
        );
        assert!(
            text.contains(
                "\nsentry_up{server=\"eu\",organization=\"acme\"} 1\nsentry_up{server=\"us\",organization=\"acme\"} 1\n"
            ),
            "{text}"
        );
        assert_eq!(text.matches("# TYPE sentry_up gauge").count(), 1);
        let series = text.lines().filter(|line| line.starts_with("sentry_"));
        let series: Vec<&str> = series.collect();
        assert!(
            series.iter().all(|line| line.contains("{server=\"")),
            "{text}"
        );
    }
}
