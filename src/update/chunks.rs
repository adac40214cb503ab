//! A list in order that is cheap to copy and to change in the middle.
//!
//! Owns [`Chunks`]. Must not know what it holds. Key invariants: a copy shares all full chunks, so it costs a
//! count for each 512 elements and not the elements; an insertion or removal moves at most a chunk. Tests at
//! the end of the file, against a vector.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::sync::Arc;

/// Elements of a chunk, at most.
const CHUNK: usize = 512;

/// A list of elements in ascending order, in chunks; the last one is the list's own, the others may be
/// shared.
#[derive(Clone, Debug)]
pub struct Chunks<T> {
    full: Vec<Arc<Vec<T>>>,
    last: Vec<T>,
    len: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self {
            full: Vec::new(),
            last: Vec::new(),
            len: 0,
        }
    }
}

/// Where an element is, or would be; at first that of the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    chunk: usize,
    at: usize,
}

impl<T: Copy> Chunks<T> {
    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Heap bytes, of chunks that are shared too.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let chunks = self.full.iter().map(|chunk| {
            let bytes = chunk.capacity().saturating_mul(size_of::<T>());
            bytes.saturating_add(size_of::<Vec<T>>())
        });
        chunks
            .fold(
                self.full.capacity().saturating_mul(size_of::<usize>()),
                usize::saturating_add,
            )
            .saturating_add(self.last.capacity().saturating_mul(size_of::<T>()))
    }

    /// Gives unused heap back.
    pub fn shrink(&mut self) {
        self.full.shrink_to_fit();
        self.last.shrink_to_fit();
    }

    fn chunk(&self, chunk: usize) -> &[T] {
        self.full.get(chunk).map_or(&self.last, |chunk| chunk)
    }

    /// The last element.
    #[must_use]
    pub fn last(&self) -> Option<&T> {
        self.last
            .last()
            .or_else(|| self.full.last().and_then(|chunk| chunk.last()))
    }

    /// The element with an index. Of a list that only ever grew at its end.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        match self.full.get(index / CHUNK) {
            Some(chunk) => chunk.get(index % CHUNK),
            None => self
                .last
                .get(index.checked_sub(self.full.len().checked_mul(CHUNK)?)?),
        }
    }

    /// The element at a place.
    #[must_use]
    pub fn at(&self, place: Place) -> Option<&T> {
        self.chunk(place.chunk).get(place.at)
    }

    /// The place after another.
    #[must_use]
    pub fn next(&self, place: Place) -> Place {
        let at = place.at.saturating_add(1);
        if place.chunk < self.full.len() && at >= self.chunk(place.chunk).len() {
            return Place {
                chunk: place.chunk.saturating_add(1),
                at: 0,
            };
        }
        Place { at, ..place }
    }

    /// The first place for which `before` does not hold; it must hold for all elements up to there.
    #[must_use]
    pub fn partition_point(&self, before: impl Fn(&T) -> bool) -> Place {
        let is_before = |chunk: &Arc<Vec<T>>| chunk.last().is_some_and(&before);
        let chunk = self.full.partition_point(is_before);
        Place {
            chunk,
            at: self.chunk(chunk).partition_point(before),
        }
    }

    /// The last element for which `before` holds, as for [`Self::partition_point`].
    #[must_use]
    pub fn last_where(&self, before: impl Fn(&T) -> bool) -> Option<&T> {
        let Place { chunk, at } = self.partition_point(before);
        match at.checked_sub(1) {
            Some(at) => self.chunk(chunk).get(at),
            None => self.full.get(chunk.checked_sub(1)?)?.last(),
        }
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.iter_from(Place::default())
    }

    /// The elements from a place on.
    pub fn iter_from(&self, place: Place) -> impl Iterator<Item = &T> + Clone {
        let first = self.chunk(place.chunk).get(place.at..).unwrap_or_default();
        let next = place.chunk.saturating_add(1);
        let others = self.full.get(next..).unwrap_or_default();
        // The list's own chunk comes last, unless it was the first.
        let last: &[T] = if place.chunk < self.full.len() {
            &self.last
        } else {
            &[]
        };
        first
            .iter()
            .chain(others.iter().flat_map(|chunk| chunk.iter()))
            .chain(last)
    }

    /// Adds an element at the end.
    pub fn push(&mut self, element: T) {
        if self.last.len() >= CHUNK {
            self.full.push(Arc::new(std::mem::take(&mut self.last)));
        }
        self.last.push(element);
        self.len = self.len.saturating_add(1);
    }

    /// Removes the elements from an index on. Of a list that only ever grew at its end.
    pub fn truncate(&mut self, len: usize) {
        while self.len > len {
            if self.last.is_empty() {
                let Some(chunk) = self.full.pop() else { return };
                self.last = Arc::unwrap_or_clone(chunk);
            }
            let gone = self.len.saturating_sub(len).min(self.last.len());
            self.last.truncate(self.last.len().saturating_sub(gone));
            self.len = self.len.saturating_sub(gone);
        }
    }

    fn chunk_mut(&mut self, chunk: usize) -> &mut Vec<T> {
        match self.full.get_mut(chunk) {
            Some(chunk) => Arc::make_mut(chunk),
            None => &mut self.last,
        }
    }

    /// Puts an element before the one at a place.
    pub fn insert(&mut self, place: Place, element: T) {
        if place.chunk >= self.full.len() && place.at >= self.last.len() {
            return self.push(element);
        }
        self.len = self.len.saturating_add(1);
        let chunk = self.chunk_mut(place.chunk);
        chunk.insert(place.at.min(chunk.len()), element);
        if chunk.len() > CHUNK {
            let half = chunk.split_off(CHUNK / 2);
            if place.chunk < self.full.len() {
                self.full.insert(place.chunk.saturating_add(1), Arc::new(half));
            } else {
                let first = std::mem::replace(&mut self.last, half);
                self.full.push(Arc::new(first));
            }
        }
    }

    /// Sets the element at a place, and removes those that follow it, `further` of them.
    pub fn replace(&mut self, place: Place, element: T, further: usize) {
        let chunk = self.chunk_mut(place.chunk);
        if let Some(slot) = chunk.get_mut(place.at) {
            *slot = element;
        }
        if further == 0 {
            return;
        }
        let from = place.at.saturating_add(1).min(chunk.len());
        let here = chunk.len().saturating_sub(from).min(further);
        chunk.drain(from..from.saturating_add(here));
        self.len = self.len.saturating_sub(further);
        let mut left = further.saturating_sub(here);
        let next = place.chunk.saturating_add(1);
        let mut whole = 0usize;
        for chunk in self.full.iter().skip(next) {
            if chunk.len() > left {
                break;
            }
            left = left.saturating_sub(chunk.len());
            whole = whole.saturating_add(1);
        }
        if whole > 0 {
            self.full.drain(next..next.saturating_add(whole));
        }
        if left > 0 {
            let chunk = self.chunk_mut(next);
            chunk.drain(..left.min(chunk.len()));
        }
    }
}

impl<T: Copy> FromIterator<T> for Chunks<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut chunks = Self::default();
        elements.into_iter().for_each(|element| chunks.push(element));
        chunks
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests panic on their own mistakes")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(chunks: &Chunks<u32>) -> Vec<u32> {
        assert_eq!(chunks.len(), chunks.iter().count());
        assert_eq!(chunks.is_empty(), chunks.iter().next().is_none());
        assert_eq!(chunks.last(), chunks.iter().last());
        chunks.iter().copied().collect()
    }

    #[test]
    fn a_list_that_grows_at_its_end_goes_back_to_where_it_was() {
        for (grown, kept) in [(0, 0), (CHUNK, 3), (CHUNK + 1, CHUNK), (3 * CHUNK + 7, CHUNK - 1)] {
            let mut chunks: Chunks<usize> = (0..grown).collect();
            let copy = chunks.clone();
            assert!((0..grown).all(|n| chunks.get(n) == Some(&n)) && chunks.get(grown).is_none());
            chunks.truncate(kept);
            assert!(chunks.iter().copied().eq(0..kept), "{grown} to {kept}");
            chunks.push(grown);
            assert_eq!(chunks.get(kept), Some(&grown));
            assert!(copy.iter().copied().eq(0..grown), "the copy is as it was");
        }
    }

    proptest! {
        #[test]
        fn a_list_is_what_a_vector_is(
            start in 0u32..2_000,
            acts in prop::collection::vec((any::<u16>(), 0usize..1_500), 1..40),
        ) {
            // Even numbers, so that there is room in between.
            let mut model: Vec<u32> = (0..start).map(|n| n * 20).collect();
            let mut chunks: Chunks<u32> = model.iter().copied().collect();
            for (number, further) in acts {
                let copy = chunks.clone();
                let was = model.clone();
                let place = chunks.partition_point(|e| *e < u32::from(number));
                let at = model.partition_point(|e| *e < u32::from(number));
                prop_assert_eq!(chunks.at(place), model.get(at));
                prop_assert_eq!(chunks.last_where(|e| *e < u32::from(number)), model[..at].last());
                prop_assert!(chunks.iter_from(place).eq(&model[at..]));
                if further % 2 == 0 && at < model.len() {
                    let further = further.min(model.len() - at - 1);
                    model.drain(at + 1..at + 1 + further);
                    chunks.replace(place, model[at], further);
                } else {
                    model.insert(at, u32::from(number));
                    chunks.insert(place, u32::from(number));
                }
                prop_assert_eq!(&all(&chunks), &model);
                prop_assert_eq!(&all(&copy), &was);
            }
        }
    }
}
