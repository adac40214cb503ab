//! What somebody lacks of a board, cut out of its bytes.
//!
//! Owns [`Board::diff`]. Must not know who asks. Key invariant: the answer is exactly the structs from the clocks that were
//! asked for on, whatever updates they came in, and the whole delete set. Tests: `board/tests.rs`, `board/fuzzing.rs`.

use bytes::Bytes;

use super::{Board, put_count};
use crate::lib0::put_number;
use crate::update::known::{Checkpoint, ClientKnown};
use crate::update::structs::{Id, read_struct};
use crate::update::vector::StateVector;

impl Board {
    /// One complete step 2: exactly the structs that the vector lacks, and the whole delete set.
    pub fn diff(&mut self, vector: &StateVector<'_>) -> Bytes {
        let mut clocks = vec![0u32; self.sections.len()];
        for (client, clock) in vector.iter() {
            let at = self.known.place(client).and_then(|at| usize::try_from(at).ok());
            if let Some(slot) = at.and_then(|at| clocks.get_mut(at)) {
                *slot = clock;
            }
        }
        if clocks.iter().all(|&clock| clock == 0) {
            return self.full();
        }
        let clock_of = |at: u32| usize::try_from(at).ok().and_then(|at| clocks.get(at)).copied();
        let lacking = |(at, c): (u32, &ClientKnown)| {
            let clock = clock_of(at).unwrap_or(0);
            (clock < c.end).then_some((at, clock))
        };
        let lacking: Vec<(u32, u32)> = self.known.descending().filter_map(lacking).collect();
        let mut out = Vec::new();
        put_count(&mut out, lacking.len());
        for (at, clock) in lacking {
            self.put_section(&mut out, at, clock);
        }
        self.known.put_deletes(&mut out);
        out.into()
    }

    /// Appends the section of the client at a place from a clock on.
    pub(super) fn put_section(&self, out: &mut Vec<u8>, at: u32, clock: u32) {
        let Some(client) = self.known.client(at) else {
            return;
        };
        let (before, head) = self.seek(at, client, clock);
        put_number(out, u64::from(client.structs.saturating_sub(before.structs)));
        put_number(out, client.id);
        put_number(out, u64::from(clock));
        out.extend_from_slice(&head);
        let mut offset = usize::try_from(before.offset).unwrap_or(usize::MAX);
        for piece in self.bytes_of(at) {
            out.extend_from_slice(piece.get(offset..).unwrap_or_default());
            offset = offset.saturating_sub(piece.len());
        }
    }

    /// Finds the struct that `clock` starts or lies in. In the second case the part from `clock` on is returned too,
    /// and the offset is that of the following struct; `structs` counts the structs before in both.
    fn seek(&self, at: u32, client: &ClientKnown, clock: u32) -> (Checkpoint, Vec<u8>) {
        let mut place = client.checkpoint(clock);
        let mut head = Vec::new();
        while place.clock < clock {
            let mut reader = self.reader_at(at, place.offset);
            let Ok(it) = read_struct::<false>(&mut reader) else {
                break;
            };
            let end = place.clock.saturating_add(it.len);
            let bytes = u32::try_from(it.raw.len()).unwrap_or(u32::MAX);
            if end > clock {
                let id = Id {
                    client: client.id,
                    clock: place.clock,
                };
                it.put_part(&mut head, id, clock.saturating_sub(place.clock), it.len);
            } else {
                place.structs = place.structs.saturating_add(1);
            }
            place.offset = place.offset.saturating_add(bytes);
            place.clock = end;
        }
        (place, head)
    }
}
