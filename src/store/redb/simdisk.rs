//! A disk in memory that fails, fills up and loses power: for tests.
//!
//! Owns [`SimDisk`], a redb `StorageBackend` whose handles share one disk, and [`Replay`], every state in which a power
//! cut may leave it. Must not name anything of this crate, so that integration tests can include the file too. Key
//! invariant: an image holds every write synced before the cut, and of the later ones any subset, torn or whole.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::redb::StorageBackend;

/// One operation that changes the disk.
#[derive(Clone, Debug)]
enum Operation {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
}

#[derive(Debug, Default)]
struct Disk {
    /// What it held before the first recorded operation.
    base: Vec<u8>,
    /// What is read.
    current: Vec<u8>,
    operations: Vec<Operation>,
    recording: bool,
    /// Operations, reads included, that still succeed before each one fails; `None`: all.
    countdown: Option<u64>,
    /// Bytes the disk has room for.
    room: Option<u64>,
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
        disk.disk().current = content;
        disk
    }

    /// A handle, as opening the file gives one.
    pub fn handle(&self) -> io::Result<Handle> {
        Ok(Handle(self.clone()))
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

    /// All states in which a power cut may leave the disk, from the first recorded operation on.
    pub fn replay(&self) -> Replay {
        let disk = self.disk();
        Replay {
            durable: disk.base.clone(),
            operations: disk.operations.clone(),
            done: 0,
            synced: 0,
        }
    }

    /// What is read now.
    pub fn content(&self) -> Vec<u8> {
        self.disk().current.clone()
    }

    /// Lets `count` more operations, reads included, succeed, and then fails each one; `None` mends the disk.
    pub fn fail_after(&self, count: Option<u64>) {
        self.disk().countdown = count;
    }

    /// Bounds the disk's bytes; a write beyond fails with `StorageFull`.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.disk().room = bytes;
    }
}

/// A recorded run, cut at one operation after the other.
#[derive(Debug)]
pub struct Replay {
    durable: Vec<u8>,
    operations: Vec<Operation>,
    done: usize,
    synced: usize,
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
        self.done += 1;
        if matches!(operation, Operation::Sync) {
            for operation in &self.operations[self.synced..self.done] {
                apply(&mut self.durable, operation, usize::MAX);
            }
            self.synced = self.done;
        }
        true
    }

    /// Operations that no sync has made durable at this point.
    pub fn unsynced(&self) -> usize {
        self.done - self.synced
    }

    /// The disk after the cut. `keep` says for each unsynced operation, by number, what is left of it.
    pub fn image(&self, mut keep: impl FnMut(usize) -> Kept) -> SimDisk {
        let mut content = self.durable.clone();
        for (number, operation) in self.operations[self.synced..self.done].iter().enumerate() {
            match keep(number) {
                Kept::Lost => {}
                Kept::Whole => apply(&mut content, operation, usize::MAX),
                Kept::Torn(bytes) => apply(&mut content, operation, bytes),
            }
        }
        SimDisk::with_content(content)
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

fn apply(content: &mut Vec<u8>, operation: &Operation, bytes: usize) {
    match operation {
        Operation::Write(offset, data) => put(content, *offset, &data[..bytes.min(data.len())]),
        Operation::Length(length) => content.resize(*length as usize, 0),
        Operation::Sync => {}
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
pub struct Handle(SimDisk);

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        let mut disk = self.0.disk();
        disk.count_down()?;
        Ok(disk.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut disk = self.0.disk();
        disk.count_down()?;
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let end = start.checked_add(out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let found = disk.current.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
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
        disk.current.resize(length as usize, 0);
        disk.note(|| Operation::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.0.disk();
        disk.count_down()?;
        disk.note(|| Operation::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.0.disk();
        disk.count_down()?;
        if disk.room.is_some_and(|room| offset + data.len() as u64 > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        put(&mut disk.current, offset, data);
        disk.note(|| Operation::Write(offset, data.to_vec()));
        Ok(())
    }
}
