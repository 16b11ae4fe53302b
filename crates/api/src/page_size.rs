//! How many rows of a list are asked for at once, and what is known of lists of which 100 are too much.

use parking_lot::Mutex;
use std::collections::HashMap;

/// Rows on a page: the most that Sentry gives.
pub const PAGE_SIZE: usize = 100;
/// How many are asked for when a larger page was too much for the server. A list of which 100 were too much is never
/// asked for as many again; smaller sizes are tried once more when a still smaller one is answered, since what failed may
/// have been the server's trouble and not the page's.
pub const SMALLER_PAGES: [usize; 3] = [25, 5, 1];

/// How many rows of one list are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize {
    pub now: usize,
    /// Larger pages are not tried any more.
    pub most: usize,
}

impl PageSize {
    /// As many as Sentry gives.
    pub const FULL: Self = Self {
        now: PAGE_SIZE,
        most: PAGE_SIZE,
    };

    /// What to ask for when this was too much.
    pub fn smaller(self) -> Option<usize> {
        SMALLER_PAGES.into_iter().find(|size| *size < self.now)
    }

    /// What to try after a page was answered.
    pub fn larger(self) -> Option<usize> {
        let sizes = SMALLER_PAGES.into_iter().rev().chain([PAGE_SIZE]);
        sizes
            .into_iter()
            .find(|size| *size > self.now && *size <= self.most)
    }
}

/// What is known of the lists of one server.
#[derive(Debug, Default)]
pub struct PageSizes {
    /// Lists of which pages of the usual size were too much for the server.
    lists: Mutex<HashMap<String, PageSize>>,
    /// Endpoints with such a list: others of theirs begin with as few rows.
    endpoints: Mutex<HashMap<&'static str, usize>>,
    /// How often a list was refused as too much in succession.
    refusals: Mutex<HashMap<String, usize>>,
}

impl PageSizes {
    /// What a list begins with. Where its cursors count pages, what is known of other lists does not count: the size
    /// stays to its end.
    pub fn first(&self, list: &str, endpoint: &str, offset_paged: bool) -> Option<PageSize> {
        if let Some(known) = self.lists.lock().get(list) {
            return Some(*known);
        }
        let few = self.endpoints.lock().get(endpoint).copied();
        few.filter(|_| !offset_paged).map(|few| PageSize {
            now: few,
            most: PAGE_SIZE,
        })
    }

    /// A page of the list was answered.
    pub fn answered(&self, list: &str, endpoint: &'static str, size: PageSize) {
        self.refusals.lock().remove(list);
        if size.now == PAGE_SIZE {
            self.endpoints.lock().remove(endpoint);
        } else if size.most < PAGE_SIZE {
            self.lists.lock().insert(list.to_owned(), size);
            self.endpoints.lock().insert(endpoint, size.now);
        }
    }

    /// The list was refused as too much; returns how often in succession.
    pub fn refused(&self, list: &str) -> usize {
        let mut refusals = self.refusals.lock();
        let count = refusals.entry(list.to_owned()).or_default();
        *count += 1;
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: PageSize = PageSize { now: 5, most: 25 };

    #[test]
    fn sizes_go_down_and_up_again_to_what_was_not_too_much() {
        assert_eq!(PageSize::FULL.smaller(), Some(25));
        assert_eq!(PageSize { now: 1, most: 1 }.smaller(), None);
        assert_eq!(SMALL.larger(), Some(25));
        assert_eq!(PageSize { now: 25, most: 25 }.larger(), None);
    }

    #[test]
    fn a_list_begins_as_it_ended_and_others_of_its_endpoint_do_so_too() {
        let sizes = PageSizes::default();
        assert_eq!(sizes.first("a", "events", false), None);
        sizes.answered("a", "events", SMALL);
        assert_eq!(sizes.first("a", "events", false), Some(SMALL));
        let few = PageSize { now: 5, most: 100 };
        assert_eq!(sizes.first("b", "events", false), Some(few));
        assert_eq!(
            sizes.first("b", "events", true),
            None,
            "its cursors count pages"
        );
        assert_eq!(sizes.first("b", "issues", false), None);
        sizes.answered("b", "events", PageSize::FULL);
        assert_eq!(
            sizes.first("c", "events", false),
            None,
            "it was this list alone"
        );
    }

    #[test]
    fn refusals_in_succession_are_counted() {
        let sizes = PageSizes::default();
        assert_eq!(
            (sizes.refused("a"), sizes.refused("a"), sizes.refused("b")),
            (1, 2, 1)
        );
        sizes.answered("a", "events", PageSize::FULL);
        assert_eq!(sizes.refused("a"), 1);
    }
}
