//! A disk in memory that fails, fills up and loses power: for tests.
//!
//! Owns [`SimDisk`], a redb `StorageBackend` whose handles share one disk, and [`Replay`], every state in
//! which a power cut may leave it. The disk has one name; a copy may be made beside the file that has it, and
//! take the name over. Must not name anything of this crate, so that integration tests can include the file
//! too. Key invariant: an image holds every write to a file, and every renaming, synced before the cut, and
//! of the later ones any subset, torn or whole.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::redb::StorageBackend;

/// One operation that changes the disk; a file is meant by its number.
#[derive(Clone, Debug)]
enum Operation {
    Write(usize, u64, Vec<u8>),
    Length(usize, u64),
    Sync(usize),
    /// The name is this file's.
    Rename(usize),
    SyncName,
}

impl Operation {
    /// Whether a sync makes this operation durable.
    fn is_covered_by(&self, sync: &Self) -> bool {
        match (self, sync) {
            (Self::Write(file, ..) | Self::Length(file, _) | Self::Sync(file), Self::Sync(synced)) => {
                file == synced
            }
            (Self::Rename(_) | Self::SyncName, Self::SyncName) => true,
            _ => false,
        }
    }
}

/// Files, and which of them has the name.
#[derive(Clone, Debug)]
struct Files {
    content: Vec<Vec<u8>>,
    named: usize,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            content: vec![Vec::new()],
            named: 0,
        }
    }
}

#[derive(Debug, Default)]
struct Disk {
    /// What it held before the first recorded operation.
    base: Files,
    /// What is read.
    current: Files,
    operations: Vec<Operation>,
    recording: bool,
    /// Operations, reads included, that still succeed before each one fails; `None`: all.
    countdown: Option<u64>,
    /// Bytes the disk has room for.
    room: Option<u64>,
    /// Whether its file counts as no larger than it should be.
    is_small: bool,
    /// Whether its journal may be as long as that of a file.
    is_roomy: bool,
}

/// A disk; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<Disk>>);

impl SimDisk {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A disk with this content.
    pub fn with_content(content: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.disk().current.content = vec![content];
        disk
    }

    /// A handle, as opening the file gives one.
    pub fn handle(&self) -> io::Result<Handle> {
        Ok(Handle(self.clone(), self.disk().current.named))
    }

    /// A handle on a new file, which has no name yet.
    pub fn create_copy(&self) -> io::Result<Handle> {
        let mut disk = self.disk();
        disk.count_down()?;
        disk.current.content.push(Vec::new());
        // What no name leads to is gone with the power, so an empty file is there from the beginning.
        disk.base.content.push(Vec::new());
        Ok(Handle(self.clone(), disk.current.content.len() - 1))
    }

    /// Gives the last file that was made the name.
    pub fn rename_copy(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.count_down()?;
        disk.current.named = disk.current.content.len() - 1;
        let named = disk.current.named;
        disk.note(|| Operation::Rename(named));
        Ok(())
    }

    /// Makes the name durable.
    pub fn sync_name(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.count_down()?;
        disk.note(|| Operation::SyncName);
        Ok(())
    }

    /// How often the name went to another file.
    pub fn renamings(&self) -> usize {
        self.disk().current.named
    }

    /// Begins to record operations; what is there now counts as durable.
    pub fn record(&self) {
        let mut disk = self.disk();
        disk.base = disk.current.clone();
        disk.operations.clear();
        disk.recording = true;
    }

    /// Recorded operations so far.
    pub fn operations(&self) -> usize {
        self.disk().operations.len()
    }

    /// Bytes that the recorded operations wrote, and how often they made what was written durable.
    pub fn written(&self) -> (usize, usize) {
        let (mut bytes, mut syncs) = (0, 0);
        for operation in &self.disk().operations {
            match operation {
                Operation::Write(_, _, data) => bytes += data.len(),
                Operation::Sync(_) => syncs += 1,
                Operation::Length(..) | Operation::Rename(_) | Operation::SyncName => {}
            }
        }
        (bytes, syncs)
    }

    /// All states in which a power cut may leave the disk, from the first recorded operation on.
    pub fn replay(&self) -> Replay {
        let disk = self.disk();
        Replay {
            durable: disk.base.clone(),
            operations: disk.operations.clone(),
            done: 0,
            unsynced: Vec::new(),
        }
    }

    /// What is read now.
    pub fn content(&self) -> Vec<u8> {
        let disk = self.disk();
        disk.current.content[disk.current.named].clone()
    }

    /// Lets `count` more operations, reads included, succeed, and then fails each one; `None` mends the disk.
    pub fn fail_after(&self, count: Option<u64>) {
        self.disk().countdown = count;
    }

    /// Lets the file never be copied to a smaller one.
    pub fn keep_file(&self) {
        self.disk().is_small = true;
    }

    /// Whether a copy of the file is worth making: it is, so that tests need no large files.
    pub fn is_too_large(&self) -> bool {
        !self.disk().is_small
    }

    /// Lets the journal be as long as that of a file.
    pub fn keep_journal(&self) {
        self.disk().is_roomy = true;
    }

    /// Whether the journal may be as long as that of a file: it may not, so that tests need no long ones.
    pub fn is_journal_long(&self) -> bool {
        self.disk().is_roomy
    }

    /// Bounds the disk's bytes; a write beyond fails with `StorageFull`.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.disk().room = bytes;
    }
}

/// A recorded run, cut at one operation after the other.
#[derive(Debug)]
pub struct Replay {
    durable: Files,
    operations: Vec<Operation>,
    done: usize,
    /// By number, those that no sync has made durable.
    unsynced: Vec<usize>,
}

impl Replay {
    /// Operations that were done before the power went.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Lets one more operation happen; false at the end of the run.
    pub fn advance(&mut self) -> bool {
        let Some(operation) = self.operations.get(self.done) else {
            return false;
        };
        let number = self.done;
        self.done += 1;
        self.unsynced.push(number);
        if matches!(operation, Operation::Sync(_) | Operation::SyncName) {
            let (operations, durable) = (&self.operations, &mut self.durable);
            self.unsynced.retain(|number| {
                let covered = operations[*number].is_covered_by(operation);
                if covered {
                    apply(durable, &operations[*number], usize::MAX);
                }
                !covered
            });
        }
        true
    }

    /// Operations that no sync has made durable at this point.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// The disk after the cut. `keep` says for each unsynced operation, by number, what is left of it.
    pub fn image(&self, mut keep: impl FnMut(usize) -> Kept) -> SimDisk {
        let mut files = self.durable.clone();
        for (number, operation) in self.unsynced.iter().enumerate() {
            let operation = &self.operations[*operation];
            match keep(number) {
                Kept::Lost => {}
                Kept::Whole => apply(&mut files, operation, usize::MAX),
                Kept::Torn(bytes) => apply(&mut files, operation, bytes),
            }
        }
        SimDisk::with_content(files.content.swap_remove(files.named))
    }
}

/// What a power cut left of one write.
#[derive(Clone, Copy, Debug)]
pub enum Kept {
    /// Nothing.
    Lost,
    /// All.
    Whole,
    /// The first so many bytes.
    Torn(usize),
}

fn apply(files: &mut Files, operation: &Operation, bytes: usize) {
    match operation {
        Operation::Write(file, offset, data) => {
            put(&mut files.content[*file], *offset, &data[..bytes.min(data.len())]);
        }
        Operation::Length(file, length) => files.content[*file].resize(*length as usize, 0),
        // A name is moved or not.
        Operation::Rename(file) if bytes > 0 => files.named = *file,
        Operation::Rename(_) | Operation::Sync(_) | Operation::SyncName => {}
    }
}

fn put(content: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let start = offset as usize;
    if content.len() < start + data.len() {
        content.resize(start + data.len(), 0);
    }
    content[start..start + data.len()].copy_from_slice(data);
}

impl Disk {
    fn count_down(&mut self) -> io::Result<()> {
        match &mut self.countdown {
            Some(0) => Err(io::Error::other("simulated failure")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn note(&mut self, operation: impl FnOnce() -> Operation) {
        if self.recording {
            self.operations.push(operation());
        }
    }
}

/// An open handle on a [`SimDisk`].
#[derive(Debug)]
pub struct Handle(SimDisk, usize);

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        let mut disk = self.0.disk();
        disk.count_down()?;
        Ok(disk.current.content[self.1].len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut disk = self.0.disk();
        disk.count_down()?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start.checked_add(out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let found = disk.current.content[self.1]
            .get(start..end)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut disk = self.0.disk();
        disk.count_down()?;
        // A damaged header may ask for terabytes.
        if length > (1 << 28) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        disk.current.content[self.1].resize(length as usize, 0);
        disk.note(|| Operation::Length(self.1, length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.0.disk();
        disk.count_down()?;
        disk.note(|| Operation::Sync(self.1));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.0.disk();
        disk.count_down()?;
        if disk.room.is_some_and(|room| offset + data.len() as u64 > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        put(&mut disk.current.content[self.1], offset, data);
        disk.note(|| Operation::Write(self.1, offset, data.to_vec()));
        Ok(())
    }
}
