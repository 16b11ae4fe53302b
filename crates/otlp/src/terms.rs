//! What the settings say of how things look in Sentry.

/// The same for everything that goes to one exporter.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Wins over the resource's.
    pub environment: Option<String>,
    /// Names of resource attributes, the first that is there is the release.
    pub release_from: Vec<String>,
    /// The share of traces that is kept, 0 to 1; where it is below 1, what is sent says so.
    pub sample_rate: f64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            environment: None,
            release_from: vec!["service.version".to_owned()],
            sample_rate: 1.0,
        }
    }
}
