//! A WebSocket's messages: the socket's bytes through the frame reader, within the budget of what is being
//! received.
//!
//! Owns how much is read at a time, and the answers to pings and close frames, which the connection puts
//! between its own frames. Must not know what a message means. Key invariant: nothing is read that the budget
//! has not made room for, and all that is held (of an incomplete message, and read ahead) is counted in it.
//! Tests: tests/it/memory.rs.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::limits;
use crate::net::receiving::Place;
use crate::net::socket::{READ_BYTES, Socket};
use crate::ws::reader::{Event, ReadError, Reader};
use crate::ws::{self, Opcode};

/// What came next.
#[derive(Debug)]
pub(crate) enum Next {
    /// A whole binary message.
    Message(Bytes),
    /// A ping or a pong, or so many frames without a message that they count as one.
    Idle,
    /// The peer closed, or is gone.
    End,
    /// It must be closed.
    Refused(ReadError),
}

/// The messages of one connection.
#[derive(Debug)]
pub(crate) struct Messages {
    socket: Socket,
    reader: Reader,
    place: Place,
    /// Answers to control frames, not yet taken by the connection.
    control: Vec<u8>,
    /// The last read had to wait for others.
    waits: bool,
}

impl Messages {
    /// Of messages of at most `bytes_max` bytes.
    pub(crate) fn new(socket: Socket, place: Place, bytes_max: usize) -> Self {
        Self {
            socket,
            reader: Reader::new(bytes_max),
            place,
            control: Vec::new(),
            waits: false,
        }
    }

    /// The socket.
    pub(crate) fn get_ref(&self) -> &Socket {
        &self.socket
    }

    /// The socket, to write to.
    pub(crate) fn get_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Takes the control frames to be sent.
    pub(crate) fn take_control(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.control)
    }

    /// Gives them back, where they could not be sent.
    pub(crate) fn give_back_control(&mut self, frames: &mut Vec<u8>) {
        if !frames.is_empty() {
            self.control = std::mem::take(frames);
        }
    }

    /// Bytes of the control frames to be sent.
    pub(crate) fn control_len(&self) -> usize {
        self.control.len()
    }

    /// Whether a message has begun and is not complete.
    pub(crate) fn is_within_message(&self) -> bool {
        self.reader.is_within_message()
    }

    /// Whether others must be done with what they are sending before this peer is read on.
    pub(crate) fn waits_for_room(&self) -> bool {
        self.waits
    }

    /// Takes what the frames that completed no message count: so many messages.
    pub(crate) fn take_idle(&mut self) -> u32 {
        let messages = self.reader.idle_frames() / limits::IDLE_FRAMES;
        self.reader.take_idle_frames(messages * limits::IDLE_FRAMES);
        messages
    }

    /// Counts what is held now: with what `handling` says of messages that were taken and are still being
    /// handled.
    pub(crate) fn count(&mut self, handling: usize) {
        let held = self.held();
        self.place.set(held + handling);
    }

    fn held(&self) -> usize {
        self.reader.held() + self.socket.held()
    }

    /// Reads on to the next message or control frame.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            if let Some(next) = self.next_ahead() {
                return Poll::Ready(next);
            }
            match ready!(self.poll_receive(cx)) {
                Ok(event) => {
                    if let Some(next) = self.next_of(event) {
                        return Poll::Ready(next);
                    }
                }
                Err(next) => return Poll::Ready(next),
            }
        }
    }

    /// The next message or control frame of what was received already.
    pub(crate) fn next_ahead(&mut self) -> Option<Next> {
        let ahead = self.socket.ahead();
        if ahead.is_empty() {
            return None;
        }
        match self.reader.feed(ahead) {
            Ok((used, event)) => {
                self.socket.use_ahead(used);
                self.next_of(event)
            }
            Err(error) => Some(Next::Refused(error)),
        }
    }

    fn next_of(&mut self, event: Option<Event>) -> Option<Next> {
        Some(match event {
            None if self.reader.idle_frames() >= limits::IDLE_FRAMES => Next::Idle,
            None => return None,
            Some(Event::Message(message)) => Next::Message(message),
            Some(Event::Pong) => Next::Idle,
            Some(Event::Ping(payload)) => {
                self.control.extend_from_slice(&ws::frame(Opcode::Pong, &payload));
                Next::Idle
            }
            Some(Event::Close(payload)) => {
                self.control.extend_from_slice(&ws::close_reply(&payload));
                Next::End
            }
        })
    }

    /// Receives as much as there is room for, and reads on in it.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, Next>> {
        let held = self.held();
        let Self {
            socket,
            reader,
            place,
            waits,
            ..
        } = self;
        place.set(held);
        let room = place.poll_room(cx, (held, READ_BYTES), |more| reader.held_after(more));
        *waits = room.is_pending();
        let room = ready!(room);
        let mut read = Ok(None);
        let received = socket.poll_receive(cx, room, |bytes| match reader.feed(bytes) {
            Ok((used, event)) => {
                read = Ok(event);
                used
            }
            Err(error) => {
                read = Err(Next::Refused(error));
                bytes.len()
            }
        });
        if received.is_pending() {
            place.set(held);
        }
        Poll::Ready(match ready!(received) {
            io::Result::Ok(1..) => read,
            Ok(0) | Err(_) => Err(Next::End),
        })
    }
}
