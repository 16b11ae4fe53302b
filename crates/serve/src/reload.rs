//! Reading the configuration again, asked for by a request or a signal.

use crate::answer::{plain, text};
use crate::users::Admitted;
use axum::body::Body;
use axum::extract::Extension;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use axum::{Router, routing::any};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::fmt::Display;
use std::sync::Arc;
use std::time::SystemTime;

/// Where a reload is asked for.
pub const PATH: &str = "/-/reload";

/// Who may ask over HTTP. A signal is always heeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Everybody who reaches the listener.
    Open,
    /// Users whose name and password were checked; with `lifecycle` everybody, as `--web.enable-lifecycle` says.
    Guarded { lifecycle: bool },
}

/// How the last reload went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Whether the last one succeeded.
    pub successful: bool,
    /// When one last succeeded.
    pub succeeded_at: SystemTime,
}

type Action = dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync;

/// A reload and what is known of it. Clones share both.
#[derive(Clone)]
pub struct Reload {
    policy: Policy,
    action: Arc<Action>,
    state: Arc<Mutex<State>>,
    one: Arc<tokio::sync::Mutex<()>>,
}

impl std::fmt::Debug for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reload")
            .field("policy", &self.policy)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Reload {
    /// `action` reads the configuration and takes it into use, or leaves the old one and says why. What it says is shown
    /// to who asked: no secret may be in it. To be made once the first configuration is in use, which counts as a success.
    pub fn new<A, F, E>(policy: Policy, action: A) -> Self
    where
        A: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let action = move || -> BoxFuture<'static, Result<(), String>> {
            let result = action();
            Box::pin(async move { result.await.map_err(|error| error.to_string()) })
        };
        let state = State {
            successful: true,
            succeeded_at: SystemTime::now(),
        };
        Self {
            policy,
            action: Arc::new(action),
            state: Arc::new(Mutex::new(state)),
            one: Arc::default(),
        }
    }

    pub fn state(&self) -> State {
        *self.state.lock()
    }

    /// Reloads, one at a time, and goes on when nobody waits for it any more.
    ///
    /// # Errors
    /// What the program says against the new configuration; the old one stays.
    pub async fn run(&self) -> Result<(), String> {
        let reload = self.clone();
        let task = tokio::spawn(async move {
            let _one = reload.one.lock().await;
            let result = (reload.action)().await;
            reload.note(&result);
            result
        });
        task.await.unwrap_or_else(|_| {
            let result = Err("the reload ended in a panic; the old configuration stays".to_owned());
            self.note(&result);
            result
        })
    }

    fn note(&self, result: &Result<(), String>) {
        let mut state = self.state.lock();
        state.successful = result.is_ok();
        match result {
            Ok(()) => {
                state.succeeded_at = SystemTime::now();
                log::info!("configuration reloaded");
            }
            Err(error) => {
                log::error!(err = error.as_str(); "configuration not reloaded, the old one stays");
            }
        }
    }

    fn allows(&self, admitted: bool) -> bool {
        match self.policy {
            Policy::Open => true,
            Policy::Guarded { lifecycle } => lifecycle || admitted,
        }
    }

    async fn answer(&self, method: &Method, admitted: bool) -> Response<Body> {
        if method != Method::POST && method != Method::PUT {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
            let allowed = HeaderValue::from_static("POST, PUT");
            response.headers_mut().insert(header::ALLOW, allowed);
            return response;
        }
        if !self.allows(admitted) {
            let why = "Forbidden: a reload over HTTP needs users, or the flag --web.enable-lifecycle; SIGHUP reloads too";
            return text(StatusCode::FORBIDDEN, why);
        }
        match self.run().await {
            Ok(()) => text(StatusCode::OK, "Reloaded"),
            Err(error) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!("Not reloaded, the old configuration stays: {error}"),
            ),
        }
    }

    pub(crate) fn routes(&self) -> Router {
        let reload = self.clone();
        let answer = async move |method: Method, admitted: Option<Extension<Admitted>>| {
            reload.answer(&method, admitted.is_some()).await
        };
        Router::new().route(PATH, any(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[rstest]
    #[case::open(Policy::Open, false, true)]
    #[case::open_to_a_user(Policy::Open, true, true)]
    #[case::guarded(Policy::Guarded { lifecycle: false }, false, false)]
    #[case::guarded_to_a_user(Policy::Guarded { lifecycle: false }, true, true)]
    #[case::guarded_with_the_flag(Policy::Guarded { lifecycle: true }, false, true)]
    fn the_policy_says_who_may_ask(
        #[case] policy: Policy,
        #[case] admitted: bool,
        #[case] allowed: bool,
    ) {
        let reload = Reload::new(policy, async || Ok::<_, String>(()));
        assert_eq!(reload.allows(admitted), allowed);
    }

    #[tokio::test]
    async fn the_state_tells_of_the_last_reload_and_of_the_last_success() {
        let turn = Arc::new(AtomicUsize::new(0));
        let reload = Reload::new(Policy::Open, move || {
            let turn = turn.fetch_add(1, Ordering::Relaxed);
            async move {
                match turn {
                    0 => Err("`timeout` is wrong"),
                    1 => panic!("a mistake of the program"),
                    _ => Ok(()),
                }
            }
        });
        let first = reload.state();
        assert!(first.successful);
        assert_eq!(reload.run().await, Err("`timeout` is wrong".to_owned()));
        let failed = State {
            successful: false,
            ..first
        };
        assert_eq!(reload.state(), failed);
        assert!(reload.run().await.is_err_and(|why| why.contains("panic")));
        assert_eq!(reload.state(), failed);
        assert_eq!(reload.run().await, Ok(()));
        let last = reload.state();
        assert!(last.successful && last.succeeded_at >= first.succeeded_at);
    }
}
