//! How an update joins a board: checked, admitted, held to its budgets, kept.
//!
//! Owns which bound an update is held to, and what of it is copied. Must not know how `update::admit`
//! decides. Key invariant: an update that is refused, a hole or too costly to count here leaves the board as
//! it was. Tests: `board/tests.rs`.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]
use bytes::Bytes;

use super::{Board, Section};
use crate::limits;
use crate::meter::Meter;
use crate::update::admit::{Admission, Stop, admit};
use crate::update::integrate;
use crate::update::scan::{Outline, scan};
use crate::update::{Budget, Budgets, Refused, Rules};

/// Encoded bytes of a board, inclusive, whatever its budget: offsets are kept in 32 bits.
const ENCODED_BYTES_MAX: usize = 1 << 31;

/// New structs of at least this size stay where they came, instead of being copied behind those before them.
const KEPT_BYTES_MIN: usize = 16 * 1024;

/// What [`Board::accept`] made of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// All of it was known before.
    Nothing,
    /// All of it is new: pass the bytes on as they came.
    Whole,
    /// This part of it is new: pass it on.
    Trimmed(Bytes),
    /// It builds on something that is not known; nothing of it was kept.
    Hole,
    /// So much may have to be integrated since the work was last counted that it has to be counted first,
    /// apart; nothing was kept.
    Uncounted,
}

/// What an update must keep to.
#[derive(Clone, Copy)]
pub(super) enum Bound<'a> {
    /// Budgets, and the work of integrating it.
    Stranger(&'a Budgets),
    /// Budgets; the work is counted afterwards.
    Counting(&'a Budgets),
    /// Nothing: it was accepted before, or the server made it.
    Own,
}

impl Board {
    /// Lets an update join, if it can.
    ///
    /// # Errors
    /// [`Refused`]; the board is then unchanged, as it is after [`Accepted::Hole`] and
    /// [`Accepted::Uncounted`].
    pub fn accept(&mut self, update: &[u8]) -> Result<Accepted, Refused> {
        self.accept_metered(update, &mut limits::UPDATE_STEPS.meter(update.len()))
    }

    /// As [`Self::accept`]; `meter` tells what it cost.
    ///
    /// # Errors
    /// As for [`Self::accept`].
    pub fn accept_metered(&mut self, update: &[u8], meter: &mut Meter) -> Result<Accepted, Refused> {
        let budgets = self.budgets;
        let outline = scan(update, &budgets, meter)?;
        self.join(
            Joining::copied(update),
            &outline,
            (Bound::Stranger(&budgets), meter),
        )
    }

    /// Lets an update join that the server made, or that was stored, whatever the budgets are now: a lowered
    /// setting makes no board unreadable.
    ///
    /// # Errors
    /// [`Refused::Malformed`]; the board is then unchanged.
    pub fn replay(&mut self, update: &[u8]) -> Result<Accepted, Refused> {
        let mut meter = Meter::unbounded();
        let outline = scan(update, &Budgets::UNBOUNDED, &mut meter)?;
        self.join(Joining::copied(update), &outline, (Bound::Own, &mut meter))
    }

    /// Says what updates may add from now on; see [`Budgets::growth`].
    pub fn allow_growth(&mut self, bytes: usize) {
        self.budgets.growth = bytes;
    }

    /// Lets an update of the server's own join, within the board's budgets.
    ///
    /// # Errors
    /// As for [`Self::accept`].
    pub fn accept_own(&mut self, update: &[u8]) -> Result<Accepted, Refused> {
        let mut meter = Meter::unbounded();
        let budgets = Budgets {
            rules: Rules::Stored,
            ..self.budgets
        };
        let outline = scan(update, &budgets, &mut meter)?;
        self.join(
            Joining::copied(update),
            &outline,
            (Bound::Counting(&budgets), &mut meter),
        )
    }

    pub(super) fn join(
        &mut self,
        update: Joining<'_>,
        outline: &Outline,
        (bound, meter): (Bound<'_>, &mut Meter),
    ) -> Result<Accepted, Refused> {
        let bytes = update.bytes;
        let budgets = match bound {
            Bound::Stranger(budgets) | Bound::Counting(budgets) => budgets,
            Bound::Own => &Budgets::UNBOUNDED,
        };
        // What is admitted is in `known` until it is reverted.
        let before = self.known.encoded_bytes();
        let admission = match admit(&mut self.known, bytes, outline, (budgets, meter)) {
            Ok(admission) => admission,
            Err(Stop::Hole) => return Ok(Accepted::Hole),
            Err(Stop::Refused(refused)) => return Err(refused),
        };
        if admission.is_nothing() {
            admission.revert(&mut self.known);
            return Ok(Accepted::Nothing);
        }
        if matches!(bound, Bound::Stranger(_)) && self.is_uncounted(admission.strain()) {
            admission.revert(&mut self.known);
            return Ok(Accepted::Uncounted);
        }
        let bytes_max = bytes_max(&admission, budgets);
        let at_most = admission.delete_bytes(&self.known);
        let may_grow = !admission.has_structs() || bytes.len() <= budgets.growth;
        if self.known.encoded_bytes().saturating_add(at_most) > bytes_max || !may_grow {
            // At the edge: only joined it is known what it takes. A copy costs little.
            let mut joined = self.known.clone();
            admission.commit(&mut joined);
            let after = joined.encoded_bytes();
            let over = if after > bytes_max {
                Some(Budget::Bytes)
            } else {
                (!may_grow && after.saturating_sub(before) > budgets.growth).then_some(Budget::Growth)
            };
            if let Some(budget) = over {
                admission.revert(&mut self.known);
                return Err(budget.into());
            }
            self.known = joined;
        } else {
            admission.commit(&mut self.known);
        }
        self.keep(&admission, update);
        self.log_bytes = self.log_bytes.saturating_add(bytes.len());
        self.is_folded = false;
        self.version = self.version.wrapping_add(1);
        let accepted = if admission.is_whole {
            Accepted::Whole
        } else {
            Accepted::Trimmed(admission.encode(&self.known, bytes).into())
        };
        self.note(update, &accepted);
        Ok(accepted)
    }

    /// Whether integrating the board may take more work than was counted for it, with what is about to join.
    fn is_uncounted(&self, more: u64) -> bool {
        let strain = self.known.strain().saturating_add(more);
        let items = self.known.items_at_most();
        let free = items
            .saturating_mul(limits::STRAIN_PER_ITEM)
            .min(limits::INTEGRATION_STEPS_MAX);
        strain > free.max(limits::STRAIN_BASE)
    }

    /// Counts the work of integrating the board, if there may be more than was counted: for those who know it
    /// up to `before` and are sent the rest, and for those who load all of it. Returns the steps that it
    /// took.
    ///
    /// # Errors
    /// [`Refused::TooCostly`].
    pub(super) fn count_work(&mut self, before: &[(u64, u32)]) -> Result<u64, Refused> {
        if !self.is_uncounted(0) {
            return Ok(0);
        }
        let state = self.full();
        let outline = scan(&state, &Budgets::UNBOUNDED, &mut Meter::unbounded())?;
        let mut steps = 0u64;
        for before in [before, &[]] {
            let mut meter = integrate::meter(state.len());
            integrate::integration_work(&state, &outline, before, &mut meter)?;
            steps = steps.saturating_add(meter.spent());
        }
        self.known.set_strain(0);
        Ok(steps)
    }

    /// How far each client is known, ascending.
    pub(super) fn ends(&self) -> Vec<(u64, u32)> {
        let mut ends: Vec<(u64, u32)> = self.known.descending().map(|(_, c)| (c.id, c.end)).collect();
        ends.reverse();
        ends
    }

    fn keep(&mut self, admission: &Admission, update: Joining<'_>) {
        self.sections
            .resize_with(self.known.clients().len(), Section::default);
        for part in &admission.parts {
            let section = usize::try_from(part.at)
                .ok()
                .and_then(|at| self.sections.get_mut(at));
            let Some(section) = section else { continue };
            section.open.extend_from_slice(&part.head);
            let len = part.to.saturating_sub(part.from);
            match update.shared {
                // Not where a small part would keep a large update in memory.
                Some(shared) if len >= KEPT_BYTES_MIN && len >= shared.len() / 2 => {
                    section.seal();
                    section.tail.push(shared.slice(part.from..part.to));
                }
                _ => {
                    let rest = update.bytes.get(part.from..part.to).unwrap_or_default();
                    section.open.extend_from_slice(rest);
                }
            }
        }
    }
}

/// An update that is about to join.
#[derive(Clone, Copy)]
pub(super) struct Joining<'a> {
    pub(super) bytes: &'a [u8],
    /// The same bytes, where they can be kept without copying them.
    pub(super) shared: Option<&'a Bytes>,
}

impl<'a> Joining<'a> {
    pub(super) fn copied(bytes: &'a [u8]) -> Self {
        Self { bytes, shared: None }
    }

    pub(super) fn shared(bytes: &'a Bytes) -> Self {
        Self {
            bytes,
            shared: Some(bytes),
        }
    }
}

/// The bytes a board may have after an update.
///
/// What only deletes may go an eighth beyond the budget: on a full board deleting must stay possible, since
/// that is how it becomes smaller.
fn bytes_max(admission: &Admission, budgets: &Budgets) -> usize {
    let beyond = if admission.has_structs() {
        0
    } else {
        budgets.bytes / 8
    };
    budgets.bytes.saturating_add(beyond).min(ENCODED_BYTES_MAX)
}
