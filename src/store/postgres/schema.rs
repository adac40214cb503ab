//! The tables, and how they come to be.
//!
//! Owns their definitions and their version. Must not read or write what is in them. Key invariants: one
//! program at a time makes or migrates them, in one transaction; a schema of a newer version is left alone;
//! where they are there no right to make anything is needed. docs/nodes.md, "The schema", describes them.

use super::super::{OpenError, Trouble};
use super::link::{Link, sql};
use crate::limits;

/// The version of the tables, in table `format`.
const VERSION: u32 = 4;

/// What makes the tables of version 1. Times are milliseconds since 1970; ids are compared by their bytes.
pub(super) const MAKE: &[&str] = &[
    "CREATE TABLE format (
        only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
        version integer NOT NULL,
        probed_at timestamptz)",
    "CREATE TABLE nodes (
        node bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL UNIQUE,
        address text,
        lease_ms bigint NOT NULL,
        lease_end timestamptz NOT NULL)",
    // What commits change is in no index, and a page has room for another version of a row.
    "CREATE TABLE boards (
        id text COLLATE \"C\" PRIMARY KEY,
        owner text COLLATE \"C\",
        title text,
        created_at bigint NOT NULL,
        updated_at bigint NOT NULL,
        deleted_at bigint,
        last_sequence bigint NOT NULL DEFAULT 0,
        covers bigint,
        state_bytes bigint NOT NULL DEFAULT 0,
        log_bytes bigint NOT NULL DEFAULT 0,
        node bigint,
        fence bigint NOT NULL DEFAULT 1
     ) WITH (fillfactor = 70)",
    "CREATE INDEX boards_by_owner ON boards (owner, id) WHERE deleted_at IS NULL",
    "CREATE INDEX boards_by_node ON boards (node) WHERE node IS NOT NULL",
    "CREATE TABLE states (
        board text COLLATE \"C\" PRIMARY KEY,
        covers bigint NOT NULL,
        state bytea NOT NULL)",
    "CREATE TABLE updates (
        board text COLLATE \"C\" NOT NULL,
        first bigint NOT NULL,
        last bigint NOT NULL,
        updates bytea NOT NULL,
        PRIMARY KEY (board, first))",
    // They hardly get smaller by compression.
    "ALTER TABLE states ALTER COLUMN state SET STORAGE EXTERNAL",
    "ALTER TABLE updates ALTER COLUMN updates SET STORAGE EXTERNAL",
    "CREATE TABLE grants (
        board text COLLATE \"C\" NOT NULL,
        principal text COLLATE \"C\" NOT NULL,
        level text NOT NULL CHECK (level IN ('view', 'comment', 'edit')),
        PRIMARY KEY (board, principal))",
    "CREATE INDEX grants_by_principal ON grants (principal, board)",
    "CREATE TABLE secrets (
        id text COLLATE \"C\" PRIMARY KEY,
        board text COLLATE \"C\" NOT NULL,
        kind text NOT NULL CHECK (kind IN ('link', 'key')),
        hash bytea NOT NULL,
        level text NOT NULL CHECK (level IN ('view', 'comment', 'edit')),
        expires_at bigint,
        name text,
        created_by text NOT NULL,
        created_at bigint NOT NULL)",
    "CREATE INDEX secrets_by_board ON secrets (board, kind, id)",
    "CREATE TABLE audit (
        board text COLLATE \"C\" NOT NULL,
        at bigint NOT NULL,
        n bigint NOT NULL,
        subject text NOT NULL,
        address text,
        user_agent text,
        action text NOT NULL,
        level text,
        detail json,
        PRIMARY KEY (board, at, n))",
    "CREATE INDEX audit_by_time ON audit (at)",
    "INSERT INTO format (version) VALUES (1)",
];

/// What the versions after the first add to the tables of the one before, by subject; new tables are made so,
/// too.
const ADDED: [(u32, &[&[&str]]); 3] = [
    (2, &[PAUSED, WEBHOOKS]),
    (3, &[SESSIONS]),
    (4, &[TRASH, ASSETS, VERSIONS]),
];

/// Keys that are paused.
const PAUSED: &[&str] = &["ALTER TABLE secrets ADD COLUMN paused boolean NOT NULL DEFAULT false"];

/// Webhooks, which go with their board.
const WEBHOOKS: &[&str] = &["CREATE TABLE webhooks (
        board text COLLATE \"C\" NOT NULL,
        id text COLLATE \"C\" NOT NULL,
        url text NOT NULL,
        types text NOT NULL,
        kinds text NOT NULL,
        secret bytea NOT NULL,
        created_by text NOT NULL,
        created_at bigint NOT NULL,
        PRIMARY KEY (board, id))"];

/// Sessions of browsers, which belong to no board. An invitation is used once, which its index sees to.
const SESSIONS: &[&str] = &[
    "CREATE TABLE sessions (
        id text COLLATE \"C\" PRIMARY KEY,
        hash bytea NOT NULL,
        invite bytea NOT NULL UNIQUE,
        user_id text COLLATE \"C\" NOT NULL,
        name text NOT NULL,
        admin boolean NOT NULL,
        boards bytea NOT NULL,
        created_at bigint NOT NULL,
        used_at bigint NOT NULL,
        expires_at bigint NOT NULL,
        revoked_at bigint,
        user_agent text)",
    "CREATE INDEX sessions_by_revocation ON sessions (revoked_at) WHERE revoked_at IS NOT NULL",
];

/// Boards in the trash. They have a `deleted_at` too: a program that does not know of the trash takes them
/// for deleted.
const TRASH: &[&str] = &[
    "ALTER TABLE boards ADD COLUMN trashed boolean NOT NULL DEFAULT false",
    "CREATE INDEX boards_in_trash ON boards (owner, id) WHERE trashed",
];

/// Assets, which go with their board, and the parts of uploads, whatever becomes of them. They hardly get
/// smaller by compression.
const ASSETS: &[&str] = &[
    "CREATE TABLE assets (
        board text COLLATE \"C\" NOT NULL,
        hash bytea NOT NULL,
        upload bytea NOT NULL,
        kind text NOT NULL,
        bytes bigint NOT NULL,
        width bigint,
        height bigint,
        created_by text NOT NULL,
        created_at bigint NOT NULL,
        named_at bigint NOT NULL,
        PRIMARY KEY (board, hash))",
    "CREATE TABLE uploads (
        id bytea PRIMARY KEY,
        begun_at bigint NOT NULL,
        parts bigint NOT NULL,
        bytes bigint NOT NULL)",
    "CREATE TABLE asset_parts (
        upload bytea NOT NULL,
        part bigint NOT NULL,
        bytes bytea NOT NULL,
        PRIMARY KEY (upload, part))",
    "ALTER TABLE asset_parts ALTER COLUMN bytes SET STORAGE EXTERNAL",
];

/// Versions, which go with their board, and the chunks that they share. A chunk hardly gets smaller by
/// compression.
const VERSIONS: &[&str] = &[
    "CREATE TABLE versions (
        board text COLLATE \"C\" NOT NULL,
        id bigint NOT NULL,
        kind text NOT NULL,
        at bigint NOT NULL,
        name text,
        made_by text,
        pieces bytea NOT NULL,
        PRIMARY KEY (board, id))",
    "CREATE TABLE version_chunks (
        board text COLLATE \"C\" NOT NULL,
        hash bytea NOT NULL,
        bytes bytea NOT NULL,
        PRIMARY KEY (board, hash))",
    "ALTER TABLE version_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL",
];

/// Sees to it that the tables are there, in the version that this program knows.
pub(super) fn ensure(link: &mut Link, schema: &str) -> Result<(), OpenError> {
    if found(link, schema)? == Some(VERSION) {
        return Ok(());
    }
    let limit = limits::DATABASE_ANSWER_TIME_MAX;
    let key = format!("boardwire {schema}");
    let lock = sql("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").text(&key);
    link.run(&[sql("BEGIN"), lock], limit)?;
    // Somebody else may have been faster.
    let create = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
    let migrated = format!("UPDATE format SET version = {VERSION}");
    let mut statements = Vec::new();
    let there = found(link, schema)?;
    if there.is_none() {
        if !exists(link, schema)? {
            statements.push(sql(&create));
        }
        statements.extend(MAKE.iter().copied().map(sql));
    }
    for (version, added) in ADDED {
        if there.is_none_or(|there| there < version) {
            statements.extend(added.iter().copied().flatten().copied().map(sql));
        }
    }
    if there != Some(VERSION) {
        statements.push(sql(&migrated));
    }
    statements.push(sql("COMMIT"));
    link.run(&statements, limit).map_err(|trouble| match trouble {
        Trouble::NotAllowed => Trouble::NoSchema,
        other => other,
    })?;
    Ok(())
}

/// That the tables are there, in the version that this program knows.
pub(super) fn expect(link: &mut Link, schema: &str) -> Result<(), OpenError> {
    match found(link, schema)? {
        Some(VERSION) => Ok(()),
        _ => Err(Trouble::NoSchema.into()),
    }
}

fn exists(link: &mut Link, schema: &str) -> Result<bool, Trouble> {
    let asked = sql("SELECT 1 FROM pg_namespace WHERE nspname = $1").text(schema);
    let answers = link.run(&[asked], limits::DATABASE_ANSWER_TIME_MAX)?;
    Ok(answers.first().is_some_and(|rows| !rows.is_empty()))
}

/// The version of the tables that are there.
fn found(link: &mut Link, schema: &str) -> Result<Option<u32>, OpenError> {
    let limit = limits::DATABASE_ANSWER_TIME_MAX;
    // Of the catalog, which everybody may read: a name that is not found would be an error.
    let asked = sql("SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'format'").text(schema);
    if link.run(&[asked], limit)?.first().is_none_or(Vec::is_empty) {
        return Ok(None);
    }
    let answers = link.run(&[sql("SELECT version FROM format")], limit)?;
    let row = answers.first().and_then(|rows| rows.first());
    let version = row.and_then(|row| row.try_get::<_, i32>(0).ok());
    let version = version
        .and_then(|version| u32::try_from(version).ok())
        .unwrap_or(0);
    match version {
        0 => Err(OpenError::NoFormat),
        found if found > VERSION => Err(Trouble::NewerSchema {
            found,
            known: VERSION,
        }
        .into()),
        found => Ok(Some(found)),
    }
}

/// What a database says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its version, in its words.
    pub version: String,
    /// The same as a number.
    number: i32,
    /// `synchronous_commit`.
    pub synchronous_commit: String,
    /// Those settings that are off without which a crash of its machine can destroy boards.
    pub unsafe_settings: Vec<&'static str>,
}

impl Server {
    /// Whether it is older than what is tested.
    #[must_use]
    pub fn is_too_old(&self) -> bool {
        self.number < OLDEST_TESTED
    }
}

/// Asks what the server is.
pub(super) fn server(link: &mut Link) -> Result<Server, Trouble> {
    let asked = sql(
        "SELECT current_setting('server_version'), current_setting('server_version_num')::int, \
                     current_setting('server_encoding'), current_setting('synchronous_commit'), \
                     current_setting('fsync'), current_setting('full_page_writes')",
    );
    let answers = link.run(&[asked], limits::DATABASE_ANSWER_TIME_MAX)?;
    let row = answers.first().and_then(|rows| rows.first());
    let text = |at| {
        row.and_then(|row| row.try_get::<_, String>(at).ok())
            .unwrap_or_default()
    };
    let (version, encoding) = (text(0), text(2));
    if encoding != "UTF8" {
        return Err(Trouble::Encoding(encoding));
    }
    let number = row.and_then(|row| row.try_get::<_, i32>(1).ok());
    let settings = [(4, "fsync"), (5, "full_page_writes")];
    let off = settings.into_iter().filter(|(at, _)| text(*at) == "off");
    Ok(Server {
        version,
        number: number.unwrap_or_default(),
        synchronous_commit: text(3),
        unsafe_settings: off.map(|(_, name)| name).collect(),
    })
}

/// Says in the log what the server is, and which of its settings break what this one promises.
pub(super) fn look_at_server(link: &mut Link) -> Result<(), Trouble> {
    let server = server(link)?;
    let version = &server.version;
    tracing::info!(%version, "the store is PostgreSQL");
    if server.is_too_old() {
        tracing::warn!(%version, "this PostgreSQL is older than 15, the oldest that is tested");
    }
    match server.synchronous_commit.as_str() {
        "off" => tracing::warn!(
            "synchronous_commit is off: a crash of the database loses changes that clients were told are saved"
        ),
        "local" => tracing::warn!(
            "synchronous_commit is local: fine on one machine; with a standby, a failover loses changes that clients \
             were told are saved"
        ),
        _ => {}
    }
    for name in server.unsafe_settings {
        tracing::warn!("{name} is off: a crash of the database's machine can destroy boards");
    }
    Ok(())
}

/// PostgreSQL 15, as the server writes it.
const OLDEST_TESTED: i32 = 150_000;
