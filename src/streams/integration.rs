//! What is connected to an organization: integrations, apps and repositories.

use crate::streams::def::{FULL_TABLE, StreamDef};
use crate::streams::organization::OPTIONAL_LIST;
use tap_sentry_api::endpoint::Endpoint;

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
    ..FULL_TABLE
};
