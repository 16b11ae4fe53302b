//! Tokens, and what they may do.

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    User(u64),
    Integration,
    Organization,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    Active,
    Expired,
    SsoRequired,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub kind: TokenKind,
    pub scopes: Vec<String>,
    pub state: TokenState,
}

/// Reading scopes that a full extraction needs.
pub const READ_SCOPES: [&str; 7] = [
    "org:read",
    "project:read",
    "team:read",
    "member:read",
    "event:read",
    "alerts:read",
    "project:releases",
];

impl Token {
    pub fn user(user: u64, scopes: &[&str]) -> Self {
        Self::of(TokenKind::User(user), scopes)
    }

    pub fn of(kind: TokenKind, scopes: &[&str]) -> Self {
        Self {
            kind,
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            state: TokenState::Active,
        }
    }
}
