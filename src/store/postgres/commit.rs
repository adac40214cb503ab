//! One transaction for all changes of a commit, in two round trips.
//!
//! Owns the statements. Must not decide; `batch` does. The first round trip locks the boards, in the order of
//! their ids, and reads what decides; the second writes all, and commits. Key invariants: all that is decided
//! from is locked until the end, or cannot change to our harm; a commit counts only when every statement of
//! it has succeeded, since the COMMIT of a transaction that has failed is answered like one.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Act, Change, Damage, SessionChange, StoreError, Trouble, WebhookId};
use super::access::{Access, Known};
use super::assets::{self, Assets};
use super::batch::{Batch, Found, Logged, Nodes, Pending};
use super::link::{Link, Statement, sql};
use super::owners::{Counted, Owners};
use super::rows;
use super::sessions::{self, Sessions};
use super::versions::{self, Versions};
use super::webhooks::Webhooks;
use crate::ids::{BoardId, Principal, SecretId, UserId};
use crate::limits;
use crate::time::UnixMillis;

type Row = tokio_postgres::Row;

/// The lock that each commit of this handle holds, and that opening it anew waits for.
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock($1)";

/// Owners are counted by one commit at a time, in their order.
const LOCK_OWNERS: &str = "
    SELECT pg_advisory_xact_lock(hashtextextended(owner, 8)) FROM (
        SELECT owner FROM unnest($1) AS owner ORDER BY owner COLLATE \"C\") AS sorted";

const LOCK_BOARDS: &str = "
    SELECT id, owner, title, created_at, updated_at, deleted_at, trashed, last_sequence, covers, state_bytes, log_bytes, node
    FROM boards WHERE id = ANY($1) ORDER BY id FOR UPDATE";

/// One whose lease has ended cannot get it back while an act counts on that: it may be about to.
const LOCK_ENDED: &str = "
    SELECT node FROM nodes WHERE lease_end <= clock_timestamp()
        AND node IN (SELECT node FROM boards WHERE id = ANY($1))
    ORDER BY node FOR SHARE";

const LIVE_NODES: &str = "SELECT node FROM nodes WHERE lease_end > clock_timestamp()";

const LOGGED: &str = "
    SELECT board, last, octet_length(updates)::bigint AS bytes FROM updates WHERE board = ANY($1)";

const GRANTED: &str = "SELECT board, principal FROM grants WHERE board = ANY($1)";

const SECRETS: &str = "
    SELECT id, board, kind, expires_at FROM secrets WHERE board = ANY($1)
    UNION SELECT id, board, kind, expires_at FROM secrets WHERE id = ANY($2)";

const WEBHOOKS: &str = "SELECT board, id FROM webhooks WHERE board = ANY($1)";

/// What owners have.
pub(super) const COUNT: &str = "
    SELECT owner, count(*) AS boards, sum(state_bytes + log_bytes)::bigint AS bytes
    FROM boards WHERE owner = ANY($1) AND (deleted_at IS NULL OR trashed) GROUP BY owner";

/// What has to be read for some changes.
#[derive(Default)]
struct Needs<'a> {
    boards: BTreeSet<&'a str>,
    acted_on: BTreeSet<&'a str>,
    replaced: BTreeSet<&'a str>,
    granted: BTreeSet<&'a str>,
    secrets: BTreeSet<&'a str>,
    webhooks: BTreeSet<&'a str>,
    versions: BTreeSet<&'a str>,
    ids: Vec<SecretId>,
    sessions: Vec<SecretId>,
    invites: Vec<&'a [u8]>,
    owners: BTreeSet<UserId>,
}

impl<'a> Needs<'a> {
    fn of(changes: &'a [Change]) -> Self {
        let mut needs = Self::default();
        for change in changes {
            let board = match (change, change.board()) {
                (Change::Session(change), _) => {
                    needs.of_session(change);
                    continue;
                }
                (_, Some(board)) => board.as_str(),
                // Of uploads, what is needed is in a list of its own.
                (_, None) => continue,
            };
            needs.boards.insert(board);
            match change {
                Change::Session(_) | Change::Append { .. } => {}
                Change::Snapshot { .. } => {
                    needs.replaced.insert(board);
                }
                Change::Version { .. } => {
                    needs.acted_on.insert(board);
                    needs.versions.insert(board);
                }
                Change::Audit { .. } | Change::Purge { .. } | Change::Asset(_) => {
                    needs.acted_on.insert(board);
                }
                Change::Import(whole) => {
                    if let Some(living) = whole.life.living() {
                        needs.owners.extend(living.document.record.owner.clone());
                        needs.secrets.insert(board);
                        let secrets = living.secrets.iter();
                        needs.ids.extend(secrets.map(|secret| secret.facts.hash.id()));
                    }
                }
                Change::Act { act, .. } => {
                    needs.acted_on.insert(board);
                    needs.of_act(board, act);
                }
            }
        }
        needs
    }

    fn of_session(&mut self, change: &'a SessionChange) {
        match change {
            SessionChange::Open(begun) => {
                self.sessions.push(begun.id());
                self.invites.push(&begun.invite);
            }
            SessionChange::Renew { id, .. } | SessionChange::Revoke { id, .. } => {
                self.sessions.push(id.clone());
            }
        }
    }

    fn of_act(&mut self, board: &'a str, act: &Act) {
        match act {
            Act::Create { owner, .. } | Act::Update { owner, .. } => self.owners.extend(owner.clone()),
            Act::Delete | Act::Trash | Act::Restore => {}
            Act::Grant { .. } | Act::Ungrant { .. } => {
                self.granted.insert(board);
            }
            Act::AddSecret(secret) => {
                self.secrets.insert(board);
                self.ids.push(secret.facts.hash.id());
            }
            Act::Revoke { .. } | Act::Pause { .. } => {
                self.secrets.insert(board);
            }
            Act::RemoveVersion(_) => {
                self.versions.insert(board);
            }
            Act::AddWebhook(_) | Act::RemoveWebhook(_) => {
                self.webhooks.insert(board);
            }
        }
    }
}

/// Statements of one round trip, and where the answer of each will be.
#[derive(Default)]
struct Script<'a>(Vec<Statement<'a>>);

impl<'a> Script<'a> {
    fn say(&mut self, statement: Statement<'a>) -> usize {
        self.0.push(statement);
        self.0.len() - 1
    }

    fn ask(&mut self, is_needed: bool, statement: impl FnOnce() -> Statement<'a>) -> Option<usize> {
        is_needed.then(|| self.say(statement()))
    }
}

fn list<'a>(names: &BTreeSet<&'a str>) -> Vec<&'a str> {
    names.iter().copied().collect()
}

/// Begins the transaction, locks, and reads what decides about the changes.
pub(super) fn begin(
    link: &mut Link,
    (key, me): (i64, Option<i64>),
    owners: &Owners,
    changes: &[Change],
) -> Result<Batch, StoreError> {
    let needs = Needs::of(changes);
    let of_assets = assets::Needs::of(changes);
    let (gaining, stale): (Vec<UserId>, Vec<UserId>) =
        (needs.owners.iter().cloned().collect(), owners.stale());
    let counting: Vec<UserId> = gaining.iter().chain(&stale).cloned().collect();
    let boards = || list(&needs.boards);
    let mut script = Script::default();
    script.say(sql("BEGIN"));
    script.say(sql(LOCK).number(key));
    script.ask(!gaining.is_empty(), || sql(LOCK_OWNERS).texts(texts(&gaining)));
    let found = script.say(sql(LOCK_BOARDS).texts(boards()));
    script.ask(!needs.acted_on.is_empty(), || {
        sql(LOCK_ENDED).texts(list(&needs.acted_on))
    });
    let live = script.say(sql(LIVE_NODES));
    let logged = script.ask(!needs.replaced.is_empty(), || {
        sql(LOGGED).texts(list(&needs.replaced))
    });
    let granted = script.ask(!needs.granted.is_empty(), || {
        sql(GRANTED).texts(list(&needs.granted))
    });
    let secrets = script.ask(!needs.secrets.is_empty(), || {
        let ids = needs.ids.iter().map(SecretId::as_str).collect();
        sql(SECRETS).texts(list(&needs.secrets)).texts(ids)
    });
    let hooked = script.ask(!needs.webhooks.is_empty(), || {
        sql(WEBHOOKS).texts(list(&needs.webhooks))
    });
    let kept = script.ask(!needs.versions.is_empty(), || {
        sql(versions::OF_BOARDS).texts(list(&needs.versions))
    });
    let signed_in = script.ask(!needs.sessions.is_empty(), || {
        let ids = needs.sessions.iter().map(SecretId::as_str).collect();
        sql(sessions::LOCK).texts(ids).blobs(needs.invites.clone())
    });
    let [uploads, begun, assets, summed] = ask_about_assets(&mut script, &of_assets);
    let sessions = script.ask(!needs.invites.is_empty(), || sql(sessions::COUNT));
    let counted = script.ask(!counting.is_empty(), || sql(COUNT).texts(texts(&counting)));
    let answers = link.run(&script.0, limits::DATABASE_ANSWER_TIME_MAX)?;
    let rows = |at: Option<usize>| at.and_then(|at| answers.get(at)).map_or(&[][..], Vec::as_slice);

    let live = rows(Some(live)).iter().map(|row| rows::column(row, "node"));
    let nodes = Nodes {
        me,
        live: live
            .collect::<Result<_, Damage>>()
            .map_err(StoreError::Unreadable)?,
    };
    let counted = decode_counted(rows(counted))?;
    owners.set(&counting, &counted);
    let access = Access {
        granted: rows(granted)
            .iter()
            .filter_map(|row| granted_of(row).ok())
            .collect(),
        secrets: rows(secrets)
            .iter()
            .filter_map(|row| known_of(row).ok())
            .collect(),
        webhooks: Webhooks {
            known: (rows(hooked).iter())
                .filter_map(|row| webhook_of(row).ok())
                .collect(),
            ..Webhooks::default()
        },
        assets: Assets::read((rows(uploads), rows(begun)), (rows(assets), rows(summed)))?,
        versions: Versions::read(rows(kept)),
        ..Access::default()
    };
    let boards = pending(rows(Some(found)), rows(logged))?;
    Ok(Batch::new(
        nodes,
        boards,
        (access, Sessions::read(rows(signed_in), rows(sessions))?),
        owners.gains(&gaining, &counted),
    ))
}

/// Asks about uploads, which of them have begun, assets and the sums of them.
fn ask_about_assets<'a>(script: &mut Script<'a>, needs: &assets::Needs<'a>) -> [Option<usize>; 4] {
    let (uploads, boards) = (|| needs.uploads.clone(), || needs.boards.clone());
    [
        script.ask(!needs.uploads.is_empty(), || sql(assets::LOCK).blobs(uploads())),
        script.ask(!needs.uploads.is_empty(), || sql(assets::BEGUN).blobs(uploads())),
        script.ask(!needs.hashes.is_empty(), || {
            sql(assets::FOUND).texts(boards()).blobs(needs.hashes.clone())
        }),
        script.ask(!needs.boards.is_empty(), || sql(assets::SUMS).texts(boards())),
    ]
}

fn texts(owners: &[UserId]) -> Vec<&str> {
    owners.iter().map(UserId::as_str).collect()
}

/// What was counted of owners.
pub(super) fn decode_counted(rows: &[Row]) -> Result<BTreeMap<UserId, Counted>, StoreError> {
    let decode = |row: &Row| {
        let owner = rows::parsed(row, "owner", UserId::parse)?;
        Ok((
            owner,
            (rows::unsigned(row, "boards")?, rows::unsigned(row, "bytes")?),
        ))
    };
    let counted = rows.iter().map(decode).collect::<Result<_, Damage>>();
    counted.map_err(StoreError::Unreadable)
}

fn granted_of(row: &Row) -> Result<(BoardId, Principal), Damage> {
    let board = rows::board_id(row, "board")?;
    Ok((board, rows::parsed(row, "principal", Principal::parse)?))
}

fn webhook_of(row: &Row) -> Result<(BoardId, WebhookId), Damage> {
    let board = rows::board_id(row, "board")?;
    Ok((board, rows::parsed(row, "id", WebhookId::parse)?))
}

fn known_of(row: &Row) -> Result<(SecretId, Known), Damage> {
    let expires_at: Option<i64> = rows::column(row, "expires_at")?;
    let known = Known {
        board: rows::board_id(row, "board")?,
        kind: rows::kind(row)?,
        expires_at: expires_at.and_then(|at| u64::try_from(at).ok()).map(UnixMillis),
    };
    Ok((rows::secret_id(row)?, known))
}

fn pending(found: &[Row], logged: &[Row]) -> Result<BTreeMap<BoardId, Pending>, StoreError> {
    let mut logs: BTreeMap<BoardId, Vec<Logged>> = BTreeMap::new();
    for row in logged {
        let decode = || {
            let logged = Logged {
                last: rows::unsigned(row, "last")?,
                bytes: rows::unsigned(row, "bytes")?,
            };
            Ok((rows::board_id(row, "board")?, logged))
        };
        let (board, logged) = decode().map_err(StoreError::Unreadable)?;
        logs.entry(board).or_default().push(logged);
    }
    let mut boards = BTreeMap::new();
    for row in found {
        let id = rows::board_id(row, "id").map_err(StoreError::Unreadable)?;
        let now = match (rows::is_gone(row), rows::board(row)) {
            (Ok(true), _) => Found::Deleted,
            (Ok(false), Ok(board)) => Found::Live(board),
            _ => Found::Unreadable,
        };
        let log = logs.remove(&id).unwrap_or_default();
        boards.insert(id, Pending::new(now, log));
    }
    Ok(boards)
}

/// Undoes a transaction in which there is nothing to do.
pub(super) fn give_up(link: &mut Link) -> Result<(), Trouble> {
    link.run(&[sql("ROLLBACK")], limits::DATABASE_ANSWER_TIME_MAX)?;
    Ok(())
}

/// Writes what was decided, and commits it.
pub(super) fn finish(link: &mut Link, batch: &Batch) -> Result<(), Trouble> {
    let written = super::write::Written::of(batch);
    let mut statements = written.statements();
    statements.push(sql("COMMIT"));
    link.run(&statements, limits::DATABASE_ANSWER_TIME_MAX)?;
    Ok(())
}
