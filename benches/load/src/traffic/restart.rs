//! A restart in the midst of a run: the server is ended and started again, its clients come back as stock
//! ones do.
//!
//! Owns when who connects again (y-websocket: 100 ms after a close, doubled for each failure, at most 2.5 s),
//! and the books of what was lost. Key invariant: what a server still has is what a newcomer on each board
//! gets before anybody else is back who could bring what is missing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

use crate::fleet::{Event, Fleet};
use crate::scenario::Scenario;
use crate::server::Server;
use crate::target;
use crate::times::Times;
use crate::traffic::group::{Group, Place, Span};
use crate::yjs::{self, Feed};

const BACKOFF_NS: u64 = 100_000_000;
const BACKOFF_MOST_NS: u64 = 2_500_000_000;
/// How often it is tried whether a server listens again.
const TRY_NS: u64 = 10_000_000;
/// How long a writer waits for the server to ask what it has; then it goes on with what is new, as stock ones
/// do.
const UNASKED_NS: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its time has not come, or never does.
    Before,
    /// The server was told to end.
    Ending,
    /// It was started again, and nobody was let in yet.
    Starting,
    /// Newcomers look at what is there, until then.
    Probing(u64),
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
    next_try: u64,
    pub(crate) ended_at: u64,
    pub(crate) down_ns: u64,
    /// How long newcomers look; 0: nobody does.
    probe_ns: u64,
    /// The newcomers: of which group and board, and the spans of clocks that each got of each writer.
    probes: HashMap<usize, (usize, usize)>,
    there: BTreeMap<(usize, usize, usize), Vec<(u64, u64)>>,
    /// Who connects again when.
    waiting: BinaryHeap<Reverse<(u64, usize)>>,
    failures: HashMap<usize, u32>,
    /// Who tries to join again, who has (once at least), and of those who is there.
    trying: HashSet<usize>,
    rejoined: HashSet<usize>,
    back: HashSet<usize>,
    /// What each group had written when the server was ended.
    written: Vec<usize>,
    /// Who was asked what it has, and up to which clock of its own the server has it.
    asked: Vec<(usize, u64)>,
    /// Who joined when and may never be asked.
    unasked: Vec<(u64, usize)>,
    pub(crate) rejoins: Times,
    pub(crate) books: Option<Books>,
}

impl Restart {
    pub(crate) fn new(scenario: &Scenario, span: &Span) -> Self {
        let nanos = |seconds: f64| (seconds * 1e9) as u64;
        let after = nanos(scenario.restart_after);
        Self {
            due: (after > 0).then_some(span.start + after),
            signal: scenario.restart_signal.clone(),
            stage: Stage::Before,
            next_try: 0,
            ended_at: 0,
            down_ns: 0,
            probe_ns: nanos(scenario.probe),
            probes: HashMap::new(),
            there: BTreeMap::new(),
            waiting: BinaryHeap::new(),
            failures: HashMap::new(),
            trying: HashSet::new(),
            rejoined: HashSet::new(),
            back: HashSet::new(),
            written: Vec::new(),
            asked: Vec::new(),
            unasked: Vec::new(),
            rejoins: Times::default(),
            books: None,
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.stage != Stage::Before
    }

    /// Whether the server is ended now.
    pub(crate) fn ends_it(&self, now: u64) -> bool {
        self.stage == Stage::Before && self.due.is_some_and(|due| due <= now)
    }

    /// When something is to be done next.
    pub(crate) fn due(&self) -> Option<u64> {
        let waiting = self.waiting.peek().map(|Reverse((due, _))| *due);
        let unasked = self.unasked.first().map(|(due, _)| *due);
        match self.stage {
            Stage::Before => self.due,
            // Whether it has ended is looked at again and again.
            Stage::Ending => Some(0),
            Stage::Starting => Some(self.next_try),
            Stage::Probing(until) => Some(until),
            Stage::Up => waiting.into_iter().chain(unasked).min(),
        }
    }

    /// A client was closed: it comes back later. Whether the restart explains that: it does not once the
    /// client was back.
    pub(crate) fn closed(&mut self, id: usize, now: u64) -> bool {
        if !self.has_begun() {
            return false;
        }
        if self.trying.remove(&id) {
            self.failed(id, now);
        } else {
            self.waiting.push(Reverse((now + BACKOFF_NS, id)));
        }
        !self.back.remove(&id)
    }

    /// A client could not connect, or not join: it waits longer each time.
    fn failed(&mut self, id: usize, now: u64) {
        let failures = self.failures.entry(id).or_insert(0);
        *failures = (*failures + 1).min(10);
        let wait = (BACKOFF_NS << *failures).min(BACKOFF_MOST_NS);
        self.waiting.push(Reverse((now + wait, id)));
    }

    /// A client is there again.
    pub(crate) fn joined(&mut self, id: usize, now: u64) {
        if !self.has_begun() {
            return;
        }
        self.failures.remove(&id);
        self.trying.remove(&id);
        self.back.insert(id);
        if self.rejoined.insert(id) {
            self.rejoins.record(now - self.ended_at);
        }
        self.unasked.push((now + UNASKED_NS, id));
    }

    /// The server asks a client what it has.
    pub(crate) fn asked(&mut self, id: usize, vector: &[u8], place: Place) {
        if self.has_begun() {
            self.asked
                .push((id, yjs::clock_in(vector, yjs::client_of(place.member))));
        }
    }

    /// What came to a newcomer that looks; whether it is one.
    pub(crate) fn looked(&mut self, id: usize, event: &Event<'_>) -> bool {
        let Some((group, board)) = self.probes.get(&id).copied() else {
            return false;
        };
        if let Event::Joined(update) | Event::Update(update) = event {
            yjs::spans(update, |client, from, to| {
                if let Some(writer) = yjs::writer_of(client) {
                    self.there
                        .entry((group, board, writer))
                        .or_default()
                        .push((from, to));
                }
            });
        }
        true
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
            Stage::Before if self.ends_it(now) => {
                server.end(&self.signal);
                self.ended_at = now;
                self.written = groups.iter().map(|group| group.next).collect();
                self.stage = Stage::Ending;
            }
            Stage::Ending if server.start_when_ended()? => self.stage = Stage::Starting,
            Stage::Starting if now >= self.next_try => self.try_again(fleet, groups),
            Stage::Probing(until) if now >= until => {
                self.books = Some(self.close_books(groups));
                for (id, _) in self.probes.drain() {
                    fleet.release(id);
                }
                self.stage = Stage::Up;
            }
            _ => {}
        }
        if self.stage == Stage::Up {
            self.let_in((fleet, feeds), groups);
        }
        Ok(())
    }

    /// Tries whether the server listens again; if so, newcomers look first, where they are to.
    fn try_again(&mut self, fleet: &mut Fleet, groups: &[Group]) {
        self.next_try = fleet.now() + TRY_NS;
        if fleet.target().connect().is_err() {
            return;
        }
        self.down_ns = fleet.now() - self.ended_at;
        self.stage = Stage::Up;
        if self.probe_ns == 0 {
            return;
        }
        let http = target::agent();
        for (at, group) in groups.iter().enumerate() {
            for (board, room) in group.rooms.iter().enumerate() {
                // Where a room must be made, and it is there still, that fails; who joins sees what is there.
                fleet.target().prepare(&http, room).unwrap_or_default();
                if let Ok(id) = fleet.connect(room) {
                    self.probes.insert(id, (at, board));
                }
            }
        }
        self.stage = Stage::Probing(fleet.now() + self.probe_ns);
    }

    /// Lets those connect whose time has come, and those go on that were asked, or never are.
    fn let_in(&mut self, (fleet, feeds): (&mut Fleet, &[Feed]), groups: &[Group]) {
        let now = fleet.now();
        let is_due = |Reverse((due, _)): &Reverse<(u64, usize)>| *due <= now;
        while let Some(Reverse((_, id))) = self.waiting.peek().copied().filter(is_due) {
            self.waiting.pop();
            let Some((group, place)) = find(groups, id) else {
                continue;
            };
            match fleet.reconnect(id, group.clocks(place)) {
                Ok(()) => drop(self.trying.insert(id)),
                Err(_) => self.failed(id, fleet.now()),
            }
        }
        for (id, has) in std::mem::take(&mut self.asked) {
            if let Some((group, place)) = find(groups, id) {
                let has = usize::try_from(has).unwrap_or(usize::MAX);
                go_on((fleet, feeds), group, place, has);
            }
        }
        let late = self.unasked.partition_point(|(due, _)| *due <= now);
        for (_, id) in self.unasked.drain(..late) {
            if let Some((group, place)) = find(groups, id) {
                let written = group.schedule.written(place.board, place.member, group.next);
                go_on(
                    (fleet, feeds),
                    group,
                    place,
                    usize::try_from(written).unwrap_or(usize::MAX),
                );
            }
        }
    }

    /// What is gone, by what the newcomers got.
    fn close_books(&self, groups: &[Group]) -> Books {
        let mut books = Books::default();
        for (at, group) in groups.iter().enumerate() {
            let next = self.written.get(at).copied().unwrap_or(0);
            let writers = group.plan.writing();
            for board in 0..group.plan.boards {
                for writer in 0..writers {
                    let sent = group.schedule.written(board, writer, next);
                    let spans = self.there.get(&(at, board, writer)).map(Vec::as_slice);
                    books.add(group, (board, writer), sent, reach(spans.unwrap_or_default()));
                }
            }
        }
        books
    }
}

impl Books {
    fn add(&mut self, group: &Group, (board, writer): (usize, usize), sent: u64, has: u64) {
        let local = |member: usize| board * group.plan.clients + member;
        let acknowledged = group.acknowledged(local(writer), writer).min(sent);
        let others = (0..group.plan.fast()).filter(|other| *other != writer);
        let reach = |other| group.tally.reach(&group.schedule, local(other), writer);
        let seen = others.map(reach).max().unwrap_or(0).min(sent);
        let lost = |of: u64| of.saturating_sub(has);
        self.sent += sent;
        self.acknowledged += acknowledged;
        self.lost_acknowledged += lost(acknowledged);
        self.lost_seen += lost(seen);
        self.lost_unseen += lost(sent) - lost(seen.max(acknowledged));
    }
}

/// Lets a writer go on after what the server has of it.
fn go_on((fleet, feeds): (&mut Fleet, &[Feed]), group: &Group, place: Place, has: usize) {
    let writes = place.member < group.plan.writing();
    let feed = feeds
        .get(group.feed(place.board, place.member))
        .filter(|_| writes);
    fleet.resume(
        (place.local + group.first, feeds),
        feed.map_or(0, |feed| feed.end(has)),
    );
}

/// Up to which clock spans that begin at 0 reach without a hole.
fn reach(spans: &[(u64, u64)]) -> u64 {
    let mut spans = spans.to_vec();
    spans.sort_unstable();
    spans.into_iter().fold(
        0,
        |reach, (from, to)| if from <= reach { reach.max(to) } else { reach },
    )
}

/// The group and the place of a client.
fn find(groups: &[Group], id: usize) -> Option<(&Group, Place)> {
    groups.iter().find_map(|group| Some((group, group.place(id)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_ends_at_the_first_hole() {
        assert_eq!(reach(&[]), 0);
        assert_eq!(reach(&[(5, 9), (0, 3), (2, 4)]), 4);
        assert_eq!(reach(&[(4, 9), (0, 4)]), 9);
    }

    #[test]
    fn who_cannot_join_waits_longer_and_who_is_closed_again_was_closed() {
        let scenario = Scenario::default();
        let span = Span {
            begin: 0,
            start: 0,
            end: 0,
        };
        let mut restart = Restart::new(&scenario, &span);
        assert!(!restart.closed(7, 5), "nothing was restarted");
        (restart.stage, restart.ended_at) = (Stage::Up, 1_000);
        let next = |restart: &mut Restart| restart.waiting.pop().unwrap().0.0;
        assert!(restart.closed(7, 0));
        assert_eq!(next(&mut restart), BACKOFF_NS);
        for wait in [2, 4, 8, 16, 25, 25] {
            restart.trying.insert(7);
            assert!(restart.closed(7, 0), "it was not back yet");
            assert_eq!(next(&mut restart), wait * BACKOFF_NS);
        }
        for now in [2_000, 9_000_000] {
            restart.trying.insert(7);
            restart.joined(7, now);
            assert!(!restart.closed(7, now), "it was back");
            assert_eq!(next(&mut restart), now + BACKOFF_NS);
        }
        assert_eq!((restart.rejoins.total(), restart.rejoins.within(0.1)), (1, 1));
    }
}
