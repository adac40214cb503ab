//! Agents: they write items over HTTP at an even rate, and clients see them as changes.
//!
//! Owns the agents' threads, one a board, and the counting. Key invariant: an item is known by words in its
//! text, whatever the server makes of it; it is late from the moment its request was due.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::tally::{Got, Schedule, Tally};
use crate::target::{self, Target};
use crate::times::Times;
use crate::traffic::group::Records;

/// What an item's text begins with, before the board's number and its own.
const WORDS: &str = "load item ";
/// How long a thread sleeps at most, so that it ends when the run does.
const NAP: Duration = Duration::from_millis(50);

/// How one request went.
struct Posted {
    /// Its place in the schedule.
    at: usize,
    nanos: u64,
    result: Result<(), String>,
}

/// The agents of one group.
pub(crate) struct Items {
    schedule: Schedule,
    /// Clients of a board that see them, and what they saw.
    fast: usize,
    tally: Tally,
    /// How many saw each item, and whether the server said that it has it: it may have one that it refused.
    seen: Vec<usize>,
    taken: Vec<bool>,
    posted: Receiver<Posted>,
    is_over: Arc<AtomicBool>,
    answered: usize,
    pub(crate) counted: u64,
    pub(crate) failed: u64,
    /// Why the first failed.
    pub(crate) fault: Option<String>,
    pub(crate) http: Times,
}

impl Items {
    /// Starts the agents. `base` is when the fleet's nanoseconds begin.
    pub(crate) fn start(
        target: &Target,
        rooms: &[Rc<str>],
        schedule: Schedule,
        (clients, fast): (usize, usize),
        base: Instant,
    ) -> Self {
        let (sender, posted) = channel();
        let items = Self::new(schedule, (rooms.len() * clients, fast), posted);
        for (board, room) in rooms.iter().enumerate() {
            let agent = Agent {
                target: target.clone(),
                room: room.to_string(),
                board,
                schedule,
                base,
                sender: sender.clone(),
                is_over: Arc::clone(&items.is_over),
            };
            thread::spawn(move || agent.run());
        }
        items
    }

    fn new(schedule: Schedule, (clients, fast): (usize, usize), posted: Receiver<Posted>) -> Self {
        Self {
            schedule,
            fast,
            tally: Tally::new(clients, 1),
            seen: vec![0; schedule.total],
            taken: vec![false; schedule.total],
            posted,
            is_over: Arc::new(AtomicBool::new(false)),
            answered: 0,
            counted: 0,
            failed: 0,
            fault: None,
            http: Times::default(),
        }
    }

    /// Takes what the agents have to tell.
    pub(crate) fn listen(&mut self) {
        while let Ok(posted) = self.posted.try_recv() {
            self.answered += 1;
            if let Err(fault) = posted.result {
                self.failed += 1;
                self.fault.get_or_insert(fault);
                continue;
            }
            self.taken[posted.at] = true;
            if posted.at >= self.schedule.first {
                self.counted += 1;
                self.http.record(posted.nanos);
            }
        }
    }

    /// A client sees an item.
    pub(crate) fn got(
        &mut self,
        (board, member, local): (usize, usize, usize),
        (of, clock): (usize, u64),
        now: u64,
        records: &mut Records,
    ) {
        // As a writer it is nobody of the board's own clients.
        let who = (board, member + 1, local);
        if of != board {
            self.tally.unknown += 1;
            return;
        }
        let before = self.tally.all;
        if let Got::Late(late) = self.tally.got(&self.schedule, who, (0, clock), now) {
            records.items.record(late);
        }
        if self.tally.all > before
            && let Some(at) = self.schedule.at(board, 0, clock)
        {
            self.seen[at] += 1;
        }
    }

    /// Items that were written and somebody has not seen, once for each who has not.
    pub(crate) fn lost(&self) -> u64 {
        let taken = self.seen.iter().zip(&self.taken).filter(|(_, taken)| **taken);
        taken.map(|(seen, _)| (self.fast - seen) as u64).sum()
    }

    pub(crate) fn repeated(&self) -> u64 {
        self.tally.repeated
    }

    /// Items that somebody saw, of those that count, once for each who did.
    pub(crate) fn delivered(&self) -> u64 {
        self.tally.counted
    }

    /// Items that were due and never answered: what their requests took is in no time.
    pub(crate) fn unanswered(&self) -> u64 {
        (self.schedule.total - self.answered) as u64
    }

    /// Items that nobody wrote, or that came to another board.
    pub(crate) fn unknown(&self) -> u64 {
        self.tally.unknown
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.answered == self.schedule.total && self.lost() == 0
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

struct Agent {
    target: Target,
    room: String,
    board: usize,
    schedule: Schedule,
    base: Instant,
    sender: Sender<Posted>,
    is_over: Arc<AtomicBool>,
}

impl Agent {
    fn run(self) {
        let http = target::agent();
        let Some(request) = &self.target.items else {
            return;
        };
        let boards = self.schedule.boards;
        for at in (self.board..self.schedule.total).step_by(boards) {
            let due = self.base + Duration::from_nanos(self.schedule.due(at));
            while let Some(rest) = due.checked_duration_since(Instant::now()) {
                if self.is_over.load(Ordering::Relaxed) {
                    return;
                }
                thread::sleep(rest.min(NAP));
            }
            let text = format!("{WORDS}{}-{};", self.board, at / boards);
            let result = self.target.send(&http, request, (&self.room, self.board, &text));
            let posted = Posted {
                at,
                nanos: due.elapsed().as_nanos() as u64,
                result,
            };
            if self.sender.send(posted).is_err() {
                return;
            }
        }
    }
}

/// Calls `seen` with the board and the number of each item that an update brings.
pub(crate) fn found(update: &[u8], mut seen: impl FnMut(usize, u64)) {
    let words = WORDS.as_bytes();
    let mut rest = update;
    while let Some(at) = rest.windows(words.len()).position(|window| window == words) {
        rest = &rest[at + words.len()..];
        let end = rest.iter().take(40).position(|byte| *byte == b';');
        let text = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok());
        let numbers = text.and_then(|text| text.split_once('-'));
        if let Some((Ok(board), Ok(clock))) = numbers.map(|(board, clock)| (board.parse(), clock.parse())) {
            seen(board, clock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_found_wherever_they_lie() {
        let update = b"\x01\x02load item 3-17;..load item 4-x;load item 5-6;load item";
        let mut all = Vec::new();
        found(update, |board, clock| all.push((board, clock)));
        assert_eq!(all, [(3, 17), (5, 6)]);
    }

    #[test]
    fn an_item_that_failed_and_came_makes_up_for_none_that_was_lost() {
        let schedule = Schedule {
            boards: 1,
            writers: 1,
            gap: 1.0,
            start: 0,
            first: 1,
            total: 4,
        };
        let (sender, posted) = channel();
        // Two clients of whom both see them.
        let mut items = Items::new(schedule, (2, 2), posted);
        for at in 0..3 {
            let result = if at == 1 {
                Err("no answer in time".to_owned())
            } else {
                Ok(())
            };
            sender.send(Posted { at, nanos: 5, result }).unwrap();
        }
        items.listen();
        let mut records = Records::default();
        // Item 1 is there although its request failed; of item 2 client 1 hears nothing.
        for (client, clock) in [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (0, 2)] {
            items.got((0, client, client), (0, clock), 100, &mut records);
        }
        items.got((0, 0, 0), (3, 1), 100, &mut records);
        assert_eq!((items.lost(), items.repeated(), items.unknown()), (1, 1, 1));
        assert_eq!((items.failed, items.counted, items.unanswered()), (1, 1, 1));
        assert!(!items.is_complete());
    }
}
