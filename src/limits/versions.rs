//! Bounds of the versions of a board, and of the trash.

use std::time::Duration;

/// Bytes of a version's name, inclusive. A line, not a text.
pub const VERSION_NAME_BYTES_MAX: usize = 256;

/// Versions of one board, inclusive: those that make themselves, and named ones. Each that is made reads the
/// lists of all others.
pub const VERSIONS_PER_BOARD_MAX: usize = 128;

/// `--max-versions-bytes`: bytes that the versions of one board take together, inclusive. What boards have in
/// common from one version to the next counts once.
pub const VERSIONS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of a chunk of a version, more than; but for the last one. Smaller ones would make long lists.
pub const VERSION_CHUNK_BYTES_MIN: usize = 8 * 1024;

/// Bytes of a chunk of a version, inclusive: as much as a row of the data file has.
pub const VERSION_CHUNK_BYTES_MAX: usize = 32 * 1024 - 512;

/// How long after a version that was made by itself the next one is, while somebody is on the board.
pub const VERSION_EVERY: Duration = Duration::from_secs(3_600);

/// How long after a version before a deletion the next such one is, at the soonest.
pub const VERSION_BEFORE_DELETION_EVERY: Duration = Duration::from_secs(600);

/// Things that are on a board, at least, for a version before half of them is deleted: a record each, a
/// letter of a text each.
pub const VERSION_BEFORE_DELETION_LEAST: u64 = 16;

/// Versions before deletions and restores that are kept, inclusive; the oldest go first.
pub const VERSIONS_BEFORE_MAX: usize = 32;

/// How often boards are looked for that have been in the trash for `--trash-days`.
pub const TRASH_EMPTY_EVERY: Duration = Duration::from_secs(3_600);
