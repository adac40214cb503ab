//! A board with all that is kept of it, as it goes from one store to another.
//!
//! Owns [`Whole`], and how it is read through the seams. Must not know how anything is stored. Key invariant:
//! what cannot be read whole is an error, and never less of a board. Tests: `contract/whole.rs`.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    ChunkHash, Damage, Store, StoreError, Stored, StoredAsset, StoredBoard, StoredSecret, StoredVersion,
    StoredWebhook,
};
use crate::access::secret::SecretKind;
use crate::audit::Entry;
use crate::ids::{BoardId, Level, Principal};
use crate::time::UnixMillis;

/// An id that was used: of a board that is there, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// Which.
    pub board: BoardId,
    /// What became of it. Or that its record cannot be read.
    pub became: Result<Became, Damage>,
}

/// What became of a board that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It is there.
    Live,
    /// It was put into the trash then.
    Trashed(UnixMillis),
    /// It was deleted then, and is gone.
    Deleted(UnixMillis),
}

/// All that is kept of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Which.
    pub board: BoardId,
    /// Whether it is there, and what it is.
    pub life: Life,
    /// Its audit entries, newest first. Those of a deleted board are kept too.
    pub audit: Vec<Entry>,
}

/// What became of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// It was deleted then.
    Deleted(UnixMillis),
    /// It is there.
    Live(Box<Living>),
    /// It is in the trash, since then.
    Trashed(UnixMillis, Box<Living>),
}

/// A board that is there, or in the trash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Living {
    /// Its record and its document.
    pub document: StoredBoard,
    /// Its grants.
    pub grants: Vec<(Principal, Level)>,
    /// Its links and keys.
    pub secrets: Vec<StoredSecret>,
    /// Its webhooks, by id.
    pub webhooks: Vec<StoredWebhook>,
    /// Its assets, by hash. Their parts go apart, and before it.
    pub assets: Vec<StoredAsset>,
    /// Its versions, newest first.
    pub versions: Vec<StoredVersion>,
    /// The chunks of their states.
    pub version_chunks: BTreeMap<ChunkHash, Bytes>,
}

/// What a grant, a link or key, or an entry weighs, about.
const ROW_WEIGHT: usize = 512;

/// How often a board is read while acts on it come between. Each takes a commit, and a read some of the time
/// of one: who comes so far has a board that is changed all the time, and gets it as it was read.
const READ_TRIES_MAX: usize = 16;

impl Whole {
    /// Reads a board, all of one moment; `None` where the id was never used.
    ///
    /// It takes several reads, and others may write between them. Whatever changes more than the document
    /// writes an audit entry with it, so that what was read is of one moment where no entry came.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] where anything of it cannot be read; others as the store has them.
    pub fn read(store: &(impl Store + ?Sized), board: &BoardId) -> Result<Option<Self>, StoreError> {
        let newest = |entries: &[Entry]| entries.first().map(|entry| entry.key);
        let mut tries = 0;
        loop {
            tries += 1;
            let before = newest(&store.audit(board, None, 1)?);
            let found = Self::read_once(store, board);
            let after = match &found {
                Ok(Some(whole)) => newest(&whole.audit),
                Ok(None) | Err(_) => newest(&store.audit(board, None, 1)?),
            };
            if before == after || tries == READ_TRIES_MAX {
                return found;
            }
        }
    }

    fn read_once(store: &(impl Store + ?Sized), board: &BoardId) -> Result<Option<Self>, StoreError> {
        let used = store.used(Some(board), 1)?;
        let Some(used) = used.into_iter().find(|used| used.board == *board) else {
            return Ok(None);
        };
        let life = match used.became.map_err(StoreError::Unreadable)? {
            Became::Deleted(at) => Life::Deleted(at),
            Became::Trashed(at) => {
                Life::Trashed(at, Box::new(Living::read(store, board, store.load_kept(board)?)?))
            }
            Became::Live => Life::Live(Box::new(Living::read(store, board, store.load(board)?)?)),
        };
        Ok(Some(Self {
            life,
            audit: store.audit(board, None, usize::MAX)?,
            board: used.board,
        }))
    }

    /// What it weighs in memory, in bytes, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        let rows = match self.life.living() {
            None => 0,
            // A webhook has an address of up to 2 KiB.
            Some(living) => (living.grants.len())
                .saturating_add(living.secrets.len())
                .saturating_add(living.assets.len())
                .saturating_add(living.webhooks.len().saturating_mul(8)),
        };
        rows.saturating_add(self.audit.len())
            .saturating_mul(ROW_WEIGHT)
            .saturating_add(self.document_bytes())
    }

    /// The bytes of its full state, of the updates since, and of its versions.
    #[must_use]
    pub fn document_bytes(&self) -> usize {
        let Some(living) = self.life.living() else {
            return 0;
        };
        let state = living.document.snapshot.iter().map(|(_, state)| state.len());
        let updates = living.document.updates.iter().map(|(_, update)| update.len());
        let chunks = living.version_chunks.values().map(Bytes::len);
        state.chain(updates).chain(chunks).fold(0, usize::saturating_add)
    }
}

impl Life {
    /// All that it has, unless it is gone.
    #[must_use]
    pub fn living(&self) -> Option<&Living> {
        match self {
            Self::Deleted(_) => None,
            Self::Live(living) | Self::Trashed(_, living) => Some(living),
        }
    }

    /// Since when it is in the trash.
    #[must_use]
    pub fn trashed_at(&self) -> Option<UnixMillis> {
        match self {
            Self::Trashed(at, _) => Some(*at),
            Self::Deleted(_) | Self::Live(_) => None,
        }
    }
}

impl Living {
    fn read(
        store: &(impl Store + ?Sized),
        board: &BoardId,
        document: Stored<StoredBoard>,
    ) -> Result<Self, StoreError> {
        let Stored::Present(document) = document else {
            return Err(StoreError::Unreadable(Damage::Disagreement));
        };
        let mut secrets = Vec::new();
        for kind in [SecretKind::Link, SecretKind::Key] {
            let found = store.secrets(board, kind, None, usize::MAX)?;
            secrets.extend(found.into_iter().map(|(_, secret)| secret));
        }
        Ok(Self {
            document,
            grants: store.grants(board, None, usize::MAX)?,
            secrets,
            webhooks: store.webhooks(board)?,
            assets: store.assets(board, None, usize::MAX)?,
            versions: store.versions(board, None, usize::MAX)?,
            version_chunks: store.version_chunks(board)?,
        })
    }

    /// Whether its updates go on where its full state ends, without a gap.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        let covered = self.document.snapshot.as_ref().map_or(0, |(covers, _)| *covers);
        let expected = (1..).map(|n| covered.checked_add(n));
        (self.document.updates.iter().zip(expected))
            .all(|((sequence, _), expected)| Some(*sequence) == expected)
    }
}
