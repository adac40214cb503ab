//! Replays every committed seed of fuzz/seeds through its fuzz body, on stable, in each `cargo test`.
//!
//! Test support only. Owns the list of bodies, and that it is the list of fuzz/: a target without seeds, a
//! folder without a target or a target that calls another body fails here. A finding of the fuzzer is kept by
//! copying its file into fuzz/seeds/<target>/.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::{asset, bridge, client, http, items, jwt, mcp, nodes, room, session, store, sync, update};

/// Each body, under the name of its target and by the path that the target calls it.
macro_rules! bodies {
    ($($target:literal => $body:path),* $(,)?) => {
        const BODIES: &[(&str, &str, fn(&[u8]))] = &[$(($target, stringify!($body), $body)),*];
    };
}

bodies! {
    "asset_kind" => asset::fuzzing::asset_kind,
    "backup_page" => store::pages::fuzzing::backup_page,
    "base64url" => jwt::fuzzing::base64url,
    "body" => http::fuzzing::body,
    "client_address" => client::fuzzing::address,
    "client_answer" => client::fuzzing::answer,
    "compact" => room::board::fuzzing::compact_vs_model,
    "import_leveldb" => boardwire_import::fuzzing::leveldb,
    "import_sqlite" => boardwire_import::fuzzing::sqlite,
    "import_tldr" => boardwire_import::fuzzing::tldr,
    "import_ysweet" => boardwire_import::fuzzing::ysweet,
    "items" => items::fuzzing::items,
    "mcp_message" => mcp::fuzzing::mcp_message,
    "node_offer" => nodes::handshake::fuzzing::offer,
    "picture" => boardwire_picture::fuzzing::picture,
    "redis_message" => bridge::message::fuzzing::redis_message,
    "request_head" => http::fuzzing::request_head,
    "session_ops" => session::fuzzing::session_ops,
    "state_vector" => update::vector::fuzzing::state_vector,
    "store_ops" => store::redb::fuzzing::store_ops,
    "sync_message" => sync::fuzzing::sync_message,
    "target" => http::fuzzing::target,
    "token" => jwt::fuzzing::token,
    "update_accept" => room::board::fuzzing::update_accept,
    "upgrade" => http::fuzzing::upgrade,
}

/// The one target that has no body here: it only proves that a finding is seen.
const CANARY: &str = "canary";

fn fuzz(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn names(folder: &str) -> BTreeSet<String> {
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries(&fuzz(folder)).iter().map(stem).collect()
}

#[test]
fn every_committed_seed_passes_its_body() {
    for (target, _, body) in BODIES {
        let seeds = entries(&fuzz("seeds").join(target));
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for path in seeds {
            let seed = fs::read(&path).unwrap();
            let outcome = catch_unwind(AssertUnwindSafe(|| body(&seed)));
            assert!(outcome.is_ok(), "{} fails", path.display());
        }
    }
}

#[test]
fn targets_seeds_and_bodies_are_the_same_list() {
    let mut expected: BTreeSet<String> = BODIES.iter().map(|(target, ..)| (*target).to_owned()).collect();
    expected.insert(CANARY.to_owned());
    assert_eq!(names("fuzz_targets"), expected);
    assert_eq!(names("seeds"), expected);
    let manifest = fs::read_to_string(fuzz("Cargo.toml")).unwrap();
    for target in expected {
        let line = format!("path = \"fuzz_targets/{target}.rs\"");
        assert!(
            manifest.contains(&line),
            "fuzz/Cargo.toml does not build {target}"
        );
    }
}

#[test]
fn each_target_calls_its_body() {
    for (target, body, _) in BODIES {
        let source = fs::read_to_string(fuzz("fuzz_targets").join(format!("{target}.rs"))).unwrap();
        let body: String = body.split_whitespace().collect();
        let call = match body.starts_with("boardwire_") {
            true => format!("{body}(data)"),
            false => format!("boardwire::{body}(data)"),
        };
        assert!(source.contains(&call), "{target} does not call {call}");
    }
}
