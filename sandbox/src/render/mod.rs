//! Records as JSON, with the fields that Sentry's API description documents.

pub mod event;
pub mod issue;
pub mod key;
pub mod monitor;
pub mod organization;
pub mod people;
pub mod project;
pub mod release;

use serde_json::{Value, json};

fn letter_avatar() -> Value {
    json!({"avatarType": "letter_avatar", "avatarUuid": null, "avatarUrl": null})
}
