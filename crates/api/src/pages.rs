//! One list, page by page.

use crate::client::{Asking, Client};
use crate::endpoint::{Endpoint, Rows};
use crate::error::{ApiError, Kind};
use crate::link::{Cursor, Next};
use crate::page_size::{PAGE_SIZE, PageSize, SMALLER_PAGES};
use crate::params::Params;
use crate::request::{INDEXED_DEPTH, Page, Request};
use crate::window::Window;
use serde::de::DeserializeOwned;
use std::collections::HashSet;

/// So often a query that takes too long is asked for in smaller windows before the pages are made smaller.
const WINDOWS_FIRST: usize = 2;
/// After so many unreadable rows in succession it is not the rows: the list has failed.
const UNREADABLE_IN_A_ROW: usize = 3;
/// Filters that a server applies to the rows of a page may leave none. So many such pages in succession would be 100,000
/// rows: more likely the list has no end.
const EMPTY_PAGES: usize = 1_000;

/// The pages of one list, or the one answer of an endpoint without pages. Whoever reads a page says what it is:
/// [`Pages::accept`], or [`Pages::reject`], after which [`Pages::next`] brings it again.
///
/// A page that is too much for the server is asked for again with fewer rows. Where a cursor counts pages, the list begins
/// anew with them, so that rows come twice. A single row that the server cannot give is passed over and told in
/// [`Pages::unreadable`].
pub struct Pages<'a> {
    client: &'a Client,
    endpoint: &'static Endpoint,
    params: Params,
    query: Vec<(&'static str, String)>,
    window: Option<Window>,
    depth: usize,
    /// What the list is called among all of the client.
    name: String,
    size: PageSize,
    /// The size of this page is tried although it failed before.
    tries_larger: bool,
    /// Go on behind a row that cannot be read.
    passes_rows: bool,
    /// Ask for smaller pages after one that was too much.
    shrinks: bool,
    unreadable: Vec<ApiError>,
    unreadable_in_a_row: usize,
    cursor: Option<Cursor>,
    followed: HashSet<Cursor>,
    page: usize,
    /// Pages without a row, up to the latest.
    empty: usize,
    done: bool,
    /// A list of more pages is wrong.
    most: usize,
    /// It means nothing in smaller windows.
    of_one_window: bool,
    /// The question for the page under way.
    asking: Option<Asking<'a>>,
}

impl<'a> Pages<'a> {
    /// The list at a place. `query` is all of it but for the window, the size and the cursor.
    pub fn new(
        client: &'a Client,
        endpoint: &'static Endpoint,
        params: Params,
        query: Vec<(&'static str, String)>,
        window: Option<Window>,
    ) -> Self {
        let name = format!("{} {} {query:?}", endpoint.path, params.label());
        let known = client
            .page_sizes()
            .first(&name, endpoint.name, endpoint.offset_paged);
        Self {
            client,
            endpoint,
            params,
            query,
            window,
            depth: INDEXED_DEPTH,
            name,
            size: known.unwrap_or(PageSize::FULL),
            tries_larger: false,
            passes_rows: true,
            shrinks: true,
            unreadable: Vec::new(),
            unreadable_in_a_row: 0,
            cursor: None,
            followed: HashSet::new(),
            page: 0,
            empty: 0,
            done: false,
            most: usize::MAX,
            of_one_window: false,
            asking: None,
        }
    }

    /// A list that goes on after so many pages is a wrong answer: for those who keep all of its rows in memory.
    #[must_use]
    pub fn at_most(mut self, pages: usize) -> Self {
        self.most = pages;
        self
    }

    /// Its pages are looked into so deep, if that is deeper than usual; see [`Request::depth`].
    #[must_use]
    pub fn looked_into(mut self, depth: usize) -> Self {
        self.depth = self.depth.max(depth);
        self
    }

    /// Its rows are computed for the window: a smaller one is another question.
    #[must_use]
    pub fn of_one_window(mut self) -> Self {
        self.of_one_window = true;
        self
    }

    /// The list has failed for this reason, at the page that came last.
    pub fn failed(&self, kind: Kind) -> ApiError {
        self.client.gave(&self.request(), kind)
    }

    /// Asks for so many rows, to see whether there is any.
    #[must_use]
    pub fn probing(mut self, rows: usize) -> Self {
        self.size = PageSize {
            now: rows,
            most: rows,
        };
        self.passes_rows = false;
        self
    }

    /// A page that is too much ends the list, after one more try: whoever asks has another way.
    #[must_use]
    pub fn of_full_size(mut self) -> Self {
        self.size = PageSize::FULL;
        self.passes_rows = false;
        self.shrinks = false;
        self
    }

    /// Counted from 1: the page that came last.
    pub fn page(&self) -> usize {
        self.page
    }

    /// Whether nothing follows the page that came last, by the server's word.
    pub fn is_at_end(&self) -> bool {
        self.done
    }

    /// Whether the server cannot answer pages of the usual size.
    pub fn is_small(&self) -> bool {
        self.passes_rows && self.size.most < PAGE_SIZE
    }

    /// Why rows were passed over that the server cannot give, though it gives others of the list.
    pub fn unreadable(&self) -> &[ApiError] {
        &self.unreadable
    }

    /// The next page; `None` after the last. An empty page is not the end: only the server's word that nothing follows is.
    ///
    /// # Errors
    /// What no further try, no smaller page and no other row has cured.
    pub async fn next(&mut self) -> Result<Option<Page>, ApiError> {
        while !self.done {
            let mut asking = if let Some(asking) = self.asking.take() {
                asking
            } else {
                self.page += 1;
                self.client.ask(self.request())
            };
            match asking.answer().await {
                Ok(page) => {
                    self.asking = Some(asking);
                    return Ok(Some(page));
                }
                Err(error) => self.ask_for_less(error)?,
            }
        }
        Ok(None)
    }

    /// The page that came last is what was asked for, and has so many rows. What is after it is next.
    ///
    /// # Errors
    /// When what it says of the next page cannot be: then it is to be rejected for that.
    pub fn accept(&mut self, page: &Page, rows: usize) -> Result<(), Kind> {
        let next = self.follow(page.next.as_ref(), rows)?;
        if let Some(asking) = self.asking.take() {
            asking.accept(page);
        }
        self.empty = if rows == 0 { self.empty + 1 } else { 0 };
        self.done = next.is_none();
        self.followed.extend(next.clone());
        self.cursor = next;
        self.unreadable_in_a_row = 0;
        self.tries_larger = false;
        if !self.passes_rows || !matches!(self.endpoint.rows, Rows::Pages { .. }) {
            return Ok(());
        }
        let sizes = self.client.page_sizes();
        sizes.answered(&self.name, self.endpoint.name, self.size);
        if let Some(larger) = self.size.larger().filter(|_| !self.endpoint.offset_paged) {
            self.size.now = larger;
            self.tries_larger = true;
        }
        Ok(())
    }

    /// The page that came last is not what was asked for.
    ///
    /// # Errors
    /// When it is not to be asked for again.
    pub async fn reject(&mut self, kind: Kind) -> Result<(), ApiError> {
        let Some(mut asking) = self.asking.take() else {
            return Ok(());
        };
        match asking.reject(kind).await {
            Ok(()) => {
                self.asking = Some(asking);
                Ok(())
            }
            Err(error) => self.ask_for_less(error),
        }
    }

    /// The rows of the next page as a program's own type; `None` after the last page.
    ///
    /// # Errors
    /// As [`Pages::next`]; what does not fit the type is a wrong answer.
    pub async fn rows<T: DeserializeOwned>(&mut self) -> Result<Option<Vec<T>>, ApiError> {
        while let Some(page) = self.next().await? {
            let rows = serde_json::from_slice::<Vec<T>>(page.body.bytes());
            let rows = rows.map_err(|error| Kind::Body(error.to_string()));
            match rows.and_then(|rows| self.accept(&page, rows.len()).map(|()| rows)) {
                Ok(rows) => return Ok(Some(rows)),
                Err(kind) => self.reject(kind).await?,
            }
        }
        Ok(None)
    }

    /// Makes the next question one that may be answered, or returns the error when there is none.
    fn ask_for_less(&mut self, error: ApiError) -> Result<(), ApiError> {
        let endpoint = self.endpoint;
        if !matches!(endpoint.rows, Rows::Pages { .. })
            || !self.shrinks
            || !error.kind.too_heavy()
            || self.is_window_to_blame(&error)
        {
            return Err(error);
        }
        if let Some(smaller) = self.size.smaller() {
            let most = if self.tries_larger {
                smaller
            } else {
                self.size.most.min(SMALLER_PAGES[0])
            };
            self.size = PageSize { now: smaller, most };
            self.tries_larger = false;
            log::warn!(target: endpoint.name, "{}: {error}; asking for {smaller} rows at a time", self.params.label());
            if endpoint.offset_paged {
                // Its cursors count pages of one size.
                self.cursor = None;
                self.followed.clear();
                self.empty = 0;
            }
            return Ok(());
        }
        let next = Cursor::after_one_row(self.cursor.as_ref(), endpoint.offset_paged)
            .filter(|_| self.passes_rows);
        match next {
            Some(next) if self.unreadable_in_a_row < UNREADABLE_IN_A_ROW => {
                self.unreadable_in_a_row += 1;
                self.followed.insert(next.clone());
                self.cursor = Some(next);
                self.unreadable.push(error);
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// A query that takes too long is first asked for in smaller windows; where that has not helped, in smaller pages.
    fn is_window_to_blame(&self, error: &ApiError) -> bool {
        matches!(error.kind, Kind::QueryTooLarge { .. })
            && self.divisible()
            && self.client.page_sizes().refused(&self.name) <= WINDOWS_FIRST
    }

    fn divisible(&self) -> bool {
        !self.of_one_window && self.window.is_some_and(|window| window.is_divisible())
    }

    /// How often a page that may be too much is asked for again as it is: once, so that a moment's trouble makes no
    /// pages smaller; and a single row as often as is left of all tries.
    fn heavy_retries(&self) -> Option<u32> {
        let most = self.client.max_retries();
        let sizes = SMALLER_PAGES
            .iter()
            .filter(|size| **size >= self.size.now)
            .count();
        match self.endpoint.rows {
            Rows::Pages { .. } if !self.shrinks => Some(most.min(1)),
            Rows::Pages { .. } if self.tries_larger => Some(0),
            Rows::Pages { .. } if self.size.smaller().is_some() || self.unreadable_in_a_row > 0 => {
                Some(most.min(1))
            }
            Rows::Pages { .. } if self.passes_rows => {
                Some(most.saturating_sub(2 * u32::try_from(sizes).unwrap_or(u32::MAX)))
            }
            _ => None,
        }
    }

    /// What to ask for next.
    fn request(&self) -> Request {
        let mut query = self.query.clone();
        query.extend(self.window.iter().flat_map(Window::query));
        if let Rows::Pages { size } = self.endpoint.rows {
            query.push((size, self.size.now.to_string()));
        }
        query.extend(self.cursor.as_ref().map(Cursor::query));
        Request {
            endpoint: self.endpoint,
            params: self.params.clone(),
            query,
            page: self.page,
            divisible: self.divisible(),
            heavy_retries: self.heavy_retries(),
            depth: self.depth,
        }
    }

    /// The cursor of the next page, if one follows; an error when what the page says of it cannot be.
    fn follow(&self, next: Option<&Next>, rows: usize) -> Result<Option<Cursor>, Kind> {
        match next {
            Some(Next::Page(Cursor(cursor))) if rows == 0 && self.empty + 1 >= EMPTY_PAGES => {
                Err(Kind::Paging(format!(
                    "{EMPTY_PAGES} empty pages in a row, and the next cursor is `{cursor}`"
                )))
            }
            Some(Next::Page(_)) if self.page >= self.most => {
                Err(Kind::Paging(format!("more than {} pages", self.most)))
            }
            Some(Next::Page(cursor)) if self.followed.contains(cursor) => Err(Kind::Paging(
                format!("the next cursor `{}` was already followed", cursor.0),
            )),
            Some(Next::Page(cursor)) => Ok(Some(cursor.clone())),
            // Sentry tells with every page of a list; only what it answers without looking has no header, and few rows.
            None if rows >= self.size.now && matches!(self.endpoint.rows, Rows::Pages { .. }) => {
                Err(Kind::Paging(
                    "a full page that does not say whether another follows".to_owned(),
                ))
            }
            Some(Next::Nothing) | None => Ok(None),
        }
    }
}
