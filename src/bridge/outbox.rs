//! Messages that wait to be published.
//!
//! Owns [`Outbox`]. Must not send, nor read a clock. Key invariants: at most `limits::REDIS_OUTBOX_BYTES_MAX` wait, and what
//! does not fit costs the oldest; what has waited for `limits::REDIS_OUTBOX_AGE_MAX` is not published any more, since others
//! have gone on; what was taken and not confirmed goes back to where it was. Tests are below.

use std::collections::VecDeque;

use crate::ids::BoardId;
use crate::limits;
use crate::time::Tick;

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// For which board's channel.
    pub board: BoardId,
    /// The message.
    pub payload: Vec<u8>,
    /// Since when it waits.
    pub at: Tick,
}

impl Outgoing {
    fn weight(&self) -> usize {
        self.payload.len().saturating_add(MESSAGE_BYTES)
    }
}

/// What a message takes beside its payload.
const MESSAGE_BYTES: usize = 256;

/// The messages, oldest first.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Outgoing>,
    bytes: usize,
    /// Taken, and neither confirmed nor put back.
    taken: usize,
}

impl Outbox {
    /// Puts a message at the end; gives how many were dropped for it.
    pub fn push(&mut self, message: Outgoing) -> usize {
        self.bytes = self.bytes.saturating_add(message.weight());
        self.waiting.push_back(message);
        self.shrink()
    }

    /// Takes the oldest: one, and more while they have no more than [`limits::REDIS_BATCH_BYTES`]; gives how many were
    /// dropped because they had waited too long, too.
    pub fn take(&mut self, now: Tick) -> (Vec<Outgoing>, usize) {
        let (mut batch, mut bytes, mut late) = (Vec::new(), 0usize, 0);
        while let Some(message) = self.waiting.front() {
            let weight = message.weight();
            let is_late = now.since(message.at) > limits::REDIS_OUTBOX_AGE_MAX;
            if !is_late && !batch.is_empty() && bytes.saturating_add(weight) > limits::REDIS_BATCH_BYTES {
                break;
            }
            self.bytes = self.bytes.saturating_sub(weight);
            let Some(message) = self.waiting.pop_front() else {
                break;
            };
            if is_late {
                late += 1;
            } else {
                bytes = bytes.saturating_add(weight);
                batch.push(message);
            }
        }
        self.taken = batch.len();
        (batch, late)
    }

    /// What [`Self::take`] gave has arrived.
    pub fn confirm(&mut self) {
        self.taken = 0;
    }

    /// Puts back what [`Self::take`] gave; gives how many were dropped for it.
    pub fn restore(&mut self, batch: Vec<Outgoing>) -> usize {
        self.taken = 0;
        for message in batch.into_iter().rev() {
            self.bytes = self.bytes.saturating_add(message.weight());
            self.waiting.push_front(message);
        }
        self.shrink()
    }

    /// Whether nothing waits, for its turn or to be confirmed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty() && self.taken == 0
    }

    fn shrink(&mut self) -> usize {
        let mut dropped = 0;
        while self.bytes > limits::REDIS_OUTBOX_BYTES_MAX {
            let Some(message) = self.waiting.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(message.weight());
            dropped += 1;
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn message(name: usize, bytes: usize, at: Tick) -> Outgoing {
        Outgoing {
            board: BoardId::parse(&name.to_string()).unwrap(),
            payload: vec![0; bytes - MESSAGE_BYTES],
            at,
        }
    }

    fn names(batch: &[Outgoing]) -> Vec<usize> {
        batch
            .iter()
            .map(|message| message.board.as_str().parse().unwrap())
            .collect()
    }

    const NOW: Tick = Tick(1_000_000_000);

    #[test]
    fn messages_leave_in_order_in_batches_of_bounded_size() {
        let mut outbox = Outbox::default();
        let third = limits::REDIS_BATCH_BYTES / 3;
        (0..5).for_each(|name| assert_eq!(outbox.push(message(name, third, NOW)), 0));
        outbox.push(message(5, limits::REDIS_BATCH_BYTES * 2, NOW));
        for expected in [vec![0, 1, 2], vec![3, 4], vec![5], vec![]] {
            let (batch, late) = outbox.take(NOW);
            assert_eq!(outbox.is_settled(), batch.is_empty());
            assert_eq!((names(&batch), late), (expected, 0));
            outbox.confirm();
        }
        assert!(outbox.is_settled() && outbox.bytes == 0);
    }

    #[test]
    fn a_full_outbox_loses_its_oldest_at_the_edge() {
        let half = limits::REDIS_OUTBOX_BYTES_MAX / 2;
        for beyond in [0, 1] {
            let mut outbox = Outbox::default();
            outbox.push(message(0, half, NOW));
            assert_eq!(outbox.push(message(1, half + beyond, NOW)), beyond);
            assert_eq!(names(&outbox.take(NOW).0), [beyond]);
        }
    }

    #[test]
    fn what_is_put_back_comes_first_again_and_is_the_oldest() {
        let mut outbox = Outbox::default();
        (0..3).for_each(|name| assert_eq!(outbox.push(message(name, 1_000, NOW)), 0));
        let (batch, _) = outbox.take(NOW);
        outbox.push(message(3, 1_000, NOW));
        assert_eq!(outbox.restore(batch), 0);
        assert_eq!(outbox.bytes, 4_000);
        let (batch, _) = outbox.take(NOW);
        assert_eq!(names(&batch), [0, 1, 2, 3]);
        outbox.push(message(4, limits::REDIS_OUTBOX_BYTES_MAX - 2_000, NOW));
        assert_eq!(outbox.restore(batch), 2);
        assert_eq!(names(&outbox.take(NOW).0), [2, 3]);
    }

    #[test]
    fn what_has_waited_too_long_is_not_published() {
        let mut outbox = Outbox::default();
        let limit = limits::REDIS_OUTBOX_AGE_MAX;
        outbox.push(message(0, 1_000, NOW));
        outbox.push(message(1, 1_000, NOW.after(Duration::from_micros(1))));
        let (batch, late) = outbox.take(NOW.after(limit + Duration::from_micros(1)));
        assert_eq!((names(&batch), late), (vec![1], 1));
    }
}
