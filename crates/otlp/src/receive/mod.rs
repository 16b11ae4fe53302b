//! OTLP as it comes in.

pub mod answer;
pub mod apart;
pub mod body;
pub mod crowd;
pub mod depth;
pub mod each;
pub mod fields;
pub mod grpc;
pub mod http;
pub mod json;
pub mod lenient;
pub mod receiver;
pub mod record;
pub mod request;
pub mod surrogates;
pub mod take;
