//! What a walk over bytes of strangers may cost.
//!
//! Owns [`Meter`] and [`Allowance`]. Must not know what is walked. Key invariant: a walk that spends a step
//! for each thing it looks at (a struct, a range, a value, a run of copied bytes) ends, with [`Exhausted`] at
//! the latest, after a number of steps that is linear in the bytes that came. The figures are in `limits`.
//! Tests at the end of the file.

/// The allowance of a walk is spent: it would cost more than its bytes are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// So many steps for each byte that came, and some on top for the smallest ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Steps for each byte.
    pub per_byte: u64,
    /// Steps whatever came.
    pub base: u64,
}

impl Allowance {
    /// A meter for a walk over so many bytes.
    #[must_use]
    pub fn meter(self, bytes: usize) -> Meter {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Meter::new(bytes.saturating_mul(self.per_byte).saturating_add(self.base))
    }
}

/// Counts the steps of one walk.
#[derive(Debug)]
pub struct Meter {
    allowed: u64,
    left: u64,
}

impl Meter {
    /// A meter that ends after `steps` steps, inclusive.
    #[must_use]
    pub const fn new(steps: u64) -> Self {
        Self {
            allowed: steps,
            left: steps,
        }
    }

    /// A meter that only counts: for what the server itself stored or made.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self::new(u64::MAX)
    }

    /// Spends steps.
    ///
    /// # Errors
    /// [`Exhausted`] where fewer are left; none are then.
    pub fn spend(&mut self, steps: u64) -> Result<(), Exhausted> {
        let left = self.left.checked_sub(steps);
        self.left = left.unwrap_or(0);
        left.map(drop).ok_or(Exhausted)
    }

    /// Spends a step for each 64 bytes that are copied or looked at in one run, and one for the run itself.
    ///
    /// # Errors
    /// As [`Self::spend`].
    pub fn spend_bytes(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.spend(u64::try_from(bytes / 64).unwrap_or(u64::MAX).saturating_add(1))
    }

    /// Steps spent so far.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.allowed.saturating_sub(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_ends_exactly_at_its_allowance() {
        let mut meter = Allowance { per_byte: 3, base: 4 }.meter(2);
        assert_eq!(meter.spend(9), Ok(()));
        assert_eq!(meter.spend(1), Ok(()));
        assert_eq!(meter.spend(1), Err(Exhausted));
        assert_eq!(meter.spent(), 10);
    }

    #[test]
    fn steps_beyond_the_allowance_spend_what_is_left() {
        let mut meter = Meter::new(5);
        assert_eq!(meter.spend(6), Err(Exhausted));
        assert_eq!((meter.spent(), meter.spend(1)), (5, Err(Exhausted)));
    }

    #[test]
    fn a_run_of_bytes_costs_a_step_and_one_for_each_64() {
        let mut meter = Meter::unbounded();
        for (bytes, steps) in [(0, 1), (63, 1), (64, 2), (6_400, 101)] {
            let before = meter.spent();
            assert_eq!(meter.spend_bytes(bytes), Ok(()));
            assert_eq!(meter.spent() - before, steps, "{bytes} bytes");
        }
    }
}
