//! Invented time, tasks and chance: one thread, and one seed that chooses all.
//!
//! Owns [`World`] (the executor, its clock, its timers, the trace) and [`Machine`], the [`Host`] of one node:
//! when a machine dies, its tasks and what it runs on its pool are gone at that moment, and while it is
//! paused they are not polled; its clocks may run as they like. Must not know boards. Key invariant: what
//! happens depends on the seed alone; no clock is read and no order of a hash table counts.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::boards::host::{Host, Task, Work};
use crate::time::{Clock, Now, Tick, UnixMillis};

/// Polls at one instant, beyond which something spins.
const SPIN: u64 = 50_000;

/// Numbers that look random (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// One of `low..high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low).max(1)
    }

    /// Whether something happens that does so in `percent` of all cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.between(0, 100) < percent
    }

    /// So many microseconds.
    pub(super) fn time(&mut self, low: Duration, high: Duration) -> Duration {
        Duration::from_micros(self.between(low.as_micros() as u64, high.as_micros() as u64))
    }
}

/// Whose a task is: the world's own, or those of a machine by its number.
type Owner = u32;

const WORLDS_OWN: Owner = 0;

struct State {
    now: Tick,
    random: Random,
    tasks: BTreeMap<u64, (Owner, Option<Task>)>,
    timers: BTreeMap<(Tick, u64), Waker>,
    /// Machines that are paused, and tasks of theirs that are ready.
    paused: BTreeSet<Owner>,
    held: BTreeSet<u64>,
    last: u64,
    polls: u64,
    polls_now: u64,
    trace: u64,
    prints: bool,
    violation: Option<String>,
}

/// The executor, its clock and its chance; clones are the same world.
#[derive(Clone)]
pub(super) struct World {
    state: Arc<Mutex<State>>,
    ready: Arc<Mutex<Vec<u64>>>,
}

struct Alarm {
    task: u64,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap();
        if !ready.contains(&self.task) {
            ready.push(self.task);
        }
    }
}

impl World {
    /// A world in which `seed` chooses; with `prints`, its trace goes to the standard output.
    pub(super) fn new(seed: u64, prints: bool) -> Self {
        let state = State {
            now: Tick(1_000_000),
            random: Random::new(seed),
            tasks: BTreeMap::new(),
            timers: BTreeMap::new(),
            paused: BTreeSet::new(),
            held: BTreeSet::new(),
            last: 0,
            polls: 0,
            polls_now: 0,
            trace: 0xCBF2_9CE4_8422_2325,
            prints,
            violation: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            ready: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Asks chance.
    pub(super) fn random<T>(&self, ask: impl FnOnce(&mut Random) -> T) -> T {
        ask(&mut self.lock().random)
    }

    /// What time it is.
    pub(super) fn now(&self) -> Now {
        let tick = self.lock().now;
        Now {
            tick,
            unix: UnixMillis(1_790_000_000_000 + tick.0 / 1_000),
        }
    }

    /// Writes a line of the trace: what happened, with numbers that say to whom and how much.
    pub(super) fn note(&self, what: &str, numbers: &[u64]) {
        let mut state = self.lock();
        let at = state.now.0;
        let bytes = what.as_bytes().iter().map(|byte| u64::from(*byte));
        for word in bytes.chain([at]).chain(numbers.iter().copied()) {
            state.trace = (state.trace ^ word).wrapping_mul(0x100_0000_01B3).rotate_left(5);
        }
        if state.prints {
            println!("{:>4}.{:06} {what} {numbers:?}", at / 1_000_000, at % 1_000_000);
        }
    }

    /// Something that must hold does not; the first is kept, and the run ends.
    pub(super) fn violated(&self, what: impl Into<String>) {
        let what = what.into();
        self.note("violated", &[]);
        let mut state = self.lock();
        let at = state.now.0;
        state
            .violation
            .get_or_insert_with(|| format!("at {}.{:06}: {what}", at / 1_000_000, at % 1_000_000));
    }

    /// What was violated first.
    pub(super) fn violation(&self) -> Option<String> {
        self.lock().violation.clone()
    }

    /// A hash of all that happened, and how many polls there were.
    pub(super) fn trace(&self) -> (u64, u64) {
        let state = self.lock();
        (state.trace, state.polls)
    }

    /// Starts a task of the world's own.
    pub(super) fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.start_for(WORLDS_OWN, Box::pin(task));
    }

    fn start_for(&self, owner: Owner, task: Task) {
        let mut state = self.lock();
        state.last += 1;
        let id = state.last;
        state.tasks.insert(id, (owner, Some(task)));
        self.ready.lock().unwrap().push(id);
    }

    fn tasks_of(&self, owner: Owner) -> usize {
        let state = self.lock();
        state.tasks.values().filter(|task| task.0 == owner).count()
    }

    fn kill(&self, owner: Owner) {
        let dead: Vec<_> = {
            let mut state = self.lock();
            let ids: Vec<u64> = state
                .tasks
                .iter()
                .filter(|task| task.1.0 == owner)
                .map(|task| *task.0)
                .collect();
            ids.iter().filter_map(|id| state.tasks.remove(id)).collect()
        };
        drop(dead);
    }

    /// Polls no task of a machine, as after SIGSTOP, until it goes on; time passes.
    fn pause(&self, owner: Owner, is_paused: bool) {
        let mut state = self.lock();
        if is_paused {
            state.paused.insert(owner);
        } else if state.paused.remove(&owner) {
            let mut ready = self.ready.lock().unwrap();
            for id in std::mem::take(&mut state.held) {
                if !ready.contains(&id) {
                    ready.push(id);
                }
            }
        }
    }

    /// Ends all that goes on; returns whether nobody holds on to this world any more.
    pub(super) fn end(&self) -> bool {
        loop {
            let (tasks, timers) = {
                let mut state = self.lock();
                (
                    std::mem::take(&mut state.tasks),
                    std::mem::take(&mut state.timers),
                )
            };
            // What a task held may start another as it goes.
            if tasks.is_empty() && timers.is_empty() {
                return Arc::strong_count(&self.state) == 1;
            }
            drop((tasks, timers));
        }
    }

    /// Is over after so long.
    pub(super) fn sleep(&self, time: Duration) -> Sleep {
        let at = self.lock().now.after(time);
        Sleep {
            world: self.clone(),
            at,
            timer: None,
        }
    }

    /// Sleeps for some time that chance chooses.
    pub(super) fn nap(&self, low: Duration, high: Duration) -> Sleep {
        self.sleep(self.random(|random| random.time(low, high)))
    }

    /// Wakes somebody at `at`.
    pub(super) fn wake_at(&self, at: Tick, waker: Waker) -> (Tick, u64) {
        let mut state = self.lock();
        state.last += 1;
        let timer = (at, state.last);
        state.timers.insert(timer, waker);
        timer
    }

    /// Lets so much time pass, or less where something was violated.
    pub(super) fn run(&self, time: Duration) {
        let end = self.lock().now.after(time);
        self.run_until(|| false, end);
    }

    /// Lets time pass until `done`, or `end`; returns whether it was done.
    pub(super) fn run_until(&self, done: impl Fn() -> bool, end: Tick) -> bool {
        loop {
            if done() {
                return true;
            }
            if self.violation().is_some() || (!self.step() && !self.advance(end)) {
                return false;
            }
        }
    }

    /// Polls one of the tasks that are ready.
    fn step(&self) -> bool {
        let (id, owner, mut task) = loop {
            let mut state = self.lock();
            let mut ready = self.ready.lock().unwrap();
            if ready.is_empty() {
                return false;
            }
            let at = state.random.between(0, ready.len() as u64) as usize;
            let id = ready.swap_remove(at);
            drop(ready);
            let owner = state.tasks.get(&id).map(|task| task.0);
            if owner.is_some_and(|owner| state.paused.contains(&owner)) {
                state.held.insert(id);
                continue;
            }
            state.polls += 1;
            state.polls_now += 1;
            if let Some((owner, task)) = state.tasks.get_mut(&id)
                && let Some(task) = task.take()
            {
                break (id, *owner, task);
            }
        };
        if self.lock().polls_now > SPIN {
            self.violated("a task runs for ever");
        }
        let waker = Waker::from(Arc::new(Alarm {
            task: id,
            ready: Arc::clone(&self.ready),
        }));
        let polled = task.as_mut().poll(&mut Context::from_waker(&waker));
        let mut state = self.lock();
        match polled {
            Poll::Ready(()) => drop(state.tasks.remove(&id)),
            Poll::Pending => {
                if let Some(place) = state.tasks.get_mut(&id) {
                    *place = (owner, Some(task));
                    return true;
                }
            }
        }
        // What a task held may call the world as it goes.
        drop(state);
        drop(task);
        true
    }

    /// Lets time jump to the next timer, or to `end`, where there is none before; then it is false.
    fn advance(&self, end: Tick) -> bool {
        let mut due = Vec::new();
        let mut state = self.lock();
        let next = state.timers.first_key_value().map(|timer| timer.0.0);
        let found = next.is_some_and(|next| next <= end);
        state.now = state.now.max(next.filter(|_| found).unwrap_or(end));
        state.polls_now = 0;
        let now = state.now;
        while let Some(timer) = state.timers.first_entry().filter(|timer| timer.key().0 <= now) {
            due.push(timer.remove());
        }
        drop(state);
        due.into_iter().for_each(Waker::wake);
        found
    }
}

/// A wait.
pub(super) struct Sleep {
    world: World,
    at: Tick,
    timer: Option<(Tick, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.world.now().tick >= self.at {
            return Poll::Ready(());
        }
        // The task that waits may be another than at the last poll.
        if let Some(timer) = self.timer.take() {
            self.world.lock().timers.remove(&timer);
        }
        self.timer = Some(self.world.wake_at(self.at, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.world.lock().timers.remove(&timer);
        }
    }
}

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

    /// Tasks that wake each other, sleep and block; gives what was noted in which order.
    fn run(seed: u64) -> (u64, u64) {
        let world = World::new(seed, false);
        let machine = Machine::new(&world, 1, Duration::from_millis(5));
        let host: Arc<dyn Host> = machine.clone();
        for number in 0..8 {
            let (world, host) = (world.clone(), Arc::clone(&host));
            machine.start(Box::pin(async move {
                for _ in 0..5 {
                    host.sleep(Duration::from_millis(host.random() % 4)).await;
                    crate::boards::host::unblock(&host, || ()).await;
                    world.note("task", &[number]);
                }
            }));
        }
        world.run(Duration::from_secs(1));
        assert_eq!((world.violation(), machine.tasks()), (None, 0));
        world.trace()
    }

    #[test]
    fn the_same_seed_makes_the_same_and_another_one_something_else() {
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn time_jumps_and_a_dead_machine_does_nothing_more() {
        let world = World::new(0, false);
        let machine = Machine::new(&world, 1, Duration::from_millis(5));
        let (begun, other) = (world.now().tick, world.clone());
        let sleeping = Arc::clone(&machine);
        machine.start(Box::pin(async move {
            sleeping.sleep(Duration::from_secs(3600)).await;
            other.violated("it woke up");
        }));
        world.run(Duration::from_secs(3599));
        assert_eq!(world.now().tick.since(begun), Duration::from_secs(3599));
        machine.die();
        machine.start(Box::pin(async {}));
        world.run(Duration::from_secs(2));
        assert_eq!(
            (world.violation(), machine.tasks(), world.lock().timers.len()),
            (None, 0, 0)
        );
    }

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

    #[test]
    fn what_never_rests_is_found() {
        let world = World::new(0, false);
        world.start(std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        world.run(Duration::from_secs(1));
        assert!(world.violation().is_some());
    }
}
