//! Client keys: what SDKs send with, and how much of it is taken.

use chrono::{DateTime, Utc};

/// So many events in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLimit {
    pub count: u64,
    pub window_seconds: u64,
}

#[derive(Clone, Debug)]
pub struct ClientKey {
    /// In the order of creation.
    pub id: u64,
    pub project: u64,
    /// 32 hex digits; what the API calls its id.
    pub public: String,
    /// 32 hex digits, for servers' eyes only.
    pub secret: String,
    pub label: String,
    pub is_active: bool,
    pub limit: Option<KeyLimit>,
    pub date_created: DateTime<Utc>,
}
