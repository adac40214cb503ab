//! The budget of large answers on their way out: what is made for a peer and stays until the peer has taken
//! it.
//!
//! Owns the count and who waits for room in it. Must not know what is answered. Key invariants: bytes that
//! several answers share count once; who waited longest goes first; an answer larger than the whole budget
//! goes alone. Tests at the end of the file, and over TCP in tests/it/memory.rs.
//!
//! How to use it: take a [`Permit`] for as much as the answer may be, before it is made; then
//! [`Permit::hold`] the body, which counts what it really is, and keep the permit until the last byte has
//! left. A task awaits [`Answers::permit`]; a `poll` function keeps a [`Waiting`] and polls it; who cannot
//! wait calls [`Answers::try_permit`]. A body that somebody else is being sent already needs no room:
//! [`Answers::join`].

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::limits;

/// Where a body lies in memory: while somebody holds it, nothing else lies there.
type Key = (usize, usize);

/// What all answers hold together.
#[derive(Debug)]
pub(crate) struct Answers {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    /// The most that was ever used.
    most: usize,
    next_ticket: u64,
    waiting: BTreeMap<u64, Option<Waker>>,
    /// How many permits hold each body.
    bodies: HashMap<Key, usize>,
}

/// Room for one answer; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    answers: Arc<Answers>,
    room: Room,
}

/// What a permit counts.
#[derive(Debug)]
enum Room {
    /// So many bytes of its own.
    Bytes(usize),
    /// A body, once for all that hold it.
    Body(Bytes),
}

/// A permit to come.
#[derive(Debug)]
pub(crate) struct Waiting {
    answers: Arc<Answers>,
    bytes: usize,
    ticket: Option<u64>,
}

/// What is counted of so many bytes: the smallest answers are not, so that they wait for nobody.
fn counted(bytes: usize) -> usize {
    if bytes <= limits::ANSWER_FREE_BYTES {
        0
    } else {
        bytes
    }
}

fn key(body: &Bytes) -> Key {
    (body.as_ptr().addr(), body.len())
}

impl Answers {
    /// A budget with the bound `bytes_max`, inclusive.
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            bytes_max,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of all that is counted.
    pub(crate) fn bytes(&self) -> usize {
        self.state().used
    }

    /// The most that was ever counted.
    #[cfg(test)]
    pub(crate) fn most(&self) -> usize {
        self.state().most
    }

    /// Waits for room for an answer of `bytes`.
    ///
    /// # Cancellation
    /// Dropped, it waits no more, and nothing is counted.
    pub(crate) fn permit(self: &Arc<Self>, bytes: usize) -> Waiting {
        Waiting {
            answers: Arc::clone(self),
            bytes: counted(bytes),
            ticket: None,
        }
    }

    /// Room for an answer of `bytes` if there is some and nobody waits.
    pub(crate) fn try_permit(self: &Arc<Self>, bytes: usize) -> Option<Permit> {
        let bytes = counted(bytes);
        let mut state = self.state();
        let free = bytes == 0 || state.waiting.is_empty() && state.fits(bytes, self.bytes_max);
        free.then(|| {
            state.use_bytes(bytes);
            drop(state);
            self.counting(Room::Bytes(bytes))
        })
    }

    /// Room for `body` if it is on its way to somebody already.
    pub(crate) fn join(self: &Arc<Self>, body: &Bytes) -> Option<Permit> {
        let mut state = self.state();
        let holders = state.bodies.get_mut(&key(body))?;
        *holders += 1;
        drop(state);
        Some(self.counting(Room::Body(body.clone())))
    }

    /// Counts an answer that is there and must be sent, room or not.
    pub(crate) fn must(self: &Arc<Self>, body: &Bytes) -> Permit {
        let mut permit = self.counting(Room::Bytes(0));
        permit.hold(body);
        permit
    }

    fn counting(self: &Arc<Self>, room: Room) -> Permit {
        Permit {
            answers: Arc::clone(self),
            room,
        }
    }

    /// Lets the one that has waited longest look again.
    fn wake_next(&self) {
        let waker = self
            .state()
            .waiting
            .first_entry()
            .and_then(|mut first| first.get_mut().take());
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    /// Whether there is room for `bytes` more.
    fn fits(&self, bytes: usize, bytes_max: usize) -> bool {
        self.used == 0 || self.used.saturating_add(bytes) <= bytes_max
    }

    fn use_bytes(&mut self, bytes: usize) {
        self.used += bytes;
        self.most = self.most.max(self.used);
    }
}

impl Permit {
    /// Counts `body`, which was made for the answer, instead of what was expected of it.
    pub(crate) fn hold(&mut self, body: &Bytes) {
        let new = if counted(body.len()) == 0 {
            Room::Bytes(0)
        } else {
            let mut state = self.answers.state();
            let holders = state.bodies.entry(key(body)).or_insert(0);
            *holders += 1;
            if *holders == 1 {
                // Before the old room is given back, so that nobody takes it in between.
                state.use_bytes(body.len());
            }
            Room::Body(body.clone())
        };
        let old = std::mem::replace(&mut self.room, new);
        self.give_back(&old);
    }

    fn give_back(&self, room: &Room) {
        let mut state = self.answers.state();
        match room {
            Room::Bytes(bytes) => state.used -= bytes,
            Room::Body(body) => {
                let key = key(body);
                let left = state.bodies.get_mut(&key).map(|holders| {
                    *holders -= 1;
                    *holders
                });
                if left == Some(0) {
                    state.bodies.remove(&key);
                    state.used -= body.len();
                }
            }
        }
        drop(state);
        self.answers.wake_next();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let room = std::mem::replace(&mut self.room, Room::Bytes(0));
        self.give_back(&room);
    }
}

impl Future for Waiting {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit> {
        let Self {
            answers,
            bytes,
            ticket,
        } = &mut *self;
        let mut state = answers.state();
        let first = state.waiting.first_key_value().map(|(first, _)| *first);
        let is_next = first.is_none() || first == *ticket;
        if *bytes == 0 || is_next && state.fits(*bytes, answers.bytes_max) {
            state.use_bytes(*bytes);
            if let Some(ticket) = ticket.take() {
                state.waiting.remove(&ticket);
            }
            drop(state);
            // There may be room for more than one.
            answers.wake_next();
            return Poll::Ready(answers.counting(Room::Bytes(*bytes)));
        }
        let ticket = *ticket.get_or_insert_with(|| {
            state.next_ticket += 1;
            state.next_ticket
        });
        state.waiting.insert(ticket, Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.answers.state().waiting.remove(&ticket);
            // It may have been woken in somebody else's stead.
            self.answers.wake_next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: usize = 1024 * 1024;

    fn poll(waiting: &mut Waiting) -> Option<Permit> {
        match Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(permit) => Some(permit),
            Poll::Pending => None,
        }
    }

    #[test]
    fn there_is_room_up_to_the_bound_and_those_beyond_wait_in_order() {
        for (bytes, fits) in [(K - 1, true), (K, true), (K + 1, false)] {
            let answers = Answers::new(2 * K);
            let first = answers.try_permit(K).unwrap();
            let mut second = answers.permit(bytes);
            let permit = poll(&mut second);
            assert_eq!(permit.is_some(), fits, "{bytes}");
            if !fits {
                assert!(answers.try_permit(K / 2).is_none(), "nobody overtakes");
                let mut third = answers.permit(K / 2);
                assert!(poll(&mut third).is_none());
                drop(first);
                assert!(poll(&mut third).is_none(), "not even once there is room");
                assert!(poll(&mut second).is_some());
                assert!(poll(&mut third).is_some());
            }
            drop(permit);
        }
    }

    #[test]
    fn a_body_counts_once_however_many_it_is_sent_to() {
        let answers = Answers::new(2 * K);
        let body = Bytes::from(vec![1; 2 * K]);
        let mut first = answers.try_permit(2 * K).unwrap();
        assert!(answers.join(&body).is_none(), "nobody is being sent it yet");
        first.hold(&body);
        let others: Vec<Permit> = (0..100).map(|_| answers.join(&body).unwrap()).collect();
        assert_eq!(answers.bytes(), 2 * K);
        assert!(
            answers.join(&Bytes::from(vec![1; 2 * K])).is_none(),
            "equal is not the same"
        );
        assert!(answers.join(&body.slice(1..)).is_none());
        drop(first);
        assert_eq!(answers.bytes(), 2 * K);
        drop(others);
        assert_eq!(answers.bytes(), 0);
        assert!(answers.join(&body).is_none() && answers.state().bodies.is_empty());
    }

    #[test]
    fn what_an_answer_really_is_counts_and_the_smallest_do_not() {
        let answers = Answers::new(2 * K);
        let mut permit = answers.try_permit(2 * K).unwrap();
        let mut waiting = answers.permit(K);
        assert!(poll(&mut waiting).is_none());
        permit.hold(&Bytes::from(vec![1; K]));
        assert_eq!(answers.bytes(), K);
        let second = poll(&mut waiting).unwrap();
        for (bytes, fits) in [
            (limits::ANSWER_FREE_BYTES - 1, true),
            (limits::ANSWER_FREE_BYTES, true),
            (limits::ANSWER_FREE_BYTES + 1, false),
        ] {
            assert_eq!(answers.try_permit(bytes).is_some(), fits, "{bytes}");
        }
        let must = answers.must(&Bytes::from(vec![1; K]));
        assert_eq!((answers.bytes(), answers.most()), (3 * K, 3 * K));
        drop((permit, second, must));
        assert_eq!(answers.bytes(), 0);
    }

    #[test]
    fn one_larger_than_the_budget_goes_alone() {
        let answers = Answers::new(K);
        let large = answers.try_permit(9 * K).unwrap();
        assert!(answers.try_permit(K / 2).is_none());
        drop(large);
        assert!(answers.try_permit(K / 2).is_some());
    }

    #[test]
    fn somebody_who_stops_waiting_lets_the_next_one_look() {
        let answers = Answers::new(K);
        let held = answers.try_permit(K).unwrap();
        let (mut first, mut second) = (answers.permit(K), answers.permit(K));
        assert!(poll(&mut first).is_none() && poll(&mut second).is_none());
        drop(held);
        drop(first);
        assert!(poll(&mut second).is_some());
        assert!(answers.state().waiting.is_empty());
    }
}
