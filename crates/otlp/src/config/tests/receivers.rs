//! What is refused in receivers.

use super::*;

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
#[case::the_path_of_health(
    "http: {traces_url_path: /-/healthy}",
    "`receivers.otlp.protocols.http.traces_url_path` must not begin with /-/"
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
