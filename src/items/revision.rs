//! Revisions: what changes whenever a record of an item does.
//!
//! Owns the canonical form that is hashed: members in their order, numbers as 64-bit floats, so that it does
//! not matter through which encoding a record went. Tests: src/items/tests.rs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::items::Record;
use crate::items::place::Point;
use crate::limits::ANY_DEPTH_MAX;

/// Bytes of the hash that are kept: 96 bits, beyond chance.
const BYTES: usize = 12;

/// A hash that knows how much went into it.
#[derive(Default)]
struct Counted {
    hash: Sha256,
    bytes: usize,
}

impl Counted {
    fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.bytes = self.bytes.saturating_add(bytes.as_ref().len());
        self.hash.update(bytes);
    }
}

/// The revision of an item with these records, at these places on the page, in what is turned by `angle`
/// (which other records decide); and the bytes of the records, about.
pub(super) fn of(records: &[&Record], places: &[Point], angle: f64) -> (String, usize) {
    let mut hash = Counted::default();
    for record in records {
        members(&mut hash, record, 0);
    }
    for place in places {
        hash.update(place.x.to_bits().to_be_bytes());
        hash.update(place.y.to_bits().to_be_bytes());
    }
    // Where nothing is turned, as before there was a rotation to show.
    if angle != 0.0 {
        hash.update(angle.to_bits().to_be_bytes());
    }
    let digest = hash.hash.finalize();
    let revision = URL_SAFE_NO_PAD.encode(digest.get(..BYTES).unwrap_or_default());
    (revision, hash.bytes)
}

fn members(hash: &mut Counted, members: &Record, depth: usize) {
    hash.update(b"{");
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    for (name, member) in sorted {
        text(hash, name);
        value(hash, member, depth.saturating_add(1));
    }
    hash.update(b"}");
}

/// `depth`: documents hold nothing deeper than the bound, so nothing of theirs is left out.
fn value(hash: &mut Counted, value: &Value, depth: usize) {
    match value {
        _ if depth > ANY_DEPTH_MAX => hash.update(b"~"),
        Value::Null => hash.update(b"0"),
        Value::Bool(true) => hash.update(b"t"),
        Value::Bool(false) => hash.update(b"f"),
        Value::Number(number) => {
            hash.update(b"n");
            // 0 and -0 are one number.
            let number = number.as_f64().unwrap_or_default() + 0.0;
            hash.update(number.to_bits().to_be_bytes());
        }
        Value::String(string) => text(hash, string),
        Value::Array(values) => {
            hash.update(b"[");
            for element in values {
                self::value(hash, element, depth.saturating_add(1));
            }
            hash.update(b"]");
        }
        Value::Object(object) => members(hash, object, depth),
    }
}

fn text(hash: &mut Counted, text: &str) {
    hash.update(b"s");
    hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(text.as_bytes());
}
