//! What servers of different age do differently.
//!
//! | | 2026 | 2025 | 21.4 | 21.1 | 9.1 |
//! |---|---|---|---|---|---|
//! | `project=` names | ids, slugs | ids | ids | ids | ids; no `-1` |
//! | no `project=` means | all one can see | all of one's teams | the same | the same | the same |
//! | no `query=` means | unresolved | unresolved of high or medium priority | unresolved | unresolved | unresolved |
//! | categories, types, priorities, substatuses | yes | yes | no: errors only | no | no |
//! | ids in paths | yes | yes | no | no | no |
//! | paths of issues without an organization | 410 | 410 | yes | yes | yes |
//! | `stats_v2` | yes | yes | yes | no | no |
//! | `stats-summary` | yes | yes | no | no | no |
//! | issues of an organization | yes | yes | yes | yes | no |
//! | `stat=` that nobody knows | 400 | 500 | 500 | 500 | 500 |
//! | what `received` counts | errors accepted, filtered or limited | the same | all errors but invalid ones | everything but invalid | as 2026 |
//! | keys and sessions of an organization, monitors | yes | yes | sessions only | sessions only | no |
//! | `current-release` of an issue without an organization | 410 | 410 | yes | yes | no |
//! | the same with one | yes | yes | no | no | no |
//!
//! Records of the old ones lack the columns that 21.1 lacks, and their annotations are HTML. Rate limits are another
//! matter, see [`crate::Limits`].

use crate::reply::Reply;
use serde_json::{Value, json};

/// Which Sentry answers; the older is the smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    V9_1,
    V21_1,
    V21_4,
    /// The hosted service, late in 2025.
    #[default]
    V2025,
    /// The hosted service since the middle of 2026.
    V2026,
}

impl Version {
    /// By the name that the sandbox's program gives it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "9.1" => Self::V9_1,
            "21.1" => Self::V21_1,
            "21.4" => Self::V21_4,
            "2025" => Self::V2025,
            "2026" => Self::V2026,
            _ => return None,
        })
    }

    /// Knows errors only, by no other name than issues; and slugs only, in paths.
    pub(crate) fn is_old(self) -> bool {
        self < Self::V2025
    }

    /// What the issue list searches for when nothing is said.
    pub(crate) fn default_query(self) -> &'static str {
        if self == Self::V2025 {
            "is:unresolved issue.priority:[high, medium]"
        } else {
            "is:unresolved"
        }
    }

    /// Whether it has the endpoint, by its pattern.
    pub(crate) fn has(self, path: &str) -> bool {
        let path = path.trim_start_matches("/api/0");
        if path.ends_with("/current-release/") {
            if path.starts_with("/issues/") {
                self >= Self::V21_1
            } else {
                self >= Self::V2025
            }
        } else if path == "/organizations/{org}/stats_v2/" {
            self >= Self::V21_4
        } else if path == "/organizations/{org}/project-keys/"
            || path == "/organizations/{org}/stats-summary/"
        {
            self >= Self::V2025
        } else if path == "/organizations/{org}/sessions/"
            || path.starts_with("/organizations/{org}/issues/")
        {
            self >= Self::V21_1
        } else {
            true
        }
    }

    /// The answer of the endpoint with this path, in the columns that the server has.
    pub(crate) fn shape(self, path: &str, reply: Reply) -> Reply {
        if !self.is_old() {
            return reply;
        }
        let path = path.trim_start_matches("/api/0");
        let aged = |text: String| match serde_json::from_str(&text) {
            Ok(mut value) => {
                age(path, &mut value);
                value.to_string()
            }
            Err(_) => text,
        };
        match reply {
            Reply::Value(text) => Reply::Value(aged(text)),
            Reply::Page(mut page) => {
                page.rows = page.rows.into_iter().map(aged).collect();
                Reply::Page(page)
            }
            Reply::List {
                rows,
                direct_hit,
                envelope,
            } => Reply::List {
                rows: rows.into_iter().map(aged).collect(),
                direct_hit,
                envelope,
            },
        }
    }
}

/// Takes from a record what 21.1 does not have.
fn age(path: &str, record: &mut Value) {
    match path {
        "/organizations/" | "/organizations/{org}/" => {
            drop_keys(record, &ORGANIZATION);
            each(record, "projects", &PROJECT);
            each(record, "teams", &TEAM);
        }
        "/organizations/{org}/projects/" | "/projects/{org}/{project}/" => {
            drop_keys(record, &PROJECT);
        }
        "/organizations/{org}/teams/" => {
            drop_keys(record, &TEAM);
            each(record, "projects", &PROJECT);
        }
        "/organizations/{org}/users/" | "/organizations/{org}/members/" => {
            drop_keys(record, &MEMBER);
        }
        "/organizations/{org}/releases/" | "/organizations/{org}/releases/{version}/" => {
            drop_keys(record, &RELEASE);
        }
        _ if path.contains("/events/") => {
            drop_keys(record, &EVENT);
            if record.get("event.type").is_some() {
                drop_keys(record, &["metadata"]);
            }
        }
        "/organizations/{org}/shortids/{short}/" => {
            if let Some(group) = record.get_mut("group") {
                age("/organizations/{org}/issues/", group);
            }
        }
        _ => {
            drop_keys(record, &ISSUE);
            if path == "/projects/{org}/{project}/issues/" {
                drop_keys(record, &["filtered", "lifetime"]);
            }
            let annotations = record.get_mut("annotations").and_then(Value::as_array_mut);
            for one in annotations.into_iter().flatten() {
                if let (Some(name), Some(url)) = (one["displayName"].as_str(), one["url"].as_str())
                {
                    *one = json!(format!("<a href=\"{url}\">{name}</a>"));
                }
            }
        }
    }
}

fn drop_keys(record: &mut Value, keys: &[&str]) {
    if let Some(record) = record.as_object_mut() {
        record.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

fn each(record: &mut Value, list: &str, keys: &[&str]) {
    let rows = record.get_mut(list).and_then(Value::as_array_mut);
    for row in rows.into_iter().flatten() {
        drop_keys(row, keys);
    }
}

const ORGANIZATION: [&str; 6] = [
    "allowMemberInvite",
    "allowMemberProjectCreation",
    "allowSuperuserAccess",
    "extraOptions",
    "hasAuthProvider",
    "links",
];
const PROJECT: [&str; 36] = [
    "access",
    "autofixAutomationTuning",
    "debugFilesRole",
    "derivedGroupingEnhancements",
    "dynamicSamplingBiases",
    "enableAutoReleaseCreation",
    "hasFeedbacks",
    "hasFlags",
    "hasInsightsAgentMonitoring",
    "hasInsightsAppStart",
    "hasInsightsAssets",
    "hasInsightsCaches",
    "hasInsightsDb",
    "hasInsightsHttp",
    "hasInsightsMCP",
    "hasInsightsQueues",
    "hasInsightsScreenLoad",
    "hasInsightsVitals",
    "hasLogs",
    "hasMinifiedStackTrace",
    "hasMonitors",
    "hasNewFeedbacks",
    "hasProfiles",
    "hasReplays",
    "hasSessions",
    "hasTraceMetrics",
    "highlightContext",
    "highlightPreset",
    "highlightTags",
    "isDynamicallySampled",
    "scmSourceContextEnabled",
    "secondaryGroupingConfig",
    "secondaryGroupingExpiry",
    "seerNightshiftTweaks",
    "seerScannerAutomation",
    "tempestFetchScreenshots",
];
const TEAM: [&str; 4] = ["access", "externalTeams", "flags", "teamRole"];
const MEMBER: [&str; 2] = ["externalUsers", "orgRole"];
const RELEASE: [&str; 5] = [
    "adoptionStages",
    "currentProjectMeta",
    "dateStarted",
    "id",
    "userAgent",
];
const EVENT: [&str; 4] = ["breakdowns", "measurements", "occurrence", "resolvedWith"];
const ISSUE: [&str; 12] = [
    "derivedData",
    "isUnhandled",
    "issueCategory",
    "issueType",
    "matchingEventEnvironment",
    "matchingEventId",
    "priority",
    "priorityLockedAt",
    "seerAutofixLastTriggered",
    "seerExplorerAutofixLastTriggered",
    "seerFixabilityScore",
    "substatus",
];
