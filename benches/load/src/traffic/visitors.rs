//! Visitors: they come to a board at an even rate, and stay until the next comes there.
//!
//! Owns when they come and go, and how long each takes to join. Key invariant: that is from the moment it was
//! due to come; who never joined is told too, or the slowest would be missing.

use std::collections::HashMap;
use std::rc::Rc;

use crate::fleet::{Event, Fleet};
use crate::scenario;
use crate::times::Times;
use crate::traffic::group::Span;

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
    /// Who has not joined yet, and since when it should be there.
    joining: HashMap<usize, u64>,
    pub(crate) joins: Times,
    /// Could not connect, or were closed.
    pub(crate) refused: u64,
    /// Had not joined when the next came.
    overtaken: u64,
}

impl Visitors {
    pub(crate) fn new(plan: &scenario::Group, span: &Span) -> Self {
        Self {
            gap: if plan.joins > 0.0 { 1e9 / plan.joins } else { 0.0 },
            start: span.start,
            end: span.end,
            here: vec![None; plan.boards],
            ..Self::default()
        }
    }

    pub(crate) fn due(&self) -> Option<u64> {
        let due = self.start + (self.came as f64 * self.gap) as u64;
        (self.gap > 0.0 && due < self.end).then_some(due)
    }

    /// Lets those come that are due.
    pub(crate) fn come(&mut self, fleet: &mut Fleet, rooms: &[Rc<str>]) {
        while let Some(due) = self.due().filter(|due| *due <= fleet.now()) {
            let board = self.came % rooms.len();
            self.came += 1;
            if let Some(id) = self.here[board].take() {
                self.overtaken += u64::from(self.joining.remove(&id).is_some());
                fleet.release(id);
            }
            match fleet.connect(&rooms[board]) {
                Ok(id) => {
                    self.here[board] = Some(id);
                    self.joining.insert(id, due);
                }
                Err(_) => self.refused += 1,
            }
        }
    }

    /// Something happened to a client; whether it is a visitor who joined or was closed.
    pub(crate) fn heard(&mut self, id: usize, now: u64, event: &Event<'_>) -> bool {
        match event {
            Event::Joined(_) => match self.joining.remove(&id) {
                Some(due) => self.joins.record(now.saturating_sub(due)),
                None => return false,
            },
            Event::Closed if self.here.contains(&Some(id)) => {
                self.joining.remove(&id);
                self.refused += 1;
            }
            _ => return false,
        }
        true
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.joining.is_empty()
    }

    /// Who had not joined when the next came, or at the end.
    pub(crate) fn unserved(&self) -> u64 {
        self.overtaken + self.joining.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::target::Target;
    use crate::yjs::Dialect;

    #[test]
    fn who_never_joins_is_told_and_who_does_is_late_from_when_it_was_due() {
        // It takes nobody in.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/{{room}}", listener.local_addr().unwrap());
        let mut fleet = Fleet::new(Target::parse(&url, Dialect::Yjs).unwrap()).unwrap();
        let plan = scenario::Group {
            boards: 2,
            joins: 1_000.0,
            ..scenario::Group::default()
        };
        let span = Span {
            begin: 0,
            start: 0,
            end: 10_000_000,
        };
        let mut visitors = Visitors::new(&plan, &span);
        // Whoever runs this was slow: all are due.
        while fleet.now() < span.end {}
        visitors.come(&mut fleet, &[Rc::from("a"), Rc::from("b")]);
        assert_eq!(
            (visitors.came, visitors.unserved(), visitors.is_complete()),
            (10, 10, false)
        );
        let (a, b) = (visitors.here[0].unwrap(), visitors.here[1].unwrap());
        assert!(visitors.heard(a, 28_000_000, &Event::Joined(&[])), "due at 8 ms");
        assert!(visitors.heard(b, 28_000_000, &Event::Closed));
        assert!(!visitors.heard(99, 28_000_000, &Event::Closed));
        assert_eq!(
            (visitors.joins.total(), visitors.refused, visitors.unserved()),
            (1, 1, 8)
        );
        let late = visitors.joins.within_ms(1.0);
        assert!((19.8..20.3).contains(&late), "{late}");
        assert!(visitors.is_complete());
    }
}
