//! Claims: what a verified token says.
//!
//! Owns [`Claims`] and how they are read from JSON. Must not be called before the signature was verified. Key
//! invariant: a claim of this server that is malformed refuses the whole token; claims of others are ignored.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{Keys, TokenError};
use crate::ids::{BoardId, Level, SecretId, TeamId, UserId};
use crate::limits;
use crate::time::UnixMillis;

/// What a token that was verified says.
///
/// May be some KiB large; keep what was decided from it, not the claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `sub`.
    pub user: UserId,
    /// When the token, and every session that rests on it, ends: `exp` and the leeway, exclusive.
    pub expires_at: UnixMillis,
    /// `teams`; empty where the claim is missing.
    pub teams: Vec<TeamId>,
    /// Whether `role` is `admin`. Other roles are those of other applications.
    pub admin: bool,
    /// `boards`, ordered by id, each once.
    pub(crate) boards: Vec<(BoardId, Level)>,
    /// `name`, where it is a text of at most `limits::USER_ID_BYTES_MAX`.
    pub name: Option<Box<str>>,
    /// The session of a browser that says this, and not a token.
    pub session: Option<SecretId>,
}

impl Claims {
    /// The level that the claim `boards` gives on a board.
    #[must_use]
    pub fn level(&self, board: &BoardId) -> Option<Level> {
        let found = self.boards.binary_search_by(|(id, _)| id.cmp(board)).ok()?;
        self.boards.get(found).map(|(_, level)| *level)
    }

    /// The claim `boards`, ordered by id, each once.
    #[must_use]
    pub fn boards(&self) -> &[(BoardId, Level)] {
        &self.boards
    }

    /// Reads and checks claims. `json` was signed.
    ///
    /// # Source
    /// RFC 7519, 4.1.
    pub(super) fn parse(json: &[u8], keys: &Keys, now: UnixMillis) -> Result<Self, TokenError> {
        let raw: Raw = object(json)?;
        let leeway = u64::try_from(limits::TOKEN_LEEWAY.as_millis()).unwrap_or(u64::MAX);
        let user = raw.sub.as_ref().and_then(user).ok_or(TokenError::Subject)?;
        let exp = date(raw.exp.as_ref().ok_or(TokenError::Dates)?)?;
        let expires_at = exp.saturating_add(leeway);
        if now.0 >= expires_at {
            return Err(TokenError::Expired);
        }
        if let Some(nbf) = &raw.nbf {
            let nbf = date(nbf)?;
            if now.0.saturating_add(leeway) < nbf {
                return Err(TokenError::NotYetValid);
            }
        }
        let names = |claim: &Option<Value>, name: &String| match claim {
            Some(Value::String(text)) => text == name,
            _ => false,
        };
        if let Some(issuer) = &keys.issuer
            && !names(&raw.iss, issuer)
        {
            return Err(TokenError::Issuer);
        }
        if let Some(audience) = &keys.audience {
            let among = match &raw.aud {
                Some(Value::Array(list)) => list.iter().any(|entry| entry == audience.as_str()),
                _ => names(&raw.aud, audience),
            };
            if !among {
                return Err(TokenError::Audience);
            }
        }
        Ok(Self {
            user,
            expires_at: UnixMillis(expires_at),
            teams: teams(raw.teams)?,
            admin: raw.role.is_some_and(|role| role == "admin"),
            boards: boards(raw.boards)?,
            name: raw.name.as_ref().and_then(Value::as_str).and_then(shown),
            session: None,
        })
    }
}

/// The claims that are read; a name that comes twice is an error, others are skipped.
#[derive(Deserialize)]
struct Raw {
    sub: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iss: Option<Value>,
    aud: Option<Value>,
    teams: Option<Value>,
    boards: Option<Entries>,
    role: Option<Value>,
    name: Option<Value>,
}

/// A name that can be shown, on one line.
fn shown(name: &str) -> Option<Box<str>> {
    UserId::parse(name.trim()).map(|name| name.as_str().into())
}

/// Reads a JSON object. Serde takes an array for a struct too, which no token may be.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, TokenError> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(TokenError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| TokenError::Malformed)
}

/// `sub`: a string, or an integer taken as its decimal string.
fn user(claim: &Value) -> Option<UserId> {
    match claim {
        Value::String(text) => UserId::parse(text),
        Value::Number(number) if !number.is_f64() => UserId::parse(&number.to_string()),
        _ => None,
    }
}

/// The first millisecond that no four-digit year has. What is beyond was given in milliseconds: so is every
/// such date after January 1978.
const YEAR_10000: u64 = 253_402_300_800_000;

/// A date that somebody can have meant.
pub(super) fn date(claim: &Value) -> Result<u64, TokenError> {
    let millis = millis(claim).ok_or(TokenError::Dates)?;
    match millis < YEAR_10000 {
        true => Ok(millis),
        false => Err(TokenError::Milliseconds),
    }
}

/// A NumericDate, which may have a fraction, in milliseconds since the epoch; before it is zero.
fn millis(claim: &Value) -> Option<u64> {
    let Value::Number(number) = claim else { return None };
    if let Some(seconds) = number.as_u64() {
        return Some(seconds.saturating_mul(1_000));
    }
    let millis = number.as_f64().filter(|seconds| seconds.is_finite())? * 1_000.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float is cast to the nearest u64, saturating"
    )]
    Some(millis as u64)
}

fn teams(claim: Option<Value>) -> Result<Vec<TeamId>, TokenError> {
    let list = match claim {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(TokenError::Teams),
    };
    let team = |entry: &Value| entry.as_str().and_then(TeamId::parse).ok_or(TokenError::Teams);
    list.iter().map(team).collect()
}

pub(super) fn boards(claim: Option<Entries>) -> Result<Vec<(BoardId, Level)>, TokenError> {
    let entries = claim.map_or_else(Vec::new, |entries| entries.0);
    let entry = |(id, level): (String, Value)| {
        let level = level.as_str().and_then(Level::parse);
        BoardId::parse(&id).zip(level).ok_or(TokenError::Boards)
    };
    let mut boards = entries.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    boards.sort_unstable();
    let twice = boards
        .windows(2)
        .any(|pair| matches!(pair, [(a, _), (b, _)] if a == b));
    if twice {
        Err(TokenError::Boards)
    } else {
        Ok(boards)
    }
}

/// The entries of an object as they come; a map would drop all but the last of a name.
pub(super) struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}
