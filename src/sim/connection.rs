//! The node's end of a link: what `net::connection` does with a socket, without one.
//!
//! Owns one connection's reading and writing. Must not know what messages mean. Key invariant: it calls what
//! `net::connection` calls, in the same order: a change there is made here too.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use smol::future::{Future, FutureExt};

use super::network;
use super::node::Node;
use crate::boards::apart;
use crate::boards::host::Task;
use crate::boards::rights::Joined;
use crate::boards::slots::RoomCell;
use crate::fault::Fault;
use crate::limits;
use crate::net::disposition;
use crate::net::pace::{Doing, Pace};
use crate::net::receiving::Place;
use crate::room::member::{Out, Pulse};
use crate::room::outgoing::Line;
use crate::room::{Due, Room};
use crate::session::{Handled, Rest, Session};
use crate::sync;
use crate::time::Tick;
use crate::ws::reader::{Event, ReadError, Reader};
use crate::ws::{self, Opcode};

const READ_BURST: usize = 64;
const STEP_BYTES: usize = 16 * 1024;
const READ_BYTES: usize = 4 * 1024;
const CONTROL_BYTES_MAX: usize = 4 * 1024;

/// Why a connection ended: for a fault, or because the peer is gone.
type Ended = Option<Fault>;

type JoinApart = Pin<Box<dyn Future<Output = Result<apart::Joined, Fault>> + Send>>;

pub(super) struct Connection {
    node: Arc<Node>,
    end: Arc<network::End>,
    cell: Arc<RoomCell>,
    session: Session,
    pulse: Arc<Pulse>,
    reader: Reader,
    place: Place,
    ahead: Vec<u8>,
    control: Vec<u8>,
    sending: Option<(Out, usize)>,
    pace: Pace,
    answer_pace: Pace,
    late: Option<(Tick, Task)>,
    pause: Option<Task>,
    joining: Option<(JoinApart, Rest)>,
    burst: usize,
}

impl Connection {
    pub(super) fn new(node: &Arc<Node>, joined: Joined, end: network::End) -> Self {
        let Joined { cell, session, pulse } = joined;
        let end = Arc::new(end);
        cell.lock()
            .set_line(session.member(), Arc::clone(&end) as Arc<dyn Line>);
        Self {
            node: Arc::clone(node),
            end,
            cell,
            session,
            pulse,
            reader: Reader::new(node.message_bytes),
            place: node.receiving.place(),
            ahead: Vec::new(),
            control: Vec::new(),
            sending: None,
            pace: Pace::default(),
            answer_pace: Pace::default(),
            late: None,
            pause: None,
            joining: None,
            burst: 0,
        }
    }

    pub(super) async fn run(&mut self) -> Ended {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn now(&self) -> Tick {
        self.node.boards.now().tick
    }

    /// It is we who do not listen: the peer's silence does not count.
    fn excuse(&self) {
        self.pulse.received(self.now());
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        self.burst = 0;
        while self.burst < READ_BURST && !self.owes_much() {
            match self.poll_read(cx) {
                Poll::Ready(Ok(())) => self.burst += 1,
                Poll::Ready(Err(ended)) => return Poll::Ready(ended),
                Poll::Pending => break,
            }
        }
        self.place.set(self.reader.held() + self.ahead.len());
        let held_back = self.owes_much();
        if held_back {
            self.excuse();
        }
        if let Poll::Ready(ended) = self.poll_write(cx) {
            return Poll::Ready(ended);
        }
        self.node.check_room(&self.cell);
        if let Poll::Ready(fault) = self.poll_pace(cx) {
            return Poll::Ready(Some(fault));
        }
        if self.burst >= READ_BURST || held_back && !self.owes_much() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn poll_pace(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        let doing = match self.reader.is_within_message() {
            false => Doing::Nothing,
            true if self.owes_much() => Doing::Receiving,
            true if self.pause.is_some() => Doing::Paused,
            true => Doing::Receiving,
        };
        let answering = match &self.sending {
            Some((out, _)) if out.kind.is_answer() => Doing::Receiving,
            _ => Doing::Nothing,
        };
        loop {
            let now = self.now();
            let message = self.pace.deadline(now, doing);
            let answer = self.answer_pace.deadline(now, answering);
            let Some(deadline) = [message, answer].into_iter().flatten().min() else {
                return Poll::Pending;
            };
            if now >= deadline {
                return Poll::Ready(match message == Some(deadline) {
                    true => Fault::ConnectionLost,
                    false => Fault::SlowConsumer,
                });
            }
            if self.late.as_ref().is_none_or(|(at, _)| *at > deadline) {
                self.late = Some((deadline, self.node.boards.host.sleep(deadline.since(now))));
            }
            if let Some((_, timer)) = &mut self.late {
                ready!(timer.as_mut().poll(cx));
            }
            self.late = None;
        }
    }

    fn owes_much(&self) -> bool {
        self.control.len() > CONTROL_BYTES_MAX
            || self.pulse.owed() > limits::ECHOES_OWED_BYTES_MAX
            || self.pulse.has_answers()
            || self.sending.as_ref().is_some_and(|(out, _)| out.kind.is_answer())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        if self.joining.is_some() {
            return self.poll_joining(cx).map_err(Some);
        }
        if let Some(pause) = &mut self.pause {
            self.pulse.received(self.node.boards.now().tick);
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        if self.node.boards.is_disk_behind() {
            self.excuse();
            self.pause = Some(self.node.boards.host.sleep(limits::BACKPRESSURE_RETRY));
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut event = ready!(self.poll_event(cx));
        loop {
            let idle = self.reader.idle_frames() / limits::IDLE_FRAMES;
            self.reader.take_idle_frames(idle * limits::IDLE_FRAMES);
            if idle > 0 {
                let wait = self.session.charge(idle, self.now());
                self.rest(wait);
            }
            event = match event {
                Err(Fault::ConnectionLost) => return Poll::Ready(Err(None)),
                Err(fault) => return Poll::Ready(Err(Some(fault))),
                Ok(Event::Message(message)) => {
                    self.pace.restart();
                    match self.handle(message) {
                        Ok(Some(event)) => event,
                        Ok(None) => return Poll::Ready(Ok(())),
                        Err(fault) => return Poll::Ready(Err(Some(fault))),
                    }
                }
                Ok(Event::Ping(payload)) => {
                    self.control.extend(ws::frame(Opcode::Pong, &payload));
                    return Poll::Ready(Ok(()));
                }
                Ok(Event::Pong) => return Poll::Ready(Ok(())),
                Ok(Event::Close(payload)) => {
                    self.control.extend(ws::close_reply(&payload));
                    return Poll::Ready(Err(None));
                }
            };
        }
    }

    /// What comes next of what was received already.
    fn next_ahead(&mut self) -> Option<Result<Event, Fault>> {
        match self.reader.feed(&self.ahead) {
            Ok((used, event)) => {
                self.ahead.drain(..used);
                event.map(Ok)
            }
            Err(error) => Some(Err(fault_of(error))),
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Fault>> {
        loop {
            if let Some(event) = self.next_ahead() {
                return Poll::Ready(event);
            }
            let held = self.reader.held() + self.ahead.len();
            self.place.set(held);
            let reader = &self.reader;
            let room = self
                .place
                .poll_room(cx, (held, READ_BYTES), |more| reader.held_after(more));
            if room.is_pending() {
                self.excuse();
            }
            let received = ready!(self.end.poll_receive(cx, ready!(room)));
            match received {
                Ok(received) if !received.is_empty() => {
                    self.excuse();
                    self.pace.moved(received.len());
                    self.ahead.extend(received);
                }
                _ => return Poll::Ready(Err(Fault::ConnectionLost)),
            }
        }
    }

    fn handle(&mut self, first: Bytes) -> Result<Option<Result<Event, Fault>>, Fault> {
        let (node, cell) = (Arc::clone(&self.node), Arc::clone(&self.cell));
        let now = node.boards.now();
        let mut bytes = 0;
        let (handled, next) = node.boards.step(&cell, |room, effects| {
            let mut frame = first;
            loop {
                self.burst += 1;
                bytes += frame.len();
                let handled = self.session.handle(&frame, room, now, effects)?;
                let is_done = matches!(handled, Handled::Done(wait) if wait.is_zero());
                let goes_on = is_done && self.burst < READ_BURST && !self.owes_much() && bytes < STEP_BYTES;
                match goes_on.then(|| self.next_ahead()).flatten() {
                    Some(Ok(Event::Message(next))) => frame = next,
                    next => return Ok((handled, next)),
                }
            }
        })?;
        self.after(handled);
        Ok(next)
    }

    fn after(&mut self, handled: Handled) {
        match handled {
            Handled::Done(wait) => self.rest(wait),
            Handled::Apart(update, rest) => {
                let (node, cell) = (Arc::clone(&self.node), Arc::clone(&self.cell));
                let member = self.session.member();
                let joining = async move {
                    let may = |room: &Room| room.may_write(member);
                    node.boards.join_apart(&cell, Some(member), update, may).await
                };
                self.joining = Some((Box::pin(joining), rest));
            }
        }
    }

    fn rest(&mut self, wait: std::time::Duration) {
        if !wait.is_zero() {
            self.pause = Some(self.node.boards.host.sleep(wait));
        }
    }

    fn poll_joining(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.excuse();
        let Some((joining, _)) = &mut self.joining else {
            return Poll::Pending;
        };
        let joined = ready!(joining.as_mut().poll(cx));
        let Some((_, rest)) = self.joining.take() else {
            return Poll::Pending;
        };
        let apart::Joined { outcome, steps, .. } = match joined {
            Ok(joined) => joined,
            Err(fault) => return Poll::Ready(Err(fault)),
        };
        let now = self.node.boards.now();
        let wait = self.session.charge_steps(steps, now.tick);
        self.rest(wait);
        let Some(outcome) = outcome else {
            return Poll::Ready(Ok(()));
        };
        let Self {
            node, cell, session, ..
        } = self;
        let resumed = node.boards.step(cell, |room, effects| {
            session.resume((rest, outcome), room, now, effects)
        });
        Poll::Ready(resumed.map(|handled| self.after(handled)))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            match self.poll_sending(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(network::Gone)) => return Poll::Ready(None),
                Poll::Pending => {
                    let member = self.session.member();
                    return match self.cell.lock().poll_closing(member, cx.waker()) {
                        Some(fault) => Poll::Ready(Some(fault)),
                        None => Poll::Pending,
                    };
                }
            }
            let mut buffer = std::mem::take(&mut self.control);
            let (member, now) = (self.session.member(), self.now());
            let due = self
                .cell
                .lock()
                .poll_outbound(member, now, cx.waker(), &mut buffer);
            match due {
                Due::Flushed => {
                    self.control = buffer;
                    return Poll::Pending;
                }
                Due::Close(fault) if buffer.is_empty() => return Poll::Ready(Some(fault)),
                Due::Nothing if buffer.is_empty() => return Poll::Pending,
                // What was gathered before it leaves first: with a large frame the buffer holds control
                // frames alone.
                Due::Frame(mut out) => {
                    buffer.extend_from_slice(&out.head);
                    out.head = buffer;
                    self.sending = Some((out, 0));
                }
                Due::Gathered | Due::Nothing | Due::Close(_) => {
                    self.sending = Some((Out::message(buffer), 0))
                }
            }
        }
    }

    fn poll_sending(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), network::Gone>> {
        while let Some((out, at)) = &mut self.sending {
            let rest = out.rest(*at);
            if rest.is_empty() {
                self.sending = None;
                self.pulse.flowing();
                break;
            }
            match self.end.poll_send(cx, rest) {
                Poll::Ready(Ok(sent)) => {
                    *at += sent;
                    self.pace.moved(sent);
                    self.answer_pace.moved(sent);
                    self.pulse.blocked(self.node.boards.now().tick);
                }
                Poll::Ready(Err(gone)) => return Poll::Ready(Err(gone)),
                Poll::Pending => {
                    if self.pulse.blocked_since().is_none() {
                        self.pulse.blocked(self.node.boards.now().tick);
                    }
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Leaves the room, and closes.
    pub(super) async fn leave(mut self, ended: Ended) {
        let boards = Arc::clone(&self.node.boards);
        if ended == Some(Fault::Internal) {
            boards.give_up(&self.cell, Fault::Internal);
        }
        let (member, now) = (self.session.member(), boards.now().tick);
        boards.step(&self.cell, |room, effects| room.leave(member, now, effects));
        let mut last = Vec::new();
        if let Some((out, at)) = self.sending.take() {
            last.extend_from_slice(out.rest(at));
            // A body behind the head is another piece.
            last.extend_from_slice(if at < out.head.len() { &out.body } else { &[] });
        }
        last.append(&mut self.control);
        if let Some(fault) = ended {
            last.extend(close_frame(fault));
        }
        finish(&boards.host, &self.end, &last).await;
    }
}

/// Tells a client that is refused why.
pub(super) async fn refuse(node: &Node, end: &network::End, fault: Fault) {
    let mut last = sync::denied_frame(disposition::of(fault).reason);
    last.extend(close_frame(fault));
    finish(&node.boards.host, end, &last).await;
}

fn close_frame(fault: Fault) -> Vec<u8> {
    let row = disposition::of(fault);
    ws::close_frame(row.close_code(disposition::CloseCodes::Plain), row.reason)
}

async fn finish(host: &Arc<dyn crate::boards::host::Host>, end: &network::End, bytes: &[u8]) {
    let sending = async {
        let mut at = 0;
        while at < bytes.len() {
            match std::future::poll_fn(|cx| end.poll_send(cx, &bytes[at..])).await {
                Ok(sent) => at += sent,
                Err(network::Gone) => return,
            }
        }
    };
    sending.or(host.sleep(limits::CLOSE_TIME_MAX)).await;
}

fn fault_of(error: ReadError) -> Fault {
    match error {
        ReadError::TooLarge => Fault::MessageTooLarge,
        ReadError::Text => Fault::TextFrame,
        ReadError::Protocol => Fault::WebSocketProtocol,
    }
}
