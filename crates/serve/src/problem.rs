//! What is wrong with a file.

/// One mistake: which key, what is wrong, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The way to the key, its parts joined by dots: `tls_server_config.cert_file`.
    pub key: String,
    /// Goes on behind the key. Never repeats a key or a hash: they are secrets.
    pub text: String,
}

impl Problem {
    pub fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            text: text.into(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {}", self.key, self.text)
    }
}
