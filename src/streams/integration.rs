//! What is connected to an organization: integrations, apps and repositories.

use crate::streams::def::{FULL_TABLE, Parent, Replication, StreamDef};
use crate::streams::organization::OPTIONAL_LIST;
use chrono::TimeDelta;
use tap_sentry_api::endpoint::{Endpoint, LIST};

pub const INTEGRATIONS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "organization_integrations",
        path: "organizations/{organization_slug}/integrations/",
        // Otherwise Sentry asks each provider, which takes seconds.
        query: &[("includeConfig", "0")],
        scopes: &["org:read", "org:integrations"],
        ..OPTIONAL_LIST
    },
    schema: include_str!("../../schemas/organization_integrations.json"),
    ..FULL_TABLE
};

pub const INSTALLATIONS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "sentry_app_installations",
        path: "organizations/{organization_slug}/sentry-app-installations/",
        scopes: &["org:read", "org:integrations"],
        ..OPTIONAL_LIST
    },
    schema: include_str!("../../schemas/sentry_app_installations.json"),
    key: &["uuid"],
    secrets: &[&["code"]],
    ..FULL_TABLE
};

pub const APPS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "sentry_apps",
        path: "organizations/{organization_slug}/sentry-apps/",
        ..OPTIONAL_LIST
    },
    schema: include_str!("../../schemas/sentry_apps.json"),
    key: &["uuid"],
    secrets: &[&["clientSecret"], &["webhookHeaders"]],
    ..FULL_TABLE
};

pub const REPOSITORIES: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "repositories",
        path: "organizations/{organization_slug}/repos/",
        // Present and empty: without it only active ones are listed.
        query: &[("status", "")],
        scopes: &["org:read", "org:integrations", "org:ci"],
        ..OPTIONAL_LIST
    },
    schema: include_str!("../../schemas/repositories.json"),
    born: Some("dateCreated"),
    ..FULL_TABLE
};

pub const REPOSITORY_COMMITS: StreamDef = StreamDef {
    endpoint: Endpoint {
        name: "repository_commits",
        path: "organizations/{organization_slug}/repos/{repository_id}/commits/",
        // By time, which no deletion moves.
        offset_paged: false,
        ..LIST
    },
    schema: include_str!("../../schemas/repository_commits.json"),
    key: &["repository_id", "id"],
    parent: Some(Parent {
        stream: "repositories",
        bind: &[("repository_id", &["id"])],
        at: None,
    }),
    replication: Replication::with_parent("dateCreated"),
    newest_first: true,
    // Some are told to Sentry days after they were made.
    overlap: TimeDelta::days(3),
    columns: &["organization_slug", "repository_id"],
    selected_by_default: false,
    note: "Read newest first, up to 3 days before the bookmark; of a repository that is new, all since `start_date`.",
    ..FULL_TABLE
};
