//! What stands for TLS with clients in a build without the feature `tls`: there is no certificate, and so no
//! session.

use std::fmt;
use std::path::Path;

/// Bytes that one record holds, at most.
pub(crate) const RECORD_BYTES: usize = 1;

/// Bytes that such a record takes.
pub(crate) const SEALED_BYTES: usize = 1;

/// The first byte of a handshake.
pub(crate) const HANDSHAKE: u8 = 22;

/// What there is none of. Others need not know, so that their code is not taken for unreachable.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Nothing {}

/// Nothing breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken(Nothing);

/// Why there are no certificates.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CertificateError;

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("--tls-cert is of no use: this build is without the feature `tls`")
    }
}

impl std::error::Error for CertificateError {}

impl fmt::Display for Broken {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl From<Broken> for std::io::Error {
    fn from(broken: Broken) -> Self {
        match broken.0 {}
    }
}

/// None to follow.
pub(crate) struct Next(Nothing);

/// No certificates.
pub(crate) struct Certificates(Nothing);

impl Certificates {
    /// Loads nothing.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn load(_: &Path, _: &Path) -> Result<Self, CertificateError> {
        Err(CertificateError)
    }

    pub(crate) fn prepare(&self) -> Result<Option<Next>, CertificateError> {
        match self.0 {}
    }

    pub(crate) fn take(&self, next: Next) {
        match next.0 {}
    }

    pub(crate) fn look(&self) -> Option<Result<(), CertificateError>> {
        match self.0 {}
    }

    pub(crate) fn is_expired(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn session(&self) -> Result<Session, Broken> {
        match self.0 {}
    }
}

/// No session.
pub(crate) struct Session(Nothing);

impl Session {
    pub(crate) fn is_handshaking(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn has_ended(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn held(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn keep(&mut self, _: &[u8]) {
        match self.0 {}
    }

    pub(crate) fn has_record(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn take(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<(), Broken> {
        match self.0 {}
    }

    pub(crate) fn seal(&mut self, _: &[u8], _: &mut [u8]) -> Result<Option<usize>, Broken> {
        match self.0 {}
    }

    pub(crate) fn close(&mut self) {
        match self.0 {}
    }

    pub(crate) fn going(&self) -> &[u8] {
        match self.0 {}
    }

    pub(crate) fn gone(&mut self, _: usize) {
        match self.0 {}
    }

    pub(crate) fn keep_going(&mut self, _: &[u8], _: &[u8]) {
        match self.0 {}
    }

    pub(crate) fn take_untold(&mut self) -> Vec<u8> {
        match self.0 {}
    }
}
