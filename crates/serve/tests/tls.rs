//! TLS and client certificates, by the web configuration file.

mod common;

use common::{Program, Running, hash};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use rstest::rstest;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tap_sentry_serve::server::{ServeError, check};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
#[derive(Clone)]
struct Identity {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn identity(&self, names: Vec<SanType>, purpose: ExtendedKeyUsagePurpose) -> Identity {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    fn server(&self) -> Identity {
        let address = SanType::IpAddress([127, 0, 0, 1].into());
        self.identity(vec![address], ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn client(&self, name: &str) -> Identity {
        let name = SanType::DnsName(name.try_into().expect("a name"));
        self.identity(vec![name], ExtendedKeyUsagePurpose::ClientAuth)
    }
}

/// A client of one request for each connection.
struct Client {
    trusted: RootCertStore,
    identity: Option<Identity>,
    protocols: &'static [&'static str],
    versions: Vec<&'static SupportedProtocolVersion>,
}

/// What the client sees.
struct Seen {
    /// The whole answer, head and body; empty where HTTP/2 was agreed on.
    answer: String,
    certificate: CertificateDer<'static>,
    protocol: Option<String>,
}

impl Client {
    fn of(authority: &Authority) -> Self {
        let mut trusted = RootCertStore::empty();
        trusted
            .add(authority.0.der().clone())
            .expect("a certificate");
        Self {
            trusted,
            identity: None,
            protocols: &[],
            versions: vec![&version::TLS12, &version::TLS13],
        }
    }

    fn config(&self) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .expect("versions")
            .with_root_certificates(self.trusted.clone());
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(vec![der(&identity.certificate)], key(&identity.key))
                .expect("an identity"),
        };
        config.alpn_protocols = self
            .protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        config
    }

    async fn ask(&self, address: SocketAddr) -> io::Result<Seen> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::from(address.ip());
        let connector = tokio_rustls::TlsConnector::from(Arc::new(self.config()));
        let mut stream = connector.connect(name, stream).await?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().expect("certificates")[0]
            .clone()
            .into_owned();
        let protocol = session
            .alpn_protocol()
            .map(|name| String::from_utf8_lossy(name).into_owned());
        let mut answer = String::new();
        if protocol.as_deref() != Some("h2") {
            let request = b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await?;
            stream.read_to_string(&mut answer).await?;
        }
        Ok(Seen {
            answer,
            certificate,
            protocol,
        })
    }

    async fn is_served(&self, server: &Running) -> bool {
        match self.ask(server.addresses[0]).await {
            Ok(seen) => {
                assert!(
                    seen.answer.starts_with("HTTP/1.1 200 OK\r\n"),
                    "{}",
                    seen.answer
                );
                true
            }
            Err(_) => false,
        }
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key")
}

fn write_identity(write: impl Fn(&str, &str), identity: &Identity) {
    write("cert.pem", &identity.certificate);
    write("key.pem", &identity.key);
}

/// A server with a certificate of the authority, and more lines of `tls_server_config`.
fn program(authority: &Authority, more: &str) -> Program {
    let program = Program::with_web(&web(more));
    write_identity(
        |name, text| _ = program.write(name, text),
        &authority.server(),
    );
    program.write("ca.pem", &authority.pem());
    program
}

fn web(more: &str) -> String {
    format!("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n  {more}\n")
}

/// What is told at the start, and by the check without one.
async fn told(program: Program) -> String {
    let path = program.server.web_config.clone().expect("a file");
    let checked = check(&path).expect_err("wrong").to_string();
    let told = told_at_start(program).await;
    assert_eq!(checked, told);
    told
}

async fn told_at_start(program: Program) -> String {
    match program.try_start().await {
        Err(error @ ServeError::Tls { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("a server"),
    }
}

#[tokio::test]
async fn a_certificate_is_read_for_every_connection() {
    let authority = Authority::new();
    let program = program(&authority, "");
    check(program.server.web_config.as_ref().expect("a file")).expect("right");
    let server = program.start().await;
    let (client, address) = (Client::of(&authority), server.addresses[0]);
    let first = client.ask(address).await.expect("an answer").certificate;
    assert_eq!(
        client.ask(address).await.expect("an answer").certificate,
        first
    );
    let renewed = authority.server();
    write_identity(|name, text| server.write(name, text), &renewed);
    let second = client.ask(address).await.expect("an answer").certificate;
    assert!(second != first && second == der(&renewed.certificate));
}

#[tokio::test]
async fn a_request_without_tls_is_told_so() {
    let authority = Authority::new();
    let server = program(&authority, "").start().await;
    let answer = server.get("/hello").await;
    answer.is(400, "Client sent an HTTP request to an HTTPS server.\n");
    assert!(Client::of(&authority).is_served(&server).await);
}

#[tokio::test]
async fn files_gone_bad_refuse_handshakes_until_they_are_repaired() {
    let authority = Authority::new();
    let server = program(&authority, "").start().await;
    let (client, address) = (Client::of(&authority), server.addresses[0]);
    let good = authority.server();
    for (name, text) in [
        ("cert.pem", ""),
        (
            "cert.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
        ("key.pem", "no key"),
        ("key.pem", &authority.server().key),
        ("web.yml", "tls_server_config: {cert_file: cert.pem}"),
        ("web.yml", "{"),
        ("web.yml", ""),
    ] {
        server.write("web.yml", &web(""));
        write_identity(|name, text| server.write(name, text), &good);
        assert!(client.is_served(&server).await);
        server.write(name, text);
        let refused = client
            .ask(address)
            .await
            .err()
            .expect("refused")
            .to_string();
        assert!(
            refused.contains("InternalError"),
            "{name} {text}: {refused}"
        );
    }
    server.write("web.yml", &web(""));
    assert!(client.is_served(&server).await);
    std::fs::remove_file(server.folder.path().join("key.pem")).expect("removed");
    assert!(!client.is_served(&server).await);
}

#[tokio::test]
async fn a_connection_outlives_the_files_but_its_requests_do_not() {
    let authority = Authority::new();
    let server = program(&authority, "").start().await;
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(authority.pem().as_bytes()).expect("PEM")])
        .build()
        .expect("a client");
    let url = server.url("/hello").replace("http:", "https:");
    let status = async || {
        client
            .get(&url)
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16()
    };
    assert_eq!(status().await, 200);
    std::fs::remove_file(server.folder.path().join("cert.pem")).expect("removed");
    assert_eq!(status().await, 200, "on the same connection");
    server.write("web.yml", "{");
    assert_eq!(status().await, 500);
    let users = format!("basic_auth_users: {{alice: {}}}\n", hash("right"));
    server.write("web.yml", &(web("") + &users));
    assert_eq!(status().await, 401);
}

#[rstest]
#[case::none("NoClientCert", None, [true, true, true])]
#[case::requested("RequestClientCert", None, [true, true, true])]
#[case::any("RequireAnyClientCert", None, [false, true, true])]
#[case::any_by_its_older_name("RequireClientCert", None, [false, true, true])]
#[case::if_given("VerifyClientCertIfGiven", Some("ca.pem"), [true, true, false])]
#[case::verified("RequireAndVerifyClientCert", Some("ca.pem"), [false, true, false])]
#[tokio::test]
async fn client_certificates_are_asked_for(
    #[case] kind: &str,
    #[case] ca: Option<&str>,
    #[case] served: [bool; 3],
    #[values(&version::TLS12, &version::TLS13)] version: &'static SupportedProtocolVersion,
) {
    let (authority, other) = (Authority::new(), Authority::new());
    let ca = ca
        .map(|ca| format!("client_ca_file: {ca}"))
        .unwrap_or_default();
    let server = program(&authority, &format!("client_auth_type: {kind}\n  {ca}"))
        .start()
        .await;
    let mut client = Client::of(&authority);
    client.versions = vec![version];
    let identities = [None, Some(authority.client("a")), Some(other.client("a"))];
    for (identity, served) in identities.into_iter().zip(served) {
        client.identity = identity;
        assert_eq!(client.is_served(&server).await, served);
    }
}

#[rstest]
#[case::verified("RequireAndVerifyClientCert\n  client_ca_file: ca.pem")]
#[case::any("RequireAnyClientCert")]
#[tokio::test]
async fn names_of_client_certificates_are_checked(#[case] kind: &str) {
    let authority = Authority::new();
    let more =
        format!("client_allowed_sans: [b.example.com, a.example.com]\n  client_auth_type: {kind}");
    let server = program(&authority, &more).start().await;
    let mut client = Client::of(&authority);
    for (name, served) in [
        ("a.example.com", true),
        ("b.example.com", true),
        ("c.example.com", false),
        ("example.com", false),
    ] {
        client.identity = Some(authority.client(name));
        assert_eq!(client.is_served(&server).await, served, "{name}");
    }
    client.identity = Some(authority.identity(vec![], ExtendedKeyUsagePurpose::ClientAuth));
    assert!(!client.is_served(&server).await);
    client.identity = None;
    assert!(!client.is_served(&server).await);
}

#[tokio::test]
async fn another_authority_of_clients_counts_at_the_next_connection() {
    let (authority, other) = (Authority::new(), Authority::new());
    let more = "client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem";
    let server = program(&authority, more).start().await;
    let mut client = Client::of(&authority);
    client.identity = Some(other.client("a"));
    assert!(!client.is_served(&server).await);
    server.write("ca.pem", &(authority.pem() + &other.pem()));
    assert!(client.is_served(&server).await);
    server.write("ca.pem", &authority.pem());
    assert!(!client.is_served(&server).await);
}

#[rstest]
#[case::on("true", Some("h2"))]
#[case::off("false", Some("http/1.1"))]
#[tokio::test]
async fn http2_is_offered_or_not(#[case] http2: &str, #[case] protocol: Option<&str>) {
    let authority = Authority::new();
    let program = program(&authority, "");
    program.write(
        "web.yml",
        &(web("") + &format!("http_server_config: {{http2: {http2}}}\n")),
    );
    let server = program.start().await;
    let mut client = Client::of(&authority);
    client.protocols = &["h2", "http/1.1"];
    let seen = client.ask(server.addresses[0]).await.expect("an answer");
    assert_eq!(seen.protocol.as_deref(), protocol);
    client.protocols = &[];
    assert!(client.is_served(&server).await);
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(authority.pem().as_bytes()).expect("PEM")])
        .build()
        .expect("a client");
    let url = server.url("/hello").replace("http:", "https:");
    let response = client.get(url).send().await.expect("an answer");
    let expected = if protocol == Some("h2") {
        reqwest::Version::HTTP_2
    } else {
        reqwest::Version::HTTP_11
    };
    assert_eq!(
        (response.version(), response.status().as_u16()),
        (expected, 200)
    );
}

#[tokio::test]
async fn versions_are_kept_to() {
    let authority = Authority::new();
    for (more, tls12, tls13) in [
        ("", true, true),
        ("min_version: TLS13", false, true),
        ("max_version: TLS12", true, false),
        (
            "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]",
            true,
            true,
        ),
        (
            "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]",
            false,
            true,
        ),
        ("curve_preferences: [CurveP384]", true, true),
    ] {
        let server = program(&authority, more).start().await;
        let mut client = Client::of(&authority);
        for (version, served) in [(&version::TLS12, tls12), (&version::TLS13, tls13)] {
            client.versions = vec![version];
            assert_eq!(
                client.is_served(&server).await,
                served,
                "{more} {version:?}"
            );
        }
    }
}

#[tokio::test]
async fn pem_text_may_stand_in_the_configuration() {
    let authority = Authority::new();
    let indented = |pem: &str| pem.replace('\n', "\n    ");
    let identity = authority.server();
    let server = Program::with_web(&format!(
        "tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n  cert: |\n    {}\n  key: |\n    {}\n  client_ca: |\n    {}\n",
        indented(&identity.certificate),
        indented(&identity.key),
        indented(&authority.pem())
    ))
    .start()
    .await;
    let mut client = Client::of(&authority);
    assert!(!client.is_served(&server).await);
    client.identity = Some(authority.client("a"));
    assert!(client.is_served(&server).await);
}

#[tokio::test]
async fn files_that_are_wrong_at_the_start_are_told() {
    let authority = Authority::new();
    let verified = "client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem";
    for (name, text, problem) in [
        ("cert.pem", "", "cert.pem holds no certificate"),
        ("key.pem", "", "key.pem holds no private key"),
        (
            "key.pem",
            authority.server().key.as_str(),
            "does not belong to the certificate",
        ),
        ("ca.pem", "", "ca.pem holds no certificate"),
        (
            "ca.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "ca.pem cannot be used",
        ),
    ] {
        let program = program(&authority, verified);
        program.write(name, text);
        let told = told(program).await;
        assert!(told.contains(problem) && told.contains("web.yml"), "{told}");
        assert!(!told.contains("PRIVATE"), "{told}");
    }
    let program = program(&authority, verified);
    std::fs::remove_file(program.folder.path().join("key.pem")).expect("removed");
    assert!(told(program).await.contains("cannot read the key "));
}
