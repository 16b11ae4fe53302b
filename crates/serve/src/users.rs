//! Users: who is let in by name and password.

use crate::answer::plain;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use subtle::ConstantTimeEq;

/// A hash of cost 10 that belongs to nobody: a name that is not known takes as long as one that is.
const NOBODY: &str = "$2y$10$A1W58TARYppA8VtRo3JVRe26hLo62OAZe3ztDBntlzelwIdnepqAa";

/// Results that are kept.
const KEPT: usize = 100;

/// A name and a password that the program was given.
#[derive(Debug, Clone)]
pub struct PlainUser {
    pub name: String,
    pub password: SecretString,
    /// What a browser calls the place that asks.
    pub realm: Option<String>,
}

/// Stands in the extensions of a request whose name and password were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted;

/// What a request says.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Credentials {
    name: Vec<u8>,
    password: Vec<u8>,
}

impl Credentials {
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(AUTHORIZATION)?.as_bytes();
        let (scheme, encoded) = value.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let decoded = STANDARD.decode(encoded).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        Some(Self {
            name: decoded[..colon].to_vec(),
            password: decoded[colon + 1..].to_vec(),
        })
    }

    /// Equal for equal name, hash and password.
    fn digest(&self, hash: &str) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for part in [&self.name, hash.as_bytes(), &self.password] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    }

    /// Takes as long for any name and password.
    pub(crate) fn are(&self, user: &PlainUser) -> bool {
        let own = Self {
            name: user.name.clone().into_bytes(),
            password: user.password.expose_secret().as_bytes().to_vec(),
        };
        self.digest("").ct_eq(&own.digest("")).into()
    }
}

/// Checks passwords against hashes, one at a time since each takes a processor for a tenth of a second, and remembers
/// the results.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    known: Mutex<HashMap<[u8; 32], bool>>,
    one: tokio::sync::Mutex<()>,
}

impl Checker {
    pub(crate) async fn admits(
        &self,
        users: &BTreeMap<String, String>,
        credentials: Credentials,
    ) -> bool {
        let name = std::str::from_utf8(&credentials.name).ok();
        let hash = name.and_then(|name| users.get(name));
        let is_user = hash.is_some();
        let hash = hash.map_or(NOBODY, String::as_str).to_owned();
        let digest = credentials.digest(&hash);
        if let Some(known) = self.known(&digest) {
            return known && is_user;
        }
        let _one = self.one.lock().await;
        // The same may have been checked meanwhile.
        if let Some(known) = self.known(&digest) {
            return known && is_user;
        }
        let check = move || bcrypt::verify(&credentials.password, &hash).unwrap_or(false);
        let right = tokio::task::spawn_blocking(check).await.unwrap_or(false);
        self.keep(digest, right && is_user);
        right && is_user
    }

    fn known(&self, digest: &[u8; 32]) -> Option<bool> {
        self.known.lock().get(digest).copied()
    }

    fn keep(&self, digest: [u8; 32], right: bool) {
        let mut known = self.known.lock();
        if known.len() >= KEPT {
            // Wrong ones first, so that guesses do not drive users out.
            let wrong = known.iter().find(|(_, right)| !**right);
            let gone = wrong
                .or_else(|| known.iter().next())
                .map(|(digest, _)| *digest);
            gone.map(|digest| known.remove(&digest));
        }
        known.insert(digest, right);
    }
}

/// Whether it is a hash of bcrypt.
pub(crate) fn is_hash(text: &str) -> bool {
    let parts = text.parse::<bcrypt::HashParts>();
    parts.is_ok_and(|parts| (4..=31).contains(&parts.get_cost()))
}

/// Names and hashes of a file as `htpasswd -B` writes it: `name:hash` on each line; lines that are empty or begin with `#`
/// are passed over.
///
/// # Errors
/// What is wrong with which lines, without what stands there.
pub fn htpasswd(text: &str) -> Result<BTreeMap<String, String>, String> {
    let (mut users, mut wrong) = (BTreeMap::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once(':') {
            Some((name, hash)) if !name.is_empty() && is_hash(hash) => {
                if users.insert(name.to_owned(), hash.to_owned()).is_some() {
                    wrong.push(format!("line {} names a user once more", number + 1));
                }
            }
            _ => wrong.push(format!(
                "line {} is not `name:hash` with a hash of bcrypt, as `htpasswd -B` makes it",
                number + 1
            )),
        }
    }
    if users.is_empty() && wrong.is_empty() {
        wrong.push("it names no user; add one by `htpasswd -B`".to_owned());
    }
    if wrong.is_empty() {
        Ok(users)
    } else {
        Err(wrong.join("; "))
    }
}

/// Whether a request brings the token as a bearer's. Takes as long for any token.
pub(crate) fn is_borne(headers: &HeaderMap, token: &SecretString) -> bool {
    let value = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let said = value.and_then(|value| value.split_at_checked(7));
    said.is_some_and(|(scheme, said)| {
        let said = Sha256::digest(said.trim_ascii());
        let own = Sha256::digest(token.expose_secret().as_bytes());
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(said.ct_eq(&own))
    })
}

/// The answer to who does not bring the token.
pub(crate) fn bearer_refusal() -> Response<Body> {
    let mut response = plain(StatusCode::UNAUTHORIZED);
    let scheme = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    response
}

/// The answer to who is not let in.
pub(crate) fn refusal(realm: Option<&str>) -> Response<Body> {
    let mut response = plain(StatusCode::UNAUTHORIZED);
    let challenge = realm.and_then(|realm| {
        let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
        HeaderValue::from_str(&format!("Basic realm=\"{quoted}\"")).ok()
    });
    let challenge = challenge.unwrap_or(HeaderValue::from_static("Basic"));
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn headers(value: &[u8]) -> HeaderMap {
        let value = HeaderValue::from_bytes(value).expect("a value");
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }

    fn said(name: &str, password: &str) -> Credentials {
        let encoded = STANDARD.encode(format!("{name}:{password}"));
        Credentials::of(&headers(format!("Basic {encoded}").as_bytes())).expect("credentials")
    }

    #[rstest]
    #[case::as_it_should_be("Basic YTpi", Some(("a", "b")))]
    #[case::in_another_case("bAsIc YTpi", Some(("a", "b")))]
    #[case::with_a_colon_in_the_password("Basic YTpiOmM=", Some(("a", "b:c")))]
    #[case::empty("Basic Og==", Some(("", "")))]
    #[case::without_a_colon("Basic YQ==", None)]
    #[case::no_base64("Basic !", None)]
    #[case::without_padding("Basic Og", None)]
    #[case::another_scheme("Bearer YTpi", None)]
    #[case::the_scheme_alone("Basic", None)]
    #[case::nothing("", None)]
    #[case::beyond_ascii("B\u{e4}sic YTpi", None)]
    fn credentials_are_read(#[case] value: &str, #[case] read: Option<(&str, &str)>) {
        let read = read.map(|(name, password)| Credentials {
            name: name.into(),
            password: password.into(),
        });
        assert_eq!(Credentials::of(&headers(value.as_bytes())), read);
        assert_eq!(Credentials::of(&HeaderMap::new()), None);
    }

    #[test]
    fn a_plain_user_is_known_by_both() {
        let user = PlainUser {
            name: "prometheus".to_owned(),
            password: "secret".into(),
            realm: None,
        };
        assert!(said("prometheus", "secret").are(&user));
        for (name, password) in [
            ("prometheus", "Secret"),
            ("", "secret"),
            ("prometheuss", "ecret"),
            ("", ""),
        ] {
            assert!(!said(name, password).are(&user), "{name} {password}");
        }
    }

    const HASH: &str = "$2y$10$A1W58TARYppA8VtRo3JVRe26hLo62OAZe3ztDBntlzelwIdnepqAa";

    #[test]
    fn a_file_of_htpasswd_is_read() {
        let text = format!("# who\r\nalice:{HASH}\r\n\n  bob:{HASH}\n");
        let users = htpasswd(&text).expect("users");
        let names: Vec<&str> = users.keys().map(String::as_str).collect();
        assert_eq!(names, ["alice", "bob"]);
        assert_eq!(users["alice"], HASH);
    }

    #[rstest]
    #[case::empty("\n# nobody\n", "it names no user")]
    #[case::plain("alice:secret\n", "line 1 is not `name:hash`")]
    #[case::of_another_kind("\nalice:$apr1$x$y\n", "line 2 is not `name:hash`")]
    #[case::no_name(
        ":$2y$10$A1W58TARYppA8VtRo3JVRe26hLo62OAZe3ztDBntlzelwIdnepqAa",
        "line 1 is not"
    )]
    #[case::twice(
        "a:$2y$10$A1W58TARYppA8VtRo3JVRe26hLo62OAZe3ztDBntlzelwIdnepqAa\na:$2y$10$A1W58TARYppA8VtRo3JVRe26hLo62OAZe3ztDBntlzelwIdnepqAa",
        "line 2 names a user once more"
    )]
    fn a_line_of_htpasswd_that_is_wrong_is_told_without_it(#[case] text: &str, #[case] told: &str) {
        let error = htpasswd(text).expect_err("wrong");
        assert!(error.contains(told) && !error.contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn passwords_are_checked_against_hashes() {
        let hash = bcrypt::hash("right", 4).expect("a hash");
        let users: BTreeMap<_, _> = ["2y", "2b", "2a"]
            .map(|version| (version.to_owned(), hash.replacen("2b", version, 1)))
            .into();
        let checker = Checker::default();
        for name in users.keys() {
            // The second answer is remembered.
            for _ in 0..2 {
                assert!(checker.admits(&users, said(name, "right")).await, "{name}");
                assert!(!checker.admits(&users, said(name, "wrong")).await, "{name}");
            }
        }
        assert!(!checker.admits(&users, said("nobody", "right")).await);
        assert_eq!(checker.known.lock().len(), 7);
        // Another hash of the same user is another check.
        let changed = [("2b".to_owned(), bcrypt::hash("new", 4).expect("a hash"))].into();
        assert!(!checker.admits(&changed, said("2b", "right")).await);
        assert!(checker.admits(&changed, said("2b", "new")).await);
    }

    #[tokio::test]
    async fn nobody_has_the_hash_of_nobody_even_as_a_user_with_it_had_it() {
        assert!(
            NOBODY
                .parse::<bcrypt::HashParts>()
                .is_ok_and(|parts| parts.get_cost() == 10)
        );
        let checker = Checker::default();
        let credentials = said("nobody", "x");
        checker.keep(credentials.digest(NOBODY), true);
        assert!(!checker.admits(&BTreeMap::new(), credentials).await);
    }

    #[test]
    fn guesses_do_not_drive_users_out() {
        let checker = Checker::default();
        checker.keep([255; 32], true);
        for guess in 0..200 {
            checker.keep([guess; 32], false);
        }
        assert_eq!(checker.known(&[255; 32]), Some(true));
        assert_eq!(checker.known.lock().len(), KEPT);
    }

    #[rstest]
    #[case(None, "Basic")]
    #[case(
        Some("Authentication Required"),
        "Basic realm=\"Authentication Required\""
    )]
    #[case(Some("a \"b\" \\"), "Basic realm=\"a \\\"b\\\" \\\\\"")]
    #[case(Some("a\nb"), "Basic")]
    fn a_refusal_says_how_to_be_let_in(#[case] realm: Option<&str>, #[case] challenge: &str) {
        let response = refusal(realm);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], challenge);
    }
}
