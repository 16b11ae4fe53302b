//! The values that a list of sums is asked for apart by, where a single project has too much in an interval.

use crate::streams::Apart;
use crate::sync::failure::Failure;
use crate::sync::session::Session;
use serde_json::Value;
use tap_sentry_api::error::Kind;
use tap_sentry_api::params::Params;
use tap_sentry_api::request::Request;
use tap_sentry_api::window::Window;

/// What the values of one request may have in an address, before they are escaped.
const LONGEST: usize = 1_000;

/// All values there are in an interval of these projects, in pieces that fit into an address each; `None`: the server may
/// not have told all of them.
///
/// # Errors
/// When they cannot be had.
pub async fn values(
    session: &Session<'_>,
    apart: &'static Apart,
    (place, projects): (&Params, &[String]),
    asked: Window,
) -> Result<Option<Vec<Vec<String>>>, Failure> {
    let mut query = place.query(apart.list, &[], projects);
    query.extend(asked.query());
    let request = Request::new(apart.list, place.clone());
    let mut asking = session.client.ask(Request { query, ..request });
    loop {
        let page = asking.answer().await?;
        match told(apart, page.body.bytes()) {
            Ok(values) => {
                asking.accept(&page);
                // Where there is too much there is something to tell it apart by.
                let is_all = (1..apart.full).contains(&values.len());
                return Ok(is_all.then(|| pieces(values)));
            }
            Err(kind) => asking.reject(kind).await?,
        }
    }
}

fn told(apart: &Apart, body: &[u8]) -> Result<Vec<String>, Kind> {
    let body: Value = serde_json::from_slice(body).map_err(|e| Kind::Body(e.to_string()))?;
    let envelope = apart.list.envelope.unwrap_or_default();
    let groups = body.get(envelope).and_then(Value::as_array);
    let groups = groups.ok_or_else(|| Kind::Body(format!("expected `{envelope}`")))?;
    let value = |group: &Value| match &group["by"][apart.by] {
        Value::String(value) => Ok(value.clone()),
        // Servers of 2022 leave out what is empty.
        Value::Null => Ok(String::new()),
        other => Err(Kind::Body(format!("`{}` is {other}", apart.by))),
    };
    groups.iter().map(value).collect()
}

fn pieces(values: Vec<String>) -> Vec<Vec<String>> {
    let mut pieces = vec![Vec::new()];
    let mut length = 0;
    // Servers before 2026 look for the backslash too where one stands before a wildcard in a list.
    let (alone, values): (Vec<_>, Vec<_>) = values
        .into_iter()
        .partition(|value| value.contains(['*', '\\']));
    for value in values {
        length += value.len() + 3;
        if length > LONGEST {
            pieces.push(Vec::new());
            length = value.len() + 3;
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(value);
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces.extend(alone.into_iter().map(|value| vec![value]));
    pieces
}

/// Sentry's search for these values.
pub fn search(apart: &Apart, values: &[String]) -> (&'static str, String) {
    let quoted = values.iter().map(|value| {
        let escaped = value.replace('\\', r"\\").replace('"', r#"\""#);
        format!("\"{}\"", escaped.replace('*', r"\*"))
    });
    let quoted: Vec<_> = quoted.collect();
    let search = match &quoted[..] {
        [one] => format!("{}:{one}", apart.by),
        several => format!("{}:[{}]", apart.by, several.join(",")),
    };
    (apart.parameter, search)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::find;

    #[test]
    fn values_fit_into_addresses_and_none_is_lost() {
        let values: Vec<String> = (0..300).map(|n| format!("api@1.{n}")).collect();
        let pieces = pieces(values.clone());
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| !piece.is_empty()));
        assert_eq!(pieces.concat(), values);
    }

    #[test]
    fn values_are_quoted_and_escaped() {
        let windows = find("sessions").expect("a stream").windows();
        let sums = windows.expect("windows").sums.expect("sums");
        let searched = |values: &[&str]| {
            let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
            search(sums.apart.expect("apart"), &values).1
        };
        assert_eq!(
            searched(&["api@1.0", r#"a "b", c"#]),
            r#"release:["api@1.0","a \"b\", c"]"#
        );
        assert_eq!(searched(&[r"\*c"]), r#"release:"\\\*c""#);
    }

    #[test]
    fn what_a_list_cannot_hold_on_every_server_is_asked_for_alone() {
        let values = ["a", "b*", "c"].map(str::to_owned).to_vec();
        assert_eq!(pieces(values), [vec!["a", "c"], vec!["b*"]]);
    }
}
