//! Verifying every row of a data file.
//!
//! Owns what must hold between tables: rows belong to boards, and each index agrees with what it is over,
//! both ways. Must not mend anything. Key invariant: a file that `Store` has written, whatever happened to
//! the machine, is sound.

use std::collections::{BTreeMap, BTreeSet};

use ::redb::{Database, ReadOnlyTable, ReadTransaction, ReadableTable};

use super::super::super::rows;
use super::super::super::rows::access::{
    HolderKey, decode_grant, decode_holder, decode_place, decode_secret, grant_key, parse_grant_key,
    parse_secret_id, parse_secret_key, secret_key,
};
use super::super::super::rows::assets::{
    ALL_SUMS, Sums, decode_asset, decode_sums, decode_upload, parse_asset_key,
};
use super::super::super::rows::audit::decode_entry;
use super::super::super::rows::sessions::{decode_invite, decode_session};
use super::super::super::rows::webhooks::decode_webhook;
use super::super::super::{Damage, StoreError, Stored};
use super::super::journal::Journal;
use super::super::{
    ASSET_PARTS, ASSETS, AUDIT, BOARDS, GRANTS, HOLDERS, IDS, INVITES, KEYS, LINKS, SECRETS, SESSIONS,
    SNAPSHOTS, TRASH, UPDATES, UPLOADS, WEBHOOKS, engine, tally_of,
};
use super::access::tallies;
use super::{Finding, Which, begin, broken, each_row, load_in, trashed_in, versions};
use crate::access::secret::SecretKind;
use crate::ids::{BoardId, Principal, UserId};

/// What a row of `boards` came to.
enum State {
    Live(Option<UserId>),
    Deleted,
    /// Reported already.
    Unreadable,
}

/// What `check` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Boards that read whole, also those in the trash.
    pub boards: u64,
    /// Tombstones of deleted boards.
    pub deleted: u64,
    /// Bytes of their snapshots and updates.
    pub bytes: u64,
    /// Sessions that read whole, also those that are revoked or over.
    pub sessions: u64,
    /// Boards that do not read, and why; by the id in the key, or `None` where the key is no board's.
    pub unreadable: Vec<(Option<BoardId>, StoreError)>,
    /// The engine found damage in its own structures; a board may have lost what was in them.
    pub damaged: bool,
}

impl CheckReport {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.unreadable.is_empty() && !self.damaged
    }
}

/// Reads every row of every table, and finds rows that belong to none or do not agree.
pub(in super::super) fn check(database: &Database) -> Result<CheckReport, StoreError> {
    let transaction = begin(database)?;
    let mut report = CheckReport::default();
    let journal = match Journal::read(&transaction) {
        Err(error @ StoreError::Unreadable(_)) => {
            report.unreadable.push((None, error));
            Journal::default()
        }
        journal => journal?,
    };
    let known = boards(&transaction, &journal, &mut report)?;
    let mut lost = unlinked(&transaction, &known)?;
    let unknown = journal.boards().filter(|board| !known.contains_key(*board));
    lost.extend(unknown.cloned().map(Some));
    for table in [SNAPSHOTS, UPDATES] {
        each_row(&transaction, table, |key, _| {
            let board = rows::parse_chunk_key(key).ok().map(|(board, ..)| board);
            if board.as_ref().is_none_or(|board| !known.contains_key(board)) {
                lost.insert(board);
            }
            Ok(())
        })?;
    }
    let mut findings: BTreeMap<Option<BoardId>, Damage> = BTreeMap::new();
    Rows::open(&transaction, &known)?.verify(&transaction, |(board, cause)| {
        if cause == Damage::RecordMissing {
            lost.insert(board);
        } else {
            findings.entry(board).or_insert(cause);
        }
    })?;
    let is_there = |board: &BoardId| match known.get(board) {
        Some(State::Live(_) | State::Unreadable) => Ok(()),
        Some(State::Deleted) => Err(Damage::Disagreement),
        None => Err(Damage::RecordMissing),
    };
    versions::check(&transaction, is_there, |(board, cause)| {
        findings.entry(board).or_insert(cause);
    })?;
    trash(&transaction, &known, |board, cause| {
        findings.entry(board).or_insert(cause);
    })?;
    assets(&transaction, &known, |finding| {
        findings.entry(finding.0).or_insert(finding.1);
    })?;
    for cause in sessions(&transaction, &mut report.sessions)? {
        findings.entry(None).or_insert(cause);
    }
    let lost = lost
        .into_iter()
        .map(|board| (board, broken(Damage::RecordMissing)));
    report.unreadable.extend(lost);
    let findings = findings.into_iter().map(|(board, cause)| (board, broken(cause)));
    report.unreadable.extend(findings);
    Ok(report)
}

/// Reads every board whole.
fn boards(
    transaction: &ReadTransaction,
    journal: &Journal,
    report: &mut CheckReport,
) -> Result<BTreeMap<BoardId, State>, StoreError> {
    let mut known = BTreeMap::new();
    each_row(transaction, BOARDS, |key, _| {
        let Some(board) = rows::parse_board(key) else {
            report.unreadable.push((None, broken(Damage::Malformed)));
            return Ok(());
        };
        let mut refuse = |error| {
            report.unreadable.push((Some(board.clone()), error));
            State::Unreadable
        };
        let state = match load_in((transaction, journal), &board, Which::Kept) {
            Ok(Stored::Present(stored)) => {
                let updates = stored.updates.iter().map(|(_, update)| update.len());
                let bytes = updates.sum::<usize>() + stored.snapshot.map_or(0, |(_, state)| state.len());
                report.boards += 1;
                report.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
                State::Live(stored.record.owner)
            }
            Ok(Stored::Deleted) => {
                report.deleted += 1;
                State::Deleted
            }
            Ok(Stored::Absent) => refuse(broken(Damage::RecordMissing)),
            Err(error) => refuse(error),
        };
        known.insert(board, state);
        Ok(())
    })?;
    Ok(known)
}

type ReadRows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The rows that are held against each other.
struct Rows<'a> {
    grants: ReadRows,
    links: ReadRows,
    keys: ReadRows,
    secrets: ReadRows,
    holders: ReadRows,
    known: &'a BTreeMap<BoardId, State>,
}

/// That the row is there with which another one must agree.
fn agrees(table: &ReadRows, key: &[u8]) -> Result<Result<(), Damage>, StoreError> {
    Ok(match ReadableTable::get(table, key).map_err(engine)? {
        Some(_) => Ok(()),
        None => Err(Damage::Disagreement),
    })
}

impl<'a> Rows<'a> {
    fn open(transaction: &ReadTransaction, known: &'a BTreeMap<BoardId, State>) -> Result<Self, StoreError> {
        let open = |table| transaction.open_table(table).map_err(engine);
        Ok(Self {
            grants: open(GRANTS)?,
            links: open(LINKS)?,
            keys: open(KEYS)?,
            secrets: open(SECRETS)?,
            holders: open(HOLDERS)?,
            known,
        })
    }

    fn verify(
        &self,
        transaction: &ReadTransaction,
        mut found: impl FnMut(Finding),
    ) -> Result<(), StoreError> {
        for (board, state) in self.known {
            if let State::Live(Some(owner)) = state {
                let held = agrees(&self.holders, &HolderKey::Owner(owner.clone()).key(board))?;
                note(Some(board.clone()), held, &mut found);
            }
        }
        each_row(transaction, GRANTS, |key, value| {
            let board = rows::board_of(key);
            let verified = self.grant(key, value)?;
            note(board, verified, &mut found);
            Ok(())
        })?;
        for (table, kind) in [(LINKS, SecretKind::Link), (KEYS, SecretKind::Key)] {
            each_row(transaction, table, |key, value| {
                let verified = self.secret(kind, key, value)?;
                note(rows::board_of(key), verified, &mut found);
                Ok(())
            })?;
        }
        each_row(transaction, SECRETS, |key, value| {
            let (board, verified) = self.place(key, value)?;
            note(board, verified, &mut found);
            Ok(())
        })?;
        each_row(transaction, HOLDERS, |key, value| {
            let (board, verified) = self.holder(key, value)?;
            note(board, verified, &mut found);
            Ok(())
        })?;
        each_row(transaction, AUDIT, |key, value| {
            let board = rows::board_of(key);
            let verified = decode_entry(key, value).and_then(|_| self.is_known(board.as_ref()));
            note(board, verified, &mut found);
            Ok(())
        })?;
        each_row(transaction, WEBHOOKS, |key, value| {
            let board = rows::board_of(key);
            // An older program may have deleted the board, and left them.
            let verified = decode_webhook(key, value).and_then(|_| self.is_known(board.as_ref()));
            note(board, verified, &mut found);
            Ok(())
        })?;
        for (board, state) in self.known {
            if matches!(state, State::Live(_)) {
                let tallies = tallies(transaction, board)?;
                for (table, tally) in [
                    (&self.grants, tallies.grants),
                    (&self.links, tallies.links),
                    (&self.keys, tallies.keys),
                ] {
                    let counted = match tally_of(table, board)? == tally {
                        true => Ok(()),
                        false => Err(Damage::Tally),
                    };
                    note(Some(board.clone()), counted, &mut found);
                }
            }
        }
        Ok(())
    }

    fn is_known(&self, board: Option<&BoardId>) -> Result<(), Damage> {
        match board.and_then(|board| self.known.get(board)) {
            Some(_) => Ok(()),
            None => Err(Damage::RecordMissing),
        }
    }

    /// That a row may belong to the board: it is there, or its record cannot be read.
    fn is_live(&self, board: &BoardId) -> Result<(), Damage> {
        match self.known.get(board) {
            Some(State::Live(_) | State::Unreadable) => Ok(()),
            Some(State::Deleted) => Err(Damage::Disagreement),
            None => Err(Damage::RecordMissing),
        }
    }

    fn grant(&self, key: &[u8], value: &[u8]) -> Result<Result<(), Damage>, StoreError> {
        let (board, principal) = match parse_grant_key(key) {
            Ok(parsed) => parsed,
            Err(cause) => return Ok(Err(cause)),
        };
        let held = match HolderKey::granted(&principal) {
            Some(holder) => agrees(&self.holders, &holder.key(&board))?,
            None => Ok(()),
        };
        Ok(decode_grant(key, value)
            .and_then(|_| self.is_live(&board))
            .and(held))
    }

    fn secret(&self, kind: SecretKind, key: &[u8], value: &[u8]) -> Result<Result<(), Damage>, StoreError> {
        let (board, id) = match parse_secret_key(key) {
            Ok(parsed) => parsed,
            Err(cause) => return Ok(Err(cause)),
        };
        let place = id.as_str().as_bytes();
        let index = ReadableTable::get(&self.secrets, place).map_err(engine)?;
        let indexed = match index.map(|value| decode_place(place, value.value())) {
            Some(Ok((place, of))) if (place, &of) == (kind, &board) => Ok(()),
            // Reported where the index is read.
            Some(Err(_)) => Ok(()),
            Some(Ok(_)) | None => Err(Damage::Disagreement),
        };
        Ok(decode_secret(kind, key, value)
            .and_then(|_| self.is_live(&board))
            .and(indexed))
    }

    fn place(&self, key: &[u8], value: &[u8]) -> Result<(Option<BoardId>, Result<(), Damage>), StoreError> {
        let parsed = parse_secret_id(key).and_then(|id| Ok((id, decode_place(key, value)?)));
        let (id, (kind, board)) = match parsed {
            Ok(parsed) => parsed,
            Err(cause) => return Ok((None, Err(cause))),
        };
        let table = match kind {
            SecretKind::Link => &self.links,
            SecretKind::Key => &self.keys,
        };
        let there = agrees(table, &secret_key(&board, &id))?;
        Ok((Some(board), there))
    }

    fn holder(&self, key: &[u8], value: &[u8]) -> Result<(Option<BoardId>, Result<(), Damage>), StoreError> {
        let parsed = HolderKey::parse(key).and_then(|parsed| decode_holder(key, value).map(|()| parsed));
        let (holder, board) = match parsed {
            Ok(parsed) => parsed,
            Err(cause) => return Ok((None, Err(cause))),
        };
        let live = self.is_live(&board);
        let principal = match holder {
            HolderKey::User(user) => Principal::User(user),
            HolderKey::Team(team) => Principal::Team(team),
            HolderKey::Owner(user) => {
                let owns = match self.known.get(&board) {
                    Some(State::Live(owner)) if owner.as_ref() != Some(&user) => Err(Damage::Disagreement),
                    _ => Ok(()),
                };
                return Ok((Some(board), live.and(owns)));
            }
        };
        let granted = agrees(&self.grants, &grant_key(&board, &principal))?;
        Ok((Some(board), live.and(granted)))
    }
}

/// Holds the index of the trash against the records.
fn trash(
    transaction: &ReadTransaction,
    known: &BTreeMap<BoardId, State>,
    mut found: impl FnMut(Option<BoardId>, Damage),
) -> Result<(), StoreError> {
    let mut listed = BTreeMap::new();
    each_row(transaction, TRASH, |key, value| {
        let board = rows::parse_board(key);
        match (&board, rows::decode_trashed(key, value)) {
            (Some(board), Ok(at)) => drop(listed.insert(board.clone(), at)),
            (_, Err(cause)) => found(board, cause),
            (None, Ok(_)) => found(None, Damage::Malformed),
        }
        Ok(())
    })?;
    for (board, state) in known {
        let is_listed_at = listed.remove(board);
        if matches!(state, State::Live(_)) {
            let trashed = trashed_in(transaction, &Journal::default(), board)?;
            if trashed.map(|trashed| trashed.at) != is_listed_at {
                found(Some(board.clone()), Damage::Disagreement);
            }
        } else if matches!(state, State::Deleted) && is_listed_at.is_some() {
            found(Some(board.clone()), Damage::Disagreement);
        }
    }
    for board in listed.into_keys() {
        found(Some(board), Damage::RecordMissing);
    }
    Ok(())
}

/// Reads every session, and holds it against the index of invitations; gives what is wrong.
fn sessions(transaction: &ReadTransaction, count: &mut u64) -> Result<Vec<Damage>, StoreError> {
    let mut wrong = Vec::new();
    let mut began = BTreeMap::new();
    each_row(transaction, SESSIONS, |key, value| {
        match decode_session(key, value) {
            Ok(session) => {
                *count += 1;
                began.insert(session.invite.to_vec(), session.id());
            }
            Err(cause) => wrong.push(cause),
        }
        Ok(())
    })?;
    each_row(transaction, INVITES, |key, value| {
        match decode_invite(key, value) {
            Ok(id) if began.remove(key).as_ref() == Some(&id) => {}
            Ok(_) => wrong.push(Damage::Disagreement),
            Err(cause) => wrong.push(cause),
        }
        Ok(())
    })?;
    wrong.extend(began.into_iter().map(|_| Damage::Disagreement));
    Ok(wrong)
}

/// Reads every asset, part and upload: each asset has all its parts, the sums are those of the assets, and no
/// part is of nothing.
fn assets(
    transaction: &ReadTransaction,
    known: &BTreeMap<BoardId, State>,
    mut found: impl FnMut(Finding),
) -> Result<(), StoreError> {
    let (mut sums, mut told) = (BTreeMap::<Option<BoardId>, Sums>::new(), BTreeMap::new());
    // Of each upload, of which board it is an asset, and how many parts and bytes there should be.
    let mut expected = BTreeMap::new();
    each_row(transaction, ASSETS, |key, value| {
        if key == ALL_SUMS {
            told.insert(None, decode_sums(key, value));
            return Ok(());
        }
        let board = match parse_asset_key(key) {
            Ok((board, None)) => {
                told.insert(Some(board), decode_sums(key, value));
                return Ok(());
            }
            Ok((board, Some(_))) => board,
            Err(cause) => {
                found((None, cause));
                return Ok(());
            }
        };
        if !matches!(known.get(&board), Some(State::Live(_) | State::Unreadable)) {
            found((Some(board.clone()), Damage::Disagreement));
        }
        match decode_asset(key, value) {
            Ok(asset) => {
                for of in [None, Some(board.clone())] {
                    let sums = sums.entry(of).or_default();
                    sums.assets = sums.assets.saturating_add(1);
                    sums.bytes = sums.bytes.saturating_add(asset.bytes);
                }
                let (parts, bytes) = (asset.parts(), asset.bytes);
                expected.insert(asset.upload.0.to_vec(), (Some(board), parts, bytes));
            }
            Err(cause) => found((Some(board), cause)),
        }
        Ok(())
    })?;
    for (board, sums) in &sums {
        match told.remove(board) {
            Some(Ok(told)) if told == *sums => {}
            Some(Err(cause)) => found((board.clone(), cause)),
            Some(Ok(_)) | None => found((board.clone(), Damage::Tally)),
        }
    }
    told.into_keys().for_each(|board| found((board, Damage::Tally)));
    each_row(transaction, UPLOADS, |key, value| {
        match decode_upload(key, value) {
            // Of one that was given up some parts may be gone.
            Ok(upload) if upload.begun_at.0 == 0 => drop(expected.insert(key.to_vec(), (None, 0, 0))),
            Ok(upload) => drop(expected.insert(key.to_vec(), (None, upload.parts, upload.bytes))),
            Err(cause) => found((None, cause)),
        }
        Ok(())
    })?;
    parts(transaction, &expected, found)
}

/// What an upload should have: the board that it is an asset of, its parts and their bytes.
type Expected = BTreeMap<Vec<u8>, (Option<BoardId>, u32, u64)>;

/// Reads every part, and holds them against what uploads should have.
fn parts(
    transaction: &ReadTransaction,
    expected: &Expected,
    mut found: impl FnMut(Finding),
) -> Result<(), StoreError> {
    let mut seen: BTreeMap<Vec<u8>, (u32, u64)> = BTreeMap::new();
    each_row(transaction, ASSET_PARTS, |key, value| {
        let row = rows::split_blob_key(key).and_then(|(upload, _, piece)| {
            let chunk = rows::Chunk::decode(rows::Tag::AssetPart, key, value)?;
            Ok((upload, piece, chunk.bytes.len()))
        });
        match row {
            Ok((upload, piece, length)) if expected.contains_key(upload) => {
                let (parts, bytes) = seen.entry(upload.to_vec()).or_default();
                *parts = parts.saturating_add(u32::from(piece == 0));
                *bytes = bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            }
            Ok(_) => found((None, Damage::Disagreement)),
            Err(cause) => found((None, cause)),
        }
        Ok(())
    })?;
    for (upload, (board, parts, bytes)) in expected {
        let is_whole = seen.get(upload).copied().unwrap_or_default() == (*parts, *bytes);
        if !is_whole && *parts > 0 {
            found((board.clone(), Damage::Disagreement));
        }
    }
    Ok(())
}

fn note(board: Option<BoardId>, verified: Result<(), Damage>, found: &mut impl FnMut(Finding)) {
    if let Err(cause) = verified {
        found((board, cause));
    }
}

/// The boards that are in `ids` or among the `known`, and not in both; `None` for a break in the chain
/// itself.
fn unlinked(
    transaction: &ReadTransaction,
    known: &BTreeMap<BoardId, State>,
) -> Result<BTreeSet<Option<BoardId>>, StoreError> {
    let ids = transaction.open_table(IDS).map_err(engine)?;
    let mut linked = BTreeSet::new();
    let mut lost = BTreeSet::new();
    let mut expected = Vec::new();
    for row in ReadableTable::iter(&ids).map_err(engine)? {
        let (key, value) = row.map_err(engine)?;
        let next = rows::decode_next(key.value(), value.value());
        if key.value() != expected || next.is_err() {
            lost.insert(None);
        }
        expected = next.unwrap_or_default().to_vec();
        linked.extend(rows::parse_board(key.value()));
    }
    if !expected.is_empty() {
        lost.insert(None);
    }
    let known: BTreeSet<BoardId> = known.keys().cloned().collect();
    lost.extend(linked.symmetric_difference(&known).cloned().map(Some));
    Ok(lost)
}
