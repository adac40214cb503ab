//! Every bound of the server: name, unit, default, reason.
//!
//! Owns the constants and nothing else. Bounds that are settings name their flag; the constant is the default.
//! Each has a test at its edge (n - 1, n, n + 1) beside the code that enforces it, and a row in docs/limits.md.

use std::time::Duration;

use crate::meter::Allowance;

// --- names ------------------------------------------------------------------------------------------------

/// Bytes of a board id, inclusive. Long enough for two UUIDs and a prefix, short enough for a key in every row.
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

/// Bytes of an item's text, and of an image's description, inclusive. More is a file; each key pressed in it would
/// send it all.
pub const ITEM_TEXT_BYTES_MAX: usize = 64 * 1024;

/// Letters of a word in an item's text, inclusive, where lines break between words only: a browser takes seconds to break one
/// of 6,000, again and again. web/ cuts longer ones where it draws them (`WORD_MAX` in endless.ts); other pages do not.
pub const ITEM_WORD_LETTERS_MAX: usize = 1_000;

/// Bytes of an item's URL, inclusive; browsers and servers take at least this.
pub const ITEM_URL_BYTES_MAX: usize = 8 * 1024;

/// Bytes of an image that stands in its own URL, inclusive. It is part of the board, and goes to everybody who joins.
pub const ITEM_IMAGE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of items in one answer, or of the records behind them, inclusive, past the first: an image may be in a thousand
/// items, and is in each of their answers. What a full body asks for fits.
pub const ITEM_ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Shapes that the deletions of one request move out of frames, inclusive, past the first frame: each of nested frames
/// would move them all again.
pub const ITEM_MOVES_MAX: usize = 20_000;

/// Frames of a board among which is looked for the one that an item is put into, inclusive: each operation of a batch may
/// look through all of them. On a board of more, items stay on the page.
pub const ITEM_FRAMES_MAX: usize = 1_000;

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

// --- audit ------------------------------------------------------------------------------------------------

/// Bytes kept of a `User-Agent`. Browsers send about 120.
pub const USER_AGENT_BYTES_MAX: usize = 256;

/// Reads and writes of one actor on one board over HTTP make one audit entry in this time; repeated refusals likewise.
pub const AUDIT_ONCE_IN: Duration = Duration::from_secs(3_600);

/// Kinds of refusal (board, who, address, why) at boards that exist that are told apart in [`AUDIT_ONCE_IN`]; past it those
/// of a board are counted into one, and past twice as many boards none are.
pub const AUDIT_REFUSALS_MAX: usize = 10_000;

/// Entries that refusals make in one board's audit log in [`AUDIT_ONCE_IN`], inclusive; what is beyond is counted into
/// one more.
pub const AUDIT_REFUSALS_PER_BOARD_MAX: usize = 100;

/// Actors on boards over HTTP whose last audit entry is remembered; past it some are noted more than once.
pub const AUDIT_ACCESSES_MAX: usize = 50_000;

/// How often audit entries that are older than `--audit-days` are looked for.
pub const AUDIT_PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// How often the counts of repeated refusals are written.
pub const AUDIT_COUNT_EVERY: Duration = Duration::from_secs(10);

// --- HTTP -------------------------------------------------------------------------------------------------

/// Bytes of a request head up to and with the empty line, inclusive. A token of [`TOKEN_BYTES_MAX`] in the
/// query and ordinary browser headers fit.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Header lines of a request, inclusive. Browsers behind two proxies send about 30.
pub const HEADERS_MAX: usize = 64;

/// `--max-body-bytes`: bytes of an HTTP request body, inclusive. As large as a board may be, which can be posted whole.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Segments of a request path, inclusive. The deepest resource has six.
pub const PATH_SEGMENTS_MAX: usize = 16;

/// Parameters of a query, inclusive. A provider sends a handful; each takes memory while the request is read.
pub const QUERY_PARAMETERS_MAX: usize = 64;

/// How long a peer may take to send a whole request head. Longer is a slow-loris attack or a dead link.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a peer may take to send a whole request body. A full one of [`BODY_BYTES_MAX`] arrives in it at 2.3 Mbit/s.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(120);

/// Values in a JSON body, inclusive, objects, arrays and members counted each: a value takes more memory than its text.
pub const JSON_VALUES_MAX: usize = 100_000;

/// Bytes of a body that nobody wants which are read so that the connection can go on; the answer to a longer one closes it.
pub const SKIPPED_BYTES_MAX: usize = 256 * 1024;

/// How long such bytes may take.
pub const SKIPPED_TIME_MAX: Duration = Duration::from_secs(5);

/// How long an HTTP answer may leave not at all, and how long a small one may take.
pub const RESPONSE_TIME_MAX: Duration = Duration::from_secs(30);

/// The rate at which a larger answer must leave after that time, in bytes a second.
pub const RESPONSE_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

/// Bytes of answers on their way out over HTTP, those being made among them, of all connections together, inclusive;
/// bytes that several share count once. Past it further ones are not made until others have left.
pub const ANSWERS_BYTES_MAX: usize = 96 * 1024 * 1024;

/// Bytes of an answer that is not counted, inclusive, and waits for nothing: `/health` is always answered.
pub const ANSWER_FREE_BYTES: usize = 4 * 1024;

/// Bytes kept free for an answer before what it will be is known: a page of items, or what a change of one answers.
pub const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// How long a request may wait until there is room for its answer.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a file of the page may take to leave. It is part of the program and holds no memory, only a socket, and all
/// files of a first visit share one slow line: 2 MB leave in it at 56 kbit/s.
pub const PAGE_TIME_MAX: Duration = Duration::from_secs(300);

/// How long the server waits, after its last byte, for the peer to end its half of a connection.
pub const LINGER_TIME_MAX: Duration = Duration::from_secs(2);

/// Connections waiting to be accepted: a storm of joins must not meet refused connections.
pub const LISTEN_BACKLOG: i32 = 4_096;

/// Sockets beyond `--max-connections` for those who only ask for `/health`, or are told that the server is full.
pub const SPARE_SOCKETS: usize = 1_000;

/// Sockets of one address beyond `--max-connections-per-address`, inclusive; loopback and trusted proxies are exempt. So
/// that nobody has all the spare ones.
pub const SPARE_SOCKETS_PER_ADDRESS: usize = 64;

/// Items of a page of a list, inclusive.
pub const PAGE_ITEMS_MAX: usize = 500;

/// Items of a page where no `limit` is given.
pub const PAGE_ITEMS: usize = 100;

/// Descriptors beyond sockets: the data file, the poller, standard streams.
pub const SPARE_DESCRIPTORS: usize = 64;

/// Loads and compactions that run at a time on the blocking pool; and, apart from them, short reads, and those who wait
/// for the writer. A storm of joins after a restart must not become hundreds of threads, and disks serve few at once anyway.
pub const BLOCKING_MAX: usize = 8;

/// Parts of a board that is opened as a document, inclusive: structs, values, ranges of deletions, and one for each
/// [`BUFFER_PART_BYTES`]. yrs takes some 250 bytes for each, however few it has here. A board of 5,000 shapes has
/// a quarter of a million.
pub const DOCUMENT_PARTS_MAX: usize = 1_500_000;

/// Bytes of a buffer that count as one part of a document.
pub const BUFFER_PART_BYTES: usize = 64;

/// Pieces of the texts of a document, each times the names of formats in its text, inclusive: yrs keeps a copy of what holds
/// with each piece. A text of 100,000 pieces under 20 names of formats has 2,000,000.
pub const DOCUMENT_MARKS_MAX: usize = 2_500_000;

/// Map entries of a document that stand after one which nobody deleted, inclusive: yrs does so when it opens it, in a list
/// that it moves each time. Clients delete what they overwrite, so only what two set at the same time is left.
pub const DOCUMENT_UNDELETED_MAX: usize = 65_536;

/// Boards that are opened, read or written as documents at a time, not counting [`CONTENT_OVER_TIME_MAX`]; each may take
/// seconds of a processor and a few hundred MiB where it is hostile. One at a time for each owner, so three: somebody else
/// gets in beside two hostile owners.
pub const CONTENT_MAX: usize = 3;

/// How long work on a board's content may take before it no longer keeps others waiting: opening the largest board takes
/// less. It cannot be stopped.
pub const CONTENT_TIME_MAX: Duration = Duration::from_secs(5);

/// Pieces of work beyond [`CONTENT_TIME_MAX`] that no longer keep others waiting, inclusive; more of them do.
pub const CONTENT_OVER_TIME_MAX: usize = 2;

/// How long a call waits for its turn to work on content, at most; and how long a board whose content took longer than
/// [`CONTENT_TIME_MAX`] is left alone unless it changes.
pub const CONTENT_WAIT_MAX: Duration = Duration::from_secs(30);

/// Changes to an open document times the bytes of its board, inclusive: beyond it it is opened anew, since yrs may copy or
/// move all it holds for each change. A thousand changes of a board of 1 MiB.
pub const FOLLOW_COST_MAX: u64 = 1024 * 1024 * 1024;

/// Bytes of a board's content as JSON, inclusive: twice what a board may have. Formats are written out with each piece of an
/// XML text, so it could be any multiple.
pub const JSON_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of all content that is being written as JSON, or on its way to who asked for it, inclusive.
pub const JSON_ALL_BYTES_MAX: usize = 128 * 1024 * 1024;

/// How long a board stays open as a document after its content was read or written: an agent's next call comes soon.
pub const DOCUMENT_IDLE: Duration = Duration::from_secs(30);

/// Weight of the boards that stay open as documents, inclusive: encoded bytes, or 16 for each struct and value where that
/// is more. yrs takes up to 15 times as much memory.
pub const DOCUMENTS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How often a write is decided anew when it wants the board unchanged and somebody changes it meanwhile.
pub const CONTENT_ATTEMPTS: usize = 16;

/// How long a kept-alive HTTP connection may stay idle between two requests.
pub const KEEP_ALIVE_IDLE_MAX: Duration = Duration::from_secs(60);

/// Bytes of a JWT, inclusive. Thousands of board claims do not belong into a token.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Bytes an HMAC secret must have outside `--dev`, inclusive: the output size of SHA-256 (RFC 7518, 3.2).
pub const SECRET_BYTES_MIN: usize = 32;

/// Leeway for `exp` and `nbf`: clocks of honest machines differ by seconds.
pub const TOKEN_LEEWAY: Duration = Duration::from_secs(30);

// --- WebSocket --------------------------------------------------------------------------------------------

/// `--max-message-bytes`: bytes of one WebSocket message, inclusive. As large as a board may be, since a client
/// that was offline sends all it has in one step 2.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Protocol messages in one frame, inclusive. Stock providers send one; batching clients a handful.
pub const MESSAGES_PER_FRAME_MAX: usize = 64;

/// `--max-outbox-bytes`: bytes a member may be behind the end of its room's outbox, inclusive. One frame counts
/// at most a quarter of it: a message may be larger than the bound, and everybody must get the chance to take it.
pub const OUTBOX_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes gathered for one write to a socket; more leaves in the next one, after others had their turn.
pub const GATHER_BYTES_MAX: usize = 256 * 1024;

/// How long a step 2 on its way to a joiner may make no progress before the member counts as a slow consumer.
pub const JOIN_STALL_MAX: Duration = Duration::from_secs(30);

/// `--max-connections`: open connections in all, inclusive.
pub const CONNECTIONS_MAX: usize = 10_000;

/// `--max-connections-per-address`: open connections of one address, inclusive; loopback is exempt.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;

/// `--max-connections-per-board`: members of one room, inclusive.
pub const CONNECTIONS_PER_BOARD_MAX: usize = 1_024;

/// `--max-messages-per-second`: sustained rate of a connection; a person dragging a shape makes 60.
pub const MESSAGES_PER_SECOND_MAX: u32 = 300;

/// Messages a connection may send at once above the rate; a reconnecting client replays its queue.
pub const MESSAGES_BURST_MAX: u32 = 1_000;

/// Bytes of a message from which it counts as further messages towards the rate: one for each so many.
pub const MESSAGE_UNIT_BYTES: usize = 64 * 1024;

/// The same for the steps that a message took: a tenth of a millisecond.
pub const MESSAGE_UNIT_STEPS: u64 = 4_096;

/// WebSocket frames that complete no message (fragments before the last, pings, pongs) and count as a message towards the
/// rate: each is a header to read, whatever it carries.
pub const IDLE_FRAMES: u32 = 256;

/// Bytes being received (messages, heads and bodies not yet complete) of all connections together, inclusive; past it
/// one connection goes on until what it sends is complete, and then the next.
pub const RECEIVING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes that a connection may hold of such without being counted, inclusive: who sends small messages is not held up by
/// those who send large ones.
pub const RECEIVING_FREE_BYTES: usize = 4 * 1024;

/// How long an incomplete message may take, however small it is. Time in which we do not read does not count.
pub const MESSAGE_TIME_MIN: Duration = Duration::from_secs(60);

/// The rate at which the rest of it must come, in bytes a second: an eighth of a megabit. What is sent to the peer
/// meanwhile counts too.
pub const MESSAGE_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

/// How long a connection may take to leave once the server closes it: what was being sent, the close frame, and the
/// peer's half of the closing handshake.
pub const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);

/// How often a connection looks again whether the disk has caught up with what was accepted.
pub const BACKPRESSURE_RETRY: Duration = Duration::from_millis(10);

/// How often the server pings a connection.
pub const PING_EVERY: Duration = Duration::from_secs(30);

/// A connection that sent nothing for this long, pongs included, is dropped: two lost pings and a little.
pub const SILENCE_MAX: Duration = Duration::from_secs(75);

/// A client that received no message for this long gets an empty awareness message, since y-websocket 3 drops
/// a server that is silent for 30 s and does not count pings.
pub const KEEPALIVE_AFTER: Duration = Duration::from_secs(20);

/// The least time between two step 1, or two auth messages, sent to one connection because of what it sends.
pub const RETELL_EVERY: Duration = Duration::from_secs(1);

/// How long repeated refusals of one address are held before the close: the first not at all, then these.
pub const REFUSAL_HOLDS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Refusals of one address within this time count as repeated.
pub const REFUSAL_MEMORY: Duration = Duration::from_secs(60);

/// How often a log line tells that requests for another host, of a foreign page, or without their upgrade were refused: one
/// line for each of the three.
pub const REFUSALS_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Characters of such a host or origin that are logged, inclusive; names in use are shorter.
pub const REFUSED_TOLD_CHARACTERS_MAX: usize = 100;

/// Addresses whose refusals are remembered, inclusive; beyond it new ones get the plain HTTP status.
pub const REFUSALS_REMEMBERED_MAX: usize = 10_000;

/// Refused connections held at a time, inclusive; beyond it the answer is the plain HTTP status.
pub const REFUSALS_HELD_MAX: usize = 1_000;

// --- awareness --------------------------------------------------------------------------------------------

/// Bytes of one awareness state (its JSON), inclusive. A cursor, a selection and a name are some hundred.
pub const AWARENESS_STATE_BYTES_MAX: usize = 16 * 1024;

/// Awareness ids one connection may speak for, inclusive: the tabs of one browser, joined by BroadcastChannel.
pub const AWARENESS_IDS_MAX: usize = 8;

/// Bytes of awareness states that each connection has to itself, inclusive: nobody else can take them from it.
pub const AWARENESS_OWN_BYTES_MAX: usize = 1_024;

/// Bytes of awareness states beyond [`AWARENESS_OWN_BYTES_MAX`], of all connections of a room together, inclusive: what
/// everybody there is sent, and holds.
pub const AWARENESS_SHARED_BYTES_MAX: usize = 1024 * 1024;

/// What one subject may take of [`AWARENESS_SHARED_BYTES_MAX`], inclusive: two connections with the largest states that
/// they may have. The others keep theirs.
pub const AWARENESS_SUBJECT_BYTES_MAX: usize = 256 * 1024;

/// Awareness ids one connection may own, those included whose state was removed less than [`AWARENESS_RESERVED`] ago,
/// inclusive: ids that come and go must not fill the room's table.
pub const AWARENESS_OWNED_MAX: usize = 64;

/// Awareness ids of people who have gone that a room remembers, inclusive, so that nobody else takes them: some days of
/// reloads on a busy board. The longest gone are forgotten first.
pub const AWARENESS_BONDS_MAX: usize = 65_536;

/// The same of one subject, inclusive: who makes ids without end forgets its own ones.
pub const AWARENESS_BONDS_PER_SUBJECT_MAX: usize = 4_096;

/// Entries of one awareness message, inclusive: all ids of a full room, as a client that learnt them may send back.
pub const AWARENESS_ENTRIES_MAX: u64 = 8_192;

/// A state not renewed for this long is removed; y-protocols renews every 15 s.
pub const AWARENESS_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an id counts among those of its connection after its state was removed. (It stays its subject's for longer:
/// see [`AWARENESS_BONDS_MAX`].)
pub const AWARENESS_RESERVED: Duration = Duration::from_secs(30);

/// A room broadcasts awareness at most this often: 30 times a second is smooth for a cursor.
pub const AWARENESS_EVERY: Duration = Duration::from_millis(33);

/// Bytes of one broadcast of awareness, on average: more waits for the next one.
pub const AWARENESS_TURN_BYTES_MAX: usize = 64 * 1024;

/// Bytes of one broadcast of awareness to all members of a room together, on average: 30 times a second that is what a
/// core copies in a quarter of its time.
pub const AWARENESS_ROOM_TURN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of states in one message to a joiner, or to who asks for them: more follows once these are on their way. So who
/// does not read holds no more than these.
pub const AWARENESS_PART_BYTES_MAX: usize = 64 * 1024;

/// How long somebody who may be anybody (anonymous, a link) is not told of others, on a board where ids of such people
/// have passed from one connection to another, unless it says before which id is its own. Stock clients say so at once.
pub const AWARENESS_UNHEARD: Duration = Duration::from_secs(2);

/// Steps for which an awareness message that changes nothing is to count as a message: what stock clients send back in a
/// full room stays far below the rate.
pub const AWARENESS_IDLE_STEPS: u64 = 1_024;

/// Steps of an awareness message: an entry is at least three bytes, and is looked up twice.
pub const AWARENESS_STEPS: Allowance = Allowance {
    per_byte: 2,
    base: 64,
};

/// A clock further beyond the known one than this is ignored; a hostile clock would silence its owner for ever.
pub const AWARENESS_CLOCK_STEP_MAX: u64 = 1_000_000;

/// How long an agent that only calls HTTP is shown after a change: long enough to be seen, short enough to be true.
pub const AGENT_SHOWN: Duration = Duration::from_secs(5);

/// Agents shown at a time in one room, inclusive; each is told to everybody there.
pub const AGENTS_SHOWN_MAX: usize = 64;

/// Items that an agent holds selected after a change, inclusive; a batch may change more.
pub const AGENT_SELECTION_MAX: usize = 32;

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

/// Steps that integrating a whole state may take for each of its bytes, inclusive, beside `INTEGRATION_STEPS`. A step is an item
/// passed or a mark copied, about 0.2 us in a browser. Five people who put entries first in a feed, each up to 200
/// changes behind, take 38 a byte; whatever else people do, less than one.
pub const INTEGRATION_STEPS_PER_BYTE: u64 = 32;

/// Steps that integrating a whole state may take however small it is, inclusive: a second in a browser.
pub const INTEGRATION_STEPS: u64 = 4_000_000;

/// Steps that integrating a whole state may take however large it is, inclusive. A board of 32 MiB takes 14 million where all is
/// honest, and no browser should hang for minutes.
pub const INTEGRATION_STEPS_MAX: u64 = 64_000_000;

/// The largest client id: JavaScript's `Number.MAX_SAFE_INTEGER`.
pub const CLIENT_ID_MAX: u64 = (1 << 53) - 1;

/// The largest clock, and the largest end of a range of clocks: beyond it yrs wraps.
pub const CLOCK_MAX: u64 = (1 << 31) - 1;

/// Bytes from which an update is read and joined off the room's lock, on a copy of the board: what is done under the lock
/// for a smaller one takes less than 2 ms (benches/micro/costly.rs).
pub const APART_FROM_BYTES: usize = 64 * 1024;

/// Updates that are joined apart at a time: each may take a second of a processor, and others load and compact beside them.
pub const APART_MAX: usize = 2;

/// How often an update is joined apart anew when something accepted meanwhile does not go with it.
pub const APART_ATTEMPTS: usize = 8;

/// Steps of reading an update and letting it join, for its bytes: a struct takes two bytes and more, and is looked at four
/// times at most; so is a range.
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

/// `--commit-window`: how long accepted updates may wait for others to share one fsync.
pub const COMMIT_WINDOW: Duration = Duration::from_millis(50);

/// `--compact-after`: a board is compacted this long after its last change.
pub const COMPACT_AFTER: Duration = Duration::from_secs(5);

/// `--compact-every`: a board under steady change is compacted at least this often.
pub const COMPACT_EVERY: Duration = Duration::from_secs(30);

/// Log bytes of a board at which it is compacted at once.
pub const COMPACT_LOG_BYTES: usize = 4 * 1024 * 1024;

/// `--max-boards-per-owner`: boards of one owner, inclusive. An application may make the boards of all its people under one
/// name; an empty board takes some hundred bytes.
pub const BOARDS_PER_OWNER_MAX: u64 = 10_000;

/// `--max-bytes-per-owner`: bytes of all boards of one owner, inclusive: their full states and what came since. A hundred
/// boards of the largest size, or some ten thousand usual ones; and not yet a small disk.
pub const BYTES_PER_OWNER_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Largest data file, in bytes, inclusive, whose pages are all verified before the server starts. A disk reads that in
/// seconds; a larger one would hold up each start, and not only the one after a crash.
pub const VERIFY_AT_START_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// How many times what lives in the data file it may be large, beside [`DATA_FILE_SPARE_BYTES`]. What lives is written once
/// more to make it smaller; and a file that doubles when it grows, and holds two full states while one takes the other's
/// place, would come back to it at once with less.
pub const DATA_FILE_TIMES: u64 = 3;

/// See [`DATA_FILE_TIMES`]. Below it nothing is gained; the file is never smaller than 1 MiB, and grows by doubling.
pub const DATA_FILE_SPARE_BYTES: u64 = 2 * 1024 * 1024;

/// Bytes copied in one step on the way to a smaller file, which holds up commits: some milliseconds, as a commit.
pub const MOVE_STEP_BYTES: usize = 512 * 1024;

/// `--room-idle`: a room without clients and without activity for this long unloads.
pub const ROOM_IDLE: Duration = Duration::from_secs(30 * 60);

/// `--room-sweep`: how often idle rooms are looked for.
pub const ROOM_SWEEP: Duration = Duration::from_secs(5 * 60);

/// Bytes accepted and not yet committed, in all; past it connections are not read until the disk has caught up.
pub const COMMIT_QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How often a helper thread looks whether the executor falls behind.
pub const LAG_PROBE_EVERY: Duration = Duration::from_millis(50);

/// How long a ready task may wait for its turn before a helper thread joins.
pub const LAG_MAX: Duration = Duration::from_millis(2);

/// How long a helper thread works before it looks again whether it is needed.
pub const HELP_STINT: Duration = Duration::from_millis(250);

/// How often rooms are looked at: at least, so that changes of access bite within a second.
pub const TICK_MAX: Duration = Duration::from_millis(500);

/// How often rooms are looked at: at most, however short the settings are.
pub const TICK_MIN: Duration = Duration::from_millis(25);

/// `--drain`: how long a shutdown may take from the signal to the exit.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Bytes of saved echoes that a connection may have coming; past it the connection is not read until the disk has
/// caught up and they have left.
pub const ECHOES_OWED_BYTES_MAX: usize = 1024 * 1024;

/// An author's structs echoed when its client id is known again after a reconnect, in bytes.
pub const ECHO_AGAIN_BYTES_MAX: usize = 64 * 1024;

// --- Redis ------------------------------------------------------------------------------------------------

/// Bytes of one message of a Redis channel, inclusive, both ways. An item is some hundred; this leaves room for long texts.
pub const REDIS_MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that a value of Redis may have while it arrives; past it the connection is closed. More than a message, so that
/// one that is too large is dropped alone; not much more, since many small values take far more memory than their bytes.
pub const REDIS_REPLY_BYTES_MAX: usize = 2 * REDIS_MESSAGE_BYTES_MAX;

/// Bytes, as they take memory, of messages from Redis that wait to be applied to one board, inclusive; the oldest are
/// dropped.
pub const REDIS_LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The same for all boards, inclusive.
pub const REDIS_INBOX_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Messages from Redis that are applied to a board at once, inclusive, since each time is one wait for the disk.
pub const REDIS_MESSAGES_AT_ONCE_MAX: usize = 64;

/// Boards whose messages from Redis are looked up and decided at a time, inclusive. Fewer than [`BLOCKING_MAX`], so that
/// requests need not wait behind a flood of messages for many boards, or for none.
pub const REDIS_LINES_AT_ONCE_MAX: usize = 2;

/// Bytes of messages that wait to be published, inclusive; the oldest are dropped. Some ten thousand changes of items.
pub const REDIS_OUTBOX_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a message may wait to be published, inclusive: a restart of Redis. What is older would undo what others have
/// done since.
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
