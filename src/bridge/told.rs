//! How often the log says that messages were dropped.
//!
//! Owns [`Told`]. Must not log. Key invariant: of one kind a line is due at most every
//! `limits::REDIS_TELL_EVERY`, and says how many there were since the last; no kind hides another. Tests are
//! below.

use crate::limits;
use crate::time::Tick;

/// What was dropped, and why.
pub(super) type Kind = (&'static str, &'static str);

/// What was counted and not told yet.
#[derive(Debug, Default)]
pub(super) struct Told {
    kinds: Vec<(Kind, Option<Tick>, usize)>,
}

impl Told {
    /// Counts; gives how many are to be told of, if it is time for a line.
    pub(super) fn count(&mut self, kind: Kind, count: usize, now: Tick) -> Option<usize> {
        if count == 0 {
            return None;
        }
        let known = self.kinds.iter().position(|(known, ..)| *known == kind);
        let at = known.unwrap_or_else(|| {
            self.kinds.push((kind, None, 0));
            self.kinds.len() - 1
        });
        let (_, told, untold) = self.kinds.get_mut(at)?;
        *untold = untold.saturating_add(count);
        let is_due = told.is_none_or(|told| now.since(told) >= limits::REDIS_TELL_EVERY);
        is_due.then(|| {
            *told = Some(now);
            std::mem::take(untold)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_kind_has_its_lines_and_no_count_is_lost() {
        let mut told = Told::default();
        let (start, early) = (Tick(7), limits::REDIS_TELL_EVERY - Duration::from_micros(1));
        let (a, b) = (("in", "a"), ("in", "b"));
        assert_eq!(told.count(a, 0, start), None);
        assert_eq!(told.count(a, 2, start), Some(2));
        assert_eq!(told.count(b, 1, start), Some(1));
        assert_eq!(told.count(a, 3, start.after(early)), None);
        assert_eq!(told.count(a, 4, start.after(limits::REDIS_TELL_EVERY)), Some(7));
        assert_eq!(told.count(a, 1, start.after(limits::REDIS_TELL_EVERY)), None);
        assert_eq!(told.count(b, 1, start.after(limits::REDIS_TELL_EVERY)), Some(1));
    }
}
