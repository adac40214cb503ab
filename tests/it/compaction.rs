//! Compaction: the stored state stays the same document, and the file stays small.

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
