//! Links between clients and a node: bytes in order, late, in other pieces than they were sent in; cut, or
//! half open.
//!
//! Owns [`Link`] with its two [`End`]s. Must not know frames. Key invariants: nothing arrives twice or out of
//! order; what is on its way to an end is bounded, so that who does not read makes the other's sending wait.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::executor::World;
use crate::room::outgoing::Line;
use crate::time::Tick;

/// The other end is gone, and this one was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// How a link is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quality {
    /// How long a piece takes at least, and at most.
    pub(super) delay: (Duration, Duration),
    /// Bytes on the way to the client, or arrived there and not read, at most.
    pub(super) window: usize,
}

#[derive(Default)]
struct Pipe {
    flight: VecDeque<(Tick, Vec<u8>)>,
    /// The sum of `flight`.
    bytes: usize,
    /// Who sends has closed; what is on its way still arrives.
    ended: bool,
    /// Both ends know that nothing goes any more.
    is_cut: bool,
    /// Nothing arrives any more, and nobody is told.
    is_lost: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// One direction.
struct Way {
    pipe: Mutex<Pipe>,
    window: usize,
}

impl Way {
    fn new(window: usize) -> Arc<Self> {
        Arc::new(Self {
            pipe: Mutex::default(),
            window,
        })
    }

    fn change(&self, change: impl FnOnce(&mut Pipe)) {
        let mut pipe = self.pipe.lock().unwrap();
        change(&mut pipe);
        let wakers = [pipe.reader.take(), pipe.writer.take()];
        drop(pipe);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Something arrives.
impl Wake for Way {
    fn wake(self: Arc<Self>) {
        let reader = self.pipe.lock().unwrap().reader.take();
        reader.into_iter().for_each(Waker::wake);
    }
}

/// Both directions, for who disturbs them.
#[derive(Clone)]
pub(super) struct Link {
    ways: [Arc<Way>; 2],
}

impl Link {
    /// A link: the client's end, the node's, and itself.
    pub(super) fn new(world: &World, quality: Quality) -> (End, End, Self) {
        let ways = [Way::new(64 * 1024), Way::new(quality.window)];
        let end = |out: usize| End {
            world: world.clone(),
            out: Arc::clone(&ways[out]),
            into: Arc::clone(&ways[1 - out]),
            quality,
        };
        let (client, node) = (end(0), end(1));
        (client, node, Self { ways })
    }

    /// Cuts it: both ends learn it at once, and what was on its way is gone.
    pub(super) fn cut(&self) {
        for way in &self.ways {
            way.change(|pipe| pipe.is_cut = true);
        }
    }

    /// Loses it: from now on nothing arrives, and no end is told.
    pub(super) fn lose(&self) {
        for way in &self.ways {
            way.change(|pipe| pipe.is_lost = true);
        }
    }
}

/// One end of a link. Dropped, it is closed as a socket is: what was sent still arrives, and then the other
/// end learns it.
pub(super) struct End {
    world: World,
    out: Arc<Way>,
    into: Arc<Way>,
    quality: Quality,
}

impl End {
    /// Sends some of `bytes`, as many as there is room for.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Gone>> {
        let mut pipe = self.out.pipe.lock().unwrap();
        if pipe.is_cut {
            return Poll::Ready(Err(Gone));
        }
        match self.put(&mut pipe, bytes) {
            0 if !bytes.is_empty() => {
                pipe.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            sent => Poll::Ready(Ok(sent)),
        }
    }

    /// Waits until nothing that is sent arrives any more, as far as this end was told.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut pipe = self.out.pipe.lock().unwrap();
        if pipe.is_cut {
            return Poll::Ready(());
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Puts on its way what there is room for.
    fn put(&self, pipe: &mut Pipe, bytes: &[u8]) -> usize {
        let room = self.out.window.saturating_sub(pipe.bytes).min(bytes.len());
        if room == 0 {
            return 0;
        }
        let (low, high) = self.quality.delay;
        let delay = self.world.random(|random| random.time(low, high));
        let last = pipe.flight.back().map_or_else(Tick::default, |last| last.0);
        let arrives = self.world.now().tick.after(delay).max(last);
        pipe.flight.push_back((arrives, bytes[..room].to_vec()));
        pipe.bytes += room;
        self.world.wake_at(arrives, Waker::from(Arc::clone(&self.out)));
        room
    }

    /// Receives at most `most` bytes; none once the other end has closed.
    pub(super) fn poll_receive(&self, cx: &mut Context<'_>, most: usize) -> Poll<Result<Vec<u8>, Gone>> {
        let mut pipe = self.into.pipe.lock().unwrap();
        if pipe.is_cut {
            return Poll::Ready(Err(Gone));
        }
        let now = self.world.now().tick;
        let mut received = Vec::new();
        while !pipe.is_lost && received.len() < most {
            let Some((_, piece)) = pipe.flight.front_mut().filter(|piece| piece.0 <= now) else {
                break;
            };
            let all = piece.len().min(most - received.len());
            let some = match self.world.random(|random| random.chance(20)) {
                true => self.world.random(|random| random.between(1, all as u64 + 1)) as usize,
                false => all,
            };
            received.extend(piece.drain(..some));
            if piece.is_empty() {
                pipe.flight.pop_front();
            }
            if some < all || self.world.random(|random| random.chance(30)) {
                break;
            }
        }
        pipe.bytes -= received.len();
        let is_over = pipe.ended && pipe.flight.is_empty() && !pipe.is_lost;
        if received.is_empty() && !is_over {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(received))
    }
}

impl Line for End {
    fn send(&self, bytes: &[u8]) -> usize {
        let mut pipe = self.out.pipe.lock().unwrap();
        match pipe.is_cut {
            true => 0,
            false => self.put(&mut pipe, bytes),
        }
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("End")
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.out.change(|pipe| pipe.ended = true);
        // Who sends to a closed socket is told; what it has sent before is lost.
        self.into.change(|pipe| pipe.is_cut |= !pipe.is_lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    const QUALITY: Quality = Quality {
        delay: (Duration::from_millis(1), Duration::from_millis(80)),
        window: 100,
    };

    /// Sends 4,000 bytes to the client in small pieces; gives the bytes that arrived, and how the sending
    /// ended.
    fn run(seed: u64, disturb: impl FnOnce(&World, &Link)) -> (Vec<u8>, Option<Result<(), Gone>>) {
        let world = World::new(seed, false);
        let (client, node, link) = Link::new(&world, QUALITY);
        let (arrived, sent) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(None)));
        let (into, ended) = (Arc::clone(&arrived), Arc::clone(&sent));
        world.start(async move {
            let mut outcome = Ok(());
            for number in 0..1_000u32 {
                let bytes = number.to_le_bytes();
                let mut at = 0;
                while at < bytes.len() && outcome.is_ok() {
                    let some = poll_fn(|cx| node.poll_send(cx, &bytes[at..])).await;
                    outcome = some.map(|some| at += some);
                }
            }
            *ended.lock().unwrap() = Some(outcome);
        });
        world.start(async move {
            while let Ok(some) = poll_fn(|cx| client.poll_receive(cx, 64)).await {
                if some.is_empty() {
                    break;
                }
                into.lock().unwrap().extend(some);
            }
        });
        disturb(&world, &link);
        world.run(Duration::from_secs(60));
        assert_eq!(world.violation(), None);
        (arrived.lock().unwrap().clone(), *sent.lock().unwrap())
    }

    #[test]
    fn bytes_arrive_whole_and_in_order_however_they_are_cut() {
        let all: Vec<u8> = (0..1_000u32).flat_map(u32::to_le_bytes).collect();
        for seed in 0..20 {
            assert_eq!(run(seed, |_, _| ()), (all.clone(), Some(Ok(()))), "seed {seed}");
        }
    }

    #[test]
    fn a_cut_is_known_to_both_ends_and_a_loss_to_none() {
        let soon = Duration::from_millis(200);
        let disturb = |world: &World| world.run(soon);
        let (arrived, sent) = run(1, |world, link| {
            disturb(world);
            link.cut();
        });
        assert!(arrived.len() < 4_000 && sent == Some(Err(Gone)));
        let (arrived, sent) = run(1, |world, link| {
            disturb(world);
            link.lose();
        });
        assert!(
            arrived.len() < 4_000 && sent.is_none(),
            "the window is full, and nobody knows"
        );
    }
}
