//! The figures of a probe, under the names of both programs that had them.

use crate::families::Families;
use crate::figures::{Figure, Kind};
use crate::probe::prober::Outcome;

/// The five figures under the names of one program.
#[derive(Debug)]
pub struct Names {
    pub received: Figure,
    pub status_code: Figure,
    pub content_length: Figure,
    pub duration: Figure,
    pub success: Figure,
}

macro_rules! names {
    ($received:literal, $status_code:literal, $content_length:literal, $duration:literal, $success:literal) => {
        Names {
            received: figure(
                $received,
                "Errors that the target received in the current hour (UTC) so far, as the last point of its statistics tells; absent if there is no such answer",
            ),
            status_code: figure(
                $status_code,
                "HTTP status of the latest answer; 0 without an answer",
            ),
            content_length: figure(
                $content_length,
                "Length in bytes that the latest answer announced; -1 if it did not, or was compressed; 0 without an answer",
            ),
            duration: figure($duration, "How long the probe took"),
            success: figure(
                $success,
                "Whether the status is one of the module's and the answer could be understood",
            ),
        }
    };
}

/// Of snakecharmer's program.
pub static PROBE: Names = names!(
    "probe_sentry_error_received",
    "probe_sentry_status_code",
    "probe_sentry_content_length",
    "probe_duration_seconds",
    "probe_success"
);

/// Of zekker6's.
pub static SENTRY_PROBE: Names = names!(
    "sentry_probe_error_received",
    "sentry_probe_status_code",
    "sentry_probe_content_length",
    "sentry_probe_duration_seconds",
    "sentry_probe_success"
);

const fn figure(name: &'static str, help: &'static str) -> Figure {
    Figure {
        name,
        kind: Kind::Gauge,
        help,
        source: "",
        labels: &[],
        collector: None,
    }
}

impl Names {
    /// All, in the order in which they are shown.
    pub fn all(&'static self) -> [&'static Figure; 5] {
        [
            &self.received,
            &self.status_code,
            &self.content_length,
            &self.duration,
            &self.success,
        ]
    }

    /// The values of a probe.
    pub fn values(&'static self, outcome: &Outcome) -> Families {
        let mut families = Families::default();
        if let Some(received) = outcome.received {
            families.set(&self.received, &[], received);
        }
        let (status, length) = match &outcome.answered {
            None => (0, Some(0)),
            Some(answered) => (answered.status, answered.content_length),
        };
        families.set(&self.status_code, &[], u64::from(status));
        match length {
            Some(length) => families.set(&self.content_length, &[], length),
            None => families.set(&self.content_length, &[], -1.0),
        }
        families.set(&self.duration, &[], outcome.took.as_secs_f64());
        families.set(&self.success, &[], outcome.received.is_some());
        families
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::Number;
    use crate::probe::answered::Answered;
    use rstest::rstest;
    use std::time::Duration;

    fn number(families: &Families, figure: &Figure) -> Option<Number> {
        families.of(figure)?.values().next().copied()
    }

    #[rstest]
    #[case::no_answer(None, None, 0, Number::Whole(0), false)]
    #[case::a_refusal(Some((404, Some(17))), None, 404, Number::Whole(17), false)]
    #[case::an_answer(Some((200, None)), Some(0), 200, Number::Real(-1.0), true)]
    fn values_of_a_probe(
        #[values(&PROBE, &SENTRY_PROBE)] names: &'static Names,
        #[case] answered: Option<(u16, Option<u64>)>,
        #[case] received: Option<u64>,
        #[case] status: u64,
        #[case] length: Number,
        #[case] success: bool,
    ) {
        let outcome = Outcome {
            answered: answered.map(|(status, content_length)| Answered {
                status,
                content_length,
            }),
            received,
            took: Duration::from_millis(1500),
        };
        let families = names.values(&outcome);
        assert_eq!(
            number(&families, &names.received),
            received.map(Number::Whole)
        );
        assert_eq!(
            number(&families, &names.status_code),
            Some(Number::Whole(status))
        );
        assert_eq!(number(&families, &names.content_length), Some(length));
        assert_eq!(number(&families, &names.duration), Some(Number::Real(1.5)));
        assert_eq!(number(&families, &names.success), Some(success.into()));
    }
}
