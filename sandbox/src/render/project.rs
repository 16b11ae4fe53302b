//! Projects as the list, the detail and teams show them.

use super::{letter_avatar, organization};
use crate::auth::Caller;
use crate::window;
use crate::world::{Organization, Project, Seconds, World};
use serde_json::{Value, json};

/// What every form of a project has.
fn base(world: &World, caller: &Caller, project: &Project) -> Value {
    let first_event = world
        .issues
        .values()
        .filter(|issue| issue.project == project.id && issue.kind.is_error())
        .filter_map(|issue| issue.seen(Seconds::ALL, &[]))
        .map(|seen| seen.first)
        .min();
    json!({
        "id": project.id.to_string(),
        "slug": project.slug,
        "name": project.name,
        "platform": project.platform,
        "dateCreated": window::text(project.date_created),
        "isBookmarked": false,
        "isMember": caller.is_member(world, project),
        "hasAccess": caller.can_see(world, project),
        "features": ["alert-filters", "custom-inbound-filters", "minidump", "rate-limits", "releases"],
        "firstEvent": first_event.map(window::second_text),
        "firstTransactionEvent": false,
        "access": caller.token.scopes,
        "hasFeedbacks": false,
        "hasFlags": false,
        "hasMinifiedStackTrace": project.platform.as_deref() == Some("javascript"),
        "hasMonitors": true,
        "hasNewFeedbacks": true,
        "hasProfiles": false,
        "hasReplays": false,
        "hasSessions": false,
        "hasInsightsHttp": false,
        "hasInsightsDb": false,
        "hasInsightsAssets": false,
        "hasInsightsAppStart": false,
        "hasInsightsScreenLoad": false,
        "hasInsightsVitals": false,
        "hasInsightsCaches": false,
        "hasInsightsQueues": false,
        "hasInsightsAgentMonitoring": false,
        "hasInsightsMCP": false,
        "hasLogs": false,
        "hasTraceMetrics": false,
    })
}

/// What the list and the detail have and a project inside a team has not.
fn extended(world: &World, caller: &Caller, project: &Project) -> Value {
    let teams: Vec<Value> = project
        .teams
        .iter()
        .filter_map(|id| world.team(*id))
        .map(|team| json!({"id": team.id.to_string(), "name": team.name, "slug": team.slug}))
        .collect();
    let latest = world
        .releases
        .iter()
        .filter(|release| release.projects.contains(&project.id))
        .max_by_key(|release| release.date_created);
    let mut record = base(world, caller, project);
    record["platforms"] = json!(project.platform.as_slice());
    record["team"] = json!(teams.first());
    record["teams"] = json!(teams);
    record["latestRelease"] = json!(latest.map(|release| json!({"version": release.version})));
    record
}

/// What the detail and a project inside a team have.
fn appearance(mut record: Value) -> Value {
    record["isInternal"] = json!(false);
    record["isPublic"] = json!(false);
    record["avatar"] = letter_avatar();
    record["color"] = json!("#6d3fbf");
    record["status"] = json!("active");
    record
}

/// A row of the organization's list.
pub fn row(world: &World, caller: &Caller, project: &Project, collapse: &[String]) -> Value {
    let mut record = extended(world, caller, project);
    let environments = world.environments_of(project.id);
    let visible = environments
        .iter()
        .filter(|(name, hidden)| !**hidden && !name.is_empty());
    record["environments"] = json!(visible.map(|(name, _)| name).collect::<Vec<_>>());
    record["hasUserReports"] = json!(false);
    if !collapse.iter().any(|field| field == "latestDeploys") {
        record["latestDeploys"] = json!({
            "production": {"dateFinished": window::text(project.date_created), "version": "1.0"},
        });
    }
    record
}

/// A project inside a team.
pub fn summary(world: &World, caller: &Caller, project: &Project) -> Value {
    appearance(base(world, caller, project))
}

pub fn detail(
    world: &World,
    caller: &Caller,
    organization: &Organization,
    project: &Project,
) -> Value {
    let Value::Object(mut record) = appearance(extended(world, caller, project)) else {
        unreachable!("a project is an object")
    };
    record.insert("organization".into(), organization::summary(organization));
    let settings = serde_json::from_str(SETTINGS).expect("the constant is JSON");
    if let Value::Object(settings) = settings {
        record.extend(settings);
    }
    Value::Object(record)
}

/// What a project has when nobody has changed it.
const SETTINGS: &str = r#"{
    "options": {
        "sentry:token": "e84c8c0fb1c121e988558785885f9cde",
        "sentry:resolve_age": 168,
        "sentry:origins": ["*"],
        "filters:blacklisted_ips": "",
        "feedback:branding": true,
        "mail:subject_prefix": null
    },
    "digestsMinDelay": 180,
    "digestsMaxDelay": 600,
    "subjectPrefix": "",
    "allowedDomains": ["*"],
    "resolveAge": 168,
    "dataScrubber": true,
    "dataScrubberDefaults": true,
    "safeFields": [],
    "storeCrashReports": null,
    "sensitiveFields": ["sudo"],
    "subjectTemplate": "$shortID - $title",
    "securityToken": "e84c8c0fb1c121e988558785885f9cde",
    "securityTokenHeader": null,
    "verifySSL": true,
    "scrubIPAddresses": false,
    "scrapeJavaScript": true,
    "enableAutoReleaseCreation": true,
    "highlightTags": ["environment", "handled"],
    "highlightContext": {"browser": ["name"]},
    "highlightPreset": {"tags": [], "context": {}},
    "groupingConfig": "newstyle:2023-01-11",
    "derivedGroupingEnhancements": "",
    "groupingEnhancements": "",
    "secondaryGroupingExpiry": 0,
    "secondaryGroupingConfig": null,
    "fingerprintingRules": "",
    "processingIssues": 0,
    "defaultEnvironment": null,
    "relayPiiConfig": null,
    "builtinSymbolSources": ["ios", "android"],
    "dynamicSamplingBiases": [{"id": "boostEnvironments", "active": true}],
    "symbolSources": "[]",
    "isDynamicallySampled": false,
    "tempestFetchScreenshots": false,
    "autofixAutomationTuning": "off",
    "seerScannerAutomation": true,
    "seerNightshiftTweaks": null,
    "scmSourceContextEnabled": false,
    "debugFilesRole": null,
    "plugins": []
}"#;
