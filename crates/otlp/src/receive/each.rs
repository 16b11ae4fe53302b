//! Lists in JSON, handed over item by item and kept nowhere.

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;

type Result<T> = std::result::Result<T, serde_json::Error>;

/// Hands over each item of a list. None and `null` are an empty one.
///
/// # Errors
/// When it is no list, or an item cannot be read, or `act` fails.
pub fn each<'a, T: Deserialize<'a>>(
    list: Option<&'a RawValue>,
    mut act: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let Some(list) = list else {
        return Ok(());
    };
    let mut reader = serde_json::Deserializer::from_str(list.get());
    Items::new(&mut act).deserialize(&mut reader)
}

/// Hands over each item of the lists that a body has under these names.
///
/// # Errors
/// When it is no JSON or no object, and as [`each`].
pub fn each_of<'a, T: Deserialize<'a>>(
    body: &'a [u8],
    names: &[&str],
    mut act: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    // A reader of bytes would check each text by itself.
    let text = str::from_utf8(body).map_err(serde_json::Error::custom)?;
    if !text.trim_ascii_start().starts_with('{') && !text.trim_ascii().is_empty() {
        return Err(serde_json::Error::custom("it must be an object"));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let lists = Lists {
        names,
        items: Items::new(&mut act),
    };
    lists.deserialize(&mut reader)?;
    reader.end()
}

struct Items<'f, T, F> {
    act: &'f mut F,
    of: PhantomData<T>,
}

impl<'f, T, F> Items<'f, T, F> {
    fn new(act: &'f mut F) -> Self {
        Self {
            act,
            of: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<()>> DeserializeSeed<'de> for Items<'_, T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> std::result::Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<()>> Visitor<'de> for Items<'_, T, F> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a list")
    }

    /// Some write `null` for an empty list.
    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.act)(item).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

struct Lists<'n, 'f, T, F> {
    names: &'n [&'n str],
    items: Items<'f, T, F>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<()>> DeserializeSeed<'de>
    for Lists<'_, '_, T, F>
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> std::result::Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<()>> Visitor<'de> for Lists<'_, '_, T, F> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<(), A::Error> {
        let Self { names, items } = self;
        while let Some(name) = fields.next_key::<String>()? {
            if names.contains(&&*name) {
                fields.next_value_seed(Items::new(&mut *items.act))?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn numbers(body: &str) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        each_of(body.as_bytes(), &["a", "b"], |number| {
            found.push(number);
            Ok(())
        })?;
        Ok(found)
    }

    #[rstest]
    #[case::list(r#"{"a": [1, 2], "other": [3]}"#, &[1, 2])]
    #[case::both(r#" {"a": [1], "b": [2]}"#, &[1, 2])]
    #[case::none("{}", &[])]
    #[case::null(r#"{"a": null}"#, &[])]
    fn items_of_lists_are_handed_over(#[case] body: &str, #[case] expected: &[u64]) {
        assert_eq!(numbers(body).expect("lists"), expected);
    }

    #[rstest]
    #[case::no_list(r#"{"a": 1}"#)]
    #[case::no_item(r#"{"a": ["x"]}"#)]
    #[case::no_object("[]")]
    #[case::nothing("")]
    #[case::more(r#"{"a": []} 1"#)]
    #[case::broken(r#"{"a": [1"#)]
    fn what_is_none_is_an_error(#[case] body: &str) {
        numbers(body).expect_err("no lists");
    }

    #[test]
    fn a_failure_ends_it() {
        let mut seen = 0;
        let read = each_of(br#"{"a": [1, 2]}"#, &["a"], |_: u64| {
            seen += 1;
            Err(serde_json::Error::custom("no"))
        });
        assert!(read.is_err_and(|error| error.to_string().starts_with("no")));
        assert_eq!(seen, 1);
    }
}
