//! What stands behind the keys of a search: lists, times and numbers.

use crate::problem::Problem;
use crate::window;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// One value, or those of a list.
pub fn values(text: &str) -> Vec<String> {
    let listed = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let bare = |value: &str| value.trim().trim_matches('"').to_owned();
    match listed {
        Some(list) => list.split(',').map(bare).collect(),
        None => vec![bare(text)],
    }
}

/// All of them in `known`, or a refusal that names the one that is not.
pub fn known(text: &str, known: &[&str], refusal: &str) -> Result<Vec<String>, Problem> {
    let values = values(text);
    match values.iter().find(|value| !known.contains(&value.as_str())) {
        Some(other) => Err(Problem::bad_search(&format!(
            "{refusal} value of '{other}'"
        ))),
        None => Ok(values),
    }
}

/// From and to, both optional, each with whether it is inside.
#[derive(Clone, Copy, Default)]
pub struct Period {
    from: Option<(DateTime<Utc>, bool)>,
    to: Option<(DateTime<Utc>, bool)>,
}

impl Period {
    /// `-24h` is later than that, `+24h` earlier; an instant alone is the eleven minutes around it, a day alone the day. No
    /// time can be negated.
    pub fn parse(
        key: &str,
        value: &str,
        negated: bool,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let invalid = || {
            Problem::bad_search(&format!(
                "{key}: Invalid date: {value}. Expected +/-duration (e.g. +1h) or ISO 8601-like (e.g. {}).",
                now.format("%Y-%m-%dT%H:%M:%S.00")
            ))
        };
        if negated {
            return Err(invalid());
        }
        if let Some(length) = value.strip_prefix(['-', '+']) {
            let instant = duration(length)
                .and_then(|length| now.checked_sub_signed(length))
                .ok_or_else(invalid)?;
            let bound = Some((instant, true));
            return Ok(if value.starts_with('-') {
                Period {
                    from: bound,
                    to: None,
                }
            } else {
                Period {
                    from: None,
                    to: bound,
                }
            });
        }
        let (operator, text) = operator(value);
        let (instant, whole_day) = date(text).ok_or_else(invalid)?;
        let period = |from, to| Ok(Period { from, to });
        match operator {
            ">=" => period(Some((instant, true)), None),
            ">" => period(Some((instant, false)), None),
            "<=" => period(None, Some((instant, true))),
            "<" => period(None, Some((instant, false))),
            "" if whole_day => period(
                Some((instant, true)),
                Some((instant + TimeDelta::days(1), false)),
            ),
            "" => period(
                Some((instant - TimeDelta::minutes(5), true)),
                Some((instant + TimeDelta::minutes(6), false)),
            ),
            _ => Err(invalid()),
        }
    }

    pub fn holds(self, instant: DateTime<Utc>) -> bool {
        self.from
            .is_none_or(|(from, inside)| instant > from || inside && instant == from)
            && self
                .to
                .is_none_or(|(to, inside)| instant < to || inside && instant == to)
    }
}

/// A comparison with one number, or several of which one must be equal.
pub struct Numbers {
    operator: &'static str,
    values: Vec<f64>,
}

impl Numbers {
    pub fn parse(key: &str, value: &str) -> Result<Self, Problem> {
        let (operator, text) = operator(value);
        let read = |text: &String| {
            let (digits, unit) = match text.chars().last() {
                Some(unit @ ('k' | 'm' | 'b')) => (text.trim_end_matches(unit), unit),
                _ => (text.as_str(), ' '),
            };
            let plain = digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
            let number: f64 = digits.parse().ok().filter(|_| plain)?;
            Some(
                number
                    * match unit {
                        'k' => 1e3,
                        'm' => 1e6,
                        'b' => 1e9,
                        _ => 1.0,
                    },
            )
        };
        let values: Option<Vec<f64>> = values(text).iter().map(read).collect();
        match values {
            Some(values) if operator.is_empty() || operator == "=" || values.len() == 1 => {
                Ok(Numbers { operator, values })
            }
            _ => Err(Problem::bad_search(&format!(
                "{key}: Invalid number: {value}. Expected number then optional k, m, or b suffix (e.g. 500k)."
            ))),
        }
    }

    #[expect(
        clippy::float_cmp,
        clippy::cast_precision_loss,
        reason = "counts are whole and small"
    )]
    pub fn holds(&self, number: u64) -> bool {
        let number = number as f64;
        self.values.iter().any(|value| match self.operator {
            ">=" => number >= *value,
            ">" => number > *value,
            "<=" => number <= *value,
            "<" => number < *value,
            _ => number == *value,
        })
    }
}

fn operator(value: &str) -> (&'static str, &str) {
    for operator in [">=", "<=", ">", "<", "="] {
        if let Some(rest) = value.strip_prefix(operator) {
            return (operator, rest);
        }
    }
    ("", value)
}

fn duration(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = number.parse().ok()?;
    match unit {
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        "w" => TimeDelta::try_weeks(number),
        _ => None,
    }
}

/// A day, or an instant with seconds; and whether it is a day. Without a zone it is UTC.
fn date(text: &str) -> Option<(DateTime<Utc>, bool)> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some((day.and_time(chrono::NaiveTime::MIN).and_utc(), true));
    }
    let instant = window::instant(text).ok()?;
    text.contains('T').then_some((instant, false))
}
