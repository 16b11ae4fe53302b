//! What a fault does to the true answer: to its rows, to its links, to its body.

use crate::cursor::Link;
use crate::draft::{Draft, Sending};
use crate::faults::kind::FaultKind;
use crate::faults::refusal::status_problem;
use crate::problem::Problem;
use crate::reply::{Page, Reply};
use axum::http::header;
use serde_json::{Map, Value};

/// What the fault does to rows and links. `cursor` is that of the request.
pub(crate) fn spoil_reply(
    mut reply: Reply,
    kind: &FaultKind,
    cursor: Option<&str>,
) -> Result<Reply, Problem> {
    let rows = match &mut reply {
        Reply::Value(value) => std::slice::from_mut(value),
        Reply::List { rows, .. } => rows.as_mut_slice(),
        Reply::Page(page) => page.rows.as_mut_slice(),
    };
    match kind {
        FaultKind::Unreadable { row, status }
            if rows.iter().any(|one| one.contains(row.as_str())) =>
        {
            return Err(status_problem(*status));
        }
        FaultKind::Backwards => rows.reverse(),
        FaultKind::Keyless { row, key, null } => {
            for one in rows.iter_mut().filter(|one| one.contains(row.as_str())) {
                let mut value: Map<String, Value> =
                    serde_json::from_str(one).expect("a row is an object");
                value.remove(*key);
                if *null {
                    value.insert((*key).to_owned(), Value::Null);
                }
                *one = Value::Object(value).to_string();
            }
        }
        _ => {}
    }
    if let Reply::Page(page) = &mut reply {
        misplace(page, kind, cursor);
    }
    Ok(reply)
}

/// Faults of paging.
fn misplace(page: &mut Page, kind: &FaultKind, cursor: Option<&str>) {
    match kind {
        FaultKind::RepeatCursor => {
            page.next = Link {
                cursor: cursor.unwrap_or("0:0:0").to_owned(),
                results: true,
            };
        }
        FaultKind::EndEarly => {
            page.rows.truncate(page.rows.len() / 2);
            page.next.results = false;
        }
        FaultKind::LoseRow if page.next.results => {
            page.rows.pop();
        }
        FaultKind::EmptyPageMore => {
            page.rows.clear();
            page.next = Link {
                // The same place under another spelling, so that no client takes it for a loop.
                cursor: cursor.map_or("0:0:0".to_owned(), |cursor| format!("0{cursor}")),
                results: true,
            };
        }
        _ => {}
    }
}

/// What the fault does to an answer that is ready to be sent.
pub(crate) fn spoil_draft(mut draft: Draft, kind: &FaultKind) -> Draft {
    if *kind == FaultKind::NoLink {
        draft.headers.remove(header::LINK);
    }
    draft.body = match draft.body {
        Sending::Whole(body) => spoil_body(body, kind),
        other => other,
    };
    draft
}

fn spoil_body(mut body: Vec<u8>, kind: &FaultKind) -> Sending {
    let middle = body.len() / 2;
    match kind {
        FaultKind::WrongShape => {
            let (before, after): (&[u8], &[u8]) = if body.starts_with(b"[") {
                (b"{\"data\":", b"}")
            } else {
                (b"[", b"]")
            };
            Sending::Whole([before, &body, after].concat())
        }
        FaultKind::CutBody => Sending::Part {
            sent: middle,
            body,
            stalls: false,
        },
        FaultKind::StallBody => Sending::Part {
            sent: middle,
            body,
            stalls: true,
        },
        FaultKind::HugeBody(blanks) => Sending::Blown {
            body,
            blanks: *blanks,
        },
        FaultKind::CorruptBody => {
            body.insert(middle, 1);
            Sending::Whole(body)
        }
        FaultKind::NotUtf8 => {
            body.insert(middle, 0xff);
            Sending::Whole(body)
        }
        _ => Sending::Whole(body),
    }
}
