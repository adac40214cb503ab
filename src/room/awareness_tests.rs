//! Tests of the awareness table: claims, owners, heirs, bounds at their edges. Those of whose ids stay whose,
//! and of what a message may cost, are below in modules of their own.

use super::*;
use crate::room::harness::{awareness, user};
use crate::time::Tick;
use std::time::Duration;

/// Connections by number, with their subjects: 0, 1 and 3 are alice's, 2 is bob's.
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

    fn raw(&mut self, by: usize, payload: &[u8]) -> Result<Applied, Refused> {
        let mut meter = limits::AWARENESS_STEPS.meter(payload.len());
        self.metered(by, payload, &mut meter)
    }

    fn metered(&mut self, by: usize, payload: &[u8], meter: &mut Meter) -> Result<Applied, Refused> {
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
            meter,
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
        self.awareness.take_changes(usize::MAX);
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
        assert_eq!(table.raw(0, payload), Err(Refused::Malformed), "{payload:?}");
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
fn an_id_stays_its_subjects_however_long_it_is_away() {
    for seconds in [0, 29, 30, 31, 100_000] {
        let mut table = Table::new();
        table.says(0, &[(1, 1, "{}")]);
        table.leaves(0);
        table.passes(Duration::from_secs(seconds));
        assert!(!table.says(2, &[(1, 2, "{}")]), "{seconds}: a claim");
        assert!(!table.says(2, &[(1, 2, "{}")]), "{seconds}: a later message");
        assert!(table.says(1, &[(1, 3, "{}")]), "{seconds}");
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
    assert_eq!(table.awareness.entries.len(), 0);
    // A relayed one goes when its reservation ends, while its connection is still here.
    table.says(0, &[(2, 1, "{}"), (3, 1, "{}")]);
    table.says(0, &[(2, 2, "null")]);
    table.passes(Duration::from_secs(29));
    table.says(0, &[(3, 2, "{}")]);
    assert_eq!(table.awareness.entries.len(), 2);
    table.passes(Duration::from_secs(1));
    assert_eq!(table.awareness.entries.len(), 1);
    assert_eq!(table.awareness.due.len(), 1);
    assert!(!table.says(2, &[(2, 9, "{}")]), "its subject is remembered");
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
        (
            table.awareness.take_changes(usize::MAX),
            table.awareness.states(0, 99)
        ),
        (None, (None, None))
    );
    table.says(0, &[(2, 1, "{}"), (1, 1, "[]")]);
    let both = awareness(&[(1, 1, "[]"), (2, 1, "{}")]);
    assert_eq!(table.awareness.take_changes(usize::MAX), Some(both));
    table.says(0, &[(2, 1, "null")]);
    assert_eq!(
        table.awareness.take_changes(usize::MAX),
        Some(awareness(&[(2, 1, "null")]))
    );
    assert_eq!(table.awareness.take_changes(usize::MAX), None);
    assert_eq!(table.awareness.states(0, 99).0, Some(awareness(&[(1, 1, "[]")])));
    assert_eq!(table.awareness.nudge(1), Some(awareness(&[(1, 1, "null")])));
    assert_eq!(table.awareness.nudge(7), None);
}

mod bonds {
    use super::*;

    /// As [`Table`], where all act for the same subject, which is many people.
    fn shared(subject: &str) -> Table {
        Table {
            subjects: vec![Subject::parse(subject).unwrap(); 4],
            ..Table::new()
        }
    }

    const SHARED: [&str; 2] = ["anonymous", "link:0123456789abcdef"];

    #[test]
    fn who_claims_what_was_anothers_is_told_that_it_is_gone_with_a_higher_clock() {
        for (clock, told) in [(1, 6), (5, 6), (6, 7), (90, 91)] {
            let mut table = Table::new();
            table.says(0, &[(1, 5, "{}")]);
            table.leaves(0);
            let applied = table.raw(2, &awareness(&[(1, clock, "{}")])).unwrap();
            let answer = Some(awareness(&[(1, told, "null")]));
            assert_eq!((applied.answer, applied.claimed), (answer, None), "{clock}");
        }
        let mut table = Table::new();
        table.says(0, &[(1, 5, "{}")]);
        let applied = table.raw(2, &awareness(&[(1, 9, "{}")])).unwrap();
        assert_eq!(
            applied,
            Applied::default(),
            "a live one is dropped without a word"
        );
    }

    #[test]
    fn the_clock_is_remembered_with_the_subject() {
        let mut table = Table::new();
        table.says(0, &[(1, 5, "{}")]);
        table.leaves(0);
        table.passes(Duration::from_secs(1_000));
        let applied = table.raw(0, &awareness(&[(1, 3, "{}")])).unwrap();
        assert!(!applied.changed);
        assert_eq!(applied.claimed.map(|claim| claim.returning), Some(true));
        assert_eq!(table.awareness.nudge(1), Some(awareness(&[(1, 5, "null")])));
        assert!(!table.says(0, &[(1, 6 + limits::AWARENESS_CLOCK_STEP_MAX, "{}")]));
        assert!(table.says(0, &[(1, 6, "{}")]));
    }

    #[test]
    fn of_a_subject_that_is_many_people_only_the_owner_speaks() {
        for subject in SHARED {
            let mut table = shared(subject);
            table.says(0, &[(1, 1, "{}")]);
            for by in [1, 2] {
                assert!(!table.says(by, &[(1, 2, "[]")]), "a claim");
                assert!(!table.says(by, &[(1, 3, "[]")]), "later");
            }
            assert!(table.says(0, &[(1, 2, "1")]));
            table.leaves(2);
            table.leaves(0);
            assert_eq!(table.live(), [(1, 2 + limits::AWARENESS_CLOCK_STEP_MAX / 2)]);
            assert_eq!(table.awareness.take_owed(), [(MemberId::new(1), 1)]);
            assert!(table.says(1, &[(1, 600_000, "[]")]), "the quick reconnect");
        }
    }

    #[test]
    fn of_a_subject_that_is_many_people_an_id_that_is_gone_comes_back_by_a_claim_only() {
        for subject in SHARED {
            let mut table = shared(subject);
            table.says(0, &[(1, 1, "{}")]);
            table.leaves(0);
            table.says(1, &[(2, 1, "{}")]);
            assert!(!table.says(1, &[(1, 2, "[]")]));
            assert!(!table.says(2, &[(1, 2, "[]"), (3, 1, "null")]));
            assert!(!table.awareness.has_passed());
            assert!(table.says(3, &[(1, 1, "[]")]));
            assert!(table.awareness.has_passed());
            table.leaves(3);
            assert!(!table.awareness.has_passed());
        }
    }

    #[test]
    fn what_a_stranger_relayed_gives_way_to_the_claim_with_its_state() {
        let mut table = shared("anonymous");
        table.says(0, &[(1, 1, "{}"), (2, 9, "9")]);
        assert!(table.says(1, &[(2, 1, "1")]), "the state of the stranger goes");
        assert_eq!(table.live(), [(1, 1)]);
        assert_eq!(table.awareness.nudge(2), Some(awareness(&[(2, 9, "null")])));
        assert!(!table.says(0, &[(2, 10, "9")]));
        assert!(table.says(1, &[(2, 10, "1")]));
    }

    #[test]
    fn a_passed_id_that_several_claim_is_shown_for_nobody() {
        let mut table = shared("anonymous");
        table.says(0, &[(1, 1, "{}")]);
        table.leaves(0);
        table.says(1, &[(1, 2, "1")]);
        assert!(table.says(2, &[(1, 1, "{}")]), "the state of the first goes");
        assert_eq!(table.live(), []);
        assert!(!table.says(1, &[(1, 3, "1")]));
        assert!(!table.says(2, &[(1, 3, "2")]));
        assert_eq!(table.awareness.take_owed(), []);
        // One is left, and is asked to show itself with a clock that it has not reached yet.
        table.leaves(1);
        assert_eq!(table.awareness.take_owed(), [(MemberId::new(2), 1)]);
        let clock = 2 + limits::AWARENESS_CLOCK_STEP_MAX / 2;
        assert_eq!(table.awareness.nudge(1), Some(awareness(&[(1, clock, "null")])));
        assert!(table.says(2, &[(1, clock + 1, "2")]));
        // The same when the later claim goes.
        table.says(3, &[(1, clock + 1, "3")]);
        assert_eq!(table.live(), []);
        table.leaves(3);
        assert_eq!(table.awareness.take_owed(), [(MemberId::new(2), 1)]);
    }
}

mod costs {
    use super::*;

    /// Steps of a message of `by`, which is taken.
    fn steps(table: &mut Table, by: usize, payload: &[u8]) -> u64 {
        let mut meter = limits::AWARENESS_STEPS.meter(payload.len());
        table
            .metered(by, payload, &mut meter)
            .expect("within its allowance");
        meter.spent()
    }

    fn entries(range: std::ops::Range<u64>, clock: u64, state: &str) -> Vec<u8> {
        let entries: Vec<(u64, u64, &str)> = range.map(|id| (id, clock, state)).collect();
        awareness(&entries)
    }

    #[test]
    fn the_worst_messages_stay_within_their_allowance() {
        let deep = format!("{}1{}", "[".repeat(64), "]".repeat(64));
        let large = format!("\"{}\"", "x".repeat(limits::AWARENESS_STATE_BYTES_MAX - 2));
        let most = limits::AWARENESS_ENTRIES_MAX;
        for state in ["1", "{}", "null", &deep, &large] {
            for (range, clock) in [
                (0..1, 0),
                (0..120, 0),
                (0..most, 1),
                (1 << 40..(1 << 40) + 500, 1 << 50),
            ] {
                let mut table = Table::new();
                let payload = entries(range.clone(), clock, state);
                if state != large || range.end <= 120 {
                    // New, then stale, then newer, then another's.
                    for (by, clock) in [(0, clock), (0, clock), (0, clock + 1), (2, clock + 2)] {
                        steps(&mut table, by, &entries(range.clone(), clock, state));
                    }
                }
                assert!(payload.len() > 3);
            }
        }
        // The shortest entries there are: an id, a clock, and a text of no bytes about somebody else.
        let mut table = Table::new();
        table.says(2, &[(1, 0, "{}")]);
        let payload = awareness(&vec![(1, 5, ""); 8_192]);
        assert!(steps(&mut table, 0, &payload) <= 2 * payload.len() as u64 + 64);
    }

    #[test]
    fn what_is_no_more_than_an_echo_is_dropped_with_its_json_unread() {
        let text = "x".repeat(6_400);
        let mut table = Table::new();
        table.says(2, &[(1, 5, "{}")]);
        table.says(0, &[(2, 5, "{}")]);
        table.says(0, &[(3, 5, "{}")]);
        table.leaves(1);
        for (what, id, clock) in [("another's", 1, 9), ("stale", 2, 4)] {
            let echo = awareness(&[(id, clock, &text)]);
            assert_eq!(steps(&mut table, 0, &echo), 4 + 101, "{what}");
        }
        table.leaves(2);
        let echo = awareness(&[(1, 9, &text)]);
        assert_eq!(steps(&mut table, 0, &echo), 4 + 101, "of one who has gone");
        let huge = awareness(&[(9, 9, &"x".repeat(limits::AWARENESS_STATE_BYTES_MAX + 1))]);
        assert_eq!(steps(&mut table, 0, &huge), 4 + 257, "too large");
        // But for what would be shown.
        let newer = awareness(&[(2, 6, &text)]);
        assert_eq!(table.raw(0, &newer), Err(Refused::Malformed));
    }

    #[test]
    fn a_message_whose_meter_ends_changes_nothing() {
        let payload = awareness(&[(1, 1, "{}"), (2, 1, "{}")]);
        for (steps, fits) in [(11, false), (12, true), (13, true)] {
            let mut table = Table::new();
            let outcome = table.metered(0, &payload, &mut Meter::new(steps));
            assert_eq!(outcome.is_ok(), fits, "{steps}");
            assert_eq!(table.live().len(), if fits { 2 } else { 0 });
            assert!(fits || outcome == Err(Refused::TooCostly));
        }
    }

    /// A table of people: connection `n` acts for the subject of that number.
    fn crowd(people: usize) -> Table {
        Table {
            subjects: (0..people).map(|n| user(&format!("user-{n}"))).collect(),
            spoke: vec![false; people],
            ..Table::new()
        }
    }

    fn of_bytes(bytes: usize) -> String {
        format!("\"{}\"", "x".repeat(bytes - 2))
    }

    /// Says eight states that take `bytes` beyond what the connection has to itself.
    fn fill(table: &mut Table, by: usize, bytes: usize) {
        let each = of_bytes((bytes + limits::AWARENESS_OWN_BYTES_MAX) / 8);
        let entries: Vec<_> = (0..8).map(|n| (1_000 + 8 * by as u64 + n, 1, &*each)).collect();
        table.says(by, &entries);
        assert_eq!(
            table
                .live()
                .iter()
                .filter(|(id, _)| id / 8 == 125 + by as u64)
                .count(),
            8
        );
    }

    #[test]
    fn a_subject_takes_a_part_of_what_is_shared_and_no_more() {
        let part = limits::AWARENESS_SUBJECT_BYTES_MAX / 4;
        for (more, fits) in [(1, true), (0, true), (-1, false)] {
            let mut table = crowd(6);
            table.subjects = vec![user("alice"); 6];
            for by in 0..3 {
                fill(&mut table, by, part);
            }
            fill(&mut table, 3, part - 8 * 1_024);
            let last = of_bytes(usize::try_from(8 * 1_024 + 1_024 - more).unwrap());
            assert_eq!(table.says(4, &[(1, 1, &last)]), fits, "{more}");
            let own = of_bytes(limits::AWARENESS_OWN_BYTES_MAX);
            assert!(table.says(5, &[(2, 1, &own)]), "what each has to itself stays");
        }
    }

    #[test]
    fn what_all_share_is_bounded_and_everybody_keeps_a_kibibyte() {
        let part = 8 * 1_024;
        let most = limits::AWARENESS_SHARED_BYTES_MAX / part;
        for (bytes, fits) in [(1_023, true), (1_024, true), (1_025, false)] {
            let mut table = crowd(most + 1);
            for by in 0..most {
                fill(&mut table, by, part);
            }
            assert_eq!(table.says(most, &[(1, 1, &of_bytes(bytes))]), fits, "{bytes}");
            // A state that shrinks or goes makes room.
            table.says(0, &[(1_000, 2, "1")]);
            assert!(table.says(most, &[(1, 2, &of_bytes(1_025))]));
            table.leaves(1);
            assert!(table.says(most, &[(1, 3, &of_bytes(8 * 1_024))]));
            for by in 0..=most {
                table.leaves(by);
            }
            assert!(table.awareness.voices.is_empty(), "all was given back");
        }
    }

    #[test]
    fn a_full_table_has_a_place_for_each_newcomer() {
        let each = limits::AWARENESS_OWNED_MAX as u64;
        let people = limits::CLIENT_IDS_MAX / limits::AWARENESS_OWNED_MAX;
        let mut table = crowd(people + 1);
        for by in 0..people {
            let id = |n| 1_000 + each * by as u64 + n;
            for n in 0..each {
                table.says(by, &[(id(n), 1, "{}")]);
                table.says(by, &[(id(n), 2, "null")]);
            }
        }
        assert_eq!(table.awareness.entries.len(), limits::CLIENT_IDS_MAX);
        assert!(table.says(people, &[(1, 1, "{}")]));
        assert!(!table.says(people, &[(2, 1, "{}")]), "a second one has to wait");
        table.leaves(0);
        assert!(table.says(people, &[(2, 1, "{}")]));
    }

    #[test]
    fn a_turn_tells_so_many_bytes_on_average_and_all_have_their_turn() {
        let mut table = Table::new();
        let eight: Vec<_> = (1..=8).map(|id| (id, 1, "\"0123456789\"")).collect();
        table.says(0, &eight);
        // Each is 15 bytes.
        let mut ids = Vec::new();
        let mut turns = 0;
        while table.awareness.has_changes() {
            turns += 1;
            let Some(told) = table.awareness.take_changes(20) else {
                continue;
            };
            let told: Vec<u64> = (1..=8)
                .filter(|id| told[1..].chunks(15).any(|e| u64::from(e[0]) == *id))
                .collect();
            ids.extend(told);
            // All speak all the time.
            let again: Vec<_> = eight
                .iter()
                .map(|(id, _, state)| (*id, 1 + turns, *state))
                .collect();
            assert!(table.says(0, &again));
            if ids.len() > 16 {
                break;
            }
        }
        assert_eq!(ids[..9], [1, 2, 3, 4, 5, 6, 7, 8, 1]);
        assert!(
            ids.len() * 15 <= usize::try_from(turns).unwrap() * 20 + 15,
            "{turns} turns"
        );
        assert!(
            ids.len() * 15 + 35 >= usize::try_from(turns).unwrap() * 20,
            "{turns} turns"
        );
    }

    #[test]
    fn states_are_told_in_parts() {
        let mut table = Table::new();
        let eight: Vec<_> = (1..=8).map(|id| (id, 1, "\"0123456789\"")).collect();
        table.says(0, &eight);
        let (first, rest) = table.awareness.states(0, 31);
        assert_eq!((first, rest), (Some(awareness(&eight[..3])), Some(4)));
        assert_eq!(
            table.awareness.states(4, 74),
            (Some(awareness(&eight[3..8])), None)
        );
        assert_eq!(table.awareness.states(9, 1), (None, None));
    }
}
