//! Giving space back: when a copy is made, and how it takes the place of the file.
//!
//! Owns the decision and the switch; the copying is in `moving`, the names in `place`. Must not be called but
//! by who commits, so that nothing is committed between the copy's last row and its new name. Key invariant:
//! nothing is written through a new file before its name is durable. Tests: `tests/moving.rs`,
//! `fault_tests.rs`.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, TryLockError};

use ::redb::Database;

use super::super::{Footprint, Reclaimed, StoreError};
use super::handle::close;
use super::journal::Journal;
use super::moving::{Failed, Moving, Progress};
use super::table::Touched;
use super::{RedbStore, Verified, batch, engine, read};

/// What a row takes besides the document in it, about: its key, its checksum, and its share of half-full
/// pages. An entry of the audit with the name of a browser takes more, one of an index less.
const ROW_BYTES: u64 = 256;

/// Closes the old file, which nothing needs any more. That trims it, and gives a gigabyte back to the file
/// system: some hundred milliseconds, for which no commit should wait. At the end of the process it goes as
/// it is.
fn close_aside(old: Option<Database>) {
    let closing = std::thread::Builder::new().name("boardwire-closer".into());
    // Without a thread it is closed here, with the closure.
    drop(closing.spawn(move || close(old)));
}

impl RedbStore {
    /// What was measured and counted last.
    pub(super) fn measured(&self) -> Footprint {
        let rows = self.rows.load(Ordering::Relaxed);
        Footprint {
            file_bytes: self.file_bytes.load(Ordering::Relaxed),
            live_bytes: (self.owners.all_bytes())
                .saturating_add(self.asset_bytes.load(Ordering::Relaxed))
                .saturating_add(self.version_bytes.load(Ordering::Relaxed))
                .saturating_add(rows.saturating_mul(ROW_BYTES)),
        }
    }

    /// See `Store::reclaim`.
    pub(super) fn reclaim_some(&self) -> Result<Reclaimed, StoreError> {
        let mut moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        if moving.is_none() {
            match self.is_worth_moving() {
                Ok(true) => {
                    if let Err(error) = self.empty_journal() {
                        return match error.is_outage() {
                            true => Err(error),
                            false => Ok(Reclaimed::GaveUp(error)),
                        };
                    }
                }
                Ok(false) => return Ok(Reclaimed::Nothing),
                // Nothing is wrong with what is open.
                Err(error) => return Ok(Reclaimed::GaveUp(error.into())),
            }
        }
        let error = match self.move_on(&mut moving) {
            Ok(Progress::Under) => return Ok(Reclaimed::Some),
            Ok(Progress::Complete) => return self.switch(&mut moving),
            Err(Failed::File(error)) if error.is_outage() => return self.poison_on_error(Err(error)),
            Err(Failed::File(error) | Failed::Copy(error)) => error,
        };
        drop(moving);
        self.stop_moving();
        Ok(Reclaimed::GaveUp(error))
    }

    /// Measures the file, and counts what lives in it.
    pub(super) fn measure(&self) -> io::Result<Footprint> {
        self.file_bytes.store(self.place.bytes()?, Ordering::Relaxed);
        // What cannot be counted keeps its last count: whatever is wrong is found where it is read.
        if let Ok(rows) = self.with(read::rows) {
            self.rows.store(rows, Ordering::Relaxed);
        }
        if let Ok(bytes) = self.with(read::assets::bytes) {
            self.asset_bytes.store(bytes, Ordering::Relaxed);
        }
        Ok(self.measured())
    }

    /// Moves what the journal has to rows of the boards: most of it may be what no board needs any more.
    fn empty_journal(&self) -> Result<(), StoreError> {
        match self.with(batch::drain) {
            Ok(()) => {
                self.change_journal(|journal| *journal = Journal::default());
                Ok(())
            }
            // Nothing was written then.
            Err(error @ StoreError::Unreadable(_)) => Err(error),
            Err(error) => self.poison_on_error(Err(error)),
        }
    }

    /// Whether a copy is worth making. Of a damaged file nothing proves that all of it would be copied. A
    /// journal comes and goes, and its pages with it; but what no board needs of it has gone, though no
    /// commit may come to remove it.
    fn is_worth_moving(&self) -> io::Result<bool> {
        let mut found = self.measure()?;
        found.file_bytes = found.file_bytes.saturating_sub(self.journal().needed_bytes());
        let stuck = *self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.verified != Verified::Damaged
            && self.place.is_too_large(found, stuck)
            && self.place.has_room_for(found.live_bytes))
    }

    /// One step of a copy, or its beginning.
    fn move_on(&self, moving: &mut Option<Moving>) -> Result<Progress, Failed> {
        let Some(moving) = moving else {
            let copy = (self.place.create_copy()).map_err(|error| Failed::Copy(engine(error)))?;
            *moving = Some(Moving::new(copy));
            return Ok(Progress::Under);
        };
        let step = AssertUnwindSafe(|| {
            let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let database = guard.as_ref().ok_or(Failed::File(StoreError::Poisoned))?;
            moving.step(database, self.place.step_bytes())
        });
        catch_unwind(step).unwrap_or(Err(Failed::Copy(StoreError::Panicked)))
    }

    /// Puts a complete copy in the place of the file; nothing is committed meanwhile, since who commits is
    /// here.
    fn switch(&self, moving: &mut Option<Moving>) -> Result<Reclaimed, StoreError> {
        let mut guard = match self.database.try_write() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody reads, and others must not have to wait behind us.
            Err(TryLockError::WouldBlock) => return Ok(Reclaimed::Some),
        };
        let Some(copy) = moving.take().and_then(Moving::into_copy) else {
            return Ok(Reclaimed::Nothing);
        };
        if let Err(error) = self.place.rename_copy() {
            drop(guard);
            close(Some(copy));
            drop(self.place.remove_copy());
            return Ok(Reclaimed::GaveUp(error.into()));
        }
        self.unsynced_name.store(true, Ordering::Release);
        let old = guard.replace(copy);
        drop(guard);
        let synced = self.place.sync_name().map_err(StoreError::from);
        close_aside(old);
        self.poison_on_error(synced)?;
        self.unsynced_name.store(false, Ordering::Release);
        if let Ok(found) = self.measure() {
            let stuck = self.place.is_too_large(found, None).then_some(found);
            *self.stuck.lock().unwrap_or_else(PoisonError::into_inner) = stuck;
        }
        Ok(Reclaimed::Some)
    }

    /// Throws away a copy that is under way.
    pub(super) fn stop_moving(&self) {
        let moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner).take();
        if moving.is_some() {
            drop(moving);
            // What stays is removed when a copy is begun, or the file is opened.
            drop(self.place.remove_copy());
        }
    }

    /// Runs `work`, which changes rows, and tells the copy which.
    pub(super) fn with_touched<T>(
        &self,
        work: impl FnOnce(&Database, &Touched) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let touched = moving
            .as_ref()
            .map_or_else(Touched::default, |_| Touched::noted());
        let done = self.with(|database| work(database, &touched));
        let done = self.poison_on_error(done)?;
        if let Some(moving) = moving.as_mut() {
            moving.note(touched.into_keys());
        }
        Ok(done)
    }
}
