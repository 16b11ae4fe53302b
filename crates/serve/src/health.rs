//! Whether the process lives and is ready: paths that ask nothing of anybody.

use crate::answer::{plain, text};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The paths and what they tell. Clones share it.
#[derive(Debug, Clone)]
pub struct Health {
    ready: Arc<AtomicBool>,
    healthy_paths: BTreeSet<String>,
    ready_paths: BTreeSet<String>,
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

    /// A server does this once its listeners are open, and takes it back when it stops.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
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
