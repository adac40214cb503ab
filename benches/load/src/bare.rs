//! The bare broadcaster: the handshake, and each data frame sent on to the others of its URL. Nothing else.
//!
//! Owns what a server at least has to do, so that servers can be measured against it. Must not know Yjs. Key
//! invariant: one thread; what one round of epoll brought is one write to each receiver; who reads slowly
//! delays nobody.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::poll::{Interest, Poll, Ready};
use crate::ws::{self, Header, opcode};

/// The listener's number; sockets have their place in the table, from 0.
const LISTENER: usize = usize::MAX;
const BUFFER_BYTES: usize = 256 * 1024;

/// What to do wrong, to see whether a generator tells.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Fault {
    #[default]
    None,
    /// One delivery in so many does not happen,
    Drop(u64),
    /// happens twice,
    Repeat(u64),
    /// or after the one that follows it.
    Swap(u64),
}

struct Peer {
    socket: TcpStream,
    room: Option<usize>,
    /// What came and is not a whole frame yet.
    partial: Vec<u8>,
    /// What the socket did not take, and how much of it has gone since.
    backlog: Vec<u8>,
    sent: usize,
    /// What is sent too late on purpose.
    held: Vec<u8>,
}

/// The peers of one URL, and what this round brought for them.
#[derive(Default)]
struct Room {
    peers: Vec<usize>,
    frames: Vec<u8>,
    /// Who sent each frame, and where it ends.
    senders: Vec<(usize, usize)>,
    /// Each of them once.
    talkers: Vec<usize>,
}

/// The broadcaster.
struct Bare {
    poll: Poll,
    peers: Vec<Option<Peer>>,
    names: HashMap<String, usize>,
    rooms: Vec<Room>,
    /// Rooms that this round brought something for.
    dirty: Vec<usize>,
    buffer: Vec<u8>,
    gathered: Vec<u8>,
    fault: Fault,
    deliveries: u64,
}

/// Serves for ever.
pub(crate) fn serve(listener: &TcpListener, fault: Fault) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut bare = Bare {
        poll: Poll::new()?,
        peers: Vec::new(),
        names: HashMap::new(),
        rooms: Vec::new(),
        dirty: Vec::new(),
        buffer: vec![0; BUFFER_BYTES],
        gathered: Vec::new(),
        fault,
        deliveries: 0,
    };
    bare.poll.add(listener, LISTENER)?;
    let mut ready = Vec::new();
    loop {
        bare.poll.wait(&mut ready, None)?;
        for Ready { id, read, write } in ready.drain(..) {
            if id == LISTENER {
                bare.accept(listener)?;
                continue;
            }
            if write {
                bare.send(id, &[]);
            }
            if read {
                bare.receive(id);
            }
        }
        for room in std::mem::take(&mut bare.dirty) {
            bare.broadcast(room);
        }
    }
}

impl Bare {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let socket = match listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let id = self.peers.iter().position(Option::is_none);
            let id = id.unwrap_or(self.peers.len());
            self.poll.add(&socket, id)?;
            let peer = Some(Peer {
                socket,
                room: None,
                partial: Vec::new(),
                backlog: Vec::new(),
                sent: 0,
                held: Vec::new(),
            });
            match self.peers.get_mut(id) {
                Some(free) => *free = peer,
                None => self.peers.push(peer),
            }
        }
    }

    fn receive(&mut self, id: usize) {
        let Some(Some(peer)) = self.peers.get_mut(id) else {
            return;
        };
        let got = match peer.socket.read(&mut self.buffer) {
            Ok(0) => return self.leave(id),
            Ok(got) => got,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => return self.leave(id),
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut partial = std::mem::take(&mut peer.partial);
        // Mostly whole frames come, and are read where they lie.
        let used = if partial.is_empty() {
            let came = &mut buffer[..got];
            let used = self.take(id, came);
            partial.extend_from_slice(&came[used..]);
            0
        } else {
            partial.extend_from_slice(&buffer[..got]);
            self.take(id, &mut partial)
        };
        partial.drain(..used);
        self.buffer = buffer;
        if let Some(Some(peer)) = self.peers.get_mut(id) {
            peer.partial = partial;
        }
    }

    /// Takes what is whole of what came, and returns how many bytes that was.
    fn take(&mut self, id: usize, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        if self.peer(id).is_some_and(|peer| peer.room.is_none()) {
            match ws::head_end(bytes) {
                Some(end) if self.join(id, &String::from_utf8_lossy(&bytes[..end])) => at = end,
                Some(end) => {
                    self.leave(id);
                    return end;
                }
                None => return 0,
            }
        }
        while let Some(room) = self.peer(id).and_then(|peer| peer.room) {
            let rest = &mut bytes[at..];
            let Some(header) = Header::read(rest).filter(|header| header.total() <= rest.len()) else {
                break;
            };
            let body = &mut rest[header.head..header.total()];
            if let Some(mask) = header.mask {
                ws::unmask(body, mask);
            }
            at += header.total();
            match header.opcode {
                opcode::CLOSE => self.leave(id),
                opcode::PING => {
                    let mut pong = Vec::new();
                    ws::put_server_frame(&mut pong, opcode::PONG, body);
                    self.send(id, &pong);
                }
                opcode::PONG => {}
                kind => {
                    let place = room;
                    let room = &mut self.rooms[place];
                    if room.senders.is_empty() {
                        self.dirty.push(place);
                    }
                    ws::put_server_frame(&mut room.frames, kind, body);
                    room.senders.push((id, room.frames.len()));
                    if !room.talkers.contains(&id) {
                        room.talkers.push(id);
                    }
                }
            }
        }
        at
    }

    fn peer(&self, id: usize) -> Option<&Peer> {
        self.peers.get(id)?.as_ref()
    }

    /// Puts a peer into the room of its path; whether it asked for a WebSocket.
    fn join(&mut self, id: usize, head: &str) -> bool {
        let path = head.split([' ', '?']).nth(1).unwrap_or_default();
        let Some(answer) = ws::response(head) else {
            return false;
        };
        let room = *self.names.entry(path.to_owned()).or_insert_with(|| {
            self.rooms.push(Room::default());
            self.rooms.len() - 1
        });
        self.rooms[room].peers.push(id);
        if let Some(Some(peer)) = self.peers.get_mut(id) {
            peer.room = Some(room);
        }
        self.send(id, answer.as_bytes());
        true
    }

    fn leave(&mut self, id: usize) {
        let peer = self.peers.get_mut(id).and_then(Option::take);
        if let Some(room) = peer.and_then(|peer| peer.room) {
            self.rooms[room].peers.retain(|other| *other != id);
        }
    }

    /// Sends what the round brought for a room, to each but its sender.
    fn broadcast(&mut self, place: usize) {
        let room = std::mem::take(&mut self.rooms[place]);
        let mut gathered = std::mem::take(&mut self.gathered);
        for &id in &room.peers {
            if matches!(self.fault, Fault::None) && !room.talkers.contains(&id) {
                self.send(id, &room.frames);
                continue;
            }
            gathered.clear();
            let mut from = 0;
            for &(sender, end) in &room.senders {
                if sender != id {
                    self.deliver(id, &room.frames[from..end], &mut gathered);
                }
                from = end;
            }
            if !gathered.is_empty() {
                self.send(id, &gathered);
            }
        }
        self.gathered = gathered;
        // Who was lost while it was sent is not in the room any more.
        let is_here = |id: &usize| self.peer(*id).is_some_and(|peer| peer.room == Some(place));
        let mut room = room;
        room.peers.retain(is_here);
        room.frames.clear();
        room.senders.clear();
        room.talkers.clear();
        self.rooms[place] = room;
    }

    /// Gathers one frame for one peer, or does with it what is wrong.
    fn deliver(&mut self, id: usize, frame: &[u8], gathered: &mut Vec<u8>) {
        self.deliveries += 1;
        let is_nth = |n: u64| self.deliveries.is_multiple_of(n);
        match (self.fault, self.peers.get_mut(id)) {
            (Fault::Drop(n), _) if is_nth(n) => {}
            (Fault::Swap(n), Some(Some(peer))) if is_nth(n) => peer.held.extend_from_slice(frame),
            (Fault::Repeat(n), _) if is_nth(n) => gathered.extend([frame, frame].concat()),
            (_, Some(Some(peer))) => {
                gathered.extend_from_slice(frame);
                gathered.append(&mut peer.held);
            }
            _ => {}
        }
    }

    /// Sends to one peer what waits, then this; what the socket does not take waits.
    fn send(&mut self, id: usize, bytes: &[u8]) {
        let Some(Some(peer)) = self.peers.get_mut(id) else {
            return;
        };
        let waited = !peer.backlog.is_empty();
        if waited {
            peer.backlog.extend_from_slice(bytes);
        }
        let next = if waited { &peer.backlog[peer.sent..] } else { bytes };
        let sent = match (&peer.socket).write(next) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return self.leave(id),
        };
        if !waited {
            peer.backlog.extend_from_slice(&bytes[sent..]);
        } else {
            peer.sent += sent;
            // Moved to the front now and then, so that each byte is moved once at most.
            if peer.sent * 2 >= peer.backlog.len() {
                peer.backlog.drain(..peer.sent);
                peer.sent = 0;
            }
        }
        let waits = !peer.backlog.is_empty();
        if waits != waited {
            let interest = if waits {
                Interest::ReadAndWrite
            } else {
                Interest::Read
            };
            // It fails only for a socket that is not watched, and this one is.
            self.poll.watch(&peer.socket, id, interest).unwrap_or_default();
        }
    }
}
