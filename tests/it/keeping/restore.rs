//! `boardwire restore`.

use std::fs;

use boardwire::store::{Life, StoredAsset};
use serde_json::json;

use super::{beside, done, fill, names, refused, rot, run, text, whole, wholes, write};
use crate::support::api::Api;
use crate::support::server::{Place, Server, Setup};

/// A backup of a server with boards, and the place of that server, stopped.
fn backup() -> (Place, std::path::PathBuf) {
    let server = Server::start();
    fill(&server);
    write(&server, "c", "rotten", "here it will rot");
    let place = server.stop();
    let file = beside(&place.data(), "backups").join("backup.redb");
    done(&["backup", "--data", text(&place.data()), "--to", text(&file)]);
    (place, file)
}

#[test]
fn everything_is_restored_where_nothing_was() {
    let (_place, file) = backup();
    let new = Place::new();
    let before = fs::read(&file).unwrap();
    let printed = done(&["restore", "--from", text(&file), "--data", text(&new.data())]);
    assert!(printed.contains(": 3 boards ("), "{printed}");
    assert_eq!(fs::read(&file).unwrap(), before, "the backup is as it was");
    assert_eq!(wholes(&new.data()), wholes(&file));
    assert_eq!(names(new.data().parent().unwrap()), ["boards.redb"]);
    let server = Setup::on(&new).start();
    let drawn = Api::user(&server, "bob").get("/v1/boards/b/document?format=json");
    assert_eq!(drawn.status, 200);
    // A file in which nothing was ever made is nothing to keep.
    let empty = Server::start().stop();
    done(&["restore", "--from", text(&file), "--data", text(&empty.data())]);
    assert_eq!(names(empty.data().parent().unwrap()), ["boards.redb"]);
    assert_eq!(wholes(&empty.data()), wholes(&file));
}

#[test]
fn a_store_with_boards_is_replaced_only_when_asked_and_is_kept_beside() {
    let (place, file) = backup();
    let data = place.data();
    let later = {
        let server = Setup::on(&place).start();
        write(&server, "d", "later", "than the backup");
        let arguments = [
            "restore",
            "--from",
            text(&file),
            "--data",
            text(&data),
            "--replace",
        ];
        refused(&arguments, 1, "stop its server first");
        server.stop();
        wholes(&data)
    };
    let arguments = ["restore", "--from", text(&file), "--data", text(&data)];
    refused(&arguments, 1, "has boards already; with --replace");
    assert_eq!(wholes(&data), later);
    let printed = done(&[&arguments[..], &["--replace"]].concat());
    assert_eq!(wholes(&data), wholes(&file));
    let kept = printed.trim().rsplit(' ').next().unwrap();
    assert!(kept.contains("boards.redb.before-2"), "{printed}");
    assert_eq!(wholes(kept.as_ref()), later);
    let same = ["restore", "--from", text(&data), "--data", text(&data)];
    refused(&same, 2, "are both ");
}

#[test]
fn a_backup_that_is_damaged_replaces_nothing_and_its_sound_boards_can_be_taken() {
    let (place, file) = backup();
    rot(&file, "here it will rot");
    let data = place.data();
    let before = fs::read(&data).unwrap();
    let arguments = [
        "restore",
        "--from",
        text(&file),
        "--data",
        text(&data),
        "--replace",
    ];
    let (code, printed, said) = run(&arguments);
    assert_eq!((code, printed.as_str()), (Some(1), ""), "{said}");
    assert!(
        said.contains("rows of board \"c\"") && said.contains("nothing was restored"),
        "{said}"
    );
    assert_eq!(fs::read(place.data()).unwrap(), before);
    let new = Place::new();
    let one = |board: &str| {
        run(&[
            "restore",
            "--from",
            text(&file),
            "--data",
            text(&new.data()),
            "--board",
            board,
        ])
    };
    let (code, _, said) = one("c");
    assert!(code == Some(1) && said.contains("board \"c\": "), "{said}");
    assert!(!new.data().exists());
    assert_eq!(one("b").0, Some(0));
    assert_eq!(whole(&new.data(), "b"), whole(&file, "b"));
    let (code, _, said) = one("gone");
    assert!(code == Some(1) && said.contains("was deleted at "), "{said}");
    let (code, _, said) = one("never");
    assert!(
        code == Some(1) && said.contains("has no board \"never\""),
        "{said}"
    );
}

#[test]
fn one_board_goes_into_a_file_at_rest_under_an_id_that_is_free() {
    let (place, file) = backup();
    let data = place.data();
    let server = Setup::on(&place).start();
    Api::admin(&server).must("DELETE", "/v1/boards/c", &serde_json::Value::Null, 204);
    server.stop();
    let one = |board: &str, to_be: &str| {
        run(&[
            "restore",
            "--from",
            text(&file),
            "--data",
            text(&data),
            "--board",
            board,
            "--as",
            to_be,
        ])
    };
    let (code, _, said) = one("b", "b");
    assert!(
        code == Some(1) && said.contains("is there already; name another id with --as"),
        "{said}"
    );
    let (code, _, said) = one("c", "c");
    assert!(code == Some(1) && said.contains("was deleted there"), "{said}");
    let (code, printed, said) = one("b", "b2");
    assert!(
        code == Some(0) && printed.contains("is restored as \"b2\""),
        "{said}"
    );
    let (old, new) = (whole(&file, "b").unwrap(), whole(&data, "b2").unwrap());
    let (Life::Live(old), Life::Live(made)) = (old.life, new.life) else {
        unreachable!()
    };
    assert_eq!((&old.document, &old.grants), (&made.document, &made.grants));
    let hashes = |assets: &[StoredAsset]| assets.iter().map(|asset| asset.hash).collect::<Vec<_>>();
    assert_eq!(hashes(&old.assets), hashes(&made.assets));
    assert_eq!(old.assets.len(), 1);
    assert!(made.secrets.is_empty() && made.webhooks.is_empty());
    assert!(!old.secrets.is_empty() && !old.webhooks.is_empty());
    assert_eq!(new.audit.len(), 1);
    assert!(done(&["check", "--data", text(&data)]).contains("all is sound"));
}

#[test]
fn one_board_goes_into_a_server_that_runs() {
    let (place, file) = backup();
    let server = Setup::on(&place).start();
    let listen = server.address().to_string();
    let url = format!("http://{listen}");
    let restore = ["restore", "--from", text(&file), "--board", "b", "--as", "b2"];
    let printed = done(&[&restore[..], &["--url", &url]].concat());
    assert!(
        printed.contains("3 links, keys and webhooks are to be made anew"),
        "{printed}"
    );
    let admin = Api::admin(&server);
    let board = admin.get("/v1/boards/b2").json();
    assert_eq!(
        (&board["title"], &board["owner"]),
        (&json!("Shared"), &json!("alice"))
    );
    let document = |board: &str| {
        admin
            .get(&format!("/v1/boards/{board}/document?format=json"))
            .body
    };
    assert_eq!(document("b2"), document("b"));
    let grants = |board: &str| admin.list(&format!("/v1/boards/{board}/permissions"), 100);
    assert_eq!(grants("b2"), grants("b"));
    refused(&[&restore[..], &["--url", &url]].concat(), 1, "answers 409");
    // By its file, its server is found.
    let by_file = ["restore", "--from", text(&file), "--board", "d", "--as", "d2"];
    let data = place.data();
    let more = ["--data", text(&data), "--listen", &listen];
    let (code, _, said) = run(&[&by_file[..], &more[..]].concat());
    assert!(
        code == Some(0) && said.contains("is in use; asking its server"),
        "{said}"
    );
    assert_eq!(document("d2"), document("d"));
    // A server that takes no such document gets no board.
    let small = Setup::new().flag("max-body-bytes", "1KiB").start();
    let large = "0123456789".repeat(500);
    write(&server, "b", "large", &large);
    let file = beside(&place.data(), "more").join("backup.redb");
    done(&["backup", "--url", &url, "--to", text(&file)]);
    let small_url = format!("http://{}", small.address());
    let (code, _, said) = run(&[
        "restore",
        "--from",
        text(&file),
        "--board",
        "b",
        "--url",
        &small_url,
    ]);
    assert!(
        code == Some(1) && said.contains("413") && said.contains("is removed again"),
        "{said}"
    );
    assert_eq!(Api::admin(&small).get("/v1/boards/b").status, 410);
}

#[test]
fn what_is_missing_or_makes_no_sense_is_said_in_one_line() {
    for (arguments, words) in [
        (&["restore"][..], "--from is missing"),
        (
            &["restore", "--from", "x"],
            "--data is missing; expected where to restore",
        ),
        (
            &["restore", "--from", "x", "--data", "y", "--as", "z"],
            "expected --board beside it",
        ),
        (
            &["restore", "--from", "x", "--url", "http://localhost"],
            "a server that runs takes boards",
        ),
        (
            &["restore", "--from", "x", "--data", "y", "--board", "a/b"],
            "expected the id of a board",
        ),
        (&["backup"], "--to is missing"),
    ] {
        refused(arguments, 2, words);
    }
    let new = Place::new();
    let missing = new.data().with_file_name("missing.redb");
    refused(
        &["restore", "--from", text(&missing), "--data", text(&new.data())],
        1,
        "is that the right path?",
    );
    assert!(!new.data().exists());
}
