//! The fuzz body of pages: bytes in, a panic when what is read is not what would be written.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic here is a finding, which is what a fuzz body is for"
)]

use super::super::rows::{Tag, sealed};
use super::{MAGIC, Page};

const TAGS: [Tag; 16] = [
    Tag::Board,
    Tag::Snapshot,
    Tag::Update,
    Tag::Grant,
    Tag::Link,
    Tag::Key,
    Tag::Audit,
    Tag::Webhook,
    Tag::Session,
    Tag::Id,
    Tag::Unreadable,
    Tag::End,
    Tag::Asset,
    Tag::AssetPart,
    Tag::Version,
    Tag::VersionChunk,
];

/// A page is read as one that can be written, or not at all: as it came, and with the checksums of whoever
/// means harm and knows how they are made.
pub fn backup_page(data: &[u8]) {
    reads_what_it_would_write(data);
    reads_what_it_would_write(&with_checksums(data));
}

fn reads_what_it_would_write(bytes: &[u8]) {
    let Ok(page) = Page::decode(bytes) else { return };
    let again = page.encode();
    assert_eq!(Page::decode(&again), Ok(page));
}

/// Each row of `data`: a tag, the lengths of key and body (one and two bytes), key and body.
pub(super) fn with_checksums(mut data: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    while let Some(([tag, key, b0, b1], rest)) = data.split_first_chunk() {
        let key_length = usize::from(*key).min(rest.len());
        let (key, rest) = rest.split_at(key_length);
        let length = usize::from(u16::from_le_bytes([*b0, *b1])).min(rest.len());
        let (body, rest) = rest.split_at(length);
        let tag = TAGS[usize::from(*tag) % TAGS.len()];
        put(&mut bytes, tag, (key, body));
        data = rest;
    }
    bytes
}

/// Adds a row.
pub(super) fn put(bytes: &mut Vec<u8>, tag: Tag, (key, body): (&[u8], &[u8])) {
    let value = sealed(tag, key, body);
    bytes.push(tag as u8);
    bytes.extend_from_slice(&u16::try_from(key.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&value);
}
