//! What Sentry says of the streams that a user has defined, before they can be offered: the types of their fields.

use crate::error::Error;
use crate::report::run::Report;
use crate::runtime::runtime;
use crate::settings::Settings;
use crate::singer::queue::event_queue;
use crate::streams::defined::{PATH, define, search, stream};
use crate::streams::query::Query;
use crate::sync::failure::Stop;
use crate::sync::organization::organization_slugs;
use crate::sync::session::Session;
use chrono::TimeDelta;
use serde_json::{Map, Value};
use std::sync::Arc;
use tap_sentry_api::client::Client;
use tap_sentry_api::endpoint::{Class, Endpoint, LIST};
use tap_sentry_api::error::{ApiError, Kind};
use tap_sentry_api::pages::Pages;
use tap_sentry_api::params::Params;
use tap_sentry_api::window::Window;

/// Where the types are asked for.
static TYPES: Endpoint = Endpoint {
    name: "explore",
    path: PATH,
    query: &[("project", "-1")],
    envelope: Some("data"),
    class: Class::Explore,
    ..LIST
};

/// Defines the streams of the settings for the rest of the program. Sentry is asked only for the types of those that the
/// catalog has no schema of.
///
/// # Errors
/// When Sentry does not answer a query, with its name.
pub fn define_streams(settings: &Settings, catalog: Option<&Value>) -> Result<(), Error> {
    let (known, unknown): (Vec<&Query>, Vec<&Query>) = settings
        .explore
        .iter()
        .partition(|query| catalog.is_some_and(|catalog| !needs_types(catalog, &query.name)));
    let mut types = ask(settings, &unknown)?.into_iter();
    let streams = settings.explore.iter().map(|query| {
        let is_known = known.iter().any(|other| std::ptr::eq(*other, query));
        let types = if is_known { None } else { types.next() };
        stream(query, &types.unwrap_or_default())
    });
    define(streams.collect());
    Ok(())
}

/// Whether a catalog has the stream, but no schema of it.
fn needs_types(catalog: &Value, name: &str) -> bool {
    let entries = catalog["streams"].as_array().into_iter().flatten();
    let mut own = entries.filter(|entry| {
        ["tap_stream_id", "stream_id"]
            .iter()
            .any(|key| entry[*key] == name)
    });
    own.any(|entry| !entry["schema"]["properties"].is_object())
}

/// The types of the fields of each query.
fn ask(settings: &Settings, queries: &[&Query]) -> Result<Vec<Map<String, Value>>, Error> {
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    // Nothing is written: the receiver only has to be there.
    let (sender, _events) = event_queue();
    let report = Arc::new(Report::default());
    let client = Client::new(&settings.connection, report.traffic())?;
    runtime(&sender)?.block_on(async {
        let session = Session::new(&client, settings.clone(), &report, sender);
        let slugs = organization_slugs(&session)
            .await
            .map_err(|stop| match stop {
                Stop::Error(error) => error,
                Stop::Closed => Error::Unexpected("the queue ended early".to_owned()),
            })?;
        let mut types = Vec::new();
        for query in queries {
            let place = Params::organization(slugs.first().cloned().unwrap_or_default());
            let answered = types_of(&client, settings, place, query).await;
            types.push(answered.map_err(|error| failed(&query.name, error))?);
        }
        Ok(types)
    })
}

async fn types_of(
    client: &Client,
    settings: &Settings,
    place: Params,
    query: &Query,
) -> Result<Map<String, Value>, ApiError> {
    let mut parameters = place.query(&TYPES, &[], &[]);
    parameters.extend(search(query).parameters());
    // The types do not depend on what there is.
    let window = Window {
        start: settings.end.min(settings.now) - TimeDelta::hours(1),
        end: settings.end.min(settings.now),
    };
    let pages = Pages::new(client, &TYPES, place, parameters, Some(window));
    let mut pages = pages.probing(1).of_one_window();
    while let Some(page) = pages.next().await? {
        let answer: Option<Value> = serde_json::from_slice(page.body.bytes()).ok();
        let fields = answer.and_then(|mut answer| match answer["meta"]["fields"].take() {
            Value::Object(fields) => Some(fields),
            _ => None,
        });
        if let Some(fields) = fields {
            return Ok(fields);
        }
        let kind = Kind::Body("expected an object with `meta.fields`".to_owned());
        pages.reject(kind).await?;
    }
    Ok(Map::new())
}

/// The exit code is that of the cause; the text names the query.
fn failed(name: &str, error: ApiError) -> Error {
    if error.status() == Some(401) {
        log::error!("`explore`, query `{name}`: {error}");
        return Error::Authentication(error);
    }
    let reason = match error.status() {
        Some(403) => "; the token needs the scope org:read",
        Some(404) => "; the server or the plan lacks it, or `organization` is wrong",
        Some(400) => "; correct the query in the settings",
        _ => "",
    };
    let text = format!("`explore`, query `{name}`: {error}{reason}");
    if error.unanswered() {
        log::error!("{text}");
        return Error::Unanswered(error);
    }
    Error::Setup(text)
}
