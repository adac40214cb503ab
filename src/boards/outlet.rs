//! Who else is told of the items that agents change: the bridge, where there is one.
//!
//! Owns the traits. Must not know how it is told. Key invariant: telling never waits and never fails; who
//! changes items is not held up by it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::BoardId;

/// What was done to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is new.
    Create,
    /// It was changed.
    Update,
    /// It is gone.
    Delete,
}

/// Somebody who is told.
pub(crate) trait Outlet: Send + Sync {
    /// Takes the next place in the order of what is told of a board; asked for in the board's turn.
    fn reserve(self: Arc<Self>, board: &BoardId) -> Box<dyn Announcement>;

    /// Why it cannot be told at the moment, if it cannot.
    fn trouble(&self) -> Option<String>;
}

/// A place in the order of what is told; dropped, it is given up.
pub(crate) trait Announcement: Send {
    /// Tells of changes of items: what each is now, or was where it is gone.
    fn fill(self: Box<Self>, changes: &[(Action, &Value)]);
}
