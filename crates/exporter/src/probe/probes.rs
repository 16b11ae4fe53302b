//! All modules in use, with the servers that they share.

use crate::families::Families;
use crate::probe::figures::{Names, PROBE};
use crate::probe::modules::{Module, Modules};
use crate::probe::site::{Site, Way};
use crate::requests::requests;
use std::collections::BTreeMap;
use std::sync::Arc;
use tap_sentry_api::connection::ConnectError;

/// What the settings say of probes.
#[derive(Debug, Clone)]
pub struct Probing {
    pub modules: Modules,
    pub names: &'static Names,
    pub way: Way,
}

impl Default for Probing {
    fn default() -> Self {
        Self {
            modules: Modules::new(),
            names: &PROBE,
            way: Way::default(),
        }
    }
}

/// All modules, each with its server.
pub struct Probes {
    pub names: &'static Names,
    modules: BTreeMap<String, (Module, Arc<Site>)>,
}

impl Probes {
    /// The names of all modules.
    pub fn modules(&self) -> Vec<String> {
        self.modules.keys().cloned().collect()
    }

    /// `before` are those in use: what is known of their servers stays.
    ///
    /// # Errors
    /// When a certificate or a proxy cannot be used.
    pub fn new(probing: &Probing, before: Option<&Self>) -> Result<Self, ConnectError> {
        let before = before.into_iter().flat_map(Self::sites);
        let mut sites: Vec<Arc<Site>> = before.cloned().collect();
        let mut modules = BTreeMap::new();
        for (name, module) in &probing.modules {
            let known = sites.iter().find(|site| site.serves(module, &probing.way));
            let site = if let Some(site) = known {
                Arc::clone(site)
            } else {
                let site = Arc::new(Site::new(module, &probing.way)?);
                sites.push(Arc::clone(&site));
                site
            };
            modules.insert(name.clone(), (module.clone(), site));
        }
        Ok(Self {
            names: probing.names,
            modules,
        })
    }

    /// A module and its server.
    pub fn module(&self, name: &str) -> Option<&(Module, Arc<Site>)> {
        self.modules.get(name)
    }

    /// Each server, as often as it has modules.
    fn sites(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.modules.values().map(|(_, site)| site)
    }

    /// What was asked of Sentry for probes.
    pub fn requests(&self) -> Families {
        let mut families = Families::default();
        let mut counted: Vec<&Arc<Site>> = Vec::new();
        for site in self.sites() {
            if counted.iter().any(|known| Arc::ptr_eq(known, site)) {
                continue;
            }
            counted.push(site);
            for answers in site.traffic.answers().into_values() {
                // Targets are named by strangers, and are no labels.
                requests("", &answers, &mut families);
            }
        }
        families
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::modules::Reading;
    use serde_json::{Value, json};

    fn probing(modules: &Value) -> Probing {
        let reading = Reading::of(modules);
        assert!(reading.problems.is_empty());
        Probing {
            modules: reading.modules,
            ..Probing::default()
        }
    }

    fn module(prefix: &str, token: &str) -> Value {
        json!({"prober": "http", "http": {"prefix": prefix, "headers": {"Authorization": token}}})
    }

    fn site<'a>(probes: &'a Probes, name: &str) -> &'a Arc<Site> {
        &probes.module(name).expect("a module").1
    }

    #[test]
    fn modules_of_one_server_and_token_share_it_and_a_reload_keeps_it() {
        let first = probing(&json!({
            "projects": module("https://sentry.io/api/0/projects/", "Bearer a"),
            "organizations": module("https://sentry.io/api/0/organizations", "Bearer a"),
            "of_one": module("https://sentry.io/api/0/projects/acme/", "Bearer a"),
            "another_token": module("https://sentry.io/api/0/projects/", "Bearer b"),
            "another_server": module("https://de.sentry.io/api/0/projects/", "Bearer a"),
        }));
        let probes = Probes::new(&first, None).expect("probes");
        let projects = site(&probes, "projects");
        for (name, shared) in [
            ("organizations", true),
            ("of_one", true),
            ("another_token", false),
            ("another_server", false),
        ] {
            assert_eq!(Arc::ptr_eq(projects, site(&probes, name)), shared, "{name}");
        }
        let second =
            probing(&json!({"x": module("https://sentry.io/api/0/projects/", "Bearer a")}));
        let after = Probes::new(&second, Some(&probes)).expect("probes");
        assert!(Arc::ptr_eq(projects, site(&after, "x")));
        assert!(after.module("projects").is_none());
    }
}
