//! Sentry's web API as one caller asks it: authorised, paced, tried again, page by page.
//!
//! A [`connection::Connection`] says which server and how; a [`client::Client`] sends [`request::Request`]s to
//! [`endpoint::Endpoint`]s, or reads lists as [`pages::Pages`], at the rate that the [`throttle`] allows and within the [`memory`] that is left, and counts
//! them in [`traffic`]. What fails is an [`error::ApiError`], whose [`error::Kind`] says whether to try again. Nothing
//! here knows what is made of the answers.

mod answer;
pub mod client;
pub mod clock;
pub mod connection;
pub mod endpoint;
pub mod endpoints;
pub mod error;
mod exchange;
pub mod html;
pub mod link;
pub mod memory;
pub mod page_size;
pub mod pages;
pub mod params;
pub mod request;
mod retry;
pub mod route;
pub mod rows;
pub mod text;
pub mod throttle;
pub mod time;
pub mod traffic;
pub mod window;
