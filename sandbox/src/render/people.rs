//! Users, members and teams.

use super::{letter_avatar, project};
use crate::auth::Caller;
use crate::window;
use crate::world::{Member, ProjectStatus, Team, TokenKind, User, World};
use serde_json::{Value, json};

pub fn user(user: &User) -> Value {
    json!({
        "id": user.id.to_string(),
        "name": user.name,
        "username": user.email,
        "email": user.email,
        "avatarUrl": "https://secure.gravatar.com/avatar/16aeb26c5fdba335c7078e9e9ddb5149?s=32&d=mm",
        "avatar": letter_avatar(),
        "isActive": user.active,
        "isSuspended": false,
        "hasPasswordAuth": true,
        "isManaged": false,
        "dateJoined": window::text(user.date_joined),
        "lastLogin": user.last_login.map(window::text),
        "lastActive": user.last_login.map(window::text),
        "has2fa": false,
        "isSuperuser": false,
        "isStaff": false,
        "experiments": {},
        "emails": [{"id": (user.id + 4_000).to_string(), "email": user.email, "is_verified": true}],
        "identities": [],
        "authenticators": [],
        "canReset2fa": true,
    })
}

pub fn member(world: &World, member: &Member) -> Value {
    let account = member.user.and_then(|id| world.user(id));
    json!({
        "id": member.id.to_string(),
        "email": member.email,
        "name": account.map_or(&member.email, |user| &user.name),
        "user": account.map(user),
        "orgRole": member.role,
        "role": member.role,
        "roleName": capitalized(&member.role),
        "pending": member.user.is_none(),
        "expired": false,
        "flags": {
            "idp:provisioned": false,
            "idp:role-restricted": false,
            "sso:linked": false,
            "sso:invalid": false,
            "member-limit:restricted": false,
            "partnership:restricted": false,
        },
        "dateCreated": window::text(member.date_created),
        // An owner's invite is approved at once, and still pending.
        "inviteStatus": "approved",
        "inviterName": member.inviter,
        "externalUsers": [],
    })
}

/// A row of the organization's users: a member, and the projects it reaches.
pub fn project_member(world: &World, row: &Member) -> Value {
    let mut record = member(world, row);
    let projects: Vec<&str> = world
        .projects
        .iter()
        .filter(|project| project.teams.iter().any(|team| row.teams.contains(team)))
        .map(|project| project.slug.as_str())
        .collect();
    record["projects"] = json!(projects);
    record
}

pub fn team(world: &World, caller: &Caller, team: &Team, detailed: bool) -> Value {
    let is_member =
        matches!(caller.token.kind, TokenKind::User(_)) && caller.teams(world).contains(&team.id);
    let members = world
        .listed_members()
        .filter(|member| member.user.is_some() && member.teams.contains(&team.id))
        .count();
    let mut record = json!({
        "id": team.id.to_string(),
        "slug": team.slug,
        "name": team.name,
        "dateCreated": window::text(team.date_created),
        "isMember": is_member,
        "teamRole": is_member.then_some("contributor"),
        "flags": {"idp:provisioned": false},
        "access": caller.token.scopes,
        "hasAccess": true,
        "isPending": false,
        "memberCount": members,
        "avatar": letter_avatar(),
    });
    if detailed {
        record["externalTeams"] = json!([]);
        record["projects"] = world
            .projects
            .iter()
            .filter(|one| one.status == ProjectStatus::Active && one.teams.contains(&team.id))
            .map(|one| project::summary(world, caller, one))
            .collect();
    }
    record
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
