//! Whether the pages of a data file are those that were written, found out before it is used.
//!
//! Owns [`verify`], and [`Shielded`], a file that nothing is written to; `verify` has the engine walk the
//! whole file and compare each page with the checksum that the page above it keeps. Must not change the file:
//! the engine would mend what it finds, so that nobody could look at it any more. Key invariant: what the
//! engine writes meanwhile goes into memory and is dropped. Tests: `tests/damage.rs`.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::redb::{BackendError, Builder, DatabaseError, StorageBackend};

use super::CACHE_BYTES;

/// What a look through the whole file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Each page is the one that was written.
    Sound,
    /// It was not closed in order: opening it verifies it.
    AtOpening,
    /// It is too large to look through before each start.
    TooLarge,
    /// Some page is not the one that was written.
    Damaged,
}

/// Where the file says in which state it was left (redb, docs/design.md, "god byte"), and what it says there.
const STATE_AT: u64 = 9;

/// The file was not closed in order.
const RECOVERY_REQUIRED: u8 = 2;

/// The last commit was in two phases, as the one at closing is: it is whole, and nothing before it may be
/// gone back to.
const TWO_PHASES: u8 = 4;

/// How far the engine is with its repair when every page has been compared; before, it says 0.3 where one
/// differs.
const ALL_COMPARED: f64 = 0.5;

/// Verifies the pages of the database on a backend. Nothing is written to it.
///
/// The engine compares them where it believes that the file was not closed in order, and says how far it is.
pub(super) fn verify<B: StorageBackend>(backend: B) -> io::Result<Verified> {
    if backend.len()? <= STATE_AT {
        return Ok(Verified::AtOpening);
    }
    let mut state = [0];
    backend.read(STATE_AT, &mut state)?;
    let [state] = state;
    if state & (RECOVERY_REQUIRED | TWO_PHASES) != TWO_PHASES {
        backend.close()?;
        return Ok(Verified::AtOpening);
    }
    let shielded = Shielded::new(backend)?;
    shielded.write(STATE_AT, &[state & !TWO_PHASES | RECOVERY_REQUIRED])?;
    let compared = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&compared);
    let mut builder = Builder::new();
    builder
        .set_cache_size(CACHE_BYTES)
        .set_repair_callback(move |repair| match repair.progress() {
            0.0 => {}
            progress => {
                told.store(progress > ALL_COMPARED, Ordering::Relaxed);
                repair.abort();
            }
        });
    let opened = catch_unwind(AssertUnwindSafe(|| {
        builder.create_with_backend(shielded).map(drop)
    }));
    Ok(match opened {
        Ok(Err(DatabaseError::RepairAborted)) if compared.load(Ordering::Relaxed) => Verified::Sound,
        // What else there is to say, the opening proper says.
        Ok(Ok(()) | Err(DatabaseError::DatabaseAlreadyOpen)) => Verified::AtOpening,
        Ok(Err(_)) | Err(_) => Verified::Damaged,
    })
}

/// Bytes that are kept together of what was written.
const BLOCK: u64 = 4096;

/// A backend on which writes last as long as it is open.
#[derive(Debug)]
pub(super) struct Shielded<B> {
    inner: B,
    over: Mutex<Over>,
}

/// What was written.
#[derive(Debug)]
struct Over {
    length: u64,
    /// Bytes of the backend that still count: it may have been cut and have grown again.
    beneath: u64,
    /// Blocks by number.
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl<B: StorageBackend> Shielded<B> {
    pub(super) fn new(inner: B) -> io::Result<Self> {
        let length = inner.len()?;
        Ok(Self {
            inner,
            over: Mutex::new(Over {
                length,
                beneath: length,
                blocks: BTreeMap::new(),
            }),
        })
    }

    fn over(&self) -> MutexGuard<'_, Over> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills `out` with what is beneath; zeros where nothing is.
    fn read_beneath(&self, over: &Over, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = usize::try_from(over.beneath.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (there, rest) = out.split_at_mut(there.min(out.len()));
        rest.fill(0);
        match there.is_empty() {
            true => Ok(()),
            false => self.inner.read(offset, there),
        }
    }
}

/// The part of `bytes`, which begin at `offset`, that lies in a block, and where in the block it begins.
fn part_in(block: u64, offset: u64, length: usize) -> Option<(std::ops::Range<usize>, usize)> {
    let (start, end) = (block * BLOCK, (block + 1) * BLOCK);
    let until = offset.checked_add(u64::try_from(length).ok()?)?;
    let (from, to) = (start.max(offset), end.min(until));
    let range = usize::try_from(from - offset).ok()?..usize::try_from(to.checked_sub(offset)?).ok()?;
    Some((range, usize::try_from(from - start).ok()?))
}

impl<B: StorageBackend> StorageBackend for Shielded<B> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.over().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let over = self.over();
        let end = u64::try_from(out.len())
            .ok()
            .and_then(|length| offset.checked_add(length));
        let end = end
            .filter(|end| *end <= over.length)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        self.read_beneath(&over, offset, out)?;
        let length = out.len();
        for (block, bytes) in over.blocks.range(offset / BLOCK..end.div_ceil(BLOCK)) {
            let Some((range, from)) = part_in(*block, offset, length) else {
                continue;
            };
            let written = bytes.get(from..from + range.len());
            if let (Some(to), Some(written)) = (out.get_mut(range), written) {
                to.copy_from_slice(written);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut over = self.over();
        over.beneath = over.beneath.min(length);
        over.length = length;
        over.blocks.split_off(&length.div_ceil(BLOCK));
        let within = usize::try_from(length % BLOCK).unwrap_or_default();
        if let Some(last) = over.blocks.get_mut(&(length / BLOCK)) {
            last.iter_mut().skip(within).for_each(|byte| *byte = 0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut over = self.over();
        let end = u64::try_from(data.len())
            .ok()
            .and_then(|length| offset.checked_add(length));
        let end = end.ok_or(io::ErrorKind::InvalidInput)?;
        over.length = over.length.max(end);
        for block in offset / BLOCK..end.div_ceil(BLOCK) {
            let mut bytes = match over.blocks.remove(&block) {
                Some(bytes) => bytes,
                None => {
                    let mut bytes = vec![0; usize::try_from(BLOCK).unwrap_or_default()];
                    self.read_beneath(&over, block * BLOCK, &mut bytes)?;
                    bytes
                }
            };
            if let Some((range, to)) = part_in(block, offset, data.len()) {
                let to = bytes.get_mut(to..to + range.len());
                if let (Some(to), Some(written)) = (to, data.get(range)) {
                    to.copy_from_slice(written);
                }
            }
            over.blocks.insert(block, bytes);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }
}
