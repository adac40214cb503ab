//! Messages that came in and wait to be applied.
//!
//! Owns [`Inbox`]: a line for each board. Must not apply, nor wait. Key invariants: the messages of one board
//! leave in the order in which they came, some at a time; a board has at most `limits::REDIS_LINE_BYTES_MAX`
//! waiting, all boards at most `limits::REDIS_INBOX_BYTES_MAX`; what does not fit costs the oldest of the
//! same board, so that no board pays for another. Tests are below.

use std::collections::{HashMap, VecDeque};

use crate::bridge::message::Message;
use crate::ids::BoardId;
use crate::limits;

/// The lines of all boards.
#[derive(Debug, Default)]
pub struct Inbox {
    /// A board has a line while somebody serves it, also when nothing waits.
    lines: HashMap<BoardId, Line>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<(Message, usize)>,
    /// Of those that wait, and of those that were taken last.
    bytes: usize,
    taken: usize,
}

/// What came of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// How many messages were dropped; the new one may be among them.
    pub dropped: usize,
    /// Whether nobody serves the board's line yet: the caller must.
    pub is_unserved: bool,
}

impl Inbox {
    /// Puts a message at the end of its board's line.
    pub fn push(&mut self, message: Message) -> Queued {
        let weight = message.weight();
        let board = message.board.clone();
        let is_unserved = !self.lines.contains_key(&board);
        let line = self.lines.entry(board.clone()).or_default();
        line.waiting.push_back((message, weight));
        line.bytes = line.bytes.saturating_add(weight);
        self.bytes = self.bytes.saturating_add(weight);
        let mut dropped = 0;
        while line.bytes > limits::REDIS_LINE_BYTES_MAX || self.bytes > limits::REDIS_INBOX_BYTES_MAX {
            let Some((_, weight)) = line.waiting.pop_front() else {
                break;
            };
            line.bytes = line.bytes.saturating_sub(weight);
            self.bytes = self.bytes.saturating_sub(weight);
            dropped += 1;
        }
        // Each board that is named would leave an empty line behind.
        let is_empty = line.waiting.is_empty();
        if is_unserved && is_empty {
            self.lines.remove(&board);
        }
        Queued {
            dropped,
            is_unserved: is_unserved && !is_empty,
        }
    }

    /// The next messages of a board, all of one actor, to be applied before this is called again; none ends
    /// the serving of the line.
    pub fn take(&mut self, board: &BoardId) -> Vec<Message> {
        let Some(line) = self.lines.get_mut(board) else {
            return Vec::new();
        };
        line.bytes = line.bytes.saturating_sub(line.taken);
        self.bytes = self.bytes.saturating_sub(line.taken);
        line.taken = 0;
        let actor = line.waiting.front().map(|(message, _)| message.actor());
        let mut messages = Vec::new();
        while let Some((message, weight)) = line.waiting.pop_front_if(|(message, _)| {
            messages.len() < limits::REDIS_MESSAGES_AT_ONCE_MAX && Some(message.actor()) == actor
        }) {
            line.taken = line.taken.saturating_add(weight);
            messages.push(message);
        }
        if messages.is_empty() {
            self.lines.remove(board);
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::boards::outlet::Action;
    use crate::ids::ItemId;
    use crate::items::Record;

    fn message(board: &str, id: usize, bytes: usize) -> Message {
        Message {
            board: BoardId::parse(board).unwrap(),
            action: Action::Update,
            id: ItemId::parse(&id.to_string()).unwrap(),
            item: Record::from_iter([("text".to_owned(), json!("x".repeat(bytes)))]),
        }
    }

    fn take(inbox: &mut Inbox, board: &str) -> Vec<usize> {
        let taken = inbox.take(&BoardId::parse(board).unwrap());
        taken
            .iter()
            .map(|message| message.id.as_str().parse().unwrap())
            .collect()
    }

    fn drain(inbox: &mut Inbox, board: &str) -> Vec<usize> {
        std::iter::from_fn(|| Some(take(inbox, board)).filter(|taken| !taken.is_empty()))
            .flatten()
            .collect()
    }

    const FITS: Queued = Queued {
        dropped: 0,
        is_unserved: false,
    };

    #[test]
    fn a_line_is_served_by_one_and_in_order() {
        let mut inbox = Inbox::default();
        let first = Queued {
            is_unserved: true,
            ..FITS
        };
        assert_eq!(inbox.push(message("a", 1, 0)), first);
        assert_eq!(inbox.push(message("b", 7, 0)), first);
        assert_eq!(inbox.push(message("a", 2, 0)), FITS);
        assert_eq!(take(&mut inbox, "a"), [1, 2]);
        // These are being applied: who comes now is still served by the same.
        assert_eq!(inbox.push(message("a", 3, 0)), FITS);
        assert_eq!(drain(&mut inbox, "a"), [3]);
        assert_eq!(inbox.push(message("a", 4, 0)), first);
        assert_eq!(drain(&mut inbox, "b"), [7]);
        assert_eq!(drain(&mut inbox, "a"), [4]);
        assert_eq!((inbox.bytes, inbox.lines.len()), (0, 0));
    }

    #[test]
    fn messages_of_another_actor_and_beyond_a_number_wait() {
        let mut inbox = Inbox::default();
        let max = limits::REDIS_MESSAGES_AT_ONCE_MAX;
        (0..=max).for_each(|id| assert_eq!(inbox.push(message("a", id, 0)).dropped, 0));
        let mut ann = message("a", 1_000, 0);
        ann.item.insert("updated_by".into(), json!("user:ann"));
        inbox.push(ann);
        inbox.push(message("a", 1_001, 0));
        assert_eq!(take(&mut inbox, "a"), Vec::from_iter(0..max));
        for expected in [vec![max], vec![1_000], vec![1_001], vec![]] {
            assert_eq!(take(&mut inbox, "a"), expected);
        }
    }

    #[test]
    fn what_is_being_applied_still_counts() {
        let mut inbox = Inbox::default();
        let weight = message("a", 0, 0).weight();
        let fit = limits::REDIS_INBOX_BYTES_MAX / weight;
        let boards = (0..fit).map(|board| board.to_string());
        for board in boards.clone() {
            assert_eq!(inbox.push(message(&board, 0, 0)).dropped, 0);
            assert_eq!(take(&mut inbox, &board), [0]);
        }
        let lost = Queued {
            dropped: 1,
            is_unserved: false,
        };
        assert_eq!(inbox.push(message("late", 0, 0)), lost);
        assert_eq!(inbox.lines.len(), fit, "nobody serves a line for nothing");
        boards.for_each(|board| assert_eq!(take(&mut inbox, &board), [0; 0]));
        assert_eq!(inbox.bytes, 0);
    }

    #[test]
    fn a_full_line_loses_its_oldest_at_the_edge() {
        let overhead = message("a", 1, 0).weight();
        let half = limits::REDIS_LINE_BYTES_MAX / 2 - overhead;
        for (beyond, left) in [(0, vec![1, 2]), (1, vec![2])] {
            let mut inbox = Inbox::default();
            inbox.push(message("other", 9, half));
            inbox.push(message("a", 1, half));
            let queued = inbox.push(message("a", 2, half + beyond));
            assert_eq!(queued.dropped, beyond);
            assert_eq!(drain(&mut inbox, "a"), left);
            assert_eq!(drain(&mut inbox, "other"), [9]);
            assert_eq!(inbox.bytes, 0);
        }
    }

    #[test]
    fn a_full_inbox_costs_only_the_board_that_sends() {
        let mut inbox = Inbox::default();
        let overhead = message("a", 1, 0).weight();
        let lines = limits::REDIS_INBOX_BYTES_MAX / limits::REDIS_LINE_BYTES_MAX;
        for board in 0..lines {
            inbox.push(message(
                &format!("b{board}"),
                board,
                limits::REDIS_LINE_BYTES_MAX - overhead,
            ));
        }
        assert_eq!(inbox.bytes, limits::REDIS_INBOX_BYTES_MAX);
        let queued = inbox.push(message("late", 1, 0));
        assert_eq!((queued.dropped, queued.is_unserved), (1, false));
        assert_eq!(drain(&mut inbox, "late"), [0; 0]);
        assert_eq!(inbox.push(message("b0", 100, 0)).dropped, 1);
        assert_eq!(drain(&mut inbox, "b0"), [100]);
        (1..lines).for_each(|board| assert_eq!(drain(&mut inbox, &format!("b{board}")), [board]));
        assert_eq!(inbox.bytes, 0);
    }
}
