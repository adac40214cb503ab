//! What somebody lacks of a board, cut out of its bytes.
//!
//! Owns [`Board::diff`] and [`Board::tail_of`]. Must not know who asks. Key invariant: the answer is exactly
//! the structs from the clocks that were asked for on, whatever updates they came in, and the whole delete
//! set; it costs steps in proportion to the board. Tests: `board/tests.rs`, `board/fuzzing.rs`.

use bytes::Bytes;

use super::{Board, put_count};
use crate::lib0::{Reader, put_number};
use crate::limits;
use crate::meter::{Exhausted, Meter};
use crate::update::known::{Checkpoint, ClientKnown};
use crate::update::structs::{Id, read_struct};
use crate::update::vector::StateVector;

impl Board {
    /// One complete step 2: exactly the structs that the vector lacks, and the whole delete set. Whoever asks
    /// so that finding it would cost more than [`limits::UPDATE_STEPS`] allows gets the whole state, which
    /// has all that it lacks.
    pub fn diff(&mut self, vector: &StateVector<'_>) -> Bytes {
        let mut meter = limits::UPDATE_STEPS.meter(self.encoded_bytes().saturating_add(vector.pair_bytes()));
        self.diff_metered(vector, &mut meter)
            .unwrap_or_else(|Exhausted| self.full())
    }

    /// As [`Self::diff`]; spends a step for each pair, client, piece, struct that is looked at and run of
    /// bytes that is copied.
    ///
    /// # Errors
    /// [`Exhausted`].
    pub fn diff_metered(&mut self, vector: &StateVector<'_>, meter: &mut Meter) -> Result<Bytes, Exhausted> {
        let mut clocks = vec![0u32; self.sections.len()];
        for (client, clock) in vector.iter() {
            meter.spend(1)?;
            let at = self.known.place(client).and_then(|at| usize::try_from(at).ok());
            if let Some(slot) = at.and_then(|at| clocks.get_mut(at)) {
                *slot = clock;
            }
        }
        if clocks.iter().all(|&clock| clock == 0) {
            return Ok(self.full());
        }
        let clock_of = |at: u32| usize::try_from(at).ok().and_then(|at| clocks.get(at)).copied();
        let lacking = |(at, c): (u32, &ClientKnown)| {
            let clock = clock_of(at).unwrap_or(0);
            (clock < c.end).then_some((at, clock))
        };
        let lacking: Vec<(u32, u32)> = self.known.descending().filter_map(lacking).collect();
        meter.spend(u64::try_from(clocks.len()).unwrap_or(u64::MAX))?;
        let mut out = Vec::new();
        put_count(&mut out, lacking.len());
        for (at, clock) in lacking {
            self.put_section(&mut out, (at, clock), meter)?;
        }
        let before = out.len();
        self.known.put_deletes(&mut out);
        meter.spend_bytes(out.len().saturating_sub(before))?;
        Ok(out.into())
    }

    /// Appends the section of the client at a place from a clock on.
    fn put_section(
        &self,
        out: &mut Vec<u8>,
        (at, clock): (u32, u32),
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let Some(client) = self.known.client(at) else {
            return Ok(());
        };
        let (before, head) = self.seek(at, client, clock, meter)?;
        put_number(out, u64::from(client.structs.saturating_sub(before.structs)));
        put_number(out, client.id);
        put_number(out, u64::from(clock));
        out.extend_from_slice(&head);
        let mut offset = usize::try_from(before.offset).unwrap_or(usize::MAX);
        for piece in self.bytes_of(at) {
            let bytes = piece.get(offset..).unwrap_or_default();
            meter.spend_bytes(bytes.len())?;
            out.extend_from_slice(bytes);
            offset = offset.saturating_sub(piece.len());
        }
        Ok(())
    }

    /// Finds the struct that `clock` starts or lies in. In the second case the part from `clock` on is
    /// returned too, and the offset is that of the following struct; `structs` counts the structs before in
    /// both.
    fn seek(
        &self,
        at: u32,
        client: &ClientKnown,
        clock: u32,
        meter: &mut Meter,
    ) -> Result<(Checkpoint, Vec<u8>), Exhausted> {
        let mut place = client.checkpoint(clock);
        let mut head = Vec::new();
        let mut reader = Reader::new(&[]);
        while place.clock < clock {
            if reader.is_empty() {
                meter.spend(u64::try_from(self.bytes_of(at).count()).unwrap_or(u64::MAX))?;
                reader = self.reader_at(at, place.offset);
            }
            let Ok(it) = read_struct::<false>(&mut reader) else {
                break;
            };
            meter.spend_bytes(it.raw.len())?;
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
        Ok((place, head))
    }

    /// The last structs of one client that take at most `bytes_max`, as an update without deletions. The
    /// first of them may be a part of one: a compaction makes one struct of what was written one after the
    /// other.
    ///
    /// Echoed to its author after a reconnect. `None` when the client is unknown or not one value fits, and
    /// where finding it would cost more than the meter allows.
    #[must_use]
    pub fn tail_of(&self, client: u64, bytes_max: usize, meter: &mut Meter) -> Option<Bytes> {
        let at = self.known.place(client)?;
        let client = self.known.client(at)?;
        let least = client
            .bytes
            .saturating_sub(u32::try_from(bytes_max).unwrap_or(u32::MAX));
        let mut place = client.checkpoint_at_byte(least);
        let mut clock = place.clock;
        while place.offset < least {
            let mut reader = self.reader_at(at, place.offset);
            let it = read_struct::<false>(&mut reader).ok()?;
            meter.spend_bytes(it.raw.len()).ok()?;
            let end = place.offset.saturating_add(u32::try_from(it.raw.len()).ok()?);
            let id = Id {
                client: client.id,
                clock,
            };
            let left = usize::try_from(end.saturating_sub(least)).ok()?;
            if let Some(cut) = it.cut_for(id, left) {
                clock = clock.saturating_add(cut);
                break;
            }
            clock = clock.saturating_add(it.len);
            place.offset = end;
            place.structs = place.structs.saturating_add(1);
        }
        if place.structs >= client.structs {
            return None;
        }
        let mut out = vec![1];
        self.put_section(&mut out, (at, clock), meter).ok()?;
        out.push(0);
        Some(out.into())
    }
}
