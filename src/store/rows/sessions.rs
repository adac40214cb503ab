//! The rows of sessions, and of the index over the invitations that they began with.
//!
//! Owns their keys and values. Must not know the engine. Key invariant: of a session's text only the hash is
//! in a row. Tests are below.

use super::super::{Damage, INVITE_BYTES, StoredSession};
use super::{Fields, Tag, level_byte, push_text, seal, unseal};
use crate::access::secret::SecretHash;
use crate::ids::{BoardId, Level, SecretId, UserId};
use crate::time::UnixMillis;

/// When a session was revoked that was not.
const NEVER: u64 = u64::MAX;

/// Levels on boards: how many (u32 le), and of each its level (u8) and its id (a text).
pub(crate) fn encode_boards(session: &StoredSession) -> Vec<u8> {
    let mut body = Vec::with_capacity(64);
    let count = u32::try_from(session.boards.len()).unwrap_or(u32::MAX);
    body.extend_from_slice(&count.to_le_bytes());
    for (board, level) in &session.boards {
        body.push(level_byte(Some(*level)));
        push_text(&mut body, Some(board.as_str()));
    }
    body
}

fn read_boards(fields: &mut Fields<'_>) -> Result<Vec<(BoardId, Level)>, Damage> {
    let mut boards = Vec::new();
    for _ in 0..fields.u32()? {
        let level = fields.level()?.ok_or(Damage::Malformed)?;
        boards.push((fields.parsed(BoardId::parse)?, level));
    }
    Ok(boards)
}

/// The levels on boards that [`encode_boards`] has written.
#[cfg(feature = "postgres")]
pub(crate) fn decode_boards(bytes: &[u8]) -> Result<Vec<(BoardId, Level)>, Damage> {
    let mut fields = Fields(bytes);
    let boards = read_boards(&mut fields)?;
    fields.end()?;
    Ok(boards)
}

/// The value of a session; its id is the key.
pub(crate) fn encode_session(key: &[u8], session: &StoredSession) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    body.extend_from_slice(&session.hash.0);
    body.extend_from_slice(&session.invite);
    for at in [session.created_at, session.used_at, session.expires_at] {
        body.extend_from_slice(&at.0.to_le_bytes());
    }
    body.extend_from_slice(&session.revoked_at.map_or(NEVER, |at| at.0).to_le_bytes());
    body.push(u8::from(session.admin));
    push_text(&mut body, Some(session.user.as_str()));
    push_text(&mut body, Some(&session.name));
    push_text(&mut body, session.user_agent.as_deref());
    body.extend_from_slice(&encode_boards(session));
    seal(Tag::Session, key, &[&body])
}

/// Reads a session.
pub(crate) fn decode_session(key: &[u8], value: &[u8]) -> Result<StoredSession, Damage> {
    let mut fields = Fields(unseal(Tag::Session, key, value)?);
    let hash = SecretHash(fields.array()?);
    let invite = fields.array::<INVITE_BYTES>()?;
    let (created_at, used_at) = (UnixMillis(fields.u64()?), UnixMillis(fields.u64()?));
    let (expires_at, revoked_at) = (UnixMillis(fields.u64()?), fields.u64()?);
    let admin = match fields.array()? {
        [0] => false,
        [1] => true,
        _ => return Err(Damage::Malformed),
    };
    let user = fields.parsed(UserId::parse)?;
    let name = fields.parsed(|text| Some(text.to_owned()))?;
    let user_agent = fields.text()?.map(str::to_owned);
    let boards = read_boards(&mut fields)?;
    fields.end()?;
    if hash.id().as_str().as_bytes() != key {
        return Err(Damage::Malformed);
    }
    Ok(StoredSession {
        hash,
        user,
        name,
        admin,
        boards,
        invite,
        created_at,
        used_at,
        expires_at,
        revoked_at: (revoked_at != NEVER).then_some(UnixMillis(revoked_at)),
        user_agent,
    })
}

/// The value of a row of `invites`: the session that an invitation began.
pub(crate) fn encode_invite(key: &[u8], session: &SecretId) -> Vec<u8> {
    seal(Tag::Invite, key, &[session.as_str().as_bytes()])
}

/// Reads a row of `invites`.
pub(crate) fn decode_invite(key: &[u8], value: &[u8]) -> Result<SecretId, Damage> {
    let body = unseal(Tag::Invite, key, value)?;
    let id = std::str::from_utf8(body).ok().and_then(SecretId::parse);
    id.filter(|_| key.len() == INVITE_BYTES).ok_or(Damage::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sessions() -> impl Strategy<Value = StoredSession> {
        let times = (
            any::<u64>(),
            any::<u64>(),
            any::<u64>(),
            proptest::option::of(0..NEVER),
        );
        let levels = [Level::View, Level::Comment, Level::Edit];
        let boards = proptest::collection::vec(("[a-z]{1,9}", 0..3_usize), 0..4);
        let words = ("[a-z@.]{1,20}", ".{0,20}", proptest::option::of(".{0,20}"));
        (
            any::<[u8; 32]>(),
            any::<[u8; 16]>(),
            any::<bool>(),
            times,
            boards,
            words,
        )
            .prop_map(
                move |(
                    hash,
                    invite,
                    admin,
                    (created, used, expires, revoked),
                    boards,
                    (user, name, agent),
                )| {
                    StoredSession {
                        hash: SecretHash(hash),
                        user: UserId::parse(&user).unwrap(),
                        name,
                        admin,
                        boards: (boards.into_iter())
                            .map(|(board, level)| (BoardId::parse(&board).unwrap(), levels[level]))
                            .collect(),
                        invite,
                        created_at: UnixMillis(created),
                        used_at: UnixMillis(used),
                        expires_at: UnixMillis(expires),
                        revoked_at: revoked.map(UnixMillis),
                        user_agent: agent,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn sessions_come_back_whole_and_no_damaged_one_does(session in sessions(), at in any::<usize>()) {
            let id = session.id();
            let key = id.as_str().as_bytes();
            let value = encode_session(key, &session);
            prop_assert_eq!(decode_session(key, &value), Ok(session.clone()));
            let mut rotten = value.clone();
            let at = at.checked_rem(value.len()).unwrap();
            rotten[at] ^= 1;
            prop_assert!(decode_session(key, &rotten).is_err());
            prop_assert!(decode_session(key, &value[..at]).is_err());
            let other = encode_session(b"another session.", &session);
            prop_assert_eq!(decode_session(b"another session.", &other), Err(Damage::Malformed));
            let row = encode_invite(&session.invite, &id);
            prop_assert_eq!(decode_invite(&session.invite, &row), Ok(id.clone()));
            let mut another = session.invite;
            another[0] ^= 1;
            prop_assert!(decode_invite(&another, &row).is_err());
        }
    }

    #[test]
    fn a_row_that_was_sealed_wrong_is_malformed() {
        let invite = [1; INVITE_BYTES];
        for body in [&b""[..], b"short", b"0123456789abcde/"] {
            let value = seal(Tag::Invite, &invite, &[body]);
            assert_eq!(decode_invite(&invite, &value), Err(Damage::Malformed), "{body:?}");
        }
        let value = seal(Tag::Invite, b"k", &[b"0123456789abcdef"]);
        assert_eq!(decode_invite(b"k", &value), Err(Damage::Malformed));
        let short = seal(Tag::Session, b"k", &[b"x"]);
        assert_eq!(decode_session(b"k", &short), Err(Damage::Malformed));
    }

    #[test]
    fn what_is_printed_of_a_session_is_no_secret() {
        let session = StoredSession {
            hash: SecretHash([9; 32]),
            user: UserId::parse("alice").unwrap(),
            name: "Alice".into(),
            admin: false,
            boards: Vec::new(),
            invite: [7; INVITE_BYTES],
            created_at: UnixMillis(1),
            used_at: UnixMillis(1),
            expires_at: UnixMillis(2),
            revoked_at: None,
            user_agent: None,
        };
        let shown = format!("{session:?}");
        assert!(!shown.contains("9, 9") && !shown.contains("7, 7"), "{shown}");
    }
}
