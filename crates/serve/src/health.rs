//! Whether the process lives and is ready: paths that ask nothing of anybody.

use crate::answer::{plain, text};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The paths and what they tell. Clones share it.
#[derive(Debug, Clone)]
pub struct Health {
    ready: Arc<AtomicBool>,
    condition: Option<Condition>,
    healthy_paths: BTreeSet<String>,
    ready_paths: BTreeSet<String>,
}

/// What has to be true too for a program to be ready.
#[derive(Clone)]
struct Condition(Arc<dyn Fn() -> bool + Send + Sync>);

impl fmt::Debug for Condition {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("Condition")
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// `/-/healthy` and `/-/ready`; not ready yet.
    pub fn new() -> Self {
        Self {
            ready: Arc::default(),
            condition: None,
            healthy_paths: ["/-/healthy".to_owned()].into(),
            ready_paths: ["/-/ready".to_owned()].into(),
        }
    }

    /// A further path, which begins with `/`, that answers as `/-/healthy` does.
    #[must_use]
    pub fn alias_healthy(mut self, path: &str) -> Self {
        self.healthy_paths.insert(path.to_owned());
        self
    }

    /// A further path, which begins with `/`, that answers as `/-/ready` does.
    #[must_use]
    pub fn alias_ready(mut self, path: &str) -> Self {
        self.ready_paths.insert(path.to_owned());
        self
    }

    /// Ready only while that is true, too.
    #[must_use]
    pub fn only_while(mut self, condition: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.condition = Some(Condition(Arc::new(condition)));
        self
    }

    /// A server does this once its listeners are open, and takes it back when it stops.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    pub fn is_ready(&self) -> bool {
        let met = |condition: &Condition| condition.0();
        self.ready.load(Ordering::Acquire) && self.condition.as_ref().is_none_or(met)
    }

    /// Whether the path is one of these.
    pub fn has(&self, path: &str) -> bool {
        self.healthy_paths.contains(path) || self.ready_paths.contains(path)
    }

    pub(crate) fn routes(&self) -> Router {
        let mut router = Router::new();
        for path in &self.healthy_paths {
            router = router.route(path, get(async || text(StatusCode::OK, "Healthy")));
        }
        for path in &self.ready_paths {
            let health = self.clone();
            let answer = async move || {
                if health.is_ready() {
                    text(StatusCode::OK, "Ready")
                } else {
                    plain(StatusCode::SERVICE_UNAVAILABLE)
                }
            };
            router = router.route(path, get(answer));
        }
        router
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_only_while_its_condition_is_true() {
        let is = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is);
        let health = Health::new().only_while(move || asked.load(Ordering::Acquire));
        health.set_ready(true);
        assert!(!health.is_ready());
        is.store(true, Ordering::Release);
        assert!(health.is_ready());
        health.set_ready(false);
        assert!(!health.is_ready());
    }
}
