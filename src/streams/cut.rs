//! What an entry says of rows that stand inside the rows of another stream.

/// Rows that stand inside the rows of the parent. They are cut out as those pass, and cost no request.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// They stand in the full form of the parent's rows only, which is asked for then.
    pub in_full_rows: bool,
    /// The columns that are the parent's, and the paths of their values in the parent's row. Those of them that are part
    /// of the key are the parent's key.
    pub carried: &'static [(&'static str, &'static [&'static str])],
    /// The lists that they stand in, one after another.
    pub lists: &'static [InRow],
    /// The columns of an element that is a list of two, or of a member where an object stands in place of the list.
    pub pair: Option<[&'static str; 2]>,
    /// Members that are known and not written: other streams hold them.
    pub left_out: &'static [&'static str],
}

impl Cut {
    /// How many containers are open around what is inside an element.
    pub fn depth(&self) -> usize {
        let steps = self.lists.iter().map(|list| list.steps.len());
        // Those of the list of rows, of the row and of the element's own members.
        2 + steps.max().unwrap_or(0) + 1
    }
}

/// Where a list stands in a row.
#[derive(Debug, Clone, Copy)]
pub struct InRow {
    /// Columns that tell it from the other lists, and what stands in them, as JSON.
    pub fixed: &'static [(&'static str, &'static str)],
    /// The way there from the row; the last leads to its elements.
    pub steps: &'static [Step],
}

/// A step on the way from a row to the elements of a list in it.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// To the first member with one of these names that is not null.
    Member(&'static [&'static str]),
    /// To those elements of a list of which a member is this text.
    Where(&'static str, &'static str),
    /// To each element of a list; its place there, counted from 0, is this column. What is null has a place too, and is no
    /// row. An object in place of the list is its only element.
    Each(&'static str),
}
