//! A bound on what all connections together hold of messages that are not complete yet.
//!
//! Owns the table of large partial messages. Must not know connections. Key invariants: past the bound the largest
//! pause first; the smallest is never paused, so that something always completes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Partial messages below this are not counted: a connection holds as much anyway.
const COUNTED_BYTES_MIN: usize = 64 * 1024;

/// Partial messages by connection.
#[derive(Debug)]
pub(crate) struct Receiving {
    bytes_max: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    partial: BTreeMap<u64, usize>,
    total: usize,
}

impl Receiving {
    /// A table with the bound `bytes_max`, inclusive.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            table: Mutex::default(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that `connection` holds `bytes` of a message that is not complete, where it held `before`.
    pub(crate) fn note(&self, connection: u64, before: usize, bytes: usize) {
        if before.max(bytes) < COUNTED_BYTES_MIN {
            return;
        }
        let mut table = self.table();
        let old = table.partial.remove(&connection).unwrap_or(0);
        table.total -= old;
        if bytes >= COUNTED_BYTES_MIN {
            table.partial.insert(connection, bytes);
            table.total += bytes;
        }
    }

    /// Bytes of all that is counted.
    pub(crate) fn bytes(&self) -> usize {
        self.table().total
    }

    /// Whether `connection`, which holds `bytes`, must wait until others are done.
    pub(crate) fn must_pause(&self, connection: u64, bytes: usize) -> bool {
        if bytes < COUNTED_BYTES_MIN {
            return false;
        }
        let table = self.table();
        if table.total <= self.bytes_max {
            return false;
        }
        let rank = (bytes, connection);
        let smaller = table
            .partial
            .iter()
            .map(|(id, held)| (*held, *id))
            .filter(|other| *other < rank);
        let (count, sum) = smaller.fold((0usize, 0usize), |(count, sum), (held, _)| {
            (count + 1, sum + held)
        });
        count > 0 && sum + bytes > self.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: usize = COUNTED_BYTES_MIN;

    #[test]
    fn past_the_bound_the_largest_pause_and_the_smallest_goes_on() {
        let receiving = Receiving::new(6 * K);
        for (connection, bytes) in [(1, K), (2, 2 * K), (3, 3 * K)] {
            receiving.note(connection, 0, bytes);
        }
        assert!(
            (1..=3).all(|c| !receiving.must_pause(c, c as usize * K)),
            "at the bound nobody pauses"
        );
        receiving.note(3, 3 * K, 3 * K + 1);
        assert!(receiving.must_pause(3, 3 * K + 1));
        assert!(!receiving.must_pause(2, 2 * K) && !receiving.must_pause(1, K));
        receiving.note(1, K, 0);
        assert!(!receiving.must_pause(3, 3 * K + 1), "room again");
    }

    #[test]
    fn one_alone_is_never_paused_and_small_ones_do_not_count() {
        let receiving = Receiving::new(K);
        receiving.note(1, 0, 5 * K);
        assert!(!receiving.must_pause(1, 5 * K));
        receiving.note(2, 0, K - 1);
        assert!(!receiving.must_pause(2, K - 1) && !receiving.must_pause(1, 5 * K));
        receiving.note(1, 5 * K, 0);
        assert_eq!(receiving.table().total, 0);
    }
}
