//! `${env:NAME}` in values, as the collector expands it.

use serde_json::Value;
use tap_sentry_serve::yaml;

/// Defaults stand within defaults no deeper.
const DEPTH: usize = 20;

/// What an environment variable holds, if it is set.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A value, and the text that it was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Expanded {
    /// Of the type that YAML has for it where the whole value was one `${…}`, else a text.
    pub value: Value,
    /// For settings that are texts: `007` stays what it is.
    pub text: String,
}

/// Why a value cannot be expanded. Goes on behind the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    #[error(
        "names the environment variable {0}, which is not set: set it, or write ${{env:{0}:-DEFAULT}}"
    )]
    NotSet(String),
    #[error("has a `${{` without its `}}`; a dollar sign is written `$$`")]
    Open,
    #[error(
        "takes something from `{0}:`, but only environment variables can be taken, as ${{env:NAME}}"
    )]
    Source(String),
    #[error("has defaults within defaults, more than {DEPTH} of them")]
    Deep,
    #[error(
        "has a `${{…}}` that names no environment variable; write ${{env:NAME}}, and a dollar sign as `$$`"
    )]
    Name,
}

/// Expands a text. None: there is nothing to expand in it. What a variable holds is taken as it is, dollar signs too.
///
/// # Errors
/// When a variable is not set and has no default, or what stands in the braces is none.
pub fn expand(text: &str, variables: Lookup<'_>) -> Result<Option<Expanded>, ExpandError> {
    if !text.contains("$$") && !text.contains("${") {
        return Ok(None);
    }
    if let Some(inner) = text.strip_prefix("${")
        && closing(inner)? + 1 == inner.len()
    {
        let text = variable(&inner[..inner.len() - 1], variables)?;
        // What is no YAML, or more than one document, is a text.
        let value = yaml::parse(&text).unwrap_or_else(|_| Value::String(text.clone()));
        return Ok(Some(Expanded { value, text }));
    }
    let text = within(text, variables)?;
    Ok(Some(Expanded {
        value: Value::String(text.clone()),
        text,
    }))
}

/// Expands all that stands in a text.
fn within(text: &str, variables: Lookup<'_>) -> Result<String, ExpandError> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('{') {
            let end = closing(inner)?;
            out.push_str(&variable(&inner[..end], variables)?);
            rest = &inner[end + 1..];
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The place of the brace that closes, behind all pairs within.
fn closing(inner: &str) -> Result<usize, ExpandError> {
    let mut depth = 0;
    let mut before = ' ';
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' if before == '$' && depth == DEPTH => return Err(ExpandError::Deep),
            '{' if before == '$' => depth += 1,
            '}' if depth == 0 => return Ok(at),
            '}' => depth -= 1,
            _ => {}
        }
        before = letter;
    }
    Err(ExpandError::Open)
}

/// What stands in braces: `env:NAME`, `NAME`, each also with `:-DEFAULT`.
fn variable(inner: &str, variables: Lookup<'_>) -> Result<String, ExpandError> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let name = match name.split_once(':') {
        Some(("env", name)) => name,
        Some((source, _)) if is_name(source) => {
            return Err(ExpandError::Source(source.to_owned()));
        }
        Some(_) => return Err(ExpandError::Name),
        None => name,
    };
    if !is_name(name) {
        return Err(ExpandError::Name);
    }
    match (variables(name), default) {
        (Some(value), _) => Ok(value),
        (None, Some(default)) => within(default, variables),
        (None, None) => Err(ExpandError::NotSet(name.to_owned())),
    }
}

/// Letters, digits and underscores, no digit first.
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    bytes.next().is_some_and(first)
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn variables(name: &str) -> Option<String> {
        let value = match name {
            "HOST" => "collector",
            "PORT" => "4317",
            "ON" => "true",
            "ZEROS" => "007",
            "KEY" => "a$$b${env:HOST}",
            "LIST" => "[a, b]",
            "BRACE" => "{",
            "EMPTY" => "",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn read(text: &str) -> Result<Option<(Value, String)>, ExpandError> {
        let expanded = expand(text, &variables)?;
        Ok(expanded.map(|expanded| (expanded.value, expanded.text)))
    }

    #[rstest]
    #[case::a_name("${env:HOST}", json!("collector"), "collector")]
    #[case::without_its_source("${HOST}", json!("collector"), "collector")]
    #[case::a_number("${env:PORT}", json!(4317), "4317")]
    #[case::a_truth("${env:ON}", json!(true), "true")]
    #[case::a_list("${env:LIST}", json!(["a", "b"]), "[a, b]")]
    #[case::a_text_of_digits("${env:ZEROS}", json!(7.0), "007")]
    #[case::no_yaml("${env:BRACE}", json!("{"), "{")]
    #[case::empty("${env:EMPTY}", json!(null), "")]
    #[case::not_twice("${env:KEY}", json!("a$$b${env:HOST}"), "a$$b${env:HOST}")]
    #[case::a_default("${env:NONE:-4318}", json!(4318), "4318")]
    #[case::an_empty_default("${env:NONE:-}", json!(null), "")]
    #[case::set_and_empty("${env:EMPTY:-x}", json!(null), "")]
    #[case::a_default_with_a_colon("${NONE:-http://x:1}", json!("http://x:1"), "http://x:1")]
    #[case::a_default_in_a_default("${env:NONE:-${env:PORT}}", json!(4317), "4317")]
    #[case::within("${env:HOST}:${env:PORT}", json!("collector:4317"), "collector:4317")]
    #[case::a_number_within_is_text("1${env:PORT}", json!("14317"), "14317")]
    #[case::a_dollar("a$$b", json!("a$b"), "a$b")]
    #[case::no_variable("$${env:HOST}", json!("${env:HOST}"), "${env:HOST}")]
    #[case::a_dollar_and_a_variable("$$${env:HOST}", json!("$collector"), "$collector")]
    #[case::a_dollar_alone("$a$$", json!("$a$"), "$a$")]
    fn is_expanded(#[case] text: &str, #[case] value: Value, #[case] whole: &str) {
        assert_eq!(read(text), Ok(Some((value, whole.to_owned()))));
    }

    #[rstest]
    #[case("")]
    #[case("plain")]
    #[case("$HOST and a } {")]
    fn has_nothing_to_expand(#[case] text: &str) {
        assert_eq!(read(text), Ok(None));
    }

    #[rstest]
    #[case::not_set("${env:NONE}", ExpandError::NotSet("NONE".to_owned()))]
    #[case::not_set_within("a${NONE}", ExpandError::NotSet("NONE".to_owned()))]
    #[case::not_set_in_a_default("${env:NONE:-${env:NEITHER}}", ExpandError::NotSet("NEITHER".to_owned()))]
    #[case::open("${env:HOST", ExpandError::Open)]
    #[case::open_behind("a ${env:NONE:-${env:HOST}", ExpandError::Open)]
    #[case::a_file("${file:/etc/passwd}", ExpandError::Source("file".to_owned()))]
    #[case::no_name("${}", ExpandError::Name)]
    #[case::no_name_behind("${env:}", ExpandError::Name)]
    #[case::a_digit_first("${env:1A}", ExpandError::Name)]
    #[case::a_space("${env:A B}", ExpandError::Name)]
    fn is_a_mistake(#[case] text: &str, #[case] error: ExpandError) {
        assert_eq!(read(text), Err(error));
    }

    #[test]
    fn defaults_within_defaults_have_an_end() {
        let nested = |deep| format!("{}x{}", "${NONE:-".repeat(deep), "}".repeat(deep));
        assert!(read(&nested(DEPTH + 1)).is_ok());
        assert_eq!(read(&nested(100_000)), Err(ExpandError::Deep));
    }

    #[test]
    fn a_mistake_says_what_to_write() {
        let text = ExpandError::NotSet("A".to_owned()).to_string();
        assert!(
            text.ends_with("set it, or write ${env:A:-DEFAULT}"),
            "{text}"
        );
    }
}
