//! The bridge as its users run it, in front of the sandbox's intake.

mod answers;
mod dsl;
mod errors_out;
mod failures;
mod hostile;
mod hostile_clients;
mod hostile_counts;
mod keys;
mod logs;
mod logs_in;
mod modes;
mod otlp_out;
mod outgoing;
mod program;
mod rate_limits;
mod reloads;
mod routes;
mod spool;
mod spool_again;
mod spool_disk;
mod spool_property;
mod transactions_out;
