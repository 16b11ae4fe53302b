//! What tells one program's settings from another's.

use serde_json::Value;

/// What tells one program's settings from another's.
#[derive(Debug)]
pub struct Program {
    /// Of settings in the environment, such as `TAP_SENTRY_`.
    pub prefix: &'static str,
    /// The JSON Schema of all settings.
    pub schema: Value,
    /// Whether what a file names that is no setting is a mistake; else it is warned about.
    pub strict: bool,
    /// Settings of its own whose empty list would widen what is extracted or written.
    pub narrowing: &'static [&'static str],
    /// Settings of its own that must not be passed over, and what else people call them: letters and digits only.
    pub other_names: &'static [(&'static str, &'static [&'static str])],
    /// Parts of names that can mean only one of these.
    pub other_parts: &'static [(&'static str, &'static [&'static str])],
}

/// Settings of every program whose empty list would widen what is extracted.
const NARROWING: &[&str] = &["organization", "project_slugs", "exclude_project_slugs"];

impl Program {
    /// Whether there is a setting of that name.
    pub fn is_setting(&self, key: &str) -> bool {
        self.schema["properties"].get(key).is_some()
    }

    /// The JSON type of a setting.
    pub fn kind(&self, key: &str) -> &str {
        self.schema["properties"][key]["type"]
            .as_str()
            .unwrap_or("string")
    }

    /// The secret that a file named by this setting holds.
    pub fn secret_in_file<'k>(&self, key: &'k str) -> Option<&'k str> {
        let secret = key.strip_suffix(FILE_SUFFIX)?;
        let property = self.schema["properties"].get(secret)?;
        property.get("secret").is_some().then_some(secret)
    }

    /// Whether nothing may undo the setting in silence.
    pub fn narrows(&self, key: &str) -> bool {
        NARROWING
            .iter()
            .chain(self.narrowing)
            .any(|narrowing| *narrowing == key)
    }
}

/// `KEY_file` names a file that holds the secret `KEY`.
pub const FILE_SUFFIX: &str = "_file";
