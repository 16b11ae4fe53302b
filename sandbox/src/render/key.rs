//! Client keys, secrets included.

use crate::version::Version;
use crate::window;
use crate::world::ClientKey;
use serde_json::{Value, json};

pub fn record(key: &ClientKey, version: Version) -> Value {
    let (public, secret, project) = (&key.public, &key.secret, key.project);
    let host = "o1.ingest.sentry.invalid";
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
            "secret": format!("https://{public}:{secret}@{host}/{project}"),
            "public": format!("https://{public}@{host}/{project}"),
            "csp": format!("https://{host}/api/{project}/csp-report/?sentry_key={public}"),
            "security": format!("https://{host}/api/{project}/security/?sentry_key={public}"),
            "minidump": format!("https://{host}/api/{project}/minidump/?sentry_key={public}"),
            "unreal": format!("https://{host}/api/{project}/unreal/{public}/"),
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
