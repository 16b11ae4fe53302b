//! What a program needs that listens: it brings routes, and this library answers by them.
//!
//! A [`server::Server`] opens the addresses of [`listen`] and serves an axum router, guarded as the web configuration
//! file ([`web_config`]) of Prometheus' exporters says: TLS, client certificates, users, headers, a rate limit. Beside
//! the routes of the program stand those of [`health`] and [`reload`]. [`flags`] and [`log`] are the flags and the log
//! lines that such programs share, [`generate`](mod@generate) makes their man pages and completions, [`negotiate`] chooses
//! the form of an exposition, and [`own`] are the figures of the process itself. Nothing here knows what is served.

pub mod answer;
pub mod caught;
mod certificates;
mod ciphers;
pub mod connections;
pub mod duration;
pub mod flags;
pub mod generate;
mod guard;
pub mod health;
pub mod listen;
pub mod log;
pub mod negotiate;
pub mod own;
pub mod problem;
mod rate_limit;
pub mod reload;
pub mod seldom;
pub mod server;
mod signals;
mod tls;
pub mod users;
pub mod web_config;
pub mod yaml;
