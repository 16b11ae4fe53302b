//! Spans, logs and whatever else the explore endpoint finds.

use crate::world::data::World;
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

impl World {
    /// An item of `spans`, `logs` or another dataset, with its values by the names of fields.
    ///
    /// # Panics
    /// When the values are no object.
    pub fn explore(
        &mut self,
        dataset: &str,
        project: u64,
        timestamp: DateTime<Utc>,
        values: Value,
    ) {
        let Value::Object(values) = values else {
            panic!("values by the names of fields");
        };
        self.explored.push(Explored {
            dataset: dataset.to_owned(),
            project,
            timestamp,
            values,
        });
    }
}
