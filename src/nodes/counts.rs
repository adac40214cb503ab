//! How many there are of something, up to a bound; and how many bytes wait.
//!
//! Owns [`Count`], [`Place`] and [`Waiting`]. Must not know what is counted. Key invariant: a place is given
//! back when it is dropped. Tests are below.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::limits;

/// How many places are taken.
pub(super) struct Count {
    most: usize,
    open: AtomicUsize,
    /// Is told how many, when that changes.
    told: Box<dyn Fn(usize) + Send + Sync>,
}

/// One of them; given back when dropped.
pub(crate) struct Place(Arc<Count>);

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Place")
    }
}

impl Count {
    /// With `most` places.
    pub(super) fn new(most: usize, told: impl Fn(usize) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: AtomicUsize::new(0),
            told: Box::new(told),
        })
    }

    /// A place, if one is left.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        let more = |open: usize| (open < self.most).then_some(open + 1);
        let before = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        before.ok()?;
        (self.told)(self.open());
        Some(Place(Arc::clone(self)))
    }

    /// How many are taken.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        (self.0.told)(self.0.open());
    }
}

/// Bytes that wait to be passed on.
#[derive(Debug, Default)]
pub(super) struct Waiting(AtomicUsize);

impl Waiting {
    /// How many bytes somebody may read now.
    pub(super) fn room(&self) -> usize {
        let free = limits::FORWARD_WAITING_BYTES_MAX.saturating_sub(self.bytes());
        free.clamp(limits::FORWARD_FREE_BYTES, limits::FORWARD_BYTES)
    }

    /// What one holds is another number now.
    pub(super) fn change(&self, before: usize, after: usize) {
        if before != after {
            // Wraps where it is less, as adding a negative number does.
            self.0.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
        }
    }

    /// How many there are.
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_as_many_as_were_said_and_come_back() {
        let told = Arc::new(AtomicUsize::new(9));
        let shown = Arc::clone(&told);
        let count = Count::new(2, move |open| shown.store(open, Ordering::Relaxed));
        let first = count.enter().unwrap();
        let second = count.enter().unwrap();
        assert!(count.enter().is_none());
        drop(first);
        assert_eq!((count.open(), told.load(Ordering::Relaxed)), (1, 1));
        let third = count.enter().unwrap();
        assert!(count.enter().is_none());
        drop((second, third));
        assert_eq!((count.open(), told.load(Ordering::Relaxed)), (0, 0));
        assert!(Count::new(0, |_| ()).enter().is_none());
    }

    #[test]
    fn past_the_bound_only_little_is_read_at_once() {
        let waiting = Waiting::default();
        let most = limits::FORWARD_WAITING_BYTES_MAX;
        assert_eq!(waiting.room(), limits::FORWARD_BYTES);
        for (bytes, room) in [
            (most - limits::FORWARD_BYTES - 1, limits::FORWARD_BYTES),
            (most - limits::FORWARD_BYTES, limits::FORWARD_BYTES),
            (most - limits::FORWARD_BYTES + 1, limits::FORWARD_BYTES - 1),
            (most, limits::FORWARD_FREE_BYTES),
            (most + 1, limits::FORWARD_FREE_BYTES),
        ] {
            waiting.change(0, bytes);
            assert_eq!((waiting.bytes(), waiting.room()), (bytes, room));
            waiting.change(bytes, 0);
        }
        assert_eq!(waiting.bytes(), 0);
    }
}
