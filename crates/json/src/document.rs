//! [`Document`], its [`Value`]s, and the iterators over an object's members and an array's
//! elements.

use crate::Malformed;
use crate::index::{Index, position};
use crate::scan::Scan;
use crate::token::{container_end, scalar_end, skip_space, string_end};

/// A value of a document: where it starts and ends. [`Document::text`] is what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    start: u32,
    end: u32,
    /// How many indexed containers start before it.
    indexed_before: u32,
    /// How many containers are open around it.
    depth: u32,
}

impl Value {
    #[inline]
    pub fn start(self) -> usize {
        self.start as usize
    }

    #[inline]
    pub fn end(self) -> usize {
        self.end as usize
    }
}

/// A body that is JSON, or lines of it.
#[derive(Debug)]
pub struct Document<'a> {
    pub(crate) json: &'a [u8],
    pub(crate) index: Index,
}

impl<'a> Document<'a> {
    /// Checks a whole body.
    ///
    /// The ends of containers with fewer than `indexed_depth` others around them are kept, so that
    /// iterators step over them at once; the ends of deeper ones are searched for when they are
    /// stepped over. So `indexed_depth` is how deep the body will be looked into. It changes speed
    /// and memory only, and is limited to 1 to [`MAX_INDEXED_DEPTH`](crate::MAX_INDEXED_DEPTH).
    ///
    /// # Errors
    /// When the body is not UTF-8, is not exactly one JSON value, or has more than 2 GiB.
    pub fn parse(body: &'a [u8], indexed_depth: usize) -> Result<Self, Malformed> {
        let index = Scan::expecting(body.len(), indexed_depth).finish(body)?;
        Ok(Self::new(body, index))
    }

    /// Takes lines of JSON as they are, for [`Self::lines`]: each must be a value that was checked
    /// before and needs no repair, such as what [`Self::copy`] has written. Other text is read as
    /// something that it is not, or panics. `indexed_depth` is as for [`Self::parse`].
    ///
    /// # Errors
    /// When the text has more than 2 GiB.
    pub fn of_lines(text: &'a [u8], indexed_depth: usize) -> Result<Self, Malformed> {
        Ok(Self::new(text, Scan::outline(text, indexed_depth)?))
    }

    pub(crate) fn new(json: &'a [u8], index: Index) -> Self {
        Self { json, index }
    }

    /// The outermost value.
    pub fn root(&self) -> Value {
        Value {
            start: self.index.start,
            end: self.index.end,
            indexed_before: 0,
            depth: 0,
        }
    }

    /// The first byte of a value, which tells its type.
    #[inline]
    pub fn byte(&self, value: Value) -> u8 {
        self.json[value.start as usize]
    }

    /// The body.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.json
    }

    /// A value as it is written.
    #[inline]
    pub fn text(&self, value: Value) -> &'a [u8] {
        &self.json[value.start as usize..value.end as usize]
    }

    /// The members of an object: the bytes between the quotes of each key, and its value. Any other
    /// value has none.
    #[inline]
    pub fn members(&self, value: Value) -> Members<'_, 'a> {
        Members(self.inside(value, b'{'))
    }

    /// The elements of an array. Any other value has none.
    #[inline]
    pub fn elements(&self, value: Value) -> Elements<'_, 'a> {
        self.inside(value, b'[')
    }

    /// The values of [`Self::of_lines`].
    pub fn lines(&self) -> Elements<'_, 'a> {
        Elements {
            doc: self,
            at: 0,
            indexed_before: 0,
            depth: 0,
            end: self.json.len(),
        }
    }

    #[inline]
    fn inside(&self, value: Value, open: u8) -> Elements<'_, 'a> {
        let at = if self.byte(value) == open {
            value.start as usize + 1
        } else {
            value.end as usize - 1
        };
        Elements {
            doc: self,
            at,
            indexed_before: value.indexed_before
                + u32::from((value.depth as usize) < self.index.indexed_depth),
            depth: value.depth as usize + 1,
            end: value.end as usize - 1,
        }
    }

    /// The value at `path` below an object, if there is one. The first of equal keys counts.
    pub fn lookup(&self, value: Value, path: &[&str]) -> Option<Value> {
        path.iter().try_fold(value, |value, name| {
            self.members(value)
                .find(|(key, _)| *key == name.as_bytes())
                .map(|(_, value)| value)
        })
    }

    /// The text of a string or number; `None` for anything else, and for strings that hold a lone
    /// surrogate.
    pub fn scalar_text(&self, value: Value) -> Option<String> {
        let text = self.text(value);
        match text[0] {
            b'"' => serde_json::from_slice(text).ok(),
            b'-' | b'0'..=b'9' => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }
}

/// Iterates over the elements of an array, or over lines; see [`Document::elements`] and
/// [`Document::lines`].
pub struct Elements<'d, 'a> {
    doc: &'d Document<'a>,
    at: usize,
    /// How many indexed containers start before `at`.
    indexed_before: u32,
    /// How many containers are open around each element.
    depth: usize,
    /// Position of the closing bracket.
    end: usize,
}

impl Elements<'_, '_> {
    /// Moves to the next element or key.
    #[inline]
    fn advance(&mut self) -> Option<()> {
        let json = self.doc.json;
        self.at = skip_space(json, self.at);
        if self.at >= self.end {
            return None;
        }
        if json[self.at] == b',' {
            self.at = skip_space(json, self.at + 1);
        }
        Some(())
    }

    /// Reads the value that starts here and moves behind it.
    #[expect(
        clippy::inline_always,
        reason = "runs for each member; a call makes reading rows a fifth slower"
    )]
    #[inline(always)]
    fn value(&mut self) -> Value {
        let json = self.doc.json;
        let (start, indexed_before) = (self.at, self.indexed_before);
        self.at = match json[start] {
            b'"' => string_end(json, start),
            b'{' | b'[' => {
                if self.depth < self.doc.index.indexed_depth {
                    let container = &self.doc.index.containers[indexed_before as usize];
                    self.indexed_before = container.next;
                    container.end as usize
                } else {
                    container_end(json, start)
                }
            }
            b'n' | b't' => start + 4,
            b'f' => start + 5,
            _ => scalar_end(json, start),
        };
        Value {
            start: position(start),
            end: position(self.at),
            indexed_before,
            depth: position(self.depth),
        }
    }
}

impl Iterator for Elements<'_, '_> {
    type Item = Value;

    #[inline]
    fn next(&mut self) -> Option<Value> {
        self.advance()?;
        Some(self.value())
    }
}

/// Iterates over the members of an object; see [`Document::members`].
pub struct Members<'d, 'a>(Elements<'d, 'a>);

impl<'a> Iterator for Members<'_, 'a> {
    type Item = (&'a [u8], Value);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.advance()?;
        let json = self.0.doc.json;
        let end = string_end(json, self.0.at);
        let key = &json[self.0.at + 1..end - 1];
        self.0.at = skip_space(json, skip_space(json, end) + 1);
        Some((key, self.0.value()))
    }
}

impl Members<'_, '_> {
    /// The next member's value, if its key is written exactly as `label`: the key in quotes and a
    /// colon, with no white space before or after. Otherwise `None`, and nothing is skipped.
    #[expect(clippy::inline_always, reason = "as `Elements::value`")]
    #[inline(always)]
    pub fn next_labelled(&mut self, label: &[u8]) -> Option<Value> {
        let json = self.0.doc.json;
        let start = self.0.at + usize::from(json[self.0.at] == b',');
        let at = start + label.len();
        if starts_with(&json[start..], label) && json[at] > b' ' {
            self.0.at = at;
            return Some(self.0.value());
        }
        None
    }
}

/// [`slice::starts_with`] without a call for 4 to 32 bytes, the length of most keys: two
/// overlapping loads.
#[inline]
fn starts_with(text: &[u8], start: &[u8]) -> bool {
    #[inline]
    fn ends<const HALF: usize>(text: &[u8], start: &[u8]) -> Option<bool> {
        let (front, back) = (start.first_chunk::<HALF>()?, start.last_chunk::<HALF>()?);
        Some(text.first_chunk() == Some(front) && text.last_chunk() == Some(back))
    }
    let Some(text) = text.get(..start.len()) else {
        return false;
    };
    match start.len() {
        8..=16 => ends::<8>(text, start),
        4..8 => ends::<4>(text, start),
        17..=32 => ends::<16>(text, start),
        _ => None,
    }
    .unwrap_or_else(|| text == start)
}
