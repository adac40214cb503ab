//! Bounds of the files that settings are read from.

/// Bytes of the file of settings, inclusive: with every setting and a comment on each it has some 10 KiB.
pub const SETTINGS_FILE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a file that holds a secret, inclusive: a list of a hundred named secrets is below it.
pub const SECRET_FILE_BYTES_MAX: usize = 64 * 1024;
