//! The world that every other one begins with.

use crate::world::data::World;
use crate::world::organization::{Member, Organization, Team, User};
use crate::world::token::{READ_SCOPES, Token, TokenKind, TokenState};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

impl World {
    /// One organization, one team with its owner, the tokens; no project yet.
    pub fn empty(now: DateTime<Utc>) -> Self {
        let long_ago = now - TimeDelta::days(400);
        let owner = User {
            id: 1,
            name: "Olive Owner".to_owned(),
            email: "olive.owner@example.com".to_owned(),
            date_joined: long_ago + TimeDelta::microseconds(375_239),
            last_login: Some(now.trunc_subsecs(0) - TimeDelta::hours(7)),
            active: true,
        };
        let member = Member {
            id: 11,
            user: Some(1),
            email: owner.email.clone(),
            role: "owner".to_owned(),
            teams: vec![1],
            date_created: long_ago,
            inviter: None,
        };
        let mut world = Self {
            now: Some(now),
            began: now,
            retention: TimeDelta::days(90),
            organizations: vec![Organization {
                id: 1,
                slug: crate::ORGANIZATION.to_owned(),
                name: "Acme Inc".to_owned(),
                date_created: long_ago,
                open_membership: true,
            }],
            projects: Vec::new(),
            teams: vec![Team {
                id: 1,
                slug: "backend".to_owned(),
                name: "Backend".to_owned(),
                date_created: long_ago + TimeDelta::microseconds(115_000),
            }],
            users: vec![owner],
            members: vec![member],
            releases: Vec::new(),
            issues: BTreeMap::new(),
            merged: BTreeMap::new(),
            tokens: BTreeMap::new(),
            environments: ["production", "staging"].map(str::to_owned).into(),
            project_environments: BTreeMap::new(),
            outcomes: Vec::new(),
            keys: Vec::new(),
            monitors: Vec::new(),
            sessions: Vec::new(),
            explored: Vec::new(),
            explore_rows: 10_000,
            lacks: BTreeSet::new(),
        };
        let all: Vec<&str> = READ_SCOPES.into_iter().chain(["org:write"]).collect();
        world.add_token(crate::TOKEN, Token::user(1, &all));
        world.add_token(
            crate::INTEGRATION_TOKEN,
            Token::of(TokenKind::Integration, &READ_SCOPES),
        );
        world.add_token(
            crate::ORGANIZATION_TOKEN,
            Token::of(TokenKind::Organization, &["org:ci"]),
        );
        world.add_token(
            crate::NARROW_TOKEN,
            Token::user(1, &["org:read", "project:read", "team:read"]),
        );
        // A user who exists for permissions only: in no list, because in no team and no member.
        world.add_token(crate::TEAMLESS_TOKEN, Token::user(99, &READ_SCOPES));
        world.add_token(
            crate::EXPIRED_TOKEN,
            Token {
                state: TokenState::Expired,
                ..Token::user(1, &all)
            },
        );
        world.add_token(
            crate::SSO_TOKEN,
            Token {
                state: TokenState::SsoRequired,
                ..Token::user(1, &all)
            },
        );
        world
    }
}
