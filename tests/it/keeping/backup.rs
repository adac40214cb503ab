//! `boardwire backup`, and `GET /v1/backup`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use boardwire::store::pages::{Page, Place as Cursor};
use serde_json::{Value, json};

use super::{
    Ended, beside, command, done, ended, fill, names, picture, refused, rot, run, setting, text, whole,
    wholes, write,
};
use crate::support::api::Api;
use crate::support::postgres::Postgres;
use crate::support::server::{Place, Server, Setup};
use crate::support::{SOON, until};

fn url(server: &Server) -> String {
    format!("http://{}", server.address())
}

/// What a server answers about its boards, but for the audit log, which grows as it is asked.
fn answers(server: &Server) -> Vec<(String, u16, Vec<u8>)> {
    let admin = Api::admin(server);
    let mut answers = Vec::new();
    for board in ["b", "c", "d", "gone"] {
        for rest in [
            "",
            "/document?format=json",
            "/permissions",
            "/links",
            "/keys",
            "/assets",
            "/versions",
        ] {
            let target = format!("/v1/boards/{board}{rest}");
            let answer = admin.get(&target);
            answers.push((target, answer.status, answer.body));
        }
    }
    let assets = admin.get("/v1/boards/b/assets").json();
    let hash = assets["items"][0]["sha256"].as_str().unwrap_or_default();
    let target = format!("/v1/boards/b/assets/{hash}");
    let answer = admin.get(&target);
    assert_eq!(answer.body, picture());
    answers.push((target, answer.status, answer.body));
    answers
}

#[test]
fn a_server_that_runs_is_backed_up_while_people_draw_and_one_on_the_backup_answers_the_same() {
    let server = Server::start();
    fill(&server);
    let expected = answers(&server);
    let place = Place::new();
    let file = place.data();
    let stop = AtomicBool::new(false);
    let admin = Api::admin(&server);
    admin.must("POST", "/v1/boards", &json!({"id": "busy"}), 201);
    let printed = thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                write(&server, "busy", "n", &n.to_string());
                n += 1;
            }
        });
        let printed = done(&["backup", "--url", &url(&server), "--to", text(&file)]);
        stop.store(true, Ordering::Relaxed);
        printed
    });
    assert!(
        printed.contains(": 4 boards (") && printed.lines().count() == 1,
        "{printed}"
    );
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        names(file.parent().unwrap()),
        ["boards.redb"],
        "nothing is left beside it"
    );
    let log = server.log();
    assert!(
        log.contains("backup begun") && log.contains("user:boardwire backup"),
        "{log}"
    );
    drop(server.stop());

    let restored = Setup::on(&place).start();
    for (found, expected) in answers(&restored).iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    let busy = Api::admin(&restored)
        .get("/v1/boards/busy/document?format=json")
        .json();
    assert!(busy.to_string().contains("\"n\""), "{busy}");
    let audit = Api::admin(&restored).list("/v1/boards/b/audit", 100);
    assert!(
        audit.iter().any(|entry| entry["action"] == "webhook.create"),
        "{audit:?}"
    );
}

#[test]
fn the_server_that_has_the_data_file_is_asked_and_at_rest_the_file_is_read() {
    let server = Server::start();
    fill(&server);
    let data = server.place().data();
    let (through, at_rest) = (data.with_file_name("1.redb"), data.with_file_name("2.redb"));
    let listen = server.address().to_string();
    let arguments = ["backup", "--data", text(&data), "--listen", &listen, "--to"];
    let (code, printed, said) = run(&[&arguments[..], &[text(&through)]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("is in use; asking its server at http://127.0.0.1:"),
        "{said}"
    );
    assert!(printed.contains(": 3 boards ("), "{printed}");
    let _place = server.stop();
    let before = fs::read(&data).unwrap();
    done(&[&arguments[..], &[text(&at_rest)]].concat());
    assert_eq!(fs::read(&data).unwrap(), before, "the source is as it was");
    let expected = wholes(&data);
    assert_eq!(wholes(&at_rest), expected);
    assert_eq!(expected.len(), 4);
    for whole in &wholes(&through) {
        // At its stop the server has compacted what it had open.
        let later = expected.iter().find(|later| later.board == whole.board).unwrap();
        assert_eq!(whole.audit, later.audit);
    }
    refused(
        &[&arguments[..], &[text(&at_rest)]].concat(),
        1,
        "is there already; name a new file, or a directory",
    );
    refused(
        &[&arguments[..], &["no/such/directory/"]].concat(),
        1,
        "there is no directory no/such/directory/; make it first (mkdir -p)",
    );
}

#[test]
fn a_database_is_backed_up_with_its_server_and_without() {
    let database = Postgres::shared();
    let store = database.url(&database.fresh_schema());
    let server = Setup::new().flag("store", &store).start();
    fill(&server);
    let place = Place::new();
    let (data, directory) = (place.data(), beside(&place.data(), "backups"));
    let [one, two, three] = ["1", "2", "3"].map(|name| directory.join(name));
    done(&["backup", "--url", &url(&server), "--to", text(&one)]);
    done(&["backup", "--store", &store, "--to", text(&two)]);
    // Between the two the server may have compacted a document.
    let acts = |file: &Path| wholes(file).into_iter().map(|whole| (whole.board, whole.audit));
    assert!(acts(&one).eq(acts(&two)));
    drop(server.stop());
    done(&["backup", "--store", &store, "--to", text(&three)]);
    assert_eq!(wholes(&three).len(), 4);
    // And back, into a schema of its own.
    let empty = database.url(&database.fresh_schema());
    refused(
        &["restore", "--from", text(&three), "--store", &store],
        1,
        "has boards already; name an empty schema in --store",
    );
    let printed = done(&["restore", "--from", text(&three), "--store", &empty]);
    assert!(printed.contains(": 3 boards ("), "{printed}");
    done(&["backup", "--store", &empty, "--to", text(&data)]);
    assert_eq!(wholes(&data), wholes(&three));
    assert!(done(&["check", "--store", &empty]).contains("checked 3 boards"));
}

#[test]
fn only_an_admin_gets_pages_and_a_cursor_is_one_that_a_page_gave() {
    let server = Server::start();
    fill(&server);
    let problem = |api: &Api, target: &str| {
        let answer = api.get(target);
        (answer.status, answer.json()["code"].as_str().unwrap().to_owned())
    };
    let alice = Api::user(&server, "alice");
    assert_eq!(problem(&alice, "/v1/backup"), (403, "forbidden".to_owned()));
    let nobody = Api::nobody(&server);
    assert_eq!(
        problem(&nobody, "/v1/backup"),
        (401, "unauthenticated".to_owned())
    );
    let admin = Api::admin(&server);
    for cursor in ["x", "b:a/b", "s:short"] {
        let (status, code) = problem(&admin, &format!("/v1/backup?cursor={cursor}"));
        assert_eq!((status, code.as_str()), (400, "invalid_parameter"), "{cursor}");
    }
    let mut place = Cursor::START;
    let mut boards = 0;
    loop {
        let answer = admin.get(&format!("/v1/backup?cursor={place}"));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.field("content-type"), Some("application/octet-stream"));
        let page = Page::decode(&answer.body).unwrap();
        boards += page.boards.len();
        match page.next {
            Some(next) => place = next,
            None => break,
        }
    }
    assert_eq!(boards, 4);
}

#[test]
fn a_token_of_an_admin_does_instead_of_the_secret_and_another_is_refused_without_a_trace() {
    let server = Server::start();
    fill(&server);
    let place = Place::new();
    let file = place.data();
    let backup = |token: &str| {
        let mut command = command(&["backup", "--url", &url(&server), "--to", text(&file)]);
        command
            .env_remove("BOARDWIRE_JWT_SECRET")
            .env("BOARDWIRE_TOKEN", token);
        ended(command.output().unwrap())
    };
    let token = |token: crate::support::tokens::Token| token.sign();
    let alice = token(crate::support::tokens::Token::of("alice"));
    let (code, _, said) = backup(&alice);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("answers 403") && !said.contains(&alice), "{said}");
    assert_eq!(names(file.parent().unwrap()), [""; 0]);
    let (code, _, said) = backup("");
    assert!(
        code == Some(1) && said.contains("--jwt-secret is missing"),
        "{said}"
    );
    let root = token(crate::support::tokens::Token::of("root").admin());
    assert_eq!(backup(&root).0, Some(0));
    assert_eq!(wholes(&file).len(), 4);
}

/// A file with many boards, so that a backup of it takes a while.
fn large() -> Place {
    let place = Place::new();
    let store = boardwire::store::redb::RedbStore::open(&place.data()).unwrap();
    let update = setting("large", &"0123456789".repeat(20_000));
    for turn in 0..8 {
        let changes: Vec<_> = (0..50)
            .flat_map(|n| crate::copy::board(&format!("board-{turn}-{n}"), update.clone()))
            .collect();
        use boardwire::store::Store as _;
        store.commit(&changes).unwrap();
    }
    place
}

/// Starts a backup, and waits until something of it is there.
fn begun(place: &Place, file: &Path) -> std::process::Child {
    let part = file.with_file_name("backup.redb.part");
    let child = command(&["backup", "--data", text(&place.data()), "--to", text(file)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until(SOON, || {
        fs::metadata(&part).is_ok_and(|found| found.len() > 4_000_000)
    });
    child
}

#[test]
fn who_is_interrupted_leaves_nothing_and_what_a_kill_leaves_goes_at_the_next_time() {
    let place = large();
    let directory = beside(&place.data(), "backups");
    let file = directory.join("backup.redb");
    let child = begun(&place, &file);
    let signal = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(signal.unwrap().success());
    let (code, printed, said) = ended(child.wait_with_output().unwrap());
    assert_eq!((code, printed.as_str()), (Some(130), ""), "{said}");
    assert!(said.contains("interrupted; nothing of "), "{said}");
    assert_eq!(names(&directory), [""; 0]);

    let mut child = begun(&place, &file);
    // While one is under way, another one leaves it alone.
    let data = place.data();
    let both = ["backup", "--data", text(&data), "--to", text(&file)];
    let (code, _, said) = run(&both);
    assert_eq!(code, Some(1), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(&directory), ["backup.redb.part"]);
    done(&both);
    assert_eq!(names(&directory), ["backup.redb"]);
    assert_eq!(wholes(&file).len(), 400);
}

#[test]
fn on_a_disk_that_takes_no_more_nothing_is_made_and_the_cause_is_said() {
    let place = large();
    let directory = beside(&place.data(), "backups");
    let file = directory.join("backup.redb");
    // In blocks of 512 bytes; the signal would end the program before it can say anything.
    let limited = "trap '' XFSZ; ulimit -f 8000; exec \"$0\" \"$@\"";
    let backup = command(&["backup", "--data", text(&place.data()), "--to", text(&file)]);
    let output = Command::new("sh")
        .args(["-c", limited])
        .arg(backup.get_program())
        .args(backup.get_args())
        .env("BOARDWIRE_JWT_SECRET", crate::support::tokens::SECRET)
        .output()
        .unwrap();
    let (code, printed, said): Ended = ended(output);
    assert_eq!((code, printed.as_str()), (Some(1), ""), "{said}");
    assert!(said.contains("no backup was made: the target failed: "), "{said}");
    assert_eq!(names(&directory), [""; 0]);
}

#[test]
fn a_board_that_cannot_be_read_is_named_the_others_are_backed_up_and_no_older_backup_goes() {
    let server = Server::start();
    fill(&server);
    write(&server, "c", "rotten", "here it will rot");
    let place = server.stop();
    let data = place.data();
    let directory = beside(&data, "backups");
    fs::write(directory.join("boardwire-20200101T000000Z.redb"), "old").unwrap();
    rot(&data, "here it will rot");
    let (code, printed, said) = run(&[
        "backup",
        "--data",
        text(&data),
        "--to",
        text(&directory),
        "--keep",
        "1d",
    ]);
    assert_eq!((code, printed.as_str()), (Some(1), ""), "{said}");
    assert!(
        said.contains("board \"c\": cannot be read on the source: ")
            && said.contains("no older backup was removed"),
        "{said}"
    );
    let made = names(&directory);
    assert_eq!(made.len(), 2, "{made:?}");
    let boards = wholes(&directory.join(&made[1]));
    let ids: Vec<&str> = boards.iter().map(|whole| whole.board.as_str()).collect();
    assert_eq!(ids, ["b", "d", "gone"]);
}

#[test]
fn a_server_whose_file_was_damaged_before_it_started_says_so_and_what_to_do() {
    let server = Server::start();
    fill(&server);
    write(&server, "c", "rotten", "here it will rot");
    let place = server.stop();
    rot(&place.data(), "here it will rot");
    let server = Setup::on(&place).start();
    let file = place.data().with_file_name("backup.redb");
    let (code, _, said) = run(&["backup", "--url", &url(&server), "--to", text(&file)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("is damaged") && said.contains("back up its file with --data"),
        "{said}"
    );
    assert!(!file.exists());
}

#[test]
fn in_a_directory_backups_have_names_with_the_time_and_old_ones_go() {
    let server = Server::start();
    fill(&server);
    let directory = beside(&server.place().data(), "backups");
    for name in [
        "boardwire-20200101T000000Z.redb",
        "boardwire-20200101T120000Z.redb",
    ] {
        fs::write(directory.join(name), "old").unwrap();
    }
    fs::write(directory.join("notes.txt"), "mine").unwrap();
    let arguments = ["backup", "--url", &url(&server), "--to", text(&directory)];
    done(&arguments);
    assert_eq!(names(&directory).len(), 4, "without --keep nothing goes");
    let printed = done(&[&arguments[..], &["--keep", "3d"]].concat());
    assert!(
        printed.ends_with("; removed 1 older backups\n") || printed.contains("removed 2"),
        "{printed}"
    );
    let left = names(&directory);
    assert!(
        !left.contains(&"boardwire-20200101T000000Z.redb".to_owned()),
        "{left:?}"
    );
    assert!(
        left.contains(&"boardwire-20200101T120000Z.redb".to_owned()),
        "{left:?}"
    );
    assert!(left.contains(&"notes.txt".to_owned()), "{left:?}");
    refused(
        &[&arguments[..], &["--keep", "3x"]].concat(),
        2,
        "expected numbers of hours, days or weeks",
    );
    let file = directory.join("x.redb");
    let one = [
        "backup",
        "--url",
        &url(&server),
        "--to",
        text(&file),
        "--keep",
        "3d",
    ];
    refused(&one, 1, "--keep needs a directory in --to");
}

/// Answers each request with the same bytes.
fn answering(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            // However much of the head comes, an answer goes.
            let _ = stream.read(&mut head);
            let length = bytes.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), &bytes].concat());
        }
    });
    format!("http://{address}")
}

#[test]
fn what_no_server_of_this_kind_would_send_makes_no_backup() {
    let place = Place::new();
    let file = place.data();
    let endless = Page {
        next: Some(Cursor::START),
        ..Page::default()
    };
    let mut cut = Page::default().encode();
    cut.pop();
    for (bytes, words) in [
        (b"<html>".to_vec(), "is it a Boardwire of this version?"),
        (Vec::new(), "is it a Boardwire of this version?"),
        (cut, "is it a Boardwire of this version?"),
        (endless.encode(), "gives the same page again"),
    ] {
        let url = answering(bytes);
        let (code, printed, said) = run(&["backup", "--url", &url, "--to", text(&file)]);
        assert_eq!((code, printed.as_str()), (Some(1), ""), "{said}");
        assert!(said.contains(words), "{said}");
        assert_eq!(names(file.parent().unwrap()), [""; 0]);
    }
}

#[test]
fn an_act_in_the_middle_of_a_read_leaves_no_board_half_before_it() {
    let server = Server::start();
    fill(&server);
    let stop = AtomicBool::new(false);
    let place = Place::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let alice = Api::user(&server, "alice");
            // Grants come and go in pairs, each with its entry.
            while !stop.load(Ordering::Relaxed) {
                alice.grant("users/eve", "view");
                let target = "/v1/boards/b/permissions/users/eve";
                alice.must("DELETE", target, &Value::Null, 204);
            }
        });
        for n in 0..5 {
            let file = place.data().with_file_name(format!("{n}.redb"));
            done(&["backup", "--url", &url(&server), "--to", text(&file)]);
            let board = whole(&file, "b").unwrap();
            let boardwire::store::Life::Live(living) = &board.life else {
                unreachable!()
            };
            let has_eve = living
                .grants
                .iter()
                .any(|(who, _)| who.to_string().ends_with("eve"));
            let last = board
                .audit
                .iter()
                .find(|entry| entry.action.as_str().starts_with("permission."));
            assert_eq!(last.unwrap().action.as_str() == "permission.set", has_eve);
        }
        stop.store(true, Ordering::Relaxed);
    });
}
