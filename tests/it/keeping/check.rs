//! `boardwire check` and `boardwire compact`.

use std::fs;

use boardwire::store::Store as _;
use boardwire::store::redb::RedbStore;

use super::{done, fill, names, refused, rot, run, text, wholes, write};
use crate::support::server::{Place, Server, Setup};

#[test]
fn a_sound_file_is_said_to_be_so_and_is_not_changed() {
    let server = Server::start();
    fill(&server);
    // As after a power cut: it was not closed, and the journal has something.
    let place = server.kill();
    let data = place.data();
    let before = fs::read(&data).unwrap();
    let printed = done(&["check", "--data", text(&data)]);
    assert!(
        printed.starts_with("checked 3 boards (") && printed.ends_with(": all is sound\n"),
        "{printed}"
    );
    assert!(printed.contains("1 marks of deleted ones"), "{printed}");
    assert_eq!(fs::read(&data).unwrap(), before);
    assert_eq!(names(data.parent().unwrap()), ["boards.redb"]);
}

#[test]
fn each_finding_is_named_with_what_to_do() {
    let server = Server::start();
    fill(&server);
    write(&server, "c", "rotten", "here it will rot");
    let place = server.stop();
    let data = place.data();
    rot(&data, "here it will rot");
    let (code, printed, said) = run(&["check", "--data", text(&data)]);
    assert_eq!((code, printed.as_str()), (Some(1), ""), "{said}");
    assert!(
        said.contains("rows of board \"c\": ") && said.contains("does not match its checksum"),
        "{said}"
    );
    assert!(said.contains("board \"c\": it cannot be read"), "{said}");
    assert!(!said.contains("board \"b\""), "{said}");
    assert!(said.contains("boardwire copy --from "), "{said}");
}

#[test]
fn bytes_that_are_a_row_and_no_document_are_found() {
    let place = Place::new();
    let data = place.data();
    let store = RedbStore::open(&data).unwrap();
    store.commit(&crate::copy::board("a", vec![0xab; 400])).unwrap();
    store.close();
    drop(store);
    let (code, _, said) = run(&["check", "--data", text(&data)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("board \"a\": update 1 does not join"), "{said}");
}

#[test]
fn what_cannot_be_checked_is_said_in_one_line() {
    let place = Place::new();
    let data = place.data();
    refused(&["check", "--data", text(&data)], 1, "is that the right path?");
    refused(&["compact", "--data", text(&data)], 1, "is that the right path?");
    assert_eq!(names(data.parent().unwrap()), [""; 0], "nothing is made");
    fs::write(&data, "a text of somebody else").unwrap();
    refused(
        &["check", "--data", text(&data)],
        1,
        "is not a Boardwire data file",
    );
    refused(
        &["compact", "--data", text(&data)],
        1,
        "is not a Boardwire data file",
    );
    fs::remove_file(&data).unwrap();
    let _server = Setup::on(&place).start();
    refused(&["check", "--data", text(&data)], 1, "stop its server first");
    refused(&["compact", "--data", text(&data)], 1, "stop its server first");
    refused(
        &["check", "--data", "x", "--store", "postgres://a@localhost/b"],
        2,
        "either --store or --data",
    );
}

#[test]
fn a_file_of_which_most_was_deleted_becomes_small_and_has_what_it_had() {
    let place = Place::new();
    let data = place.data();
    let store = RedbStore::open(&data).unwrap();
    let large = super::setting("large", &"0123456789".repeat(300_000));
    for n in 0..4 {
        store
            .commit(&crate::copy::board(&format!("b{n}"), large.clone()))
            .unwrap();
    }
    for n in 1..4 {
        store.commit(&[crate::copy::deletion(&format!("b{n}"))]).unwrap();
    }
    store.close();
    drop(store);
    let (expected, before) = (wholes(&data), fs::metadata(&data).unwrap().len());
    let printed = done(&["compact", "--data", text(&data)]);
    let after = fs::metadata(&data).unwrap().len();
    assert!(after < 5_000_000 && after * 2 < before, "{before} {after}");
    assert!(
        printed.contains(" MB before, ") && printed.ends_with(" now\n"),
        "{printed}"
    );
    assert_eq!(wholes(&data), expected);
    assert_eq!(names(data.parent().unwrap()), ["boards.redb"]);
    let printed = done(&["compact", "--data", text(&data)]);
    assert!(
        printed.ends_with("as small as it can be\n") || printed.ends_with(" now\n"),
        "{printed}"
    );
    assert!(done(&["check", "--data", text(&data)]).contains("checked 1 boards"));
}
