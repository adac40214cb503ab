//! What a broadcaster needs to keep boards: updates in a file, answers to newcomers, word to the author.
//!
//! Owns the file and the least of Yjs that clients need to find each other's changes again. Must not know
//! sockets. Key invariant: who wrote an update hears of it only when it is on disk, unless that is done wrong
//! on purpose.
//!
//! A record is `len: u32 LE, room bytes, len: u32 LE, update bytes`; a tail that is not whole is cut off.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::yjs::{self, Dialect, Message};

/// What is to be sent because of one message.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// To who sent it, at once.
    pub(crate) back: Vec<Vec<u8>>,
    /// Whether the others get the message itself.
    pub(crate) to_others: bool,
}

/// The boards, and the file that they are in.
pub(crate) struct Keep {
    file: File,
    rooms: HashMap<String, Vec<Vec<u8>>>,
    /// What is to be stored, and what its author is told then.
    round: Vec<u8>,
    authors: Vec<(usize, Vec<u8>)>,
    /// Done wrong: stored so long after its author was told.
    early: Option<Duration>,
    later: VecDeque<(Instant, Vec<u8>)>,
}

impl Keep {
    pub(crate) fn open(path: &Path, early: Option<Duration>) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut rooms: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
        let mut rest = bytes.as_slice();
        let mut whole = 0;
        while let Some((room, update)) = take_record(&mut rest) {
            rooms
                .entry(String::from_utf8_lossy(room).into_owned())
                .or_default()
                .push(update.to_vec());
            whole = bytes.len() - rest.len();
        }
        file.set_len(whole as u64)?;
        Ok(Self {
            file,
            rooms,
            round: Vec::new(),
            authors: Vec::new(),
            early,
            later: VecDeque::new(),
        })
    }

    /// Takes one message of a client's.
    pub(crate) fn take(&mut self, (room, author): (&str, usize), payload: &[u8]) -> Answer {
        match Message::read(Dialect::Yjs, payload) {
            Message::Step1(vector) => {
                let (state, ours) = self.state(room, vector);
                Answer {
                    back: vec![yjs::step_1_of(&ours), yjs::step_2(&state)],
                    to_others: false,
                }
            }
            Message::Step2([0, 0]) => Answer::default(),
            Message::Step2(update) | Message::Update(update) => {
                put_record(&mut self.round, room.as_bytes(), update);
                self.rooms
                    .entry(room.to_owned())
                    .or_default()
                    .push(update.to_vec());
                self.authors.push((author, yjs::update_message(update)));
                Answer {
                    back: Vec::new(),
                    to_others: true,
                }
            }
            Message::Awareness(_) => Answer {
                back: Vec::new(),
                to_others: true,
            },
            Message::Taken | Message::Denied | Message::Other => Answer::default(),
        }
    }

    /// What a room has beyond a state vector, and its own state vector.
    fn state(&self, room: &str, vector: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let updates = self.rooms.get(room).map(Vec::as_slice).unwrap_or_default();
        let merged = yrs::merge_updates_v1(updates).unwrap_or_else(|_| vec![0, 0]);
        let ours = yrs::encode_state_vector_from_update_v1(&merged).unwrap_or_else(|_| vec![0]);
        let state = yrs::diff_updates_v1(&merged, vector).unwrap_or(merged);
        (state, ours)
    }

    /// Stores what this round brought. What is to be sent to whom now.
    pub(crate) fn commit(&mut self) -> io::Result<Vec<(usize, Vec<u8>)>> {
        let round = std::mem::take(&mut self.round);
        match self.early {
            _ if round.is_empty() => {}
            Some(wait) => self.later.push_back((Instant::now() + wait, round)),
            None => self.store(&round)?,
        }
        while self.later.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            if let Some((_, round)) = self.later.pop_front() {
                self.store(&round)?;
            }
        }
        Ok(std::mem::take(&mut self.authors))
    }

    /// When it wants to commit again, whatever happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.later.front().map(|(due, _)| *due)
    }

    fn store(&mut self, round: &[u8]) -> io::Result<()> {
        self.file.write_all(round)?;
        self.file.sync_data()
    }
}

fn put_record(out: &mut Vec<u8>, room: &[u8], update: &[u8]) {
    for part in [room, update] {
        out.extend((part.len() as u32).to_le_bytes());
        out.extend_from_slice(part);
    }
}

fn take_record<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut at = *rest;
    let mut part = || {
        let (len, after) = at.split_first_chunk()?;
        let (part, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        at = after;
        Some(part)
    };
    let record = (part()?, part()?);
    *rest = at;
    Some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_is_there_again_and_a_torn_tail_is_not() {
        let path = std::env::temp_dir().join(format!("boardwire-load-keep-{}", std::process::id()));
        let drawing = yjs::Drawing::new(7);
        let mut keep = Keep::open(&path, None).unwrap();
        for at in 0..3 {
            let message = yjs::update_message(&drawing.put("a", at));
            assert!(keep.take(("plan", 5), &message).to_others);
        }
        assert_eq!(keep.commit().unwrap().len(), 3);
        assert_eq!(keep.commit().unwrap().len(), 0);
        drop(keep);
        let whole = std::fs::metadata(&path).unwrap().len();
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(&[4, 0, 0, 0, b'p'])
            .unwrap();

        let mut keep = Keep::open(&path, Some(Duration::from_secs(60))).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), whole);
        let answer = keep.take(("plan", 5), &yjs::step_1(&[(7, 1)]));
        let Message::Step2(state) = Message::read(Dialect::Yjs, &answer.back[1]) else {
            panic!("no step 2");
        };
        let mut spans = Vec::new();
        yjs::spans(state, |client, from, to| spans.push((client, from, to)));
        assert_eq!(spans, [(7, 1, 3)]);
        let Message::Step1(vector) = Message::read(Dialect::Yjs, &answer.back[0]) else {
            panic!("no step 1");
        };
        assert_eq!(yjs::clock_in(vector, 7), 3);
        // Early: the author is told, and nothing is stored yet.
        keep.take(("plan", 5), &yjs::update_message(&drawing.put("a", 4)));
        assert_eq!(keep.commit().unwrap().len(), 1);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), whole);
        std::fs::remove_file(&path).unwrap();
    }
}
