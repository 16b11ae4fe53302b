//! Events, stored and computed.

use crate::synthetic::Synthetic;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

#[derive(Clone, Debug)]
pub struct Event {
    /// 32 hex digits, unique within a project only.
    pub id: String,
    /// May carry a fraction; lists, windows and order use the whole second.
    pub timestamp: DateTime<Utc>,
    pub received: DateTime<Utc>,
    pub message: String,
    pub environment: Option<String>,
    pub release: Option<String>,
    /// A user of the failing application.
    pub user: Option<Value>,
    /// Key and value may both be null.
    pub tags: Vec<(Option<String>, Option<String>)>,
    pub dist: Option<String>,
    /// Members of its body that are not as usual.
    pub body: Map<String, Value>,
}

impl Event {
    pub fn new(id: impl Into<String>, timestamp: DateTime<Utc>) -> Self {
        Self {
            id: id.into(),
            timestamp,
            received: timestamp + TimeDelta::milliseconds(1_417),
            message: String::new(),
            environment: Some("production".to_owned()),
            release: None,
            user: None,
            tags: Vec::new(),
            dist: None,
            body: Map::new(),
        }
    }

    pub fn second(&self) -> i64 {
        self.timestamp.timestamp()
    }

    pub fn in_environments(&self, names: &[String]) -> bool {
        names.is_empty()
            || self
                .environment
                .as_ref()
                .is_some_and(|environment| names.contains(environment))
    }
}

/// A stored or a computed event of an issue.
#[derive(Clone, Copy, Debug)]
pub enum EventRef<'a> {
    Stored(&'a Event),
    Synthetic(&'a Synthetic, u64),
}

impl EventRef<'_> {
    pub fn second(&self) -> i64 {
        match self {
            Self::Stored(event) => event.second(),
            Self::Synthetic(synthetic, index) => synthetic.second(*index),
        }
    }

    pub fn id(&self) -> String {
        match self {
            Self::Stored(event) => event.id.clone(),
            Self::Synthetic(synthetic, index) => format!("{:032x}", synthetic.id(*index)),
        }
    }

    /// The id as a number: the order of numbers is the order of the texts.
    pub fn id_number(&self) -> u128 {
        match self {
            Self::Stored(event) => u128::from_str_radix(&event.id, 16).unwrap_or_default(),
            Self::Synthetic(synthetic, index) => synthetic.id(*index),
        }
    }
}
