//! The configuration file, in the layout of the OpenTelemetry collector.
//!
//! What stands in the blocks of `otlp` receivers and `sentry` exporters is read strictly, by the tables of
//! [`receiver_keys`] and [`exporter_keys`]; everything else of a collector's file is passed over and told.

pub mod destination;
pub mod expand;
pub mod exporter;
pub mod exporter_keys;
pub mod http;
pub mod key;
pub mod pipelines;
pub mod processors;
pub mod receiver;
pub mod receiver_keys;
pub mod report;
pub mod section;

use crate::config::expand::Lookup;
use crate::config::exporter::Exporter;
use crate::config::pipelines::{Names, Pipelines, Route, is_of, tell_processors};
use crate::config::receiver::Receiver;
use crate::config::receiver_keys::TOP;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::signal::Signal;
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::path::Path;
use tap_sentry_api::connection::authorities;
use tap_sentry_api::text::brief;
use tap_sentry_serve::web_config::TlsSettings;
use tap_sentry_serve::yaml;
use tap_sentry_settings::file::{self, FileError};
use tap_sentry_settings::problem::{Problem, SettingsError};

/// What is received and where it goes.
#[derive(Debug)]
pub struct Config {
    /// Those that feed an exporter; each has a port that is open.
    pub receivers: Vec<Receiver>,
    /// Those that are fed.
    pub exporters: Vec<Exporter>,
    /// Between the two.
    pub routes: Vec<Route>,
    /// What is passed over, or may be a surprise: for the log.
    pub warnings: Vec<Problem>,
    secrets: Vec<SecretString>,
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read or is no YAML, or for all mistakes in it at once.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = file::read(path)?;
        Self::parse(&text, path, &|name| std::env::var(name).ok())
    }

    /// Reads the text of a file; `path` is for messages.
    ///
    /// # Errors
    /// Those of [`Config::read`].
    pub fn parse(text: &str, path: &Path, variables: Lookup<'_>) -> Result<Self, SettingsError> {
        let value = yaml::parse(text).map_err(|message| {
            let text = format!("{} is no YAML: {}", path.display(), brief(&message));
            FileError::Content(text)
        })?;
        if !value.is_object() && !value.is_null() {
            let text = format!("{} must hold keys with values", path.display());
            return Err(FileError::Content(text).into());
        }
        let mut report = Report::new(variables);
        let config = Self::of(value, &mut report);
        if report.problems.is_empty() {
            Ok(Self {
                warnings: report.warnings,
                secrets: report.secrets,
                ..config
            })
        } else {
            Err(SettingsError::Problems(report.problems))
        }
    }

    fn of(value: Value, report: &mut Report<'_>) -> Self {
        let ignored = Section::new("", value.clone(), TOP, report).switch("ignore_processors");
        let mut top = match value {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let has_receivers = top.get("receivers").is_some_and(|value| !value.is_null());
        let mut block = |key: &str, report: &mut Report<'_>| {
            report.members(key, top.shift_remove(key).unwrap_or_default())
        };
        let receivers = block("receivers", report);
        let mut receivers: Vec<Receiver> = ours(receivers, "receivers", "otlp", report)
            .into_iter()
            .map(|(name, value)| Receiver::read(&name, value, report))
            .collect();
        if !has_receivers {
            receivers.push(Receiver::both(report));
        } else if receivers.is_empty() {
            report.problem(
                "receivers",
                "has no `otlp`: add it, or remove the block to open both its ports on 127.0.0.1",
            );
        }
        let exporters = block("exporters", report);
        let mut exporters: Vec<Exporter> = ours(exporters, "exporters", "sentry", report)
            .into_iter()
            .map(|(name, value)| Exporter::read(&name, value, report))
            .collect();
        if exporters.is_empty() {
            report.problem(
                "exporters",
                "has no `sentry`: add it, with the `dsn` of a project",
            );
        }
        for (key, text) in [
            (
                "connectors",
                "is passed over: pipelines are not joined here",
            ),
            (
                "extensions",
                "is passed over: extensions of the collector are not here",
            ),
        ] {
            for name in block(key, report).keys() {
                report.warning(&format!("{key}.{name}"), text);
            }
        }
        let processors = block("processors", report);
        let service = top.shift_remove("service").unwrap_or_default();
        let pipelines = {
            let receivers: Vec<String> = receivers.iter().map(|it| it.name.clone()).collect();
            let exporters: Vec<String> = exporters.iter().map(|it| it.name.clone()).collect();
            let names = Names {
                receivers: &receivers,
                exporters: &exporters,
            };
            Pipelines::read(service, names, report)
        };
        tell_processors(&processors, &pipelines.processors, ignored, report);
        let routes = pipelines.routes;
        receivers.retain(|receiver| {
            let fed = routes.iter().any(|route| route.receiver == receiver.name);
            used(fed, "receivers", &receiver.name, report)
        });
        exporters.retain(|exporter| {
            let fed = routes.iter().any(|route| route.exporter == exporter.name);
            used(fed, "exporters", &exporter.name, report)
        });
        let config = Self {
            receivers,
            exporters,
            routes,
            warnings: Vec::new(),
            secrets: Vec::new(),
        };
        config.check_together(report);
        config
    }

    /// What is wrong between blocks.
    fn check_together(&self, report: &mut Report<'_>) {
        let listeners: Vec<_> = self
            .receivers
            .iter()
            .flat_map(Receiver::listeners)
            .collect();
        for (place, listener) in listeners.iter().enumerate() {
            let before = &listeners[..place];
            let same = before.iter().find(|other| {
                // Port 0 is another one each time.
                other.endpoint == listener.endpoint && !other.endpoint.to_string().ends_with(":0")
            });
            if let Some(same) = same {
                let text = format!("is that of `{}` too: choose another port", same.key);
                report.problem(&listener.key, text);
            }
        }
        for (place, exporter) in self.exporters.iter().enumerate() {
            let folder = |exporter: &Exporter| {
                let spool = exporter.spool.as_ref()?;
                std::path::absolute(&spool.folder).ok()
            };
            let own = folder(exporter);
            let before = &self.exporters[..place];
            let same = before
                .iter()
                .find(|other| own.is_some() && folder(other) == own);
            if let Some(same) = same {
                let key = format!("exporters.{}.spool", exporter.name);
                let text = format!(
                    "is that of `exporters.{}` too: each needs a folder of its own",
                    same.name
                );
                report.problem(&key, text);
            }
            let organization = exporter.destination.organization.as_ref();
            if organization.is_some_and(|it| it.created.is_some())
                && let Some(open) = self.open_to(&exporter.name)
            {
                let key = format!("exporters.{}.auto_create_projects", exporter.name);
                let text = format!(
                    "needs to know who sends, or anybody could have projects created: set `auth` beside `{open}`, or a `client_ca_file` in its `tls`"
                );
                report.problem(&key, text);
            }
        }
    }

    /// A listener that feeds the exporter and lets everybody in.
    fn open_to(&self, exporter: &str) -> Option<&str> {
        let feeds = |receiver: &&Receiver| {
            let mut routes = self.routes.iter();
            routes.any(|route| route.receiver == receiver.name && route.exporter == exporter)
        };
        let receivers = self.receivers.iter().filter(feeds);
        let mut listeners = receivers.flat_map(Receiver::listeners);
        let open = listeners.find(|listener| !listener.authenticates())?;
        Some(&open.key)
    }

    /// Where a receiver sends what it takes of a signal.
    pub fn exporters_of(&self, receiver: &str, signal: Signal) -> impl Iterator<Item = &Exporter> {
        self.exporters.iter().filter(move |exporter| {
            self.routes.iter().any(|route| {
                route.receiver == receiver
                    && route.exporter == exporter.name
                    && route.signal == signal
            })
        })
    }

    /// Keys, tokens and passwords: nothing may show them.
    pub fn secrets(&self) -> &[SecretString] {
        &self.secrets
    }

    /// Reads the certificates, keys and authorities that the file names.
    ///
    /// # Errors
    /// What is wrong with each of them.
    pub fn check_files(&self) -> Result<(), SettingsError> {
        let mut problems = Vec::new();
        for listener in self.receivers.iter().flat_map(Receiver::listeners) {
            if let Some(Err(text)) = listener.tls.as_ref().map(TlsSettings::check) {
                let block = listener.key.trim_end_matches("endpoint");
                problems.push(Problem::new(
                    &format!("{block}tls"),
                    format!("is wrong: {text}"),
                ));
            }
        }
        for exporter in &self.exporters {
            let read = exporter.http.ca_certificate.as_deref().map(authorities);
            if let Some(Err(error)) = read {
                let key = format!("exporters.{}.ca_certificate", exporter.name);
                problems.push(Problem::new(&key, format!("is wrong: {error}")));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(SettingsError::Problems(problems))
        }
    }
}

/// The components of a block that are of a type; each other one is told.
fn ours(
    block: Map<String, Value>,
    key: &str,
    kind: &str,
    report: &mut Report<'_>,
) -> Vec<(String, Value)> {
    let (ours, others): (Vec<_>, Vec<_>) =
        block.into_iter().partition(|(name, _)| is_of(name, kind));
    for (name, _) in others {
        let text = format!("is passed over: of {key} there is only `{kind}` here");
        report.warning(&format!("{key}.{name}"), text);
    }
    ours
}

/// Whether a component is used; if not, it is told.
fn used(fed: bool, key: &str, name: &str, report: &mut Report<'_>) -> bool {
    if !fed {
        report.warning(
            &format!("{key}.{name}"),
            "is passed over: no pipeline uses it",
        );
    }
    fed
}

#[cfg(test)]
mod tests;
