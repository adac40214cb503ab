//! Tokens for tests, minted with the server's own mint.

use std::time::{SystemTime, UNIX_EPOCH};

use boardwire::ids::{BoardId, Level, UserId};
use boardwire::jwt::{Algorithm, NewClaims, Secret, mint};
use boardwire::time::UnixMillis;

/// The secret of every test server.
pub(crate) const SECRET: &str = "the-secret-of-the-tests-0123456789";

/// Now, in UNIX milliseconds.
pub(crate) fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A token in the making.
#[derive(Clone)]
pub(crate) struct Token(NewClaims);

impl Token {
    /// For `user`, valid for an hour, without any board.
    pub(crate) fn of(user: &str) -> Self {
        let user = UserId::parse(user).unwrap();
        Self(NewClaims::new(
            user,
            UnixMillis(now()),
            UnixMillis(now() + 3_600_000),
        ))
    }

    /// With `level` on `board`.
    pub(crate) fn with(mut self, board: &str, level: Level) -> Self {
        self.0.boards.push((BoardId::parse(board).unwrap(), level));
        self
    }

    /// Of an admin.
    pub(crate) fn admin(mut self) -> Self {
        self.0.admin = true;
        self
    }

    /// Ending `seconds` from now, or before now where negative. The server allows 30 s more.
    pub(crate) fn ending_in(mut self, seconds: i64) -> Self {
        self.0.expires_at = UnixMillis(now().saturating_add_signed(seconds * 1_000));
        self
    }

    /// The claims, for tests that change them.
    pub(crate) fn claims(&self) -> serde_json::Value {
        self.0.to_json()
    }

    /// Signed with the server's secret.
    pub(crate) fn sign(&self) -> String {
        signed_with(SECRET, &self.claims())
    }
}

/// Signs claims with any secret.
pub(crate) fn signed_with(secret: &str, claims: &serde_json::Value) -> String {
    mint(&Secret::new(secret.as_bytes()), Algorithm::Hs256, None, claims)
}

/// A token of `user` with edit on `board`.
pub(crate) fn editor(user: &str, board: &str) -> String {
    Token::of(user).with(board, Level::Edit).sign()
}

/// A token of `user` with view on `board`.
pub(crate) fn viewer(user: &str, board: &str) -> String {
    Token::of(user).with(board, Level::View).sign()
}
