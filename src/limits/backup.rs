//! Bounds of backups: what a server gives, and what the command takes.

use std::time::Duration;

/// Bytes of boards after which a page of a backup is full, inclusive: it is read in some ten milliseconds,
/// and a board more is at most on top.
pub const BACKUP_PAGE_BYTES: usize = 1024 * 1024;

/// Boards, or sessions, of a page of a backup, inclusive.
pub const BACKUP_PAGE_BOARDS_MAX: usize = 256;

/// How many times as long as reading a page of a backup took is waited before the next one, of whatever
/// backup, is read: all backups together take a fifth of one thread's time.
pub const BACKUP_REST_TIMES: u32 = 4;

/// How long a call for a page of a backup waits while others have theirs.
pub const BACKUP_WAIT_MAX: Duration = Duration::from_secs(10);

/// Bytes of a file, inclusive, that a board is made of: a document with images in it is below it.
pub const IMPORT_FILE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Bytes, inclusive, that are read from a store of LevelDB, unpacked from it and kept, together: it is
/// imported at once, on a machine that then has this memory.
pub const IMPORT_STORE_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Records of a drawing, inclusive, that a board is made of: no browser draws more in any time.
pub const IMPORT_RECORDS_MAX: usize = 100_000;

/// Bytes of an answer, inclusive, that commands of the operator take: a page with the largest board and all
/// of its audit entries is far below it.
pub const OPERATOR_ANSWER_BYTES_MAX: usize = 1024 * 1024 * 1024;
