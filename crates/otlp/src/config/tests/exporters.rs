//! What is refused in exporters.

use super::*;

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
