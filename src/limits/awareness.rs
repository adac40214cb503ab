//! Bounds of presence: states, ids, and how much of them is told.

use std::time::Duration;

use crate::meter::Allowance;

/// Bytes of one awareness state (its JSON), inclusive. A cursor, a selection and a name are some hundred.
pub const AWARENESS_STATE_BYTES_MAX: usize = 16 * 1024;

/// Awareness ids one connection may speak for, inclusive: the tabs of one browser, joined by
/// BroadcastChannel.
pub const AWARENESS_IDS_MAX: usize = 8;

/// Bytes of awareness states that each connection has to itself, inclusive: nobody else can take them from
/// it.
pub const AWARENESS_OWN_BYTES_MAX: usize = 1_024;

/// Bytes of awareness states beyond [`AWARENESS_OWN_BYTES_MAX`], of all connections of a room together,
/// inclusive: what everybody there is sent, and holds.
pub const AWARENESS_SHARED_BYTES_MAX: usize = 1024 * 1024;

/// What one subject may take of [`AWARENESS_SHARED_BYTES_MAX`], inclusive: two connections with the largest
/// states that they may have. The others keep theirs.
pub const AWARENESS_SUBJECT_BYTES_MAX: usize = 256 * 1024;

/// Awareness ids one connection may own, those included whose state was removed less than
/// [`AWARENESS_RESERVED`] ago, inclusive: ids that come and go must not fill the room's table.
pub const AWARENESS_OWNED_MAX: usize = 64;

/// Awareness ids of people who have gone that a room remembers, inclusive, so that nobody else takes them:
/// some days of reloads on a busy board. The longest gone are forgotten first.
pub const AWARENESS_BONDS_MAX: usize = 65_536;

/// The same of one subject, inclusive: who makes ids without end forgets its own ones.
pub const AWARENESS_BONDS_PER_SUBJECT_MAX: usize = 4_096;

/// Entries of one awareness message, inclusive: all ids of a full room, as a client that learnt them may send
/// back.
pub const AWARENESS_ENTRIES_MAX: u64 = 8_192;

/// A state not renewed for this long is removed; y-protocols renews every 15 s.
pub const AWARENESS_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an id counts among those of its connection after its state was removed. (It stays its subject's
/// for longer: see [`AWARENESS_BONDS_MAX`].)
pub const AWARENESS_RESERVED: Duration = Duration::from_secs(30);

/// A room broadcasts awareness at most this often: 30 times a second is smooth for a cursor.
pub const AWARENESS_EVERY: Duration = Duration::from_millis(33);

/// Bytes of one broadcast of awareness, on average: more waits for the next one.
pub const AWARENESS_TURN_BYTES_MAX: usize = 64 * 1024;

/// Bytes of one broadcast of awareness to all members of a room together, on average: 30 times a second that
/// is what a core copies in a quarter of its time.
pub const AWARENESS_ROOM_TURN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of states in one message to a joiner, or to who asks for them: more follows once these are on their
/// way. So who does not read holds no more than these.
pub const AWARENESS_PART_BYTES_MAX: usize = 64 * 1024;

/// How long somebody who may be anybody (anonymous, a link) is not told of others, on a board where ids of
/// such people have passed from one connection to another, unless it says before which id is its own. Stock
/// clients say so at once.
pub const AWARENESS_UNHEARD: Duration = Duration::from_secs(2);

/// Steps for which an awareness message that changes nothing is to count as a message: what stock clients
/// send back in a full room stays far below the rate.
pub const AWARENESS_IDLE_STEPS: u64 = 1_024;

/// Steps of an awareness message: an entry is at least three bytes, and is looked up twice.
pub const AWARENESS_STEPS: Allowance = Allowance {
    per_byte: 2,
    base: 64,
};

/// A clock further beyond the known one than this is ignored; a hostile clock would silence its owner for
/// ever.
pub const AWARENESS_CLOCK_STEP_MAX: u64 = 1_000_000;

/// How long an agent that only calls HTTP is shown after a change: long enough to be seen, short enough to be
/// true.
pub const AGENT_SHOWN: Duration = Duration::from_secs(5);

/// The same for one that says something: it is to be read.
pub const AGENT_MESSAGE_SHOWN: Duration = Duration::from_secs(20);

/// Agents shown at a time in one room, inclusive; each is told to everybody there.
pub const AGENTS_SHOWN_MAX: usize = 64;

/// Items that an agent holds selected after a change, inclusive; a batch may change more.
pub const AGENT_SELECTION_MAX: usize = 32;

/// Bytes of the words for what an agent is doing, inclusive; the server makes them, of a few counts.
pub const AGENT_DOING_BYTES_MAX: usize = 128;

/// Bytes of what an agent says while it points at something, inclusive: a sentence or two beside a cursor.
pub const AGENT_MESSAGE_BYTES_MAX: usize = 280;
