//! What becomes of the changes of one commit, from what was read and locked for it.
//!
//! Owns the decisions, and what is to be written because of them. Must not talk to the database. Key
//! invariants: changes are decided in their order, each by what those before it made of the boards; one that
//! is not done changes nothing. Tests: `contract/`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::super::{Act, Applied, BoardRecord, Change, Life, Living, Whole};
use super::access::Access;
use super::owners::{Gains, Moves};
use super::rows::{self, Board};
use super::sessions::Sessions;
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, UserId};
use crate::time::UnixMillis;

/// What there is under an id.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Absent,
    Deleted,
    /// Its row does not decode.
    Unreadable,
    /// It is there, or in the trash.
    Live(Board),
}

/// Who commits, and which nodes have a lease.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    pub(super) me: Option<i64>,
    pub(super) live: BTreeSet<i64>,
}

impl Nodes {
    /// Whether a board that `node` has is neither another's nor nobody's business: for rooms.
    fn serves(&self, node: Option<i64>) -> bool {
        match self.me {
            Some(me) => node == Some(me) && self.live.contains(&me),
            None => self.is_free(node),
        }
    }

    /// Whether no other node has it.
    fn may_act(&self, node: Option<i64>) -> bool {
        self.is_free(node) || node == self.me
    }

    fn is_free(&self, node: Option<i64>) -> bool {
        node.is_none_or(|node| !self.live.contains(&node))
    }
}

/// A row of `updates`, without its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logged {
    pub(super) last: u64,
    pub(super) bytes: u64,
}

/// One board in this commit.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) now: Found,
    /// It was not there before.
    pub(super) is_new: bool,
    /// Its row is to be written.
    pub(super) is_changed: bool,
    /// When it was deleted in this commit: nothing of what was there stays.
    pub(super) deleted_at: Option<UnixMillis>,
    /// A new full state.
    pub(super) state: Option<Bytes>,
    /// What is added to the log.
    pub(super) updates: Vec<(u64, Bytes)>,
    /// The rows of the log, where a full state is to replace them.
    logged: Vec<Logged>,
    /// Its owner and bytes before.
    before: Option<(Option<UserId>, u64)>,
}

fn owned(found: &Found) -> Option<(Option<UserId>, u64)> {
    match found {
        Found::Live(board) => Some((board.record.owner.clone(), board.size_bytes())),
        _ => None,
    }
}

impl Pending {
    pub(super) fn new(now: Found, logged: Vec<Logged>) -> Self {
        Self {
            before: owned(&now),
            now,
            is_new: false,
            is_changed: false,
            deleted_at: None,
            state: None,
            updates: Vec::new(),
            logged,
        }
    }

    /// The board, if it is there; one in the trash is deleted.
    fn live(&mut self) -> Result<&mut Board, Applied> {
        match self.kept() {
            Ok(board) if board.trashed_at.is_some() => Err(Applied::Deleted),
            kept => kept,
        }
    }

    /// The board, if it is there or in the trash.
    fn kept(&mut self) -> Result<&mut Board, Applied> {
        match &mut self.now {
            Found::Live(board) => Ok(board),
            Found::Absent => Err(Applied::Absent),
            Found::Deleted => Err(Applied::Deleted),
            Found::Unreadable => Err(Applied::Unreadable),
        }
    }

    fn append(
        &mut self,
        nodes: &Nodes,
        (sequence, update): (u64, &Bytes),
        at: UnixMillis,
    ) -> Result<(), Applied> {
        let board = self.live()?;
        if !nodes.serves(board.node) {
            return Err(Applied::Elsewhere);
        }
        if board.last_sequence.checked_add(1) != Some(sequence) {
            return Err(Applied::OutOfOrder);
        }
        board.last_sequence = sequence;
        board.log_bytes = board.log_bytes.saturating_add(rows::length(update) + 4);
        board.record.updated_at = board.record.updated_at.max(at);
        self.updates.push((sequence, update.clone()));
        self.is_changed = true;
        Ok(())
    }

    fn snapshot(&mut self, nodes: &Nodes, covers: u64, state: &Bytes) -> Result<(), Applied> {
        let board = self.live()?;
        if !nodes.serves(board.node) {
            return Err(Applied::Elsewhere);
        }
        if board.covers.is_some_and(|least| covers < least) || covers > board.last_sequence {
            return Err(Applied::OutOfOrder);
        }
        board.covers = Some(covers);
        board.state_bytes = rows::length(state);
        self.state = Some(state.clone());
        self.updates.retain(|(sequence, _)| *sequence > covers);
        self.logged.retain(|row| row.last > covers);
        let added = self.updates.iter().map(|(_, update)| rows::length(update) + 4);
        let log_bytes = self.logged.iter().map(|row| row.bytes).chain(added).sum();
        if let Found::Live(board) = &mut self.now {
            board.log_bytes = log_bytes;
        }
        self.is_changed = true;
        Ok(())
    }

    fn create(&mut self, nodes: &Nodes, owner: Option<UserId>, title: Option<String>, at: UnixMillis) {
        self.now = Found::Live(Board {
            record: BoardRecord {
                owner,
                title,
                created_at: at,
                updated_at: at,
            },
            trashed_at: None,
            last_sequence: 0,
            covers: None,
            state_bytes: 0,
            log_bytes: 0,
            node: nodes.me,
        });
        self.is_new = true;
        self.is_changed = true;
    }

    /// Becomes a board of another store, which nobody has here.
    fn import(&mut self, living: &Living, trashed_at: Option<UnixMillis>) {
        let document = &living.document;
        let snapshot = document.snapshot.as_ref();
        let updates = document.updates.iter();
        self.now = Found::Live(Board {
            record: document.record.clone(),
            trashed_at,
            last_sequence: document.last_sequence(),
            covers: snapshot.map(|(covers, _)| *covers),
            state_bytes: snapshot.map_or(0, |(_, state)| rows::length(state)),
            log_bytes: updates.map(|(_, update)| rows::length(update) + 4).sum(),
            node: None,
        });
        self.state = snapshot.map(|(_, state)| state.clone());
        self.updates.clone_from(&document.updates);
        self.is_new = true;
        self.is_changed = true;
    }

    fn delete(&mut self, at: UnixMillis) {
        self.now = Found::Deleted;
        self.is_changed = true;
        self.deleted_at = Some(at);
        self.state = None;
        self.updates = Vec::new();
        self.logged = Vec::new();
    }
}

/// The changes of one commit.
pub(super) struct Batch {
    nodes: Nodes,
    pub(super) boards: BTreeMap<BoardId, Pending>,
    pub(super) access: Access,
    pub(super) sessions: Sessions,
    gains: Gains,
    pub(super) entries: BTreeMap<(BoardId, EntryKey), Entry>,
}

impl Batch {
    pub(super) fn new(
        nodes: Nodes,
        boards: BTreeMap<BoardId, Pending>,
        (access, sessions): (Access, Sessions),
        gains: Gains,
    ) -> Self {
        Self {
            nodes,
            boards,
            access,
            sessions,
            gains,
            entries: BTreeMap::new(),
        }
    }

    /// Decides one change.
    pub(super) fn apply(&mut self, change: &Change) -> Applied {
        let id = match change {
            Change::Append { board, .. }
            | Change::Snapshot { board, .. }
            | Change::Act { board, .. }
            | Change::Audit { board, .. }
            | Change::Purge { board, .. } => board,
            Change::Import(whole) => &whole.board,
            Change::Version { new, .. } => &new.board,
            Change::Session(change) => return self.sessions.apply(change),
            Change::Asset(asset) => match asset.board() {
                Some(board) => board,
                None => return self.access.assets.apply(asset).err().unwrap_or(Applied::Done),
            },
        };
        let new = || Pending::new(Found::Absent, Vec::new());
        let mut pending = self.boards.remove(id).unwrap_or_else(new);
        let decided = self.decide(id, &mut pending, change);
        self.boards.insert(id.clone(), pending);
        let applied = decided.err().unwrap_or(Applied::Done);
        if let (Applied::Done, Change::Act { entry, .. } | Change::Audit { entry, .. }) = (applied, change) {
            self.entries.insert((id.clone(), entry.key), Entry::clone(entry));
        }
        if let (
            Applied::Done,
            Change::Version {
                entry: Some(entry), ..
            },
        ) = (applied, change)
        {
            self.entries.insert((id.clone(), entry.key), Entry::clone(entry));
        }
        applied
    }

    fn decide(&mut self, id: &BoardId, pending: &mut Pending, change: &Change) -> Result<(), Applied> {
        match change {
            Change::Append {
                sequence, update, at, ..
            } => pending.append(&self.nodes, (*sequence, update), *at),
            Change::Snapshot { covers, state, .. } => pending.snapshot(&self.nodes, *covers, state),
            Change::Import(whole) => self.import(pending, whole),
            Change::Session(_) => Err(Applied::NotThere),
            Change::Version { new, .. } => {
                let node = pending.live()?.node;
                self.is_ours(node)?;
                self.access.versions.add(new)
            }
            Change::Purge { before, .. } => {
                let trashed_at = pending.kept()?.trashed_at;
                match trashed_at.filter(|at| at < before) {
                    Some(at) => {
                        self.delete(id, pending, at);
                        Ok(())
                    }
                    None => Err(Applied::NotThere),
                }
            }
            Change::Audit { .. } => {
                let node = pending.live()?.node;
                self.is_ours(node)
            }
            Change::Asset(change) => {
                let node = pending.live()?.node;
                self.is_ours(node)?;
                self.access.assets.apply(change)
            }
            Change::Act {
                act: Act::Create { owner, title },
                entry,
                ..
            } => {
                match pending.live() {
                    Ok(board) => {
                        let node = board.node;
                        return self.is_ours(node).and(Err(Applied::Exists));
                    }
                    Err(Applied::Absent) => {}
                    Err(applied) => return Err(applied),
                }
                if !self.gains.takes_a_board(owner.as_ref()) {
                    return Err(Applied::TooManyBoards);
                }
                self.gains.moved(0, None, owner.as_ref());
                pending.create(&self.nodes, owner.clone(), title.clone(), entry.key.at);
                Ok(())
            }
            Change::Act {
                act, as_owner, entry, ..
            } => self.act(id, pending, (act, as_owner.as_ref()), entry.key.at),
        }
    }

    fn import(&mut self, pending: &mut Pending, whole: &Whole) -> Result<(), Applied> {
        match pending.live() {
            Ok(_) => return Err(Applied::Exists),
            Err(Applied::Absent) => {}
            Err(applied) => return Err(applied),
        }
        match &whole.life {
            Life::Deleted(at) => {
                pending.delete(*at);
                pending.is_new = true;
            }
            Life::Live(living) | Life::Trashed(_, living) if !living.is_in_order() => {
                return Err(Applied::OutOfOrder);
            }
            Life::Live(living) | Life::Trashed(_, living) => {
                self.access.import(&whole.board, living)?;
                pending.import(living, whole.life.trashed_at());
                if let Some((owner, bytes)) = owned(&pending.now) {
                    self.gains.moved(bytes, None, owner.as_ref());
                }
            }
        }
        let entries = whole.audit.iter();
        (self.entries).extend(entries.map(|entry| ((whole.board.clone(), entry.key), entry.clone())));
        Ok(())
    }

    fn is_ours(&self, node: Option<i64>) -> Result<(), Applied> {
        if self.nodes.may_act(node) {
            Ok(())
        } else {
            Err(Applied::Elsewhere)
        }
    }

    /// An act on a board that is there.
    fn act(
        &mut self,
        id: &BoardId,
        pending: &mut Pending,
        (act, as_owner): (&Act, Option<&UserId>),
        at: UnixMillis,
    ) -> Result<(), Applied> {
        // What cannot be read can still be deleted, but not by its owner, of whom nothing is known.
        let is_lost = matches!(pending.now, Found::Unreadable) && as_owner.is_none();
        if !(is_lost && matches!(act, Act::Delete)) {
            let board = match act {
                Act::Restore | Act::Delete => pending.kept()?,
                _ => pending.live()?,
            };
            self.is_ours(board.node)?;
            if as_owner.is_some() && board.record.owner.as_ref() != as_owner {
                return Err(Applied::NotOwner);
            }
        }
        match act {
            Act::Update { title, owner } => self.update(pending, (title.as_ref(), owner.as_ref()), at),
            Act::Delete => {
                // One from the trash was deleted when it went there.
                let trashed_at = pending.kept().ok().and_then(|board| board.trashed_at);
                self.delete(id, pending, trashed_at.unwrap_or(at));
                Ok(())
            }
            Act::Trash => {
                let board = pending.live()?;
                board.trashed_at = Some(at);
                board.node = None;
                pending.is_changed = true;
                Ok(())
            }
            Act::Restore => {
                let taken = pending.kept()?.trashed_at.take();
                taken.ok_or(Applied::NotThere)?;
                pending.is_changed = true;
                Ok(())
            }
            other => self.access.act(id, other, at),
        }
    }

    /// Removes a board with all that it has.
    fn delete(&mut self, id: &BoardId, pending: &mut Pending, at: UnixMillis) {
        if let Some((owner, bytes)) = owned(&pending.now) {
            self.gains.moved(bytes, owner.as_ref(), None);
        }
        self.access.clear(id);
        pending.delete(at);
    }

    fn update(
        &mut self,
        pending: &mut Pending,
        (title, owner): (Option<&Option<String>>, Option<&UserId>),
        at: UnixMillis,
    ) -> Result<(), Applied> {
        let board = pending.live()?;
        if let Some(to) = owner.filter(|to| board.record.owner.as_ref() != Some(to)) {
            let bytes = board.size_bytes();
            if !self.gains.takes_a_board(Some(to)) {
                return Err(Applied::TooManyBoards);
            }
            if !self.gains.takes_bytes(to, bytes) {
                return Err(Applied::OwnerFull);
            }
            self.gains.moved(bytes, board.record.owner.as_ref(), Some(to));
            board.record.owner = Some(to.clone());
        }
        if let Some(title) = title {
            board.record.title.clone_from(title);
        }
        board.record.updated_at = board.record.updated_at.max(at);
        pending.is_changed = true;
        Ok(())
    }

    /// How what is written changes what owners have.
    pub(super) fn moves(&self) -> Moves {
        let mut moves = Moves::new();
        for pending in self.boards.values() {
            for (sign, side) in [(-1, pending.before.clone()), (1, owned(&pending.now))] {
                if let Some((Some(owner), bytes)) = side {
                    let (boards, of_bytes) = moves.entry(owner).or_default();
                    *boards += sign;
                    *of_bytes += sign.saturating_mul(i64::try_from(bytes).unwrap_or(i64::MAX));
                }
            }
        }
        moves
    }
}
