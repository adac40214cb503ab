//! Tests of the awareness table: claims, owners, heirs, bounds at their edges.

use super::*;
use crate::room::harness::{awareness, user};
use crate::time::Tick;
use std::time::Duration;

/// Connections by number, with their subjects: 0 and 1 are alice's, 2 is bob's.
struct Table {
    awareness: Awareness,
    subjects: Vec<Subject>,
    spoke: Vec<bool>,
    now: Tick,
}

impl Table {
    fn new() -> Self {
        let subjects: Vec<Subject> = ["alice", "alice", "bob", "alice"].map(user).into();
        Self {
            awareness: Awareness::default(),
            spoke: vec![false; 4],
            subjects,
            now: Tick(1_000),
        }
    }

    fn raw(&mut self, by: usize, payload: &[u8]) -> Result<Applied, Malformed> {
        let first = if std::mem::replace(&mut self.spoke[by], true) {
            First::No
        } else {
            First::Yes
        };
        let member = MemberId::new(u32::try_from(by).unwrap());
        self.awareness.apply(
            payload,
            Speaker {
                member,
                subject: &self.subjects[by],
                first,
                now: self.now,
            },
        )
    }

    /// Whether the message changed anything.
    fn says(&mut self, by: usize, entries: &[(u64, u64, &str)]) -> bool {
        self.raw(by, &awareness(entries)).unwrap().changed
    }

    fn leaves(&mut self, who: usize) -> bool {
        self.spoke[who] = false;
        self.awareness
            .leave(MemberId::new(u32::try_from(who).unwrap()), self.now)
    }

    fn passes(&mut self, time: Duration) -> bool {
        self.now = self.now.after(time);
        self.awareness.take_changes();
        self.awareness.expire(self.now)
    }

    fn live(&self) -> Vec<(u64, u64)> {
        let mut live: Vec<_> = self
            .awareness
            .entries
            .iter()
            .filter(|(_, e)| e.state.is_some())
            .map(|(id, e)| (*id, e.clock))
            .collect();
        live.sort_unstable();
        live
    }
}

#[test]
fn payloads_that_do_not_decode_change_nothing() {
    let good = awareness(&[(1, 1, "{}")]);
    let mut two = good.clone();
    two[0] = 2;
    let bad: [&[u8]; 8] = [
        &[],
        &two,
        &good[..good.len() - 1],
        &[&good[..], &[0]].concat(),
        &awareness(&[(1, 1, "{}"), (2, 1, "{")]),
        &awareness(&[(1, 1, "")]),
        &[1, 1, 1, 2, b'"', 0xFF],
        &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
    ];
    for payload in bad {
        let mut table = Table::new();
        assert_eq!(table.raw(0, payload), Err(Malformed), "{payload:?}");
        assert_eq!(table.live(), []);
    }
    assert_eq!(Table::new().raw(0, &[0]), Ok(Applied::default()));
}

#[test]
fn only_the_sole_entry_of_a_first_message_claims() {
    let mut table = Table::new();
    let claim = |table: &mut Table, by, entries: &[(u64, u64, &str)]| {
        table
            .raw(by, &awareness(entries))
            .unwrap()
            .claimed
            .map(|c| (c.id, c.returning))
    };
    assert_eq!(
        claim(&mut table, 0, &[(1, 1, "{}"), (2, 1, "{}")]),
        None,
        "two entries"
    );
    assert_eq!(claim(&mut table, 0, &[(3, 1, "{}")]), None, "a second message");
    assert_eq!(
        claim(&mut table, 1, &[(1, 1, "{}")]),
        Some((1, true)),
        "it was relayed before"
    );
    assert_eq!(claim(&mut table, 2, &[(1, 2, "{}")]), None, "another subject's");
    table.leaves(2);
    assert_eq!(claim(&mut table, 2, &[(9, 1, "null")]), None, "a goodbye");
    table.leaves(2);
    assert_eq!(claim(&mut table, 2, &[(9, 1, "{}")]), Some((9, false)));
}

#[test]
fn clocks_decide_as_in_y_protocols() {
    let table: [(&str, (u64, &str), bool); 8] = [
        ("older", (4, "[]"), false),
        ("same", (5, "[]"), false),
        ("newer", (6, "[]"), true),
        ("goodbye of the same clock", (5, "null"), true),
        ("older goodbye", (4, "null"), false),
        (
            "a step of the limit",
            (5 + limits::AWARENESS_CLOCK_STEP_MAX, "[]"),
            true,
        ),
        (
            "a step beyond",
            (6 + limits::AWARENESS_CLOCK_STEP_MAX, "[]"),
            false,
        ),
        (
            "a goodbye beyond",
            (6 + limits::AWARENESS_CLOCK_STEP_MAX, "null"),
            false,
        ),
    ];
    for (what, (clock, state), changes) in table {
        let mut table = Table::new();
        table.says(0, &[(1, 5, "{}")]);
        assert_eq!(table.says(0, &[(1, clock, state)]), changes, "{what}");
        assert!(
            !table.says(2, &[(1, clock.max(7), "{}")]),
            "a foreign id is never changed: {what}"
        );
    }
}

#[test]
fn a_removed_state_comes_back_with_the_same_clock_only_by_a_claim() {
    let mut table = Table::new();
    table.says(0, &[(1, 5, "{}")]);
    table.says(0, &[(1, 5, "null")]);
    assert!(!table.says(0, &[(1, 5, "{}")]), "the late echo of another tab");
    table.leaves(0);
    assert!(
        table.says(1, &[(1, 5, "{}")]),
        "its owner, which never saw the removal"
    );
    assert_eq!(table.live(), [(1, 5)]);
}

#[test]
fn relayed_entries_of_the_same_subject_update_the_state_and_not_the_owner() {
    let mut table = Table::new();
    table.says(0, &[(1, 1, "{}")]);
    table.says(1, &[(2, 1, "{}")]);
    assert!(table.says(1, &[(1, 2, "[]")]));
    assert!(!table.leaves(3));
    assert!(table.leaves(1), "its own id");
    assert_eq!(table.live(), [(1, 2)]);
    assert!(table.leaves(0));
    assert_eq!(table.live(), []);
}

#[test]
fn a_relaying_tab_gives_way_to_the_claim() {
    let mut table = Table::new();
    table.says(0, &[(1, 1, "{}")]);
    table.says(0, &[(2, 1, "{}")]);
    table.says(1, &[(2, 1, "{}")]);
    table.leaves(0);
    assert_eq!(table.live(), [(2, 1)]);
}

#[test]
fn heirs_inherit_in_the_order_of_their_claims() {
    let mut table = Table::new();
    for by in [0, 1, 3] {
        table.says(by, &[(1, 1, "{}")]);
    }
    assert!(!table.leaves(0));
    assert!(!table.leaves(3), "an heir that leaves takes nothing away");
    assert_eq!(table.live(), [(1, 1)]);
    assert!(table.leaves(1));
    assert_eq!(table.live(), []);
}

#[test]
fn an_id_stays_reserved_to_its_subject_for_thirty_seconds() {
    for (ms, free) in [(29_999, false), (30_000, true), (30_001, true)] {
        let mut table = Table::new();
        table.says(0, &[(1, 1, "{}")]);
        table.leaves(0);
        table.now = table.now.after(Duration::from_millis(ms));
        assert_eq!(table.says(2, &[(1, 2, "{}")]), free, "{ms}");
        assert_eq!(table.says(1, &[(1, 3, "{}")]), !free, "{ms}");
    }
    // Held by a connection it stays reserved, state or not.
    let mut table = Table::new();
    table.says(0, &[(1, 1, "{}")]);
    table.says(0, &[(1, 1, "null")]);
    table.passes(Duration::from_secs(90));
    assert!(!table.says(2, &[(1, 9, "{}")]));
}

#[test]
fn ids_that_come_and_go_do_not_fill_the_table() {
    let mut table = Table::new();
    table.says(0, &[(1, 1, "{}")]);
    let most = limits::AWARENESS_OWNED_MAX as u64;
    for id in 2..=most {
        assert!(table.says(0, &[(id, 1, "{}")]), "{id}");
        assert!(table.says(0, &[(id, 2, "null")]), "{id}");
    }
    assert!(
        !table.says(0, &[(most + 1, 1, "{}")]),
        "as many as one connection may own"
    );
    assert!(table.says(1, &[(most + 2, 1, "{}")]), "others may still come");
    table.passes(Duration::from_secs(20));
    table.says(0, &[(1, 2, "{}")]);
    table.passes(Duration::from_secs(20));
    assert!(table.says(0, &[(most + 1, 1, "{}")]), "forgotten ids make room");
}

#[test]
fn states_expire_thirty_seconds_after_they_were_renewed() {
    for (ms, gone) in [(29_999, false), (30_000, true), (30_001, true)] {
        let mut table = Table::new();
        table.says(0, &[(1, 1, "{}")]);
        table.passes(Duration::from_secs(20));
        table.says(0, &[(1, 2, "{}")]);
        assert_eq!(table.passes(Duration::from_millis(ms)), gone, "{ms}");
        assert_eq!(table.live().is_empty(), gone, "{ms}");
        table.says(0, &[(1, 2, "[]")]);
        assert_eq!(table.live().is_empty(), gone, "the same clock renews nothing");
    }
}

#[test]
fn what_was_left_long_ago_is_forgotten() {
    let mut table = Table::new();
    table.says(0, &[(1, 1, "{}")]);
    table.leaves(0);
    table.passes(Duration::from_secs(31));
    assert_eq!(table.awareness.entries.len(), 0);
}

#[test]
fn a_state_is_at_most_sixteen_kibibytes() {
    for (bytes, fits) in [(16_383, true), (16_384, true), (16_385, false)] {
        let state = format!("\"{}\"", "x".repeat(bytes - 2));
        assert_eq!(Table::new().says(0, &[(1, 1, &state)]), fits, "{bytes}");
        let mut table = Table::new();
        table.says(0, &[(1, 1, "{}")]);
        assert_eq!(table.says(0, &[(1, 2, &state)]), fits, "{bytes}");
    }
}

#[test]
fn a_connection_speaks_for_at_most_eight_ids_however_it_gets_them() {
    let eight: Vec<(u64, u64, &str)> = (1..=8).map(|id| (id, 1, "{}")).collect();
    let mut table = Table::new();
    assert!(table.says(0, &eight[..7]));
    assert!(table.says(0, &eight[7..]));
    assert!(!table.says(0, &[(9, 1, "{}")]));
    assert!(table.says(0, &[(8, 2, "{}")]), "its own go on");
    // One that said goodbye makes room, and cannot come back as the ninth.
    assert!(table.says(0, &[(1, 1, "null"), (9, 1, "{}")]));
    assert!(!table.says(0, &[(1, 2, "{}")]));
    // Nor can one that another tab of the subject has left behind.
    table.says(1, &[(20, 1, "{}")]);
    table.leaves(1);
    assert!(!table.says(0, &[(20, 2, "{}")]));
    assert_eq!(table.live().len(), 8);
}

#[test]
fn changes_are_told_once_and_states_are_told_whole() {
    let mut table = Table::new();
    assert_eq!(
        (table.awareness.take_changes(), table.awareness.states()),
        (None, None)
    );
    table.says(0, &[(2, 1, "{}"), (1, 1, "[]")]);
    let both = awareness(&[(1, 1, "[]"), (2, 1, "{}")]);
    assert_eq!(table.awareness.take_changes(), Some(both));
    table.says(0, &[(2, 1, "null")]);
    assert_eq!(table.awareness.take_changes(), Some(awareness(&[(2, 1, "null")])));
    assert_eq!(table.awareness.take_changes(), None);
    assert_eq!(table.awareness.states(), Some(awareness(&[(1, 1, "[]")])));
    assert_eq!(table.awareness.nudge(1), Some(awareness(&[(1, 1, "null")])));
    assert_eq!(table.awareness.nudge(7), None);
}
