//! `boardwire copy`: everything that a server has goes into another store, once, whole, and over as many
//! attempts as it takes; the source is left as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use boardwire::audit::{Action, Actor, Entry, EntryKey};
use boardwire::ids::{BoardId, Level, Principal, UserId};
use boardwire::store::owners::Quotas;
use boardwire::store::ownership::Joining;
use boardwire::store::postgres::{self, Address};
use boardwire::store::redb::{RedbStore, check};
use boardwire::store::{Act, Applied, Change, Registry as _, Store, Whole};
use boardwire::time::UnixMillis;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::{Place, Server, Setup};
use crate::support::tokens::now;

const SMALL: u64 = 1_000;

fn id(text: &str) -> BoardId {
    BoardId::parse(text).unwrap()
}

fn small(number: u64) -> String {
    format!("small-{number:04}")
}

/// An act on a board, so many seconds ago.
fn act(board: &str, ago: u64, act: Act) -> Change {
    let key = EntryKey {
        at: UnixMillis((now() - ago) * 1_000),
        n: 0,
    };
    Change::Act {
        board: id(board),
        act,
        as_owner: None,
        entry: Box::new(Entry::new(key, Actor::unknown(), Action::BoardUpdate)),
    }
}

fn create(board: &str) -> Change {
    let (owner, title) = (UserId::parse("alice"), Some(format!("Plan of {board}")));
    act(board, 90, Act::Create { owner, title })
}

fn append(board: &str, sequence: u64, update: Vec<u8>) -> Change {
    Change::Append {
        board: id(board),
        sequence,
        update: update.into(),
        at: UnixMillis((now() - 80) * 1_000),
    }
}

/// What sets a key of a document, as a stock client says it.
fn setting(key: &str, value: &str) -> Vec<u8> {
    Client::offline(7).setting(key, value)
}

/// What makes a board with one update.
pub(crate) fn board(board: &str, update: Vec<u8>) -> Vec<Change> {
    vec![create(board), append(board, 1, update)]
}

/// What deletes it.
pub(crate) fn deletion(board: &str) -> Change {
    act(board, 60, Act::Delete)
}

fn done(store: &RedbStore, changes: &[Change]) {
    assert_eq!(store.commit(changes), Ok(vec![Applied::Done; changes.len()]));
}

/// Many small boards, of which every tenth is deleted, and one of 20 MB.
fn fill(path: &Path) {
    let store = RedbStore::open(path).unwrap();
    let mut changes = Vec::new();
    for number in 0..SMALL {
        let board = small(number);
        changes.extend([
            create(&board),
            append(&board, 1, setting("number", &number.to_string())),
        ]);
        if number % 3 == 0 {
            let principal = Principal::parse("user:bob").unwrap();
            let level = Level::Edit;
            changes.push(act(&board, 70, Act::Grant { principal, level }));
        }
        if number % 10 == 0 {
            changes.push(act(&board, 60, Act::Delete));
        }
    }
    done(&store, &changes);
    let large = setting("large", &"0123456789".repeat(2_000_000));
    let changes = [
        create("large"),
        append("large", 1, large.clone()),
        Change::Snapshot {
            board: id("large"),
            covers: 1,
            state: large.into(),
        },
        append("large", 2, Client::offline(8).setting("more", "after it")),
    ];
    done(&store, &changes);
    store.close();
}

/// All ids of a data file, and how many there are of what.
fn wholes(path: &Path) -> Vec<Whole> {
    let store = RedbStore::open_untouched(path).unwrap();
    let used = store.used(None, usize::MAX).unwrap();
    let wholes = used
        .iter()
        .map(|used| Whole::read(&store, &used.board).unwrap().unwrap());
    wholes.collect()
}

fn command(from: &Path, to: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boardwire"));
    command.env_clear().arg("copy");
    command.arg("--from").arg(from).arg("--to").arg(to);
    command
}

/// Exit code, standard output, standard error.
fn ended(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn copied(from: &Path, to: &Path) -> (Option<i32>, String, String) {
    ended(command(from, to).output().unwrap())
}

/// A body without the sizes of boards: these change when a board that was read is compacted, sooner or later.
fn sizeless(body: Vec<u8>) -> Vec<u8> {
    const NAME: &str = "\"size_bytes\":";
    match String::from_utf8(body) {
        Ok(text) => {
            let mut parts = text.split(NAME);
            let first = parts.next().unwrap_or_default().to_owned();
            let rest = parts.map(|part| part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
            rest.fold(first, |text, part| text + NAME + part).into_bytes()
        }
        Err(binary) => binary.into_bytes(),
    }
}

/// Status and body of each question; lists and documents, by who may ask.
fn answers(server: &Server, links: &[&str], key: &str) -> Vec<(String, u16, Vec<u8>)> {
    let mut answers = Vec::new();
    let mut ask = |who: &str, api: &Api, target: &str| {
        let answer = api.get(target);
        answers.push((format!("{who} {target}"), answer.status, sizeless(answer.body)));
    };
    let (alice, admin) = (Api::user(server, "alice"), Api::admin(server));
    let (bob, agent) = (Api::user(server, "bob"), Api::key(server, key));
    for rest in ["", "/document", "/permissions", "/links", "/keys"] {
        ask("alice", &alice, &format!("/v1/boards/b{rest}"));
        ask("bob", &bob, &format!("/v1/boards/b{rest}"));
    }
    for board in [&small(0), &small(1), &small(3), "large", "never"] {
        ask("admin", &admin, &format!("/v1/boards/{board}/document"));
        ask("bob", &bob, &format!("/v1/boards/{board}"));
    }
    ask("admin", &admin, &format!("/v1/boards/{}/audit", small(10)));
    ask("admin", &admin, "/v1/boards?limit=100");
    ask("agent", &agent, "/v1/boards/b");
    for link in links {
        let target = format!("/v1/boards/b?share={link}");
        ask("nobody", &Api::nobody(server), &target);
    }
    answers
}

/// Makes a board with what only a server makes; gives its links, one of them revoked, and its key.
fn shared(server: &Server) -> (Vec<String>, String) {
    let alice = Api::user(server, "alice");
    alice.must("POST", "/v1/boards", &json!({"id": "b", "title": "Shared"}), 201);
    alice.grant("users/bob", "edit");
    alice.grant("teams/red", "view");
    let text = |made: &Value, name: &str| made[name].as_str().unwrap().to_owned();
    let links: Vec<Value> = (0..2)
        .map(|_| alice.must("POST", "/v1/boards/b/links", &json!({"level": "comment"}), 201))
        .collect();
    let revoked = format!("/v1/boards/b/links/{}", text(&links[1], "id"));
    alice.must("DELETE", &revoked, &Value::Null, 204);
    let key = json!({"name": "bot", "level": "edit"});
    let key = alice.must("POST", "/v1/boards/b/keys", &key, 201);
    let update = setting("drawn", "by alice");
    let answer = alice.send("POST", "/v1/boards/b/document", &update);
    assert!((200..300).contains(&answer.status), "{}", answer.status);
    (
        links.iter().map(|link| text(link, "token")).collect(),
        text(&key, "key"),
    )
}

#[test]
fn everything_is_copied_over_attempts_that_are_killed_and_the_server_on_the_target_answers_the_same() {
    let place = Place::new();
    let server = Setup::on(&place).start();
    let (links, key) = shared(&server);
    server.stop();
    fill(&place.data());
    let server = Setup::on(&place).start();
    let links: Vec<&str> = links.iter().map(String::as_str).collect();
    let expected = answers(&server, &links, &key);
    let audit = Api::admin(&server).list("/v1/boards/b/audit", 100);
    // As after a power cut: the journal has something, and the file was not closed.
    let from = server.kill().data();
    let before = fs::read(&from).unwrap();

    let target = Place::new();
    let to = target.data();
    let (mut killed, mut wait) = (0, Duration::from_millis(20));
    let (code, line, said) = loop {
        let mut child = command(&from, &to)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        thread::sleep(wait);
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
            wait += wait / 2;
            continue;
        }
        break ended(child.wait_with_output().unwrap());
    };
    assert!(killed > 1, "it was never interrupted");
    assert_eq!(code, Some(0), "{line}{said}");
    let equal = line.split_once(" were there already, and equal");
    let equal: u64 = equal.unwrap().0.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(equal > 0 && line.starts_with("copied "), "{line}");
    assert_eq!(fs::read(&from).unwrap(), before, "the source is as it was");
    let report = check(&to).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(wholes(&to), wholes(&from));
    assert_eq!(wholes(&to).len() as u64, SMALL + 2);
    let (code, line, _) = copied(&from, &to);
    assert!(
        code == Some(0) && line.starts_with("copied 0 boards") && line.contains("1002 were there already"),
        "{line}"
    );

    let server = Setup::on(&target).start();
    for (found, expected) in answers(&server, &links, &key).iter().zip(&expected) {
        assert!(
            found == expected,
            "{}: {} and {:.300}, not {} and {:.300}",
            found.0,
            found.1,
            String::from_utf8_lossy(&found.2),
            expected.1,
            String::from_utf8_lossy(&expected.2)
        );
    }
    let after = Api::admin(&server).list("/v1/boards/b/audit", 100);
    assert!(after.ends_with(&audit) && audit.len() >= 7, "{after:?}");
    let mut client = Client::join(&server, "b", 9);
    client.set("goes", "on");
    client.save();
    assert_eq!(client.value("drawn").as_deref(), Some("by alice"));
}

/// A source with boards `a`, `bad` and `c`, and an empty place for the target.
fn three() -> (Place, PathBuf, PathBuf) {
    let place = Place::new();
    let (from, to) = (place.data(), place.data().with_file_name("to.redb"));
    let store = RedbStore::open(&from).unwrap();
    for board in ["a", "bad", "c"] {
        let changes = [create(board), append(board, 1, vec![0xab; 40_000])];
        done(&store, &changes);
        let state = vec![board.len() as u8 + 0xc0; 40_000].into();
        let snapshot = Change::Snapshot {
            board: id(board),
            covers: 1,
            state,
        };
        done(&store, &[snapshot]);
    }
    store.close();
    (place, from, to)
}

#[test]
fn of_a_damaged_file_all_that_can_be_read_is_copied_and_the_rest_is_named() {
    let (_place, from, to) = three();
    let expected = wholes(&from);
    let mut bytes = fs::read(&from).unwrap();
    // The full state of `bad`, wherever it lies.
    let rot: Vec<usize> = (0..bytes.len() - 64)
        .step_by(64)
        .filter(|at| bytes[*at..*at + 64] == [0xc3; 64])
        .collect();
    assert!(!rot.is_empty());
    rot.iter().for_each(|at| bytes[*at] = 0);
    fs::write(&from, &bytes).unwrap();
    for _ in 0..2 {
        let (code, line, said) = copied(&from, &to);
        assert_eq!((code, line.as_str()), (Some(1), ""), "{said}");
        assert!(
            said.contains("pages of ")
                && said.contains(
                    "board \"bad\": cannot be read on the source: a row does not match its checksum"
                ),
            "{said}"
        );
        assert!(
            said.lines()
                .last()
                .unwrap()
                .contains("; 1 NOT copied, named above"),
            "{said}"
        );
        let found = wholes(&to);
        assert_eq!(found, [expected[0].clone(), expected[2].clone()]);
    }
    assert_eq!(fs::read(&from).unwrap(), bytes);
}

#[test]
fn another_board_under_the_same_id_stays_on_the_target_and_is_named() {
    let (_place, from, to) = three();
    let store = RedbStore::open(&to).unwrap();
    done(&store, &[create("a"), create("mine")]);
    store.close();
    drop(store);
    let before = wholes(&to);
    let (code, line, said) = copied(&from, &to);
    assert_eq!((code, line.as_str()), (Some(1), ""), "{said}");
    assert!(
        said.contains("board \"a\": the target has another board under this id, and keeps it")
            && said.contains("copied 2 boards")
            && said.contains("the target has 1 more of its own"),
        "{said}"
    );
    let (after, source) = (wholes(&to), wholes(&from));
    let expected = [&before[0], &source[1], &source[2], &before[1]];
    assert_eq!(after.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_copy_that_cannot_begin_says_why_in_one_line_and_makes_nothing() {
    let (place, from, to) = three();
    let (missing, target) = (place.data().with_file_name("missing.redb"), to.clone());
    let refused = |from: &Path, to: &Path, code: i32, words: &str| {
        let (found, line, said) = copied(from, to);
        assert_eq!((found, line.as_str()), (Some(code), ""), "{said}");
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
        assert!(!said.contains("geheim"), "{said}");
        assert!(!missing.exists() && !target.exists());
    };
    refused(&missing, &to, 1, "is that the right path?");
    refused(&from, &from, 1, "are both ");
    refused(
        &from,
        Path::new("mysql://u:geheim@h/d"),
        2,
        "expected a data file",
    );
    refused(&from, Path::new(""), 2, "--to (or BOARDWIRE_COPY_TO) is missing");
    let server = Setup::on(&place).start();
    refused(
        &from,
        &to,
        1,
        "is in use by another process; stop its server first",
    );
    refused(&to, &to, 1, "are both ");
    server.stop();
    // Where to is said by the environment too, and nothing of it is shown in process lists.
    let mut command = Command::new(env!("CARGO_BIN_EXE_boardwire"));
    let output = command
        .env_clear()
        .arg("copy")
        .env("BOARDWIRE_COPY_FROM", &from)
        .env("BOARDWIRE_COPY_TO", &to)
        .output()
        .unwrap();
    let (code, line, said) = ended(output);
    assert_eq!(code, Some(0), "{said}");
    assert!(line.starts_with("copied 3 boards (0.1 MB) in "), "{line}");
    assert_eq!(wholes(&to), wholes(&from));
}

#[test]
fn boards_go_into_a_database_and_back_but_not_while_somebody_serves_them() {
    let server = Postgres::shared();
    let (schema, empty) = (server.fresh_schema(), server.fresh_schema());
    let (url, place) = (server.url(&schema), Place::new());
    let (from, back) = (place.data(), place.data().with_file_name("back.redb"));
    fill(&from);
    let into = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_boardwire"));
        command.env_clear().arg("copy").arg("--from").arg(&from);
        ended(command.env("BOARDWIRE_COPY_TO", &url).output().unwrap())
    };
    let (code, line, said) = into();
    assert!(
        code == Some(0) && line.starts_with("copied 1001 boards ("),
        "{line}{said}"
    );
    let (code, line, said) = into();
    assert!(
        code == Some(0) && line.starts_with("copied 0 boards ("),
        "{line}{said}"
    );

    let shared = postgres::open(&Address::parse(&url).unwrap(), Quotas::UNBOUNDED).unwrap();
    let joining = Joining {
        name: "node-1".into(),
        address: None,
        lease: Duration::from_secs(600),
        replaces: true,
    };
    shared.ownership.join(&joining).unwrap();
    for (code, line, said) in [into(), copied(Path::new(&url), &back)] {
        assert_eq!((code, line.as_str()), (Some(1), ""), "{said}");
        assert!(
            said.contains(": node-1; stop them first") && !said.contains("geheim"),
            "{said}"
        );
    }
    shared.ownership.leave().unwrap();
    let (code, line, said) = copied(Path::new(&url), &back);
    assert!(
        code == Some(0) && line.starts_with("copied 1001 boards ("),
        "{line}{said}"
    );
    assert_eq!(wholes(&back), wholes(&from));

    let (code, _, said) = copied(Path::new(&server.url(&empty)), &back);
    assert!(
        code == Some(1) && said.contains("the schema is missing"),
        "{said}"
    );
    let made = format!("SELECT count(*) FROM pg_tables WHERE schemaname = '{empty}'");
    assert_eq!(server.ask(&made).trim(), "0", "nothing is made in a source");
}
