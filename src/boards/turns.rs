//! Places for work that few may do at a time, and how many wait for one.
//!
//! Owns [`Turns`]. Must not know what the work is. Key invariant: who gives up waiting is not counted any
//! more. Tests are below.

use std::sync::atomic::{AtomicUsize, Ordering};

use smol::lock::{Semaphore, SemaphoreGuard};

/// So many places, and who waits for one.
#[derive(Debug)]
pub(super) struct Turns {
    places: Semaphore,
    waiting: AtomicUsize,
}

/// One who waits, until this goes.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    /// So many at a time.
    pub(super) fn new(places: usize) -> Self {
        Self {
            places: Semaphore::new(places),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits for a place.
    pub(super) async fn take(&self) -> SemaphoreGuard<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        self.places.acquire().await
    }

    /// How many wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::{block_on, poll_once};

    #[test]
    fn who_waits_is_counted_until_it_has_a_place_or_gives_up() {
        let turns = Turns::new(1);
        let first = block_on(turns.take());
        assert_eq!(turns.waiting(), 0);
        let mut second = Box::pin(turns.take());
        let mut third = Box::pin(turns.take());
        assert!(block_on(poll_once(&mut second)).is_none());
        assert!(block_on(poll_once(&mut third)).is_none());
        assert_eq!(turns.waiting(), 2);
        drop(third);
        assert_eq!(turns.waiting(), 1);
        drop(first);
        let second = block_on(second);
        assert_eq!(turns.waiting(), 0);
        drop(second);
    }
}
