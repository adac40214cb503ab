//! What members are told of each other's presence, and when.

use super::*;

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
