//! The rows that say who may do what: grants, links, keys, and the indexes over them.
//!
//! Owns their keys and values. Must not know the engine. Key invariants: the keys of one board's grants sort
//! as [`Principal`] does, so that a list is a range; of a link or key only the hash of its text is in a row.
//! Tests are below.

use super::super::{Damage, StoredSecret};
use super::{Fields, Tag, board_key, level_byte, parse_board, push_text, seal, split_board_key, unseal};
use crate::access::SecretFacts;
use crate::access::secret::{SecretHash, SecretKind};
use crate::ids::{BoardId, Level, Principal, SecretId, Subject, TeamId, UserId};
use crate::time::UnixMillis;

/// Who has boards, in the index `holders`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HolderKey {
    /// The owner.
    Owner(UserId),
    /// A user to whom they are granted.
    User(UserId),
    /// A team to which they are granted.
    Team(TeamId),
}

impl HolderKey {
    /// Whom a grant makes a holder; the public is none.
    pub(crate) fn granted(principal: &Principal) -> Option<Self> {
        match principal {
            Principal::User(user) => Some(Self::User(user.clone())),
            Principal::Team(team) => Some(Self::Team(team.clone())),
            Principal::Public => None,
        }
    }

    /// What a key of this holder begins with: `last` is 0 for the first one, and 1 past the last one.
    fn prefix(&self, last: u8) -> Vec<u8> {
        let (kind, id) = match self {
            Self::Owner(user) => (0, user.as_str()),
            Self::User(user) => (1, user.as_str()),
            Self::Team(team) => (2, team.as_str()),
        };
        let mut key = Vec::with_capacity(id.len().saturating_add(2));
        key.push(kind);
        key.extend_from_slice(id.as_bytes());
        key.push(last);
        key
    }

    /// The key of a board of this holder.
    pub(crate) fn key(&self, board: &BoardId) -> Vec<u8> {
        let mut key = self.prefix(0);
        key.extend_from_slice(board.as_str().as_bytes());
        key
    }

    /// The bounds of all keys of this holder; the ids of users and teams contain no control character.
    pub(crate) fn bounds(&self) -> (Vec<u8>, Vec<u8>) {
        (self.prefix(0), self.prefix(1))
    }

    /// Reads a key.
    pub(crate) fn parse(key: &[u8]) -> Result<(Self, BoardId), Damage> {
        let mut fields = Fields(key);
        let [kind] = fields.array()?;
        let mut parts = fields.0.splitn(2, |byte| *byte == 0);
        let id = parts.next().and_then(|id| std::str::from_utf8(id).ok());
        let board = parts.next().and_then(parse_board);
        let holder = id.and_then(|id| match kind {
            0 => UserId::parse(id).map(Self::Owner),
            1 => UserId::parse(id).map(Self::User),
            2 => TeamId::parse(id).map(Self::Team),
            _ => None,
        });
        holder.zip(board).ok_or(Damage::Malformed)
    }
}

/// The value of a row of `holders`.
pub(crate) fn encode_holder(key: &[u8]) -> Vec<u8> {
    seal(Tag::Holder, key, &[])
}

/// Checks the value of a row of `holders`.
pub(crate) fn decode_holder(key: &[u8], value: &[u8]) -> Result<(), Damage> {
    Fields(unseal(Tag::Holder, key, value)?).end()
}

/// The key of a grant.
pub(crate) fn grant_key(board: &BoardId, principal: &Principal) -> Vec<u8> {
    let (kind, id) = match principal {
        Principal::User(user) => (1, user.as_str()),
        Principal::Team(team) => (2, team.as_str()),
        Principal::Public => (3, ""),
    };
    let mut rest = Vec::with_capacity(id.len().saturating_add(1));
    rest.push(kind);
    rest.extend_from_slice(id.as_bytes());
    board_key(board, &rest)
}

/// Reads the key of a grant.
pub(crate) fn parse_grant_key(key: &[u8]) -> Result<(BoardId, Principal), Damage> {
    let (board, rest) = split_board_key(key)?;
    let (kind, id) = rest.split_first().ok_or(Damage::Malformed)?;
    let id = std::str::from_utf8(id).map_err(|_| Damage::Malformed)?;
    let principal = match kind {
        1 => UserId::parse(id).map(Principal::User),
        2 => TeamId::parse(id).map(Principal::Team),
        3 if id.is_empty() => Some(Principal::Public),
        _ => None,
    };
    Ok((board, principal.ok_or(Damage::Malformed)?))
}

/// The value of a grant.
pub(crate) fn encode_grant(key: &[u8], level: Level) -> Vec<u8> {
    seal(Tag::Grant, key, &[&[level_byte(Some(level))]])
}

/// Reads the value of a grant.
pub(crate) fn decode_grant(key: &[u8], value: &[u8]) -> Result<Level, Damage> {
    let mut fields = Fields(unseal(Tag::Grant, key, value)?);
    let level = fields.level()?.ok_or(Damage::Malformed)?;
    fields.end()?;
    Ok(level)
}

/// The key of a link or key in its table.
pub(crate) fn secret_key(board: &BoardId, id: &SecretId) -> Vec<u8> {
    board_key(board, id.as_str().as_bytes())
}

/// Reads the key of a link or key in its table.
pub(crate) fn parse_secret_key(key: &[u8]) -> Result<(BoardId, SecretId), Damage> {
    let (board, id) = split_board_key(key)?;
    Ok((board, parse_secret_id(id)?))
}

/// Reads the id of a link or key, which is also the key of `secrets`.
pub(crate) fn parse_secret_id(bytes: &[u8]) -> Result<SecretId, Damage> {
    let text = std::str::from_utf8(bytes).map_err(|_| Damage::Malformed)?;
    SecretId::parse(text).ok_or(Damage::Malformed)
}

fn tag(kind: SecretKind) -> Tag {
    match kind {
        SecretKind::Link => Tag::Link,
        SecretKind::Key => Tag::Key,
    }
}

/// What ends the row of a key that is paused. A server that does not know it cannot read the row, and so lets
/// nobody in by it.
const PAUSED: u8 = 1;

/// The value of a link or key; its board is in the key.
pub(crate) fn encode_secret(key: &[u8], secret: &StoredSecret) -> Vec<u8> {
    let mut body = Vec::with_capacity(128);
    let facts = &secret.facts;
    body.extend_from_slice(&facts.hash.0);
    body.push(level_byte(Some(facts.level)));
    body.extend_from_slice(&secret.created_at.0.to_le_bytes());
    let expires = facts.expires_at.map_or(u64::MAX, |at| at.0);
    body.extend_from_slice(&expires.to_le_bytes());
    push_text(&mut body, Some(secret.created_by.as_str()));
    push_text(&mut body, secret.name.as_deref());
    if facts.paused {
        body.push(PAUSED);
    }
    seal(tag(facts.kind), key, &[&body])
}

/// Reads a link or key.
pub(crate) fn decode_secret(kind: SecretKind, key: &[u8], value: &[u8]) -> Result<StoredSecret, Damage> {
    let mut fields = Fields(unseal(tag(kind), key, value)?);
    let (board, id) = parse_secret_key(key)?;
    let hash = SecretHash(fields.array()?);
    let level = fields.level()?.ok_or(Damage::Malformed)?;
    let (created_at, expires_at) = (UnixMillis(fields.u64()?), fields.u64()?);
    let created_by = fields.parsed(Subject::parse)?;
    let name = fields.text()?.map(str::to_owned);
    let paused = match (kind, fields.0) {
        (_, []) => false,
        (SecretKind::Key, [PAUSED]) => true,
        _ => return Err(Damage::Malformed),
    };
    if hash.id() != id {
        return Err(Damage::Malformed);
    }
    Ok(StoredSecret {
        facts: SecretFacts {
            kind,
            board,
            hash,
            level,
            expires_at: (expires_at != u64::MAX).then_some(UnixMillis(expires_at)),
            paused,
        },
        name,
        created_by,
        created_at,
    })
}

/// The value of a row of `secrets`: where the link or key is.
pub(crate) fn encode_place(key: &[u8], kind: SecretKind, board: &BoardId) -> Vec<u8> {
    let kind = match kind {
        SecretKind::Link => 1,
        SecretKind::Key => 2,
    };
    seal(Tag::Secret, key, &[&[kind], board.as_str().as_bytes()])
}

/// Reads a row of `secrets`.
pub(crate) fn decode_place(key: &[u8], value: &[u8]) -> Result<(SecretKind, BoardId), Damage> {
    let body = unseal(Tag::Secret, key, value)?;
    let (kind, board) = body.split_first().ok_or(Damage::Malformed)?;
    let kind = match kind {
        1 => SecretKind::Link,
        2 => SecretKind::Key,
        _ => return Err(Damage::Malformed),
    };
    Ok((kind, parse_board(board).ok_or(Damage::Malformed)?))
}

#[cfg(test)]
mod tests {
    use super::super::board_end;
    use super::*;

    fn board(id: &str) -> BoardId {
        BoardId::parse(id).unwrap()
    }

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn secret(kind: SecretKind, expires_at: Option<UnixMillis>, name: Option<&str>) -> StoredSecret {
        StoredSecret {
            facts: SecretFacts {
                kind,
                board: board("b"),
                hash: SecretHash::of("bw_text"),
                level: Level::Comment,
                expires_at,
                paused: false,
            },
            name: name.map(str::to_owned),
            created_by: Subject::user(&user("alice")),
            created_at: UnixMillis(7),
        }
    }

    /// That each flipped bit of a value, each cut and each other key is an error.
    fn resists(key: &[u8], value: &[u8], decode: impl Fn(&[u8], &[u8]) -> Option<Damage>) {
        assert_eq!(decode(key, value), None);
        for bit in 0..value.len().saturating_mul(8) {
            let mut rotten = value.to_vec();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(key, &rotten), Some(Damage::Checksum), "bit {bit}");
        }
        for length in 0..value.len() {
            assert!(decode(key, &value[..length]).is_some());
        }
        let mut other = key.to_vec();
        other[0] ^= 1;
        assert_eq!(decode(&other, value), Some(Damage::Checksum), "another key");
    }

    #[test]
    fn rows_round_trip_and_any_flipped_bit_is_found() {
        for level in [Level::View, Level::Comment, Level::Edit] {
            let key = grant_key(&board("b"), &Principal::Public);
            let value = encode_grant(&key, level);
            assert_eq!(decode_grant(&key, &value), Ok(level));
            resists(&key, &value, |key, value| decode_grant(key, value).err());
        }
        for (kind, other) in [
            (SecretKind::Link, SecretKind::Key),
            (SecretKind::Key, SecretKind::Link),
        ] {
            for (expires_at, name) in [
                (None, None),
                (Some(UnixMillis(9)), Some("")),
                (Some(UnixMillis(0)), Some("ci")),
            ] {
                let stored = secret(kind, expires_at, name);
                let key = secret_key(&board("b"), &stored.facts.hash.id());
                let value = encode_secret(&key, &stored);
                assert_eq!(decode_secret(kind, &key, &value), Ok(stored));
                resists(&key, &value, |key, value| decode_secret(kind, key, value).err());
                assert_eq!(decode_secret(other, &key, &value), Err(Damage::Checksum));
            }
            let id = SecretHash::of("x").id();
            let key = id.as_str().as_bytes();
            let value = encode_place(key, kind, &board("b"));
            assert_eq!(decode_place(key, &value), Ok((kind, board("b"))));
            resists(key, &value, |key, value| decode_place(key, value).err());
        }
        let key = HolderKey::Owner(user("a")).key(&board("b"));
        resists(&key, &encode_holder(&key), |key, value| {
            decode_holder(key, value).err()
        });
    }

    #[test]
    fn a_key_that_is_paused_says_so_and_rows_from_before_say_that_none_is() {
        let mut stored = secret(SecretKind::Key, None, Some("ci"));
        let key = secret_key(&board("b"), &stored.facts.hash.id());
        let before = encode_secret(&key, &stored);
        stored.facts.paused = true;
        let paused = encode_secret(&key, &stored);
        assert_eq!(
            paused.len(),
            before.len() + 1,
            "one that is not has no byte for it"
        );
        assert_eq!(decode_secret(SecretKind::Key, &key, &paused), Ok(stored.clone()));
        resists(&key, &paused, |key, value| {
            decode_secret(SecretKind::Key, key, value).err()
        });
        let body = unseal(Tag::Key, &key, &paused).unwrap();
        let cut = &body[..body.len() - 1];
        for (tag, kind, end) in [
            (Tag::Key, SecretKind::Key, &[0][..]),
            (Tag::Key, SecretKind::Key, &[2]),
            (Tag::Key, SecretKind::Key, &[1, 1]),
            (Tag::Link, SecretKind::Link, &[1]),
        ] {
            let value = seal(tag, &key, &[cut, end]);
            let read = decode_secret(kind, &key, &value);
            assert_eq!(read, Err(Damage::Malformed), "{kind:?} {end:?}");
        }
    }

    #[test]
    fn a_row_that_was_sealed_wrong_is_malformed() {
        let key = grant_key(&board("b"), &Principal::Public);
        for body in [&b""[..], &[0], &[4], &[1, 1]] {
            let value = seal(Tag::Grant, &key, &[body]);
            assert_eq!(decode_grant(&key, &value), Err(Damage::Malformed), "{body:?}");
        }
        for body in [&b""[..], &[1], &[0, b'b'], &[3, b'b'], &[1, b'/']] {
            let value = seal(Tag::Secret, b"k", &[body]);
            assert_eq!(decode_place(b"k", &value), Err(Damage::Malformed), "{body:?}");
        }
        let stored = secret(SecretKind::Link, None, None);
        let key = secret_key(&board("b"), &SecretHash::of("another").id());
        let value = encode_secret(&key, &stored);
        assert_eq!(
            decode_secret(SecretKind::Link, &key, &value),
            Err(Damage::Malformed),
            "under the id of another secret"
        );
        assert_eq!(
            decode_holder(b"k", &seal(Tag::Holder, b"k", &[b"x"])),
            Err(Damage::Malformed)
        );
    }

    #[test]
    fn grants_sort_by_board_and_then_as_principals_do() {
        let mut keys = Vec::new();
        for id in ["a", "a-", "aa"] {
            for text in [
                "user:a",
                "user:a!",
                "user:b:c",
                "user:\u{e4}",
                "team:A",
                "team:a",
                "public",
            ] {
                let principal = Principal::parse(text).unwrap();
                let key = grant_key(&board(id), &principal);
                assert_eq!(parse_grant_key(&key), Ok((board(id), principal.clone())));
                assert!(key < board_end(&board(id)));
                keys.push(((board(id), principal), key));
            }
        }
        assert!(keys.is_sorted_by_key(|(_, key)| key) && keys.is_sorted());
        for bad in [
            &b""[..],
            b"a",
            b"a\0",
            b"a\0\x01",
            b"a\0\x03x",
            b"a\0\x04x",
            b"a\0\x01\n",
        ] {
            assert_eq!(parse_grant_key(bad), Err(Damage::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn the_boards_of_a_holder_are_one_range_in_their_order() {
        let holders = [
            HolderKey::Owner(user("a")),
            HolderKey::Owner(user("a b")),
            HolderKey::Owner(user("aa")),
            HolderKey::User(user("a")),
            HolderKey::Team(TeamId::parse("a").unwrap()),
        ];
        let mut keys = Vec::new();
        for holder in &holders {
            let (start, end) = holder.bounds();
            for id in ["a", "a-", "aa"] {
                let key = holder.key(&board(id));
                assert_eq!(HolderKey::parse(&key), Ok((holder.clone(), board(id))));
                assert!(start < key && key < end);
                keys.push(key);
            }
        }
        assert!(keys.is_sorted());
        for bad in [
            &b""[..],
            b"\0",
            b"\0a",
            b"\0a\0",
            b"\x03a\0b",
            b"\0\0b",
            b"\0a\0/",
        ] {
            assert_eq!(HolderKey::parse(bad), Err(Damage::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn keys_of_secrets_round_trip() {
        let id = SecretHash::of("x").id();
        assert_eq!(
            parse_secret_key(&secret_key(&board("a"), &id)),
            Ok((board("a"), id))
        );
        for bad in [&b""[..], b"a", b"a\0short", b"\x000123456789abcdef"] {
            assert_eq!(parse_secret_key(bad), Err(Damage::Malformed), "{bad:?}");
        }
    }
}
