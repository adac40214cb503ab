//! `boardwire board import` of what other programs have stored: see the README.md of `peers`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::board::{document, done_on, on};
use super::{beside, text};
use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::server::Server;

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/keeping/peers")
}

/// Each store, and its part that is damaged and cut off below: the offset of a byte, and what it is made.
const STORES: [(&str, &str, (usize, u8), &str); 3] = [
    (
        "y-leveldb",
        "y-leveldb/000008.ldb",
        (100, 0),
        "is damaged, or no file of LevelDB",
    ),
    // The kind of the page that has the documents.
    (
        "hocuspocus/hocuspocus.sqlite",
        "hocuspocus/hocuspocus.sqlite",
        (4096, 0),
        "is damaged",
    ),
    // A length.
    ("y-sweet", "y-sweet/plan/data.ysweet", (13, 1), "is cut off"),
];

/// A folder of its own with the stores in it.
fn copied(server: &Server, name: &str) -> PathBuf {
    let to = beside(&server.place().data(), name);
    copy(&peers(), &to);
    to
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

/// Every file below a folder, with what is in it and when it was written.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let written = fs::metadata(&path).unwrap().modified().unwrap();
            found.push((path.clone(), fs::read(&path).unwrap(), written));
        }
    }
    found.sort();
    found
}

fn boards(server: &Server) -> Vec<String> {
    let boards = Api::admin(server).list("/v1/boards", 100);
    boards
        .iter()
        .map(|board| board["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The document of which `peers/make.mjs` tells.
fn assert_is_plan(document: &Value) {
    let records = document["tldraw"].as_object().unwrap();
    let keys: Vec<&str> = records.keys().map(String::as_str).collect();
    assert_eq!(keys, ["document:document", "page:page", "shape:note"]);
    // It was drawn at 1, and moved.
    assert_eq!(records["shape:note"]["x"], 30);
    assert_eq!(document["notes"], "Moved in, whole.");
}

#[test]
fn the_same_document_comes_from_the_stores_of_three_programs_and_goes_on_to_files() {
    for (store, ..) in STORES {
        let server = Server::start();
        let folder = copied(&server, "stores");
        let before = files(&folder);
        done_on(&server, &["import", text(&folder.join(store))]);
        assert_eq!(files(&folder), before, "{store} is not changed");
        let plan = document(&server, "plan");
        assert_is_plan(&plan);
        // And away.
        for (name, kind) in [("plan.yjs", "update"), ("plan.tldr", "tldr")] {
            let file = folder.join(name);
            done_on(
                &server,
                &["export", "plan", "--to", text(&file), "--format", kind],
            );
            done_on(&server, &["import", text(&file), "--as", kind]);
            assert_eq!(
                document(&server, kind)["tldraw"],
                plan["tldraw"],
                "{store} {name}"
            );
        }
        assert_eq!(document(&server, "update"), plan);
        let items = Api::admin(&server).list("/v1/boards/tldr/items", 10);
        assert_eq!(items[0]["content"]["text"], "kept", "{store}");
    }
}

#[test]
fn a_store_that_is_damaged_or_cut_off_becomes_no_board_at_all() {
    for (store, part, (at, byte), words) in STORES {
        let server = Server::start();
        let folder = copied(&server, "stores");
        let path = folder.join(part);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        assert_ne!(damaged[at], byte);
        damaged[at] = byte;
        for (bytes, words) in [
            (&damaged[..], words),
            (&whole[..whole.len() - 9], "is cut off"),
            (&whole[..whole.len() / 2], "is cut off"),
            (&[], "is cut off"),
        ] {
            fs::write(&path, bytes).unwrap();
            let (code, printed, said) = on(&server, &["import", text(&folder.join(store))]);
            assert_eq!((code, printed.as_str()), (Some(1), ""), "{store}: {said}");
            let damaged = "no file of SQLite, or is damaged";
            let names = said.contains(words) || said.contains(damaged);
            assert!(names && said.lines().count() == 1, "{store}: {said}");
        }
        assert_eq!(boards(&server), [""; 0], "{store}");
    }
}

#[test]
fn a_document_of_a_store_that_is_no_update_leaves_the_others_out_too() {
    let server = Server::start();
    let folder = copied(&server, "stores");
    // The length of its name, which SQLite knows nothing of: a client id, a clock, and the name of the map.
    let path = folder.join("hocuspocus/hocuspocus.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(7).rposition(|part| part == b"\x06tldraw").unwrap();
    bytes[at] = 0xff;
    fs::write(&path, bytes).unwrap();
    let (code, printed, said) = on(&server, &["import", text(&path)]);
    assert_eq!((code, printed.as_str()), (Some(1), ""), "{said}");
    assert!(said.contains("no update that is taken"), "{said}");
    assert_eq!(boards(&server), [""; 0]);
}

#[test]
fn one_document_of_a_store_is_taken_by_its_name_also_where_that_is_no_id_here() {
    for (store, ..) in STORES {
        let server = Server::start();
        let path = copied(&server, "stores").join(store);
        done_on(
            &server,
            &["import", text(&path), "--document", "plan", "--as", "mine"],
        );
        assert_is_plan(&document(&server, "mine"));
        assert_eq!(boards(&server), ["mine"], "{store}");
        let (code, _, said) = on(&server, &["import", text(&path), "--document", "plane"]);
        assert!(
            code == Some(1) && said.contains("has no document \"plane\""),
            "{said}"
        );
    }
    let server = Server::start();
    let path = copied(&server, "stores").join("hocuspocus/hocuspocus.sqlite");
    let bytes = fs::read(&path).unwrap();
    let mut odd = bytes.clone();
    // In the table and in its index.
    for at in (0..bytes.len() - 5).filter(|at| bytes[*at..].starts_with(b"other")) {
        odd[at + 2] = b'/';
    }
    fs::write(&path, odd).unwrap();
    let (code, _, said) = on(&server, &["import", text(&path)]);
    assert!(
        code == Some(1) && said.contains("take it by itself, with --document and --as"),
        "{said}"
    );
    assert_eq!(boards(&server), [""; 0]);
    done_on(
        &server,
        &["import", text(&path), "--document", "ot/er", "--as", "other"],
    );
    assert_is_plan(&document(&server, "other"));
    let file = path.with_file_name("h.tldr");
    fs::write(&file, "{}").unwrap();
    let (code, _, said) = on(&server, &["import", text(&file), "--document", "x"]);
    assert!(
        code == Some(1) && said.contains("expected it for a store"),
        "{said}"
    );
}

#[test]
fn a_store_that_a_program_has_open_is_left_alone() {
    let server = Server::start();
    let store = copied(&server, "stores").join("y-leveldb");
    // As LevelDB holds it.
    let lock = fs::OpenOptions::new()
        .write(true)
        .open(store.join("LOCK"))
        .unwrap();
    let operation = rustix::fs::FlockOperation::NonBlockingLockExclusive;
    rustix::fs::fcntl_lock(&lock, operation).unwrap();
    let (code, _, said) = on(&server, &["import", text(&store)]);
    assert!(
        code == Some(1) && said.contains("is open in another program"),
        "{said}"
    );
    assert_eq!(boards(&server), [""; 0]);
    drop(lock);
    done_on(&server, &["import", text(&store)]);
    // A copy may come without it.
    let other = Server::start();
    fs::remove_file(store.join("LOCK")).unwrap();
    let printed = done_on(
        &other,
        &["import", text(&store), "--format", "y-leveldb", "--json"],
    );
    assert_eq!(printed.matches("\"id\"").count(), 44, "{printed}");
    let large = document(&other, "large")["large"].as_str().unwrap().len();
    assert_eq!(large, 90_000);
    let (code, _, said) = on(&other, &["import", text(&store), "--as", "x"]);
    assert!(
        code == Some(1) && said.contains("has 44, and each has its name"),
        "{said}"
    );
}

#[test]
fn what_is_no_document_makes_no_board() {
    let server = Server::start();
    let directory = beside(&server.place().data(), "files");
    // What it builds on is missing.
    let mut client = Client::offline(30);
    client.setting("first", "1");
    let hole = client.setting("second", "2");
    let cases: [(&str, &[u8], &str); 5] = [
        (
            "hole.yjs",
            &hole,
            "the board that was made for it is removed again",
        ),
        (
            "bad.yjs",
            b"no update",
            "no update that is taken: malformed update",
        ),
        ("bad.tldr", b"{}", "it is no .tldr file"),
        ("bad.ysweet", b"12345678", "it is no file of y-sweet"),
        ("empty.ysweet", &[0; 8], "it has no document"),
    ];
    for (name, bytes, words) in cases {
        let file = directory.join(name);
        fs::write(&file, bytes).unwrap();
        let board = name.replace('.', "-");
        let (code, _, said) = on(&server, &["import", text(&file), "--as", &board]);
        assert!(code == Some(1) && said.contains(words), "{name}: {said}");
        let left = Api::admin(&server).get(&format!("/v1/boards/{board}")).status;
        let made = words.contains("removed again");
        assert_eq!(left, if made { 410 } else { 404 }, "{name}");
    }
    let (code, _, said) = on(&server, &["import", "no/such/file"]);
    assert!(
        code == Some(1) && said.contains("cannot read no/such/file"),
        "{said}"
    );
}

/// A file as y-sweet writes it: its own map of keys, with this state and this update.
fn ysweet(state: &[u8], update: &[u8]) -> Vec<u8> {
    let entries: [(&[u8], &[u8]); 4] = [
        (&[0, 0, b'd', b'o', b'c', 0], &[0, 0, 0, 1]),
        (&[0, 1, 0, 0, 0, 1, 0], state),
        (&[0, 1, 0, 0, 0, 1, 1], &[0]),
        (&[0, 1, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0], update),
    ];
    let mut bytes = 4_u64.to_le_bytes().to_vec();
    for piece in entries.iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend_from_slice(&(piece.len() as u64).to_le_bytes());
        bytes.extend_from_slice(piece);
    }
    bytes
}

#[test]
fn a_store_of_y_sweet_becomes_boards() {
    let server = Server::start();
    let store = beside(&server.place().data(), "y-sweet");
    for (board, value) in [("one", "1"), ("two", "2")] {
        let directory = store.join(board);
        fs::create_dir(&directory).unwrap();
        let state = Client::offline(31).setting("state", value);
        let update = Client::offline(32).setting("update", value);
        fs::write(directory.join("data.ysweet"), ysweet(&state, &update)).unwrap();
    }
    let printed = done_on(&server, &["import", text(&store), "--json"]);
    assert_eq!(printed.matches("\"id\"").count(), 2, "{printed}");
    let drawn = document(&server, "two").to_string();
    assert!(
        drawn.contains("\"state\"") && drawn.contains("\"update\""),
        "{drawn}"
    );
    let file = store.join("one/data.ysweet");
    done_on(&server, &["import", text(&file), "--as", "three"]);
    assert_eq!(document(&server, "three"), document(&server, "one"));
    let (code, _, said) = on(&server, &["import", text(&store), "--as", "four"]);
    assert!(
        code == Some(1) && said.contains("has 2, and each has its name"),
        "{said}"
    );
}

#[test]
fn the_documents_of_hocuspocus_become_boards_each_whole() {
    let server = Server::start();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/keeping/hocuspocus.sqlite");
    let printed = done_on(&server, &["import", text(&file), "--json"]);
    assert_eq!(printed.matches("\"id\"").count(), 42, "{printed}");
    assert_eq!(document(&server, "small"), json!({"map": {"said": "hello"}}));
    let large = "0123456789".repeat(900);
    assert_eq!(document(&server, "large"), json!({"map": {"text": large}}));
    let (code, _, said) = on(&server, &["import", text(&file)]);
    assert!(code == Some(1) && said.contains("answers 409"), "{said}");
    let (code, _, said) = on(&server, &["import", text(&file), "--as", "x"]);
    assert!(
        code == Some(1) && said.contains("has 42, and each has its name"),
        "{said}"
    );
    // What SQLite keeps beside the file is not passed over in silence, neither this way nor the other.
    let copy = server.place().data().with_file_name("h.sqlite");
    fs::copy(&file, &copy).unwrap();
    for (beside, bytes, words) in [
        (
            "h.sqlite-wal",
            &b"some"[..],
            "changes that are not in the file yet",
        ),
        (
            "h.sqlite-journal",
            b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",
            "a change that was not finished",
        ),
    ] {
        let beside = copy.with_file_name(beside);
        fs::write(&beside, bytes).unwrap();
        let (code, _, said) = on(&server, &["import", text(&copy)]);
        assert!(code == Some(1) && said.contains(words), "{said}");
        fs::remove_file(beside).unwrap();
    }
    // A journal that is kept, with nothing in it.
    let other = Server::start();
    fs::write(copy.with_file_name("h.sqlite-journal"), [0; 512]).unwrap();
    done_on(&other, &["import", text(&copy)]);
}
