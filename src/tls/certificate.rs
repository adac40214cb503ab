//! The certificate that the server shows, and its key: from files, and anew when these change.
//!
//! Owns [`Certificates`]. Must not know sockets or settings. Key invariants: what is shown is a chain and a
//! key that fit; files that are of no use change nothing; no byte of a key is in a message. Tests:
//! `tls/tests.rs`, tests/it/tls.rs.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, fs};

use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::pki_types::pem::{self, PemObject as _};
use futures_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::{Error, ServerConfig};

use super::records::{Broken, Session};
use super::validity;

/// The one protocol that is spoken over it.
const PROTOCOL: &[u8] = b"http/1.1";

/// Why files give no certificate to show. Its `Display` is one line that says what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CertificateError {
    /// The file of this flag cannot be read.
    Unreadable(&'static str, PathBuf, String),
    /// The file has no certificate.
    NoCertificate(PathBuf),
    /// The file has no key.
    NoKey(PathBuf),
    /// The key is of another certificate.
    OtherKey(PathBuf, PathBuf),
    /// TLS has no use for them, in its words.
    Unusable(PathBuf, String),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(flag, path, why) => write!(f, "--{flag} {}: {why}", path.display()),
            Self::NoCertificate(path) => write!(
                f,
                "--tls-cert {} has no certificate; expected PEM: that of the server first, then those that lead to an authority",
                path.display()
            ),
            Self::NoKey(path) => write!(
                f,
                "--tls-key {} has no private key; expected PEM: BEGIN PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY, not encrypted",
                path.display()
            ),
            Self::OtherKey(certificate, key) => write!(
                f,
                "--tls-key {} is not the key of the first certificate in --tls-cert {}; expected the two that were made together",
                key.display(),
                certificate.display()
            ),
            Self::Unusable(path, why) => write!(f, "--tls-cert {} is of no use: {why}", path.display()),
        }
    }
}

impl std::error::Error for CertificateError {}

/// What tells one state of the two files from another.
type Stamp = [Option<(u64, u64, SystemTime)>; 2];

/// Which state of the files is in use, or was found to be of no use, and which was seen last.
#[derive(Debug)]
struct Seen {
    taken: Stamp,
    last: Stamp,
}

/// A certificate and its key, of two files.
pub(crate) struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    shown: Mutex<Shown>,
    seen: Mutex<Seen>,
}

/// What new connections are shown.
#[derive(Clone)]
struct Shown {
    config: Arc<ServerConfig>,
    ends_at: Option<Duration>,
}

/// What was read and is not shown yet.
pub(crate) struct Next {
    stamp: Stamp,
    shown: Shown,
}

impl Certificates {
    /// Reads both files.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub(crate) fn load(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let stamp = stamp(certificate, key);
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            shown: Mutex::new(read(certificate, key)?),
            seen: Mutex::new(Seen {
                taken: stamp,
                last: stamp,
            }),
        })
    }

    /// Reads both files anew: new connections get what they hold, open ones go on as they are.
    ///
    /// # Errors
    /// [`CertificateError`]; what was shown before is shown on.
    pub(crate) fn reload(&self) -> Result<(), CertificateError> {
        // Before they are read: a change meanwhile is seen at the next look.
        self.seen().taken = stamp(&self.certificate, &self.key);
        *self.shown() = read(&self.certificate, &self.key)?;
        Ok(())
    }

    /// Reads both files where they have changed, and shows nobody what they hold before [`Self::take`] is
    /// told to.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub(crate) fn prepare(&self) -> Result<Option<Next>, CertificateError> {
        let stamp = stamp(&self.certificate, &self.key);
        if stamp == self.seen().taken {
            return Ok(None);
        }
        let shown = read(&self.certificate, &self.key)?;
        Ok(Some(Next { stamp, shown }))
    }

    /// Shows new connections what was read.
    pub(crate) fn take(&self, next: Next) {
        self.seen().taken = next.stamp;
        *self.shown() = next.shown;
    }

    /// Looks at the files; reads them anew where they have changed, and did not since the look before: two
    /// files are not written at once. `None` where nothing was read.
    pub(crate) fn look(&self) -> Option<Result<(), CertificateError>> {
        let now = stamp(&self.certificate, &self.key);
        let is_due = {
            let mut seen = self.seen();
            let before = std::mem::replace(&mut seen.last, now);
            now != seen.taken && now == before
        };
        is_due.then(|| self.reload())
    }

    /// Whether its time has passed, so that no client takes it.
    pub(crate) fn is_expired(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.shown().ends_at.is_some_and(|end| end < now)
    }

    /// A session of somebody who has just come.
    ///
    /// # Errors
    /// The configuration is of no use.
    pub(crate) fn session(&self) -> Result<Session, Broken> {
        let config = Arc::clone(&self.shown().config);
        Session::new(config)
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state that the two files are in.
fn stamp(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| {
        let found = fs::metadata(path).ok()?;
        Some((found.ino(), found.size(), found.modified().ok()?))
    })
}

/// Reads the two files.
fn read(certificate: &Path, key: &Path) -> Result<Shown, CertificateError> {
    let chain = chain(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
        pem::Error::NoItemsFound => CertificateError::NoKey(key.to_owned()),
        error => unreadable("tls-key", key, error),
    })?;
    let ends_at = chain.first().and_then(|first| validity::ends_at(first));
    let unusable = |error: Error| match error {
        Error::InconsistentKeys(_) => CertificateError::OtherKey(certificate.to_owned(), key.to_owned()),
        error => CertificateError::Unusable(certificate.to_owned(), error.to_string()),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unusable)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // Who comes back needs no second signature, and nothing is kept for it here.
    config.ticketer = ring::Ticketer::new().map_err(unusable)?;
    Ok(Shown {
        config: Arc::new(config),
        ends_at,
    })
}

/// The certificates of a file: that of the server first.
///
/// # Errors
/// [`CertificateError`].
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| unreadable("tls-cert", path, error))?;
    match found.is_empty() {
        true => Err(CertificateError::NoCertificate(path.to_owned())),
        false => Ok(found),
    }
}

fn unreadable(flag: &'static str, path: &Path, error: pem::Error) -> CertificateError {
    let why = match error {
        pem::Error::Io(error) => match error.kind() {
            io::ErrorKind::PermissionDenied => "the server may not read it".to_owned(),
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => error.to_string(),
        },
        // The words of the others may hold lines of the file.
        _ => "it is not PEM".to_owned(),
    };
    CertificateError::Unreadable(flag, path.to_owned(), why)
}
