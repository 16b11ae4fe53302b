//! What is not sent because Sentry would turn it into null, and why.

use std::fmt;

/// A value that is left out; said once and counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeftOut {
    /// `release` or `environment`.
    pub what: &'static str,
    /// At most its first 200 characters.
    pub value: String,
    pub why: Why,
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    TooLong { most: usize },
    Reserved,
    Character(char),
}

impl fmt::Display for LeftOut {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, value, why } = self;
        write!(
            text,
            "the {what} {value:?} is left out, Sentry would not keep it: "
        )?;
        match why {
            Why::TooLong { most } => write!(text, "it has more than {most} bytes"),
            Why::Reserved => write!(text, "it is a reserved word"),
            Why::Character(character) => write!(text, "it has {character:?} in it"),
        }
    }
}

/// What Sentry asks of a value. Found by giving sentry-relay 0.10.1 every character and length.
#[derive(Debug)]
pub struct Rule {
    pub what: &'static str,
    /// In bytes.
    pub longest: usize,
    /// In lower case; a value in any case is meant.
    pub reserved: &'static [&'static str],
}

impl Rule {
    /// A value without blanks around it if Sentry keeps it; none where nothing is there.
    pub fn check<'a>(&self, value: Option<&'a str>) -> Result<Option<&'a str>, LeftOut> {
        let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let why = if value.len() > self.longest {
            Why::TooLong { most: self.longest }
        } else if let Some(character) = value.chars().find(|found| is_forbidden(*found)) {
            Why::Character(character)
        } else if self
            .reserved
            .iter()
            .any(|word| word.eq_ignore_ascii_case(value))
        {
            Why::Reserved
        } else {
            return Ok(Some(value));
        };
        Err(LeftOut {
            what: self.what,
            value: value.chars().take(200).collect(),
            why,
        })
    }
}

/// Where it stands in a value, Sentry keeps none of it.
const fn is_forbidden(found: char) -> bool {
    found.is_ascii_control() || matches!(found, '/' | '\\')
}
