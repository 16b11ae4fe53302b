//! Names of which none becomes another.

use std::borrow::Cow;
use std::collections::HashMap;

/// So many names are looked through one by one: that is quicker than hashing them.
const FEW: usize = 24;

/// Names that are taken, each with the number of the last name that was made of it.
#[derive(Debug, Default)]
pub struct Unique<'a> {
    few: Vec<(Cow<'a, str>, usize)>,
    /// Bits of all names, as [`bit`] has them.
    bits: u128,
    many: HashMap<Cow<'a, str>, usize>,
}

impl<'a> Unique<'a> {
    /// The name itself, or with `_2`, `_3` and so on behind it if it is taken.
    pub fn take(&mut self, name: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
        let mut free = name.into();
        let mut of_free = bit(&free);
        if let Some(mut last) = self.last(&free, of_free) {
            let stem = free.clone();
            while self.last(&free, of_free).is_some() {
                last += 1;
                free = Cow::Owned(format!("{stem}_{last}"));
                of_free = bit(&free);
            }
            self.set(&stem, last);
        }
        self.bits |= of_free;
        if self.few.is_empty() {
            // In one go: most have about ten names.
            self.few.reserve_exact(FEW);
        }
        if self.few.len() < FEW {
            self.few.push((free.clone(), 1));
        } else {
            self.many.insert(free.clone(), 1);
        }
        free
    }

    /// Whether a name is taken.
    pub fn has(&self, name: &str) -> bool {
        self.last(name, bit(name)).is_some()
    }

    fn last(&self, name: &str, bit: u128) -> Option<usize> {
        if self.bits & bit == 0 {
            return None;
        }
        let few = self.few.iter().find(|(taken, _)| taken == name);
        few.map(|(_, last)| last)
            .or_else(|| self.many.get(name))
            .copied()
    }

    fn set(&mut self, name: &str, last: usize) {
        let few = self.few.iter_mut().find(|(taken, _)| taken == name);
        let count = few.map(|(_, count)| count);
        if let Some(count) = count.or_else(|| self.many.get_mut(name)) {
            *count = last;
        }
    }
}

/// One of 128 bits for a name: where it is not set, nothing need be looked through.
fn bit(name: &str) -> u128 {
    let end = |byte: Option<&u8>| byte.copied().map_or(0, usize::from);
    let bytes = name.as_bytes();
    let sum = 7 * bytes.len() + 3 * end(bytes.first()) + 5 * end(bytes.last());
    1 << (sum % 128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let mut unique = Unique::default();
        let taken = ["a", "a_2", "a", "b", "a"].map(|name| unique.take(name));
        assert_eq!(taken, ["a", "a_2", "a_3", "b", "a_4"]);
    }

    #[test]
    fn many_of_one_name_all_differ() {
        let mut unique = Unique::default();
        let taken: HashSet<_> = (0..20_000).map(|_| unique.take("a")).collect();
        assert_eq!(taken.len(), 20_000);
    }
}
