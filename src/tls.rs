//! Encrypted connections: to others (the database, and whoever is sent something), and, below, of clients.
//!
//! Owns [`Verifier`]. Must not send anything by itself. Key invariant: there is no way to switch the check of
//! the certificate off.
//! Tests: those of `store::postgres`, and of `client`; `tls/tests.rs`; tests/it/tls.rs.

mod certificate;
mod records;
#[cfg(test)]
mod tests;
mod validity;

pub(crate) use certificate::Certificates;
pub(crate) use records::{HANDSHAKE, RECORD_BYTES, SEALED_BYTES, Session};

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use futures_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use futures_rustls::rustls::pki_types::pem::PemObject as _;
use futures_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use futures_rustls::rustls::{
    CertificateError as Refused, ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, RootCertStore,
    SignatureScheme,
};
use smol::io::{AsyncRead, AsyncWrite};

/// Why there is no encrypted connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TlsError {
    /// This machine has nobody whose certificates it trusts.
    Authorities(String),
    /// The other side's certificate is not trusted, or of another name; in the words of TLS.
    Certificate(String),
    /// Another step of the handshake failed; in the words of TLS.
    Handshake(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorities(words) | Self::Certificate(words) | Self::Handshake(words) => {
                f.write_str(words)
            }
        }
    }
}

impl std::error::Error for TlsError {}

/// Whom to trust.
#[derive(Clone)]
pub(crate) struct Verifier(TlsConnector);

fn failed(error: io::Error) -> TlsError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(_)) => TlsError::Certificate(error.to_string()),
        _ => TlsError::Handshake(error.to_string()),
    }
}

impl Verifier {
    /// Trusts the authorities of a file, or else those that the system trusts. It reads files.
    pub(crate) fn new(file: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        let added = match file {
            Some(path) => {
                let named = |error| TlsError::Authorities(format!("sslrootcert {}: {error}", path.display()));
                let found = CertificateDer::pem_file_iter(path).map_err(named)?;
                let found: Vec<_> = found.collect::<Result<_, _>>().map_err(named)?;
                roots.add_parsable_certificates(found).0
            }
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs).0
            }
        };
        if added == 0 {
            let words = "there is no certificate of an authority to trust";
            let way = file.map_or(
                "install ca-certificates, or name a file by SSL_CERT_FILE",
                |_| "give one by sslrootcert=FILE",
            );
            return Err(TlsError::Authorities(format!("{words}; {way}")));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Handshake(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config).into()))
    }

    /// Trusts whoever has the key of the first certificate of a file, whatever name that is of, and nobody
    /// else: a server on this machine is asked by address, which no authority vouches for. It reads the file.
    pub(crate) fn of_owner(file: &Path) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(Self::config_of_owner(file)?).into()))
    }

    fn config_of_owner(file: &Path) -> Result<ClientConfig, TlsError> {
        let chain = certificate::chain(file).map_err(|error| TlsError::Authorities(error.to_string()))?;
        let provider = ring::default_provider();
        let algorithms = provider.signature_verification_algorithms;
        let only = chain.into_iter().next();
        Ok(ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Handshake(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Only { only, algorithms }))
            .with_no_client_auth())
    }

    /// Encrypts a connection to the host of this name.
    pub(crate) async fn encrypt<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        stream: S,
    ) -> Result<TlsStream<S>, TlsError> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| TlsError::Handshake(error.to_string()))?;
        self.0.connect(name, stream).await.map_err(failed)
    }
}

/// Trusts one certificate.
#[derive(Debug)]
struct Only {
    only: Option<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Only {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.only.as_ref() == Some(shown) {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Refused::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, shown, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, shown, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The version that was agreed on, and the certificate of the other side (DER).
pub(crate) fn seen<S>(stream: &TlsStream<S>) -> (&'static str, Option<&[u8]>) {
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    };
    let first = session.peer_certificates().and_then(<[_]>::first);
    (version, first.map(AsRef::as_ref))
}
