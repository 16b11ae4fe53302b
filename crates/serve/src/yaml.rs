//! YAML, read without showing what it holds.

use serde_json::Value;
use serde_saphyr::UserMessageFormatter;

/// The one document of a text; nothing is null.
///
/// # Errors
/// Where and why it is no YAML. The text may hold secrets, so that the message shows none of it.
pub fn parse(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| error.render_with_formatter(&UserMessageFormatter))
}
