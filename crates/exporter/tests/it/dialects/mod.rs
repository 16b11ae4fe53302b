//! Set-ups of older exporters, unchanged: what they configured is understood, and their series go on.

mod italux;
mod maggotmouth;
mod settings;
mod ujamii;
