//! Where data goes: the project of a DSN, or projects of an organization.

use crate::client::agent::CLIENT;
use crate::config::http::Http;
use crate::config::section::Section;
use crate::delivery::intake::Intake;
use crate::delivery::route::is_slug;
use secrecy::SecretString;
use sentry_types::Dsn;
use std::collections::HashMap;
use tap_sentry_api::connection::Connection;
use tap_sentry_settings::connection::{base_url, is_loopback, token_problem};
use url::Url;

/// At least one of the two.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Takes everything, or what names no project of the organization.
    pub dsn: Option<Dsn>,
    pub organization: Option<Organization>,
}

/// Projects that are named by an attribute of the resource.
#[derive(Debug, Clone)]
pub struct Organization {
    /// To the web API, which tells keys of projects.
    pub connection: Connection,
    pub slug: String,
    /// As `service.name`.
    pub attribute: String,
    /// Slugs of those values whose project is called otherwise.
    pub mapping: HashMap<String, String>,
    /// Slug of the project that takes what names no other.
    pub default_project: Option<String>,
    /// So many projects that are not there may be created; none: it is not asked for.
    pub created: Option<u64>,
}

/// Requests to the web API at the same time; it is asked for keys only.
const CONCURRENCY: usize = 2;

/// Further tries of such a request. What waits for the key waits on.
const RETRIES: u32 = 3;

const SLUG: &str =
    "must be the slug of a project: 1 to 50 of a-z, 0-9, - and _, and not digits alone";

/// Keys that mean something with `org_slug` only.
const OF_ORGANIZATION: [&str; 6] = [
    "url",
    "auth_token",
    "auth_token_file",
    "auto_create_projects",
    "max_created_projects",
    "routing",
];

impl Destination {
    /// Reads both forms of the collector's exporter: that until 0.144, with `dsn`, and that of today, with `org_slug`.
    pub fn read(section: &mut Section<'_, '_>, http: &Http) -> Self {
        let dsn = read_dsn(section);
        if section.has("org_slug") {
            let organization = read_organization(section, http, dsn.is_some());
            return Self { dsn, organization };
        }
        let has_dsn = section.has("dsn") || section.has("dsn_file");
        for name in OF_ORGANIZATION {
            if has_dsn && section.has(name) {
                section.problem(
                    name,
                    "means nothing without `org_slug`: set that too, or remove it",
                );
            }
        }
        if !has_dsn {
            section.problem(
                "dsn",
                "is required: set it to the DSN of a project, or set `url`, `org_slug` and `auth_token`",
            );
        }
        Self {
            dsn,
            organization: None,
        }
    }
}

fn read_dsn(section: &mut Section<'_, '_>) -> Option<Dsn> {
    const FORM: &str = "must be a DSN, as Sentry shows it in the project's settings under Client Keys: https://KEY@HOST/PROJECT_ID";
    let before = section.report.problems.len();
    let Some(text) = section.secret("dsn") else {
        if section.has("dsn") && section.report.problems.len() == before {
            section.problem(
                "dsn",
                format!("is empty, so that nothing could be sent: {FORM}"),
            );
        }
        return None;
    };
    let dsn = section.keep("dsn", text.parse::<Dsn>().map_err(|_| FORM))?;
    let parts = [Some(dsn.public_key()), dsn.secret_key()];
    let parts = parts.into_iter().flatten().map(SecretString::from);
    section.report.secrets.extend(parts);
    let usable = Intake::new(&dsn).map_err(|_| FORM);
    section.keep("dsn", usable)?;
    Some(dsn)
}

fn read_organization(
    section: &mut Section<'_, '_>,
    http: &Http,
    has_dsn: bool,
) -> Option<Organization> {
    let slug = section.text("org_slug");
    if slug.is_none() {
        section.problem(
            "org_slug",
            "is empty: set the slug of the organization, or remove it",
        );
    }
    let is_plain = |slug: &String| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        slug.bytes().all(plain)
    };
    if !slug.as_ref().is_none_or(is_plain) {
        section.problem(
            "org_slug",
            "must be a slug, as in https://sentry.io/organizations/SLUG/",
        );
    }
    let token = read_token(section);
    let url = read_url(section);
    let creates = section.switch("auto_create_projects");
    let most = section.whole("max_created_projects");
    if !creates && section.has("max_created_projects") {
        section.warning(
            "max_created_projects",
            "means nothing without `auto_create_projects: true`",
        );
    }
    let mut routing = section.below("routing");
    let attribute = routing.text("project_from_attribute").unwrap_or_default();
    let mapping = routing.map("attribute_to_project_mapping");
    for (value, slug) in &mapping {
        if !is_slug(slug) {
            routing.problem(&format!("attribute_to_project_mapping.{value}"), SLUG);
        }
    }
    let default_project = routing.text("default_project");
    match &default_project {
        Some(slug) if !is_slug(slug) => routing.problem("default_project", SLUG),
        Some(_) if has_dsn => routing.problem(
            "default_project",
            "stands beside `dsn`, and each would take what names no project; remove one of them",
        ),
        None if !has_dsn => routing.warning(
            "default_project",
            "is not set, nor is `dsn`: what names no project is rejected, and what names one that is not there waits for it, and is given up after an hour or `max_elapsed_time`",
        ),
        _ => {}
    }
    Some(Organization {
        connection: Connection {
            base_url: url?,
            token: SecretString::from(token?),
            headers: http.headers.clone(),
            user_agent: CLIENT.to_owned(),
            ca_certificate: http.ca_certificate.clone(),
            proxy_url: http.proxy_url.clone(),
            insecure_skip_verify: http.insecure_skip_verify,
            concurrency: CONCURRENCY,
            rate_limit: None,
            request_timeout: http.timeout,
            max_retries: RETRIES,
        },
        slug: slug?,
        attribute,
        mapping: mapping.into_iter().collect(),
        default_project,
        created: most.filter(|_| creates),
    })
}

fn read_token(section: &mut Section<'_, '_>) -> Option<String> {
    let before = section.report.problems.len();
    let Some(token) = section.secret("auth_token") else {
        if section.report.problems.len() == before {
            section.problem(
                "auth_token",
                "is required beside `org_slug`: a token with the scopes org:read and project:read",
            );
        }
        return None;
    };
    if let Some(problem) = token_problem(&token) {
        section.problem("auth_token", problem);
        return None;
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let text = "contains characters that are not allowed in an HTTP header";
        section.problem("auth_token", text);
        return None;
    }
    Some(token)
}

fn read_url(section: &mut Section<'_, '_>) -> Option<Url> {
    let before = section.report.problems.len();
    let Some(text) = section.text("url") else {
        if section.report.problems.len() == before {
            section.problem(
                "url",
                "is required beside `org_slug`: the address of the server, such as https://sentry.io",
            );
        }
        return None;
    };
    let url = section.keep("url", base_url(&text))?;
    if url.scheme() == "http" && !is_loopback(&url) {
        section.warning(
            "url",
            "is plain http: the token and all data travel unencrypted; use https",
        );
    }
    Some(url)
}
