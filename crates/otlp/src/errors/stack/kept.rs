//! A list of which both ends are kept, however long it becomes.

use std::collections::VecDeque;

/// The first and the last items that were put in; those between are counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept<T> {
    first: Vec<T>,
    last: VecDeque<T>,
    most: Most,
    left_out: usize,
}

/// How many items are kept of each end; of the last at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    pub first: usize,
    pub last: usize,
}

impl Most {
    /// The same of a list that runs the other way.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            first: self.last,
            last: self.first,
        }
    }

    /// How many in all.
    pub const fn all(self) -> usize {
        self.first + self.last
    }
}

impl<T> Kept<T> {
    pub const fn new(most: Most) -> Self {
        Self {
            first: Vec::new(),
            last: VecDeque::new(),
            most,
            left_out: 0,
        }
    }

    pub fn push(&mut self, item: T) {
        if self.first.len() < self.most.first {
            self.first.push(item);
            return;
        }
        if self.last.len() >= self.most.last {
            self.last.pop_front();
            self.leave_out(1);
        }
        self.last.push_back(item);
    }

    /// How many are no longer there.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// Counts items that were never put in.
    pub const fn leave_out(&mut self, more: usize) {
        self.left_out = self.left_out.saturating_add(more);
    }

    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.last.back_mut().or_else(|| self.first.last_mut())
    }

    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.first.iter_mut().chain(&mut self.last)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.first.iter().chain(&self.last)
    }

    /// What is kept, in the order in which it was put in.
    pub fn into_vec(self) -> Vec<T> {
        let mut all = self.first;
        all.extend(self.last);
        all
    }
}

impl<T: Clone> Kept<T> {
    /// The last item again, so many times.
    pub fn repeat(&mut self, times: usize) {
        let Some(item) = self.last_mut().cloned() else {
            return;
        };
        // More than all of them would only push each other out.
        let put = times.min(self.most.all());
        (0..put).for_each(|_| self.push(item.clone()));
        self.leave_out(times - put);
    }

    /// The last so many of another list.
    pub fn copy_end(&mut self, other: &Self, count: usize) {
        let behind_gap = if other.left_out == 0 {
            other.first.len() + other.last.len()
        } else {
            other.last.len()
        };
        let copied = count.min(behind_gap);
        let skipped = other.first.len() + other.last.len() - copied;
        for item in other.iter().skip(skipped) {
            self.push(item.clone());
        }
        self.leave_out(count - copied);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Most = Most { first: 2, last: 3 };

    fn kept(items: impl IntoIterator<Item = u32>) -> Kept<u32> {
        let mut kept = Kept::new(MOST);
        items.into_iter().for_each(|item| kept.push(item));
        kept
    }

    #[test]
    fn the_middle_is_left_out_and_counted() {
        let few = kept(0..5);
        assert_eq!((few.left_out(), few.into_vec()), (0, vec![0, 1, 2, 3, 4]));
        let many = kept(0..9);
        assert_eq!((many.left_out(), many.into_vec()), (4, vec![0, 1, 6, 7, 8]));
    }

    #[test]
    fn what_repeats_is_counted_without_being_put_in_so_often() {
        let mut kept = kept(0..4);
        kept.repeat(usize::MAX / 2);
        assert_eq!(kept.left_out(), usize::MAX / 2 + 4 - 5);
        assert_eq!(kept.into_vec(), [0, 1, 3, 3, 3]);
        let mut nothing = Kept::<u32>::new(MOST);
        nothing.repeat(3);
        assert_eq!(nothing, Kept::new(MOST));
    }

    #[test]
    fn the_end_of_a_list_is_copied_as_far_as_it_is_kept() {
        let mut two = kept([7]);
        two.copy_end(&kept(0..4), 2);
        assert_eq!((two.left_out(), two.into_vec()), (0, vec![7, 2, 3]));
        let mut four = kept([]);
        four.copy_end(&kept(0..9), 4);
        assert_eq!((four.left_out(), four.into_vec()), (1, vec![6, 7, 8]));
    }
}
