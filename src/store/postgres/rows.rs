//! Values of columns as ours, and back.
//!
//! Owns how each is written. Must not ask anything. Key invariant: what does not decode is damage, and never
//! a value that was guessed.

use bytes::Bytes;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::super::rows::split_updates;
use super::super::rows::webhooks::split_words;
use super::super::{BoardRecord, Damage, SigningSecret, StoredSecret, StoredWebhook, WebhookId};
use crate::access::SecretFacts;
use crate::access::secret::{SecretHash, SecretKind};
use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, Subject, UserId};
use crate::time::UnixMillis;

/// A board's row.
#[derive(Clone, Debug)]
pub(super) struct Board {
    pub(super) record: BoardRecord,
    /// When it was put into the trash, if it is there.
    pub(super) trashed_at: Option<UnixMillis>,
    pub(super) last_sequence: u64,
    /// What the full state covers, where there is one.
    pub(super) covers: Option<u64>,
    pub(super) state_bytes: u64,
    /// Of all rows of `updates`.
    pub(super) log_bytes: u64,
    pub(super) node: Option<i64>,
}

impl Board {
    pub(super) fn size_bytes(&self) -> u64 {
        self.state_bytes.saturating_add(self.log_bytes)
    }
}

/// A column of a row.
pub(super) fn column<'r, T: FromSql<'r>>(row: &'r Row, name: &str) -> Result<T, Damage> {
    row.try_get(name).map_err(|_| Damage::Malformed)
}

/// A column as `parse` understands it.
pub(super) fn parsed<T>(row: &Row, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Damage> {
    parse(column(row, name)?).ok_or(Damage::Malformed)
}

/// A whole number that is not negative.
pub(super) fn unsigned(row: &Row, name: &str) -> Result<u64, Damage> {
    u64::try_from(column::<i64>(row, name)?).map_err(|_| Damage::Malformed)
}

pub(super) fn maybe_unsigned(row: &Row, name: &str) -> Result<Option<u64>, Damage> {
    let value = column::<Option<i64>>(row, name)?;
    value
        .map(u64::try_from)
        .transpose()
        .map_err(|_| Damage::Malformed)
}

/// A number as the database keeps it; far beyond any that there is it stands still.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A length as the database keeps it.
pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// The id of the board of a row.
pub(super) fn board_id(row: &Row, name: &str) -> Result<BoardId, Damage> {
    parsed(row, name, BoardId::parse)
}

/// Whether the row is of a board that was deleted, and may be in the trash.
pub(super) fn is_deleted(row: &Row) -> Result<bool, Damage> {
    Ok(column::<Option<i64>>(row, "deleted_at")?.is_some())
}

/// Whether the row is what is left of a board that is gone; nothing else of it has to be readable then.
pub(super) fn is_gone(row: &Row) -> Result<bool, Damage> {
    Ok(is_deleted(row)? && !column::<bool>(row, "trashed")?)
}

pub(super) fn board(row: &Row) -> Result<Board, Damage> {
    let owner = column::<Option<&str>>(row, "owner")?;
    let owner = owner
        .map(|owner| UserId::parse(owner).ok_or(Damage::Malformed))
        .transpose()?;
    Ok(Board {
        record: BoardRecord {
            owner,
            title: text(row, "title")?,
            created_at: UnixMillis(unsigned(row, "created_at")?),
            updated_at: UnixMillis(unsigned(row, "updated_at")?),
        },
        trashed_at: match column(row, "trashed")? {
            true => Some(UnixMillis(unsigned(row, "deleted_at")?)),
            false => None,
        },
        last_sequence: unsigned(row, "last_sequence")?,
        covers: maybe_unsigned(row, "covers")?,
        state_bytes: unsigned(row, "state_bytes")?,
        log_bytes: unsigned(row, "log_bytes")?,
        node: column(row, "node")?,
    })
}

pub(super) fn level(row: &Row) -> Result<Level, Damage> {
    parsed(row, "level", Level::parse)
}

/// The word of a kind.
pub(super) fn kind_word(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::Link => "link",
        SecretKind::Key => "key",
    }
}

pub(super) fn kind(row: &Row) -> Result<SecretKind, Damage> {
    parsed(row, "kind", |word| {
        [SecretKind::Link, SecretKind::Key]
            .into_iter()
            .find(|kind| kind_word(*kind) == word)
    })
}

pub(super) fn grant(row: &Row) -> Result<(Principal, Level), Damage> {
    Ok((parsed(row, "principal", Principal::parse)?, level(row)?))
}

pub(super) fn secret_id(row: &Row) -> Result<SecretId, Damage> {
    parsed(row, "id", SecretId::parse)
}

pub(super) fn secret_facts(row: &Row) -> Result<(SecretId, SecretFacts), Damage> {
    let id = secret_id(row)?;
    let hash = <[u8; 32]>::try_from(column::<&[u8]>(row, "hash")?).map_err(|_| Damage::Malformed)?;
    let facts = SecretFacts {
        kind: kind(row)?,
        board: board_id(row, "board")?,
        hash: SecretHash(hash),
        level: level(row)?,
        expires_at: maybe_unsigned(row, "expires_at")?.map(UnixMillis),
        paused: column(row, "paused")?,
    };
    if facts.hash.id() != id {
        return Err(Damage::Disagreement);
    }
    Ok((id, facts))
}

pub(super) fn secret(row: &Row) -> Result<(SecretId, StoredSecret), Damage> {
    let (id, facts) = secret_facts(row)?;
    let stored = StoredSecret {
        facts,
        name: text(row, "name")?,
        created_by: parsed(row, "created_by", Subject::parse)?,
        created_at: UnixMillis(unsigned(row, "created_at")?),
    };
    Ok((id, stored))
}

pub(super) fn webhook(row: &Row) -> Result<StoredWebhook, Damage> {
    let secret = <[u8; 32]>::try_from(column::<&[u8]>(row, "secret")?).map_err(|_| Damage::Malformed)?;
    Ok(StoredWebhook {
        id: parsed(row, "id", WebhookId::parse)?,
        url: column(row, "url")?,
        types: split_words(column(row, "types")?),
        kinds: split_words(column(row, "kinds")?),
        secret: SigningSecret(secret),
        created_by: parsed(row, "created_by", Subject::parse)?,
        created_at: UnixMillis(unsigned(row, "created_at")?),
    })
}

pub(super) fn entry(row: &Row) -> Result<Entry, Damage> {
    let address = column::<Option<&str>>(row, "address")?;
    let level = column::<Option<&str>>(row, "level")?;
    let detail = column::<Option<&str>>(row, "detail")?;
    Ok(Entry {
        key: EntryKey {
            at: UnixMillis(unsigned(row, "at")?),
            n: u32::try_from(unsigned(row, "n")?).map_err(|_| Damage::Malformed)?,
        },
        actor: Actor {
            subject: parsed(row, "subject", Subject::parse)?,
            address: address
                .map(str::parse)
                .transpose()
                .map_err(|_| Damage::Malformed)?,
            user_agent: text(row, "user_agent")?,
        },
        action: parsed(row, "action", Action::parse)?,
        level: level
            .map(|level| Level::parse(level).ok_or(Damage::Malformed))
            .transpose()?,
        detail: match detail {
            None => serde_json::Value::Null,
            Some(json) => serde_json::from_str(json).map_err(|_| Damage::Malformed)?,
        },
    })
}

/// A row of `updates`: each with its sequence.
pub(super) fn updates(row: &Row) -> Result<Vec<(u64, Bytes)>, Damage> {
    let (first, last) = (unsigned(row, "first")?, unsigned(row, "last")?);
    let packed = Bytes::copy_from_slice(column(row, "updates")?);
    let count = (last + 1)
        .checked_sub(first)
        .and_then(|count| u32::try_from(count).ok());
    let ranges = split_updates(&packed, count.ok_or(Damage::Malformed)?)?;
    Ok((first..)
        .zip(ranges.into_iter().map(|range| packed.slice(range)))
        .collect())
}

/// A text of people's, which may have zero bytes, as the database takes it, which does not.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\0', "\\0")
}

/// The other way round.
pub(super) fn text(row: &Row, name: &str) -> Result<Option<String>, Damage> {
    column::<Option<&str>>(row, name)?
        .map(|text| unescaped(text).ok_or(Damage::Malformed))
        .transpose()
}

fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        plain.push(match c {
            '\\' => match rest.next()? {
                '\\' => '\\',
                '0' => '\0',
                _ => return None,
            },
            c => c,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_through_the_database_whatever_is_in_them() {
        for (plain, stored) in [
            ("", ""),
            ("Plan", "Plan"),
            ("a\0b", "a\\0b"),
            ("a\\0b\\", "a\\\\0b\\\\"),
            ("\\\0", "\\\\\\0"),
        ] {
            assert_eq!(escaped(plain), stored);
            assert_eq!(unescaped(stored).as_deref(), Some(plain));
        }
        for damaged in ["\\", "a\\n"] {
            assert_eq!(unescaped(damaged), None);
        }
    }
}
