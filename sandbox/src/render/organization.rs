//! Organizations as lists and other records show them.

use super::letter_avatar;
use crate::window;
use crate::world::Organization;
use serde_json::{Value, json};

pub fn summary(organization: &Organization) -> Value {
    json!({
        "id": organization.id.to_string(),
        "slug": organization.slug,
        "name": organization.name,
        "status": {"id": "active", "name": "active"},
        "dateCreated": window::text(organization.date_created),
        "isEarlyAdopter": false,
        "require2FA": false,
        "avatar": letter_avatar(),
        "features": ["advanced-search", "discover-basic", "global-views", "issue-platform", "open-membership"],
        // Empty, as on self-hosted: a client must not send its token anywhere else.
        "links": {"organizationUrl": "https://sentry.invalid", "regionUrl": ""},
        "hasAuthProvider": false,
        "allowMemberInvite": true,
        "allowMemberProjectCreation": true,
        "allowSuperuserAccess": false,
    })
}

pub fn detail(organization: &Organization, scopes: &[String]) -> Value {
    let mut record = summary(organization);
    record["access"] = json!(scopes);
    record["extraOptions"] = json!({"traces": {"spansExtractionDate": 0}});
    record["onboardingTasks"] = json!([{
        "task": "create_project",
        "status": "complete",
        "completionSeen": null,
        "dateCompleted": window::text(organization.date_created),
        "data": {},
    }]);
    record["openMembership"] = json!(organization.open_membership);
    record["defaultRole"] = json!("member");
    record["role"] = json!("owner");
    record["isDefault"] = json!(false);
    record["trustedRelays"] = json!([]);
    record
}
