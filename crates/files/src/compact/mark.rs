//! What compaction looks for in rows.

/// What compaction has to know of a row.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    pub key: u128,
    pub sequence: i64,
    pub table_version: Option<i64>,
}
