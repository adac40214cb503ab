//! Bounds of pictures of boards.

use std::time::Duration;

/// The least scale that may be asked for: pixels of the picture for one of the board.
pub const PICTURE_SCALE_MIN: f64 = 0.05;

/// The largest scale, also where a width or height is asked for. Lines are only wider beyond it.
pub const PICTURE_SCALE_MAX: f64 = 4.0;

/// The least width and height that may be asked for, in pixels, inclusive.
pub const PICTURE_SIDE_MIN: f64 = 16.0;

/// The largest, inclusive.
pub const PICTURE_SIDE_MAX: f64 = 4096.0;

/// Bytes of an SVG, about; what would be more is left out. A board of 5,000 notes has some 3 MiB.
pub const PICTURE_SVG_BYTES: usize = 8 * 1024 * 1024;

/// Bytes that the records of a picture take in memory, about; what would be more is left out. A board of
/// 5,000 shapes has some 30 MiB.
pub const PICTURE_RECORD_BYTES: usize = 64 * 1024 * 1024;

/// Steps of work on one picture: points, letters, shapes, and sides that arrows are tried with. Some tenths
/// of a second; what would be more is left out.
pub const PICTURE_STEPS: u64 = 4_000_000;

/// Bytes of a picture beside a board that is shown within a picture of the board, inclusive; a larger one has
/// a placeholder. Its base64 is in the answer.
pub const PICTURE_ASSET_BYTES: u64 = 1024 * 1024;

/// Bytes of all of those, inclusive: as base64 they fill most of [`PICTURE_SVG_BYTES`].
pub const PICTURE_ASSETS_BYTES: u64 = 5 * 1024 * 1024;

/// Pixels of the images in a picture, unpacked, counted as often as they are shown; what would be more is
/// left out. A small file can say that it unpacks to billions.
pub const PICTURE_IMAGE_PIXELS: u64 = 32_000_000;

/// Pixels of a PNG; a larger one is made smaller. Each takes 4 bytes, in up to six layers.
pub const PICTURE_PIXELS: f64 = 8_000_000.0;

/// Pixels that are painted for a PNG, counted as often as they are painted over: a second or two. What would
/// be more is left out.
pub const PICTURE_PAINTED: f64 = 256_000_000.0;

/// Pictures that are drawn at a time, inclusive: each takes a thread.
pub const PICTURES_AT_ONCE: usize = 2;

/// PNGs among them, inclusive: each may take 200 MiB.
pub const PICTURE_PNGS_AT_ONCE: usize = 1;

/// How long a request may wait until its picture is drawn.
pub const PICTURE_WAIT_MAX: Duration = Duration::from_secs(20);
