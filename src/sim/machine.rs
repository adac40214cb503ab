//! What a node stands on: its tasks, its pool and its clocks.
//!
//! Owns [`Machine`], the [`Host`] of one node. Must not know boards. Key invariants: when a machine dies, its
//! tasks and what it runs on its pool are gone at that moment; while it is paused they are not polled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use super::executor::{Owner, Random, World};
use crate::boards::host::{Host, Task, Work};
use crate::time::{Clock, Now, Tick, UnixMillis};

/// How a machine's clocks differ from the world's.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    /// By how much it counts from another beginning.
    pub(super) ahead: Duration,
    /// How much faster it runs, in millionths.
    pub(super) faster: i64,
    /// By how many milliseconds its wall clock is wrong.
    pub(super) wall: AtomicI64,
}

const MILLION: u64 = 1_000_000;

impl Clocks {
    /// What it counts in a million microseconds.
    fn rate(&self) -> u64 {
        MILLION.saturating_add_signed(self.faster)
    }

    /// What it says at a time of the world's.
    pub(super) fn at(&self, now: Tick) -> Tick {
        Tick(now.0 / MILLION * self.rate() + now.0 % MILLION * self.rate() / MILLION).after(self.ahead)
    }

    /// How long it takes until it has counted so much.
    fn until(&self, time: Duration) -> Duration {
        match self.faster {
            0 => time,
            _ => time.mul_f64(MILLION as f64 / self.rate() as f64) + Duration::from_micros(1),
        }
    }
}

/// What a node stands on.
pub(super) struct Machine {
    world: World,
    number: Owner,
    is_dead: AtomicBool,
    /// How long work on its pool takes at most.
    slowness: Duration,
    clocks: Clocks,
}

impl Machine {
    /// A new machine, whose clocks are right; each has another number, from 1 on.
    pub(super) fn new(world: &World, number: u32, slowness: Duration) -> Arc<Self> {
        Self::with_clocks(world, number, slowness, Clocks::default())
    }

    /// As [`Self::new`], with clocks of its own.
    pub(super) fn with_clocks(world: &World, number: u32, slowness: Duration, clocks: Clocks) -> Arc<Self> {
        Arc::new(Self {
            world: world.clone(),
            number,
            is_dead: AtomicBool::new(false),
            slowness,
            clocks,
        })
    }

    /// Its number.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Sets its wall clock wrong by so many milliseconds.
    pub(super) fn set_wall(&self, wrong: i64) {
        self.clocks.wall.store(wrong, Ordering::Relaxed);
    }

    /// Stops it, or lets it go on.
    pub(super) fn pause(&self, is_paused: bool) {
        self.world.pause(self.number, is_paused);
    }

    /// Ends all that it does.
    pub(super) fn die(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
        self.world.kill(self.number);
    }

    /// How many tasks it has.
    pub(super) fn tasks(&self) -> usize {
        self.world.tasks_of(self.number)
    }
}

impl Clock for Machine {
    fn now(&self) -> Now {
        let now = self.world.now();
        let wrong = self.clocks.wall.load(Ordering::Relaxed);
        Now {
            tick: self.clocks.at(now.tick),
            unix: UnixMillis(now.unix.0.saturating_add_signed(wrong)),
        }
    }
}

impl Host for Machine {
    fn start(&self, task: Task) {
        if !self.is_dead.load(Ordering::Relaxed) {
            self.world.start_for(self.number, task);
        }
    }

    fn sleep(&self, time: Duration) -> Task {
        Box::pin(self.world.sleep(self.clocks.until(time)))
    }

    fn block(&self, work: Work) {
        let wait = self.world.nap(Duration::ZERO, self.slowness);
        self.start(Box::pin(async move {
            wait.await;
            work();
        }));
    }

    fn random(&self) -> u64 {
        self.world.random(Random::next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_paused_machine_does_nothing_until_it_goes_on_and_its_clocks_are_its_own() {
        let world = World::new(0, false);
        let clocks = Clocks {
            ahead: Duration::from_secs(100),
            faster: 20_000,
            ..Clocks::default()
        };
        let machine = Machine::with_clocks(&world, 1, Duration::from_millis(5), clocks);
        let (begun, woken) = (machine.now().tick, Arc::new(Mutex::new(Vec::new())));
        let (sleeping, notes) = (Arc::clone(&machine), Arc::clone(&woken));
        machine.start(Box::pin(async move {
            for _ in 0..3 {
                sleeping.sleep(Duration::from_secs(10)).await;
                let slept = sleeping.now().tick.since(begun).as_secs();
                notes
                    .lock()
                    .unwrap()
                    .push((sleeping.world.now().tick.0 / MILLION, slept));
            }
        }));
        world.run(Duration::from_secs(15));
        machine.pause(true);
        world.run(Duration::from_secs(60));
        assert_eq!(woken.lock().unwrap().len(), 1);
        machine.pause(false);
        world.run(Duration::from_secs(20));
        assert_eq!(*woken.lock().unwrap(), [(10, 10), (76, 76), (85, 86)]);
    }
}
