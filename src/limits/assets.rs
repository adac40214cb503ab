//! Bounds of assets: pictures and films beside the document.

use std::time::Duration;

/// Bytes of one asset, inclusive (`--max-asset-bytes`): a photo of any camera, or a minute of a screen. Films
/// of an evening belong elsewhere.
pub const ASSET_BYTES: usize = 20 * 1024 * 1024;

/// Bytes of all assets of one board, inclusive (`--max-assets-bytes`): 200 photos as they come from a camera,
/// and thousands as the page scales them.
pub const BOARD_ASSETS_BYTES: u64 = 512 * 1024 * 1024;

/// Assets of one board, inclusive. Their rows are read one by one when it is deleted.
pub const ASSETS_PER_BOARD_MAX: usize = 4_096;

/// Bytes of a part of an asset; each but the last has as many. It is what an upload and a download hold in
/// memory at a time, twice. Of eight rows of the data file.
pub const ASSET_PART_BYTES: usize = 8 * (32 * 1024 - 512);

/// Width and height of a picture in pixels, inclusive: what a browser decodes at all.
pub const ASSET_SIDE_MAX: u32 = 32_767;

/// Pixels of a picture, inclusive: 400 MB of memory in each browser that shows it. A file of few bytes can
/// have many more.
pub const ASSET_PIXELS_MAX: u64 = 100_000_000;

/// Uploads under way at a time, inclusive, on one server: each has two parts in memory, and what it has sent
/// on the disk.
pub const UPLOADS_AT_ONCE: usize = 32;

/// The same of one user, or of whoever is told apart so: a browser sends six requests at a time at most.
pub const UPLOADS_OF_ONE_AT_ONCE: usize = 6;

/// How long an upload may take as a whole: 20 MiB at 25 kB/s.
pub const UPLOAD_TIME_MAX: Duration = Duration::from_secs(15 * 60);

/// How long the next bytes of an upload may take to come.
pub const UPLOAD_PAUSE_MAX: Duration = Duration::from_secs(30);

/// After how long an upload that has not ended is removed: more than any may take.
pub const UPLOAD_KEPT: Duration = Duration::from_secs(60 * 60);

/// Parts of assets that are removed in one commit, inclusive: some 8 MB, and 20 ms.
pub const UPLOAD_PARTS_PRUNED_AT_ONCE: usize = 32;

/// How long an asset stays that no record of its board names, so that an undo, or somebody who comes back
/// from a journey, finds it.
pub const ASSET_UNNAMED_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How often it is noted which assets a board names, and those are removed that have not been named for so
/// long.
pub const ASSETS_SWEPT_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// After how long it is looked first, at the start of a process: that is a busy time.
pub const ASSETS_SWEPT_FIRST: Duration = Duration::from_secs(60 * 60);

/// How long it rests after each board that has assets: their documents are read for it.
pub const ASSETS_SWEEP_REST: Duration = Duration::from_secs(1);
