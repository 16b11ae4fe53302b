//! [`Index`]: what the check of a body leaves behind.

/// Longest body: positions have 32 bits.
pub(crate) const MAX_LEN: usize = 1 << 31;

/// What is known about a body that is JSON.
#[derive(Debug)]
pub(crate) struct Index {
    /// First byte of the outermost value.
    pub start: u32,
    /// End of the outermost value.
    pub end: u32,
    /// The outer containers, in the order of their starts.
    pub containers: Vec<Container>,
    /// Containers with this many others around them, or more, are not among them.
    pub indexed_depth: usize,
    /// What copying must repair, in the order of its starts; almost always empty.
    pub unrepresentable: Vec<Unrepresentable>,
    /// There are line breaks or tabs between tokens.
    pub has_line_breaks: bool,
    /// At most this many containers are open at once. It is a multiple of 63, not the exact depth,
    /// because counting each bracket is slower.
    pub depth_bound: u32,
}

/// An array or object whose end is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Container {
    pub end: u32,
    /// How many indexed containers start before `end`.
    pub next: u32,
}

/// A number that does not fit 64 bits, or an escape that stands for U+0000 or a lone surrogate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unrepresentable {
    pub start: u32,
    pub end: u32,
    pub is_number: bool,
}

/// A position as the index holds it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "bodies over `MAX_LEN` are refused"
)]
#[inline]
pub(crate) const fn position(at: usize) -> u32 {
    at as u32
}
