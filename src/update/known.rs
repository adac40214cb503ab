//! What a document holds, without its content: for each client the end clock, the parents, the shared types,
//! the deletions, and where in the bytes a clock is.
//!
//! Owns [`Known`]; `client` is what it knows of one. Must not hold content or know rooms. Key invariants: a
//! client's clocks are known without gap from 0 to its end; the parent of a type has a lower index than the
//! type. Changes go through [`Known::push`] and can be taken back to a [`Mark`], so that an update is
//! admitted whole or not at all. A copy shares what is large, so it costs some words for each client and each
//! chunk. Tests: `admit` and `room::board`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::chunks::Chunks;
use super::ranges::{Range, put_ranges};
use super::structs::Id;
use crate::lib0::{number_bytes, put_number};

mod client;

use client::CHECKPOINT_BYTES;
pub use client::{Checkpoint, ClientKnown, Run, Slot};

/// A shared type.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    /// The item that holds it; `None` for a top-level type.
    pub item: Option<Id>,
    /// Where that item belongs; `GONE` for a top-level type.
    pub slot: Slot,
    /// Levels from the top; a top-level type is level 1.
    pub depth: u8,
}

/// One struct to be added at the end of a client.
#[derive(Clone, Copy, Debug)]
pub struct Added {
    /// Clocks it covers.
    pub len: u32,
    /// Bytes it takes.
    pub bytes: u32,
    /// Where it belongs.
    pub slot: Slot,
}

/// A state of one client to go back to.
#[derive(Clone, Copy, Debug)]
struct ClientMark {
    at: u32,
    end: u32,
    structs: u32,
    bytes: u32,
    index: usize,
    runs: usize,
    types: usize,
}

/// A state to go back to.
#[derive(Clone, Debug)]
pub struct Mark {
    clients: usize,
    types: usize,
    roots: usize,
    sections_bytes: usize,
    structs: u64,
    touched: Vec<ClientMark>,
}

/// What a document holds, without its content.
#[derive(Clone, Debug, Default)]
pub struct Known {
    clients: Vec<Arc<ClientKnown>>,
    by_id: Arc<BTreeMap<u64, u32>>,
    types: Chunks<Type>,
    roots: Arc<Roots>,
    sections_bytes: usize,
    deletes_bytes: usize,
    deletes_clients: usize,
    /// Ranges of the delete set.
    deletes: u64,
    /// Structs of all clients.
    structs: u64,
    /// Hashes of the places where something stands that has no origin: map entries by type and key, lists by
    /// type. Two places may have one hash.
    beginnings: Chunks<u32>,
    /// Format marks that were accepted.
    formats: u64,
    /// See [`Known::strain`].
    strain: u64,
}

/// The top-level types.
#[derive(Clone, Debug, Default)]
struct Roots {
    by_name: HashMap<Arc<[u8]>, u32>,
    /// The keys of `by_name` in the order in which they were added.
    names: Vec<Arc<[u8]>>,
}

impl Known {
    /// The clients in the order in which they became known; the index is a client's place here.
    #[must_use]
    pub fn clients(&self) -> &[Arc<ClientKnown>] {
        &self.clients
    }

    /// The client at a place.
    #[must_use]
    pub fn client(&self, at: u32) -> Option<&ClientKnown> {
        self.clients
            .get(usize::try_from(at).ok()?)
            .map(|client| &**client)
    }

    /// The client at a place, to be changed; what it shares with a copy is made its own first.
    fn client_mut(&mut self, at: u32) -> Option<&mut ClientKnown> {
        self.clients.get_mut(usize::try_from(at).ok()?).map(Arc::make_mut)
    }

    /// The place of a client.
    #[must_use]
    pub fn place(&self, client: u64) -> Option<u32> {
        self.by_id.get(&client).copied()
    }

    /// The clients with their places in descending order of their ids, as Yjs writes them.
    pub fn descending(&self) -> impl Iterator<Item = (u32, &ClientKnown)> {
        let places = self.by_id.values().rev();
        places.filter_map(|&at| Some((at, self.client(at)?)))
    }

    /// The shared types; a top-level type or a type's parent comes before what it holds.
    #[must_use]
    pub fn types(&self) -> &Chunks<Type> {
        &self.types
    }

    /// The shared type with an index.
    #[must_use]
    pub fn shared_type(&self, index: u32) -> Option<&Type> {
        self.types.get(usize::try_from(index).ok()?)
    }

    /// The index of a top-level type.
    #[must_use]
    pub fn root(&self, name: &[u8]) -> Option<u32> {
        self.roots.by_name.get(name).copied()
    }

    /// The names of the top-level types with their indexes, in the order in which they were added.
    pub fn roots(&self) -> impl Iterator<Item = (&[u8], u32)> {
        let names = self.roots.names.iter();
        names.filter_map(|name| Some((&**name, self.root(name)?)))
    }

    /// Bytes of the whole state as one update.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        let count = |n: usize| number_bytes(u64::try_from(n).unwrap_or(u64::MAX));
        count(self.clients.len())
            .saturating_add(self.sections_bytes)
            .saturating_add(count(self.deletes_clients))
            .saturating_add(self.deletes_bytes)
    }

    /// Heap bytes, estimated.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let clients = self.clients.capacity().saturating_mul(size_of::<usize>());
        // A B-tree node is on average three quarters full.
        let by_id = self.by_id.len().saturating_mul(18);
        let types = self.types.heap_bytes();
        let beginnings = self.beginnings.heap_bytes();
        let roots = self.roots.names.iter().map(|name| name.len().saturating_add(72));
        let each = self.clients.iter().map(|client| client.heap_bytes());
        each.chain(roots)
            .chain([clients, by_id, types, beginnings])
            .fold(0, usize::saturating_add)
    }

    /// Appends the united delete set, clients in descending order.
    pub fn put_deletes(&self, out: &mut Vec<u8>) {
        put_number(out, u64::try_from(self.deletes_clients).unwrap_or(u64::MAX));
        for (_, client) in self.descending() {
            if !client.deleted.is_empty() {
                put_number(out, client.id);
                put_ranges(out, client.deleted.len(), client.deleted.iter());
            }
        }
    }

    /// Whether the delete set is empty.
    #[must_use]
    pub fn has_no_deletes(&self) -> bool {
        self.deletes_clients == 0
    }

    /// Marks the present state.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            clients: self.clients.len(),
            types: self.types.len(),
            roots: self.roots.names.len(),
            sections_bytes: self.sections_bytes,
            structs: self.structs,
            touched: Vec::new(),
        }
    }

    /// The place of a client that is about to be added to; makes it known.
    pub fn touch(&mut self, client: u64, mark: &mut Mark) -> u32 {
        let Some(at) = self.place(client) else {
            let next = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
            Arc::make_mut(&mut self.by_id).insert(client, next);
            self.clients.push(Arc::new(ClientKnown::new(client)));
            return next;
        };
        if let Some(it) = self.client(at) {
            mark.touched.push(ClientMark {
                at,
                end: it.end,
                structs: it.structs,
                bytes: it.bytes,
                index: it.index.len(),
                runs: it.runs.len(),
                types: it.types.len(),
            });
        }
        at
    }

    /// Goes back to a marked state; deletions must not have been added since.
    pub fn revert(&mut self, mark: &Mark) {
        if self.clients.len() > mark.clients {
            let by_id = Arc::make_mut(&mut self.by_id);
            for gone in self.clients.drain(mark.clients..) {
                by_id.remove(&gone.id);
            }
        }
        for old in &mark.touched {
            if self.client(old.at).is_none_or(|it| it.end == old.end) {
                continue;
            }
            let Some(it) = self.client_mut(old.at) else {
                continue;
            };
            (it.end, it.structs, it.bytes) = (old.end, old.structs, old.bytes);
            it.index.truncate(old.index);
            it.runs.truncate(old.runs);
            it.types.truncate(old.types);
        }
        self.types.truncate(mark.types);
        if self.roots.names.len() > mark.roots {
            let Roots { by_name, names } = Arc::make_mut(&mut self.roots);
            for name in names.drain(mark.roots..) {
                by_name.remove(&name);
            }
        }
        self.sections_bytes = mark.sections_bytes;
        self.structs = mark.structs;
    }

    /// Adds a struct at the end of the client at a place.
    pub fn push(&mut self, at: u32, added: Added) {
        self.structs = self.structs.saturating_add(1);
        let Some(it) = self.client_mut(at) else { return };
        let section_before = it.section_bytes();
        if it.runs.last().is_none_or(|run| run.slot != added.slot) {
            it.runs.push(Run {
                start: it.end,
                slot: added.slot,
            });
        }
        let last = it.index.last().map_or(0, |c| c.offset);
        if it.bytes.saturating_sub(last) >= CHECKPOINT_BYTES {
            it.index.push(Checkpoint {
                clock: it.end,
                offset: it.bytes,
                structs: it.structs,
            });
        }
        it.end = it.end.saturating_add(added.len);
        it.structs = it.structs.saturating_add(1);
        it.bytes = it.bytes.saturating_add(added.bytes);
        let section = it.section_bytes().saturating_sub(section_before);
        self.sections_bytes = self.sections_bytes.saturating_add(section);
    }

    /// Adds a top-level type and returns its index.
    pub fn add_root(&mut self, name: &[u8]) -> u32 {
        let index = self.add_type(Type {
            item: None,
            slot: Slot::GONE,
            depth: 1,
        });
        let name: Arc<[u8]> = name.into();
        let roots = Arc::make_mut(&mut self.roots);
        roots.names.push(Arc::clone(&name));
        roots.by_name.insert(name, index);
        index
    }

    /// Adds the type that the item at the end of the client at a place holds, before that item is pushed.
    pub fn add_nested(&mut self, at: u32, slot: Slot, depth: u8) {
        let index = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        let Some(it) = self.client_mut(at) else { return };
        it.types.push((it.end, index));
        let item = Some(Id {
            client: it.id,
            clock: it.end,
        });
        self.add_type(Type { item, slot, depth });
    }

    fn add_type(&mut self, added: Type) -> u32 {
        let index = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        self.types.push(added);
        index
    }

    /// Adds deletions of the client at a place, sorted by their starts.
    pub fn delete(&mut self, at: u32, ranges: &[Range]) {
        let Some(it) = self.client_mut(at) else { return };
        let (before, count) = (it.delete_bytes(), it.deleted.len());
        it.deleted.insert_sorted(ranges);
        let (after, now) = (it.delete_bytes(), it.deleted.len());
        let is_new = before == 0 && after > 0;
        self.deletes_clients = self.deletes_clients.saturating_add(usize::from(is_new));
        self.deletes_bytes = self.deletes_bytes.saturating_sub(before).saturating_add(after);
        let of = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.deletes = self.deletes.saturating_sub(of(count)).saturating_add(of(now));
    }

    /// Notes that items were put behind these clocks of the client at a place, sorted.
    pub fn use_origins(&mut self, at: u32, clocks: &[Range]) {
        if let Some(it) = self.client_mut(at) {
            it.origins.insert_sorted(clocks);
        }
    }

    /// Whether something without origin may stand in a place with this hash.
    #[must_use]
    pub fn has_beginning(&self, hash: u32) -> bool {
        self.beginnings.last_where(|h| *h <= hash) == Some(&hash)
    }

    /// Notes that something without origin stands in a place with this hash.
    pub fn add_beginning(&mut self, hash: u32) {
        if !self.has_beginning(hash) {
            let place = self.beginnings.partition_point(|h| *h < hash);
            self.beginnings.insert(place, hash);
        }
    }

    /// At most how many items a list or map of the document has once all of it is split where others were put
    /// in between, and where deletions begin and end.
    #[must_use]
    pub fn items_at_most(&self) -> u64 {
        let splits = self.deletes.saturating_mul(2);
        self.structs.saturating_mul(3).saturating_add(splits)
    }

    /// Format marks that were accepted.
    #[must_use]
    pub fn formats(&self) -> u64 {
        self.formats
    }

    /// At most how much work integrating what joined since [`Self::set_strain`] is, beyond a constant for
    /// each struct.
    #[must_use]
    pub fn strain(&self) -> u64 {
        self.strain
    }

    /// Sets the strain: to nothing once the work was counted, or to what it was when the same document was
    /// written anew.
    pub fn set_strain(&mut self, strain: u64) {
        self.strain = strain;
    }

    /// Adds format marks, and strain.
    pub fn add_strain(&mut self, formats: u64, strain: u64) {
        self.formats = self.formats.saturating_add(formats);
        self.strain = self.strain.saturating_add(strain);
    }

    /// Gives unused heap back, after a load.
    pub fn shrink(&mut self) {
        self.clients.shrink_to_fit();
        self.types.shrink();
        self.beginnings.shrink();
        for it in &mut self.clients {
            Arc::make_mut(it).shrink();
        }
    }
}
