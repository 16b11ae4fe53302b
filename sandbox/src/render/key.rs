//! Client keys, secrets included.

use crate::version::Version;
use crate::window;
use crate::world::ClientKey;
use serde_json::{Value, json};

/// A DSN; `ingest` is the scheme and the host that it leads to, `prefix` a path before the project.
pub fn dsn(ingest: &str, user: &str, prefix: &str, project: u64) -> String {
    let (scheme, host) = ingest.split_once("://").unwrap_or(("https", ingest));
    let prefix = prefix.trim_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    format!("{scheme}://{user}@{host}{slash}{prefix}/{project}")
}

pub fn record(key: &ClientKey, version: Version, ingest: &str) -> Value {
    let (public, secret, project) = (&key.public, &key.secret, key.project);
    let mut record = json!({
        "id": public,
        "name": key.label,
        "label": key.label,
        "public": public,
        "secret": secret,
        "projectId": project,
        "isActive": key.is_active,
        "rateLimit": key.limit.map(|limit| json!({"window": limit.window_seconds, "count": limit.count})),
        "dsn": {
            "secret": dsn(ingest, &format!("{public}:{secret}"), "", project),
            "public": dsn(ingest, public, "", project),
            "csp": format!("{ingest}/api/{project}/csp-report/?sentry_key={public}"),
            "security": format!("{ingest}/api/{project}/security/?sentry_key={public}"),
            "minidump": format!("{ingest}/api/{project}/minidump/?sentry_key={public}"),
            "unreal": format!("{ingest}/api/{project}/unreal/{public}/"),
            "cdn": format!("https://js.sentry-cdn.invalid/{public}.min.js"),
        },
        "browserSdkVersion": "7.x",
        "browserSdk": {"choices": [["latest", "latest"], ["7.x", "7.x"]]},
        "dateCreated": window::text(key.date_created),
    });
    if version >= Version::V2025 {
        record["dynamicSdkLoaderOptions"] =
            json!({"hasReplay": true, "hasPerformance": true, "hasDebug": false});
    }
    record
}
