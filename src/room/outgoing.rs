//! What leaves a room for one member: bytes in the order of their frames, and what they are.
//!
//! Owns [`Out`] and its [`Kind`], and [`Line`], where bytes go. Must not know members or queues; `member` and
//! `outbox` hold them. Key invariant: an [`Out`] is whole frames, of which only the body may be shared.
//! Tests: `room/tests/outbox.rs`.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;

/// What a frame is, as far as queues care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A message of the protocol.
    #[default]
    Message,
    /// A step 2 on its way to a joiner: does not count towards the outbox bound.
    Join,
    /// A further step 2 while one waits: counts in full.
    Answer,
    /// A saved echo: counted by `Pulse::owed` instead.
    Echo,
    /// A ping: no message, as far as a client's patience is concerned.
    Ping,
}

impl Kind {
    /// Whether it answers a step 1.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Join | Self::Answer)
    }
}

/// Bytes for one member: its own, then some that may be shared with others.
#[derive(Clone, Debug, Default)]
pub struct Out {
    /// Frame header and message types; or whole frames.
    pub head: Vec<u8>,
    /// The rest of the payload.
    pub body: Bytes,
    /// What it is.
    pub kind: Kind,
    /// The answer it will be once that is made; nothing behind it leaves before.
    pub awaited: Option<u64>,
    /// What is given back once it has left.
    pub hold: Hold,
}

/// Something that is owed for as long as bytes are on their way, such as their share of a bound.
pub type Hold = Option<Arc<dyn Any + Send + Sync>>;

/// Where a member's bytes go. It never waits.
pub trait Line: Debug + Send + Sync {
    /// Sends what is taken of `bytes` at once; how much that is. What went wrong is found by the member's own
    /// task.
    fn send(&self, bytes: &[u8]) -> usize;
}

impl Out {
    /// A frame that is all its own.
    #[must_use]
    pub fn message(frame: Vec<u8>) -> Self {
        Self {
            head: frame,
            ..Self::default()
        }
    }

    /// The contiguous bytes from position `at` on: of the head, then of the body; empty at the end.
    #[must_use]
    pub fn rest(&self, at: usize) -> &[u8] {
        match at.checked_sub(self.head.len()) {
            None => self.head.get(at..).unwrap_or_default(),
            Some(at) => self.body.get(at..).unwrap_or_default(),
        }
    }

    /// What it counts towards the outbox bound: a joiner's step 2 nothing, a further one all its bytes,
    /// anything else no more than `weight_max`.
    pub(super) fn weight(&self, weight_max: usize) -> usize {
        let bytes = self.head.len() + self.body.len();
        match self.kind {
            Kind::Join | Kind::Echo => 0,
            Kind::Answer => bytes,
            Kind::Message | Kind::Ping => bytes.min(weight_max),
        }
    }
}
