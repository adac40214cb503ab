//! It makes no difference which node one comes to.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::Cluster;
use crate::events::Reader;
use crate::support::api::Api;
use crate::support::client::{Client, converge};
use crate::support::random::Random;
use crate::support::socket::path;
use crate::support::tokens::Token;
use crate::support::{SOON, until};

#[test]
fn clients_of_three_nodes_on_one_board_converge_and_see_each_other() {
    let cluster = Cluster::new();
    let nodes = cluster.three();
    let mut clients: Vec<_> = (0..6)
        .map(|n| Client::join(&nodes[n % 3], "b", n as u64 + 1))
        .collect();
    let mut random = Random::new(7);
    for step in 0..200 {
        let client = &mut clients[random.below(6)];
        crate::sync::random_edit(client, &mut random, step);
        client.poll();
    }
    converge(&mut clients);
    until(SOON, || {
        clients.iter_mut().for_each(|client| {
            client.poll();
        });
        // Each knows all the others.
        clients.iter().all(|client| client.awareness.len() >= 5)
    });
    // And any node answers for the board what the others do.
    let contents: Vec<_> = nodes.iter().map(|node| cluster.stored(node, "b")).collect();
    assert!(contents.iter().all(|content| *content == clients[0].content()));
    let presence: Vec<_> = nodes
        .iter()
        .map(|node| {
            Api::admin(node).call("GET", "/v1/boards/b/presence").json()["items"]
                .as_array()
                .unwrap()
                .len()
        })
        .collect();
    assert_eq!(presence, [6, 6, 6]);
    let healths: Vec<_> = nodes.iter().map(|node| node.health()).collect();
    let boards: u64 = healths
        .iter()
        .map(|(_, health)| health["node"]["boards"].as_u64().unwrap())
        .sum();
    assert_eq!(boards, 1, "{healths:?}");
}

#[test]
fn a_board_is_followed_by_whichever_node() {
    let cluster = Cluster::new();
    let nodes = cluster.three();
    let alice = Api::user(&nodes[0], "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    alice.grant("users/bob", "view");
    let token = Token::of("bob").sign();
    let follow = |node| Reader::open(node, &token, "?types=item", None);
    let mut readers: Vec<Reader> = nodes.iter().map(follow).collect();
    let sticky = |id: &str| json!({"id": id, "type": "sticky", "x": 0, "y": 0});
    for (n, node) in nodes.iter().enumerate() {
        let id = format!("made-{n}");
        Api::user(node, "alice").must("POST", "/v1/boards/b/items", &sticky(&id), 201);
        for reader in &mut readers {
            let event = reader.next().unwrap();
            assert_eq!(
                (event.name.as_str(), &event.data["id"]),
                ("item.created", &json!(id))
            );
        }
    }
    // Whoever was cut off goes on by another node.
    let last = readers[0].last.clone();
    alice.must("POST", "/v1/boards/b/items", &sticky("later"), 201);
    let mut again = Reader::open(&nodes[2], &token, "?types=item", Some(&last));
    assert_eq!(again.next().unwrap().data["id"], "later");
    readers.push(again);
    let since = Instant::now();
    alice.must("DELETE", "/v1/boards/b/permissions/users/bob", &json!(null), 204);
    for reader in &mut readers {
        while reader.next().is_some() {}
    }
    assert!(
        since.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        since.elapsed()
    );
}

/// What `boardwire nodes` prints, and whether it ended well.
fn listed(cluster: &Cluster) -> (String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_boardwire"))
        .env_clear()
        .env("BOARDWIRE_STORE", cluster.postgres.url(&cluster.schema))
        .arg("nodes")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.success())
}

#[test]
fn nodes_are_listed_with_their_boards_and_what_is_left_of_their_leases() {
    let cluster = Cluster::with_lease(Duration::from_secs(60));
    let nodes = [cluster.node(), cluster.node()];
    drop(Client::join(&nodes[0], "b", 1));
    let (table, is_well) = listed(&cluster);
    assert!(is_well, "{table}");
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["NAME", "ADDRESS", "LEASE", "BOARDS"]);
    for (node, boards) in nodes.iter().zip(["1", "0"]) {
        let name = node.flag("node-address").unwrap();
        let line = lines.iter().find(|line| line[0] == name).unwrap();
        let left: f64 = line[2].parse().unwrap();
        assert!(left > 30.0 && left <= 60.0, "{line:?}");
        assert_eq!((line[1], line[3], line[4]), (name, "s", boards));
    }
    nodes.into_iter().for_each(|node| drop(node.stop()));
    let (line, is_well) = listed(&cluster);
    assert!(
        !is_well && line.contains("no node serves") && !line.contains("geheim"),
        "{line}"
    );
}

#[test]
fn rights_links_and_audit_reach_every_node_within_a_second() {
    let cluster = Cluster::new();
    let nodes = cluster.three();
    let owner = Api::user(&nodes[0], "alice");
    owner.must("POST", "/v1/boards", &json!({"id": "b"}), 201);
    let link = owner.must("POST", "/v1/boards/b/links", &json!({"level": "edit"}), 201);
    let (id, token) = (link["id"].as_str().unwrap(), link["token"].as_str().unwrap());
    owner.must(
        "PUT",
        "/v1/boards/b/permissions/users/bob",
        &json!({"level": "edit"}),
        200,
    );
    let mut guest = Client::offline(1);
    guest.connect(nodes[1].address(), &format!("/ws/canvas/b?share={token}"));
    guest.sync();
    let mut bob = Client::offline(2);
    bob.connect(nodes[2].address(), &path("b", &Token::of("bob").sign()));
    bob.sync();
    bob.set("a", "1");
    bob.save();
    // By a node which neither of them is on.
    for (number, act) in [
        (0, ("DELETE", format!("/v1/boards/b/links/{id}"))),
        (1, ("DELETE", "/v1/boards/b/permissions/users/bob".to_owned())),
    ] {
        let begun = Instant::now();
        let alice = Api::user(&nodes[(number + 2) % 3], "alice");
        assert_eq!(alice.call(act.0, &act.1).status, 204);
        let client = if number == 0 { &mut guest } else { &mut bob };
        until(SOON, || !client.poll());
        let code = client.closed.as_ref().map(|(code, _)| *code);
        assert_eq!(code, Some(if number == 0 { 4001 } else { 4003 }));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
    let audits: Vec<_> = nodes
        .iter()
        .map(|node| Api::user(node, "alice").call("GET", "/v1/boards/b/audit").json())
        .collect();
    assert!(audits.iter().all(|audit| *audit == audits[0]));
    let addresses = audits[0]["items"].as_array().unwrap();
    assert!(
        addresses.iter().all(|entry| entry["address"] == "127.0.0.1"),
        "{addresses:?}"
    );
}
