//! What is too large is written with its longest texts cut, as few as will do.

use crate::conventions::data::Limits;
use crate::json::{self, Bounded, Unwritten};
use serde::Serialize;
use serde::ser::Error;

/// Tried one after the other, until what is written is small enough. The last leaves nothing that could be large.
const LIMITS: &[(usize, usize)] = &[
    (usize::MAX, usize::MAX),
    (200_000, usize::MAX),
    (50_000, usize::MAX),
    (10_000, usize::MAX),
    (2_000, usize::MAX),
    (500, usize::MAX),
    (100, usize::MAX),
    (100, 1_000),
    (100, 100),
    (100, 10),
];

/// Nothing but names, and they are short.
const NARROWEST: Limits = Limits {
    text: 100,
    attributes: 0,
};

/// JSON of what is made with the widest limits that keep it within so many bytes, and those limits. With the
/// narrowest it is taken as it is. What is too large is left as soon as that is seen. It holds no more memory than it needs.
pub fn fit<T: Serialize>(
    most: usize,
    make: impl Fn(Limits) -> T,
) -> Result<(Box<[u8]>, Limits), serde_json::Error> {
    fit_written(most, |limits, json| {
        Ok(serde_json::to_writer(json, &make(limits))?)
    })
}

/// The same of what `write` writes with given limits into an empty memory.
pub fn fit_written(
    most: usize,
    write: impl Fn(Limits, Bounded<'_>) -> Result<(), Unwritten>,
) -> Result<(Box<[u8]>, Limits), serde_json::Error> {
    json::scratch(|bytes| {
        for (text, attributes) in LIMITS.iter().copied() {
            let limits = Limits { text, attributes };
            bytes.clear();
            match write(limits, Bounded::new(bytes, most)) {
                Ok(()) => return Ok(limits),
                Err(Unwritten::TooLong) => {}
                Err(Unwritten::Json(error)) => return Err(error),
            }
        }
        bytes.clear();
        match write(NARROWEST, Bounded::new(bytes, usize::MAX)) {
            Ok(()) => Ok(NARROWEST),
            Err(Unwritten::Json(error)) => Err(error),
            Err(error @ Unwritten::TooLong) => Err(serde_json::Error::custom(error)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text that is cut, and as many numbers as are let.
    fn made(text: usize, numbers: usize) -> impl Fn(Limits) -> (String, Vec<u8>) {
        move |limits| {
            (
                "x".repeat(text.min(limits.text)),
                vec![0; numbers.min(limits.attributes)],
            )
        }
    }

    #[test]
    fn what_fits_is_whole() {
        let (json, limits) = fit(1_007, made(1_000, 0)).expect("JSON");
        assert_eq!((json.len(), limits), (1_007, Limits::NONE));
    }

    #[test]
    fn no_more_is_cut_than_needed() {
        let (_, limits) = fit(60_000, made(70_000, 0)).expect("JSON");
        assert_eq!((limits.text, limits.attributes), (50_000, usize::MAX));
    }

    #[test]
    fn the_narrowest_leave_little() {
        let (json, limits) = fit(0, made(70_000, 70_000)).expect("JSON");
        assert_eq!((json.len(), limits), (107, NARROWEST));
    }
}
