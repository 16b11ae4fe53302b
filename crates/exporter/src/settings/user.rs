//! Who is let in by settings of the exporter itself, beside a web configuration file.

use secrecy::ExposeSecret;
use tap_sentry_serve::users::PlainUser;

/// The password, and the user, of those who set none.
pub const KNOWN_PASSWORD: &str = "prometheus";

/// Who is let in.
#[derive(Debug, Clone)]
pub struct User(pub PlainUser);

impl User {
    /// Whether everybody knows the password.
    pub fn is_known(&self) -> bool {
        self.0.password.expose_secret() == KNOWN_PASSWORD
    }
}

impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
            && self.0.password.expose_secret() == other.0.password.expose_secret()
    }
}

impl Eq for User {}
