//! Agents that only call HTTP, as members see them.

use super::*;
use crate::ids::Subject;
use crate::room::agents::Agent;

const KEY: &str = "key:0123456789abcdef";

fn agent(subject: &str, state: &str) -> Agent {
    Agent {
        subject: Subject::parse(subject).unwrap(),
        level: Level::Edit,
        name: "Planner".into(),
        state: state.to_owned(),
        shown_for: limits::AGENT_SHOWN,
        number: 5,
    }
}

fn states(table: &mut Table, peer: usize) -> Vec<String> {
    table.broadcast();
    let told = |got| match got {
        Got::Awareness(entries) => entries,
        _ => Vec::new(),
    };
    let entries = table.read(peer).into_iter().flat_map(told);
    entries.map(|(_, _, state)| state).collect()
}

fn subjects(table: &Table) -> Vec<String> {
    let present = table.room.present(None, 100).into_iter();
    present
        .map(|present| present.subject.as_str().to_owned())
        .collect()
}

#[test]
fn an_agent_is_shown_for_five_seconds_after_its_last_change() {
    let mut table = Table::default();
    let peer = table.editor("alice");
    table.read(peer);
    table.show(&agent(KEY, "1"));
    assert_eq!(states(&mut table, peer), ["1"]);
    let name = |table: &Table| table.room.agent_name(&agent(KEY, "").subject);
    assert_eq!(name(&table).as_deref(), Some("Planner"));
    table.live(Duration::from_secs(4));
    table.show(&agent(KEY, "2"));
    assert_eq!(states(&mut table, peer), ["2"]);
    table.live(Duration::from_millis(4_500));
    assert_eq!(subjects(&table), ["user:alice", KEY]);
    let joiner = table.join("bob", Level::Edit);
    assert_eq!(states(&mut table, joiner), ["2"], "who joins is told too");
    table.live(Duration::from_secs(1));
    assert_eq!(states(&mut table, peer), ["null"]);
    assert_eq!(name(&table), None);
    assert_eq!(subjects(&table), ["user:alice", "user:bob"]);
}

#[test]
fn one_that_shows_itself_by_a_connection_is_not_shown_twice() {
    let mut table = Table::default();
    let peer = table.editor("alice");
    table.show(&agent("user:alice", "1"));
    assert_eq!(subjects(&table).len(), 2, "it does not show itself yet");
    table.live(Duration::from_secs(6));
    table.aware(peer, &[(7, 1, "{}")]).unwrap();
    table.show(&agent("user:alice", "1"));
    assert_eq!(subjects(&table), ["user:alice"]);
}

#[test]
fn members_cannot_speak_for_an_agent_and_pages_of_a_list_go_on_behind_it() {
    let mut table = Table::default();
    let peer = table.editor("alice");
    table.show(&agent(KEY, "1"));
    let id = u64::from(5u32 | 1 << 31);
    table.aware(peer, &[(7, 1, "{}"), (id, 9, "null")]).unwrap();
    let present = table.room.present(None, 2);
    assert_eq!(present[1].state.as_deref(), Some("1"));
    assert_eq!(table.room.present(Some(present[0].member), 2), present[1..]);
    assert_eq!(table.room.present(Some(present[1].member), 2), []);
}

#[test]
fn the_agents_of_a_room_are_bounded() {
    let mut table = Table::default();
    for number in 0..70 {
        let subject = format!("key:{number:016}");
        table.show(&Agent {
            shown_for: limits::AGENT_SHOWN,
            number,
            ..agent(&subject, "1")
        });
    }
    assert_eq!(subjects(&table).len(), limits::AGENTS_SHOWN_MAX);
}
