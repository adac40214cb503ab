//! A server that speaks TLS, and a tunnel to it: clients of plain sockets connect to the tunnel, which speaks
//! TLS with the server, verifies its certificate, and reads no faster than they do.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_rustls::TlsConnector;
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::pki_types::pem::PemObject as _;
use futures_rustls::rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use smol::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use smol::net::TcpStream;
use tempfile::TempDir;

use super::server::Setup;

/// A directory with a certificate and its key.
pub(crate) struct Certificate(TempDir);

impl Certificate {
    /// One of localhost, with a key on a curve.
    pub(crate) fn new() -> Self {
        let directory = Self(tempfile::tempdir().unwrap());
        directory.make(&[
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-days",
            "30",
        ]);
        directory
    }

    /// One with an RSA key.
    pub(crate) fn of_rsa() -> Self {
        let directory = Self(tempfile::tempdir().unwrap());
        directory.make(&["-newkey", "rsa:2048", "-days", "30"]);
        directory
    }

    /// One whose time has passed: its end is written over, since nobody here looks at who signed it.
    pub(crate) fn expired() -> Self {
        let this = Self::new();
        let text = std::fs::read_to_string(this.certificate()).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("-----"));
        let mut bytes = STANDARD.decode(lines.collect::<String>()).unwrap();
        let times = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&[0x17, 13]));
        let end = times.collect::<Vec<_>>()[1];
        bytes[end + 2..][..13].copy_from_slice(b"200101000000Z");
        let text = STANDARD.encode(bytes);
        let text = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        std::fs::write(this.certificate(), text).unwrap();
        this
    }

    fn make(&self, how: &[&str]) {
        let mut command = Command::new("openssl");
        command
            .args(["req", "-x509", "-nodes", "-subj", "/CN=localhost"])
            .args(how);
        command.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        command
            .arg("-keyout")
            .arg(self.key())
            .arg("-out")
            .arg(self.certificate());
        let output = command.output().expect("openssl");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.0.path().join("cert.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    /// Puts another one in its place, as tools that renew certificates do.
    pub(crate) fn replace_by(&self, other: &Self) {
        for (from, to) in [
            (other.key(), self.key()),
            (other.certificate(), self.certificate()),
        ] {
            let beside = to.with_extension("new");
            std::fs::copy(from, &beside).unwrap();
            std::fs::rename(beside, to).unwrap();
        }
    }

    /// A server that shows it.
    pub(crate) fn shown_by(&self, setup: Setup) -> Setup {
        let text = |path: PathBuf| path.display().to_string();
        setup
            .flag("tls-cert", &text(self.certificate()))
            .flag("tls-key", &text(self.key()))
    }
}

/// What a client trusts, and how it speaks.
pub(crate) fn trusting(certificate: &Path, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// Opens one connection.
///
/// # Errors
/// The handshake failed, in words.
pub(crate) async fn connect(
    server: SocketAddr,
    config: &Arc<ClientConfig>,
) -> Result<futures_rustls::client::TlsStream<TcpStream>, String> {
    let stream = TcpStream::connect(server)
        .await
        .map_err(|error| error.to_string())?;
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, stream);
    connecting.await.map_err(|error| error.to_string())
}

/// Where clients of plain sockets connect; it lives as long as the test process.
pub(crate) fn tunnel(server: SocketAddr, config: ClientConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for plain in listener.incoming() {
            let config = Arc::clone(&config);
            // A thread each: tests have a handful.
            std::thread::spawn(move || {
                let plain = smol::Async::new(plain.unwrap()).unwrap();
                smol::block_on(async {
                    let secret = connect(server, &config).await.unwrap();
                    let (ours, theirs) = (smol::io::split(plain), smol::io::split(secret));
                    smol::future::zip(carry(ours.0, theirs.1), carry(theirs.0, ours.1)).await;
                });
            });
        }
    });
    address
}

/// Carries what comes one way, and then its end.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut chunk = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        if to.write_all(&chunk[..read]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    to.close().await.unwrap_or_default();
}
