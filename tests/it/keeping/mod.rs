//! Backups, restoring, checking and compacting, as an operator runs them: the built commands, on data files,
//! databases and servers that run.
//!
//! Owns what these tests have in common: boards to be kept, and how a command is run.

mod backup;
mod board;
mod check;
mod damage;
mod drill;
mod import;
mod restore;

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use boardwire::ids::BoardId;
use boardwire::store::redb::RedbStore;
use boardwire::store::{Registry as _, Store as _, Whole};
use serde_json::json;

use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::tokens::SECRET;

/// Exit code, standard output, standard error.
pub(crate) type Ended = (Option<i32>, String, String);

/// The command with the secret of the tests' servers, and no other setting of the environment.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boardwire"));
    command
        .env_clear()
        .env("BOARDWIRE_JWT_SECRET", SECRET)
        .args(arguments);
    command
}

pub(crate) fn ended(output: Output) -> Ended {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    ended(command(arguments).output().unwrap())
}

/// Runs it, and expects that all goes well; what it prints.
#[track_caller]
pub(crate) fn done(arguments: &[&str]) -> String {
    let (code, printed, said) = run(arguments);
    assert_eq!(code, Some(0), "{printed}{said}");
    printed
}

/// Runs it, and expects that it refuses with these words, in one line.
#[track_caller]
pub(crate) fn refused(arguments: &[&str], expected: i32, words: &str) {
    let (code, printed, said) = run(arguments);
    assert_eq!((code, printed.as_str()), (Some(expected), ""), "{said}");
    assert!(said.contains(words) && said.lines().count() == 1, "{said}");
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What sets a key of a document, as a stock client says it that nobody else is.
pub(crate) fn setting(key: &str, value: &str) -> Vec<u8> {
    static CLIENTS: AtomicU32 = AtomicU32::new(100);
    let client = CLIENTS.fetch_add(1, Ordering::Relaxed);
    Client::offline(client.into()).setting(key, value)
}

/// Boards on a server: one with all that a board can have, one that was deleted, and some others.
pub(crate) fn fill(server: &Server) {
    let alice = Api::user(server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b", "title": "Shared"}), 201);
    alice.grant("users/bob", "edit");
    alice.grant("teams/red", "view");
    alice.grant("public", "view");
    alice.must("POST", "/v1/boards/b/links", &json!({"level": "comment"}), 201);
    let key = json!({"name": "bot", "level": "edit"});
    alice.must("POST", "/v1/boards/b/keys", &key, 201);
    let hook = json!({"url": "https://hooks.example/x"});
    alice.must("POST", "/v1/boards/b/webhooks", &hook, 201);
    write(server, "b", "drawn", "by alice");
    let brought = alice.send("POST", "/v1/boards/b/assets", &picture());
    assert_eq!(brought.status, 201, "{}", String::from_utf8_lossy(&brought.body));
    alice.must("POST", "/v1/boards/b/versions", &json!({"name": "first"}), 201);
    for board in ["c", "d", "gone"] {
        alice.must("POST", "/v1/boards", &json!({"id": board}), 201);
        write(server, board, "board", board);
    }
    let gone = "/v1/boards/gone?forever=true";
    alice.must("DELETE", gone, &serde_json::Value::Null, 204);
}

/// What begins as a PNG of 20 by 10 pixels, and takes several parts.
pub(crate) fn picture() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x14\0\0\0\x0a".to_vec();
    bytes.resize(600_000, 7);
    bytes
}

/// Sets a key of a board's document.
#[track_caller]
pub(crate) fn write(server: &Server, board: &str, key: &str, value: &str) {
    let update = setting(key, value);
    let target = format!("/v1/boards/{board}/document");
    let answer = Api::admin(server).send("POST", &target, &update);
    assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
}

/// All that a data file has.
pub(crate) fn wholes(path: &Path) -> Vec<Whole> {
    let store = RedbStore::open_untouched(path).unwrap();
    let used = store.used(None, usize::MAX).unwrap();
    let wholes = used
        .iter()
        .map(|used| Whole::read(&store, &used.board).unwrap().unwrap());
    let wholes = wholes.collect();
    store.close();
    wholes
}

/// All of one board; others may be damaged.
pub(crate) fn whole(path: &Path, board: &str) -> Option<Whole> {
    let store = RedbStore::open_untouched(path).unwrap();
    Whole::read(&store, &BoardId::parse(board).unwrap()).unwrap()
}

/// The names in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Makes the bytes of a board's document rot, wherever in the file they lie.
pub(crate) fn rot(path: &Path, words: &str) {
    let bytes = fs::read(path).unwrap();
    let words = words.as_bytes();
    let found: Vec<usize> = (0..bytes.len() - words.len())
        .filter(|at| bytes[*at..].starts_with(words))
        .collect();
    assert!(!found.is_empty());
    // In place: a server may have it open.
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    for at in found {
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[bytes[at] ^ 1]).unwrap();
    }
}

/// A directory beside the data file.
pub(crate) fn beside(data: &Path, name: &str) -> PathBuf {
    let directory = data.with_file_name(name);
    fs::create_dir(&directory).unwrap();
    directory
}
