//! How slowly an incomplete message may come, and an answer leave.
//!
//! Owns [`Pace`], one message's clock, which stands still while we do not listen, and [`Leaving`], the time
//! of an answer to a request. Must not know sockets or timers. Key invariant: what a peer makes us hold, it
//! keeps moving: a message has [`limits::MESSAGE_TIME_MIN`], and the time that the bytes moved since take at
//! [`limits::MESSAGE_BYTES_PER_SECOND_MIN`]. Tests at the end of the file.

use std::time::Duration;

use crate::limits;
use crate::time::Tick;

/// What a connection is doing, as far as its peer can be blamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// No message has begun.
    Nothing,
    /// One has, and the peer may send the rest.
    Receiving,
    /// One has, and we do not listen.
    Paused,
}

/// The clock of a message under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// When it began, later by all the time that we did not listen.
    since: Option<Tick>,
    paused_at: Option<Tick>,
    /// Bytes that came since, or left: who takes in a large answer first is no slower than its line.
    moved: usize,
}

impl Pace {
    /// Notes bytes that came or left.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes);
    }

    /// A message is complete: the next one has its own time.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Looks at the clock: by when more must have come, if a message is under way and we listen.
    pub(crate) fn deadline(&mut self, now: Tick, doing: Doing) -> Option<Tick> {
        if doing == Doing::Nothing {
            self.restart();
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if let Some(paused_at) = self.paused_at.take() {
            self.since = Some(since.after(now.since(paused_at)));
        }
        if doing == Doing::Paused {
            self.paused_at = Some(now);
            return None;
        }
        Some(
            self.since?
                .after(limits::MESSAGE_TIME_MIN)
                .after(time_at(limits::MESSAGE_BYTES_PER_SECOND_MIN, self.moved)),
        )
    }
}

/// How long something may take to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// So long.
    Whole(Duration),
    /// So long without moving at all; and so long, and what its bytes take at the least rate, as a whole.
    Moving(Duration),
}

impl Leaving {
    /// How long the next byte may take to leave, where `sent` have left in `elapsed`.
    pub(crate) fn left(self, sent: usize, elapsed: Duration) -> Duration {
        match self {
            Self::Whole(time) => time.saturating_sub(elapsed),
            Self::Moving(time) => {
                let whole = time.saturating_add(time_at(limits::RESPONSE_BYTES_PER_SECOND_MIN, sent));
                time.min(whole.saturating_sub(elapsed))
            }
        }
    }
}

/// The time that bytes take at so many a second.
fn time_at(bytes_per_second: u64, bytes: usize) -> Duration {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    Duration::from_millis(bytes.saturating_mul(1_000) / bytes_per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::default().after(Duration::from_secs(seconds))
    }

    const MIN: u64 = limits::MESSAGE_TIME_MIN.as_secs();

    #[test]
    fn a_message_has_its_least_time_and_more_for_what_has_come() {
        let mut pace = Pace::default();
        assert_eq!(pace.deadline(at(0), Doing::Nothing), None);
        assert_eq!(pace.deadline(at(10), Doing::Receiving), Some(at(10 + MIN)));
        pace.moved(usize::try_from(limits::MESSAGE_BYTES_PER_SECOND_MIN).unwrap() * 7);
        assert_eq!(pace.deadline(at(20), Doing::Receiving), Some(at(17 + MIN)));
        pace.restart();
        assert_eq!(
            pace.deadline(at(30), Doing::Receiving),
            Some(at(30 + MIN)),
            "the next has its own"
        );
    }

    #[test]
    fn time_stands_still_while_we_do_not_listen() {
        let mut pace = Pace::default();
        assert_eq!(pace.deadline(at(0), Doing::Receiving), Some(at(MIN)));
        for second in 1..=100 {
            assert_eq!(pace.deadline(at(second), Doing::Paused), None);
        }
        assert_eq!(pace.deadline(at(101), Doing::Receiving), Some(at(100 + MIN)));
        assert_eq!(pace.deadline(at(500), Doing::Receiving), Some(at(100 + MIN)));
    }

    #[test]
    fn a_step_2_of_31_mib_over_two_megabits_has_time_enough() {
        let (bytes, bits) = (31 * 1024 * 1024, 2_000_000);
        let time = time_at(
            limits::MESSAGE_BYTES_PER_SECOND_MIN,
            usize::try_from(bytes).unwrap(),
        );
        assert!(Duration::from_secs(bytes * 8 / bits) < time);
    }

    #[test]
    fn an_answer_may_take_as_long_as_it_moves_and_no_longer() {
        let second = Duration::from_secs(1);
        let rate = usize::try_from(limits::RESPONSE_BYTES_PER_SECOND_MIN).unwrap();
        let moving = Leaving::Moving(30 * second);
        for (sent, elapsed, left) in [
            (0, 0, 30),
            (0, 29, 1),
            (0, 30, 0),
            (100 * rate, 0, 30),
            (100 * rate, 100, 30),
            (100 * rate, 129, 1),
            (100 * rate, 130, 0),
        ] {
            assert_eq!(
                moving.left(sent, elapsed * second),
                left * second,
                "{sent} in {elapsed}"
            );
        }
        assert_eq!(Leaving::Whole(30 * second).left(100 * rate, 29 * second), second);
    }
}
