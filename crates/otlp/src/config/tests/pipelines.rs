//! What blocks mean to each other, and what is told.

use super::*;

#[test]
fn two_exporters_do_not_share_a_spool() {
    let text = "exporters:
  sentry: {dsn: 'https://key@host/1', spool: a/b}
  sentry/2: {dsn: 'https://key@host/2', spool: ./a/b/}
  sentry/3: {dsn: 'https://key@host/3', spool: a/c}
";
    let told = mistakes(text);
    assert_eq!(
        told,
        [
            "`exporters.sentry/2.spool` is that of `exporters.sentry` too: each needs a folder of its own"
        ]
    );
}

/// A file with these pipelines, a processor on the first of them, and more at the top.
fn pipelines(pipelines: &str, top: &str) -> String {
    format!(
        "{}service: {{pipelines: {{{pipelines}}}}}\n{top}\n",
        exporter("")
    )
}

#[rstest]
#[case::a_name(
    "trace: {receivers: [otlp], exporters: [sentry]}, traces: {receivers: [otlp], exporters: [sentry]}",
    "`service.pipelines.trace` must be called traces or logs"
)]
#[case::a_key(
    "traces: {receivers: [otlp], exporters: [sentry], processor: [batch]}",
    "`service.pipelines.traces.processor` is not known here"
)]
#[case::no_such_exporter(
    "traces: {receivers: [otlp], exporters: [sentry, sentry/x]}",
    "`service.pipelines.traces.exporters` names `sentry/x`"
)]
#[case::no_such_receiver(
    "traces: {receivers: [otlp/x], exporters: [sentry]}",
    "`service.pipelines.traces.receivers` names `otlp/x`"
)]
#[case::nothing_for_us(
    "traces: {receivers: [jaeger], exporters: [sentry]}",
    "`service.pipelines` lead from no `otlp` receiver"
)]
#[case::no_list(
    "traces: {receivers: otlp, exporters: [sentry]}",
    "`service.pipelines.traces.receivers` must be a list"
)]
#[case::drops(
    "traces: {receivers: [otlp], processors: [batch, filter/x], exporters: [sentry]}",
    "`processors.filter/x` drops data, and is not run here"
)]
#[case::changes(
    "logs: {receivers: [otlp], processors: [redaction], exporters: [sentry]}",
    "`processors.redaction` changes data, and is not run here; see `drop_attributes`"
)]
#[case::unknown(
    "traces: {receivers: [otlp], processors: [acme], exporters: [sentry]}",
    "`processors.acme` may drop or change data"
)]
fn a_wrong_pipeline_is_refused(#[case] text: &str, #[case] told: &str) {
    let mistakes = mistakes(&pipelines(text, ""));
    assert!(
        mistakes.len() == 1 && mistakes[0].starts_with(told),
        "{mistakes:?}"
    );
}

#[rstest]
#[case::of_a_pipeline_that_is_not_ours(
    "traces: {receivers: [otlp], exporters: [sentry]}, metrics: {receivers: [otlp], processors: [filter], exporters: [sentry]}",
    "processors: {filter: {}}",
    &["service.pipelines.metrics", "processors.filter"]
)]
#[case::if_the_user_says_so(
    "traces: {receivers: [otlp], processors: [filter], exporters: [sentry]}",
    "ignore_processors: true",
    &["processors.filter"]
)]
#[case::that_add(
    "traces: {receivers: [otlp], processors: [k8sattributes, batch], exporters: [sentry]}",
    "processors: {k8sattributes: , batch: }",
    &["processors.batch", "processors.k8sattributes"]
)]
fn processors_that_are_told_only(#[case] text: &str, #[case] top: &str, #[case] expected: &[&str]) {
    let config = config(&pipelines(text, top));
    let told: Vec<&str> = config.warnings.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(told, expected);
}

#[test]
fn what_no_pipeline_uses_is_neither_opened_nor_fed() {
    let config = config(
        "
receivers:
  otlp: {protocols: {grpc: }}
  otlp/2: {protocols: {http: }}
  jaeger:
exporters:
  sentry: {dsn: 'https://key@host/1'}
  sentry/2: {dsn: 'https://key@host/2'}
connectors: {forward: }
service:
  pipelines:
    traces/a: {receivers: [otlp, jaeger], exporters: [sentry, forward]}
    traces/b: {receivers: [forward], exporters: [sentry/2]}
",
    );
    assert_eq!(listens(&config), ["127.0.0.1:4317"]);
    assert_eq!(config.exporters.len(), 1);
    let told: Vec<&str> = config.warnings.iter().map(|it| it.key.as_str()).collect();
    let expected = [
        "receivers.jaeger",
        "connectors.forward",
        "service.pipelines.traces/b",
        "receivers.otlp/2",
        "exporters.sentry/2",
    ];
    assert_eq!(told, expected);
}

#[rstest]
#[case::an_open_port(
    receiver("http: {endpoint: '0.0.0.0:4318'}"),
    "`receivers.otlp.protocols.http.endpoint` is open to other machines"
)]
#[case::headers_of_answers(
    receiver("http: {response_headers: {a: b}}"),
    "`receivers.otlp.protocols.http.response_headers` is passed over"
)]
#[case::no_queue(
    exporter("sending_queue: {enabled: false}"),
    "`exporters.sentry.sending_queue.enabled` is passed over"
)]
#[case::a_result(
    exporter("sending_queue: {wait_for_result: true}"),
    "`exporters.sentry.sending_queue.wait_for_result` is passed over"
)]
#[case::an_address(
    exporter("http: {endpoint: 'https://a'}"),
    "`exporters.sentry.http.endpoint` is passed over"
)]
#[case::any_certificate(
    exporter("http: {tls: {insecure_skip_verify: true}}"),
    "`exporters.sentry.http.tls.insecure_skip_verify` is on"
)]
#[case::a_size(
    exporter("spool_size: 1GiB"),
    "`exporters.sentry.spool_size` means nothing without `spool`"
)]
#[case::no_default(
    organization(""),
    "`exporters.sentry.routing.default_project` is not set"
)]
#[case::plain_http(organization("dsn: https://key@host/1").replace("https://sentry.io", "http://sentry.example.com"), "`exporters.sentry.url` is plain http")]
#[case::telemetry(exporter("") + "service: {telemetry: {}}\n", "`service.telemetry` is passed over")]
fn what_may_be_a_surprise_is_told(#[case] text: String, #[case] told: &str) {
    let warnings = warnings(&text);
    assert!(
        warnings.len() == 1 && warnings[0].starts_with(told),
        "{warnings:?}"
    );
}
