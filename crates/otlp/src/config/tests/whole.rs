//! What whole files mean.

use super::*;

#[test]
fn the_example_of_the_exporter_of_old_works_as_it_is() {
    let config = config(
        "exporters:\n  sentry:\n    dsn: https://key@host/path/42\n    environment: prod\n    insecure_skip_verify: true\n",
    );
    assert_eq!(listens(&config), ["127.0.0.1:4317", "127.0.0.1:4318"]);
    let [sentry] = &config.exporters[..] else {
        panic!("{config:?}");
    };
    let dsn = sentry.destination.dsn.as_ref().expect("a DSN");
    assert_eq!((dsn.host(), dsn.path()), ("host", "/path/"));
    assert_eq!(sentry.terms.environment.as_deref(), Some("prod"));
    assert!(sentry.http.insecure_skip_verify);
    assert!(sentry.destination.organization.is_none());
    for signal in [Signal::Traces, Signal::Logs] {
        assert_eq!(config.exporters_of("otlp", signal).count(), 1);
    }
    let told: Vec<&str> = config.warnings.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(told, ["exporters.sentry.insecure_skip_verify"]);
}

#[test]
fn a_file_of_the_collector_with_the_exporter_of_old() {
    let config = config(
        "
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:${env:PORT}
      http:
processors:
  batch:
  memory_limiter: {check_interval: 1s, limit_mib: 400}
exporters:
  debug:
  sentry:
    dsn: ${env:SENTRY_DSN}
    sending_queue:
      num_consumers: ${env:CONSUMERS}
      queue_size: 5000
    retry_on_failure: {max_elapsed_time: 10m}
extensions:
  health_check:
service:
  extensions: [health_check]
  telemetry: {logs: {level: debug}}
  pipelines:
    traces:
      receivers: [otlp]
      processors: [memory_limiter, batch]
      exporters: [debug, sentry]
    metrics:
      receivers: [otlp]
      exporters: [debug]
",
    );
    assert_eq!(listens(&config), ["127.0.0.1:5000", "127.0.0.1:4318"]);
    assert_eq!(config.exporters_of("otlp", Signal::Traces).count(), 1);
    assert_eq!(config.exporters_of("otlp", Signal::Logs).count(), 0);
    let sentry = &config.exporters[0];
    let dsn = sentry.destination.dsn.as_ref().expect("a DSN");
    assert_eq!((dsn.port(), dsn.path()), (8443, "/sub/path/"));
    assert_eq!((sentry.queue.consumers, sentry.queue.size), (3, 5000));
    assert_eq!(sentry.retry.most_elapsed, Some(Duration::from_secs(600)));
    let told: Vec<&str> = config.warnings.iter().map(|it| it.key.as_str()).collect();
    let expected = [
        "exporters.debug",
        "extensions.health_check",
        "service.telemetry",
        "service.pipelines.metrics",
        "processors.batch",
        "processors.memory_limiter",
    ];
    assert_eq!(told, expected);
    let secrets = config.secrets().iter().map(ExposeSecret::expose_secret);
    assert!(secrets.into_iter().any(|secret| secret == "abc"));
}

#[test]
fn a_file_of_the_collector_with_the_exporter_of_today() {
    let config = config(
        "
receivers:
  otlp:
    protocols:
      grpc: {endpoint: 127.0.0.1:4317, auth: {bearer_token: letmein}}
exporters:
  sentry:
    url: https://sentry.example.com
    org_slug: my-org
    auth_token: ${env:SENTRY_AUTH_TOKEN}
    auto_create_projects: true
    routing:
      project_from_attribute: service.name
      attribute_to_project_mapping:
        api-service: backend-api
        web: frontend_1
    http:
      timeout: 10s
      tls: {insecure_skip_verify: false}
      max_idle_conns: 100
    timeout: 30s
    sending_queue:
      enabled: true
      num_consumers: 10
      queue_size: 1000
      batch: {flush_timeout: 200ms, min_size: 8192}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [sentry]}
    logs: {receivers: [otlp], exporters: [sentry]}
",
    );
    let sentry = &config.exporters[0];
    let organization = sentry
        .destination
        .organization
        .as_ref()
        .expect("an organization");
    assert_eq!(
        organization.connection.base_url.as_str(),
        "https://sentry.example.com/api/0/"
    );
    // As it was written, and not as the number that YAML sees.
    assert_eq!(organization.connection.token.expose_secret(), "00123");
    assert_eq!(organization.slug, "my-org");
    assert_eq!(organization.attribute, "service.name");
    assert_eq!(organization.mapping["web"], "frontend_1");
    assert_eq!(organization.created, Some(20));
    assert_eq!(sentry.http.timeout, Duration::from_secs(10));
    assert_eq!(config.exporters_of("otlp", Signal::Logs).count(), 1);
    let told: Vec<&str> = config.warnings.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(told, ["exporters.sentry.routing.default_project"]);
    let auth = config.receivers[0]
        .grpc
        .as_ref()
        .and_then(|grpc| grpc.listener.auth.as_ref());
    assert!(matches!(auth, Some(Auth::Bearer(token)) if token.expose_secret() == "letmein"));
    assert!(!format!("{config:?}").contains("letmein"));
}

#[test]
fn defaults() {
    let config = config(&exporter(""));
    let sentry = &config.exporters[0];
    assert_eq!(sentry.mode, Wanted::Auto);
    assert_eq!(sentry.terms, crate::terms::Terms::default());
    assert_eq!(sentry.trace_timeout, Duration::from_secs(10));
    assert_eq!(sentry.http.timeout, Duration::from_secs(30));
    assert_eq!(sentry.queue.sizer, Sizer::Requests);
    assert_eq!((sentry.queue.size, sentry.queue.consumers), (1000, 10));
    assert_eq!(sentry.retry, Retry::default());
    assert_eq!(sentry.spool, None);
    let dropped = |name: &str| sentry.privacy.drop.iter().any(|it| it.matches(name));
    for name in [
        "authorization",
        "http.request.header.Authorization",
        "http.request.header.proxy_authorization",
        "http.request.header.cookie",
        "http.response.header.set-cookie",
        "rpc.grpc.request.metadata.authorization",
    ] {
        assert!(dropped(name), "{name}");
    }
    for name in [
        "http.request.header.accept",
        "authorization.scheme",
        "cookies",
    ] {
        assert!(!dropped(name), "{name}");
    }
    let http = config.receivers[0].http.as_ref().expect("HTTP");
    assert_eq!(
        (http.traces_path.as_str(), http.logs_path.as_str()),
        ("/v1/traces", "/v1/logs")
    );
    assert_eq!(http.cors, None);
    let limits: Vec<usize> = config.receivers[0]
        .listeners()
        .map(|listener| listener.limit)
        .collect();
    assert_eq!(limits, [32 << 20, 32 << 20]);
}

#[test]
fn every_setting_of_an_exporter_has_its_effect() {
    let config = config(&exporter(
        "environment: stage
release_from: [app.version, service.version]
mode: transactions
trace_timeout: 1m30s
sample_rate: 0.25
drop_attributes: []
mask_attributes: [db.*]
spool: /var/lib/otlp
spool_size: 512MiB
proxy_url: http://me:pass@proxy:3128
ca_certificate: ca.pem
http: {headers: {X-Team: blue}, timeout: 5s}
sending_queue: {sizer: bytes, queue_size: 1000000, num_consumers: 2, storage: file_storage}
retry_on_failure: {enabled: false, initial_interval: 500ms, max_interval: 1h, multiplier: 2, randomization_factor: 0}",
    ));
    let sentry = &config.exporters[0];
    assert_eq!(sentry.terms.environment.as_deref(), Some("stage"));
    assert_eq!(
        sentry.terms.release_from,
        ["app.version", "service.version"]
    );
    assert!((sentry.terms.sample_rate - 0.25).abs() < f64::EPSILON);
    assert_eq!(sentry.mode, Wanted::Transactions);
    assert_eq!(sentry.trace_timeout, Duration::from_secs(90));
    assert!(sentry.privacy.drop.is_empty() && sentry.privacy.mask[0].matches("DB.query"));
    let spool = sentry.spool.as_ref().expect("a spool");
    assert_eq!(
        (spool.folder.as_path(), spool.size),
        (Path::new("/var/lib/otlp"), 512 << 20)
    );
    assert_eq!(sentry.http.headers["x-team"], "blue");
    assert_eq!(sentry.http.timeout, Duration::from_secs(5));
    assert_eq!(
        sentry.http.ca_certificate.as_deref(),
        Some(Path::new("ca.pem"))
    );
    assert_eq!(
        (sentry.queue.sizer, sentry.queue.size),
        (Sizer::Bytes, 1_000_000)
    );
    assert_eq!(
        sentry.retry,
        Retry {
            enabled: false,
            initial: Duration::from_millis(500),
            most: Duration::from_secs(3600),
            multiplier: 2.0,
            randomization: 0.0,
            most_elapsed: None,
        }
    );
    let secrets = config.secrets().iter().map(ExposeSecret::expose_secret);
    let secrets: Vec<&str> = secrets.collect();
    for secret in ["key", "https://key@host/42", "pass", "blue"] {
        assert!(secrets.contains(&secret), "{secret}");
    }
}

#[test]
fn every_setting_of_a_receiver_has_its_effect() {
    let config = config(&receiver(
        "grpc: {endpoint: 'localhost:1', max_recv_msg_size_mib: 4}
http:
  endpoint: '[::1]:2'
  max_request_body_size: 1000
  traces_url_path: /in/traces/
  logs_url_path: /in/logs
  cors: {allowed_origins: ['https://*.example.com'], allowed_headers: [X-A], max_age: 60}
  include_metadata: true",
    ));
    assert_eq!(listens(&config), ["localhost:1", "[::1]:2"]);
    let limits: Vec<usize> = config.receivers[0]
        .listeners()
        .map(|listener| listener.limit)
        .collect();
    assert_eq!(limits, [4 << 20, 1000]);
    let http = config.receivers[0].http.as_ref().expect("HTTP");
    assert_eq!(
        (http.traces_path.as_str(), http.logs_path.as_str()),
        ("/in/traces", "/in/logs")
    );
    let cors = http.cors.as_ref().expect("CORS");
    assert!(cors.allows("https://a.example.com") && !cors.allows("https://example.org"));
    assert_eq!(cors.allowed_headers, ["X-A"]);
    assert_eq!(cors.max_age, Some(Duration::from_secs(60)));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_dsn_takes_what_names_no_project_of_the_organization() {
    let config = config(&organization("dsn: https://key@host/42"));
    let destination = &config.exporters[0].destination;
    assert!(destination.dsn.is_some() && destination.organization.is_some());
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dsn");
    std::fs::write(&file, "https://hidden@host/42\n").expect("a file");
    let text = format!("exporters: {{sentry: {{dsn_file: '{}'}}}}", file.display());
    let config = config(&text);
    let dsn = config.exporters[0].destination.dsn.as_ref().expect("a DSN");
    assert_eq!(dsn.public_key(), "hidden");
    let both = format!("{text}\n").replace("dsn_file", "dsn: https://key@host/1, dsn_file");
    assert_eq!(
        mistakes(&both),
        ["`exporters.sentry.dsn_file` is set together with `dsn`; remove one of them"]
    );
    let gone = text.replace("/dsn", "/nothing");
    assert!(mistakes(&gone)[0].starts_with("`exporters.sentry.dsn_file` names a file"));
}

#[test]
fn users_are_read_from_their_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("users");
    let hash = "$2y$10$A1W58TARYppA8VtRo3JVRe26hLo62OAZe3ztDBntlzelwIdnepqAa";
    let text = receiver(&format!(
        "http: {{endpoint: '0.0.0.0:4318', auth: {{users_file: '{}'}}}}",
        file.display()
    ));
    std::fs::write(&file, format!("alice:{hash}\n")).expect("a file");
    let config = config(&text);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let http = config.receivers[0].http.as_ref().expect("HTTP");
    let users = match &http.listener.auth {
        Some(Auth::Users(users)) => users,
        other => panic!("{other:?}"),
    };
    assert_eq!(users["alice"], hash);
    std::fs::write(&file, "alice:secret\n").expect("a file");
    let told = mistakes(&text);
    assert!(told.len() == 1 && told[0].contains("line 1 is not") && !told[0].contains("secret"));
}

#[test]
fn all_mistakes_are_told_at_once_under_their_whole_keys() {
    let told = mistakes(
        "
receivers:
  otlp/a:
    protocols:
      grpc: {endpoint: nowhere}
      http: {max_request_body_size: -1, colour: red}
exporters:
  sentry/b:
    dsn: https://key@host/42
    sending_queue: {queue_size: 0}
    trace_timeout: 10
    environment: ${env:NONE}
    sample_rate: 2
servce: {}
",
    );
    let keys: Vec<&str> = told
        .iter()
        .filter_map(|text| text.split('`').nth(1))
        .collect();
    let expected = [
        "servce",
        "receivers.otlp/a.protocols.grpc.endpoint",
        "receivers.otlp/a.protocols.http.colour",
        "receivers.otlp/a.protocols.http.max_request_body_size",
        "exporters.sentry/b.trace_timeout",
        "exporters.sentry/b.environment",
        "exporters.sentry/b.sample_rate",
        "exporters.sentry/b.sending_queue.queue_size",
    ];
    assert_eq!(keys, expected, "{told:#?}");
}
