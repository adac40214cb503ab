//! What members are told of each other's presence, and when.

use super::*;
use crate::ids::Subject;

fn presence(table: &mut Table, peer: usize) -> Vec<(u64, u64, String)> {
    let entries = |got| match got {
        Got::Awareness(entries) => entries,
        _ => Vec::new(),
    };
    table.read(peer).into_iter().flat_map(entries).collect()
}

fn entry(id: u64, clock: u64, state: &str) -> (u64, u64, String) {
    (id, clock, state.to_owned())
}

#[test]
fn a_burst_is_told_in_one_message_to_all_with_only_the_last_states() {
    let mut table = Table::default();
    let [a, b] = [table.editor("a"), table.editor("b")];
    table.aware(a, &[(1, 1, "{}")]).unwrap();
    table.aware(b, &[(2, 1, "{}")]).unwrap();
    table.aware(a, &[(1, 2, "[]")]).unwrap();
    table.read(a);
    assert_eq!(
        presence(&mut table, b),
        [entry(2, 1, "null")],
        "its own nudge only"
    );
    assert_eq!(
        table.broadcasts_due, 1,
        "one broadcast is due, however much changes"
    );
    table.broadcast();
    assert_eq!(
        table.read(b),
        [Got::Awareness(vec![entry(1, 2, "[]"), entry(2, 1, "{}")])]
    );
    assert_eq!(table.read(a).len(), 1);
    table.broadcast();
    assert_eq!(table.read(b), [], "nothing has changed since");
    table.aware(b, &[(2, 2, "1")]).unwrap();
    assert_eq!(table.broadcasts_due, 2);
}

#[test]
fn what_changes_nothing_is_not_broadcast_and_foreign_ids_are_dropped_silently() {
    let mut table = Table::default();
    let [a, b] = [table.editor("a"), table.editor("b")];
    table.aware(a, &[(1, 5, "{}")]).unwrap();
    table.broadcast();
    table.read(b);
    for stale in [
        (1, 5, "{}"),
        (1, 4, "[]"),
        (1, 9, "[]"),
        (1, 5, "null"),
        (1, 9, "null"),
    ] {
        table.aware(b, &[stale]).unwrap();
    }
    table.aware(a, &[(1, 5, "{}"), (1, 4, "[]")]).unwrap();
    assert_eq!((table.broadcasts_due, table.read(b)), (1, vec![]));
}

#[test]
fn who_leaves_is_gone_for_everyone_with_the_next_broadcast() {
    let mut table = Table::default();
    let [a, b] = [table.editor("a"), table.editor("b")];
    table.aware(a, &[(1, 1, "{}")]).unwrap();
    table.broadcast();
    table.read(b);
    table.leave(a);
    assert_eq!(table.broadcasts_due, 2);
    table.broadcast();
    assert_eq!(presence(&mut table, b), [entry(1, 1, "null")]);
    let late = table.join("c", Level::View);
    assert_eq!(table.read(late), [], "nobody is there to be told of");
}

#[test]
fn a_quick_reconnect_inherits_and_nobody_sees_it_go() {
    let mut table = Table::default();
    let [old, other] = [table.editor("a"), table.editor("b")];
    table.aware(old, &[(1, 1, "{}")]).unwrap();
    let new = table.editor("a");
    table.aware(new, &[(1, 1, "{}")]).unwrap();
    table.broadcast();
    table.read(other);
    table.leave(old);
    table.broadcast();
    assert_eq!(table.read(other), []);
    table.leave(new);
    table.broadcast();
    assert_eq!(presence(&mut table, other), [entry(1, 1, "null")]);
}

#[test]
fn a_claim_is_told_that_its_state_is_gone_so_that_it_announces_itself_anew() {
    let mut table = Table::default();
    let [a, b] = [table.editor("a"), table.editor("b")];
    table.aware(a, &[(1, 3, "{}")]).unwrap();
    table.aware(b, &[(2, 3, "{}")]).unwrap();
    assert_eq!(presence(&mut table, a), [entry(1, 3, "null")]);
    table.broadcast();
    table.read(b);
    table.leave(a);
    table.broadcast();
    assert_eq!(presence(&mut table, b), [entry(1, 3, "null")]);
    // It returns with a clock that b has seen the removal of.
    let back = table.editor("a");
    table.aware(back, &[(1, 3, "{}")]).unwrap();
    assert_eq!(presence(&mut table, back), [entry(1, 3, "null")]);
    assert_eq!(
        presence(&mut table, b),
        [entry(2, 3, "null")],
        "in turn, it knows b's old clock"
    );
    // As a stock client answers: with the next clock, and so all see it.
    table.aware(back, &[(1, 4, "{}")]).unwrap();
    table.aware(b, &[(2, 4, "{}")]).unwrap();
    table.broadcast();
    assert_eq!(presence(&mut table, b), [entry(1, 4, "{}"), entry(2, 4, "{}")]);
    assert_eq!(presence(&mut table, back), [entry(1, 4, "{}"), entry(2, 4, "{}")]);
}

#[test]
fn the_others_are_nudged_at_most_once_a_second_each_and_only_for_a_known_id() {
    let mut table = Table::default();
    let [a, b] = [table.editor("a"), table.editor("b")];
    table.aware(a, &[(1, 1, "{}")]).unwrap();
    table.aware(b, &[(2, 1, "{}")]).unwrap();
    table.broadcast();
    table.read(a);
    let returns = |table: &mut Table, id| {
        let peer = table.editor("c");
        table.aware(peer, &[(id, 1, "{}")]).unwrap();
        table.leave(peer);
        table.broadcast();
        table.read(b);
        presence(table, a)
            .iter()
            .filter(|e| **e == entry(1, 1, "null"))
            .count()
    };
    assert_eq!(returns(&mut table, 3), 0, "nobody has seen it before");
    assert_eq!(returns(&mut table, 3), 1);
    table.pass(Duration::from_millis(999));
    assert_eq!(returns(&mut table, 3), 0);
    table.pass(Duration::from_millis(1));
    assert_eq!(returns(&mut table, 3), 1);
}

#[test]
fn what_a_tab_relays_for_another_is_not_nudged() {
    let mut table = Table::default();
    let [tab, other] = [table.editor("a"), table.editor("b")];
    table.aware(tab, &[(1, 1, "{}")]).unwrap();
    table.aware(tab, &[(2, 1, "{}")]).unwrap();
    table.aware(other, &[(3, 1, "{}")]).unwrap();
    table.leave(other);
    table.broadcast();
    table.read(tab);
    let back = table.editor("b");
    table.aware(back, &[(3, 1, "{}")]).unwrap();
    assert_eq!(presence(&mut table, tab), [entry(1, 1, "null")]);
}

#[test]
fn a_state_that_is_not_renewed_expires_for_everyone() {
    let mut table = Table::default();
    let [a, b] = [table.editor("a"), table.editor("b")];
    table.aware(a, &[(1, 1, "{}")]).unwrap();
    table.broadcast();
    table.read(b);
    table.live(Duration::from_millis(29_500));
    assert_eq!(table.broadcasts_due, 1);
    table.live(Duration::from_millis(500));
    assert_eq!(table.broadcasts_due, 2);
    table.read(b);
    table.broadcast();
    assert_eq!(presence(&mut table, b), [entry(1, 1, "null")]);
    table.aware(a, &[(1, 2, "{}")]).unwrap();
    table.broadcast();
    assert_eq!(presence(&mut table, b), [entry(1, 2, "{}")], "it was only asleep");
}

#[test]
fn a_query_is_answered_with_all_states_or_none() {
    let mut table = Table::default();
    let [a, viewer] = [table.editor("a"), table.join("b", Level::View)];
    table.send(viewer, &[3]).unwrap();
    assert_eq!(table.read(viewer), [Got::Awareness(vec![])]);
    table.aware(a, &[(1, 1, "{}")]).unwrap();
    table.aware(viewer, &[(2, 1, "[]")]).unwrap();
    table.read(viewer);
    table.send(viewer, &[3]).unwrap();
    assert_eq!(
        table.read(viewer),
        [Got::Awareness(vec![entry(1, 1, "{}"), entry(2, 1, "[]")])]
    );
}

/// What a stock client does about its own id.
///
/// # Source
/// y-protocols 1.0.7, awareness.js, `applyAwarenessUpdate`.
struct Stock {
    peer: usize,
    id: u64,
    clock: u64,
    state: String,
}

impl Stock {
    fn new(id: u64, state: &str) -> Self {
        Self {
            peer: usize::MAX,
            id,
            clock: 1,
            state: state.to_owned(),
        }
    }

    /// Connects: its state goes out at once, and so late on the way that it is told before what the room has
    /// to tell.
    fn connect(&mut self, table: &mut Table, subject: &Subject) {
        self.peer = table.try_join_as(subject.clone(), Level::View).unwrap();
        self.read(table);
        table.broadcast();
        self.read(table);
        self.announce(table);
    }

    fn announce(&self, table: &mut Table) {
        table
            .aware(self.peer, &[(self.id, self.clock, &self.state)])
            .unwrap();
    }

    fn moves(&mut self, table: &mut Table, state: &str) {
        self.clock += 1;
        state.clone_into(&mut self.state);
        self.announce(table);
    }

    /// Reads all; answers where its own state is said to be gone.
    fn read(&mut self, table: &mut Table) {
        let mut again = false;
        for (id, clock, state) in presence(table, self.peer) {
            if id != self.id || (clock <= self.clock && (clock, state.as_str()) != (self.clock, "null")) {
                continue;
            }
            self.clock = clock;
            if state == "null" {
                self.clock += 1;
                again = true;
            } else {
                self.state = state;
            }
        }
        if again {
            self.announce(table);
        }
    }
}

fn settle(table: &mut Table, clients: &mut [&mut Stock]) {
    for _ in 0..6 {
        table.broadcast();
        for client in &mut *clients {
            client.read(table);
        }
    }
}

/// What `watcher` is told when it asks.
fn shown(table: &mut Table, watcher: usize) -> Vec<(u64, String)> {
    table.read(watcher);
    table.send(watcher, &[3]).unwrap();
    presence(table, watcher)
        .into_iter()
        .map(|(id, _, state)| (id, state))
        .collect()
}

#[test]
fn who_returns_after_long_is_never_handed_what_others_said_meanwhile() {
    let subject = |text: &str| Subject::parse(text).unwrap();
    let link = "link:0123456789abcdef";
    let table_of = [
        ("user:alice", "anonymous"),
        ("user:alice", "user:mallory"),
        ("anonymous", "anonymous"),
        (link, link),
        ("anonymous", link),
    ];
    for (whose, other) in table_of {
        let mut table = Table::default();
        let watcher = table.editor("watcher");
        let mut alice = Stock::new(1, "\"alice\"");
        alice.connect(&mut table, &subject(whose));
        settle(&mut table, &mut [&mut alice]);
        table.leave(alice.peer);
        table.broadcast();
        table.live(Duration::from_secs(3_600));
        // Somebody else comes as Alice, with a clock that she has not reached, and goes on speaking.
        let mut mallory = Stock::new(1, "\"mallory\"");
        mallory.clock = 500;
        mallory.connect(&mut table, &subject(other));
        settle(&mut table, &mut [&mut mallory]);
        mallory.moves(&mut table, "\"mallory, later\"");
        alice.connect(&mut table, &subject(whose));
        mallory.moves(&mut table, "\"mallory, still\"");
        settle(&mut table, &mut [&mut alice, &mut mallory]);
        mallory.moves(&mut table, "\"mallory, at last\"");
        settle(&mut table, &mut [&mut alice, &mut mallory]);
        assert_eq!(alice.state, "\"alice\"", "{whose} {other}");
        let told = shown(&mut table, watcher);
        if whose == other {
            // Nobody can tell which of them it is.
            assert_eq!(told, [], "{whose} {other}");
            table.leave(mallory.peer);
            settle(&mut table, &mut [&mut alice]);
        }
        assert_eq!(
            shown(&mut table, watcher),
            [(1, "\"alice\"".to_owned())],
            "{whose} {other}"
        );
    }
}

#[test]
fn somebody_without_a_name_who_returns_is_visible_at_once() {
    let anonymous = Subject::anonymous();
    let mut table = Table::default();
    let watcher = table.editor("watcher");
    let mut client = Stock::new(1, "\"guest\"");
    for _ in 0..3 {
        client.connect(&mut table, &anonymous);
        settle(&mut table, &mut [&mut client]);
        assert_eq!(shown(&mut table, watcher), [(1, "\"guest\"".to_owned())]);
        table.leave(client.peer);
    }
    // A quick reconnect: the old connection ends after the new one has claimed.
    client.connect(&mut table, &anonymous);
    settle(&mut table, &mut [&mut client]);
    let old = client.peer;
    client.connect(&mut table, &anonymous);
    settle(&mut table, &mut [&mut client]);
    table.leave(old);
    settle(&mut table, &mut [&mut client]);
    assert_eq!(shown(&mut table, watcher), [(1, "\"guest\"".to_owned())]);
}

#[test]
fn who_may_be_anybody_is_told_of_others_once_it_has_said_who_it_is_or_two_seconds_later() {
    let anonymous = Subject::anonymous();
    for (passed, ms, told) in [
        (false, 0, true),
        (true, 1_999, false),
        (true, 2_000, true),
        (true, 2_001, true),
    ] {
        let mut table = Table::default();
        let mut client = Stock::new(1, "\"guest\"");
        for _ in 0..1 + usize::from(passed) {
            if client.peer != usize::MAX {
                table.leave(client.peer);
            }
            client.connect(&mut table, &anonymous);
            settle(&mut table, &mut [&mut client]);
        }
        let mute = table.try_join_as(anonymous.clone(), Level::View).unwrap();
        let named = table.join("alice", Level::View);
        assert_eq!(
            presence(&mut table, named).len(),
            1,
            "who has a name is told at once"
        );
        assert_eq!(presence(&mut table, mute).len(), usize::from(!passed));
        table.pass(Duration::from_millis(ms));
        table.tick();
        assert_eq!(table.is_woken(mute), passed && told, "{ms}");
        client.moves(&mut table, "\"moved\"");
        table.broadcast();
        let now = presence(&mut table, mute);
        assert_eq!(now.iter().any(|entry| entry.2 == "\"moved\""), told, "{ms}");
    }
}

#[test]
fn a_broadcast_is_bounded_for_each_and_for_all_and_the_rest_follows() {
    // Four states are 64 KiB. With 256 members, two are 8 MiB for all of them.
    for (members, states, turns) in [(16, 4, 4), (128, 4, 4), (129, 4, 4), (256, 2, 8)] {
        let mut table = Table::with(RoomSettings {
            members_max: members,
            ..settings()
        });
        let large = format!("\"{}\"", "x".repeat(16_382));
        let peers: Vec<usize> = (0..members).map(|n| table.editor(&format!("{n}"))).collect();
        let watcher = peers[members - 1];
        for (id, peer) in (1..=15).zip(&peers) {
            table.aware(*peer, &[(id, 1, &large)]).unwrap();
        }
        let mut told = Vec::new();
        let mut turn = 0;
        while told.len() < 15 {
            turn += 1;
            assert_eq!(
                table.broadcasts_due, turn,
                "one is due as long as something waits"
            );
            table.broadcast();
            let some = presence(&mut table, watcher);
            assert!(some.len() <= states, "{members} members: {}", some.len());
            told.extend(some.iter().map(|entry| entry.0));
        }
        assert_eq!(told, (1..=15).collect::<Vec<u64>>());
        assert_eq!((turn, table.broadcasts_due), (turns, turns), "{members} members");
    }
}
