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
    /// Names that settings had in programs which this one replaces: they are read too.
    pub old_names: Vec<OldName>,
}

/// What a setting was called in a program that this one replaces.
#[derive(Debug, Clone, Copy)]
pub struct OldName {
    /// The variable, in full. One that begins with the prefix is a key of files too: without it, in small letters.
    pub variable: &'static str,
    /// The setting that it sets; `None`: it has no meaning any more.
    pub setting: Option<&'static str>,
    /// How its text is read, with what is wrong in words that fit behind its name; `None`: as that of the setting.
    pub read: Option<fn(&str) -> Result<Value, &'static str>>,
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

    /// The old name that a variable is.
    pub fn old_variable(&self, variable: &str) -> Option<OldName> {
        let mut names = self.old_names.iter();
        names.find(|old| old.variable == variable).copied()
    }

    /// The old name that a key of a file is.
    pub fn old_key(&self, key: &str) -> Option<OldName> {
        let is_it = |old: &&OldName| {
            let name = old.variable.strip_prefix(self.prefix);
            name.is_some_and(|name| name.to_lowercase() == key)
        };
        self.old_names.iter().find(is_it).copied()
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
