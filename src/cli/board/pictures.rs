//! Pictures and films of boards, which lie beside their documents: what a copy or a file of a board needs.
//!
//! Owns how they are found and brought. Must not know what a document is. Key invariant: what a document
//! names and the server has arrives, or the command fails. Tests: tests/it/keeping/board.rs.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use boardwire::asset::{AssetAddress, AssetHash, addresses_in, tell};
use boardwire::client::Verb;
use serde_json::Value;

use super::super::operator::Server;

/// Brings what a document names from the board under one path to the board under the other.
///
/// # Errors
/// One cannot be read or brought.
pub(super) fn bring(server: &Server, from: &str, to: &str, document: &[u8]) -> Result<(), String> {
    let named: BTreeSet<AssetHash> = addresses_in(document).collect();
    for hash in named {
        if let Some(bytes) = read(server, from, hash)? {
            server.ask(Verb::Post, &format!("{to}/assets"), &bytes)?;
        }
    }
    Ok(())
}

/// Puts what the records of the board under `path` name into them, as addresses that hold the bytes.
///
/// # Errors
/// One cannot be read.
pub(super) fn put_into<'a>(
    server: &Server,
    path: &str,
    records: impl Iterator<Item = &'a mut Value>,
) -> Result<(), String> {
    for source in records.filter_map(|record| record.pointer_mut("/props/src")) {
        let Some(hash) = source.as_str().and_then(AssetAddress::hash_of) else {
            continue;
        };
        let Some(bytes) = read(server, path, hash)? else {
            continue;
        };
        if let Some(media_type) = media_type(&bytes) {
            *source = format!("data:{media_type};base64,{}", STANDARD.encode(&bytes)).into();
        }
    }
    Ok(())
}

/// `None` where the board does not have it: a picture may be on its way, or be of a board that is no more.
fn read(server: &Server, path: &str, hash: AssetHash) -> Result<Option<Vec<u8>>, String> {
    let path = format!("{path}/assets/{hash}");
    let answer = server.send(Verb::Get, &path, b"")?;
    match answer.status {
        404 => Ok(None),
        200 => Ok(Some(answer.body)),
        status => Err(format!("the server answers {status} for {path}")),
    }
}

fn media_type(bytes: &[u8]) -> Option<&'static str> {
    tell(bytes).ok().map(|told| told.kind.media_type())
}
