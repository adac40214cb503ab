//! The log that several nodes share, as it is written: who wrote what, and whether an echo is of it.
//!
//! Owns [`History`]. Must not know nodes. Key invariant: it looks at what the log took, and not at who was
//! allowed to write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use yrs::Update;
use yrs::updates::decoder::Decode;

use super::checks::{Book, Known};
use super::executor::World;
use crate::ids::BoardId;
use crate::store::Change;
use crate::store::memory::{Disk, Taken};
use crate::store::ownership::NodeId;

/// One board's.
#[derive(Default)]
struct Written {
    /// How often it had changed hands at the last change, and who made that.
    last: Option<(u64, Option<NodeId>)>,
    holds: Known,
}

/// What the log took.
pub(super) struct History {
    world: World,
    disk: Disk,
    boards: Mutex<BTreeMap<BoardId, Written>>,
}

impl History {
    /// Of a disk on which nothing is yet; it looks at each echo of `book`.
    pub(super) fn of(world: &World, disk: &Disk, book: &Book, ids: Vec<BoardId>) -> Arc<Self> {
        let history = Arc::new(Self {
            world: world.clone(),
            disk: disk.clone(),
            boards: Mutex::default(),
        });
        let watching = Arc::clone(&history);
        book.watch(move |board, update| watching.check_echo(&ids[board], update));
        history
    }

    /// Takes in what was written since.
    pub(super) fn look(&self) {
        for Taken { change, by, fence } in self.disk.taken() {
            let Some(board) = change.board() else { continue };
            let mut boards = self.boards.lock().unwrap();
            let written = boards.entry(board.clone()).or_default();
            if let Some((last, who)) = written.last
                && (fence < last || fence == last && by != who)
            {
                self.world.violated(format!(
                    "two owners wrote {board}: {by:?} under {fence} after {who:?} under {last}"
                ));
            }
            written.last = Some((fence, by));
            if let Change::Append { update, .. } = &change {
                let update = Update::decode_v1(update).expect("what is stored decodes");
                written.holds.learn(&update);
            }
        }
    }

    fn check_echo(&self, board: &BoardId, update: &Update) {
        self.look();
        let boards = self.boards.lock().unwrap();
        let lacks = match boards.get(board) {
            Some(written) => written.holds.lacks(update),
            None => Some("all of it".into()),
        };
        if let Some(lacks) = lacks {
            self.world
                .violated(format!("{board} echoed what is not in the log: {lacks}"));
        }
    }
}
