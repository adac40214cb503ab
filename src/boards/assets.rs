//! Assets: brought part by part, given part by part, and removed when nothing names them.
//!
//! Owns [`Upload`], [`Download`], and how many uploads there are at a time. Must not know HTTP. Key
//! invariants: an upload that is dropped before its end leaves nothing; no more than two parts of one are in
//! memory; an asset is told of only once it is durable. Tests: tests/it/assets.rs.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use smol::channel::Receiver;

use crate::asset::{AssetHash, Told, addresses_in};
use crate::boards::Boards;
use crate::boards::rights::Granted;
use crate::fault::Fault;
use crate::ids::{BoardId, Level, Subject};
use crate::limits;
use crate::store::{Applied, AssetChange, Became, Change, Stored, StoredAsset, StoredBoard, UploadId};
use crate::time::UnixMillis;

/// Who is uploading, and how often.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<HashMap<Subject, usize>>);

/// Why no upload begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crowded {
    /// By others.
    ByAll,
    /// By the same one.
    ByOne,
}

impl Uploads {
    fn of(&self) -> MutexGuard<'_, HashMap<Subject, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, subject: &Subject) -> Result<(), Crowded> {
        let mut of = self.of();
        if of
            .get(subject)
            .is_some_and(|one| *one >= limits::UPLOADS_OF_ONE_AT_ONCE)
        {
            return Err(Crowded::ByOne);
        }
        if of.values().sum::<usize>() >= limits::UPLOADS_AT_ONCE {
            return Err(Crowded::ByAll);
        }
        *of.entry(subject.clone()).or_default() += 1;
        Ok(())
    }

    fn end(&self, subject: &Subject) {
        let mut of = self.of();
        if let Some(one) = of.get_mut(subject) {
            *one -= 1;
            if *one == 0 {
                of.remove(subject);
            }
        }
    }
}

/// An upload under way.
pub(crate) struct Upload {
    boards: Arc<Boards>,
    subject: Subject,
    id: UploadId,
    parts: u32,
    bytes: u64,
    hash: Sha256,
    /// What becomes of the part that was written last.
    writing: Option<Receiver<Applied>>,
}

/// What came of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    /// The board has it now.
    New(StoredAsset),
    /// The board had it.
    Known(StoredAsset),
    /// The board has as many assets as it may.
    TooMany,
    /// They would have more bytes than they may.
    Full,
}

impl Upload {
    /// Adds a part: full, but for the last one.
    ///
    /// # Errors
    /// [`Fault::StoreFailed`].
    pub(crate) async fn add(&mut self, bytes: Vec<u8>) -> Result<(), Fault> {
        let boards = Arc::clone(&self.boards);
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut hash = std::mem::take(&mut self.hash);
        let (hash, bytes) = boards
            .work_off_thread(move || {
                hash.update(&bytes);
                (hash, Bytes::from(bytes))
            })
            .await;
        self.hash = hash;
        self.written().await?;
        boards.disk_takes_large(bytes.len()).await;
        let part = AssetChange::Part {
            upload: self.id,
            part: self.parts,
            bytes,
            at: boards.now().unix,
        };
        self.parts = self.parts.saturating_add(1);
        self.writing = Some(boards.committer.submit_awaited(Change::Asset(part), None));
        Ok(())
    }

    /// Waits until the part that was written last is durable.
    async fn written(&mut self) -> Result<(), Fault> {
        let Some(writing) = self.writing.take() else {
            return Ok(());
        };
        match writing.recv().await {
            Ok(Applied::Done) => Ok(()),
            Ok(_) | Err(_) => Err(Fault::StoreFailed),
        }
    }

    /// Makes it an asset of the board, by rights that hold now.
    ///
    /// # Errors
    /// As [`Boards::act`], and those of a right that is gone.
    pub(crate) async fn finish(mut self, granted: Granted, told: Told) -> Result<Brought, Fault> {
        self.written().await?;
        let boards = Arc::clone(&self.boards);
        let granted = boards.reconsider(granted).await?;
        if granted.grant.level != Level::Edit {
            boards.note_refusal(&granted.board, granted.actor, Fault::NoPermission);
            return Err(Fault::NoPermission);
        }
        let now = boards.now().unix;
        let asset = StoredAsset {
            hash: AssetHash(std::mem::take(&mut self.hash).finalize().into()),
            upload: self.id,
            kind: told.kind,
            bytes: self.bytes,
            size: told.size,
            created_by: self.subject.clone(),
            created_at: now,
            named_at: now,
        };
        let finish = AssetChange::Finish {
            board: granted.board.clone(),
            asset: Box::new(asset.clone()),
            bytes_max: boards.settings.assets_bytes,
        };
        match boards.submit_act(Change::Asset(finish)).await? {
            Applied::Done => {
                // Nothing of it is to be removed.
                self.parts = 0;
                Ok(Brought::New(asset))
            }
            Applied::Exists => {
                // As long as it stays when it is brought.
                let hashes = vec![asset.hash];
                boards.name_assets(&granted.board, hashes, now).await?;
                Ok(Brought::Known(asset))
            }
            Applied::TooMany => Ok(Brought::TooMany),
            Applied::AssetsFull => Ok(Brought::Full),
            _ => Err(Fault::StoreFailed),
        }
    }
}

impl Drop for Upload {
    /// What is no asset by now never will be one.
    fn drop(&mut self) {
        self.boards.uploads.end(&self.subject);
        if self.parts > 0 {
            let committer = &self.boards.committer;
            committer.submit(Change::Asset(AssetChange::Drop(self.id)), None);
            committer.prune_uploads(self.boards.oldest_upload());
        }
    }
}

/// An asset on its way out.
pub(crate) struct Download {
    boards: Arc<Boards>,
    asset: StoredAsset,
    /// Bytes that are still to be given.
    at: u64,
    end: u64,
}

impl Download {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// [`Fault::StateUnreadable`]; also where the asset has been removed meanwhile.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.at >= self.end {
            return Ok(None);
        }
        let part_bytes = u64::try_from(limits::ASSET_PART_BYTES).unwrap_or(u64::MAX);
        let upload = self.asset.upload;
        let part = u32::try_from(self.at / part_bytes).unwrap_or(u32::MAX);
        let read = self.boards.read(move |store| store.asset_part(upload, part));
        let bytes = read.await?.ok_or(Fault::StateUnreadable)?;
        let within = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let from = within(self.at % part_bytes);
        let left = within(self.end.saturating_sub(self.at));
        let to = bytes.len().min(from.saturating_add(left));
        if from >= to {
            return Err(Fault::StateUnreadable);
        }
        self.at = self.at.saturating_add(u64::try_from(to - from).unwrap_or(0));
        Ok(Some(bytes.slice(from..to)))
    }
}

/// The assets that a stored document names. Its records stand in it as they are.
fn named_in(stored: &StoredBoard) -> BTreeSet<AssetHash> {
    let state = stored.snapshot.iter().map(|(_, state)| state);
    let updates = stored.updates.iter().map(|(_, update)| update);
    state
        .chain(updates)
        .flat_map(|bytes| addresses_in(bytes))
        .collect()
}

impl Boards {
    /// Uploads that began before this are over.
    pub(super) fn oldest_upload(&self) -> UnixMillis {
        let kept = u64::try_from(limits::UPLOAD_KEPT.as_millis()).unwrap_or(u64::MAX);
        UnixMillis(self.now().unix.0.saturating_sub(kept))
    }

    /// Begins an upload of somebody.
    ///
    /// # Errors
    /// [`Crowded`].
    pub(crate) fn begin_upload(self: &Arc<Self>, subject: &Subject) -> Result<Upload, Crowded> {
        self.uploads.begin(subject)?;
        let mut id = [0; 16];
        for half in id.chunks_exact_mut(8) {
            half.copy_from_slice(&self.host.random().to_le_bytes());
        }
        Ok(Upload {
            boards: Arc::clone(self),
            subject: subject.clone(),
            id: UploadId(id),
            parts: 0,
            bytes: 0,
            hash: Sha256::new(),
            writing: None,
        })
    }

    /// An asset of a board.
    ///
    /// # Errors
    /// [`Fault::StateUnreadable`].
    pub(crate) async fn asset(
        self: &Arc<Self>,
        board: &BoardId,
        hash: AssetHash,
    ) -> Result<Option<StoredAsset>, Fault> {
        let board = board.clone();
        self.read(move |store| store.asset(&board, &hash)).await
    }

    /// Gives the bytes of an asset from `from` to `end`, exclusive.
    pub(crate) fn download(self: &Arc<Self>, asset: StoredAsset, (from, end): (u64, u64)) -> Download {
        Download {
            boards: Arc::clone(self),
            end: end.min(asset.bytes),
            at: from,
            asset,
        }
    }

    /// Looks once a day which assets the documents of all boards name, and removes those that none has named
    /// for so long.
    pub(super) async fn keep_assets(self: Arc<Self>) {
        let mut wait = limits::ASSETS_SWEPT_FIRST;
        loop {
            self.host.sleep(wait).await;
            wait = limits::ASSETS_SWEPT_EVERY;
            // What could not be read is told where it was; another day is as good.
            self.sweep_all().await.unwrap_or_default();
        }
    }

    async fn sweep_all(self: &Arc<Self>) -> Result<(), Fault> {
        let mut last: Option<BoardId> = None;
        loop {
            let from = last.clone();
            let page = self.read(move |store| store.used(from.as_ref(), limits::PAGE_ITEMS_MAX));
            let mut page = page.await?;
            page.retain(|used| last.as_ref() != Some(&used.board));
            let Some(end) = page.last() else { return Ok(()) };
            last = Some(end.board.clone());
            for used in page {
                if used.became == Ok(Became::Live) && self.sweep(&used.board).await? {
                    self.host.sleep(limits::ASSETS_SWEEP_REST).await;
                }
            }
        }
    }

    /// Looks at one board; false where it has no assets.
    pub(super) async fn sweep(self: &Arc<Self>, board: &BoardId) -> Result<bool, Fault> {
        let asked = board.clone();
        let read = self.read(move |store| {
            let assets = store.assets(&asked, None, usize::MAX)?;
            let versions = match assets.is_empty() {
                true => Vec::new(),
                false => store.assets_of_versions(&asked)?,
            };
            Ok((assets, versions))
        });
        let (assets, versions) = read.await?;
        if assets.is_empty() {
            return Ok(false);
        }
        let (store, asked) = (Arc::clone(&self.store), board.clone());
        let named = self.unblock(move || match store.load(&asked) {
            Ok(Stored::Present(stored)) => Some(named_in(&stored)),
            // Where it cannot be read, nothing is known.
            _ => None,
        });
        let Some(mut named) = named.await else {
            return Ok(true);
        };
        named.extend(versions);
        let now = self.now().unix;
        let unnamed = |asset: &&StoredAsset| !named.contains(&asset.hash);
        let hashes = |assets: Vec<&StoredAsset>| assets.iter().map(|asset| asset.hash).collect::<Vec<_>>();
        let gone = hashes(assets.iter().filter(unnamed).collect());
        let there = hashes(assets.iter().filter(|asset| !unnamed(asset)).collect());
        if !there.is_empty() {
            self.name_assets(board, there, now).await?;
        }
        if !gone.is_empty() {
            let kept = u64::try_from(limits::ASSET_UNNAMED_KEPT.as_millis()).unwrap_or(u64::MAX);
            let remove = AssetChange::Remove {
                board: board.clone(),
                hashes: gone,
                before: UnixMillis(now.0.saturating_sub(kept)),
            };
            if self.submit_act(Change::Asset(remove)).await? == Applied::Done {
                tracing::info!(%board, "pictures that nothing names any more were removed");
                self.committer.prune_uploads(self.oldest_upload());
            }
        }
        Ok(true)
    }

    /// Notes that a board names some assets.
    async fn name_assets(
        &self,
        board: &BoardId,
        hashes: Vec<AssetHash>,
        at: UnixMillis,
    ) -> Result<(), Fault> {
        let board = board.clone();
        let name = AssetChange::Name { board, hashes, at };
        self.submit_act(Change::Asset(name)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::{AssetAddress, AssetKind};
    use crate::audit::{Action, Actor, Entry, EntryKey};
    use crate::boards::harness;
    use crate::store::memory::MemoryStore;
    use crate::store::{Act, Registry as _, Store as _};

    #[test]
    fn what_no_record_names_goes_after_its_time_and_what_one_names_never_does() {
        let store = Arc::new(MemoryStore::default());
        let (boards, executor) = harness::boards(harness::settings(), Arc::clone(&store) as Arc<_>);
        let board = BoardId::parse("b").unwrap();
        let now = boards.now().unix.0;
        let kept = u64::try_from(limits::ASSET_UNNAMED_KEPT.as_millis()).unwrap();
        // Named last at the edge of its time, and a minute to either side.
        let ages = [kept + 60_000, kept + 60_000, kept - 60_000, 0];
        let assets: Vec<StoredAsset> = (1..)
            .zip(ages)
            .map(|(number, age)| StoredAsset {
                hash: AssetHash([number; 32]),
                upload: UploadId([number; 16]),
                kind: AssetKind::Png,
                bytes: 3,
                size: None,
                created_by: Actor::unknown().subject,
                created_at: UnixMillis(1),
                named_at: UnixMillis(now - age),
            })
            .collect();
        let address = AssetAddress {
            board: &board,
            hash: assets[0].hash,
        };
        let entry = EntryKey {
            at: UnixMillis(1),
            n: 0,
        };
        let mut changes = vec![
            Change::Act {
                board: board.clone(),
                act: Act::Create {
                    owner: None,
                    title: None,
                },
                as_owner: None,
                entry: Box::new(Entry::new(entry, Actor::unknown(), Action::BoardCreate)),
            },
            Change::Append {
                board: board.clone(),
                sequence: 1,
                update: format!("x{address}\"").into(),
                at: UnixMillis(1),
            },
        ];
        for asset in &assets {
            changes.push(Change::Asset(AssetChange::Part {
                upload: asset.upload,
                part: 0,
                bytes: Bytes::from_static(b"abc"),
                at: UnixMillis(now),
            }));
            changes.push(Change::Asset(AssetChange::Finish {
                board: board.clone(),
                asset: Box::new(asset.clone()),
                bytes_max: u64::MAX,
            }));
        }
        assert_eq!(store.commit(&changes), Ok(vec![Applied::Done; changes.len()]));
        let swept = smol::block_on(executor.run(boards.sweep(&board)));
        assert_eq!(swept, Ok(true));
        let there = store.assets(&board, None, 9).unwrap();
        let hashes: Vec<_> = there.iter().map(|asset| asset.hash).collect();
        assert_eq!(hashes, [assets[0].hash, assets[2].hash, assets[3].hash]);
        assert!(there[0].named_at.0 >= now, "it was seen just now");
        assert_eq!(there[1].named_at, assets[2].named_at);
        let never = BoardId::parse("never").unwrap();
        assert_eq!(smol::block_on(executor.run(boards.sweep(&never))), Ok(false));
    }

    #[test]
    fn one_uploads_so_many_at_a_time_and_so_do_all() {
        let uploads = Uploads::default();
        let subject = |number: usize| Subject::parse(&format!("user:{number}")).unwrap();
        for number in 0..limits::UPLOADS_AT_ONCE {
            let one = subject(number / limits::UPLOADS_OF_ONE_AT_ONCE);
            assert_eq!(uploads.begin(&one), Ok(()), "{number}");
        }
        assert_eq!(uploads.begin(&subject(0)), Err(Crowded::ByOne));
        assert_eq!(uploads.begin(&subject(99)), Err(Crowded::ByAll));
        uploads.end(&subject(0));
        assert_eq!(uploads.begin(&subject(99)), Ok(()));
        for number in 0..limits::UPLOADS_AT_ONCE {
            uploads.end(&subject(number / limits::UPLOADS_OF_ONE_AT_ONCE));
        }
        uploads.end(&subject(99));
        assert!(uploads.of().is_empty());
    }
}
