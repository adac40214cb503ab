//! Which node has which board, in the database.
//!
//! Owns the statements about nodes. Must not know what a node does with a board. Key invariants: time is the
//! database's own; a lease that is seen to have ended stays ended, since whoever takes a board from a node
//! locks that node's row first; nothing here touches a row that a commit of this node has locked, but for
//! boards that it does not have.

use std::time::Duration;

use super::super::ownership::{Joining, Lease, Neighbour, NodeId, NodeSeen, Whereabouts};
use super::super::{Damage, StoreError};
use super::link::{Link, Statement, sql};
use super::rows::{column, signed, unsigned};
use crate::ids::BoardId;
use crate::limits;

type Row = tokio_postgres::Row;

/// One that comes back under its name need not wait for the end of its own lease.
const REPLACE: &str = "
    DELETE FROM nodes WHERE name = $1 AND ($2 = 1 OR lease_end <= clock_timestamp() OR node = $3)";

const JOIN: &str = "
    INSERT INTO nodes (name, address, lease_ms, lease_end)
    SELECT $1, $2, $3, clock_timestamp() + $3 * interval '1 millisecond'
    ON CONFLICT (name) DO NOTHING RETURNING node";

/// Rows of nodes that are long gone are of no use to anybody.
const FORGET: &str = "DELETE FROM nodes WHERE lease_end < clock_timestamp() - interval '1 hour'";

const RENEW: &str = "
    UPDATE nodes SET lease_end = clock_timestamp() + lease_ms * interval '1 millisecond'
    WHERE node = $1 AND lease_end > clock_timestamp() RETURNING node";

const WHEREABOUTS: &str = "
    SELECT nodes.node, nodes.address FROM boards JOIN nodes ON nodes.node = boards.node
    WHERE boards.id = $1 AND boards.deleted_at IS NULL AND lease_end > clock_timestamp()";

const LOCK_BOARD: &str = "SELECT id FROM boards WHERE id = $1 FOR UPDATE";

/// Waits for a renewal that is under way, and lets none begin until the board is taken. It must not be of a
/// lease that holds: nobody waits for that.
const LOCK_HOLDER: &str = "
    SELECT nodes.node FROM nodes WHERE lease_end <= clock_timestamp()
        AND node = (SELECT node FROM boards WHERE id = $1) FOR SHARE";

const CLAIM: &str = "
    UPDATE boards SET node = $2, fence = fence + 1
    WHERE id = $1 AND deleted_at IS NULL
        AND NOT EXISTS (SELECT FROM nodes WHERE nodes.node = boards.node AND lease_end > clock_timestamp())
        AND EXISTS (SELECT FROM nodes WHERE nodes.node = $2 AND lease_end > clock_timestamp())";

const RELEASE: &str = "
    UPDATE boards SET node = NULL WHERE node = $1 AND id IN (
        SELECT id FROM boards WHERE id = ANY($2) AND node = $1 ORDER BY id FOR UPDATE)";

const RELEASE_ALL: &str = "
    UPDATE boards SET node = NULL WHERE node = $1 AND id IN (
        SELECT id FROM boards WHERE node = $1 ORDER BY id FOR UPDATE)";

const LEAVE: &str = "DELETE FROM nodes WHERE node = $1";

const NODES: &str = "
    SELECT node, name, address,
        greatest(0, extract(epoch FROM lease_end - clock_timestamp()) * 1000)::bigint AS left_ms,
        (SELECT count(*) FROM boards WHERE boards.node = nodes.node) AS boards
    FROM nodes WHERE lease_end > clock_timestamp() - interval '1 hour' ORDER BY name";

fn run(link: &mut Link, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>, StoreError> {
    Ok(link.run(statements, limits::DATABASE_OWNERSHIP_TIME_MAX)?)
}

fn unreadable(damage: Damage) -> StoreError {
    StoreError::Unreadable(damage)
}

fn node_of(rows: Option<&Vec<Row>>) -> Result<Option<i64>, StoreError> {
    let row = rows.and_then(|rows| rows.first());
    row.map(|row| column(row, "node")).transpose().map_err(unreadable)
}

/// The id as others see it.
fn id_of(node: i64) -> NodeId {
    NodeId(node.unsigned_abs())
}

/// What this handle is afterwards, and what is said of it.
pub(super) type Joined = (Option<i64>, Lease);

pub(super) fn join(link: &mut Link, joining: &Joining, before: Option<i64>) -> Result<Joined, StoreError> {
    let lease = signed(u64::try_from(joining.lease.as_millis()).unwrap_or(u64::MAX));
    let insert = sql(JOIN)
        .text(&joining.name)
        .maybe_text(joining.address.as_deref())
        .number(lease);
    let statements = [
        sql("BEGIN"),
        sql(REPLACE)
            .text(&joining.name)
            .number(i64::from(joining.replaces))
            .number(before),
        sql(FORGET),
        insert,
        sql("COMMIT"),
    ];
    let answers = run(link, &statements)?;
    let node = node_of(answers.get(3))?;
    Ok((node, node.map_or(Lease::Lost, |node| Lease::Held(id_of(node)))))
}

pub(super) fn renew(link: &mut Link, me: i64) -> Result<Lease, StoreError> {
    let answers = run(link, &[sql(RENEW).number(me)])?;
    let node = node_of(answers.first())?;
    Ok(node.map_or(Lease::Lost, |node| Lease::Held(id_of(node))))
}

fn told(rows: Option<&Vec<Row>>, me: Option<i64>) -> Result<Whereabouts, StoreError> {
    let Some(row) = rows.and_then(|rows| rows.first()) else {
        return Ok(Whereabouts::Nobody);
    };
    let node: i64 = column(row, "node").map_err(unreadable)?;
    if me == Some(node) {
        return Ok(Whereabouts::Here);
    }
    Ok(Whereabouts::Elsewhere(Neighbour {
        node: id_of(node),
        address: column(row, "address").map_err(unreadable)?,
    }))
}

pub(super) fn whereabouts(
    link: &mut Link,
    board: &BoardId,
    me: Option<i64>,
) -> Result<Whereabouts, StoreError> {
    let answers = run(link, &[sql(WHEREABOUTS).text(board.as_str())])?;
    told(answers.first(), me)
}

/// Takes the board where it can be had; each statement sees what those before it waited for.
pub(super) fn claim(link: &mut Link, board: &BoardId, me: i64) -> Result<Whereabouts, StoreError> {
    let id = board.as_str();
    let statements = [
        sql("BEGIN"),
        sql(LOCK_BOARD).text(id),
        sql(LOCK_HOLDER).text(id),
        sql(CLAIM).text(id).number(me),
        sql(WHEREABOUTS).text(id),
        sql("COMMIT"),
    ];
    let answers = run(link, &statements)?;
    told(answers.get(4), Some(me))
}

pub(super) fn release(link: &mut Link, boards: &[BoardId], me: i64) -> Result<(), StoreError> {
    let ids = boards.iter().map(BoardId::as_str).collect();
    run(link, &[sql(RELEASE).number(me).texts(ids)]).map(drop)
}

pub(super) fn leave(link: &mut Link, me: i64) -> Result<(), StoreError> {
    let statements = [
        sql("BEGIN"),
        sql(RELEASE_ALL).number(me),
        sql(LEAVE).number(me),
        sql("COMMIT"),
    ];
    run(link, &statements).map(drop)
}

pub(super) fn nodes(link: &mut Link) -> Result<Vec<NodeSeen>, StoreError> {
    let answers = run(link, &[sql(NODES)])?;
    let seen = |row: &Row| {
        Ok(NodeSeen {
            node: id_of(column(row, "node")?),
            name: column(row, "name")?,
            address: column(row, "address")?,
            lease_left: Duration::from_millis(unsigned(row, "left_ms")?),
            boards: unsigned(row, "boards")?,
        })
    };
    let rows = answers.first().map_or(&[][..], Vec::as_slice);
    rows.iter()
        .map(seen)
        .collect::<Result<_, Damage>>()
        .map_err(unreadable)
}
