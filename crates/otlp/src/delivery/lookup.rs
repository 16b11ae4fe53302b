//! The key of a project, asked of Sentry's web API.

use crate::delivery::create::{Created, Creator};
use crate::delivery::intake::Intake;
use parking_lot::Mutex;
use sentry_types::Dsn;
use serde::Deserialize;
use std::sync::Arc;
use tap_sentry_api::client::Client;
use tap_sentry_api::endpoint::Endpoint;
use tap_sentry_api::endpoints::PROJECT_KEYS;
use tap_sentry_api::error::ApiError;
use tap_sentry_api::pages::Pages;
use tap_sentry_api::params::{PROJECT_ID, PROJECT_SLUG, Params};

static KEYS: Endpoint = PROJECT_KEYS;

/// A project to be looked up, and what was found.
pub struct Lookup {
    client: Arc<Client>,
    organization: String,
    slug: String,
    /// Makes the project where there is none.
    creator: Option<Arc<Creator>>,
    found: Mutex<Option<Arc<Intake>>>,
}

/// What came of looking a key up.
#[derive(Debug, Clone)]
pub enum Found {
    Intake(Arc<Intake>),
    /// Sentry itself says that there is no such project.
    NoProject,
    /// No key at the moment, and why.
    Nothing(String),
}

/// A client key, of which little is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    /// Servers before 9.1 do not tell.
    is_active: Option<bool>,
    dsn: Addresses,
}

#[derive(Debug, Deserialize)]
struct Addresses {
    public: String,
}

impl Lookup {
    pub fn new(
        client: Arc<Client>,
        organization: &str,
        slug: &str,
        creator: Option<Arc<Creator>>,
    ) -> Self {
        Self {
            client,
            organization: organization.to_owned(),
            slug: slug.to_owned(),
            creator,
            found: Mutex::default(),
        }
    }

    /// That of the first active key.
    pub async fn intake(&self) -> Found {
        if let Some(found) = &*self.found.lock() {
            return Found::Intake(Arc::clone(found));
        }
        let keys = match self.keys().await {
            Ok(keys) => keys,
            Err(error) if error.not_there() => match &self.creator {
                None => return Found::NoProject,
                Some(creator) => match creator.create(&self.slug).await {
                    Created::Not(why) => return Found::Nothing(why),
                    Created::There => match self.keys().await {
                        Ok(keys) => keys,
                        Err(error) => return Found::Nothing(error.to_string()),
                    },
                },
            },
            Err(error) => return Found::Nothing(error.to_string()),
        };
        let Some(key) = keys.iter().find(|key| key.is_active != Some(false)) else {
            return Found::Nothing("the project has no active client key".to_owned());
        };
        let Ok(dsn) = key.dsn.public.parse::<Dsn>() else {
            return Found::Nothing("the DSN of its key cannot be read".to_owned());
        };
        match Intake::new(&dsn) {
            Err(error) => Found::Nothing(error.to_string()),
            Ok(intake) => {
                tap_sentry_serve::log::hide(&intake.key);
                let intake = Arc::new(intake);
                *self.found.lock() = Some(Arc::clone(&intake));
                Found::Intake(intake)
            }
        }
    }

    /// Looks again the next time.
    pub fn forget(&self) {
        *self.found.lock() = None;
    }

    /// All of them: the first pages may have none that is active.
    async fn keys(&self) -> Result<Vec<Key>, ApiError> {
        let place = Params::organization(&self.organization).with(&[
            (PROJECT_ID, self.slug.clone()),
            (PROJECT_SLUG, self.slug.clone()),
        ]);
        let query = place.query(&KEYS, &[], &[]);
        let mut pages = Pages::new(&self.client, &KEYS, place, query, None);
        let mut keys = Vec::new();
        while let Some(rows) = pages.rows::<Key>().await? {
            keys.extend(rows);
        }
        Ok(keys)
    }
}
