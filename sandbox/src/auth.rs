//! Who asks, and what that allows.

use crate::problem::Problem;
use crate::world::{Project, ProjectStatus, Token, TokenKind, TokenState, World};

/// A token that is good.
#[derive(Clone, Debug)]
pub struct Caller {
    pub token: Token,
}

/// The rate limiter's identity; an unknown token is an address.
pub fn bucket(world: &World, authorization: Option<&str>) -> String {
    match token_of(authorization).and_then(|value| world.tokens.get(value)) {
        Some(Token {
            kind: TokenKind::User(id),
            ..
        }) => format!("user:{id}"),
        Some(Token {
            kind: TokenKind::Integration,
            ..
        }) => "org:1".to_owned(),
        _ => "ip:127.0.0.1".to_owned(),
    }
}

pub fn caller(world: &World, authorization: Option<&str>) -> Result<Caller, Problem> {
    let missing = || Problem::unauthorized("Authentication credentials were not provided.");
    let value = token_of(authorization).ok_or_else(missing)?;
    let token = world.tokens.get(value).ok_or_else(|| {
        Problem::unauthorized(if value.starts_with("sntrys_") {
            "Invalid org token"
        } else {
            "Invalid token"
        })
    })?;
    match token.state {
        TokenState::Active => Ok(Caller {
            token: token.clone(),
        }),
        TokenState::Expired => Err(Problem::unauthorized("Token expired")),
        TokenState::SsoRequired => Err(Problem::sso_required()),
    }
}

fn token_of(authorization: Option<&str>) -> Option<&str> {
    let (scheme, value) = authorization?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| value.trim())
}

impl Caller {
    /// Any of `scopes` is enough.
    pub fn require(&self, scopes: &[&str]) -> Result<(), Problem> {
        if scopes
            .iter()
            .any(|&scope| self.token.scopes.iter().any(|own| own == scope))
        {
            Ok(())
        } else {
            Err(Problem::insufficient_scope())
        }
    }

    pub fn teams(&self, world: &World) -> Vec<u64> {
        match self.token.kind {
            TokenKind::User(id) => world
                .members
                .iter()
                .filter(|member| member.user == Some(id))
                .flat_map(|member| member.teams.iter().copied())
                .collect(),
            TokenKind::Integration | TokenKind::Organization => {
                world.teams.iter().map(|team| team.id).collect()
            }
        }
    }

    /// In one of its teams: what "my projects" means.
    pub fn is_member(&self, world: &World, project: &Project) -> bool {
        let teams = self.teams(world);
        project.teams.iter().any(|team| teams.contains(team))
    }

    pub fn can_see(&self, world: &World, project: &Project) -> bool {
        project.status == ProjectStatus::Active
            && (!matches!(self.token.kind, TokenKind::User(_))
                || world
                    .organizations
                    .iter()
                    .any(|organization| organization.open_membership)
                || self.is_member(world, project))
    }
}
