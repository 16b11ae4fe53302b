//! Cipher suites, curves and versions of TLS by the names that Go gives them.

use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::{ALL_CIPHER_SUITES, ALL_KX_GROUPS};
use rustls::{
    NamedGroup, ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion, version,
};

/// Go's names of versions, oldest first. The first two are out of use, and rustls has them not.
pub(crate) const VERSIONS: [&str; 4] = ["TLS10", "TLS11", "TLS12", "TLS13"];

/// The version of that name, if it is supported.
pub(crate) fn version(name: &str) -> Option<&'static SupportedProtocolVersion> {
    match name {
        "TLS12" => Some(&version::TLS12),
        "TLS13" => Some(&version::TLS13),
        _ => None,
    }
}

/// Go's name of a suite.
fn suite_name(suite: &SupportedCipherSuite) -> String {
    let name = suite.suite().as_str().unwrap_or_default();
    name.replace("TLS13_", "TLS_")
}

/// The suite of that name, if it is supported. Go knows some by two names.
pub(crate) fn suite(name: &str) -> Option<SupportedCipherSuite> {
    let wanted = match name {
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305" | "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305" => {
            format!("{name}_SHA256")
        }
        _ => name.to_owned(),
    };
    ALL_CIPHER_SUITES
        .iter()
        .find(|suite| suite_name(suite) == wanted)
        .copied()
}

pub(crate) fn suites() -> String {
    let names: Vec<_> = ALL_CIPHER_SUITES.iter().map(suite_name).collect();
    names.join(", ")
}

/// Whether the suite is of TLS 1.3, all of which are always offered, as Go does it.
pub(crate) fn always(suite: &SupportedCipherSuite) -> bool {
    suite.version().version == ProtocolVersion::TLSv1_3
}

/// Go's name of a curve.
fn curve_name(group: NamedGroup) -> &'static str {
    match group {
        NamedGroup::X25519 => "X25519",
        NamedGroup::secp256r1 => "CurveP256",
        NamedGroup::secp384r1 => "CurveP384",
        _ => "",
    }
}

/// The curve of that name, if it is supported.
pub(crate) fn curve(name: &str) -> Option<&'static dyn SupportedKxGroup> {
    let named = |group: &&&'static dyn SupportedKxGroup| curve_name(group.name()) == name;
    ALL_KX_GROUPS.iter().find(named).copied()
}

pub(crate) fn curves() -> String {
    let names: Vec<_> = ALL_KX_GROUPS
        .iter()
        .map(|group| curve_name(group.name()))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("TLS_AES_128_GCM_SHA256", true)]
    #[case("TLS_CHACHA20_POLY1305_SHA256", true)]
    #[case("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", true)]
    #[case("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", true)]
    #[case("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", true)]
    #[case("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", false)]
    #[case("TLS_RSA_WITH_AES_128_GCM_SHA256", false)]
    #[case("TLS13_AES_128_GCM_SHA256", false)]
    #[case("", false)]
    fn a_suite_is_found_by_gos_name(#[case] name: &str, #[case] found: bool) {
        assert_eq!(suite(name).is_some(), found);
    }

    #[test]
    fn what_is_supported_can_be_told() {
        assert_eq!(curves(), "X25519, CurveP256, CurveP384");
        for name in suites().split(", ") {
            assert!(suite(name).is_some(), "{name}");
        }
        assert_eq!(suites().split(", ").count(), 9);
        assert!(curve("CurveP521").is_none() && curve("").is_none());
    }
}
