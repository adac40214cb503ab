//! What an update would do, without doing it: for those who may look and not change.

use super::Board;
use crate::meter::Meter;
use crate::update::admit::{Stop, admit};
use crate::update::scan::scan;
use crate::update::{Budgets, Refused, Rules};

impl Board {
    /// Whether an update would bring something new, or builds on what is not known yet. The board is
    /// unchanged.
    ///
    /// # Errors
    /// [`Refused`] when it does not decode.
    pub fn would_change(&mut self, update: &[u8], meter: &mut Meter) -> Result<bool, Refused> {
        let budgets = Budgets {
            rules: Rules::Strangers,
            ..Budgets::UNBOUNDED
        };
        let outline = scan(update, &budgets, meter)?;
        match admit(&mut self.known, update, &outline, (&budgets, meter)) {
            Ok(admission) => {
                admission.revert(&mut self.known);
                Ok(!admission.is_nothing())
            }
            Err(Stop::Hole) => Ok(true),
            Err(Stop::Refused(refused)) => Err(refused),
        }
    }
}
