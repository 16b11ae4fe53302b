//! What every request passes before it is answered: the web configuration file, the rate limit, users.

use crate::answer::plain;
use crate::health::Health;
use crate::rate_limit::Bucket;
use crate::users::{Admitted, Checker, Credentials, PlainUser, bearer_refusal, is_borne, refusal};
use crate::web_config::{WebConfig, WebFile};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::middleware::Next;
use parking_lot::Mutex;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Instant;

/// What stands before the routes.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) file: Option<Arc<WebFile>>,
    pub(crate) bucket: Option<Bucket>,
    /// Counts where the web configuration file has no users.
    pub(crate) user: Option<PlainUser>,
    /// Lets in beside the users.
    pub(crate) bearer_token: Option<SecretString>,
    /// Paths that `user` leaves open. Users of the web configuration file leave none.
    pub(crate) health: Health,
    pub(crate) checker: Checker,
    /// What was told last against the file.
    pub(crate) told: Mutex<Option<String>>,
}

impl Guard {
    /// What the file says now. None where there is no file.
    ///
    /// # Errors
    /// When it has gone bad.
    async fn config(&self) -> Result<Option<Arc<WebConfig>>, StatusCode> {
        let Some(file) = self.file.clone() else {
            return Ok(None);
        };
        // A request that finds the file bad does not end the server, nor does one that finds no thread.
        let read =
            tokio::task::spawn_blocking(move || file.read().map_err(|error| error.to_string()));
        match read.await.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(config) => {
                if self.told.lock().take().is_some() {
                    log::info!("the web configuration file can be used again");
                }
                Ok(Some(config))
            }
            Err(error) => {
                let mut told = self.told.lock();
                if told.as_ref() != Some(&error) {
                    log::error!("{error}; every request is answered 500 until it is repaired");
                    *told = Some(error);
                }
                Err(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// Who is let in: a user, everybody, or nobody.
    async fn admit(
        &self,
        config: Option<&WebConfig>,
        said: Option<Credentials>,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Result<Option<Admitted>, Response<Body>> {
        let bears = |token| is_borne(headers, token);
        if self.bearer_token.as_ref().is_some_and(bears) {
            return Ok(Some(Admitted));
        }
        let users = config
            .map(|config| &config.users)
            .filter(|users| !users.is_empty());
        if let Some(users) = users {
            let admitted = match said {
                Some(said) => self.checker.admits(users, said).await,
                None => false,
            };
            return admitted
                .then_some(Some(Admitted))
                .ok_or_else(|| refusal(None));
        }
        match &self.user {
            Some(user) => match said {
                Some(said) if said.are(user) => Ok(Some(Admitted)),
                _ if self.health.has(uri.path()) => Ok(None),
                _ => Err(refusal(user.realm.as_deref())),
            },
            None if self.bearer_token.is_some() && !self.health.has(uri.path()) => {
                Err(bearer_refusal())
            }
            None => Ok(None),
        }
    }
}

/// Lets a request through, or answers it, and tells of it who asks for such lines.
pub(crate) async fn pass(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    // The query may hold what is nobody's affair.
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let began = Instant::now();
    let response = answer(&guard, request, next).await;
    let (status, seconds) = (response.status().as_u16(), began.elapsed().as_secs_f64());
    log::debug!(method:%, path, status, seconds; "answered");
    response
}

async fn answer(guard: &Guard, mut request: Request, next: Next) -> Response<Body> {
    let config = match guard.config().await {
        Ok(config) => config,
        Err(status) => return plain(status),
    };
    if guard.bucket.as_ref().is_some_and(|bucket| !bucket.takes()) {
        return plain(StatusCode::TOO_MANY_REQUESTS);
    }
    let (said, uri) = (Credentials::of(request.headers()), request.uri().clone());
    let mut response = match guard
        .admit(config.as_deref(), said, request.headers(), &uri)
        .await
    {
        Err(refusal) => refusal,
        Ok(admitted) => {
            if let Some(admitted) = admitted {
                request.extensions_mut().insert(admitted);
            }
            next.run(request).await
        }
    };
    for (name, value) in config.iter().flat_map(|config| &config.headers) {
        // What a page says of itself is more exact.
        if !response.headers().contains_key(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
