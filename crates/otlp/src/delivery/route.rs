//! Which project the spans of a resource are for.

use crate::attributes::{Attributes, scalar};
use crate::delivery::again::again;
use crate::delivery::create::Creator;
use crate::delivery::lookup::Lookup;
use crate::delivery::project::Project;
use crate::delivery::shared::Shared;
use crate::delivery::source::Source;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tap_sentry_api::client::Client;
use tokio::task::JoinSet;

/// So many projects are looked after at a time: slugs come from clients, and each has a queue and tasks.
const MOST_PROJECTS: usize = 1000;

/// The rule by which a project is found.
pub struct Route {
    /// Takes what names no project, or one that is not there.
    default: Option<Arc<Project>>,
    by_attribute: Option<ByAttribute>,
    /// All of them, with their tasks.
    projects: Mutex<HashMap<String, Arc<Project>>>,
    tasks: Mutex<JoinSet<()>>,
    /// That there are too many projects has been said.
    told: AtomicBool,
}

/// The project is named by an attribute of the resource.
pub struct ByAttribute {
    /// As `service.name`.
    pub attribute: String,
    /// Slugs of those values whose project is called otherwise.
    pub mapping: HashMap<String, String>,
    pub client: Arc<Client>,
    pub organization: String,
    /// Makes projects that are not there.
    pub creator: Option<Arc<Creator>>,
    pub shared: Arc<Shared>,
}

/// Whether a text can be a project's slug. It comes from a client and becomes part of a path.
pub fn is_slug(text: &str) -> bool {
    let letters = text.bytes();
    (1..=50).contains(&text.len())
        && letters
            .clone()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
        // Sentry would take it for an id.
        && !letters.clone().all(|byte| byte.is_ascii_digit())
}

/// Sends what comes for a project.
async fn running(project: Arc<Project>) {
    again(&project.label, || Arc::clone(&project).run()).await;
}

impl Route {
    /// Starts the tasks of `default`, on the runtime that calls.
    pub fn new(default: Option<Arc<Project>>, by_attribute: Option<ByAttribute>) -> Self {
        let mut tasks = JoinSet::new();
        let mut projects = HashMap::new();
        if let Some(default) = &default {
            tasks.spawn(running(Arc::clone(default)));
            projects.insert(default.label.clone(), Arc::clone(default));
        }
        Self {
            default,
            by_attribute,
            projects: Mutex::new(projects),
            tasks: Mutex::new(tasks),
            told: AtomicBool::new(false),
        }
    }

    /// The project of a resource. None: there is no default, and nothing that names another.
    pub fn project(&self, resource: Attributes<'_>) -> Option<Arc<Project>> {
        let named = self.by_attribute.as_ref().and_then(|by| {
            let value = scalar(resource.get(&by.attribute)?)?;
            let slug = by.mapping.get(&*value).map_or(&*value, String::as_str);
            self.named(by, slug)
        });
        named.or_else(|| self.default.clone())
    }

    fn named(&self, by: &ByAttribute, slug: &str) -> Option<Arc<Project>> {
        if !is_slug(slug) {
            return None;
        }
        let mut projects = self.projects.lock();
        if let Some(project) = projects.get(slug) {
            return Some(Arc::clone(project));
        }
        if projects.len() >= MOST_PROJECTS {
            if !self.told.swap(true, Ordering::Relaxed) {
                let exporter = &by.shared.name;
                log::warn!(exporter; "data names more than {MOST_PROJECTS} projects: what is for further ones goes to the default project, or is rejected where there is none; this is said once");
            }
            return None;
        }
        let lookup = Lookup::new(
            Arc::clone(&by.client),
            &by.organization,
            slug,
            by.creator.clone(),
        );
        let project = Project::new(
            slug.to_owned(),
            Source::Lookup(lookup),
            self.default.clone(),
            Arc::clone(&by.shared),
        );
        self.tasks.lock().spawn(running(Arc::clone(&project)));
        projects.insert(slug.to_owned(), Arc::clone(&project));
        Some(project)
    }

    /// All projects that data has come for.
    pub fn projects(&self) -> Vec<Arc<Project>> {
        self.projects.lock().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("shop-api_2", true)]
    #[case::empty("", false)]
    #[case::id("123", false)]
    #[case::capital("Shop", false)]
    #[case::path("../keys", false)]
    #[case::encoded("a%2fb", false)]
    #[case::fifty("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true)]
    #[case::fifty_one("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false)]
    fn slugs_are_checked(#[case] text: &str, #[case] is: bool) {
        assert_eq!(is_slug(text), is);
    }
}
