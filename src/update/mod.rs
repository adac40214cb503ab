//! The algebra of encoded Yjs updates (format v1): bytes in, bytes and decisions out, nothing integrated.
//!
//! Owns the reading of structs and delete sets, what is known of a document ([`known`]), and the operations
//! on it: scan, admit (trim, order, hole), slice, collect. Must not know rooms, sessions, storage, or yrs.
//! Key invariant: what [`scan`] lets through can be decoded by stock Yjs without throwing, and nothing here
//! allocates by a count that a peer sent.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`any`] | lib0 Any values and JSON texts: checked or stepped over |
//! | [`structs`] | one struct: header, content, length, and the encoding of a part of it |
//! | [`scan`] | the strict walk over a whole update |
//! | [`chunks`] | a list that is cheap to copy and to change in the middle |
//! | [`ranges`] | the deleted clocks of one client |
//! | [`known`] | what a document holds, without its content: ends, parents, types, deletions, offsets |
//! | [`admit`] | whether an update can join it, and what of it is new |
//! | [`vector`] | state vectors |
//! | [`compact`] | the canonical, collected form of a state |
//! | [`integrate`] | what a state costs those who integrate it |
//! | [`gate`] | whether a canonical state may be opened as a yrs document |
//!
//! Tests stand beside each module; the oracles (yrs, Yjs 13 and 14) are in `tests/algebra`.

pub mod admit;
pub mod any;
pub mod chunks;
pub mod compact;
pub mod gate;
pub mod integrate;
pub mod known;
pub mod ranges;
pub mod scan;
pub mod structs;
pub mod vector;

use std::fmt;

use crate::fault::Fault;
use crate::lib0::Malformed;
use crate::limits;
use crate::meter::Exhausted;

/// Why bytes are not an update that may be let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The bytes end inside a value, or a count exceeds the bytes that are left.
    Truncated,
    /// A number is encoded in more bytes than it needs; other decoders would read another value.
    OverLongNumber,
    /// A number is beyond JavaScript's safe integers, or a clock beyond `limits::CLOCK_MAX`.
    NumberTooLarge,
    /// A string is not UTF-8.
    InvalidUtf8,
    /// A JSON text does not parse.
    InvalidJson,
    /// A struct's content reference is none that Yjs 13 reads.
    UnknownContent,
    /// A shared type's reference is none that Yjs 13 reads.
    UnknownType,
    /// An Any value's tag is none of 116 to 127.
    UnknownAny,
    /// A parent is neither named (1) nor an id (0).
    UnknownParent,
    /// A struct or a deleted range covers no clock.
    ZeroLength,
    /// A struct refers to itself or to a later clock of its own client.
    SelfReference,
    /// A client has two sections.
    DuplicateClient,
    /// A struct's neighbours lie in different shared types.
    MixedParents,
    /// A map entry of several values that is not deleted; Yjs throws when it collects the halves of one.
    LongEntry,
    /// A subdocument's options would make Yjs throw.
    SubdocumentOptions,
    /// A value has a member `__proto__`, or a map entry that key: Yjs throws, or loses it, when it reads or
    /// writes it again.
    ProtoMember,
    /// A map entry stands before something; those online and those who load would read the map differently.
    EntryBefore,
    /// A client's deletions are not in ascending order, or a client has two lists of them.
    UnsortedDeletes,
    /// Bytes follow the delete set.
    TrailingBytes,
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Reason::from(malformed).into()
    }
}

impl From<Malformed> for Reason {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Truncated => Self::Truncated,
            Malformed::OverLongNumber => Self::OverLongNumber,
            Malformed::NumberTooLarge => Self::NumberTooLarge,
            Malformed::InvalidUtf8 => Self::InvalidUtf8,
        }
    }
}

/// Which budget of a board an update would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Encoded bytes.
    Bytes,
    /// Bytes that its owner may still have.
    Growth,
    /// Client ids.
    Clients,
    /// Live shared types, top-level ones included.
    Types,
    /// Levels of nested shared types.
    TypeDepth,
    /// Levels of nested arrays and objects in a value.
    AnyDepth,
}

/// Why an update is refused for good. The board is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// It does not decode, or stock Yjs would throw on it.
    Malformed(Reason),
    /// It would take the board over a budget.
    OverBudget(Budget),
    /// It would cost work or memory out of proportion to its bytes, here or in stock clients.
    TooCostly,
}

impl Refused {
    /// How it is refused: the peer's fault either way.
    #[must_use]
    pub fn fault(self) -> Fault {
        match self {
            Self::Malformed(_) => Fault::MalformedUpdate,
            Self::OverBudget(Budget::Growth) => Fault::OwnerFull,
            Self::OverBudget(_) => Fault::OverBudget,
            Self::TooCostly => Fault::TooCostly,
        }
    }
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Self::Malformed(reason)
    }
}

impl From<Budget> for Refused {
    fn from(budget: Budget) -> Self {
        Self::OverBudget(budget)
    }
}

impl From<Exhausted> for Refused {
    fn from(_: Exhausted) -> Self {
        Self::TooCostly
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(reason) => write!(f, "malformed update: {reason:?}"),
            Self::OverBudget(budget) => write!(f, "over the budget: {budget:?}"),
            Self::TooCostly => f.write_str("out of proportion to its bytes"),
        }
    }
}

impl std::error::Error for Refused {}

/// The budgets of one board; all bounds are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Encoded bytes of the whole state.
    pub bytes: usize,
    /// Encoded bytes that one update may add, unless it only deletes: what the owner has left.
    pub growth: usize,
    /// Client ids.
    pub clients: usize,
    /// Live shared types, top-level ones included.
    pub types: usize,
    /// Levels of nested shared types; a top-level type is level 1.
    pub type_depth: u8,
    /// Whose bytes are read.
    pub rules: Rules,
}

/// How strict the reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// What no stock client writes and what harms others is refused.
    Strangers,
    /// What was accepted once stays readable, whatever the rules were then.
    Stored,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            bytes: limits::BOARD_BYTES_MAX,
            growth: usize::MAX,
            clients: limits::CLIENT_IDS_MAX,
            types: limits::SHARED_TYPES_MAX,
            type_depth: u8::try_from(limits::TYPE_DEPTH_MAX).unwrap_or(u8::MAX),
            rules: Rules::Strangers,
        }
    }
}

impl Budgets {
    /// No bounds: for state that was accepted before, whatever the settings were then.
    pub const UNBOUNDED: Self = Self {
        bytes: usize::MAX,
        growth: usize::MAX,
        clients: usize::MAX,
        types: usize::MAX,
        type_depth: u8::MAX,
        rules: Rules::Stored,
    };
}
