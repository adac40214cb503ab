//! A board opened as a yrs document, where the server itself reads or writes content.
//!
//! Owns the one use of yrs, fenced: canonical state only, past `update::gate`, and never again after an error
//! or a panic. Must not know rooms or members. Key invariants: what strangers sent reaches yrs only as the
//! compacted state of a board, never as it came; what yrs encodes is stored only where the server wrote it.
//! Tests: `document/tests.rs`.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Number, Value};
use yrs::updates::decoder::Decode;
use yrs::{Any, ClientID, Doc, Map, MapRef, OffsetKind, Options, Out, ReadTxn, Transact, Update};

use crate::items::{Record, Records, Write};
use crate::limits;
use crate::meter::Meter;
use crate::room::board::{self, Board};
use crate::update::gate::{self, Passed, Root, RootContent};
use crate::update::scan::scan;
use crate::update::vector::{StateVector, put_state_vector};
use crate::update::{Budgets, Refused};

mod json;
#[cfg(test)]
mod tests;

/// The name of the Y.Map that holds a board's tldraw records.
pub const RECORDS: &str = "tldraw";

/// Why a board cannot be opened as a document; it still syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// It holds content that yrs must not be given, or no records where they should be; or its JSON would be
    /// too large.
    Unsupported,
    /// What it would take is in use by others.
    Busy,
    /// yrs refused it, or panicked over it. A bug of the gate or of yrs.
    Failed,
}

/// The shared types of a board by name, as JSON of at most [`limits::JSON_BYTES_MAX`].
///
/// A map becomes an object, an array an array, a text its string, XML its string, a buffer a string of
/// base64; a type of both kinds shows its entries. `state` is any complete state of a board. `reserve` is
/// asked for each piece of memory, in bytes, before it is taken.
///
/// # Errors
/// [`Unopened`]; [`Unopened::Busy`] where `reserve` refused.
///
/// # Panics
/// Never: a panic of yrs is caught, and the document it happened in is leaked, since dropping it could panic
/// again.
pub fn to_json(state: Bytes, reserve: &mut dyn FnMut(usize) -> bool) -> Result<Vec<u8>, Unopened> {
    let canonical = Canonical::of(state)?;
    let mut document = Document::empty(READER_CLIENT);
    document.apply(&canonical.state)?;
    let roots = canonical.roots;
    let mut out = Bounded {
        bytes: Vec::new(),
        reserve,
        why: Unopened::Failed,
    };
    let written = document.fenced(|doc| Ok(json::write(doc, &roots, &mut out)))?;
    written.map(|()| out.bytes).map_err(|_| out.why)
}

/// Whether a board can be opened: what [`to_json`] does before it writes. `state` is any complete state of a
/// board.
///
/// # Errors
/// [`Unopened`]; [`Unopened::Unsupported`] is said of a board that is whole, and syncs.
pub fn check(state: Bytes) -> Result<(), Unopened> {
    let canonical = Canonical::of(state)?;
    Document::empty(READER_CLIENT).apply(&canonical.state)
}

/// The least piece of memory that JSON is given.
const JSON_PIECE_BYTES: usize = 16 * 1024;

/// JSON being written.
struct Bounded<'r> {
    bytes: Vec<u8>,
    reserve: &'r mut dyn FnMut(usize) -> bool,
    /// Why writing ended early.
    why: Unopened,
}

impl io::Write for Bounded<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let total = self.bytes.len().saturating_add(piece.len());
        if total > limits::JSON_BYTES_MAX {
            self.why = Unopened::Unsupported;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if total > self.bytes.capacity() {
            let more = piece.len().max(self.bytes.len() / 4).max(JSON_PIECE_BYTES);
            if !(self.reserve)(more) {
                self.why = Unopened::Busy;
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            self.bytes.reserve_exact(more);
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client id for documents that are only read: nothing is ever written under it.
const READER_CLIENT: u64 = 1;

/// A board's state as yrs may be given it.
struct Canonical {
    state: Bytes,
    roots: Vec<Root>,
    parts: usize,
    /// Deleted clocks.
    deleted: u64,
}

impl Canonical {
    /// Compacts a complete state, and lets it through the gate.
    fn of(state: Bytes) -> Result<Self, Unopened> {
        let mut board = Board::load(state, Budgets::UNBOUNDED).map_err(|_| Unopened::Failed)?;
        let state = board::split(&board.capture()).map_err(|refused| match refused {
            Refused::TooCostly => Unopened::Unsupported,
            Refused::Malformed(_) | Refused::OverBudget(_) => Unopened::Failed,
        })?;
        let passed = gate::document_gate(&state).map_err(|_| Unopened::Unsupported)?;
        let Passed {
            roots,
            parts,
            deleted,
        } = passed;
        Ok(Self {
            state,
            roots,
            parts,
            deleted,
        })
    }

    fn weight(&self) -> usize {
        self.state.len().max(self.parts.saturating_mul(16))
    }

    /// Whether the records stand in a map, or nowhere yet.
    fn has_records(&self) -> bool {
        let root = self.roots.iter().find(|root| root.name == RECORDS);
        root.is_none_or(|root| root.content == RootContent::None)
    }
}

/// A board's records, open for reading and writing; it follows the board when told to.
pub struct Document {
    /// `None` after an error or a panic: it must neither be used nor dropped then.
    doc: Option<Doc>,
    writer: ClientID,
    weight: usize,
    /// Deleted clocks when it followed last.
    deleted: u64,
}

impl Document {
    /// Opens a board whose complete state is `state`, to be written to under the client id `writer`: one that
    /// nobody else uses, and that was never used for anything that may have been lost.
    ///
    /// # Errors
    /// [`Unopened`].
    pub fn open(state: Bytes, writer: u64) -> Result<Self, Unopened> {
        let mut document = Self::empty(writer);
        document.follow(state)?;
        Ok(document)
    }

    fn empty(writer: u64) -> Self {
        let writer = ClientID::new(writer);
        let doc = Doc::with_options(Options {
            offset_kind: OffsetKind::Utf16,
            ..Options::with_client_id(writer)
        });
        Self {
            doc: Some(doc),
            writer,
            weight: 0,
            deleted: 0,
        }
    }

    /// Takes in what the board has and the document lacks. `state` is the board's complete state by now; all
    /// of it goes through the gate again, since what is new may be harmful only together with what was there.
    ///
    /// # Errors
    /// [`Unopened`]; the document is of no use then.
    pub fn follow(&mut self, state: Bytes) -> Result<(), Unopened> {
        let canonical = Canonical::of(state)?;
        if !canonical.has_records() {
            return Err(Unopened::Unsupported);
        }
        self.weight = canonical.weight();
        let newly_deleted = canonical.deleted.saturating_sub(self.deleted);
        self.deleted = canonical.deleted;
        let known = self.fenced(|doc| Ok(state_vector(doc)))?;
        if known.is_empty() {
            return self.apply(&canonical.state);
        }
        let state_bytes = canonical.state.len();
        let mut board =
            Board::load(canonical.state.clone(), Budgets::UNBOUNDED).map_err(|_| Unopened::Failed)?;
        let asked = StateVector::parse(&known).map_err(|_| Unopened::Failed)?;
        let lacking = board.diff(&asked);
        let outline =
            scan(&lacking, &Budgets::UNBOUNDED, &mut Meter::unbounded()).map_err(|_| Unopened::Failed)?;
        let structs = outline.sections.iter().map(|section| u64::from(section.count));
        // yrs may move or copy all it holds for each change, but not when it is opened anew.
        let changes = newly_deleted.saturating_add(structs.sum());
        let cost = changes.saturating_mul(u64::try_from(state_bytes).unwrap_or(u64::MAX));
        if cost > limits::FOLLOW_COST_MAX {
            self.doc = Self::empty(self.writer.get()).doc;
            return self.apply(&canonical.state);
        }
        self.apply(&lacking)
    }

    fn apply(&mut self, update: &[u8]) -> Result<(), Unopened> {
        self.fenced(|doc| {
            let update = Update::decode_v1(update).map_err(|_| Unopened::Failed)?;
            let mut transaction = doc.transact_mut();
            transaction.apply_update(update).map_err(|_| Unopened::Failed)?;
            drop(transaction);
            if doc.transact().has_missing_updates() {
                return Err(Unopened::Failed);
            }
            Ok(())
        })
    }

    /// How much memory it takes, compared with others: encoded bytes, or 16 for each struct and value where
    /// that is more.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// The next clock of the client id that the document writes under.
    ///
    /// # Errors
    /// [`Unopened::Failed`].
    pub fn writer_clock(&mut self) -> Result<u32, Unopened> {
        let writer = self.writer;
        self.fenced(|doc| Ok(doc.transact().state_vector().get(&writer)))
    }

    /// Reads the records.
    ///
    /// # Errors
    /// [`Unopened::Failed`] where yrs, or `read`, panicked.
    pub fn read<T>(&mut self, read: impl FnOnce(&dyn Records) -> T) -> Result<T, Unopened> {
        self.fenced(|doc| {
            let map = doc.get_or_insert_map(RECORDS);
            let transaction = doc.transact();
            Ok(read(&Reader { map, transaction }))
        })
    }

    /// Sets and removes records in one transaction; returns the update that does so elsewhere.
    ///
    /// # Errors
    /// [`Unopened::Failed`].
    pub fn write(&mut self, writes: &[Write]) -> Result<Bytes, Unopened> {
        self.fenced(|doc| {
            let map = doc.get_or_insert_map(RECORDS);
            let mut transaction = doc.transact_mut();
            for Write { key, record } in writes {
                match record {
                    Some(record) => {
                        map.insert(&mut transaction, key.as_str(), any_of_object(record));
                    }
                    None => {
                        map.remove(&mut transaction, key);
                    }
                }
            }
            Ok(transaction.encode_update_v1().into())
        })
    }

    /// Runs `work`; after an error or a panic the document is leaked, since dropping it could panic again.
    fn fenced<T>(&mut self, work: impl FnOnce(&Doc) -> Result<T, Unopened>) -> Result<T, Unopened> {
        let doc = self.doc.take().ok_or(Unopened::Failed)?;
        match catch_unwind(AssertUnwindSafe(|| work(&doc))) {
            Ok(Ok(value)) => {
                self.doc = Some(doc);
                Ok(value)
            }
            Ok(Err(unopened)) => {
                std::mem::forget(doc);
                Err(unopened)
            }
            Err(_) => {
                std::mem::forget(doc);
                Err(Unopened::Failed)
            }
        }
    }
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("writer", &self.writer)
            .finish_non_exhaustive()
    }
}

/// How far the document knows each client, encoded; empty where it knows none.
fn state_vector(doc: &Doc) -> Vec<u8> {
    let vector = doc.transact().state_vector();
    if vector.is_empty() {
        return Vec::new();
    }
    let pairs: Vec<(u64, u32)> = vector
        .iter()
        .map(|(client, clock)| (client.get(), *clock))
        .collect();
    let mut out = Vec::new();
    put_state_vector(&mut out, pairs.into_iter());
    out
}

/// The records of an open document.
struct Reader<T> {
    map: MapRef,
    transaction: T,
}

impl<T: ReadTxn> Reader<T> {
    fn members(&self, key: &str) -> Option<Arc<HashMap<String, Any>>> {
        match self.map.get(&self.transaction, key)? {
            Out::Any(Any::Map(members)) => Some(members),
            _ => None,
        }
    }
}

impl<T: ReadTxn> Records for Reader<T> {
    fn get(&self, key: &str) -> Option<Record> {
        Some(object_of(&*self.members(key)?))
    }

    fn text(&self, key: &str, member: &str) -> Option<String> {
        match self.members(key)?.get(member)? {
            Any::String(text) => Some(text.as_ref().to_owned()),
            _ => None,
        }
    }

    fn number(&self, key: &str, member: &str) -> Option<f64> {
        match self.members(key)?.get(member)? {
            number @ Any::Number(_) => value_of(number).as_f64(),
            _ => None,
        }
    }

    fn plain(&self, key: &str, path: &[&str]) -> Option<Value> {
        let members = self.members(key)?;
        let (last, way) = path.split_last()?;
        let inner = way
            .iter()
            .try_fold(&*members, |members, name| match members.get(*name)? {
                Any::Map(inner) => Some(&**inner),
                _ => None,
            })?;
        let any = inner.get(*last)?;
        matches!(any, Any::Number(_) | Any::Bool(_)).then(|| value_of(any))
    }

    fn keys(&self) -> Vec<String> {
        self.map.keys(&self.transaction).map(ToOwned::to_owned).collect()
    }
}

/// As a browser would show it; what JSON has no word for is null. As deep as the board's budgets let values
/// be.
fn value_of(any: &Any) -> Value {
    match any {
        Any::Null | Any::Undefined | Any::Buffer(_) => Value::Null,
        Any::Bool(value) => Value::Bool(*value),
        Any::Number(yrs::any::Number::Int(value)) => Value::from(*value),
        Any::Number(yrs::any::Number::Float(value)) => match yrs::any::Number::try_i64(*value) {
            yrs::any::Number::Int(whole) => Value::from(whole),
            yrs::any::Number::Float(value) => Number::from_f64(value).map_or(Value::Null, Value::Number),
        },
        Any::String(text) => Value::from(text.as_ref()),
        Any::Array(values) => values.iter().map(value_of).collect(),
        Any::Map(members) => Value::Object(object_of(members)),
    }
}

fn object_of(members: &HashMap<String, Any>) -> Record {
    // A browser does not show members that are undefined either.
    let members = members.iter().filter(|(_, any)| **any != Any::Undefined);
    members.map(|(name, any)| (name.clone(), value_of(any))).collect()
}

/// Numbers become what a browser writes for them, never bigints.
fn any_of(value: &Value) -> Any {
    match value {
        Value::Null => Any::Null,
        Value::Bool(value) => Any::Bool(*value),
        Value::Number(number) => number.as_f64().map_or(Any::Null, Any::from),
        Value::String(text) => Any::String(text.as_str().into()),
        Value::Array(values) => Any::Array(values.iter().map(any_of).collect()),
        Value::Object(members) => any_of_object(members),
    }
}

fn any_of_object(members: &Record) -> Any {
    let members = members.iter();
    let members = members.map(|(name, value)| (name.clone(), any_of(value)));
    Any::Map(Arc::new(members.collect()))
}
