//! `boardwire board`, on a server that runs and on a data file at rest.

use std::fs;

use base64::Engine as _;
use serde_json::{Value, json};

use super::{beside, command, done, ended, fill, names, picture, refused, run, text};
use crate::support::api::Api;
use crate::support::server::{Place, Server, Setup};

/// Runs `boardwire board` on a server.
pub(super) fn on(server: &Server, arguments: &[&str]) -> (Option<i32>, String, String) {
    let url = format!("http://{}", server.address());
    run(&[&["board"], arguments, &["--url", &url]].concat())
}

#[track_caller]
pub(super) fn done_on(server: &Server, arguments: &[&str]) -> String {
    let (code, printed, said) = on(server, arguments);
    assert_eq!(code, Some(0), "{printed}{said}");
    printed
}

pub(super) fn document(server: &Server, board: &str) -> Value {
    let target = format!("/v1/boards/{board}/document?format=json");
    Api::admin(server).get(&target).json()
}

#[test]
fn boards_are_listed_shown_renamed_given_away_copied_and_deleted_on_a_server() {
    let server = Server::start();
    fill(&server);
    let printed = done_on(&server, &["list"]);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines[0].starts_with("ID") && lines[0].ends_with("TITLE"),
        "{printed}"
    );
    assert_eq!(lines.len(), 4, "{printed}");
    assert!(
        lines[1].starts_with("b ") && lines[1].ends_with("alice  Shared"),
        "{printed}"
    );
    let listed: Value = serde_json::from_str(&done_on(&server, &["list", "--json"])).unwrap();
    assert_eq!(listed[0]["id"], "b");

    let shown: Value = serde_json::from_str(&done_on(&server, &["show", "b", "--json"])).unwrap();
    assert_eq!(shown["permissions"].as_array().unwrap().len(), 3);
    assert_eq!(shown["links"].as_array().unwrap().len(), 1);
    let printed = done_on(&server, &["show", "c"]);
    assert!(printed.contains("\nlinks        none\n"), "{printed}");

    done_on(&server, &["rename", "b", "Shared by all"]);
    done_on(&server, &["owner", "b", "carol"]);
    let found = Api::admin(&server).get("/v1/boards/b").json();
    assert_eq!(
        (&found["title"], &found["owner"]),
        (&json!("Shared by all"), &json!("carol"))
    );
    done_on(&server, &["copy", "b", "--as", "b2"]);
    assert_eq!(document(&server, "b2"), document(&server, "b"));
    let entries = Api::admin(&server).list("/v1/boards/b/audit", 100);
    assert!(
        entries
            .iter()
            .any(|entry| entry["actor"] == "user:boardwire board"),
        "{entries:?}"
    );

    let (code, _, said) = on(&server, &["delete", "b2"]);
    assert!(code == Some(2) && said.contains("--yes is missing"), "{said}");
    done_on(&server, &["delete", "b2", "--yes"]);
    assert_eq!(Api::admin(&server).get("/v1/boards/b2").status, 410);
    done_on(&server, &["restore", "b2"]);
    assert_eq!(document(&server, "b2"), document(&server, "b"));
    let (code, _, said) = on(&server, &["show", "never"]);
    assert!(code == Some(1) && said.contains("answers 404"), "{said}");
}

#[test]
fn a_copy_and_a_file_of_tldraw_have_the_pictures() {
    let server = Server::start();
    fill(&server);
    let admin = Api::admin(&server);
    let assets = admin.list("/v1/boards/b/assets", 9);
    let hash = assets[0]["sha256"].as_str().unwrap().to_owned();
    let image = json!({"type": "image", "x": 0, "y": 0, "content": {"asset": hash}});
    admin.must("POST", "/v1/boards/b/items", &image, 201);
    done_on(&server, &["copy", "b", "--as", "b2"]);
    admin.must("DELETE", "/v1/boards/b?forever=true", &Value::Null, 204);
    let kept = admin.get(&format!("/v1/boards/b2/assets/{hash}"));
    assert_eq!((kept.status, kept.body == picture()), (200, true));
    // Its records name the board that it came from; what is drawn does not mind.
    let url = &admin.get("/v1/boards/b2/items").json()["items"][0]["content"]["url"];
    assert_eq!(url, &json!(format!("/v1/boards/b/assets/{hash}")));

    let file = server.place().data().with_file_name("b2.tldr");
    done_on(&server, &["export", "b2", "--to", text(&file)]);
    let file: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let records = file["records"].as_array().unwrap();
    let asset = records
        .iter()
        .find(|record| record["typeName"] == "asset")
        .unwrap();
    let source = asset["props"]["src"].as_str().unwrap();
    let encoded = base64::engine::general_purpose::STANDARD.encode(picture());
    assert_eq!(source, format!("data:image/png;base64,{encoded}"));
}

#[test]
fn a_board_goes_back_to_what_it_was() {
    let server = Server::start();
    fill(&server);
    let history =
        || -> Value { serde_json::from_str(&done_on(&server, &["history", "b", "--json"])).unwrap() };
    let first = history()[0].clone();
    assert_eq!(first["name"], "first");
    let version = first["id"].as_str().unwrap();
    let sticky =
        json!({"type": "sticky", "x": 0, "y": 0, "width": 200, "height": 200, "content": {"text": "later"}});
    let admin = Api::admin(&server);
    admin.must("POST", "/v1/boards/b/items", &sticky, 201);
    done_on(&server, &["history", "b", "--restore", version]);
    assert_eq!(history()[0]["kind"], "before_restore");
    assert_eq!(admin.get("/v1/boards/b/items").json()["items"], json!([]));
    let (code, _, said) = on(&server, &["history", "b", "--restore", "999999"]);
    assert!(code == Some(1) && said.contains("answers 404"), "{said}");
}

#[test]
fn the_same_is_done_in_a_file_at_rest_and_through_the_server_that_has_it_open() {
    let server = Server::start();
    fill(&server);
    let listen = server.address().to_string();
    let data = server.place().data();
    let here = ["--data", text(&data), "--listen", &listen];
    let rename = |title: &str| done(&[&["board", "rename", "b", title][..], &here].concat());
    rename("With its server");
    assert_eq!(
        Api::admin(&server).get("/v1/boards/b").json()["title"],
        "With its server"
    );
    let place = server.stop();
    let printed = rename("At rest");
    assert!(printed.contains("At rest"), "{printed}");
    done(&[&["board", "copy", "b", "--as", "b2"][..], &here].concat());
    done(&[&["board", "delete", "c", "--yes"][..], &here].concat());
    assert_eq!(names(data.parent().unwrap()), ["boards.redb"]);
    assert!(done(&["check", "--data", text(&data)]).contains("checked 4 boards"));
    let server = Setup::on(&place).start();
    assert_eq!(Api::admin(&server).get("/v1/boards/b").json()["title"], "At rest");
    assert_eq!(document(&server, "b2"), document(&server, "b"));
    assert_eq!(Api::admin(&server).get("/v1/boards/c").status, 410);
    let missing = data.with_file_name("missing.redb");
    refused(
        &["board", "list", "--data", text(&missing)],
        1,
        "is that the right path?",
    );
    assert!(!missing.exists());
}

/// What stands on a board of tldraw.
fn drawn(server: &Server, board: &str) {
    let admin = Api::admin(server);
    admin.must("POST", "/v1/boards", &json!({"id": board}), 201);
    let note = json!({"type": "sticky", "x": 1, "y": 2, "content": {"text": "kept"}});
    admin.must("POST", &format!("/v1/boards/{board}/items"), &note, 201);
}

#[test]
fn a_board_is_written_to_each_kind_of_file_and_comes_back_from_two_of_them() {
    let server = Server::start();
    drawn(&server, "drawn");
    let directory = beside(&server.place().data(), "files");
    let file = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    for name in ["drawn.tldr", "drawn.json", "drawn.yjs"] {
        let printed = done_on(&server, &["export", "drawn", "--to", &file(name)]);
        assert!(printed.ends_with(" bytes\n"), "{printed}");
        let (code, _, said) = on(&server, &["export", "drawn", "--to", &file(name)]);
        assert!(code == Some(1) && said.contains("cannot make"), "{said}");
    }
    let json: Value = serde_json::from_slice(&fs::read(file("drawn.json")).unwrap()).unwrap();
    assert_eq!(json, document(&server, "drawn"));
    let (_, printed, _) = on(&server, &["export", "drawn", "--to", "-", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), json);
    for (name, board) in [("drawn.tldr", "from-tldr"), ("drawn.yjs", "from-yjs")] {
        done_on(
            &server,
            &["import", &file(name), "--as", board, "--title", "Moved in"],
        );
        assert_eq!(document(&server, board)["tldraw"], json["tldraw"], "{name}");
        let items = Api::admin(&server).list(&format!("/v1/boards/{board}/items"), 10);
        assert_eq!(items[0]["content"]["text"], "kept");
        let made = Api::admin(&server).get(&format!("/v1/boards/{board}")).json();
        assert_eq!(made["title"], "Moved in");
    }
    // And into a file that is not there yet.
    let new_place = Place::new();
    let new = new_place.data();
    let import = [
        "board",
        "import",
        &file("drawn.tldr"),
        "--as",
        "x",
        "--data",
        text(&new),
    ];
    done(&import);
    assert!(done(&["check", "--data", text(&new)]).contains("checked 1 boards"));
}

#[test]
fn what_makes_no_sense_is_said_in_one_line() {
    for (arguments, words) in [
        (&["board"][..], "a command is needed: list, show"),
        (
            &["board", "list", "--store", "postgres://a@localhost/b"],
            "expected --url",
        ),
        (&["board", "export", "b"], "--to is missing"),
        (
            &["board", "export", "b", "--to", "x", "--format", "pdf"],
            "expected update, json or tldr",
        ),
        (
            &["board", "import", "x", "--format", "pdf"],
            "expected update, tldr, hocuspocus, y-sweet or y-leveldb",
        ),
        (&["board", "copy", "b"], "--as is missing"),
        (&["board", "show", "a/b"], "expected the id of a board"),
        (&["board", "show"], "is missing"),
        (
            &["board", "list", "--url", "--json"],
            "--url is missing its value",
        ),
    ] {
        refused(arguments, 2, words);
    }
    let mut help = command(&["board", "--help"]);
    let (code, printed, _) = ended(help.output().unwrap());
    assert_eq!(code, Some(0));
    assert!(
        printed.contains("export") && printed.contains("history"),
        "{printed}"
    );
}
