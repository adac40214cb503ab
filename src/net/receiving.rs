//! The budget of what all connections together hold of messages, heads and bodies that are not complete yet.
//!
//! Owns the count, and who goes on past the bound: one at a time, the holder, until what it receives is
//! complete; all others that hold anything worth counting are not read. Must not know what is received. Key
//! invariants: a place asks before its connection reads, so the count never exceeds the bound by more than
//! what one message or body may have; somebody always goes on. Tests at the end of the file, and over TCP in
//! tests/it/memory.rs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::limits;

/// What all places hold together, and who may go on past the bound.
#[derive(Debug)]
pub(crate) struct Receiving {
    bytes_max: usize,
    total: AtomicUsize,
    /// The largest total so far.
    most: AtomicUsize,
    /// Places with a ticket; looked at before the queue is locked.
    tickets: AtomicUsize,
    next_ticket: AtomicU64,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Somebody goes on past the bound.
    has_holder: bool,
    /// Those who wait, by when they first did.
    waiting: BTreeMap<u64, Waker>,
}

/// What one connection holds of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    receiving: Arc<Receiving>,
    counted: usize,
    /// It is the one that goes on past the bound.
    is_holder: bool,
    /// It waits, or was woken and has not asked again.
    ticket: Option<u64>,
}

/// What is counted of so many bytes: the smallest messages and heads are not, so that whoever sends only such
/// is never held up by others.
fn counted(bytes: usize) -> usize {
    if bytes <= limits::RECEIVING_FREE_BYTES {
        0
    } else {
        bytes
    }
}

impl Receiving {
    /// A budget with the bound `bytes_max`, inclusive.
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes_max,
            total: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            tickets: AtomicUsize::new(0),
            next_ticket: AtomicU64::new(0),
            queue: Mutex::default(),
        })
    }

    /// A place that holds nothing yet.
    pub(crate) fn place(self: &Arc<Self>) -> Place {
        Place {
            receiving: Arc::clone(self),
            counted: 0,
            is_holder: false,
            ticket: None,
        }
    }

    /// Bytes of all that is counted.
    pub(crate) fn bytes(&self) -> usize {
        self.total.load(Ordering::SeqCst)
    }

    /// The most that was ever counted.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts `more`, if that is within the bound.
    fn take(&self, more: usize) -> bool {
        let taken = self
            .total
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |total| {
                total.checked_add(more).filter(|total| *total <= self.bytes_max)
            });
        if let Ok(before) = taken {
            self.most.fetch_max(before + more, Ordering::SeqCst);
        }
        taken.is_ok()
    }

    /// Counts `more` for the holder, whatever the bound.
    fn take_past(&self, more: usize) {
        let before = self.total.fetch_add(more, Ordering::SeqCst);
        self.most.fetch_max(before + more, Ordering::SeqCst);
    }

    /// Lets the one that has waited longest ask again.
    fn wake_next(&self) {
        if self.tickets.load(Ordering::SeqCst) > 0 {
            let next = self.queue().waiting.pop_first();
            if let Some((_, waker)) = next {
                waker.wake();
            }
        }
    }
}

impl Place {
    /// How many bytes the connection may read now, `want` at most, where it holds `held` and would hold up to
    /// `after(bytes)` then; `Pending` while it must wait, and the task will be woken.
    pub(crate) fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
        (held, want): (usize, usize),
        after: impl Fn(usize) -> usize,
    ) -> Poll<usize> {
        if self.reach(cx, after(want)) {
            return Poll::Ready(want);
        }
        let free = limits::RECEIVING_FREE_BYTES.saturating_sub(held).min(want);
        let free = [free, free / 2]
            .into_iter()
            .find(|free| *free > 0 && counted(after(*free)) == 0);
        match free {
            Some(free) => {
                self.stop_waiting();
                Poll::Ready(free)
            }
            None => Poll::Pending,
        }
    }

    /// Waits until up to `want` bytes may be read behind the `held` ones; how many.
    ///
    /// # Cancellation
    /// Nothing was counted.
    pub(crate) async fn room(&mut self, held: usize, want: usize, after: impl Fn(usize) -> usize) -> usize {
        std::future::poll_fn(|cx| self.poll_room(cx, (held, want), &after)).await
    }

    /// Counts up to `bytes` in all, unless others must be done first.
    fn reach(&mut self, cx: &Context<'_>, bytes: usize) -> bool {
        let more = counted(bytes).saturating_sub(self.counted);
        if more == 0 || self.receiving.take(more) {
            self.go_on(more);
            return true;
        }
        if self.is_holder {
            self.receiving.take_past(more);
            self.go_on(more);
            return true;
        }
        // The ticket is counted before the bound is looked at again: whoever gives bytes back is seen here,
        // or sees it.
        let ticket = *self.ticket.get_or_insert_with(|| {
            self.receiving.tickets.fetch_add(1, Ordering::SeqCst);
            self.receiving.next_ticket.fetch_add(1, Ordering::SeqCst)
        });
        let mut queue = self.receiving.queue();
        let fits = self.receiving.take(more);
        if !fits && queue.has_holder {
            queue.waiting.insert(ticket, cx.waker().clone());
            return false;
        }
        if !fits {
            queue.has_holder = true;
            self.is_holder = true;
            self.receiving.take_past(more);
        }
        drop(queue);
        self.go_on(more);
        true
    }

    /// Notes that `more` was counted for it.
    fn go_on(&mut self, more: usize) {
        self.counted += more;
        if self.stop_waiting() == Waited::Yes {
            // There may be room for more than one.
            self.receiving.wake_next();
        }
    }

    /// Notes what the connection holds now.
    pub(crate) fn set(&mut self, held: usize) {
        let now = counted(held);
        match now.checked_sub(self.counted) {
            Some(0) => return,
            Some(more) => self.receiving.take_past(more),
            None => {
                let less = self.counted - now;
                self.receiving.total.fetch_sub(less, Ordering::SeqCst);
            }
        }
        self.counted = now;
        if now == 0 && self.is_holder {
            self.is_holder = false;
            self.receiving.queue().has_holder = false;
        }
        self.receiving.wake_next();
    }

    /// Gives up its place among those who wait.
    fn stop_waiting(&mut self) -> Waited {
        let Some(ticket) = self.ticket.take() else {
            return Waited::No;
        };
        self.receiving.queue().waiting.remove(&ticket);
        self.receiving.tickets.fetch_sub(1, Ordering::SeqCst);
        Waited::Yes
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.set(0);
        if self.stop_waiting() == Waited::Yes {
            // It may have been woken in somebody else's stead.
            self.receiving.wake_next();
        }
    }
}

/// Whether a place had waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waited {
    Yes,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: usize = limits::RECEIVING_FREE_BYTES;

    /// Counts wakes.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn waker() -> (Arc<Count>, Waker) {
        let count = Arc::<Count>::default();
        (Arc::clone(&count), Waker::from(count))
    }

    /// Asks for room for `want` behind `held`, as a buffer without slack.
    fn ask(place: &mut Place, waker: &Waker, held: usize, want: usize) -> Poll<usize> {
        place.poll_room(&mut Context::from_waker(waker), (held, want), |more| held + more)
    }

    #[test]
    fn at_the_bound_all_go_on_and_past_it_one_alone_until_it_is_done() {
        let (_, waker) = waker();
        for (bound, waits) in [(6 * K - 1, true), (6 * K, false), (6 * K + 1, false)] {
            let receiving = Receiving::new(bound);
            let mut places = [receiving.place(), receiving.place(), receiving.place()];
            for place in &mut places {
                let holder = ask(place, &waker, 0, 2 * K);
                assert_eq!(
                    holder,
                    Poll::Ready(2 * K),
                    "the third is the holder where it does not fit"
                );
            }
            let [first, second, third] = &mut places;
            assert_eq!(receiving.bytes(), 6 * K);
            assert!(third.is_holder == waits && !first.is_holder && !second.is_holder);
            if waits {
                assert_eq!(ask(third, &waker, 2 * K, 9 * K), Poll::Ready(9 * K));
                assert!(ask(first, &waker, 2 * K, 1).is_pending());
                assert!(ask(second, &waker, 2 * K, 1).is_pending());
                third.set(K);
                assert!(!third.is_holder);
                assert_eq!(ask(first, &waker, 2 * K, 1), Poll::Ready(1));
            }
        }
    }

    #[test]
    fn the_one_that_has_waited_longest_goes_on_next_and_only_it_is_woken() {
        let receiving = Receiving::new(4 * K);
        let wakers = [waker(), waker(), waker()];
        let woken = || [0, 1, 2].map(|n: usize| wakers[n].0.0.load(Ordering::SeqCst));
        let mut holder = receiving.place();
        let mut places = [receiving.place(), receiving.place()];
        for place in &mut places {
            assert!(ask(place, &wakers[2].1, 0, 2 * K).is_ready());
        }
        assert!(ask(&mut holder, &wakers[2].1, 0, 8 * K).is_ready());
        let [first, second] = &mut places;
        assert!(ask(first, &wakers[0].1, 2 * K, 2 * K).is_pending());
        assert!(ask(second, &wakers[1].1, 2 * K, 2 * K).is_pending());
        assert!(
            ask(first, &wakers[0].1, 2 * K, 2 * K).is_pending(),
            "asking again changes nothing"
        );
        assert_eq!(woken(), [0, 0, 0]);
        holder.set(0);
        assert_eq!(woken(), [1, 0, 0]);
        assert!(ask(first, &wakers[0].1, 2 * K, 2 * K).is_ready());
        assert!(first.is_holder);
        assert_eq!(woken(), [1, 1, 0], "whoever goes on lets the next one ask");
        assert!(ask(second, &wakers[1].1, 2 * K, 2 * K).is_pending());
        drop(places);
        assert_eq!(
            (receiving.bytes(), receiving.tickets.load(Ordering::SeqCst)),
            (0, 0)
        );
        assert!(!receiving.queue().has_holder && receiving.queue().waiting.is_empty());
    }

    #[test]
    fn somebody_who_was_woken_and_ends_lets_the_next_one_ask() {
        let receiving = Receiving::new(K);
        let (first_count, first_waker) = waker();
        let (second_count, second_waker) = waker();
        let (mut holder, mut first, mut second) = (receiving.place(), receiving.place(), receiving.place());
        assert!(ask(&mut holder, &first_waker, 0, 2 * K).is_ready());
        assert!(ask(&mut first, &first_waker, K, 1).is_pending());
        assert!(ask(&mut second, &second_waker, K, 1).is_pending());
        holder.set(0);
        assert_eq!(first_count.0.load(Ordering::SeqCst), 1);
        drop(first);
        assert_eq!(second_count.0.load(Ordering::SeqCst), 1);
        assert!(ask(&mut second, &second_waker, K, 1).is_ready());
    }

    #[test]
    fn the_smallest_are_neither_counted_nor_held_up() {
        let (_, waker) = waker();
        let receiving = Receiving::new(K);
        let mut holder = receiving.place();
        assert!(ask(&mut holder, &waker, 0, 64 * K).is_ready());
        let mut small = receiving.place();
        assert_eq!(
            ask(&mut small, &waker, 0, 64 * K),
            Poll::Ready(K),
            "as much as is not counted"
        );
        for (held, room) in [
            (K - 2, Poll::Ready(2)),
            (K - 1, Poll::Ready(1)),
            (K, Poll::Pending),
        ] {
            small.set(held);
            assert_eq!(ask(&mut small, &waker, held, 64 * K), room, "{held}");
        }
        assert_eq!(receiving.bytes(), 64 * K);
        small.set(0);
        assert_eq!(ask(&mut small, &waker, 0, 1), Poll::Ready(1));
        assert_eq!(
            receiving.tickets.load(Ordering::SeqCst),
            0,
            "it does not wait any more"
        );
    }

    #[test]
    fn all_complete_in_the_end_and_the_count_keeps_to_its_bound() {
        const LARGE: usize = 40 * K;
        let receiving = Receiving::new(100 * K);
        let (_, waker) = waker();
        let mut held: Vec<(Place, usize)> = (0..50).map(|_| (receiving.place(), 0)).collect();
        let mut rounds = 0;
        while !held.is_empty() {
            let before: usize = held.iter().map(|(_, bytes)| bytes).sum();
            held.retain_mut(|(place, bytes)| {
                if let Poll::Ready(read) = ask(place, &waker, *bytes, 2 * K) {
                    *bytes += read;
                }
                place.set(*bytes);
                *bytes < LARGE
            });
            let after: usize = held.iter().map(|(_, bytes)| bytes).sum();
            assert_ne!(before, after, "somebody always goes on");
            rounds += 1;
        }
        assert!(rounds > 50 && receiving.bytes() == 0);
        assert!(
            receiving.most() <= 100 * K + LARGE + 2 * K,
            "{}",
            receiving.most()
        );
    }
}
