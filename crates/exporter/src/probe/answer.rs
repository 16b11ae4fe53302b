//! What is read of Sentry's statistics: how many errors were received in the hour under way.

use serde::Deserialize;
use serde_json::Number;

/// Outcomes of events that Sentry counts as received.
const RECEIVED: [&str; 3] = ["accepted", "filtered", "rate_limited"];

/// A second and a count.
#[derive(Deserialize)]
struct Point(
    #[expect(dead_code, reason = "its form is checked")] Number,
    u64,
);

/// The count of the last point of `[[second, count], …]`.
///
/// # Errors
/// Why it is no such answer, or one without points.
pub fn last_point(body: &[u8]) -> Result<u64, String> {
    let points: Vec<Point> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let last = points.last().map(|Point(_, count)| *count);
    last.ok_or_else(|| "there are no points".to_owned())
}

#[derive(Deserialize)]
struct Outcomes {
    intervals: Vec<String>,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    by: By,
    series: Series,
}

#[derive(Deserialize)]
struct By {
    outcome: String,
}

#[derive(Deserialize)]
struct Series {
    #[serde(rename = "sum(quantity)")]
    quantity: Vec<u64>,
}

/// The same of outcomes by the hour, in which groups without a count are absent.
///
/// # Errors
/// Why it is no such answer, or one without hours.
pub fn last_hour(body: &[u8]) -> Result<u64, String> {
    let outcomes: Outcomes = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let hours = outcomes.intervals.len();
    if hours == 0 {
        return Err("there are no intervals".to_owned());
    }
    let mut received = 0_u64;
    for Group { by, series } in &outcomes.groups {
        if series.quantity.len() != hours {
            return Err("a series has not as many numbers as there are intervals".to_owned());
        }
        if RECEIVED.contains(&by.outcome.as_str()) {
            let last = series.quantity.last().copied().unwrap_or_default();
            received = received.saturating_add(last);
        }
    }
    Ok(received)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("[[1764320400,7]]", 7)]
    #[case("[[1764316800, 3], [1764320400, 0]]", 0)]
    #[case("[[1764320400.0,18446744073709551615]]", u64::MAX)]
    fn the_last_point_counts(#[case] body: &str, #[case] count: u64) {
        assert_eq!(last_point(body.as_bytes()), Ok(count));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::no_points("[]")]
    #[case::no_list("{\"detail\":\"no\"}")]
    #[case::null("null")]
    #[case::a_point_without_a_count("[[1764320400]]")]
    #[case::a_point_with_more("[[1764320400,7,8]]")]
    #[case::below_zero("[[1764320400,-7]]")]
    #[case::a_fraction("[[1764320400,7.5]]")]
    #[case::a_text("[[1764320400,\"7\"]]")]
    #[case::an_odd_one_before("[[1764316800,null],[1764320400,7]]")]
    #[case::a_page("<html>7]]</html>")]
    #[case::cut("[[1764320400,7]")]
    #[case::more_behind("[[1764320400,7]] [[1764320400,8]]")]
    #[case::no_text("[[\u{0}]]")]
    fn what_is_not_understood_is_no_count(#[case] body: &str) {
        assert!(last_point(body.as_bytes()).is_err());
    }

    fn outcomes(intervals: usize, groups: &[(&str, &[u64])]) -> Vec<u8> {
        let group = |(outcome, counts): &(&str, &[u64])| json!({"by": {"outcome": outcome}, "totals": {}, "series": {"sum(quantity)": counts}});
        let groups: Vec<_> = groups.iter().map(group).collect();
        let intervals: Vec<_> = (0..intervals)
            .map(|hour| format!("2026-11-28T{hour:02}:00:00Z"))
            .collect();
        json!({"start": "", "end": "", "intervals": intervals, "groups": groups})
            .to_string()
            .into_bytes()
    }

    #[test]
    fn of_outcomes_those_received_count_in_the_last_hour() {
        let groups: &[(&str, &[u64])] = &[
            ("accepted", &[9, 4]),
            ("filtered", &[0, 2]),
            ("rate_limited", &[1, 1]),
            ("invalid", &[5, 5]),
            ("client_discard", &[0, 8]),
        ];
        assert_eq!(last_hour(&outcomes(2, groups)), Ok(7));
        assert_eq!(last_hour(&outcomes(2, &[])), Ok(0), "zeros are absent");
    }

    #[rstest]
    #[case(outcomes(0, &[]))]
    #[case(outcomes(2, &[("accepted", &[1])]))]
    #[case(b"{\"groups\":[]}".to_vec())]
    #[case(b"[]".to_vec())]
    fn what_is_not_understood_of_outcomes_is_no_count(#[case] body: Vec<u8>) {
        assert!(last_hour(&body).is_err());
    }
}
