//! Cursors: presence that moves at an even rate, and how late others see it.
//!
//! Owns its schedule and counts. A server may leave out what is overtaken, so only the last state of each
//! cursor can be lost; what was passed over is told apart. Key invariant: a state is late until it or a newer
//! one is seen, or a server that shows one in ten would seem as quick as one that shows all.

use crate::fleet::Fleet;
use crate::scenario;
use crate::tally::Schedule;
use crate::traffic::group::{Place, Records, Span};
use crate::yjs::{self, Feed};

/// A cursor's client id is this and its number.
const CURSOR_BASE: u64 = 0x5000_0000;

/// The cursors of one group.
#[derive(Debug)]
pub(crate) struct Cursors {
    count: usize,
    clients: usize,
    fast: usize,
    schedule: Schedule,
    next: usize,
    /// The clock of the state that each client saw last of each cursor; 0 for none.
    last: Vec<u64>,
    pub(crate) seen: u64,
    pub(crate) skipped: u64,
}

impl Default for Cursors {
    fn default() -> Self {
        Self::new(
            &scenario::Group::default(),
            &Span {
                begin: 0,
                start: 0,
                end: 0,
            },
        )
    }
}

impl Cursors {
    pub(crate) fn new(plan: &scenario::Group, span: &Span) -> Self {
        let rate = plan.cursor_rate * plan.cursors as f64;
        Self {
            count: plan.cursors,
            clients: plan.clients,
            fast: plan.fast(),
            schedule: span.schedule(plan.boards, plan.cursors, rate),
            next: 0,
            last: vec![0; plan.boards * plan.clients * plan.cursors],
            seen: 0,
            skipped: 0,
        }
    }

    /// Sends what is due; `first` is the number of the group's first client.
    pub(crate) fn send_due(
        &mut self,
        (fleet, feeds): (&mut Fleet, &[Feed]),
        first: usize,
        records: &mut Records,
    ) {
        let now = fleet.now();
        while self.next < self.schedule.total && self.schedule.due(self.next) <= now {
            let (board, member, clock) = self.schedule.place(self.next);
            let id = first + board * self.clients + member;
            let message = yjs::cursor_message(CURSOR_BASE + member as u64, clock as u64 + 1);
            fleet.say(id, &message);
            fleet.send_said(id, feeds);
            if self.next >= self.schedule.first {
                records.lag.record(fleet.now() - self.schedule.due(self.next));
            }
            self.next += 1;
        }
    }

    pub(crate) fn due(&self) -> Option<u64> {
        (self.next < self.schedule.total).then(|| self.schedule.due(self.next))
    }

    /// Presence came to a client.
    pub(crate) fn got(&mut self, place: Place, update: &[u8], now: u64, records: &mut Records) {
        if self.count == 0 || place.member >= self.fast {
            return;
        }
        yjs::cursors(update, |client, clock| {
            let member = client
                .checked_sub(CURSOR_BASE)
                .and_then(|member| usize::try_from(member).ok());
            let Some(member) = member.filter(|member| *member < self.count && *member != place.member) else {
                return;
            };
            // State `n` has clock `n + 1`.
            let due = |state: u64| {
                let at = self.schedule.at(place.board, member, state)?;
                Some((self.schedule.due(at), at >= self.schedule.first))
            };
            let last = &mut self.last[place.local * self.count + member];
            // The same or an older state again is what a client passes over, and nobody sent one before its
            // time.
            let newest = clock.checked_sub(1).and_then(due);
            if clock <= *last || newest.is_none_or(|(due, _)| due > now) {
                return;
            }
            for (due, counts) in (*last..clock).filter_map(due) {
                if counts {
                    self.skipped += 1;
                    records.presence.record(now - due);
                }
            }
            // The newest was seen itself.
            if newest.is_some_and(|(_, counts)| counts) {
                self.seen += 1;
                self.skipped -= 1;
            }
            *last = clock;
        });
    }

    /// How many clients have not got the last state of how many cursors.
    pub(crate) fn lost(&self) -> u64 {
        let of = |(slot, last): (usize, &u64)| {
            let (local, cursor) = (slot / self.count, slot % self.count);
            let (board, member) = (local / self.clients, local % self.clients);
            if member == cursor || member >= self.fast {
                return false;
            }
            *last < self.schedule.written(board, cursor, self.next)
        };
        self.last.iter().enumerate().filter(|entry| of(*entry)).count() as u64
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.next == self.schedule.total && self.lost() == 0
    }

    pub(crate) fn are_there(&self) -> bool {
        self.count > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_late_until_a_newer_one_is_seen() {
        const SECOND: u64 = 1_000_000_000;
        let plan = scenario::Group {
            clients: 3,
            cursors: 2,
            cursor_rate: 10.0,
            ..scenario::Group::default()
        };
        let span = Span {
            begin: 0,
            start: SECOND,
            end: 3 * SECOND,
        };
        let mut cursors = Cursors::new(&plan, &span);
        let mut records = Records::default();
        let place = Place {
            board: 0,
            member: 2,
            local: 2,
        };
        let mut got = |cursors: &mut Cursors, clock: u64, now: u64| {
            let message = yjs::cursor_message(CURSOR_BASE, clock);
            // After the kind and the length.
            cursors.got(place, &message[2..], now, &mut records);
            records.presence.total()
        };
        // Cursor 0 has ten states of warm-up, then state `n` at `n` tenths of a second.
        assert_eq!(got(&mut cursors, 5, SECOND / 2), 0);
        assert_eq!(
            got(&mut cursors, 11, SECOND),
            1,
            "five of the warm-up were passed over"
        );
        assert_eq!((cursors.seen, cursors.skipped), (1, 0));
        assert_eq!(got(&mut cursors, 21, 2 * SECOND), 11);
        assert_eq!((cursors.seen, cursors.skipped), (2, 9));
        assert_eq!(got(&mut cursors, 21, 2 * SECOND), 11, "the same again");
        assert_eq!(got(&mut cursors, 29, 2 * SECOND), 11, "nobody sent that yet");
        assert_eq!(got(&mut cursors, 99, 9 * SECOND), 11, "nor ever that");
        let worst = records.presence.within_ms(1.0);
        assert!(
            (895.0..910.0).contains(&worst),
            "state 11 was late by 0.9 s: {worst}"
        );
    }
}
