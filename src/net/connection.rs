//! One WebSocket connection: a single task that reads, hands to its session, and writes what its room has
//! due for it alone; what is due to many a flush of the room sends (`room::flush`).
//!
//! Owns the order of reading and writing on one socket and how a connection ends. Must not know what messages
//! mean. Key invariants: whole frames leave in order; the room's lock is never held over an await or a system
//! call; a connection that cannot send does not hold up the room.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_io::Timer;
use bytes::Bytes;

use crate::boards::apart;
use crate::boards::rights::Joined;
use crate::boards::slots::RoomCell;
use crate::fault::Fault;
use crate::ids::Subject;
use crate::limits;
use crate::metrics::RATE;
use crate::net::disposition::{self, log_at};
use crate::net::messages::{Messages, Next};
use crate::net::pace::{Doing, Pace};
use crate::net::socket::{Socket, WRITE_TURN_BYTES};
use crate::net::summary::Summary;
use crate::net::{Shell, within};
use crate::room::member::{Out, Pulse};
use crate::room::{Due, Effects, Room, UpdateOutcome};
use crate::session::{Handled, Rest, Session};
use crate::time::{Now, Tick};
use crate::ws;
use crate::ws::reader::ReadError;

/// Messages read before what is due is written and other tasks get their turn.
const READ_BURST: usize = 64;

/// Bytes of messages read likewise.
const READ_BURST_BYTES: usize = 256 * 1024;

/// Bytes of messages after which a step of the room takes no further one: the lock is held as long as they
/// take.
const STEP_BYTES: usize = 16 * 1024;

/// Bytes of pongs that may wait for a peer that does not read; past it nothing more is read of that peer.
const CONTROL_BYTES_MAX: usize = 4 * 1024;

thread_local! {
    /// Where frames are gathered for one write.
    static GATHER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Whether what arrived completed a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completed {
    Yes,
    No,
}

/// Why a connection's loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// We close it.
    Fault(Fault),
    /// The peer closed it, or is gone.
    Peer,
}

impl End {
    /// What it was, if it was we who ended it.
    fn fault(self) -> Option<Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Peer => None,
        }
    }
}

/// One WebSocket connection that is a member of a room.
pub(crate) struct Connection {
    shell: Arc<Shell>,
    cell: Arc<RoomCell>,
    session: Session,
    stream: Messages,
    pulse: Arc<Pulse>,
    /// What the kernel has not taken yet, and how much of it has left: the rest of a gathered run of frames,
    /// or one frame with a large body.
    sending: Option<Box<Sending>>,
    /// How slowly the message under way comes.
    pace: Pace,
    /// Fires when something was too slow, unless more has moved; and when that is.
    late: Option<Box<(Tick, Timer)>>,
    /// When it was last polled.
    now: Tick,
    /// Messages handled since others had their turn, and their bytes.
    burst: usize,
    burst_bytes: usize,
    /// Reading goes on when it fires.
    pause: Option<Box<Timer>>,
    /// An update that joins off the room's lock, and what is left of its message; nothing is read before it
    /// has.
    joining: Option<Box<(JoinApart, Rest)>>,
    /// Bytes of large frames that may be written before others have their turn.
    write_allowance: usize,
    /// The kernel did not take all it was given, and how much waits since was not looked at yet.
    was_full: bool,
    summary: Summary,
}

/// What the kernel has not taken yet.
struct Sending {
    out: Out,
    /// How much of it has left.
    at: usize,
    /// How slowly it leaves: a step 2 is held in memory until its reader has all of it.
    pace: Pace,
}

impl Sending {
    fn new(out: Out) -> Option<Box<Self>> {
        let pace = Pace::default();
        Some(Box::new(Self { out, at: 0, pace }))
    }
}

/// An update on its way into the room, off its lock.
type JoinApart = Pin<Box<dyn Future<Output = Result<apart::Joined, Fault>> + Send>>;

impl Connection {
    /// Takes over a socket whose upgrade is answered, for a member that has joined.
    pub(crate) fn new(shell: Arc<Shell>, joined: Joined, socket: Socket) -> Self {
        let Joined { cell, session, pulse } = joined;
        cell.lock().set_line(session.member(), socket.line());
        let stream = Messages::new(socket, shell.receiving.place(), shell.live.get().message_bytes);
        let opened = shell.now().tick;
        Self {
            shell,
            cell,
            session,
            stream,
            pulse,
            sending: None,
            pace: Pace::default(),
            late: None,
            now: Tick::default(),
            burst: 0,
            burst_bytes: 0,
            pause: None,
            joining: None,
            write_allowance: 0,
            was_full: false,
            summary: Summary::new(opened),
        }
    }

    /// Runs until either side ends it; the caller then leaves the room and calls [`Self::finish`].
    pub(crate) async fn run(&mut self) -> End {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.now = self.shell.now().tick;
        (self.burst, self.burst_bytes) = (0, 0);
        self.write_allowance = WRITE_TURN_BYTES;
        self.stream.get_mut().allow(READ_BURST_BYTES);
        while self.may_read_more() && !self.owes_much() {
            match self.poll_read(cx) {
                Poll::Ready(Ok(completed)) => {
                    self.burst += usize::from(completed == Completed::No);
                    self.note_received(completed);
                }
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending => break,
            }
        }
        self.note_received(Completed::No);
        let held_back = self.owes_much();
        if held_back {
            // It is we who do not listen: the peer's silence does not count.
            self.pulse.received(self.now);
        }
        let written = self.poll_write(cx);
        if let Poll::Ready(end) = written {
            return Poll::Ready(end);
        }
        if let Poll::Ready(end) = self.poll_pace(cx) {
            return Poll::Ready(end);
        }
        if !self.may_read_more() || held_back && !self.owes_much() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Keeps account of what arrived.
    fn note_received(&mut self, completed: Completed) {
        let received = self.stream.get_mut().take_received();
        if received > 0 {
            self.pulse.received(self.now);
            self.pace.moved(received);
        }
        if completed == Completed::Yes {
            self.pace.restart();
        }
        self.stream.count(0);
    }

    /// Ends a connection whose message comes too slowly, or that takes its step 2 too slowly.
    fn poll_pace(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let doing = match self.stream.is_within_message() {
            false => Doing::Nothing,
            // Who does not take in what it is owed is not paused by us.
            true if self.owes_much() => Doing::Receiving,
            true if self.pause.is_some() || self.stream.waits_for_room() => Doing::Paused,
            true => Doing::Receiving,
        };
        loop {
            let now = self.now;
            let message = self.pace.deadline(now, doing);
            let answer = match &mut self.sending {
                Some(sending) if sending.out.kind.is_answer() => sending.pace.deadline(now, Doing::Receiving),
                _ => None,
            };
            let Some(deadline) = [message, answer].into_iter().flatten().min() else {
                return Poll::Pending;
            };
            if message.is_some_and(|deadline| now >= deadline) {
                return Poll::Ready(End::Fault(Fault::ConnectionLost));
            }
            if now >= deadline {
                return Poll::Ready(End::Fault(Fault::SlowConsumer));
            }
            if self.late.as_ref().is_none_or(|late| late.0 > deadline) {
                self.late = Some(Box::new((deadline, Timer::after(deadline.since(now)))));
            }
            if let Some(late) = &mut self.late {
                ready!(Pin::new(&mut late.1).poll(cx));
            }
            self.late = None;
        }
    }

    /// Whether so many pongs or saved echoes wait for the peer, or a step 2, which may be as large as the
    /// board, that it is not read for now.
    fn owes_much(&self) -> bool {
        self.stream.control_len() > CONTROL_BYTES_MAX
            || self.pulse.owed() > limits::ECHOES_OWED_BYTES_MAX
            || self.pulse.has_answers()
            || self
                .sending
                .as_ref()
                .is_some_and(|sending| sending.out.kind.is_answer())
    }

    /// Reads and handles a message, and those that came with it.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Completed, End>> {
        if self.joining.is_some() {
            return self.poll_joining(cx).map_ok(|()| Completed::No);
        }
        if let Some(pause) = &mut self.pause {
            // It is we who do not listen: the peer's silence does not count.
            self.pulse.received(self.now);
            ready!(Pin::new(pause).poll(cx));
            self.pause = None;
        }
        if self.shell.boards.is_disk_behind() {
            // It is we who do not listen: the peer's silence does not count.
            self.pulse.received(self.now);
            self.pause = Some(Box::new(Timer::after(limits::BACKPRESSURE_RETRY)));
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = self.stream.poll_next(cx);
        if self.stream.waits_for_room() {
            // Nor here.
            self.pulse.received(self.now);
        }
        let mut next = ready!(next);
        loop {
            let idle = self.stream.take_idle();
            if idle > 0 {
                let wait = self.session.charge(idle, self.now);
                self.rest(wait);
            }
            next = match next {
                Next::Message(frame) => match self.handle(frame) {
                    Ok(Some(next)) => next,
                    Ok(None) => return Poll::Ready(Ok(Completed::Yes)),
                    Err(fault) => return Poll::Ready(Err(End::Fault(fault))),
                },
                Next::Idle => return Poll::Ready(Ok(Completed::No)),
                Next::End => return Poll::Ready(Err(End::Peer)),
                Next::Refused(error) => return Poll::Ready(Err(End::Fault(fault_of(error)))),
            };
        }
    }

    /// Whether others can wait for their turn.
    fn may_read_more(&self) -> bool {
        self.burst < READ_BURST && self.burst_bytes < self.burst_bytes_max()
    }

    /// Bytes handled before others get their turn: were it more than a part of their outbox, those who read
    /// all they are sent could be too far behind before they were asked to.
    fn burst_bytes_max(&self) -> usize {
        READ_BURST_BYTES.min(self.shell.settings.outbox_bytes / 8)
    }

    /// Handles a message in a step of the room, and in the same step those that came with it, as far as
    /// nothing has to be done in between; what came then.
    fn handle(&mut self, first: Bytes) -> Result<Option<Next>, Fault> {
        let (burst, burst_bytes) = (self.burst, self.burst_bytes);
        let now = self.shell.now();
        let boards = Arc::clone(&self.shell.boards);
        let cell = Arc::clone(&self.cell);
        let stepped = boards.step_since(&cell, Some(now.tick), |room, effects| {
            let handled = self.handle_in(first, room, now, effects);
            self.summary.step(&effects.tally);
            handled
        });
        let (messages, bytes) = (self.burst - burst, self.burst_bytes - burst_bytes);
        self.shell.metrics.received(messages, bytes);
        self.summary.came(messages, bytes);
        let (handled, next) = stepped?;
        self.after(handled);
        Ok(next)
    }

    /// Handles a message, and those that came with it; what became of the last one, and what came then.
    fn handle_in(
        &mut self,
        first: Bytes,
        room: &mut Room,
        now: Now,
        effects: &mut Effects,
    ) -> Result<(Handled, Option<Next>), Fault> {
        let burst_bytes = self.burst_bytes;
        let mut frame = first;
        loop {
            self.burst += 1;
            self.burst_bytes += frame.len();
            let handled = self.session.handle(&frame, room, now, effects)?;
            let is_done = matches!(handled, Handled::Done(wait) if wait.is_zero());
            let goes_on = is_done
                && self.may_read_more()
                && !self.owes_much()
                && self.burst_bytes - burst_bytes < STEP_BYTES;
            match goes_on.then(|| self.stream.next_ahead()).flatten() {
                Some(Next::Message(next)) => frame = next,
                next => return Ok((handled, next)),
            }
        }
    }

    /// Does what is left to do for a message.
    fn after(&mut self, handled: Handled) {
        match handled {
            Handled::Done(wait) => self.rest(wait),
            Handled::Apart(update, rest) => {
                let (boards, cell) = (Arc::clone(&self.shell.boards), Arc::clone(&self.cell));
                let member = self.session.member();
                let joining = async move {
                    let may = |room: &Room| room.may_write(member);
                    boards.join_apart(&cell, Some(member), update, may).await
                };
                self.joining = Some(Box::new((Box::pin(joining), rest)));
            }
        }
    }

    /// Reads nothing for a while.
    fn rest(&mut self, wait: Duration) {
        if !wait.is_zero() {
            self.summary.rests(wait);
            self.shell.metrics.over_bound(RATE);
            self.pause = Some(Box::new(Timer::after(wait)));
        }
    }

    /// Waits for an update that joins off the room's lock, and goes on with the rest of its message.
    fn poll_joining(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        // It is we who do not listen: the peer's silence does not count.
        self.pulse.received(self.now);
        let Some(joining) = &mut self.joining else {
            return Poll::Pending;
        };
        let joined = ready!(joining.0.as_mut().poll(cx));
        let Some((_, rest)) = self.joining.take().map(|joining| *joining) else {
            return Poll::Pending;
        };
        let apart::Joined { outcome, steps, .. } = match joined {
            Ok(joined) => joined,
            Err(fault) => return Poll::Ready(Err(End::Fault(fault))),
        };
        let now = self.shell.now();
        let wait = self.session.charge_steps(steps, now.tick);
        self.rest(wait);
        // Where it may not any more, what it brought does not count, as if it came later.
        let Some(outcome) = outcome else {
            return Poll::Ready(Ok(()));
        };
        let Self {
            shell,
            cell,
            session,
            summary,
            ..
        } = self;
        summary.accepted += u32::from(outcome == UpdateOutcome::New);
        let resumed = shell.boards.step(cell, |room, effects| {
            let handled = session.resume((rest, outcome), room, now, effects);
            summary.step(&effects.tally);
            handled
        });
        Poll::Ready(resumed.map(|handled| self.after(handled)).map_err(End::Fault))
    }

    /// Writes what is due; `Pending` once nothing is or the socket is full.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            match self.poll_sending(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(End::Peer),
                Poll::Pending => {
                    let member = self.session.member();
                    return match self.cell.lock().poll_closing(member, cx.waker()) {
                        Some(fault) => Poll::Ready(End::Fault(fault)),
                        None => Poll::Pending,
                    };
                }
            }
            if let Err(end) = ready!(GATHER.with_borrow_mut(|buffer| self.poll_gather(cx, buffer))) {
                return Poll::Ready(end);
            }
        }
    }

    /// Gathers what is due and writes it; what the kernel does not take is sent by [`Self::poll_sending`].
    fn poll_gather(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<u8>) -> Poll<Result<(), End>> {
        buffer.clear();
        buffer.append(&mut self.stream.take_control());
        let now = self.now;
        let member = self.session.member();
        let due = {
            let mut room = self.cell.lock();
            if std::mem::take(&mut self.was_full) {
                room.note_waiting(member);
            }
            room.poll_outbound(member, now, cx.waker(), buffer)
        };
        match due {
            Due::Flushed => {
                self.stream.give_back_control(buffer);
                return Poll::Pending;
            }
            Due::Close(fault) if buffer.is_empty() => return Poll::Ready(Err(End::Fault(fault))),
            Due::Nothing if buffer.is_empty() => return Poll::Pending,
            Due::Frame(out) => self.sending = Sending::new(out),
            Due::Gathered | Due::Nothing | Due::Close(_) => {}
        }
        let mut sent = 0;
        while let Some(rest) = buffer.get(sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.get_ref().poll_send(cx, rest) {
                Poll::Ready(Ok(n)) => sent += n,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Peer)),
                Poll::Pending => {
                    self.sending = Sending::new(Out::message(rest.to_vec()));
                    self.pulse.blocked(now);
                    self.was_full = true;
                    break;
                }
            }
        }
        self.shell.metrics.sent(sent);
        self.summary.sent += sent;
        Poll::Ready(Ok(()))
    }

    /// Goes on with what an earlier write left over.
    fn poll_sending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(sending) = &mut self.sending {
            let Sending { out, at, pace } = &mut **sending;
            let rest = out.rest(*at);
            let rest = rest.get(..rest.len().min(self.write_allowance)).unwrap_or(rest);
            if out.rest(*at).is_empty() {
                self.sending = None;
                self.pulse.flowing();
                break;
            }
            if rest.is_empty() {
                // Others have their turn; this goes on when they had it.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.stream.get_ref().poll_send(cx, rest) {
                Poll::Ready(Ok(n)) => {
                    *at += n;
                    self.write_allowance -= n;
                    self.pace.moved(n);
                    pace.moved(n);
                    self.shell.metrics.sent(n);
                    self.summary.sent += n;
                    self.pulse.blocked(self.now);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    if self.pulse.blocked_since().is_none() {
                        self.pulse.blocked(self.now);
                    }
                    self.was_full = true;
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Leaves the room; after a bug of ours the room is given up, since what a step left half done is not to
    /// be trusted.
    pub(crate) fn leave_room(&self, end: End) {
        self.shell.metrics.ended(end.fault());
        if let End::Fault(fault @ Fault::Internal) = end {
            self.shell.boards.give_up(&self.cell, fault);
        }
        let (member, now) = (self.session.member(), self.shell.now());
        self.shell.boards.step(&self.cell, |room, effects| {
            if self.was_full {
                room.note_waiting(member);
            }
            room.leave(member, now.tick, effects);
        });
    }

    /// Says what it did, in the one line at its end.
    pub(crate) fn tell_end(&self, id: u64, subject: &Subject, end: End) {
        let (log, reason) = match end {
            End::Peer => (tracing::Level::INFO, "left"),
            End::Fault(fault) => (disposition::of(fault).log, disposition::of(fault).reason),
        };
        let Summary {
            opened,
            messages,
            received,
            sent,
            accepted,
            denied,
            paused,
        } = &self.summary;
        let seconds = self.shell.now().tick.since(*opened).as_secs_f64();
        let flushed = self.stream.get_ref().registered().flushed.load(Ordering::Relaxed);
        log_at!(
            log,
            connection = id,
            board = %self.cell.id(),
            subject = subject.as_str(),
            reason,
            seconds,
            messages,
            received_bytes = received,
            sent_bytes = flushed.saturating_add(*sent as u64),
            accepted,
            denied,
            paused_ms = u64::try_from(paused.as_millis()).unwrap_or(u64::MAX),
            waiting_bytes = self.pulse.most_waiting.load(Ordering::Relaxed),
            "disconnected"
        );
    }

    /// Ends the connection: what was being sent, the close frame, and the peer's half of the closing
    /// handshake.
    ///
    /// Bounded by [`limits::CLOSE_TIME_MAX`]; a peer that does not read by then is cut off.
    pub(crate) async fn finish(mut self, end: End) {
        let closing = pin!(async {
            if let Some(sending) = self.sending.take() {
                let Sending { out, mut at, .. } = *sending;
                while !out.rest(at).is_empty() {
                    let rest = out.rest(at);
                    self.stream.get_ref().send_all(rest).await?;
                    at += rest.len();
                }
            }
            let control = self.stream.take_control();
            self.stream.get_ref().send_all(&control).await?;
            if let End::Fault(fault) = end {
                let row = disposition::of(fault);
                let code = row.close_code(self.shell.settings.close_codes);
                self.stream
                    .get_ref()
                    .send_all(&ws::close_frame(code, row.reason))
                    .await?;
            }
            self.stream.get_mut().drain().await;
            io::Result::Ok(())
        });
        // Whether the peer took the close frame in time or not, the connection is over.
        drop(within(limits::CLOSE_TIME_MAX, closing).await);
    }
}

/// What a refusal of the frame reader means.
fn fault_of(error: ReadError) -> Fault {
    match error {
        ReadError::TooLarge => Fault::MessageTooLarge,
        ReadError::Text => Fault::TextFrame,
        ReadError::Protocol => Fault::WebSocketProtocol,
    }
}
