//! The file as a whole: what it means, what is refused, what is told.

use super::*;
use crate::config::exporter_keys::EXPORTER;
use crate::config::key::{Form, Key};
use crate::config::receiver::Auth;
use crate::config::receiver_keys::RECEIVER;
use crate::delivery::budget::Sizer;
use crate::delivery::mode::Wanted;
use crate::delivery::retry::Retry;
use rstest::rstest;
use secrecy::ExposeSecret;
use serde_json::json;
use std::time::Duration;

fn variables(name: &str) -> Option<String> {
    let value = match name {
        "SENTRY_DSN" => "https://abc@sentry.example.com:8443/sub/path/42",
        "SENTRY_AUTH_TOKEN" => "00123",
        "EMPTY" => "",
        "PORT" => "5000",
        "CONSUMERS" => "3",
        _ => return None,
    };
    Some(value.to_owned())
}

fn parse(text: &str) -> Result<Config, SettingsError> {
    Config::parse(text, Path::new("otlp.yml"), &variables)
}

fn config(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Each mistake as it is shown.
fn mistakes(text: &str) -> Vec<String> {
    match parse(text) {
        Err(SettingsError::Problems(problems)) => {
            problems.iter().map(ToString::to_string).collect()
        }
        other => panic!("{other:?}\n{text}"),
    }
}

fn warnings(text: &str) -> Vec<String> {
    config(text)
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// A file with these lines in its only exporter.
fn exporter(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!("exporters:\n  sentry:\n    dsn: https://key@host/42\n{lines}")
}

/// A file whose exporter has the form of today, with these lines in it.
fn organization(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "exporters:\n  sentry:\n    url: https://sentry.io\n    org_slug: acme\n    auth_token: sntrys_x\n{lines}"
    )
}

/// A file with these lines below `protocols` of its only receiver.
fn receiver(lines: &str) -> String {
    let lines: String = lines
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    format!(
        "receivers:\n  otlp:\n    protocols:\n{lines}{}",
        exporter("")
    )
}

fn listens(config: &Config) -> Vec<String> {
    let listeners = config.receivers.iter().flat_map(Receiver::listeners);
    listeners
        .map(|listener| listener.endpoint.to_string())
        .collect()
}

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

#[rstest]
#[case::nothing("", "`exporters` has no `sentry`")]
#[case::no_exporter("exporters: {debug: }", "`exporters` has no `sentry`")]
#[case::another_name(
    "exporters: {sentryx: {dsn: 'https://key@host/1'}}",
    "`exporters` has no `sentry`"
)]
#[case::neither_form("exporters: {sentry: }", "`exporters.sentry.dsn` is required: set it")]
#[case::an_empty_dsn(
    "exporters: {sentry: {dsn: ''}}",
    "`exporters.sentry.dsn` is empty, so that nothing"
)]
#[case::a_dsn_of_nothing("exporters: {sentry: {dsn: }}", "`exporters.sentry.dsn` is empty")]
#[case::a_dsn_of_an_empty_variable(
    "exporters: {sentry: {dsn: '${env:EMPTY}'}}",
    "`exporters.sentry.dsn` is empty"
)]
#[case::a_dsn_of_no_variable(
    "exporters: {sentry: {dsn: '${env:NONE}'}}",
    "`exporters.sentry.dsn` names the environment variable NONE, which is not set"
)]
#[case::no_dsn(
    "exporters: {sentry: {dsn: 'https://secretvalue'}}",
    "`exporters.sentry.dsn` must be a DSN"
)]
#[case::a_dsn_without_its_key(
    "exporters: {sentry: {dsn: 'https://host/42'}}",
    "`exporters.sentry.dsn` must be a DSN"
)]
#[case::a_dsn_that_is_a_number(
    "exporters: {sentry: {dsn: 42}}",
    "`exporters.sentry.dsn` must be a text"
)]
#[case::no_token(
    "exporters: {sentry: {url: 'https://a', org_slug: a}}",
    "`exporters.sentry.auth_token` is required"
)]
#[case::no_url(
    "exporters: {sentry: {auth_token: a, org_slug: a}}",
    "`exporters.sentry.url` is required"
)]
#[case::no_organization(
    "exporters: {sentry: {dsn: 'https://key@host/1', auth_token: a}}",
    "`exporters.sentry.auth_token` means nothing without `org_slug`"
)]
#[case::an_empty_organization(
    "exporters: {sentry: {url: 'https://a', auth_token: a, org_slug: ''}}",
    "`exporters.sentry.org_slug` is empty"
)]
#[case::no_slug(
    "exporters: {sentry: {url: 'https://a', auth_token: a, org_slug: a/b}}",
    "`exporters.sentry.org_slug` must be a slug"
)]
fn an_exporter_that_cannot_send_is_refused(#[case] text: &str, #[case] told: &str) {
    let mistakes = mistakes(text);
    assert!(
        mistakes.len() == 1 && mistakes[0].starts_with(told),
        "{mistakes:?}"
    );
    assert!(!mistakes[0].contains("secretvalue"));
}

#[rstest]
#[case::an_environment("environment: a/b", "environment` is none that Sentry takes")]
#[case::no_environment("environment: None", "environment` is none that Sentry takes")]
#[case::a_number("environment: 1.10", "environment` must be a text")]
#[case::a_word("mode: envelope", "mode` must be auto or otlp or transactions")]
#[case::a_rate("sample_rate: 1.5", "sample_rate` must be a number from 0 to 1")]
#[case::a_text_of_a_number("sample_rate: '0.5'", "sample_rate` must be a number")]
#[case::no_unit("timeout: 10", "timeout` must be a length of time with its unit")]
#[case::no_unit_in_quotes("timeout: '10'", "timeout` must be a length of time with its unit")]
#[case::below_zero("timeout: -1s", "timeout` must be a length of time")]
#[case::no_timeout("timeout: 0", "timeout` must be more than 0")]
#[case::no_time_for_traces("trace_timeout: 0s", "trace_timeout` must be more than 0")]
#[case::an_empty_spool("spool: /a\nspool_size: 0", "spool_size` must be more than 0")]
#[case::a_size(
    "spool: /a\nspool_size: 1GB",
    "spool_size` must be a number of bytes, or a size"
)]
#[case::a_size_too_large(
    "spool: /a\nspool_size: 99999999999999GiB",
    "spool_size` must be a number of bytes"
)]
#[case::an_empty_pattern(
    "drop_attributes: ['']",
    "drop_attributes` must be names of attributes"
)]
#[case::another_wildcard(
    "mask_attributes: ['a[bc]']",
    "mask_attributes` must be names of attributes"
)]
#[case::a_list("drop_attributes: a", "drop_attributes` must be a list of texts")]
#[case::a_list_of_numbers("release_from: [1]", "release_from` must be a list of texts")]
#[case::a_proxy("proxy_url: 'ftp://me:secretvalue@host'", "proxy_url` must be a URL")]
#[case::a_queue(
    "sending_queue: {queue_size: 0}",
    "sending_queue.queue_size` must be a whole number from 1"
)]
#[case::a_queue_of_half(
    "sending_queue: {queue_size: 1.5}",
    "sending_queue.queue_size` must be a whole number"
)]
#[case::a_queue_of_bytes(
    "sending_queue: {sizer: bytes}",
    "sending_queue.queue_size` is required with this `sizer`"
)]
#[case::a_storage(
    "sending_queue: {storage: file_storage}",
    "sending_queue.storage` names an extension"
)]
#[case::no_consumer(
    "sending_queue: {num_consumers: 0}",
    "sending_queue.num_consumers` must be a whole number"
)]
#[case::a_key_of_a_batch(
    "sending_queue: {batch: {size: 1}}",
    "sending_queue.batch.size` is not known here"
)]
#[case::no_pause(
    "retry_on_failure: {initial_interval: 0s}",
    "retry_on_failure.initial_interval` must be more than 0"
)]
#[case::no_block("retry_on_failure: true", "retry_on_failure` must be keys with values")]
#[case::a_header(
    "http: {headers: {Authorization: secretvalue}}",
    "http.headers.Authorization` is set by the program"
)]
#[case::a_header_of_two_lines(
    "http: {headers: {X-A: \"secretvalue\\nb\"}}",
    "http.headers.X-A` has characters"
)]
#[case::a_certificate_of_our_own(
    "http: {tls: {cert_file: a.pem}}",
    "http.tls.cert_file` is not supported"
)]
#[case::an_extension(
    "http: {auth: {authenticator: basicauth}}",
    "http.auth` names an extension"
)]
#[case::two_authorities(
    "ca_certificate: a\nhttp: {tls: {ca_file: b}}",
    "http.tls.ca_file` stands beside `ca_certificate`"
)]
#[case::two_proxies(
    "proxy_url: http://a\nhttp: {proxy_url: http://b}",
    "http.proxy_url` stands beside"
)]
#[case::unknown("colour: red", "colour` is not known here")]
#[case::almost_known("sampleRate: 0.1", "sampleRate` is not known here")]
#[case::a_file_of_what_is_no_secret("environment_file: a", "environment_file` is not known here")]
#[case::a_source(
    "environment: ${file:/etc/passwd}",
    "environment` takes something from `file:`"
)]
fn a_wrong_setting_of_an_exporter_is_refused(#[case] lines: &str, #[case] told: &str) {
    let mistakes = mistakes(&exporter(lines));
    let told = format!("`exporters.sentry.{told}");
    assert!(
        mistakes.len() == 1 && mistakes[0].starts_with(&told),
        "{mistakes:?}"
    );
    assert!(!mistakes[0].contains("secretvalue"));
}

#[rstest]
#[case::a_default(
    "routing: {default_project: '123'}",
    "routing.default_project` must be the slug of a project"
)]
#[case::a_default_with_capitals(
    "routing: {default_project: Web}",
    "routing.default_project` must be the slug of a project"
)]
#[case::two_defaults(
    "dsn: https://key@host/1\nrouting: {default_project: web}",
    "routing.default_project` stands beside `dsn`"
)]
#[case::a_slug(
    "routing: {attribute_to_project_mapping: {a: ../b}, default_project: web}",
    "routing.attribute_to_project_mapping.a` must be the slug"
)]
#[case::a_slug_of_nothing(
    "routing: {attribute_to_project_mapping: {a: }, default_project: web}",
    "routing.attribute_to_project_mapping.a` must be a text"
)]
#[case::too_many(
    "auto_create_projects: false\nmax_created_projects: 0",
    "max_created_projects` must be a whole number from 1 to 1000"
)]
#[case::an_open_port(
    "auto_create_projects: true",
    "auto_create_projects` needs to know who sends"
)]
#[case::a_key("routing: {project: a}", "routing.project` is not known here")]
fn a_wrong_route_is_refused(#[case] lines: &str, #[case] told: &str) {
    let mistakes = mistakes(&organization(lines));
    let told = format!("`exporters.sentry.{told}");
    assert!(
        mistakes.len() == 1 && mistakes[0].starts_with(&told),
        "{mistakes:?}"
    );
}

#[rstest]
#[case::with_its_scheme("Bearer sntrys_secretvalue", "must be the token alone")]
#[case::a_placeholder("YOUR_TOKEN", "is a placeholder")]
#[case::an_umlaut("sntrys_ä", "contains characters that are not allowed")]
fn a_wrong_token_is_refused(#[case] token: &str, #[case] told: &str) {
    let text = organization("").replace("sntrys_x", token);
    let mistakes = mistakes(&text);
    assert!(
        mistakes.len() == 1 && mistakes[0].contains(told),
        "{mistakes:?}"
    );
    assert!(!mistakes[0].contains("secretvalue"));
}

#[rstest]
#[case::no_protocol("{}", "`receivers.otlp.protocols` must name `grpc`, `http` or both")]
#[case::another_protocol(
    "thrift: {}\nhttp:",
    "`receivers.otlp.protocols.thrift` is not known here"
)]
#[case::no_port(
    "http: {endpoint: localhost}",
    "`receivers.otlp.protocols.http.endpoint` is wrong: "
)]
#[case::a_socket(
    "grpc: {transport: unix}",
    "`receivers.otlp.protocols.grpc.transport` must be tcp"
)]
#[case::nothing_at_all(
    "grpc: {max_recv_msg_size_mib: 0}",
    "`receivers.otlp.protocols.grpc.max_recv_msg_size_mib` must be a whole number"
)]
#[case::a_path(
    "http: {traces_url_path: v1/traces}",
    "`receivers.otlp.protocols.http.traces_url_path` must be a path"
)]
#[case::one_path(
    "http: {logs_url_path: /v1/traces/}",
    "`receivers.otlp.protocols.http.logs_url_path` is that of traces too"
)]
#[case::half_of_tls(
    "grpc: {tls: {cert_file: a.pem}}",
    "`receivers.otlp.protocols.grpc.tls.key_file` is missing: TLS needs it, or `key_pem`"
)]
#[case::old_tls(
    "grpc: {tls: {cert_file: a, key_file: b, min_version: '1.1'}}",
    "`receivers.otlp.protocols.grpc.tls.min_version` must be 1.2 or 1.3"
)]
#[case::turned_round(
    "grpc: {tls: {cert_file: a, key_file: b, min_version: 1.3, max_version: 1.2}}",
    "`receivers.otlp.protocols.grpc.tls.min_version` is newer than max_version"
)]
#[case::a_suite(
    "grpc: {tls: {cert_file: a, key_file: b, cipher_suites: [X]}}",
    "`receivers.otlp.protocols.grpc.tls.cipher_suites` names suites"
)]
#[case::an_extension(
    "grpc: {auth: {authenticator: oidc, bearer_token: a}}",
    "`receivers.otlp.protocols.grpc.auth.authenticator` names an extension"
)]
#[case::nobody(
    "grpc: {auth: {}}",
    "`receivers.otlp.protocols.grpc.auth` says of nobody who may send"
)]
#[case::both(
    "grpc: {auth: {bearer_token: a, users_file: b}}",
    "`receivers.otlp.protocols.grpc.auth.users_file` stands beside a token"
)]
#[case::a_token(
    "grpc: {auth: {bearer_token: 'a b'}}",
    "`receivers.otlp.protocols.grpc.auth.bearer_token` contains characters"
)]
#[case::an_origin(
    "http: {cors: {allowed_origins: [example.com]}}",
    "`receivers.otlp.protocols.http.cors.allowed_origins` must be origins"
)]
#[case::one_port(
    "grpc: {endpoint: '127.0.0.1:9'}\nhttp: {endpoint: '127.0.0.1:9'}",
    "`receivers.otlp.protocols.http.endpoint` is that of `receivers.otlp.protocols.grpc.endpoint` too"
)]
fn a_wrong_setting_of_a_receiver_is_refused(#[case] lines: &str, #[case] told: &str) {
    let mistakes = mistakes(&receiver(lines));
    assert!(
        mistakes.len() == 1 && mistakes[0].starts_with(told),
        "{mistakes:?}"
    );
}

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

/// The keys of a table that are read, with the way to each.
fn all(place: &[&str], keys: &'static [Key], found: &mut Vec<(Vec<String>, Form)>) {
    for key in keys {
        let mut way = place.to_vec();
        way.push(key.name);
        match key.form {
            Form::Block(keys) => all(&way, keys, found),
            Form::Idle | Form::Warned | Form::Refused => {}
            form => {
                found.push((way.into_iter().map(ToOwned::to_owned).collect(), form));
            }
        }
    }
}

#[test]
fn each_key_of_the_tables_is_read() {
    let mut keys = Vec::new();
    all(&["receivers", "otlp"], RECEIVER, &mut keys);
    all(&["exporters", "sentry"], EXPORTER, &mut keys);
    assert!(keys.len() > 60, "{}", keys.len());
    for (way, _) in keys {
        // No key has a list of lists.
        let mut value = json!({
            "receivers": {"otlp": {"protocols": {"http": {}}}},
            "exporters": {"sentry": {"org_slug": "a", "url": "https://a", "auth_token": "a"}},
        });
        let mut at = &mut value;
        for name in &way {
            at = &mut at[name];
        }
        *at = json!([[]]);
        let key = way.join(".");
        let told = mistakes(&value.to_string());
        let begin = format!("`{key}` ");
        assert!(
            told.iter().any(|text| text.starts_with(&begin)),
            "{key}: {told:?}"
        );
    }
}

#[test]
fn defaults_are_what_their_keys_take() {
    let mut keys = Vec::new();
    all(&["receivers", "otlp"], RECEIVER, &mut keys);
    all(&["exporters", "sentry"], EXPORTER, &mut keys);
    let default = |keys: &'static [Key], way: &[String]| {
        let mut keys = keys;
        for name in way {
            let key = keys.iter().find(|key| key.name == name).expect("a key");
            match key.form {
                Form::Block(below) => keys = below,
                _ => return key.default,
            }
        }
        ""
    };
    for (way, form) in keys {
        let table = if way[0] == "receivers" {
            RECEIVER
        } else {
            EXPORTER
        };
        let text = default(table, &way[2..]);
        if text.is_empty() || matches!(form, Form::Texts) {
            continue;
        }
        let mut value = json!({
            "receivers": {"otlp": {"protocols": {"http": {}}}},
            "exporters": {"sentry": {
                "org_slug": "a", "url": "https://a", "auth_token": "a", "spool": "/a",
            }},
        });
        let mut at = &mut value;
        for name in &way {
            at = &mut at[name];
        }
        *at = yaml::parse(text).expect("YAML");
        if matches!(form, Form::Word(_)) {
            *at = json!(text);
        }
        let told = parse(&value.to_string())
            .map(|_| ())
            .map_err(|error| error.to_string());
        // A certificate is not there, but its version is right.
        let right = told.is_ok()
            || told
                .as_ref()
                .is_err_and(|text| !text.contains(&way.join(".")));
        assert!(right, "{}: {told:?}", way.join("."));
    }
}

#[test]
fn what_is_no_yaml_is_told_without_what_it_holds() {
    let error = parse("exporters:\n  sentry: {dsn: secretvalue")
        .expect_err("no YAML")
        .to_string();
    assert!(
        error.starts_with("otlp.yml is no YAML: ") && !error.contains("secretvalue"),
        "{error}"
    );
}

#[rstest]
#[case("- a")]
#[case("a")]
fn a_file_without_keys_is_told(#[case] text: &str) {
    let error = parse(text).expect_err("no keys").to_string();
    assert_eq!(error, "otlp.yml must hold keys with values");
}

#[test]
fn files_that_are_named_are_checked() {
    let config = config(
        &receiver("grpc: {tls: {cert_file: /nowhere/a.pem, key_file: /nowhere/b.pem}}")
            .replace("    dsn:", "    ca_certificate: /nowhere/c.pem\n    dsn:"),
    );
    let error = config.check_files().expect_err("nothing").to_string();
    assert!(
        error.contains("`receivers.otlp.protocols.grpc.tls` is wrong: "),
        "{error}"
    );
    assert!(
        error.contains("`exporters.sentry.ca_certificate` is wrong: "),
        "{error}"
    );
}
