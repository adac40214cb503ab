//! Every bound of the server: name, unit, default, reason.
//!
//! Owns the constants and nothing else; those of HTTP, of WebSockets, of presence and of what passes from
//! node to node are in `limits/`. Bounds that are settings name their flag; the constant is the default. Each
//! has a test at its edge (n - 1, n, n + 1) beside the code that enforces it, and a row in docs/limits.md.

use std::time::Duration;

use crate::meter::Allowance;

mod assets;
mod awareness;
mod backup;
mod client;
mod events;
mod http;
mod mcp;
mod nodes;
mod picture;
mod sessions;
mod settings;
mod socket;
mod tls;
mod versions;
mod webhooks;

pub use self::{
    assets::*, awareness::*, backup::*, client::*, events::*, http::*, mcp::*, nodes::*, picture::*,
    sessions::*, settings::*, socket::*, tls::*, versions::*, webhooks::*,
};

// --- names ------------------------------------------------------------------------------------------------

/// Bytes of a board id, inclusive. Long enough for two UUIDs and a prefix, short enough for a key in every
/// row.
pub const BOARD_ID_BYTES_MAX: usize = 128;

/// Bytes of a user or team id, inclusive. E-mail addresses (254) and opaque ids of identity providers fit.
pub const USER_ID_BYTES_MAX: usize = 256;

/// Bytes of a board's title, inclusive. A line, not a text.
pub const TITLE_BYTES_MAX: usize = 1_024;

/// Bytes of an API key's name, inclusive.
pub const KEY_NAME_BYTES_MAX: usize = 256;

// --- items ------------------------------------------------------------------------------------------------

/// Operations in one batch of items, inclusive. They are one transaction, and one update for every browser.
pub const ITEM_OPERATIONS_MAX: usize = 1_000;

/// The largest coordinate of an item, inclusive, either way. Beyond it browsers draw badly.
pub const ITEM_COORDINATE_MAX: f64 = 100_000_000.0;

/// The least width and height of an item, inclusive. What is thinner can be neither seen nor picked.
pub const ITEM_SIDE_MIN: f64 = 1.0;

/// The greatest width and height of an item, inclusive.
pub const ITEM_SIDE_MAX: f64 = 1e6;

/// How far a connector is bent, inclusive, either way, in pixels at 100 %.
pub const ITEM_BEND_MAX: f64 = 10_000.0;

/// Points of a line, a highlight or a drawing, inclusive, that are sent or shown.
pub const ITEM_POINTS_MAX: usize = 1_000;

/// The rotation of an item, inclusive, either way: a whole turn fits. Who sends degrees is told.
pub const ITEM_ROTATION_MAX: f64 = 6.3;

/// Bytes of an item's text, and of an image's description, inclusive. More is a file; each key pressed in it
/// would send it all.
pub const ITEM_TEXT_BYTES_MAX: usize = 64 * 1024;

/// Letters of a word in an item's text, inclusive, where lines break between words only: a browser takes
/// seconds to break one of 6,000, again and again. web/ cuts longer ones where it draws them (`WORD_MAX` in
/// endless.ts); other pages do not.
pub const ITEM_WORD_LETTERS_MAX: usize = 1_000;

/// Bytes of an item's URL, inclusive; browsers and servers take at least this.
pub const ITEM_URL_BYTES_MAX: usize = 8 * 1024;

/// Bytes of an image that stands in its own URL, inclusive. It is part of the board, and goes to everybody
/// who joins.
pub const ITEM_IMAGE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of items in one answer, or of the records behind them, inclusive, past the first: an image may be in
/// a thousand items, and is in each of their answers. What a full body asks for fits.
pub const ITEM_ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Shapes that the deletions of one request move out of frames, inclusive, past the first frame: each of
/// nested frames would move them all again.
pub const ITEM_MOVES_MAX: usize = 20_000;

/// Frames of a board among which is looked for the one that an item is put into, inclusive: each operation of
/// a batch may look through all of them. On a board of more, items stay on the page.
pub const ITEM_FRAMES_MAX: usize = 1_000;

/// Bytes of items, or of the records behind them, past which a page of filtered items ends, though it may be
/// short: what filters leave out is looked at all the same. An item counts as 1 KiB at least.
pub const ITEM_SCAN_BYTES: usize = 8 * 1024 * 1024;

/// Items and connectors that all layouts of a request name, inclusive: each is moved as by a patch of its
/// own.
pub const ITEM_LAYOUT_MAX: usize = 1_000;

/// Shapes among which the nearest free room is looked for, inclusive: each of their sides is tried with each
/// of them.
pub const ITEM_SPACE_SHAPES: usize = 2_000;

/// Bytes of items, or of the records behind them, after which a page of them ends early.
pub const ITEM_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of an `Idempotency-Key`, inclusive. Clients send UUIDs.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

// --- access -----------------------------------------------------------------------------------------------

/// Grants on one board, inclusive; more people than that are a team.
pub const GRANTS_PER_BOARD_MAX: usize = 4_096;

/// Share links of one board, inclusive. Expired ones make room for new ones.
pub const LINKS_PER_BOARD_MAX: usize = 1_024;

/// API keys of one board, inclusive.
pub const KEYS_PER_BOARD_MAX: usize = 1_024;

/// Seconds that a share link may last, inclusive: ten years. For ever is to leave the expiry out.
pub const LINK_SECONDS_MAX: u64 = 10 * 366 * 24 * 3_600;

// --- sessions ---------------------------------------------------------------------------------------------

/// Sessions that are kept, inclusive, also revoked ones and those that are over and not removed yet. At some
/// 300 bytes each they are looked through in milliseconds, and a revocation is compared with as many at most.
pub const SESSIONS_MAX: usize = 10_000;

/// How often a node that shares its store asks which sessions were revoked on others: one that is has no
/// connection after a second.
pub const SESSIONS_WATCHED_EVERY: Duration = Duration::from_millis(500);

/// How far back it asks: the clocks of nodes may differ by as much, and a commit may take as long.
pub const SESSIONS_WATCHED_BACK: Duration = Duration::from_secs(60);

// --- audit ------------------------------------------------------------------------------------------------

/// Bytes kept of a `User-Agent`. Browsers send about 120.
pub const USER_AGENT_BYTES_MAX: usize = 256;

/// Reads and writes of one actor on one board over HTTP make one audit entry in this time; repeated refusals
/// likewise.
pub const AUDIT_ONCE_IN: Duration = Duration::from_secs(3_600);

/// Kinds of refusal (board, who, address, why) at boards that exist that are told apart in [`AUDIT_ONCE_IN`];
/// past it those of a board are counted into one, and past twice as many boards none are.
pub const AUDIT_REFUSALS_MAX: usize = 10_000;

/// Entries that refusals make in one board's audit log in [`AUDIT_ONCE_IN`], inclusive; what is beyond is
/// counted into one more.
pub const AUDIT_REFUSALS_PER_BOARD_MAX: usize = 100;

/// Actors on boards over HTTP whose last audit entry is remembered; past it some are noted more than once.
pub const AUDIT_ACCESSES_MAX: usize = 50_000;

/// How often audit entries that are older than `--audit-days` are looked for.
pub const AUDIT_PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// How often the counts of repeated refusals are written.
pub const AUDIT_COUNT_EVERY: Duration = Duration::from_secs(10);

// --- boards -----------------------------------------------------------------------------------------------

/// `--max-board-bytes`: encoded size of a board's state, inclusive.
pub const BOARD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Client ids of a board, inclusive. Yjs makes one a session of each tab; state vectors grow with them.
pub const CLIENT_IDS_MAX: usize = 16_384;

/// Shared types of a board, inclusive; each takes memory in every browser.
pub const SHARED_TYPES_MAX: usize = 65_536;

/// Levels of nested shared types, inclusive; a top-level type is level 1. Yjs deletes recursively.
pub const TYPE_DEPTH_MAX: usize = 64;

/// Levels of nested arrays and objects in one Any or JSON value, inclusive. Decoders recurse.
pub const ANY_DEPTH_MAX: usize = 64;

/// Steps that integrating a whole state may take for each of its bytes, inclusive, beside
/// `INTEGRATION_STEPS`. A step is an item passed or a mark copied, about 0.2 us in a browser. Five people who
/// put entries first in a feed, each up to 200 changes behind, take 38 a byte; whatever else people do, less
/// than one.
pub const INTEGRATION_STEPS_PER_BYTE: u64 = 32;

/// Steps that integrating a whole state may take however small it is, inclusive: a second in a browser.
pub const INTEGRATION_STEPS: u64 = 4_000_000;

/// Steps that integrating a whole state may take however large it is, inclusive. A board of 32 MiB takes 14
/// million where all is honest, and no browser should hang for minutes.
pub const INTEGRATION_STEPS_MAX: u64 = 64_000_000;

/// The largest client id: JavaScript's `Number.MAX_SAFE_INTEGER`.
pub const CLIENT_ID_MAX: u64 = (1 << 53) - 1;

/// The largest clock, and the largest end of a range of clocks: beyond it yrs wraps.
pub const CLOCK_MAX: u64 = (1 << 31) - 1;

/// Bytes from which an update is read and joined off the room's lock, on a copy of the board: what is done
/// under the lock for a smaller one takes less than 2 ms (benches/micro/costly.rs).
pub const APART_FROM_BYTES: usize = 64 * 1024;

/// Updates that are joined apart at a time: each may take a second of a processor, and others load and
/// compact beside them.
pub const APART_MAX: usize = 2;

/// How often an update is joined apart anew when something accepted meanwhile does not go with it.
pub const APART_ATTEMPTS: usize = 8;

/// Steps of reading an update and letting it join, for its bytes: a struct takes two bytes and more, and is
/// looked at four times at most; so is a range.
pub const UPDATE_STEPS: Allowance = Allowance {
    per_byte: 8,
    base: 1_024,
};

/// Work of integration that may join a board before it is counted, whatever the board: a moment in a browser.
pub const STRAIN_BASE: u64 = 4_000_000;

/// The same for each item of the board, so that counting costs little beside what it counts.
pub const STRAIN_PER_ITEM: u64 = 64;

/// Bytes of a state vector, inclusive: those of [`CLIENT_IDS_MAX`] clients take 13 each at most.
pub const VECTOR_BYTES_MAX: usize = 256 * 1024;

/// Bytes of a board from which a step 2 is made off the room's lock.
pub const ANSWER_APART_BYTES: usize = 256 * 1024;

// --- disk -------------------------------------------------------------------------------------------------

/// `--commit-window`: how long accepted updates may take to be durable, for others to share one fsync.
pub const COMMIT_WINDOW: Duration = Duration::from_millis(250);

/// `--compact-after`: a board is compacted this long after its last change.
pub const COMPACT_AFTER: Duration = Duration::from_secs(5);

/// `--compact-every`: a board under steady change is compacted at least this often.
pub const COMPACT_EVERY: Duration = Duration::from_secs(30);

/// Log bytes of a board at which it is compacted at once.
pub const COMPACT_LOG_BYTES: usize = 4 * 1024 * 1024;

/// `--max-boards-per-owner`: boards of one owner, inclusive. An application may make the boards of all its
/// people under one name; an empty board takes some hundred bytes.
pub const BOARDS_PER_OWNER_MAX: u64 = 10_000;

/// `--max-bytes-per-owner`: bytes of all boards of one owner, inclusive: their full states and what came
/// since. A hundred boards of the largest size, or some ten thousand usual ones; and not yet a small disk.
pub const BYTES_PER_OWNER_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Largest data file, in bytes, inclusive, whose pages are all verified before the server starts. A disk
/// reads that in seconds; a larger one would hold up each start, and not only the one after a crash.
pub const VERIFY_AT_START_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// How many times what lives in the data file it may be large, beside [`DATA_FILE_SPARE_BYTES`]. What lives
/// is written once more to make it smaller; and a file that doubles when it grows, and holds two full states
/// while one takes the other's place, would come back to it at once with less.
pub const DATA_FILE_TIMES: u64 = 3;

/// See [`DATA_FILE_TIMES`]. Below it nothing is gained; the file is never smaller than 1 MiB, and grows by
/// doubling.
pub const DATA_FILE_SPARE_BYTES: u64 = 2 * 1024 * 1024;

/// Bytes copied in one step on the way to a smaller file, which holds up commits: some milliseconds, as a
/// commit.
pub const MOVE_STEP_BYTES: usize = 512 * 1024;

/// Bytes of the journal, inclusive, past which what it has of the boards that keep its oldest rows is moved
/// to rows of their own. More than compactions leave at some thousand changes a second; it is read whole when
/// a file is opened that was not closed in order.
pub const JOURNAL_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Bytes of the journal that one commit moves or removes, past the first board or row: some milliseconds, as
/// a commit.
pub const JOURNAL_STEP_BYTES: u64 = 512 * 1024;

/// Bytes of rows of the journal that no board needs any more, from which on a commit removes them. Each time
/// rewrites a page or two.
pub const JOURNAL_TRIM_BYTES: u64 = 64 * 1024;

/// `--room-idle`: a room without clients and without activity for this long unloads.
pub const ROOM_IDLE: Duration = Duration::from_secs(30 * 60);

/// `--room-sweep`: how often idle rooms are looked for.
pub const ROOM_SWEEP: Duration = Duration::from_secs(5 * 60);

/// Bytes accepted and not yet committed, in all; past it connections are not read until the disk has caught
/// up.
pub const COMMIT_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Of these, what large changes take together (updates from [`APART_FROM_BYTES`] on, and full states) before
/// the next one waits for the disk, unless it is alone: so who uploads whole boards does not have all others
/// wait with them.
pub const COMMIT_QUEUE_LARGE_BYTES_MAX: usize = COMMIT_QUEUE_BYTES_MAX / 2;

/// How often a helper thread looks whether the executor falls behind.
pub const LAG_PROBE_EVERY: Duration = Duration::from_millis(50);

/// How long the main thread may have work without a break before a helper thread joins.
pub const LAG_MAX: Duration = Duration::from_millis(2);

/// How long a helper thread works before it looks again whether it is needed.
pub const HELP_STINT: Duration = Duration::from_millis(250);

/// How long it is believed that another node has a board; it says so itself where it has it no more.
pub const WHEREABOUTS_TIME_MAX: Duration = Duration::from_secs(5);

/// Boards of other nodes that are remembered, inclusive; others are looked up each time.
pub const WHEREABOUTS_MAX: usize = 16_384;

/// How long a board without a room stays this node's: whoever asks for it next finds it where it was.
pub const RELEASE_AFTER: Duration = Duration::from_secs(60);

/// How often boards are looked for that may go.
pub const RELEASE_EVERY: Duration = Duration::from_secs(10);

/// Boards that go at once, inclusive: nobody can load them meanwhile.
pub const RELEASES_MAX: usize = 1_000;

/// How often rooms are looked at: at least, so that changes of access bite within a second.
pub const TICK_MAX: Duration = Duration::from_millis(500);

/// How often rooms are looked at: at most, however short the settings are.
pub const TICK_MIN: Duration = Duration::from_millis(25);

/// `--drain`: how long a shutdown may take from the signal to the exit.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Bytes of saved echoes that a connection may have coming; past it the connection is not read until the disk
/// has caught up and they have left.
pub const ECHOES_OWED_BYTES_MAX: usize = 1024 * 1024;

/// An author's structs echoed when its client id is known again after a reconnect, in bytes.
pub const ECHO_AGAIN_BYTES_MAX: usize = 64 * 1024;

// --- Redis ------------------------------------------------------------------------------------------------

/// Bytes of one message of a Redis channel, inclusive, both ways. An item is some hundred; this leaves room
/// for long texts.
pub const REDIS_MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that a value of Redis may have while it arrives; past it the connection is closed. More than a
/// message, so that one that is too large is dropped alone; not much more, since many small values take far
/// more memory than their bytes.
pub const REDIS_REPLY_BYTES_MAX: usize = 2 * REDIS_MESSAGE_BYTES_MAX;

/// Bytes, as they take memory, of messages from Redis that wait to be applied to one board, inclusive; the
/// oldest are dropped.
pub const REDIS_LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The same for all boards, inclusive.
pub const REDIS_INBOX_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Messages from Redis that are applied to a board at once, inclusive, since each time is one wait for the
/// disk.
pub const REDIS_MESSAGES_AT_ONCE_MAX: usize = 64;

/// Boards whose messages from Redis are looked up and decided at a time, inclusive. Fewer than
/// [`BLOCKING_MAX`], so that requests need not wait behind a flood of messages for many boards, or for none.
pub const REDIS_LINES_AT_ONCE_MAX: usize = 2;

/// Bytes of messages that wait to be published, inclusive; the oldest are dropped. Some ten thousand changes
/// of items.
pub const REDIS_OUTBOX_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a message may wait to be published, inclusive: a restart of Redis. What is older would undo what
/// others have done since.
pub const REDIS_OUTBOX_AGE_MAX: Duration = Duration::from_secs(60);

/// Bytes published at once before Redis is asked whether it got them.
pub const REDIS_BATCH_BYTES: usize = 256 * 1024;

/// How long Redis may take to be found, connected and signed in to.
pub const REDIS_CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// How long Redis may take to answer, or to read what it is sent.
pub const REDIS_ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// How long a connection to Redis may be quiet before it is asked whether it is there.
pub const REDIS_PING_AFTER: Duration = Duration::from_secs(10);

/// The shortest wait before Redis is tried again; it doubles with each failure.
pub const REDIS_RETRY_MIN: Duration = Duration::from_millis(250);

/// The longest.
pub const REDIS_RETRY_MAX: Duration = Duration::from_secs(30);

/// How often a log line tells that messages of one kind were dropped.
pub const REDIS_TELL_EVERY: Duration = Duration::from_secs(10);

/// How long a shutdown waits at most for what is still to be published.
pub const REDIS_DRAIN_MAX: Duration = Duration::from_secs(2);

// --- PostgreSQL -------------------------------------------------------------------------------------------

/// Connections to the database that read at a time, inclusive, beside one for commits and one for ownership.
pub const DATABASE_READERS_MAX: usize = 4;

/// How long the database may take to be found, connected and signed in to; each address of it.
pub const DATABASE_CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// How long one statement may take in the database: a board of 32 MiB over a slow network.
pub const DATABASE_STATEMENT_TIME_MAX: Duration = Duration::from_secs(30);

/// How long the database may take to answer; more than for the statement, so that it says itself why not.
pub const DATABASE_ANSWER_TIME_MAX: Duration = Duration::from_secs(35);

/// How long the database may take to answer about ownership: much less than a lease lasts.
pub const DATABASE_OWNERSHIP_TIME_MAX: Duration = Duration::from_secs(3);

/// How long a statement waits for a row that somebody else has locked.
pub const DATABASE_LOCK_TIME_MAX: Duration = Duration::from_secs(5);

/// How long this server may pause between two halves of a commit before the database undoes it: meanwhile
/// its rows are locked.
pub const DATABASE_PAUSE_MAX: Duration = Duration::from_secs(5);

/// How long the machine of the database may be silent before the connection is closed.
pub const DATABASE_SILENCE_MAX: Duration = Duration::from_secs(20);

/// How often a commit is tried again that the database undid because of another one.
pub const DATABASE_TRIES_MAX: usize = 5;

/// How old what is known about an owner's boards may be at most, while nodes share the database: others make
/// boards too.
pub const DATABASE_ACCOUNT_AGE_MAX: Duration = Duration::from_secs(30);

/// Audit entries that one transaction removes from the database, inclusive.
pub const DATABASE_PRUNED_AT_ONCE_MAX: usize = 10_000;

const _: () = assert!(
    REDIS_LINE_BYTES_MAX >= 2 * REDIS_MESSAGE_BYTES_MAX
        && REDIS_OUTBOX_BYTES_MAX >= 2 * REDIS_MESSAGE_BYTES_MAX,
    "a message must fit the queues"
);
const _: () = assert!(
    REDIS_LINES_AT_ONCE_MAX < BLOCKING_MAX,
    "requests must not wait behind Redis"
);
const _: () = assert!(
    AWARENESS_ENTRIES_MAX >= (CONNECTIONS_PER_BOARD_MAX * AWARENESS_IDS_MAX) as u64,
    "all ids of a full room must fit one awareness message"
);
const _: () = assert!(
    TOKEN_BYTES_MAX < HEAD_BYTES_MAX,
    "a token in the query must fit the head"
);
const _: () = assert!(
    KEEPALIVE_AFTER.as_secs() < 30,
    "y-websocket 3 drops a server silent for 30 s"
);
const _: () = assert!(
    KEEPALIVE_AFTER.as_secs() < JOIN_STALL_MAX.as_secs(),
    "a room is looked at before a socket that has just got stuck is overdue"
);
const _: () = assert!(
    SILENCE_MAX.as_secs() > 2 * PING_EVERY.as_secs(),
    "two pings may be lost"
);
const _: () = assert!(
    DATABASE_ANSWER_TIME_MAX.as_secs() > DATABASE_STATEMENT_TIME_MAX.as_secs(),
    "the database says first that it took too long"
);
