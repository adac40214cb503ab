//! Compaction: the stored state stays the same document, and the file stays small.

use serde_json::json;

use crate::support::api::Api;
use crate::support::client::{Client, content_of, converge};
use crate::support::random::Random;
use crate::support::server::Setup;
use crate::support::tokens::editor;
use crate::support::{SOON, http, until};
use crate::sync::random_edit;

#[test]
fn compactions_under_random_edits_change_nothing() {
    for seed in [1, 2, 3] {
        let server = Setup::new()
            .flag("compact-after", "10ms")
            .flag("compact-every", "10ms")
            .flag("commit-window", "1ms")
            .start();
        let mut random = Random::new(seed);
        let mut clients: Vec<_> = (1..=4).map(|id| Client::join(&server, "b", id)).collect();
        for step in 0..600 {
            let client = &mut clients[random.below(4)];
            random_edit(client, &mut random, step);
            client.poll();
            if step % 100 == 0 {
                // A compaction falls between these edits and the next.
                converge(&mut clients);
            }
        }
        converge(&mut clients);
        let target = format!("/v1/boards/b/document?token={}", editor("x", "b"));
        let live = http::get(server.address(), &target).body;
        assert_eq!(content_of(&live), clients[0].content(), "seed {seed}");
        let place = server.stop();
        let server = Setup::on(&place).start();
        let stored = http::get(server.address(), &target).body;
        assert_eq!(content_of(&stored), clients[0].content(), "seed {seed}");
        // And it still merges with those who know the uncompacted history.
        for client in &mut clients {
            client.cut();
            client.write(0, "offline ");
        }
        clients
            .iter_mut()
            .for_each(|client| client.reconnect(server.address()));
        converge(&mut clients);
        assert_eq!(
            Client::join(&server, "b", 77).content(),
            clients[0].content(),
            "seed {seed}"
        );
    }
}

#[test]
fn a_hundred_thousand_overwrites_do_not_grow_the_file() {
    const RECORDS: usize = 200;
    const OVERWRITES: usize = 100_000;
    let server = Setup::new()
        .flag("compact-after", "100ms")
        .flag("compact-every", "500ms")
        .flag("max-messages-per-second", "1000000")
        .start();
    let mut client = Client::join(&server, "b", 1);
    let filler = "x".repeat(80);
    for step in 0..OVERWRITES / RECORDS {
        // As an application that drags a selection: many records in one transaction.
        let update = client.change(|transaction, map, _, _| {
            use yrs::Map;
            for record in 0..RECORDS {
                map.insert(transaction, format!("shape:{record}"), format!("{step} {filler}"));
            }
        });
        client.send(&update);
        client.poll();
    }
    client.save();
    let expected = client.content();
    client.cut();
    let target = format!("/v1/boards/b/document?token={}", editor("x", "b"));
    let place = server.place();
    let size = || usize::try_from(std::fs::metadata(place.data()).unwrap().len()).unwrap();
    // What stock Yjs keeps of it: the live records, and what remains of the overwritten ones.
    let encoded = client.state().len();
    let bound = 10 * encoded + 2 * 1024 * 1024;
    until(SOON, || size() <= bound);
    let stored = http::get(server.address(), &target).body;
    assert_eq!(content_of(&stored), expected);
    let place = server.stop();
    let bytes = std::fs::metadata(place.data()).unwrap().len();
    assert!(
        usize::try_from(bytes).unwrap() <= bound,
        "{bytes} bytes for {encoded}"
    );
    let server = Setup::on(&place).start();
    let again = http::get(server.address(), &target).body;
    assert_eq!(content_of(&again), expected);
    assert!(
        again.len() <= 3 * encoded,
        "{} bytes compacted, {encoded} in yrs",
        again.len()
    );
}

/// An update of one map entry, which holds so many bytes.
fn filled_with(id: u64, bytes: usize) -> Vec<u8> {
    Client::offline(id).setting("shape:1", &"x".repeat(bytes))
}

#[test]
fn what_deleted_boards_leave_free_is_given_back_while_others_are_saved() {
    const MIB: u64 = 1024 * 1024;
    let server = Setup::new().flag("commit-window", "1ms").start();
    let admin = Api::admin(&server);
    for number in 0..15 {
        admin.must("POST", "/v1/boards", &json!({ "id": format!("b{number}") }), 201);
        let target = format!("/v1/boards/b{number}/document");
        let update = filled_with(number + 1, 3 * MIB as usize);
        assert_eq!(admin.send("POST", &target, &update).status / 100, 2, "{number}");
    }
    let place = server.place();
    let size = || std::fs::metadata(place.data()).unwrap().len();
    until(SOON, || size() > 45 * MIB);
    for number in 0..14 {
        assert_eq!(
            admin
                .call("DELETE", &format!("/v1/boards/b{number}?forever=true"))
                .status
                / 100,
            2
        );
    }
    let mut client = Client::join(&server, "b14", 99);
    let mut saves = 0;
    until(SOON, || {
        client.set("more", &saves.to_string());
        client.save();
        saves += 1;
        size() <= 3 * 3 * MIB + 16 * MIB
    });
    assert!(saves > 1);
    let metrics = String::from_utf8(http::get(server.address(), "/metrics").body).unwrap();
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    let (file, live) = (
        value("boardwire_data_file_bytes "),
        value("boardwire_data_live_bytes "),
    );
    assert!(file <= 3 * 3 * MIB + 16 * MIB, "{file}");
    assert!((3 * MIB..4 * MIB).contains(&live), "{live}");
    let expected = client.content();
    client.cut();
    let place = server.stop();
    let server = Setup::on(&place).start();
    assert_eq!(Client::join(&server, "b14", 100).content(), expected);
    assert_eq!(Api::admin(&server).get("/v1/boards/b0").status, 410);
}
