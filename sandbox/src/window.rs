//! Instants as Sentry writes and reads them, and the window of a request.

use crate::problem::Problem;
use crate::world::{Seconds, World};
use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeDelta, Utc};

/// With six digits when there is a fraction, with none otherwise.
pub fn text(instant: DateTime<Utc>) -> String {
    let format = if instant.timestamp_subsec_micros() == 0 {
        SecondsFormat::Secs
    } else {
        SecondsFormat::Micros
    };
    instant.to_rfc3339_opts(format, true)
}

pub fn second_text(second: i64) -> String {
    text(at(second))
}

pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap_or_default()
}

/// A range of time as a request names it.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Window {
    pub fn seconds(self) -> Seconds {
        Seconds::new(self.start, self.end)
    }

    /// `statsPeriod` wins over `start` and `end`; `None` when the request names neither.
    pub fn asked(
        get: impl Fn(&str) -> Option<String>,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, Problem> {
        if let Some(period) = get("statsPeriod").filter(|period| !period.is_empty()) {
            let length = period_length(&period)
                .ok_or_else(|| Problem::bad_request(&format!("Invalid statsPeriod: '{period}'")))?;
            return Ok(Some(Self {
                start: now - length,
                // An event of this very second is inside.
                end: now + TimeDelta::seconds(1),
            }));
        }
        let start = get("start").filter(|text| !text.is_empty());
        let end = get("end").filter(|text| !text.is_empty());
        let (start, end) = match (start, end) {
            (None, None) => return Ok(None),
            (Some(start), Some(end)) => (instant(&start)?, instant(&end)?),
            _ => return Err(Problem::bad_request("start and end are both required")),
        };
        if start >= end {
            return Err(Problem::bad_request("start must be before end"));
        }
        Ok(Some(Self { start, end }))
    }

    /// The default of searches: 90 days up to now.
    pub fn recent(world: &World) -> Self {
        let now = world.clock();
        Self {
            start: now - TimeDelta::days(90),
            end: now + TimeDelta::seconds(1),
        }
    }
}

fn period_length(period: &str) -> Option<TimeDelta> {
    let unit = period.chars().last()?;
    let number: i64 = period.strip_suffix(unit)?.parse().ok()?;
    match unit {
        's' => TimeDelta::try_seconds(number),
        'm' => TimeDelta::try_minutes(number),
        'h' => TimeDelta::try_hours(number),
        'd' => TimeDelta::try_days(number),
        'w' => TimeDelta::try_weeks(number),
        _ => None,
    }
}

/// ISO 8601 with or without an offset, or seconds since the epoch. A raw `+` in a query string is a space, so an
/// unescaped `+00:00` does not parse, as in Sentry.
pub fn instant(text: &str) -> Result<DateTime<Utc>, Problem> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(instant.to_utc());
    }
    if let Ok(naive) = text.parse::<NaiveDateTime>() {
        return Ok(naive.and_utc());
    }
    if let Ok(day) = text.parse::<chrono::NaiveDate>() {
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    if let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
    {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a saturated instant is refused by chrono"
        )]
        let micros = (seconds * 1e6) as i64;
        if let Some(instant) = DateTime::from_timestamp_micros(micros) {
            return Ok(instant);
        }
    }
    Err(Problem::bad_request(&format!(
        "{text} is not a valid ISO8601 date query"
    )))
}
