//! Child rows of all parents of a project in one list, instead of a list for each parent.
//!
//! With the hosted service's limits (one request a second there, forty for the parents' lists) it pays where many parents have
//! few rows in the run's only window: seven days of 2,000 issues that had an event each took 20 requests and 21 s instead of
//! 2,000 and 54 s; first runs of a month took no longer without it. On a server without limits it pays wherever a page holds
//! the rows of as many parents as are asked for at a time: 1,000 issues with ten events each took 100 requests instead of 1,000.

use crate::streams::Together;
use crate::sync::row::Reference;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashSet};
use tap_sentry_api::client::Client;
use tap_sentry_api::endpoint::{Endpoint, Rows};
use tap_sentry_api::page_size::PAGE_SIZE;
use tap_sentry_api::window::Window;

/// It must take at most this part of the time that a list for each parent takes.
const CLEARLY_LESS: f64 = 0.8;

/// A longer list is not asked for: which rows were read is kept in memory until its end.
const MOST_PAGES: u64 = 100;

/// For fewer parents their own lists are asked for: each of them says when its parent was deleted or merged.
const LEAST_PARENTS: usize = 20;

/// The list of a whole project, and whose rows of it are wanted.
pub struct ByProject {
    pub together: Together,
    /// The ids of the parents whose rows are wanted.
    wanted: HashSet<String>,
    /// Other parents that rows were seen of; their rows were left out.
    unlisted: Mutex<BTreeSet<String>>,
}

impl ByProject {
    pub fn of<'r>(together: Together, parents: impl Iterator<Item = &'r Reference>) -> Self {
        let id = |parent: &Reference| {
            let mut bound = parent.bind.iter();
            bound
                .find(|(name, _)| *name == together.bind)
                .map(|(_, id)| id.clone())
        };
        Self {
            together,
            wanted: parents.filter_map(id).collect(),
            unlisted: Mutex::default(),
        }
    }

    /// Whether rows of this parent are wanted; if not, it is remembered.
    pub fn admits(&self, parent: String) -> bool {
        self.wanted.contains(&parent) || {
            let mut unlisted = self.unlisted.lock();
            unlisted.insert(parent);
            false
        }
    }

    /// Parents that rows were seen of though the search did not list them: hidden, merged or new. Their own lists tell.
    pub fn unlisted(self) -> Vec<Reference> {
        let unlisted = self.unlisted.into_inner();
        unlisted
            .into_iter()
            .map(|id| Reference {
                bind: vec![(self.together.bind, id)],
                last: None,
                born: None,
                count: None,
                total: None,
                together: false,
                no_access: false,
            })
            .collect()
    }
}

/// Whether all child rows of a parent, now and later in the run, come in one answer.
pub fn fits_a_page(endpoint: &Endpoint, parent: &Reference) -> bool {
    matches!(endpoint.rows, Rows::Pages { .. })
        && parent.total.is_some_and(|total| total <= PAGE_SIZE as u64)
}

/// Whether the list of the whole project takes clearly less time than a list for each parent, `concurrency` of which are
/// asked for at a time. `part` is the window that is asked for, `whole` what is read at once of a parent whose rows fit on
/// a page.
pub fn is_faster(
    client: &Client,
    concurrency: usize,
    list: &Endpoint,
    own: &Endpoint,
    (part, whole): (Window, Window),
    parents: &[&Reference],
) -> bool {
    let pages = |rows: u64| rows.div_ceil(PAGE_SIZE as u64).max(1);
    let together: Vec<&Reference> = parents.iter().copied().filter(|r| r.together).collect();
    let rows = together.iter().map(|parent| parent.count).sum();
    let Some(rows) = Option::<u64>::filter(rows, |_| together.len() >= LEAST_PARENTS) else {
        return false;
    };
    let (once, each): (Vec<&Reference>, Vec<&Reference>) = together
        .into_iter()
        .partition(|parent| fits_a_page(own, parent));
    // What is read once for all windows counts for this one by its part of them.
    let seconds = |window: Window| window.length().num_seconds().max(1).unsigned_abs();
    let once = (once.len() as u64 * seconds(part)).div_ceil(seconds(whole));
    let each: u64 = each.iter().filter_map(|r| r.count).map(pages).sum();
    let (listed, one_by_one) = (pages(rows), once + each);
    let seconds = client.estimate(own.class, one_by_one) * CLEARLY_LESS;
    // Its pages come one after the other.
    listed <= MOST_PAGES
        && listed * concurrency as u64 <= one_by_one
        && client.estimate(list.class, listed) < seconds
}
