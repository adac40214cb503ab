//! Encrypted connections.
//!
//! Owns [`Verifier`]. Must not send anything by itself. Key invariant: there is no way to switch the check of
//! the certificate off.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use async_io::Async;
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::pki_types::pem::PemObject as _;
use futures_rustls::rustls::pki_types::{CertificateDer, ServerName};
use futures_rustls::rustls::{ClientConfig, RootCertStore};

use super::super::Trouble;

/// Whom to trust.
#[derive(Clone)]
pub(super) struct Verifier(TlsConnector);

fn trouble(error: impl std::fmt::Display) -> Trouble {
    Trouble::Tls(error.to_string())
}

impl Verifier {
    /// Trusts the authorities of a file, or else those that the system trusts.
    pub(super) fn new(file: Option<&Path>) -> Result<Self, Trouble> {
        let mut roots = RootCertStore::empty();
        let added = match file {
            Some(path) => {
                let named = |error| Trouble::Tls(format!("sslrootcert {}: {error}", path.display()));
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
            let words = "there is no certificate of an authority to trust; give one by sslrootcert=FILE";
            return Err(Trouble::Tls(words.to_owned()));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(trouble)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config).into()))
    }

    /// Encrypts a connection to the host of this name.
    pub(super) async fn encrypt(
        &self,
        host: &str,
        stream: Async<TcpStream>,
    ) -> Result<TlsStream<Async<TcpStream>>, Trouble> {
        let name = ServerName::try_from(host.to_owned()).map_err(trouble)?;
        self.0.connect(name, stream).await.map_err(trouble)
    }
}
