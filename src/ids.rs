//! Names that came from outside, checked once and then carried as types.
//!
//! Owns [`BoardId`], [`UserId`], [`TeamId`], [`Level`] and [`Subject`]. Must not know where a name came from (path, token, row).
//! Key invariant: a value of these types satisfies the rules of the contract, "Names".

use std::fmt;
use std::sync::Arc;

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

    /// Somebody who sent no credential.
    #[must_use]
    pub fn anonymous() -> Self {
        Self("anonymous".into())
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
        assert_eq!(Subject::anonymous().as_str(), "anonymous");
    }
}
