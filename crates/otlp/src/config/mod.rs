//! The configuration file, in the layout of the OpenTelemetry collector.
