//! What is received: traces or logs.

/// A signal of OpenTelemetry that is taken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Signal {
    #[default]
    Traces,
    Logs,
}

/// Both of them, as pipelines are called.
pub const SIGNALS: [(&str, Signal); 2] = [("traces", Signal::Traces), ("logs", Signal::Logs)];

/// How one signal is called where the two differ in nothing else.
#[derive(Debug)]
pub struct Names {
    /// The message of a request.
    pub request: &'static str,
    /// One and several of what is in it.
    pub one: &'static str,
    pub several: &'static str,
    /// The field of a partial success that says how many were rejected, as JSON has it.
    pub rejected: &'static str,
    /// The variable with which SDKs are told not to send it.
    pub exporter: &'static str,
}

impl Signal {
    /// As pipelines are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }

    pub fn names(self) -> &'static Names {
        match self {
            Self::Traces => &Names {
                request: "ExportTraceServiceRequest",
                one: "span",
                several: "spans",
                rejected: "rejectedSpans",
                exporter: "OTEL_TRACES_EXPORTER",
            },
            Self::Logs => &Names {
                request: "ExportLogsServiceRequest",
                one: "log record",
                several: "log records",
                rejected: "rejectedLogRecords",
                exporter: "OTEL_LOGS_EXPORTER",
            },
        }
    }
}
