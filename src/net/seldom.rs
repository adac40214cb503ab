//! Refusals that come in floods: how often the log tells of them, and how much of what a stranger sent it
//! shows.
//!
//! Owns [`Seldom`] and [`shown`]. Must not know what is refused. Key invariant: of a flood, one line a
//! `limits::REFUSALS_TOLD_EVERY` is logged, with names of bounded length. Tests are below.

use std::sync::{Mutex, PoisonError};

use crate::limits;
use crate::time::Tick;

/// Refusals of one kind that were not told yet.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    told: Option<Tick>,
    count: u64,
}

impl Seldom {
    /// Counts one; gives how many are to be told of, if it is time for a line.
    pub(crate) fn count(&self, now: Tick) -> Option<u64> {
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untold.count = untold.count.saturating_add(1);
        let is_due = untold
            .told
            .is_none_or(|told| now.since(told) >= limits::REFUSALS_TOLD_EVERY);
        is_due.then(|| {
            untold.told = Some(now);
            std::mem::take(&mut untold.count)
        })
    }
}

/// The start of a host or an origin, of the bytes that these have.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .take(limits::REFUSED_TOLD_CHARACTERS_MAX)
        .map(|c| match c.is_ascii_alphanumeric() || ".-_:[]/".contains(c) {
            true => c,
            false => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_is_due_once_an_interval_and_no_count_is_lost() {
        let seldom = Seldom::default();
        let start = Tick(7);
        let early = start.after(limits::REFUSALS_TOLD_EVERY - Duration::from_micros(1));
        assert_eq!(seldom.count(start), Some(1));
        assert_eq!(seldom.count(start), None);
        assert_eq!(seldom.count(early), None);
        assert_eq!(seldom.count(start.after(limits::REFUSALS_TOLD_EVERY)), Some(3));
    }

    #[test]
    fn what_is_logged_of_a_stranger_is_short_and_has_the_bytes_of_a_name() {
        assert_eq!(shown("[::1]:8080"), "[::1]:8080");
        assert_eq!(shown("https://a.example:8443"), "https://a.example:8443");
        assert_eq!(shown("a%0Ab~\n\u{e4}"), "a?0Ab???");
        for (length, kept) in [
            (
                limits::REFUSED_TOLD_CHARACTERS_MAX - 1,
                limits::REFUSED_TOLD_CHARACTERS_MAX - 1,
            ),
            (
                limits::REFUSED_TOLD_CHARACTERS_MAX,
                limits::REFUSED_TOLD_CHARACTERS_MAX,
            ),
            (
                limits::REFUSED_TOLD_CHARACTERS_MAX + 1,
                limits::REFUSED_TOLD_CHARACTERS_MAX,
            ),
        ] {
            assert_eq!(shown(&"a".repeat(length)).len(), kept);
        }
    }
}
