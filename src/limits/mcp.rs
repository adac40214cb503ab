//! Bounds of the Model Context Protocol.

use std::time::Duration;

/// Bytes of the id of a request that is a text, inclusive: the answer repeats it.
pub const MCP_ID_BYTES_MAX: usize = 256;

/// Bytes of one text of an item in a line that tells of it, inclusive; the rest is cut off. A model that
/// needs all of it asks for the item.
pub const MCP_LINE_TEXT_BYTES_MAX: usize = 400;

/// Items in one answer of `read_board` where no `limit` is given.
pub const MCP_ITEMS: usize = 200;

/// Items and connectors in one call of `draw`, inclusive, and layouts: together with a layout for each they
/// fit into one batch.
pub const MCP_DRAWN_MAX: usize = 900;

/// Layouts in one call of `draw`, inclusive.
pub const MCP_LAYOUTS_MAX: usize = 50;

/// Seconds that `changes` waits, inclusive: proxies end what is silent for longer.
pub const MCP_WAIT_SECONDS_MAX: u64 = 25;

/// How long after a call of `changes` the board's events are still gathered: a model thinks, and people
/// answer questions, between two.
pub const MCP_EVENTS_KEPT: Duration = Duration::from_secs(10 * 60);

/// Pixels of each side of a picture for a model, at most, where it asks for none: what models look at is made
/// smaller than that anyway.
pub const MCP_PICTURE_SIDE: u32 = 1024;
