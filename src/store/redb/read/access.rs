//! Reading who may do what, lists of boards, and audit entries.
//!
//! Owns the queries over grants, links, keys and their indexes. Must not write, and must not decide about
//! access. Key invariant: a row that cannot be read is an error, never "no grant" and never an unknown link
//! or key.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::ops::Bound;

use ::redb::{Database, Range, ReadOnlyTable, ReadTransaction, ReadableTable};

use super::super::super::rows::access::{
    HolderKey, decode_grant, decode_holder, decode_place, decode_secret, grant_key, parse_grant_key,
    secret_key,
};
use super::super::super::rows::audit::{decode_entry, entry_key};
use super::super::super::rows::webhooks::decode_webhook;
use super::super::super::rows::{self, BoardRow, Tallies, Tally};
use super::super::super::{Damage, Holder, Listed, StoreError, StoredSecret, StoredWebhook, Trashed};
use super::super::journal::{Journal, with_part};
use super::super::{
    AUDIT, BOARDS, GRANTS, HOLDERS, KEYS, LINKS, SECRETS, TRASH, Table, WEBHOOKS, engine, rows_of,
};
use super::{agree, begin, broken, row, summary_of, trashed_in};
use crate::access::secret::SecretKind;
use crate::access::{Asked, BoardFacts, Facts, SecretFacts};
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId};

type ReadRows = ReadOnlyTable<&'static [u8], &'static [u8]>;

fn of_kind(kind: SecretKind) -> Table {
    match kind {
        SecretKind::Link => LINKS,
        SecretKind::Key => KEYS,
    }
}

/// See `Registry::access`.
pub(in super::super) fn access(
    database: &Database,
    board: &BoardId,
    asked: &Asked,
) -> Result<Facts, StoreError> {
    let transaction = begin(database)?;
    let (facts, grants) = match row(&transaction, board)? {
        None => (BoardFacts::Absent, BTreeMap::new()),
        Some(BoardRow::Tombstone(_)) => (BoardFacts::Deleted, BTreeMap::new()),
        Some(BoardRow::Live(live)) if live.trashed_at.is_some() => (BoardFacts::Deleted, BTreeMap::new()),
        Some(BoardRow::Live(live)) => {
            let table = transaction.open_table(GRANTS).map_err(engine)?;
            let grants = grants_to(&table, (board, live.tallies.grants), &asked.principals)?;
            let owner = live.record.owner;
            (BoardFacts::Present { owner }, grants)
        }
    };
    let secrets = known(&transaction, &asked.secrets)?;
    for id in asked.secrets.iter().filter(|id| !secrets.contains_key(*id)) {
        // The index may be what cannot be read.
        for table in [LINKS, KEYS] {
            let table = transaction.open_table(table).map_err(engine)?;
            if ReadableTable::get(&table, secret_key(board, id).as_slice())
                .map_err(engine)?
                .is_some()
            {
                return Err(broken(Damage::Disagreement));
            }
        }
    }
    Ok(Facts {
        board: facts,
        grants,
        secrets,
    })
}

/// See `Registry::find_secrets`.
pub(in super::super) fn find_secrets(
    database: &Database,
    ids: &[SecretId],
) -> Result<BTreeMap<SecretId, SecretFacts>, StoreError> {
    known(&begin(database)?, ids)
}

/// Those of the links and keys that exist.
fn known(
    transaction: &ReadTransaction,
    ids: &[SecretId],
) -> Result<BTreeMap<SecretId, SecretFacts>, StoreError> {
    let mut known = BTreeMap::new();
    for id in ids {
        if let Some(found) = secret(transaction, id)? {
            known.insert(id.clone(), found);
        }
    }
    Ok(known)
}

/// The grants that these principals have on a board, of which its record counts so many.
///
/// All of them are read, of which there are `limits::GRANTS_PER_BOARD_MAX` at most: that somebody has none is
/// only certain where no row is missing, and none has lost its key.
fn grants_to(
    table: &ReadRows,
    (board, tally): (&BoardId, Tally),
    principals: &[Principal],
) -> Result<BTreeMap<Principal, Level>, StoreError> {
    let asked: BTreeMap<Vec<u8>, &Principal> = principals
        .iter()
        .map(|principal| (grant_key(board, principal), principal))
        .collect();
    let mut grants = BTreeMap::new();
    each_of(table, board, tally, |key, value| {
        let level = decode_grant(key, value).map_err(broken)?;
        if let Some(principal) = asked.get(key) {
            grants.insert(Principal::clone(principal), level);
        }
        Ok(())
    })?;
    Ok(grants)
}

/// Visits all rows of a board in a table; an error where they are not those that its record counts. It counts
/// by what rows say of themselves: whether that is true of this key, `visit` finds out by decoding each.
fn each_of(
    table: &ReadRows,
    board: &BoardId,
    tally: Tally,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (start, end) = rows_of(board);
    let mut found = Tally::default();
    for row in ReadableTable::range::<&[u8]>(table, start.as_slice()..end.as_slice()).map_err(engine)? {
        let (key, value) = row.map_err(engine)?;
        found.add(value.value());
        visit(key.value(), value.value())?;
    }
    agree(found, tally)
}

/// What a board's record counts; nothing of one that is not there.
pub(super) fn tallies(transaction: &ReadTransaction, board: &BoardId) -> Result<Tallies, StoreError> {
    Ok(match row(transaction, board)? {
        Some(BoardRow::Live(live)) => live.tallies,
        Some(BoardRow::Tombstone(_)) | None => Tallies::default(),
    })
}

/// The link or key with an id, of whatever board.
fn secret(transaction: &ReadTransaction, id: &SecretId) -> Result<Option<SecretFacts>, StoreError> {
    let index = transaction.open_table(SECRETS).map_err(engine)?;
    let key = id.as_str().as_bytes();
    let Some(place) = ReadableTable::get(&index, key).map_err(engine)? else {
        return Ok(None);
    };
    let (kind, board) = decode_place(key, place.value()).map_err(broken)?;
    let table = transaction.open_table(of_kind(kind)).map_err(engine)?;
    let key = secret_key(&board, id);
    let value = ReadableTable::get(&table, key.as_slice())
        .map_err(engine)?
        .ok_or_else(|| broken(Damage::Disagreement))?;
    let secret = decode_secret(kind, &key, value.value()).map_err(broken)?;
    Ok(Some(secret.facts))
}

/// See `Registry::grants`.
pub(in super::super) fn grants(
    database: &Database,
    board: &BoardId,
    after: Option<&Principal>,
    limit: usize,
) -> Result<Vec<(Principal, Level)>, StoreError> {
    let transaction = begin(database)?;
    let table = transaction.open_table(GRANTS).map_err(engine)?;
    let after = after.map(|principal| grant_key(board, principal));
    let mut grants = Vec::new();
    let tally = tallies(&transaction, board)?.grants;
    each_of(&table, board, tally, |key, value| {
        let level = decode_grant(key, value).map_err(broken)?;
        if grants.len() < limit && after.as_deref().is_none_or(|after| after < key) {
            let (_, principal) = parse_grant_key(key).map_err(broken)?;
            grants.push((principal, level));
        }
        Ok(())
    })?;
    Ok(grants)
}

/// See `Registry::secrets`.
pub(in super::super) fn secrets(
    database: &Database,
    (board, kind): (&BoardId, SecretKind),
    after: Option<&SecretId>,
    limit: usize,
) -> Result<Vec<(SecretId, StoredSecret)>, StoreError> {
    let transaction = begin(database)?;
    let table = transaction.open_table(of_kind(kind)).map_err(engine)?;
    let after = after.map(|id| secret_key(board, id));
    let tallies = tallies(&transaction, board)?;
    let tally = match kind {
        SecretKind::Link => tallies.links,
        SecretKind::Key => tallies.keys,
    };
    let mut secrets = Vec::new();
    each_of(&table, board, tally, |key, value| {
        let secret = decode_secret(kind, key, value).map_err(broken)?;
        if secrets.len() < limit && after.as_deref().is_none_or(|after| after < key) {
            secrets.push((secret.facts.hash.id(), secret));
        }
        Ok(())
    })?;
    Ok(secrets)
}

/// See `Registry::webhooks`.
pub(in super::super) fn webhooks(
    database: &Database,
    board: &BoardId,
) -> Result<Vec<StoredWebhook>, StoreError> {
    let table = begin(database)?.open_table(WEBHOOKS).map_err(engine)?;
    let (start, end) = rows_of(board);
    let range = ReadableTable::range::<&[u8]>(&table, start.as_slice()..end.as_slice()).map_err(engine)?;
    range
        .map(|row| {
            let (key, value) = row.map_err(engine)?;
            decode_webhook(key.value(), value.value()).map_err(broken)
        })
        .collect()
}

/// See `Registry::audit`.
pub(in super::super) fn audit(
    database: &Database,
    board: &BoardId,
    before: Option<EntryKey>,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let table = begin(database)?.open_table(AUDIT).map_err(engine)?;
    let (start, end) = rows_of(board);
    let end = before.map_or(end, |before| entry_key(board, before));
    let range = ReadableTable::range::<&[u8]>(&table, start.as_slice()..end.as_slice()).map_err(engine)?;
    let mut entries = Vec::new();
    for row in range.rev().take(limit) {
        let (key, value) = row.map_err(engine)?;
        entries.push(decode_entry(key.value(), value.value()).map_err(broken)?);
    }
    Ok(entries)
}

/// The rows within bounds, the upper one exclusive, that come after a key.
fn following<'t>(
    table: &'t ReadRows,
    (start, end): (Vec<u8>, Vec<u8>),
    after: Option<&[u8]>,
) -> Result<Range<'t, &'static [u8], &'static [u8]>, StoreError> {
    let start = after.map_or(Bound::Included(start.as_slice()), Bound::Excluded);
    ReadableTable::range::<&[u8]>(table, (start, Bound::Excluded(end.as_slice()))).map_err(engine)
}

/// One sorted list of boards, of those that are merged.
enum Source<'t> {
    /// A range of `holders`.
    Holder(Range<'t, &'static [u8], &'static [u8]>),
    /// Ids from outside.
    Claimed(std::vec::IntoIter<BoardId>),
    /// A range of `boards`, or of `trash`: all of them.
    Everything(Range<'t, &'static [u8], &'static [u8]>),
}

impl Iterator for Source<'_> {
    type Item = Result<BoardId, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Claimed(boards) => boards.next().map(Ok),
            Self::Holder(range) => Some(range.next()?.map_err(engine).and_then(|(key, value)| {
                let (_, board) = HolderKey::parse(key.value()).map_err(broken)?;
                decode_holder(key.value(), value.value()).map_err(broken)?;
                Ok(board)
            })),
            // A key that is no board's cannot be listed; `check` reports it.
            Self::Everything(range) => range
                .map(|row| row.map_err(engine).map(|(key, _)| rows::parse_board(key.value())))
                .find_map(Result::transpose),
        }
    }
}

/// See `Registry::list`.
pub(in super::super) fn list(
    (database, journal): (&Database, &Journal),
    holder: &Holder,
    after: Option<&BoardId>,
    limit: usize,
) -> Result<Vec<Listed>, StoreError> {
    let transaction = begin(database)?;
    let boards = transaction.open_table(BOARDS).map_err(engine)?;
    let index = transaction.open_table(HOLDERS).map_err(engine)?;
    let grants = transaction.open_table(GRANTS).map_err(engine)?;
    let mut sources = match holder.everything {
        true => {
            let start = after.map_or(Bound::Unbounded, |after| {
                Bound::Excluded(after.as_str().as_bytes())
            });
            let range = ReadableTable::range::<&[u8]>(&boards, (start, Bound::Unbounded));
            vec![Source::Everything(range.map_err(engine)?).peekable()]
        }
        false => sources(&index, holder, after)?,
    };
    let mut principals = holder.principals.clone();
    principals.push(Principal::Public);
    let mut listed = Vec::new();
    while listed.len() < limit {
        let Some((board, held)) = next_board(&mut sources)? else {
            break;
        };
        let (summary, grants) = match row(&transaction, &board) {
            Ok(Some(BoardRow::Live(live))) if live.trashed_at.is_some() => continue,
            Ok(Some(BoardRow::Live(live))) => {
                let grants = grants_to(&grants, (&board, live.tallies.grants), &principals);
                match grants {
                    Ok(grants) => (Ok(summary_of(with_part(live, journal.part(&board)))), grants),
                    Err(StoreError::Unreadable(cause)) => (Err(cause), BTreeMap::new()),
                    Err(error) => return Err(error),
                }
            }
            Ok(Some(BoardRow::Tombstone(_))) => continue,
            // Claims name what they like; an index names only what was made.
            Ok(None) if !held => continue,
            Ok(None) => (Err(Damage::Disagreement), BTreeMap::new()),
            Err(StoreError::Unreadable(cause)) => (Err(cause), BTreeMap::new()),
            Err(error) => return Err(error),
        };
        listed.push(Listed {
            board,
            summary,
            grants,
        });
    }
    Ok(listed)
}

/// See `Registry::trash`.
pub(in super::super) fn trash(
    (database, journal): (&Database, &Journal),
    holder: &Holder,
    after: Option<&BoardId>,
    limit: usize,
) -> Result<Vec<Trashed>, StoreError> {
    let transaction = begin(database)?;
    let index = transaction.open_table(HOLDERS).map_err(engine)?;
    let trash = transaction.open_table(TRASH).map_err(engine)?;
    let mut sources = match holder.everything {
        true => {
            let start = after.map_or(Bound::Unbounded, |after| {
                Bound::Excluded(after.as_str().as_bytes())
            });
            let range = ReadableTable::range::<&[u8]>(&trash, (start, Bound::Unbounded));
            vec![Source::Everything(range.map_err(engine)?).peekable()]
        }
        false => {
            let owners = Holder {
                owners: holder.owners.clone(),
                ..Holder::default()
            };
            sources(&index, &owners, after)?
        }
    };
    let mut found = Vec::new();
    while found.len() < limit {
        let Some((board, _)) = next_board(&mut sources)? else {
            break;
        };
        match trashed_in(&transaction, journal, &board) {
            Ok(trashed) => found.extend(trashed),
            Err(StoreError::Unreadable(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The sorted lists of a holder's boards after one.
fn sources<'t>(
    index: &'t ReadRows,
    holder: &Holder,
    after: Option<&BoardId>,
) -> Result<Vec<Peekable<Source<'t>>>, StoreError> {
    let owners = holder.owners.iter().cloned().map(HolderKey::Owner);
    let granted = holder.principals.iter().filter_map(HolderKey::granted);
    let keys: BTreeSet<HolderKey> = owners.chain(granted).collect();
    let claimed: BTreeSet<&BoardId> = holder
        .claimed
        .iter()
        .filter(|board| after.is_none_or(|after| after < *board))
        .collect();
    let claimed: Vec<BoardId> = claimed.into_iter().cloned().collect();
    let mut sources = vec![Source::Claimed(claimed.into_iter()).peekable()];
    for key in keys {
        let after = after.map(|board| key.key(board));
        let range = following(index, key.bounds(), after.as_deref())?;
        sources.push(Source::Holder(range).peekable());
    }
    Ok(sources)
}

/// Takes the least board from all lists, once; and whether an index or the table of boards has it.
fn next_board(sources: &mut [Peekable<Source<'_>>]) -> Result<Option<(BoardId, bool)>, StoreError> {
    let mut least: Option<BoardId> = None;
    for source in &mut *sources {
        match source.peek() {
            Some(Ok(board)) if least.as_ref().is_none_or(|least| board < least) => {
                least = Some(board.clone());
            }
            Some(Err(error)) => return Err(error.clone()),
            _ => {}
        }
    }
    let Some(least) = least else {
        return Ok(None);
    };
    let is_least = |next: &Result<BoardId, StoreError>| next.as_ref() == Ok(&least);
    let mut held = false;
    for (number, source) in sources.iter_mut().enumerate() {
        let taken = source.next_if(is_least).is_some();
        // Claims are the first list, if there is another.
        held |= taken && number > 0;
    }
    Ok(Some((least, held)))
}
