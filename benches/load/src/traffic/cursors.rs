//! Cursors: presence that moves at an even rate, and how late others see it.
//!
//! Owns its schedule and counts. A server may leave out what is overtaken, so only the last state of each
//! cursor can be lost; what was passed over is told apart.

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
    /// The clock of each cursor that each client saw last, and one more; 0 for none.
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
    pub(crate) fn send_due(&mut self, fleet: &mut Fleet, feeds: &[Feed], first: usize) {
        let now = fleet.now();
        while self.next < self.schedule.total && self.schedule.due(self.next) <= now {
            let (board, member, clock) = self.schedule.place(self.next);
            let id = first + board * self.clients + member;
            let message = yjs::cursor_message(CURSOR_BASE + member as u64, clock as u64 + 1);
            fleet.say(id, &message);
            fleet.send_said(id, feeds);
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
            let at = clock
                .checked_sub(1)
                .and_then(|clock| self.schedule.at(place.board, member, clock));
            let last = &mut self.last[place.local * self.count + member];
            // The same or an older state again is what a client passes over.
            let Some(at) = at.filter(|_| clock > *last) else {
                return;
            };
            if at >= self.schedule.first {
                self.seen += 1;
                self.skipped += clock - (*last).max(1) - u64::from(*last > 0);
                records.presence.record(now.saturating_sub(self.schedule.due(at)));
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
