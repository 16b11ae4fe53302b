//! Cursors, the three ways Sentry pages, and the Link header.
//!
//! Nothing is remembered between requests: a cursor is looked up in the data as it is *now*.

use crate::problem::Problem;
use crate::python;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub value: i64,
    pub offset: i64,
    pub previous: bool,
}

impl Cursor {
    pub fn new(value: i64, offset: i64, previous: bool) -> Self {
        Self {
            value,
            offset,
            previous,
        }
    }

    pub fn parse(text: &str) -> Result<Self, Problem> {
        let invalid = || Problem::bad_request("Invalid cursor parameter.");
        let parts: Vec<&str> = text.split(':').collect();
        let [value, offset, previous] = parts[..] else {
            return Err(invalid());
        };
        // Scores of other sorts are floats; here they only have to parse.
        let value = if value.contains('.') {
            #[expect(clippy::cast_possible_truncation, reason = "scores fit")]
            python::float(value).map(|value| value as i64)
        } else {
            python::int(value)
        };
        let value = value.ok_or_else(invalid)?;
        let offset = python::int(offset).ok_or_else(invalid)?;
        let previous = python::int(previous).ok_or_else(invalid)?;
        Ok(Self::new(value, offset, previous != 0))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.value,
            self.offset,
            u8::from(self.previous)
        )
    }
}

/// One of the two links: where to go on, and whether anything is there.
#[derive(Clone, Debug)]
pub struct Link {
    pub cursor: String,
    pub results: bool,
}

impl Link {
    fn new(cursor: &Cursor, results: bool) -> Self {
        Self {
            cursor: cursor.to_string(),
            results,
        }
    }
}

/// The rows of one page and its links.
#[derive(Debug)]
pub struct Slice<T> {
    pub rows: Vec<T>,
    pub previous: Link,
    pub next: Link,
}

impl<T> Slice<T> {
    pub fn map<U>(self, row: impl FnMut(T) -> U) -> Slice<U> {
        Slice {
            rows: self.rows.into_iter().map(row).collect(),
            previous: self.previous,
            next: self.next,
        }
    }
}

/// Issue search: a keyset on the score, highest first, with an offset among equal scores.
///
/// `scored` must be sorted by score, falling.
pub fn by_score<T>(scored: Vec<(i64, T)>, limit: usize, cursor: Option<&Cursor>) -> Slice<T> {
    let first_at_most = |score: i64| signed(scored.partition_point(|(other, _)| *other > score));
    let length = signed(scored.len());
    let limit = signed(limit);
    let start = Cursor::new(0, 0, false);
    let cursor = cursor.unwrap_or(&start);
    let position = match (cursor.value, cursor.previous) {
        (0, true) => length,
        (0, false) => 0,
        (value, _) => first_at_most(value),
    } + cursor.offset.max(0);
    let (low, high) = if cursor.previous {
        let high = position.min(length);
        ((high - limit).max(0), high)
    } else {
        let low = position.max(0);
        (low, (low + limit).min(length).max(low))
    };
    let (previous, next) = if scored.is_empty() {
        (
            Link::new(&Cursor::new(cursor.value, cursor.offset, true), false),
            Link::new(&Cursor::new(cursor.value, cursor.offset, false), false),
        )
    } else {
        let score_at = |index: i64| scored[usize_of(index.min(length - 1))].0;
        let (before, after) = (score_at(low), score_at(high));
        (
            Link::new(
                &Cursor::new(before, low - first_at_most(before), true),
                low > 0,
            ),
            Link::new(
                &Cursor::new(after, high - first_at_most(after), false),
                high < length,
            ),
        )
    };
    let rows = scored
        .into_iter()
        .skip(usize_of(low))
        .take(usize_of(high - low))
        .map(|(_, row)| row)
        .collect();
    Slice {
        rows,
        previous,
        next,
    }
}

/// Events: `0:row:0`. The caller fetches up to `limit + 1` rows from [`row_offset`].
pub fn by_row<T>(mut rows: Vec<T>, limit: usize, offset: usize) -> Slice<T> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let (offset, limit) = (signed(offset), signed(limit));
    Slice {
        rows,
        previous: Link::new(&Cursor::new(0, (offset - limit).max(0), true), offset > 0),
        next: Link::new(&Cursor::new(0, offset + limit, false), more),
    }
}

pub fn row_offset(cursor: Option<&Cursor>) -> usize {
    usize_of(cursor.map_or(0, |cursor| cursor.offset))
}

/// Plain lists: `page size:page number:0`, cut out of the list as it is now. A change of the page size between
/// pages slices oddly, as it does in Sentry.
pub fn by_page<T>(
    list: Vec<T>,
    limit: usize,
    cursor: Option<&Cursor>,
) -> Result<Slice<T>, Problem> {
    let start = Cursor::new(0, 0, false);
    let cursor = cursor.unwrap_or(&start);
    let limit = signed(limit);
    let size = cursor.value;
    let offset = cursor.offset.saturating_mul(size);
    if offset < 0 || size < 0 {
        return Err(Problem::bad_request("Pagination offset cannot be negative"));
    }
    let stop = offset
        .saturating_add(if size == 0 { limit } else { size })
        .saturating_add(1);
    let length = signed(list.len());
    let mut low = offset.min(length);
    let high = stop.min(length);
    if size != limit {
        low = low.max(high - limit - 1);
    }
    let found = high - low;
    let rows = list
        .into_iter()
        .skip(usize_of(low))
        .take(usize_of(found.min(limit)))
        .collect();
    Ok(Slice {
        rows,
        previous: Link::new(
            &Cursor::new(limit, cursor.offset - 1, true),
            cursor.offset > 0,
        ),
        next: Link::new(&Cursor::new(limit, cursor.offset + 1, false), found > limit),
    })
}

/// The host is not the one asked: Sentry writes its configured address.
const LINK_HOST: &str = "https://sentry.invalid";

/// `query` is the query string without its cursor; without any the URL gets Sentry's odd `?&cursor=`.
pub fn link_header(path: &str, query: &str, previous: &Link, next: &Link) -> String {
    let one = |link: &Link, name: &str| {
        format!(
            "<{LINK_HOST}{path}?{query}&cursor={0}>; rel=\"{name}\"; results=\"{1}\"; cursor=\"{0}\"",
            link.cursor, link.results
        )
    };
    format!("{}, {}", one(previous, "previous"), one(next, "next"))
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn usize_of(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(list: &[i64]) -> Vec<(i64, i64)> {
        list.iter().map(|&score| (score, score)).collect()
    }

    #[test]
    fn a_score_cursor_names_the_first_row_of_the_next_page() {
        let page = by_score(scores(&[50, 40, 30, 30, 30, 10]), 3, None);
        assert_eq!(page.rows, [50, 40, 30]);
        assert_eq!(page.next.cursor, "30:1:0");
        assert!(page.next.results);
        assert!(!page.previous.results);
        let cursor = Cursor::parse(&page.next.cursor).expect("its own cursor");
        let page = by_score(scores(&[50, 40, 30, 30, 30, 10]), 3, Some(&cursor));
        assert_eq!(page.rows, [30, 30, 10]);
        assert_eq!(page.next.cursor, "10:1:0");
        assert!(!page.next.results);
    }

    #[test]
    fn a_row_that_rose_above_a_score_cursor_is_skipped() {
        let cursor = Cursor::new(30, 0, false);
        let page = by_score(scores(&[60, 50, 40, 20]), 3, Some(&cursor));
        assert_eq!(page.rows, [20]);
    }

    #[test]
    fn a_page_cursor_slips_when_a_row_is_deleted() {
        let first = by_page(vec![1, 2, 3, 4, 5], 2, None).expect("page 0");
        assert_eq!(
            (first.rows, first.next.cursor.as_str()),
            (vec![1, 2], "2:1:0")
        );
        let cursor = Cursor::new(2, 1, false);
        let second = by_page(vec![2, 3, 4, 5], 2, Some(&cursor)).expect("page 1");
        assert_eq!(second.rows, [4, 5]);
        assert!(!second.next.results);
    }

    #[test]
    fn rubbish_is_no_cursor() {
        for text in [
            "garbage", "1:2", "1:2:3:4", "a:0:0", "0:x:0", "::", "1_:0:0", "1:_0:0", "1:0:0__0",
            "1:0.0:0", "1.x:0:0", "1e3:0:0",
        ] {
            assert!(Cursor::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Cursor::parse("1795174368000:0:0").expect("valid"),
            Cursor::new(1_795_174_368_000, 0, false)
        );
    }

    #[test]
    fn cursors_are_read_as_python_reads_numbers() {
        for (text, cursor) in [
            ("63:1:0_0_0_0_0_00", Cursor::new(63, 1, false)),
            ("1_000: 2 :1", Cursor::new(1_000, 2, true)),
            ("1_0.9:0:0", Cursor::new(10, 0, false)),
        ] {
            assert_eq!(Cursor::parse(text).expect(text), cursor);
        }
    }
}
