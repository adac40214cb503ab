//! What a room sends: one run of frames for all, one cursor a member.
//!
//! Owns the [`Outbox`], a run of ready WebSocket frames. Must not know sockets, members or messages. Key
//! invariants: a cursor always stands between two frames; `first <= cursor <= end`; an update costs the room
//! the same whether 5 or 5,000 look on, and what gathered while a socket was busy leaves in one write.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::ids::MemberId;
use crate::room::outgoing::Out;

/// A position in the outbox: the number of frames ever appended before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(u64);

#[derive(Debug)]
struct Entry {
    /// Position of the byte after the frame, counted from the beginning of time.
    end: u64,
    /// The same in weight: see [`Outbox::bytes_behind`].
    weight_end: u64,
    /// Who sent it and does not want it back.
    author: Option<MemberId>,
    /// A frame with a large body, which is shared by all and stands in no run of bytes.
    large: Option<Box<Large>>,
}

#[derive(Debug)]
struct Large {
    head: Vec<u8>,
    body: Bytes,
}

/// The outbox of one room.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: VecDeque<u8>,
    entries: VecDeque<Entry>,
    /// Sequence number of `entries[0]`.
    first: u64,
    /// Position of `bytes[0]`.
    start: u64,
    /// The same in weight.
    weight_start: u64,
    weight_max: usize,
    /// Bytes of large frames.
    large_bytes: usize,
}

impl Outbox {
    /// An outbox in which one frame counts at most `weight_max` bytes towards what a member is behind.
    #[must_use]
    pub fn new(weight_max: usize) -> Self {
        Self {
            weight_max,
            ..Self::default()
        }
    }

    /// Where a member that has received everything stands.
    #[must_use]
    pub fn end(&self) -> Cursor {
        Cursor(self.first + self.entries.len() as u64)
    }

    /// Bytes held.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.bytes.len().saturating_add(self.large_bytes)
    }

    /// Appends a frame that goes to all members but `author`.
    pub fn append(&mut self, frame: &[u8], author: Option<MemberId>) {
        self.bytes.extend(frame);
        let weight_end = self.weight_end() + frame.len().min(self.weight_max) as u64;
        self.entries.push_back(Entry {
            end: self.start + self.bytes.len() as u64,
            weight_end,
            author,
            large: None,
        });
    }

    /// Appends a frame whose body is not copied.
    pub fn append_large(&mut self, head: Vec<u8>, body: Bytes, author: Option<MemberId>) {
        let bytes = head.len().saturating_add(body.len());
        self.large_bytes = self.large_bytes.saturating_add(bytes);
        let weight_end = self.weight_end() + bytes.min(self.weight_max) as u64;
        self.entries.push_back(Entry {
            end: self.start + self.bytes.len() as u64,
            weight_end,
            author,
            large: Some(Box::new(Large { head, body })),
        });
    }

    /// The frame that `cursor` stands before, and the cursor after it, where it is a large one for `reader`.
    pub fn large(&self, cursor: Cursor, reader: MemberId) -> Option<(Out, Cursor)> {
        let next = cursor.0.max(self.first);
        let at = usize::try_from(next - self.first).ok()?;
        let entry = self.entries.get(at).filter(|e| e.author != Some(reader))?;
        let Large { head, body } = &**entry.large.as_ref()?;
        let out = Out {
            body: body.clone(),
            ..Out::message(head.clone())
        };
        Some((out, Cursor(next + 1)))
    }

    /// Bytes between `cursor` and the end, own frames included, a large frame counted as the outbox was told.
    #[must_use]
    pub fn bytes_behind(&self, cursor: Cursor) -> usize {
        let from = self
            .before(cursor)
            .map_or(self.weight_start, |entry| entry.weight_end);
        usize::try_from(self.weight_end() - from).unwrap_or(usize::MAX)
    }

    fn weight_end(&self) -> u64 {
        self.entries
            .back()
            .map_or(self.weight_start, |entry| entry.weight_end)
    }

    /// Copies whole frames from `cursor` on to `into`, those of `reader` left out, until `into` holds
    /// `bytes_max` or more, or a large frame is next; returns the cursor after them.
    pub fn gather(&self, cursor: Cursor, reader: MemberId, into: &mut Vec<u8>, bytes_max: usize) -> Cursor {
        self.gather_but(cursor, Some(reader), into, bytes_max)
    }

    /// As [`Self::gather`], and nobody's frames are left out.
    pub fn gather_all(&self, cursor: Cursor, into: &mut Vec<u8>, bytes_max: usize) -> Cursor {
        self.gather_but(cursor, None, into, bytes_max)
    }

    /// Who sent the frames between two cursors; each perhaps several times.
    #[must_use]
    pub fn authors(&self, from: Cursor, to: Cursor) -> Vec<MemberId> {
        let at = |cursor: Cursor| usize::try_from(cursor.0.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let (from, to) = (at(from), at(to));
        let between = self.entries.iter().skip(from).take(to.saturating_sub(from));
        let mut authors: Vec<MemberId> = between.filter_map(|entry| entry.author).collect();
        authors.dedup();
        authors
    }

    fn gather_but(
        &self,
        cursor: Cursor,
        reader: Option<MemberId>,
        into: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Cursor {
        let mut next = cursor.0.max(self.first);
        let mut run = self.position(cursor)..self.position(cursor);
        let skipped = usize::try_from(next - self.first).unwrap_or(usize::MAX);
        for entry in self.entries.iter().skip(skipped) {
            if into.len() as u64 + (run.end - run.start) >= bytes_max as u64 {
                break;
            }
            let is_own = reader.is_some() && entry.author == reader;
            if entry.large.is_some() && !is_own {
                break;
            }
            if is_own {
                self.copy(run, into);
                run = entry.end..entry.end;
            } else {
                run.end = entry.end;
            }
            next += 1;
        }
        self.copy(run, into);
        Cursor(next)
    }

    /// Drops the frames before `slowest`, the least cursor of all members.
    pub fn cut(&mut self, slowest: Cursor) {
        let position = self.position(slowest);
        self.weight_start = self
            .before(slowest)
            .map_or(self.weight_start, |entry| entry.weight_end);
        let frames = usize::try_from(slowest.0.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let gone = self.entries.drain(..frames.min(self.entries.len()));
        let large = gone.filter_map(|entry| entry.large);
        let bytes: usize = large.map(|large| large.head.len() + large.body.len()).sum();
        self.large_bytes = self.large_bytes.saturating_sub(bytes);
        self.first = self.first.max(slowest.0);
        let cut = usize::try_from(position - self.start)
            .unwrap_or(usize::MAX)
            .min(self.bytes.len());
        self.bytes.drain(..cut);
        self.start = position;
        if self.entries.is_empty() {
            // An idle room keeps no buffer.
            self.bytes = VecDeque::new();
            self.entries = VecDeque::new();
        }
    }

    /// The position of the first byte of the frame that `cursor` stands before.
    fn position(&self, cursor: Cursor) -> u64 {
        self.before(cursor).map_or(self.start, |entry| entry.end)
    }

    /// The frame just before `cursor`; `None` at or before the beginning.
    fn before(&self, cursor: Cursor) -> Option<&Entry> {
        let behind = cursor.0.checked_sub(self.first)?.checked_sub(1)?;
        usize::try_from(behind)
            .ok()
            .and_then(|n| self.entries.get(n))
            .or_else(|| self.entries.back())
    }

    fn copy(&self, range: std::ops::Range<u64>, into: &mut Vec<u8>) {
        let at = |position: u64| usize::try_from(position - self.start).unwrap_or(usize::MAX);
        let (from, to) = (at(range.start), at(range.end));
        let (front, back) = self.bytes.as_slices();
        let middle = front.len();
        into.extend_from_slice(front.get(from.min(middle)..to.min(middle)).unwrap_or_default());
        into.extend_from_slice(
            back.get(from.saturating_sub(middle)..to.saturating_sub(middle))
                .unwrap_or_default(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MemberId = MemberId::new(1);
    const B: MemberId = MemberId::new(2);

    fn gather(outbox: &Outbox, cursor: Cursor, reader: MemberId, max: usize) -> (Vec<u8>, Cursor) {
        let mut out = Vec::new();
        let next = outbox.gather(cursor, reader, &mut out, max);
        (out, next)
    }

    #[test]
    fn a_member_gets_all_frames_but_its_own_in_order() {
        let mut outbox = Outbox::new(usize::MAX);
        let start = outbox.end();
        for (frame, author) in [
            ("aa", Some(A)),
            ("b", Some(B)),
            ("xyz", None),
            ("a", Some(A)),
            ("b", Some(B)),
        ] {
            outbox.append(frame.as_bytes(), author);
        }
        assert_eq!(gather(&outbox, start, A, 99), (b"bxyzb".to_vec(), outbox.end()));
        assert_eq!(gather(&outbox, start, B, 99), (b"aaxyza".to_vec(), outbox.end()));
        assert_eq!(gather(&outbox, outbox.end(), A, 99), (vec![], outbox.end()));
        assert_eq!(outbox.bytes_behind(start), 8);
        assert_eq!(outbox.bytes_behind(outbox.end()), 0);
    }

    #[test]
    fn gathering_stops_between_frames_once_enough_is_there() {
        let mut outbox = Outbox::new(usize::MAX);
        let start = outbox.end();
        for _ in 0..4 {
            outbox.append(b"1234", None);
        }
        let (bytes, next) = gather(&outbox, start, A, 5);
        assert_eq!(bytes, b"12341234");
        assert_eq!(gather(&outbox, next, A, 99).0, b"12341234");
    }

    #[test]
    fn cutting_behind_the_slowest_keeps_what_it_lacks() {
        let mut outbox = Outbox::new(usize::MAX);
        let mut cursor = outbox.end();
        let mut sent = Vec::new();
        let mut got = Vec::new();
        // Many rounds, so that the ring wraps and frames straddle its seam.
        for round in 0..500u32 {
            let frame = vec![round.to_le_bytes()[0]; 1 + (round as usize * 7) % 61];
            sent.extend_from_slice(&frame);
            outbox.append(&frame, Some(B));
            if round % 3 == 0 {
                cursor = outbox.gather(cursor, A, &mut got, usize::MAX);
                outbox.cut(cursor);
                assert_eq!(outbox.len_bytes(), 0);
            } else if round % 5 == 0 {
                let before = got.len();
                cursor = outbox.gather(cursor, A, &mut got, before + 1);
                outbox.cut(cursor);
            }
        }
        outbox.gather(cursor, A, &mut got, usize::MAX);
        assert_eq!(got, sent);
    }

    #[test]
    fn a_large_frame_is_shared_and_keeps_its_place() {
        let mut outbox = Outbox::new(10);
        let start = outbox.end();
        outbox.append(b"ab", None);
        let body = Bytes::from(vec![b'x'; 100]);
        outbox.append_large(b"head".to_vec(), body.clone(), Some(B));
        outbox.append(b"cd", None);
        assert_eq!((outbox.len_bytes(), outbox.bytes_behind(start)), (108, 14));
        let (bytes, next) = gather(&outbox, start, A, 99);
        assert_eq!(bytes, b"ab");
        assert_eq!(gather(&outbox, next, A, 99), (vec![], next));
        let (out, next) = outbox.large(next, A).unwrap();
        assert_eq!(
            (out.head.as_slice(), out.body.as_ptr()),
            (&b"head"[..], body.as_ptr())
        );
        assert!(outbox.large(next, A).is_none());
        assert_eq!(gather(&outbox, next, A, 99), (b"cd".to_vec(), outbox.end()));
        // To its author it is nothing.
        assert_eq!(gather(&outbox, start, B, 99), (b"abcd".to_vec(), outbox.end()));
        outbox.cut(next);
        assert_eq!(outbox.len_bytes(), 2);
        outbox.cut(outbox.end());
        assert_eq!(outbox.len_bytes(), 0);
    }

    #[test]
    fn an_emptied_log_keeps_its_positions() {
        let mut outbox = Outbox::new(usize::MAX);
        outbox.append(b"abc", None);
        let end = outbox.end();
        outbox.cut(end);
        assert_eq!(
            (outbox.end(), outbox.len_bytes(), outbox.bytes_behind(end)),
            (end, 0, 0)
        );
        outbox.append(b"d", None);
        assert_eq!(gather(&outbox, end, A, 9).0, b"d");
    }
}
