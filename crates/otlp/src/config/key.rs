//! A key of the file: what may stand there, what counts where nothing does, and what it means.

use tap_sentry_settings::program::FILE_SUFFIX;

/// One key of a block. Blocks are tables of them, from which they are read and documented.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub form: Form,
    /// As it would be written; empty: there is none.
    pub default: &'static str,
    /// For the documentation; where nothing is read, it is also what the log says, behind the key.
    pub meaning: &'static str,
}

/// What may stand behind a key.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    Text,
    /// A text that nothing shows. `NAME_file` may name a file with it instead.
    Secret,
    Path,
    Switch,
    /// From the first to the second.
    Whole(u64, u64),
    /// From the first to the second.
    Number(f64, f64),
    Duration,
    Bytes,
    Word(&'static [&'static str]),
    Texts,
    /// Names with texts.
    Map,
    Block(&'static [Key]),
    /// A key of the collector's that changes nothing here.
    Idle,
    /// A key of the collector's without which things are otherwise than its user expects: a warning.
    Warned,
    /// A key of the collector's without which its user would be harmed: a mistake.
    Refused,
}

impl Key {
    pub const fn new(
        name: &'static str,
        form: Form,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            form,
            default,
            meaning,
        }
    }

    /// Whether a user may write the key so.
    pub fn is_called(&self, written: &str) -> bool {
        let in_file = || written.strip_suffix(FILE_SUFFIX) == Some(self.name);
        self.name == written || matches!(self.form, Form::Secret) && in_file()
    }
}

impl Form {
    /// For the documentation.
    pub fn describe(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Secret => "text, or `_file`".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Whole(least, u64::MAX) => format!("number from {least}"),
            Self::Whole(least, most) => format!("number, {least} to {most}"),
            Self::Number(least, most) => format!("number, {least} to {most}"),
            Self::Duration => "duration".to_owned(),
            Self::Bytes => "bytes, or `512MiB`".to_owned(),
            Self::Word(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(", ")
            }
            Self::Texts => "list".to_owned(),
            Self::Map => "names with texts".to_owned(),
            Self::Block(_) => "block".to_owned(),
            Self::Idle => "passed over".to_owned(),
            Self::Warned => "passed over, with a warning".to_owned(),
            Self::Refused => "refused".to_owned(),
        }
    }
}
