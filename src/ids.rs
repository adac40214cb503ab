//! Names that came from outside, checked once and then carried as types; and what a room calls its
//! connections.
//!
//! Owns [`BoardId`], [`ItemId`], [`UserId`], [`TeamId`], [`SecretId`], [`Level`], [`Principal`], [`Subject`]
//! and [`MemberId`]. Must not know where a name came from (path, token, row). Key invariant: a name of these
//! types satisfies the rules of the contract, "Names".

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::limits;

/// The name of a board: 1 to 128 characters of `A-Z a-z 0-9 . _ ~ -`, not `.` or `..`.
///
/// Cheap to clone; it is the key of the room table, of log lines and of every stored row.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoardId(Arc<str>);

impl BoardId {
    /// Checks `text`, which is already percent-decoded.
    ///
    /// # Errors
    /// `None` when the text is not a board id; the caller answers `invalid_board_id`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-');
        let fits = (1..=limits::BOARD_ID_BYTES_MAX).contains(&text.len());
        let valid = fits && text.bytes().all(allowed) && text != "." && text != "..";
        valid.then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BoardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl fmt::Display for BoardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of an item; the rules of a [`BoardId`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemId(Arc<str>);

impl ItemId {
    /// Checks `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        BoardId::parse(text).map(|id| Self(id.0))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The bare id of a user, as in the claim `sub`: UTF-8 of 1 to 256 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    /// Checks `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=limits::USER_ID_BYTES_MAX).contains(&text.len());
        (fits && !text.chars().any(char::is_control)).then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The bare id of a team, as in the claim `teams`; the same rules as for [`UserId`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TeamId(Arc<str>);

impl TeamId {
    /// Checks `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        UserId::parse(text).map(|id| Self(id.0))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of a share link or API key: 16 characters of base64url. It is no secret.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretId(Arc<str>);

impl SecretId {
    /// Characters of an id: 96 bits in base64url.
    pub const CHARACTERS: usize = 16;

    /// Bytes of an id, before they are written as text.
    pub const BYTES: usize = 12;

    /// The id that is written with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// Checks `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        (text.len() == Self::CHARACTERS && text.bytes().all(allowed)).then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// To whom a level on a board is granted; ordered as lists of permissions are: users, teams, the public.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// One user.
    User(UserId),
    /// Whoever has the team in its token.
    Team(TeamId),
    /// Everybody, also without a credential.
    Public,
}

/// As the contract writes it: `user:alice`, `team:design`, `public`.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{}", user.as_str()),
            Self::Team(team) => write!(f, "team:{}", team.as_str()),
            Self::Public => f.write_str("public"),
        }
    }
}

impl Principal {
    /// Reads what `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => (text == "public").then_some(Self::Public),
            Some(("user", id)) => UserId::parse(id).map(Self::User),
            Some(("team", id)) => TeamId::parse(id).map(Self::Team),
            Some(_) => None,
        }
    }
}

/// What somebody may do with a board; ordered, and the highest that applies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Receives updates and may show presence.
    View,
    /// As `View` on the wire; applications give it a meaning of their own.
    Comment,
    /// May change the document.
    Edit,
}

impl Level {
    /// Reads the contract's word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "view" => Some(Self::View),
            "comment" => Some(Self::Comment),
            "edit" => Some(Self::Edit),
            _ => None,
        }
    }

    /// The contract's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Comment => "comment",
            Self::Edit => "edit",
        }
    }
}

/// Who acts, as the contract writes it: `user:alice`, `key:…`, `link:…`, `anonymous`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(Arc<str>);

impl Subject {
    /// The subject of a token's `sub`.
    #[must_use]
    pub fn user(user: &UserId) -> Self {
        Self(format!("user:{}", user.as_str()).into())
    }

    /// An API key.
    #[must_use]
    pub fn key(id: &SecretId) -> Self {
        Self(format!("key:{}", id.as_str()).into())
    }

    /// A share link.
    #[must_use]
    pub fn link(id: &SecretId) -> Self {
        Self(format!("link:{}", id.as_str()).into())
    }

    /// Reads what [`Self::as_str`] gives, as it was stored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let known = match text.split_once(':') {
            None => text == "anonymous",
            Some(("user", id)) => UserId::parse(id).is_some(),
            Some(("key" | "link", id)) => SecretId::parse(id).is_some(),
            Some(_) => false,
        };
        known.then(|| Self(text.into()))
    }

    /// Somebody who sent no credential.
    #[must_use]
    pub fn anonymous() -> Self {
        Self("anonymous".into())
    }

    /// Whether many people are this one subject, strangers to each other: those without a credential, and
    /// those who have the same link.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        *self.0 == *"anonymous" || self.0.starts_with("link:")
    }

    /// The kind and the id, with a colon between.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// A member's place in its room's list; reused after it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId(u32);

impl MemberId {
    /// The id of the slot `index`.
    #[must_use]
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The number that it was made from.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn board_ids_are_checked_at_each_edge() {
        for good in ["a", "A.b_c~d-9", "...", &"x".repeat(limits::BOARD_ID_BYTES_MAX)] {
            assert_eq!(BoardId::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            ".",
            "..",
            "a b",
            "a/b",
            "ä",
            "a%41",
            &"x".repeat(limits::BOARD_ID_BYTES_MAX + 1),
        ] {
            assert!(BoardId::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn user_ids_are_utf8_without_control_characters() {
        assert!(UserId::parse("älice smith").is_some());
        assert!(UserId::parse(&"u".repeat(limits::USER_ID_BYTES_MAX)).is_some());
        for bad in ["", "a\nb", &"u".repeat(limits::USER_ID_BYTES_MAX + 1)] {
            assert!(UserId::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn levels_are_ordered_and_round_trip() {
        assert!(Level::View < Level::Comment && Level::Comment < Level::Edit);
        for level in [Level::View, Level::Comment, Level::Edit] {
            assert_eq!(Level::parse(level.as_str()), Some(level));
        }
        assert_eq!(Level::parse("Edit"), None);
    }

    #[test]
    fn subjects_read_as_the_contract_says() {
        assert_eq!(
            Subject::user(&UserId::parse("alice").unwrap()).as_str(),
            "user:alice"
        );
        let id = SecretId::parse("0123456789ab_-XY").unwrap();
        assert_eq!(Subject::key(&id).as_str(), "key:0123456789ab_-XY");
        assert_eq!(Subject::link(&id).as_str(), "link:0123456789ab_-XY");
        assert_eq!(Subject::anonymous().as_str(), "anonymous");
        for text in [
            "user:a:b",
            "key:0123456789ab_-XY",
            "link:0123456789ab_-XY",
            "anonymous",
        ] {
            assert_eq!(Subject::parse(text).unwrap().as_str(), text);
        }
        for bad in ["", "user:", "key:short", "team:x", "public"] {
            assert_eq!(Subject::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn principals_round_trip_and_sort_users_before_teams_before_the_public() {
        let texts = ["user:a", "user:b:c", "team:a", "public"];
        let all: Vec<Principal> = texts.iter().map(|text| Principal::parse(text).unwrap()).collect();
        assert!(all.is_sorted());
        assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), texts);
        for bad in ["", "user:", "team:", "public:", "key:a", "alice"] {
            assert_eq!(Principal::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_of_links_and_keys_have_sixteen_characters() {
        for (bytes, text) in [
            ([0; SecretId::BYTES], "AAAAAAAAAAAAAAAA"),
            ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], "AAECAwQFBgcICQoL"),
            ([0xff; SecretId::BYTES], "________________"),
            (
                [0xfb, 0xef, 0xbe].repeat(4).try_into().unwrap(),
                "----------------",
            ),
        ] {
            let id = SecretId::from_bytes(bytes);
            assert_eq!((id.as_str(), text.len()), (text, SecretId::CHARACTERS));
            assert_eq!(SecretId::parse(text), Some(id));
        }
        for bad in [
            "",
            "0123456789abcde",
            "0123456789abcdefg",
            "0123456789abcde=",
            "0123456789abcde/",
        ] {
            assert_eq!(SecretId::parse(bad), None, "{bad}");
        }
    }
}
