//! The rows of boards themselves: their records.
//!
//! Owns [`BoardRow`]. Must not know the engine. Key invariant: a record says what the board's other rows are,
//! so that one that rot has hidden is missed. Tests: `tests.rs`.

use super::super::{BoardRecord, Damage};
use super::{Fields, Tag, Tallies, push_text, seal, unseal};
use crate::ids::UserId;
use crate::time::UnixMillis;

/// The row of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BoardRow {
    /// It is there, or in the trash.
    Live(LiveBoard),
    /// It was deleted then.
    Tombstone(UnixMillis),
}

/// A board that is there: its facts, and what its other rows must be. With that, a row that rot has hidden
/// from the engine's search is missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveBoard {
    /// What callers see.
    pub(crate) record: BoardRecord,
    /// When it was put into the trash, if it is there: then it is deleted for everybody.
    pub(crate) trashed_at: Option<UnixMillis>,
    /// Sequence of the last update; 0 before the first.
    pub(crate) last_sequence: u64,
    /// Sequence covered by the snapshot, at most `last_sequence`.
    pub(crate) covers: u64,
    /// Bytes of the snapshot; `None` while there is none.
    pub(crate) snapshot_bytes: Option<u64>,
    /// Bytes of the blobs of updates.
    pub(crate) log_bytes: u64,
    /// The rows it has in other tables.
    pub(crate) tallies: Tallies,
}

impl LiveBoard {
    /// A board without content.
    pub(crate) fn new(owner: Option<UserId>, title: Option<String>, at: UnixMillis) -> Self {
        Self {
            record: BoardRecord {
                owner,
                title,
                created_at: at,
                updated_at: at,
            },
            trashed_at: None,
            last_sequence: 0,
            covers: 0,
            snapshot_bytes: None,
            log_bytes: 0,
            tallies: Tallies::default(),
        }
    }

    /// Bytes that its full state and the updates since take.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.snapshot_bytes.unwrap_or(0).saturating_add(self.log_bytes)
    }
}

impl BoardRow {
    /// The value under `key`.
    pub(crate) fn encode(&self, key: &[u8]) -> Vec<u8> {
        match self {
            Self::Live(live) if live.trashed_at.is_some() => self.encode_as(3, key),
            _ => self.encode_as(2, key),
        }
    }

    /// The value under `key` as format 2 wrote it.
    #[cfg(test)]
    pub(crate) fn encode_2(&self, key: &[u8]) -> Vec<u8> {
        self.encode_as(0, key)
    }

    fn encode_as(&self, kind: u8, key: &[u8]) -> Vec<u8> {
        let mut body = Vec::with_capacity(256);
        match self {
            Self::Tombstone(at) => {
                body.push(1);
                body.extend_from_slice(&at.0.to_le_bytes());
            }
            Self::Live(live) => {
                body.push(kind);
                for number in [
                    live.record.created_at.0,
                    live.record.updated_at.0,
                    live.last_sequence,
                    live.covers,
                    live.snapshot_bytes.unwrap_or(u64::MAX),
                ] {
                    body.extend_from_slice(&number.to_le_bytes());
                }
                if kind >= 2 {
                    body.extend_from_slice(&live.log_bytes.to_le_bytes());
                    for tally in live.tallies.all() {
                        body.extend_from_slice(&tally.rows.to_le_bytes());
                        body.extend_from_slice(&tally.sum.to_le_bytes());
                    }
                }
                if let (3, Some(at)) = (kind, live.trashed_at) {
                    body.extend_from_slice(&at.0.to_le_bytes());
                }
                push_text(&mut body, live.record.owner.as_ref().map(UserId::as_str));
                push_text(&mut body, live.record.title.as_deref());
            }
        }
        seal(Tag::Board, key, &[&body])
    }

    /// Reads the value under `key`.
    pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Self, Damage> {
        Self::decode_as(&[2, 3], key, value)
    }

    /// Reads the value under `key` as format 2 wrote it: its tallies are not known.
    pub(crate) fn decode_2(key: &[u8], value: &[u8]) -> Result<Self, Damage> {
        Self::decode_as(&[0], key, value)
    }

    fn decode_as(live: &[u8], key: &[u8], value: &[u8]) -> Result<Self, Damage> {
        let mut fields = Fields(unseal(Tag::Board, key, value)?);
        let [kind] = fields.array()?;
        let row = match kind {
            1 => Self::Tombstone(UnixMillis(fields.u64()?)),
            kind if live.contains(&kind) => {
                let (created_at, updated_at) = (UnixMillis(fields.u64()?), UnixMillis(fields.u64()?));
                let (last_sequence, covers, snapshot_bytes) = (fields.u64()?, fields.u64()?, fields.u64()?);
                let (mut log_bytes, mut tallies) = (0, Tallies::default());
                if kind >= 2 {
                    log_bytes = fields.u64()?;
                    for tally in tallies.all_mut() {
                        (tally.rows, tally.sum) = (fields.u64()?, fields.u64()?);
                    }
                }
                let trashed_at = match kind {
                    3 => Some(UnixMillis(fields.u64()?)),
                    _ => None,
                };
                let owner = match fields.text()? {
                    Some(text) => Some(UserId::parse(text).ok_or(Damage::Malformed)?),
                    None => None,
                };
                let title = fields.text()?.map(str::to_owned);
                Self::Live(LiveBoard {
                    record: BoardRecord {
                        owner,
                        title,
                        created_at,
                        updated_at,
                    },
                    trashed_at,
                    last_sequence,
                    covers,
                    snapshot_bytes: (snapshot_bytes != u64::MAX).then_some(snapshot_bytes),
                    log_bytes,
                    tallies,
                })
            }
            _ => return Err(Damage::Malformed),
        };
        fields.end()?;
        Ok(row)
    }
}
