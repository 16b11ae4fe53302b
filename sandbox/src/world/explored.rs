//! Spans, logs and whatever else the explore endpoint finds.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// One item of a dataset.
#[derive(Clone, Debug)]
pub struct Explored {
    pub dataset: String,
    pub project: u64,
    pub timestamp: DateTime<Utc>,
    /// By the names of fields; one that is not here is absent.
    pub values: Map<String, Value>,
}
