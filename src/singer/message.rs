//! Singer messages other than RECORD, whose lines `record` makes.

use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename = "SCHEMA")]
pub struct SchemaMessage {
    pub stream: String,
    pub schema: Value,
    pub key_properties: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bookmark_properties: Option<Vec<String>>,
}

/// What is said of a stream before its records.
#[derive(Debug, Clone)]
pub struct StreamHeader {
    pub schema: SchemaMessage,
    /// Of a full-table stream, where versions are wanted: targets remove rows of earlier ones.
    pub version: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "ACTIVATE_VERSION")]
pub struct ActivateVersionMessage {
    pub stream: String,
    pub version: i64,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "STATE")]
pub struct StateMessage {
    pub value: Value,
}

/// The message as one line.
pub fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line =
        serde_json::to_vec(message).expect("messages hold nothing that JSON cannot express");
    line.push(b'\n');
    line
}
