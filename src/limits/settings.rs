//! Bounds of the files that settings are read from, and of what stands in the log.

/// Bytes of the file of settings, inclusive: with every setting and a comment on each it has some 10 KiB.
pub const SETTINGS_FILE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a file that holds a secret, inclusive: a list of a hundred named secrets is below it.
pub const SECRET_FILE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of what a client calls its request, inclusive: proxies and tracers send up to 55. A longer name is
/// not taken over.
pub const REQUEST_ID_BYTES_MAX: usize = 64;
