//! `--test`: whether the token works and each stream's endpoint answers, with one record of each.

use crate::config::Settings;
use crate::error::Error;

pub fn run(_settings: &Settings, _schema_only: bool) -> Result<(), Error> {
    Ok(())
}
