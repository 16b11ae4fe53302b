//! Panics of libraries that are known to panic: an error for who calls, and no line in the log.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may panic. What it has changed until then must be of no matter, or be looked at before it is used again.
///
/// # Errors
/// What the panic said.
pub fn caught<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    let before = IS_EXPECTED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(act));
    IS_EXPECTED.set(before);
    done.map_err(|panic| said(&*panic))
}

/// What a panic said.
pub fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// Whether a panic of this thread will be caught by [`caught`].
pub(crate) fn is_expected() -> bool {
    IS_EXPECTED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_text() {
        assert_eq!(caught(|| 1), Ok(1));
        let number = 7;
        let failed = caught(|| {
            let inner = caught(|| panic!("inner {number}"));
            assert_eq!(inner, Err::<(), _>("inner 7".to_owned()));
            assert!(is_expected());
            panic!("outer")
        });
        assert_eq!(failed, Err::<(), _>("outer".to_owned()));
        assert!(!is_expected());
    }
}
