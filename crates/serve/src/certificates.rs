//! Certificates, keys and authorities, and what is asked of a client's certificate.

use crate::web_config::{ClientAuth, Pem, TlsSettings};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read the {what} {}: {source}", path.display())]
    Read {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// Says what is wrong, where, and what to do.
    #[error("{0}")]
    Setup(String),
}

impl TlsSettings {
    /// Reads the certificates and keys.
    ///
    /// # Errors
    /// When a file cannot be read, or what it holds cannot be used.
    pub fn check(&self) -> Result<(), String> {
        let checked = Material::read(self)
            .and_then(|material| server_config(self, &material, &[]).map(|_| ()));
        checked.map_err(|error| error.to_string())
    }
}

/// The bytes that TLS is made of, as they stand in their files now.
pub(crate) struct Material {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

fn bytes(pem: &Pem, what: &'static str) -> Result<Vec<u8>, TlsError> {
    match pem {
        Pem::Inline(text) => Ok(text.expose_secret().as_bytes().to_vec()),
        Pem::File(path) => std::fs::read(path).map_err(|source| TlsError::Read {
            what,
            path: path.clone(),
            source,
        }),
    }
}

impl Material {
    pub(crate) fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let client_ca = settings.client_ca.as_ref();
        Ok(Self {
            certificate: bytes(&settings.certificate, "certificate")?,
            key: bytes(&settings.key, "key")?,
            client_ca: client_ca
                .map(|pem| bytes(pem, "client authorities"))
                .transpose()?,
        })
    }

    /// Equal for equal material.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let parts = [
            Some(&self.certificate),
            Some(&self.key),
            self.client_ca.as_ref(),
        ];
        for part in parts {
            hasher.update(
                part.map_or(u64::MAX, |part| part.len() as u64)
                    .to_le_bytes(),
            );
            hasher.update(part.map_or(&[][..], Vec::as_slice));
        }
        hasher.finalize().into()
    }
}

/// Where the text is from, for a message.
fn origin(pem: &Pem, inline: &str) -> String {
    match pem {
        Pem::File(path) => path.display().to_string(),
        Pem::Inline(_) => format!("`tls_server_config.{inline}`"),
    }
}

fn certificates(pem: &[u8], origin: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| {
        TlsError::Setup(format!("{origin} is damaged: {error}; it must be PEM text"))
    })?;
    if found.is_empty() {
        let text =
            format!("{origin} holds no certificate; it must be PEM text with `BEGIN CERTIFICATE`");
        return Err(TlsError::Setup(text));
    }
    Ok(found)
}

/// What a handshake needs. `protocols` are those of ALPN, most wanted first.
pub(crate) fn server_config(
    settings: &TlsSettings,
    material: &Material,
    protocols: &[&str],
) -> Result<ServerConfig, TlsError> {
    let from = origin(&settings.certificate, "cert");
    let chain = certificates(&material.certificate, &from)?;
    let key_from = origin(&settings.key, "key");
    let key = PrivateKeyDer::from_pem_slice(&material.key).map_err(|_| {
        TlsError::Setup(format!(
            "{key_from} holds no private key; it must be PEM text with a key that is not encrypted"
        ))
    })?;
    let provider = Arc::new(CryptoProvider {
        cipher_suites: settings.suites.clone(),
        kx_groups: settings.groups.clone(),
        ..ring::default_provider()
    });
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&settings.versions)
        .map_err(|error| {
            TlsError::Setup(format!(
                "`tls_server_config` leaves no way to connect: {error}; check min_version, max_version and cipher_suites"
            ))
        })?;
    let builder = match verifier(settings, material, &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        TlsError::Setup(match error {
            Error::InconsistentKeys(_) => {
                format!("the key {key_from} does not belong to the certificate {from}")
            }
            error => {
                format!("the certificate {from} and the key {key_from} cannot be used: {error}")
            }
        })
    })?;
    config.ignore_client_order = settings.prefer_own_suites;
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Ok(config)
}

fn verifier(
    settings: &TlsSettings,
    material: &Material,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let inner = match settings.client_auth {
        ClientAuth::None => return Ok(None),
        ClientAuth::Request | ClientAuth::RequireAny => None,
        ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify => {
            Some(authorities(settings, material, provider)?)
        }
    };
    Ok(Some(Arc::new(ClientCertificate {
        mandatory: matches!(
            settings.client_auth,
            ClientAuth::RequireAny | ClientAuth::RequireAndVerify
        ),
        inner,
        allowed_sans: settings.client_allowed_sans.clone(),
        provider: Arc::clone(provider),
    })))
}

fn authorities(
    settings: &TlsSettings,
    material: &Material,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let from = settings
        .client_ca
        .as_ref()
        .map(|pem| origin(pem, "client_ca"));
    let from = from.unwrap_or_default();
    let unusable = |error: &dyn std::fmt::Display| {
        TlsError::Setup(format!(
            "the client authorities {from} cannot be used: {error}"
        ))
    };
    let mut roots = RootCertStore::empty();
    let pem = material.client_ca.as_deref().unwrap_or_default();
    for certificate in certificates(pem, &from)? {
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| unusable(&error))
}

/// What is asked of a client's certificate.
#[derive(Debug)]
struct ClientCertificate {
    mandatory: bool,
    /// Who looks at its authority; without, any certificate is taken whose key the client holds.
    inner: Option<Arc<dyn ClientCertVerifier>>,
    allowed_sans: Vec<String>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for ClientCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner
            .as_ref()
            .map_or(&[], |inner| inner.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(inner) = &self.inner {
            inner.verify_client_cert(end_entity, intermediates, now)?;
        }
        if !self.allowed_sans.is_empty() {
            let names = names(end_entity)?;
            if !names.iter().any(|name| self.allowed_sans.contains(name)) {
                log::debug!(
                    "client certificate refused: none of its names is in client_allowed_sans"
                );
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The names that a certificate holds: of hosts, of mail, of addresses, and URIs.
fn names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, Error> {
    let damaged = || Error::from(CertificateError::BadEncoding);
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| damaged())?;
    let names = parsed.subject_alternative_name().map_err(|_| damaged())?;
    let names = names.map(|extension| &extension.value.general_names);
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            bytes => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string()),
        },
        _ => None,
    };
    Ok(names.into_iter().flatten().filter_map(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    #[test]
    fn all_names_of_a_certificate_count() {
        let mut params = CertificateParams::new(vec!["a.example.com".to_owned()]).expect("names");
        params.subject_alt_names.extend([
            SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
            SanType::IpAddress(Ipv6Addr::LOCALHOST.into()),
            SanType::Rfc822Name("me@example.com".try_into().expect("a text")),
            SanType::URI("spiffe://example.com/x".try_into().expect("a text")),
        ]);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let names = names(certificate.der()).expect("names");
        let expected = [
            "a.example.com",
            "127.0.0.1",
            "::1",
            "me@example.com",
            "spiffe://example.com/x",
        ];
        assert_eq!(names, expected);
        assert!(super::names(&CertificateDer::from(vec![0x30, 1])).is_err());
    }
}
