//! OTLP as it comes in.

pub mod answer;
pub mod body;
pub mod fields;
pub mod http;
pub mod json;
pub mod request;
