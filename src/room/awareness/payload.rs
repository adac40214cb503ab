//! Awareness payloads: bytes to entries and back.
//!
//! Owns the shape `varuint count, { varuint id, varuint clock, varstring JSON }*`. Must not know who may say
//! what. Key invariant: reading allocates nothing, whatever count a peer announces. Tests:
//! `room/awareness_tests.rs`.

use std::collections::BTreeMap;

use crate::fault::Fault;
use crate::lib0::{self, Reader};
use crate::limits;
use crate::meter::Exhausted;

/// The JSON of a removed state.
pub(super) const NULL: &str = "null";

/// Why an awareness payload was refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It does not decode, or a state that would be shown is not JSON.
    Malformed,
    /// It costs more than its bytes are worth.
    TooCostly,
}

impl Refused {
    /// What the connection is closed with.
    #[must_use]
    pub fn fault(self) -> Fault {
        match self {
            Self::Malformed => Fault::MalformedMessage,
            Self::TooCostly => Fault::TooCostly,
        }
    }
}

impl From<lib0::Malformed> for Refused {
    fn from(_: lib0::Malformed) -> Self {
        Self::Malformed
    }
}

impl From<Exhausted> for Refused {
    fn from(_: Exhausted) -> Self {
        Self::TooCostly
    }
}

/// One `(id, clock, state)` of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Incoming<'a> {
    pub(super) id: u64,
    pub(super) clock: u64,
    pub(super) text: &'a str,
}

impl<'a> Incoming<'a> {
    /// `None` for the JSON `null`: the client says goodbye.
    pub(super) fn state(self) -> Option<&'a str> {
        (self.text.trim() != NULL).then_some(self.text)
    }
}

/// Reads a payload's entries one by one, `limits::AWARENESS_ENTRIES_MAX` at most; nothing is allocated.
pub(super) fn read<'a>(
    payload: &'a [u8],
    mut each: impl FnMut(Incoming<'a>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let mut reader = Reader::new(payload);
    let count = reader.number()?;
    if count > limits::AWARENESS_ENTRIES_MAX {
        return Err(Refused::Malformed);
    }
    for _ in 0..count {
        each(Incoming {
            id: reader.number()?,
            clock: reader.number()?,
            text: reader.string()?,
        })?;
    }
    reader.is_empty().then_some(()).ok_or(Refused::Malformed)
}

/// Entries to be told, by id: clock and JSON.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    entries: BTreeMap<u64, (u64, &'a str)>,
    /// Bytes of the entries, without the count before them.
    pub(super) bytes: usize,
}

impl<'a> Told<'a> {
    pub(super) fn add(&mut self, id: u64, clock: u64, state: &'a str) {
        let numbers = [id, clock, state.len() as u64];
        self.bytes += numbers.map(lib0::number_bytes).iter().sum::<usize>() + state.len();
        self.entries.insert(id, (clock, state));
    }

    /// The payload; `None` without entries.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        if self.entries.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(self.bytes + lib0::number_bytes(self.entries.len() as u64));
        lib0::put_number(&mut out, self.entries.len() as u64);
        for (id, (clock, state)) in &self.entries {
            lib0::put_number(&mut out, *id);
            lib0::put_number(&mut out, *clock);
            lib0::put_blob(&mut out, state.as_bytes());
        }
        Some(out)
    }
}
