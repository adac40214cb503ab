//! Access: which level a request has on a board, and whether the board is created for it.
//!
//! Owns the one decision, [`decide`], from credentials that were verified and facts that were looked up, and where in a
//! request credentials stand ([`Presented`]). Must not verify,
//! look up or remember anything. Key invariant: nothing is granted without a credential that says so, and a board is
//! created only where none ever was. Tests are below, over every combination.
//!
//! # Who learns what
//! Without a credential the answer is 401 whatever the board is: a stranger cannot find out which boards exist. Whoever
//! holds a valid token is told 404 for a board that never existed, 410 for a deleted one and 403 for one that is
//! somebody else's, so that an application can tell a wrong link from a missing grant. Ids that must not be guessed are
//! the random ones the server makes.

mod presented;
pub mod secret;

pub use presented::{Presented, PresentedError};

use crate::fault::Fault;
use crate::ids::{BoardId, Level, Subject, UserId};
use crate::jwt::Claims;
use crate::time::UnixMillis;

/// The credentials a request came with, each verified; one that does not verify is refused before.
///
/// API keys and share links become further fields here, and [`decide`] takes the highest level of all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// The claims of the JWTs: none, one, or one each from header and query.
    pub tokens: &'a [Claims],
}

/// What is stored about the board. Grants become a field of `Present`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoardFacts {
    /// There is no such board, and never was.
    Absent,
    /// There was one; its id is never used again.
    Deleted,
    /// There is one.
    Present {
        /// Its owner, who manages it.
        owner: Option<UserId>,
    },
}

/// How generous the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only what credentials say.
    Standard,
    /// `--dev`: every valid token has `edit` on every board, and creates those that are missing.
    Dev,
}

/// What a request may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The highest level that anything gives.
    pub level: Level,
    /// Who acts.
    pub subject: Subject,
    /// Whether it may rename, share and delete the board. Then `level` is `Edit`.
    pub manage: bool,
    /// The owner to create the board with, before anything else. Then `manage` is true.
    pub create: Option<UserId>,
    /// When the grant ends, exclusive: the session is closed as `ExpiredCredential` then.
    pub ends_at: Option<UnixMillis>,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on, with these rights.
    Granted(Grant),
    /// Refuse, for this reason.
    Refused(Fault),
}

/// Decides what a request may do with a board.
///
/// The owner and an admin have `edit` and manage; the claim `boards` gives its level. A missing board is created, owned by
/// the token's user, for an admin, for a claim of `edit` on it, and in `--dev` for every valid token.
///
/// # Errors
/// `Refused` with `NoCredential`, `BoardDeleted`, `NoSuchBoard` or `NoPermission`, the first that applies.
#[must_use]
pub fn decide(board: &BoardId, credentials: Credentials<'_>, facts: &BoardFacts, mode: Mode) -> Decision {
    if credentials.tokens.is_empty() {
        return Decision::Refused(Fault::NoCredential);
    }
    let grants = credentials
        .tokens
        .iter()
        .filter_map(|claims| by_token(board, claims, facts, mode));
    // Of equal levels the one that lasts longest: what ends must not take down what something else still gives.
    let best = grants.max_by_key(|grant| (grant.level, grant.manage, grant.ends_at));
    best.map_or_else(
        || {
            Decision::Refused(match facts {
                BoardFacts::Deleted => Fault::BoardDeleted,
                BoardFacts::Absent => Fault::NoSuchBoard,
                BoardFacts::Present { .. } => Fault::NoPermission,
            })
        },
        Decision::Granted,
    )
}

/// What one token gives, if anything.
fn by_token(board: &BoardId, claims: &Claims, facts: &BoardFacts, mode: Mode) -> Option<Grant> {
    let by_mode = match mode {
        Mode::Standard => None,
        Mode::Dev => Some(Level::Edit),
    };
    let by_role = claims.admin.then_some(Level::Edit);
    let by_claims = claims.level(board).max(by_role).max(by_mode);
    let (level, manage, create) = match facts {
        BoardFacts::Deleted => return None,
        BoardFacts::Absent => {
            let creates = by_claims == Some(Level::Edit);
            (
                by_claims.filter(|_| creates),
                creates,
                creates.then(|| claims.user.clone()),
            )
        }
        BoardFacts::Present { owner } => {
            let manage = claims.admin || owner.as_ref() == Some(&claims.user);
            (by_claims.max(manage.then_some(Level::Edit)), manage, None)
        }
    };
    let subject = Subject::user(&claims.user);
    level.map(|level| Grant {
        level,
        subject,
        manage,
        create,
        ends_at: Some(claims.expires_at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::{Algorithm, Keys, NewClaims, Secret, Verifier, mint};

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn board(id: &str) -> BoardId {
        BoardId::parse(id).unwrap()
    }

    /// Claims of alice, as they come out of the verifier.
    fn claims(level: Option<Level>, admin: bool) -> Claims {
        let mut new = NewClaims::new(user("alice"), UnixMillis(0), UnixMillis(1_000_000));
        new.boards = level.map(|level| (board("b"), level)).into_iter().collect();
        new.boards.push((board("other"), Level::Edit));
        new.admin = admin;
        let secret = Secret::new(*b"secret");
        let token = mint(&secret, Algorithm::Hs256, None, &new.to_json());
        Verifier::new(Keys::single(secret))
            .verify(&token, UnixMillis(0))
            .unwrap()
    }

    /// In short: level, and `m` for manage, `c` for create; or the refusal.
    fn decided(level: Option<Level>, admin: bool, facts: &BoardFacts, mode: Mode) -> String {
        let claims = claims(level, admin);
        match decide(&board("b"), Credentials { tokens: &[claims] }, facts, mode) {
            Decision::Refused(fault) => fault.to_string(),
            Decision::Granted(grant) => {
                assert_eq!(grant.subject.as_str(), "user:alice");
                assert_eq!(grant.ends_at, Some(UnixMillis(1_030_000)), "exp and the leeway");
                assert!(grant.create.as_ref().is_none_or(|owner| *owner == user("alice")));
                assert!(!grant.manage || grant.level == Level::Edit);
                let manage = if grant.manage { " m" } else { "" };
                let create = if grant.create.is_some() { " c" } else { "" };
                format!("{}{manage}{create}", grant.level.as_str())
            }
        }
    }

    #[test]
    fn every_combination_is_decided_as_the_contract_says() {
        use Level::{Comment, Edit, View};
        let absent = BoardFacts::Absent;
        let own = BoardFacts::Present {
            owner: Some(user("alice")),
        };
        let bobs = BoardFacts::Present {
            owner: Some(user("bob")),
        };
        let nobodys = BoardFacts::Present { owner: None };
        // Claimed level, admin; then what comes of it, by what the board is, outside and in --dev.
        type Row = (Option<Level>, bool, [&'static str; 4], [&'static str; 4]);
        let table: [Row; 8] = [
            (
                None,
                false,
                ["no such board", "edit m", "no permission", "no permission"],
                ["edit m c", "edit m", "edit", "edit"],
            ),
            (
                Some(View),
                false,
                ["no such board", "edit m", "view", "view"],
                ["edit m c", "edit m", "edit", "edit"],
            ),
            (
                Some(Comment),
                false,
                ["no such board", "edit m", "comment", "comment"],
                ["edit m c", "edit m", "edit", "edit"],
            ),
            (
                Some(Edit),
                false,
                ["edit m c", "edit m", "edit", "edit"],
                ["edit m c", "edit m", "edit", "edit"],
            ),
            (
                None,
                true,
                ["edit m c", "edit m", "edit m", "edit m"],
                ["edit m c", "edit m", "edit m", "edit m"],
            ),
            (
                Some(View),
                true,
                ["edit m c", "edit m", "edit m", "edit m"],
                ["edit m c", "edit m", "edit m", "edit m"],
            ),
            (
                Some(Comment),
                true,
                ["edit m c", "edit m", "edit m", "edit m"],
                ["edit m c", "edit m", "edit m", "edit m"],
            ),
            (
                Some(Edit),
                true,
                ["edit m c", "edit m", "edit m", "edit m"],
                ["edit m c", "edit m", "edit m", "edit m"],
            ),
        ];
        for (level, admin, standard, dev) in table {
            for (mode, row) in [(Mode::Standard, standard), (Mode::Dev, dev)] {
                for (facts, expected) in [&absent, &own, &bobs, &nobodys].into_iter().zip(row) {
                    let got = decided(level, admin, facts, mode);
                    assert_eq!(
                        got, expected,
                        "claim {level:?}, admin {admin}, {facts:?}, {mode:?}"
                    );
                }
                assert_eq!(decided(level, admin, &BoardFacts::Deleted, mode), "board deleted");
            }
        }
    }

    #[test]
    fn without_a_credential_nothing_is_told() {
        for mode in [Mode::Standard, Mode::Dev] {
            for facts in [
                BoardFacts::Absent,
                BoardFacts::Deleted,
                BoardFacts::Present { owner: None },
                BoardFacts::Present {
                    owner: Some(user("alice")),
                },
            ] {
                let decision = decide(&board("b"), Credentials::default(), &facts, mode);
                assert_eq!(
                    decision,
                    Decision::Refused(Fault::NoCredential),
                    "{facts:?} {mode:?}"
                );
            }
        }
    }
    #[test]
    fn of_two_tokens_the_higher_level_counts_and_then_the_longer_life() {
        let view = claims(Some(Level::View), false);
        let edit = claims(Some(Level::Edit), false);
        let nothing = claims(None, false);
        let mut longer = edit.clone();
        longer.expires_at = UnixMillis(9_000_000);
        let bobs = BoardFacts::Present {
            owner: Some(user("bob")),
        };
        let decided =
            |tokens: &[Claims]| match decide(&board("b"), Credentials { tokens }, &bobs, Mode::Standard) {
                Decision::Granted(grant) => (Some(grant.level), grant.ends_at),
                Decision::Refused(fault) => {
                    assert_eq!(fault, Fault::NoPermission);
                    (None, None)
                }
            };
        let (short, long) = (Some(UnixMillis(1_030_000)), Some(UnixMillis(9_000_000)));
        assert_eq!(decided(&[view.clone(), edit.clone()]), (Some(Level::Edit), short));
        assert_eq!(decided(&[edit.clone(), view]), (Some(Level::Edit), short));
        assert_eq!(decided(&[longer.clone(), edit]), (Some(Level::Edit), long));
        assert_eq!(decided(&[nothing.clone(), longer]), (Some(Level::Edit), long));
        assert_eq!(decided(&[nothing.clone(), nothing]), (None, None));
    }
}
