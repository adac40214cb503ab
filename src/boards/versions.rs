//! Versions of boards: when one makes itself, how one is made and restored.
//!
//! Which ones are kept is in `policy`; what is remembered beside a room, in `kept`. Must not know HTTP, nor
//! how versions are stored. Key invariants: of one board one version is made at a time; nothing of it is on
//! the way of an update: a version makes itself from what a compaction has made anyway, or when a room ends;
//! restoring is one edit, like any other, before which a version is made to go back to. Tests:
//! `versions/policy.rs`, tests/it/versions.rs.

pub(crate) mod policy;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::audit::{Action, Entry};
use crate::boards::Boards;
use crate::boards::content::{Authority, Basis, Failed};
use crate::boards::loader::Creation;
use crate::boards::rights::Granted;
use crate::boards::slots::RoomCell;
use crate::fault::Fault;
use crate::ids::{BoardId, Subject};
use crate::items::{Record, Records, Write};
use crate::limits;
use crate::room::board::Board;
use crate::store::{
    Applied, Change, NewVersion, Stored, StoredBoard, StoredVersion, VersionId, VersionKind, cut,
};
use crate::time::UnixMillis;
use crate::update::Budgets;

/// A version that is to be made.
pub(crate) struct Wanted {
    pub(crate) kind: VersionKind,
    pub(crate) name: Option<String>,
    pub(crate) by: Option<Subject>,
    pub(crate) entry: Option<Box<Entry>>,
}

impl Wanted {
    fn automatic(kind: VersionKind) -> Self {
        Self {
            kind,
            name: None,
            by: None,
            entry: None,
        }
    }
}

/// Why no version was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotMade {
    Fault(Fault),
    /// Those that somebody asked for take all the room there is.
    Full,
    /// It would be like the last one.
    Unchanged,
}

impl From<Fault> for NotMade {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Why a version was not restored.
#[derive(Debug)]
pub(crate) enum NotRestored {
    NoSuchVersion,
    /// There is no room for the version to go back to.
    Full,
}

/// A version that was restored.
pub(crate) struct Restored {
    /// The version to go back to.
    pub(crate) before: StoredVersion,
    /// Records that were set, and removed.
    pub(crate) set: usize,
    pub(crate) removed: usize,
}

fn is_past(at: Option<UnixMillis>, every: Duration, now: UnixMillis) -> bool {
    let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
    at.is_none_or(|at| now.0.saturating_sub(at.0) >= every)
}

impl Boards {
    /// Notes a board as it was loaded.
    pub(super) fn begin_versions(&self, cell: &RoomCell) {
        let (sequence, live) = {
            let room = cell.lock();
            (room.sequence(), room.board().live_count())
        };
        let mut seen = cell.kept.versions.told();
        (seen.sequence, seen.live) = (sequence, live);
    }

    /// Makes a version of a board as it is now, and waits until it is durable.
    ///
    /// # Errors
    /// [`NotMade`].
    pub(crate) async fn make_version(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        wanted: Wanted,
    ) -> Result<StoredVersion, NotMade> {
        let _turn = cell.kept.versions.turn.lock().await;
        let room = Arc::clone(cell);
        let state = self.unblock(move || compacted(&room)).await;
        self.keep_version(cell.id(), state, wanted).await
    }

    /// Keeps a state as a version; whoever calls has the board's turn.
    async fn keep_version(
        self: &Arc<Self>,
        board: &BoardId,
        state: Bytes,
        wanted: Wanted,
    ) -> Result<StoredVersion, NotMade> {
        self.disk_takes_large(state.len()).await;
        let (pieces, chunks) = self.unblock(move || cut(&state)).await;
        let id = board.clone();
        let kept = self
            .read(move |store| store.versions(&id, None, usize::MAX))
            .await?;
        let newest = kept.first();
        if wanted.kind != VersionKind::Named && newest.is_some_and(|newest| newest.pieces == pieces) {
            let (Some(newest), Some(entry)) = (newest, wanted.entry) else {
                return Err(NotMade::Unchanged);
            };
            // What it was to keep is kept, and somebody asked for more than that.
            let board = board.clone();
            self.submit_act(Change::Audit { board, entry }).await?;
            return Ok(newest.clone());
        }
        let at = self.now().unix;
        let version = StoredVersion {
            id: VersionId(newest.map_or(at.0, |newest| at.0.max(newest.id.0.saturating_add(1)))),
            kind: wanted.kind,
            at,
            name: wanted.name,
            by: wanted.by,
            pieces,
        };
        let forgotten = self.settings.versions.forgotten(&kept, &version);
        let change = Change::Version {
            new: Box::new(NewVersion {
                board: board.clone(),
                version: version.clone(),
                chunks,
                forgotten: forgotten.ok_or(NotMade::Full)?,
            }),
            entry: wanted.entry,
        };
        match self.submit_act(change).await? {
            Applied::Done => Ok(version),
            Applied::TooMany => Err(NotMade::Full),
            _ => Err(NotMade::Fault(Fault::Internal)),
        }
    }

    /// Makes a version of what a compaction has made, if the last one that made itself is old enough.
    pub(super) fn version_if_due(self: &Arc<Self>, cell: &Arc<RoomCell>, state: Bytes, sequence: u64) {
        let is_due = is_past(
            cell.kept.versions.told().automatic_at,
            limits::VERSION_EVERY,
            self.now().unix,
        );
        if !is_due || !self.settings.versions.makes_some() {
            return;
        }
        let (boards, cell) = (Arc::clone(self), Arc::clone(cell));
        self.spawn(async move {
            let _turn = cell.kept.versions.turn.lock().await;
            if boards.is_version_due(&cell).await {
                boards.make_automatic(&cell, state, sequence).await;
            }
        });
    }

    /// Whether it is time for a version to make itself, also by what is stored.
    async fn is_version_due(self: &Arc<Self>, cell: &Arc<RoomCell>) -> bool {
        let board = cell.id().clone();
        let kept = self
            .read(move |store| store.versions(&board, None, limits::VERSIONS_PER_BOARD_MAX))
            .await;
        let Ok(kept) = kept else { return false };
        let last = kept.iter().find(|version| version.kind == VersionKind::Automatic);
        let last = last.map(|version| version.at);
        cell.kept.versions.told().automatic_at = last;
        is_past(last, limits::VERSION_EVERY, self.now().unix)
    }

    async fn make_automatic(self: &Arc<Self>, cell: &Arc<RoomCell>, state: Bytes, sequence: u64) {
        let wanted = Wanted::automatic(VersionKind::Automatic);
        match self.keep_version(cell.id(), state, wanted).await {
            Ok(_) | Err(NotMade::Unchanged) => {
                let mut seen = cell.kept.versions.told();
                seen.sequence = sequence;
                seen.automatic_at = Some(self.now().unix);
            }
            Err(NotMade::Full) => {
                // Not after each compaction: what would be made has to be cut to know.
                cell.kept.versions.told().automatic_at = Some(self.now().unix);
                tracing::debug!(board = %cell.id(), "there is no room for a version");
            }
            // It is tried again after the next compaction.
            Err(NotMade::Fault(fault)) => {
                tracing::debug!(board = %cell.id(), ?fault, "a version was not made");
            }
        }
    }

    /// Makes a version of a board whose room ends, if it has changed since the last one.
    pub(super) fn version_at_end(self: &Arc<Self>, cell: &Arc<RoomCell>) {
        let sequence = cell.lock().sequence();
        if cell.kept.versions.told().sequence == sequence || !self.settings.versions.makes_some() {
            return;
        }
        let (boards, cell) = (Arc::clone(self), Arc::clone(cell));
        self.spawn(async move {
            let _turn = cell.kept.versions.turn.lock().await;
            let room = Arc::clone(&cell);
            let state = boards.unblock(move || compacted(&room)).await;
            boards.make_automatic(&cell, state, sequence).await;
        });
    }

    /// Makes a version of the board as it was before half of it was deleted, if that was since the last
    /// compaction; `live` is on it now. Before the log that has what was deleted goes.
    pub(super) async fn version_before_deletion(self: &Arc<Self>, cell: &Arc<RoomCell>, live: u64) {
        let now = self.now().unix;
        let before = {
            let mut seen = cell.kept.versions.told();
            let before = std::mem::replace(&mut seen.live, live);
            let is_late = is_past(seen.deletion_at, limits::VERSION_BEFORE_DELETION_EVERY, now);
            let is_much = before >= limits::VERSION_BEFORE_DELETION_LEAST && live <= before / 2;
            if !is_much || !is_late || !self.settings.versions.makes_some() {
                return;
            }
            seen.deletion_at = Some(now);
            before
        };
        let _turn = cell.kept.versions.turn.lock().await;
        // What was accepted is on disk then, or the room is lost with it.
        drop(self.settled().await);
        let (boards, board) = (Arc::clone(self), cell.id().clone());
        let found = self.unblock(move || match boards.store.load(&board) {
            Ok(Stored::Present(stored)) => fullest(stored, before),
            _ => None,
        });
        let Some(state) = found.await else { return };
        let wanted = Wanted::automatic(VersionKind::BeforeDeletion);
        match self.keep_version(cell.id(), state, wanted).await {
            Ok(_) => tracing::info!(board = %cell.id(), "half of the board was deleted; a version was kept"),
            Err(cause) => tracing::debug!(board = %cell.id(), ?cause, "no version before a deletion"),
        }
    }

    /// Sets a board's records to those of a version, in one edit, and waits until that is durable. What
    /// others do meanwhile joins as with any edit.
    ///
    /// # Errors
    /// [`Failed`].
    pub(crate) async fn restore_version(
        self: &Arc<Self>,
        granted: Granted,
        id: VersionId,
    ) -> Result<Restored, Failed<NotRestored>> {
        let (board, of) = (granted.board.clone(), granted.board.clone());
        let found = self.read(move |store| store.version(&of, id)).await?;
        let (version, state) = found.ok_or(Failed::Work(NotRestored::NoSuchVersion))?;
        let cell = self.room(&board, Creation::Denied).await?;
        let records = self.read_state(&cell, state, all_records).await;
        let records = records.map_err(without_work)?;
        let mut entry = self.audit.entry(
            granted.actor.clone(),
            Action::VersionRestore,
            Some(granted.grant.level),
            self.now().unix,
        );
        entry.detail = serde_json::json!({ "id": version.id.to_string() });
        let wanted = Wanted {
            kind: VersionKind::BeforeRestore,
            name: None,
            by: Some(granted.grant.subject.clone()),
            entry: Some(entry),
        };
        let before = match self.make_version(&cell, wanted).await {
            Ok(before) => before,
            Err(NotMade::Fault(fault)) => return Err(fault.into()),
            Err(NotMade::Full | NotMade::Unchanged) => return Err(Failed::Work(NotRestored::Full)),
        };
        let decide = move |current: &dyn Records| {
            let writes = differences(current, &records);
            let removed = writes.iter().filter(|write| write.record.is_none()).count();
            let counts = (writes.len().saturating_sub(removed), removed);
            Ok::<_, NotRestored>((writes, counts))
        };
        let authority = Authority::Granted(Box::new(granted));
        let (set, removed) = self.write_content(authority, Basis::Any, decide).await?;
        Ok(Restored { before, set, removed })
    }
}

fn without_work<E>(failed: Failed<Infallible>) -> Failed<E> {
    match failed {
        Failed::Fault(fault) => Failed::Fault(fault),
        Failed::Unsupported => Failed::Unsupported,
        Failed::Busy => Failed::Busy,
        Failed::Work(never) => match never {},
    }
}

/// The whole state of a room's board, in the form that versions share the most in.
fn compacted(cell: &RoomCell) -> Bytes {
    let mut snapshot = cell.lock().snapshot();
    snapshot.compacted()
}

/// The state with the most on it that a board had since its last full state; `None` where that is less than
/// was known of.
fn fullest(stored: StoredBoard, least: u64) -> Option<Bytes> {
    let begin = || match &stored.snapshot {
        Some((_, state)) => Board::load(state.clone(), Budgets::UNBOUNDED).ok(),
        None => Some(Board::new(Budgets::UNBOUNDED)),
    };
    let mut board = begin()?;
    let (mut most, mut at) = (board.live_count(), 0);
    for (number, (_, update)) in (1..).zip(&stored.updates) {
        board.replay(update).ok()?;
        let live = board.live_count();
        if live >= most {
            (most, at) = (live, number);
        }
    }
    if most < least {
        return None;
    }
    let mut board = begin()?;
    for (_, update) in stored.updates.iter().take(at) {
        board.replay(update).ok()?;
    }
    Some(board.snapshot().compacted())
}

/// All records by key; `None` for what stands there and is none: that is left alone.
fn all_records(records: &dyn Records) -> BTreeMap<String, Option<Record>> {
    let keys = records.keys().into_iter();
    keys.map(|key| {
        let record = records.get(&key);
        (key, record)
    })
    .collect()
}

/// What makes the records that there are those that there should be.
fn differences(current: &dyn Records, wanted: &BTreeMap<String, Option<Record>>) -> Vec<Write> {
    let mut writes: Vec<Write> = wanted
        .iter()
        .filter(|(key, record)| record.is_some() && current.get(key) != **record)
        .map(|(key, record)| Write {
            key: key.clone(),
            record: record.clone(),
        })
        .collect();
    let there: BTreeSet<String> = current.keys().into_iter().collect();
    let gone = there.into_iter().filter(|key| !wanted.contains_key(key));
    writes.extend(gone.map(|key| Write { key, record: None }));
    writes
}
