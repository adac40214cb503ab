//! What was decided, as rows: each table is written by one statement, however many boards there are.
//!
//! Owns the statements that write boards and all that belongs to them. Must not decide anything. Key
//! invariant: what a board loses goes before what it gets is written.

use super::super::StoredSession;
use super::super::rows::push_update;
use super::super::rows::sessions::encode_boards;
use super::super::rows::webhooks::join_words;
use super::batch::{Batch, Found, Pending};
use super::link::{Statement, sql};
use super::rows::{self, signed};
use super::versions;
use crate::audit::Entry;
use crate::ids::{BoardId, SecretId};

const CLEAR: [&str; 9] = [
    "DELETE FROM states WHERE board = ANY($1)",
    "DELETE FROM updates WHERE board = ANY($1)",
    "DELETE FROM grants WHERE board = ANY($1)",
    "DELETE FROM secrets WHERE board = ANY($1)",
    "DELETE FROM webhooks WHERE board = ANY($1)",
    // Parts go a few at a time.
    "INSERT INTO uploads (id, begun_at, parts, bytes) SELECT upload, 0, 0, bytes FROM assets WHERE board = ANY($1)",
    "DELETE FROM assets WHERE board = ANY($1)",
    "DELETE FROM versions WHERE board = ANY($1)",
    "DELETE FROM version_chunks WHERE board = ANY($1)",
];

const INSERT_BOARDS: &str = "
    INSERT INTO boards (id, owner, title, created_at, updated_at, last_sequence, covers, state_bytes, log_bytes,
        deleted_at, node, trashed)
    SELECT *, id = ANY($12) FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        AS new (id, owner, title, created_at, updated_at, last_sequence, covers, state_bytes, log_bytes, deleted_at,
            node)";

const UPDATE_BOARDS: &str = "
    UPDATE boards SET owner = new.owner, title = new.title, updated_at = new.updated_at,
        last_sequence = new.last_sequence, covers = new.covers, state_bytes = new.state_bytes,
        log_bytes = new.log_bytes, deleted_at = new.deleted_at, trashed = new.key = ANY($10),
        node = CASE WHEN new.deleted_at IS NULL THEN node END
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
        AS new (key, owner, title, updated_at, last_sequence, covers, state_bytes, log_bytes, deleted_at)
    WHERE id = new.key";

const WRITE_STATES: &str = "
    INSERT INTO states (board, covers, state) SELECT * FROM unnest($1, $2, $3)
    ON CONFLICT (board) DO UPDATE SET covers = excluded.covers, state = excluded.state";

const CUT_UPDATES: &str = "
    DELETE FROM updates USING unnest($1, $2) AS new (key, covers) WHERE board = new.key AND last <= new.covers";

const WRITE_UPDATES: &str =
    "INSERT INTO updates (board, first, last, updates) SELECT * FROM unnest($1, $2, $3, $4)";

const REMOVE_GRANTS: &str = "
    DELETE FROM grants USING unnest($1, $2) AS gone (key, whose) WHERE board = gone.key AND principal = gone.whose";

const WRITE_GRANTS: &str = "
    INSERT INTO grants (board, principal, level) SELECT * FROM unnest($1, $2, $3)
    ON CONFLICT (board, principal) DO UPDATE SET level = excluded.level";

const REMOVE_SECRETS: &str = "DELETE FROM secrets WHERE id = ANY($1)";

const WRITE_SECRETS: &str = "
    INSERT INTO secrets (id, board, kind, hash, level, expires_at, name, created_by, created_at, paused)
    SELECT *, id = ANY($10) FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
        AS new (id, board, kind, hash, level, expires_at, name, created_by, created_at)";

const PAUSE_SECRETS: &str = "
    UPDATE secrets SET paused = id = ANY($1) WHERE id = ANY($1) OR id = ANY($2)";

const REMOVE_WEBHOOKS: &str = "
    DELETE FROM webhooks USING unnest($1, $2) AS gone (key, whose) WHERE board = gone.key AND id = gone.whose";

const WRITE_WEBHOOKS: &str = "
    INSERT INTO webhooks (board, id, url, types, kinds, secret, created_by, created_at)
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)";

const WRITE_SESSIONS: &str = "
    INSERT INTO sessions (id, hash, invite, user_id, name, boards, created_at, used_at, expires_at, revoked_at,
        user_agent, admin)
    SELECT *, id = ANY($12) FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        AS new (id, hash, invite, user_id, name, boards, created_at, used_at, expires_at, revoked_at, user_agent)
    ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at, expires_at = excluded.expires_at,
        revoked_at = excluded.revoked_at";

const WRITE_ENTRIES: &str = "
    INSERT INTO audit (board, at, n, subject, address, user_agent, action, level, detail)
    SELECT board, at, n, subject, address, user_agent, action, level, detail::json
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
        AS new (board, at, n, subject, address, user_agent, action, level, detail)
    ON CONFLICT (board, at, n) DO UPDATE SET subject = excluded.subject, address = excluded.address,
        user_agent = excluded.user_agent, action = excluded.action, level = excluded.level, detail = excluded.detail";

/// A board's row, as it is written.
#[derive(Default)]
struct Row<'a> {
    id: &'a str,
    owner: Option<&'a str>,
    title: Option<String>,
    created_at: i64,
    updated_at: i64,
    last_sequence: i64,
    covers: Option<i64>,
    state_bytes: i64,
    log_bytes: i64,
    deleted_at: Option<i64>,
    is_trashed: bool,
    node: Option<i64>,
}

impl<'a> Row<'a> {
    fn of((id, pending): (&'a BoardId, &'a Pending)) -> Self {
        let deleted_at = pending.deleted_at.map(|at| signed(at.0));
        let Found::Live(board) = &pending.now else {
            return Self {
                id: id.as_str(),
                created_at: deleted_at.unwrap_or_default(),
                updated_at: deleted_at.unwrap_or_default(),
                deleted_at,
                ..Self::default()
            };
        };
        let trashed_at = board.trashed_at.map(|at| signed(at.0));
        Self {
            id: id.as_str(),
            owner: board.record.owner.as_ref().map(|owner| owner.as_str()),
            title: board.record.title.as_deref().map(rows::escaped),
            created_at: signed(board.record.created_at.0),
            updated_at: signed(board.record.updated_at.0),
            last_sequence: signed(board.last_sequence),
            covers: board.covers.map(signed),
            state_bytes: signed(board.state_bytes),
            log_bytes: signed(board.log_bytes),
            deleted_at: trashed_at,
            is_trashed: trashed_at.is_some(),
            node: board.node,
        }
    }
}

/// Updates of one board, in one blob.
struct Packed<'a> {
    board: &'a str,
    first: i64,
    last: i64,
    updates: Vec<u8>,
}

impl<'a> Packed<'a> {
    fn of((id, pending): (&'a BoardId, &Pending)) -> Option<Self> {
        let ((first, _), (last, _)) = (pending.updates.first()?, pending.updates.last()?);
        let mut updates = Vec::new();
        pending
            .updates
            .iter()
            .for_each(|(_, update)| push_update(&mut updates, update));
        Some(Self {
            board: id.as_str(),
            first: signed(*first),
            last: signed(*last),
            updates,
        })
    }
}

/// The ids of those that are in the trash.
fn trashed<'a>(rows: &[Row<'a>]) -> Vec<&'a str> {
    let trashed = rows.iter().filter(|row| row.is_trashed);
    trashed.map(|row| row.id).collect()
}

/// All rows of a commit.
pub(super) struct Written<'a> {
    batch: &'a Batch,
    new: Vec<Row<'a>>,
    changed: Vec<Row<'a>>,
    packed: Vec<Packed<'a>>,
    principals: Vec<String>,
    names: Vec<Option<String>>,
    /// Types and kinds of webhooks.
    words: Vec<(String, String)>,
    entries: Vec<EntryTexts>,
    sessions: Vec<Session<'a>>,
    versions: versions::Written<'a>,
}

/// A session, and what of it is written in other words.
struct Session<'a> {
    session: &'a StoredSession,
    id: SecretId,
    name: String,
    boards: Vec<u8>,
    user_agent: Option<String>,
}

impl<'a> Session<'a> {
    fn of(session: &'a StoredSession) -> Self {
        Self {
            session,
            id: session.id(),
            name: rows::escaped(&session.name),
            boards: encode_boards(session),
            user_agent: session.user_agent.as_deref().map(rows::escaped),
        }
    }
}

/// The texts of an entry that are made for it.
struct EntryTexts {
    address: Option<String>,
    user_agent: Option<String>,
    detail: Option<String>,
}

impl EntryTexts {
    fn of(entry: &Entry) -> Self {
        Self {
            address: entry.actor.address.map(|address| address.to_string()),
            user_agent: entry.actor.user_agent.as_deref().map(rows::escaped),
            detail: (!entry.detail.is_null()).then(|| entry.detail.to_string()),
        }
    }
}

/// A column of some rows.
fn each<'r, R, T>(rows: &'r [R], column: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}

impl<'a> Written<'a> {
    pub(super) fn of(batch: &'a Batch) -> Self {
        let written = batch.boards.iter().filter(|(_, pending)| pending.is_changed);
        let (new, changed): (Vec<_>, Vec<_>) = written.partition(|(_, pending)| pending.is_new);
        let access = &batch.access;
        Self {
            batch,
            new: new.into_iter().map(Row::of).collect(),
            changed: changed.into_iter().map(Row::of).collect(),
            packed: batch.boards.iter().filter_map(Packed::of).collect(),
            principals: access
                .grants
                .keys()
                .map(|(_, principal)| principal.to_string())
                .collect(),
            names: access
                .added
                .values()
                .map(|secret| secret.name.as_deref().map(rows::escaped))
                .collect(),
            words: (access.webhooks.added.values())
                .map(|webhook| (join_words(&webhook.types), join_words(&webhook.kinds)))
                .collect(),
            entries: batch.entries.values().map(EntryTexts::of).collect(),
            sessions: batch.sessions.changed().map(Session::of).collect(),
            versions: versions::Written::of(&access.versions),
        }
    }

    /// The statements that write them, without those that would write nothing.
    pub(super) fn statements(&self) -> Vec<Statement<'_>> {
        let mut out = Vec::new();
        let cleared: Vec<&str> = self.batch.access.cleared.iter().map(BoardId::as_str).collect();
        if !cleared.is_empty() {
            out.extend(CLEAR.map(|clear| sql(clear).texts(cleared.clone())));
        }
        self.boards(&mut out);
        self.documents(&mut out);
        self.grants(&mut out);
        self.secrets(&mut out);
        self.webhooks(&mut out);
        self.batch.access.assets.statements(&mut out);
        self.versions.statements(&mut out);
        self.sessions(&mut out);
        self.audit(&mut out);
        out
    }

    fn boards<'s>(&'s self, out: &mut Vec<Statement<'s>>) {
        let (new, changed) = (&self.new, &self.changed);
        if !new.is_empty() {
            out.push(
                sql(INSERT_BOARDS)
                    .texts(each(new, |row| row.id))
                    .some_texts(each(new, |row| row.owner))
                    .some_texts(each(new, |row| row.title.as_deref()))
                    .numbers(each(new, |row| row.created_at))
                    .numbers(each(new, |row| row.updated_at))
                    .numbers(each(new, |row| row.last_sequence))
                    .some_numbers(each(new, |row| row.covers))
                    .numbers(each(new, |row| row.state_bytes))
                    .numbers(each(new, |row| row.log_bytes))
                    .some_numbers(each(new, |row| row.deleted_at))
                    .some_numbers(each(new, |row| row.node))
                    .texts(trashed(new)),
            );
        }
        if !changed.is_empty() {
            out.push(
                sql(UPDATE_BOARDS)
                    .texts(each(changed, |row| row.id))
                    .some_texts(each(changed, |row| row.owner))
                    .some_texts(each(changed, |row| row.title.as_deref()))
                    .numbers(each(changed, |row| row.updated_at))
                    .numbers(each(changed, |row| row.last_sequence))
                    .some_numbers(each(changed, |row| row.covers))
                    .numbers(each(changed, |row| row.state_bytes))
                    .numbers(each(changed, |row| row.log_bytes))
                    .some_numbers(each(changed, |row| row.deleted_at))
                    .texts(trashed(changed)),
            );
        }
    }

    fn documents<'s>(&'s self, out: &mut Vec<Statement<'s>>) {
        let mut states: (Vec<&str>, Vec<i64>, Vec<&[u8]>) = Default::default();
        for (id, pending) in &self.batch.boards {
            if let (Found::Live(board), Some(state)) = (&pending.now, &pending.state) {
                states.0.push(id.as_str());
                states.1.push(signed(board.covers.unwrap_or_default()));
                states.2.push(state);
            }
        }
        if !states.0.is_empty() {
            out.push(sql(CUT_UPDATES).texts(states.0.clone()).numbers(states.1.clone()));
            out.push(
                sql(WRITE_STATES)
                    .texts(states.0)
                    .numbers(states.1)
                    .blobs(states.2),
            );
        }
        let packed = &self.packed;
        if !packed.is_empty() {
            out.push(
                sql(WRITE_UPDATES)
                    .texts(each(packed, |row| row.board))
                    .numbers(each(packed, |row| row.first))
                    .numbers(each(packed, |row| row.last))
                    .blobs(each(packed, |row| row.updates.as_slice())),
            );
        }
    }

    fn grants<'s>(&'s self, out: &mut Vec<Statement<'s>>) {
        let mut gone: (Vec<&str>, Vec<&str>) = Default::default();
        let mut given: (Vec<&str>, Vec<&str>, Vec<&str>) = Default::default();
        for (((board, _), level), principal) in self.batch.access.grants.iter().zip(&self.principals) {
            match level {
                None => {
                    gone.0.push(board.as_str());
                    gone.1.push(principal);
                }
                Some(level) => {
                    given.0.push(board.as_str());
                    given.1.push(principal);
                    given.2.push(level.as_str());
                }
            }
        }
        if !gone.0.is_empty() {
            out.push(sql(REMOVE_GRANTS).texts(gone.0).texts(gone.1));
        }
        if !given.0.is_empty() {
            out.push(sql(WRITE_GRANTS).texts(given.0).texts(given.1).texts(given.2));
        }
    }

    fn secrets<'s>(&'s self, out: &mut Vec<Statement<'s>>) {
        let access = &self.batch.access;
        if !access.removed.is_empty() {
            let ids = access.removed.iter().map(|id| id.as_str()).collect();
            out.push(sql(REMOVE_SECRETS).texts(ids));
        }
        if !access.paused.is_empty() {
            let (paused, resumed): (Vec<_>, Vec<_>) = access.paused.iter().partition(|(_, paused)| **paused);
            let [paused, resumed] = [paused, resumed].map(|keys| each(&keys, |(id, _)| id.as_str()));
            out.push(sql(PAUSE_SECRETS).texts(paused).texts(resumed));
        }
        if access.added.is_empty() {
            return;
        }
        let added: Vec<_> = access.added.iter().collect();
        let paused = added.iter().filter(|(_, secret)| secret.facts.paused);
        out.push(
            sql(WRITE_SECRETS)
                .texts(each(&added, |(id, _)| id.as_str()))
                .texts(each(&added, |(_, secret)| secret.facts.board.as_str()))
                .texts(each(&added, |(_, secret)| rows::kind_word(secret.facts.kind)))
                .blobs(each(&added, |(_, secret)| secret.facts.hash.0.as_slice()))
                .texts(each(&added, |(_, secret)| secret.facts.level.as_str()))
                .some_numbers(each(&added, |(_, secret)| {
                    secret.facts.expires_at.map(|at| signed(at.0))
                }))
                .some_texts(each(&self.names, |name| name.as_deref()))
                .texts(each(&added, |(_, secret)| secret.created_by.as_str()))
                .numbers(each(&added, |(_, secret)| signed(secret.created_at.0)))
                .texts(paused.map(|(id, _)| id.as_str()).collect()),
        );
    }

    fn webhooks<'s>(&'s self, out: &mut Vec<Statement<'s>>) {
        let webhooks = &self.batch.access.webhooks;
        if !webhooks.removed.is_empty() {
            let removed: Vec<_> = webhooks.removed.iter().collect();
            let statement = sql(REMOVE_WEBHOOKS).texts(each(&removed, |(board, _)| board.as_str()));
            out.push(statement.texts(each(&removed, |(_, id)| id.as_str())));
        }
        if webhooks.added.is_empty() {
            return;
        }
        let added: Vec<_> = webhooks.added.iter().collect();
        out.push(
            sql(WRITE_WEBHOOKS)
                .texts(each(&added, |((board, _), _)| board.as_str()))
                .texts(each(&added, |((_, id), _)| id.as_str()))
                .texts(each(&added, |(_, webhook)| webhook.url.as_str()))
                .texts(each(&self.words, |(types, _)| types.as_str()))
                .texts(each(&self.words, |(_, kinds)| kinds.as_str()))
                .blobs(each(&added, |(_, webhook)| webhook.secret.0.as_slice()))
                .texts(each(&added, |(_, webhook)| webhook.created_by.as_str()))
                .numbers(each(&added, |(_, webhook)| signed(webhook.created_at.0))),
        );
    }

    fn sessions<'s>(&'s self, out: &mut Vec<Statement<'s>>) {
        let changed = &self.sessions;
        if changed.is_empty() {
            return;
        }
        let admins = changed.iter().filter(|row| row.session.admin);
        out.push(
            sql(WRITE_SESSIONS)
                .texts(each(changed, |row| row.id.as_str()))
                .blobs(each(changed, |row| row.session.hash.0.as_slice()))
                .blobs(each(changed, |row| row.session.invite.as_slice()))
                .texts(each(changed, |row| row.session.user.as_str()))
                .texts(each(changed, |row| row.name.as_str()))
                .blobs(each(changed, |row| row.boards.as_slice()))
                .numbers(each(changed, |row| signed(row.session.created_at.0)))
                .numbers(each(changed, |row| signed(row.session.used_at.0)))
                .numbers(each(changed, |row| signed(row.session.expires_at.0)))
                .some_numbers(each(changed, |row| row.session.revoked_at.map(|at| signed(at.0))))
                .some_texts(each(changed, |row| row.user_agent.as_deref()))
                .texts(admins.map(|row| row.id.as_str()).collect()),
        );
    }

    fn audit<'s>(&'s self, out: &mut Vec<Statement<'s>>) {
        let entries: Vec<_> = self.batch.entries.iter().collect();
        let made = &self.entries;
        if entries.is_empty() {
            return;
        }
        out.push(
            sql(WRITE_ENTRIES)
                .texts(each(&entries, |((board, _), _)| board.as_str()))
                .numbers(each(&entries, |((_, key), _)| signed(key.at.0)))
                .numbers(each(&entries, |((_, key), _)| i64::from(key.n)))
                .texts(each(&entries, |(_, entry)| entry.actor.subject.as_str()))
                .some_texts(each(made, |texts| texts.address.as_deref()))
                .some_texts(each(made, |texts| texts.user_agent.as_deref()))
                .texts(each(&entries, |(_, entry)| entry.action.as_str()))
                .some_texts(each(&entries, |(_, entry)| {
                    entry.level.map(|level| level.as_str())
                }))
                .some_texts(each(made, |texts| texts.detail.as_deref())),
        );
    }
}
