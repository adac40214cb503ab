//! Changes of who may do what: grants, links and keys, and the indexes over them.
//!
//! Owns the rules of granting and revoking, and their bounds. Must not decide whether the board is there or
//! who asks; `batch` did. Key invariant: each row and its row in `holders` or `secrets` are written and
//! removed together.

use ::redb::{ReadableTable, WriteTransaction};

use super::super::super::rows::access::{
    HolderKey, decode_place, decode_secret, encode_grant, encode_holder, encode_place, encode_secret,
    grant_key, parse_grant_key, parse_secret_key, secret_key,
};
use super::super::super::rows::{Rot, Tag, Tallies, Tally};
use super::super::super::{Act, Applied, Living, StoreError, StoredSecret};
use super::super::table::{Rows, Touched};
use super::super::{GRANTS, HOLDERS, KEYS, LINKS, SECRETS, engine, rows_of, tally_of};
use super::clear;
use crate::access::secret::SecretKind;
use crate::ids::{BoardId, Level, Principal, SecretId, UserId};
use crate::limits;
use crate::time::UnixMillis;

/// The tables of who may do what.
pub(super) struct Access<'t> {
    grants: Rows<'t>,
    links: Rows<'t>,
    keys: Rows<'t>,
    secrets: Rows<'t>,
    holders: Rows<'t>,
}

impl<'t> Access<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, touched: &'t Touched) -> Result<Self, StoreError> {
        let open = |table| Rows::open(transaction, table, touched);
        Ok(Self {
            grants: open(GRANTS)?,
            links: open(LINKS)?,
            keys: open(KEYS)?,
            secrets: open(SECRETS)?,
            holders: open(HOLDERS)?,
        })
    }

    fn of_kind(&mut self, kind: SecretKind) -> &mut Rows<'t> {
        match kind {
            SecretKind::Link => &mut self.links,
            SecretKind::Key => &mut self.keys,
        }
    }

    /// Moves the board in the index of owners.
    pub(super) fn change_owner(
        &mut self,
        board: &BoardId,
        from: Option<&UserId>,
        to: Option<&UserId>,
    ) -> Result<(), StoreError> {
        if let Some(owner) = from {
            let key = HolderKey::Owner(owner.clone()).key(board);
            self.holders.remove(key.as_slice())?;
        }
        match to {
            Some(owner) => self.hold(&HolderKey::Owner(owner.clone()), board),
            None => Ok(()),
        }
    }

    fn hold(&mut self, holder: &HolderKey, board: &BoardId) -> Result<(), StoreError> {
        let key = holder.key(board);
        self.holders
            .insert(key.as_slice(), encode_holder(&key).as_slice())?;
        Ok(())
    }

    /// Does one of the acts on grants, links and keys.
    pub(super) fn act(
        &mut self,
        board: &BoardId,
        tallies: &mut Tallies,
        act: &Act,
        at: UnixMillis,
    ) -> Result<Applied, StoreError> {
        match act {
            Act::Grant { principal, level } => self.grant(board, &mut tallies.grants, principal, *level),
            Act::Ungrant { principal } => self.ungrant(board, &mut tallies.grants, principal),
            Act::AddSecret(secret) => self.add_secret(board, tallies, secret, at),
            Act::Revoke { kind, id } => self.revoke((board, *kind), of_kind(tallies, *kind), id),
            Act::Pause { id, paused } => self.pause(board, &mut tallies.keys, (id, *paused)),
            Act::Create { .. }
            | Act::Update { .. }
            | Act::Delete
            | Act::Trash
            | Act::Restore
            | Act::AddWebhook(_)
            | Act::RemoveWebhook(_)
            | Act::RemoveVersion(_) => Ok(Applied::NotThere),
        }
    }

    /// Grants a level.
    fn grant(
        &mut self,
        board: &BoardId,
        tally: &mut Tally,
        principal: &Principal,
        level: Level,
    ) -> Result<Applied, StoreError> {
        let key = grant_key(board, principal);
        if self.grants.get(key.as_slice()).map_err(engine)?.is_none()
            && is_reached(*tally, limits::GRANTS_PER_BOARD_MAX)
        {
            return Ok(Applied::TooMany);
        }
        self.put_grant(board, tally, (principal, level))?;
        Ok(Applied::Done)
    }

    fn put_grant(
        &mut self,
        board: &BoardId,
        tally: &mut Tally,
        (principal, level): (&Principal, Level),
    ) -> Result<(), StoreError> {
        let key = grant_key(board, principal);
        counted(&mut self.grants, Tag::Grant, board, tally).set(&key, &encode_grant(&key, level))?;
        match HolderKey::granted(principal) {
            Some(holder) => self.hold(&holder, board),
            None => Ok(()),
        }
    }

    /// Takes a grant back.
    fn ungrant(
        &mut self,
        board: &BoardId,
        tally: &mut Tally,
        principal: &Principal,
    ) -> Result<Applied, StoreError> {
        if !counted(&mut self.grants, Tag::Grant, board, tally).remove(&grant_key(board, principal))? {
            return not_there(&self.grants, board, *tally);
        }
        self.release(principal, board)?;
        Ok(Applied::Done)
    }

    fn release(&mut self, principal: &Principal, board: &BoardId) -> Result<(), StoreError> {
        if let Some(holder) = HolderKey::granted(principal) {
            let key = holder.key(board);
            self.holders.remove(key.as_slice())?;
        }
        Ok(())
    }

    /// Adds a link or key; where there are too many, those that have expired by `at` make room.
    fn add_secret(
        &mut self,
        board: &BoardId,
        tallies: &mut Tallies,
        secret: &StoredSecret,
        at: UnixMillis,
    ) -> Result<Applied, StoreError> {
        let (kind, id) = (secret.facts.kind, secret.facts.hash.id());
        let tally = of_kind(tallies, kind);
        if self.has_secret(&id)? {
            return Ok(Applied::Exists);
        }
        let most = match kind {
            SecretKind::Link => limits::LINKS_PER_BOARD_MAX,
            SecretKind::Key => limits::KEYS_PER_BOARD_MAX,
        };
        if is_reached(*tally, most) {
            let (there, expired) = expired(self.of_kind(kind), kind, board, at)?;
            if there.saturating_sub(expired.len()) >= most {
                return Ok(Applied::TooMany);
            }
            for id in expired {
                self.remove_secret((board, kind), tally, &id)?;
            }
        }
        self.put_secret(board, tally, secret)?;
        Ok(Applied::Done)
    }

    fn has_secret(&self, id: &SecretId) -> Result<bool, StoreError> {
        let found = self.secrets.get(id.as_str().as_bytes()).map_err(engine)?;
        Ok(found.is_some())
    }

    fn put_secret(
        &mut self,
        board: &BoardId,
        tally: &mut Tally,
        secret: &StoredSecret,
    ) -> Result<(), StoreError> {
        let (kind, id) = (secret.facts.kind, secret.facts.hash.id());
        let (key, place) = (secret_key(board, &id), id.as_str().as_bytes());
        counted(self.of_kind(kind), tag_of(kind), board, tally).set(&key, &encode_secret(&key, secret))?;
        self.secrets
            .insert(place, encode_place(place, kind, board).as_slice())?;
        Ok(())
    }

    /// Whether a link or key of a board that is not here yet is on another one.
    pub(super) fn has_any_of(&self, living: &Living) -> Result<bool, StoreError> {
        for secret in &living.secrets {
            if self.has_secret(&secret.facts.hash.id())? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds all grants, links and keys of a board that has none here.
    pub(super) fn import(
        &mut self,
        board: &BoardId,
        tallies: &mut Tallies,
        living: &Living,
    ) -> Result<(), StoreError> {
        for (principal, level) in &living.grants {
            self.put_grant(board, &mut tallies.grants, (principal, *level))?;
        }
        for secret in &living.secrets {
            self.put_secret(board, of_kind(tallies, secret.facts.kind), secret)?;
        }
        Ok(())
    }

    /// Removes a link or key and its row in the index; whether it was there.
    fn remove_secret(
        &mut self,
        (board, kind): (&BoardId, SecretKind),
        tally: &mut Tally,
        id: &SecretId,
    ) -> Result<bool, StoreError> {
        if !counted(self.of_kind(kind), tag_of(kind), board, tally).remove(&secret_key(board, id))? {
            return Ok(false);
        }
        self.secrets.remove(id.as_str().as_bytes())?;
        Ok(true)
    }

    /// Revokes a link or key of this board and kind.
    fn revoke(
        &mut self,
        (board, kind): (&BoardId, SecretKind),
        tally: &mut Tally,
        id: &SecretId,
    ) -> Result<Applied, StoreError> {
        match self.remove_secret((board, kind), tally, id)? {
            true => Ok(Applied::Done),
            false => not_there(self.of_kind(kind), board, *tally),
        }
    }

    /// Stops a key of this board, or lets it go on.
    fn pause(
        &mut self,
        board: &BoardId,
        tally: &mut Tally,
        (id, paused): (&SecretId, bool),
    ) -> Result<Applied, StoreError> {
        let (kind, key) = (SecretKind::Key, secret_key(board, id));
        let table = self.of_kind(kind);
        let found = table.get(key.as_slice()).map_err(engine)?;
        let Some(found) = found.map(|value| decode_secret(kind, &key, value.value())) else {
            return not_there(table, board, *tally);
        };
        let Ok(mut secret) = found else {
            return Ok(Applied::Unreadable);
        };
        secret.facts.paused = paused;
        counted(table, tag_of(kind), board, tally).set(&key, &encode_secret(&key, &secret))?;
        Ok(Applied::Done)
    }

    /// Removes all grants, links and keys of a board.
    pub(super) fn clear(&mut self, board: &BoardId) -> Result<(), StoreError> {
        let grants = keys_of(&self.grants, board)?;
        for (_, principal) in grants.iter().filter_map(|key| parse_grant_key(key).ok()) {
            self.release(&principal, board)?;
        }
        clear(&mut self.grants, board)?;
        for kind in [SecretKind::Link, SecretKind::Key] {
            let keys = keys_of(self.of_kind(kind), board)?;
            for (_, id) in keys.iter().filter_map(|key| parse_secret_key(key).ok()) {
                self.secrets.remove(id.as_str().as_bytes())?;
            }
            clear(self.of_kind(kind), board)?;
        }
        Ok(())
    }

    /// Removes the board from both indexes by reading them whole: where its record does not say who owned it.
    pub(super) fn clear_indexes(&mut self, board: &BoardId) -> Result<(), StoreError> {
        let of_another = |key: &[u8]| HolderKey::parse(key).map(|(_, held)| held).as_ref() != Ok(board);
        self.holders.retain(|key, _| of_another(key))?;
        let of_another =
            |key: &[u8], value: &[u8]| decode_place(key, value).map(|(_, place)| place).as_ref() != Ok(board);
        self.secrets.retain(of_another)
    }
}

fn of_kind(tallies: &mut Tallies, kind: SecretKind) -> &mut Tally {
    match kind {
        SecretKind::Link => &mut tallies.links,
        SecretKind::Key => &mut tallies.keys,
    }
}

fn is_reached(tally: Tally, most: usize) -> bool {
    usize::try_from(tally.rows).map_or(true, |there| there >= most)
}

/// A table of rows that are counted, and of which board.
struct Counted<'a, 't> {
    table: &'a mut Rows<'t>,
    tag: Tag,
    board: &'a BoardId,
    tally: &'a mut Tally,
}

fn counted<'a, 't>(
    table: &'a mut Rows<'t>,
    tag: Tag,
    board: &'a BoardId,
    tally: &'a mut Tally,
) -> Counted<'a, 't> {
    Counted {
        table,
        tag,
        board,
        tally,
    }
}

fn tag_of(kind: SecretKind) -> Tag {
    match kind {
        SecretKind::Link => Tag::Link,
        SecretKind::Key => Tag::Key,
    }
}

impl Counted<'_, '_> {
    /// Sets a row.
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let before = self.table.insert(key, value)?;
        let rot = before.map(|before| self.tally.remove_checked(self.tag, key, before.value()));
        self.tally.add(value);
        self.mend(rot)
    }

    /// Removes a row; whether it was there.
    fn remove(&mut self, key: &[u8]) -> Result<bool, StoreError> {
        let before = self.table.remove(key)?;
        let rot = before.map(|before| self.tally.remove_checked(self.tag, key, before.value()));
        self.mend(rot)?;
        Ok(rot.is_some())
    }

    /// Counts anew where the row that went was rotten, since its checksum need not be the one that was
    /// counted. Only if no other row is missing: what is hidden stays missed.
    fn mend(&mut self, rot: Option<Rot>) -> Result<(), StoreError> {
        if rot == Some(Rot::Rotten) {
            let found = tally_of(&**self.table, self.board)?;
            if found.rows == self.tally.rows {
                *self.tally = found;
            }
        }
        Ok(())
    }
}

/// What it comes to that a board has not the row it should lose: it may be hidden.
fn not_there(table: &Rows<'_>, board: &BoardId, tally: Tally) -> Result<Applied, StoreError> {
    Ok(match tally_of(&**table, board)? == tally {
        true => Applied::NotThere,
        false => Applied::Unreadable,
    })
}

/// The keys of a board in a table.
fn keys_of(table: &Rows<'_>, board: &BoardId) -> Result<Vec<Vec<u8>>, StoreError> {
    let (start, end) = rows_of(board);
    let range = table
        .range::<&[u8]>(start.as_slice()..end.as_slice())
        .map_err(engine)?;
    range
        .map(|row| row.map(|(key, _)| key.value().to_vec()).map_err(engine))
        .collect()
}

/// How many links or keys a board has, and which have expired by `at`.
fn expired(
    table: &Rows<'_>,
    kind: SecretKind,
    board: &BoardId,
    at: UnixMillis,
) -> Result<(usize, Vec<SecretId>), StoreError> {
    let (start, end) = rows_of(board);
    let (mut count, mut expired) = (0, Vec::new());
    let range = table
        .range::<&[u8]>(start.as_slice()..end.as_slice())
        .map_err(engine)?;
    for row in range {
        let (key, value) = row.map_err(engine)?;
        count += 1;
        // One that does not decode counts as valid: who asks about it is told so.
        let Ok(secret) = decode_secret(kind, key.value(), value.value()) else {
            continue;
        };
        if secret.facts.expires_at.is_some_and(|end| end <= at) {
            expired.push(secret.facts.hash.id());
        }
    }
    Ok((count, expired))
}
