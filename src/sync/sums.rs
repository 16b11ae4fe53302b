//! Lists of sums over intervals of time, each of them read whole.
//!
//! An answer that is full may lack rows, and does not say so. Then the projects are asked for apart, and what a single
//! project has too much of is asked for in parts, if the list has any, or is a gap.

use crate::streams::interval::Interval;
use crate::streams::{Search, Sums};
use crate::sync::apart;
use crate::sync::failure::Failure;
use crate::sync::list::{self, Whole};
use crate::sync::listing::Listing;
use crate::sync::plan::{Group, Node};
use crate::sync::session::Session;
use chrono::TimeDelta;
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::params::Params;
use tap_sentry_api::time::format_instant;
use tap_sentry_api::window::Window;

/// Sentry takes the end as inclusive, and rounds to whole intervals: the end itself would be one of the next.
fn asked(interval: Window) -> Window {
    Window {
        end: interval.end - TimeDelta::seconds(1),
        ..interval
    }
}

fn place(session: &Session<'_>, context: &Params, search: &Search, interval: Window) -> Params {
    let length = session.settings.stats_interval.name();
    context.with(&search.parameters()).with(&[
        (Sums::LENGTH, length.to_owned()),
        (Interval::START, format_instant(interval.start)),
    ])
}

/// The parts of what a single project has too much of: of a part of it, its halves. `None`: there are none.
async fn parts(
    session: &Session<'_>,
    sums: Sums,
    part: Option<Vec<String>>,
    place: (&Params, &[String]),
    interval: Window,
) -> Result<Option<Vec<Vec<String>>>, Failure> {
    match (sums.apart, part) {
        (Some(apart), None) => apart::values(session, apart, place, asked(interval)).await,
        (Some(_), Some(mut values)) if values.len() > 1 => {
            let second = values.split_off(values.len() / 2);
            Ok(Some(vec![values, second]))
        }
        _ => Ok(None),
    }
}

/// The list of one interval, or of several that are asked for at once.
pub fn listing<'a>(
    session: &'a Session<'a>,
    node: &'a Node,
    context: &Params,
    (sums, search): (Sums, &Search),
    interval: Window,
) -> Listing<'a> {
    let place = place(session, context, search, interval);
    let asked = asked(interval);
    let mut listing = Listing::new(session, node, place);
    listing.query = match sums.span.in_seconds() {
        None => asked.query().to_vec(),
        Some([start, end]) => [(start, asked.start), (end, asked.end)]
            .map(|(name, at)| (name, at.timestamp().to_string()))
            .to_vec(),
    };
    listing.query.extend(search.parameters());
    listing
}

/// Reads one interval, or several at once, of all projects of a group.
///
/// # Errors
/// When it cannot be read; what cannot be read of a single project is told as a gap.
pub async fn read_interval(
    session: &Session<'_>,
    node: &Node,
    context: &Params,
    group: &Group,
    (sums, search): (Sums, &Search),
    interval: Window,
) -> Result<(), Failure> {
    let mut due = vec![(group.clone(), None::<Vec<String>>)];
    while let Some((group, part)) = due.pop() {
        let mut listing = listing(session, node, context, (sums, search), interval);
        listing.projects = &group.projects;
        let by = part.as_deref().zip(sums.apart);
        let by = by.map(|(values, apart)| apart::search(apart, values));
        listing.query.extend(by);
        let read = list::read(&listing, None, Whole::LastPage, async |_, _| Ok(())).await;
        match read {
            Ok(_) => {}
            Err(Failure::Api(ApiError {
                kind: Kind::Full(_),
                ..
            })) if group.places.len() > 1 => {
                due.extend(group.split().into_iter().rev().map(|half| (half, None)));
            }
            Err(Failure::Api(
                error @ ApiError {
                    kind: Kind::Full(_),
                    ..
                },
            )) => {
                let place = (
                    &place(session, context, search, interval),
                    &group.projects[..],
                );
                if let Some(parts) = parts(session, sums, part, place, interval).await? {
                    due.extend(
                        parts
                            .into_iter()
                            .rev()
                            .map(|part| (group.clone(), Some(part))),
                    );
                    continue;
                }
                let reason = format!("{interval}: {error}");
                session.gaps(node, group.parts(), &reason).await?;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}
