//! What a probe answers: its figures, in the two texts that Prometheus reads.

use crate::families::Families;
use crate::probe::figures::Names;
use crate::probe::prober::Outcome;
use crate::render::{Part, family, text};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;
use std::sync::Arc;
use tap_sentry_serve::negotiate::Format;

/// The figures of one probe.
#[derive(Debug)]
struct Report {
    names: &'static Names,
    parts: [Part; 1],
}

impl Collector for Report {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut figures = self.names.all().into_iter();
        figures.try_for_each(|figure| family(figure, &self.parts, &mut encoder))
    }
}

/// The text.
///
/// # Errors
/// Only what writing to memory can fail with.
pub fn report(
    names: &'static Names,
    outcome: &Outcome,
    format: Format,
) -> Result<String, fmt::Error> {
    let families: Families = names.values(outcome);
    let part = Part {
        server: None,
        families: Arc::new(families),
    };
    let report = Report {
        names,
        parts: [part],
    };
    text(Box::new(report), format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::answered::Answered;
    use crate::probe::figures::{PROBE, SENTRY_PROBE};
    use std::time::Duration;

    fn series(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn both_texts_say_the_same() {
        let outcome = Outcome {
            answered: Some(Answered {
                status: 200,
                content_length: None,
            }),
            received: Some(7),
            took: Duration::from_millis(250),
        };
        let expected = [
            "error_received 7",
            "status_code 200",
            "content_length -1.0",
            "duration_seconds 0.25",
            "success 1",
        ];
        let begins = [
            "probe_sentry_",
            "probe_sentry_",
            "probe_sentry_",
            "probe_",
            "probe_",
        ];
        for format in [Format::Classic, Format::OpenMetrics] {
            let text = report(&PROBE, &outcome, format).expect("a text");
            let wanted: Vec<String> = begins
                .iter()
                .zip(expected)
                .map(|(begin, end)| format!("{begin}{end}"))
                .collect();
            assert_eq!(series(&text), wanted, "{text}");
            assert_eq!(text.ends_with("# EOF\n"), format == Format::OpenMetrics);
            let text = report(&SENTRY_PROBE, &outcome, format).expect("a text");
            let wanted: Vec<String> = expected
                .iter()
                .map(|end| format!("sentry_probe_{end}"))
                .collect();
            assert_eq!(series(&text), wanted, "{text}");
        }
    }
}
