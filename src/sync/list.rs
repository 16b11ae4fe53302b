//! One list, read until nothing of it is missing: in smaller windows where the server refuses one, and again where an
//! answer shows that rows are absent.

use crate::sync::failure::Failure;
use crate::sync::limit::WindowLimit;
use crate::sync::row::Row;
use chrono::{DateTime, TimeDelta, Utc};
use rustc_hash::FxHashSet;
use tap_sentry_api::endpoint::{Endpoint, Rows};
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::window::{Window, whole_second};
use xxhash_rust::xxh3::Xxh3;

/// A list is read again at most so often because an answer shows that something is missing.
pub const LOOKS: usize = 3;
/// A second whose rows do not fit on a page is read at most so often, while that brings new rows.
const LOOKS_AT_A_SECOND: usize = 30;
/// The server's estimate of hits ends here: from this number on it says nothing.
pub const HITS_CAP: u64 = 1000;

/// How one knows that nothing of a list is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// The server says that no page follows, or answers without pages.
    LastPage,
    /// Pages are counted by row offset, which skips a row when one before it is deleted: a list of several pages is read
    /// again while that brings new rows. Where all pages but the last are as they were, nothing has moved across an edge, and
    /// the last need not be read again.
    ByOffset,
    /// A search that runs out of time ends early and does not say so; its estimate of hits shows it.
    ByHits,
    /// The row above the list counts its rows, if it says a number.
    ByCount(Option<u64>),
}

impl Whole {
    /// What an endpoint by itself shows.
    pub fn of(endpoint: &Endpoint) -> Self {
        match endpoint.rows {
            Rows::Pages { .. } if endpoint.offset_paged => Self::ByOffset,
            _ => Self::LastPage,
        }
    }
}

/// One page of rows, whose records are already sent.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PageRows {
    pub rows: Vec<Row>,
    /// The instants of the first and the last row, for lists that are ordered by time.
    pub edges: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// `X-Hits`.
    pub hits: Option<u64>,
    /// Another page follows.
    pub more: bool,
    /// It says that none does.
    pub ends: bool,
    /// Rows without a key, or without what the streams below them are asked for by. They are not in `rows`.
    pub skipped: usize,
    /// What tells rows apart that are not wanted. They are not in `rows`.
    pub others: Vec<u128>,
}

/// A list that can be read from its first page on, any number of times.
pub trait Source {
    type Pass<'a>: Pass
    where
        Self: 'a;

    /// The pages of one window, or of the list if it is not asked for by windows.
    fn open(&self, window: Option<Window>) -> Self::Pass<'_>;
    /// What log lines call the list: its stream and its place.
    fn name(&self) -> (&'static str, String);
    /// Waits after so many refusals in succession.
    async fn pause(&self, refusals: usize);
}

/// The pages of a list, from the first to the last.
pub trait Pass {
    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// When the page cannot be had.
    async fn next(&mut self) -> Result<Option<PageRows>, Failure>;
    /// Why rows were left out that the server cannot give, though it gives the others.
    fn unreadable(&self) -> &[ApiError];
    /// The server cannot answer pages of the usual size.
    fn is_small(&self) -> bool;
}

/// What was seen of a list.
#[derive(Debug, Default)]
pub struct Seen {
    /// The windows in which it was read in the end, oldest first; one `None` for a list without windows.
    pub parts: Vec<Option<Window>>,
    /// Rows of one second stood on different pages, which are smaller than usual: some may never come.
    pub split_in_small_pages: bool,
    /// The count was not reached.
    pub missing: Option<Missing>,
    /// Why rows could not be read, though the others were.
    pub unreadable: Vec<ApiError>,
    keys: FxHashSet<u128>,
    /// Rows that have no key or cannot be read.
    absent: u64,
}

/// A list that holds fewer rows than the row above it counts.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing {
    pub expected: u64,
    pub found: u64,
}

impl Seen {
    fn found(&self) -> u64 {
        self.keys.len() as u64
    }

    fn reaches(&self, expected: Option<u64>) -> bool {
        expected.is_none_or(|expected| self.found() + self.absent >= expected)
    }
}

/// What one pass over a window has shown.
#[derive(Debug, Default)]
struct Shown {
    /// What each page holds.
    pages: Vec<Held>,
    hits: Option<u64>,
    absent: u64,
    /// The earliest activity of a row.
    oldest: Option<DateTime<Utc>>,
    /// The seconds of whose rows some stand on the next page: such rows have no order, so that one may come twice and
    /// another not at all.
    split_seconds: Vec<DateTime<Utc>>,
}

/// A digest of the rows of a page in their order: two pages that hold the same are equal.
type Held = u128;

fn held(page: &PageRows) -> Held {
    let mut digest = Xxh3::new();
    for key in page
        .rows
        .iter()
        .map(|row| row.key)
        .chain(page.others.iter().copied())
    {
        digest.update(&key.to_ne_bytes());
    }
    digest.digest128()
}

impl Shown {
    /// Whether the pages so far, all but the last of `before`, are as they were.
    fn repeats(&self, before: &[Held]) -> bool {
        !self.pages.is_empty()
            && self.pages.len() + 1 == before.len()
            && before.starts_with(&self.pages)
    }

    /// Whether as many rows were seen as the search estimates in all. Its estimate ends at a cap.
    fn reaches_hits(&self, seen: &Seen) -> bool {
        self.hits
            .is_some_and(|hits| hits < HITS_CAP && seen.found() + self.absent >= hits)
    }

    /// The window to look at again when a search has shown fewer rows than it estimates: what is older than its last
    /// row. A server that gives no estimate is asked once more for that.
    fn short_of_hits(&self, part: Window, seen: &Seen) -> Option<Window> {
        let Some(oldest) = self.oldest else {
            let is_short = self.hits.is_some_and(|hits| hits > self.absent);
            return is_short.then_some(part);
        };
        let is_capped = self.hits.is_some_and(|hits| hits >= HITS_CAP);
        let older = Window {
            end: (whole_second(oldest) + TimeDelta::seconds(1)).min(part.end),
            ..part
        };
        let is_short = !is_capped && !self.reaches_hits(seen);
        (is_short && older.start < older.end).then_some(older)
    }
}

/// Reads a list until `whole` holds, or until another look brings nothing new. Each row that is new is handed over once
/// for the window in which it was read; a window that was refused midway counts as not read, and its rows come again.
/// After a look at a part of a window the counts of its rows are unknown.
///
/// # Errors
/// When a page cannot be had even in the least window, or `rows` fails.
pub async fn read<S: Source>(
    source: &S,
    window: Option<(Window, &WindowLimit)>,
    whole: Whole,
    mut rows: impl AsyncFnMut(Option<Window>, Vec<Row>) -> Result<(), Failure>,
) -> Result<Seen, Failure> {
    let mut seen = Seen {
        parts: match window {
            Some((window, limit)) => limit.pieces(window).into_iter().map(Some).collect(),
            None => vec![None],
        },
        ..Seen::default()
    };
    let expected = match whole {
        Whole::ByCount(expected) => expected,
        _ => None,
    };
    for look in 0..=LOOKS {
        let before = seen.found();
        seen.absent = 0;
        let mut due: Vec<_> = std::mem::take(&mut seen.parts).into_iter().rev().collect();
        while let Some(part) = due.pop() {
            // Other lists may have learned meanwhile that it is too long.
            if let (Some(part), Some((_, limit))) = (part, window) {
                let pieces = limit.pieces(part);
                if pieces.len() > 1 {
                    due.extend(pieces.into_iter().rev().map(Some));
                    continue;
                }
            }
            match read_part(source, part, whole, &mut seen, &mut rows).await {
                Ok(()) => seen.parts.push(part),
                Err(Failure::Api(ApiError {
                    kind: Kind::QueryTooLarge { .. },
                    ..
                })) if let (Some(part), Some((_, limit))) = (part, window)
                    && limit.may_split(part) =>
                {
                    let (stream, place) = source.name();
                    log::info!(target: stream, "{place}: the query for {part} is refused as too large; splitting the window");
                    let refusals = limit.refused(part);
                    // Half of it at most, whatever other lists have learned meanwhile.
                    let half = limit.half(part);
                    let pieces = limit.pieces(part).into_iter();
                    let pieces: Vec<_> = pieces.flat_map(|piece| piece.pieces(half)).collect();
                    due.extend(pieces.into_iter().rev().map(Some));
                    source.pause(refusals).await;
                }
                Err(failure) => return Err(failure),
            }
        }
        if seen.reaches(expected) {
            if let Some((_, limit)) = window {
                limit.answered();
            }
            return Ok(seen);
        }
        if look > 0 && seen.found() == before {
            break;
        }
    }
    seen.missing = expected.map(|expected| Missing {
        expected,
        found: seen.found(),
    });
    Ok(seen)
}

/// One window, looked at again as long as it shows that rows are missing.
async fn read_part<S: Source>(
    source: &S,
    part: Option<Window>,
    whole: Whole,
    seen: &mut Seen,
    rows: &mut impl AsyncFnMut(Option<Window>, Vec<Row>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if whole == Whole::ByHits {
        // A row may have been active in several windows.
        seen.keys.clear();
    }
    let mut shown = pass(source, part, part, seen, rows).await?;
    seen.absent += shown.absent;
    match whole {
        Whole::LastPage => Ok(()),
        Whole::ByOffset => {
            for _ in 0..LOOKS {
                let before = seen.found();
                if shown.pages.len() < 2 {
                    break;
                }
                shown = pass_beside(&shown.pages, source, part, part, seen, rows).await?;
                if !found_more(source, part, before, seen) {
                    break;
                }
            }
            Ok(())
        }
        Whole::ByCount(expected) if expected.is_some() && seen.reaches(expected) => Ok(()),
        Whole::ByCount(_) => read_split_seconds(source, part, &shown, seen, rows).await,
        Whole::ByHits => {
            let Some(part) = part else { return Ok(()) };
            if !shown.reaches_hits(seen) {
                read_split_seconds(source, Some(part), &shown, seen, rows).await?;
            }
            for _ in 0..LOOKS {
                let before = seen.found();
                let Some(again) = shown.short_of_hits(part, seen) else {
                    break;
                };
                let more = pass(source, Some(part), Some(again), seen, rows).await?;
                shown.oldest = shown.oldest.into_iter().chain(more.oldest).min();
                shown.hits = shown.hits.max(more.hits);
                shown.absent = shown.absent.max(more.absent);
                if !found_more(source, Some(part), before, seen) {
                    break;
                }
            }
            Ok(())
        }
    }
}

/// Logs what another look has found; `false` when that is nothing.
fn found_more(source: &impl Source, part: Option<Window>, before: u64, seen: &Seen) -> bool {
    let more = seen.found() - before;
    if more > 0 {
        let (stream, mut place) = source.name();
        if let Some(part) = part {
            place = format!("{place}: {part}");
        }
        log::info!(target: stream, "{place}: rows were missing from the list; reading it again found {more} more");
    }
    more > 0
}

/// Reads the seconds that pages have split each alone: a second fits on a page, unless pages are small because the
/// server cannot answer larger ones.
async fn read_split_seconds<S: Source>(
    source: &S,
    part: Option<Window>,
    shown: &Shown,
    seen: &mut Seen,
    rows: &mut impl AsyncFnMut(Option<Window>, Vec<Row>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(part) = part else { return Ok(()) };
    for second in &shown.split_seconds {
        let alone = Window {
            start: (*second).max(part.start),
            end: (*second + TimeDelta::seconds(1)).min(part.end),
        };
        let mut nothing_new = 0;
        for _ in 0..LOOKS_AT_A_SECOND {
            let before = seen.found();
            let again = pass(source, Some(part), Some(alone), seen, rows).await?;
            nothing_new = if seen.found() == before {
                nothing_new + 1
            } else {
                0
            };
            if again.split_seconds.is_empty() || nothing_new == LOOKS {
                break;
            }
        }
    }
    Ok(())
}

/// One pass over `window`, which is `part` or lies in it.
async fn pass<S: Source>(
    source: &S,
    part: Option<Window>,
    window: Option<Window>,
    seen: &mut Seen,
    rows: &mut impl AsyncFnMut(Option<Window>, Vec<Row>) -> Result<(), Failure>,
) -> Result<Shown, Failure> {
    pass_beside(&[], source, part, window, seen, rows).await
}

/// The same, which ends before the last page if all others are as they were `before`.
async fn pass_beside<S: Source>(
    before: &[Held],
    source: &S,
    part: Option<Window>,
    window: Option<Window>,
    seen: &mut Seen,
    rows: &mut impl AsyncFnMut(Option<Window>, Vec<Row>) -> Result<(), Failure>,
) -> Result<Shown, Failure> {
    let mut pass = source.open(window);
    let mut shown = Shown::default();
    let mut edge = None;
    while let Some(mut page) = pass.next().await? {
        shown.pages.push(held(&page));
        if shown.pages.len() == 1 {
            shown.hits = page.hits;
        }
        if let Some((first, last)) = page.edges {
            let (first, last) = (whole_second(first), whole_second(last));
            shown
                .split_seconds
                .extend(edge.filter(|edge| *edge == first));
            edge = Some(last);
        }
        shown.absent += page.skipped as u64;
        let activity = page.rows.iter().filter_map(Row::last);
        shown.oldest = shown.oldest.into_iter().chain(activity).min();
        page.rows.retain(|row| seen.keys.insert(row.key));
        if window != part {
            page.rows.iter_mut().for_each(Row::forget_count);
        }
        rows(part, page.rows).await?;
        if shown.repeats(before) {
            break;
        }
    }
    shown.split_seconds.dedup();
    shown.absent += pass.unreadable().len() as u64;
    seen.split_in_small_pages |= pass.is_small() && !shown.split_seconds.is_empty();
    seen.unreadable.extend(pass.unreadable().iter().cloned());
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::row::Reference;
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::sync::Arc;
    use tap_sentry_api::route::Route;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("in range")
    }

    fn window(start: i64, end: i64) -> Window {
        Window {
            start: at(start),
            end: at(end),
        }
    }

    /// Two days, which may be halved down to hours.
    const DAYS: i64 = 2 * 86_400;

    /// A row with its key that was last active in this second.
    fn row(key: u128, second: i64) -> Row {
        Row {
            key,
            instant: None,
            reference: Some(Reference {
                bind: Vec::new(),
                last: Some(at(second)),
                born: None,
                count: Some(1),
                total: None,
                together: false,
                no_access: false,
            }),
        }
    }

    /// A page of rows, newest first.
    #[expect(clippy::unnecessary_wraps, reason = "an answer, as a refusal is one")]
    fn page(rows: &[(u128, i64)]) -> Result<PageRows, Kind> {
        let edges = rows.first().zip(rows.last());
        Ok(PageRows {
            rows: rows
                .iter()
                .map(|(key, second)| row(*key, *second))
                .collect(),
            edges: edges.map(|((_, first), (_, last))| (at(*first), at(*last))),
            ..PageRows::default()
        })
    }

    fn with_hits(hits: u64, page: Result<PageRows, Kind>) -> Result<PageRows, Kind> {
        page.map(|page| PageRows {
            hits: Some(hits),
            ..page
        })
    }

    fn too_large() -> Result<PageRows, Kind> {
        Err(Kind::QueryTooLarge {
            status: 400,
            detail: "too much".to_owned(),
        })
    }

    fn api_error(kind: Kind) -> ApiError {
        ApiError {
            route: Arc::new(Route {
                server: "http://sentry".to_owned(),
                proxy: None,
            }),
            path: "/list/".to_owned(),
            kind,
            stranger: false,
            scope_shown: false,
            token_refused: false,
        }
    }

    /// The answers to come, one list of pages for each pass.
    #[derive(Default)]
    struct Script {
        passes: RefCell<VecDeque<Vec<Result<PageRows, Kind>>>>,
        small_pages: bool,
        unreadable: Vec<ApiError>,
        asked: RefCell<Vec<Option<Window>>>,
        pauses: RefCell<Vec<usize>>,
    }

    impl Script {
        fn new(passes: Vec<Vec<Result<PageRows, Kind>>>) -> Self {
            Self {
                passes: RefCell::new(passes.into()),
                ..Self::default()
            }
        }

        fn asked(&self) -> Vec<Window> {
            self.asked.borrow().iter().flatten().copied().collect()
        }

        /// Reads the list; the keys that were handed over, in their order.
        async fn keys(
            &self,
            window: Option<(Window, &WindowLimit)>,
            whole: Whole,
        ) -> (Result<Seen, Failure>, Vec<u128>) {
            let mut keys = Vec::new();
            let read = read(self, window, whole, async |_, rows| {
                keys.extend(rows.iter().map(|row| row.key));
                Ok(())
            });
            (read.await, keys)
        }
    }

    struct ScriptedPass<'a> {
        script: &'a Script,
        pages: VecDeque<Result<PageRows, Kind>>,
    }

    impl Source for Script {
        type Pass<'a> = ScriptedPass<'a>;

        fn open(&self, window: Option<Window>) -> ScriptedPass<'_> {
            self.asked.borrow_mut().push(window);
            let pages = self.passes.borrow_mut().pop_front();
            ScriptedPass {
                script: self,
                pages: pages.expect("no more passes than are scripted").into(),
            }
        }

        fn name(&self) -> (&'static str, String) {
            ("list", "acme".to_owned())
        }

        async fn pause(&self, refusals: usize) {
            self.pauses.borrow_mut().push(refusals);
            tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
        }
    }

    impl Pass for ScriptedPass<'_> {
        async fn next(&mut self) -> Result<Option<PageRows>, Failure> {
            match self.pages.pop_front() {
                Some(Ok(page)) => Ok(Some(page)),
                Some(Err(kind)) => Err(Failure::Api(api_error(kind))),
                None => Ok(None),
            }
        }

        fn unreadable(&self) -> &[ApiError] {
            &self.script.unreadable
        }

        fn is_small(&self) -> bool {
            self.script.small_pages
        }
    }

    fn limit() -> WindowLimit {
        WindowLimit::new(TimeDelta::days(7))
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_by_its_cursor_is_read_once() {
        let script = Script::new(vec![vec![page(&[(1, 9)]), page(&[(2, 8)])]]);
        let (seen, keys) = script.keys(None, Whole::LastPage).await;
        assert_eq!(keys, [1, 2]);
        assert_eq!(seen.expect("read").parts, [None]);
    }

    #[tokio::test(start_paused = true)]
    async fn pages_by_offset_are_read_again_while_that_brings_rows() {
        // The first row is deleted between the pages: what the second began with is on the first by then.
        let script = Script::new(vec![
            vec![page(&[(0, 9), (1, 9)]), page(&[(3, 7)])],
            vec![page(&[(1, 9), (2, 8)]), page(&[(3, 7)])],
            vec![page(&[(1, 9), (2, 8)]), page(&[(3, 7)])],
        ]);
        let (_, keys) = script.keys(None, Whole::ByOffset).await;
        assert_eq!(keys, [0, 1, 3, 2], "each once");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_page_by_offset_is_read_again_only_if_others_have_changed() {
        let script = Script::new(vec![
            vec![page(&[(1, 9)]), page(&[(2, 8)]), page(&[(3, 7)])],
            vec![page(&[(1, 9)]), page(&[(2, 8)]), too_large()],
        ]);
        let (seen, keys) = script.keys(None, Whole::ByOffset).await;
        assert_eq!((seen.is_ok(), keys), (true, vec![1, 2, 3]));
        // A row left the first page, and another, which was skipped before, went to the last when one was added.
        let script = Script::new(vec![
            vec![page(&[(1, 9), (2, 9)]), page(&[(4, 7)])],
            vec![page(&[(2, 9), (5, 8)]), page(&[(3, 7), (4, 7)])],
            vec![page(&[(2, 9), (5, 8)]), too_large()],
        ]);
        let (seen, keys) = script.keys(None, Whole::ByOffset).await;
        assert_eq!((seen.is_ok(), keys), (true, vec![1, 2, 4, 5, 3]));
    }

    #[tokio::test(start_paused = true)]
    async fn one_page_by_offset_cannot_have_skipped_a_row() {
        let script = Script::new(vec![vec![page(&[(1, 9)])]]);
        assert_eq!(script.keys(None, Whole::ByOffset).await.1, [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_always_brings_more_ends_after_three_further_looks() {
        let pass = |key| vec![page(&[(key, 9)]), page(&[(key + 1, 8)])];
        let script = Script::new(vec![pass(0), pass(2), pass(4), pass(6)]);
        let (_, keys) = script.keys(None, Whole::ByOffset).await;
        assert_eq!(keys.len(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_that_reaches_its_hits_is_whole() {
        let script = Script::new(vec![vec![with_hits(2, page(&[(1, 90), (2, 80)]))]]);
        let limit = limit();
        let (seen, keys) = script
            .keys(Some((window(0, 100), &limit)), Whole::ByHits)
            .await;
        assert_eq!(keys, [1, 2]);
        assert_eq!(seen.expect("read").parts, [Some(window(0, 100))]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_short_of_its_hits_is_asked_for_what_is_older() {
        let script = Script::new(vec![
            vec![with_hits(3, page(&[(1, 90), (2, 80)]))],
            vec![with_hits(2, page(&[(2, 80), (3, 10)]))],
        ]);
        let limit = limit();
        let (_, keys) = script
            .keys(Some((window(0, 100), &limit)), Whole::ByHits)
            .await;
        assert_eq!(keys, [1, 2, 3]);
        assert_eq!(script.asked(), [window(0, 100), window(0, 81)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_look_at_a_part_counts_is_not_what_the_window_counts() {
        let script = Script::new(vec![
            vec![with_hits(2, page(&[(1, 90)]))],
            vec![with_hits(2, page(&[(2, 10)]))],
        ]);
        let mut counts = Vec::new();
        let limit = limit();
        let read = read(
            &script,
            Some((window(0, 100), &limit)),
            Whole::ByHits,
            async |_, rows| {
                counts.extend(rows.into_iter().filter_map(|row| row.reference));
                Ok(())
            },
        );
        read.await.expect("read");
        let counts: Vec<_> = counts.iter().map(|reference| reference.count).collect();
        assert_eq!(counts, [Some(1), None]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_estimate_at_its_cap_asks_for_no_more() {
        let script = Script::new(vec![vec![with_hits(HITS_CAP, page(&[(1, 90)]))]]);
        let limit = limit();
        let (seen, _) = script
            .keys(Some((window(0, 100), &limit)), Whole::ByHits)
            .await;
        assert!(seen.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_without_hits_is_asked_once_more() {
        let script = Script::new(vec![vec![page(&[(1, 90)])], vec![page(&[(1, 90)])]]);
        let limit = limit();
        let (_, keys) = script
            .keys(Some((window(0, 100), &limit)), Whole::ByHits)
            .await;
        assert_eq!((keys, script.asked().len()), (vec![1], 2));
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_search_that_has_hits_is_looked_at_again() {
        let script = Script::new(vec![
            vec![with_hits(1, page(&[]))],
            vec![with_hits(1, page(&[(1, 90)]))],
        ]);
        let limit = limit();
        let (_, keys) = script
            .keys(Some((window(0, 100), &limit)), Whole::ByHits)
            .await;
        assert_eq!(keys, [1]);
        assert_eq!(script.asked(), [window(0, 100), window(0, 100)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_that_two_pages_share_is_read_alone() {
        let script = Script::new(vec![
            vec![page(&[(1, 90), (2, 80)]), page(&[(3, 80), (4, 70)])],
            vec![page(&[(2, 80), (5, 80), (3, 80)])],
        ]);
        let limit = limit();
        let (_, keys) = script
            .keys(Some((window(0, 100), &limit)), Whole::ByCount(Some(5)))
            .await;
        assert_eq!(keys, [1, 2, 3, 4, 5]);
        assert_eq!(script.asked(), [window(0, 100), window(80, 81)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_split_second_is_left_alone_where_the_count_is_reached() {
        let script = Script::new(vec![vec![page(&[(1, 80)]), page(&[(2, 80)])]]);
        let limit = limit();
        let (seen, _) = script
            .keys(Some((window(0, 100), &limit)), Whole::ByCount(Some(2)))
            .await;
        assert_eq!(seen.expect("read").missing, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_reads_split_seconds_unless_it_has_all_hits() {
        let pages = || vec![page(&[(1, 80)]), page(&[(2, 80)])];
        let script = Script::new(vec![
            {
                let mut pages = pages();
                pages[0] = with_hits(HITS_CAP, page(&[(1, 80)]));
                pages
            },
            vec![page(&[(2, 80), (3, 80)])],
        ]);
        let limit = limit();
        let (_, keys) = script
            .keys(Some((window(0, 100), &limit)), Whole::ByHits)
            .await;
        assert_eq!(keys, [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_count_that_is_not_reached_is_told_after_a_look_without_news() {
        let script = Script {
            small_pages: true,
            ..Script::new(vec![vec![page(&[(1, 90)])], vec![page(&[(1, 90)])]])
        };
        let limit = limit();
        let (seen, _) = script
            .keys(Some((window(0, 100), &limit)), Whole::ByCount(Some(2)))
            .await;
        let seen = seen.expect("read");
        let missing = Missing {
            expected: 2,
            found: 1,
        };
        assert_eq!(seen.missing, Some(missing));
        assert!(!seen.split_in_small_pages);
    }

    #[tokio::test(start_paused = true)]
    async fn rows_that_cannot_be_read_count_as_seen() {
        let script = Script {
            unreadable: vec![api_error(Kind::BodyTooLarge)],
            ..Script::new(vec![vec![page(&[(1, 90)])]])
        };
        let limit = limit();
        let (seen, _) = script
            .keys(Some((window(0, 100), &limit)), Whole::ByCount(Some(2)))
            .await;
        let seen = seen.expect("read");
        assert_eq!((seen.missing, seen.unreadable.len()), (None, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_window_is_read_in_halves_and_its_rows_come_again() {
        let half = DAYS / 2;
        let script = Script::new(vec![
            vec![with_hits(3, page(&[(1, DAYS - 1)])), too_large()],
            vec![with_hits(2, page(&[(1, 5), (2, 4)]))],
            vec![with_hits(1, page(&[(1, DAYS - 1)]))],
        ]);
        let (mut handed, limit) = (Vec::new(), limit());
        let whole = window(0, DAYS);
        let read = read(
            &script,
            Some((whole, &limit)),
            Whole::ByHits,
            async |part, rows| {
                handed.extend(rows.into_iter().map(|row| (part, row.key)));
                Ok(())
            },
        );
        let seen = read.await.expect("read");
        let [older, newer] = [Some(window(0, half)), Some(window(half, DAYS))];
        assert_eq!(seen.parts, [older, newer]);
        assert_eq!(
            handed,
            [(Some(whole), 1), (older, 1), (older, 2), (newer, 1)],
            "a row that is active in both halves is handed over for each"
        );
        assert_eq!(*script.pauses.borrow(), [1]);
        assert_eq!(limit.pieces(whole), [whole], "an answer doubles the length");
    }

    #[tokio::test(start_paused = true)]
    async fn rows_of_a_counted_list_are_handed_over_once_although_their_window_is_halved() {
        let script = Script::new(vec![
            vec![page(&[(3, DAYS - 1)]), too_large()],
            vec![page(&[(1, 5)])],
            vec![page(&[(3, DAYS - 1), (2, DAYS - 2)])],
        ]);
        let limit = limit();
        let whole = Whole::ByCount(Some(3));
        let (seen, keys) = script.keys(Some((window(0, DAYS), &limit)), whole).await;
        assert_eq!(keys, [3, 1, 2]);
        assert_eq!(seen.expect("read").missing, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_list_of_parts_is_read_again_in_the_same_parts() {
        let script = Script::new(vec![
            vec![too_large()],
            vec![page(&[(1, 5)])],
            vec![page(&[(2, DAYS - 2)])],
            vec![page(&[(1, 5)])],
            vec![page(&[(3, DAYS - 1), (2, DAYS - 2)])],
        ]);
        let limit = limit();
        let whole = Whole::ByCount(Some(3));
        let (seen, keys) = script.keys(Some((window(0, DAYS), &limit)), whole).await;
        assert_eq!(keys, [1, 2, 3]);
        assert_eq!(seen.expect("read").parts.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_least_window_is_not_halved() {
        let script = Script::new(vec![vec![too_large()]]);
        let limit = limit();
        let (seen, _) = script
            .keys(Some((window(0, 3600), &limit)), Whole::ByHits)
            .await;
        assert!(matches!(
            seen,
            Err(Failure::Api(ApiError {
                kind: Kind::QueryTooLarge { .. },
                ..
            }))
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_otherwise_ends_the_list() {
        let script = Script::new(vec![vec![page(&[(1, 9)]), Err(Kind::BodyTooLarge)]]);
        let (seen, keys) = script.keys(None, Whole::ByOffset).await;
        assert!(seen.is_err());
        assert_eq!(keys, [1], "what was read is handed over");
    }

    #[tokio::test(start_paused = true)]
    async fn lists_that_follow_begin_with_windows_that_were_answered() {
        let limit = limit();
        let whole = window(0, DAYS);
        limit.refused(whole);
        limit.refused(window(0, DAYS / 2));
        let script = Script::new(
            (0..4u32)
                .map(|part| vec![page(&[(part.into(), i64::from(part) * DAYS / 4)])])
                .collect(),
        );
        let (seen, _) = script
            .keys(Some((whole, &limit)), Whole::ByCount(None))
            .await;
        assert_eq!(seen.expect("read").parts.len(), 4);
        assert!(script.pauses.borrow().is_empty());
    }
}
