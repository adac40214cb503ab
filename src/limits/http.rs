//! Bounds of requests, answers and credentials over HTTP.

use std::time::Duration;

/// Bytes of a request head up to and with the empty line, inclusive. A token of [`TOKEN_BYTES_MAX`] in the
/// query and ordinary browser headers fit.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Header lines of a request, inclusive. Browsers behind two proxies send about 30.
pub const HEADERS_MAX: usize = 64;

/// `--max-body-bytes`: bytes of an HTTP request body, inclusive. As large as a board may be, which can be
/// posted whole.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Segments of a request path, inclusive. The deepest resource has six.
pub const PATH_SEGMENTS_MAX: usize = 16;

/// Parameters of a query, inclusive. A provider sends a handful; each takes memory while the request is read.
pub const QUERY_PARAMETERS_MAX: usize = 64;

/// How long a peer may take to send a whole request head. Longer is a slow-loris attack or a dead link.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a peer may take to send a whole request body. A full one of [`BODY_BYTES_MAX`] arrives in it at
/// 2.3 Mbit/s.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(120);

/// Values in a JSON body, inclusive, objects, arrays and members counted each: a value takes more memory than
/// its text.
pub const JSON_VALUES_MAX: usize = 100_000;

/// Bytes of a body that nobody wants which are read so that the connection can go on; the answer to a longer
/// one closes it.
pub const SKIPPED_BYTES_MAX: usize = 256 * 1024;

/// How long such bytes may take.
pub const SKIPPED_TIME_MAX: Duration = Duration::from_secs(5);

/// How long an HTTP answer may leave not at all, and how long a small one may take.
pub const RESPONSE_TIME_MAX: Duration = Duration::from_secs(30);

/// The rate at which a larger answer must leave after that time, in bytes a second.
pub const RESPONSE_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

/// Bytes of answers on their way out over HTTP, those being made among them, of all connections together,
/// inclusive; bytes that several share count once. Past it further ones are not made until others have left.
pub const ANSWERS_BYTES_MAX: usize = 96 * 1024 * 1024;

/// Bytes of an answer that is not counted, inclusive, and waits for nothing: `/health` is always answered.
pub const ANSWER_FREE_BYTES: usize = 4 * 1024;

/// Bytes kept free for an answer before what it will be is known: a page of items, or what a change of one
/// answers.
pub const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// How long a request may wait until there is room for its answer.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a file of the page may take to leave. It is part of the program and holds no memory, only a
/// socket, and all files of a first visit share one slow line: 2 MB leave in it at 56 kbit/s.
pub const PAGE_TIME_MAX: Duration = Duration::from_secs(300);

/// How long the server waits, after its last byte, for the peer to end its half of a connection.
pub const LINGER_TIME_MAX: Duration = Duration::from_secs(2);

/// Connections waiting to be accepted: a storm of joins must not meet refused connections.
pub const LISTEN_BACKLOG: i32 = 4_096;

/// Sockets beyond `--max-connections` for those who only ask for `/health`, or are told that the server is
/// full.
pub const SPARE_SOCKETS: usize = 1_000;

/// Sockets of one address beyond `--max-connections-per-address`, inclusive; loopback and trusted proxies are
/// exempt. So that nobody has all the spare ones.
pub const SPARE_SOCKETS_PER_ADDRESS: usize = 64;

/// Items of a page of a list, inclusive.
pub const PAGE_ITEMS_MAX: usize = 500;

/// Items of a page where no `limit` is given.
pub const PAGE_ITEMS: usize = 100;

/// Descriptors beyond sockets: the data file, the poller, standard streams.
pub const SPARE_DESCRIPTORS: usize = 64;

/// Loads and compactions that run at a time on the blocking pool; and, apart from them, short reads, and
/// those who wait for the writer. A storm of joins after a restart must not become hundreds of threads, and
/// disks serve few at once anyway.
pub const BLOCKING_MAX: usize = 8;

/// Parts of a board that is opened as a document, inclusive: structs, values, ranges of deletions, and one
/// for each [`BUFFER_PART_BYTES`]. yrs takes some 250 bytes for each, however few it has here. A board of
/// 5,000 shapes has a quarter of a million.
pub const DOCUMENT_PARTS_MAX: usize = 1_500_000;

/// Bytes of a buffer that count as one part of a document.
pub const BUFFER_PART_BYTES: usize = 64;

/// Pieces of the texts of a document, each times the names of formats in its text, inclusive: yrs keeps a
/// copy of what holds with each piece. A text of 100,000 pieces under 20 names of formats has 2,000,000.
pub const DOCUMENT_MARKS_MAX: usize = 2_500_000;

/// Map entries of a document that stand after one which nobody deleted, inclusive: yrs does so when it opens
/// it, in a list that it moves each time. Clients delete what they overwrite, so only what two set at the
/// same time is left.
pub const DOCUMENT_UNDELETED_MAX: usize = 65_536;

/// Boards that are opened, read or written as documents at a time, not counting [`CONTENT_OVER_TIME_MAX`];
/// each may take seconds of a processor and a few hundred MiB where it is hostile. One at a time for each
/// owner, so three: somebody else gets in beside two hostile owners.
pub const CONTENT_MAX: usize = 3;

/// How long work on a board's content may take before it no longer keeps others waiting: opening the largest
/// board takes less. It cannot be stopped.
pub const CONTENT_TIME_MAX: Duration = Duration::from_secs(5);

/// Pieces of work beyond [`CONTENT_TIME_MAX`] that no longer keep others waiting, inclusive; more of them do.
pub const CONTENT_OVER_TIME_MAX: usize = 2;

/// How long a call waits for its turn to work on content, at most; and how long a board whose content took
/// longer than [`CONTENT_TIME_MAX`] is left alone unless it changes.
pub const CONTENT_WAIT_MAX: Duration = Duration::from_secs(30);

/// Changes to an open document times the bytes of its board, inclusive: beyond it it is opened anew, since
/// yrs may copy or move all it holds for each change. A thousand changes of a board of 1 MiB.
pub const FOLLOW_COST_MAX: u64 = 1024 * 1024 * 1024;

/// Bytes of a board's content as JSON, inclusive: twice what a board may have. Formats are written out with
/// each piece of an XML text, so it could be any multiple.
pub const JSON_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of all content that is being written as JSON, or on its way to who asked for it, inclusive.
pub const JSON_ALL_BYTES_MAX: usize = 128 * 1024 * 1024;

/// How long a board stays open as a document after its content was read or written: an agent's next call
/// comes soon.
pub const DOCUMENT_IDLE: Duration = Duration::from_secs(30);

/// Weight of the boards that stay open as documents, inclusive: encoded bytes, or 16 for each struct and
/// value where that is more. yrs takes up to 15 times as much memory.
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
