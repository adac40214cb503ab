//! The store in PostgreSQL, which several nodes may share.
//!
//! Owns `PgStore`, and what it must remember between calls. This file and those in `postgres/` are the only
//! ones that name tokio_postgres. Must not know rooms, sessions or the sockets of clients. Key invariants: a
//! commit counts only when all of it has succeeded; after one that failed nothing is written until the store
//! was opened anew, by when a commit whose answer was lost has ended one way or the other; what decides about
//! a change is decided in its own transaction, also which node has the board. Tests: what every store must do
//! in `contract/`; what is about PostgreSQL in `postgres/tests.rs`.
//!
//! All methods block their thread, on sockets that no executor knows. The tables are in `postgres/schema.rs`.

mod access;
mod address;
mod assets;
mod batch;
mod commit;
mod link;
mod links;
mod owners;
mod ownership;
#[cfg(test)]
#[path = "../../tests/support/proxy.rs"]
pub(crate) mod proxy;
mod read;
mod rows;
mod schema;
#[cfg(test)]
#[path = "../../tests/support/postgres.rs"]
pub(crate) mod server;
mod sessions;
#[cfg(test)]
mod tests;
mod versions;
mod webhooks;
mod write;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

pub use self::address::{Address, EXPECTED};
use self::link::{Link, sql};
use self::links::{Links, Purpose};
use self::owners::{Counted, Owners};
pub use self::schema::Server;
use super::owners::{Account, Quotas};
use super::ownership::{Joining, Lease, NodeSeen, Ownership, Whereabouts};
use super::{
    Applied, BoardLog, Change, ChunkHash, Footprint, Holder, Listed, OpenError, Reclaimed, Registry, Shared,
    Store, StoreError, Stored, StoredAsset, StoredBoard, StoredSecret, StoredSession, StoredVersion,
    StoredWebhook, Summary, Trashed, Trouble, UploadId, Used, VersionId, WhichSessions,
};
use crate::access::secret::SecretKind;
use crate::access::{Asked, Facts, SecretFacts};
use crate::asset::AssetHash;
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId, UserId};
use crate::limits;
use crate::time::UnixMillis;

/// Codes of a transaction that the database undid because of another one: nothing of it is there.
const UNDONE: [&str; 3] = ["40001", "40P01", "23505"];

/// Bytes of all tables and indexes, and of all documents.
const MEASURE: &str = "
    SELECT coalesce((SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'), 0)::bigint AS file,
        (coalesce((SELECT sum(state_bytes + log_bytes) FROM boards WHERE deleted_at IS NULL OR trashed), 0)
            + coalesce((SELECT sum(bytes) FROM assets), 0)
            + coalesce((SELECT sum(octet_length(bytes)) FROM version_chunks), 0))::bigint AS live";

const PRUNE: &str = "
    DELETE FROM audit WHERE (board, at, n) IN (SELECT board, at, n FROM audit WHERE at < $1 ORDER BY at LIMIT $2)
    RETURNING at";

/// Opens the database, and makes the tables where there are none.
///
/// # Errors
/// [`OpenError::Database`], and [`OpenError::NoFormat`] for a schema that is another program's.
pub fn open(address: &Address, quotas: Quotas) -> Result<Shared, OpenError> {
    PgStore::open(address, quotas).map(shared)
}

/// Opens the database to be read by who moves its boards, or lists its nodes: nothing is made there.
///
/// # Errors
/// As [`open`]; [`Trouble::NoSchema`] where there are no tables.
pub fn open_untouched(address: &Address) -> Result<Shared, OpenError> {
    PgStore::open_by(address, Quotas::UNBOUNDED, schema::expect).map(shared)
}

/// Looks at a database, and changes nothing: what it is, how long it takes to answer, and why its tables are
/// none that this program could use as they are.
///
/// # Errors
/// As [`open_untouched`], but for what is about the tables.
pub fn look(address: &Address) -> Result<(Server, Duration, Option<OpenError>), OpenError> {
    let links = Links::new(address.clone());
    links.with(Purpose::Commit, |link| {
        let server = schema::server(link)?;
        let begun = Instant::now();
        schema::server(link)?;
        let took = begun.elapsed();
        let unusable = schema::expect(link, &address.schema).err();
        Ok((server, took, unusable))
    })
}

fn shared(store: PgStore) -> Shared {
    let store = Arc::new(store);
    Shared {
        ownership: Arc::clone(&store) as Arc<dyn Ownership>,
        store,
    }
}

/// A store in a PostgreSQL database.
pub(crate) struct PgStore {
    links: Links,
    /// What the commits of this handle lock, so that opening it anew can wait for one.
    key: i64,
    me: Mutex<Option<i64>>,
    poisoned: AtomicBool,
    /// Closed for good, or not opened again yet.
    closed: AtomicBool,
    owners: Owners,
    file_bytes: AtomicU64,
    live_bytes: AtomicU64,
}

impl std::fmt::Debug for PgStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgStore")
            .field("address", self.links.address())
            .field("poisoned", &self.poisoned)
            .finish_non_exhaustive()
    }
}

impl PgStore {
    /// As [`open`].
    pub(crate) fn open(address: &Address, quotas: Quotas) -> Result<Self, OpenError> {
        Self::open_by(address, quotas, schema::ensure)
    }

    fn open_by(
        address: &Address,
        quotas: Quotas,
        look: impl FnOnce(&mut Link, &str) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| OpenError::Io {
            kind: std::io::ErrorKind::Other,
            code: None,
        })?;
        let store = Self {
            links: Links::new(address.clone()),
            key: i64::from_le_bytes(random),
            me: Mutex::new(None),
            poisoned: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            owners: Owners::new(quotas),
            file_bytes: AtomicU64::new(0),
            live_bytes: AtomicU64::new(0),
        };
        store.links.with(Purpose::Commit, |link| {
            schema::look_at_server(link)?;
            look(link, &address.schema)?;
            Ok::<(), OpenError>(store.measure(link)?)
        })?;
        Ok(store)
    }

    fn me(&self) -> Option<i64> {
        *self.me.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn measure(&self, link: &mut Link) -> Result<(), StoreError> {
        let answers = link.run(&[sql(MEASURE)], limits::DATABASE_ANSWER_TIME_MAX)?;
        if let Some(row) = answers.iter().flatten().next() {
            let bytes = |name| rows::unsigned(row, name).map_err(StoreError::Unreadable);
            self.file_bytes.store(bytes("file")?, Ordering::Relaxed);
            self.live_bytes.store(bytes("live")?, Ordering::Relaxed);
        }
        Ok(())
    }

    fn refuse_if_closed(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        Ok(())
    }

    fn ask<T>(&self, question: impl FnOnce(&Links) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.refuse_if_closed()?;
        question(&self.links)
    }

    /// Uses the link of commits.
    fn attempt<T>(&self, work: impl FnOnce(&mut Link) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned);
        }
        self.links.with(Purpose::Commit, work)
    }

    /// Lets nothing more be written, when `result` says that a write failed.
    fn poison_on_error<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        result
    }

    /// Changes something; where it is not certain that it was, the store is poisoned.
    fn change<T>(&self, work: impl FnOnce(&mut Link) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.poison_on_error(self.attempt(work))
    }

    fn commit_once(&self, link: &mut Link, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        let mut batch = commit::begin(link, (self.key, self.me()), &self.owners, changes)?;
        let applied: Vec<Applied> = changes.iter().map(|change| batch.apply(change)).collect();
        if !applied.contains(&Applied::Done) {
            commit::give_up(link)?;
            return Ok(applied);
        }
        commit::finish(link, &batch)?;
        self.owners.apply(batch.moves());
        Ok(applied)
    }

    /// What owners have, as of now.
    fn count(&self, owners: &[UserId]) -> Result<BTreeMap<UserId, Counted>, StoreError> {
        let names = owners.iter().map(UserId::as_str).collect();
        let answers = self.links.read(vec![sql(commit::COUNT).texts(names)])?;
        commit::decode_counted(answers.first().map_or(&[], Vec::as_slice))
    }

    /// Opens the database anew; commits of this handle that are still under way there end first.
    fn open_again(&self) -> Result<(), StoreError> {
        self.links.renew();
        self.links.with(Purpose::Commit, |link| {
            schema::ensure(link, &self.links.address().schema).map_err(StoreError::Open)?;
            // It may take as long as one statement of the other session may.
            let patience = sql("SELECT set_config('lock_timeout', '0', true)");
            let wait = [
                sql("BEGIN"),
                patience,
                sql(commit::LOCK).number(self.key),
                sql("COMMIT"),
            ];
            link.run(&wait, limits::DATABASE_ANSWER_TIME_MAX)?;
            self.measure(link)
        })?;
        let held = self.owners.all();
        let counted = self.count(&held)?;
        self.owners.set(&held, &counted);
        Ok(())
    }

    /// Uses the link that takes boards and lets them go, as a node.
    fn as_node<T>(
        &self,
        none: T,
        work: impl FnOnce(&mut Link, i64) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.refuse_if_closed()?;
        match self.me() {
            Some(me) => self.links.with(Purpose::Boards, |link| work(link, me)),
            None => Ok(none),
        }
    }
}

impl BoardLog for PgStore {
    fn load(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        self.ask(|links| read::load(links, board, read::Which::Live))
    }

    fn load_kept(&self, board: &BoardId) -> Result<Stored<StoredBoard>, StoreError> {
        self.ask(|links| read::load(links, board, read::Which::Kept))
    }
}

impl Registry for PgStore {
    fn summary(&self, board: &BoardId) -> Result<Stored<Summary>, StoreError> {
        self.ask(|links| read::summary(links, board))
    }

    fn access(&self, board: &BoardId, asked: &Asked) -> Result<Facts, StoreError> {
        self.ask(|links| read::access(links, board, asked))
    }

    fn find_secrets(&self, ids: &[SecretId]) -> Result<BTreeMap<SecretId, SecretFacts>, StoreError> {
        self.ask(|links| read::find_secrets(links, ids))
    }

    fn list(
        &self,
        holder: &Holder,
        after: Option<&BoardId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.ask(|links| read::list(links, holder, after, limit))
    }

    fn trash(
        &self,
        holder: &Holder,
        after: Option<&BoardId>,
        limit: usize,
    ) -> Result<Vec<Trashed>, StoreError> {
        self.ask(|links| read::trash(links, holder, after, limit))
    }

    fn trashed(&self, board: &BoardId) -> Result<Option<Trashed>, StoreError> {
        self.ask(|links| read::trashed(links, board))
    }

    fn grants(
        &self,
        board: &BoardId,
        after: Option<&Principal>,
        limit: usize,
    ) -> Result<Vec<(Principal, Level)>, StoreError> {
        self.ask(|links| read::grants(links, board, after, limit))
    }

    fn secrets(
        &self,
        board: &BoardId,
        kind: SecretKind,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Result<Vec<(SecretId, StoredSecret)>, StoreError> {
        self.ask(|links| read::secrets(links, (board, kind), after, limit))
    }

    fn webhooks(&self, board: &BoardId) -> Result<Vec<StoredWebhook>, StoreError> {
        self.ask(|links| read::webhooks(links, board))
    }

    fn asset(&self, board: &BoardId, hash: &AssetHash) -> Result<Option<StoredAsset>, StoreError> {
        self.ask(|links| assets::one(links, board, hash))
    }

    fn assets(
        &self,
        board: &BoardId,
        after: Option<&AssetHash>,
        limit: usize,
    ) -> Result<Vec<StoredAsset>, StoreError> {
        self.ask(|links| assets::some(links, board, after, limit))
    }

    fn asset_part(&self, upload: UploadId, part: u32) -> Result<Option<Bytes>, StoreError> {
        self.ask(|links| assets::part(links, upload, part))
    }

    fn versions(
        &self,
        board: &BoardId,
        before: Option<VersionId>,
        limit: usize,
    ) -> Result<Vec<StoredVersion>, StoreError> {
        self.ask(|links| versions::some(links, board, before, limit))
    }

    fn version(&self, board: &BoardId, id: VersionId) -> Result<Option<(StoredVersion, Bytes)>, StoreError> {
        self.ask(|links| versions::one(links, board, id))
    }

    fn version_chunks(&self, board: &BoardId) -> Result<BTreeMap<ChunkHash, Bytes>, StoreError> {
        self.ask(|links| versions::chunks(links, board))
    }

    fn audit(
        &self,
        board: &BoardId,
        before: Option<EntryKey>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.ask(|links| read::audit(links, board, before, limit))
    }

    fn session(&self, id: &SecretId) -> Result<Option<StoredSession>, StoreError> {
        self.ask(|links| sessions::one(links, id))
    }

    fn sessions(
        &self,
        which: &WhichSessions,
        after: Option<&SecretId>,
        limit: usize,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.ask(|links| sessions::some(links, which, after, limit))
    }

    fn revoked_sessions(&self, since: UnixMillis) -> Result<Vec<SecretId>, StoreError> {
        self.ask(|links| sessions::revoked(links, since))
    }

    fn used(&self, from: Option<&BoardId>, limit: usize) -> Result<Vec<Used>, StoreError> {
        self.ask(|links| read::used(links, from, limit))
    }

    fn account(&self, owner: &UserId) -> Arc<Account> {
        if let Some(account) = self.owners.held(owner) {
            return account;
        }
        // Where it cannot be counted now, the next commit does it, and no board is made without one.
        let counted = self.ask(|_| self.count(std::slice::from_ref(owner)));
        let counted = counted.ok().and_then(|counted| counted.get(owner).copied());
        self.owners.keep(owner, counted.unwrap_or_default())
    }
}

impl Store for PgStore {
    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        if changes.is_empty() {
            return self.attempt(|_| Ok(Vec::new()));
        }
        let mut tries = 1;
        loop {
            let committed = self.attempt(|link| self.commit_once(link, changes));
            match &committed {
                Err(StoreError::Database(Trouble::Refused(code)))
                    if UNDONE.contains(&code.as_str()) && tries < limits::DATABASE_TRIES_MAX =>
                {
                    tracing::debug!(%code, "the database undid a commit; it is tried again");
                    tries += 1;
                }
                _ => return self.poison_on_error(committed),
            }
        }
    }

    fn probe(&self) -> Result<(), StoreError> {
        self.change(|link| {
            let write = sql("UPDATE format SET probed_at = clock_timestamp()");
            link.run(&[write], limits::DATABASE_ANSWER_TIME_MAX)?;
            Ok(())
        })
    }

    fn reopen(&self) -> Result<(), StoreError> {
        self.closed.store(true, Ordering::Release);
        self.poisoned.store(true, Ordering::Release);
        self.open_again()
            .map_err(|error| StoreError::Open(error.into()))?;
        self.poisoned.store(false, Ordering::Release);
        self.closed.store(false, Ordering::Release);
        Ok(())
    }

    fn footprint(&self) -> Footprint {
        Footprint {
            file_bytes: self.file_bytes.load(Ordering::Relaxed),
            live_bytes: self.live_bytes.load(Ordering::Relaxed),
        }
    }

    fn reclaim(&self) -> Result<Reclaimed, StoreError> {
        // The database does it by itself, in autovacuum.
        self.change(|_| Ok(Reclaimed::Nothing))
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.poisoned.store(true, Ordering::Release);
        self.links.renew();
    }

    fn prune_uploads(&self, before: UnixMillis) -> Result<bool, StoreError> {
        let most = limits::UPLOAD_PARTS_PRUNED_AT_ONCE;
        self.change(|link| {
            let prune = [
                sql("BEGIN"),
                sql(commit::LOCK).number(self.key),
                sql(assets::GIVE_UP).number(rows::signed(before.0)),
                sql(assets::PRUNE_PARTS).number(i64::try_from(most).unwrap_or(i64::MAX)),
                sql(assets::PRUNE),
                sql("COMMIT"),
            ];
            let answers = link.run(&prune, limits::DATABASE_ANSWER_TIME_MAX)?;
            Ok(answers.get(3).is_some_and(|parts| parts.len() >= most))
        })
    }

    fn prune_sessions(&self, before: UnixMillis) -> Result<(), StoreError> {
        self.change(|link| {
            let prune = [
                sql("BEGIN"),
                sql(commit::LOCK).number(self.key),
                sql(sessions::PRUNE).number(rows::signed(before.0)),
                sql("COMMIT"),
            ];
            link.run(&prune, limits::DATABASE_ANSWER_TIME_MAX)?;
            Ok(())
        })
    }

    fn prune_audit(&self, before: UnixMillis) -> Result<bool, StoreError> {
        self.change(|link| {
            let most = i64::try_from(limits::DATABASE_PRUNED_AT_ONCE_MAX).unwrap_or(i64::MAX);
            let prune = [
                sql("BEGIN"),
                sql(commit::LOCK).number(self.key),
                sql(PRUNE).number(rows::signed(before.0)).number(most),
                sql("COMMIT"),
            ];
            let answers = link.run(&prune, limits::DATABASE_ANSWER_TIME_MAX)?;
            let removed = answers.get(2).map_or(0, Vec::len);
            let is_more = removed >= limits::DATABASE_PRUNED_AT_ONCE_MAX;
            if !is_more {
                self.measure(link)?;
            }
            Ok(is_more)
        })
    }
}

impl Ownership for PgStore {
    fn join(&self, joining: &Joining) -> Result<Lease, StoreError> {
        self.refuse_if_closed()?;
        let before = self.me();
        let joined = self
            .links
            .with(Purpose::Lease, |link| ownership::join(link, joining, before));
        let (node, lease) = joined?;
        if node.is_some() {
            *self.me.lock().unwrap_or_else(PoisonError::into_inner) = node;
        }
        Ok(lease)
    }

    fn renew(&self) -> Result<Lease, StoreError> {
        self.refuse_if_closed()?;
        self.owners.grow_old();
        match self.me() {
            Some(me) => self.links.with(Purpose::Lease, |link| ownership::renew(link, me)),
            None => Ok(Lease::Lost),
        }
    }

    fn whereabouts(&self, board: &BoardId) -> Result<Whereabouts, StoreError> {
        self.refuse_if_closed()?;
        let me = self.me();
        self.links
            .with(Purpose::Read, |link| ownership::whereabouts(link, board, me))
    }

    fn claim(&self, board: &BoardId) -> Result<Whereabouts, StoreError> {
        match self.me() {
            Some(_) => self.as_node(Whereabouts::Nobody, |link, me| ownership::claim(link, board, me)),
            None => self.whereabouts(board),
        }
    }

    fn release(&self, boards: &[BoardId]) -> Result<(), StoreError> {
        self.as_node((), |link, me| ownership::release(link, boards, me))
    }

    fn leave(&self) -> Result<(), StoreError> {
        self.as_node((), ownership::leave)
    }

    fn nodes(&self) -> Result<Vec<NodeSeen>, StoreError> {
        self.refuse_if_closed()?;
        self.links.with(Purpose::Read, ownership::nodes)
    }
}
