//! The drill of docs/operations.md: back up while people draw, lose the disk, restore in another directory,
//! and compare every board.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::{done, names, text};
use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::server::{Place, Server, Setup};

const BOARDS: usize = 12;
const WRITERS: usize = 3;

fn board(number: usize) -> String {
    format!("board-{number:02}")
}

fn document(server: &Server, board: &str) -> Value {
    let target = format!("/v1/boards/{board}/document?format=json");
    Api::admin(server).get(&target).json()
}

/// Writes of one writer that were answered as saved: the board, the key.
type Saved = Mutex<Vec<(String, String)>>;

fn draw(server: &Server, writer: usize, saved: &Saved, stop: &AtomicBool) {
    let admin = Api::admin(server);
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        let board = board((writer + n * WRITERS) % BOARDS);
        let key = format!("w{writer}-{n}");
        let client = 1_000_000 * (writer as u64 + 1) + n as u64;
        let update = Client::offline(client).setting(&key, "saved");
        let answer = admin.send("POST", &format!("/v1/boards/{board}/document"), &update);
        assert_eq!(answer.status, 204);
        saved.lock().unwrap().push((board, key));
        n += 1;
    }
}

#[test]
fn what_was_saved_before_a_backup_began_is_there_after_the_disk_is_lost() {
    let server = Server::start();
    let alice = Api::user(&server, "alice");
    for number in 0..BOARDS {
        alice.must("POST", "/v1/boards", &json!({"id": board(number)}), 201);
    }
    let (saved, stop) = (Saved::default(), AtomicBool::new(false));
    let elsewhere = Place::new();
    let backups = elsewhere.data().with_file_name("backups");
    fs::create_dir(&backups).unwrap();
    let url = format!("http://{}", server.address());
    let before = thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (server, saved, stop) = (&server, &saved, &stop);
            scope.spawn(move || draw(server, writer, saved, stop));
        }
        crate::support::until(crate::support::SOON, || saved.lock().unwrap().len() > 60);
        let before = saved.lock().unwrap().clone();
        done(&["backup", "--url", &url, "--to", text(&backups), "--keep", "7d,4w"]);
        stop.store(true, Ordering::Relaxed);
        before
    });
    let last: Vec<Value> = (0..BOARDS)
        .map(|number| document(&server, &board(number)))
        .collect();

    // The disk is lost, with the server on it.
    let lost = server.kill();
    fs::remove_file(lost.data()).unwrap();
    drop(lost);

    let made = names(&backups);
    assert_eq!(made.len(), 1, "{made:?}");
    let backup = backups.join(&made[0]);
    let printed = done(&["check", "--data", text(&backup)]);
    assert!(printed.contains("checked 12 boards"), "{printed}");
    done(&[
        "restore",
        "--from",
        text(&backup),
        "--data",
        text(&elsewhere.data()),
    ]);
    let server = Setup::on(&elsewhere).start();
    let restored: Vec<Value> = (0..BOARDS)
        .map(|number| document(&server, &board(number)))
        .collect();
    for (board, key) in &before {
        let number: usize = board.rsplit('-').next().unwrap().parse().unwrap();
        let there = restored[number].to_string();
        assert!(
            there.contains(&format!("{key:?}")),
            "{board} lacks {key}: {there}"
        );
    }
    // And nothing that was never there.
    for (restored, last) in restored.iter().zip(&last) {
        let (restored, last) = (restored.as_object().unwrap(), last.as_object().unwrap());
        for (name, content) in restored {
            let all = last[name].as_object().unwrap();
            let had = content.as_object().unwrap();
            assert!(
                had.iter().all(|(key, value)| all.get(key) == Some(value)),
                "{name}"
            );
        }
    }
    // Whoever still has later changes sends them when they connect again.
    let mut client = Client::join(&server, &board(0), 9);
    client.set("goes", "on");
    client.save();
}
