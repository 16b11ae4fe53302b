//! Files that cannot be used.

use super::*;

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
