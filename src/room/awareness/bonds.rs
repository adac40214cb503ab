//! Who had which awareness id: what a room remembers of those who have gone.
//!
//! Owns the bonds between ids and subjects. Must not know states or connections. Key invariants: an id has
//! one bond; the longest gone are forgotten first, those of a subject that has too many before all others. A
//! stock client takes any state for its own id as its own, so nobody else may ever show one under it. Tests
//! at the end of the file.

use std::collections::{BTreeMap, HashMap};

use crate::ids::Subject;
use crate::limits;

/// What is remembered of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bond {
    /// The last clock; others have seen it, and ignore it and what is below.
    pub(super) clock: u64,
    /// Whose id it is.
    pub(super) subject: Subject,
    /// When it was made, counted in bonds.
    turn: u64,
}

/// The bonds of one room.
#[derive(Debug, Default)]
pub(super) struct Bonds {
    by_id: HashMap<u64, Bond>,
    /// Ids by turn.
    by_age: BTreeMap<u64, u64>,
    /// The same of each subject.
    of_subject: HashMap<Subject, BTreeMap<u64, u64>>,
    next_turn: u64,
}

impl Bonds {
    pub(super) fn get(&self, id: u64) -> Option<&Bond> {
        self.by_id.get(&id)
    }

    /// Remembers that `id` was `subject`'s, and at which clock it went.
    pub(super) fn insert(&mut self, id: u64, clock: u64, subject: Subject) {
        self.remove(id);
        let turn = self.next_turn;
        self.next_turn += 1;
        let of_subject = self.of_subject.entry(subject.clone()).or_default();
        of_subject.insert(turn, id);
        let too_many = of_subject.len() > limits::AWARENESS_BONDS_PER_SUBJECT_MAX;
        let own_oldest = of_subject.values().next().copied().filter(|_| too_many);
        self.by_age.insert(turn, id);
        self.by_id.insert(id, Bond { clock, subject, turn });
        let oldest = || self.by_age.values().next().copied();
        let crowded = self.by_id.len() > limits::AWARENESS_BONDS_MAX;
        if let Some(forgotten) = own_oldest.or_else(|| crowded.then(oldest).flatten()) {
            self.remove(forgotten);
        }
    }

    /// Forgets `id`; returns what was remembered of it.
    pub(super) fn remove(&mut self, id: u64) -> Option<Bond> {
        let bond = self.by_id.remove(&id)?;
        self.by_age.remove(&bond.turn);
        if let Some(of_subject) = self.of_subject.get_mut(&bond.subject) {
            of_subject.remove(&bond.turn);
            if of_subject.is_empty() {
                self.of_subject.remove(&bond.subject);
            }
        }
        Some(bond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::harness::user;

    fn check(bonds: &Bonds) {
        assert_eq!(bonds.by_id.len(), bonds.by_age.len());
        let of_subjects: usize = bonds.of_subject.values().map(BTreeMap::len).sum();
        assert_eq!(bonds.by_id.len(), of_subjects);
    }

    #[test]
    fn a_subject_with_too_many_bonds_forgets_its_own_longest_gone() {
        let most = limits::AWARENESS_BONDS_PER_SUBJECT_MAX as u64;
        let mut bonds = Bonds::default();
        bonds.insert(0, 7, user("alice"));
        for (id, oldest_is_kept) in [(most - 1, true), (most, true), (most + 1, false)] {
            for id in bonds.by_id.len() as u64..=id {
                bonds.insert(id, 1, user("mallory"));
            }
            assert_eq!(bonds.get(1).is_some(), oldest_is_kept, "{id}");
            assert_eq!(bonds.get(id).map(|b| b.clock), Some(1));
            assert_eq!(bonds.get(0).map(|b| b.clock), Some(7), "another's stays");
            check(&bonds);
        }
    }

    #[test]
    fn a_room_with_too_many_bonds_forgets_the_longest_gone() {
        let most = limits::AWARENESS_BONDS_MAX as u64;
        let mut bonds = Bonds::default();
        for id in 0..most + 1 {
            assert!(bonds.get(0).is_some() || id == 0);
            bonds.insert(id, 1, user(&format!("{}", id % 100)));
            if id == 5 {
                // It came back and went again.
                assert_eq!(bonds.remove(1).map(|b| b.subject), Some(user("1")));
                bonds.insert(1, 2, user("1"));
            }
        }
        assert_eq!(bonds.get(0), None);
        assert!(bonds.get(1).is_some());
        assert_eq!(bonds.by_id.len() as u64, most);
        check(&bonds);
    }

    #[test]
    fn an_id_has_one_bond() {
        let mut bonds = Bonds::default();
        bonds.insert(1, 1, user("alice"));
        bonds.insert(1, 2, user("alice"));
        assert_eq!(bonds.remove(1).map(|b| b.clock), Some(2));
        assert_eq!((bonds.remove(1), bonds.get(1)), (None, None));
        check(&bonds);
        assert!(bonds.of_subject.is_empty());
    }
}
