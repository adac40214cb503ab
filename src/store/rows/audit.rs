//! The rows of the audit.
//!
//! Owns their keys and values. Must not know the engine. Key invariant: the keys of one board sort by time,
//! so that reading from the newest on and removing the oldest are ranges. Tests are below.

use std::net::IpAddr;

use serde_json::Value;

use super::super::Damage;
use super::{Fields, Tag, board_key, level_byte, push_text, seal, split_board_key, unseal};
use crate::audit::{Action, Actor, Entry, EntryKey};
use crate::ids::{BoardId, Subject};
use crate::time::UnixMillis;

/// The key of an entry.
pub(crate) fn entry_key(board: &BoardId, key: EntryKey) -> Vec<u8> {
    let mut rest = [0; 12];
    let bytes = key.at.0.to_be_bytes().into_iter().chain(key.n.to_be_bytes());
    rest.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    board_key(board, &rest)
}

/// Reads the key of an entry.
pub(crate) fn parse_entry_key(key: &[u8]) -> Result<(BoardId, EntryKey), Damage> {
    let (board, rest) = split_board_key(key)?;
    let mut fields = Fields(rest);
    let at = UnixMillis(u64::from_be_bytes(fields.array()?));
    let n = u32::from_be_bytes(fields.array()?);
    fields.end()?;
    Ok((board, EntryKey { at, n }))
}

/// The value of an entry; its place is in the key.
pub(crate) fn encode_entry(key: &[u8], entry: &Entry) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    push_text(&mut body, Some(entry.action.as_str()));
    body.push(level_byte(entry.level));
    push_text(&mut body, Some(entry.actor.subject.as_str()));
    match entry.actor.address {
        None => body.push(0),
        Some(IpAddr::V4(address)) => {
            body.push(4);
            body.extend_from_slice(&address.octets());
        }
        Some(IpAddr::V6(address)) => {
            body.push(6);
            body.extend_from_slice(&address.octets());
        }
    }
    push_text(&mut body, entry.actor.user_agent.as_deref());
    if !entry.detail.is_null() {
        body.extend_from_slice(entry.detail.to_string().as_bytes());
    }
    seal(Tag::Audit, key, &[&body])
}

/// Reads an entry.
pub(crate) fn decode_entry(key: &[u8], value: &[u8]) -> Result<Entry, Damage> {
    let mut fields = Fields(unseal(Tag::Audit, key, value)?);
    let (_, place) = parse_entry_key(key)?;
    let action = fields.parsed(Action::parse)?;
    let level = fields.level()?;
    let subject = fields.parsed(Subject::parse)?;
    let address = match fields.array()? {
        [0] => None,
        [4] => Some(IpAddr::from(fields.array::<4>()?)),
        [6] => Some(IpAddr::from(fields.array::<16>()?)),
        _ => return Err(Damage::Malformed),
    };
    let user_agent = fields.text()?.map(str::to_owned);
    let detail = match fields.0 {
        [] => Value::Null,
        json => serde_json::from_slice(json).map_err(|_| Damage::Malformed)?,
    };
    Ok(Entry {
        key: place,
        actor: Actor {
            subject,
            address,
            user_agent,
        },
        action,
        level,
        detail,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use serde_json::json;

    use super::super::board_end;
    use super::*;
    use crate::ids::Level;

    fn board(id: &str) -> BoardId {
        BoardId::parse(id).unwrap()
    }

    fn entries() -> Vec<Entry> {
        let addresses = [
            None,
            Some(Ipv4Addr::LOCALHOST.into()),
            Some(Ipv6Addr::LOCALHOST.into()),
        ];
        let levels = [None, Some(Level::View), Some(Level::Edit)];
        let details = [
            json!({}),
            json!({"principal": "user:\u{e4}", "n": 3, "x": null}),
            Value::Null,
        ];
        let agents = [None, Some(String::new()), Some("curl/8".to_owned())];
        let mut entries = Vec::new();
        for (n, action) in (0..).zip(Action::ALL) {
            let turn = n as usize % 3;
            entries.push(Entry {
                key: EntryKey { at: UnixMillis(5), n },
                actor: Actor {
                    subject: Subject::parse(["anonymous", "user:a:b", "key:0123456789ab_-XY"][turn]).unwrap(),
                    address: addresses[turn],
                    user_agent: agents[turn].clone(),
                },
                action,
                level: levels[turn],
                detail: details[turn].clone(),
            });
        }
        entries
    }

    #[test]
    fn entries_round_trip_and_any_flipped_bit_is_found() {
        for entry in entries() {
            let key = entry_key(&board("b"), entry.key);
            let value = encode_entry(&key, &entry);
            assert_eq!(decode_entry(&key, &value), Ok(entry));
            for bit in 0..value.len() * 8 {
                let mut rotten = value.clone();
                rotten[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decode_entry(&key, &rotten), Err(Damage::Checksum));
            }
            for length in 0..value.len() {
                assert!(decode_entry(&key, &value[..length]).is_err());
            }
            let other = entry_key(
                &board("c"),
                EntryKey {
                    at: UnixMillis(5),
                    n: 0,
                },
            );
            assert_eq!(decode_entry(&other, &value), Err(Damage::Checksum));
        }
    }

    #[test]
    fn an_entry_that_was_sealed_wrong_is_malformed() {
        let entry = entries().remove(2);
        let key = entry_key(&board("b"), entry.key);
        let value = encode_entry(&key, &entry);
        let body = unseal(Tag::Audit, &key, &value).unwrap().to_vec();
        let mut longer = body.clone();
        longer.push(b'{');
        for body in [&body[..3], &body[..body.len() - 1], &longer, &[0xff; 8]] {
            let value = seal(Tag::Audit, &key, &[body]);
            assert_eq!(decode_entry(&key, &value), Err(Damage::Malformed), "{body:?}");
        }
        assert_eq!(
            decode_entry(b"k", &seal(Tag::Audit, b"k", &[&body])),
            Err(Damage::Malformed)
        );
    }

    #[test]
    fn entries_sort_by_board_time_and_number() {
        let mut keys = Vec::new();
        for id in ["a", "a-", "aa"] {
            for at in [0, 255, 256, u64::MAX] {
                for n in [0, 1, u32::MAX] {
                    let place = EntryKey {
                        at: UnixMillis(at),
                        n,
                    };
                    let key = entry_key(&board(id), place);
                    assert_eq!(parse_entry_key(&key), Ok((board(id), place)));
                    assert!(key < board_end(&board(id)));
                    keys.push(key);
                }
            }
        }
        assert!(keys.is_sorted());
        for bad in [
            &b""[..],
            b"a\0",
            b"a\0aaaaaaaabbb",
            b"a\0aaaaaaaabbbbb",
            b"\0aaaaaaaabbbb",
        ] {
            assert_eq!(parse_entry_key(bad), Err(Damage::Malformed), "{bad:?}");
        }
    }
}
