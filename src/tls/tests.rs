//! Sessions with a client of rustls, without sockets, and certificates of files.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;

use futures_rustls::rustls::ClientConnection;
use tempfile::TempDir;

use super::records::{RECORD_BYTES, SEALED_BYTES};
use super::*;
use crate::limits;

/// A certificate and its key, made by openssl.
fn files(directory: &TempDir, name: &str) -> [PathBuf; 2] {
    let [certificate, key] = ["cert", "key"].map(|kind| directory.path().join(format!("{name}-{kind}.pem")));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    command.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    assert!(command.output().expect("openssl").status.success());
    [certificate, key]
}

/// A client that has said nothing yet, and the session that it will have.
fn pair() -> (ClientConnection, Session) {
    let directory = tempfile::tempdir().unwrap();
    let [certificate, key] = files(&directory, "a");
    let session = Certificates::load(&certificate, &key).unwrap().session();
    let config = Verifier::config_of_owner(&certificate).unwrap();
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1").unwrap());
    (client.unwrap(), session.unwrap())
}

/// Has the client read what the session made.
fn hear(client: &mut ClientConnection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).unwrap();
        client.process_new_packets().unwrap();
    }
}

/// Carries what both have to say until neither has; what comes to the session in pieces of a size.
fn carry(client: &mut ClientConnection, session: &mut Session, piece: usize) -> Vec<u8> {
    let mut plain = Vec::new();
    loop {
        let mut said = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut said).unwrap();
        }
        for part in said.chunks(piece) {
            session.take(part, &mut plain).unwrap();
            assert!(session.held() <= limits::TLS_HELD_BYTES_MAX, "{}", session.held());
        }
        let answer = session.going().to_vec();
        session.gone(answer.len());
        hear(client, &answer);
        if said.is_empty() && answer.is_empty() {
            return plain;
        }
    }
}

#[test]
fn what_comes_in_pieces_says_the_same_and_nothing_is_held_of_it() {
    for piece in [1, 7, 1_000, 70_000] {
        let (mut client, mut session) = pair();
        assert!(session.is_handshaking());
        assert_eq!(carry(&mut client, &mut session, piece), b"");
        assert!(!session.is_handshaking());
        for length in [1, 20_000, 50_000] {
            let bytes: Vec<u8> = (0..length).map(|n: u32| u8::try_from(n % 251).unwrap()).collect();
            client.writer().write_all(&bytes).unwrap();
            assert_eq!(carry(&mut client, &mut session, piece), bytes, "{piece}");
        }
        assert_eq!((session.held(), session.going()), (0, &b""[..]), "it is idle");
        client.send_close_notify();
        assert_eq!(carry(&mut client, &mut session, piece), b"");
        assert!(session.has_ended());
        session.close();
        assert!(!session.going().is_empty());
    }
}

#[test]
fn what_is_sealed_is_what_the_client_reads() {
    let (mut client, mut session) = pair();
    carry(&mut client, &mut session, 999);
    let mut out = vec![0; SEALED_BYTES];
    for length in [1, RECORD_BYTES - 1, RECORD_BYTES] {
        let bytes = vec![7; length];
        let sealed = session.seal(&bytes, &mut out).unwrap().unwrap();
        hear(&mut client, &out[..sealed]);
        let mut got = vec![0; length];
        client.reader().read_exact(&mut got).unwrap();
        assert_eq!(got, bytes);
    }
}

#[test]
fn a_change_of_the_files_is_taken_up_at_the_second_look_and_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let [certificate, key] = files(&directory, "a");
    let [other, others_key] = files(&directory, "b");
    let shown = Certificates::load(&certificate, &key).unwrap();
    assert!(!shown.is_expired() && shown.look().is_none());
    std::fs::copy(&other, &certificate).unwrap();
    assert!(shown.look().is_none(), "the key may be on its way");
    let error = shown.look().expect("it stands").unwrap_err().to_string();
    assert!(error.contains("is not the key of"), "{error}");
    assert!(shown.look().is_none(), "it was told");
    std::fs::copy(others_key, &key).unwrap();
    assert!(shown.look().is_none());
    assert!(shown.look().expect("it stands").is_ok());
    assert!(shown.look().is_none());
    std::fs::remove_file(&key).unwrap();
    let error = shown.reload().unwrap_err().to_string();
    assert!(
        error.starts_with("--tls-key ") && error.ends_with("there is no such file"),
        "{error}"
    );
    assert!(shown.session().is_ok(), "what was shown is shown on");
}
