//! Invitations: who is invited, as a text that is signed like a token and is none.
//!
//! Owns what an invitation says and how it is read. Must not know whether it was used: `store::session` does.
//! Key invariant: no invitation is a token, and no token an invitation. One has no `sub`, the other no
//! `invite`. Tests are below.
#![deny(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::claims::{self, Entries};
use super::{Keys, Verifier, mint};
use crate::ids::{BoardId, Level, UserId};
use crate::limits;
use crate::time::UnixMillis;

/// Random bytes of an invitation's id.
pub const INVITE_BYTES: usize = 16;

/// Somebody is invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Which invitation: it is good for one browser.
    pub id: [u8; INVITE_BYTES],
    /// Who is invited: the user id, and what they are called.
    pub user: UserId,
    /// Whether they may do everything on every board.
    pub admin: bool,
    /// Boards that they get a level on, ordered by id, each once.
    pub boards: Vec<(BoardId, Level)>,
    /// When it ends, exclusive; in whole seconds.
    pub expires_at: UnixMillis,
}

/// Why an invitation is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteError {
    /// It is none of this server's.
    Invalid,
    /// Its time is over.
    Expired,
}

impl fmt::Display for InviteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "it is no invitation of this server",
            Self::Expired => "the invitation has expired",
        })
    }
}

impl std::error::Error for InviteError {}

#[derive(Deserialize)]
struct Raw {
    invite: String,
    name: String,
    exp: Value,
    sub: Option<Value>,
    role: Option<Value>,
    boards: Option<Entries>,
}

impl Invite {
    /// Somebody who may be invited: what has something to see, and is a user id.
    #[must_use]
    pub fn name(text: &str) -> Option<UserId> {
        UserId::parse(text).filter(|_| text.trim() == text)
    }

    /// An invitation from now on, with fresh random bytes.
    #[must_use]
    pub fn new(id: [u8; INVITE_BYTES], user: UserId, now: UnixMillis) -> Self {
        let time = u64::try_from(limits::INVITE_TIME.as_millis()).unwrap_or(u64::MAX);
        let ends = UnixMillis(now.0.saturating_add(time));
        Self {
            id,
            user,
            admin: false,
            boards: Vec::new(),
            expires_at: UnixMillis(ends.seconds().saturating_mul(1_000)),
        }
    }

    /// The signed text; `None` where there is no secret to sign it with.
    ///
    /// # Shape
    /// A JWT without `sub`: `invite` (the id in base64url), `name`, `exp`, and `role` and `boards` as a token
    /// has them.
    #[must_use]
    pub fn sign(&self, keys: &Keys) -> Option<String> {
        let (name, secret) = keys.signing()?;
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("invite", json!(URL_SAFE_NO_PAD.encode(self.id)));
        set("name", json!(self.user.as_str()));
        set("exp", json!(self.expires_at.seconds()));
        if self.admin {
            set("role", json!("admin"));
        }
        if !self.boards.is_empty() {
            let levels = self.boards.iter();
            let levels = levels.map(|(id, level)| (id.as_str().to_owned(), json!(level.as_str())));
            set("boards", Value::Object(levels.collect()));
        }
        let algorithm = keys.algorithms.first().copied()?;
        Some(mint(secret, algorithm, name, &Value::Object(claims)))
    }
}

impl Invite {
    /// The link with the signed text, below the address that people open. A fragment is sent to nobody.
    #[must_use]
    pub fn url(address: &str, text: &str) -> String {
        format!("{address}/#invite={text}")
    }
}

impl Verifier {
    /// Reads an invitation.
    ///
    /// # Errors
    /// [`InviteError`].
    pub fn invite(&self, text: &str, now: UnixMillis) -> Result<Invite, InviteError> {
        let signed = self.signed(text).map_err(|_| InviteError::Invalid)?;
        let invite = parse(&signed).ok_or(InviteError::Invalid)?;
        match now < invite.expires_at {
            true => Ok(invite),
            false => Err(InviteError::Expired),
        }
    }
}

fn parse(json: &[u8]) -> Option<Invite> {
    let raw: Raw = claims::object(json).ok()?;
    let id = URL_SAFE_NO_PAD.decode(raw.invite).ok()?;
    raw.sub.is_none().then_some(Invite {
        id: id.try_into().ok()?,
        user: Invite::name(&raw.name)?,
        admin: raw.role.is_some_and(|role| role == "admin"),
        boards: claims::boards(raw.boards).ok()?,
        expires_at: UnixMillis(claims::date(&raw.exp).ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::{NewClaims, Secret};

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn keys(secret: u8) -> Keys {
        Keys::single(Secret::new([secret; 32]))
    }

    fn invite() -> Invite {
        Invite {
            admin: true,
            boards: vec![(BoardId::parse("plan").unwrap(), Level::View)],
            ..Invite::new([7; INVITE_BYTES], UserId::parse("Zo\u{eb}").unwrap(), NOW)
        }
    }

    #[test]
    fn an_invitation_reads_as_it_was_signed_until_its_last_moment() {
        let (text, verifier) = (invite().sign(&keys(1)).unwrap(), Verifier::new(keys(1)));
        assert_eq!(verifier.invite(&text, NOW), Ok(invite()));
        let week = NOW.0 + 7 * 24 * 3600 * 1000;
        assert_eq!(verifier.invite(&text, UnixMillis(week - 1)), Ok(invite()));
        assert_eq!(
            verifier.invite(&text, UnixMillis(week)),
            Err(InviteError::Expired)
        );
    }

    #[test]
    fn an_invitation_is_no_token_and_a_token_no_invitation() {
        let verifier = Verifier::new(keys(1));
        let text = invite().sign(&keys(1)).unwrap();
        assert!(verifier.verify(&text, NOW).is_err());
        let claims = NewClaims::new(UserId::parse("alice").unwrap(), NOW, UnixMillis(NOW.0 + 60_000));
        let mut both = claims.to_json();
        let sign = |claims: &Value| mint(&Secret::new([1; 32]), crate::jwt::Algorithm::Hs256, None, claims);
        assert_eq!(verifier.invite(&sign(&both), NOW), Err(InviteError::Invalid));
        both["invite"] = json!(URL_SAFE_NO_PAD.encode([7; INVITE_BYTES]));
        both["name"] = json!("alice");
        assert!(
            verifier.verify(&sign(&both), NOW).is_ok(),
            "others may have claims of this name"
        );
        assert_eq!(verifier.invite(&sign(&both), NOW), Err(InviteError::Invalid));
    }

    #[test]
    fn what_is_changed_or_signed_by_others_is_refused() {
        let text = invite().sign(&keys(1)).unwrap();
        assert_eq!(
            Verifier::new(keys(2)).invite(&text, NOW),
            Err(InviteError::Invalid)
        );
        let verifier = Verifier::new(keys(1));
        for wrong in [&text[..text.len() - 1], &text[1..], "", "a.b.c"] {
            assert_eq!(verifier.invite(wrong, NOW), Err(InviteError::Invalid));
        }
    }

    #[test]
    fn a_name_is_a_user_id_without_space_around_it() {
        for (name, good) in [
            ("Bob", true),
            ("B C", true),
            (" Bob", false),
            ("", false),
            ("a\u{7}", false),
        ] {
            assert_eq!(Invite::name(name).is_some(), good, "{name:?}");
        }
        assert!(Invite::name(&"a".repeat(256)).is_some() && Invite::name(&"a".repeat(257)).is_none());
    }
}
