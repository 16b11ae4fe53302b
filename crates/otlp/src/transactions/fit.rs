//! What is too large is written with its longest texts cut, as few as will do.

use crate::conventions::data::Limits;

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
    (100, 0),
];

/// What is written with the widest limits that keep it within so many bytes, and those limits.
pub fn fit<E>(
    most: usize,
    write: impl Fn(Limits) -> Result<Vec<u8>, E>,
) -> Result<(Vec<u8>, Limits), E> {
    let mut fitting = (Vec::new(), Limits::NONE);
    for (text, attributes) in LIMITS.iter().copied() {
        let limits = Limits { text, attributes };
        fitting = (write(limits)?, limits);
        if fitting.0.len() <= most {
            break;
        }
    }
    Ok(fitting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn written(length: usize) -> impl Fn(Limits) -> Result<Vec<u8>, Infallible> {
        move |limits| Ok(vec![0; length.min(limits.text).min(limits.attributes)])
    }

    #[test]
    fn what_fits_is_whole() {
        let Ok((bytes, limits)) = fit(1000, written(1000));
        assert_eq!((bytes.len(), limits.text), (1000, usize::MAX));
    }

    #[test]
    fn no_more_is_cut_than_needed() {
        let Ok((bytes, limits)) = fit(60_000, written(70_000));
        assert_eq!((bytes.len(), limits.text), (50_000, 50_000));
    }

    #[test]
    fn the_narrowest_leave_nothing() {
        let Ok((bytes, limits)) = fit(0, written(70_000));
        assert_eq!((bytes.len(), limits.attributes), (0, 0));
    }
}
