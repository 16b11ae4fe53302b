//! Values of figures, as they were fetched.

use crate::figures::Figure;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A value: whole numbers stay exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::Whole(number as u64)
    }
}

impl From<bool> for Number {
    fn from(yes: bool) -> Self {
        Self::Whole(u64::from(yes))
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

/// The values of one figure, by those of its labels, in the order of [`Figure::labels`].
pub type Series = BTreeMap<Vec<String>, Number>;

/// The series of several figures. No two series of a figure have the same labels: a reader would drop one of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Families(BTreeMap<&'static str, Series>);

impl Families {
    /// Sets one series; of equal labels the first counts.
    pub fn set(&mut self, figure: &'static Figure, labels: &[&str], value: impl Into<Number>) {
        let entry = self.entry(figure, labels);
        if let Entry::Vacant(entry) = entry {
            entry.insert(value.into());
        }
    }

    /// Adds to a series, which begins at 0.
    pub fn add(&mut self, figure: &'static Figure, labels: &[&str], more: u64) {
        let value = self.entry(figure, labels).or_insert(Number::Whole(0));
        if let Number::Whole(number) = value {
            *number = number.saturating_add(more);
        }
    }

    /// Adds the counts of others to these.
    pub fn add_all(&mut self, others: &Self) {
        for (name, series) in &others.0 {
            let own = self.0.entry(name).or_default();
            for (labels, more) in series {
                let value = own.entry(labels.clone()).or_insert(Number::Whole(0));
                if let (Number::Whole(number), Number::Whole(more)) = (value, more) {
                    *number = number.saturating_add(*more);
                }
            }
        }
    }

    fn entry(
        &mut self,
        figure: &'static Figure,
        labels: &[&str],
    ) -> Entry<'_, Vec<String>, Number> {
        debug_assert_eq!(labels.len(), figure.labels.len(), "{}", figure.name);
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        self.0.entry(figure.name).or_default().entry(labels)
    }

    /// The series of a figure, if it has any.
    pub fn of(&self, figure: &Figure) -> Option<&Series> {
        self.0.get(figure.name)
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{MONITORS, TEAM_PROJECT_INFO};

    #[test]
    fn equal_labels_are_one_series() {
        let mut families = Families::default();
        for _ in 0..2 {
            families.set(&TEAM_PROJECT_INFO, &["acme", "backend", "api"], 1_u64);
            families.add(&MONITORS, &["acme", "api", "ok"], 2);
        }
        assert_eq!(families.len(), 2);
        let monitors = families.of(&MONITORS).expect("a series");
        assert_eq!(monitors.values().next(), Some(&Number::Whole(4)));
        let mut others = Families::default();
        others.add(&MONITORS, &["acme", "api", "ok"], 3);
        others.add(&MONITORS, &["acme", "web", "ok"], 1);
        families.add_all(&others);
        let monitors = families.of(&MONITORS).expect("series");
        let counts: Vec<_> = monitors.values().copied().collect();
        assert_eq!(counts, [Number::Whole(7), Number::Whole(1)]);
    }
}
