//! What attributes mean in Sentry's terms.

pub mod data;
pub mod description;
pub mod environment;
pub mod http;
pub mod left_out;
pub mod name;
pub mod names;
pub mod op;
pub mod platform;
pub mod release;
pub mod request;
pub mod status;
pub mod tags;
pub mod text;
pub mod time;
pub mod unique;
pub mod user;
