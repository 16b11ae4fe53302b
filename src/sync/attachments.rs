//! The bodies of what the rows of a page describe: they are in their folder before the rows go out, and so before any state
//! covers them.

use crate::error::Error;
use crate::report::run::Skip;
use crate::streams::{Body, StreamDef};
use crate::sync::failure::{Failure, Stop};
use crate::sync::session::Session;
use tap_sentry_api::client::DownloadError;
use tap_sentry_api::error::Kind;
use tap_sentry_api::params::Params;
use tap_sentry_api::request::Request;
use tap_sentry_json::{self as json, Document};

/// The body of one row.
#[derive(Debug, PartialEq, Eq)]
pub struct Attachment {
    id: String,
    /// Bytes, as the row tells.
    size: Option<u64>,
}

impl Attachment {
    /// What the row tells of it.
    pub fn of(def: &Body, doc: &Document<'_>, row: json::Value) -> Option<Self> {
        let text = |name| doc.scalar_text(doc.lookup(row, &[name])?);
        Some(Self {
            id: text(def.id)?,
            size: text(def.size).and_then(|size| size.parse().ok()),
        })
    }
}

/// Downloads the bodies that are not there yet.
///
/// # Errors
/// When one cannot be had, which its list then cannot either, or cannot be written.
pub async fn download(
    session: &Session<'_>,
    def: &'static StreamDef,
    context: &Params,
    attachments: Vec<Attachment>,
) -> Result<(), Failure> {
    let settings = &session.settings;
    let (Some(folder), Some(most), Some(body)) = (
        &settings.attachments,
        settings.attachment_max_bytes,
        &def.body,
    ) else {
        return Ok(());
    };
    for Attachment { id, size } in attachments {
        let place = format!("{}, attachment {id}", context.label());
        if let Some(size) = size.filter(|size| *size > most) {
            log::info!(target: def.name(), "{place} has {size} bytes: more than attachment_max_bytes, not downloaded");
            continue;
        }
        let [project, event] = body.below.map(|name| context.get(name));
        let path = project
            .zip(event)
            .and_then(|(project, event)| folder.path(project, event, &id));
        let Some(path) = path else {
            let skip = Skip {
                stream: def.name(),
                row: place,
                reason: "no path can carry its id: its body is not downloaded".to_owned(),
                missing: true,
            };
            session.skip(skip).await?;
            continue;
        };
        let failed =
            |error: tap_sentry_files::Error| Failure::Stop(Stop::Error(Error::from(error)));
        let Some(mut kept) = folder.begin(path).map_err(failed)? else {
            continue;
        };
        let request = Request::new(&body.endpoint, context.with(&[("row_id", id)]));
        match session
            .client
            .download(request, most, size, &mut kept.file)
            .await
        {
            Ok(_) => kept.finish().map_err(failed)?,
            Err(DownloadError::Write(error)) => return Err(failed(kept.failed(error))),
            Err(DownloadError::Api(error)) if error.not_there() => {
                log::info!(target: def.name(), "{place} is gone: {error}");
            }
            Err(DownloadError::Api(error)) if matches!(error.kind, Kind::BodyTooLarge) => {
                log::info!(target: def.name(), "{place} has more bytes than attachment_max_bytes: not downloaded");
            }
            Err(DownloadError::Api(error)) => return Err(error.into()),
        }
    }
    Ok(())
}
