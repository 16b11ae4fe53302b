//! What makes a connection is asked for one.

use http::Uri;
use std::error::Error;
use std::future::poll_fn;
use tower_service::Service;

pub type BoxError = Box<dyn Error + Send + Sync>;

/// What a connector makes, when it is ready.
pub async fn called<S: Service<Uri>>(mut connector: S, to: Uri) -> Result<S::Response, S::Error> {
    poll_fn(|context| connector.poll_ready(context)).await?;
    connector.call(to).await
}
