//! What was delivered: each change to each client once, in order, and how late.
//!
//! Owns the schedule and the counting. Must not know sockets. Key invariant: a change is matched by (client,
//! writer, clock), so what is lost, repeated or out of order is known and not guessed from totals.

use std::collections::BTreeSet;

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

    pub(crate) fn at(&self, board: usize, writer: usize, clock: u64) -> Option<usize> {
        let turn = usize::try_from(clock).ok()?.checked_mul(self.writers)?;
        let at = turn.checked_add(writer)?.checked_mul(self.boards)?;
        at.checked_add(board).filter(|at| *at < self.total)
    }

    /// How many of the first `next` updates a writer of a board writes.
    pub(crate) fn written(&self, board: usize, writer: usize, next: usize) -> u64 {
        let turns = (next + self.boards).saturating_sub(board + 1) / self.boards;
        ((turns + self.writers).saturating_sub(writer + 1) / self.writers) as u64
    }

    /// Updates that count.
    pub(crate) fn counted(&self) -> usize {
        self.total - self.first
    }
}

/// What a delivery was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    /// It counts, and came so many nanoseconds after it was due.
    Late(u64),
    /// A writer's own came back, so long after it was due.
    Echo(u64),
    /// It was of the warm-up, came again, or nobody wrote it.
    Uncounted,
}

/// The counts of one group of boards.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The next clock that each client awaits of each writer.
    next: Vec<u64>,
    /// Clocks that were passed over.
    missing: BTreeSet<(usize, u64)>,
    /// Deliveries in all, warm-up included, each once.
    pub(crate) all: u64,
    /// Of those that count.
    pub(crate) counted: u64,
    pub(crate) repeated: u64,
    pub(crate) disordered: u64,
    /// Changes that nobody wrote.
    pub(crate) unknown: u64,
    /// A writer's own changes that came back, warm-up included.
    pub(crate) echoed: u64,
}

impl Tally {
    pub(crate) fn new(clients: usize, writers: usize) -> Self {
        Self {
            next: vec![0; clients * writers],
            ..Self::default()
        }
    }

    /// Client `member` of `board`, whose number among those counted is `id`, got a change at `now`.
    pub(crate) fn got(
        &mut self,
        schedule: &Schedule,
        (board, member, id): (usize, usize, usize),
        (writer, clock): (usize, u64),
        now: u64,
    ) -> Got {
        let at = schedule.at(board, writer, clock);
        let Some(at) = at.filter(|at| writer < schedule.writers && schedule.due(*at) <= now) else {
            self.unknown += 1;
            return Got::Uncounted;
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
            return Got::Uncounted;
        }
        let late = now - schedule.due(at);
        if member == writer {
            self.echoed += 1;
            return if counts { Got::Echo(late) } else { Got::Uncounted };
        }
        self.all += 1;
        if !counts {
            return Got::Uncounted;
        }
        self.counted += 1;
        Got::Late(late)
    }

    /// The clock up to which client `id` has all of a writer.
    pub(crate) fn reach(&self, schedule: &Schedule, id: usize, writer: usize) -> u64 {
        let slot = id * schedule.writers + writer;
        let first = self.missing.range((slot, 0)..(slot + 1, 0)).next();
        first.map_or(self.next[slot], |(_, clock)| *clock)
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
        for next in 0..50 {
            let of = |board, writer| {
                (0..next).filter(move |at| {
                    let place = schedule.place(*at);
                    (place.0, place.1) == (board, writer)
                })
            };
            for (board, writer) in [(0, 0), (1, 0), (2, 1), (0, 1)] {
                assert_eq!(
                    schedule.written(board, writer, next),
                    of(board, writer).count() as u64
                );
            }
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
        assert_eq!((tally.all, tally.counted), (7, 5));
        assert_eq!((tally.repeated, tally.disordered, tally.unknown), (1, 1, 0));
        assert_eq!(tally.got(&schedule, (0, 1, 1), (1, 2), 1_000), Got::Echo(995));
        assert_eq!(tally.got(&schedule, (0, 1, 1), (1, 2), 1_000), Got::Uncounted);
        assert_eq!((tally.echoed, tally.repeated), (1, 1));
        assert_eq!(tally.reach(&schedule, 1, 1), 0, "0 and 1 never came");
        assert_eq!(tally.reach(&schedule, 2, 1), 7);
        tally.got(&schedule, (0, 2, 2), (1, 99), 1_000);
        tally.got(&schedule, (0, 2, 2), (5, 1), 1_000);
        tally.got(&schedule, (0, 2, 2), (0, 9), 3);
        assert_eq!(tally.unknown, 3, "that was not even due");
    }
}
