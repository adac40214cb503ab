//! The thread that waits: for the network, for timers, and for tasks that others made ready.
//!
//! Owns [`Driver`], which runs a future and waits in between, [`Registered`], a socket whose readiness it
//! tells, and [`Sleep`]. Must not know what is read or run. Key invariants: a socket is registered once and
//! for all (edges, not levels), so that waiting for it costs no system call; readiness that was told is not
//! lost until it was taken; whoever is woken on the driver's own thread costs no system call either.
//!
//! async-io does the same for any thread, and pays for it: it arms a socket anew for each wait, its timer by
//! system calls, and a thread of its own hands on what comes. It serves what is rare here.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use mio::event::{Event, Source};
use mio::{Events, Interest, Registry, Token};

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 1024;

/// The token of the alarm; sockets count from zero.
const ALARM: Token = Token(usize::MAX);

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// What the driver and its sockets and timers share.
#[derive(Debug)]
pub(crate) struct Poller {
    registry: Registry,
    sockets: Mutex<BTreeMap<usize, Arc<Readiness>>>,
    next_socket: AtomicUsize,
    timers: Mutex<BTreeMap<(Instant, u64), Waker>>,
    next_timer: AtomicU64,
    alarm: Arc<Alarm>,
    began: Instant,
    /// Since when the driver has not waited, in milliseconds from `began`; `u64::MAX` while it waits.
    busy_since: AtomicU64,
}

/// Runs a future on the thread that waits.
#[derive(Debug)]
pub(crate) struct Driver {
    poll: mio::Poll,
    events: Events,
    poller: Arc<Poller>,
}

/// Wakes the driver, by a system call only while it waits.
#[derive(Debug)]
struct Alarm {
    /// [`AWAKE`], [`ASLEEP`] or [`RUNG`].
    state: AtomicU8,
    waker: mio::Waker,
}

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const RUNG: u8 = 2;

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(RUNG, Ordering::AcqRel) == ASLEEP {
            self.ring();
        }
    }
}

impl Alarm {
    fn ring(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the thread that waits for the network");
        }
    }
}

impl Poller {
    /// A poller, and the driver of it.
    ///
    /// # Errors
    /// The operating system gave no descriptor.
    pub(crate) fn new() -> io::Result<(Arc<Self>, Driver)> {
        let poll = mio::Poll::new()?;
        let alarm = Alarm {
            state: AtomicU8::new(AWAKE),
            waker: mio::Waker::new(poll.registry(), ALARM)?,
        };
        let poller = Arc::new(Self {
            registry: poll.registry().try_clone()?,
            sockets: Mutex::default(),
            next_socket: AtomicUsize::new(0),
            timers: Mutex::default(),
            next_timer: AtomicU64::new(0),
            alarm: Arc::new(alarm),
            began: Instant::now(),
            busy_since: AtomicU64::new(0),
        });
        let driver = Driver {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            poller: Arc::clone(&poller),
        };
        Ok((poller, driver))
    }

    /// Is over after `time`, to the millisecond.
    pub(crate) fn sleep(self: &Arc<Self>, time: Duration) -> Sleep {
        Sleep {
            poller: Arc::clone(self),
            // For ever, where that is later than there are instants.
            at: Instant::now().checked_add(time),
            id: None,
        }
    }

    /// How long the driver has had work without a break.
    pub(crate) fn busy(&self) -> Duration {
        match self.busy_since.load(Ordering::Relaxed) {
            u64::MAX => Duration::ZERO,
            since => self.began.elapsed().saturating_sub(Duration::from_millis(since)),
        }
    }

    fn timers(&self) -> MutexGuard<'_, BTreeMap<(Instant, u64), Waker>> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sockets(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<Readiness>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever slept until now.
    fn fire(&self) {
        loop {
            let mut timers = self.timers();
            match timers.first_entry() {
                Some(first) if first.key().0 <= Instant::now() => {
                    let waker = first.remove();
                    drop(timers);
                    waker.wake();
                }
                _ => return,
            }
        }
    }
}

impl Driver {
    /// Runs `future`, and whatever it wakes is told of the network and the time meanwhile.
    pub(crate) fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let waker = Waker::from(Arc::clone(&self.poller.alarm));
        let mut cx = Context::from_waker(&waker);
        loop {
            self.poller.alarm.state.store(AWAKE, Ordering::Release);
            if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
                return done;
            }
            self.wait();
        }
    }

    /// Waits until something is ready, unless something is already.
    fn wait(&mut self) {
        let poller = &self.poller;
        let state = &poller.alarm.state;
        // Whoever starts an earlier timer from now on rings.
        let sleeps = state
            .compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        let timeout = match poller.timers().first_key_value() {
            _ if !sleeps => Some(Duration::ZERO),
            Some(((at, _), _)) => Some(at.saturating_duration_since(Instant::now())),
            None => None,
        };
        if sleeps {
            poller.busy_since.store(u64::MAX, Ordering::Relaxed);
        }
        let polled = self.poll.poll(&mut self.events, timeout);
        state.store(AWAKE, Ordering::Release);
        if sleeps {
            let now = u64::try_from(poller.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
            poller.busy_since.store(now, Ordering::Relaxed);
        }
        match polled {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(error) => {
                tracing::error!(%error, "cannot wait for the network");
                std::thread::sleep(Duration::from_millis(10));
                return;
            }
        }
        for event in &self.events {
            let readiness = poller.sockets().get(&event.token().0).cloned();
            if let Some(readiness) = readiness {
                readiness.note(event);
            }
        }
        poller.fire();
    }
}

/// What the kernel has said about a socket, and who waits for more.
#[derive(Debug, Default)]
struct Readiness(Mutex<[Side; 2]>);

/// One direction of a socket.
#[derive(Debug, Default)]
struct Side {
    /// Something has come since this was last taken.
    ready: bool,
    /// Nothing more comes, so that no edge tells of it any more.
    over: bool,
    waker: Option<Waker>,
}

impl Readiness {
    fn lock(&self) -> MutexGuard<'_, [Side; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, event: &Event) {
        let failed = event.is_error();
        let is_read = event.is_readable() || event.is_read_closed() || failed;
        let is_written = event.is_writable() || event.is_write_closed() || failed;
        let wakers = {
            let [read, write] = &mut *self.lock();
            read.over |= event.is_read_closed() || failed;
            write.over |= event.is_write_closed() || failed;
            [(read, is_read), (write, is_written)].map(|(side, is_ready)| {
                side.ready |= is_ready;
                side.waker.take_if(|_| is_ready)
            })
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// A socket whose readiness the driver tells.
#[derive(Debug)]
pub(crate) struct Registered<S> {
    io: S,
    token: usize,
    readiness: Arc<Readiness>,
    poller: Arc<Poller>,
    /// Bytes that a flush has sent over it.
    pub(crate) flushed: AtomicU64,
}

impl<S: Source> Registered<S> {
    /// Registers a socket that does not block.
    ///
    /// # Errors
    /// The operating system refused.
    pub(crate) fn new(mut io: S, poller: &Arc<Poller>) -> io::Result<Self> {
        // Never given again, so what the kernel said about a socket is never taken for another's.
        let token = poller.next_socket.fetch_add(1, Ordering::Relaxed);
        let readiness = Arc::<Readiness>::default();
        poller.sockets().insert(token, Arc::clone(&readiness));
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = poller.registry.register(&mut io, Token(token), interest);
        let this = Self {
            io,
            token,
            readiness,
            poller: Arc::clone(poller),
            flushed: AtomicU64::new(0),
        };
        registered.map(|()| this)
    }
}

impl<S> Registered<S> {
    /// The socket.
    pub(crate) fn get_ref(&self) -> &S {
        &self.io
    }

    /// Who tells of it.
    pub(crate) fn poller(&self) -> &Arc<Poller> {
        &self.poller
    }

    /// Takes what the kernel has said about a direction since the last call, or since the registration. Call
    /// it before what is tried, or once that would have blocked; a short read has emptied the socket too.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>, direction: Direction) -> Poll<()> {
        let [read, write] = &mut *self.readiness.lock();
        let side = match direction {
            Direction::Read => read,
            Direction::Write => write,
        };
        if std::mem::take(&mut side.ready) || side.over {
            return Poll::Ready(());
        }
        if !side.waker.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
            side.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl<S> Registered<S> {
    /// Whether the kernel has said that a direction is over; it will wake whoever waits.
    pub(crate) fn poll_over(&self, cx: &Context<'_>, direction: Direction) -> Poll<()> {
        // What was told may be taken: whoever does something tries it first.
        while self.poll_ready(cx, direction).is_ready() {
            let [read, write] = &*self.readiness.lock();
            let side = match direction {
                Direction::Read => read,
                Direction::Write => write,
            };
            if side.over {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

impl<S> Drop for Registered<S> {
    fn drop(&mut self) {
        // The kernel forgets a socket when it is closed.
        self.poller.sockets().remove(&self.token);
    }
}

/// A wait.
#[derive(Debug)]
pub(crate) struct Sleep {
    poller: Arc<Poller>,
    at: Option<Instant>,
    /// That of its timer, once it has one.
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else {
            return Poll::Pending;
        };
        if at <= Instant::now() {
            return Poll::Ready(());
        }
        let id = match self.id {
            Some(id) => id,
            None => self.poller.next_timer.fetch_add(1, Ordering::Relaxed),
        };
        self.id = Some(id);
        let is_first = {
            let mut timers = self.poller.timers();
            timers.insert((at, id), cx.waker().clone());
            timers
                .first_key_value()
                .is_some_and(|(first, _)| *first == (at, id))
        };
        if is_first && self.poller.alarm.state.load(Ordering::Acquire) == ASLEEP {
            self.poller.alarm.ring();
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let (Some(at), Some(id)) = (self.at, self.id) {
            self.poller.timers().remove(&(at, id));
        }
    }
}

/// A socket for a test, on a driver with a thread of its own, and its peer.
#[cfg(test)]
pub(crate) fn pair() -> (Registered<mio::net::TcpStream>, std::net::TcpStream) {
    static DRIVEN: std::sync::LazyLock<Arc<Poller>> = std::sync::LazyLock::new(|| {
        let (poller, mut driver) = Poller::new().unwrap();
        std::thread::spawn(move || driver.run(std::future::pending::<()>()));
        poller
    });
    tests::pair(&DRIVEN)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    use super::*;

    pub(super) fn pair(poller: &Arc<Poller>) -> (Registered<mio::net::TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ours = listener.accept().unwrap().0;
        ours.set_nonblocking(true).unwrap();
        let ours = mio::net::TcpStream::from_std(ours);
        (Registered::new(ours, poller).unwrap(), peer)
    }

    async fn ready(socket: &Registered<mio::net::TcpStream>, direction: Direction) {
        std::future::poll_fn(|cx| socket.poll_ready(cx, direction)).await;
    }

    #[test]
    fn each_edge_is_told_once_and_an_end_always() {
        let (poller, mut driver) = Poller::new().unwrap();
        let (socket, mut peer) = pair(&poller);
        let mut buffer = [0; 64];
        for round in 0..3 {
            peer.write_all(b"abc").unwrap();
            driver.run(ready(&socket, Direction::Read));
            assert_eq!(socket.get_ref().read(&mut buffer).unwrap(), 3, "{round}");
            let cx = &Context::from_waker(Waker::noop());
            assert!(
                socket.poll_ready(cx, Direction::Read).is_pending(),
                "it was taken"
            );
        }
        // The last bytes and the end may come as one edge.
        peer.write_all(b"last").unwrap();
        drop(peer);
        thread::sleep(Duration::from_millis(20));
        driver.run(ready(&socket, Direction::Read));
        assert_eq!(socket.get_ref().read(&mut buffer).unwrap(), 4);
        driver.run(ready(&socket, Direction::Read));
        assert_eq!(socket.get_ref().read(&mut buffer).unwrap(), 0);
        driver.run(ready(&socket, Direction::Read));
    }

    #[test]
    fn a_socket_that_takes_nothing_is_told_when_it_does() {
        let (poller, mut driver) = Poller::new().unwrap();
        let (socket, mut peer) = pair(&poller);
        driver.run(ready(&socket, Direction::Write));
        let mut sent = 0;
        while let Ok(more) = socket.get_ref().write(&[7; 65_536]) {
            sent += more;
        }
        let reading = thread::spawn(move || {
            let mut got = 0;
            let mut buffer = vec![0; 1 << 20];
            while got < sent {
                got += peer.read(&mut buffer).unwrap();
            }
        });
        driver.run(ready(&socket, Direction::Write));
        reading.join().unwrap();
        assert!(socket.get_ref().write(&[7]).is_ok());
    }

    #[test]
    fn others_wake_the_driver_and_their_timers_count() {
        let (poller, mut driver) = Poller::new().unwrap();
        let began = Instant::now();
        let (sender, receiver) = smol::channel::bounded(1);
        let theirs = Arc::clone(&poller);
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            // A timer of a thread that does not drive, earlier than all others.
            smol::block_on(theirs.sleep(Duration::from_millis(20)));
            sender.try_send(()).unwrap();
        });
        let late = poller.sleep(Duration::from_secs(60));
        let won = driver.run(smol::future::or(
            async {
                receiver.recv().await.unwrap();
                "other"
            },
            async {
                late.await;
                "late"
            },
        ));
        assert_eq!(won, "other");
        assert!(began.elapsed() >= Duration::from_millis(40));
        other.join().unwrap();
        assert!(
            poller.timers().is_empty(),
            "a wait that was given up leaves nothing"
        );
    }

    #[test]
    fn waits_end_in_their_order_and_not_before() {
        let (poller, mut driver) = Poller::new().unwrap();
        let began = Instant::now();
        let order = Mutex::new(Vec::new());
        let wait = |ms: u64| {
            let (poller, order) = (&poller, &order);
            async move {
                poller.sleep(Duration::from_millis(ms)).await;
                order.lock().unwrap().push(ms);
            }
        };
        driver.run(smol::future::zip(wait(30), smol::future::zip(wait(0), wait(10))));
        assert!(began.elapsed() >= Duration::from_millis(30));
        assert_eq!(*order.lock().unwrap(), [0, 10, 30]);
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(pin!(poller.sleep(Duration::MAX)).poll(cx).is_pending());
    }

    #[test]
    fn it_is_busy_from_the_end_of_a_wait_to_the_next() {
        let (poller, mut driver) = Poller::new().unwrap();
        let waiting = Arc::clone(&poller);
        driver.run(async {
            poller.sleep(Duration::from_millis(5)).await;
            thread::sleep(Duration::from_millis(30));
            assert!(
                waiting.busy() >= Duration::from_millis(29),
                "{:?}",
                waiting.busy()
            );
        });
        let seen = thread::spawn(move || {
            thread::sleep(Duration::from_millis(30));
            waiting.busy()
        });
        driver.run(poller.sleep(Duration::from_millis(200)));
        assert_eq!(seen.join().unwrap(), Duration::ZERO);
    }
}
