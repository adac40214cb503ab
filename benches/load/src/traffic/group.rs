//! One group of boards in a run: who is where, what is due, what came.
//!
//! Owns the places of its clients and the counts of its changes. Must not know processes or files. Client
//! `member` of `board` has the number `first + board * clients + member`; writers come first, slow readers
//! last.

use std::rc::Rc;

use crate::fleet::{Fleet, State};
use crate::scenario;
use crate::tally::{Got, Schedule, Tally};
use crate::times::Times;
use crate::traffic::cursors::Cursors;
use crate::traffic::items::{self, Items};
use crate::traffic::visitors::Visitors;
use crate::yjs::{self, Feed};

/// How often slow readers read, and how long a turn lasts at most.
pub(crate) const TRICKLE_NS: u64 = 50_000_000;

/// When what counts begins, and how long it lasts, in nanoseconds of the fleet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// When the first thing of the warm-up is due.
    pub(crate) begin: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Span {
    /// A schedule of `rate` a second on each board, by `writers` in turn. One is due at the very start of
    /// what counts: what is due before is warm-up, and a short try has one at least.
    pub(crate) fn schedule(&self, boards: usize, writers: usize, rate: f64) -> Schedule {
        let per_second = rate * boards as f64;
        let gap = if per_second > 0.0 {
            1e9 / per_second
        } else {
            f64::INFINITY
        };
        let due_in = |nanos: u64| nanos as f64 / 1e9 * per_second;
        // A millionth, since 0.1 is no exact number.
        let first = (due_in(self.start - self.begin) + 1e-6).floor();
        let counted = (due_in(self.end - self.start) - 1e-6).ceil();
        Schedule {
            boards,
            writers: writers.max(1),
            gap,
            start: self.start.saturating_sub((first * gap) as u64),
            first: first as usize,
            total: first as usize + counted as usize,
        }
    }
}

/// A client's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) board: usize,
    pub(crate) member: usize,
    /// Its number within the group.
    pub(crate) local: usize,
}

/// What all groups of a run record into.
#[derive(Default)]
pub(crate) struct Records {
    /// Deliveries of this second, and of all before.
    pub(crate) second: Times,
    pub(crate) late: Times,
    pub(crate) echoes: Times,
    pub(crate) presence: Times,
    pub(crate) items: Times,
    /// From due to sent.
    pub(crate) lag: Times,
}

/// A group.
pub(crate) struct Group {
    pub(crate) plan: scenario::Group,
    pub(crate) rooms: Vec<Rc<str>>,
    pub(crate) first: usize,
    pub(crate) schedule: Schedule,
    /// The update that is due next.
    pub(crate) next: usize,
    pub(crate) tally: Tally,
    /// What came to slow readers.
    pub(crate) slow: Tally,
    pub(crate) cursors: Cursors,
    pub(crate) items: Option<Items>,
    pub(crate) visitors: Visitors,
    /// How many updates the server told each client that it has taken.
    taken: Vec<u64>,
    /// The feed of the first writer, and how many there are for each board: 0 where all boards share them.
    first_feed: usize,
    feeds_a_board: usize,
}

impl Group {
    pub(crate) fn new(plan: &scenario::Group, rooms: Vec<Rc<str>>, first: usize) -> Self {
        let nothing = Span {
            begin: 0,
            start: 0,
            end: 0,
        };
        Self {
            plan: plan.clone(),
            rooms,
            first,
            schedule: nothing.schedule(plan.boards, plan.writers, 0.0),
            next: 0,
            tally: Tally::default(),
            slow: Tally::default(),
            cursors: Cursors::default(),
            items: None,
            visitors: Visitors::default(),
            taken: vec![0; plan.boards * plan.clients],
            first_feed: 0,
            feeds_a_board: 0,
        }
    }

    pub(crate) fn clients(&self) -> usize {
        self.plan.boards * self.plan.clients
    }

    /// Says when things are due, and begins to count.
    pub(crate) fn begin(&mut self, span: &Span, (first_feed, feeds_a_board): (usize, usize)) {
        let plan = &self.plan;
        self.schedule = span.schedule(plan.boards, plan.writers, plan.rate);
        self.tally = Tally::new(self.clients(), self.schedule.writers);
        self.slow = Tally::new(
            if plan.slow > 0 { self.clients() } else { 0 },
            self.schedule.writers,
        );
        self.cursors = Cursors::new(plan, span);
        self.visitors = Visitors::new(plan, span);
        (self.first_feed, self.feeds_a_board) = (first_feed, feeds_a_board);
    }

    pub(crate) fn place(&self, id: usize) -> Option<Place> {
        let local = id
            .checked_sub(self.first)
            .filter(|local| *local < self.clients())?;
        Some(Place {
            board: local / self.plan.clients,
            member: local % self.plan.clients,
            local,
        })
    }

    pub(crate) fn id(&self, board: usize, member: usize) -> usize {
        self.first + board * self.plan.clients + member
    }

    pub(crate) fn feed(&self, board: usize, writer: usize) -> usize {
        self.first_feed + board * self.feeds_a_board + writer
    }

    fn is_slow(&self, member: usize) -> bool {
        member >= self.plan.fast()
    }

    /// Numbers of the slow readers.
    pub(crate) fn slow_ids(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, clients, fast) = (self.first, self.plan.clients, self.plan.fast());
        (0..self.clients())
            .filter(move |local| local % clients >= fast)
            .map(move |local| first + local)
    }

    /// Sends all updates that are due, each writer's in one write.
    pub(crate) fn send_due(&mut self, fleet: &mut Fleet, feeds: &[Feed], records: &mut Records) {
        let now = fleet.now();
        let from = self.next;
        while self.next < self.schedule.total && self.schedule.due(self.next) <= now {
            self.next += 1;
        }
        if self.next == from {
            return;
        }
        // The last update of each writer says how far it is.
        let reach = (self.schedule.boards * self.schedule.writers).min(self.next - from);
        for at in self.next - reach..self.next {
            let (board, writer, clock) = self.schedule.place(at);
            let feed = self.feed(board, writer);
            fleet.feed(self.id(board, writer), feeds, (feed, feeds[feed].end(clock + 1)));
        }
        let sent = fleet.now();
        for at in from.max(self.schedule.first)..self.next {
            records.lag.record(sent - self.schedule.due(at));
        }
    }

    /// When the next update is due.
    pub(crate) fn due(&self) -> Option<u64> {
        (self.next < self.schedule.total).then(|| self.schedule.due(self.next))
    }

    /// A change, or a whole state, came to a client.
    pub(crate) fn got(&mut self, place: Place, update: &[u8], now: u64, records: &mut Records) {
        let is_slow = self.is_slow(place.member);
        let tally = if is_slow { &mut self.slow } else { &mut self.tally };
        let schedule = &self.schedule;
        let who = (place.board, place.member, place.local);
        let mut is_foreign = false;
        let is_update = yjs::spans(update, |client, from, to| {
            let writer = yjs::writer_of(client).filter(|writer| *writer < schedule.writers);
            let Some(writer) = writer else {
                is_foreign = true;
                return;
            };
            for clock in from..to.min(from.saturating_add(schedule.total as u64)) {
                match tally.got(schedule, who, (writer, clock), now) {
                    Got::Late(late) if !is_slow => records.second.record(late),
                    Got::Echo(late) => records.echoes.record(late),
                    Got::Late(_) | Got::Uncounted => {}
                }
            }
        });
        if !is_update {
            tally.unknown += 1;
            return;
        }
        if !is_foreign {
            return;
        }
        match &mut self.items {
            Some(items) if !is_slow => {
                items::found(update, |board, clock| {
                    items.got(who, (board, clock), now, records)
                });
            }
            Some(_) => {}
            None => tally.unknown += 1,
        }
    }

    /// The server says that it has taken one more update of a client's.
    pub(crate) fn taken(&mut self, place: Place) {
        self.taken[place.local] += 1;
    }

    /// The clock up to which a writer's updates were acknowledged: by coming back, or by a message of their
    /// own.
    pub(crate) fn acknowledged(&self, local: usize, writer: usize) -> u64 {
        self.tally
            .reach(&self.schedule, local, writer)
            .max(self.taken[local])
    }

    /// Changes that came and that nobody wrote, and what is no change at all.
    pub(crate) fn unknown(&self) -> u64 {
        self.tally.unknown + self.slow.unknown + self.items.as_ref().map_or(0, Items::unknown)
    }

    /// Deliveries that are to come of all that counts, and of all.
    pub(crate) fn expected(&self) -> (u64, u64) {
        let others = self.plan.fast().saturating_sub(1) as u64;
        (
            self.schedule.counted() as u64 * others,
            self.schedule.total as u64 * others,
        )
    }

    /// Whether everything that was to come has come, to slow readers too unless they were closed.
    pub(crate) fn is_complete(&self, fleet: &Fleet) -> bool {
        self.next == self.schedule.total
            && self.tally.all == self.expected().1
            && self.items.as_ref().is_none_or(Items::is_complete)
            && self.cursors.is_complete()
            && self.visitors.is_complete()
            && self.slow_behind(fleet) == 0
    }

    /// Deliveries of all kinds that count: what a server's cost is shared by.
    pub(crate) fn delivered(&self) -> u64 {
        let items = self.items.as_ref().map_or(0, Items::delivered);
        self.tally.counted + self.slow.counted + self.cursors.seen + items
    }

    /// Of slow readers that are still there: how many changes they have not got.
    pub(crate) fn slow_behind(&self, fleet: &Fleet) -> u64 {
        let of_one = |id: usize| {
            let Some(place) = self.place(id).filter(|_| fleet.state(id) == State::Open) else {
                return 0;
            };
            let missing = |writer| {
                let sent = self.schedule.written(place.board, writer, self.schedule.total);
                sent - self.slow.reach(&self.schedule, place.local, writer).min(sent)
            };
            (0..self.plan.writers).map(missing).sum()
        };
        self.slow_ids().map(of_one).sum()
    }

    /// What a client has, as it says when it comes back: its own updates, and of others what it got.
    pub(crate) fn clocks(&self, place: Place) -> Vec<(u64, u64)> {
        let of = |writer: usize| {
            let clock = if writer == place.member {
                self.schedule.written(place.board, writer, self.next)
            } else {
                let tally = if self.is_slow(place.member) {
                    &self.slow
                } else {
                    &self.tally
                };
                tally.reach(&self.schedule, place.local, writer)
            };
            (yjs::client_of(writer), clock)
        };
        (0..self.plan.writers)
            .map(of)
            .filter(|(_, clock)| *clock > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_due_while_it_counts_and_what_is_due_before_does_not() {
        let span = |warm_up: u64, length: u64| Span {
            begin: 7_000_000,
            start: 7_000_000 + warm_up,
            end: 7_000_000 + warm_up + length,
        };
        const MS: u64 = 1_000_000;
        for (boards, rate, warm_up, length, counted) in [
            (2, 200.0, 100, 1_000, 400),
            (1, 0.1, 1_000, 10_000, 1),
            (1, 0.1, 0, 300, 1),
            (3, 0.4, 1_000, 2_000, 3),
            (1, 1.4, 1_000, 1_000, 2),
            (7, 1.0 / 3.0, 2_000, 30_000, 70),
            (1, 1_000.0, 1_000, 1, 1),
            (4, 0.0, 1_000, 1_000, 0),
        ] {
            let span = span(warm_up * MS, length * MS);
            let schedule = span.schedule(boards, 2, rate);
            assert_eq!(schedule.counted(), counted, "{boards} x {rate}");
            for at in 0..schedule.total {
                let due = schedule.due(at);
                let ought = if at < schedule.first {
                    // Rounding costs a nanosecond at most.
                    span.begin - 1..span.start
                } else {
                    span.start..span.end
                };
                assert!(
                    ought.contains(&due),
                    "{at} of {boards} x {rate}: {due} in {ought:?}"
                );
            }
        }
    }
}
