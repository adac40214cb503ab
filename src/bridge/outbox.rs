//! Messages that wait to be published.
//!
//! Owns [`Outbox`]. Must not send, nor read a clock. Key invariants: the messages of one board leave in the
//! order in which their places were reserved, whenever they come; at most `limits::REDIS_OUTBOX_BYTES_MAX`
//! wait, and what does not fit costs the oldest; what has waited for `limits::REDIS_OUTBOX_AGE_MAX` is not
//! published any more, since others have gone on; what was taken and not confirmed goes back to where it was.
//! Tests are below.

use std::collections::{HashMap, VecDeque};

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

/// A place in the order of a board's messages; it must be settled.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    board: BoardId,
    number: u64,
}

/// Places in their order, each with the messages that it was settled with.
type Places = VecDeque<(u64, Option<Vec<Outgoing>>)>;

/// The messages, oldest first.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Outgoing>,
    /// Of those that wait, and of those that are held back.
    bytes: usize,
    /// The places of each board from the oldest that is not settled, by their numbers, with the messages that
    /// are held back by it. A board without such a place has no entry.
    places: HashMap<BoardId, Places>,
    /// Of those that are held back: 0 <= held <= bytes.
    held: usize,
    next_place: u64,
    /// Taken, and neither confirmed nor put back.
    taken: usize,
}

impl Outbox {
    /// Takes the next place in the order of a board's messages.
    pub fn reserve(&mut self, board: &BoardId) -> Place {
        let number = self.next_place;
        self.next_place = number.saturating_add(1);
        let places = self.places.entry(board.clone()).or_default();
        places.push_back((number, None));
        Place {
            board: board.clone(),
            number,
        }
    }

    /// Puts messages in their place, or none where it is given up; gives how many were dropped for them. They
    /// wait to be taken once all earlier places of the board are settled.
    pub fn settle(&mut self, place: Place, mut messages: Vec<Outgoing>) -> usize {
        let Some(places) = self.places.get_mut(&place.board) else {
            return 0;
        };
        let weight = messages.iter().map(Outgoing::weight).sum();
        let mut dropped = 0;
        // What is held back is not the oldest, but nothing older can make room for it.
        if self.held.saturating_add(weight) > limits::REDIS_OUTBOX_BYTES_MAX {
            dropped = messages.len();
            messages.clear();
        } else {
            self.held = self.held.saturating_add(weight);
            self.bytes = self.bytes.saturating_add(weight);
        }
        if let Some((_, held)) = places.iter_mut().find(|(number, _)| *number == place.number) {
            *held = Some(messages);
        }
        while let Some((_, Some(settled))) = places.pop_front_if(|(_, held)| held.is_some()) {
            for message in settled {
                self.held = self.held.saturating_sub(message.weight());
                self.waiting.push_back(message);
            }
        }
        if places.is_empty() {
            self.places.remove(&place.board);
        }
        dropped + self.shrink()
    }

    /// Takes the oldest: one, and more while they have no more than [`limits::REDIS_BATCH_BYTES`]; gives how
    /// many were dropped because they had waited too long, too.
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

    /// Whether nothing waits, for its turn or to be confirmed, and no place is to be settled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty() && self.taken == 0 && self.places.is_empty()
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

    /// Settles a place that was reserved just now.
    fn push(outbox: &mut Outbox, message: Outgoing) -> usize {
        let place = outbox.reserve(&message.board);
        outbox.settle(place, vec![message])
    }

    const NOW: Tick = Tick(1_000_000_000);

    #[test]
    fn messages_leave_in_order_in_batches_of_bounded_size() {
        let mut outbox = Outbox::default();
        let third = limits::REDIS_BATCH_BYTES / 3;
        (0..5).for_each(|name| assert_eq!(push(&mut outbox, message(name, third, NOW)), 0));
        push(&mut outbox, message(5, limits::REDIS_BATCH_BYTES * 2, NOW));
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
            push(&mut outbox, message(0, half, NOW));
            assert_eq!(push(&mut outbox, message(1, half + beyond, NOW)), beyond);
            assert_eq!(names(&outbox.take(NOW).0), [beyond]);
        }
    }

    #[test]
    fn what_is_put_back_comes_first_again_and_is_the_oldest() {
        let mut outbox = Outbox::default();
        (0..3).for_each(|name| assert_eq!(push(&mut outbox, message(name, 1_000, NOW)), 0));
        let (batch, _) = outbox.take(NOW);
        push(&mut outbox, message(3, 1_000, NOW));
        assert_eq!(outbox.restore(batch), 0);
        assert_eq!(outbox.bytes, 4_000);
        let (batch, _) = outbox.take(NOW);
        assert_eq!(names(&batch), [0, 1, 2, 3]);
        push(
            &mut outbox,
            message(4, limits::REDIS_OUTBOX_BYTES_MAX - 2_000, NOW),
        );
        assert_eq!(outbox.restore(batch), 2);
        assert_eq!(names(&outbox.take(NOW).0), [2, 3]);
    }

    #[test]
    fn what_has_waited_too_long_is_not_published() {
        let mut outbox = Outbox::default();
        let limit = limits::REDIS_OUTBOX_AGE_MAX;
        push(&mut outbox, message(0, 1_000, NOW));
        push(
            &mut outbox,
            message(1, 1_000, NOW.after(Duration::from_micros(1))),
        );
        let (batch, late) = outbox.take(NOW.after(limit + Duration::from_micros(1)));
        assert_eq!((names(&batch), late), (vec![1], 1));
    }

    #[test]
    fn messages_of_a_board_leave_in_the_order_of_their_places() {
        let mut outbox = Outbox::default();
        let board = |name: &str| BoardId::parse(name).unwrap();
        let said = |at: &str, text: &str| Outgoing {
            board: board(at),
            payload: text.into(),
            at: NOW,
        };
        let [first, second, third, fourth] = [(); 4].map(|()| outbox.reserve(&board("a")));
        let other = outbox.reserve(&board("b"));
        let leaves = |outbox: &mut Outbox, texts: &[&str]| {
            let batch = outbox.take(NOW).0;
            assert!(
                batch
                    .iter()
                    .map(|message| message.payload.as_slice())
                    .eq(texts.iter().map(|text| text.as_bytes()))
            );
            outbox.confirm();
        };
        outbox.settle(third, vec![said("a", "3")]);
        outbox.settle(second, vec![said("a", "2"), said("a", "2b")]);
        outbox.settle(other, vec![said("b", "other")]);
        leaves(&mut outbox, &["other"]);
        assert!(!outbox.is_settled() && outbox.held == outbox.bytes && outbox.held > 0);
        // Given up, it holds up nobody.
        outbox.settle(first, Vec::new());
        leaves(&mut outbox, &["2", "2b", "3"]);
        assert!(!outbox.is_settled());
        outbox.settle(fourth, Vec::new());
        assert!(outbox.is_settled());
        assert_eq!((outbox.held, outbox.bytes, outbox.places.len()), (0, 0, 0));
    }

    #[test]
    fn what_is_held_back_is_bounded_too() {
        let mut outbox = Outbox::default();
        let half = limits::REDIS_OUTBOX_BYTES_MAX / 2;
        let slow = outbox.reserve(&message(7, 1_000, NOW).board);
        assert_eq!(push(&mut outbox, message(7, half, NOW)), 0);
        assert_eq!(push(&mut outbox, message(7, half, NOW)), 0);
        assert_eq!(push(&mut outbox, message(7, 1_000, NOW)), 1);
        // What waits makes room.
        assert_eq!(push(&mut outbox, message(8, 1_000, NOW)), 1);
        outbox.settle(slow, Vec::new());
        assert_eq!(names(&outbox.take(NOW).0), [7]);
        assert_eq!(outbox.held, 0);
    }
}
