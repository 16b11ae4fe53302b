//! Whose certificates are taken.

use crate::config::http::Http;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::fmt::Display;
use std::sync::Arc;
use tap_sentry_api::connection::{ConnectError, authorities};

/// TLS to servers whose authority the system or the settings know, or to any where the settings say so.
///
/// # Errors
/// When the authorities of the settings cannot be used.
pub fn config(settings: &Http) -> Result<ClientConfig, ConnectError> {
    let setup = |what: &str, error: &dyn Display| ConnectError::Setup(format!("{what}: {error}"));
    let provider = Arc::new(ring::default_provider());
    let trusted = settings.ca_certificate.as_deref().map(authorities);
    let trusted = trusted.transpose()?;
    let verifier: Arc<dyn ServerCertVerifier> = if settings.insecure_skip_verify {
        Arc::new(Anybody(Arc::clone(&provider)))
    } else {
        let what = match &trusted {
            Some(_) => "`ca_certificate`",
            None => "the system's authorities cannot be used",
        };
        let verifier =
            Verifier::new_with_extra_roots(trusted.unwrap_or_default(), Arc::clone(&provider));
        Arc::new(verifier.map_err(|error| setup(what, &error))?)
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| setup("cannot set up TLS", &error))?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Takes every certificate.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// Also what ring cannot check, as nothing is checked.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.0.signature_verification_algorithms.supported_schemes();
        schemes.extend([
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PKCS1_SHA1,
            SignatureScheme::ECDSA_SHA1_Legacy,
        ]);
        schemes
    }
}
