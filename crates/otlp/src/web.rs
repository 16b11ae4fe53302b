//! The route of the program's own metrics.

use crate::bridge::Bridge;
use crate::figures::Figures;
use crate::spool::Spool;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeMetric, prometheus_text, text as openmetrics,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tap_sentry_serve::answer;
use tap_sentry_serve::connections::Connections;
use tap_sentry_serve::negotiate::{Format, negotiate};
use tap_sentry_serve::own::Process;
use tap_sentry_serve::reload::Reload;
use tokio::time::Instant;

/// All names of the program's own begin so.
const PREFIX: &str = "sentry_otlp";

/// What a scrape is answered from.
#[derive(Clone)]
pub struct Metrics {
    pub figures: Figures,
    pub bridge: Arc<Bridge>,
    pub reload: Reload,
    /// Of clients.
    pub connections: Connections,
}

/// The route.
pub fn router(metrics: Metrics, path: &str) -> Router {
    Router::new().route(path, get(scrape)).with_state(metrics)
}

async fn scrape(State(metrics): State<Metrics>, headers: HeaderMap) -> Response<Body> {
    let accepted = negotiate(&headers);
    match metrics.text(accepted.format) {
        Ok(text) => {
            let mut response = Response::new(Body::from(text));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, accepted.content_type());
            response
        }
        Err(error) => {
            log::error!("the metrics cannot be written: {error}");
            answer::plain(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

impl Metrics {
    fn text(&self, format: Format) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        self.figures
            .register(registry.sub_registry_with_prefix(PREFIX));
        registry.register_collector(Box::new(Now::of(self)));
        let mut text = String::new();
        match format {
            Format::Classic => prometheus_text::encode(&mut text, &registry)?,
            Format::OpenMetrics => openmetrics::encode(&mut text, &registry)?,
        }
        Ok(text)
    }
}

/// Figures of this moment: names, what they mean, values; a counter's name is without its `_total`.
#[derive(Debug)]
struct Now(Vec<(String, String, bool, f64)>);

impl Now {
    fn of(metrics: &Metrics) -> Self {
        let (mut bytes, mut requests, mut pending, mut oldest) = (0, 0, 0, 0.0_f64);
        let (mut spool_bytes, mut spool_requests) = (0, 0);
        let now = Instant::now();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let since_1970 = since_1970.unwrap_or_default();
        let mut spools: Vec<Arc<Spool>> = Vec::new();
        for exporter in metrics.bridge.all() {
            let used = exporter.shared.budget.used();
            bytes += used.bytes;
            requests += used.requests;
            let spool = exporter.spool.as_ref();
            // One that a reload has handed over is there once.
            let is_new = |spool: &&Arc<Spool>| !spools.iter().any(|one| Arc::ptr_eq(one, spool));
            if let Some(spool) = spool.filter(is_new) {
                spools.push(Arc::clone(spool));
                spool_bytes += spool.bytes();
                spool_requests += spool.requests().0;
                let at = spool.oldest_at().map(Duration::from_nanos);
                let age = at.map(|at| since_1970.saturating_sub(at));
                oldest = oldest.max(age.unwrap_or_default().as_secs_f64());
            }
            // Before the projects: what is handed over meanwhile is with them.
            pending += exporter.readings.records();
            for project in exporter.route.projects() {
                pending += project.pending();
                let age = project.oldest().map(|since| now.duration_since(since));
                oldest = oldest.max(age.unwrap_or_default().as_secs_f64());
            }
        }
        let state = metrics.reload.state();
        let reloaded = state.succeeded_at.duration_since(UNIX_EPOCH);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let own = [
            (
                "queue_bytes",
                "Bytes of requests in memory that were acknowledged and are not delivered",
                bytes as f64,
            ),
            (
                "queue_requests",
                "Requests in memory that were acknowledged and are not delivered",
                requests as f64,
            ),
            (
                "spool_bytes",
                "Bytes in spools, as they count for `spool_size`",
                spool_bytes as f64,
            ),
            (
                "spool_requests",
                "Requests in spools: acknowledged and not delivered, those in memory among them",
                spool_requests as f64,
            ),
            (
                "pending",
                "Spans, log records and events in memory on their way to Sentry",
                pending as f64,
            ),
            (
                "oldest_seconds",
                "Since when the oldest of what waits to be sent has been waiting",
                oldest,
            ),
            (
                "config_last_reload_successful",
                "Whether the last reading of the configuration succeeded",
                f64::from(u8::from(state.successful)),
            ),
            (
                "config_last_reload_success_timestamp_seconds",
                "When the configuration was last read well",
                reloaded.unwrap_or_default().as_secs_f64(),
            ),
        ];
        let own = own
            .map(|(name, help, value)| (format!("{PREFIX}_{name}"), help.to_owned(), false, value));
        let mut all = Vec::from(own);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        all.push((
            format!("{PREFIX}_refused_connections"),
            "Connections that were closed at once because too many were open".to_owned(),
            true,
            metrics.connections.refused() as f64,
        ));
        all.extend(Process::read().figures().into_iter().map(|figure| {
            let stem = figure.name.strip_suffix("_total").unwrap_or(figure.name);
            // The registry ends a help with a full stop.
            let help = figure.help.trim_end_matches('.');
            (
                stem.to_owned(),
                help.to_owned(),
                figure.counter,
                figure.value,
            )
        }));
        Self(all)
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for (name, help, is_counter, value) in &self.0 {
            let kind = if *is_counter {
                MetricType::Counter
            } else {
                MetricType::Gauge
            };
            let help = format!("{help}.");
            let encoder = encoder.encode_descriptor(name, &help, None, kind)?;
            if *is_counter {
                ConstCounter::new(*value).encode(encoder)?;
            } else {
                ConstGauge::new(*value).encode(encoder)?;
            }
        }
        Ok(())
    }
}
