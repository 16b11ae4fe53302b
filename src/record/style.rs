//! How records are written, whatever is selected.

use crate::record::flatten::Flattening;
use crate::record::mask::Masking;

/// How records are written, whatever is selected.
#[derive(Debug, Clone, Default)]
pub struct RecordStyle {
    pub keep_unknown_fields: bool,
    pub masking: Option<Masking>,
    /// Write secrets as Sentry sends them; otherwise they are `null`.
    pub include_secrets: bool,
    pub flatten: Option<Flattening>,
    /// Version of full-table streams.
    pub version: Option<i64>,
}
