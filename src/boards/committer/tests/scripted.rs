//! A store in memory that fails, blocks and panics when told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard};

use super::LONG;
use crate::ids::BoardId;
use crate::store::front::Front;
use crate::store::memory::MemoryStore;
use crate::store::{Applied, Change, OpenError, Reclaimed, Store, StoreError};
use crate::time::UnixMillis;

#[derive(Default)]
pub(super) struct Script {
    /// Last sequence of each board.
    pub(super) boards: BTreeMap<BoardId, u64>,
    /// The groups that were tried.
    pub(super) groups: Vec<Vec<Change>>,
    /// What the next commits do instead of succeeding.
    pub(super) failures: VecDeque<Failure>,
    /// How many reopenings fail.
    pub(super) failing_reopenings: u32,
    pub(super) reopenings: u32,
    /// How often space was to be given back, and what the next calls answer.
    pub(super) reclaims: u32,
    pub(super) reclaim_results: VecDeque<Result<Reclaimed, StoreError>>,
    /// What was asked to be pruned, and what the next calls answer.
    pub(super) prunes: Vec<UnixMillis>,
    pub(super) prune_results: VecDeque<Result<bool, StoreError>>,
    pub(super) poisoned: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Failure {
    Error,
    Panic,
}

/// The store, and a gate at which commits wait while it is shut.
#[derive(Default)]
pub(super) struct Scripted {
    /// Nothing is stored in it.
    behind: MemoryStore,
    script: Mutex<Script>,
    shut: Mutex<bool>,
    gate: Condvar,
}

impl Scripted {
    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    pub(super) fn set_shut(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.gate.notify_all();
    }
}

impl Front for Scripted {
    fn behind(&self) -> &dyn Store {
        &self.behind
    }

    fn prune_audit(&self, before: UnixMillis) -> Result<bool, StoreError> {
        let mut script = self.script();
        script.prunes.push(before);
        script.prune_results.pop_front().unwrap_or(Ok(false))
    }

    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>, StoreError> {
        let mut script = self.script();
        script.groups.push(changes.to_vec());
        drop(script);
        let shut = self.shut.lock().unwrap();
        drop(self.gate.wait_timeout_while(shut, LONG, |shut| *shut).unwrap());
        let mut script = self.script();
        if script.poisoned {
            return Err(StoreError::Poisoned);
        }
        if let Some(failure) = script.failures.pop_front() {
            script.poisoned = true;
            drop(script);
            match failure {
                Failure::Error => return Err(StoreError::Full),
                Failure::Panic => panic!("scripted"),
            }
        }
        let apply = |change: &Change| match change {
            Change::Append { board, sequence, .. } => {
                let last = script.boards.entry(board.clone()).or_insert(0);
                if *sequence != *last + 1 {
                    return Applied::OutOfOrder;
                }
                *last = *sequence;
                Applied::Done
            }
            _ => Applied::Done,
        };
        Ok(changes.iter().map(apply).collect())
    }

    fn probe(&self) -> Result<(), StoreError> {
        match self.script().failing_reopenings {
            0 => Ok(()),
            _ => Err(StoreError::Full),
        }
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut script = self.script();
        script.reopenings += 1;
        if script.failing_reopenings > 0 {
            script.failing_reopenings -= 1;
            return Err(StoreError::Open(OpenError::Full));
        }
        script.poisoned = false;
        Ok(())
    }

    fn reclaim(&self) -> Result<Reclaimed, StoreError> {
        let mut script = self.script();
        script.reclaims += 1;
        script
            .reclaim_results
            .pop_front()
            .unwrap_or(Ok(Reclaimed::Nothing))
    }
}
