//! The bare broadcaster: the handshake, and each data frame sent on to the others of its URL. Nothing else.
//!
//! Owns what a server at least has to do, so that servers can be measured against it. Must not know Yjs,
//! unless it is to keep boards too (`keep`). Key invariant: one thread; what one round of epoll brought is
//! one write to each receiver; who reads slowly delays nobody.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::keep::Keep;
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
    /// All deliveries come so much later.
    Delay(Duration),
    /// For so long nothing happens at all, each time so much has passed.
    Stall(Duration, Duration),
    /// It says that it has stored what it stores so much later.
    Early(Duration),
}

impl Fault {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || "drop:N, repeat:N, swap:N, delay:MS, stall:MS:EVERY_MS or early:MS is wanted".to_owned();
        let (kind, numbers) = text.split_once(':').ok_or_else(wrong)?;
        let numbers: Option<Vec<u64>> = numbers.split(':').map(|number| number.parse().ok()).collect();
        let ms = Duration::from_millis;
        match (kind, numbers.as_deref()) {
            ("drop", Some([every @ 1..=u64::MAX])) => Ok(Self::Drop(*every)),
            ("repeat", Some([every @ 1..=u64::MAX])) => Ok(Self::Repeat(*every)),
            ("swap", Some([every @ 1..=u64::MAX])) => Ok(Self::Swap(*every)),
            ("delay", Some([late])) => Ok(Self::Delay(ms(*late))),
            ("stall", Some([long, every])) if long < every => Ok(Self::Stall(ms(*long), ms(*every))),
            ("early", Some([late])) => Ok(Self::Early(ms(*late))),
            _ => Err(wrong()),
        }
    }
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
    name: String,
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
    /// What is sent later on purpose.
    delayed: VecDeque<(Instant, usize, Vec<u8>)>,
    keep: Option<Keep>,
}

/// Serves for ever; with a file it keeps boards there.
pub(crate) fn serve(listener: &TcpListener, fault: Fault, file: Option<PathBuf>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let early = if let Fault::Early(late) = fault {
        Some(late)
    } else {
        None
    };
    if early.is_some() && file.is_none() {
        return Err(io::Error::other("early: nothing is stored without --keep"));
    }
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
        delayed: VecDeque::new(),
        keep: file.map(|file| Keep::open(&file, early)).transpose()?,
    };
    bare.poll.add(listener, LISTENER)?;
    let mut ready = Vec::new();
    let mut stalled = Instant::now();
    loop {
        let due = bare
            .due()
            .map(|due| due.saturating_duration_since(Instant::now()));
        bare.poll.wait(&mut ready, due)?;
        if let Fault::Stall(long, every) = fault
            && stalled.elapsed() >= every
        {
            stalled = Instant::now();
            std::thread::sleep(long);
        }
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
        bare.commit()?;
        bare.send_delayed();
    }
}

impl Bare {
    /// When something is to be done although nothing comes.
    fn due(&self) -> Option<Instant> {
        let delayed = self.delayed.front().map(|(due, ..)| *due);
        let kept = self.keep.as_ref().and_then(Keep::due);
        delayed.into_iter().chain(kept).min()
    }

    fn send_delayed(&mut self) {
        while self
            .delayed
            .front()
            .is_some_and(|(due, ..)| *due <= Instant::now())
        {
            if let Some((_, id, frame)) = self.delayed.pop_front() {
                self.send(id, &frame);
            }
        }
    }

    /// Stores what this round brought, and tells the authors.
    fn commit(&mut self) -> io::Result<()> {
        let stored = self.keep.as_mut().map(Keep::commit).transpose()?;
        for (author, message) in stored.unwrap_or_default() {
            self.answer(author, &message);
        }
        Ok(())
    }

    fn answer(&mut self, id: usize, message: &[u8]) {
        let mut frame = Vec::new();
        ws::put_server_frame(&mut frame, opcode::BINARY, message);
        self.send(id, &frame);
    }

    /// Takes a data frame of a peer's: it goes to the others of its room when the round is over.
    fn message(&mut self, (place, id): (usize, usize), kind: u8, body: &[u8]) {
        if let Some(keep) = &mut self.keep {
            let name = self.rooms[place].name.as_str();
            let answer = keep.take((name, id), body);
            for message in answer.back {
                self.answer(id, &message);
            }
            if !answer.to_others {
                return;
            }
        }
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
                kind => self.message((room, id), kind, body),
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
            self.rooms.push(Room {
                name: path.to_owned(),
                ..Room::default()
            });
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
            if matches!(self.fault, Fault::None | Fault::Stall(..) | Fault::Early(_))
                && !room.talkers.contains(&id)
            {
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
            (Fault::Delay(late), _) => self
                .delayed
                .push_back((Instant::now() + late, id, frame.to_vec())),
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
