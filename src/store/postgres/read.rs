//! What is asked of a store: each question is one round trip, and its answer of one moment.
//!
//! Owns the queries. Must not change anything. Key invariant: a board that is not whole is refused, never
//! given shorter. Tests: `contract/`.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::{
    Became, Damage, Holder, Listed, StoreError, Stored, StoredBoard, StoredSecret, StoredWebhook, Summary,
    Trashed, Used,
};
use super::link::sql;
use super::links::Links;
use super::rows::{self, Board};
use crate::access::secret::SecretKind;
use crate::access::{Asked, BoardFacts, Facts, SecretFacts};
use crate::audit::{Entry, EntryKey};
use crate::ids::{BoardId, Level, Principal, SecretId};
use crate::time::UnixMillis;

type Row = tokio_postgres::Row;

fn unreadable(damage: Damage) -> StoreError {
    StoreError::Unreadable(damage)
}

/// The rows of one answer, each decoded.
fn decoded<T, C: FromIterator<T>>(
    rows: &[Row],
    decode: impl FnMut(&Row) -> Result<T, Damage>,
) -> Result<C, StoreError> {
    rows.iter()
        .map(decode)
        .collect::<Result<C, Damage>>()
        .map_err(unreadable)
}

/// Which boards are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that are there.
    Live,
    /// Those in the trash too.
    Kept,
}

fn found(rows: &[Row], which: Which) -> Result<Stored<Board>, StoreError> {
    let Some(row) = rows.first() else {
        return Ok(Stored::Absent);
    };
    let is_deleted = match which {
        Which::Live => rows::is_deleted(row),
        Which::Kept => rows::is_gone(row),
    };
    if is_deleted.map_err(unreadable)? {
        return Ok(Stored::Deleted);
    }
    rows::board(row).map(Stored::Present).map_err(unreadable)
}

const BOARD_BY_ID: &str = "SELECT id, owner, title, created_at, updated_at, deleted_at, trashed, last_sequence, covers, \
                           state_bytes, log_bytes, node FROM boards WHERE id = $1";

pub(super) fn load(links: &Links, board: &BoardId, which: Which) -> Result<Stored<StoredBoard>, StoreError> {
    let id = board.as_str();
    let answers = links.read(vec![
        sql(BOARD_BY_ID).text(id),
        sql("SELECT covers, state FROM states WHERE board = $1").text(id),
        sql("SELECT first, last, updates FROM updates WHERE board = $1 ORDER BY first").text(id),
    ])?;
    let [boards, states, updates] = answers.as_slice() else {
        return Err(unreadable(Damage::RecordMissing));
    };
    Ok(match found(boards, which)? {
        Stored::Absent => Stored::Absent,
        Stored::Deleted => Stored::Deleted,
        Stored::Present(board) => Stored::Present(whole(board, states, updates).map_err(unreadable)?),
    })
}

/// A board from its rows, of which none may be missing.
fn whole(board: Board, states: &[Row], updates: &[Row]) -> Result<StoredBoard, Damage> {
    let snapshot = match (states.first(), board.covers) {
        (None, None) => None,
        (Some(row), Some(covers)) if rows::unsigned(row, "covers")? == covers => {
            let state: &[u8] = rows::column(row, "state")?;
            if rows::length(state) != board.state_bytes {
                return Err(Damage::SnapshotIncomplete);
            }
            Some((covers, Bytes::copy_from_slice(state)))
        }
        _ => return Err(Damage::SnapshotIncomplete),
    };
    let mut next = board.covers.unwrap_or(0) + 1;
    let mut later = Vec::new();
    for row in updates {
        for (sequence, update) in rows::updates(row)? {
            // A row may begin with what the state covers.
            if sequence < next && later.is_empty() {
                continue;
            }
            if sequence != next {
                return Err(Damage::UpdateMissing(next));
            }
            later.push((sequence, update));
            next += 1;
        }
    }
    if next != board.last_sequence + 1 {
        return Err(Damage::UpdateMissing(next));
    }
    Ok(StoredBoard {
        record: board.record,
        snapshot,
        updates: later,
    })
}

fn told(board: Board) -> Summary {
    Summary {
        size_bytes: board.size_bytes(),
        sequence: board.last_sequence,
        record: board.record,
    }
}

pub(super) fn summary(links: &Links, board: &BoardId) -> Result<Stored<Summary>, StoreError> {
    let answers = links.read(vec![sql(BOARD_BY_ID).text(board.as_str())])?;
    Ok(
        match found(answers.first().map_or(&[], Vec::as_slice), Which::Live)? {
            Stored::Absent => Stored::Absent,
            Stored::Deleted => Stored::Deleted,
            Stored::Present(board) => Stored::Present(told(board)),
        },
    )
}

/// See `Registry::trashed`.
pub(super) fn trashed(links: &Links, board: &BoardId) -> Result<Option<Trashed>, StoreError> {
    let answers = links.read(vec![sql(BOARD_BY_ID).text(board.as_str())])?;
    Ok(
        match found(answers.first().map_or(&[], Vec::as_slice), Which::Kept)? {
            Stored::Present(found) => in_trash(board.clone(), found),
            Stored::Absent | Stored::Deleted => None,
        },
    )
}

fn in_trash(id: BoardId, board: Board) -> Option<Trashed> {
    Some(Trashed {
        board: id,
        at: board.trashed_at?,
        summary: told(board),
    })
}

const TRASH: &str = "
    SELECT id, owner, title, created_at, updated_at, deleted_at, trashed, last_sequence, covers, state_bytes,
        log_bytes, node
    FROM boards WHERE trashed AND (owner = ANY($1) OR $2 = 1) AND id > $3 ORDER BY id LIMIT $4";

/// See `Registry::trash`.
pub(super) fn trash(
    links: &Links,
    holder: &Holder,
    after: Option<&BoardId>,
    limit: usize,
) -> Result<Vec<Trashed>, StoreError> {
    let asked = sql(TRASH)
        .texts(holder.owners.iter().map(|owner| owner.as_str()).collect())
        .number(i64::from(holder.everything))
        .text(after.map_or("", BoardId::as_str))
        .number(at_most(limit));
    let answers = links.read(vec![asked])?;
    let found = answers.iter().flatten().filter_map(|row| {
        // What cannot be read is left out.
        in_trash(rows::board_id(row, "id").ok()?, rows::board(row).ok()?)
    });
    Ok(found.collect())
}

const SECRETS_BY_ID: &str =
    "SELECT id, board, kind, hash, level, expires_at, paused FROM secrets WHERE id = ANY($1)";

fn ids_of(secrets: &[SecretId]) -> Vec<&str> {
    secrets.iter().map(SecretId::as_str).collect()
}

pub(super) fn access(links: &Links, board: &BoardId, asked: &Asked) -> Result<Facts, StoreError> {
    let id = board.as_str();
    let principals: Vec<String> = asked.principals.iter().map(ToString::to_string).collect();
    let mut statements = vec![
        sql(BOARD_BY_ID).text(id),
        sql("SELECT principal, level FROM grants WHERE board = $1 AND principal = ANY($2)")
            .text(id)
            .texts(principals.iter().map(String::as_str).collect()),
    ];
    if !asked.secrets.is_empty() {
        statements.push(sql(SECRETS_BY_ID).texts(ids_of(&asked.secrets)));
    }
    let answers = links.read(statements)?;
    let rows = |at: usize| answers.get(at).map_or(&[][..], Vec::as_slice);
    let facts = match found(rows(0), Which::Live)? {
        Stored::Absent => BoardFacts::Absent,
        Stored::Deleted => BoardFacts::Deleted,
        Stored::Present(board) => BoardFacts::Present {
            owner: board.record.owner,
        },
    };
    let grants = match &facts {
        BoardFacts::Present { .. } => decoded(rows(1), rows::grant)?,
        // In the trash they are kept, and give nothing.
        BoardFacts::Absent | BoardFacts::Deleted => BTreeMap::new(),
    };
    Ok(Facts {
        board: facts,
        grants,
        secrets: decoded(rows(2), rows::secret_facts)?,
    })
}

pub(super) fn find_secrets(
    links: &Links,
    ids: &[SecretId],
) -> Result<BTreeMap<SecretId, SecretFacts>, StoreError> {
    let answers = links.read(vec![sql(SECRETS_BY_ID).texts(ids_of(ids))])?;
    decoded(answers.first().map_or(&[], Vec::as_slice), rows::secret_facts)
}

/// As many as there may be; the greatest number means all.
fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Each of three indexes gives its first so many, and of those the first so many are the answer.
const LIST: &str = "
    SELECT id, owner, title, created_at, updated_at, deleted_at, trashed, last_sequence, covers, state_bytes, log_bytes, node
    FROM boards WHERE id = ANY(ARRAY(
        SELECT id FROM (
            (SELECT id FROM boards WHERE owner = ANY($1) AND deleted_at IS NULL AND id > $4 ORDER BY id LIMIT $5)
            UNION
            (SELECT DISTINCT board FROM grants WHERE principal = ANY($2) AND board > $4 ORDER BY board LIMIT $5)
            UNION
            (SELECT id FROM boards WHERE id = ANY($3) AND deleted_at IS NULL AND id > $4 ORDER BY id LIMIT $5)
        ) AS held ORDER BY id LIMIT $5))
    ORDER BY id";

const LIST_EVERYTHING: &str = "
    SELECT id, owner, title, created_at, updated_at, deleted_at, trashed, last_sequence, covers, state_bytes, log_bytes, node
    FROM boards WHERE deleted_at IS NULL AND id > $1 ORDER BY id LIMIT $2";

pub(super) fn list(
    links: &Links,
    holder: &Holder,
    after: Option<&BoardId>,
    limit: usize,
) -> Result<Vec<Listed>, StoreError> {
    let principals = holder.principals.iter().filter(|one| **one != Principal::Public);
    let principals: Vec<String> = principals.map(ToString::to_string).collect();
    let principals = || principals.iter().map(String::as_str);
    // Before every id.
    let after = after.map_or("", BoardId::as_str);
    let asked = if holder.everything {
        sql(LIST_EVERYTHING).text(after)
    } else {
        sql(LIST)
            .texts(holder.owners.iter().map(|owner| owner.as_str()).collect())
            .texts(principals().collect())
            .texts(holder.claimed.iter().map(BoardId::as_str).collect())
            .text(after)
    };
    let answers = links.read(vec![asked.number(at_most(limit))])?;
    let boards = answers.first().map_or(&[][..], Vec::as_slice);
    let ids: Vec<BoardId> = decoded(boards, |row| rows::board_id(row, "id"))?;
    let shown = principals().chain(["public"]).collect();
    let asked =
        sql("SELECT board, principal, level FROM grants WHERE board = ANY($1) AND principal = ANY($2)");
    let asked = asked
        .texts(ids.iter().map(BoardId::as_str).collect())
        .texts(shown);
    let answers = links.read(vec![asked])?;
    let mut grants: BTreeMap<BoardId, BTreeMap<Principal, Level>> = BTreeMap::new();
    for row in answers.iter().flatten() {
        let board = rows::board_id(row, "board").map_err(unreadable)?;
        let (principal, level) = rows::grant(row).map_err(unreadable)?;
        grants.entry(board).or_default().insert(principal, level);
    }
    let listed = ids.into_iter().zip(boards).map(|(board, row)| Listed {
        summary: rows::board(row).map(told),
        grants: grants.remove(&board).unwrap_or_default(),
        board,
    });
    Ok(listed.collect())
}

/// A board has so few that all are read, and put in our order here.
pub(super) fn grants(
    links: &Links,
    board: &BoardId,
    after: Option<&Principal>,
    limit: usize,
) -> Result<Vec<(Principal, Level)>, StoreError> {
    let asked = sql("SELECT principal, level FROM grants WHERE board = $1").text(board.as_str());
    let answers = links.read(vec![asked])?;
    let rows = answers.first().map_or(&[][..], Vec::as_slice);
    let all: BTreeMap<Principal, Level> = decoded(rows, rows::grant)?;
    let later = all
        .into_iter()
        .filter(|(principal, _)| after.is_none_or(|after| after < principal));
    Ok(later.take(limit).collect())
}

pub(super) fn secrets(
    links: &Links,
    (board, kind): (&BoardId, SecretKind),
    after: Option<&SecretId>,
    limit: usize,
) -> Result<Vec<(SecretId, StoredSecret)>, StoreError> {
    let asked = sql(
        "SELECT id, board, kind, hash, level, expires_at, paused, name, created_by, created_at \
                     FROM secrets WHERE board = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4",
    )
    .text(board.as_str())
    .text(rows::kind_word(kind))
    .text(after.map_or("", SecretId::as_str))
    .number(at_most(limit));
    let answers = links.read(vec![asked])?;
    decoded(answers.first().map_or(&[], Vec::as_slice), rows::secret)
}

pub(super) fn webhooks(links: &Links, board: &BoardId) -> Result<Vec<StoredWebhook>, StoreError> {
    let asked = sql(
        "SELECT id, url, types, kinds, secret, created_by, created_at FROM webhooks \
                     WHERE board = $1 ORDER BY id",
    );
    let answers = links.read(vec![asked.text(board.as_str())])?;
    decoded(answers.first().map_or(&[], Vec::as_slice), rows::webhook)
}

pub(super) fn audit(
    links: &Links,
    board: &BoardId,
    before: Option<EntryKey>,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let (at, n) = before.map_or((i64::MAX, i64::MAX), |key| {
        (rows::signed(key.at.0), i64::from(key.n))
    });
    let asked = sql(
        "SELECT at, n, subject, address, user_agent, action, level, detail::text AS detail \
                     FROM audit WHERE board = $1 AND (at, n) < ($2, $3) ORDER BY at DESC, n DESC LIMIT $4",
    )
    .text(board.as_str())
    .number(at)
    .number(n)
    .number(at_most(limit));
    let answers = links.read(vec![asked])?;
    decoded(answers.first().map_or(&[], Vec::as_slice), rows::entry)
}

const USED: &str = "SELECT id, owner, title, created_at, updated_at, deleted_at, trashed, last_sequence, covers, \
                    state_bytes, log_bytes, node FROM boards WHERE id >= $1 ORDER BY id LIMIT $2";

/// See `Registry::used`.
pub(super) fn used(links: &Links, from: Option<&BoardId>, limit: usize) -> Result<Vec<Used>, StoreError> {
    let from = from.map_or("", BoardId::as_str);
    let answers = links.read(vec![sql(USED).text(from).number(at_most(limit))])?;
    decoded(answers.first().map_or(&[], Vec::as_slice), |row| {
        let became = || match rows::is_gone(row)? {
            true => Ok(Became::Deleted(UnixMillis(rows::unsigned(row, "deleted_at")?))),
            false => {
                let board = rows::board(row)?;
                Ok(board.trashed_at.map_or(Became::Live, Became::Trashed))
            }
        };
        Ok(Used {
            board: rows::board_id(row, "id")?,
            became: became(),
        })
    })
}
