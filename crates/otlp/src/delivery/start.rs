//! Exporters as the configuration describes them, with their tasks.

use crate::client;
use crate::config::destination::Organization;
use crate::config::exporter as config;
use crate::delivery::budget::Budget;
use crate::delivery::create::Creator;
use crate::delivery::exporter::Exporter;
use crate::delivery::intake::Intake;
use crate::delivery::lookup::Lookup;
use crate::delivery::project::Project;
use crate::delivery::reading::Readings;
use crate::delivery::route::{ByAttribute, Route};
use crate::delivery::shared::Shared;
use crate::delivery::source::Source;
use crate::figures::Figures;
use crate::spool::Spool;
use crate::told::Told;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use tap_sentry_api::client::Client;
use tap_sentry_api::connection::{ConnectError, http};
use tap_sentry_api::traffic::Traffic;
use tap_sentry_serve::seldom::Seldom;
use tokio::sync::Semaphore;

/// Starts an exporter, on the runtime that calls. With `spool`, what it acknowledges is there until Sentry has it.
///
/// # Errors
/// When there can be no client for it.
pub fn start(
    config: &config::Exporter,
    figures: &Figures,
    spool: Option<Arc<Spool>>,
) -> Result<Exporter, ConnectError> {
    let destination = &config.destination;
    let intake = destination.dsn.as_ref().map(Intake::new).transpose();
    let intake = intake.map_err(|error| ConnectError::Setup(format!("`dsn`: {error}")))?;
    let organization = destination.organization.as_ref();
    let shared = Arc::new(Shared {
        name: config.name.clone(),
        client: client::Client::new(&config.http, config.queue.consumers)?,
        wanted: config.mode,
        retry: config.retry,
        permits: Semaphore::new(config.queue.consumers),
        consumers: config.queue.consumers,
        terms: config.terms.clone(),
        trace_timeout: config.trace_timeout,
        budget: Budget::new(config.queue.sizer, config.queue.size),
        figures: figures.clone(),
        told: Told::default(),
        moving: Mutex::default(),
        sending: AtomicU64::new(0),
        is_halted: AtomicBool::new(false),
    });
    let by_attribute = organization
        .map(|organization| by_attribute(organization, &shared))
        .transpose()?;
    let default = match (intake, &by_attribute, organization) {
        (Some(intake), _, _) => Some(Project::new(
            intake.project_id.clone(),
            Source::Dsn(Arc::new(intake)),
            None,
            Arc::clone(&shared),
        )),
        (None, Some(by), Some(organization)) => organization.default_project.as_ref().map(|slug| {
            let client = Arc::clone(&by.client);
            let lookup = Lookup::new(client, &by.organization, slug, by.creator.clone());
            let source = Source::Lookup(lookup);
            Project::new(slug.clone(), source, None, Arc::clone(&shared))
        }),
        _ => None,
    };
    Ok(Exporter {
        privacy: config.privacy.clone(),
        route: Route::new(default, by_attribute),
        shared,
        spool,
        feeding: Mutex::default(),
        readings: Readings::default(),
        said: Seldom::default(),
    })
}

fn by_attribute(
    organization: &Organization,
    shared: &Arc<Shared>,
) -> Result<ByAttribute, ConnectError> {
    let connection = &organization.connection;
    let client = Arc::new(Client::new(connection, Arc::new(Traffic::default()))?);
    let creator = organization.created.map(|most| {
        let http = http(connection, 1)?;
        let base_url = connection.base_url.clone();
        let slug = &organization.slug;
        let creator = Creator::new(Arc::clone(&client), http, base_url, slug, most);
        Ok(Arc::new(creator))
    });
    Ok(ByAttribute {
        attribute: organization.attribute.clone(),
        mapping: organization.mapping.clone(),
        creator: creator.transpose()?,
        client,
        organization: organization.slug.clone(),
        shared: Arc::clone(shared),
    })
}
