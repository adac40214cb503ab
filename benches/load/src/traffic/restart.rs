//! A restart in the midst of a run: the server is ended and started again, its clients come back as stock ones do.
//!
//! Owns when who connects again (y-websocket: 100 ms after a close, doubled for each failure, at most 2.5 s), and the
//! books of what was lost. Key invariant: what a server has is what it says itself, in the first step 1 to each
//! writer, before that writer sends again what is missing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::fleet::Fleet;
use crate::scenario::Scenario;
use crate::server::Server;
use crate::times::Times;
use crate::traffic::group::{Group, Place, Span};
use crate::yjs::{self, Feed};

const BACKOFF_NS: u64 = 100_000_000;
const BACKOFF_MOST_NS: u64 = 2_500_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its time has not come, or never does.
    Before,
    /// The server was told to end.
    Ending,
    /// It was started again, and nobody was let in yet.
    Starting,
    Up,
}

/// What became of updates, summed over writers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Books {
    /// Written before the server was ended,
    pub(crate) sent: u64,
    /// of those, come back to their writer,
    pub(crate) acknowledged: u64,
    /// and of those, gone from the server.
    pub(crate) lost_acknowledged: u64,
    /// Seen by somebody else, and gone from the server.
    pub(crate) lost_seen: u64,
    /// Neither come back nor seen, and not there.
    pub(crate) lost_unseen: u64,
}

/// The restart of one run.
pub(crate) struct Restart {
    due: Option<u64>,
    signal: String,
    stage: Stage,
    pub(crate) ended_at: u64,
    pub(crate) down_ns: u64,
    /// Who connects again when.
    waiting: BinaryHeap<Reverse<(u64, usize)>>,
    failures: HashMap<usize, u32>,
    /// What each group had written when the server was ended.
    written: Vec<usize>,
    /// Who was asked what it has, and up to which clock of its own the server has it.
    asked: Vec<(usize, u64)>,
    pub(crate) rejoins: Times,
    pub(crate) books: Books,
}

impl Restart {
    pub(crate) fn new(scenario: &Scenario, span: &Span) -> Self {
        let after = (scenario.restart_after * 1e9) as u64;
        Self {
            due: (after > 0).then_some(span.start + after),
            signal: scenario.restart_signal.clone(),
            stage: Stage::Before,
            ended_at: 0,
            down_ns: 0,
            waiting: BinaryHeap::new(),
            failures: HashMap::new(),
            written: Vec::new(),
            asked: Vec::new(),
            rejoins: Times::default(),
            books: Books::default(),
        }
    }

    pub(crate) fn is_planned(&self) -> bool {
        self.due.is_some()
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.stage != Stage::Before
    }

    /// When something is to be done next.
    pub(crate) fn due(&self) -> Option<u64> {
        let next = self.waiting.peek().map(|Reverse((due, _))| *due);
        match self.stage {
            Stage::Before => self.due,
            // Whether it has ended is looked at again and again.
            Stage::Ending => Some(0),
            Stage::Starting | Stage::Up => next,
        }
    }

    /// A client was closed: it comes back later. Whether that is planned.
    pub(crate) fn closed(&mut self, id: usize, now: u64) -> bool {
        if self.has_begun() {
            self.waiting.push(Reverse((now + BACKOFF_NS, id)));
        }
        self.has_begun()
    }

    /// A client is there again.
    pub(crate) fn joined(&mut self, id: usize, now: u64) {
        if self.has_begun() {
            self.failures.remove(&id);
            self.rejoins.record(now - self.ended_at);
        }
    }

    /// The server asks a client what it has.
    pub(crate) fn asked(&mut self, id: usize, clock: u64) {
        if self.has_begun() {
            self.asked.push((id, clock));
        }
    }

    /// Does what is due.
    pub(crate) fn act(
        &mut self,
        (fleet, feeds): (&mut Fleet, &[Feed]),
        server: &mut Server,
        groups: &[Group],
    ) -> Result<(), String> {
        let now = fleet.now();
        match self.stage {
            Stage::Before if self.due.is_some_and(|due| due <= now) => {
                server.end(&self.signal);
                self.ended_at = now;
                self.written = groups.iter().map(|group| group.next).collect();
                self.stage = Stage::Ending;
            }
            Stage::Ending if server.start_when_ended()? => self.stage = Stage::Starting,
            _ => {}
        }
        for (id, clock) in std::mem::take(&mut self.asked) {
            self.resume((fleet, feeds), groups, (id, clock));
        }
        while let Some(Reverse((due, id))) = self.waiting.peek().copied() {
            if due > now || self.stage == Stage::Ending {
                break;
            }
            self.waiting.pop();
            self.reconnect(fleet, groups, id);
        }
        Ok(())
    }

    fn reconnect(&mut self, fleet: &mut Fleet, groups: &[Group], id: usize) {
        let Some((group, place)) = find(groups, id) else {
            return;
        };
        match fleet.reconnect(id, group.clocks(place)) {
            Ok(()) if self.stage == Stage::Starting => {
                self.stage = Stage::Up;
                self.down_ns = fleet.now() - self.ended_at;
            }
            Ok(()) => {}
            Err(_) => {
                let failures = self.failures.entry(id).or_insert(0);
                *failures = (*failures + 1).min(10);
                let wait = (BACKOFF_NS << *failures).min(BACKOFF_MOST_NS);
                self.waiting.push(Reverse((fleet.now() + wait, id)));
            }
        }
    }

    /// Notes what of a writer's is gone, and lets it send what is missing.
    fn resume(&mut self, (fleet, feeds): (&mut Fleet, &[Feed]), groups: &[Group], (id, has): (usize, u64)) {
        let Some((group, Place { board, member, local })) = find(groups, id) else {
            return;
        };
        if member >= group.plan.writers || group.plan.rate <= 0.0 {
            return fleet.resume(id, feeds, 0);
        }
        let feed = group.feed(board, member);
        let count = usize::try_from(has).unwrap_or(usize::MAX);
        fleet.resume(id, feeds, feeds.get(feed).map_or(0, |feed| feed.end(count)));

        let index = groups
            .iter()
            .position(|other| other.first == group.first)
            .unwrap_or(0);
        let next = self.written.get(index).copied().unwrap_or(0);
        let sent = group.schedule.written(board, member, next);
        let acknowledged = group.acknowledged(local, member).min(sent);
        let others = (0..group.plan.fast()).filter(|other| *other != member);
        let reach = |other| {
            group
                .tally
                .reach(&group.schedule, board * group.plan.clients + other, member)
        };
        let seen = others.map(reach).max().unwrap_or(0).min(sent);
        let lost = |of: u64| of.saturating_sub(has);
        let books = &mut self.books;
        books.sent += sent;
        books.acknowledged += acknowledged;
        books.lost_acknowledged += lost(acknowledged);
        books.lost_seen += lost(seen);
        books.lost_unseen += lost(sent) - lost(seen.max(acknowledged));
    }
}

/// The group and the place of a client.
fn find(groups: &[Group], id: usize) -> Option<(&Group, Place)> {
    groups.iter().find_map(|group| Some((group, group.place(id)?)))
}

/// The clock that a state vector has of a writer; 0 for who does not write.
pub(crate) fn clock_of(vector: &[u8], place: Place) -> u64 {
    yjs::clock_in(vector, yjs::client_of(place.member))
}
