//! One commit: changes to rows, in one write transaction.
//!
//! Owns the rules of each change to a document and of a board's life, and in `access` those of who may do
//! what; must not fsync anything but through redb's commit. Key invariants: each board's record is read once
//! and written at most once, last, and says what the rows of its document are; updates go to the journal, and
//! no record is written for them (`journal`); the audit entry of an act is written if and only if it is done.

mod access;
mod assets;
mod import;
mod journal;
mod pending;
mod sessions;
mod versions;
mod webhooks;

use std::collections::BTreeMap;

use ::redb::{Database, ReadableTable, WriteTransaction};
use bytes::Bytes;

use self::access::Access;
use self::assets::Assets;
pub(super) use self::journal::drain;
use self::pending::{Entry, Pending, kept, live, size_of};
use self::sessions::Sessions;
use self::versions::Versions;
use super::super::rows::audit::{encode_entry, entry_key};
use super::super::rows::{self, BoardRow, CHUNK_BYTES, Chunk, LiveBoard, Tag, Tally};
use super::super::{Act, Applied, Change, StoreError};
use super::journal::{Bounds, Delta, Journal};
use super::owners::{Gains, Moves, Owners};
use super::table::{Rows, Touched};
use super::verify::Verified;
use super::{AUDIT, BOARDS, IDS, JOURNAL, SNAPSHOTS, TRASH, UPDATES, WEBHOOKS, engine, is_free, rows_of};
use crate::audit;
use crate::ids::{BoardId, UserId};
use crate::time::UnixMillis;

/// An id, and the one that follows it.
type Link = (Vec<u8>, Vec<u8>);

struct Batch<'t> {
    boards: Rows<'t>,
    ids: Rows<'t>,
    snapshots: Rows<'t>,
    updates: Rows<'t>,
    commits: Rows<'t>,
    audit: Rows<'t>,
    access: Access<'t>,
    webhooks: Rows<'t>,
    sessions: Sessions<'t>,
    trash: Option<Rows<'t>>,
    assets: Option<Assets<'t>>,
    versions: Option<Versions<'t>>,
    /// To open those that only some commits need: opening a table costs a commit as much as a few updates.
    late: (&'t WriteTransaction, &'t Touched),
    pending: BTreeMap<BoardId, Pending<'t>>,
    gains: Gains<'t>,
    journal: &'t Journal,
    bounds: Bounds,
    delta: Delta,
}

/// What is known in memory of the file that a commit changes.
pub(super) struct Known<'t> {
    pub(super) owners: &'t Owners,
    pub(super) journal: &'t Journal,
    pub(super) bounds: Bounds,
    /// Of the pages of the file.
    pub(super) verified: Verified,
}

/// What a commit changes of that.
#[derive(Default)]
pub(super) struct Changed {
    pub(super) moves: Moves,
    pub(super) journal: Delta,
    /// Bytes of all assets, where they are others now.
    pub(super) asset_bytes: Option<u64>,
    /// What versions take more, or less.
    pub(super) version_bytes: i64,
}

/// See `Store::commit`. Gives also how that changes what is known.
pub(super) fn commit(
    database: &Database,
    known: &Known<'_>,
    touched: &Touched,
    changes: &[Change],
) -> Result<(Vec<Applied>, Changed), StoreError> {
    if changes.is_empty() {
        return Ok((Vec::new(), Changed::default()));
    }
    // Immediate durability is redb's default: `commit` returns after the fsync.
    let transaction = database.begin_write().map_err(engine)?;
    let mut batch = Batch::open(&transaction, known, touched)?;
    batch.make_room()?;
    let mut applied = Vec::with_capacity(changes.len());
    for change in changes {
        applied.push(batch.apply(change)?);
    }
    let changed = batch.finish()?;
    if applied.contains(&Applied::Done) {
        transaction.commit().map_err(engine)?;
        Ok((applied, changed))
    } else {
        transaction.abort().map_err(engine)?;
        Ok((applied, Changed::default()))
    }
}

/// A table, or several, which are opened when they are needed first.
fn opened<T>(
    late: &mut Option<T>,
    open: impl FnOnce() -> Result<T, StoreError>,
) -> Result<&mut T, StoreError> {
    Ok(match late.take() {
        Some(known) => late.insert(known),
        None => late.insert(open()?),
    })
}

impl<'t> Batch<'t> {
    fn open(
        transaction: &'t WriteTransaction,
        known: &Known<'t>,
        touched: &'t Touched,
    ) -> Result<Self, StoreError> {
        let open = |table| Rows::open(transaction, table, touched);
        Ok(Self {
            boards: open(BOARDS)?,
            ids: open(IDS)?,
            snapshots: open(SNAPSHOTS)?,
            updates: open(UPDATES)?,
            commits: open(JOURNAL)?,
            audit: open(AUDIT)?,
            access: Access::open(transaction, touched)?,
            webhooks: open(WEBHOOKS)?,
            sessions: Sessions::open(transaction, known.verified, touched)?,
            trash: None,
            assets: None,
            versions: None,
            late: (transaction, touched),
            pending: BTreeMap::new(),
            gains: Gains::new(known.owners),
            journal: known.journal,
            bounds: known.bounds,
            delta: Delta::default(),
        })
    }

    fn trash(&mut self) -> Result<&mut Rows<'t>, StoreError> {
        let (transaction, touched) = self.late;
        opened(&mut self.trash, || Rows::open(transaction, TRASH, touched))
    }

    fn assets(&mut self) -> Result<&mut Assets<'t>, StoreError> {
        let (transaction, touched) = self.late;
        opened(&mut self.assets, || Assets::open(transaction, touched))
    }

    fn versions(&mut self) -> Result<&mut Versions<'t>, StoreError> {
        let (transaction, touched) = self.late;
        opened(&mut self.versions, || Versions::open(transaction, touched))
    }

    /// Takes a board out of what is pending, to be put back there.
    fn take(&mut self, board: &BoardId) -> Result<Pending<'t>, StoreError> {
        Ok(match self.pending.remove(board) {
            Some(pending) => pending,
            None => Pending::new(self.read(board)?, self.journal.part(board)),
        })
    }

    fn apply(&mut self, change: &Change) -> Result<Applied, StoreError> {
        let board = match change {
            Change::Append { board, .. }
            | Change::Snapshot { board, .. }
            | Change::Act { board, .. }
            | Change::Audit { board, .. }
            | Change::Purge { board, .. } => board,
            Change::Import(whole) => &whole.board,
            Change::Version { new, .. } => &new.board,
            Change::Session(change) => return self.sessions.apply(change),
            Change::Asset(asset) => match change.board() {
                Some(board) => board,
                None => return self.assets()?.apply(asset),
            },
        };
        let mut pending = self.take(board)?;
        let applied = match change {
            Change::Session(_) => Applied::NotThere,
            Change::Append {
                sequence, update, at, ..
            } => pending.append(*sequence, update, *at),
            Change::Snapshot { covers, state, .. } => self.snapshot(board, &mut pending, *covers, state)?,
            Change::Act {
                act, as_owner, entry, ..
            } => {
                let applied = self.act(board, &mut pending, (act, as_owner.as_ref()), entry.key.at)?;
                if applied == Applied::Done {
                    self.write_entry(board, entry)?;
                }
                applied
            }
            Change::Import(whole) => self.import(whole, &mut pending)?,
            Change::Version { new, entry } => match live(&mut pending.entry) {
                Ok(_) => {
                    let applied = self.versions()?.add(new)?;
                    if let (Applied::Done, Some(entry)) = (applied, entry) {
                        self.write_entry(board, entry)?;
                    }
                    applied
                }
                Err(applied) => applied,
            },
            Change::Purge { before, .. } => self.purge(board, &mut pending, *before)?,
            Change::Asset(change) => match live(&mut pending.entry) {
                Ok(_) => self.assets()?.apply(change)?,
                Err(applied) => applied,
            },
            Change::Audit { entry, .. } => match live(&mut pending.entry) {
                Ok(_) => {
                    self.write_entry(board, entry)?;
                    Applied::Done
                }
                Err(applied) => applied,
            },
        };
        self.pending.insert(board.clone(), pending);
        Ok(applied)
    }

    fn act(
        &mut self,
        board: &BoardId,
        pending: &mut Pending<'t>,
        (act, as_owner): (&Act, Option<&UserId>),
        at: UnixMillis,
    ) -> Result<Applied, StoreError> {
        match act {
            Act::Create { owner, title } => {
                if matches!(pending.entry, Entry::Absent) && !self.gains.take_a_board(owner.as_ref()) {
                    return Ok(Applied::TooManyBoards);
                }
                let applied = self.create(board, pending, || {
                    Entry::Live(LiveBoard::new(owner.clone(), title.clone(), at))
                })?;
                if applied == Applied::Done {
                    self.change_owner((board, 0), None, owner.as_ref())?;
                }
                return Ok(applied);
            }
            // What cannot be read can still be deleted, but not by its owner, of whom nothing is known.
            Act::Delete if as_owner.is_none() && matches!(pending.entry, Entry::Unreadable) => {}
            Act::Delete | Act::Restore => match kept(&mut pending.entry) {
                Ok(live) if as_owner.is_none() || live.record.owner.as_ref() == as_owner => {}
                Ok(_) => return Ok(Applied::NotOwner),
                Err(applied) => return Ok(applied),
            },
            _ => match live(&mut pending.entry) {
                Ok(live) if as_owner.is_none() || live.record.owner.as_ref() == as_owner => {}
                Ok(_) => return Ok(Applied::NotOwner),
                Err(applied) => return Ok(applied),
            },
        }
        match act {
            Act::Create { .. } => Ok(Applied::Exists),
            Act::Update { title, owner } => self.update(board, pending, (title, owner), at),
            Act::Trash => self.put_into_trash(board, pending, at),
            Act::Restore => self.restore(board, pending),
            Act::Delete => self.delete(board, pending, at),
            Act::RemoveVersion(id) => self.versions()?.remove(board, *id),
            Act::AddWebhook(_) | Act::RemoveWebhook(_) => webhooks::act(&mut self.webhooks, board, act),
            Act::Grant { .. }
            | Act::Ungrant { .. }
            | Act::AddSecret(_)
            | Act::Revoke { .. }
            | Act::Pause { .. } => {
                let live = match live(&mut pending.entry) {
                    Ok(live) => live,
                    Err(applied) => return Ok(applied),
                };
                let before = live.tallies;
                let applied = self.access.act(board, &mut live.tallies, act, at)?;
                pending.dirty |= live.tallies != before;
                Ok(applied)
            }
        }
    }

    /// Moves a board of so many bytes from one owner to another.
    fn change_owner(
        &mut self,
        (board, bytes): (&BoardId, u64),
        from: Option<&UserId>,
        to: Option<&UserId>,
    ) -> Result<(), StoreError> {
        self.gains.moved(bytes, from, to);
        self.access.change_owner(board, from, to)
    }

    fn write_entry(&mut self, board: &BoardId, entry: &audit::Entry) -> Result<(), StoreError> {
        let key = entry_key(board, entry.key);
        self.audit
            .insert(key.as_slice(), encode_entry(&key, entry).as_slice())?;
        Ok(())
    }

    /// Changes the record of a live board.
    fn update(
        &mut self,
        board: &BoardId,
        pending: &mut Pending<'t>,
        (title, owner): (&Option<Option<String>>, &Option<UserId>),
        at: UnixMillis,
    ) -> Result<Applied, StoreError> {
        let live = match live(&mut pending.entry) {
            Ok(live) => live,
            Err(applied) => return Ok(applied),
        };
        if let Some(to) = owner
            .as_ref()
            .filter(|to| live.record.owner.as_ref() != Some(*to))
        {
            let bytes = size_of(live, pending.part, &pending.blob);
            if !self.gains.take_a_board(Some(to)) {
                return Ok(Applied::TooManyBoards);
            }
            if !self.gains.take_bytes(to, bytes) {
                return Ok(Applied::OwnerFull);
            }
            self.change_owner((board, bytes), live.record.owner.as_ref(), Some(to))?;
            live.record.owner = Some(to.clone());
        }
        if let Some(title) = title {
            live.record.title.clone_from(title);
        }
        live.record.updated_at = live.record.updated_at.max(at);
        pending.dirty = true;
        Ok(Applied::Done)
    }

    fn read(&self, board: &BoardId) -> Result<Entry, StoreError> {
        let key = board.as_str().as_bytes();
        if let Some(value) = self.boards.get(key).map_err(engine)? {
            return Ok(match BoardRow::decode(key, value.value()) {
                Ok(BoardRow::Live(live)) => Entry::Live(live),
                Ok(BoardRow::Tombstone(at)) => Entry::Deleted(at),
                Err(_) => Entry::Unreadable,
            });
        }
        match is_free(&*self.ids, key) {
            Ok(true) => Ok(Entry::Absent),
            Ok(false) | Err(StoreError::Unreadable(_)) => Ok(Entry::Unreadable),
            Err(error) => Err(error),
        }
    }

    /// Makes a board where there never was one, and links its id with its neighbours.
    fn create(
        &mut self,
        board: &BoardId,
        pending: &mut Pending<'t>,
        make: impl FnOnce() -> Entry,
    ) -> Result<Applied, StoreError> {
        match live(&mut pending.entry) {
            Ok(_) => return Ok(Applied::Exists),
            Err(Applied::Absent) => {}
            Err(applied) => return Ok(applied),
        }
        let id = board.as_str().as_bytes();
        let Some((key, next)) = self.before(id)? else {
            return Ok(Applied::Unreadable);
        };
        self.link(&key, id)?;
        self.link(id, &next)?;
        pending.entry = make();
        pending.dirty = true;
        Ok(Applied::Done)
    }

    /// The id before `id` and what follows it until now; `None` where that cannot be read.
    fn before(&self, id: &[u8]) -> Result<Option<Link>, StoreError> {
        let before = self.ids.range::<&[u8]>(..id).map_err(engine)?.next_back();
        let before = before.transpose().map_err(engine)?;
        Ok(before.and_then(|(key, value)| {
            let next = rows::decode_next(key.value(), value.value()).ok()?;
            Some((key.value().to_vec(), next.to_vec()))
        }))
    }

    fn link(&mut self, id: &[u8], next: &[u8]) -> Result<(), StoreError> {
        self.ids.insert(id, rows::encode_next(id, next).as_slice())?;
        Ok(())
    }

    fn snapshot(
        &mut self,
        board: &BoardId,
        pending: &mut Pending<'t>,
        covers: u64,
        state: &Bytes,
    ) -> Result<Applied, StoreError> {
        let live = match live(&mut pending.entry) {
            Ok(live) => live,
            Err(applied) => return Ok(applied),
        };
        if covers < live.covers || covers > pending.last {
            return Ok(Applied::OutOfOrder);
        }
        live.covers = covers;
        live.last_sequence = live.last_sequence.max(covers);
        live.snapshot_bytes = Some(length(state));
        pending.dirty = true;
        if pending.last == covers {
            // What this commit was about to add is in the snapshot.
            pending.updates = 0;
            pending.blob = Vec::new();
        }
        clear(&mut self.snapshots, board)?;
        let place = (rows::board_start(board), covers);
        live.tallies.snapshots = write_blob(&mut self.snapshots, Tag::Snapshot, place, (0, state))?;
        Self::cut_log(&mut self.updates, board, live)?;
        Ok(Applied::Done)
    }

    /// Removes the blobs of updates whose last one is at most what the full state covers.
    fn cut_log(updates: &mut Rows<'_>, board: &BoardId, live: &mut LiveBoard) -> Result<(), StoreError> {
        let covers = live.covers;
        let (start, end) = (
            rows::chunk_key(board, 0, 0),
            rows::chunk_key(board, covers, u32::MAX),
        );
        // A row that does not decode stays, and the board is refused when it is loaded.
        let is_later = |key: &[u8], value: &[u8]| {
            let stays = match (rows::parse_chunk_key(key), Chunk::decode(Tag::Update, key, value)) {
                (Ok((_, first, _)), Ok(chunk)) => {
                    first.saturating_add(u64::from(chunk.updates)) > covers.saturating_add(1)
                }
                _ => true,
            };
            if !stays {
                live.tallies.updates.remove(value);
                live.log_bytes = live.log_bytes.saturating_sub(rows::chunk_length(value));
            }
            stays
        };
        updates.retain_in(start.as_slice()..=end.as_slice(), is_later)
    }

    /// Puts a live board into the trash: of its rows only the record changes.
    fn put_into_trash(
        &mut self,
        board: &BoardId,
        pending: &mut Pending<'t>,
        at: UnixMillis,
    ) -> Result<Applied, StoreError> {
        let live = match live(&mut pending.entry) {
            Ok(live) => live,
            Err(applied) => return Ok(applied),
        };
        live.trashed_at = Some(at);
        pending.dirty = true;
        let key = board.as_str().as_bytes();
        self.trash()?.insert(key, &rows::encode_trashed(key, at))?;
        Ok(Applied::Done)
    }

    /// Takes a board out of the trash.
    fn restore(&mut self, board: &BoardId, pending: &mut Pending<'t>) -> Result<Applied, StoreError> {
        let live = match kept(&mut pending.entry) {
            Ok(live) => live,
            Err(applied) => return Ok(applied),
        };
        if live.trashed_at.take().is_none() {
            return Ok(Applied::NotThere);
        }
        pending.dirty = true;
        self.trash()?.remove(board.as_str().as_bytes())?;
        Ok(Applied::Done)
    }

    /// Removes a board that has been in the trash since before a moment.
    fn purge(
        &mut self,
        board: &BoardId,
        pending: &mut Pending<'t>,
        before: UnixMillis,
    ) -> Result<Applied, StoreError> {
        match kept(&mut pending.entry) {
            Ok(live) if live.trashed_at.is_some_and(|at| at < before) => self.delete(board, pending, before),
            Ok(_) => Ok(Applied::NotThere),
            Err(applied) => Ok(applied),
        }
    }

    /// Removes a board that is live, in the trash, or unreadable.
    fn delete(
        &mut self,
        board: &BoardId,
        pending: &mut Pending<'t>,
        at: UnixMillis,
    ) -> Result<Applied, StoreError> {
        // One from the trash was deleted when it went there.
        let at = match &pending.entry {
            Entry::Live(live) => live.trashed_at.unwrap_or(at),
            _ => at,
        };
        self.trash()?.remove(board.as_str().as_bytes())?;
        match &pending.entry {
            Entry::Live(live) => {
                let bytes = size_of(live, pending.part, &pending.blob);
                self.change_owner((board, bytes), live.record.owner.as_ref(), None)?;
                self.access.clear(board)?;
            }
            _ => {
                self.access.clear(board)?;
                self.access.clear_indexes(board)?;
            }
        }
        clear(&mut self.snapshots, board)?;
        clear(&mut self.updates, board)?;
        clear(&mut self.webhooks, board)?;
        self.assets()?.clear(board)?;
        self.versions()?.clear(board)?;
        *pending = Pending {
            dirty: true,
            before: pending.before.take(),
            ..Pending::new(Entry::Deleted(at), None)
        };
        Ok(Applied::Done)
    }

    /// Writes what is pending, in the order of the keys; gives how that changes what is known.
    fn finish(mut self) -> Result<Changed, StoreError> {
        let mut moves = Moves::new();
        let mut commit = Vec::new();
        for (board, pending) in std::mem::take(&mut self.pending) {
            for (sign, side) in [(-1, pending.before.clone()), (1, pending.owned())] {
                if let Some((owner, bytes)) = side {
                    let (boards, of_bytes) = moves.entry(owner).or_default();
                    *boards += sign;
                    *of_bytes += sign.saturating_mul(i64::try_from(bytes).unwrap_or(i64::MAX));
                }
            }
            self.add_run(&board, &pending, &mut commit);
            let (row, through) = match pending.entry {
                Entry::Live(mut live) => {
                    live.record.updated_at = live.record.updated_at.max(pending.at);
                    let through = live.last_sequence;
                    (BoardRow::Live(live), through)
                }
                Entry::Deleted(at) => (BoardRow::Tombstone(at), u64::MAX),
                Entry::Absent | Entry::Unreadable => continue,
            };
            if pending.dirty {
                let key = board.as_str().as_bytes();
                self.boards.insert(key, row.encode(key).as_slice())?;
                self.delta.past.insert(board, through);
            }
        }
        self.write_commit(&commit)?;
        Ok(Changed {
            moves,
            journal: self.delta,
            asset_bytes: self.assets.as_ref().and_then(|assets| assets.bytes),
            version_bytes: self.versions.as_ref().map_or(0, |versions| versions.bytes),
        })
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn clear(table: &mut Rows<'_>, board: &BoardId) -> Result<(), StoreError> {
    let (start, end) = rows_of(board);
    table.retain_in(start.as_slice()..end.as_slice(), |_, _| false)
}

/// Writes a blob, and gives the tally of its rows.
fn write_blob(
    table: &mut Rows<'_>,
    tag: Tag,
    (prefix, number): (Vec<u8>, u64),
    (updates, bytes): (u32, &[u8]),
) -> Result<Tally, StoreError> {
    let parts = bytes.len().div_ceil(CHUNK_BYTES).max(1);
    let parts = u32::try_from(parts).map_err(|_| StoreError::Full)?;
    let mut pieces = bytes.chunks(CHUNK_BYTES);
    let mut tally = Tally::default();
    for part in 0..parts {
        let key = rows::blob_key(&prefix, number, part);
        let chunk = Chunk {
            parts,
            updates,
            bytes: pieces.next().unwrap_or_default(),
        };
        let value = chunk.encode(tag, &key);
        tally.add(&value);
        table.insert(key.as_slice(), value.as_slice())?;
    }
    Ok(tally)
}
