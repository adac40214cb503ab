//! Which node has which board, where several share one store.
//!
//! Owns [`Ownership`], the third seam of a store that is shared: a lease for each node, and for each board
//! the node that has it. A data file is one node's, and has none of this. Must not know sockets, nor what a
//! node does with its boards. Key invariants: a board has one node at a time; a commit of a node's rooms is
//! taken only while its lease holds and the board is its own, decided in the transaction of the commit
//! ([`super::Applied::Elsewhere`] otherwise); time is the store's own. Tests: `contract/ownership.rs`, `sim`.
//!
//! A node is one run of one process. It joins under a name, by which the next run of the same server takes
//! its place at once; a run that has lost its lease is never taken back, and joins anew as another node. So
//! whatever a run left behind, in a queue or on the way to the store, is of a node that is gone.

use std::time::Duration;

use super::StoreError;
use crate::ids::BoardId;
use std::fmt;

/// One run of one node; the store gives it out once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Another node, as far as one must know it to pass something on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Which run.
    pub node: NodeId,
    /// `--node-address`: where other nodes reach it; `None` where it was given none.
    pub address: Option<String>,
}

/// Who has a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Nobody: there is no such board, no node has it, or the lease of the one that had it has ended.
    Nobody,
    /// This node.
    Here,
    /// Another one, whose lease holds.
    Elsewhere(Neighbour),
}

/// What a node says of itself when it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    /// What the runs of one server have in common: `--node-address`, or its host and `--listen`.
    pub name: String,
    /// `--node-address`.
    pub address: Option<String>,
    /// `--lease`: for how long it has what it has, without another word.
    pub lease: Duration,
    /// Whether a node of the same name loses its lease: right at the start of a process, since the other is
    /// then an earlier one; later it would be one that runs beside this.
    pub replaces: bool,
}

/// What became of joining or renewing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It holds from the moment at which it was asked for, as long as [`Joining::lease`].
    Held(NodeId),
    /// It has ended, or the node was replaced; when joining: another node of the same name has one.
    Lost,
}

/// A node, for people to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSeen {
    /// Which run.
    pub node: NodeId,
    /// See [`Joining::name`].
    pub name: String,
    /// See [`Joining::address`].
    pub address: Option<String>,
    /// How long its lease still holds; zero where it has ended.
    pub lease_left: Duration,
    /// Boards that it has.
    pub boards: u64,
}

/// What is stored about nodes. All methods block, as those of a [`super::Store`]; none waits for a commit of
/// this node that is under way.
///
/// The store remembers which node it is since [`Ownership::join`]: its commits are of that one.
pub trait Ownership: Send + Sync {
    /// Becomes a node, or another one: nothing is owned afterwards.
    ///
    /// # Errors
    /// The store cannot be reached or written.
    fn join(&self, joining: &Joining) -> Result<Lease, StoreError>;

    /// Asks for the lease anew.
    ///
    /// # Errors
    /// As [`Ownership::join`]; whether it was renewed is then not known.
    fn renew(&self) -> Result<Lease, StoreError>;

    /// Who has a board.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn whereabouts(&self, board: &BoardId) -> Result<Whereabouts, StoreError>;

    /// Takes a board that nobody has. `Nobody` is said of one that does not exist: who makes it has it.
    ///
    /// # Errors
    /// As [`Ownership::join`].
    fn claim(&self, board: &BoardId) -> Result<Whereabouts, StoreError>;

    /// Lets boards go that this node has; all changes of them must have settled.
    ///
    /// # Errors
    /// As [`Ownership::join`].
    fn release(&self, boards: &[BoardId]) -> Result<(), StoreError>;

    /// Lets all boards go, and ends the lease.
    ///
    /// # Errors
    /// As [`Ownership::join`].
    fn leave(&self) -> Result<(), StoreError>;

    /// All nodes whose lease holds or ended lately, by name.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn nodes(&self) -> Result<Vec<NodeSeen>, StoreError>;
}
