//! Compaction: the canonical, collected form of a captured board.
//!
//! Must not know threads. Key invariant: what is installed was walked as strictly as a stored state, and
//! knows every clock and deletion that the capture knew. Tests: `board/tests.rs`.

use bytes::Bytes;

use super::Board;
use super::apart::{Apart, ApartError, Capture, Replays};
use crate::meter::Meter;
use crate::update::Refused;
use crate::update::compact::{compact as compact_update, compact_split};
use crate::update::known::Known;

/// Compacts a captured state: canonical, deleted content dropped. Pure; for a background thread.
///
/// # Errors
/// [`ApartError::NotAState`], [`ApartError::Lossy`].
pub fn compact(capture: &Capture) -> Result<Apart, ApartError> {
    compact_metered(capture, &mut Meter::unbounded())
}

/// As [`compact`]; `meter` tells what it cost.
///
/// # Errors
/// As for [`compact`]; [`ApartError::NotAState`] where the meter ends it.
pub fn compact_metered(capture: &Capture, meter: &mut Meter) -> Result<Apart, ApartError> {
    let board = compacted(&capture.board, meter)?;
    Ok(Apart::new(capture, board, Replays::Covered))
}

/// The compacted form of a board.
///
/// # Errors
/// As for [`compact_metered`].
pub(super) fn compacted(board: &Board, meter: &mut Meter) -> Result<Board, ApartError> {
    let state =
        compact_update(&board.known, |at| board.bytes_of(at), meter).map_err(|_| ApartError::NotAState)?;
    let mut compacted = Board::load(state.into(), board.budgets).map_err(|_| ApartError::Lossy)?;
    if !compacted.is_folded || !knows_all(&compacted.known, &board.known) {
        return Err(ApartError::Lossy);
    }
    compacted.known.set_strain(board.known.strain());
    Ok(compacted)
}

/// The compacted state as a document is opened on it: with nothing left to be split. Not to be stored.
///
/// # Errors
/// As [`compact_split`].
pub fn split(capture: &Capture) -> Result<Bytes, Refused> {
    let captured = &capture.board;
    let state = compact_split(
        &captured.known,
        |at| captured.bytes_of(at),
        &mut Meter::unbounded(),
    );
    state.map(Bytes::from)
}

/// Whether `new` knows each client as far as `old`, and each of its deletions.
fn knows_all(new: &Known, old: &Known) -> bool {
    new.clients().len() == old.clients().len()
        && old.clients().iter().all(|was| {
            let is = new.place(was.id).and_then(|at| new.client(at));
            is.is_some_and(|is| is.end == was.end && was.deleted.iter().all(|range| is.deleted.covers(range)))
        })
}
