//! When a room wants to be looked at: a room that is looked at only then does what one does that is looked at
//! all the time.
//!
//! All happens at multiples of half a second, as all that a room waits for is: so the two must do the same at
//! the same instant, not only within a tick of each other.

use proptest::prelude::*;

use super::*;
use crate::access::{Decision, Grant, Manage};
use crate::ids::Subject;
use crate::room::agents::Agent;
use crate::time::UnixMillis;

const HALF: Duration = Duration::from_millis(500);

/// Two rooms to which the same happens.
struct Pair {
    /// Looked at every half second.
    always: Table,
    /// Looked at when it is due.
    seldom: Table,
    looks: usize,
    /// Text that each client has written.
    written: [u64; 8],
    clock: u64,
}

impl Pair {
    fn new() -> Self {
        Self {
            always: Table::default(),
            seldom: Table::default(),
            looks: 0,
            written: [0; 8],
            clock: 0,
        }
    }

    /// Does the same to both, which must come of it the same.
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, act: impl Fn(&mut Table) -> T) {
        self.both(act);
    }

    fn both<T: PartialEq + std::fmt::Debug>(&mut self, act: impl Fn(&mut Table) -> T) -> T {
        let (always, seldom) = (act(&mut self.always), act(&mut self.seldom));
        assert_eq!(always, seldom);
        always
    }

    /// Half a second passes.
    fn pass(&mut self) {
        self.both(|table| table.pass(HALF));
        self.look();
        // Of what was read, nothing is kept for longer.
        self.both(|table| table.room.outbox.len_bytes());
    }

    /// The one room is looked at, and the other where it wants to be.
    fn look(&mut self) {
        self.always.tick();
        let now = self.seldom.now.tick;
        let is_due = self.seldom.room.next_due().is_some_and(|at| at <= now);
        if is_due {
            self.seldom.tick();
            self.looks += 1;
        }
        let compacts = self.both(|table| table.room.compaction_due(table.now.tick));
        assert!(is_due || !compacts);
        if compacts {
            self.both(|table| table.room.mark_compaction_queued());
        }
        self.both(seen);
        let next = self.seldom.room.next_due();
        assert!(
            next.is_none_or(|next| next > now),
            "it was looked at, and wants it again"
        );
    }

    fn act(&mut self, (kind, peer, n): (u8, usize, u64)) {
        let here: Vec<usize> = (0..self.always.peers.len())
            .filter(|peer| self.always.peers[*peer].is_some())
            .collect();
        let at = here.get(peer % here.len().max(1)).copied();
        let levels = [Level::View, Level::Comment, Level::Edit, Level::Edit];
        let level = levels[n as usize % levels.len()];
        let wait = Duration::from_millis(500 * n);
        match (kind, at) {
            (0, _) => {
                self.same(|table| table.try_join(&format!("u{}", n % 3), level));
            }
            (1, _) => {
                self.same(|table| table.try_join_as(Subject::anonymous(), level));
            }
            (2, _) => self.both(|table| table.show(&agent(n))),
            (3, _) => (0..n).for_each(|_| self.pass()),
            (4, _) => (0..n).for_each(|_| {
                self.both(|table| {
                    table
                        .peers
                        .iter()
                        .flatten()
                        .for_each(|p| p.pulse.received(table.now.tick))
                });
                self.pass();
            }),
            (5, _) => self.both(Table::commit_all),
            (6, _) => self.both(Table::broadcast),
            (7, _) => self.both(|table| table.room.note_reconsidered()),
            (8, _) => self.both(compact_if_free),
            (9, _) if n % 2 == 0 => {
                self.both(|table| table.room.begin_joining().is_some());
            }
            (9, _) => self.both(|table| table.room.abandon_joining()),
            (10, Some(peer)) => self.both(|table| table.leave(peer)),
            (11, Some(peer)) => self.write(peer, n),
            (12, Some(peer)) => {
                let hole = insert(90, 1_000 + n, "x");
                self.same(|table| table.update(peer, &hole));
            }
            (13, Some(peer)) => {
                self.clock += 1;
                let (id, clock) = (500 + n % 4, self.clock);
                let state = if n % 5 == 0 { "null" } else { "{}" };
                self.same(|table| table.aware(peer, &[(id, clock, state)]));
            }
            (14, _) => self.come_and_go(n),
            (15, Some(peer)) => self.same(|table| table.read(peer)),
            (16, Some(peer)) if n % 3 == 0 => self.both(|table| table.pulse(peer).flowing()),
            (16, Some(peer)) => self.both(|table| table.pulse(peer).blocked(table.now.tick)),
            (17, Some(peer)) => self.both(|table| grant(table, peer, level, wait)),
            _ => {}
        }
        self.look();
    }

    /// Somebody comes, says which id is theirs, which may have been here before, and goes.
    fn come_and_go(&mut self, n: u64) {
        self.clock += 1;
        let (id, clock) = (600 + n % 2, self.clock);
        self.both(|table| {
            if let Ok(peer) = table.try_join("u0", Level::View) {
                let claimed = table.aware(peer, &[(id, clock, "{}")]);
                assert!(claimed.is_ok());
                table.leave(peer);
            }
        });
    }

    fn write(&mut self, peer: usize, n: u64) {
        let client = n % 8;
        let written = self.written[client as usize];
        let update = insert(client + 1, written, "x");
        let before = self.both(|table| table.room.sequence());
        self.same(|table| table.update(peer, &update));
        if self.both(|table| table.room.sequence()) > before {
            self.written[client as usize] += 1;
        }
    }
}

/// What those see who are in the room, or run it.
fn seen(table: &mut Table) -> impl PartialEq + std::fmt::Debug + use<> {
    let here = (0..table.peers.len()).filter(|peer| table.peers[*peer].is_some());
    let peers: Vec<_> = here
        .map(|peer| {
            let member = table.member(peer);
            let waits = table.waiting_bytes(peer);
            (peer, table.is_woken(peer), waits, table.room.closing(member))
        })
        .collect();
    let counts = [table.broadcasts_due, table.compactions_due, table.decisions_due];
    let idle = Duration::from_secs(10);
    (
        peers,
        counts,
        table.queued.clone(),
        table.room.may_unload(idle, table.now.tick),
    )
}

fn agent(n: u64) -> Agent {
    let number = u32::try_from(n % 3).unwrap();
    Agent {
        subject: user(&format!("agent{number}")),
        level: Level::Edit,
        name: "Planner".into(),
        state: "{}".to_owned(),
        shown_for: limits::AGENT_SHOWN,
        number,
    }
}

/// Gives a peer a level until so long from now.
fn grant(table: &mut Table, peer: usize, level: Level, wait: Duration) {
    let member = table.member(peer);
    let held = table.room.held().into_iter().find(|held| held.member == member);
    let millis = u64::try_from(wait.as_millis()).unwrap();
    let decision = Decision::Granted(Grant {
        level,
        subject: Subject::anonymous(),
        manage: Manage::No,
        create: None,
        ends_at: Some(UnixMillis(table.now.unix.0 + millis)),
    });
    let held = held.unwrap();
    table.step(|room, effects, now| room.set_access(&held, &decision, now.tick, effects));
}

fn compact_if_free(table: &mut Table) {
    if let Some((capture, covers)) = table.room.begin_compaction() {
        let compacted = board::compact(&capture).unwrap();
        table.step(|room, effects, _| room.finish_compaction(compacted, covers, effects));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]
    #[test]
    fn a_room_that_is_looked_at_when_it_is_due_misses_nothing(
        acts in prop::collection::vec((0u8..18, 0usize..8, 0u64..50), 1..80)
    ) {
        let mut pair = Pair::new();
        for act in acts {
            pair.act(act);
        }
        for _ in 0..120 {
            pair.pass();
        }
    }
}

#[test]
fn an_idle_room_is_looked_at_for_what_it_has_to_do_and_never_in_vain() {
    let mut table = Table::default();
    let peers: Vec<usize> = (0..4u64)
        .map(|nth| {
            table.pass(Duration::from_micros(1_700_001 * nth));
            table.editor(&format!("u{nth}"))
        })
        .collect();
    let end = table.now.tick.after(120 * SECOND);
    let mut looks = 0;
    while let Some(next) = table.room.next_due().filter(|next| *next <= end) {
        table.pass(next.since(table.now.tick));
        peers
            .iter()
            .for_each(|peer| table.pulse(*peer).received(table.now.tick));
        table.tick();
        let told: usize = peers.iter().map(|peer| table.read(*peer).len()).sum();
        assert_ne!(told, 0, "in vain");
        looks += 1;
    }
    // Each has a ping every 30 s and a keepalive every 20: together at 60 s and at 120.
    assert_eq!(looks, 4 * 8);
}

#[test]
fn a_room_without_anybody_waits_for_nothing_but_its_compaction() {
    let mut table = Table::default();
    assert_eq!(table.room.next_due(), None);
    let peer = table.editor("a");
    table.update(peer, &insert(7, 0, "a")).unwrap();
    table.commit_all();
    table.leave(peer);
    assert!(table.room.next_due().is_some_and(|due| due <= table.now.tick));
    table.tick();
    compact(&mut table);
    assert_eq!(table.room.next_due(), None);
    let idle = 10 * SECOND;
    assert_eq!(table.room.unload_due(idle), Some(table.now.tick.after(idle)));
}

#[test]
fn a_room_that_is_no_longer_the_boards_waits_for_nothing() {
    let mut table = Table::default();
    table.editor("a");
    assert!(table.room.next_due().is_some());
    table.room.retire();
    assert_eq!(table.room.next_due(), None);
}
