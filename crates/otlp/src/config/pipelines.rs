//! `service.pipelines`: which receiver feeds which exporter.

use crate::config::processors;
use crate::config::report::Report;
use crate::signal::{SIGNALS, Signal};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// From a receiver to an exporter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    pub receiver: String,
    pub exporter: String,
    pub signal: Signal,
}

/// Names of what is there, by the rest of the file.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    pub receivers: &'a [String],
    pub exporters: &'a [String],
}

impl Names<'_> {
    /// Each receiver feeds each exporter.
    fn all(self) -> Vec<Route> {
        let signals = SIGNALS.iter().map(|(_, signal)| *signal);
        let routes = signals.flat_map(|signal| {
            self.receivers.iter().flat_map(move |receiver| {
                self.exporters.iter().map(move |exporter| Route {
                    receiver: receiver.clone(),
                    exporter: exporter.clone(),
                    signal,
                })
            })
        });
        routes.collect()
    }
}

/// Whether a component is of a type, by its name `TYPE` or `TYPE/NAME`.
pub fn is_of(name: &str, kind: &str) -> bool {
    let rest = name.strip_prefix(kind);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Routes, and the names of processors on them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pipelines {
    pub routes: Vec<Route>,
    pub processors: BTreeSet<String>,
}

impl Pipelines {
    /// Reads `service`.
    pub fn read(service: Value, names: Names<'_>, report: &mut Report<'_>) -> Self {
        let mut members = report.members("service", service);
        let pipelines = members.shift_remove("pipelines").unwrap_or_default();
        if members.shift_remove("telemetry").is_some() {
            report.warning(
                "service.telemetry",
                "is passed over: see --log.level, --log.format and --web.listen-address",
            );
        }
        members.shift_remove("extensions");
        for name in members.keys() {
            let text = "is not known here: correct or remove it; known are pipelines, extensions, telemetry";
            report.problem(&format!("service.{name}"), text);
        }
        let before = report.problems.len();
        let pipelines = report.members("service.pipelines", pipelines);
        if pipelines.is_empty() {
            return Self {
                routes: names.all(),
                processors: BTreeSet::new(),
            };
        }
        let mut found = Self::default();
        for (name, value) in pipelines {
            found.pipeline(&name, value, names, report);
        }
        found.routes.sort();
        found.routes.dedup();
        if found.routes.is_empty() && report.problems.len() == before {
            report.problem(
                "service.pipelines",
                "lead from no `otlp` receiver to a `sentry` exporter, so that nothing would be sent: add one, as traces: {receivers: [otlp], exporters: [sentry]}",
            );
        }
        found
    }

    fn pipeline(&mut self, name: &str, value: Value, names: Names<'_>, report: &mut Report<'_>) {
        let place = format!("service.pipelines.{name}");
        let known = SIGNALS.iter().find(|(kind, _)| is_of(name, kind));
        let Some((_, signal)) = known else {
            if is_of(name, "metrics") || is_of(name, "profiles") {
                report.warning(&place, "is passed over: only traces and logs are sent");
            } else {
                report.problem(
                    &place,
                    "must be called traces or logs, or traces/NAME or logs/NAME",
                );
            }
            return;
        };
        let mut members = report.members(&place, value);
        let mut list = |key: &str| {
            let value = members.shift_remove(key).unwrap_or_default();
            let texts = report.texts(&format!("{place}.{key}"), value);
            texts.unwrap_or_default()
        };
        let (receivers, processors, exporters) =
            (list("receivers"), list("processors"), list("exporters"));
        for key in members.keys() {
            let text = "is not known here: correct or remove it; known are receivers, processors, exporters";
            report.problem(&format!("{place}.{key}"), text);
        }
        let ours = |list: Vec<String>, kind| -> Vec<String> {
            list.into_iter().filter(|name| is_of(name, kind)).collect()
        };
        let (receivers, exporters) = (ours(receivers, "otlp"), ours(exporters, "sentry"));
        if receivers.is_empty() || exporters.is_empty() {
            let text =
                "is passed over: it does not lead from an `otlp` receiver to a `sentry` exporter";
            report.warning(&place, text);
            return;
        }
        for (key, used, there) in [
            ("receivers", &receivers, names.receivers),
            ("exporters", &exporters, names.exporters),
        ] {
            for name in used.iter().filter(|name| !there.contains(name)) {
                let text =
                    format!("names `{name}`, which is not in `{key}`: add it there, or correct it");
                report.problem(&format!("{place}.{key}"), text);
            }
        }
        self.processors.extend(processors);
        for receiver in &receivers {
            let routes = exporters.iter().map(|exporter| Route {
                receiver: receiver.clone(),
                exporter: exporter.clone(),
                signal: *signal,
            });
            self.routes.extend(routes);
        }
    }
}

/// Tells of each processor: a warning, or a mistake where it stands on a route and data would be sent that it keeps back.
pub fn tell_processors(
    defined: &Map<String, Value>,
    used: &BTreeSet<String>,
    ignored: bool,
    report: &mut Report<'_>,
) {
    let names: BTreeSet<&String> = defined.keys().chain(used).collect();
    for name in names {
        let key = format!("processors.{name}");
        let is_used = used.contains(name);
        let (effect, text) = processors::told(name, ignored || !is_used);
        if effect.is_to_be_missed() && is_used && !ignored {
            report.problem(&key, text);
        } else {
            report.warning(&key, text);
        }
    }
}
