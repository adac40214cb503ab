//! What was delivered: each change to each client once, in order, and how late.
//!
//! Owns the counting. Must not know sockets. Key invariant: a change is matched by (client, writer, clock),
//! so what is lost, repeated or out of order is known and not guessed from totals.

use std::collections::BTreeSet;

use crate::histogram::Histogram;

/// Which update is due when, and who writes it: evenly over boards, then over writers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub(crate) boards: usize,
    pub(crate) writers: usize,
    /// Nanoseconds from one update to the next, of all boards together.
    pub(crate) gap: f64,
    /// When update 0 is due.
    pub(crate) start: u64,
    /// Updates before this one are warm-up, and not counted.
    pub(crate) first: usize,
    pub(crate) total: usize,
}

impl Schedule {
    pub(crate) fn due(&self, at: usize) -> u64 {
        self.start + (at as f64 * self.gap) as u64
    }

    /// The board, the writer there, and the clock.
    pub(crate) fn place(&self, at: usize) -> (usize, usize, usize) {
        let turn = at / self.boards;
        (at % self.boards, turn % self.writers, turn / self.writers)
    }

    fn at(&self, board: usize, writer: usize, clock: u64) -> Option<usize> {
        let turn = usize::try_from(clock).ok()?.checked_mul(self.writers)?;
        let at = turn.checked_add(writer)?.checked_mul(self.boards)?;
        at.checked_add(board).filter(|at| *at < self.total)
    }

    /// Updates that count.
    pub(crate) fn counted(&self) -> usize {
        self.total - self.first
    }
}

/// The counts of one run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The next clock that each client awaits of each writer.
    next: Vec<u64>,
    /// Clocks that were passed over.
    missing: BTreeSet<(usize, u64)>,
    /// Deliveries in all, warm-up included, each once.
    pub(crate) all: u64,
    /// Of those that count: how late they came.
    pub(crate) late: Histogram,
    pub(crate) repeated: u64,
    pub(crate) disordered: u64,
    /// Changes that nobody wrote.
    pub(crate) unknown: u64,
    /// A writer's own changes that came back, warm-up included, and how late those that count were.
    pub(crate) echoed: u64,
    pub(crate) echoes: Histogram,
}

impl Tally {
    pub(crate) fn new(clients: usize, writers: usize) -> Self {
        Self {
            next: vec![0; clients * writers],
            ..Self::default()
        }
    }

    /// Client `member` of `board`, whose number among all is `id`, got a change at `now`.
    pub(crate) fn got(
        &mut self,
        schedule: &Schedule,
        (board, member, id): (usize, usize, usize),
        (writer, clock): (usize, u64),
        now: u64,
    ) {
        let at = schedule.at(board, writer, clock);
        let Some(at) = at.filter(|at| writer < schedule.writers && schedule.due(*at) <= now) else {
            self.unknown += 1;
            return;
        };
        let slot = id * schedule.writers + writer;
        let counts = at >= schedule.first;
        let next = &mut self.next[slot];
        if clock >= *next {
            self.missing.extend((*next..clock).map(|clock| (slot, clock)));
            *next = clock + 1;
        } else if self.missing.remove(&(slot, clock)) {
            self.disordered += u64::from(counts);
        } else {
            // A writer may be told twice what of its own is safe.
            self.repeated += u64::from(counts && member != writer);
            return;
        }
        let late = now - schedule.due(at);
        if member == writer {
            self.echoed += 1;
            if counts {
                self.echoes.record(late);
            }
        } else {
            self.all += 1;
            if counts {
                self.late.record(late);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_update_has_one_place_and_is_found_by_it() {
        let schedule = Schedule {
            boards: 3,
            writers: 2,
            gap: 0.5,
            start: 100,
            first: 5,
            total: 50,
        };
        for at in 0..50 {
            let (board, writer, clock) = schedule.place(at);
            assert_eq!(schedule.at(board, writer, clock as u64), Some(at));
        }
        assert_eq!(schedule.at(0, 0, 9), None);
        assert_eq!(schedule.at(0, 0, u64::MAX), None);
        assert_eq!((schedule.due(11), schedule.counted()), (105, 45));
    }

    #[test]
    fn what_comes_again_late_or_from_nobody_is_told_apart() {
        let schedule = Schedule {
            boards: 1,
            writers: 2,
            gap: 1.0,
            start: 0,
            first: 4,
            total: 20,
        };
        let mut tally = Tally::new(3, 2);
        for clock in [0, 1, 2, 4, 5, 3, 5, 6, 0] {
            tally.got(&schedule, (0, 2, 2), (1, clock), 1_000);
        }
        // Clocks 0 and 1 of both writers are warm-up.
        assert_eq!((tally.all, tally.late.total()), (7, 5));
        assert_eq!((tally.repeated, tally.disordered, tally.unknown), (1, 1, 0));
        tally.got(&schedule, (0, 1, 1), (1, 2), 1_000);
        tally.got(&schedule, (0, 1, 1), (1, 2), 1_000);
        assert_eq!((tally.echoed, tally.echoes.total(), tally.repeated), (1, 1, 1));
        tally.got(&schedule, (0, 2, 2), (1, 99), 1_000);
        tally.got(&schedule, (0, 2, 2), (5, 1), 1_000);
        tally.got(&schedule, (0, 2, 2), (0, 9), 3);
        assert_eq!(tally.unknown, 3, "that was not even due");
    }
}
