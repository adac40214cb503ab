//! A state's bytes as nodes: none of them is in its list yet.
//!
//! Owns how structs and deletions are read into a [`Graph`]. Must not know how items are integrated. Key
//! invariant: what refers to a client that is not there joins nothing. Tests: `integrate/tests.rs`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::collections::HashMap;

use super::{
    Client, Graph, Holds, LIST_GONE, LIST_OF_PARENT, LIST_UNKNOWN, NONE, NOWHERE, Node, Place, count, index,
};
use crate::lib0::Reader;
use crate::meter::{Exhausted, Meter};
use crate::update::ranges::normalise;
use crate::update::scan::{Outline, Section, read_range};
use crate::update::structs::{Id, Kind, Parent, Struct, read_struct};

/// Names as numbers, while a state is read.
#[derive(Default)]
struct Names<'a>(HashMap<&'a [u8], u32>);

impl<'a> Names<'a> {
    fn number(&mut self, name: &'a [u8]) -> u32 {
        // A mark's key has 31 bits; there are fewer names than bytes.
        let next = u32::try_from(self.0.len()).unwrap_or(NONE) & (NONE >> 2);
        *self.0.entry(name).or_insert(next)
    }
}

impl Graph {
    /// Reads all structs; none is integrated yet.
    pub(in crate::update::integrate) fn read(
        state: &[u8],
        outline: &Outline,
        meter: &mut Meter,
    ) -> Result<Self, Exhausted> {
        let mut graph = Self::default();
        let each = outline.sections.iter().map(|section| Client {
            id: section.client,
            first: 0,
            count: 0,
            done: 0,
            deleted: Vec::new(),
        });
        graph.clients = each.collect();
        graph.clients.sort_unstable_by_key(|client| client.id);
        let mut names = Names::default();
        for section in &outline.sections {
            graph.read_section(state, section, &mut names, meter)?;
        }
        graph.read_deletes(state, outline, meter)?;
        Ok(graph)
    }

    fn read_section<'a>(
        &mut self,
        state: &'a [u8],
        section: &Section,
        names: &mut Names<'a>,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let client = self.client_of(section.client);
        let first = count(self.nodes.len());
        let mut reader = Reader::new(state.get(section.start..section.end).unwrap_or_default());
        let mut clock = section.clock;
        while !reader.rest().is_empty() {
            meter.spend(1)?;
            // Checked when the outline was made.
            let Ok(it) = read_struct::<false>(&mut reader) else {
                break;
            };
            if it.kind.is_item() {
                let at = Place { client, clock };
                let node = self.node_of(&it, at, names);
                self.nodes.push(node);
            } else {
                self.empty = self.empty.saturating_add(1);
            }
            clock = clock.saturating_add(it.len);
        }
        let end = count(self.nodes.len());
        if let Some(it) = self.clients.get_mut(index(client)) {
            (it.first, it.count) = (first, end.saturating_sub(first));
        }
        Ok(())
    }

    fn node_of<'a>(&mut self, it: &Struct<'a>, at: Place, names: &mut Names<'a>) -> Node {
        let place = |id: Option<Id>| {
            id.map_or(Place::NONE, |id| Place {
                client: self.client_near(id.client, at.client),
                clock: id.clock,
            })
        };
        let mut node = Node {
            at,
            len: it.len,
            origin: place(it.origin),
            right: place(it.right),
            list: LIST_UNKNOWN,
            holds: holds(it, names).packed(),
            ..NOWHERE
        };
        // An id of a client that is not there refers to nothing.
        let is_lost = |id: Option<Id>, place: Place| id.is_some() && !place.is_some();
        if is_lost(it.origin, node.origin) || is_lost(it.right, node.right) {
            node.list = LIST_GONE;
        }
        let key = it.key.map_or(NONE, |key| names.number(key));
        match it.parent {
            Parent::Inherited => {}
            Parent::Root(name) => node.list = self.list((names.number(name), NONE, key)),
            Parent::Item(id) => {
                node.origin = place(Some(id));
                node.right.client = key;
                node.list = if node.origin.is_some() {
                    LIST_OF_PARENT
                } else {
                    LIST_GONE
                };
            }
        }
        node
    }

    /// The place of a client, or `NONE`.
    fn client_of(&self, id: u64) -> u32 {
        let found = self.clients.binary_search_by_key(&id, |client| client.id);
        found.map_or(NONE, count)
    }

    /// As `client_of`; most often it is the client whose structs are read.
    fn client_near(&self, id: u64, near: u32) -> u32 {
        match self.clients.get(index(near)) {
            Some(client) if client.id == id => near,
            _ => self.client_of(id),
        }
    }

    fn read_deletes(&mut self, state: &[u8], outline: &Outline, meter: &mut Meter) -> Result<(), Exhausted> {
        let mut reader = Reader::at(state, outline.deletes);
        // Checked when the outline was made.
        for _ in 0..reader.count().unwrap_or_default() {
            let client = self.client_of(reader.number().unwrap_or_default());
            let mut ranges = Vec::new();
            for _ in 0..reader.count().unwrap_or_default() {
                meter.spend(1)?;
                ranges.extend(read_range(&mut reader));
            }
            if let Some(it) = self.clients.get_mut(index(client)) {
                it.deleted.append(&mut ranges);
            }
        }
        for client in &mut self.clients {
            normalise(&mut client.deleted);
        }
        Ok(())
    }
}

fn holds<'a>(it: &Struct<'a>, names: &mut Names<'a>) -> Holds {
    match it.kind {
        Kind::Deleted => Holds::Deleted,
        Kind::Type => Holds::Type,
        Kind::Format => {
            let mut reader = Reader::new(it.content);
            // Checked when the outline was made.
            let key = names.number(reader.blob().unwrap_or_default());
            let value = reader.blob().unwrap_or_default();
            if value.trim_ascii() == b"null" {
                Holds::Closes(key)
            } else {
                Holds::Opens(key)
            }
        }
        _ => Holds::Content,
    }
}
