//! What stands for the store in PostgreSQL in a build without the feature `postgres`: there is no address,
//! and so nothing is ever opened.

use std::fmt;
use std::time::Duration;

use super::owners::Quotas;
use super::{OpenError, Shared};

/// What `--store` should have been, in words.
pub const EXPECTED: &str = "nothing: this build keeps everything in a data file; one with the feature `postgres` can use a \
                            database";

/// No database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {}

impl Address {
    /// Refuses all.
    ///
    /// # Errors
    /// Always.
    pub fn parse(_: &str) -> Result<Self, String> {
        Err(EXPECTED.to_owned())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// Opens nothing.
///
/// # Errors
/// Never.
pub fn open(address: &Address, _: Quotas) -> Result<Shared, OpenError> {
    match *address {}
}

/// Opens nothing.
///
/// # Errors
/// Never.
pub fn open_untouched(address: &Address) -> Result<Shared, OpenError> {
    match *address {}
}

/// What a database would say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its version, in its words.
    pub version: String,
    /// `synchronous_commit`.
    pub synchronous_commit: String,
    /// Those settings that are off without which a crash of its machine can destroy boards.
    pub unsafe_settings: Vec<&'static str>,
}

impl Server {
    /// Whether it is older than what is tested.
    #[must_use]
    pub fn is_too_old(&self) -> bool {
        false
    }
}

/// Looks at nothing.
///
/// # Errors
/// Never.
pub fn look(address: &Address) -> Result<(Server, Duration, Option<OpenError>), OpenError> {
    match *address {}
}
