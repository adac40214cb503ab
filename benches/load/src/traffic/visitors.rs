//! Visitors: they come to a board at an even rate, and stay until the next comes there.
//!
//! Owns when they come and go. How long each takes to join is counted by the fleet.

use crate::fleet::Fleet;
use crate::scenario;
use crate::traffic::group::Span;
use std::rc::Rc;

/// The visitors of one group.
#[derive(Debug, Default)]
pub(crate) struct Visitors {
    /// Nanoseconds from one to the next; 0: none come.
    gap: f64,
    start: u64,
    end: u64,
    pub(crate) came: usize,
    /// Who is on each board.
    here: Vec<Option<usize>>,
}

impl Visitors {
    pub(crate) fn new(plan: &scenario::Group, span: &Span) -> Self {
        Self {
            gap: if plan.joins > 0.0 { 1e9 / plan.joins } else { 0.0 },
            start: span.start,
            end: span.end,
            came: 0,
            here: vec![None; plan.boards],
        }
    }

    pub(crate) fn due(&self) -> Option<u64> {
        let due = self.start + (self.came as f64 * self.gap) as u64;
        (self.gap > 0.0 && due < self.end).then_some(due)
    }

    /// Lets those come that are due. How many could not.
    pub(crate) fn come(&mut self, fleet: &mut Fleet, rooms: &[Rc<str>]) -> u64 {
        let mut failed = 0;
        while self.due().is_some_and(|due| due <= fleet.now()) {
            let board = self.came % rooms.len();
            self.came += 1;
            if let Some(id) = self.here[board].take() {
                fleet.release(id);
            }
            match fleet.connect(&rooms[board]) {
                Ok(id) => self.here[board] = Some(id),
                Err(_) => failed += 1,
            }
        }
        failed
    }
}
