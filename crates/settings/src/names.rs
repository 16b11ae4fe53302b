//! Names of settings that are near one that must not be passed over.

use crate::program::Program;

/// Other names by which people and other programs call what narrows, or names the server or the token; without anything
/// but letters and digits. One of these is refused: passed over it would extract more than is wanted, or send the token
/// elsewhere.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    (
        "organization",
        &[
            "org",
            "orgs",
            "orgid",
            "orgname",
            "orgslug",
            "orgslugs",
            "organizationid",
            "organizationidorslug",
            "organizationname",
            "sentryorg",
        ],
    ),
    (
        "project_slugs",
        &[
            "project",
            "projects",
            "projectid",
            "projectids",
            "projectname",
            "projectnames",
            "projectlist",
            "includeproject",
            "includeprojects",
            "projectinclude",
            "projectsinclude",
            "includeprojectslugs",
            "sentryproject",
            "sentryprojects",
        ],
    ),
    (
        "exclude_project_slugs",
        &[
            "excludeproject",
            "excludeprojects",
            "excludedproject",
            "excludedprojects",
            "projectexclude",
            "projectsexclude",
            "ignoreproject",
            "ignoreprojects",
            "skipslugs",
            "skipproject",
            "skipprojects",
        ],
    ),
    (
        "base_url",
        &[
            "url",
            "uri",
            "host",
            "hostname",
            "server",
            "domain",
            "endpoint",
            "instance",
            "instanceurl",
            "api",
            "apiurl",
            "apihost",
            "apibaseurl",
            "apiendpoint",
            "serverurl",
            "sentryurl",
            "sentryhost",
            "sentryserver",
            "region",
            "regionurl",
        ],
    ),
    (
        "api_token",
        &[
            "token",
            "apikey",
            "accesstoken",
            "bearertoken",
            "sentrytoken",
            "sentryauthtoken",
            "sentryapitoken",
        ],
    ),
];

/// Parts of names that can mean only one setting.
const PARTS: &[(&str, &[&str])] = &[
    ("exclude_project_slugs", &["exclu", "blacklist", "denylist"]),
    ("organization", &["organi"]),
    (
        "project_slugs",
        &["project", "include", "whitelist", "allowlist"],
    ),
];

/// The setting that is meant by an unknown name, if it is one that must not be passed over.
pub fn meant(program: &Program, name: &str) -> Option<&'static str> {
    let plain = |name: &str| {
        let kept = name.chars().filter(char::is_ascii_alphanumeric);
        kept.collect::<String>().to_lowercase()
    };
    let asked = plain(name);
    let prefix = plain(program.prefix);
    let asked = asked.strip_prefix(&prefix).unwrap_or(&asked);
    let far = |known: &str| match strsim::osa_distance(asked, known) {
        0 => Some(0),
        1 if known.len() > 5 => Some(1),
        2 if known.len() > 8 => Some(2),
        _ => None,
    };
    let nearest = |(key, others): &(&'static str, &[&str])| {
        let names = others.iter().filter_map(|other| far(other));
        let least = names.chain(far(&plain(key))).min();
        least.map(|distance| (distance, *key))
    };
    let all = OTHER_NAMES.iter().chain(program.other_names);
    let near = all
        .filter_map(nearest)
        .min_by_key(|(distance, _)| *distance);
    near.map(|(_, key)| key).or_else(|| by_part(program, asked))
}

fn by_part(program: &Program, asked: &str) -> Option<&'static str> {
    let parts = program.other_parts.iter().chain(PARTS);
    let has = |parts: &[&str]| parts.iter().any(|part| asked.contains(part));
    let mut found = parts.filter(|(_, parts)| has(parts)).map(|(key, _)| *key);
    match asked {
        "slug" | "slugs" => return Some("project_slugs"),
        "base" | "site" | "address" | "hosturl" => return Some("base_url"),
        _ if asked.starts_with("orgslug") || asked.starts_with("orgid") => {
            return Some("organization");
        }
        _ => {}
    }
    if let Some(key) = found.next() {
        return Some(key);
    }
    let of_a_server = asked.ends_with("url")
        || asked.ends_with("uri")
        || has(&["apibase", "apiserver", "sentryinstance", "serveraddress"]);
    (of_a_server && !asked.contains("proxy")).then_some("base_url")
}
